//! Adam, and Adam with decoupled weight decay.

use lossgraph_tensor::Float;

use super::UpdateRule;
use super::rule::{at_least_zero, below_one, ratio};
use crate::error::Result;

/// Adam: steps of the size of the learning rate, in the direction of the mean gradient over its
/// root mean square.
///
/// ```text
/// g ← g + λ p                                    weight decay λ
/// m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
/// p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
///
/// Where the divisor is 0, which takes an ε of 0, the parameter stays. What is subtracted from 1 is
/// so in `f64`, so that betas near 1 keep their meaning in models of `f32`.
///
/// # Source
/// Kingma and Ba, Adam, 2015; AMSGrad: Reddi et al., On the Convergence of Adam and Beyond, 2018.
/// PyTorch's `Adam`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Adam {
    /// The learning rate.
    pub lr: f64,
    /// The decay rates of the moving averages of the gradient and of its square.
    pub betas: [f64; 2],
    /// Keeps the divisor off 0.
    pub eps: f64,
    /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
    pub weight_decay: f64,
    /// Decays the parameter itself and not by its gradient, as [`AdamW`] does.
    pub decoupled_weight_decay: bool,
    /// Divides by the largest moving average of the square so far.
    pub amsgrad: bool,
    /// Ascends the gradient instead of descending.
    pub maximize: bool,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam {
            lr: 1e-3,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled_weight_decay: false,
            amsgrad: false,
            maximize: false,
        }
    }
}

impl UpdateRule for Adam {
    const NAME: &'static str = "adam";
    const STATES: usize = 3;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn check(&self) -> Result<()> {
        at_least_zero("adam", "lr", self.lr)?;
        below_one("adam", "beta1", self.betas[0])?;
        below_one("adam", "beta2", self.betas[1])?;
        at_least_zero("adam", "eps", self.eps)?;
        at_least_zero("adam", "weight_decay", self.weight_decay)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: i32, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, v, largest] = states else { return };
        let [beta1, beta2] = self.betas.map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let corrections = self.betas.map(|beta| correction(beta, step));
        let size = T::of(self.lr / corrections[0]);
        let root = T::of(1.0 / corrections[1].sqrt());
        let eps = T::of(self.eps);
        let (l2, decoupled) = match self.decoupled_weight_decay {
            false => (self.weight_decay, 0.0),
            true => (0.0, self.lr * self.weight_decay),
        };
        let [l2, decoupled] = [l2, decoupled].map(T::of);
        let sign = if self.maximize { -T::ONE } else { T::ONE };
        let update_moments = |p: T, g: T, m: &mut T, v: &mut T| {
            let g = sign * g + l2 * p;
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
        };
        let each = p.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut());
        if self.amsgrad {
            for ((((p, &g), m), v), largest) in each.zip(largest.iter_mut()) {
                update_moments(*p, g, m, v);
                *largest = largest.max(*v);
                *p = *p - (decoupled * *p + ratio(size * *m, largest.sqrt() * root + eps));
            }
        } else {
            for (((p, &g), m), v) in each {
                update_moments(*p, g, m, v);
                *p = *p - (decoupled * *p + ratio(size * *m, v.sqrt() * root + eps));
            }
        }
    }
}

/// `1 − βᵗ`, with all digits where β is near 1.
fn correction(beta: f64, step: i32) -> f64 {
    -Float::exp_m1(f64::from(step) * Float::ln_1p(beta - 1.0))
}

/// [`Adam`] with decoupled weight decay: `p ← (1 − lr · λ) p` before each step.
///
/// # Source
/// Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019. PyTorch's `AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct AdamW {
    /// The learning rate.
    pub lr: f64,
    /// The decay rates of the moving averages of the gradient and of its square.
    pub betas: [f64; 2],
    /// Keeps the divisor off 0.
    pub eps: f64,
    /// The factor of the decay: each step takes `lr · weight_decay` of a parameter away.
    pub weight_decay: f64,
    /// Divides by the largest moving average of the square so far.
    pub amsgrad: bool,
    /// Ascends the gradient instead of descending.
    pub maximize: bool,
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW {
            lr: 1e-3,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 1e-2,
            amsgrad: false,
            maximize: false,
        }
    }
}

impl AdamW {
    fn adam(&self) -> Adam {
        Adam {
            lr: self.lr,
            betas: self.betas,
            eps: self.eps,
            weight_decay: self.weight_decay,
            decoupled_weight_decay: true,
            amsgrad: self.amsgrad,
            maximize: self.maximize,
        }
    }
}

impl UpdateRule for AdamW {
    const NAME: &'static str = "adamw";
    const STATES: usize = Adam::STATES;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn check(&self) -> Result<()> {
        self.adam().check()
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: i32, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        self.adam().update(step, p, g, states);
    }
}
