//! Rates that rise and fall, with a momentum that does the opposite.

use super::cosine::anneal;
use super::table::{Row, row};
use super::{Schedule, at_least_one, in_range};
use crate::error::Result;
use crate::options::{options, words};

words! {
    /// How a phase of [`OneCycle`] goes from one rate to the next.
    pub enum Anneal("cos or linear") {
        /// Along half a cosine.
        Cos = "cos",
        /// Along a line.
        Linear = "linear",
    }
}

impl Anneal {
    fn between(self, from: f64, to: f64, done: f64) -> f64 {
        match self {
            Anneal::Cos => anneal(from, to, done),
            Anneal::Linear => from + (to - from) * done,
        }
    }
}

options! {
    /// One rise from a low rate to the largest, and one fall to almost nothing.
    ///
    /// ```text
    /// rise   max_lr / div_factor  →  max_lr                                   pct_start of the steps
    /// fall   max_lr  →  max_lr / (div_factor · final_div_factor)              the rest
    /// ```
    ///
    /// With three phases, the fall is as long as the rise and ends where that began, and the last steps
    /// go on to the lowest rate. The momentum falls while the rate rises, and rises while it falls.
    ///
    /// # Source
    /// Smith and Topin, Super-Convergence, 2019. PyTorch's `OneCycleLR`.
    #[doc(alias = "OneCycleLR")]
    #[derive(Copy)]
    pub struct OneCycle("one_cycle") {
        /// The largest rate; the optimizer's, where it is not given.
        max_lr: Option<f64> = None,
        /// How many steps there are; those of the training, where it is not given.
        total_steps: Option<usize> = None,
        /// The share of the steps in which the rate rises.
        pct_start: f64 = 0.3,
        /// How a phase goes from one rate to the next.
        anneal_strategy: Anneal = Anneal::Cos,
        /// The largest rate over the first.
        div_factor: f64 = 25.0,
        /// The first rate over the last.
        final_div_factor: f64 = 1e4,
        /// Whether the fall has two phases.
        three_phase: bool = false,
        /// Whether the momentum is cycled.
        cycle_momentum: bool = true,
        /// The momentum at the largest rate.
        base_momentum: f64 = 0.85,
        /// The momentum at the first and the last rate.
        max_momentum: f64 = 0.95,
    }
}

pub(super) const ONE_CYCLE: Row = row::<OneCycle>(
    "one_cycle",
    &["OneCycleLR", "onecycle"],
    "one rise to the largest rate and one fall to almost nothing",
);

impl OneCycle {
    /// A value that is `rest` at first, `peak` at the largest rate, and `end` at last.
    fn at(&self, step: usize, rest: f64, peak: f64, end: f64) -> f64 {
        let Some(total) = self.total_steps else { return peak };
        let last = total as f64 - 1.0;
        let rise = self.pct_start * total as f64 - 1.0;
        let phases = match self.three_phase {
            false => vec![(rise, rest, peak), (last, peak, end)],
            true => vec![(rise, rest, peak), (2.0 * rise, peak, rest), (last, rest, end)],
        };
        let step = (step as f64).min(last);
        let mut start = 0.0;
        for &(stop, from, to) in &phases {
            if step <= stop {
                // A phase without a length is at its end.
                let done = if stop > start { (step - start) / (stop - start) } else { 1.0 };
                return self.anneal_strategy.between(from, to, done);
            }
            start = stop;
        }
        end
    }
}

impl Schedule for OneCycle {
    fn lr(&self, base: f64, step: usize) -> f64 {
        let max = self.max_lr.unwrap_or(base);
        let first = max / self.div_factor;
        self.at(step, first, max, first / self.final_div_factor)
    }

    fn momentum(&self, step: usize) -> Option<f64> {
        let (base, max) = (self.base_momentum, self.max_momentum);
        self.cycle_momentum.then(|| self.at(step, max, base, max))
    }

    fn check(&self) -> Result<()> {
        let subject = "one_cycle";
        let positive = |name, given: f64| {
            in_range(subject, name, given, given > 0.0 && given.is_finite(), "more than 0")
        };
        at_least_one(subject, "total_steps", self.total_steps.unwrap_or(1))?;
        positive("max_lr", self.max_lr.unwrap_or(1.0))?;
        positive("div_factor", self.div_factor)?;
        positive("final_div_factor", self.final_div_factor)?;
        if self.three_phase {
            // Rise and fall are as long.
            let (name, expected) = ("pct_start", "a number from 0 to 0.5 with three phases");
            in_range(subject, name, self.pct_start, self.pct_start <= 0.5, expected)?;
        }
        for (name, share) in [
            ("pct_start", self.pct_start),
            ("base_momentum", self.base_momentum),
            ("max_momentum", self.max_momentum),
        ] {
            in_range(subject, name, share, (0.0..=1.0).contains(&share), "a number from 0 to 1")?;
        }
        Ok(())
    }

    fn span(&mut self, steps: usize) {
        self.total_steps.get_or_insert(steps.max(1));
    }

    fn is_endless(&self) -> bool {
        self.total_steps.is_none()
    }

    fn end(&self) -> Option<usize> {
        self.total_steps
    }
}

words! {
    /// How the height of a cycle changes from one to the next.
    pub enum CycleMode("triangular, triangular2 or exp_range") {
        /// It stays.
        Triangular = "triangular",
        /// It is halved.
        Triangular2 = "triangular2",
        /// It is multiplied by `gamma` at each step.
        ExpRange = "exp_range",
    }
}

options! {
    /// Rates that rise and fall along lines, again and again.
    ///
    /// ```text
    /// lr(t) = base_lr + (max_lr − base_lr) h(t) s(t)      h rises from 0 to 1 and falls; s by the mode
    /// ```
    ///
    /// # Source
    /// Smith, Cyclical Learning Rates, 2017. PyTorch's `CyclicLR`.
    #[doc(alias = "CyclicLR")]
    #[derive(Copy)]
    pub struct Cyclic("cyclic") {
        /// The lowest rate; a tenth of the optimizer's, where it is not given.
        base_lr: Option<f64> = None,
        /// The largest rate; the optimizer's, where it is not given.
        max_lr: Option<f64> = None,
        /// For how many steps it rises.
        step_size_up: usize = 2000,
        /// For how many steps it falls; as it rises, where it is not given.
        step_size_down: Option<usize> = None,
        /// How the height of a cycle changes.
        mode: CycleMode = CycleMode::Triangular,
        /// The factor at each step for `exp_range`.
        gamma: f64 = 1.0,
        /// Whether the momentum is cycled.
        cycle_momentum: bool = true,
        /// The momentum at the largest rate.
        base_momentum: f64 = 0.8,
        /// The momentum at the lowest rate.
        max_momentum: f64 = 0.9,
    }
}

pub(super) const CYCLIC: Row =
    row::<Cyclic>("cyclic", &["CyclicLR"], "rises and falls along lines, again and again");

impl Cyclic {
    /// How high a step is: from 0 to 1.
    fn height(&self, step: usize) -> f64 {
        let up = self.step_size_up as f64;
        let total = up + self.step_size_down.unwrap_or(self.step_size_up) as f64;
        let cycle = (1.0 + step as f64 / total).floor();
        let x = 1.0 + step as f64 / total - cycle;
        let ratio = up / total;
        let height = if x <= ratio { x / ratio } else { (x - 1.0) / (ratio - 1.0) };
        height
            * match self.mode {
                CycleMode::Triangular => 1.0,
                CycleMode::Triangular2 => 0.5_f64.powf(cycle - 1.0),
                CycleMode::ExpRange => self.gamma.powf(step as f64),
            }
    }
}

impl Schedule for Cyclic {
    fn lr(&self, base: f64, step: usize) -> f64 {
        let low = self.base_lr.unwrap_or(base / 10.0);
        low + (self.max_lr.unwrap_or(base) - low) * self.height(step)
    }

    fn momentum(&self, step: usize) -> Option<f64> {
        let (low, high) = (self.base_momentum, self.max_momentum);
        self.cycle_momentum.then(|| high - (high - low) * self.height(step))
    }

    fn check(&self) -> Result<()> {
        let subject = "cyclic";
        at_least_one(subject, "step_size_up", self.step_size_up)?;
        at_least_one(subject, "step_size_down", self.step_size_down.unwrap_or(1))?;
        for (name, given) in [
            ("base_lr", self.base_lr.unwrap_or(0.0)),
            ("max_lr", self.max_lr.unwrap_or(0.0)),
            ("gamma", self.gamma),
        ] {
            let holds = given >= 0.0 && given.is_finite();
            in_range(subject, name, given, holds, "0 or more, and finite")?;
        }
        if let (Some(low), Some(high)) = (self.base_lr, self.max_lr) {
            in_range(subject, "base_lr", low, low <= high, "`max_lr` or less")?;
        }
        for (name, given) in
            [("base_momentum", self.base_momentum), ("max_momentum", self.max_momentum)]
        {
            in_range(subject, name, given, (0.0..=1.0).contains(&given), "a number from 0 to 1")?;
        }
        Ok(())
    }
}
