//! What a golden file holds, read: numbers, tensors, and the inputs and options of a case.

use std::cell::RefCell;
use std::collections::HashSet;

use lossgraph_autograd::{Axes, IntoAxes, Tape, Var, keep};
use lossgraph_tensor::Tensor;
use serde_json::Value;

/// A number of a golden file; what JSON has no number for is written `"NaN"`, `"-Infinity"`.
pub fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => value.as_f64(),
    }
}

/// A tensor of a golden file.
#[derive(Clone, Debug)]
pub struct Golden {
    pub shape: Vec<usize>,
    /// Row by row; whole numbers if `integer`.
    pub values: Vec<f64>,
    pub integer: bool,
}

impl Golden {
    /// Reads `{"shape": [..], "data": [..]}` or `{"shape": [..], "ints": [..]}`.
    pub fn read(value: &Value) -> Option<Golden> {
        let list = |key: &str| value.get(key).and_then(Value::as_array);
        let dim = |length: &Value| length.as_u64().map(|length| length as usize);
        let integer = list("ints").is_some();
        Some(Golden {
            shape: list("shape")?.iter().map(dim).collect::<Option<_>>()?,
            values: list("ints").or(list("data"))?.iter().map(number).collect::<Option<_>>()?,
            integer,
        })
    }

    /// The numbers as a tensor: `I64` if they are whole, else `F64`.
    pub fn tensor(&self) -> Tensor {
        let tensor = if self.integer {
            Tensor::new(self.shape.clone(), self.values.iter().map(|&v| v as i64).collect())
        } else {
            Tensor::new(self.shape.clone(), self.values.clone())
        };
        tensor.expect("a golden tensor has as many values as its shape says")
    }

    /// Whether there is no NaN and no infinity in it.
    pub fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }
}

/// The tensors under `key` of a case, by name; none if the key is absent.
pub fn tensors(case: &Value, key: &str) -> Vec<(String, Golden)> {
    let members = case.get(key).and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), Golden::read(value)?))).collect()
}

/// Whether a case carries a tag.
pub fn has_tag(case: &Value, tag: &str) -> bool {
    let tags = case.get("tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|each| each == tag))
}

/// The inputs of a case, recorded on a tape, and its options.
///
/// Names are those of the file. An option that is absent and one that is `null` are the same.
pub struct Inputs<'t> {
    tape: &'t Tape,
    vars: Vec<(String, Var<'t>)>,
    options: Value,
    /// The options that were looked at.
    read: RefCell<HashSet<String>>,
}

impl<'t> Inputs<'t> {
    /// Records the inputs: those that the case differentiates as variables, the others as
    /// constants.
    pub fn record(tape: &'t Tape, case: &Value) -> Inputs<'t> {
        let differentiated = |name: &str| case.get("grads").is_some_and(|g| g.get(name).is_some());
        let leaf = |(name, golden): (String, Golden)| {
            let var = match differentiated(&name) {
                true => tape.variable(golden.tensor()),
                false => tape.constant(golden.tensor()),
            };
            (name, var)
        };
        let vars = tensors(case, "inputs").into_iter().map(leaf).collect();
        Inputs::of(tape, vars, case.get("options").cloned().unwrap_or(Value::Null))
    }

    /// Inputs that are recorded already.
    pub fn of(tape: &'t Tape, vars: Vec<(String, Var<'t>)>, options: Value) -> Inputs<'t> {
        Inputs { tape, vars, options, read: RefCell::default() }
    }

    /// The options that are given and that nobody looked at, with their values.
    pub fn unread(&self) -> Vec<(&str, &Value)> {
        let read = self.read.borrow();
        let given = self.options.as_object().into_iter().flatten();
        let unread = given.filter(|(name, value)| !value.is_null() && !read.contains(*name));
        unread.map(|(name, value)| (&name[..], value)).collect()
    }

    pub fn tape(&self) -> &'t Tape {
        self.tape
    }

    /// The input `name`.
    ///
    /// # Panics
    /// If the case has none: then it is no case of this function.
    pub fn var(&self, name: &str) -> Var<'t> {
        self.maybe(name).unwrap_or_else(|| panic!("the case has no input `{name}`"))
    }

    /// The input `name`, if the case has it.
    pub fn maybe(&self, name: &str) -> Option<Var<'t>> {
        self.vars.iter().find(|(each, _)| each == name).map(|(_, var)| *var)
    }

    /// The inputs `input0`, `input1`, …, in order.
    pub fn series(&self, stem: &str) -> Vec<Var<'t>> {
        (0..).map_while(|i| self.maybe(&format!("{stem}{i}"))).collect()
    }

    /// The option `name`, unless it is absent or null.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.read.borrow_mut().insert(name.to_owned());
        self.options.get(name).filter(|value| !value.is_null())
    }

    /// A number among the options.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.option(name).and_then(number)
    }

    /// A whole number among the options.
    pub fn integer(&self, name: &str) -> Option<isize> {
        self.option(name).and_then(Value::as_i64).map(|value| value as isize)
    }

    /// One whole number, or a list of them.
    pub fn integers(&self, name: &str) -> Option<Vec<isize>> {
        let value = self.option(name)?;
        match value.as_array() {
            Some(list) => list.iter().map(|each| Some(each.as_i64()? as isize)).collect(),
            None => Some(vec![value.as_i64()? as isize]),
        }
    }

    /// Whether an option is `true`; an absent one is not.
    pub fn flag(&self, name: &str) -> bool {
        self.option(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A word among the options.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.option(name).and_then(Value::as_str)
    }

    /// A tensor, whether it is an input or among the options.
    pub fn tensor(&self, name: &str) -> Option<Var<'t>> {
        let among_options = || Some(self.tape.constant(Golden::read(self.option(name)?)?.tensor()));
        self.maybe(name).or_else(among_options)
    }

    /// The axes of a reduction: option `dim` (null for all, a number, or a list), kept with `keepdim`.
    pub fn axes(&self) -> Axes {
        let axes = match self.integers("dim") {
            Some(list) if !list.is_empty() => (&list[..]).into_axes(),
            _ => (..).into_axes(),
        };
        if self.flag("keepdim") { keep(axes) } else { axes }
    }
}

/// What an adapter gives for a case.
pub enum Reply<'t> {
    One(Var<'t>),
    /// Several results, by the names of the file.
    Many(Vec<(String, Var<'t>)>),
    /// The function exists, but not with these options.
    Unsupported(String),
}

/// Computes the function of a file from the inputs and options of a case.
pub type Adapter = for<'t> fn(&Inputs<'t>) -> Reply<'t>;

impl<'t> From<Var<'t>> for Reply<'t> {
    fn from(var: Var<'t>) -> Reply<'t> {
        Reply::One(var)
    }
}

impl<'t, const N: usize> From<[(&str, Var<'t>); N]> for Reply<'t> {
    fn from(results: [(&str, Var<'t>); N]) -> Reply<'t> {
        Reply::Many(results.map(|(name, var)| (name.to_owned(), var)).into())
    }
}
