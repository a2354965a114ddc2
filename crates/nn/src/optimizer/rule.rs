//! What an optimizer does with one parameter, and the ranges of its options.

use lossgraph_autograd::{Module, Parameter};
use lossgraph_tensor::Float;

use super::Optimizer;
use crate::error::{Error, Result};

/// How an optimizer updates a parameter: one section each, with its hyper-parameters as fields.
pub trait UpdateRule: Clone + Sync {
    /// The name in errors.
    const NAME: &'static str;
    /// How many state tensors of the parameter's shape it has, such as a momentum.
    const STATES: usize;

    /// The learning rate.
    fn lr(&self) -> f64;

    /// Changes the learning rate.
    fn set_lr(&mut self, lr: f64);

    /// Whether every option is in its range.
    ///
    /// # Errors
    /// The first one out of its range.
    fn check(&self) -> Result<()>;

    /// The initial value of every state.
    fn initial_state(&self) -> f64 {
        0.0
    }

    /// Moves one parameter by its gradient; `step` counts from 1, for each parameter by itself.
    /// There are [`STATES`](UpdateRule::STATES) states, each as long as the parameter. It is called for
    /// pieces of large parameters, so that an element may depend on its own gradient and states
    /// alone. Marked `#[inline(always)]`, it becomes vector loops.
    fn update<T: Float>(&self, step: i32, p: &mut [T], g: &[T], states: &mut [&mut [T]]);

    /// An optimizer of the parameters of a model.
    ///
    /// # Errors
    /// An option out of its range.
    fn over(self, model: &(impl Module + ?Sized)) -> Result<Optimizer<Self>> {
        Optimizer::new().and(self, model.parameters())
    }

    /// An optimizer of some parameters. For groups with options of their own, see
    /// [`Optimizer::and`].
    ///
    /// # Errors
    /// An option out of its range.
    fn over_parameters(
        self,
        parameters: impl IntoIterator<Item = Parameter>,
    ) -> Result<Optimizer<Self>> {
        Optimizer::new().and(self, parameters)
    }
}

/// `Ok` if an option is 0 or more, and finite.
pub(super) fn at_least_zero(subject: &'static str, name: &'static str, given: f64) -> Result<()> {
    let expected = "0 or more, and finite";
    if given >= 0.0 && given.is_finite() {
        Ok(())
    } else {
        Err(Error::Option { subject, name, given, expected })
    }
}

/// `Ok` if an option is 0 or more, and below 1.
pub(super) fn below_one(subject: &'static str, name: &'static str, given: f64) -> Result<()> {
    let expected = "0 or more, and below 1";
    if (0.0..1.0).contains(&given) {
        Ok(())
    } else {
        Err(Error::Option { subject, name, given, expected })
    }
}

/// `a / b`, and 0 where `b` is 0.
#[inline(always)]
pub(super) fn ratio<T: Float>(a: T, b: T) -> T {
    if b == T::ZERO { T::ZERO } else { a / b }
}
