//! What a node does: a member of a family. Each family is a type in `ops/` that answers the
//! questions of [`Family`] itself.

use std::hash::{Hash, Hasher};

pub(crate) use lossgraph_tensor::kernels::ReduceOp;
use lossgraph_tensor::{Tensor, kernels};

use crate::ops::adaptive::Adaptive;
use crate::ops::binary::BinaryOp;
use crate::ops::combine::{Concat, OverlapAdd, Pad, PadAdd};
use crate::ops::convolution::Convolve;
use crate::ops::custom::Custom;
use crate::ops::distance::Distance;
use crate::ops::facts::{Element, Facts};
use crate::ops::family::{At, Cotangents, Family, Rule, none};
use crate::ops::index::Index;
use crate::ops::interpolate::SparseMatMul;
use crate::ops::linalg::Linalg;
use crate::ops::matmul::MatMul;
use crate::ops::order::ArgOrder;
use crate::ops::reduce::Reduce;
use crate::ops::scan::Scan;
use crate::ops::scatter::Scatter;
use crate::ops::select::{Cast, Select};
use crate::ops::unary::UnaryOp;
use crate::ops::view::View;

/// What a node does.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(crate) enum Op {
    /// Data given from outside; the tape holds it.
    Leaf(Leaf),
    /// One number everywhere: a constant of the program, and part of a plan's key.
    Fill(Fill),
    /// An invalid op, or what was computed from one: the number of the fault on its tape.
    Fault(Invalid),
    /// The identity, through which no cotangent flows.
    Detach(Detach),
    /// `y = f(x)` element by element, with up to two numbers as parameters.
    Unary(UnaryOp),
    /// `y = f(a, b)` element by element, on equal shapes.
    Binary(BinaryOp),
    /// `a` where the mask is not 0, else `b`.
    Select(Select),
    /// Integers as floats.
    Cast(Cast),
    /// A reduction over a set of axes, which stay in the shape with length 1.
    Reduce(Reduce),
    /// A running sum or product, or a linear recurrence, along an axis.
    Scan(Scan),
    /// The same numbers at other indices.
    View(View),
    /// `x` written at slices of a tensor filled with a number: the transpose of a slice.
    Pad(Pad),
    /// The sum of the inputs, each written at slices of a tensor of zeros.
    PadAdd(PadAdd),
    /// The transpose of windows: adds up what overlaps.
    OverlapAdd(OverlapAdd),
    /// The inputs one after another along an axis.
    Concat(Concat),
    /// Reading and writing at indices that are data.
    Index(Index),
    /// Indices found by comparing the elements along an axis.
    ArgOrder(ArgOrder),
    /// Writing at indices that are data, over what is there.
    Scatter(Scatter),
    /// The matrix product of the last two axes.
    MatMul(MatMul),
    /// The product with a sparse matrix of fixed numbers, along an axis.
    SparseMatMul(SparseMatMul),
    /// Adaptive windows: their sums, or where their largest elements are.
    Adaptive(Adaptive),
    /// Distances of vectors, or one of their slopes.
    Distance(Distance),
    /// A factorization of matrices, or what is read off one.
    Linalg(Linalg),
    /// A product of windows with weights, or one of its slopes.
    Convolve(Convolve),
    /// A function of the user's own.
    Custom(Custom),
}

impl Op {
    /// The family that answers for the op.
    pub fn family(&self) -> &dyn Family {
        match self {
            Op::Leaf(op) => op,
            Op::Fill(op) => op,
            Op::Fault(op) => op,
            Op::Detach(op) => op,
            Op::Unary(op) => op,
            Op::Binary(op) => op,
            Op::Select(op) => op,
            Op::Cast(op) => op,
            Op::Reduce(op) => op,
            Op::Scan(op) => op,
            Op::View(op) => op,
            Op::Pad(op) => op,
            Op::PadAdd(op) => op,
            Op::OverlapAdd(op) => op,
            Op::Concat(op) => op,
            Op::Index(op) => op,
            Op::ArgOrder(op) => op,
            Op::Scatter(op) => op,
            Op::MatMul(op) => op,
            Op::SparseMatMul(op) => op,
            Op::Adaptive(op) => op,
            Op::Distance(op) => op,
            Op::Linalg(op) => op,
            Op::Convolve(op) => op,
            Op::Custom(op) => op,
        }
    }

    pub fn name(&self) -> &'static str {
        self.family().name()
    }

    pub fn is_differentiable_in(&self, input: usize) -> bool {
        self.family().is_differentiable_in(input)
    }

    pub fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        self.family().compute(inputs, out)
    }

    /// Whether it works element by element, on operands of its own shape.
    pub fn is_elementwise(&self) -> bool {
        matches!(self, Op::Unary(_) | Op::Binary(_) | Op::Select(_))
    }
}

/// How a leaf came onto its tape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Leaf {
    /// By [`Tape::constant`](crate::Tape::constant) and its kin.
    Constant,
    /// By [`Tape::variable`](crate::Tape::variable).
    Variable,
    /// By [`Tape::parameter`](crate::Tape::parameter).
    Parameter,
}

/// A number, as often as the shape says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Fill {
    Float(Number),
    Integer(i64),
}

/// Finite floats have one hash, so that programs that differ in them are found to be alike: they may
/// share a plan.
impl Hash for Fill {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match *self {
            Fill::Float(number) if number.0.is_finite() => state.write_u8(0),
            Fill::Float(number) => number.hash(state),
            Fill::Integer(number) => number.hash(state),
        }
    }
}

impl Fill {
    /// The number, as the float nearest to it.
    pub fn to_f64(self) -> f64 {
        match self {
            Fill::Float(number) => number.0,
            Fill::Integer(number) => number as f64,
        }
    }
}

/// The number of a fault on its tape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Invalid(pub u32);

/// The identity, through which no cotangent flows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Detach;

impl Family for Leaf {
    fn name(&self) -> &'static str {
        match self {
            Leaf::Constant => "constant",
            Leaf::Variable => "variable",
            Leaf::Parameter => "parameter",
        }
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        false
    }

    fn vjp<'t>(&self, _: &Rule<'_, 't>) -> Cotangents<'t> {
        none()
    }

    /// Its data is on the tape.
    fn compute(&self, _: &[&Tensor], _: &mut Tensor) -> lossgraph_tensor::Result<()> {
        Ok(())
    }

    fn facts(&self) -> Facts {
        Facts::MOVES
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

impl Family for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn attributes(&self) -> String {
        match *self {
            Fill::Float(value) => number(value.0),
            Fill::Integer(value) => value.to_string(),
        }
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        false
    }

    fn vjp<'t>(&self, _: &Rule<'_, 't>) -> Cotangents<'t> {
        none()
    }

    /// A plan holds it as a view of one stored element.
    fn compute(&self, _: &[&Tensor], _: &mut Tensor) -> lossgraph_tensor::Result<()> {
        Ok(())
    }

    fn facts(&self) -> Facts {
        Facts::MOVES
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

impl Family for Invalid {
    fn name(&self) -> &'static str {
        "fault"
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        false
    }

    fn vjp<'t>(&self, _: &Rule<'_, 't>) -> Cotangents<'t> {
        none()
    }

    /// Nobody computes it: requesting it is an error.
    fn compute(&self, _: &[&Tensor], _: &mut Tensor) -> lossgraph_tensor::Result<()> {
        Ok(())
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

impl Family for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        false
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        debug_assert!(!(rule.wanted)(0), "no cotangent flows through a detach");
        none()
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::copy(inputs[0], out)
    }

    fn facts(&self) -> Facts {
        Facts::MOVES.zero_slope(&["it lets no gradient through, on purpose"])
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        at.map()
    }
}

/// A number in a key: equal when the bits are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A row of an op table in a key: equal when it is the same row.
#[derive(Debug)]
pub(crate) struct RowRef<T: 'static>(pub &'static T);

impl<T> Clone for RowRef<T> {
    fn clone(&self) -> RowRef<T> {
        *self
    }
}

impl<T> Copy for RowRef<T> {}

impl<T> PartialEq for RowRef<T> {
    fn eq(&self, other: &RowRef<T>) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl<T> Hash for RowRef<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.0) as usize).hash(state);
    }
}

/// A number as text; a very large or small one by its power of ten.
pub(crate) fn number(x: f64) -> String {
    let is_plain = x == 0.0 || !x.is_finite() || (1e-9..1e12).contains(&x.abs());
    if is_plain { x.to_string() } else { format!("{x:e}") }
}

/// Some things in one line, with commas between them.
pub(crate) fn listed<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    things.into_iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(", ")
}
