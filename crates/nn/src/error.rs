//! Errors of layers, optimizers, metrics and checkpoints.

use std::path::PathBuf;

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An invalid argument, a gradient that cannot be used, or a file that cannot.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A hyper-parameter out of its range.
    #[error("{subject}: {name} is {given}, expected {expected}")]
    Option {
        /// The layer, optimizer or function.
        subject: &'static str,
        /// The hyper-parameter's name.
        name: &'static str,
        /// Its value.
        given: f64,
        /// Its range.
        expected: &'static str,
    },
    /// A gradient with NaN or infinity in it. No parameter has been changed.
    #[error(
        "step: the gradient of `{parameter}` is not finite; the parameters are as before. `tape.find_nan(loss)` names the op that made it; a lower learning rate or `clip_grad_norm` may avoid it"
    )]
    NotFinite {
        /// The parameter.
        parameter: String,
    },
    /// A gradient of another shape or dtype than its parameter.
    #[error(
        "step: the gradient of `{parameter}` is {given}, expected {expected} as the parameter is"
    )]
    Gradient {
        /// The parameter.
        parameter: String,
        /// Shape and dtype of the gradient.
        given: String,
        /// Shape and dtype of the parameter.
        expected: String,
    },
    /// Invalid arguments of a metric, such as labels that do not match the scores.
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
