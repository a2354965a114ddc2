//! NAdam.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, betas_below_one, correction, decays, direction,
    first_beta, learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Adam that looks ahead along the momentum, as Nesterov's does.
    ///
    /// ```text
    /// μₜ = β₁ (1 − ½ 0.96^(t ψ)),   Πₜ = μ₁ ⋯ μₜ          momentum decay ψ
    /// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
    /// m̂ = (1 − μₜ) g / (1 − Πₜ) + μₜ₊₁ m / (1 − Πₜ₊₁)
    /// p ← p − lr · m̂ / (√(v / (1 − β₂ᵗ)) + ε)
    /// ```
    ///
    /// # Source
    /// Dozat, Incorporating Nesterov Momentum into Adam, 2016. PyTorch's `NAdam`.
    #[doc(alias = "NAdam")]
    #[derive(Copy)]
    pub struct Nadam("nadam") {
        /// The learning rate.
        lr: f64 = 2e-3,
        /// The decay rates of the moving averages of the gradient and of its square.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-8,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// How fast the momentum grows with the steps.
        momentum_decay: f64 = 4e-3,
        /// Decays the parameter itself and not by its gradient, as `AdamW` does.
        decoupled_weight_decay: bool = false,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row = row::<Nadam>("nadam", &["NAdam"], "adam with Nesterov's momentum");

impl Nadam {
    /// `μₜ`
    fn mu(&self, step: i32) -> f64 {
        self.betas[0] * (1.0 - 0.5 * 0.96_f64.powf(f64::from(step) * self.momentum_decay))
    }
}

impl UpdateRule for Nadam {
    const NAME: &'static str = "nadam";
    const NUMBERS: usize = 1;

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("nadam", "lr", self.lr)?;
        betas_below_one("nadam", self.betas)?;
        at_least_zero("nadam", "eps", self.eps)?;
        at_least_zero("nadam", "weight_decay", self.weight_decay)?;
        at_least_zero("nadam", "momentum_decay", self.momentum_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 2)
    }

    /// The product of the momenta so far.
    fn advance(&self, step: i32, numbers: &mut [f64]) {
        let before = if step == 1 { 1.0 } else { numbers[0] };
        numbers[0] = before * self.mu(step);
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, v] = states else { return };
        let [beta1, beta2] = self.betas.map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let (mu, next) = (self.mu(step.count), self.mu(step.count.saturating_add(1)));
        let product = step.numbers[0];
        let of_g = T::of(self.lr * (1.0 - mu) / (1.0 - product));
        let of_m = T::of(self.lr * next / (1.0 - product * next));
        let root = T::of(1.0 / correction(self.betas[1], step.count).sqrt());
        let eps = T::of(self.eps);
        let [l2, decay]: [T; 2] = decays(self.lr, self.weight_decay, self.decoupled_weight_decay);
        let sign: T = direction(self.maximize);
        for ((p, &g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v.iter_mut())) {
            let g = sign * g + l2 * *p;
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            *p = *p - (decay * *p + ratio(of_g * g + of_m * *m, v.sqrt() * root + eps));
        }
    }
}
