//! Quantiles, on the line between two elements.

use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{DType, IntoAxes, Tensor, keep};

use super::combine::stack;
use super::order::{Line, Nan};
use super::table::{CUBE, Row, op};
use crate::ops::scan::GAP;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// What a quantile is between two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum QuantileInterpolation {
    /// On the line between both.
    #[default]
    Linear,
    /// The smaller one.
    Lower,
    /// The larger one.
    Higher,
    /// The nearer one; in the middle, the one of even rank.
    Nearest,
    /// The middle of both.
    Midpoint,
}

/// One or several quantiles.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantiles {
    /// One, which adds no axis.
    One(f64),
    /// Several, along a new first axis.
    Several(Vec<f64>),
}

/// What can name quantiles: a number between 0 and 1, or a list of them.
pub trait IntoQuantiles {
    /// The numbers.
    fn into_quantiles(self) -> Quantiles;
}

impl IntoQuantiles for Quantiles {
    fn into_quantiles(self) -> Quantiles {
        self
    }
}

impl IntoQuantiles for f64 {
    fn into_quantiles(self) -> Quantiles {
        Quantiles::One(self)
    }
}

impl<const N: usize> IntoQuantiles for [f64; N] {
    fn into_quantiles(self) -> Quantiles {
        Quantiles::Several(self.to_vec())
    }
}

impl IntoQuantiles for &[f64] {
    fn into_quantiles(self) -> Quantiles {
        Quantiles::Several(self.to_vec())
    }
}

impl IntoQuantiles for Vec<f64> {
    fn into_quantiles(self) -> Quantiles {
        Quantiles::Several(self)
    }
}

impl<'t> Var<'t> {
    /// Quantiles along an axis, or of all elements with `..`: what a part `q` of the elements lies
    /// below.
    ///
    /// ```text
    /// r = q (n − 1)    a, b: the sorted elements ⌊r⌋ and ⌈r⌉    y = a + (r − ⌊r⌋) (b − a)
    /// ```
    ///
    /// A list of them gives a new first axis. [`QuantileInterpolation`] says what lies between two elements;
    /// the slope goes to those that the result is made of. A NaN makes its line NaN.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, nothing along it, or a `q` outside of 0 to 1.
    #[doc(alias = "percentile")]
    #[track_caller]
    pub fn quantile(
        self,
        q: impl IntoQuantiles,
        axes: impl IntoAxes,
        interpolation: QuantileInterpolation,
    ) -> Var<'t> {
        let _call = self.tape().call("quantile");
        self.quantiles("quantile", q.into_quantiles(), axes, |line, q| {
            line.interpolated(q, interpolation).movedim(line.axis, 0)
        })
    }

    /// [`quantile`](Var::quantile) of what is not NaN; NaN where there is nothing else.
    ///
    /// # Errors
    /// As for [`quantile`](Var::quantile).
    #[track_caller]
    pub fn nanquantile(
        self,
        q: impl IntoQuantiles,
        axes: impl IntoAxes,
        interpolation: QuantileInterpolation,
    ) -> Var<'t> {
        let _call = self.tape().call("nanquantile");
        self.quantiles("nanquantile", q.into_quantiles(), axes, |line, q| {
            if line.x.dtype() == DType::F32 && line.len() > 1 << f32::MANTISSA_DIGITS {
                let fault = Fault::new("nanquantile", "f32 cannot count more than 2²⁴ elements");
                return self.tape().fault(fault.operand("input", self).cure("Tape::f64()"));
            }
            let each: Vec<Var<'t>> = q.iter().map(|&q| line.of_numbers(q, interpolation)).collect();
            stack(&each, 0)
        })
    }

    /// The quantiles that `find` gives along a new first axis, in their shape.
    #[track_caller]
    fn quantiles(
        self,
        name: &str,
        q: Quantiles,
        axes: impl IntoAxes,
        find: impl FnOnce(&Line<'t>, &[f64]) -> Var<'t>,
    ) -> Var<'t> {
        let (q, add_axis) = match q {
            Quantiles::One(q) => (vec![q], false),
            Quantiles::Several(list) => (list, true),
        };
        let line = match self.to_float().line(name, &axes.into_axes(), true) {
            Ok(line) if line.len() == 0 => return self.has_no_elements(name),
            Ok(line) => line,
            Err(fault) => return fault,
        };
        if let Some(q) = q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
            let why = format!("q is {q}, expected a number from 0 to 1");
            return self.tape().fault(Fault::new(name, why).operand("input", self));
        }
        let mut dims = if add_axis { vec![q.len()] } else { Vec::new() };
        dims.extend_from_slice(&line.one);
        match q.is_empty() {
            true => self.tape().fill(dims, 0.0),
            false => find(&line, &q).reshape(dims),
        }
    }
}

impl<'t> Line<'t> {
    /// The quantiles, along the axis.
    #[track_caller]
    fn interpolated(&self, q: &[f64], interpolation: QuantileInterpolation) -> Var<'t> {
        let last = (self.len() - 1) as f64;
        let ranks: Vec<f64> = q.iter().map(|q| q * last).collect();
        let at = |round: fn(f64) -> f64| ranks.iter().map(|&rank| round(rank) as usize).collect();
        let of = |ranks| self.ranked(ranks, Nan::Everywhere).0;
        let between = |rank: f64| match interpolation {
            QuantileInterpolation::Midpoint => 0.5,
            _ => rank - rank.floor(),
        };
        match interpolation {
            QuantileInterpolation::Lower => return of(at(f64::floor)),
            QuantileInterpolation::Higher => return of(at(f64::ceil)),
            QuantileInterpolation::Nearest => return of(at(f64::round_ties_even)),
            QuantileInterpolation::Linear | QuantileInterpolation::Midpoint => {}
        }
        let (lower, upper): (Vec<usize>, Vec<usize>) = (at(f64::floor), at(f64::ceil));
        if lower == upper {
            return of(lower);
        }
        // From the nearer end, so that both ends are hit.
        let from_lower = |rank: f64| between(rank) < 0.5;
        let ends = ranks.iter().zip(lower.iter().zip(&upper));
        let ends = ends.map(|(&rank, (&a, &b))| if from_lower(rank) { a } else { b });
        let part = |&rank: &f64| between(rank) - f64::from(u8::from(!from_lower(rank)));
        let parts: Vec<f64> = ranks.iter().map(part).collect();
        let count = q.len();
        let mut dims = vec![1; self.x.rank()];
        dims[self.axis] = count;
        let parts = self.x.tape().constant(Tensor::from(parts)).reshape(dims);
        let all = of(ends.chain(lower.iter().copied()).chain(upper.iter().copied()).collect());
        let third = |i: usize| all.slice(self.axis, i * count..(i + 1) * count);
        third(0) + parts * third(2).binary(&GAP, third(1))
    }

    /// The quantile of what is not NaN, with an axis of length 1.
    #[track_caller]
    fn of_numbers(&self, q: f64, interpolation: QuantileInterpolation) -> Var<'t> {
        let (x, axis) = (self.x, self.axis);
        let count = x.eq(x).sum(keep(axis));
        let rank = ((count - 1.0) * q).clamp(0.0, f64::INFINITY);
        // NaN comes last.
        let sorted = x.sort(axis, Order::Ascending);
        let mut dims = vec![1; x.rank()];
        dims[axis] = self.len();
        let number = (x.tape().fill([self.len()], 1.0).cumsum(0) - 1.0).reshape(dims);
        let at = |rank: Var<'t>| number.eq(rank).select(sorted, 0.0).sum(keep(axis));
        let below = rank.floor();
        let y = match interpolation {
            QuantileInterpolation::Lower => at(below),
            QuantileInterpolation::Higher => at(rank.ceil()),
            QuantileInterpolation::Nearest => at(rank.round()),
            QuantileInterpolation::Linear | QuantileInterpolation::Midpoint => {
                let (a, b) = (at(below), at(rank.ceil()));
                let part = match interpolation {
                    QuantileInterpolation::Midpoint => (rank.ceil() - below) * 0.5,
                    _ => rank - below,
                };
                let gap = b.binary(&GAP, a);
                // From the nearer end, so that both ends are hit.
                part.lt(0.5).select(a + part * gap, b + (part - 1.0) * gap)
            }
        };
        count.eq(0.0).select(f64::NAN, y)
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("quantile", "index", "what a part q lies below", &[CUBE], |x| {
        x[0].quantile([0.2, 0.5, 0.9], 1, QuantileInterpolation::Linear)
    }),
    op("nanquantile", "composed", "what a part q of what is not NaN lies below", &[CUBE], |x| {
        let masked = x[0].gt(1.5).select(f64::NAN, x[0]);
        let all = masked.nanquantile([0.2, 0.5, 0.9], 1, QuantileInterpolation::Linear);
        all.nan_to_num(0.0, None, None)
    }),
];
