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

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use lossgraph_autograd::{Gradients, Parameter};
use lossgraph_tensor::Tensor;

use crate::error::{Error, Result};
use rule::at_least_zero;
use slot::Slot;

/// Update rules with the parameters that they update, in groups, and their state.
///
/// Parameters are told apart by what they are, not by their names: tied weights are one.
#[derive(Debug)]
pub struct Optimizer<R> {
    groups: Vec<Group<R>>,
}

#[derive(Debug)]
struct Group<R> {
    rule: R,
    slots: Vec<Slot>,
}

impl<R: UpdateRule> Optimizer<R> {
    fn new() -> Optimizer<R> {
        Optimizer { groups: Vec::new() }
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
        rule.check()?;
        let mut slots: Vec<Slot> = Vec::new();
        let mut taken: HashMap<u64, (usize, String)> = self.names();
        for (name, parameter) in parameters.into_iter().map(Into::into) {
            let (id, slot) = (parameter.id(), Slot::new(&rule, name, parameter));
            let here = self.groups.len();
            match taken.entry(id) {
                Entry::Vacant(free) => {
                    free.insert((here, slot.name.clone()));
                    slots.push(slot);
                }
                Entry::Occupied(other) if other.get().0 == here => {}
                Entry::Occupied(other) => {
                    let first = other.get().clone();
                    return Err(Error::Groups {
                        optimizer: R::NAME,
                        first,
                        second: (here, slot.name),
                    });
                }
            }
        }
        self.groups.push(Group { rule, slots });
        Ok(self)
    }

    /// The group and the name of every parameter, by its number.
    fn names(&self) -> HashMap<u64, (usize, String)> {
        let groups = self.groups.iter().enumerate();
        let slots = groups.flat_map(|(i, group)| group.slots.iter().map(move |slot| (i, slot)));
        slots.map(|(group, slot)| (slot.parameter.id(), (group, slot.name.clone()))).collect()
    }

    /// The learning rate of the first group.
    pub fn lr(&self) -> f64 {
        self.groups.first().map_or(0.0, |group| group.rule.lr())
    }

    /// Sets the learning rate of every group, as a schedule does before each step.
    ///
    /// # Errors
    /// A rate that is negative or not finite.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        at_least_zero(R::NAME, "lr", lr)?;
        self.groups.iter_mut().for_each(|group| group.rule.set_lr(lr));
        Ok(())
    }

    /// Moves every parameter that has a gradient. One without is skipped: neither its state,
    /// nor its count of steps, nor its decay moves. States such as running statistics become what the
    /// program assigned to them.
    ///
    /// # Errors
    /// No parameter has a gradient; a gradient or a state that is not finite, or a gradient not of its
    /// parameter's shape and type. Then no parameter and no state has moved.
    pub fn step(&mut self, gradients: &Gradients) -> Result<()> {
        let slots = self.groups.iter_mut();
        let slots =
            slots.flat_map(|Group { rule, slots }| slots.iter_mut().map(|slot| (&*rule, slot)));
        let mut moving = Vec::new();
        let mut finder = Finder { gradients: gradients.parameters(), next: 0, by_id: None };
        for (rule, slot) in slots {
            if let Some(gradient) = finder.find(&slot.parameter) {
                slot.validate(gradient)?;
                moving.push((rule, slot, gradient));
            }
        }
        if moving.is_empty() {
            return Err(Error::NoGradient { given: gradients.parameters().len() });
        }
        gradients.commit()?;
        for (rule, slot, gradient) in moving {
            slot.update(rule, gradient);
        }
        Ok(())
    }
}

/// Gradients by parameter. They mostly come in the order of the parameters, so that the next one is
/// tried first; a table is made only if that is another one's.
struct Finder<'a> {
    gradients: &'a [(Parameter, Tensor)],
    next: usize,
    by_id: Option<HashMap<u64, usize>>,
}

impl<'a> Finder<'a> {
    fn find(&mut self, parameter: &Parameter) -> Option<&'a Tensor> {
        let (id, gradients) = (parameter.id(), self.gradients);
        let at = match gradients.get(self.next) {
            Some((next, _)) if next.id() == id => self.next,
            _ => {
                let by_id = self.by_id.get_or_insert_with(|| {
                    let numbered = gradients.iter().enumerate().rev();
                    numbered.map(|(at, (parameter, _))| (parameter.id(), at)).collect()
                });
                *by_id.get(&id)?
            }
        };
        self.next = at + 1;
        Some(&gradients[at].1)
    }
}

#[cfg(test)]
mod tests;
