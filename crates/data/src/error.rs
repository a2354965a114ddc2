//! Errors of data sets.

use std::fmt;
use std::path::PathBuf;

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Invalid arguments, or data that do not allow what is requested.
///
/// `Display` is one line; `Debug` is the several lines that a program which ends with an error
/// shows: what is wrong, what was given and expected, and the likely cure.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
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
    /// A file that cannot be read, or holds something else than is expected.
    #[error("{}: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A sampler that does not fit the data.
    #[error("sampler: {why}")]
    Sampler {
        /// What is wrong.
        why: String,
    },
    /// An augmentation that does not fit the inputs.
    #[error("augmentation: {why}")]
    Augmentation {
        /// What is wrong.
        why: String,
    },
    /// A shape error, or an invalid argument, of a tensor.
    #[error(transparent)]
    Tensor(#[from] lossgraph_tensor::Error),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = |f: &mut fmt::Formatter<'_>, given: &dyn fmt::Display, expected: &str| {
            write!(f, "\n    given     {given}\n    expected  {expected}")
        };
        match self {
            Error::Fraction { given } => {
                f.write_str("split: the fraction is out of its range")?;
                compared(f, given, "more than 0, and less than 1")
            }
            Error::TooFew { operation, class, given, expected } => {
                write!(f, "{operation}: class {class} has too few examples")?;
                compared(f, given, &format!("at least {expected}"))?;
                f.write_str("\nperhaps: leave the class out, with .select(&indices)")
            }
            Error::Classes { operation, given, expected } => {
                write!(f, "{operation}: too few classes have examples")?;
                compared(f, given, &format!("at least {expected}"))
            }
            Error::BatchSize
            | Error::Dataset { .. }
            | Error::File { .. }
            | Error::Read { .. }
            | Error::Sampler { .. }
            | Error::Augmentation { .. }
            | Error::Tensor(_) => fmt::Display::fmt(self, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_what_was_given_and_expected() {
        let (operation, class, given, expected) = ("split", 3, 1, 2);
        let error = Error::TooFew { operation, class, given, expected };
        assert_eq!(
            format!("{error:?}"),
            "split: class 3 has too few examples\n    given     1\n    expected  at least 2\n\
             perhaps: leave the class out, with .select(&indices)"
        );
        let expected = "split: the fraction is out of its range\n    given     1\n    \
                        expected  more than 0, and less than 1";
        assert_eq!(format!("{:?}", Error::Fraction { given: 1.0 }), expected);
        let error = Error::Dataset { why: "the labels are missing".to_owned() };
        assert_eq!(format!("{error:?}"), "dataset: the labels are missing");
    }
}
