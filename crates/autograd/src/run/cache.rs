//! Requests to a tape: finds the plan of an equal program, or makes one, and runs it.

use std::cell::RefCell;
use std::hash::Hasher;
use std::panic::Location;
use std::rc::Rc;

use lossgraph_tensor::{DType, Tensor};

use crate::grad::leaf_gradients;
use crate::plan::{Fusion, Plan, PlanRequest};
use crate::record::fault::{Fault, Result};
use crate::record::node::{FxHasher, Id, Node};
use crate::record::parameter::Gradients;
use crate::record::state::NextState;
use crate::record::tape::{Recording, Tape};
use crate::record::var::Var;
use crate::run::executor::Workspace;

/// How many plans a thread keeps; the one that was used longest ago goes first.
const CAPACITY: usize = 64;

thread_local! {
    static CACHE: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// A plan with the program it is for. The newest use is last.
struct Entry {
    key: u64,
    nodes: Vec<Node>,
    request: Request,
    planned: Rc<Planned>,
    workspace: Workspace,
}

/// What is requested of the nodes of a tape.
#[derive(Clone, PartialEq)]
struct Request {
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

struct Planned {
    plan: Plan,
    /// For [`RequestKind::Gradients`]: the leaves that have a gradient, in the order of the results.
    leaves: Vec<Id>,
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
        let request = PlanRequest { nodes, origins: &origins, roots: &roots, known: &[], float };
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
        let found = if private { None } else { take(key, &recording.nodes[..count], &request) };
        let mut entry = match found {
            Some(entry) => entry,
            None => {
                let nodes = recording.nodes[..count].to_vec();
                let planned = Rc::new(self.plan_for(&request, count)?);
                Entry { key, nodes, request, planned, workspace: Workspace::default() }
            }
        };
        let result = entry.planned.plan.run(&mut entry.workspace, |id| recording.known(id));
        let planned = entry.planned.clone();
        if !private {
            keep(entry);
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

    /// Makes the plan for a request to the first `count` nodes.
    fn plan_for(&self, request: &Request, count: usize) -> Result<Planned> {
        // Adjoints are recorded on a copy: the tape keeps what the user wrote.
        let tape = self.copy_of_first(count);
        let mut roots = request.roots.clone();
        let mut leaves = Vec::new();
        if request.wanted == RequestKind::Gradients {
            let gradients = leaf_gradients(&tape, Var::new(&tape, roots[0]));
            for (_, gradient) in &gradients {
                tape.own(*gradient)?;
            }
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
        let (nodes, float) = (&recording.nodes[..], self.dtype());
        let request = PlanRequest { nodes, origins: &origins, roots: &roots, known, float };
        Ok(Planned { plan: Plan::new(&request, self.fusion()), leaves })
    }
}

impl<'t> Var<'t> {
    /// Computes this loss together with its gradient with respect to every parameter and
    /// variable that it depends on, and what the program before it [assigned](Tape::assign) to states,
    /// in one run. Afterwards [`Var::item`] costs nothing.
    ///
    /// # Errors
    /// More than one element; nothing to differentiate with respect to (the error names the
    /// [`detach`](Var::detach) that cuts, if one does); or as [`Tape::eval`].
    #[track_caller]
    pub fn backward(self) -> Result<Gradients> {
        let tape = self.tape();
        tape.own(self)?;
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
        let (planned, values) = tape.run_plan(RequestKind::Gradients, roots)?;
        if planned.leaves.is_empty() {
            refuse(
                "it depends on no variable, and on no parameter that detach does not cut off",
                "record what is trained with tape.variable(…) or tape.parameter(…)",
            )?;
        }
        let recording = tape.recording();
        let twice = planned.leaves.iter().find_map(|&leaf| {
            let others = recording.other_values(leaf);
            let other = others.into_iter().find(|other| planned.leaves.contains(other))?;
            Some((leaf, other))
        });
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
        let mut parameters = Vec::with_capacity(planned.leaves.len());
        let mut variables = Vec::new();
        for (&leaf, gradient) in planned.leaves.iter().zip(values) {
            let gradient = gradient.contiguous();
            match recording.parameter(leaf) {
                Some(parameter) => parameters.push((parameter.clone(), gradient)),
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

/// Takes the plan of an equal program out of the cache. While it runs it is nobody else's, so
/// that a run inside of a run cannot meet its own workspace.
fn take(key: u64, nodes: &[Node], request: &Request) -> Option<Entry> {
    CACHE.with_borrow_mut(|cache| {
        let equal = |e: &Entry| e.key == key && e.request == *request && e.nodes == nodes;
        let at = cache.iter().rposition(equal)?;
        Some(cache.remove(at))
    })
}

fn keep(entry: Entry) {
    CACHE.with_borrow_mut(|cache| {
        if cache.len() == CAPACITY {
            cache.remove(0);
        }
        cache.push(entry);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_so_many_plans_and_forgets_the_one_used_longest_ago() {
        let sum = |n: usize| Tape::f64().variable(vec![1.0; n]).sum(..).item().unwrap();
        for n in 1..=CAPACITY + 10 {
            assert_eq!((sum(n), sum(1)), (n as f64, 1.0));
        }
        let kept: Vec<usize> = CACHE
            .with_borrow(|cache| cache.iter().map(|entry| entry.nodes[0].shape.numel()).collect());
        assert_eq!(kept.len(), CAPACITY);
        assert!(kept.contains(&1) && !kept.contains(&2) && kept.contains(&(CAPACITY + 10)));
    }
}
