//! What all optimizers do, whatever their rule.

use lossgraph_autograd::Gradients;

use super::rule::at_least_zero;
use crate::checkpoint::Stateful;
use crate::error::{Error, Result};

/// An optimizer of any rule, as a training sees it: it steps, and schedules set its rates. Its state
/// is saved and loaded as that of all parts of a [`Training`](crate::Training) is.
pub trait Optimize: Stateful {
    /// The name of the rule.
    fn name(&self) -> &'static str;

    /// Takes a step, by gradients that `evaluate` computes at the parameters as they are, and gives
    /// those of its first call. A rule of steps calls it once; `lbfgs` calls it at each point that it
    /// looks at.
    ///
    /// # Errors
    /// Those of `evaluate`; of [`Optimizer::step`](super::Optimizer::step).
    #[doc(alias = "closure")]
    fn step_with(&mut self, evaluate: &mut dyn FnMut() -> Result<Gradients>) -> Result<Gradients>;

    /// The learning rate of each group.
    fn lrs(&self) -> Vec<f64>;

    /// Sets the learning rate of each group.
    ///
    /// # Errors
    /// A rate that is negative or not finite; another number of rates than there are groups.
    fn set_lrs(&mut self, lrs: &[f64]) -> Result<()>;

    /// The momentum of each group that has one.
    fn momenta(&self) -> Vec<Option<f64>>;

    /// Sets the momentum of all groups that have one.
    fn set_momentum(&mut self, momentum: f64);
}

/// `Ok` if there is a rate for each group.
pub(super) fn check_lrs(subject: &'static str, lrs: &[f64], groups: usize) -> Result<()> {
    if lrs.len() != groups {
        let (name, given) = ("the number of rates", lrs.len() as f64);
        let expected = "one for each group";
        return Err(Error::Option { subject, name, given, expected });
    }
    lrs.iter().try_for_each(|&lr| at_least_zero(subject, "lr", lr))
}
