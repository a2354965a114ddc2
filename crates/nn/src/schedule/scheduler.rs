//! A schedule at work on an optimizer.

use lossgraph_tensor::Tensor;

use super::Schedule;
use crate::checkpoint::{Checkpoint, Stateful};
use crate::error::{Error, Result};
use crate::optimizer::Optimize;

/// Sets the rates of an optimizer by a schedule: those of the first step when it is made, and those of
/// the next after each step.
///
/// Its state is saved and loaded as a part of a [`Training`](crate::Training).
#[derive(Debug)]
pub struct Scheduler {
    schedule: Box<dyn Schedule>,
    /// The rates that the groups began with.
    bases: Vec<f64>,
    step: usize,
}

const NAME: &str = "schedule";

impl Scheduler {
    /// A schedule for an optimizer, from the rates that its groups have.
    ///
    /// # Errors
    /// An option of the schedule out of its range; a length that is not given.
    pub fn new(
        schedule: impl Schedule + 'static,
        optimizer: &mut dyn Optimize,
    ) -> Result<Scheduler> {
        schedule.check()?;
        if schedule.is_endless() {
            let (name, expected) = ("its length in steps", "one that is given, or said by `span`");
            return Err(Error::Option { subject: NAME, name, given: 0.0, expected });
        }
        let schedule = Box::new(schedule);
        let scheduler = Scheduler { schedule, bases: optimizer.lrs(), step: 0 };
        scheduler.apply(optimizer)?;
        Ok(scheduler)
    }

    /// The schedule.
    pub fn schedule(&self) -> &dyn Schedule {
        &*self.schedule
    }

    /// The step whose rates are set.
    pub fn count(&self) -> usize {
        self.step
    }

    /// Sets the rates of the next step: after each step of the optimizer, or after each epoch.
    ///
    /// # Errors
    /// A step behind the end of a schedule that has one.
    pub fn step(&mut self, optimizer: &mut dyn Optimize) -> Result<()> {
        let next = self.step + 1;
        if self.schedule.end().is_some_and(|end| next > end) {
            let (name, given) = ("the step", next as f64);
            let expected = "one of the schedule: a longer `total_steps`";
            return Err(Error::Option { subject: NAME, name, given, expected });
        }
        self.step = next;
        self.apply(optimizer)
    }

    /// Takes a figure, such as the loss of validation, and sets the rates anew.
    ///
    /// # Errors
    /// A rate that is not finite.
    pub fn observe(&mut self, figure: f64, optimizer: &mut dyn Optimize) -> Result<()> {
        self.schedule.observe(self.step, figure);
        self.apply(optimizer)
    }

    /// Sets the rates, and the momentum, of the step as it is: after a state was loaded.
    ///
    /// # Errors
    /// A rate that is not finite.
    pub fn apply(&self, optimizer: &mut dyn Optimize) -> Result<()> {
        let lrs: Vec<f64> =
            self.bases.iter().map(|&base| self.schedule.lr(base, self.step)).collect();
        optimizer.set_lrs(&lrs)?;
        if let Some(momentum) = self.schedule.momentum(self.step) {
            optimizer.set_momentum(momentum);
        }
        Ok(())
    }
}

impl Stateful for Scheduler {
    fn state_dict(&self) -> Checkpoint {
        let mut state = Checkpoint::default();
        let mut put = |name: &str, tensor: Tensor| state.tensors.insert(name.to_owned(), tensor);
        put("step", Tensor::from(self.step as i64));
        put("bases", Tensor::from(self.bases.clone()));
        put("observed", Tensor::from(self.schedule.state()));
        state
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        let fail = |why: &str| Error::StateDict { subject: NAME, why: why.to_owned() };
        let get = |name: &str| state.tensors.get(name).map(Tensor::to_f64s);
        let (Some(step), Some(bases), Some(observed), 3) =
            (get("step"), get("bases"), get("observed"), state.tensors.len())
        else {
            return Err(fail("it is no state of a schedule"));
        };
        if step.len() != 1 || bases.len() != self.bases.len() {
            return Err(fail("it is that of another number of groups"));
        }
        self.schedule.set_state(&observed)?;
        (self.step, self.bases) = (step[0] as usize, bases);
        Ok(())
    }
}
