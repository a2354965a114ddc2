//! Adamax.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, betas_below_one, correction, direction, first_beta,
    learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Adam with the largest gradient, decayed, in place of the root mean square.
    ///
    /// ```text
    /// g ← g + λ p                           weight decay λ
    /// m ← β₁ m + (1 − β₁) g,   u ← max(β₂ u, |g| + ε)
    /// p ← p − lr / (1 − β₁ᵗ) · m / u
    /// ```
    ///
    /// # Source
    /// Kingma and Ba, Adam, 2015, section 7. PyTorch's `Adamax`.
    #[derive(Copy)]
    pub struct Adamax("adamax") {
        /// The learning rate.
        lr: f64 = 2e-3,
        /// The decay rates of the mean gradient and of the largest.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-8,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<Adamax>("adamax", &["Adamax"], "the mean gradient over the largest so far, decayed");

impl UpdateRule for Adamax {
    const NAME: &'static str = "adamax";

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("adamax", "lr", self.lr)?;
        betas_below_one("adamax", self.betas)?;
        at_least_zero("adamax", "eps", self.eps)?;
        at_least_zero("adamax", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 2)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, u] = states else { return };
        let [beta1, beta2] = self.betas.map(T::of);
        let new = T::of(1.0 - self.betas[0]);
        let size = T::of(self.lr / correction(self.betas[0], step.count));
        let [eps, decay] = [self.eps, self.weight_decay].map(T::of);
        let sign: T = direction(self.maximize);
        for ((p, &g), (m, u)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(u.iter_mut())) {
            let g = sign * g + decay * *p;
            *m = beta1 * *m + new * g;
            *u = (beta2 * *u).max(g.abs() + eps);
            *p = *p - ratio(size * *m, *u);
        }
    }
}
