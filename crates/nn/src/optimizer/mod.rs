//! Optimizers. An update rule with its options, such as [`Sgd`], becomes one for the parameters of a
//! model by [`UpdateRule::over`]; [`named`] makes one by its name.
//!
//! Each rule is a file that reads as its formula, and ends as a row of [`ALL`], from which command
//! lines and pages take names and options.

mod adabelief;
mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod asgd;
mod averaged;
mod groups;
mod lamb;
mod lbfgs;
mod lion;
mod muon;
mod nadam;
mod optimize;
mod pass;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
mod sgd;
mod slot;
mod state;
mod table;
mod yogi;

pub use adabelief::AdaBelief;
pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use asgd::Asgd;
pub use averaged::{Average, Averaged};
pub use lamb::Lamb;
pub use lbfgs::{Lbfgs, LbfgsOptimizer, LineSearch};
pub use lion::Lion;
pub use muon::{AdjustLr, Muon};
pub use nadam::Nadam;
pub use optimize::Optimize;
pub use radam::Radam;
pub use rmsprop::RmsProp;
pub use rprop::Rprop;
pub use rule::{Granularity, State, Step, UpdateRule};
pub use sgd::Sgd;
pub use table::{ALL, ParameterGroup, Row, named};
pub use yogi::Yogi;

use std::marker::PhantomData;

use lossgraph_autograd::{Gradients, Parameter};

use crate::checkpoint::{Checkpoint, Stateful};
use crate::error::Result;
use groups::Groups;

/// An update rule with the parameters that it updates, in groups, and their state.
///
/// Parameters are told apart by what they are, not by their names: tied weights are one.
#[derive(Debug)]
pub struct Optimizer<R> {
    groups: Groups,
    rule: PhantomData<fn() -> R>,
}

impl<R: UpdateRule> Optimizer<R> {
    fn new() -> Optimizer<R> {
        Optimizer { groups: Groups::new(R::NAME), rule: PhantomData }
    }

    /// With one more parameter group, which has options of its own. It takes parameters, or those of
    /// [`Module::parameters`](crate::Module::parameters) with their names, by which errors call
    /// them. One that is listed twice is one.
    ///
    /// # Errors
    /// An option out of its range; a parameter that is in another group already.
    #[doc(alias = "add_param_group")]
    pub fn and(
        mut self,
        rule: R,
        parameters: impl IntoIterator<Item = impl Into<(String, Parameter)>>,
    ) -> Result<Optimizer<R>> {
        self.groups.add(Box::new(rule), parameters.into_iter().map(Into::into).collect())?;
        Ok(self)
    }

    /// The learning rate of the first group.
    pub fn lr(&self) -> f64 {
        self.groups.lrs().first().copied().unwrap_or(0.0)
    }

    /// Sets the learning rate of every group, as a schedule does before each step.
    ///
    /// # Errors
    /// A rate that is negative or not finite.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        self.groups.set_lr(lr)
    }

    /// Moves every parameter that has a gradient. One without is skipped: neither its state,
    /// nor its count of steps, nor its decay moves. States such as running statistics become what the
    /// program assigned to them.
    ///
    /// # Errors
    /// No parameter has a gradient; a loss that is NaN; a gradient or a state that is not finite, or a
    /// gradient not of its parameter's shape and type. Then no parameter and no state has moved.
    pub fn step(&mut self, gradients: &Gradients) -> Result<()> {
        self.groups.step(gradients)
    }
}

impl<R: UpdateRule> Stateful for Optimizer<R> {
    fn state_dict(&self) -> Checkpoint {
        self.groups.state_dict()
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        self.groups.load_state_dict(state)
    }
}

impl<R: UpdateRule> Optimize for Optimizer<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn step_with(&mut self, evaluate: &mut dyn FnMut() -> Result<Gradients>) -> Result<Gradients> {
        self.groups.step_with(evaluate)
    }

    fn lrs(&self) -> Vec<f64> {
        self.groups.lrs()
    }

    fn set_lrs(&mut self, lrs: &[f64]) -> Result<()> {
        self.groups.set_lrs(lrs)
    }

    fn momenta(&self) -> Vec<Option<f64>> {
        self.groups.momenta()
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.groups.set_momentum(momentum);
    }
}

#[cfg(test)]
mod tests;
