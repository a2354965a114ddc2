//! Errors of layers, optimizers, metrics and checkpoints.

use std::fmt;
use std::path::PathBuf;

use lossgraph_tensor::{DType, Shape};

/// A result whose error is [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An invalid argument, a gradient that cannot be used, or a file that cannot.
///
/// `Display` is one line; `Debug` is the several lines that a program which ends with an error
/// shows: what is wrong, what was given and expected, and the likely cure.
#[derive(thiserror::Error)]
#[non_exhaustive]
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
    /// An option whose text is no value of it.
    #[error("{subject}: {name} is `{given}`, expected {expected}")]
    Value {
        /// The optimizer, schedule or function.
        subject: &'static str,
        /// The option's name.
        name: &'static str,
        /// The text.
        given: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A name that nothing has.
    #[error(
        "{subject}: there is no {what} `{given}`{}; there {}",
        nearest.as_ref().map_or(String::new(), |name| format!("; the nearest is `{name}`")),
        listed(known)
    )]
    Name {
        /// What was looked in.
        subject: &'static str,
        /// What the name is of, such as an option.
        what: &'static str,
        /// The name.
        given: String,
        /// The nearest name that there is.
        nearest: Option<String>,
        /// All names that there are.
        known: Vec<String>,
    },
    /// Gradients of which none is that of a parameter of the optimizer.
    #[error(
        "step: none of the optimizer's parameters is among the {given} with a gradient: {MODEL_CURE}"
    )]
    NoGradient {
        /// How many parameters have a gradient.
        given: usize,
    },
    /// A gradient with NaN or infinity in it. No parameter has been changed.
    #[error(
        "{subject}: the gradient of `{parameter}` is not finite; the {} are as before. `tape.find_nan(loss)` names the op that made it; {} may avoid it",
        kept(subject),
        finite_cure(subject)
    )]
    NotFinite {
        /// The function.
        subject: &'static str,
        /// The parameter.
        parameter: String,
    },
    /// A loss that is NaN, of which no gradient can be trusted. No parameter has been changed.
    #[error(
        "step: the loss is NaN; the parameters are as before. `tape.find_nan(loss)` names the op that made it; weights that are all 0 and data beyond what the loss takes may be why"
    )]
    NanLoss,
    /// A gradient of another shape or dtype than its parameter.
    #[error(
        "step: the gradient of `{parameter}` is {} {}, expected {} {} as the parameter is{}",
        given.0, given.1, expected.0, expected.1, then(gradient_cure(given, expected))
    )]
    Gradient {
        /// The parameter.
        parameter: Box<str>,
        /// Shape and dtype of the gradient.
        given: (Shape, DType),
        /// Shape and dtype of the parameter.
        expected: (Shape, DType),
    },
    /// A parameter of another shape or dtype than when its optimizer was made.
    #[error(
        "step: `{parameter}` is {} {}, and was {} {} when its optimizer was made: {STATE_CURE}",
        given.0, given.1, expected.0, expected.1
    )]
    State {
        /// The parameter.
        parameter: Box<str>,
        /// Its shape and dtype.
        given: (Shape, DType),
        /// Those that the optimizer's state has.
        expected: (Shape, DType),
    },
    /// A parameter that is in two groups of an optimizer.
    #[error(
        "{optimizer}: `{}` of group {} is `{}` of group {}, too; a parameter is in one group: leave it out of the other",
        second.1, second.0, first.1, first.0
    )]
    Groups {
        /// The optimizer.
        optimizer: &'static str,
        /// The group that has it, and its name there.
        first: (usize, String),
        /// The group that was to be added, and its name there.
        second: (usize, String),
    },
    /// The state of an optimizer or a generator that does not fit the one that was to go on with it.
    #[error("load_state_dict: {subject}: {why}")]
    StateDict {
        /// What was to go on.
        subject: &'static str,
        /// What does not fit.
        why: String,
    },
    /// Tensors that do not fit a model, or a model that no file can hold.
    #[error("checkpoint: {why}")]
    Checkpoint {
        /// What is wrong.
        why: String,
    },
    /// Two models of which one does not fit into the other.
    #[error("copy_parameters: the models differ: {differences}")]
    Models {
        /// What differs, parameter by parameter.
        differences: String,
    },
    /// What went wrong in a training, and when.
    #[error("epoch {epoch}, behind batch {batch}: {source}")]
    Fit {
        /// The epoch, from 0 on.
        epoch: usize,
        /// How many batches of it were seen.
        batch: usize,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The error of a closure that a training calls.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// Invalid arguments of a metric, such as labels that do not match the scores.
    #[error("{subject}: {why}")]
    Metric {
        /// The metric.
        subject: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Processes that cannot train together, or the error of one of them.
    #[error("data parallel: {why}")]
    Parallel {
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

impl Error {
    /// The same error of an option, with the name that its user chose for what has it.
    pub(crate) fn of(mut self, chosen: &'static str) -> Error {
        if let Error::Option { subject, .. }
        | Error::Value { subject, .. }
        | Error::Name { subject, .. } = &mut self
        {
            *subject = chosen;
        }
        self
    }
}

const MODEL_CURE: &str = "make the optimizer of the model that is trained, whose layers record the \
                          loss; `detach` and parameters read with `value` cut gradients off";

const STATE_CURE: &str =
    "make the optimizer after `with_dtype`, and after whatever changes a shape";

/// The names that there are.
fn listed(known: &[String]) -> String {
    match known {
        [] => "are none".to_owned(),
        [one] => format!("is `{one}`"),
        all => format!("are {}", all.join(", ")),
    }
}

/// What a gradient that is not finite leaves as it was.
fn kept(subject: &str) -> &'static str {
    if subject == "step" { "parameters" } else { "gradients" }
}

fn finite_cure(subject: &str) -> &'static str {
    if subject == "step" {
        "a lower learning rate or `clip_grad_norm`"
    } else {
        "a lower learning rate"
    }
}

fn gradient_cure(given: &(Shape, DType), expected: &(Shape, DType)) -> Option<String> {
    let tape = match expected.1 {
        DType::F64 => "Tape::f64()",
        _ => "Tape::new()",
    };
    (given.0 == expected.0 && given.1 != expected.1).then(|| {
        let given = if given.1 == DType::F64 { "DType::F64" } else { "DType::F32" };
        format!("`model.with_dtype({given})` before the optimizer is made, or record on `{tape}`")
    })
}

fn then(cure: Option<String>) -> String {
    cure.map_or(String::new(), |cure| format!(": {cure}"))
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = |f: &mut fmt::Formatter<'_>, given: &str, expected: &str| {
            write!(f, "\n    given     {given}\n    expected  {expected}")
        };
        match self {
            Error::Option { subject, name, given, expected } => {
                write!(f, "{subject}: {name} is out of its range")?;
                compared(f, &given.to_string(), expected)
            }
            Error::NoGradient { given } => write!(
                f,
                "step: none of the optimizer's parameters is among the {given} with a gradient\n\
                 perhaps: {MODEL_CURE}"
            ),
            Error::NotFinite { subject, parameter } => write!(
                f,
                "{subject}: the gradient of `{parameter}` is not finite; the {} are as before\n\
                 perhaps: {}; `tape.find_nan(loss)` names the op that made it",
                kept(subject),
                finite_cure(subject)
            ),
            Error::Gradient { parameter, given, expected } => {
                write!(f, "step: the gradient of `{parameter}` does not fit the parameter")?;
                let [given_type, expected_type] =
                    [given, expected].map(|(shape, dtype)| format!("{shape} {dtype}"));
                compared(f, &given_type, &expected_type)?;
                match gradient_cure(given, expected) {
                    Some(cure) => write!(f, "\nperhaps: {cure}"),
                    None => Ok(()),
                }
            }
            Error::State { parameter, given, expected } => {
                write!(f, "step: `{parameter}` is not what it was when its optimizer was made")?;
                let [given, expected] = [given, expected].map(|of| format!("{} {}", of.0, of.1));
                compared(f, &given, &expected)?;
                write!(f, "\nperhaps: {STATE_CURE}")
            }
            Error::Models { differences } => {
                f.write_str("copy_parameters: the models differ")?;
                differences.split("; ").try_for_each(|line| write!(f, "\n    {line}"))
            }
            Error::File { path, why } => write!(f, "{}\n    {why}", path.display()),
            Error::Program(error) => fmt::Debug::fmt(error, f),
            Error::Fit { epoch, batch, source } => {
                write!(f, "epoch {epoch}, behind batch {batch}: {source:?}")
            }
            Error::Other(error) => fmt::Debug::fmt(error, f),
            Error::Value { subject, name, given, expected } => {
                write!(f, "{subject}: {name} cannot be read")?;
                compared(f, &format!("`{given}`"), expected)
            }
            Error::Name { subject, what, given, nearest, known } => {
                write!(f, "{subject}: there is no {what} `{given}`; there {}", listed(known))?;
                match nearest {
                    Some(name) => write!(f, "\nperhaps: {name}"),
                    None => Ok(()),
                }
            }
            Error::Groups { .. }
            | Error::StateDict { .. }
            | Error::NanLoss
            | Error::Checkpoint { .. }
            | Error::Metric { .. }
            | Error::Parallel { .. }
            | Error::Write(_)
            | Error::Tensor(_) => fmt::Display::fmt(self, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Adam, Linear, Module, Sgd, UpdateRule};
    use lossgraph_autograd::{Gradients, Parameter, Tape};
    use lossgraph_tensor::Tensor;

    #[test]
    fn an_option_is_shown_with_its_range() {
        let error = Adam { lr: -1.0, ..Adam::default() }.over_parameters([]).unwrap_err();
        let expected =
            "adam: lr is out of its range\n    given     -1\n    expected  0 or more, and finite";
        assert_eq!(format!("{error:?}"), expected);
    }

    #[test]
    fn a_step_in_another_type_than_the_model_names_the_cure() {
        use crate::Layer;
        let model = Linear::of(Tensor::from([[1.0_f32]]), None);
        let mut optimizer = Sgd::default().over(&model).unwrap();
        let tape = Tape::f64();
        let gradients = model.forward(tape.constant([[2.0]])).sum(..).backward().unwrap();
        let error = optimizer.step(&gradients).unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            "step: the gradient of `weight` does not fit the parameter\n    \
             given     [1, 1] f64\n    expected  [1, 1] f32\n\
             perhaps: `model.with_dtype(DType::F64)` before the optimizer is made, or record on \
             `Tape::new()`"
        );
        assert!(error.to_string().contains("`model.with_dtype(DType::F64)`"), "{error}");
        let model = model.with_dtype(DType::F64);
        let error = optimizer.step(&gradients).unwrap_err();
        assert_eq!(
            error.to_string(),
            "step: `weight` is [1, 1] f64, and was [1, 1] f32 when its optimizer was made: make the \
             optimizer after `with_dtype`, and after whatever changes a shape"
        );
        Sgd::default().over(&model).unwrap().step(&gradients).unwrap();
    }

    #[test]
    fn a_step_that_would_move_nothing_is_refused() {
        let [trained, other] = ["trained", "other"].map(|name| Parameter::new(name, [1.0]));
        let gradients = Gradients::new(0.0, vec![(trained.clone(), Tensor::from([1.0]))]);
        let error = Sgd::default().over(&other).unwrap().step(&gradients).unwrap_err();
        let expected = "step: none of the optimizer's parameters is among the 1 with a gradient: make the \
             optimizer of the model that is trained";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(format!("{error:?}").contains("\nperhaps: make the optimizer of the model"));
        Sgd::default().over(&[trained, other]).unwrap().step(&gradients).unwrap();
    }

    #[test]
    fn a_gradient_of_another_shape_is_shown_beside_its_parameter() {
        let w = Parameter::new("w", [1.0, 2.0]);
        let mut optimizer = Sgd::default().over(&w).unwrap();
        let gradients = Gradients::new(0.0, vec![(w, Tensor::from([1.0]))]);
        let error = optimizer.step(&gradients).unwrap_err();
        assert_eq!(
            error.to_string(),
            "step: the gradient of `w` is [1] f64, expected [2] f64 as the parameter is"
        );
        assert!(format!("{error:?}").ends_with("given     [1] f64\n    expected  [2] f64"));
    }
}
