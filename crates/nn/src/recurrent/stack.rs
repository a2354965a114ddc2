//! What recurrent layers have in common: cells in layers and directions, and the way through time.

use std::fmt;

use lossgraph_autograd::{Fault, Parameter, Var, concat, stack};
use lossgraph_tensor::DType;
use rand::Rng;
use smallvec::{SmallVec, smallvec};

use super::Recurrent;
use crate::activation::Dropout;
use crate::error::{Error, Result};
use crate::init::Init;
use crate::layer::{Layer, Mode};
use crate::module::Module;

/// What a cell remembers: its hidden state first.
pub(super) type State<'t> = SmallVec<[Var<'t>; 2]>;

/// A kind of cell.
pub(super) struct Kind {
    pub name: &'static str,
    /// How many gates it has, each of as many features as the hidden state.
    pub gates: usize,
    /// The names of what it remembers.
    pub states: &'static [&'static str],
    /// The next state, from what the gates get of the input and of the hidden state before.
    pub step: for<'t> fn(x: Var<'t>, h: Var<'t>, state: &[Var<'t>]) -> State<'t>,
}

/// Cells of one kind: the layers one after another, and in each the directions beside each other.
#[derive(Clone)]
pub(super) struct Stack {
    kind: &'static Kind,
    inputs: usize,
    hidden: usize,
    options: Recurrent,
    cells: Vec<Cell>,
    dropout: Dropout,
}

/// The parameters of a cell.
#[derive(Clone)]
struct Cell {
    weight_ih: Parameter,
    weight_hh: Parameter,
    biases: Option<[Parameter; 2]>,
}

impl Stack {
    pub fn new(
        kind: &'static Kind,
        inputs: usize,
        hidden: usize,
        options: Recurrent,
        rng: &mut impl Rng,
    ) -> Result<Stack> {
        let subject = kind.name;
        for (name, size) in [("hidden", hidden), ("layers", options.layers)] {
            if size == 0 {
                let (given, expected) = (0.0, "1 or more");
                return Err(Error::Option { subject, name, given, expected });
            }
        }
        let directions = directions(options);
        let mut cells = Vec::with_capacity(options.layers * directions);
        for i in 0..options.layers * directions {
            let (layer, direction) = (i / directions, i % directions);
            let inputs = if layer == 0 { inputs } else { hidden * directions };
            let suffix = format!("l{layer}{}", ["", "_reverse"][direction]);
            cells.push(Cell::new(inputs, hidden, kind.gates, options.bias, &suffix, rng)?);
        }
        let dropout = Dropout::within(subject, options.dropout, rng.next_u64())?;
        Ok(Stack { kind, inputs, hidden, options, cells, dropout })
    }

    /// The same cells, which take another step.
    pub fn of_kind(self, kind: &'static Kind) -> Stack {
        Stack { kind, ..self }
    }

    /// The output at every step, `[batch, time, directions · hidden]`, and the last states, each
    /// `[layers · directions, batch, hidden]`. Without a batch, all have no such axis.
    #[track_caller]
    pub fn unroll<'t, const N: usize>(
        &self,
        x: Var<'t>,
        initial: Option<[Var<'t>; N]>,
        mode: Mode,
    ) -> (Var<'t>, State<'t>) {
        let initial = initial.as_ref().map(|states| &states[..]);
        x.tape().named_call(self.kind.name, || match self.refusal(x, initial) {
            Some(fault) => (fault, smallvec![fault; self.kind.states.len()]),
            None if x.rank() == 3 => self.through_time(x, initial, mode),
            None => {
                let batched: Option<State<'t>> =
                    initial.map(|all| all.iter().map(|state| state.unsqueeze(1)).collect());
                let (y, last) = self.through_time(x.unsqueeze(0), batched.as_deref(), mode);
                (y.squeeze(0), last.into_iter().map(|state| state.squeeze(1)).collect())
            }
        })
    }

    /// What is wrong with an input or an initial state.
    fn refusal<'t>(&self, x: Var<'t>, initial: Option<&[Var<'t>]>) -> Option<Var<'t>> {
        let given = initial.unwrap_or_default();
        if let Some(&faulty) = [x].iter().chain(given).find(|var| var.is_faulty()) {
            return Some(faulty);
        }
        let refuse = |why: String, cure: String| {
            let fault = Fault::new(self.kind.name, why).operand("input", x);
            let named = self.kind.states.iter().zip(given);
            let fault = named.fold(fault, |fault, (name, &state)| fault.operand(*name, state));
            Some(x.tape().fault(fault.cure(cure)))
        };
        let inputs = self.inputs;
        if !(2..=3).contains(&x.rank()) || x.dim(-1) != inputs {
            let why = format!("the input is [batch, time, {inputs}], or [time, {inputs}]");
            return refuse(why, format!("a sequence whose steps have {inputs} features"));
        }
        if x.dim(-2) == 0 {
            return refuse("the sequence has no steps".into(), "a sequence of one or more".into());
        }
        let (count, hidden) = (self.cells.len(), self.hidden);
        let expected = match x.rank() {
            3 => vec![count, x.dim(0), hidden],
            _ => vec![count, hidden],
        };
        let mut states = self.kind.states.iter().zip(given);
        let (name, _) = states.find(|(_, state)| state.shape()[..] != expected)?;
        let why = format!("the {name} has to be {expected:?}");
        refuse(why, "the last state of a call with as many examples, or none".into())
    }

    fn through_time<'t>(
        &self,
        x: Var<'t>,
        initial: Option<&[Var<'t>]>,
        mode: Mode,
    ) -> (Var<'t>, State<'t>) {
        let (tape, batch) = (x.tape(), x.dim(0));
        // Time comes first, so that each step reads what lies side by side.
        let mut sequence = x.transpose(0, 1);
        let mut last: Vec<State<'t>> = Vec::with_capacity(self.cells.len());
        for (layer, cells) in self.cells.chunks(directions(self.options)).enumerate() {
            if layer > 0 {
                sequence = self.dropout.forward_in(sequence, mode);
            }
            let mut outputs: SmallVec<[Var<'t>; 2]> = SmallVec::new();
            for (direction, cell) in cells.iter().enumerate() {
                let state = match initial {
                    Some(all) => all.iter().map(|state| state.index(0, last.len())).collect(),
                    None => smallvec![tape.fill([batch, self.hidden], 0.0); self.kind.states.len()],
                };
                let (output, state) = cell.read(self.kind, sequence, state, direction == 1);
                outputs.push(output);
                last.push(state);
            }
            sequence = match outputs[..] {
                [output] => output,
                _ => concat(&outputs, -1),
            };
        }
        let of_all = |i: usize| match &last[..] {
            [state] => state[i].unsqueeze(0),
            all => stack(&all.iter().map(|state| state[i]).collect::<Vec<_>>(), 0),
        };
        (sequence.transpose(0, 1), (0..self.kind.states.len()).map(of_all).collect())
    }
}

fn directions(options: Recurrent) -> usize {
    if options.bidirectional { 2 } else { 1 }
}

impl Cell {
    fn new(
        inputs: usize,
        hidden: usize,
        gates: usize,
        bias: bool,
        suffix: &str,
        rng: &mut impl Rng,
    ) -> Result<Cell> {
        let bound = 1.0 / (hidden as f64).sqrt();
        let mut drawn = |name: &str, shape: &[usize]| -> Result<Parameter> {
            let value = Init::Uniform(-bound, bound).draw(shape, DType::F64, rng)?;
            Ok(Parameter::drawn(format!("{name}_{suffix}"), value))
        };
        let rows = gates * hidden;
        Ok(Cell {
            weight_ih: drawn("weight_ih", &[rows, inputs])?,
            weight_hh: drawn("weight_hh", &[rows, hidden])?,
            biases: match bias {
                true => Some([drawn("bias_ih", &[rows])?, drawn("bias_hh", &[rows])?]),
                false => None,
            },
        })
    }

    /// The hidden states at all steps of a sequence `[time, batch, features]`, and the last state.
    fn read<'t>(
        &self,
        kind: &Kind,
        sequence: Var<'t>,
        mut state: State<'t>,
        backwards: bool,
    ) -> (Var<'t>, State<'t>) {
        let tape = sequence.tape();
        let weight = tape.parameter(&self.weight_hh);
        let [bias_ih, bias_hh] = match &self.biases {
            Some(biases) => biases.each_ref().map(|bias| Some(tape.parameter(bias))),
            None => [None; 2],
        };
        // The inputs of all steps are known, and multiplied at once.
        let of_inputs = sequence.linear(tape.parameter(&self.weight_ih), bias_ih);
        let faults = |fault: Var<'t>| (fault, smallvec![fault; kind.states.len()]);
        if of_inputs.is_faulty() {
            return faults(of_inputs);
        }
        let (of_inputs, steps) = (of_inputs.unbind(0), of_inputs.dim(0));
        let mut outputs = Vec::with_capacity(steps);
        for i in 0..steps {
            let time = if backwards { steps - 1 - i } else { i };
            let of_state = tape.scope(&format!("step {time}"), || {
                let of_state = state[0].linear(weight, bias_hh);
                if !of_state.is_faulty() {
                    state = (kind.step)(of_inputs[time], of_state, &state);
                }
                of_state
            });
            if of_state.is_faulty() {
                return faults(of_state);
            }
            outputs.push(state[0]);
        }
        if backwards {
            outputs.reverse();
        }
        (stack(&outputs, 0), state)
    }

    fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        [&self.weight_ih, &self.weight_hh].into_iter().chain(self.biases.iter().flatten())
    }
}

/// The names are PyTorch's, such as `weight_ih_l0` and `bias_hh_l1_reverse`.
impl Module for Stack {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        let parameters = self.cells.iter().flat_map(Cell::parameters);
        let mut all: Vec<(String, &dyn Module)> =
            parameters.map(|p| (p.name().to_owned(), p as &dyn Module)).collect();
        all.push(("dropout".to_owned(), &self.dropout));
        all
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind.name;
        f.debug_struct(&format!("{}{}", name[..1].to_uppercase(), &name[1..]))
            .field("inputs", &self.inputs)
            .field("hidden", &self.hidden)
            .field("options", &self.options)
            .finish()
    }
}

/// What makes a layer of a struct around a stack.
macro_rules! layer {
    ($type:ident) => {
        impl $crate::Module for $type {
            fn children(&self) -> Vec<(String, &dyn $crate::Module)> {
                self.stack.children()
            }
        }

        /// The output at every step, from a state of zeros.
        impl $crate::Layer for $type {
            #[track_caller]
            fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
                self.forward_from(x, None, mode).0
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.stack.fmt(f)
            }
        }
    };
}

pub(super) use layer;
