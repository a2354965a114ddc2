//! Means, variances, norms and softmaxes: composed.

use lossgraph_tensor::{Axes, DType, IntoAxes, IntoAxis, keep, map1};

use super::arithmetic::SCALE;
use super::facts::Notation;
use super::facts::Precedence::{Product, Sign};
use super::table::{CUBE, Row, Sample::Floats, op};
use super::unary::Unary;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// A quotient that plans leave as it is. The sum of n equal numbers of few digits, over n, is that
/// number; times 1/n, it may be another one.
static DIVIDED: Unary = Unary::new("divided", "x / n", map1!(|x, p| x / p[0]))
    .vjp(|g, _, _, p| g.unary(&DIVIDED, p))
    .sample([3.0, 0.0])
    .cheap()
    .zero_by_underflow()
    .written(Notation::unary("a / p", Product, Sign));

impl<'t> Var<'t> {
    /// The mean along `axes`; NaN over nothing. That of integers is a float, and no sum wraps.
    #[track_caller]
    pub fn mean(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("mean");
        let axes = axes.into_axes();
        let count = self.reduced_len(&axes);
        self.float_sum(axes) / count as f64
    }

    /// `x − mean` along `axes`: exactly 0 where all elements are equal, whatever they are.
    ///
    /// The mean of large numbers is off by some of their ulps, which may be more than they differ
    /// by. So the mean of what is left is subtracted as well:
    ///
    /// ```text
    /// d = x − c        c: the mean as it was computed
    /// y = d − mean d
    /// ```
    ///
    /// Any c gives the same result, so no slope flows through it.
    #[track_caller]
    pub fn centered(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("centered");
        let axes = keep(axes.into_axes());
        let count = self.reduced_len(&axes) as f64;
        let d = match self.dtype().is_float() {
            true => self - self.detach().mean(axes.clone()),
            false => self.above_smallest(axes.clone()),
        };
        // As a sum, so that it is the mean of the slope that is negated, and not the whole slope.
        d + -d.sum(axes).unary(&DIVIDED, [count, 0.0])
    }

    /// Of integers, how far they are above the smallest one. Where that wraps, it is negative.
    #[track_caller]
    fn above_smallest(self, axes: Axes) -> Var<'t> {
        if self.reduced_len(&axes) == 0 {
            return self.to_float();
        }
        let above = self - self.min(axes);
        above.to_float() + above.lt(0) * 2_f64.powi(64)
    }

    /// The variance along `axes`: `Σ(x − mean)² / (n − correction)`. With `correction` 1 it is
    /// the unbiased estimate (Bessel), with 0 the mean squared deviation.
    #[track_caller]
    pub fn var(self, axes: impl IntoAxes, correction: f64) -> Var<'t> {
        let _call = self.tape().call("var");
        let axes = axes.into_axes();
        let count = self.reduced_len(&axes) as f64;
        self.centered(axes.clone()).square().sum(axes) / (count - correction).max(0.0)
    }

    /// The standard deviation along `axes`: `√var`. Its slope at a constant is 0. Nothing overflows or
    /// underflows on the way to a deviation that does not, as the variance may.
    #[track_caller]
    pub fn std(self, axes: impl IntoAxes, correction: f64) -> Var<'t> {
        let _call = self.tape().call("std");
        let axes = axes.into_axes();
        let count = self.reduced_len(&axes) as f64;
        let d = self.centered(axes.clone());
        let scale = d.norm_scale(2.0, &axes);
        let squares = scale.map_or(d, |scale| d * scale).square().sum(keep(axes.clone()));
        let root = (squares / (count - correction).max(0.0)).root(0.5);
        self.reduced_as("std", scale.map_or(root, |scale| root / scale), &axes)
    }

    /// The variance and the mean along `axes`: see [`var`](Var::var).
    #[track_caller]
    pub fn var_mean(self, axes: impl IntoAxes, correction: f64) -> [Var<'t>; 2] {
        let axes = axes.into_axes();
        [self.var(axes.clone(), correction), self.mean(axes)]
    }

    /// The standard deviation and the mean along `axes`: see [`std`](Var::std).
    #[track_caller]
    pub fn std_mean(self, axes: impl IntoAxes, correction: f64) -> [Var<'t>; 2] {
        let axes = axes.into_axes();
        [self.std(axes.clone(), correction), self.mean(axes)]
    }

    /// `xᵖ` for `x ≥ 0` and `p > 0`, with slope 0 at 0 in every order of derivative.
    ///
    /// The power itself has an infinite slope there, and infinity times the 0 that comes from
    /// inside of a norm is NaN: so 0 goes around the power on both ways.
    #[track_caller]
    pub fn root(self, p: f64) -> Var<'t> {
        let _call = self.tape().call("root");
        let zero = self.eq(0.0);
        let inside = zero.select(1.0, self);
        zero.select(0.0, if p == 0.5 { inside.sqrt() } else { inside.powf(p) })
    }

    /// The norm `(Σ|x|ᵖ)^(1/p)` along `axes`. `p = 0` counts what is not 0; `p = ±∞` is the
    /// largest or smallest absolute value.
    ///
    /// In an element that is 0 the slope is 0, where it is not smooth as well: for `p < 1` it is
    /// infinite on both sides. At the zero vector all slopes are 0, in every order of derivative.
    /// Nothing overflows or underflows on the way to a norm that does not.
    #[track_caller]
    pub fn norm(self, p: f64, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("norm");
        if p.is_nan() {
            let fault = Fault::new("norm", "the order p is NaN").operand("input", self);
            return self.tape().fault(fault);
        }
        let x = self.to_float();
        match p {
            0.0 => x.ne(0.0).sum(axes),
            1.0 => x.abs().sum(axes),
            f64::INFINITY => x.abs().max(axes),
            f64::NEG_INFINITY => x.abs().min(axes),
            _ => x.norm_of_powers(p, axes.into_axes()),
        }
    }

    /// `(Σ|s·x|ᵖ)^(1/p) / s`, with an `s` that keeps powers in range: any `s` gives the same.
    #[track_caller]
    fn norm_of_powers(self, p: f64, axes: Axes) -> Var<'t> {
        let scale = self.norm_scale(p, &axes);
        let x = scale.map_or(self, |scale| self * scale);
        let powers = match p {
            2.0 => x.square(),
            _ if p > 0.0 && p % 2.0 == 0.0 => x.powf(p),
            _ if p > 0.0 => x.abs().root(p),
            _ => {
                let zero = x.eq(0.0);
                zero.select(f64::INFINITY, zero.select(1.0, x.abs()).powf(p))
            }
        };
        let sum = powers.sum(keep(axes.clone()));
        let norm = if p > 0.0 { sum.root(1.0 / p) } else { sum.powf(1.0 / p) };
        self.reduced_as("norm", scale.map_or(norm, |scale| norm / scale), &axes)
    }

    /// What was reduced along `axes` and kept them, in the shape that was asked for.
    #[track_caller]
    fn reduced_as(self, name: &str, kept: Var<'t>, axes: &Axes) -> Var<'t> {
        match self.axes(name, axes) {
            Ok(set) => kept.drop_reduced(axes, set, &self.shape()),
            Err(fault) => fault,
        }
    }

    /// What brings the element that a norm is mostly made of into a range whose powers are finite
    /// and not 0; 1 where it is there. `None` over nothing.
    #[track_caller]
    pub(super) fn norm_scale(self, p: f64, axes: &Axes) -> Option<Var<'t>> {
        if self.reduced_len(axes) == 0 {
            return None;
        }
        let magnitude = self.abs();
        let most = if p > 0.0 {
            magnitude.max(keep(axes.clone()))
        } else {
            magnitude.min(keep(axes.clone()))
        };
        // Half of the exponents at most, so that sums and slopes have room, too.
        let [low, high] = match self.tape().dtype() {
            DType::F32 => [f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX)],
            _ => [f64::MIN_POSITIVE, f64::MAX],
        };
        let bounds = [low, high].map(|bound| bound.powf((0.5 / p.abs()).min(0.25)));
        Some(most.unary(&SCALE, bounds))
    }

    /// `ln Σ eˣ` along `axes`, without overflow; its slope is the softmax.
    #[doc(alias = "logsumexp")]
    #[track_caller]
    pub fn log_sum_exp(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("log_sum_exp");
        let axes = axes.into_axes();
        if self.reduced_len(&axes) == 0 {
            return self.sum(axes).ln();
        }
        let offset = self.offset(keep(axes.clone()));
        let sum = (self - offset).exp().sum(keep(axes.clone())).ln() + offset;
        self.reduced_as("log_sum_exp", sum, &axes)
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
    pub fn softmax(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("softmax");
        let axis = axis.into_axis();
        if self.len() == 0 {
            return self
                .axes("softmax", &axis.into_axes())
                .map_or_else(|fault| fault, |_| self.to_float());
        }
        let e = (self - self.detach().max(keep(axis))).exp();
        e / e.sum(keep(axis))
    }

    /// `e⁻ˣ / Σ e⁻ˣ` along an axis: the softmax of `−x`.
    #[track_caller]
    pub fn softmin(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("softmin");
        (-self).softmax(axis)
    }

    /// `ln softmax(x) = x − ln Σ eˣ` along an axis.
    #[track_caller]
    pub fn log_softmax(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("log_softmax");
        let axis = axis.into_axis();
        if self.len() == 0 {
            return self
                .axes("log_softmax", &axis.into_axes())
                .map_or_else(|fault| fault, |_| self.to_float());
        }
        let shifted = self - self.offset(keep(axis));
        shifted - shifted.exp().sum(keep(axis)).ln()
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("mean", "composed", "Σ x / n", &[CUBE], |x| x[0].mean([0, 2])),
    op("centered", "composed", "x − mean", &[CUBE], |x| x[0].centered([0, 1]))
        .ours("`x - x.mean(axes)`, exact for constants"),
    op("var", "composed", "Σ (x − mean)² / (n − c)", &[CUBE], |x| x[0].var(1, 1.0))
        .differs("the correction is always said"),
    op("std", "composed", "√var", &[CUBE], |x| x[0].std([1, 2], 1.0))
        .differs("the correction is always said, and the slope at a constant is 0"),
    op("norm", "composed", "(Σ |x|ᵖ)^(1/p)", &[CUBE], |x| x[0].norm(3.0, 1))
        .torch("norm, linalg.vector_norm")
        .differs("slope 0 at 0, for every p"),
    op("root", "composed", "xᵖ, with slope 0 at 0", &[Floats(&[2, 3], [0.1, 4.0])], |x| {
        x[0].root(0.4)
    })
    .ours("`pow` with slope 0 at 0"),
    op("log_sum_exp", "composed", "ln Σ eˣ", &[CUBE], |x| x[0].log_sum_exp(1)).torch("logsumexp"),
    op("softmax", "composed", "eˣ / Σ eˣ", &[CUBE], |x| x[0].softmax(-1)),
    op("log_softmax", "composed", "x − ln Σ eˣ", &[CUBE], |x| x[0].log_softmax(1)),
    op("softmin", "composed", "e⁻ˣ / Σ e⁻ˣ", &[CUBE], |x| x[0].softmin(1)),
];
