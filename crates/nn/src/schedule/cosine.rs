//! Rates that fall along half a cosine.

use std::f64::consts::PI;

use super::table::{Row, row};
use super::{Schedule, at_least_one, in_range};
use crate::error::Result;
use crate::options::options;

/// From `high` to `low` along half a cosine.
pub(super) fn anneal(high: f64, low: f64, done: f64) -> f64 {
    low + (high - low) * (1.0 + (PI * done).cos()) / 2.0
}

/// `Ok` if a lowest rate is one.
fn check_eta_min(subject: &'static str, eta_min: f64) -> Result<()> {
    let holds = eta_min >= 0.0 && eta_min.is_finite();
    in_range(subject, "eta_min", eta_min, holds, "0 or more, and finite")
}

options! {
    /// Half a cosine from the rate to a lowest one; beyond it, the rate climbs back as it fell.
    ///
    /// ```text
    /// lr(t) = eta_min + (base − eta_min) (1 + cos(π t / t_max)) / 2
    /// ```
    ///
    /// # Source
    /// Loshchilov and Hutter, SGDR, 2017. PyTorch's `CosineAnnealingLR`.
    #[doc(alias = "CosineAnnealingLR")]
    #[derive(Copy)]
    pub struct CosineAnnealing("cosine") {
        /// The length of half a period; that of the training, where it is not given.
        t_max: Option<usize> = None,
        /// The lowest rate.
        eta_min: f64 = 0.0,
    }
}

pub(super) const COSINE: Row = row::<CosineAnnealing>(
    "cosine",
    &["CosineAnnealingLR", "cosine_annealing"],
    "half a cosine down to a lowest rate",
);

impl Schedule for CosineAnnealing {
    fn lr(&self, base: f64, step: usize) -> f64 {
        self.t_max.map_or(base, |length| anneal(base, self.eta_min, step as f64 / length as f64))
    }

    fn check(&self) -> Result<()> {
        at_least_one("cosine", "t_max", self.t_max.unwrap_or(1))?;
        check_eta_min("cosine", self.eta_min)
    }

    fn span(&mut self, steps: usize) {
        self.t_max.get_or_insert(steps.max(1));
    }

    fn is_endless(&self) -> bool {
        self.t_max.is_none()
    }
}

options! {
    /// Half a cosine again and again, each `t_mult` times as long as the one before.
    ///
    /// # Source
    /// Loshchilov and Hutter, SGDR, 2017. PyTorch's `CosineAnnealingWarmRestarts`.
    #[doc(alias = "CosineAnnealingWarmRestarts")]
    #[derive(Copy)]
    pub struct CosineWarmRestarts("cosine_warm_restarts") {
        /// The length of the first; that of the training, where it is not given.
        t_0: Option<usize> = None,
        /// How many times as long the next one is.
        t_mult: usize = 1,
        /// The lowest rate.
        eta_min: f64 = 0.0,
    }
}

pub(super) const COSINE_WARM_RESTARTS: Row = row::<CosineWarmRestarts>(
    "cosine_warm_restarts",
    &["CosineAnnealingWarmRestarts", "sgdr"],
    "half a cosine again and again",
);

impl Schedule for CosineWarmRestarts {
    fn lr(&self, base: f64, step: usize) -> f64 {
        let Some(mut length) = self.t_0 else { return base };
        let mut at = step;
        if self.t_mult == 1 {
            at %= length;
        }
        while at >= length {
            at -= length;
            length = length.saturating_mul(self.t_mult);
        }
        anneal(base, self.eta_min, at as f64 / length as f64)
    }

    fn check(&self) -> Result<()> {
        at_least_one("cosine_warm_restarts", "t_0", self.t_0.unwrap_or(1))?;
        at_least_one("cosine_warm_restarts", "t_mult", self.t_mult)?;
        check_eta_min("cosine_warm_restarts", self.eta_min)
    }

    fn span(&mut self, steps: usize) {
        self.t_0.get_or_insert(steps.max(1));
    }

    fn is_endless(&self) -> bool {
        self.t_0.is_none()
    }
}
