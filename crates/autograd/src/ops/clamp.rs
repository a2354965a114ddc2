//! Holding a tensor between bounds: numbers of the formula, tensors, or none.

use std::ops::RangeFull;

use lossgraph_tensor::{Tensor, map1};

use super::Kink;
use super::table::{AROUND, CUBE, Row, Sample::Floats, one, op};
use super::unary::Unary;
use crate::record::operand::Operand;
use crate::record::var::Var;

/// A bound of a clamp.
#[derive(Clone, Copy, Debug)]
pub enum Bound<'t> {
    /// None.
    Open,
    /// A number of the formula.
    Number(f64),
    /// A node that broadcasts.
    Node(Var<'t>),
}

/// What can be a bound of a [`clamp`](Var::clamp): a number, a [`Var`] or a tensor that broadcasts,
/// or `..` for none.
pub trait IntoBound<'t> {
    /// The bound, for what is held by it.
    fn into_bound(self, held: Var<'t>) -> Bound<'t>;
}

impl<'t> IntoBound<'t> for RangeFull {
    fn into_bound(self, _: Var<'t>) -> Bound<'t> {
        Bound::Open
    }
}

macro_rules! bounds {
    (numbers: $($number:ty),*) => {
        $(impl<'t> IntoBound<'t> for $number {
            fn into_bound(self, _: Var<'t>) -> Bound<'t> {
                Bound::Number(self.into())
            }
        })*
    };
    (nodes: $($node:ty),*) => {
        $(impl<'t> IntoBound<'t> for $node {
            #[track_caller]
            fn into_bound(self, held: Var<'t>) -> Bound<'t> {
                Bound::Node(self.beside(held))
            }
        })*
    };
}

bounds!(numbers: f64, f32, i32, u32);
// Large integers are no `f64`.
bounds!(nodes: Var<'t>, &Var<'t>, Tensor, &Tensor, i64, usize);

/// `clamp`: min(max(x, a), b). [`Var::clamp`] records it for bounds that are numbers.
pub static CLAMP: Unary = Unary::new(
    "clamp",
    "min(max(x, a), b)",
    // The upper bound wins when the bounds cross, as in PyTorch; NaN stays NaN.
    map1!(|x, p| {
        let raised = if x < p[0] { p[0] } else { x };
        if raised > p[1] { p[1] } else { raised }
    }),
)
// A choice, not a product: what a bound holds back stays back even where g is infinite.
.vjp(|g, x, _, [low, high]| (x.gt(low) * x.lt(high)).select(g, 0.0))
.sample([-1.0, 1.5])
.kinks(&[
    Kink {
        at: "x = a",
        here: |[x, _], [a, _]| x == a,
        input: [-1.0, 0.0],
        slope: [0.0, 0.0],
        because: "the slope outside",
    },
    Kink {
        at: "x = b",
        here: |[x, _], [_, b]| x == b,
        input: [1.5, 0.0],
        slope: [0.0, 0.0],
        because: "the slope outside",
    },
])
.cheap()
.integers(|x, p| x.max(p[0] as i64).min(p[1] as i64))
.zero_slope(&["its input is {x}, and clamp is flat there"]);

impl<'t> Var<'t> {
    /// `x` held between two bounds: numbers, tensors that broadcast, or `..` for an open end.
    ///
    /// ```text
    /// min(max(x, low), high)
    /// ```
    ///
    /// The upper bound wins where the bounds cross, and NaN stays NaN, that of a tensor of bounds as
    /// well. Between two numbers the slope is 1, at and outside of them 0. A tensor of bounds has
    /// the slope where it holds x back; where both are equal, each has half of it, as in
    /// [`maximum`](Var::maximum).
    ///
    /// PyTorch gives slope 1 at bounds that are numbers.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// let tape = Tape::f64();
    /// let x = tape.constant([-2.0, 0.5, 3.0]);
    /// assert_eq!(x.clamp(-1.0, 1.0).value()?.to_f64s(), [-1.0, 0.5, 1.0]);
    /// assert_eq!(x.clamp(0.0, ..).value()?.to_f64s(), [0.0, 0.5, 3.0]);
    /// let high = tape.constant([5.0, 0.25, 2.0]);
    /// assert_eq!(x.clamp(.., high).value()?.to_f64s(), [-2.0, 0.25, 2.0]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as faults: a number that is NaN, and tensors that do not broadcast.
    #[doc(alias = "clip")]
    #[track_caller]
    pub fn clamp(self, low: impl IntoBound<'t>, high: impl IntoBound<'t>) -> Var<'t> {
        let _call = self.tape().call("clamp");
        let number = |bound: Bound<'t>, open: f64| match bound {
            Bound::Open => Some(open),
            Bound::Number(number) => Some(number),
            Bound::Node(_) => None,
        };
        let (low, high) = (low.into_bound(self), high.into_bound(self));
        let ends = [number(low, f64::NEG_INFINITY), number(high, f64::INFINITY)];
        if let [Some(low), Some(high)] = ends {
            return self.unary(&CLAMP, [low, high]);
        }
        let raised = match low {
            Bound::Node(low) => self.maximum(low),
            Bound::Number(low) => self.unary(&CLAMP, [low, f64::INFINITY]),
            Bound::Open => self,
        };
        match high {
            Bound::Node(high) => raised.minimum(high),
            Bound::Number(high) => raised.unary(&CLAMP, [f64::NEG_INFINITY, high]),
            Bound::Open => raised,
        }
    }

    /// `max(x, low)`: [`clamp`](Var::clamp) with an open upper end.
    #[track_caller]
    pub fn clamp_min(self, low: impl IntoBound<'t>) -> Var<'t> {
        let _call = self.tape().call("clamp_min");
        self.clamp(low, ..)
    }

    /// `min(x, high)`: [`clamp`](Var::clamp) with an open lower end.
    #[track_caller]
    pub fn clamp_max(self, high: impl IntoBound<'t>) -> Var<'t> {
        let _call = self.tape().call("clamp_max");
        self.clamp(.., high)
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    one(&CLAMP, &[Floats(&[2, 3], CLAMP.domain)], |x| x[0].clamp(-1.0, 1.5)).torch("clamp, clip"),
    op("clamp_min", "composed", "max(x, a)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].clamp_min(x[1])
    }),
    op("clamp_max", "composed", "min(x, b)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].clamp_max(x[1])
    }),
];
