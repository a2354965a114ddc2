//! RAdam.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, betas_below_one, correction, decays, direction,
    first_beta, learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Adam whose first steps, before the variance of the gradient is known, are those of momentum:
    /// the later ones are rectified by `r`, and need no warm-up.
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   m̂ = m / (1 − β₁ᵗ)
    /// ρ∞ = 2 / (1 − β₂) − 1,   ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
    /// r = √((ρ − 4) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ))
    /// p ← p − lr · m̂ r √(1 − β₂ᵗ) / (√v + ε)      if ρ > 5
    /// p ← p − lr · m̂                             else
    /// ```
    ///
    /// # Source
    /// Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020. PyTorch's `RAdam`.
    #[doc(alias = "RAdam")]
    #[derive(Copy)]
    pub struct Radam("radam") {
        /// The learning rate.
        lr: f64 = 1e-3,
        /// The decay rates of the moving averages of the gradient and of its square.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-8,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// Decays the parameter itself and not by its gradient, as `AdamW` does.
        decoupled_weight_decay: bool = false,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<Radam>("radam", &["RAdam"], "adam that rectifies its first steps");

impl Radam {
    /// `r √(1 − β₂ᵗ)`, once the variance is known well enough.
    fn rectification(&self, step: i32) -> Option<f64> {
        let beta = self.betas[1];
        let corrected = correction(beta, step);
        let most = 2.0 / (1.0 - beta) - 1.0;
        let rho = most - 2.0 * f64::from(step) * (1.0 - corrected) / corrected;
        let r = (rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho);
        (rho > 5.0).then(|| r.sqrt() * corrected.sqrt())
    }
}

impl UpdateRule for Radam {
    const NAME: &'static str = "radam";

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("radam", "lr", self.lr)?;
        betas_below_one("radam", self.betas)?;
        at_least_zero("radam", "eps", self.eps)?;
        at_least_zero("radam", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 2)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, v] = states else { return };
        let [beta1, beta2] = self.betas.map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let size = self.lr / correction(self.betas[0], step.count);
        let rectified = self.rectification(step.count).map(|r| T::of(size * r));
        let [size, eps] = [size, self.eps].map(T::of);
        let [l2, decay]: [T; 2] = decays(self.lr, self.weight_decay, self.decoupled_weight_decay);
        let sign: T = direction(self.maximize);
        for ((p, &g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v.iter_mut())) {
            let g = sign * g + l2 * *p;
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            let d = match rectified {
                Some(size) => ratio(size * *m, v.sqrt() + eps),
                None => size * *m,
            };
            *p = *p - (decay * *p + d);
        }
    }
}
