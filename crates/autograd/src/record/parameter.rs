//! Parameters: tensors that live longer than a tape, and the gradients a tape gives for them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use lossgraph_tensor::{Shape, Tensor};

use crate::record::fault::{Fault, Result};
use crate::record::node::Id;
use crate::record::var::Var;

/// A tensor that training changes. A clone is the same parameter.
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
}
