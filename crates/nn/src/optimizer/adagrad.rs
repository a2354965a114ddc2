//! Adagrad.

use lossgraph_tensor::{Float, Shape};

use super::rule::{State, Step, UpdateRule, at_least_zero, direction, learning_rate, ratio};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Steps of the gradient over the root of the sum of its squares so far.
    ///
    /// ```text
    /// s ← s + g²
    /// p ← p − lr / (1 + (t − 1) d) · g / (√s + ε)      decay d of the learning rate
    /// ```
    ///
    /// Where the divisor is 0, which takes an ε of 0, the parameter stays.
    ///
    /// # Source
    /// Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011. PyTorch's `Adagrad`.
    #[derive(Copy)]
    pub struct Adagrad("adagrad") {
        /// The learning rate.
        lr: f64 = 1e-2,
        /// How fast the learning rate decays with the steps.
        lr_decay: f64 = 0.0,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// The initial value of the sum of squares.
        initial_accumulator_value: f64 = 0.0,
        /// Keeps the divisor off 0.
        eps: f64 = 1e-10,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<Adagrad>("adagrad", &["Adagrad"], "the gradient over the root of its summed squares");

impl UpdateRule for Adagrad {
    const NAME: &'static str = "adagrad";

    learning_rate!();

    fn check(&self) -> Result<()> {
        at_least_zero("adagrad", "lr", self.lr)?;
        at_least_zero("adagrad", "lr_decay", self.lr_decay)?;
        at_least_zero("adagrad", "weight_decay", self.weight_decay)?;
        at_least_zero("adagrad", "initial_accumulator_value", self.initial_accumulator_value)?;
        at_least_zero("adagrad", "eps", self.eps)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        vec![State::full(shape, self.initial_accumulator_value)]
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let lr = T::of(self.lr / (1.0 + f64::from(step.count - 1) * self.lr_decay));
        let [decay, eps] = [self.weight_decay, self.eps].map(T::of);
        let sign: T = direction(self.maximize);
        for ((p, &g), sum) in p.iter_mut().zip(g).zip(states[0].iter_mut()) {
            let g = sign * g + decay * *p;
            *sum = *sum + g * g;
            *p = *p - ratio(lr * g, sum.sqrt() + eps);
        }
    }
}
