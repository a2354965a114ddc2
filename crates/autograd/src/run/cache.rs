//! Requests to a tape: finds the plan of an equal program, or makes one, and runs it.

use std::hash::Hasher;
use std::panic::Location;
use std::rc::Rc;

use lossgraph_tensor::{DType, Tensor};
use smallvec::SmallVec;

use crate::grad::leaf_gradients;
use crate::ops::op::Op;
use crate::plan::{Fusion, Plan, PlanRequest};
use crate::record::fault::{Fault, Result};
use crate::record::node::{FxHasher, Id, Node};
use crate::record::parameter::Gradients;
use crate::record::state::NextState;
use crate::record::tape::{Recording, Tape, of};
use crate::record::var::Var;
use crate::run::plans::{self, Entry};

/// What is requested of the nodes of a tape.
#[derive(Clone, PartialEq)]
pub(super) struct Request {
    wanted: RequestKind,
    /// The float type of constants, and whether to fuse: beside the nodes all that a plan
    /// depends on.
    float: DType,
    fusion: Fusion,
    roots: Vec<Id>,
    /// Nodes whose values the tape holds already.
    known: Vec<Id>,
}

#[derive(Clone, Copy, PartialEq)]
enum RequestKind {
    /// The values of the roots.
    Values,
    /// The values of the roots, and the gradient of the first with respect to variables and
    /// parameters.
    Gradients,
}

pub(super) struct Planned {
    pub plan: Plan,
    /// For [`RequestKind::Gradients`]: behind the roots, the numbers that the first is made of, and
    /// the leaves that have a gradient, in the order of the results.
    parts: Vec<Id>,
    leaves: Vec<Id>,
    /// The numbers of the program that a run is given, ascending.
    pub arguments: Vec<Id>,
}

impl Tape {
    /// Computes the values of `vars`, all in one run, and remembers them.
    ///
    /// # Errors
    /// The fault of the first faulty one; or what went wrong while computing, such as an index
    /// outside of its axis.
    #[track_caller]
    pub fn eval(&self, vars: &[Var<'_>]) -> Result<Vec<Tensor>> {
        for &var in vars {
            self.own(var)?;
        }
        let known = |var: &Var<'_>| self.recording().known(var.id()).cloned();
        let mut roots: Vec<Id> =
            vars.iter().filter(|var| known(var).is_none()).map(|var| var.id()).collect();
        roots.sort_unstable();
        roots.dedup();
        if !roots.is_empty() {
            let (_, values) = self.run_plan(RequestKind::Values, roots.clone())?;
            let mut recording = self.recording_mut();
            roots.into_iter().zip(values).for_each(|(id, value)| recording.remember(id, value));
        }
        Ok(vars.iter().filter_map(known).collect())
    }

    /// The plan by which `vars` would be computed, to look at.
    #[track_caller]
    pub fn plan(&self, vars: &[Var<'_>]) -> Result<Plan> {
        for &var in vars {
            self.own(var)?;
        }
        let recording = self.recording();
        let origins: Vec<Id> = (0..recording.nodes.len() as Id).collect();
        let roots: Vec<Id> = vars.iter().map(|var| var.id()).collect();
        let (nodes, float) = (&recording.nodes[..], self.dtype());
        let request = PlanRequest {
            nodes,
            origins: &origins,
            roots: &roots,
            known: &[],
            arguments: &[],
            float,
        };
        Ok(Plan::new(&request, self.fusion()))
    }

    #[track_caller]
    fn own(&self, var: Var<'_>) -> Result<()> {
        if !std::ptr::eq(var.tape(), self) {
            let mut fault = Fault::new("eval", "the node is on another tape").operand("node", var);
            fault.set_location(Location::caller(), None);
            return Err(fault.cure("var.value(), or var.tape().eval(…)").into_error());
        }
        self.fault_of(var.id()).map_or(Ok(()), Err)
    }

    /// Runs the plan of a request, and gives its leaves and its results.
    fn run_plan(&self, wanted: RequestKind, roots: Vec<Id>) -> Result<(Rc<Planned>, Vec<Tensor>)> {
        let recording = self.recording();
        let count = roots.iter().max().map_or(0, |&root| root as usize + 1);
        let known = recording.values.iter().map(|&(id, _)| id);
        let known = known.take_while(|&id| (id as usize) < count).collect();
        let request = Request { wanted, float: self.dtype(), fusion: self.fusion(), roots, known };
        let key = request.key(&recording, count);
        // Wrong rules are no part of a program's nodes, so a plan with their gradients is nobody's.
        let private = wanted == RequestKind::Gradients && self.injector.is_some();
        let nodes = &recording.nodes[..count];
        let found = if private { Err(vec![]) } else { plans::take(key, nodes, &request) };
        let mut entry = match found {
            Ok(entry) => entry,
            Err(arguments) => {
                let planned = self.plan_for(&request, count, arguments)?;
                Entry::new(key, nodes.to_vec(), request, planned)
            }
        };
        let planned = entry.planned.clone();
        let arguments = arguments(&planned, nodes);
        let input = |id| recording.known(id).or_else(|| of(&arguments, id));
        entry.workspace.prepare(&planned.plan);
        if !private {
            plans::lend(&mut entry);
        }
        let result = planned.plan.run(&mut entry.workspace, input);
        if !private {
            plans::keep(entry);
        }
        match result {
            Ok(values) => Ok((planned, values)),
            Err(failed) => {
                let origin = recording.origins[failed.origin as usize];
                let op = recording.nodes[failed.origin as usize].op.name();
                drop(recording);
                let path = self.scope_path(origin.scope);
                // What a kernel says begins with a name, as the fault does.
                let kernel = match &*failed.error {
                    lossgraph_tensor::Error::Index { operation, .. } => operation,
                    _ => op,
                };
                let text = failed.error.to_string();
                let why = text.strip_prefix(kernel).and_then(|why| why.strip_prefix(": "));
                let name = origin.call.unwrap_or(op);
                let mut fault = Fault::new(name, why.unwrap_or(&text));
                if let Some(cure) = failed.error.cure() {
                    fault = fault.cure(cure);
                }
                fault.set_location(origin.location, (!path.is_empty()).then_some(path));
                Err(fault.into_error())
            }
        }
    }

    /// Makes the plan for a request to the first `count` nodes, which is given these numbers.
    fn plan_for(&self, request: &Request, count: usize, arguments: Vec<Id>) -> Result<Planned> {
        // Adjoints are recorded on a copy: the tape keeps what the user wrote.
        let tape = self.copy_of_first(count);
        let mut roots = request.roots.clone();
        let (mut parts, mut leaves) = (Vec::new(), Vec::new());
        if request.wanted == RequestKind::Gradients {
            let gradients = leaf_gradients(&tape, Var::new(&tape, roots[0]));
            for (_, gradient) in &gradients {
                tape.own(*gradient)?;
            }
            parts = parts_of(&tape.recording().nodes, roots[0], &request.known);
            roots.extend(&parts);
            roots.extend(gradients.iter().map(|(_, gradient)| gradient.id()));
            leaves.extend(gradients.iter().map(|(leaf, _)| *leaf));
        }
        let recording = tape.recording();
        let origin = |at: usize| match recording.origins[at].serves {
            Some(forward) if at >= count => forward.min(count as Id - 1),
            _ => (at as Id).min(count as Id - 1),
        };
        let origins: Vec<Id> = (0..recording.nodes.len()).map(origin).collect();
        let known = &request.known;
        let request = PlanRequest {
            nodes: &recording.nodes,
            origins: &origins,
            roots: &roots,
            known,
            arguments: &arguments,
            float: self.dtype(),
        };
        Ok(Planned { plan: Plan::new(&request, self.fusion()), parts, leaves, arguments })
    }
}

impl<'t> Var<'t> {
    /// Computes this loss together with its gradient with respect to every parameter and
    /// variable that it depends on, and what the program before it [assigned](Tape::assign) to states,
    /// in one run. Afterwards [`Var::item`] of the loss costs nothing, nor does that of the numbers that
    /// it is made of: its terms, their weighted sums (up to 32 of them). What else is wanted of
    /// the same run is named with [`backward_with`](Var::backward_with).
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    ///
    /// let tape = Tape::f64();
    /// let x = tape.variable([1.0, 2.0]);
    /// let (fit, penalty) = (x.exp().mean(..), x.square().sum(..));
    /// let gradients = (fit + penalty * 0.1).backward()?;
    /// // Computed by the run of the gradients.
    /// println!("{} + 0.1 · {}", fit.item()?, penalty.item()?);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// More than one element; nothing to differentiate with respect to (the error names the
    /// [`detach`](Var::detach) that cuts, if one does); or as [`Tape::eval`].
    #[track_caller]
    pub fn backward(self) -> Result<Gradients> {
        self.backward_with(&[])
    }

    /// As [`backward`](Var::backward), and computes and remembers other values in the same run, such
    /// as logits or metrics, whose [`value`](Var::value) costs nothing afterwards.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    ///
    /// let tape = Tape::f64();
    /// let x = tape.variable([1.0, 2.0]);
    /// let y = x.exp();
    /// let gradients = y.square().sum(..).backward_with(&[y])?;
    /// assert_eq!(y.value()?.to_f64s(), [1.0_f64.exp(), 2.0_f64.exp()]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`backward`](Var::backward), and as [`Tape::eval`] for the other values.
    #[doc(alias = "has_aux")]
    #[track_caller]
    pub fn backward_with(self, others: &[Var<'_>]) -> Result<Gradients> {
        let tape = self.tape();
        for var in others.iter().chain([&self]) {
            tape.own(*var)?;
        }
        let _call = tape.call("backward");
        let refuse = |why: &str, cure: &str| {
            let fault = Fault::new("backward", why).operand("loss", self).cure(cure);
            let id = tape.fault(fault).id();
            tape.fault_of(id).map_or(Ok(()), Err)
        };
        if self.len() != 1 {
            refuse("a loss is one number", "reduce it with .mean(..) or .sum(..)")?;
        }
        let assigned = tape.assigned_before(self.id());
        let mut roots = vec![self.id()];
        for (_, next) in &assigned {
            tape.own(Var::new(tape, *next))?;
            roots.push(*next);
        }
        let others: Vec<Id> = others.iter().map(|var| var.id()).collect();
        roots.extend(&others);
        let (planned, values) = tape.run_plan(RequestKind::Gradients, roots)?;
        if planned.leaves.is_empty() {
            refuse(
                "it depends on no variable, and on no parameter that detach does not cut off",
                "record what is trained with tape.variable(…) or tape.parameter(…)",
            )?;
        }
        let recording = tape.recording();
        let twice = recording.two_values_among(&planned.leaves);
        drop(recording);
        if let Some((leaf, other)) = twice {
            let [leaf, other] = [leaf, other].map(|id| Var::new(tape, id));
            let id = tape.fault(tape.two_values("backward", leaf, other)).id();
            tape.fault_of(id).map_or(Ok(()), Err)?;
        }
        let mut values = values.into_iter();
        let mut recording = tape.recording_mut();
        let mut loss = f64::NAN;
        if let Some(value) = values.next() {
            loss = value.item().unwrap_or(f64::NAN);
            recording.remember(self.id(), value);
        }
        let mut states = Vec::with_capacity(assigned.len());
        for ((state, next), value) in assigned.into_iter().zip(&mut values) {
            recording.remember(next, value.clone());
            states.push(NextState { state, value, passes: 1 });
        }
        for (&id, value) in others.iter().chain(&planned.parts).zip(&mut values) {
            recording.remember(id, value);
        }
        let mut parameters = Vec::with_capacity(planned.leaves.len());
        let mut variables = Vec::new();
        for (&leaf, gradient) in planned.leaves.iter().zip(values) {
            match recording.parameter(leaf) {
                // Update rules go over its elements; that of a variable may be a number, repeated.
                Some(parameter) => parameters.push((parameter.clone(), gradient.contiguous())),
                None => variables.push((leaf, gradient)),
            }
        }
        let gradients = Gradients::new(loss, parameters);
        Ok(gradients.with_variables(tape.id(), variables).with_states(states))
    }
}

impl Request {
    fn key(&self, recording: &Recording, count: usize) -> u64 {
        let mut hasher = FxHasher(count.checked_sub(1).map_or(0, |last| recording.hashes[last]));
        hasher.write_u8(self.wanted as u8 + 2 * self.fusion as u8);
        for &id in self.roots.iter().chain(&self.known) {
            hasher.write_u32(id);
        }
        hasher.finish()
    }
}

/// The values of the numbers that a plan is given.
fn arguments(planned: &Planned, nodes: &[Node]) -> Vec<(Id, Tensor)> {
    let argument = |&id: &Id| {
        let node = &nodes[id as usize];
        let one: SmallVec<[usize; 6]> = SmallVec::from_elem(1, node.shape.rank());
        Some((id, Tensor::full(&one[..], node.number()?, node.dtype).ok()?))
    };
    planned.arguments.iter().filter_map(argument).collect()
}

/// How many numbers that a loss is made of are kept at most.
const MAX_PARTS: usize = 32;

/// The numbers that a loss is made of, by ops on single numbers: its terms, their weights and sums.
/// They are in no pass's way, and so a few are kept of what a pass computes anyway.
fn parts_of(nodes: &[Node], loss: Id, known: &[Id]) -> Vec<Id> {
    let (mut parts, mut at) = (vec![loss], 0);
    while let Some(&id) = parts.get(at).filter(|_| parts.len() <= MAX_PARTS) {
        at += 1;
        let node = &nodes[id as usize];
        if !(node.op.is_elementwise() || matches!(node.op, Op::View(_) | Op::Detach(_))) {
            continue;
        }
        for &input in &node.inputs {
            let of = &nodes[input as usize];
            let is_given = matches!(of.op, Op::Leaf(_) | Op::Fill(_));
            if of.shape.numel() == 1
                && of.dtype.is_float()
                && !is_given
                && known.binary_search(&input).is_err()
                && !parts.contains(&input)
            {
                parts.push(input);
            }
        }
    }
    parts.truncate(MAX_PARTS + 1);
    parts.split_off(1)
}
