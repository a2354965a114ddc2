//! What can be wrong with tensors. Each error says what was given, what was expected, and, where
//! one is likely, the cure.

use crate::{DType, Shape};

/// The result of an operation on tensors.
pub type Result<T> = std::result::Result<T, Error>;

/// A misfit of shapes, axes, lengths, types or indices.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Two shapes do not fit each other.
    #[error("{operation}: shapes {left} and {right} do not fit: {why}")]
    Shape {
        /// The operation that was asked for.
        operation: &'static str,
        /// The shape of the first tensor.
        left: Shape,
        /// The shape of the other one.
        right: Shape,
        /// What would fit.
        why: &'static str,
    },
    /// There is no such axis.
    #[error("{operation}: there is no axis {axis} in shape {shape}, which has {} axes", shape.rank())]
    Axis {
        /// The operation that was asked for.
        operation: &'static str,
        /// The axis asked for.
        axis: isize,
        /// The shape that lacks it.
        shape: Shape,
    },
    /// The axes are not an order of all axes.
    #[error("permute: {axes:?} is not an order of the axes of {shape}: each has to come once")]
    Order {
        /// The axes given.
        axes: Vec<isize>,
        /// The shape to permute.
        shape: Shape,
    },
    /// A number of elements that does not fill a shape.
    #[error("{operation}: {given} elements given, {shape} has {}", shape.len())]
    Length {
        /// The operation that was asked for.
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
        /// The operation that was asked for.
        operation: &'static str,
        /// The type given.
        given: DType,
        /// The type expected.
        expected: DType,
    },
    /// An index outside of its axis.
    #[error("{operation}: index {index}, at {position:?} of the indices, is not in 0..{extent}")]
    Index {
        /// The operation that was asked for.
        operation: &'static str,
        /// The index.
        index: i64,
        /// The length of the axis.
        extent: usize,
        /// Where among the indices it stands.
        position: Vec<usize>,
    },
    /// A slice that leaves its axis.
    #[error("slice: start {start}, length {len}, step {step} leaves axis {axis} of {shape}")]
    Slice {
        /// The first place.
        start: usize,
        /// How many places.
        len: usize,
        /// From one place to the next.
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
        /// Elements a window.
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
    /// A fold that needs at least one element met none.
    #[error("{operation}: axis {axis} of {shape} is empty, and there is nothing to choose from")]
    Empty {
        /// The operation that was asked for.
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
    /// A number out of its range.
    #[error("{operation}: {name} is {given}, expected {expected}")]
    Number {
        /// The operation that was asked for.
        operation: &'static str,
        /// What the number is for.
        name: &'static str,
        /// The number.
        given: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// A layout that would reach outside of its buffer.
    #[error("layout: shape {shape} with these strides reaches outside of {len} elements")]
    Outside {
        /// The shape.
        shape: Shape,
        /// The length of the buffer.
        len: usize,
    },
    /// The output of a kernel is not a contiguous tensor of its own with the right shape and type.
    #[error(
        "{operation}: the output has to be contiguous, unshared, and of shape {expected}, given {given}"
    )]
    Output {
        /// The kernel.
        operation: &'static str,
        /// The shape needed.
        expected: Shape,
        /// The shape given.
        given: Shape,
    },
}
