//! Checking a program: the gradient in each input, the Hessian in each pair of them.

use std::collections::BTreeMap;
use std::panic::Location;

use lossgraph_autograd::{Fault, FaultInjector, Result, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::blame::program;
use crate::diagnosis::Diagnosis;
use crate::directions::Directions;
use crate::function::{Function, Program, converted, tensor};
use crate::gradient::{Gradient, Method};
use crate::progress::Progress;
use crate::report::{Failure, Finding, INTEGERS, Report, STOPS_ON_PURPOSE, Verdict, WRONG_ALREADY};
use crate::smallest::Shrinking;
use crate::{ends, rounding, single};

/// Checks gradient and Hessian of a program at some inputs, along random directions: one in which all
/// inputs move, which shows most of what is right, and four of each input that is left.
///
/// ```text
/// order 1   ∇f(x)·v         against   (f(x + hv) − f(x − hv)) / 2h,              h → 0
/// order 2   ∇(∇f(x)·v)·w    against   (∇f(x + hw)·v − ∇f(x − hw)·v) / 2h,        h → 0
/// ```
///
/// The limit is extrapolated from four steps `h`, with an estimate of its error, which is the
/// tolerance.
///
/// ```
/// use lossgraph_autograd::{Tape, Var};
/// use lossgraph_check::{Verdict, check};
///
/// let report = check(|_, x| x[0].abs().sum(..), &[[1.0, 0.0].into()])?;
/// // The second element sits on the kink of |x|; its slope 0 lies between −1 and 1.
/// assert_eq!(report.rows[0].verdict, Verdict::Kink);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// A shape error, or an invalid argument, in the program; a result with more than one element, or
/// that is not finite; no inputs, or one without elements.
#[track_caller]
pub fn check(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + Sync,
    inputs: &[Tensor],
) -> Result<Report> {
    Check::default().run(program, inputs)
}

/// How a program is checked.
///
/// ```
/// use lossgraph_check::{Check, Method};
///
/// let check = Check { method: Method::Full, orders: 1, ..Check::default() };
/// let report = check.run(|_, x| x[0].square().sum(..), &[[1.0, 2.0].into()])?;
/// assert!(report.passed());
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Check {
    /// What the report calls the program.
    pub title: String,
    /// What the report calls the inputs; those without a name are numbered.
    pub names: Vec<String>,
    /// Along directions, element by element, or by Taylor's theorem.
    pub method: Method,
    /// 1 for the gradient alone, 2 for the Hessian as well.
    pub orders: usize,
    /// How many random directions each derivative is checked along, unless it is seen to be right
    /// along one of all inputs.
    pub directions: usize,
    /// The seed of the directions.
    pub seed: u64,
    /// Inputs that are not checked, by number: those through which a `detach` lets only a part of the
    /// gradient, so that it is not that of the value, on purpose.
    pub skip: Vec<usize>,
    /// Faults injected into rules, to see whether the check finds them.
    pub injector: Option<FaultInjector>,
    /// Whether a failure is made smaller until nothing can be left out, and printed as a test.
    pub shrink: bool,
    /// Whether a check that takes long shows how far it is, on standard error if that is a terminal.
    pub progress: bool,
}

impl Default for Check {
    fn default() -> Check {
        Check {
            title: "check".to_owned(),
            names: Vec::new(),
            method: Method::Quick,
            orders: 2,
            directions: 4,
            seed: 0,
            skip: Vec::new(),
            injector: None,
            shrink: true,
            progress: false,
        }
    }
}

impl Check {
    /// Checks a program at some inputs. It is recorded on tapes in `f64`; floats among the inputs
    /// become doubles. Integers are held as they are.
    ///
    /// # Errors
    /// As for [`check`].
    #[track_caller]
    pub fn run(
        &self,
        program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + Sync,
        inputs: &[Tensor],
    ) -> Result<Report> {
        let location = Location::caller();
        self.refuse_nothing(inputs, location)?;
        let inputs = &converted(inputs, DType::F64);
        let progress = Progress::new(self, self.derivatives(inputs.len()));
        let watched = crate::blame::program(|tape, x| {
            progress.run();
            program(tape, x)
        });
        let function = Function {
            program: &watched,
            inputs,
            injector: self.injector.as_ref(),
            dtype: DType::F64,
            weights: None,
            location,
        };
        let mut report = self.gradients(&function, inputs.len(), &progress)?;
        if self.orders >= 2 {
            let smooth = report.smooth();
            for (at, &first) in smooth.iter().enumerate() {
                let rows =
                    self.hessians_of(function, first, &smooth[at..], &mut report, &progress)?;
                report.rows.extend(rows);
            }
        }
        report.single = single::compared(&function)?;
        Ok(report)
    }

    /// An error if there is nothing to compare.
    pub(crate) fn refuse_nothing(
        &self,
        inputs: &[Tensor],
        location: &'static Location<'static>,
    ) -> Result<()> {
        let refuse = |why: String| Err(Fault::new(self.title.clone(), why).at(location).into());
        if let Some(empty) = inputs.iter().position(Tensor::is_empty) {
            let (name, shape) = (self.name(empty), inputs[empty].shape());
            return refuse(format!(
                "{name} is empty, of shape {shape}: there is nothing to compare"
            ));
        }
        if inputs.is_empty() {
            return refuse("there are no inputs, and so no derivatives to compare".to_owned());
        }
        let count = inputs.len();
        if let Some(odd) = self.skip.iter().find(|&&which| which >= count) {
            return refuse(format!(
                "input {odd} is to be skipped, and there are {count}, from 0 on"
            ));
        }
        if self.names.len() > count {
            let names = self.names.join(", ");
            return refuse(format!("there are more names than the {count} inputs: {names}"));
        }
        Ok(())
    }

    /// A report with a row for the gradient in each input of a program. Of its inputs, so many are
    /// `free`: those after them are parameters, whose shapes belong to a model.
    pub(crate) fn gradients(
        &self,
        function: &Function<'_>,
        free: usize,
        progress: &Progress,
    ) -> Result<Report> {
        progress.together(function.inputs.len());
        let loss = function.value()?;
        if !loss.is_finite() {
            let why = format!(
                "the loss is {loss} at these inputs, expected a finite number: choose inputs within \
                 its domain, or see with `tape.find_nan` where it comes from"
            );
            return Err(Fault::new(self.title.clone(), why).at(function.location).into());
        }
        let mut report = Report::new(self, loss);
        report.runs += 1;
        let at_0 = (loss, rounding::of_value(function)?);
        let all = 0..function.inputs.len();
        let checked = all.clone().filter(|&which| self.skipped(function.inputs, which).is_none());
        let checked: Vec<usize> = checked.collect();
        let mut right = self.right_of(function, &checked, at_0, &mut report.runs)?;
        for which in all {
            progress.next(&self.name(which));
            let mut row = match right.remove(&which) {
                Some(row) => row,
                None => self.gradient(function, which, at_0, &mut report.runs)?,
            };
            if let (true, Some(failure)) = (self.shrink, &mut row.failure) {
                let shrinking = Shrinking { function, free, which, names: &|i| self.name(i) };
                failure.smallest = shrinking.of_program()?;
            }
            report.rows.push(Finding { input: self.name(which), ..row });
        }
        Ok(report)
    }

    /// How many derivatives there are in so many inputs: gradients, and the Hessian between each two.
    pub(crate) fn derivatives(&self, inputs: usize) -> usize {
        if self.orders >= 2 { inputs + inputs * (inputs + 1) / 2 } else { inputs }
    }

    pub(crate) fn name(&self, which: usize) -> String {
        self.names.get(which).cloned().unwrap_or_else(|| format!("input {which}"))
    }

    /// The gradient of a program in one input. `at_0` is its value, and what rounding leaves of it.
    pub(crate) fn gradient(
        &self,
        function: &Function<'_>,
        which: usize,
        at_0: (f64, f64),
        runs: &mut usize,
    ) -> Result<Finding> {
        if let Some(skipped) = self.skipped(function.inputs, which) {
            return Ok(skipped);
        }
        let gradient = match cut(function, which) {
            None => Gradient::new(function, which, at_0)?,
            // What is cut in the program is cut on purpose. What is cut in its gradient counts as 0.
            Some(_) if function.weights.is_some() => Gradient::zero(function, which, at_0),
            Some(why) => return Ok(Finding::skipped(why)),
        };
        self.compare(gradient, runs)
    }

    /// What is found of those inputs of a program whose gradients are seen to be right along one
    /// direction.
    pub(crate) fn right_of(
        &self,
        function: &Function<'_>,
        which: &[usize],
        at_0: (f64, f64),
        runs: &mut usize,
    ) -> Result<BTreeMap<usize, Finding>> {
        let tape = function.tape();
        let (vars, y) = function.record(&tape);
        let wanted: Vec<Var<'_>> = which.iter().map(|&which| vars[which]).collect();
        let slopes = function.slopes(&tape, y, &wanted).into_iter();
        let reached = which.iter().zip(slopes).filter(|(_, slope)| !slope.is_faulty());
        let reached: Vec<usize> = reached.map(|(&which, _)| which).collect();
        self.right_jointly(function, &reached, at_0, runs)
    }

    /// The finding of an input that is not checked.
    pub(crate) fn skipped(&self, inputs: &[Tensor], which: usize) -> Option<Finding> {
        if !inputs[which].dtype().is_float() {
            return Some(Finding::skipped(INTEGERS.to_owned()));
        }
        self.skip.contains(&which).then(|| Finding::skipped(STOPS_ON_PURPOSE.to_owned()))
    }

    /// Compares a gradient with differences.
    pub(crate) fn compare(&self, mut gradient: Gradient<'_>, runs: &mut usize) -> Result<Finding> {
        let seed = self.seed.wrapping_add(gradient.which as u64);
        let finding = gradient.check(self.method, self.directions, seed)?;
        *runs += gradient.runs();
        Ok(finding)
    }

    /// The Hessian between one input and each of some: the gradient, in those, of the slope along a
    /// direction of the first. What that slope is was checked as the gradient of order 1.
    fn hessians_of(
        &self,
        function: Function<'_>,
        first: usize,
        seconds: &[usize],
        report: &mut Report,
        progress: &Progress,
    ) -> Result<Vec<Finding>> {
        progress.together(seconds.len());
        let is_wrong = |which: usize| report.rows[which].verdict == Verdict::Fail;
        let judged =
            seconds.iter().copied().filter(|&second| !is_wrong(first) && !is_wrong(second));
        let judged: Vec<usize> = judged.collect();
        let direction = |which: usize| self.direction(&function.inputs[which], which + 2 * first);
        let v = direction(first)?;
        let slope = gradient_of(function.program, first);
        let slope = Function { program: &slope, weights: Some(&v), ..function };
        let (mut at_0, mut right) = ((f64::NAN, f64::NAN), BTreeMap::new());
        if !judged.is_empty() {
            at_0 = (slope.value()?, rounding::of_value(&slope)?);
            report.runs += 1;
            right = self.right_of(&slope, &judged, at_0, &mut report.runs)?;
        }
        let row = |&second: &usize| {
            let input = format!("{} × {}", self.name(first), self.name(second));
            progress.next(&input);
            let found = match right.remove(&second) {
                _ if !judged.contains(&second) => Finding::skipped(WRONG_ALREADY.to_owned()),
                Some(found) => found,
                None => self.gradient(&slope, second, at_0, &mut report.runs)?,
            };
            let mut row = Finding { input, order: 2, ..found };
            if let Some(failure) = &mut row.failure {
                failure.end = ends::of_gradient(&function, &slope);
            }
            if first != second && row.verdict == Verdict::Pass {
                let w = direction(second)?;
                self.compare_orders(function, (first, &v), (second, &w), report.loss, &mut row)?;
            }
            Ok(row)
        };
        seconds.iter().map(row).collect()
    }

    /// A direction of an input for a second derivative; `number` tells directions apart.
    pub(crate) fn direction(&self, x: &Tensor, number: usize) -> Result<Tensor> {
        let seed = self.seed.wrapping_add(0x5eed + number as u64);
        tensor(x, Directions::new(&x.to_f64s(), seed).next())
    }

    /// The Hessian is symmetric: `w·∂(v·∂L/∂a)/∂b = v·∂(w·∂L/∂b)/∂a`.
    fn compare_orders(
        &self,
        function: Function<'_>,
        (first, v): (usize, &Tensor),
        (second, w): (usize, &Tensor),
        at_0: f64,
        row: &mut Finding,
    ) -> Result<()> {
        let products = |function: Function<'_>| -> Result<[(f64, f64); 2]> {
            Ok([
                second_derivative(function, (first, v), (second, w))?,
                second_derivative(function, (second, w), (first, v))?,
            ])
        };
        let [(one, size), (other, other_size)] = products(function)?;
        // Both are made of sums of such a size, rounded in another order; where they cancel, what
        // is left is rounding of the loss. Below the least normal number, digits are lost.
        let tolerance = 1e-10 * size.max(other_size) + 1e-12 * at_0.abs() + f64::MIN_POSITIVE;
        let apart = (one - other).abs();
        let is_symmetric = apart <= tolerance;
        if !is_symmetric {
            // What single precision loses, double precision loses 2⁻²⁹ of.
            let single = converted(function.inputs, DType::F32);
            let single = Function { inputs: &single, dtype: DType::F32, ..function };
            let [(a, _), (b, _)] = products(single)?;
            let rounding = 8.0 * 0.5_f64.powi(29) * (a - one).abs().max((b - other).abs());
            if rounding.is_nan() || apart <= rounding {
                row.verdict = Verdict::Noise;
                return Ok(());
            }
            row.verdict = Verdict::Fail;
            row.margin = if apart.is_nan() { f64::INFINITY } else { apart / tolerance };
            row.failure = Some(Failure {
                worst: Vec::new(),
                wrong: (0, 0),
                elements: w.len(),
                diagnosis: if apart.is_nan() {
                    Diagnosis::NotFinite
                } else {
                    Diagnosis::Asymmetric
                },
                blame: None,
                opaque: false,
                end: None,
                smallest: None,
            });
        }
        Ok(())
    }
}

/// The program `∂y/∂x` for an input `x` of a program.
pub(crate) fn gradient_of<'a>(
    of: &'a Program<'a>,
    which: usize,
) -> impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + Sync + 'a {
    program(move |tape, x| tape.grad(of(tape, x), &[x[which]])[0])
}

/// The derivative along one direction of one input, and then along another; and the size of the
/// numbers that it is the sum of.
fn second_derivative(
    function: Function<'_>,
    (from, v): (usize, &Tensor),
    (to, w): (usize, &Tensor),
) -> Result<(f64, f64)> {
    let slope = gradient_of(function.program, from);
    let column = Function { program: &slope, weights: Some(v), ..function }.gradient(to)?;
    let along = w.to_f64s();
    let parts = || column.iter().zip(&along).map(|(h, w)| h * w);
    Ok((parts().sum(), parts().map(f64::abs).sum()))
}

/// Why there is no gradient in an input: a `detach` on every path.
pub(crate) fn cut(function: &Function<'_>, which: usize) -> Option<String> {
    let tape = function.tape();
    let (vars, y) = function.record(&tape);
    let gradient = function.slope(&tape, y, vars[which]);
    if y.is_faulty() || !gradient.is_faulty() {
        return None;
    }
    // The line is one of this crate.
    let why = gradient.value().err()?.without_locations();
    why.lines().next().map(str::to_owned)
}
