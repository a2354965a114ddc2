//! Rates that fall, or rise, by a factor of the step.

use super::table::{Row, row};
use super::{Schedule, at_least_one, in_range};
use crate::error::Result;
use crate::options::options;

options! {
    /// A part of the rate for some steps, and then all of it.
    ///
    /// ```text
    /// lr(t) = base · factor if t < total_iters, else base
    /// ```
    ///
    /// # Source
    /// PyTorch's `ConstantLR`.
    #[doc(alias = "ConstantLR")]
    #[derive(Copy)]
    pub struct Constant("constant") {
        /// The part.
        factor: f64 = 1.0 / 3.0,
        /// For how many steps.
        total_iters: usize = 5,
    }
}

pub(super) const CONSTANT: Row =
    row::<Constant>("constant", &["ConstantLR"], "a part of the rate at first");

impl Schedule for Constant {
    fn lr(&self, base: f64, step: usize) -> f64 {
        if step < self.total_iters { base * self.factor } else { base }
    }

    fn check(&self) -> Result<()> {
        let holds = (0.0..=1.0).contains(&self.factor);
        in_range("constant", "factor", self.factor, holds, "a number from 0 to 1")
    }
}

options! {
    /// A line from one part of the rate to another one: a warm-up.
    ///
    /// ```text
    /// lr(t) = base · (start + (end − start) min(t, T) / T)
    /// ```
    ///
    /// # Source
    /// PyTorch's `LinearLR`.
    #[doc(alias = "LinearLR")]
    #[derive(Copy)]
    pub struct Linear("linear") {
        /// The part at the start, more than 0.
        start_factor: f64 = 1.0 / 3.0,
        /// The part at the end.
        end_factor: f64 = 1.0,
        /// The length T, in steps.
        total_iters: usize = 5,
    }
}

pub(super) const LINEAR: Row =
    row::<Linear>("linear", &["LinearLR"], "a line from one part of the rate to another one");

impl Schedule for Linear {
    fn lr(&self, base: f64, step: usize) -> f64 {
        let done = step.min(self.total_iters) as f64 / self.total_iters as f64;
        base * (self.start_factor + (self.end_factor - self.start_factor) * done)
    }

    fn check(&self) -> Result<()> {
        let (start, end) = (self.start_factor, self.end_factor);
        let holds = 0.0 < start && start <= 1.0;
        in_range("linear", "start_factor", start, holds, "more than 0, and up to 1")?;
        let holds = (0.0..=1.0).contains(&end);
        in_range("linear", "end_factor", end, holds, "a number from 0 to 1")?;
        at_least_one("linear", "total_iters", self.total_iters)
    }
}

options! {
    /// A power of what is left of the steps.
    ///
    /// ```text
    /// lr(t) = base · (1 − min(t, T) / T)^power
    /// ```
    ///
    /// # Source
    /// PyTorch's `PolynomialLR`.
    #[doc(alias = "PolynomialLR")]
    #[derive(Copy)]
    pub struct Polynomial("polynomial") {
        /// The length T, in steps.
        total_iters: usize = 5,
        /// The power.
        power: f64 = 1.0,
    }
}

pub(super) const POLYNOMIAL: Row =
    row::<Polynomial>("polynomial", &["PolynomialLR"], "a power of what is left of the steps");

impl Schedule for Polynomial {
    fn lr(&self, base: f64, step: usize) -> f64 {
        let done = step.min(self.total_iters) as f64 / self.total_iters as f64;
        base * (1.0 - done).powf(self.power)
    }

    fn check(&self) -> Result<()> {
        at_least_one("polynomial", "total_iters", self.total_iters)?;
        let power = self.power;
        let holds = power >= 0.0 && power.is_finite();
        in_range("polynomial", "power", power, holds, "0 or more, and finite")
    }
}

/// `Ok` if a factor gives rates.
fn check_gamma(subject: &'static str, gamma: f64) -> Result<()> {
    let holds = gamma >= 0.0 && gamma.is_finite();
    in_range(subject, "gamma", gamma, holds, "0 or more, and finite")
}

/// `factorⁿ`, for any count.
fn power(factor: f64, count: usize) -> f64 {
    factor.powi(i32::try_from(count).unwrap_or(i32::MAX))
}

options! {
    /// The same factor at each step.
    ///
    /// ```text
    /// lr(t) = base · gammaᵗ
    /// ```
    ///
    /// # Source
    /// PyTorch's `ExponentialLR`.
    #[doc(alias = "ExponentialLR")]
    #[derive(Copy)]
    pub struct Exponential("exponential") {
        /// The factor.
        gamma: f64 = 0.9,
    }
}

pub(super) const EXPONENTIAL: Row =
    row::<Exponential>("exponential", &["ExponentialLR"], "the same factor at each step");

impl Schedule for Exponential {
    fn lr(&self, base: f64, step: usize) -> f64 {
        base * power(self.gamma, step)
    }

    fn check(&self) -> Result<()> {
        check_gamma("exponential", self.gamma)
    }
}

options! {
    /// A factor every so many steps.
    ///
    /// ```text
    /// lr(t) = base · gamma^⌊t / step_size⌋
    /// ```
    ///
    /// # Source
    /// PyTorch's `StepLR`.
    #[doc(alias = "StepLR")]
    #[derive(Copy)]
    pub struct StepDecay("step") {
        /// From one factor to the next; a third of the training, where it is not given.
        step_size: Option<usize> = None,
        /// The factor.
        gamma: f64 = 0.1,
    }
}

pub(super) const STEP: Row = row::<StepDecay>("step", &["StepLR"], "a factor every so many steps");

impl Schedule for StepDecay {
    fn lr(&self, base: f64, step: usize) -> f64 {
        self.step_size.map_or(base, |size| base * power(self.gamma, step / size))
    }

    fn check(&self) -> Result<()> {
        at_least_one("step", "step_size", self.step_size.unwrap_or(1))?;
        check_gamma("step", self.gamma)
    }

    fn span(&mut self, steps: usize) {
        self.step_size.get_or_insert(steps.div_ceil(3).max(1));
    }

    fn is_endless(&self) -> bool {
        self.step_size.is_none()
    }
}

options! {
    /// A factor at each of some steps; one that is listed twice counts twice.
    ///
    /// ```text
    /// lr(t) = base · gamma^(how many milestones are ≤ t)
    /// ```
    ///
    /// # Source
    /// PyTorch's `MultiStepLR`.
    #[doc(alias = "MultiStepLR")]
    pub struct MultiStep("multi_step") {
        /// The steps.
        milestones: Vec<usize> = Vec::new(),
        /// The factor.
        gamma: f64 = 0.1,
    }
}

pub(super) const MULTI_STEP: Row =
    row::<MultiStep>("multi_step", &["MultiStepLR", "multistep"], "a factor at each of some steps");

impl Schedule for MultiStep {
    fn lr(&self, base: f64, step: usize) -> f64 {
        let passed = self.milestones.iter().filter(|&&milestone| milestone <= step).count();
        base * power(self.gamma, passed)
    }

    fn check(&self) -> Result<()> {
        check_gamma("multi_step", self.gamma)
    }
}
