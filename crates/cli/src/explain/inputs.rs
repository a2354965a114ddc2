//! The user's own inputs, from JSON.

use std::fs;
use std::path::Path;

use lossgraph_tensor::{DType, Tensor};
use serde_json::Value;

use super::Result;
use super::subject::{Subject, Takes};

/// Tensors for inputs, by name. For an input without one, a sample is drawn.
#[derive(Default)]
pub struct Inputs {
    tensors: Vec<(String, Tensor)>,
    coverage: Coverage,
}

/// Whether the tensors cover all inputs.
#[derive(Clone, Copy, Default, PartialEq)]
enum Coverage {
    /// All: an input of a loss that a file lacks is an error.
    All,
    #[default]
    Some,
}

/// Reads a file such as `{"logits": [[2, 1, 0]], "labels": [0]}`.
pub fn read(file: &Path) -> Result<Inputs> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Reads the text of such a file.
pub fn parse(text: &str) -> Result<Inputs> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let Value::Object(entries) = value else {
        return Err("expected an object of inputs, such as {\"logits\": [[2, 1, 0]]}".into());
    };
    let tensor = |(name, value): (String, Value)| {
        let mut numbers = Vec::new();
        let shape = shape(&value, &mut numbers).map_err(|why| format!("{name}{why}"))?;
        Ok((name, Tensor::new(shape, numbers)?))
    };
    Ok(Inputs {
        tensors: entries.into_iter().map(tensor).collect::<Result<_>>()?,
        coverage: Coverage::All,
    })
}

/// The shape of nested lists, whose numbers are collected; or where they have none, and why.
fn shape(value: &Value, numbers: &mut Vec<f64>) -> std::result::Result<Vec<usize>, String> {
    match value {
        Value::Number(number) => {
            numbers.push(number.as_f64().unwrap_or(f64::NAN));
            Ok(Vec::new())
        }
        Value::Array(rows) => {
            let mut inner: Option<Vec<usize>> = None;
            for (i, row) in rows.iter().enumerate() {
                let here = shape(row, numbers).map_err(|why| format!("[{i}]{why}"))?;
                match &inner {
                    Some(first) if *first != here => {
                        return Err(format!("[{i}] has shape {here:?}, and [0] has {first:?}"));
                    }
                    _ => inner = Some(here),
                }
            }
            Ok(std::iter::once(rows.len()).chain(inner.unwrap_or_default()).collect())
        }
        other => Err(format!(": {other} is no number")),
    }
}

impl Inputs {
    /// The samples of the first of some losses, which those after it share by their names.
    pub fn samples(subjects: &[Subject]) -> Inputs {
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        for takes in subjects.iter().flat_map(Subject::takes) {
            if !tensors.iter().any(|(name, _)| name == takes.name) {
                tensors.push((takes.name.to_owned(), takes.sample));
            }
        }
        Inputs { tensors, coverage: Coverage::Some }
    }

    /// Gives to losses what they can have as an option; an input that none of them has is an error.
    pub fn give(&self, subjects: &mut [Subject]) -> Result<()> {
        for (name, _) in &self.tensors {
            subjects.iter_mut().try_for_each(|subject| subject.give(name))?;
            let takes = || subjects.iter().flat_map(Subject::takes);
            if !takes().any(|takes| takes.name == name) {
                let mut known: Vec<&str> = takes().map(|takes| takes.name).collect();
                known.dedup();
                return Err(format!(
                    "there is no input `{name}`; expected one of {}",
                    known.join(", ")
                )
                .into());
            }
        }
        Ok(())
    }

    /// The tensor of an input.
    pub fn of(&self, loss: &str, takes: &Takes) -> Result<Tensor> {
        let found = self.tensors.iter().find(|(name, _)| name == takes.name);
        match found {
            None if self.coverage == Coverage::All => {
                Err(format!("{loss}: the input `{}` is missing", takes.name).into())
            }
            None => Ok(takes.sample.clone()),
            Some((name, tensor)) if takes.is_whole => {
                match tensor.to_f64s().into_iter().find(|x| x.fract() != 0.0) {
                    Some(x) => {
                        Err(format!("{loss}: {name} holds {x}, expected whole numbers").into())
                    }
                    None => Ok(tensor.to_dtype(DType::I64)),
                }
            }
            Some((_, tensor)) => Ok(tensor.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn nested_lists_are_tensors() {
        let inputs = parse(r#"{"a": [[1, 2.5, -3]], "b": 4}"#).unwrap();
        assert_eq!(inputs.tensors[0].1.shape().to_vec(), [1, 3]);
        assert_eq!(inputs.tensors[0].1.to_f64s(), [1.0, 2.5, -3.0]);
        assert_eq!(inputs.tensors[1].1.rank(), 0);
    }

    #[test]
    fn what_is_no_tensor_is_reported_with_its_location() {
        assert_eq!(refused(r#"{"a": [[1, 2], [3]]}"#), "a[1] has shape [1], and [0] has [2]");
        assert_eq!(refused(r#"{"a": [[1, 2], [3, "x"]]}"#), "a[1][1]: \"x\" is no number");
        assert!(refused("{").starts_with("no JSON: "));
        assert!(refused("[1]").starts_with("expected an object of inputs"));
    }
}
