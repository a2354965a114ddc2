//! Rates that fall when a figure does not get better.

use super::table::{Row, row};
use super::{Schedule, check_state, in_range};
use crate::error::Result;
use crate::options::{options, words};

words! {
    /// Which figure is the better one.
    pub enum Better("min or max") {
        /// The smaller, as of a loss.
        Min = "min",
        /// The larger, as of an accuracy.
        Max = "max",
    }
}

words! {
    /// What a figure has to be better by.
    pub enum Threshold("rel or abs") {
        /// A share of the best.
        Relative = "rel",
        /// A number.
        Absolute = "abs",
    }
}

options! {
    /// A factor whenever a figure, such as the loss of validation, did not get better for more than
    /// `patience` observations.
    ///
    /// ```text
    /// better     figure < best (1 − threshold),   or figure < best − threshold; for max the other way
    /// reduced    lr ← max(lr · factor, min_lr), if that is more than eps less
    /// ```
    ///
    /// It takes the figures by [`Scheduler::observe`](super::Scheduler::observe); its rate is that of
    /// the figures so far, whatever the step. A figure that is NaN is not better.
    ///
    /// # Source
    /// PyTorch's `ReduceLROnPlateau`.
    #[doc(alias = "ReduceLROnPlateau")]
    #[derive(Copy)]
    pub struct ReduceOnPlateau("reduce_on_plateau") {
        /// Which figure is the better one.
        mode: Better = Better::Min,
        /// The factor.
        factor: f64 = 0.1,
        /// How many observations without a better figure are waited for.
        patience: usize = 10,
        /// What a figure has to be better by.
        threshold: f64 = 1e-4,
        /// Whether that is a share of the best.
        threshold_mode: Threshold = Threshold::Relative,
        /// For how many observations after a reduction no bad one counts.
        cooldown: usize = 0,
        /// The lowest rate.
        min_lr: f64 = 0.0,
        /// A reduction by no more than this is left out.
        eps: f64 = 1e-8,
    }
    state {
        /// What it made of the figures so far.
        observed: Observed
    }
}

pub(super) const ROW: Row = row::<ReduceOnPlateau>(
    "reduce_on_plateau",
    &["ReduceLROnPlateau", "plateau"],
    "a factor whenever a figure does not get better",
);

/// What [`ReduceOnPlateau`] made of the figures so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Observed {
    best: Option<f64>,
    /// Observations since the best figure, or since the rate was reduced.
    bad: usize,
    /// Observations for which no bad one counts.
    resting: usize,
    reductions: usize,
}

impl ReduceOnPlateau {
    fn is_better(&self, figure: f64) -> bool {
        let Some(best) = self.observed.best else { return !figure.is_nan() };
        let by = match self.threshold_mode {
            Threshold::Relative => best * self.threshold,
            Threshold::Absolute => self.threshold,
        };
        match self.mode {
            Better::Min => figure < best - by,
            Better::Max => figure > best + by,
        }
    }
}

impl Schedule for ReduceOnPlateau {
    fn lr(&self, base: f64, _: usize) -> f64 {
        (0..self.observed.reductions).fold(base, |lr, _| {
            let reduced = (lr * self.factor).max(self.min_lr);
            if lr - reduced > self.eps { reduced } else { lr }
        })
    }

    fn check(&self) -> Result<()> {
        let subject = "reduce_on_plateau";
        let factor = self.factor;
        in_range(
            subject,
            "factor",
            factor,
            (0.0..1.0).contains(&factor),
            "0 or more, and below 1",
        )?;
        for (name, given) in
            [("threshold", self.threshold), ("min_lr", self.min_lr), ("eps", self.eps)]
        {
            let holds = given >= 0.0 && given.is_finite();
            in_range(subject, name, given, holds, "0 or more, and finite")?;
        }
        Ok(())
    }

    fn observe(&mut self, _: usize, figure: f64) {
        let better = self.is_better(figure);
        let observed = &mut self.observed;
        if better {
            observed.best = Some(figure);
            observed.bad = 0;
        } else {
            observed.bad += 1;
        }
        if observed.resting > 0 {
            observed.resting -= 1;
            observed.bad = 0;
        }
        if observed.bad > self.patience {
            observed.reductions += 1;
            observed.resting = self.cooldown;
            observed.bad = 0;
        }
    }

    fn state(&self) -> Vec<f64> {
        let Observed { best, bad, resting, reductions } = self.observed;
        vec![best.unwrap_or(f64::NAN), bad as f64, resting as f64, reductions as f64]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<()> {
        check_state(state, 4)?;
        let [bad, resting, reductions] = [1, 2, 3].map(|i| state[i] as usize);
        let best = (!state[0].is_nan()).then_some(state[0]);
        self.observed = Observed { best, bad, resting, reductions };
        Ok(())
    }
}
