//! Adadelta.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, direction, in_range, learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Steps in the unit of the parameter: the gradient over its root mean square, times the root mean
    /// square of the steps before.
    ///
    /// ```text
    /// g ← g + λ p                           weight decay λ
    /// v ← ρ v + (1 − ρ) g²
    /// d = √(u + ε) / √(v + ε) · g
    /// u ← ρ u + (1 − ρ) d²
    /// p ← p − lr · d
    /// ```
    ///
    /// # Source
    /// Zeiler, Adadelta, 2012. PyTorch's `Adadelta`.
    #[derive(Copy)]
    pub struct Adadelta("adadelta") {
        /// The learning rate: a factor of the step.
        lr: f64 = 1.0,
        /// The decay rate of the moving averages.
        rho: f64 = 0.9,
        /// Keeps both roots off 0.
        eps: f64 = 1e-6,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<Adadelta>("adadelta", &["Adadelta"], "steps in the unit of the parameter");

impl UpdateRule for Adadelta {
    const NAME: &'static str = "adadelta";

    learning_rate!();

    fn check(&self) -> Result<()> {
        at_least_zero("adadelta", "lr", self.lr)?;
        let holds = (0.0..=1.0).contains(&self.rho);
        in_range("adadelta", "rho", self.rho, holds, "a number from 0 to 1")?;
        at_least_zero("adadelta", "eps", self.eps)?;
        at_least_zero("adadelta", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 2)
    }

    #[inline(always)]
    fn update<T: Float>(&self, _: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [square, steps] = states else { return };
        let [lr, rho, eps, decay] = [self.lr, self.rho, self.eps, self.weight_decay].map(T::of);
        let new = T::of(1.0 - self.rho);
        let sign: T = direction(self.maximize);
        let states = square.iter_mut().zip(steps.iter_mut());
        for ((p, &g), (v, u)) in p.iter_mut().zip(g).zip(states) {
            let g = sign * g + decay * *p;
            *v = rho * *v + new * g * g;
            let d = ratio((*u + eps).sqrt(), (*v + eps).sqrt()) * g;
            *u = rho * *u + new * d * d;
            *p = *p - lr * d;
        }
    }
}
