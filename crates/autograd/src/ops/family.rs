//! What every family of ops answers by itself, so that nothing else has to know its members.

use lossgraph_tensor::{Shape, Tensor};
use smallvec::SmallVec;

use super::facts::{Element, Facts};
use crate::record::var::Var;

/// A cotangent for each input; `None` where none flows.
pub(crate) type Cotangents<'t> = SmallVec<[Option<Var<'t>>; 3]>;

/// What a rule is given.
pub(crate) struct Rule<'a, 't> {
    /// The cotangent of the output.
    pub g: Var<'t>,
    /// The output.
    pub y: Var<'t>,
    pub inputs: &'a [Var<'t>],
    /// Whether somebody wants the cotangent of an input.
    pub wanted: &'a dyn Fn(usize) -> bool,
}

/// Which element is wanted.
pub(crate) struct At<'a> {
    pub index: &'a [usize],
    /// The shape of the output.
    pub shape: &'a Shape,
    pub operands: &'a [Shape],
    /// Reads an integer operand, whose elements say where others are read.
    pub integer: &'a dyn Fn(usize, &[usize]) -> Option<usize>,
}

/// A family of ops. None of the questions has an answer by default but how it looks in a listing:
/// a family that forgets one does not compile.
pub(crate) trait Family {
    /// The name under which listings show it.
    fn name(&self) -> &'static str;

    /// What listings show of its attributes: those that the output's shape does not tell.
    fn attributes(&self) -> String {
        String::new()
    }

    /// Whether a cotangent of the output gives one of an input.
    fn is_differentiable_in(&self, input: usize) -> bool;

    /// Records the cotangents of the inputs that are wanted.
    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t>;

    /// Computes the node into `out`, whatever `out` held.
    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()>;

    /// Cost, notation, and so on.
    fn facts(&self) -> Facts;

    /// What an element of the output is made of; `None` if that is not said element by element.
    fn element(&self, at: &At<'_>) -> Option<Element>;
}

impl At<'_> {
    /// The element of an element-wise op: each operand at the same index.
    pub fn map(&self) -> Option<Element> {
        let alike = self.operands.iter().all(|operand| operand == self.shape);
        alike.then(|| Element::Map(vec![self.index.to_vec(); self.operands.len()]))
    }

    /// The element with this index of an operand.
    pub fn copy(&self, operand: usize, index: Vec<usize>) -> Option<Element> {
        Some(Element::Copy((operand, index)))
    }

    /// The index, with another number along an axis.
    pub fn with(&self, axis: usize, i: usize) -> Vec<usize> {
        let mut index = self.index.to_vec();
        index[axis] = i;
        index
    }
}

impl<'t> Rule<'_, 't> {
    /// The cotangent of an input, if it is wanted.
    pub fn when(&self, input: usize, record: impl FnOnce() -> Var<'t>) -> Option<Var<'t>> {
        (self.wanted)(input).then(record)
    }
}

/// The cotangent of an only input.
pub(crate) fn one(cotangent: Var<'_>) -> Cotangents<'_> {
    SmallVec::from_iter([Some(cotangent)])
}

/// No cotangents.
pub(crate) fn none<'t>() -> Cotangents<'t> {
    SmallVec::new()
}
