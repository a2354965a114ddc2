//! Yogi.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, betas_below_one, correction, decays, direction,
    first_beta, learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Adam whose mean square grows and falls by the square alone, not by its distance: a rare large
    /// gradient is remembered longer.
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g,   v ← v − (1 − β₂) sign(v − g²) g²
    /// p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) − lr λ p      weight decay λ
    /// ```
    ///
    /// # Source
    /// Zaheer et al., Adaptive Methods for Nonconvex Optimization, 2018. optax's `yogi`.
    #[derive(Copy)]
    pub struct Yogi("yogi") {
        /// The learning rate.
        lr: f64 = 1e-2,
        /// The decay rates of the moving averages of the gradient and of its square.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-3,
        /// The initial value of both averages.
        initial_accumulator_value: f64 = 1e-6,
        /// The factor of the decay: each step takes `lr · weight_decay` of a parameter away.
        weight_decay: f64 = 0.0,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<Yogi>("yogi", &["Yogi"], "adam whose mean square changes by the square alone");

impl UpdateRule for Yogi {
    const NAME: &'static str = "yogi";

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("yogi", "lr", self.lr)?;
        betas_below_one("yogi", self.betas)?;
        at_least_zero("yogi", "eps", self.eps)?;
        at_least_zero("yogi", "initial_accumulator_value", self.initial_accumulator_value)?;
        at_least_zero("yogi", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        vec![State::full(shape, self.initial_accumulator_value); 2]
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, v] = states else { return };
        let beta1 = T::of(self.betas[0]);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let corrections = self.betas.map(|beta| correction(beta, step.count));
        let size = T::of(self.lr / corrections[0]);
        let root = T::of(1.0 / corrections[1].sqrt());
        let eps = T::of(self.eps);
        let [_, decay]: [T; 2] = decays(self.lr, self.weight_decay, true);
        let sign: T = direction(self.maximize);
        for ((p, &g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v.iter_mut())) {
            let g = sign * g;
            *m = beta1 * *m + new1 * g;
            *v = *v - new2 * (*v - g * g).signum0() * g * g;
            *p = *p - (decay * *p + ratio(size * *m, v.sqrt() * root + eps));
        }
    }
}
