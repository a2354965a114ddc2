//! Lion.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, betas_below_one, direction, first_beta, learning_rate,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Steps of one length, by the sign of a momentum.
    ///
    /// ```text
    /// c = β₁ m + (1 − β₁) g
    /// p ← p − lr (sign(c) + λ p)            weight decay λ, decoupled
    /// m ← β₂ m + (1 − β₂) g
    /// ```
    ///
    /// A good rate is a third to a tenth of that of `adamw`, and the decay as much larger.
    ///
    /// # Source
    /// Chen et al., Symbolic Discovery of Optimization Algorithms, 2023. optax's `lion`.
    #[derive(Copy)]
    pub struct Lion("lion") {
        /// The learning rate: the length of each element's step.
        lr: f64 = 1e-4,
        /// The weights of the momentum in the step, and in the next momentum.
        betas: [f64; 2] = [0.9, 0.99],
        /// The factor of the decay: each step takes `lr · weight_decay` of a parameter away.
        weight_decay: f64 = 1e-3,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row = row::<Lion>("lion", &["Lion"], "steps by the sign of a momentum");

impl UpdateRule for Lion {
    const NAME: &'static str = "lion";

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("lion", "lr", self.lr)?;
        betas_below_one("lion", self.betas)?;
        at_least_zero("lion", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 1)
    }

    #[inline(always)]
    fn update<T: Float>(&self, _: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [beta1, beta2] = self.betas.map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let [lr, decay] = [self.lr, self.weight_decay].map(T::of);
        let sign: T = direction(self.maximize);
        for ((p, &g), m) in p.iter_mut().zip(g).zip(states[0].iter_mut()) {
            let g = sign * g;
            let c = beta1 * *m + new1 * g;
            *p = *p - lr * (c.signum0() + decay * *p);
            *m = beta2 * *m + new2 * g;
        }
    }
}
