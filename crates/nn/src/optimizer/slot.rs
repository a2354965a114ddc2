//! A parameter in an optimizer, with its state.

use lossgraph_autograd::Parameter;
use lossgraph_tensor::{DType, Shape, Tensor};

use super::pass::{Piece, all_finite, apply};
use super::rule::{Rule, State, Step};
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
    /// What changes with its steps, besides states.
    pub numbers: Vec<f64>,
    pub states: States,
    /// The shapes of the states.
    pub shapes: Vec<Shape>,
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
    pub fn new(rule: &dyn Rule, name: String, parameter: Parameter) -> Slot {
        // A parameter by itself is a module without a name within itself.
        let name = if name.is_empty() { parameter.name().to_owned() } else { name };
        let value = parameter.value();
        let shape = value.shape().clone();
        let initial = rule.states(&shape);
        let states = States::new(value.dtype(), &initial);
        let shapes = initial.into_iter().map(|state| state.shape).collect();
        let numbers = vec![0.0; rule.numbers()];
        Slot { name, parameter, shape, step: 0, numbers, states, shapes, before: None }
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

    pub fn update(&mut self, rule: &dyn Rule, gradient: &Tensor) {
        self.step = self.step.saturating_add(1);
        rule.advance(self.step, &mut self.numbers);
        let step = Step { count: self.step, shape: &self.shape, numbers: &self.numbers };
        let (states, before) = (&mut self.states, &mut self.before);
        self.parameter.update(|value| match states {
            States::F32(states) => {
                let update = |piece: Piece<'_, f32>| rule.update_f32(&step, piece);
                apply(&update, rule.granularity(), value, gradient, states, before);
            }
            States::F64(states) => {
                let update = |piece: Piece<'_, f64>| rule.update_f64(&step, piece);
                apply(&update, rule.granularity(), value, gradient, states, before);
            }
        });
    }
}

impl States {
    fn new(dtype: DType, initial: &[State]) -> States {
        let len = |state: &State| state.shape.iter().product();
        match dtype {
            DType::F32 => States::F32(
                initial.iter().map(|state| vec![state.initial as f32; len(state)]).collect(),
            ),
            _ => States::F64(initial.iter().map(|state| vec![state.initial; len(state)]).collect()),
        }
    }

    pub fn count(&self) -> usize {
        match self {
            States::F32(states) => states.len(),
            States::F64(states) => states.len(),
        }
    }

    pub fn dtype(&self) -> DType {
        match self {
            States::F32(_) => DType::F32,
            States::F64(_) => DType::F64,
        }
    }
}
