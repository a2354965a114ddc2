//! What can be wrong with tensors. Each error says what was given, what was expected, and, where
//! one is likely, the cure.

use std::fmt;

use crate::{DType, Shape};

/// The result of an operation on tensors.
pub type Result<T> = std::result::Result<T, Error>;

/// An invalid argument: shapes, axes, lengths, types or indices that do not match.
///
/// `Display` is one line; `Debug`, which a program that ends with an error shows, adds the likely
/// cure.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
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
    #[error("{operation}: there is no axis {axis} in shape {shape}, which has {}", axes(shape))]
    Axis {
        /// The operation.
        operation: &'static str,
        /// The requested axis.
        axis: isize,
        /// The shape that lacks it.
        shape: Shape,
    },
    /// Axes that are not there, or are named twice.
    #[error("{operation}: {why}")]
    Axes {
        /// The operation.
        operation: &'static str,
        /// What is wrong.
        why: String,
    },
    /// More or fewer arguments than axes.
    #[error("{operation}: {given} {what} given, {shape} has {}", axes(shape))]
    PerAxis {
        /// The operation.
        operation: &'static str,
        /// What there should be one of for each axis.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// The shape.
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
    #[error("{operation}: {given} elements given, {shape} has {}", shape.numel())]
    Length {
        /// The operation.
        operation: &'static str,
        /// How many elements there are.
        given: usize,
        /// The shape to fill.
        shape: Shape,
    },
    /// A shape that elements cannot be arranged in.
    #[error("reshape: of shape {shape}: {why}")]
    Reshape {
        /// The shape of the tensor.
        shape: Shape,
        /// What is wrong with the other one.
        why: String,
    },
    /// Rows of different lengths.
    #[error(
        "Tensor::try_from: row {row:?} has length {given}, the rows before it have length {expected}"
    )]
    Ragged {
        /// The index of the row.
        row: Vec<usize>,
        /// Its length.
        given: usize,
        /// That of the rows before it.
        expected: usize,
    },
    /// A shape with more elements than memory has addresses, or room.
    #[error("shape {shape} has more elements than memory has addresses or room")]
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
    /// An integer divided by 0.
    #[error(
        "{operation}: the divisor at {position:?} is 0, and no integer is the quotient; of floats it is infinite"
    )]
    ZeroDivisor {
        /// The operation.
        operation: &'static str,
        /// Where the divisor stands.
        position: Vec<usize>,
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
    /// A matrix that cannot be factored.
    #[error("{operation}: {} {why}", matrix(index))]
    Matrix {
        /// The operation.
        operation: &'static str,
        /// Its index in the batch, of no axes if there is but one matrix.
        index: Vec<usize>,
        /// What is wrong with it.
        why: String,
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

/// The number of axes, in words.
fn axes(shape: &Shape) -> String {
    match shape.rank() {
        1 => "1 axis".into(),
        rank => format!("{rank} axes"),
    }
}

/// Which matrix of a batch, in words.
fn matrix(index: &[usize]) -> String {
    match index {
        [] => "the matrix".into(),
        _ => format!("matrix {index:?} of the batch"),
    }
}

/// For functions that say what is wrong in a clause, such as a `Function` of one's own.
impl From<Error> for String {
    fn from(error: Error) -> String {
        error.to_string()
    }
}

impl Error {
    /// What is likely to help.
    pub fn cure(&self) -> Option<String> {
        Some(match self {
            Error::Shape { operation: "squeeze", .. } => "reshape, to drop other axes".into(),
            Error::Shape { left, right, .. } if left.numel() == right.numel() => {
                format!("x.reshape({left}), or permute")
            }
            Error::Shape { why: "they do not broadcast", .. } => {
                "x.unsqueeze(axis): shapes are aligned at the last axis".into()
            }
            Error::Axis { shape, .. } if shape.rank() > 0 => {
                let rank = shape.rank();
                format!("0 to {}, or -{rank} to -1 from the end", rank - 1)
            }
            Error::PerAxis { what, .. } => format!("one of the {what} for each axis"),
            Error::Length { given, .. } => format!("the shape [{given}], to be reshaped"),
            Error::Reshape { .. } => "-1 for one length: as long as the elements ask for".into(),
            Error::TooLarge { .. } => {
                "Tensor::filled_view stores one number once, and expand repeats without a copy"
                    .into()
            }
            Error::DType { expected, .. } => format!("x.to_dtype(DType::{expected:?})"),
            Error::Index { dim: 0, .. } => "the axis is empty".into(),
            Error::Index { dim, .. } => format!("indices from 0 to {}", dim - 1),
            Error::Slice { axis, .. } => {
                format!("x.slice({axis}, start..stop), whose ends are clamped")
            }
            Error::Window { .. } => "a smaller window, or pad before".into(),
            Error::Matrix { .. } => "a small multiple of the identity, added to it".into(),
            Error::Item { .. } => "x.get(index) for one of them, x.to_vec() for all".into(),
            Error::Ragged { .. } => "rows filled up to one length, with a mask".into(),
            Error::Output { expected, .. } => format!("Tensor::zeros({expected}, dtype)"),
            _ => return None,
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self.cure() {
            Some(cure) => write!(f, "\nperhaps: {cure}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn an_error_of_main_reads_as_text_with_a_cure() {
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let text = |error: crate::Error| format!("{error:?}");
        assert_eq!(
            text(x.flip(2).err().unwrap()),
            "flip: there is no axis 2 in shape [2, 3], which has 2 axes\n\
             perhaps: 0 to 1, or -2 to -1 from the end"
        );
        assert_eq!(
            text((&x + Tensor::from([1.0, 2.0])).err().unwrap()),
            "add: shapes [2, 3] and [2] are incompatible: they do not broadcast\n\
             perhaps: x.unsqueeze(axis): shapes are aligned at the last axis"
        );
        assert_eq!(
            text(x.to_vec::<f32>().err().unwrap()),
            "to_vec: given f64 elements, expected f32; convert with to_dtype\n\
             perhaps: x.to_dtype(DType::F32)"
        );
        assert_eq!(
            text(x.reshape([4, -1]).err().unwrap()),
            "reshape: of shape [2, 3]: 6 elements do not fill [4, -1]\n\
             perhaps: -1 for one length: as long as the elements ask for"
        );
    }
}
