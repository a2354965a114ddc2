//! The inputs of losses: samples, or a reader's own from JSON.

use std::fmt;

use lossgraph_losses::Domain;
use lossgraph_tensor::{DType, Tensor};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use crate::subject::{Subject, Takes};
use crate::{Result, json};

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

/// Reads inputs such as `{"logits": [[2, 1, 0]], "labels": [0]}`. A byte order mark before them says
/// nothing; NaN and Infinity may stand there as Python writes them.
///
/// # Errors
/// What is no JSON, no tensor, empty, or there twice.
pub fn parse(text: &str) -> Result<Inputs> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Entries(entries) = json::parse(text).map_err(|error| format!("no JSON: {error}"))?;
    Ok(Inputs { tensors: tensors(entries)?, coverage: Coverage::All })
}

fn tensors(entries: impl IntoIterator<Item = (String, Value)>) -> Result<Vec<(String, Tensor)>> {
    let tensor = |(name, value): (String, Value)| {
        let mut numbers = Vec::new();
        let shape = shape(&value, &mut numbers).map_err(|why| format!("{name}{why}"))?;
        if numbers.is_empty() {
            let why = format!("`{name}` is empty: a loss of no numbers says nothing");
            return Err(why.into());
        }
        let tensor = Tensor::new(shape, numbers).map_err(|error| format!("`{name}`: {error}"))?;
        Ok((name, tensor))
    };
    entries.into_iter().map(tensor).collect()
}

/// A number as JSON; what is not finite is a word that JavaScript parses.
pub(crate) fn exact(x: f64) -> Value {
    match x {
        x if x.is_finite() => x.into(),
        x if x.is_nan() => "NaN".into(),
        x => if x > 0.0 { "Infinity" } else { "-Infinity" }.into(),
    }
}

/// Tensors by name, as nested lists.
pub(crate) fn json_of(tensors: &[(&str, Tensor)]) -> Value {
    let nested = |tensor: &Tensor| {
        let mut level: Vec<Value> = tensor.to_f64s().into_iter().map(exact).collect();
        for &len in tensor.shape().iter().skip(1).rev() {
            level = level.chunks(len.max(1)).map(|row| row.to_vec().into()).collect();
        }
        match tensor.rank() {
            0 => level.pop().unwrap_or_default(),
            _ => level.into(),
        }
    };
    tensors.iter().map(|(name, tensor)| ((*name).to_owned(), nested(tensor))).collect()
}

/// The entries of an object, of which no two have the same name.
pub struct Entries(pub Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Entries, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of inputs, such as {\"logits\": [[2, 1, 0]]}")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Entries, M::Error> {
                let mut entries: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if entries.iter().any(|(each, _)| *each == name) {
                        return Err(M::Error::custom(format!("`{name}` is there twice")));
                    }
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }

        from.deserialize_map(Object)
    }
}

/// The shape of nested lists, whose numbers are collected; or where they have none, and why.
fn shape(value: &Value, numbers: &mut Vec<f64>) -> std::result::Result<Vec<usize>, String> {
    match value {
        Value::Number(number) => {
            numbers.push(number.as_f64().unwrap_or(f64::NAN));
            Ok(Vec::new())
        }
        // What JSON has no numbers for.
        Value::String(word) if ["NaN", "Infinity", "-Infinity"].contains(&&word[..]) => {
            numbers.push(word.parse().unwrap_or(f64::NAN));
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
    /// Inputs that a page sends; for one without numbers, a sample is drawn.
    pub(crate) fn of_some(entries: serde_json::Map<String, Value>) -> Result<Inputs> {
        Ok(Inputs { tensors: tensors(entries)?, coverage: Coverage::Some })
    }

    /// Samples that some losses share by their names: those of the first one whose samples fit all.
    ///
    /// # Errors
    /// No samples fit all.
    pub fn samples(subjects: &[Subject]) -> Result<Inputs> {
        // What a loss refuses on its own samples, is an option of its own.
        for subject in subjects {
            Inputs::default().fit(subject)?;
        }
        let mut refused = None;
        for (at, first) in subjects.iter().enumerate() {
            let others =
                subjects.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, each)| each);
            let mut tensors: Vec<(String, Tensor)> = Vec::new();
            for takes in std::iter::once(first).chain(others).flat_map(Subject::takes) {
                if !tensors.iter().any(|(name, _)| name == takes.name) {
                    tensors.push((takes.name.to_owned(), takes.sample));
                }
            }
            let inputs = Inputs { tensors, coverage: Coverage::Some };
            match subjects.iter().try_for_each(|subject| inputs.fit(subject)) {
                Ok(()) => return Ok(inputs),
                Err(why) => refused = refused.or(Some((first.name(), why))),
            }
        }
        match refused {
            Some((first, why)) => Err(format!(
                "{why}\n{first} brings it, and they are compared on the same numbers: give some that \
                 fit all by --inputs"
            )
            .into()),
            None => Ok(Inputs::default()),
        }
    }

    /// Whether a loss can take these: each input in its domain, all of them in shapes that go
    /// together.
    fn fit(&self, subject: &Subject) -> std::result::Result<(), String> {
        for takes in subject.takes() {
            let tensor = self.of(subject.name(), &takes).map_err(|error| error.to_string())?;
            if let Some(x) = outside(takes.domain, &tensor) {
                let (name, domain) = (takes.name, takes.domain);
                return Err(format!("{}: `{name}` is {domain}, and holds {x}", subject.name()));
            }
        }
        let tape = lossgraph_autograd::Tape::f64();
        let (_, loss) = subject.record(&tape, self).map_err(|error| error.to_string())?;
        loss.item().map(|_| ()).map_err(|error| error.without_locations())
    }

    /// Gives to losses what they can have as an option; an input that none of them has is an error.
    ///
    /// # Errors
    /// That.
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
    ///
    /// # Errors
    /// It is missing, or holds parts of a number where those are whole.
    pub fn of(&self, loss: &str, takes: &Takes) -> Result<Tensor> {
        let found = self.tensors.iter().find(|(name, _)| name == takes.name);
        match found {
            None if self.coverage == Coverage::All => {
                Err(format!("{loss}: the input `{}` is missing", takes.name).into())
            }
            None => Ok(takes.sample.clone()),
            Some((name, tensor)) if takes.is_whole => {
                // From 2⁵³ on, floats skip whole numbers.
                let is_exact = |x: f64| x.abs() < 9_007_199_254_740_992.0;
                let is_whole = |x: &f64| x.fract() == 0.0 && is_exact(*x);
                match tensor.to_f64s().into_iter().find(|x| !is_whole(x)) {
                    Some(x) => {
                        let size = if is_exact(x) { "" } else { " of at most 15 digits" };
                        let such = match takes.domain {
                            Domain::Labels(_) => ", such as the class numbers 0, 1 and 2",
                            _ => "",
                        };
                        Err(format!(
                            "{loss}: {name} holds {x:?}, expected whole numbers{size}{such}"
                        )
                        .into())
                    }
                    None => Ok(tensor.to_dtype(DType::I64)),
                }
            }
            Some((_, tensor)) if !tensor.dtype().is_float() => Ok(tensor.to_dtype(DType::F64)),
            Some((_, tensor)) => Ok(tensor.clone()),
        }
    }
}

/// How far from 1 the numbers of a distribution may add up to.
const ROUNDING: f64 = 1e-6;

/// What a reader is told of an input whose numbers are taken, though they are not what they look like:
/// padding, or a distribution that is none.
pub(crate) fn remark(takes: &Takes, tensor: &Tensor) -> Option<String> {
    let (name, numbers) = (takes.name, tensor.to_f64s());
    let element = |at: usize| format!("{name}{:?}", tensor.shape().unravel_index(at));
    if let Some(at) = numbers.iter().position(|&x| takes.is_padded && x == f64::NEG_INFINITY) {
        return Some(format!("{} is −∞, which is padding: no list has that item", element(at)));
    }
    let (of, mass): (_, fn(f64) -> f64) = match takes.domain {
        Domain::Probabilities => ("", |p| p),
        Domain::LogProbabilities => ("the powers of e to ", f64::exp),
        _ => return None,
    };
    let holds = |why: String| Some(format!("{name} does not hold {}: {why}", takes.domain));
    if let Some(at) = numbers.iter().position(|&x| mass(x) < 0.0) {
        return holds(format!("{} is {}", element(at), numbers[at]));
    }
    let rows = numbers.chunks(tensor.shape().last().copied().unwrap_or(1).max(1));
    let sums = rows.map(|row| row.iter().map(|&x| mass(x)).sum::<f64>());
    let (row, sum) =
        sums.enumerate().find(|(_, sum)| sum.is_nan() || (sum - 1.0).abs() > ROUNDING)?;
    let index = tensor.shape().split_last().map_or(Vec::new(), |(_, outer)| {
        lossgraph_tensor::Shape::from(outer).unravel_index(row).to_vec()
    });
    holds(format!("{of}{name}{index:?} add up to {sum}, not to 1"))
}

/// A number of a tensor that does not belong to a domain.
fn outside(domain: Domain, tensor: &Tensor) -> Option<f64> {
    let fits = |x: &f64| match domain {
        Domain::Labels(classes) => (0.0..classes as f64).contains(x) && x.fract() == 0.0,
        Domain::Integers(_) => x.fract() == 0.0,
        Domain::Signs => x.abs() == 1.0,
        Domain::Bits => *x == 0.0 || *x == 1.0,
        Domain::Probabilities => (0.0..=1.0).contains(x),
        Domain::LogProbabilities => *x <= 0.0,
        Domain::Between(low, high) if low > 0.0 && high < 1.0 => (0.0..=1.0).contains(x),
        Domain::Between(low, _) if low >= 0.0 => *x >= low.min(0.0) && (*x > 0.0 || low == 0.0),
        Domain::Between(..) | Domain::Logits | Domain::Floats(_) => true,
    };
    tensor.to_f64s().into_iter().find(|x| !fits(x))
}

/// Losses side by side share their inputs: what one of them takes in any case, so does the other,
/// or all of that and more.
///
/// # Errors
/// Losses that take others.
pub fn have_common_names(subjects: &[Subject]) -> Result<()> {
    let Some((first, others)) = subjects.split_first() else { return Ok(()) };
    let needed = first.needs();
    for other in others {
        let theirs = other.needs();
        let within = |some: &[&str], all: &[&str]| some.iter().all(|name| all.contains(name));
        if !within(&needed, &theirs) && !within(&theirs, &needed) {
            return Err(format!(
                "{} takes {}, and {} takes {}: losses are compared on the same inputs",
                first.name(),
                needed.join(", "),
                other.name(),
                theirs.join(", "),
            )
            .into());
        }
    }
    Ok(())
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
        assert!(refused("[1]").contains("expected an object of inputs"));
        assert!(refused(r#"{"a": 1, "a": 2}"#).contains("`a` is there twice"));
        assert!(refused(r#"{"a": 1e400}"#).starts_with("no JSON: number out of range"));
    }

    #[test]
    fn what_holds_no_numbers_is_refused() {
        for empty in ["[]", "[[]]", "[[], []]", "[[[], []]]"] {
            let told = refused(&format!(r#"{{"a": {empty}}}"#));
            assert!(told.starts_with("`a` is empty"), "{empty}: {told}");
        }
    }

    #[test]
    fn what_is_not_finite_is_read_as_python_writes_it() {
        let inputs = parse(r#"{"NaN": [NaN, "NaN", -Infinity, Infinity, 1]}"#).unwrap();
        assert_eq!(inputs.tensors[0].0, "NaN");
        let numbers = inputs.tensors[0].1.to_f64s();
        assert!(numbers[0].is_nan() && numbers[1].is_nan());
        assert_eq!(numbers[2..], [f64::NEG_INFINITY, f64::INFINITY, 1.0]);
    }

    #[test]
    fn what_a_loss_refuses_on_its_own_samples_is_its_option() {
        for (loss, setting, told) in [
            ("huber", "delta=-1", "huber: delta is -1, expected a number above 0"),
            ("cross_entropy", "label_smoothing=2", "label_smoothing is 2, expected 0 to 1"),
        ] {
            let bad = Subject::new(loss, setting).unwrap();
            let other = Subject::new(loss, "").unwrap();
            for subjects in [vec![bad.clone()], vec![other, bad]] {
                let error = Inputs::samples(&subjects).err().unwrap().to_string();
                assert!(error.contains(told) && !error.contains("--inputs"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_no_whole_number_is_told_with_what_is() {
        for (x, told) in [
            ("1e20", "holds 1e20, expected whole numbers of at most 15 digits, such as the class"),
            ("0.5", "holds 0.5, expected whole numbers, such as the class numbers 0, 1 and 2"),
            ("NaN", "holds NaN, expected whole numbers"),
        ] {
            let inputs = parse(&format!(r#"{{"logits": [[1, 2]], "labels": [{x}]}}"#)).unwrap();
            let subject = Subject::new("cross_entropy", "").unwrap();
            let tape = lossgraph_autograd::Tape::f64();
            let error = subject.record(&tape, &inputs).err().unwrap().to_string();
            assert!(error.starts_with("cross_entropy: labels ") && error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert!(parse("\u{feff}{\"a\": 1}").is_ok());
    }
}
