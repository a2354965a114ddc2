//! AdaBelief.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, betas_below_one, correction, decays, direction,
    first_beta, learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Adam that divides by how far gradients are from their mean: it steps far where they are as
    /// expected.
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g
    /// s ← β₂ s + (1 − β₂) (g − m)² + ε'
    /// p ← p − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε) − lr λ p      weight decay λ
    /// ```
    ///
    /// # Source
    /// Zhuang et al., AdaBelief Optimizer, 2020. optax's `adabelief`.
    #[derive(Copy)]
    pub struct AdaBelief("adabelief") {
        /// The learning rate.
        lr: f64 = 1e-3,
        /// The decay rates of the mean gradient and of the squared distance from it.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-16,
        /// Is added to the squared distance at each step.
        eps_root: f64 = 1e-16,
        /// The factor of the decay: each step takes `lr · weight_decay` of a parameter away.
        weight_decay: f64 = 0.0,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<AdaBelief>("adabelief", &["AdaBelief"], "adam over the deviation from the mean gradient");

impl UpdateRule for AdaBelief {
    const NAME: &'static str = "adabelief";

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("adabelief", "lr", self.lr)?;
        betas_below_one("adabelief", self.betas)?;
        at_least_zero("adabelief", "eps", self.eps)?;
        at_least_zero("adabelief", "eps_root", self.eps_root)?;
        at_least_zero("adabelief", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 2)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, s] = states else { return };
        let [beta1, beta2] = self.betas.map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let corrections = self.betas.map(|beta| correction(beta, step.count));
        let size = T::of(self.lr / corrections[0]);
        let root = T::of(1.0 / corrections[1].sqrt());
        let [eps, eps_root] = [self.eps, self.eps_root].map(T::of);
        let [_, decay]: [T; 2] = decays(self.lr, self.weight_decay, true);
        let sign: T = direction(self.maximize);
        for ((p, &g), (m, s)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(s.iter_mut())) {
            let g = sign * g;
            *m = beta1 * *m + new1 * g;
            let deviation = g - *m;
            *s = beta2 * *s + new2 * deviation * deviation + eps_root;
            *p = *p - (decay * *p + ratio(size * *m, s.sqrt() * root + eps));
        }
    }
}
