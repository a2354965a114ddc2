//! A parameter in an optimizer, with its state.

use lossgraph_autograd::Parameter;
use lossgraph_tensor::{DType, Shape, Tensor};

use super::UpdateRule;
use super::pass::{all_finite, apply};
use crate::error::{Error, Result};

/// A parameter and its state.
#[derive(Debug)]
pub(super) struct Slot {
    /// The name that leads to the parameter in its model, or else its own.
    pub name: String,
    pub parameter: Parameter,
    /// The shape that it had when the states were made.
    shape: Shape,
    /// How many steps it has taken.
    pub step: i32,
    pub states: States,
    /// The value before the last step: a buffer for the next one. The tape of a step usually lives
    /// until the step is over, and holds the value that it was recorded with.
    before: Option<Tensor>,
}

#[derive(Debug)]
pub(super) enum States {
    F32(Vec<Vec<f32>>),
    F64(Vec<Vec<f64>>),
}

impl Slot {
    pub fn new<R: UpdateRule>(rule: &R, name: String, parameter: Parameter) -> Slot {
        // A parameter by itself is a module without a name within itself.
        let name = if name.is_empty() { parameter.name().to_owned() } else { name };
        let value = parameter.value();
        let states = States::new(&value, R::STATES, rule.initial_state());
        Slot { name, parameter, shape: value.shape().clone(), step: 0, states, before: None }
    }

    pub fn validate(&self, gradient: &Tensor) -> Result<()> {
        let parameter = || self.name.clone();
        let value = self.parameter.value();
        let of = |tensor: &Tensor| (tensor.shape().clone(), tensor.dtype());
        if value.shape() != gradient.shape() || value.dtype() != gradient.dtype() {
            let (given, expected) = (of(gradient), of(&value));
            return Err(Error::Gradient { parameter: parameter().into(), given, expected });
        }
        let (given, expected) = (of(&value), (self.shape.clone(), self.states.dtype()));
        if given != expected {
            return Err(Error::State { parameter: parameter().into(), given, expected });
        }
        let finite = match gradient.dtype() {
            DType::F32 => all_finite::<f32>(gradient),
            _ => all_finite::<f64>(gradient),
        };
        if finite {
            Ok(())
        } else {
            Err(Error::NotFinite { subject: "step", parameter: parameter() })
        }
    }

    pub fn update(&mut self, rule: &impl UpdateRule, gradient: &Tensor) {
        self.step = self.step.saturating_add(1);
        let (step, states, before) = (self.step, &mut self.states, &mut self.before);
        self.parameter.update(|value| match states {
            States::F32(states) => apply(rule, step, value, gradient, states, before),
            States::F64(states) => apply(rule, step, value, gradient, states, before),
        });
    }
}

impl States {
    fn new(like: &Tensor, count: usize, start: f64) -> States {
        match like.dtype() {
            DType::F32 => States::F32(vec![vec![start as f32; like.len()]; count]),
            _ => States::F64(vec![vec![start; like.len()]; count]),
        }
    }

    pub fn dtype(&self) -> DType {
        match self {
            States::F32(_) => DType::F32,
            States::F64(_) => DType::F64,
        }
    }
}
