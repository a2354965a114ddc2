//! Settings: values of options, read from text; and what a row's functions are given.

use std::fmt;

use lossgraph_autograd::{Fault, Tape, Var};

use super::row::{Choice, Loss, OptionKind};
use super::{nearest, sample::Plain};

/// Values of a loss's options.
#[derive(Clone, Debug)]
pub struct Setting {
    loss: &'static Loss,
    values: Vec<(&'static str, Value)>,
    /// The tensor options that are given.
    tensors: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Integer(i64),
    Count(usize),
    On,
    Word(&'static str),
    List(Vec<f64>),
}

/// A setting that a loss cannot have.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{loss}: {why}")]
pub struct BadSetting {
    loss: &'static str,
    /// What is wrong with it.
    pub(crate) why: String,
}

/// What a program shows that ends with it: the message.
impl fmt::Debug for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl BadSetting {
    pub(super) fn unknown_tensor(loss: &'static Loss, name: &str) -> BadSetting {
        let is_number = loss.options.iter().any(|each| each.name == name);
        let why = match is_number {
            true => format!("the option `{name}` is no tensor: it is part of the setting"),
            false => unknown(loss, name),
        };
        BadSetting { loss: loss.name, why }
    }
}

impl Setting {
    pub(crate) fn read(loss: &'static Loss, text: &str) -> Result<Setting, BadSetting> {
        let refuse = |why: String| Err(BadSetting { loss: loss.name, why });
        let mut setting = Setting { loss, values: Vec::new(), tensors: Vec::new() };
        for word in text.split_whitespace() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            let tensor = loss.inputs.iter().find(|each| each.optional && each.name == name);
            if let (Some(tensor), None) = (tensor, value) {
                setting.tensors.push(tensor.name);
                continue;
            }
            match loss.options.iter().find(|each| each.name == name) {
                None => return refuse(unknown(loss, name)),
                Some(choice) => match choice.kind.read(value) {
                    Some(read) => {
                        setting.values.retain(|(each, _)| *each != choice.name);
                        setting.values.extend(read.map(|read| (choice.name, read)));
                    }
                    None => return refuse(unfit(choice, value.unwrap_or(""))),
                },
            }
        }
        Ok(setting)
    }

    /// An option that is a number, whole or not.
    pub fn number(&self, name: &str) -> f64 {
        match (self.value(name), self.kind(name)) {
            (Some(Value::Number(value)), _) => *value,
            (_, Some(OptionKind::Number(default))) => default,
            (_, Some(OptionKind::Integer(_))) => self.integer(name) as f64,
            (_, Some(OptionKind::Count(_))) => self.count(name) as f64,
            _ => f64::NAN,
        }
    }

    /// An option that is a whole number.
    pub fn integer(&self, name: &str) -> i64 {
        match (self.value(name), self.kind(name)) {
            (Some(Value::Integer(value)), _) => *value,
            (_, Some(OptionKind::Integer(default))) => default,
            _ => 0,
        }
    }

    /// An option that says how many, or counts from 0.
    pub fn count(&self, name: &str) -> usize {
        match (self.value(name), self.kind(name)) {
            (Some(Value::Count(value)), _) => *value,
            (_, Some(OptionKind::Count(default))) => default,
            _ => 0,
        }
    }

    /// The option `axis`.
    pub(crate) fn axis(&self) -> isize {
        self.integer("axis") as isize
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name) == Some(&Value::On)
    }

    /// An option that is a word.
    pub fn word(&self, name: &str) -> &'static str {
        match (self.value(name), self.kind(name)) {
            (Some(Value::Word(word)), _) => word,
            (_, Some(OptionKind::Word(words))) => words.first().copied().unwrap_or(""),
            _ => "",
        }
    }

    /// An option that is a list of numbers.
    pub fn list(&self, name: &str) -> Vec<f64> {
        match (self.value(name), self.kind(name)) {
            (Some(Value::List(numbers)), _) => numbers.clone(),
            (_, Some(OptionKind::List(default))) => default.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Whether the setting gives a tensor option.
    pub fn gives(&self, tensor: &str) -> bool {
        self.tensors.contains(&tensor)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(each, _)| *each == name).map(|(_, value)| value)
    }

    fn kind(&self, name: &str) -> Option<OptionKind> {
        self.loss.options.iter().find(|each| each.name == name).map(|choice| choice.kind)
    }
}

impl OptionKind {
    /// Reads a value: `None` if it does not fit, `Some(None)` if it is what an option is by default.
    fn read(self, value: Option<&str>) -> Option<Option<Value>> {
        let read = match (self, value) {
            (OptionKind::Flag, None | Some("true" | "1")) => Value::On,
            (OptionKind::Flag, Some("false" | "0")) => return Some(None),
            (OptionKind::Number(_), Some(text)) => Value::Number(number(text)?),
            (OptionKind::Integer(_), Some(text)) => Value::Integer(text.parse().ok()?),
            (OptionKind::Count(_), Some(text)) => Value::Count(text.parse().ok()?),
            (OptionKind::Word(words), Some(text)) => {
                Value::Word(words.iter().find(|each| **each == text)?)
            }
            (OptionKind::List(_), Some(text)) => Value::List(match text {
                "" => Vec::new(),
                _ => text.split(',').map(number).collect::<Option<_>>()?,
            }),
            _ => return None,
        };
        Some(Some(read))
    }

    /// What a value has to look like.
    fn expected(self) -> String {
        match self {
            OptionKind::Number(_) => "a number that `f64` can hold".to_owned(),
            OptionKind::Integer(_) => {
                format!("a whole number from {} to {}", i64::MIN, i64::MAX)
            }
            OptionKind::Count(_) => format!("a whole number from 0 to {}", usize::MAX),
            OptionKind::Flag => "true or false".to_owned(),
            OptionKind::Word(words) => format!("one of {}", words.join(", ")),
            OptionKind::List(_) => "numbers with commas between them".to_owned(),
        }
    }
}

/// A number as it is written: not one that is not a number, nor one that is infinite because it is
/// too large.
fn number(text: &str) -> Option<f64> {
    let x: f64 = text.parse().ok()?;
    let says_infinity = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    (x.is_finite() || x.is_infinite() && says_infinity).then_some(x)
}

fn unknown(loss: &'static Loss, name: &str) -> String {
    let tensors = loss.inputs.iter().filter(|each| each.optional).map(|each| each.name);
    let names: Vec<&str> = tensors.chain(loss.options.iter().map(|each| each.name)).collect();
    match nearest(name, names.iter().map(|&each| (each, each.to_owned()))) {
        Some(near) if near == name => {
            format!("`{name}` is a tensor: its name alone, without a value, says that it is given")
        }
        Some(near) => format!("there is no option `{name}`; perhaps `{near}`"),
        None if names.is_empty() => format!("there is no option `{name}`: it has none"),
        None => format!("there is no option `{name}`; there are {}", names.join(", ")),
    }
}

fn unfit(choice: &Choice, value: &str) -> String {
    format!("{} is `{value}`, expected {}", choice.name, choice.kind.expected())
}

/// What a row's `run` is given: inputs on a tape, by name, and a setting.
pub struct Args<'t> {
    tape: &'t Tape,
    inputs: Vec<(&'static str, Var<'t>)>,
    setting: Setting,
}

impl<'t> Args<'t> {
    pub(crate) fn new(
        tape: &'t Tape,
        inputs: Vec<(&'static str, Var<'t>)>,
        setting: Setting,
    ) -> Args<'t> {
        Args { tape, inputs, setting }
    }

    pub(crate) fn var(&self, name: &str) -> Var<'t> {
        self.maybe(name).unwrap_or_else(|| {
            let why = format!("the input `{name}` is missing");
            self.tape.fault(Fault::new(self.setting.loss.name, why))
        })
    }

    pub(crate) fn maybe(&self, name: &str) -> Option<Var<'t>> {
        self.inputs.iter().find(|(each, _)| *each == name).map(|(_, var)| *var)
    }
}

/// Options are read from the attributes themselves: `x.number("delta")`.
impl std::ops::Deref for Args<'_> {
    type Target = Setting;

    fn deref(&self) -> &Setting {
        &self.setting
    }
}

/// What a row's `naive` is given: inputs as plain numbers, by name, and a setting.
#[derive(Debug)]
pub struct Numbers<'a> {
    /// The inputs.
    pub inputs: &'a [Plain],
    /// The setting.
    pub setting: &'a Setting,
}

impl Numbers<'_> {
    /// The numbers of an input, row by row.
    pub(crate) fn of(&self, name: &str) -> &[f64] {
        self.maybe(name).unwrap_or(&[])
    }

    pub(crate) fn maybe(&self, name: &str) -> Option<&[f64]> {
        self.inputs.iter().find(|input| input.name == name).map(|input| &input.numbers[..])
    }

    /// The shape of an input.
    pub(crate) fn shape(&self, name: &str) -> &[usize] {
        self.inputs.iter().find(|input| input.name == name).map_or(&[], |input| &input.shape)
    }

    /// The rows of an input, along its last axis.
    pub(crate) fn rows(&self, name: &str) -> Vec<&[f64]> {
        let input = self.inputs.iter().find(|input| input.name == name);
        let width = input.and_then(|input| input.shape.last().copied()).unwrap_or(1).max(1);
        self.of(name).chunks(width).collect()
    }

    /// The number of an optional weight that repeats along the leading axes; 1 without it.
    pub(crate) fn weight(&self, name: &str, i: usize) -> f64 {
        self.maybe(name).map_or(1.0, |weight| weight[i % weight.len()])
    }

    /// Terms of `prediction − target`, with their weights.
    pub(crate) fn residuals(&self, term: impl Fn(f64) -> f64) -> Vec<f64> {
        let pairs = self.of("prediction").iter().zip(self.of("target")).enumerate();
        pairs.map(|(i, (p, t))| self.weight("weight", i) * term(p - t)).collect()
    }

    /// The slope of the mean of terms of `prediction − target`, from that of a term.
    pub(crate) fn mean_slope(&self, slope: impl Fn(f64) -> f64) -> Vec<f64> {
        let [p, t] = [self.of("prediction"), self.of("target")];
        p.iter().zip(t).map(|(x, t)| slope(x - t) / p.len() as f64).collect()
    }

    /// The slope of the mean of terms of labels, from a distribution for each row of scores: less 1 at
    /// the label. Nothing where a label is ignored, or where classes are not the last axis.
    pub(crate) fn less_one_hot(&self, scores: &str, p: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let labels = self.of("labels");
        let n = labels.len() as f64;
        let rows = self.rows(scores);
        let are_classes = |row: &&[f64], label: &f64| (0.0..row.len() as f64).contains(label);
        let fit = rows.len() == labels.len() && self.shape(scores).len() <= 2;
        if !fit || !rows.iter().zip(labels).all(|(row, label)| are_classes(row, label)) {
            return Vec::new();
        }
        let row = |(row, &label): (&[f64], &f64)| -> Vec<f64> {
            let one_hot = |c: usize| f64::from(u8::from(c as f64 == label));
            p(row).iter().enumerate().map(|(c, p)| (p - one_hot(c)) / n).collect()
        };
        rows.into_iter().zip(labels).flat_map(row).collect()
    }

    /// Terms of labels; 0 for those to ignore.
    pub(crate) fn labeled(&self, term: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        let ignored = self.number("ignore_index");
        let each = self.of("labels").iter().enumerate();
        each.map(|(i, &label)| if label == ignored { 0.0 } else { term(i, label as usize) })
            .collect()
    }
}

impl std::ops::Deref for Numbers<'_> {
    type Target = Setting;

    fn deref(&self) -> &Setting {
        self.setting
    }
}
