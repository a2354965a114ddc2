//! State: what a layer carries from step to step beside its parameters, such as a running mean.

use std::collections::HashSet;

use lossgraph_tensor::{DType, Tensor};

use crate::record::fault::{Fault, Result};
use crate::record::node::Id;
use crate::record::parameter::{Gradients, Parameter};
use crate::record::tape::{Recording, Tape};
use crate::record::var::Var;

impl Tape {
    /// A state of a model, such as a running mean, as it is at this point of the program: what was
    /// last [assigned](Tape::assign) on this tape, or else its value, as after it was written or set
    /// elsewhere. No gradient flows into it.
    #[track_caller]
    pub fn state(&self, state: &Parameter) -> Var<'_> {
        let value = state.value();
        // As for parameters: a value that changed has another buffer.
        let known = self.recording().states.get(&state.id()).cloned();
        if let Some((id, _)) = known.filter(|(_, then)| then.shares_storage_with(&value)) {
            return Var::new(self, id);
        }
        let var = self.constant(&value);
        self.recording_mut().set_state(state, var.id(), value);
        var
    }

    /// Records what a state becomes. Nothing is computed: [`Var::backward`] of a loss that is
    /// recorded later computes it in the same run as the gradients, and hands it over with them. It
    /// is written by an optimizer's step, or by [`Gradients::commit`], once everything is known to be
    /// finite. A program that is only evaluated changes no state.
    ///
    /// ```
    /// use lossgraph_autograd::{Parameter, Tape};
    ///
    /// let (w, steps) = (Parameter::new("w", 3.0), Parameter::new("steps", 0.0));
    /// let tape = Tape::f64();
    /// tape.assign(&steps, tape.state(&steps) + 1.0);
    /// let gradients = tape.parameter(&w).square().backward()?;
    /// assert_eq!(steps.value().item()?, 0.0);
    /// gradients.commit()?;
    /// assert_eq!(steps.value().item()?, 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A node whose shape is not that of the state, or that is on another tape: `backward` says so.
    #[track_caller]
    pub fn assign(&self, state: &Parameter, next: Var<'_>) {
        let _call = self.call("assign");
        let next = if let Some(fault) = self.admit("assign", &[("node", next)]) {
            fault
        } else if !next.is_faulty() && !next.has_shape(&state.shape()) {
            let why = format!("the state `{}` is {}", state.name(), state.shape());
            self.fault(Fault::new("assign", why).operand("given", next))
        } else {
            Var::new(self, next.id()).detach()
        };
        let mut recording = self.recording_mut();
        recording.set_state(state, next.id(), state.value());
        if !recording.sealed {
            recording.assignments.push((next.id(), state.clone()));
        }
    }

    /// What each state becomes by the assignments before a node: the last one of each.
    pub(crate) fn assigned_before(&self, id: Id) -> Vec<(Parameter, Id)> {
        let recording = self.recording();
        let before = recording.assignments.partition_point(|(at, _)| *at < id);
        let mut seen = HashSet::new();
        let last = recording.assignments[..before].iter().rev();
        let mut last: Vec<(Parameter, Id)> = last
            .filter(|(_, state)| seen.insert(state.id()))
            .map(|(at, state)| (state.clone(), *at))
            .collect();
        last.reverse();
        last
    }
}

impl Recording {
    /// Notes the node that stands for a state while it has a value.
    fn set_state(&mut self, state: &Parameter, node: Id, value: Tensor) {
        if !self.sealed {
            self.states.insert(state.id(), (node, value));
        }
    }
}

/// What a state becomes, as computed by so many backward passes: the mean of them.
#[derive(Clone, Debug)]
pub(crate) struct NextState {
    pub state: Parameter,
    pub value: Tensor,
    pub passes: u32,
}

impl NextState {
    /// Takes in what another pass gives, of the same shape and type. Integers, which count, are those
    /// of the later one.
    pub fn accumulate(&mut self, other: &NextState) {
        self.passes += other.passes;
        let share = f64::from(other.passes) / f64::from(self.passes);
        let mean = || (&other.value - &self.value)? * share;
        self.value = match self.value.dtype() {
            DType::I64 => other.value.clone(),
            _ => mean().and_then(|step| &self.value + step).unwrap_or_else(|_| other.value.clone()),
        };
    }

    /// The value in the type of the state, if the state may take it.
    fn checked(&self) -> Result<Tensor> {
        let old = self.state.value();
        let value = self.value.to_dtype(old.dtype());
        let refuse =
            |why: String, cure: &str| Err(Fault::new("commit", why).cure(cure).into_error());
        let name = self.state.name();
        if value.shape() != old.shape() {
            let why =
                format!("the state `{name}` is {}, and would be {}", old.shape(), value.shape());
            return refuse(why, "commit the gradients before the model is changed");
        }
        if !value.to_f64s().iter().all(|x| x.is_finite()) {
            let why = format!("the state `{name}` would not be finite; all states are as before");
            return refuse(why, "tape.find_nan(loss) names the op that made it");
        }
        Ok(value)
    }
}

impl Gradients {
    /// What the program assigned to states, such as the running statistics of batch normalization,
    /// with the states.
    pub fn next_states(&self) -> impl Iterator<Item = (&Parameter, &Tensor)> {
        self.states.iter().map(|next| (&next.state, &next.value))
    }

    /// With what states become, for gradients that come from elsewhere than a tape: each value of the
    /// shape of its state, else [`commit`](Gradients::commit) refuses it. They replace what was assigned
    /// before.
    #[must_use = "it gives the gradients back"]
    pub fn assigning(self, states: Vec<(Parameter, Tensor)>) -> Gradients {
        let next = |(state, value)| NextState { state, value, passes: 1 };
        self.with_states(states.into_iter().map(next).collect())
    }

    /// Writes what the program assigned to states, such as the running statistics of batch
    /// normalization. An optimizer's step does it; it is for steps of one's own. To write the same
    /// gradients twice changes nothing.
    ///
    /// # Errors
    /// A state that would not be finite, or of another shape. Then none is written.
    pub fn commit(&self) -> Result<()> {
        let values: Vec<Tensor> =
            self.states.iter().map(NextState::checked).collect::<Result<_>>()?;
        for (next, value) in self.states.iter().zip(values) {
            next.state.update(|state| *state = value);
        }
        Ok(())
    }
}
