//! RMSprop.

use lossgraph_tensor::Float;

use super::UpdateRule;
use super::rule::{at_least_zero, below_one, ratio};
use crate::error::Result;

/// Steps of the gradient over its root mean square.
///
/// ```text
/// v ← α v + (1 − α) g²
/// g̅ ← α g̅ + (1 − α) g,   v' = v − g̅²         if centered, else v' = v
/// b ← μ b + g / (√v' + ε)                      momentum μ
/// p ← p − lr · b
/// ```
///
/// Where the divisor is 0, which takes an ε of 0, the gradient over it counts as 0. A variance that
/// rounding makes negative is 0.
///
/// # Source
/// Hinton, Coursera lecture 6e, 2012; centered: Graves, 2013. PyTorch's `RMSprop`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[doc(alias = "RMSprop")]
pub struct RmsProp {
    /// The learning rate.
    pub lr: f64,
    /// The decay rate of the moving average of the square.
    pub alpha: f64,
    /// Keeps the divisor off 0.
    pub eps: f64,
    /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
    pub weight_decay: f64,
    /// The factor of the previous step that is added to the next.
    pub momentum: f64,
    /// Divides by the standard deviation of the gradient instead of its root mean square.
    pub centered: bool,
}

impl Default for RmsProp {
    fn default() -> RmsProp {
        let (lr, alpha, eps) = (1e-2, 0.99, 1e-8);
        RmsProp { lr, alpha, eps, weight_decay: 0.0, momentum: 0.0, centered: false }
    }
}

impl UpdateRule for RmsProp {
    const NAME: &'static str = "rmsprop";
    const STATES: usize = 3;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn check(&self) -> Result<()> {
        at_least_zero("rmsprop", "lr", self.lr)?;
        below_one("rmsprop", "alpha", self.alpha)?;
        at_least_zero("rmsprop", "eps", self.eps)?;
        at_least_zero("rmsprop", "momentum", self.momentum)?;
        at_least_zero("rmsprop", "weight_decay", self.weight_decay)
    }

    #[inline(always)]
    fn update<T: Float>(&self, _: i32, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [square, mean, momentum] = states else { return };
        let [lr, alpha, eps, decay, carry] =
            [self.lr, self.alpha, self.eps, self.weight_decay, self.momentum].map(T::of);
        let new = T::of(1.0 - self.alpha);
        let states = square.iter_mut().zip(mean.iter_mut()).zip(momentum.iter_mut());
        for ((p, &g), ((v, mean), b)) in p.iter_mut().zip(g).zip(states) {
            let g = g + decay * *p;
            *v = alpha * *v + new * g * g;
            *mean = alpha * *mean + new * g;
            let variance = if self.centered { (*v - *mean * *mean).max(T::ZERO) } else { *v };
            *b = carry * *b + ratio(g, variance.sqrt() + eps);
            *p = *p - lr * *b;
        }
    }
}
