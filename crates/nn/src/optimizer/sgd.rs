//! Stochastic gradient descent.

use lossgraph_tensor::{Float, Shape};

use super::rule::{State, Step, UpdateRule, at_least_zero, direction, in_range, learning_rate};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Stochastic gradient descent, with momentum.
    ///
    /// ```text
    /// g ← g + λ p                      weight decay λ
    /// b ← μ b + (1 − d) g              momentum μ, dampening d; the first b is g
    /// g ← g + μ b  (Nesterov), else b
    /// p ← p − lr · g
    /// ```
    ///
    /// # Source
    /// Robbins and Monro, 1951; Sutskever et al., On the Importance of Initialization and Momentum,
    /// 2013. PyTorch's `SGD`.
    #[doc(alias = "SGD")]
    #[derive(Copy)]
    pub struct Sgd("sgd") {
        /// The learning rate.
        lr: f64 = 1e-3,
        /// The factor of the previous step that is added to the next.
        momentum: f64 = 0.0,
        /// The share of each gradient that does not go into the momentum.
        dampening: f64 = 0.0,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// Looks ahead along the momentum; needs momentum, and no dampening.
        nesterov: bool = false,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row = row::<Sgd>("sgd", &["SGD"], "steps along the gradient, with momentum");

impl UpdateRule for Sgd {
    const NAME: &'static str = "sgd";

    learning_rate!();

    fn momentum(&self) -> Option<f64> {
        (self.momentum != 0.0).then_some(self.momentum)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }

    fn check(&self) -> Result<()> {
        at_least_zero("sgd", "lr", self.lr)?;
        at_least_zero("sgd", "momentum", self.momentum)?;
        at_least_zero("sgd", "weight_decay", self.weight_decay)?;
        let dampening = self.dampening;
        in_range("sgd", "dampening", dampening, dampening.is_finite(), "a finite number")?;
        let of_nesterov = |name, given, holds, expected| {
            in_range("sgd", name, given, !self.nesterov || holds, expected)
        };
        let momentum = self.momentum;
        of_nesterov("momentum", momentum, momentum != 0.0, "more than 0 for Nesterov's")?;
        of_nesterov("dampening", dampening, dampening == 0.0, "0 for Nesterov's momentum")
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 1)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [lr, momentum, decay] = [self.lr, self.momentum, self.weight_decay].map(T::of);
        let sign: T = direction(self.maximize);
        if self.momentum == 0.0 {
            for (p, &g) in p.iter_mut().zip(g) {
                *p = *p - lr * (sign * g + decay * *p);
            }
            return;
        }
        // The first momentum is the whole gradient, not dampened.
        let (keep, take) = match step.count {
            1 => (T::ZERO, T::ONE),
            _ => (momentum, T::of(1.0 - self.dampening)),
        };
        for ((p, &g), b) in p.iter_mut().zip(g).zip(states[0].iter_mut()) {
            let g = sign * g + decay * *p;
            *b = keep * *b + take * g;
            *p = *p - lr * if self.nesterov { g + momentum * *b } else { *b };
        }
    }
}
