//! The tape: a program as it was written, node by node.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

use lossgraph_tensor::{DType, Shape, Tensor};
use smallvec::SmallVec;

use crate::ops::op::{Fill, Invalid, Leaf, Number, Op};
use crate::plan::Fusion;
use crate::probe::FaultInjector;
use crate::record::call::Call;
use crate::record::fault::{Error, Fault};
use crate::record::labels::IntoLabels;
use crate::record::node::{Id, Inputs, Node};
use crate::record::parameter::Parameter;
use crate::record::scope::{Origin, ScopeInfo, TOP};
use crate::record::var::Var;

/// A recorded program. Its float type is fixed: [`Tape::new`] computes in `f32`, for training;
/// [`Tape::f64`] in `f64`, for checking. A loss is written once and runs on either.
///
/// Recording computes nothing. Training records one tape a step: equal programs share one plan.
pub struct Tape {
    id: u64,
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
    /// The node that stands for each state, by its [`Parameter::id`], and its value then.
    pub states: HashMap<u64, (Id, Tensor)>,
    /// What states become, in the order of the program.
    pub assignments: Vec<(Id, Parameter)>,
    /// The last leaf of each parameter, by [`Parameter::id`], with the value that it was recorded with.
    pub parameter_leaves: HashMap<u64, (Id, Tensor)>,
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
    /// Whether nothing more is recorded: whatever would be is its only node, a fault.
    pub sealed: bool,
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
            states: HashMap::new(),
            assignments: Vec::new(),
            parameter_leaves: HashMap::new(),
            substitutes: Vec::new(),
            values: Vec::new(),
            faults: Vec::new(),
            scopes: Vec::new(),
            scope: TOP,
            call: Call::default(),
            rematerialized: Vec::new(),
            serves: None,
            sealed: false,
        }
    }

    #[inline]
    pub fn push(&mut self, node: Node, location: &'static Location<'static>) -> Id {
        let location = self.call.location.unwrap_or(location);
        let (scope, serves, call) = (self.scope, self.serves, self.call.name);
        self.push_from(node, Origin { location, scope, call, serves })
    }

    #[inline]
    pub fn push_from(&mut self, node: Node, origin: Origin) -> Id {
        if self.sealed {
            return 0;
        }
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

    /// Whether a cotangent of a node gives one of an input: none flows into integers.
    pub fn is_differentiable_in(&self, node: &Node, input: usize) -> bool {
        node.op.is_differentiable_in(input)
            && self.nodes[node.inputs[input] as usize].dtype.is_float()
    }

    /// The data of a leaf, or a value that was requested before.
    pub fn known(&self, id: Id) -> Option<&Tensor> {
        self.leaf(id).or_else(|| of(&self.values, id))
    }

    /// The parameter whose value a leaf is.
    pub fn parameter(&self, leaf: Id) -> Option<&Parameter> {
        of(&self.parameters, leaf)
    }

    /// The node that stands for a parameter, or else its leaf, if it has one with this value.
    fn node_of(&self, parameter: &Parameter, value: &Tensor) -> Option<Id> {
        let id = parameter.id();
        let substitute = self.substitutes.iter().rev().find(|(of, _)| *of == id).map(|s| s.1);
        // No tensor changes behind its holder: a value that changed has another buffer.
        let now = |leaf: &&(Id, Tensor)| leaf.1.shares_storage_with(value);
        substitute.or_else(|| self.parameter_leaves.get(&id).filter(now).map(|leaf| leaf.0))
    }

    /// Whether no parameter was recorded with several values, as on most tapes.
    pub fn has_one_leaf_a_parameter(&self) -> bool {
        self.parameters.len() == self.parameter_leaves.len()
    }

    /// Two of these leaves that are of one parameter, with values that it had one after the other.
    pub fn two_values_among(&self, leaves: &[Id]) -> Option<(Id, Id)> {
        if self.has_one_leaf_a_parameter() {
            return None;
        }
        let mut leaf_of = HashMap::new();
        leaves.iter().find_map(|&leaf| {
            let earlier = leaf_of.insert(self.parameter(leaf)?.id(), leaf)?;
            Some((earlier, leaf))
        })
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
        Tape {
            id: next_id(),
            dtype,
            strict: false,
            fusion: Fusion::Fused,
            injector: None,
            recording,
        }
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

    /// A number that no other tape of the process has, a copy of this one included.
    pub fn id(&self) -> u64 {
        self.id
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
    /// [`constant`](Tape::constant). Integers, which have no gradient, are a fault.
    #[track_caller]
    pub fn variable(&self, data: impl TryInto<Tensor, Error: Display>) -> Var<'_> {
        self.data("variable", Leaf::Variable, data)
    }

    /// An input of a program: a [`variable`](Tape::variable) if it holds floats, a
    /// [`constant`](Tape::constant) if it holds integers, which have no gradient.
    #[track_caller]
    pub fn input(&self, data: &Tensor) -> Var<'_> {
        if data.dtype().is_float() { self.variable(data) } else { self.constant(data) }
    }

    #[track_caller]
    fn data(&self, name: &str, leaf: Leaf, data: impl TryInto<Tensor, Error: Display>) -> Var<'_> {
        match data.try_into() {
            Ok(data) if leaf == Leaf::Variable && !data.dtype().is_float() => {
                self.fault(holds_integers(name, "it"))
            }
            Ok(data) => self.leaf(leaf, data),
            Err(error) => self.fault(Fault::new(name, error.to_string())),
        }
    }

    /// Class numbers, as an integer leaf: of any integer type, in a slice, vector, array or tensor.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// let (tape, y) = (Tape::new(), vec![2_i64, 0]);
    /// assert_eq!(tape.labels(&[2, 0]).value()?, tape.labels(&y).value()?);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    #[track_caller]
    pub fn labels(&self, labels: impl IntoLabels) -> Var<'_> {
        let labels = labels.into_labels();
        if labels.dtype().is_float() {
            let fault =
                Fault::new("labels", format!("given {}, expected integers", labels.dtype()));
            return self.fault(fault.cure("x.to_dtype(DType::I64), or x.argmax(axis) of scores"));
        }
        self.leaf(Leaf::Constant, labels)
    }

    /// A number that may differ from step to step, such as a learning rate: a leaf, so that the
    /// plan stays the same. With a number written into a formula, it is another plan the first time
    /// that the number differs, and stays the same from then on.
    #[track_caller]
    pub fn scalar(&self, value: f64) -> Var<'_> {
        self.leaf(Leaf::Constant, Tensor::from(value))
    }

    /// A parameter of a model, as it is now; a second time, the same node, unless its value has
    /// changed since: then a new leaf with the new value. Inside of
    /// [`with_parameters`](Tape::with_parameters), what stands for it.
    ///
    /// ```
    /// use lossgraph_autograd::{Parameter, Tape};
    ///
    /// let w = Parameter::new("w", 3.0);
    /// let tape = Tape::f64();
    /// let before = tape.parameter(&w).square();
    /// w.set(5.0.into())?;
    /// let after = tape.parameter(&w).square();
    /// assert_eq!(before.backward()?.get(&w).unwrap().item()?, 6.0);
    /// assert_eq!(after.backward()?.get(&w).unwrap().item()?, 10.0);
    /// // By which of both values?
    /// assert!((before + after).backward().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as a fault, of the line that made the parameter: integers, which have no gradient.
    #[track_caller]
    pub fn parameter(&self, parameter: &Parameter) -> Var<'_> {
        let value = parameter.value();
        let known = self.recording().node_of(parameter, &value);
        if let Some(id) = known {
            return Var::new(self, id);
        }
        if !value.dtype().is_float() {
            let mut fault = holds_integers("parameter", &format!("`{}`", parameter.name()));
            fault.set_location(parameter.location(), None);
            return self.fault(fault);
        }
        let var = self.leaf(Leaf::Parameter, value.clone());
        let mut recording = self.recording_mut();
        if !recording.sealed {
            recording.parameters.push((var.id(), parameter.clone()));
            recording.parameter_leaves.insert(parameter.id(), (var.id(), value));
        }
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
        if !recording.sealed {
            recording.leaves.push((id, data));
        }
        Var::new(self, id)
    }

    /// A tensor of one number, which is part of the program.
    #[track_caller]
    pub fn fill(&self, shape: impl Into<Shape>, value: f64) -> Var<'_> {
        self.record(Op::Fill(Fill::Float(Number(value))), &[], shape.into(), self.dtype)
    }

    /// A tensor of one integer, which is part of the program.
    #[track_caller]
    pub(crate) fn integers(&self, shape: impl Into<Shape>, value: i64) -> Var<'_> {
        self.record(Op::Fill(Fill::Integer(value)), &[], shape.into(), DType::I64)
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
                let named: SmallVec<[(&str, Var<'_>); 3]> =
                    inputs.iter().map(|&input| ("operand", input)).collect();
                let fault = self.foreign(name, &named);
                return self.fault(fault.unwrap_or_else(|| Fault::new(name, "on another tape")));
            }
            if let Op::Fault(Invalid(fault)) = recording.nodes[input.id() as usize].op {
                node = faulty(fault, self.dtype);
                break;
            }
            node.inputs.push(input.id());
        }
        if !node.shape.is_addressable() {
            let why = format!("shape {} has more elements than memory has addresses", node.shape);
            let fault = Fault::new(node.op.name(), why);
            drop(recording);
            let fault = inputs.iter().fold(fault, |fault, &input| fault.operand("input", input));
            return self.fault(fault);
        }
        let id = recording.push(node, location);
        Var::new(self, id)
    }

    /// Records a shape error or an invalid argument. What is computed from the result stays quiet, and requesting its value
    /// gives the fault as an error, with the caller's location.
    #[track_caller]
    pub fn fault(&self, mut fault: Fault) -> Var<'_> {
        let recording = self.recording();
        if recording.sealed {
            return Var::new(self, 0);
        }
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

    /// What is wrong with the nodes that an operation is given, if one of them is on another tape: it
    /// is named, and one that is on this tape.
    pub(crate) fn foreign(&self, operation: &str, vars: &[(&str, Var<'_>)]) -> Option<Fault> {
        let is_here = |(_, var): &&(&str, Var<'_>)| std::ptr::eq(var.tape(), self);
        let foreign = vars.iter().find(|each| !is_here(each))?;
        // What was wrong before says more than the tape on which it was.
        if let Some(fault) = foreign.1.tape().fault_at(foreign.1.id()) {
            return Some(fault);
        }
        let fault = Fault::new(operation, format!("the {} is on another tape", foreign.0));
        let named = vars.iter().find(is_here).into_iter().chain([foreign]);
        let fault = named.fold(fault, |fault, &(name, var)| fault.operand(name, var));
        Some(fault.cure("record both on one tape; a value crosses by tape.constant(x.value()?)"))
    }

    /// A fault if one of the nodes that an operation is given is on another tape.
    #[track_caller]
    pub(crate) fn admit<'t>(
        &'t self,
        operation: &str,
        vars: &[(&str, Var<'_>)],
    ) -> Option<Var<'t>> {
        let here = vars.iter().all(|(_, var)| std::ptr::eq(var.tape(), self));
        if here { None } else { Some(self.fault(self.foreign(operation, vars)?)) }
    }

    /// A tape of one fault, on which nothing more is recorded.
    #[track_caller]
    pub(crate) fn of_fault(fault: Fault) -> Tape {
        let tape = Tape::new();
        let _ = tape.fault(fault);
        tape.recording_mut().sealed = true;
        tape
    }

    /// The fault behind a node, if it has one.
    pub(crate) fn fault_of(&self, id: Id) -> Option<Error> {
        self.fault_at(id).map(Fault::into_error)
    }

    fn fault_at(&self, id: Id) -> Option<Fault> {
        let recording = self.recording();
        match recording.nodes[id as usize].op {
            Op::Fault(Invalid(number)) => Some(recording.faults[number as usize].clone()),
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
            leaves: below(&from.leaves, count),
            parameters: below(&from.parameters, count),
            states: from.states.clone(),
            assignments: below(&from.assignments, count),
            parameter_leaves: from.parameter_leaves.clone(),
            substitutes: Vec::new(),
            values: Vec::new(),
            faults: from.faults.clone(),
            scopes: from.scopes.clone(),
            scope: TOP,
            call: from.call,
            rematerialized: from.rematerialized.clone(),
            serves: None,
            sealed: from.sealed,
        };
        let injector = self.injector.clone();
        let recording = RefCell::new(copy);
        Tape { id: next_id(), recording, strict: false, injector, ..*self }
    }

    /// An empty tape of the same kind: of the same float type, and with the same faults injected.
    pub fn emptied(&self) -> Tape {
        let (recording, injector) = (RefCell::new(Recording::new()), self.injector.clone());
        Tape { id: next_id(), recording, strict: false, injector, ..*self }
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
                Op::Fill(Fill::Float(number)) => Some(number.0),
                Op::Fill(Fill::Integer(number)) => Some(number as f64),
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
pub(crate) fn of<T>(table: &[(Id, T)], id: Id) -> Option<&T> {
    let at = table.binary_search_by_key(&id, |(id, _)| *id).ok()?;
    Some(&table[at].1)
}

/// The part of a table, ascending by node number, that is about the first `count` nodes.
fn below<T: Clone>(table: &[(Id, T)], count: usize) -> Vec<(Id, T)> {
    table[..table.partition_point(|(id, _)| (*id as usize) < count)].to_vec()
}

/// What an operation says that has to differentiate by integers.
fn holds_integers(operation: &str, what: &str) -> Fault {
    Fault::new(operation, format!("{what} holds integers, which have no gradient"))
        .cure("2.0 instead of 2; tape.constant(…) for labels and indices")
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn faulty(number: u32, dtype: DType) -> Node {
    Node { op: Op::Fault(Invalid(number)), inputs: Inputs::new(), shape: Shape::from(()), dtype }
}
