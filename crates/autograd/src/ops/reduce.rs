//! The primitive reductions: sum, maximum, minimum. A product is composed, so that it has the right
//! slope where a factor is 0.

use lossgraph_tensor::{Axes, AxisSet, IntoAxes, Shape, Tensor, keep, kernels};

use super::facts::{Element, Facts, Notation};
use super::family::{At, Cotangents, Family, Rule, one};

use super::table::{CUBE, Row, TIES, kinked, op};
use crate::ops::op::{Op, ReduceOp, listed};
use crate::record::fault::Fault;
use crate::record::var::Var;

/// A reduction along axes, which stay with length 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Reduce {
    pub op: ReduceOp,
    pub axes: AxisSet,
}

impl Family for Reduce {
    fn name(&self) -> &'static str {
        self.op.name()
    }

    fn attributes(&self) -> String {
        format!("axes {}", listed(self.axes.iter()))
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, x) = (rule.g, rule.inputs[0]);
        one(match self.op {
            ReduceOp::Sum => g.expand(x.shape()),
            // Ties share: each of k equal extremes has slope 1/k.
            ReduceOp::Max | ReduceOp::Min => {
                let chosen = x.eq(rule.y);
                chosen * (g / record(ReduceOp::Sum, chosen, self.axes))
            }
        })
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::reduce(self.op, inputs[0], self.axes, out)
    }

    fn facts(&self) -> Facts {
        let facts = Facts { reduces: Some(self.op), ..Facts::DEFAULT };
        match self.op {
            ReduceOp::Sum => facts.written(Notation::Call("Σ")),
            ReduceOp::Max => facts.zero_slope(&[NOT_MAX]),
            ReduceOp::Min => facts.zero_slope(&[NOT_MIN]),
        }
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        let operand = at.operands.first()?;
        let belongs = |from: &Vec<usize>| {
            (0..from.len()).all(|i| self.axes.contains(i) || from[i] == at.index[i])
        };
        let all = (0..operand.numel()).map(|n| operand.unravel_index(n));
        Some(Element::Reduce(all.filter(belongs).collect()))
    }
}

const NOT_MAX: &str = "it is {x}, and the max is another element: only that one gets a gradient";
const NOT_MIN: &str = "it is {x}, and the min is another element: only that one gets a gradient";

#[track_caller]
fn record<'t>(op: ReduceOp, x: Var<'t>, axes: AxisSet) -> Var<'t> {
    let shape = reduced(&x.shape(), axes);
    x.tape().record(Op::Reduce(Reduce { op, axes }), &[x], shape, x.dtype())
}

/// `shape` with length 1 along `axes`.
fn reduced(shape: &Shape, axes: AxisSet) -> Shape {
    let mut dims: smallvec::SmallVec<[usize; 4]> = shape.iter().copied().collect();
    for axis in axes.iter() {
        dims[axis] = 1;
    }
    Shape::from(&dims[..])
}

/// `shape` without `axes`.
fn without(shape: &Shape, axes: AxisSet) -> Shape {
    let dims: smallvec::SmallVec<[usize; 4]> =
        (0..shape.rank()).filter(|&axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
    Shape::from(&dims[..])
}

impl<'t> Var<'t> {
    /// The sum along `axes`: `1`, `[0, 2]`, or `..` for all; see [`keep`](crate::keep). That of
    /// integers wraps.
    #[track_caller]
    pub fn sum(self, axes: impl IntoAxes) -> Var<'t> {
        self.reduce("sum", ReduceOp::Sum, axes.into_axes())
    }

    /// The largest along `axes`. Ties share the slope evenly; NaN if there is one.
    #[doc(alias = "amax")]
    #[track_caller]
    pub fn max(self, axes: impl IntoAxes) -> Var<'t> {
        self.reduce("max", ReduceOp::Max, axes.into_axes())
    }

    /// The smallest along `axes`. Ties share the slope evenly; NaN if there is one.
    #[doc(alias = "amin")]
    #[track_caller]
    pub fn min(self, axes: impl IntoAxes) -> Var<'t> {
        self.reduce("min", ReduceOp::Min, axes.into_axes())
    }

    #[track_caller]
    fn reduce(self, name: &str, op: ReduceOp, axes: Axes) -> Var<'t> {
        match self.axes(name, &axes) {
            Ok(set) => {
                let empty = set.iter().any(|axis| self.shape()[axis] == 0);
                if empty && op != ReduceOp::Sum {
                    let fault = Fault::new(name, "nothing to choose from along an empty axis");
                    return self.tape().fault(fault.operand("input", self));
                }
                // Nothing to reduce: an axis set can be empty for a scalar.
                let y = if set.is_empty() { self } else { record(op, self, set) };
                y.drop_reduced(&axes, set, &self.shape())
            }
            Err(fault) => fault,
        }
    }

    /// The sum as floats: that of integers is exact, and then rounded.
    #[track_caller]
    pub(crate) fn float_sum(self, axes: impl IntoAxes) -> Var<'t> {
        let axes = axes.into_axes();
        if self.dtype().is_float() {
            return self.sum(axes);
        }
        match self.axes("sum", &axes) {
            Ok(set) => {
                let (tape, shape) = (self.tape(), reduced(&self.shape(), set));
                let op = Op::Reduce(Reduce { op: ReduceOp::Sum, axes: set });
                let sum = tape.record(op, &[self], shape, tape.dtype());
                sum.drop_reduced(&axes, set, &self.shape())
            }
            Err(fault) => fault,
        }
    }

    /// Resolves the axes of a reduction, or records what is wrong with them.
    #[track_caller]
    pub(crate) fn axes(self, name: &str, axes: &Axes) -> Result<AxisSet, Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        match axes.of(&self.shape()) {
            Ok(set) => Ok(set),
            Err(why) => Err(self.tape().fault(Fault::new(name, why).operand("input", self))),
        }
    }

    /// Drops the reduced axes, unless they are to be kept. `shape` is that before the reduction.
    #[track_caller]
    pub(crate) fn drop_reduced(self, axes: &Axes, set: AxisSet, shape: &Shape) -> Var<'t> {
        if axes.are_kept() { self } else { self.reshape(without(shape, set)) }
    }

    /// The product along `axes`, as a tree of products of halves: right in value and in every
    /// derivative where factors are 0.
    #[track_caller]
    pub fn prod(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("prod");
        let axes = axes.into_axes();
        let set = match self.axes("prod", &axes) {
            Ok(set) => set,
            Err(fault) => return fault,
        };
        let mut y = self;
        for axis in set.iter() {
            let along = axis as isize;
            if y.dim(along) == 0 {
                let ones = reduced(&y.shape(), AxisSet::from_iter([axis]));
                y = match y.dtype().is_float() {
                    true => y.tape().fill(ones, 1.0),
                    false => y.tape().integers(ones, 1),
                };
            }
            while y.dim(along) > 1 {
                let half = (y.dim(along) / 2) as isize;
                let odd = y.slice(along, 2 * half..);
                let pairs = y.slice(along, ..half) * y.slice(along, half..2 * half);
                y = if odd.dim(along) == 0 { pairs } else { crate::concat(&[pairs, odd], along) };
            }
        }
        y.drop_reduced(&axes, set, &self.shape())
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("sum", "reduce", "Σ x", &[CUBE], |x| x[0].sum([0, 2])),
    kinked("max", "reduce", "max x", &[CUBE], |x| x[0].max(1), &[TIES])
        .torch("amax")
        .differs("indices come from `argmax`"),
    kinked("min", "reduce", "min x", &[CUBE], |x| x[0].min(..), &[TIES])
        .torch("amin")
        .differs("indices come from `argmin`"),
    op("prod", "reduce", "Π x", &[CUBE], |x| x[0].prod(keep(1))),
];
