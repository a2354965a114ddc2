//! Reverse mode: the derivative of a program, recorded as more of the program.

pub(crate) mod finite_difference;
pub(crate) mod functional;
pub(crate) mod remat;

use smallvec::SmallVec;

use crate::grad::remat::Remat;
use crate::ops::combine;
use crate::ops::family::Rule;
use crate::ops::op::{Leaf, Op};
use crate::record::fault::Fault;
use crate::record::node::Id;
use crate::record::tape::Tape;
use crate::record::var::Var;

impl Tape {
    /// Records the gradient of `y`, which has one element, with respect to each of `xs`.
    ///
    /// The gradients are nodes like any other, so they can be differentiated again:
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// let tape = Tape::f64();
    /// let x = tape.variable(2.0);
    /// let y = x.powi(3);
    /// let slope = tape.grad(y, &[x])[0];
    /// let curvature = tape.grad(slope, &[x])[0];
    /// assert_eq!((slope.item()?, curvature.item()?), (12.0, 12.0));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as faults: `y` has more than one element; or a path from an `x` to `y` exists
    /// only through [`Var::detach`]. An `x` that `y` does not depend on gets zeros.
    #[track_caller]
    pub fn grad<'t>(&'t self, y: Var<'t>, xs: &[Var<'t>]) -> Vec<Var<'t>> {
        let _call = self.call("grad");
        if !y.is_faulty() && y.len() != 1 {
            let fault = Fault::new("grad", "only the gradient of one number is defined")
                .operand("y", y)
                .cure("reduce it with .sum(..) or .mean(..), or use tape.vjp(y, cotangent, xs)");
            let fault = self.fault(fault);
            return vec![fault; xs.len()];
        }
        let one = self.fill(y.shape(), 1.0);
        self.vjp(y, one, xs)
    }

    /// Records the vector-Jacobian product `Σᵢ cotangentᵢ · ∂yᵢ/∂x` for each `x` of `xs`.
    ///
    /// # Errors
    /// As for [`Tape::grad`]; also a cotangent whose shape is not that of `y`.
    #[track_caller]
    pub fn vjp<'t>(&'t self, y: Var<'t>, cotangent: Var<'t>, xs: &[Var<'t>]) -> Vec<Var<'t>> {
        let _call = self.call("vjp");
        let broken = std::iter::once(&y).chain([&cotangent]).chain(xs).find(|var| var.is_faulty());
        if let Some(&fault) = broken {
            return vec![fault; xs.len()];
        }
        if cotangent.shape() != y.shape() {
            let fault = Fault::new("vjp", "the cotangent has not the shape of y")
                .operand("y", y)
                .operand("cotangent", cotangent);
            let fault = self.fault(fault);
            return vec![fault; xs.len()];
        }
        let adjoints = self.adjoints(y, cotangent, xs);
        xs.iter()
            .zip(adjoints)
            .map(|(&x, adjoint)| adjoint.unwrap_or_else(|| self.no_adjoint(x, y)))
            .collect()
    }

    /// The gradient where none came back: zeros, or a fault that names the cut.
    #[track_caller]
    fn no_adjoint<'t>(&'t self, x: Var<'t>, y: Var<'t>) -> Var<'t> {
        match self.cut_between(x, y) {
            Some(cut) => self.fault(
                Fault::new("grad", "every path to y is cut by detach")
                    .operand("x", x)
                    .operand("cut", cut)
                    .cure("remove the detach, or record x with tape.constant(…)"),
            ),
            None => self.fill(x.shape(), 0.0),
        }
    }

    /// The adjoint pass: from `y` back to the `xs`, along the nodes that lie between.
    #[track_caller]
    fn adjoints<'t>(&'t self, y: Var<'t>, seed: Var<'t>, xs: &[Var<'t>]) -> Vec<Option<Var<'t>>> {
        let first = xs.iter().map(|x| x.id()).min().unwrap_or(0);
        let between = self.between(y, xs, first);
        let outer = {
            let recording = self.recording();
            (recording.scope, recording.serves)
        };
        // Cotangents of the nodes first..=y, as they come in.
        let mut cotangents: Vec<SmallVec<[Var<'t>; 2]>> = vec![SmallVec::new(); between.len()];
        if let Some(last) = cotangents.last_mut() {
            last.push(seed);
        }
        let mut remat = Remat::none();
        for at in (0..between.len()).rev().filter(|&at| between[at]) {
            let id = first + at as Id;
            let (op, inputs) = {
                let mut recording = self.recording_mut();
                recording.scope = recording.origins[id as usize].scope;
                recording.serves = Some(id);
                let node = &recording.nodes[id as usize];
                (node.op.clone(), node.inputs.clone())
            };
            let Some(g) = combine::total(&cotangents[at]) else { continue };
            cotangents[at] = SmallVec::from_iter([g]);
            let wanted = |i: usize| {
                inputs[i] >= first
                    && between[(inputs[i] - first) as usize]
                    && op.is_differentiable_in(i)
            };
            if !(0..inputs.len()).any(wanted) {
                continue;
            }
            remat.reach(id, g, |ids| {
                let ids = ids.start.max(first)..ids.end;
                ids.flat_map(|id| cotangents[(id - first) as usize].clone()).collect()
            });
            let read = |id: Id| remat.read(Var::new(self, id));
            let vars: Vec<Var<'t>> = inputs.iter().map(|&input| read(input)).collect();
            let rule = Rule { g, y: read(id), inputs: &vars, wanted: &wanted };
            let given = op.family().vjp(&rule);
            for (i, cotangent) in given.into_iter().enumerate().filter(|&(i, _)| wanted(i)) {
                let cotangent = cotangent.map(|cotangent| match &self.injector {
                    Some(injector) => injector.change(op.name(), i, g, cotangent),
                    None => cotangent,
                });
                cotangents[(inputs[i] - first) as usize].extend(cotangent);
            }
        }
        (self.recording_mut().scope, self.recording_mut().serves) = outer;
        let of = |x: &Var<'t>| cotangents.get((x.id() - first) as usize)?.first().copied();
        xs.iter().map(of).collect()
    }

    /// For each node `first..=y`, whether a cotangent flows through it to one of `xs`.
    fn between(&self, y: Var<'_>, xs: &[Var<'_>], first: Id) -> Vec<bool> {
        let recording = self.recording();
        let mut between = vec![false; (y.id() + 1).saturating_sub(first) as usize];
        for x in xs {
            if let Some(here) = between.get_mut((x.id() - first) as usize) {
                *here = true;
            }
        }
        for at in 0..between.len() {
            let node = &recording.nodes[first as usize + at];
            between[at] = between[at]
                || node.inputs.iter().enumerate().any(|(i, &input)| {
                    input >= first
                        && between[(input - first) as usize]
                        && node.op.is_differentiable_in(i)
                });
        }
        between
    }

    /// The first `detach` on a path from `x` to `y`, if there is such a path.
    fn cut_between<'t>(&'t self, x: Var<'t>, y: Var<'t>) -> Option<Var<'t>> {
        let recording = self.recording();
        let mut cut: Vec<Option<Id>> = vec![None; y.id() as usize + 1];
        let mut reached = vec![false; y.id() as usize + 1];
        *reached.get_mut(x.id() as usize)? = true;
        for id in x.id() + 1..=y.id() {
            let node = &recording.nodes[id as usize];
            for (i, &input) in node.inputs.iter().enumerate() {
                if !reached[input as usize] {
                    continue;
                }
                let detached = matches!(node.op, Op::Detach(_));
                // Comparisons and indices have derivative zero: that path is no cut.
                if detached || node.op.is_differentiable_in(i) {
                    reached[id as usize] = true;
                    cut[id as usize] =
                        cut[id as usize].or(cut[input as usize]).or(detached.then_some(id));
                }
            }
        }
        cut[y.id() as usize].map(|id| Var::new(self, id))
    }
}

/// The gradient of a loss with respect to every variable, and to every parameter that reaches it
/// uncut. A variable that the loss does not depend on gets zeros; one that is cut, a fault.
pub(crate) fn leaf_gradients<'t>(tape: &'t Tape, loss: Var<'t>) -> Vec<(Id, Var<'t>)> {
    let ids = |kind: Leaf| {
        let recording = tape.recording();
        let nodes = recording.nodes.iter().enumerate().take(loss.number() + 1);
        let of_kind = nodes.filter(|(_, node)| node.op == Op::Leaf(kind));
        of_kind.map(|(id, _)| Var::new(tape, id as Id)).collect::<Vec<_>>()
    };
    let (variables, parameters) = (ids(Leaf::Variable), ids(Leaf::Parameter));
    let all: Vec<Var<'t>> = variables.iter().chain(&parameters).copied().collect();
    let adjoints = tape.adjoints(loss, tape.fill(loss.shape(), 1.0), &all);
    all.iter()
        .zip(adjoints)
        .enumerate()
        .filter_map(|(i, (&leaf, adjoint))| match adjoint {
            Some(adjoint) => Some((leaf.id(), adjoint)),
            // Frozen on purpose, as in a target network: an optimizer passes it over.
            None if i >= variables.len() => None,
            None => Some((leaf.id(), tape.no_adjoint(leaf, loss))),
        })
        .collect()
}
