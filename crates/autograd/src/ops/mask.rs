//! Masks of 0 and 1, and what they leave out: composed. Whatever is not 0 counts as true, NaN
//! included.

use lossgraph_tensor::{DType, IntoAxes};

use super::table::{AROUND, CUBE, MASK, Row, Sample::Floats, op};
use crate::record::operand::Operand;
use crate::record::tape::Tape;
use crate::record::var::Var;

impl Tape {
    /// The largest number of its float type.
    pub(crate) fn largest(&self) -> f64 {
        if self.dtype() == DType::F32 { f64::from(f32::MAX) } else { f64::MAX }
    }
}

impl<'t> Var<'t> {
    /// 1 where it is NaN, else 0; no slope.
    #[track_caller]
    pub fn isnan(self) -> Var<'t> {
        let _call = self.tape().call("isnan");
        self.ne(self)
    }

    /// 1 where it is ∞ or −∞, else 0; no slope.
    #[track_caller]
    pub fn isinf(self) -> Var<'t> {
        let _call = self.tape().call("isinf");
        self.to_float().abs().eq(f64::INFINITY)
    }

    /// 1 where it is ∞, else 0; no slope.
    #[track_caller]
    pub fn isposinf(self) -> Var<'t> {
        let _call = self.tape().call("isposinf");
        self.to_float().eq(f64::INFINITY)
    }

    /// 1 where it is −∞, else 0; no slope.
    #[track_caller]
    pub fn isneginf(self) -> Var<'t> {
        let _call = self.tape().call("isneginf");
        self.to_float().eq(f64::NEG_INFINITY)
    }

    /// 1 where it is neither NaN nor infinite, else 0; no slope.
    #[track_caller]
    pub fn isfinite(self) -> Var<'t> {
        let _call = self.tape().call("isfinite");
        self.to_float().abs().lt(f64::INFINITY)
    }

    /// 1 where it is 0, else 0; no slope.
    #[track_caller]
    pub fn logical_not(self) -> Var<'t> {
        let _call = self.tape().call("logical_not");
        self.eq(0)
    }

    /// 1 where neither is 0, else 0; no slope.
    #[track_caller]
    pub fn logical_and(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("logical_and");
        self.ne(0) * other.beside(self).ne(0)
    }

    /// 1 where one of both is not 0, else 0; no slope.
    #[track_caller]
    pub fn logical_or(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("logical_or");
        (self.ne(0) + other.beside(self).ne(0)).ne(0)
    }

    /// 1 where one of both is 0 and the other is not, else 0; no slope.
    #[track_caller]
    pub fn logical_xor(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("logical_xor");
        self.ne(0).ne(other.beside(self).ne(0))
    }

    /// 1 if something along `axes` is not 0, else 0; 0 over nothing. No slope.
    #[track_caller]
    pub fn any(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("any");
        self.ne(0).sum(axes).ne(0)
    }

    /// 1 if nothing along `axes` is 0, else 0; 1 over nothing. No slope.
    #[track_caller]
    pub fn all(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("all");
        self.eq(0).sum(axes).eq(0)
    }

    /// The sum along `axes` of what is not NaN, whose slope is 0; 0 over nothing.
    #[track_caller]
    pub fn nansum(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("nansum");
        self.isnan().select(0, self).sum(axes)
    }

    /// The mean along `axes` of what is not NaN, whose slope is 0; NaN over nothing.
    #[track_caller]
    pub fn nanmean(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("nanmean");
        let axes = axes.into_axes();
        let (x, here) = (self.to_float(), self.eq(self));
        here.select(x, 0.0).sum(axes.clone()) / here.sum(axes)
    }

    /// `x`, with numbers in the place of NaN, ∞ and −∞: `nan_to_num(0.0, None, None)`. `None` is the
    /// largest number of the tape's type, and the smallest. The slope is 1, and 0 where x is replaced.
    #[track_caller]
    pub fn nan_to_num(
        self,
        nan: f64,
        infinity: impl Into<Option<f64>>,
        negative_infinity: impl Into<Option<f64>>,
    ) -> Var<'t> {
        let _call = self.tape().call("nan_to_num");
        if !self.dtype().is_float() {
            return self;
        }
        let largest = self.tape().largest();
        let y = self.eq(f64::INFINITY).select(infinity.into().unwrap_or(largest), self);
        let lowest = negative_infinity.into().unwrap_or(-largest);
        let y = self.eq(f64::NEG_INFINITY).select(lowest, y);
        self.isnan().select(nan, y)
    }

    /// The larger of each pair, or the one that is not NaN; ties share the slope, ½ each.
    #[track_caller]
    pub fn fmax(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("fmax");
        let other = other.beside(self);
        self.isnan().select(other, other.isnan().select(self, self.maximum(other)))
    }

    /// The smaller of each pair, or the one that is not NaN; ties share the slope, ½ each.
    #[track_caller]
    pub fn fmin(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("fmin");
        let other = other.beside(self);
        self.isnan().select(other, other.isnan().select(self, self.minimum(other)))
    }

    /// The step: 0 below 0, 1 above, and `values` at 0, which have slope 1 there. Of NaN it is 0, as
    /// in PyTorch.
    #[track_caller]
    pub fn heaviside(self, values: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("heaviside");
        self.eq(0).select(values.beside(self), self.gt(0))
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("isnan", "composed", "x ≠ x", &[CUBE], |x| x[0].isnan()).differs(MASK),
    op("isinf", "composed", "|x| = ∞", &[CUBE], |x| x[0].isinf()).differs(MASK),
    op("isposinf", "composed", "x = ∞", &[CUBE], |x| x[0].isposinf()).differs(MASK),
    op("isneginf", "composed", "x = −∞", &[CUBE], |x| x[0].isneginf()).differs(MASK),
    op("isfinite", "composed", "|x| < ∞", &[CUBE], |x| x[0].isfinite()).differs(MASK),
    op("logical_not", "composed", "x = 0", &[CUBE], |x| x[0].logical_not()).differs(MASK),
    op("logical_and", "composed", "a ≠ 0 and b ≠ 0", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].logical_and(x[1])
    })
    .differs(MASK),
    op("logical_or", "composed", "a ≠ 0 or b ≠ 0", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].logical_or(x[1])
    })
    .differs(MASK),
    op(
        "logical_xor",
        "composed",
        "a ≠ 0 or b ≠ 0, but not both",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].logical_xor(x[1]),
    )
    .differs(MASK),
    op("any", "composed", "some x ≠ 0", &[CUBE], |x| x[0].any(1)).differs(MASK),
    op("all", "composed", "every x ≠ 0", &[CUBE], |x| x[0].all([0, 2])).differs(MASK),
    op("nansum", "composed", "Σ x, without NaN", &[CUBE], |x| x[0].nansum([0, 2])),
    op("nanmean", "composed", "Σ x / n, without NaN", &[CUBE], |x| x[0].nanmean(1)),
    op("nan_to_num", "composed", "x, with numbers for NaN and ±∞", &[CUBE], |x| {
        x[0].nan_to_num(0.5, None, -1.0)
    }),
    op(
        "fmax",
        "composed",
        "max(a, b), or the one that is not NaN",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].fmax(x[1]),
    ),
    op(
        "fmin",
        "composed",
        "min(a, b), or the one that is not NaN",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].fmin(x[1]),
    ),
    op(
        "heaviside",
        "composed",
        "0 if x < 0, v if x = 0, 1 if x > 0",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].heaviside(x[1]),
    ),
];
