//! Derivatives by finite differences: what an analytic gradient is compared with.

use std::panic::Location;

use lossgraph_tensor::{DType, Tensor};

use crate::record::fault::{Fault, Result};
use crate::record::tape::Tape;
use crate::record::var::Var;

/// The gradient of a program with one number as its result, by central differences in `f64`:
///
/// ```text
/// ∂f/∂x ≈ (8 (f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h))) / 12h,   h = 2·10⁻⁴ max(1, |x|)
/// ```
///
/// The error is of order `h⁴` plus rounding of order `10⁻¹² |f|`. Integer inputs (labels) are
/// held constant, and get zeros. Where the program has a kink within `2h`, the result is a mean of
/// slopes, not the slope.
///
/// ```
/// use lossgraph_autograd::{Tape, numeric_gradient};
/// use lossgraph_tensor::Tensor;
///
/// let slope = numeric_gradient(|_, x| x[0].sin().sum(..), &[Tensor::from([0.0, 1.0])])?;
/// assert!(slope[0].allclose(&Tensor::from([1.0, 1.0_f64.cos()]), 1e-10, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// What the program itself gives; or a result with more than one element.
#[track_caller]
pub fn numeric_gradient(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
) -> Result<Vec<Tensor>> {
    let location = Location::caller();
    let mut at: Vec<Vec<f64>> = inputs.iter().map(Tensor::to_f64s).collect();
    let value = |at: &[Vec<f64>]| -> Result<f64> {
        let tape = Tape::f64();
        let leaf = |(x, like): (&Vec<f64>, &Tensor)| -> Result<Var<'_>> {
            let x = shaped(x.clone(), like)?;
            Ok(tape.input(&if like.dtype().is_float() { x } else { x.to_dtype(DType::I64) }))
        };
        let vars = at.iter().zip(inputs).map(leaf).collect::<Result<Vec<_>>>()?;
        let y = program(&tape, &vars);
        y.tape().attributed_to(location, || y.item())
    };
    let mut gradients = Vec::new();
    for (i, like) in inputs.iter().enumerate() {
        let mut gradient = vec![0.0; like.len()];
        for j in 0..if like.dtype().is_float() { like.len() } else { 0 } {
            let x = at[i][j];
            let h = 2e-4 * x.abs().max(1.0);
            let mut moved = |by: f64| {
                at[i][j] = x + by;
                let value = value(&at);
                at[i][j] = x;
                value
            };
            let near = moved(h)? - moved(-h)?;
            let far = moved(2.0 * h)? - moved(-2.0 * h)?;
            gradient[j] = (8.0 * near - far) / (12.0 * h);
        }
        gradients.push(shaped(gradient, like)?);
    }
    Ok(gradients)
}

fn shaped(data: Vec<f64>, like: &Tensor) -> Result<Tensor> {
    Tensor::new(like.shape().clone(), data)
        .map_err(|error| Fault::new("numeric_gradient", error.to_string()).into_error())
}
