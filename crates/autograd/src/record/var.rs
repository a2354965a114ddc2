//! `Var`: a node of a tape, which is what formulas are written with.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use lossgraph_tensor::{DType, IntoAxis, Shape, Slice, Tensor};

use crate::ops::combine::Pad;
use crate::ops::op::{Detach, Number, Op};
use crate::record::fault::{Fault, Result};
use crate::record::node::Id;
use crate::record::tape::Tape;

/// A node of a tape. `Copy`, so that formulas read like mathematics.
///
/// Methods record ops; they take what the op needs and give a new `Var`. An error (shapes, axes,
/// hyper-parameters) is recorded as well, and comes back as an error from [`Var::value`],
/// [`Var::item`], [`Var::backward`] and [`Tape::eval`].
#[derive(Clone, Copy)]
#[must_use = "a node by itself does nothing: use it, or request its value"]
pub struct Var<'t> {
    tape: &'t Tape,
    id: Id,
}

impl<'t> Var<'t> {
    pub(crate) fn new(tape: &'t Tape, id: Id) -> Var<'t> {
        Var { tape, id }
    }

    /// The tape that the node is on.
    pub fn tape(self) -> &'t Tape {
        self.tape
    }

    /// The number of the node on its tape.
    pub fn number(self) -> usize {
        self.id as usize
    }

    pub(crate) fn id(self) -> Id {
        self.id
    }

    /// The shape of the value; `[]` for a faulty node.
    pub fn shape(self) -> Shape {
        self.tape.recording().nodes[self.id as usize].shape.clone()
    }

    /// Whether the value has a shape, without a copy of its own.
    #[inline]
    pub(crate) fn has_shape(self, shape: &Shape) -> bool {
        self.tape.recording().nodes[self.id as usize].shape == *shape
    }

    /// The number of axes.
    pub fn rank(self) -> usize {
        self.tape.recording().nodes[self.id as usize].shape.rank()
    }

    /// The length of an axis, counted from the end if negative; 1 where there is no such axis.
    pub fn dim(self, axis: impl IntoAxis) -> usize {
        let recording = self.tape.recording();
        let shape = &recording.nodes[self.id as usize].shape;
        shape.axis(axis.into_axis()).map_or(1, |axis| shape[axis])
    }

    /// The number of elements.
    #[allow(clippy::len_without_is_empty, reason = "an expression is not a collection")]
    pub fn len(self) -> usize {
        self.tape.recording().nodes[self.id as usize].shape.numel()
    }

    /// The element type: the tape's float type, or `I64` for labels and indices.
    pub fn dtype(self) -> DType {
        self.tape.recording().nodes[self.id as usize].dtype
    }

    /// Whether the node is invalid, or computed from one.
    pub fn is_faulty(self) -> bool {
        matches!(self.tape.recording().nodes[self.id as usize].op, Op::Fault(_))
    }

    /// Whether it is the numbers of another node at other indices.
    pub(crate) fn is_view(self) -> bool {
        matches!(self.tape.recording().nodes[self.id as usize].op, Op::View(_))
    }

    /// Whether it is a number of the program.
    pub(crate) fn is_fill(self) -> bool {
        matches!(self.tape.recording().nodes[self.id as usize].op, Op::Fill(_))
    }

    /// `other`, to be read beside this node; if it is on another tape, a fault that names both.
    #[track_caller]
    pub(crate) fn admit(self, operation: &str, other: Var<'t>) -> Var<'t> {
        self.tape.admit(operation, &[("operand", self), ("other operand", other)]).unwrap_or(other)
    }

    /// What the node writes where into zeros, if that is what it does.
    pub(crate) fn as_pad_of_zeros(self) -> Option<(Arc<[Slice]>, Var<'t>)> {
        let recording = self.tape.recording();
        let node = &recording.nodes[self.id as usize];
        match &node.op {
            Op::Pad(Pad { slices, value: Number(0.0) }) => {
                Some((slices.clone(), Var::new(self.tape, node.inputs[0])))
            }
            _ => None,
        }
    }

    /// The data of a leaf: what is known while recording. `None` for a computed node.
    pub fn data(self) -> Option<Tensor> {
        self.tape.recording().leaf(self.id).cloned()
    }

    /// Computes the value.
    #[track_caller]
    pub fn value(self) -> Result<Tensor> {
        let mut values = self.tape.eval(&[self])?;
        Ok(values.remove(0))
    }

    /// Computes the value of a node with one element.
    #[track_caller]
    pub fn item(self) -> Result<f64> {
        if let Ok(item) = self.value()?.item() {
            return Ok(item);
        }
        let called = self.tape.recording().call.location;
        let fault = Fault::new("item", "expected one element")
            .operand("value", self)
            .cure("reduce it first, with .mean(..) or .sum(..)");
        Err(fault.at(called.unwrap_or(Location::caller())).into_error())
    }

    /// The same value, through which no gradient flows. Requesting a gradient that could only
    /// come through here is an error that says so.
    #[track_caller]
    pub fn detach(self) -> Var<'t> {
        self.tape.record(Op::Detach(Detach), &[self], self.shape(), self.dtype())
    }

    /// `%7 add`.
    pub(crate) fn describe(self) -> String {
        let recording = self.tape.recording();
        format!("%{} {}", self.id, recording.nodes[self.id as usize].op.name())
    }

    /// Where it was recorded.
    pub(crate) fn location(self) -> &'static Location<'static> {
        self.tape.recording().origins[self.id as usize].location
    }
}

impl fmt::Debug for Var<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (node, location) = (self.describe(), self.location());
        write!(f, "{node}, from {}:{} {}", location.file(), location.line(), self.shape())
    }
}
