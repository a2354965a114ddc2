//! Parameters: tensors that live longer than a tape, and the gradients a tape gives for them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use lossgraph_tensor::{DType, Float, Shape, Tensor};

use crate::record::fault::{Fault, Result};
use crate::record::node::Id;
use crate::record::var::Var;

/// A tensor that training changes. A clone is the same parameter: what one sees, the other sees.
#[derive(Clone)]
pub struct Parameter(Arc<Inner>);

struct Inner {
    id: u64,
    name: String,
    value: RwLock<Tensor>,
}

impl Parameter {
    /// A new parameter with its first value.
    pub fn new(name: impl Into<String>, value: impl Into<Tensor>) -> Parameter {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Parameter(Arc::new(Inner { id, name: name.into(), value: RwLock::new(value.into()) }))
    }

    /// Its name within its layer, such as `weight`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A number that no other parameter of the process has.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The value as it is now; shared, not copied.
    pub fn value(&self) -> Tensor {
        self.0.value.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// The shape of the value.
    pub fn shape(&self) -> Shape {
        self.value().shape().clone()
    }

    /// Replaces the value by one of the same shape.
    pub fn set(&self, value: Tensor) -> Result<()> {
        let old = self.value();
        if old.shape() != value.shape() {
            let message =
                format!("`{}` has shape {}, given {}", self.name(), old.shape(), value.shape());
            return Err(Fault::new("parameter.set", message).into_error());
        }
        *self.0.value.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = value;
        Ok(())
    }

    /// Changes the value in place. `change` sees the tensor itself, so that writing to it copies
    /// only when somebody else, such as a tape, still holds it.
    pub fn update<R>(&self, change: impl FnOnce(&mut Tensor) -> R) -> R {
        change(&mut self.0.value.write().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.shape())
    }
}

/// What [`Var::backward`](crate::Var::backward) gives: the loss, and its gradient with respect
/// to each parameter and variable that it depends on.
#[derive(Clone, Debug)]
pub struct Gradients {
    loss: f64,
    parameters: Vec<(Parameter, Tensor)>,
    /// By the node number of the leaf.
    variables: Vec<(Id, Tensor)>,
}

impl Gradients {
    /// Gradients that come from elsewhere than a tape.
    pub fn new(loss: f64, parameters: Vec<(Parameter, Tensor)>) -> Gradients {
        Gradients { loss, parameters, variables: Vec::new() }
    }

    pub(crate) fn with_variables(self, variables: Vec<(Id, Tensor)>) -> Gradients {
        Gradients { variables, ..self }
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

    /// The gradient with respect to a variable; `None` if it is not one of this loss.
    pub fn of(&self, variable: Var<'_>) -> Option<&Tensor> {
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
    /// that only `other` has a gradient of comes along. What belongs to the nodes of a tape does not
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
        let find = |of: &Parameter, all: &[(Parameter, Tensor)]| {
            all.iter().position(|(p, _)| p.id() == of.id())
        };
        for (parameter, new) in &other.parameters {
            let Some(at) = find(parameter, &self.parameters) else { continue };
            let old = &self.parameters[at].1;
            if (old.shape(), old.dtype()) != (new.shape(), new.dtype()) {
                let name = parameter.name();
                let (shape, dtype) = (new.shape(), new.dtype());
                let message = format!(
                    "the gradient of `{name}` is {} {}, and that to be added {shape} {dtype}",
                    old.shape(),
                    old.dtype()
                );
                let cure = "record all batches on tapes of one type";
                return Err(Fault::new("accumulate", message).cure(cure).into_error());
            }
        }
        for (parameter, new) in &other.parameters {
            match find(parameter, &self.parameters) {
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

fn add<T: Float>(sum: &mut Tensor, term: &Tensor) {
    let term = term.contiguous();
    let (Some(sum), Some(term)) = (sum.as_mut_slice::<T>(), term.as_slice::<T>()) else { return };
    sum.iter_mut().zip(term).for_each(|(sum, &term)| *sum = *sum + term);
}

fn multiply<T: Float>(tensor: &mut Tensor, factor: f64) {
    let factor = T::of(factor);
    tensor.as_mut_slice::<T>().into_iter().flatten().for_each(|x| *x = *x * factor);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn gradients_of_two_halves_add_up_to_that_of_the_whole() {
        let (w, b) = (Parameter::new("w", [1.0_f32, -2.0]), Parameter::new("b", [0.5_f32]));
        let data = Tensor::from([[1.0, 2.0], [3.0, 5.0], [-1.0, 4.0], [0.0, -8.0]]);
        let gradients = |first: usize, count: usize| {
            let tape = Tape::new();
            let x = tape.constant(data.narrow(0, first, count).unwrap());
            let y = (x * tape.parameter(&w)).sum(1) + tape.parameter(&b);
            y.square().mean(..).backward().unwrap()
        };
        let mut halves = gradients(0, 2);
        halves.accumulate(&gradients(2, 2)).unwrap();
        halves.scale(0.5);
        let whole = gradients(0, 4);
        assert!((halves.loss() - whole.loss()).abs() < 1e-5);
        for parameter in [&w, &b] {
            let [a, b] = [&halves, &whole].map(|g| g.get(parameter).unwrap());
            assert!(a.allclose(b, 1e-6, 0.0), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn gradients_add_by_parameter_and_not_by_place() {
        let [a, b] = ["w", "w"].map(|name| Parameter::new(name, [0.0]));
        let of = |p: &Parameter, x: f64| (p.clone(), Tensor::from([x]));
        let mut sum = Gradients::new(1.0, vec![of(&a, 1.0)]);
        let held = sum.clone();
        sum.accumulate(&Gradients::new(2.0, vec![of(&b, 10.0), of(&a, 5.0)])).unwrap();
        let at = |gradients: &Gradients, p| gradients.get(p).map(Tensor::to_f64s);
        assert_eq!((at(&sum, &a), at(&sum, &b)), (Some(vec![6.0]), Some(vec![10.0])));
        assert_eq!((at(&held, &a), sum.loss()), (Some(vec![1.0]), 3.0));
        let wrong = Gradients::new(9.0, vec![of(&b, 1.0), (a.clone(), Tensor::from([1.0_f32]))]);
        let error = sum.accumulate(&wrong).unwrap_err().to_string();
        let expected = "accumulate: the gradient of `w` is [1] f64, and that to be added [1] f32";
        assert_eq!(error, expected);
        assert_eq!((at(&sum, &b), sum.loss()), (Some(vec![10.0]), 3.0));
    }
}
