//! Errors of data sets.

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Invalid arguments, or data that do not allow what is requested.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A fraction that leaves nothing on one side.
    #[error("split: the fraction is {given}, expected more than 0 and less than 1")]
    Fraction {
        /// The fraction.
        given: f64,
    },
    /// A batch size of 0.
    #[error("batches: the batch size is 0, expected at least 1")]
    BatchSize,
    /// A class with too few examples.
    #[error("{operation}: class {class} has {given} examples, expected at least {expected}")]
    TooFew {
        /// What needs them.
        operation: &'static str,
        /// The class.
        class: usize,
        /// How many there are.
        given: usize,
        /// How many are needed.
        expected: usize,
    },
    /// Fewer classes than are needed.
    #[error("{operation}: {given} classes have examples, expected at least {expected}")]
    Classes {
        /// What needs them.
        operation: &'static str,
        /// How many there are.
        given: usize,
        /// How many are needed.
        expected: usize,
    },
    /// Inputs, labels or indices that do not match.
    #[error("dataset: {why}")]
    Dataset {
        /// What is wrong.
        why: String,
    },
    /// A data file that cannot be parsed.
    #[error("{file}: line {line}: {why}")]
    File {
        /// The file.
        file: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A shape error, or an invalid argument, of a tensor.
    #[error(transparent)]
    Tensor(#[from] lossgraph_tensor::Error),
}
