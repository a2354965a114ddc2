//! Stochastic gradient descent.

use lossgraph_tensor::Float;

use super::UpdateRule;
use super::rule::at_least_zero;
use crate::error::{Error, Result};

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
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[doc(alias = "SGD")]
pub struct Sgd {
    /// The learning rate.
    pub lr: f64,
    /// The factor of the previous step that is added to the next.
    pub momentum: f64,
    /// The share of each gradient that does not go into the momentum.
    pub dampening: f64,
    /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
    pub weight_decay: f64,
    /// Looks ahead along the momentum; needs momentum, and no dampening.
    pub nesterov: bool,
    /// Ascends the gradient instead of descending.
    pub maximize: bool,
}

impl Default for Sgd {
    fn default() -> Sgd {
        Sgd {
            lr: 1e-3,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            maximize: false,
        }
    }
}

impl UpdateRule for Sgd {
    const NAME: &'static str = "sgd";
    const STATES: usize = 1;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn check(&self) -> Result<()> {
        at_least_zero("sgd", "lr", self.lr)?;
        at_least_zero("sgd", "momentum", self.momentum)?;
        at_least_zero("sgd", "weight_decay", self.weight_decay)?;
        if !self.dampening.is_finite() {
            let (subject, name, expected) = ("sgd", "dampening", "a finite number");
            return Err(Error::Option { subject, name, given: self.dampening, expected });
        }
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let (name, expected) = match self.momentum {
                0.0 => ("momentum", "more than 0 for Nesterov's"),
                _ => ("dampening", "0 for Nesterov's momentum"),
            };
            let given = if self.momentum == 0.0 { 0.0 } else { self.dampening };
            return Err(Error::Option { subject: "sgd", name, given, expected });
        }
        Ok(())
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: i32, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [lr, momentum, decay] = [self.lr, self.momentum, self.weight_decay].map(T::of);
        let sign = if self.maximize { -T::ONE } else { T::ONE };
        if self.momentum == 0.0 {
            for (p, &g) in p.iter_mut().zip(g) {
                *p = *p - lr * (sign * g + decay * *p);
            }
            return;
        }
        // The first momentum is the whole gradient, not dampened.
        let (keep, take) = match step {
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
