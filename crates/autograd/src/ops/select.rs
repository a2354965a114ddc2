//! Choosing between two tensors by a mask, and integers as floats.

use lossgraph_tensor::kernels::{self, Map3};
use lossgraph_tensor::{DType, Tensor, map3};
use smallvec::smallvec;

use super::facts::Precedence::Comparison;
use super::facts::{Element, Facts, Notation};
use super::family::{At, Cotangents, Family, Rule, none};
use super::table::{
    AROUND, CUBE, Row,
    Sample::{Floats, Integers},
    op,
};
use crate::ops::op::{Fill, Op};
use crate::record::fault::Fault;
use crate::record::operand::Operand;
use crate::record::var::Var;

/// `select`: a if mask ≠ 0, else b.
pub(crate) static SELECT: Map3 = map3!(|mask, a, b| if mask != T::ZERO { a } else { b });

const OTHER_SIDE: &str = "its mask takes the other side here";

/// The choice between two tensors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Select;

impl Family for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn is_differentiable_in(&self, input: usize) -> bool {
        input > 0
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, mask) = (rule.g, rule.inputs[0]);
        smallvec![None, rule.when(1, || mask.select(g, 0.0)), rule.when(2, || mask.select(0.0, g))]
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        match out.dtype() {
            DType::I64 => kernels::select_integers(inputs[0], inputs[1], inputs[2], out),
            _ => kernels::map3(&SELECT, inputs[0], inputs[1], inputs[2], out),
        }
    }

    fn facts(&self) -> Facts {
        Facts { exact: false, ..Facts::MOVES }
            .written(Notation::unary("b if a, else c", Comparison, Comparison))
            .zero_slope(&["a mask has slope 0", OTHER_SIDE, OTHER_SIDE])
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        at.map()
    }
}

/// Integers as floats.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Cast;

impl Family for Cast {
    fn name(&self) -> &'static str {
        "to_float"
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        false
    }

    fn vjp<'t>(&self, _: &Rule<'_, 't>) -> Cotangents<'t> {
        none()
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::cast(inputs[0], out)
    }

    fn facts(&self) -> Facts {
        Facts { exact: false, ..Facts::MOVES }.written(Notation::Operand)
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        at.map()
    }
}

impl<'t> Var<'t> {
    /// `a` where this mask is not 0, else `b`. The side that is not chosen gets slope 0, even
    /// where its value is infinite or NaN.
    #[doc(alias = "where")]
    #[track_caller]
    pub fn select(self, a: impl Operand<'t>, b: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("select");
        let tape = self.tape();
        // A number takes the type of the other side if that one holds integers.
        let integers =
            |side: Option<Var<'t>>| side.filter(|x| !x.dtype().is_float()).unwrap_or(self);
        let (of_a, of_b) = (integers(b.node()), integers(a.node()));
        let sides = [a.beside(of_a), b.beside(of_b)].map(|side| self.admit("select", side));
        let both = sides.iter().all(|side| !side.dtype().is_float());
        let ([a, b], dtype) = match both {
            true => (sides, DType::I64),
            false => (sides.map(Var::to_float), tape.dtype()),
        };
        let mask = if both { self } else { self.to_float() };
        let shape = mask.shape().broadcast(&a.shape()).and_then(|s| s.broadcast(&b.shape()));
        match shape {
            Some(shape) => {
                let operands = [mask, a, b].map(|x| x.expand(shape.clone()));
                tape.record(Op::Select(Select), &operands, shape, dtype)
            }
            None => tape.fault(
                Fault::new("select", "the shapes do not broadcast")
                    .operand("mask", mask)
                    .operand("a", a)
                    .operand("b", b),
            ),
        }
    }

    /// Integers (labels, indices) as the tape's float type, each rounded to the nearest; floats as
    /// they are.
    #[track_caller]
    pub fn to_float(self) -> Var<'t> {
        if self.dtype().is_float() {
            return self;
        }
        match self.as_fill() {
            Some(Fill::Integer(value)) => self.tape().fill(self.shape(), value as f64),
            _ => self.tape().record(Op::Cast(Cast), &[self], self.shape(), self.tape().dtype()),
        }
    }

    /// Integers as they are, and a whole number of the program as an integer.
    #[track_caller]
    pub(crate) fn as_integers(self) -> Option<Var<'t>> {
        match self.as_fill() {
            Some(Fill::Float(value)) if kernels::is_integer(value.0) => {
                Some(self.tape().integers(self.shape(), value.0 as i64))
            }
            _ => (!self.dtype().is_float()).then_some(self),
        }
    }

    fn as_fill(self) -> Option<Fill> {
        match self.tape().recording().nodes[self.number()].op {
            Op::Fill(fill) => Some(fill),
            _ => None,
        }
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[op(
    "select",
    "select",
    "a if mask ≠ 0, else b",
    &[Integers(&[2, 3, 4], 2), CUBE, Floats(&[3, 1], AROUND)],
    |x| x[0].select(x[1], x[2]),
)
.torch("where")
.differs("`mask.select(a, b)`")];
