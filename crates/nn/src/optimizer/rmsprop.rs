//! RMSprop.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, below_one, direction, learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
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
    #[doc(alias = "RMSprop")]
    #[derive(Copy)]
    pub struct RmsProp("rmsprop") {
        /// The learning rate.
        lr: f64 = 1e-2,
        /// The decay rate of the moving averages.
        alpha: f64 = 0.99,
        /// Keeps the divisor off 0.
        eps: f64 = 1e-8,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// The factor of the previous step that is added to the next.
        momentum: f64 = 0.0,
        /// Divides by the standard deviation of the gradient instead of its root mean square.
        centered: bool = false,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<RmsProp>("rmsprop", &["RMSprop"], "the gradient over its root mean square");

impl UpdateRule for RmsProp {
    const NAME: &'static str = "rmsprop";

    learning_rate!();

    fn momentum(&self) -> Option<f64> {
        (self.momentum != 0.0).then_some(self.momentum)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }

    fn check(&self) -> Result<()> {
        at_least_zero("rmsprop", "lr", self.lr)?;
        below_one("rmsprop", "alpha", self.alpha)?;
        at_least_zero("rmsprop", "eps", self.eps)?;
        at_least_zero("rmsprop", "momentum", self.momentum)?;
        at_least_zero("rmsprop", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 3)
    }

    #[inline(always)]
    fn update<T: Float>(&self, _: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [square, mean, momentum] = states else { return };
        let [lr, alpha, eps, decay, carry] =
            [self.lr, self.alpha, self.eps, self.weight_decay, self.momentum].map(T::of);
        let new = T::of(1.0 - self.alpha);
        let sign: T = direction(self.maximize);
        let states = square.iter_mut().zip(mean.iter_mut()).zip(momentum.iter_mut());
        for ((p, &g), ((v, mean), b)) in p.iter_mut().zip(g).zip(states) {
            let g = sign * g + decay * *p;
            *v = alpha * *v + new * g * g;
            *mean = alpha * *mean + new * g;
            let variance = if self.centered { (*v - *mean * *mean).max(T::ZERO) } else { *v };
            *b = carry * *b + ratio(g, variance.sqrt() + eps);
            *p = *p - lr * *b;
        }
    }
}
