//! How far the program in single precision is from the same in double, and which op is to blame.

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::blame::Blame;
use crate::function::{Function, converted};
use crate::report::{Loses, Single};

/// So many units in the last place of `f32` are three digits of seven: too few to train with.
const FEW_DIGITS: f64 = 1e4;

/// A program with its gradients on a tape, and their values.
struct Evaluated<'t> {
    y: Var<'t>,
    gradients: Vec<Var<'t>>,
    loss: f64,
    slopes: Vec<Vec<f64>>,
}

impl<'t> Evaluated<'t> {
    fn new(function: &Function<'_>, inputs: &[Tensor], tape: &'t Tape) -> Result<Evaluated<'t>> {
        let vars: Vec<Var<'_>> = inputs.iter().map(|data| tape.input(data)).collect();
        let y = (function.program)(tape, &vars);
        let floats: Vec<Var<'_>> = vars.into_iter().filter(|x| x.dtype().is_float()).collect();
        let gradients = tape.attributed_to(function.location, || tape.grad(y, &floats));
        let gradients: Vec<Var<'_>> =
            gradients.into_iter().filter(|gradient| !gradient.is_faulty()).collect();
        let slopes = gradients.iter().map(|g| Ok(g.value()?.to_f64s())).collect::<Result<_>>()?;
        let loss = tape.attributed_to(function.location, || y.item())?;
        Ok(Evaluated { y, gradients, loss, slopes })
    }

    fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.slopes.iter().flatten().all(|slope| slope.is_finite())
    }

    /// All values that the loss and its gradients are made of, by node number.
    fn values(&self) -> Result<Vec<Option<Tensor>>> {
        let tape = self.y.tape();
        let ends = self.gradients.iter().chain([&self.y]);
        let last = ends.map(|var| var.number()).max().unwrap_or(0);
        let mut needed = vec![false; last + 1];
        self.gradients.iter().chain([&self.y]).for_each(|var| needed[var.number()] = true);
        for id in (0..=last).rev() {
            if let (true, Some(node)) = (needed[id], tape.node(id)) {
                node.inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let vars: Vec<Var<'_>> =
            (0..=last).filter(|&id| needed[id]).filter_map(|id| tape.var(id)).collect();
        let mut values = vec![None; last + 1];
        for (var, value) in vars.iter().zip(tape.eval(&vars)?) {
            values[var.number()] = Some(value);
        }
        Ok(values)
    }
}

/// Runs the program on a tape in `f32` and on one in `f64`, both at inputs that `f32` can hold.
/// `None` if it is not finite in either.
pub(crate) fn compared(function: &Function<'_>) -> Result<Option<Single>> {
    let rounded = converted(function.inputs, DType::F32);
    let (tape, exact_tape) = (Tape::new(), Tape::f64());
    let single = Evaluated::new(function, &rounded, &tape)?;
    let exact = Evaluated::new(function, &rounded, &exact_tape)?;
    if !exact.is_finite() {
        return Ok(None);
    }
    let off = |(single, double): (&Vec<f64>, &Vec<f64>)| {
        // Where everything cancels, what is left is rounding of the loss.
        let largest =
            double.iter().fold(1e-6 * exact.loss.abs(), |largest, x| largest.max(x.abs()));
        let apart = single.iter().zip(double).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        apart / ulp(largest)
    };
    let (loss, gradient) = match single.is_finite() {
        true => (
            (single.loss - exact.loss).abs() / ulp(exact.loss),
            single.slopes.iter().zip(&exact.slopes).map(off).fold(0.0, f64::max),
        ),
        false => (f64::INFINITY, f64::INFINITY),
    };
    let loses = match loss.max(gradient) > FEW_DIGITS {
        true => loses(&single, &exact)?,
        false => None,
    };
    Ok(Some(Single { loss, gradient, loses }))
}

/// The op that gives the fewest digits for those that it reads: where numbers cancel, or leave the
/// range of `f32`.
fn loses(single: &Evaluated<'_>, exact: &Evaluated<'_>) -> Result<Option<Loses>> {
    let (values, exact_values) = (single.values()?, exact.values()?);
    let digits: Vec<Option<f64>> = values
        .iter()
        .zip(&exact_values)
        .map(|(single, exact)| {
            Some(digits(&single.as_ref()?.to_f64s(), &exact.as_ref()?.to_f64s()))
        })
        .collect();
    let tape = exact.y.tape();
    let mut most: Option<(f64, Loses)> = None;
    for (id, after) in digits.iter().enumerate() {
        let (Some(after), Some(node)) = (*after, tape.node(id)) else { continue };
        if node.inputs.is_empty() {
            continue;
        }
        let read = node.inputs.iter().filter_map(|&input| digits[input]);
        let before = read.fold(DIGITS, f64::min);
        if most.as_ref().is_none_or(|(lost, _)| before - after > *lost) {
            let op = Blame::of_node(tape, &node);
            most = Some((before - after, Loses { op, digits: (before, after) }));
        }
    }
    Ok(most.filter(|(lost, _)| *lost > 1.0).map(|(_, loses)| loses))
}

/// The digits of an `f32`.
const DIGITS: f64 = 7.2;

/// How many digits of a tensor's largest element agree.
fn digits(single: &[f64], exact: &[f64]) -> f64 {
    let largest = exact.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    // Two infinities of one sign agree.
    let apart = single.iter().zip(exact).filter(|(a, b)| a != b).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, |most, x| if x.is_nan() { f64::INFINITY } else { most.max(x) });
    match apart {
        0.0 => DIGITS,
        _ => (-(apart / largest).log10()).clamp(0.0, DIGITS),
    }
}

/// The distance of `f32` numbers near `x`.
fn ulp(x: f64) -> f64 {
    let x = (x.abs() as f32).max(f32::MIN_POSITIVE);
    f64::from(x.next_up() - x)
}
