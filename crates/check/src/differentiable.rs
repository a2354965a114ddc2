//! What is checked: a function of tensors with a gradient, however the two are computed.

use lossgraph_autograd::Result;
use lossgraph_tensor::Tensor;

use crate::function::Function;

/// A function at a point, whose value and gradient can be asked for there and around it.
pub(crate) trait Differentiable: Sync {
    /// The point.
    fn inputs(&self) -> &[Tensor];

    /// The values with input `which` moved by each of `multiples` of a step.
    fn values(&self, which: usize, step: &[f64], multiples: &[f64]) -> Result<Vec<f64>>;

    /// The gradient in input `which` at the point.
    fn gradient(&self, which: usize) -> Result<Vec<f64>>;

    /// The gradient in input `which` with that moved by a multiple of a step.
    fn gradient_moved(&self, which: usize, step: &[f64], multiple: f64) -> Result<Vec<f64>>;

    /// The recorded program, whose ops can be looked at one by one; a black box has none.
    fn program(&self) -> Option<&Function<'_>>;
}
