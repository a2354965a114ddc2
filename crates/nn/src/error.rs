//! What can go wrong around a model.

use std::path::PathBuf;

/// The result of something around a model.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with what was given and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A hyper-parameter out of its range.
    #[error("{subject}: {name} is {given}, expected {expected}")]
    Option {
        /// The layer, optimizer or function.
        subject: &'static str,
        /// The hyper-parameter.
        name: &'static str,
        /// Its value.
        given: f64,
        /// Its range.
        expected: &'static str,
    },
    /// A gradient with NaN or infinity in it. No parameter has been changed.
    #[error(
        "step: the gradient of `{parameter}` is not finite; the parameters are as before. Look at the loss, or lower the learning rate"
    )]
    NotFinite {
        /// The parameter.
        parameter: String,
    },
    /// A gradient of another shape or type than its parameter.
    #[error("step: the gradient of `{parameter}` is {given}, the parameter {expected}")]
    Gradient {
        /// The parameter.
        parameter: String,
        /// Shape and type of the gradient.
        given: String,
        /// Shape and type of the parameter.
        expected: String,
    },
    /// Predictions and labels that do not belong together.
    #[error("{subject}: {why}")]
    Metric {
        /// The metric.
        subject: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A file that cannot be read, or holds something else than is expected.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] lossgraph_file::Error),
    /// A shape error, or an invalid argument, of a tensor.
    #[error(transparent)]
    Tensor(#[from] lossgraph_tensor::Error),
    /// A shape error, or an invalid argument, in a recorded program.
    #[error(transparent)]
    Program(#[from] lossgraph_autograd::Error),
}
