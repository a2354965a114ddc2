//! LAMB.

use lossgraph_tensor::{Float, Shape};

use super::rule::{
    Granularity, State, Step, UpdateRule, at_least_zero, betas_below_one, correction, direction,
    first_beta, learning_rate, ratio,
};
use super::table::{Row, row};
use crate::error::Result;
use crate::options::options;

options! {
    /// Adam for large batches: the step of each parameter is as long as the rate times the parameter.
    ///
    /// ```text
    /// u = m̂ / (√v̂ + ε) + λ p               m̂ and v̂ as for adam, weight decay λ
    /// p ← p − lr ‖p‖ / ‖u‖ u               without the ratio where a norm is 0
    /// ```
    ///
    /// Norms are those of a whole parameter, added up in `f64`.
    ///
    /// # Source
    /// You et al., Large Batch Optimization for Deep Learning, 2020. optax's `lamb`.
    #[doc(alias = "LAMB")]
    #[derive(Copy)]
    pub struct Lamb("lamb") {
        /// The learning rate.
        lr: f64 = 1e-3,
        /// The decay rates of the moving averages of the gradient and of its square.
        betas: [f64; 2] = [0.9, 0.999],
        /// Keeps the divisor off 0.
        eps: f64 = 1e-6,
        /// The factor of the decay, which is part of the step before it is scaled.
        weight_decay: f64 = 0.0,
        /// Ascends the gradient instead of descending.
        maximize: bool = false,
    }
}

pub(super) const ROW: Row =
    row::<Lamb>("lamb", &["LAMB"], "adam with steps in proportion to each parameter's norm");

impl UpdateRule for Lamb {
    const NAME: &'static str = "lamb";
    const GRANULARITY: Granularity = Granularity::Parameter;

    learning_rate!();
    first_beta!();

    fn check(&self) -> Result<()> {
        at_least_zero("lamb", "lr", self.lr)?;
        betas_below_one("lamb", self.betas)?;
        at_least_zero("lamb", "eps", self.eps)?;
        at_least_zero("lamb", "weight_decay", self.weight_decay)
    }

    fn states(&self, shape: &Shape) -> Vec<State> {
        State::zeros(shape, 2)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: &Step<'_>, p: &mut [T], g: &[T], states: &mut [&mut [T]]) {
        let [m, v] = states else { return };
        let [beta1, beta2] = self.betas.map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let corrections = self.betas.map(|beta| correction(beta, step.count));
        let first = T::of(1.0 / corrections[0]);
        let root = T::of(1.0 / corrections[1].sqrt());
        let [eps, decay] = [self.eps, self.weight_decay].map(T::of);
        let sign: T = direction(self.maximize);
        let direction = |p: T, m: T, v: T| ratio(first * m, v.sqrt() * root + eps) + decay * p;
        let (mut of_p, mut of_u) = (0.0, 0.0);
        for ((p, &g), (m, v)) in p.iter().zip(g).zip(m.iter_mut().zip(v.iter_mut())) {
            let g = sign * g;
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            let u = direction(*p, *m, *v).to_f64();
            of_p += p.to_f64() * p.to_f64();
            of_u += u * u;
        }
        let trust = if of_p > 0.0 && of_u > 0.0 { (of_p / of_u).sqrt() } else { 1.0 };
        let lr = T::of(self.lr * trust);
        for (p, (m, v)) in p.iter_mut().zip(m.iter().zip(v.iter())) {
            *p = *p - lr * direction(*p, *m, *v);
        }
    }
}
