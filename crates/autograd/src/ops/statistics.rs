//! Means, variances, norms and softmaxes: composed, without rules of their own.

use lossgraph_tensor::DType;

use crate::record::axes::{IntoAxes, keep};
use crate::record::fault::Fault;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// The mean along `axes`; NaN over nothing.
    #[track_caller]
    pub fn mean(self, axes: impl IntoAxes) -> Var<'t> {
        let axes = axes.into_axes();
        let count = self.reduced_len(&axes);
        self.sum(axes) / count as f64
    }

    /// The variance along `axes`: `Σ(x − mean)² / (n − correction)`. With `correction` 1 it is
    /// the unbiased estimate (Bessel), with 0 the mean squared deviation.
    #[track_caller]
    pub fn var(self, axes: impl IntoAxes, correction: f64) -> Var<'t> {
        let axes = axes.into_axes();
        let count = self.reduced_len(&axes) as f64;
        let deviation = self - self.mean(keep(axes.clone()));
        deviation.square().sum(axes) / (count - correction).max(0.0)
    }

    /// The standard deviation along `axes`: `√var`. Its slope at a constant is 0.
    #[track_caller]
    pub fn std(self, axes: impl IntoAxes, correction: f64) -> Var<'t> {
        self.var(axes, correction).root(0.5)
    }

    /// `xᵖ` for `x ≥ 0` and `0 < p ≤ 1`, with slope 0 at 0 in every order of derivative.
    ///
    /// The power itself has an infinite slope there, and infinity times the 0 that comes from
    /// inside of a norm is NaN: so 0 goes around the power on both ways.
    #[track_caller]
    pub fn root(self, p: f64) -> Var<'t> {
        let zero = self.eq(0.0);
        let inside = zero.select(1.0, self);
        zero.select(0.0, if p == 0.5 { inside.sqrt() } else { inside.powf(p) })
    }

    /// The norm `(Σ|x|ᵖ)^(1/p)` along `axes`. `p = 0` counts what is not 0; `p = ±∞` is the
    /// largest or smallest absolute value. The slope at the zero vector is 0.
    #[track_caller]
    pub fn norm(self, p: f64, axes: impl IntoAxes) -> Var<'t> {
        if p.is_nan() {
            let fault = Fault::new("norm", "the order p is NaN").operand("input", self);
            return self.tape().fault(fault);
        }
        match p {
            0.0 => self.ne(0.0).sum(axes),
            1.0 => self.abs().sum(axes),
            2.0 => self.square().sum(axes).root(0.5),
            f64::INFINITY => self.abs().max(axes),
            f64::NEG_INFINITY => self.abs().min(axes),
            _ if p > 1.0 => self.abs().powf(p).sum(axes).root(1.0 / p),
            _ => self.abs().powf(p).sum(axes).powf(1.0 / p),
        }
    }

    /// `ln Σ eˣ` along `axes`, without overflow; its slope is the softmax.
    #[doc(alias = "logsumexp")]
    #[track_caller]
    pub fn log_sum_exp(self, axes: impl IntoAxes) -> Var<'t> {
        let axes = axes.into_axes();
        if self.reduced_len(&axes) == 0 {
            return self.sum(axes).ln();
        }
        let offset = self.offset(keep(axes.clone()));
        let sum = (self - offset).exp().sum(keep(axes.clone())).ln() + offset;
        match self.axes("log_sum_exp", &axes) {
            Ok(set) => sum.drop_reduced(&axes, set, &self.shape()),
            Err(fault) => fault,
        }
    }

    /// What is subtracted before an exponential: the maximum, held within finite numbers, since
    /// ∞ − ∞ is NaN. Any number gives the same result, so no slope flows through it.
    #[track_caller]
    fn offset(self, axes: impl IntoAxes) -> Var<'t> {
        let largest = if self.tape().dtype() == DType::F32 { 3e38 } else { 1e308 };
        self.detach().max(axes).clamp(-largest, largest)
    }

    /// `eˣ / Σ eˣ` along an axis.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Var<'t> {
        if self.len() == 0 {
            return self;
        }
        let e = (self - self.detach().max(keep(axis))).exp();
        e / e.sum(keep(axis))
    }

    /// `ln softmax(x) = x − ln Σ eˣ` along an axis.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Var<'t> {
        if self.len() == 0 {
            return self;
        }
        let shifted = self - self.offset(keep(axis));
        shifted - shifted.exp().sum(keep(axis)).ln()
    }
}
