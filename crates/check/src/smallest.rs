//! The smallest case: a failure, at inputs from which nothing can be left out.
//!
//! Axes are made shorter, then elements 0 or 1, as long as the gradient stays wrong (delta
//! debugging: Zeller and Hildebrandt, 2002).

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use lossgraph_autograd::Result;
use lossgraph_tensor::{DType, Tensor};

use crate::compared::Patience;
use crate::differentiable::Differentiable;
use crate::directions::Directions;
use crate::function::Function;
use crate::gradient::Gradient;
use crate::report::{Element, Verdict};
use crate::rounding;
use crate::rust_test::rust_test;
use crate::slopes::Estimate;

/// A failure at the smallest inputs that show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Smallest {
    /// The inputs, by name.
    pub inputs: Vec<(String, Tensor)>,
    /// The name of the input whose gradient is wrong.
    pub input: String,
    /// The element whose derivative is most wrong.
    pub element: Element,
    /// It as a test to paste.
    pub test: String,
    /// The first panic of the function at inputs that were tried: at such inputs nothing is known.
    pub panic: Option<String>,
}

impl fmt::Display for Smallest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "           the smallest case, as a test:")?;
        self.test.lines().try_for_each(|line| writeln!(f, "             {line}"))?;
        match &self.panic {
            None => Ok(()),
            Some(panic) => {
                let first = panic.lines().next().unwrap_or_default();
                writeln!(f, "           at smaller inputs the function panics, first with: {first}")
            }
        }
    }
}

/// So many smaller inputs are tried, and so many elements in all of them together: what is large is
/// tried less often.
const TRIES: usize = 400;
const ELEMENTS: usize = 1 << 20;

/// So many elements are there at most of which single ones are tried.
const SINGLE: usize = 256;

/// A wrong gradient of a program, about to be made smaller.
pub(crate) struct Shrinking<'a> {
    pub function: &'a Function<'a>,
    /// So many inputs, from the first on, may change: those after them are parameters.
    pub free: usize,
    /// The input whose gradient is wrong.
    pub which: usize,
    pub names: &'a dyn Fn(usize) -> String,
}

impl Shrinking<'_> {
    /// The smallest case of a recorded program.
    pub fn of_program(&self) -> Result<Option<Smallest>> {
        let wrong = |inputs: &[Tensor]| {
            let function = Function { inputs, ..*self.function };
            let at_0 = (function.value()?, rounding::of_value(&function)?);
            Ok(wrong(&function, self.which, at_0)?.is_some())
        };
        let (inputs, panic) = smallest(self.function.inputs, self.free, &wrong);
        let function = Function { inputs: &inputs, ..*self.function };
        let at_0 = (function.value()?, rounding::of_value(&function)?);
        let found = worst(&function, self.which, at_0)?;
        let line = format!("{}:{}", self.function.location.file(), self.function.location.line());
        Ok(found.map(|element| {
            let named = named(&inputs[..self.free], self.names);
            let mut test = format!("// The program that is checked at {line}, as `program`.\n");
            test += &rust_test(&element, &(self.names)(self.which), "program", &named);
            if self.free < inputs.len() {
                test = format!("// The model, and the loss, that are checked at {line}.\n");
                test += &rust_test(&element, &(self.names)(self.which), "&model, loss", &named);
            }
            Smallest { inputs: named, input: (self.names)(self.which), element, test, panic }
        }))
    }
}

/// Inputs with their names.
pub(crate) fn named(inputs: &[Tensor], names: &dyn Fn(usize) -> String) -> Vec<(String, Tensor)> {
    inputs.iter().enumerate().map(|(i, x)| (names(i), x.clone())).collect()
}

/// The gradient in an input, if it is wrong. `at_0` is as for [`Gradient::new`].
pub(crate) fn wrong(
    function: &dyn Differentiable,
    which: usize,
    at_0: (f64, f64),
) -> Result<Option<Gradient<'_>>> {
    if !at_0.0.is_finite() {
        return Ok(None);
    }
    let mut gradient = Gradient::new(function, which, at_0)?;
    Ok((gradient.verdict()? == Verdict::Fail).then_some(gradient))
}

/// The element whose derivative is most wrong, or `None` where the gradient is not wrong.
pub(crate) fn worst(
    function: &dyn Differentiable,
    which: usize,
    at_0: (f64, f64),
) -> Result<Option<Element>> {
    let Some(gradient) = wrong(function, which, at_0)? else { return Ok(None) };
    let x = &function.inputs()[which];
    let numbers = x.to_f64s();
    let elements: Vec<usize> = match numbers.len() {
        len @ ..=SINGLE => (0..len).collect(),
        _ => {
            let direction = Directions::new(&numbers, 5).next();
            vec![gradient.halve(&direction, |compared| compared.margin())?]
        }
    };
    let mut most: Option<(f64, Element)> = None;
    for (at, compared) in elements.iter().zip(gradient.look_at(&elements, 1.0, Patience::Short)?) {
        if compared.verdict() != Verdict::Fail {
            continue;
        }
        let Estimate { value, error } = compared.slopes.central;
        let numeric = Estimate { value: value / compared.length, error: error / compared.length };
        let analytic = gradient.analytic[*at];
        let off = (analytic - numeric.value).abs();
        if most.as_ref().is_none_or(|(most, _)| off > *most || off.is_nan()) {
            let index = x.shape().unravel_index(*at);
            most = Some((off, Element { index, value: numbers[*at], analytic, numeric }));
        }
    }
    Ok(most.map(|(_, element)| element))
}

/// The smallest inputs at which a gradient is wrong. `wrong` says for inputs of any shapes whether it
/// is; inputs that it refuses, or at which it panics, are none. If nothing can be left out, the inputs as
/// they are. The first panic comes with them.
pub(crate) fn smallest(
    inputs: &[Tensor],
    free: usize,
    wrong: &dyn Fn(&[Tensor]) -> Result<bool>,
) -> (Vec<Tensor>, Option<String>) {
    let (found, tries, elements) = (inputs.to_vec(), TRIES, ELEMENTS);
    let mut search = Search { found, free, wrong, tries, elements, panic: None };
    search.shorten();
    search.simplify();
    (search.found, search.panic)
}

struct Search<'a> {
    found: Vec<Tensor>,
    free: usize,
    wrong: &'a dyn Fn(&[Tensor]) -> Result<bool>,
    /// How many inputs, and elements of them, may still be tried.
    tries: usize,
    elements: usize,
    /// The first panic.
    panic: Option<String>,
}

impl Search<'_> {
    /// Takes inputs if the gradient is wrong at them.
    fn take(&mut self, inputs: Option<Vec<Tensor>>) -> bool {
        let Some(inputs) = inputs.filter(|_| !self.is_over()) else { return false };
        self.tries -= 1;
        let elements: usize = inputs.iter().map(Tensor::len).sum();
        self.elements = self.elements.saturating_sub(elements);
        // A function that knows its shapes may panic at others, which are none then.
        let is_wrong = match quietly(|| (self.wrong)(&inputs)) {
            Ok(judged) => judged.is_ok_and(|is_wrong| is_wrong),
            Err(panic) => {
                self.panic.get_or_insert(panic);
                false
            }
        };
        if is_wrong {
            self.found = inputs;
        }
        is_wrong
    }

    fn is_over(&self) -> bool {
        self.tries == 0 || self.elements == 0
    }

    /// Makes axes shorter: all of one length together, as those of a batch are, and then each by
    /// itself, but for inputs of one shape, which keep one: they would be broadcast otherwise, and
    /// another mistake shown.
    fn shorten(&mut self) {
        let axes = |inputs: &[Tensor], free: usize| -> Vec<(usize, usize)> {
            let of_input = |i: usize| (0..inputs[i].rank()).map(move |axis| (i, axis));
            (0..free).flat_map(of_input).collect()
        };
        loop {
            let mut is_shorter = false;
            let mut lengths: Vec<usize> = self.found[..self.free]
                .iter()
                .flat_map(|x| x.shape().to_vec())
                .filter(|&length| length > 1)
                .collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
            for length in lengths {
                for shorter in shorter_than(length) {
                    let of_length: Vec<(usize, usize)> = axes(&self.found, self.free)
                        .into_iter()
                        .filter(|&(i, axis)| self.found[i].shape()[axis] == length)
                        .collect();
                    let smaller = narrowed(&self.found, &of_length, length, shorter);
                    if self.take(smaller) {
                        is_shorter = true;
                        break;
                    }
                }
            }
            for (i, axis) in axes(&self.found, self.free) {
                let length = self.found[i].shape()[axis];
                let shape = self.found[i].shape().clone();
                let alike = (0..self.free).filter(|&j| *self.found[j].shape() == shape);
                let alike: Vec<(usize, usize)> = alike.map(|j| (j, axis)).collect();
                for shorter in shorter_than(length) {
                    let smaller = narrowed(&self.found, &alike, length, shorter);
                    if self.take(smaller) {
                        is_shorter = true;
                        break;
                    }
                }
            }
            if !is_shorter || self.is_over() {
                return;
            }
        }
    }

    /// Makes elements 0 or 1: those of an input together, then halves of them, down to single ones.
    fn simplify(&mut self) {
        for i in 0..self.free {
            let len = self.found[i].len();
            let mut part = len;
            while part > 0 && (part > 1 || len <= SINGLE) {
                for first in (0..len).step_by(part) {
                    if self.is_over() {
                        return;
                    }
                    let range = first..(first + part).min(len);
                    for value in [0.0, 1.0] {
                        if self.is_simple(i, range.clone(), value) {
                            break;
                        }
                        let simpler = filled(&self.found, i, range.clone(), value);
                        if self.take(simpler) {
                            break;
                        }
                    }
                }
                part /= 2;
            }
        }
    }

    /// Whether elements are as simple as they would become.
    fn is_simple(&self, i: usize, range: std::ops::Range<usize>, value: f64) -> bool {
        let numbers = self.found[i].to_f64s();
        numbers[range].iter().all(|x| *x == value || *x == 0.0 || *x == 1.0)
    }
}

thread_local! {
    /// Whether panics of this thread are caught, and told once.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What a function gives, or the message of its panic, which nothing else is printed of.
fn quietly<T>(f: impl FnOnce() -> T) -> std::result::Result<T, String> {
    static HOOK: Once = Once::new();
    // It stays, since others may have set theirs by the time that it could be put back.
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                before(panic);
            }
        }));
    });
    IS_QUIET.set(true);
    let caught = catch_unwind(AssertUnwindSafe(f));
    IS_QUIET.set(false);
    caught.map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    })
}

/// Lengths to try instead of one, shortest first.
fn shorter_than(length: usize) -> Vec<usize> {
    let mut all = vec![1, 2, length / 2, length - 1];
    all.retain(|&shorter| shorter > 0 && shorter < length);
    all.dedup();
    all
}

/// Inputs whose axes are cut off at a shorter length. Integers that count along such an axis, as
/// labels do, are taken modulo that.
fn narrowed(
    inputs: &[Tensor],
    axes: &[(usize, usize)],
    length: usize,
    shorter: usize,
) -> Option<Vec<Tensor>> {
    let mut narrowed = inputs.to_vec();
    for &(i, axis) in axes {
        narrowed[i] = narrowed[i].narrow(axis as isize, 0, shorter).ok()?.contiguous();
    }
    for x in &mut narrowed {
        if x.dtype() == DType::I64 {
            let numbers: Vec<i64> = x.to_vec().ok()?;
            let (length, shorter) = (length as i64, shorter as i64);
            let within = |n: i64| if (shorter..length).contains(&n) { n % shorter } else { n };
            *x = Tensor::new(x.shape().clone(), numbers.into_iter().map(within).collect()).ok()?;
        }
    }
    Some(narrowed)
}

/// Inputs with some elements of one set to a number.
fn filled(
    inputs: &[Tensor],
    which: usize,
    range: std::ops::Range<usize>,
    value: f64,
) -> Option<Vec<Tensor>> {
    let mut filled = inputs.to_vec();
    let x = &inputs[which];
    let mut numbers = x.to_f64s();
    numbers[range].fill(value);
    filled[which] = Tensor::new(x.shape().clone(), numbers).ok()?.to_dtype(x.dtype());
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_one_length_shrink_together_and_labels_stay_below_it() {
        let inputs = [
            Tensor::new([4, 5], (0..20).map(f64::from).collect()).unwrap(),
            Tensor::from([4_i64, 3, 2, 1]),
        ];
        let wrong = |x: &[Tensor]| {
            let labels: Vec<i64> = x[1].to_vec().unwrap();
            let fits = x[0].shape()[0] == x[1].len()
                && labels.iter().all(|&label| (label as usize) < x[0].shape()[1]);
            Ok(fits && x[0].shape()[1] >= 2)
        };
        let (found, _) = smallest(&inputs, 2, &wrong);
        assert_eq!(found[0].shape().to_vec(), [1, 2]);
        assert!(found[0].to_f64s().iter().all(|&x| x == 0.0 || x == 1.0), "{}", found[0]);
        assert_eq!(found[1].to_vec::<i64>().unwrap(), [0]);
    }

    #[test]
    fn what_matters_is_left_as_it_is() {
        let x = Tensor::from([3.0, 5.0, 7.0, 9.0]);
        let wrong = |x: &[Tensor]| Ok(x[0].to_f64s().contains(&7.0));
        let (found, _) = smallest(&[x], 1, &wrong);
        assert_eq!(found[0].to_f64s(), [0.0, 0.0, 7.0]);
    }

    #[test]
    fn a_panic_is_caught_and_the_first_one_is_told() {
        let x = Tensor::from([3.0, 5.0, 7.0]);
        let wrong = |x: &[Tensor]| {
            assert!(x[0].len() == 3, "it takes 3 numbers, not {}", x[0].len());
            Ok(true)
        };
        let (found, panic) = smallest(&[x], 1, &wrong);
        assert_eq!(found[0].to_f64s(), [0.0; 3]);
        assert_eq!(panic.as_deref(), Some("it takes 3 numbers, not 1"));
    }
}
