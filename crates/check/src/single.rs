//! How far the program in single precision is from the same in double.

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::DType;

use crate::function::{Function, converted};
use crate::report::Single;

/// Runs the program on a tape in `f32` and on one in `f64`, both at inputs that `f32` can hold.
/// `None` if it is not finite in single precision.
pub(crate) fn compared(function: &Function<'_>) -> Result<Option<Single>> {
    let rounded = converted(function.inputs, DType::F32);
    let results = |tape: Tape| -> Result<(f64, Vec<Vec<f64>>)> {
        let vars: Vec<Var<'_>> = rounded.iter().map(|data| tape.input(data)).collect();
        let y = (function.program)(&tape, &vars);
        let floats: Vec<Var<'_>> = vars.into_iter().filter(|x| x.dtype().is_float()).collect();
        let gradients = tape.attributed_to(function.location, || tape.grad(y, &floats));
        let gradients = gradients.into_iter().filter(|g| !g.is_faulty());
        let gradients = gradients.map(|g| Ok(g.value()?.to_f64s())).collect::<Result<_>>()?;
        Ok((tape.attributed_to(function.location, || y.item())?, gradients))
    };
    let ((loss, gradients), (exact, slopes)) = (results(Tape::new())?, results(Tape::f64())?);
    if !loss.is_finite() || gradients.iter().flatten().any(|slope| !slope.is_finite()) {
        return Ok(None);
    }
    let off = |(single, double): (&Vec<f64>, &Vec<f64>)| {
        // Where everything cancels, what is left is rounding of the loss.
        let largest = double.iter().fold(1e-6 * exact.abs(), |largest, x| largest.max(x.abs()));
        let apart = single.iter().zip(double).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        apart / ulp(largest)
    };
    let gradient = gradients.iter().zip(&slopes).map(off).fold(0.0, f64::max);
    Ok(Some(Single { loss: (loss - exact).abs() / ulp(exact), gradient }))
}

/// The distance of `f32` numbers near `x`.
fn ulp(x: f64) -> f64 {
    let x = (x.abs() as f32).max(f32::MIN_POSITIVE);
    f64::from(x.next_up() - x)
}
