//! Schedules of schedules.

use super::decay::Linear;
use super::{Schedule, check_state, in_range};
use crate::error::{Error, Result};

/// One schedule after another: each begins anew at its milestone.
///
/// # Source
/// PyTorch's `SequentialLR`.
#[doc(alias = "SequentialLR")]
#[derive(Debug)]
pub struct Sequential {
    first: Box<dyn Schedule>,
    /// The schedules that follow, with the steps at which they begin.
    then: Vec<(usize, Box<dyn Schedule>)>,
}

impl Sequential {
    /// A schedule that others follow.
    pub fn new(first: impl Schedule + 'static) -> Sequential {
        Sequential { first: Box::new(first), then: Vec::new() }
    }

    /// With another schedule from a step on.
    #[must_use = "it gives the schedule back"]
    pub fn then(mut self, milestone: usize, next: impl Schedule + 'static) -> Sequential {
        self.then.push((milestone, Box::new(next)));
        self
    }

    /// The schedule of a step, and where it begins.
    fn at(&self, step: usize) -> (usize, &dyn Schedule) {
        let begun = self.then.iter().rev().find(|(milestone, _)| *milestone <= step);
        begun.map_or((0, &*self.first), |(milestone, schedule)| (*milestone, &**schedule))
    }

    fn all(&self) -> impl Iterator<Item = &dyn Schedule> {
        std::iter::once(&*self.first).chain(self.then.iter().map(|(_, schedule)| &**schedule))
    }
}

impl Schedule for Sequential {
    fn lr(&self, base: f64, step: usize) -> f64 {
        let (start, schedule) = self.at(step);
        schedule.lr(base, step - start)
    }

    fn momentum(&self, step: usize) -> Option<f64> {
        let (start, schedule) = self.at(step);
        schedule.momentum(step - start)
    }

    fn check(&self) -> Result<()> {
        for pair in self.then.windows(2) {
            let (name, given) = ("a milestone", pair[1].0 as f64);
            in_range("sequential", name, given, pair[0].0 < pair[1].0, "more than the one before")?;
        }
        self.all().try_for_each(Schedule::check)
    }

    /// What is left after its milestone is the length of each.
    fn span(&mut self, steps: usize) {
        let mut end = steps;
        for (milestone, schedule) in self.then.iter_mut().rev() {
            schedule.span(end.saturating_sub(*milestone));
            end = *milestone;
        }
        self.first.span(end);
    }

    fn is_endless(&self) -> bool {
        self.all().any(Schedule::is_endless)
    }

    fn end(&self) -> Option<usize> {
        match self.then.last() {
            Some((milestone, last)) => last.end().map(|end| milestone + end),
            None => self.first.end(),
        }
    }

    fn observe(&mut self, step: usize, figure: f64) {
        let begun = self.then.iter_mut().rev().find(|(milestone, _)| *milestone <= step);
        match begun {
            Some((milestone, schedule)) => schedule.observe(step - *milestone, figure),
            None => self.first.observe(step, figure),
        }
    }

    fn state(&self) -> Vec<f64> {
        self.all().flat_map(|schedule| schedule.state()).collect()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<()> {
        let then = self.then.iter_mut().map(|(_, schedule)| &mut **schedule);
        set_states(std::iter::once(&mut *self.first).chain(then), state)
    }
}

/// Several schedules at once: each takes the rate of the one before for its base. Of factors, it is the
/// product.
///
/// # Source
/// PyTorch's `ChainedScheduler`.
#[doc(alias = "ChainedScheduler")]
#[derive(Debug)]
pub struct Chained {
    schedules: Vec<Box<dyn Schedule>>,
}

impl Chained {
    /// A schedule that others change.
    pub fn new(first: impl Schedule + 'static) -> Chained {
        Chained { schedules: vec![Box::new(first)] }
    }

    /// With another one, of the rates so far.
    #[must_use = "it gives the schedule back"]
    pub fn and(mut self, next: impl Schedule + 'static) -> Chained {
        self.schedules.push(Box::new(next));
        self
    }
}

impl Schedule for Chained {
    fn lr(&self, base: f64, step: usize) -> f64 {
        self.schedules.iter().fold(base, |lr, schedule| schedule.lr(lr, step))
    }

    fn momentum(&self, step: usize) -> Option<f64> {
        self.schedules.iter().rev().find_map(|schedule| schedule.momentum(step))
    }

    fn check(&self) -> Result<()> {
        self.schedules.iter().try_for_each(Schedule::check)
    }

    fn span(&mut self, steps: usize) {
        self.schedules.iter_mut().for_each(|schedule| schedule.span(steps));
    }

    fn is_endless(&self) -> bool {
        self.schedules.iter().any(Schedule::is_endless)
    }

    fn end(&self) -> Option<usize> {
        self.schedules.iter().filter_map(|schedule| schedule.end()).min()
    }

    fn observe(&mut self, step: usize, figure: f64) {
        self.schedules.iter_mut().for_each(|schedule| schedule.observe(step, figure));
    }

    fn state(&self) -> Vec<f64> {
        self.schedules.iter().flat_map(|schedule| schedule.state()).collect()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<()> {
        set_states(self.schedules.iter_mut().map(|schedule| &mut **schedule), state)
    }
}

/// Deals a state to the schedules that it is of.
fn set_states<'a>(
    schedules: impl Iterator<Item = &'a mut (dyn Schedule + 'static)>,
    state: &[f64],
) -> Result<()> {
    let mut left = state;
    for schedule in schedules {
        let own = schedule.state().len();
        let Some((taken, rest)) = left.split_at_checked(own) else {
            let why = "the state is too short".to_owned();
            return Err(Error::StateDict { subject: "schedule", why });
        };
        schedule.set_state(taken)?;
        left = rest;
    }
    check_state(left, 0)
}

/// A schedule behind a warm-up: the rate rises along a line for some steps, from `1 / steps` of it on.
///
/// ```
/// use lossgraph_nn::schedule::{Exponential, Schedule, warm_up};
///
/// let schedule = warm_up(4, Exponential { gamma: 0.5 });
/// assert_eq!(schedule.lrs(1.0, 7), [0.25, 0.4375, 0.625, 0.8125, 1.0, 0.5, 0.25]);
/// ```
pub fn warm_up(steps: usize, then: impl Schedule + 'static) -> Sequential {
    let total_iters = steps.max(1);
    let line = Linear { start_factor: 1.0 / total_iters as f64, end_factor: 1.0, total_iters };
    Sequential::new(line).then(steps, then)
}
