//! What is checked: a function of tensors with a gradient, however the two are computed.

use std::panic::resume_unwind;
use std::thread;

use lossgraph_autograd::Result;
use lossgraph_tensor::Tensor;

use crate::function::Function;

/// Inputs that move, by number, with the step of each.
pub(crate) type Steps<'a> = [(usize, &'a [f64])];

/// The inputs that move.
pub(crate) fn moving(steps: &Steps<'_>) -> Vec<usize> {
    steps.iter().map(|(which, _)| *which).collect()
}

/// A function at a point, whose value and gradient can be asked for there and around it.
pub(crate) trait Differentiable: Sync {
    /// The point.
    fn inputs(&self) -> &[Tensor];

    /// The values with inputs moved by each of `multiples` of their steps.
    fn values(&self, steps: &Steps<'_>, multiples: &[f64]) -> Result<Vec<f64>>;

    /// The gradients in some inputs at the point.
    fn gradients(&self, which: &[usize]) -> Result<Vec<Vec<f64>>>;

    /// The gradients in inputs that are moved by a multiple of their steps.
    fn gradients_moved(&self, steps: &Steps<'_>, multiple: f64) -> Result<Vec<Vec<f64>>>;

    /// The recorded program, whose ops can be looked at one by one; a black box has none.
    fn program(&self) -> Option<&Function<'_>>;
}

/// An answer of a black box, and what is computed of so many numbers while it is waited for.
pub(crate) fn meanwhile<A, B: Send>(
    numbers: usize,
    answer: impl FnOnce() -> A,
    computed: impl FnOnce() -> B + Send,
) -> (A, B) {
    // What takes less than it takes to start a thread is computed afterwards.
    const MANY: usize = 1 << 14;
    if numbers < MANY {
        return (answer(), computed());
    }
    thread::scope(|scope| {
        let computed = scope.spawn(computed);
        let answer = answer();
        (answer, computed.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
