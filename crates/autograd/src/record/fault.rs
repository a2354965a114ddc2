//! Shape errors and invalid arguments, recorded where they happen and returned when a value is
//! requested.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::Var;

/// The result of a request to a tape.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with a recorded program: the operation, its operands, and the caller's location.
///
/// `Display` is one line; `Debug` is the several lines that a program which ends with an error
/// shows: each operand with its shape and origin, and the likely cure.
#[derive(Clone)]
pub struct Error(Arc<Fault>);

/// A shape error or invalid argument in the making: see [`Tape::fault`](crate::Tape::fault).
#[derive(Clone)]
pub struct Fault {
    operation: String,
    message: String,
    operands: Vec<Described>,
    cure: Option<String>,
    location: Option<&'static Location<'static>>,
    within: Option<String>,
}

#[derive(Clone)]
struct Described {
    name: String,
    shape: String,
    node: String,
    location: &'static Location<'static>,
}

impl Fault {
    /// A fault of `operation`, said in one clause that needs no full stop.
    pub fn new(operation: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault {
            operation: operation.into(),
            message: message.into(),
            operands: Vec::new(),
            cure: None,
            location: None,
            within: None,
        }
    }

    /// Adds an operand, to be shown with its shape and where it was recorded.
    pub fn operand(mut self, name: impl Into<String>, var: Var<'_>) -> Fault {
        self.operands.push(Described {
            name: name.into(),
            shape: var.shape().to_string(),
            node: var.describe(),
            location: var.location(),
        });
        self
    }

    /// Adds the likely cure, as code or a short advice.
    pub fn cure(mut self, cure: impl Into<String>) -> Fault {
        self.cure = Some(cure.into());
        self
    }

    /// Says where in the caller's program it happened, unless that is known: for an error that no tape
    /// records. A fault of [`Tape::fault`](crate::Tape::fault) knows by itself.
    pub fn at(mut self, location: &'static Location<'static>) -> Fault {
        self.location.get_or_insert(location);
        self
    }

    /// The operation that refused its operands.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    pub(crate) fn set_operation(&mut self, operation: &str) {
        self.operation = operation.to_owned();
    }

    pub(crate) fn set_location(
        &mut self,
        location: &'static Location<'static>,
        within: Option<String>,
    ) {
        self.location.get_or_insert(location);
        self.within = within;
    }

    pub(crate) fn into_error(self) -> Error {
        Error(Arc::new(self))
    }
}

/// For functions that say what is wrong in a clause, such as a [`Function`](crate::Function) of
/// one's own.
impl From<Error> for String {
    fn from(error: Error) -> String {
        error.to_string()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        fault.into_error()
    }
}

impl Error {
    /// The operation that refused its operands.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What `Debug` shows, without the lines that recorded it: for users of a program who do not
    /// know its source.
    pub fn without_locations(&self) -> String {
        struct Without<'a>(&'a Fault);

        impl fmt::Display for Without<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, |_, _, _| Ok(()))
            }
        }

        Without(&self.0).to_string()
    }

    /// Where in the caller's program it happened, as `file:line`.
    pub fn location(&self) -> Option<String> {
        self.0.location.map(|location| format!("{}:{}", location.file(), location.line()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = &*self.0;
        write!(f, "{}: ", fault.operation)?;
        for (i, operand) in fault.operands.iter().enumerate() {
            let before = match i {
                0 => "",
                _ if i + 1 == fault.operands.len() => " and ",
                _ => ", ",
            };
            write!(f, "{before}{} {}", operand.name, operand.shape)?;
        }
        if !fault.operands.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&fault.message)?;
        if let Some(location) = fault.location {
            write!(f, ", at {}:{}", location.file(), location.line())?;
        }
        if let Some(within) = &fault.within {
            write!(f, " in {within}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, |f, before, location| {
            write!(f, "{before}{}:{}", location.file(), location.line())
        })
    }
}

/// Shows a location after some words, or leaves both out.
type Locate = fn(&mut fmt::Formatter<'_>, &str, &Location<'_>) -> fmt::Result;

impl Fault {
    /// The message with operands, locations and the cure, a line each.
    fn write(&self, f: &mut fmt::Formatter<'_>, locate: Locate) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        let names = self.operands.iter().map(|o| o.name.len()).max().unwrap_or(0);
        let shapes = self.operands.iter().map(|o| o.shape.len()).max().unwrap_or(0);
        for operand in &self.operands {
            let Described { name, shape, node, location } = operand;
            write!(f, "\n    {name:names$}  {shape:>shapes$}   {node}")?;
            locate(f, ", from ", location)?;
        }
        if let Some(location) = self.location {
            locate(f, "\n    called at ", location)?;
        }
        if let Some(within) = &self.within {
            write!(f, "\n    in {within}")?;
        }
        match &self.cure {
            Some(cure) => write!(f, "\nperhaps: {cure}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
