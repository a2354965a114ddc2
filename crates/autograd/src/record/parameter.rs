//! Parameters: tensors that live longer than a tape, and the gradients a tape gives for them.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use lossgraph_tensor::{DType, Float, Shape, Tensor};

use crate::record::fault::{Fault, Result};
use crate::record::node::Id;
use crate::record::state::NextState;
use crate::record::tape::Tape;
use crate::record::var::Var;

/// A tensor that training changes. A clone is the same parameter: what one sees, the other sees.
#[derive(Clone)]
pub struct Parameter(Arc<Inner>);

struct Inner {
    id: u64,
    name: String,
    location: &'static Location<'static>,
    value: RwLock<Value>,
}

struct Value {
    tensor: Tensor,
    /// The numbers as they were drawn, of which the tensor is a rounding, until it changes.
    drawn: Option<Tensor>,
}

impl Parameter {
    /// A new parameter with its first value.
    ///
    /// # Errors
    /// Of integers, which have no gradient, a tape makes a fault of this line: `2.0`, not `2`.
    #[track_caller]
    pub fn new(name: impl Into<String>, value: impl Into<Tensor>) -> Parameter {
        Parameter::with(name.into(), Value { tensor: value.into(), drawn: None })
    }

    /// A new parameter of `f32` that begins with random numbers, which were drawn in `f64`. Until it
    /// changes, a [`cast`](Parameter::cast) to `f64` gives all their digits.
    #[track_caller]
    pub fn drawn(name: impl Into<String>, numbers: Tensor) -> Parameter {
        let tensor = numbers.to_dtype(DType::F32);
        Parameter::with(name.into(), Value { tensor, drawn: Some(numbers) })
    }

    #[track_caller]
    fn with(name: String, value: Value) -> Parameter {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (location, value) = (Location::caller(), RwLock::new(value));
        Parameter(Arc::new(Inner { id, name, location, value }))
    }

    /// Its name within its layer, such as `weight`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A number that no other parameter of the process has.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The line that made it.
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.0.location
    }

    /// The value as it is now; shared, not copied.
    pub fn value(&self) -> Tensor {
        self.0.value.read().unwrap_or_else(|poisoned| poisoned.into_inner()).tensor.clone()
    }

    /// The shape of the value.
    pub fn shape(&self) -> Shape {
        self.value().shape().clone()
    }

    /// Replaces the value by one of the same shape.
    ///
    /// # Errors
    /// Another shape, or integers for floats. A value of another float type changes that of the
    /// parameter.
    pub fn set(&self, value: Tensor) -> Result<()> {
        let old = self.value();
        if old.shape() != value.shape() {
            let message =
                format!("`{}` has shape {}, given {}", self.name(), old.shape(), value.shape());
            return Err(Fault::new("parameter.set", message).into_error());
        }
        if old.dtype().is_float() && !value.dtype().is_float() {
            let message = format!("`{}` would hold integers, which have no gradient", self.name());
            return Err(Fault::new("parameter.set", message).cure("2.0 instead of 2").into_error());
        }
        self.update(|old| *old = value);
        Ok(())
    }

    /// Changes the value in place. `change` sees the tensor itself, so that writing to it copies
    /// only when somebody else, such as a tape, still holds it.
    pub fn update<R>(&self, change: impl FnOnce(&mut Tensor) -> R) -> R {
        let mut value = self.0.value.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        value.drawn = None;
        change(&mut value.tensor)
    }

    /// Rounds the value to another float type, or widens it; integers stay.
    pub fn cast(&self, dtype: DType) {
        let mut value = self.0.value.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if dtype.is_float() && value.tensor.dtype().is_float() {
            let exact = value.drawn.as_ref().unwrap_or(&value.tensor);
            value.tensor = exact.to_dtype(dtype);
        }
    }
}

/// By its own name, where a list of parameters is to have names.
impl From<Parameter> for (String, Parameter) {
    fn from(parameter: Parameter) -> (String, Parameter) {
        (parameter.name().to_owned(), parameter)
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.shape())
    }
}

/// What [`Var::backward`](crate::Var::backward) gives: the loss, its gradient with respect to each
/// parameter and variable that it depends on, and what states such as running statistics become.
#[derive(Clone, Debug)]
pub struct Gradients {
    loss: f64,
    parameters: Vec<(Parameter, Tensor)>,
    /// By the node number of the leaf.
    variables: Vec<(Id, Tensor)>,
    pub(crate) states: Vec<NextState>,
    /// The [`Tape::id`](crate::Tape::id) of the tape that the variables are on.
    tape: Option<u64>,
}

impl Gradients {
    /// Gradients that come from elsewhere than a tape.
    pub fn new(loss: f64, parameters: Vec<(Parameter, Tensor)>) -> Gradients {
        Gradients { loss, parameters, variables: Vec::new(), states: Vec::new(), tape: None }
    }

    pub(crate) fn with_variables(self, tape: u64, variables: Vec<(Id, Tensor)>) -> Gradients {
        Gradients { variables, tape: Some(tape), ..self }
    }

    pub(crate) fn with_states(self, states: Vec<NextState>) -> Gradients {
        Gradients { states, ..self }
    }

    /// The value of the loss.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The gradient with respect to a parameter; `None` if the loss does not depend on it.
    pub fn get(&self, parameter: &Parameter) -> Option<&Tensor> {
        let found = self.parameters.iter().find(|(p, _)| p.id() == parameter.id());
        found.map(|(_, gradient)| gradient)
    }

    /// The gradient with respect to a variable; `None` if it is not one of this loss, or of another
    /// tape: a copy is another one, too. It may be one number, repeated, as that of a sum is:
    /// [`contiguous`](Tensor::contiguous) writes it out.
    pub fn of(&self, variable: Var<'_>) -> Option<&Tensor> {
        if self.tape != Some(variable.tape().id()) {
            return None;
        }
        let found = self.variables.iter().find(|(id, _)| *id == variable.id());
        found.map(|(_, gradient)| gradient)
    }

    /// The parameters that have a gradient, in the order in which the tape met them.
    pub fn parameters(&self) -> &[(Parameter, Tensor)] {
        &self.parameters
    }

    /// The same, to change the gradients, as clipping does.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        self.parameters.iter_mut().map(|(_, gradient)| gradient)
    }

    /// Adds the gradients, and the loss, of another tape or batch: parameter by parameter, and one
    /// that only `other` has a gradient of comes along. A state, such as a running mean, becomes the mean
    /// of what the batches make of it. What belongs to the nodes of a tape does not
    /// add up: [`of`](Gradients::of) has no gradients of variables any more.
    ///
    /// ```
    /// use lossgraph_autograd::{Gradients, Parameter, Tape};
    ///
    /// let w = Parameter::new("w", 3.0);
    /// let mut total: Option<Gradients> = None;
    /// for batch in [[1.0, 2.0], [3.0, 4.0]] {
    ///     let tape = Tape::f64();
    ///     let gradients = (tape.parameter(&w) * tape.constant(batch)).mean(..).backward()?;
    ///     match &mut total {
    ///         Some(total) => total.accumulate(&gradients)?,
    ///         None => total = Some(gradients),
    ///     }
    /// }
    /// let mut mean = total.unwrap();
    /// mean.scale(1.0 / 2.0);
    /// assert_eq!(mean.get(&w).unwrap().item()?, 2.5);
    /// assert_eq!(mean.loss(), 7.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Gradients of one parameter that differ in shape or type. Then nothing has changed.
    pub fn accumulate(&mut self, other: &Gradients) -> Result<()> {
        let known = indices(self.parameters.iter().map(|(parameter, _)| parameter));
        for (parameter, new) in &other.parameters {
            if let Some(&at) = known.get(&parameter.id()) {
                add_up("gradient", parameter, &self.parameters[at].1, new)?;
            }
        }
        let known_states = indices(self.states.iter().map(|known| &known.state));
        for next in &other.states {
            if let Some(&at) = known_states.get(&next.state.id()) {
                add_up("next value", &next.state, &self.states[at].value, &next.value)?;
            }
        }
        for (parameter, new) in &other.parameters {
            match known.get(&parameter.id()).copied() {
                None => self.parameters.push((parameter.clone(), new.clone())),
                Some(at) => {
                    let sum = &mut self.parameters[at].1;
                    match sum.dtype() {
                        DType::F32 => add::<f32>(sum, new),
                        DType::F64 => add::<f64>(sum, new),
                        DType::I64 => {}
                    }
                }
            }
        }
        for next in &other.states {
            match known_states.get(&next.state.id()).copied() {
                Some(at) => self.states[at].accumulate(next),
                None => self.states.push(next.clone()),
            }
        }
        self.loss += other.loss;
        self.variables.clear();
        Ok(())
    }

    /// Multiplies all gradients, and the loss, by a number: 1 over the count of batches makes their
    /// sum a mean.
    pub fn scale(&mut self, factor: f64) {
        self.loss *= factor;
        let variables = self.variables.iter_mut().map(|(_, gradient)| gradient);
        for gradient in self.parameters.iter_mut().map(|(_, gradient)| gradient).chain(variables) {
            match gradient.dtype() {
                DType::F32 => multiply::<f32>(gradient, factor),
                DType::F64 => multiply::<f64>(gradient, factor),
                DType::I64 => {}
            }
        }
    }
}

/// Where each parameter stands in a list, by its number; of several, the first.
fn indices<'a>(
    parameters: impl DoubleEndedIterator<Item = &'a Parameter> + ExactSizeIterator,
) -> HashMap<u64, usize> {
    parameters.enumerate().rev().map(|(at, parameter)| (parameter.id(), at)).collect()
}

/// `Ok` if two tensors that belong to a parameter can be added.
fn add_up(what: &str, of: &Parameter, old: &Tensor, new: &Tensor) -> Result<()> {
    if (old.shape(), old.dtype()) == (new.shape(), new.dtype()) {
        return Ok(());
    }
    let [old, new] = [old, new].map(|tensor| format!("{} {}", tensor.shape(), tensor.dtype()));
    let message = format!("the {what} of `{}` is {old}, and that to be added {new}", of.name());
    let cure = "record all batches on tapes of one type";
    Err(Fault::new("accumulate", message).cure(cure).into_error())
}

fn add<T: Float>(sum: &mut Tensor, term: &Tensor) {
    let term = term.contiguous();
    let (Some(sum), Some(term)) = (sum.as_mut_slice::<T>(), term.as_slice::<T>()) else { return };
    sum.iter_mut().zip(term).for_each(|(sum, &term)| *sum = *sum + term);
}

fn multiply<T: Float>(tensor: &mut Tensor, factor: f64) {
    let factor = T::of(factor);
    tensor.as_mut_slice::<T>().into_iter().flatten().for_each(|x| *x = *x * factor);
}

impl Tape {
    /// What is wrong with a result that depends on two values of one parameter, one as it was before
    /// a change and one as it was after.
    pub(crate) fn two_values(&self, operation: &str, a: Var<'_>, b: Var<'_>) -> Fault {
        let recording = self.recording();
        let name = recording.parameter(a.id()).map_or("", Parameter::name);
        let why = format!("parameter `{name}` was changed between two uses");
        drop(recording);
        let [before, after] = if a.id() < b.id() { [a, b] } else { [b, a] };
        Fault::new(operation, why).operand("before", before).operand("after", after).cure(
            "record all that depends on it again after the change, or detach() what keeps the old value",
        )
    }
}
