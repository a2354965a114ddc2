//! Parameter groups, which do all that an [`Optimizer`](super::Optimizer) does. Their rules are objects, so
//! that this is compiled once for all rules.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use lossgraph_autograd::{Gradients, Parameter};
use lossgraph_tensor::Tensor;

use super::optimize::{Optimize, check_lrs};
use super::rule::{Rule, at_least_zero};
use super::slot::Slot;
use crate::error::{Error, Result};

/// The parameters of an optimizer, in groups.
#[derive(Debug)]
pub(super) struct Groups {
    /// The name of the rule.
    pub name: &'static str,
    pub groups: Vec<Group>,
}

/// Parameters that are updated with the same options.
#[derive(Debug)]
pub(super) struct Group {
    pub rule: Box<dyn Rule>,
    pub slots: Vec<Slot>,
}

impl Groups {
    pub fn new(name: &'static str) -> Groups {
        Groups { name, groups: Vec::new() }
    }

    /// Adds a group. See [`Optimizer::and`](super::Optimizer::and).
    pub fn add(&mut self, rule: Box<dyn Rule>, parameters: Vec<(String, Parameter)>) -> Result<()> {
        rule.check()?;
        let mut slots: Vec<Slot> = Vec::new();
        let mut taken: HashMap<u64, (usize, String)> = self.names();
        for (name, parameter) in parameters {
            let (id, slot) = (parameter.id(), Slot::new(&*rule, name, parameter));
            let here = self.groups.len();
            match taken.entry(id) {
                Entry::Vacant(free) => {
                    free.insert((here, slot.name.clone()));
                    slots.push(slot);
                }
                Entry::Occupied(other) if other.get().0 == here => {}
                Entry::Occupied(other) => {
                    let (first, second) = (other.get().clone(), (here, slot.name));
                    return Err(Error::Groups { optimizer: self.name, first, second });
                }
            }
        }
        self.groups.push(Group { rule, slots });
        Ok(())
    }

    /// The group and the name of every parameter, by its number.
    fn names(&self) -> HashMap<u64, (usize, String)> {
        let groups = self.groups.iter().enumerate();
        let slots = groups.flat_map(|(i, group)| group.slots.iter().map(move |slot| (i, slot)));
        slots.map(|(group, slot)| (slot.parameter.id(), (group, slot.name.clone()))).collect()
    }

    /// Sets the learning rate of every group.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        at_least_zero(self.name, "lr", lr)?;
        self.groups.iter_mut().for_each(|group| group.rule.set_lr(lr));
        Ok(())
    }

    /// Moves every parameter that has a gradient. See [`Optimizer::step`](super::Optimizer::step).
    pub fn step(&mut self, gradients: &Gradients) -> Result<()> {
        let slots = self.groups.iter_mut();
        let slots =
            slots.flat_map(|Group { rule, slots }| slots.iter_mut().map(|slot| (&**rule, slot)));
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
        // A branch that is not taken has gradient 0, even where the loss is NaN.
        if gradients.loss().is_nan() {
            return Err(Error::NanLoss);
        }
        gradients.commit()?;
        for (rule, slot, gradient) in moving {
            slot.update(rule, gradient);
        }
        Ok(())
    }
}

impl Optimize for Groups {
    fn name(&self) -> &'static str {
        self.name
    }

    fn step_with(&mut self, evaluate: &mut dyn FnMut() -> Result<Gradients>) -> Result<Gradients> {
        let gradients = evaluate()?;
        self.step(&gradients)?;
        Ok(gradients)
    }

    fn lrs(&self) -> Vec<f64> {
        self.groups.iter().map(|group| group.rule.lr()).collect()
    }

    fn set_lrs(&mut self, lrs: &[f64]) -> Result<()> {
        check_lrs(self.name, lrs, self.groups.len())?;
        for (group, &lr) in self.groups.iter_mut().zip(lrs) {
            group.rule.set_lr(lr);
        }
        Ok(())
    }

    fn momenta(&self) -> Vec<Option<f64>> {
        self.groups.iter().map(|group| group.rule.momentum()).collect()
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.groups.iter_mut().for_each(|group| group.rule.set_momentum(momentum));
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
