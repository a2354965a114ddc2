//! What can be wrong with data.

/// The result of something with data.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, with what was given and what was expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A share that leaves nothing on one side.
    #[error("split: the share is {given}, expected more than 0 and less than 1")]
    Share {
        /// The share.
        given: f64,
    },
    /// Batches of nothing.
    #[error("batches: the batch size is 0, expected at least 1")]
    BatchSize,
    /// A class with too few examples.
    #[error("{operation}: class {class} has {given} examples, at least {expected} are needed")]
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
    #[error("{operation}: {given} classes have examples, at least {expected} are needed")]
    Classes {
        /// What needs them.
        operation: &'static str,
        /// How many there are.
        given: usize,
        /// How many are needed.
        expected: usize,
    },
    /// Examples and labels that do not belong together.
    #[error("dataset: {why}")]
    Dataset {
        /// What is wrong.
        why: String,
    },
    /// A data file that is not as it should be.
    #[error("{file}: line {line}: {why}")]
    File {
        /// The file.
        file: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A misfit of tensors.
    #[error(transparent)]
    Tensor(#[from] lossgraph_tensor::Error),
}
