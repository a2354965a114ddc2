//! Adam, AMSGrad, and Adam with decoupled weight decay.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    State, Step, UpdateRule, at_least_zero, betas_below_one, correction, decays, direction,
    first_beta, learning_rate, ratio,
};
use super::table::{Row, preset, row};
use crate::error::Result;
use crate::options::options;

options! {
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
    #[doc(alias = "AMSGrad")]
    #[derive(Copy)]
    pub struct Adam("adam") {
        /// The learning rate.
        lr: f64 = 1e-3,
        /// The decay rates of the moving averages of the gradient and of its square.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-8,
        /// The factor of an L2 penalty, whose gradient `weight_decay · p` is added to the parameter's.
        weight_decay: f64 = 0.0,
        /// Decays the parameter itself and not by its gradient, as [`AdamW`] does.
        decoupled_weight_decay: bool = false,
        /// Divides by the largest moving average of the square so far.
        amsgrad: bool = false,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ADAM: Row =
    row::<Adam>("adam", &["Adam"], "the mean gradient over its root mean square");

pub(super) const AMSGRAD: Row = preset(
    row::<Adam>("amsgrad", &["AMSGrad"], "adam over the largest mean square so far"),
    &[("amsgrad", "true")],
);

pub(super) const ADAMW: Row = row::<AdamW>("adamw", &["AdamW"], "adam with decoupled weight decay");

impl UpdateRule for Adam {
    const NAME: &'static str = "adam";

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("adam", "lr", self.lr)?;
        betas_below_one("adam", self.betas)?;
        at_least_zero("adam", "eps", self.eps)?;
        at_least_zero("adam", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 3)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, v, largest] = states else { return };
        let [beta1, beta2] = self.betas.map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let corrections = self.betas.map(|beta| correction(beta, step.count));
        let size = T::of(self.lr / corrections[0]);
        let root = T::of(1.0 / corrections[1].sqrt());
        let eps = T::of(self.eps);
        let [l2, decay]: [T; 2] = decays(self.lr, self.weight_decay, self.decoupled_weight_decay);
        let sign: T = direction(self.maximize);
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
                *p = *p - (decay * *p + ratio(size * *m, largest.sqrt() * root + eps));
            }
        } else {
            for (((p, &g), m), v) in each {
                update_moments(*p, g, m, v);
                *p = *p - (decay * *p + ratio(size * *m, v.sqrt() * root + eps));
            }
        }
    }
}

options! {
    /// [`Adam`] with decoupled weight decay: `p ← (1 − lr · λ) p` before each step.
    ///
    /// # Source
    /// Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019. PyTorch's `AdamW`.
    #[derive(Copy)]
    pub struct AdamW("adamw") {
        /// The learning rate.
        lr: f64 = 1e-3,
        /// The decay rates of the moving averages of the gradient and of its square.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-8,
        /// The factor of the decay: each step takes `lr · weight_decay` of a parameter away.
        weight_decay: f64 = 1e-2,
        /// Divides by the largest moving average of the square so far.
        amsgrad: bool = false,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
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

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        self.adam().check().map_err(|error| error.of(Self::NAME))
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        self.adam().states(shape)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        self.adam().update(step, p, g, states);
    }
}
