//! Schedules: learning rates as functions of the step, as values.
//!
//! A schedule knows no optimizer: [`Schedule::lr`] is the rate of any step, for a plot or a test. A
//! [`Scheduler`] sets the rates of an optimizer by it, each group's from the rate that the group
//! began with. [`named`] makes one by its name.
//!
//! ```
//! use lossgraph_nn::schedule::{CosineAnnealing, Schedule, Scheduler, warm_up};
//! use lossgraph_nn::{Linear, Sgd, UpdateRule};
//! # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let schedule = warm_up(2, CosineAnnealing { t_max: Some(4), ..CosineAnnealing::default() });
//! assert_eq!(schedule.lrs(0.8, 4), [0.4, 0.6000000000000001, 0.8, 0.682842712474619]);
//!
//! let model = Linear::new(2, 1, &mut ChaCha8Rng::seed_from_u64(0))?;
//! let mut optimizer = Sgd { lr: 0.8, ..Sgd::default() }.over(&model)?;
//! let mut scheduler = Scheduler::new(schedule, &mut optimizer)?;
//! assert_eq!(optimizer.lr(), 0.4);
//! // After each step of the optimizer:
//! scheduler.step(&mut optimizer)?;
//! assert_eq!(optimizer.lr(), 0.6000000000000001);
//! # Ok::<(), lossgraph_nn::Error>(())
//! ```

mod compose;
mod cosine;
mod cycle;
mod decay;
mod plateau;
mod scheduler;
mod table;

pub use compose::{Chained, Sequential, warm_up};
pub use cosine::{CosineAnnealing, CosineWarmRestarts};
pub use cycle::{Anneal, CycleMode, Cyclic, OneCycle};
pub use decay::{Constant, Exponential, Linear, MultiStep, Polynomial, StepDecay};
pub use plateau::{Better, Observed, ReduceOnPlateau, Threshold};
pub use scheduler::Scheduler;
pub use table::{ALL, Row, named};

use std::fmt;

use crate::error::{Error, Result};

/// The learning rate as a function of the step.
pub trait Schedule: fmt::Debug {
    /// The rate of a step, from 0 on, of a group that began with the rate `base`.
    fn lr(&self, base: f64, step: usize) -> f64;

    /// The momentum of a step, if the schedule cycles it.
    fn momentum(&self, _step: usize) -> Option<f64> {
        None
    }

    /// Whether every option is in its range.
    ///
    /// # Errors
    /// The first one out of its range.
    fn check(&self) -> Result<()>;

    /// Gives a length that is not among its options that of the training, in steps.
    fn span(&mut self, _steps: usize) {}

    /// Whether a length is not given, so that only [`span`](Schedule::span) can say it.
    fn is_endless(&self) -> bool {
        false
    }

    /// The step from which on there is no rate.
    fn end(&self) -> Option<usize> {
        None
    }

    /// Takes a figure, such as the loss of validation, for a schedule that depends on it.
    fn observe(&mut self, _step: usize, _figure: f64) {}

    /// What it made of the figures.
    fn state(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// A state that is not of its length.
    fn set_state(&mut self, state: &[f64]) -> Result<()> {
        check_state(state, 0)
    }

    /// The rates of the first steps, for a plot.
    fn lrs(&self, base: f64, steps: usize) -> Vec<f64> {
        (0..steps).map(|step| self.lr(base, step)).collect()
    }
}

impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn lr(&self, base: f64, step: usize) -> f64 {
        (**self).lr(base, step)
    }

    fn momentum(&self, step: usize) -> Option<f64> {
        (**self).momentum(step)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn span(&mut self, steps: usize) {
        (**self).span(steps);
    }

    fn is_endless(&self) -> bool {
        (**self).is_endless()
    }

    fn end(&self) -> Option<usize> {
        (**self).end()
    }

    fn observe(&mut self, step: usize, figure: f64) {
        (**self).observe(step, figure);
    }

    fn state(&self) -> Vec<f64> {
        (**self).state()
    }

    fn set_state(&mut self, state: &[f64]) -> Result<()> {
        (**self).set_state(state)
    }
}

/// `Ok` if a state has so many numbers.
fn check_state(state: &[f64], expected: usize) -> Result<()> {
    if state.len() == expected {
        return Ok(());
    }
    let why = format!("the state has {} numbers, expected {expected}", state.len());
    Err(Error::StateDict { subject: "schedule", why })
}

/// `Ok` if a number of steps is at least 1.
fn at_least_one(subject: &'static str, name: &'static str, given: usize) -> Result<()> {
    in_range(subject, name, given as f64, given >= 1, "1 or more")
}

/// `Ok` if an option is in its range.
fn in_range(
    subject: &'static str,
    name: &'static str,
    given: f64,
    holds: bool,
    expected: &'static str,
) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Option { subject, name, given, expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Options, is_named};
    use crate::{Sgd, Stateful, UpdateRule};
    use lossgraph_autograd::Parameter;

    #[test]
    fn every_schedule_is_found_by_each_of_its_names_and_lists_its_options() {
        let mut seen = Vec::new();
        for row in ALL {
            for name in std::iter::once(&row.name).chain(row.aliases) {
                assert_eq!(named(name).unwrap().name, row.name);
                let others = ALL.iter().filter(|other| other.name != row.name);
                assert!(others.clone().all(|other| !is_named(name, other.name, other.aliases)));
                seen.push(*name);
            }
            let options = row.options();
            let options: Vec<(&str, &str)> =
                options.iter().map(|(name, value)| (*name, &value[..])).collect();
            let schedule = row.with(&options, 40).unwrap();
            assert!(!schedule.is_endless(), "{row:?}");
            assert!(schedule.lrs(0.1, 40).iter().all(|lr| (0.0..=0.1).contains(lr)), "{row:?}");
        }
        assert!(seen.len() > ALL.len());
        assert!(named("cosinus").unwrap_err().to_string().contains("the nearest is `cosine`"));
    }

    #[test]
    fn a_length_that_is_not_given_is_refused_and_not_guessed() {
        let p = Parameter::new("p", [1.0]);
        let mut sgd = Sgd::default().over(&p).unwrap();
        let endless: [Box<dyn Schedule>; 5] = [
            Box::new(CosineAnnealing::default()),
            Box::new(CosineWarmRestarts::default()),
            Box::new(StepDecay::default()),
            Box::new(OneCycle::default()),
            Box::new(warm_up(3, Chained::new(CosineAnnealing::default()))),
        ];
        for schedule in endless {
            let error = Scheduler::new(schedule, &mut sgd).unwrap_err().to_string();
            assert!(error.starts_with("schedule: its length in steps is 0"), "{error}");
        }
        assert_eq!(sgd.lr(), 1e-3);
    }

    #[test]
    fn groups_keep_the_ratio_of_their_rates() {
        let [a, b] = ["a", "b"].map(|name| Parameter::new(name, [1.0]));
        let of = |lr| Sgd { lr, ..Sgd::default() };
        let mut sgd = of(1.0).over(&a).unwrap().and(of(0.1), [b]).unwrap();
        use crate::optimizer::Optimize;
        let mut scheduler = Scheduler::new(Exponential { gamma: 0.5 }, &mut sgd).unwrap();
        scheduler.step(&mut sgd).unwrap();
        scheduler.step(&mut sgd).unwrap();
        assert_eq!(sgd.lrs(), [0.25, 0.025]);
    }

    #[test]
    fn a_schedule_goes_on_from_its_state_with_what_it_observed() {
        let p = Parameter::new("p", [1.0]);
        let schedule = || {
            let plateau = ReduceOnPlateau { patience: 1, cooldown: 1, ..Default::default() };
            Chained::new(warm_up(3, CosineAnnealing { t_max: Some(20), eta_min: 0.0 })).and(plateau)
        };
        let mut first = Sgd { lr: 1.0, ..Sgd::default() }.over(&p).unwrap();
        let mut second = Sgd { lr: 1.0, ..Sgd::default() }.over(&p).unwrap();
        let mut whole = Scheduler::new(schedule(), &mut first).unwrap();
        let mut resumed = Scheduler::new(schedule(), &mut second).unwrap();
        let figure = |step: usize| if step < 4 { -(step as f64) } else { f64::NAN };
        for step in 0..8 {
            whole.observe(figure(step), &mut first).unwrap();
            whole.step(&mut first).unwrap();
        }
        resumed.load_state_dict(&whole.state_dict()).unwrap();
        resumed.apply(&mut second).unwrap();
        for step in 8..16 {
            assert_eq!(first.lr().to_bits(), second.lr().to_bits(), "step {step}");
            for (scheduler, sgd) in [(&mut whole, &mut first), (&mut resumed, &mut second)] {
                scheduler.observe(figure(step), sgd).unwrap();
                scheduler.step(sgd).unwrap();
            }
        }
        assert!(first.lr() < 0.01, "{}", first.lr());
        let error = resumed.load_state_dict(&crate::Checkpoint::default()).unwrap_err().to_string();
        assert!(error.ends_with("it is no state of a schedule"), "{error}");
    }

    #[test]
    fn options_have_the_names_of_pytorch_in_any_case() {
        let mut cosine = CosineAnnealing::default();
        cosine.set_option("T_max", "7").unwrap();
        assert_eq!(cosine.t_max, Some(7));
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        let refused = |name: &str, options: &[(&str, &str)]| {
            named(name).unwrap().with(options, 10).unwrap_err().to_string()
        };
        let told = refused("cyclic", &[("base_lr", "1"), ("max_lr", "0.5")]);
        assert_eq!(told, "cyclic: base_lr is 1, expected `max_lr` or less");
        let told = refused("one_cycle", &[("three_phase", "true"), ("pct_start", "0.6")]);
        assert!(told.starts_with("one_cycle: pct_start is 0.6, expected a number from 0 to 0.5"));
    }

    #[test]
    fn one_cycle_of_few_steps_reaches_the_largest_rate() {
        for total in 2..12 {
            let cycle = OneCycle { total_steps: Some(total), pct_start: 0.5, ..Default::default() };
            let lrs = cycle.lrs(1.0, total);
            assert!(lrs.iter().all(|lr| lr.is_finite() && *lr <= 1.0), "{total}: {lrs:?}");
            assert!(lrs.iter().any(|lr| *lr > 0.5), "{total}: {lrs:?}");
        }
    }
}
