//! The tape: a program as it was written, node by node.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt::Display;
use std::ops::Range;
use std::panic::Location;

use lossgraph_tensor::{DType, Shape, Tensor};
use smallvec::SmallVec;

use crate::ops::op::{Fill, Invalid, Leaf, Number, Op};
use crate::plan::Fusion;
use crate::probe::FaultInjector;
use crate::record::call::Call;
use crate::record::fault::{Error, Fault};
use crate::record::node::{Id, Inputs, Node};
use crate::record::parameter::Parameter;
use crate::record::scope::{Origin, ScopeInfo, TOP};
use crate::record::var::Var;

/// A recorded program. Its float type is fixed: [`Tape::new`] computes in `f32`, for training;
/// [`Tape::f64`] in `f64`, for checking. A loss is written once and runs on either.
///
/// Recording computes nothing. Training records one tape a step: equal programs share one plan.
pub struct Tape {
    dtype: DType,
    strict: bool,
    fusion: Fusion,
    /// Wrong rules, for checking a checker.
    pub(crate) injector: Option<FaultInjector>,
    recording: RefCell<Recording>,
}

/// What a tape has recorded, as parallel tables by node number and side tables by meaning.
pub(crate) struct Recording {
    pub nodes: Vec<Node>,
    /// The hash of all nodes up to and with each one: a plan's key is one look-up.
    pub hashes: Vec<u64>,
    pub origins: Vec<Origin>,
    /// The data of leaves, by node number, ascending.
    pub leaves: Vec<(Id, Tensor)>,
    pub parameters: Vec<(Id, Parameter)>,
    /// What stands for parameters, by their [`Parameter::id`]; the last one of several.
    pub substitutes: Vec<(u64, Id)>,
    /// Values that were requested and computed, by node number, ascending; a plan starts from them.
    pub values: Vec<(Id, Tensor)>,
    pub faults: Vec<Fault>,
    pub scopes: Vec<ScopeInfo>,
    pub scope: u32,
    pub call: Call,
    /// The nodes of each [`Tape::remat`], ascending.
    pub rematerialized: Vec<Range<Id>>,
    /// The forward node that nodes being recorded serve, in an adjoint pass.
    pub serves: Option<Id>,
}

/// A node as listings and pictures see it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The number of the node on its tape.
    pub id: usize,
    /// The op's name.
    pub op: &'static str,
    /// What else the op was told, as text: `axes 0, 2` of a reduction, `-1, 1` of a clamp; often empty.
    pub attributes: String,
    /// The numbers of its inputs.
    pub inputs: Vec<usize>,
    /// The shape of its value.
    pub shape: Shape,
    /// The innermost scope, as an index into [`Tape::scopes`].
    pub scope: Option<usize>,
    /// Where in the program it was recorded.
    pub location: &'static Location<'static>,
    /// For a node of an adjoint pass, the forward node that it serves.
    pub serves: Option<usize>,
    /// The name of the parameter, for a parameter's leaf.
    pub parameter: Option<String>,
    /// How a leaf came onto the tape.
    pub leaf: Option<Leaf>,
    /// The number of a constant of the program.
    pub fill: Option<f64>,
}

impl Recording {
    fn new() -> Recording {
        Recording {
            nodes: Vec::with_capacity(64),
            hashes: Vec::with_capacity(64),
            origins: Vec::with_capacity(64),
            leaves: Vec::new(),
            parameters: Vec::new(),
            substitutes: Vec::new(),
            values: Vec::new(),
            faults: Vec::new(),
            scopes: Vec::new(),
            scope: TOP,
            call: Call::default(),
            rematerialized: Vec::new(),
            serves: None,
        }
    }

    #[inline]
    pub fn push(&mut self, node: Node, location: &'static Location<'static>) -> Id {
        let location = self.call.location.unwrap_or(location);
        self.push_from(node, Origin { location, scope: self.scope, serves: self.serves })
    }

    #[inline]
    pub fn push_from(&mut self, node: Node, origin: Origin) -> Id {
        let id = self.nodes.len() as Id;
        let before = self.hashes.last().copied().unwrap_or(0);
        self.hashes.push(node.hash_after(before));
        self.nodes.push(node);
        self.origins.push(origin);
        id
    }

    /// The data of a leaf.
    pub fn leaf(&self, id: Id) -> Option<&Tensor> {
        of(&self.leaves, id)
    }

    /// The data of a leaf, or a value that was requested before.
    pub fn known(&self, id: Id) -> Option<&Tensor> {
        self.leaf(id).or_else(|| of(&self.values, id))
    }

    /// The parameter whose value a leaf is.
    pub fn parameter(&self, leaf: Id) -> Option<&Parameter> {
        of(&self.parameters, leaf)
    }

    /// The node that stands for a parameter, or else its leaf, if it has one.
    fn node_of(&self, parameter: &Parameter) -> Option<Id> {
        let id = parameter.id();
        let substitute = self.substitutes.iter().rev().find(|(of, _)| *of == id).map(|s| s.1);
        let leaf = || self.parameters.iter().find(|(_, p)| p.id() == id).map(|p| p.0);
        substitute.or_else(leaf)
    }

    /// Remembers the value of a node; that of a leaf is known.
    pub fn remember(&mut self, id: Id, value: Tensor) {
        let position = self.values.binary_search_by_key(&id, |(id, _)| *id);
        if let (None, Err(at)) = (self.leaf(id), position) {
            self.values.insert(at, (id, value));
        }
    }
}

impl Default for Tape {
    fn default() -> Tape {
        Tape::new()
    }
}

impl Tape {
    /// An empty tape that computes in `f32`.
    pub fn new() -> Tape {
        Tape::of(DType::F32)
    }

    /// An empty tape that computes in `f64`.
    pub fn f64() -> Tape {
        Tape::of(DType::F64)
    }

    /// An empty tape that computes in `dtype`; integers, which have no derivative, give `f32`.
    pub fn with_dtype(dtype: DType) -> Tape {
        Tape::of(if dtype.is_float() { dtype } else { DType::F32 })
    }

    fn of(dtype: DType) -> Tape {
        let recording = RefCell::new(Recording::new());
        Tape { dtype, strict: false, fusion: Fusion::Fused, injector: None, recording }
    }

    /// This tape, panicking at the line of a shape error or invalid argument as it is recorded: for debugging.
    pub fn strict(self) -> Tape {
        Tape { strict: true, ..self }
    }

    /// This tape, computing node by node as it was written: the reference that fused passes are
    /// compared with, for tests and for looking at every step.
    pub fn unfused(self) -> Tape {
        Tape { fusion: Fusion::Unfused, ..self }
    }

    pub(crate) fn fusion(&self) -> Fusion {
        self.fusion
    }

    /// The float type that the tape computes in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How many nodes are recorded.
    pub fn len(&self) -> usize {
        self.recording().nodes.len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A leaf: data from outside. Floats become the tape's float type; integers stay. Data that is
    /// no tensor, such as rows of different lengths or a `Result` that is an error, is a fault.
    #[track_caller]
    pub fn constant(&self, data: impl TryInto<Tensor, Error: Display>) -> Var<'_> {
        self.data("constant", Leaf::Constant, data)
    }

    /// A leaf of which [`Var::backward`] gives the gradient; of data as for
    /// [`constant`](Tape::constant).
    #[track_caller]
    pub fn variable(&self, data: impl TryInto<Tensor, Error: Display>) -> Var<'_> {
        self.data("variable", Leaf::Variable, data)
    }

    #[track_caller]
    fn data(&self, name: &str, leaf: Leaf, data: impl TryInto<Tensor, Error: Display>) -> Var<'_> {
        match data.try_into() {
            Ok(data) => self.leaf(leaf, data),
            Err(error) => self.fault(Fault::new(name, error.to_string())),
        }
    }

    /// Class numbers, as an integer leaf of shape `[n]`.
    #[track_caller]
    pub fn labels(&self, labels: &[usize]) -> Var<'_> {
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        self.leaf(Leaf::Constant, Tensor::from(labels))
    }

    /// A number that may differ from step to step, such as a learning rate: a leaf, so that the
    /// plan stays the same. A number written into a formula is part of the plan instead.
    #[track_caller]
    pub fn scalar(&self, value: f64) -> Var<'_> {
        self.leaf(Leaf::Constant, Tensor::from(value))
    }

    /// A parameter of a model, as it is now; a second time, the same node. Inside of
    /// [`with_parameters`](Tape::with_parameters), what stands for it.
    #[track_caller]
    pub fn parameter(&self, parameter: &Parameter) -> Var<'_> {
        let known = self.recording().node_of(parameter);
        if let Some(id) = known {
            return Var::new(self, id);
        }
        let var = self.leaf(Leaf::Parameter, parameter.value());
        self.recording_mut().parameters.push((var.id(), parameter.clone()));
        var
    }

    #[track_caller]
    fn leaf(&self, leaf: Leaf, data: Tensor) -> Var<'_> {
        let data = match data.dtype() {
            dtype if dtype.is_float() && dtype != self.dtype => data.to_dtype(self.dtype),
            _ => data,
        };
        let node = Node {
            op: Op::Leaf(leaf),
            inputs: SmallVec::new(),
            shape: data.shape().clone(),
            dtype: data.dtype(),
        };
        let mut recording = self.recording_mut();
        let id = recording.push(node, Location::caller());
        recording.leaves.push((id, data));
        Var::new(self, id)
    }

    /// A tensor of one number, which is part of the program.
    #[track_caller]
    pub fn fill(&self, shape: impl Into<Shape>, value: f64) -> Var<'_> {
        self.record(Op::Fill(Fill(Number(value))), &[], shape.into(), self.dtype)
    }

    /// Records a node. What is computed from a fault is the same fault.
    #[track_caller]
    pub(crate) fn record(&self, op: Op, inputs: &[Var<'_>], shape: Shape, dtype: DType) -> Var<'_> {
        let location = Location::caller();
        let mut recording = self.recording_mut();
        let mut node = Node { op, inputs: Inputs::new(), shape, dtype };
        for input in inputs {
            if !std::ptr::eq(input.tape(), self) {
                let name = node.op.name();
                drop(recording);
                return self.fault(Fault::new(name, "an operand is on another tape"));
            }
            if let Op::Fault(Invalid(fault)) = recording.nodes[input.id() as usize].op {
                node = faulty(fault, self.dtype);
                break;
            }
            node.inputs.push(input.id());
        }
        let id = recording.push(node, location);
        Var::new(self, id)
    }

    /// Records a shape error or an invalid argument. What is computed from the result stays quiet, and requesting its value
    /// gives the fault as an error, with the caller's location.
    #[track_caller]
    pub fn fault(&self, mut fault: Fault) -> Var<'_> {
        let recording = self.recording();
        let mut location = recording.call.location.unwrap_or(Location::caller());
        if let Some(name) = recording.call.name {
            fault.set_operation(name);
        }
        let mut within = Vec::new();
        let mut next = (recording.scope != TOP).then_some(recording.scope as usize);
        while let Some(index) = next {
            let scope = &recording.scopes[index];
            // A loss refuses its operands from inside of its own scope: the location that helps is
            // where the loss was called.
            if scope.name == fault.operation() && within.is_empty() {
                location = scope.location;
            } else {
                within.push(format!(
                    "{} (from {}:{})",
                    scope.name,
                    scope.location.file(),
                    scope.location.line()
                ));
            }
            next = scope.parent;
        }
        drop(recording);
        fault.set_location(location, (!within.is_empty()).then(|| within.join(" in ")));
        if self.strict {
            panic!("{:?}", fault.into_error());
        }
        let mut recording = self.recording_mut();
        let number = recording.faults.len() as u32;
        recording.faults.push(fault);
        let id = recording.push(faulty(number, self.dtype), location);
        Var::new(self, id)
    }

    /// The fault behind a node, if it has one.
    pub(crate) fn fault_of(&self, id: Id) -> Option<Error> {
        let recording = self.recording();
        match recording.nodes[id as usize].op {
            Op::Fault(Invalid(number)) => {
                Some(recording.faults[number as usize].clone().into_error())
            }
            _ => None,
        }
    }

    pub(crate) fn recording(&self) -> Ref<'_, Recording> {
        self.recording.borrow()
    }

    pub(crate) fn recording_mut(&self) -> RefMut<'_, Recording> {
        self.recording.borrow_mut()
    }

    /// A copy, on which more can be recorded without changing this tape. Node numbers are equal;
    /// see [`Tape::var`].
    pub fn copy(&self) -> Tape {
        self.copy_of_first(self.len())
    }

    /// A tape with a copy of the first `count` nodes, on which the planner can go on recording.
    pub(crate) fn copy_of_first(&self, count: usize) -> Tape {
        let from = self.recording();
        let copy = Recording {
            nodes: from.nodes[..count].to_vec(),
            hashes: from.hashes[..count].to_vec(),
            origins: from.origins[..count].to_vec(),
            leaves: from.leaves.iter().filter(|(id, _)| (*id as usize) < count).cloned().collect(),
            parameters: from.parameters.clone(),
            substitutes: Vec::new(),
            values: Vec::new(),
            faults: from.faults.clone(),
            scopes: from.scopes.clone(),
            scope: TOP,
            call: from.call,
            rematerialized: from.rematerialized.clone(),
            serves: None,
        };
        let injector = self.injector.clone();
        Tape { recording: RefCell::new(copy), strict: false, injector, ..*self }
    }

    /// The node with number `id`, for listings and pictures; `None` if there is none.
    pub fn node(&self, id: usize) -> Option<NodeInfo> {
        let recording = self.recording();
        let node = recording.nodes.get(id)?;
        let origin = recording.origins[id];
        let parameter = recording.parameter(id as Id);
        Some(NodeInfo {
            id,
            op: node.op.name(),
            attributes: node.op.family().attributes(),
            inputs: node.inputs.iter().map(|&input| input as usize).collect(),
            shape: node.shape.clone(),
            scope: (origin.scope != TOP).then_some(origin.scope as usize),
            location: origin.location,
            serves: origin.serves.map(|id| id as usize),
            parameter: parameter.map(|p| p.name().to_owned()),
            leaf: match node.op {
                Op::Leaf(leaf) => Some(leaf),
                _ => None,
            },
            fill: match node.op {
                Op::Fill(Fill(number)) => Some(number.0),
                _ => None,
            },
        })
    }

    /// The node with number `id` as a `Var`; `None` if there is none.
    pub fn var(&self, id: usize) -> Option<Var<'_>> {
        (id < self.len()).then(|| Var::new(self, id as Id))
    }
}

/// What a table, ascending by node number, holds for a node.
fn of<T>(table: &[(Id, T)], id: Id) -> Option<&T> {
    let at = table.binary_search_by_key(&id, |(id, _)| *id).ok()?;
    Some(&table[at].1)
}

fn faulty(number: u32, dtype: DType) -> Node {
    Node { op: Op::Fault(Invalid(number)), inputs: Inputs::new(), shape: Shape::from(()), dtype }
}
