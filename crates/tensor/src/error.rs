//! What can be wrong with tensors. Each error says what was given, what was expected, and, where
//! one is likely, the cure.

use crate::{DType, Shape};

/// The result of an operation on tensors.
pub type Result<T> = std::result::Result<T, Error>;

/// An invalid argument: shapes, axes, lengths, types or indices that do not match.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Two shapes are incompatible.
    #[error("{operation}: shapes {left} and {right} are incompatible: {why}")]
    Shape {
        /// The operation.
        operation: &'static str,
        /// The shape of the first tensor.
        left: Shape,
        /// The shape of the other one.
        right: Shape,
        /// What would be compatible.
        why: &'static str,
    },
    /// An axis out of range.
    #[error("{operation}: there is no axis {axis} in shape {shape}, which has {} axes", shape.rank())]
    Axis {
        /// The operation.
        operation: &'static str,
        /// The requested axis.
        axis: isize,
        /// The shape that lacks it.
        shape: Shape,
    },
    /// The axes are not a permutation of all axes.
    #[error("permute: {axes:?} is not a permutation of the axes of {shape}: each has to come once")]
    Permutation {
        /// The axes given.
        axes: Vec<isize>,
        /// The shape to permute.
        shape: Shape,
    },
    /// A function of the user's own that refuses its inputs, or breaks its promise.
    #[error("{operation}: {why}")]
    Function {
        /// The function.
        operation: &'static str,
        /// What it says.
        why: String,
    },
    /// An argument that a compiled program cannot be run with.
    #[error("program: {argument} is {given}, expected {expected}")]
    Argument {
        /// Which argument.
        argument: String,
        /// What it is bound to.
        given: String,
        /// What the program expects.
        expected: String,
    },
    /// A number of elements that does not fill a shape.
    #[error("{operation}: {given} elements given, {shape} has {}", shape.len())]
    Length {
        /// The operation.
        operation: &'static str,
        /// How many elements there are.
        given: usize,
        /// The shape to fill.
        shape: Shape,
    },
    /// A shape with more elements than memory has addresses.
    #[error("shape {shape} has more elements than memory has addresses")]
    TooLarge {
        /// The shape.
        shape: Shape,
    },
    /// The wrong element type.
    #[error("{operation}: given {given} elements, expected {expected}; convert with to_dtype")]
    DType {
        /// The operation.
        operation: &'static str,
        /// The type given.
        given: DType,
        /// The type expected.
        expected: DType,
    },
    /// An index out of range.
    #[error("{operation}: index {index}, at {position:?} of the indices, is out of range 0..{dim}")]
    Index {
        /// The operation.
        operation: &'static str,
        /// The index.
        index: i64,
        /// The length of the axis.
        dim: usize,
        /// The position of the index in the index tensor.
        position: Vec<usize>,
    },
    /// A slice out of range.
    #[error(
        "slice: start {start}, length {len}, step {step} is out of range on axis {axis} of {shape}"
    )]
    Slice {
        /// The first index.
        start: usize,
        /// How many indices.
        len: usize,
        /// From one index to the next.
        step: isize,
        /// The axis.
        axis: usize,
        /// The shape to slice.
        shape: Shape,
    },
    /// Windows that do not fit.
    #[error(
        "windows: size {size}, stride {stride}, dilation {dilation} do not fit axis {axis} of {shape}"
    )]
    Window {
        /// The elements of a window.
        size: usize,
        /// From one window to the next.
        stride: usize,
        /// From one element of a window to the next.
        dilation: usize,
        /// The axis.
        axis: usize,
        /// The shape.
        shape: Shape,
    },
    /// A reduction without an identity element over an empty axis.
    #[error("{operation}: axis {axis} of {shape} is empty, expected at least one element")]
    Empty {
        /// The operation.
        operation: &'static str,
        /// The empty axis.
        axis: usize,
        /// The shape.
        shape: Shape,
    },
    /// More or fewer elements than one.
    #[error("item: expected one element, given shape {shape}")]
    Item {
        /// The shape.
        shape: Shape,
    },
    /// A number out of range.
    #[error("{operation}: {name} is {given}, expected {expected}")]
    OutOfRange {
        /// The operation.
        operation: &'static str,
        /// What the number is for.
        name: &'static str,
        /// The number.
        given: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// A layout that is out of bounds of its buffer.
    #[error("layout: shape {shape} with these strides is out of bounds of {len} elements")]
    OutOfBounds {
        /// The shape.
        shape: Shape,
        /// The length of the buffer.
        len: usize,
    },
    /// The output of a kernel is not contiguous, is shared, or has another shape.
    #[error(
        "{operation}: the output has to be contiguous, unshared, and of shape {expected}, given {given}"
    )]
    Output {
        /// The kernel.
        operation: &'static str,
        /// The shape expected.
        expected: Shape,
        /// The shape given.
        given: Shape,
    },
}
