//! Adagrad.

use lossgraph_tensor::Float;

use super::UpdateRule;
use super::rule::{at_least_zero, ratio};
use crate::error::Result;

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
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Adagrad {
    /// The learning rate.
    pub lr: f64,
    /// How fast the learning rate decays with the steps.
    pub lr_decay: f64,
    /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
    pub weight_decay: f64,
    /// The initial value of the sum of squares.
    pub initial_accumulator_value: f64,
    /// Keeps the divisor off 0.
    pub eps: f64,
}

impl Default for Adagrad {
    fn default() -> Adagrad {
        let (lr, eps) = (1e-2, 1e-10);
        Adagrad { lr, lr_decay: 0.0, weight_decay: 0.0, initial_accumulator_value: 0.0, eps }
    }
}

impl UpdateRule for Adagrad {
    const NAME: &'static str = "adagrad";
    const STATES: usize = 1;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn check(&self) -> Result<()> {
        at_least_zero("adagrad", "lr", self.lr)?;
        at_least_zero("adagrad", "lr_decay", self.lr_decay)?;
        at_least_zero("adagrad", "weight_decay", self.weight_decay)?;
        at_least_zero("adagrad", "initial_accumulator_value", self.initial_accumulator_value)?;
        at_least_zero("adagrad", "eps", self.eps)
    }

    fn initial_state(&self) -> f64 {
        self.initial_accumulator_value
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: i32, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let lr = T::of(self.lr / (1.0 + f64::from(step - 1) * self.lr_decay));
        let [decay, eps] = [self.weight_decay, self.eps].map(T::of);
        for ((p, &g), sum) in p.iter_mut().zip(g).zip(states[0].iter_mut()) {
            let g = g + decay * *p;
            *sum = *sum + g * g;
            *p = *p - ratio(lr * g, sum.sqrt() + eps);
        }
    }
}
