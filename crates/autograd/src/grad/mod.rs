//! Reverse mode: the derivative of a program, recorded as more of the program.

pub(crate) mod finite_difference;
pub(crate) mod functional;
pub(crate) mod remat;
pub(crate) mod support;

use std::cell::LazyCell;
use std::collections::HashMap;

use smallvec::SmallVec;

use crate::grad::remat::Remat;
use crate::grad::support::{Cotangent, FiniteFactors};
use crate::ops::family::Rule;
use crate::ops::op::{Leaf, Op};
use crate::record::fault::Fault;
use crate::record::node::{Id, Node};
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
    /// only through [`Var::detach`]; or an `x` holds integers; or it is a parameter, of which `y`
    /// depends on another value than that of `x`; or one of them is on another tape. An `x` that `y`
    /// does not depend on gets zeros.
    #[track_caller]
    pub fn grad<'t>(&'t self, y: Var<'t>, xs: &[Var<'t>]) -> Vec<Var<'t>> {
        let _call = self.call("grad");
        if let Some(fault) = self.admit("grad", &named("y", y, xs)) {
            return vec![fault; xs.len()];
        }
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
        let mut vars = named("y", y, xs);
        vars.push(("cotangent", cotangent));
        if let Some(fault) = self.admit("vjp", &vars) {
            return vec![fault; xs.len()];
        }
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
        let values = self.values_that_reach(y);
        let adjoints = self.adjoints(y, cotangent, xs);
        let cuts = LazyCell::new(|| self.cuts(y));
        xs.iter()
            .zip(adjoints)
            .map(|(&x, adjoint)| match self.unfit_for_gradient(x, &values) {
                Some(fault) => self.fault(fault),
                None => adjoint.unwrap_or_else(|| self.no_adjoint(x, &cuts)),
            })
            .collect()
    }

    /// The leaves that `y` depends on uncut, of parameters that have several, by
    /// [`Parameter::id`](crate::Parameter::id).
    fn values_that_reach(&self, y: Var<'_>) -> HashMap<u64, Vec<Id>> {
        let recording = self.recording();
        let mut values: HashMap<u64, Vec<Id>> = HashMap::new();
        if recording.has_one_leaf_a_parameter() {
            return values;
        }
        let reaching = self.reaching(y);
        for (leaf, parameter) in &recording.parameters {
            if reaching.get(*leaf as usize) == Some(&true) {
                values.entry(parameter.id()).or_default().push(*leaf);
            }
        }
        values
    }

    /// What is wrong with an `x` by which something is to be differentiated that depends on these
    /// values of parameters.
    fn unfit_for_gradient(&self, x: Var<'_>, values: &HashMap<u64, Vec<Id>>) -> Option<Fault> {
        if !x.dtype().is_float() {
            let fault = Fault::new("grad", "it holds integers, which have no gradient");
            return Some(fault.operand("x", x).cure("2.0 instead of 2"));
        }
        let parameter = self.recording().parameter(x.id())?.id();
        let other = *values.get(&parameter)?.iter().find(|&&leaf| leaf != x.id())?;
        Some(self.two_values("grad", x, Var::new(self, other)))
    }

    /// For each node up to `y`, whether `y` depends on it by what gives a cotangent.
    fn reaching(&self, y: Var<'_>) -> Vec<bool> {
        let recording = self.recording();
        let mut reaching = vec![false; y.number() + 1];
        reaching[y.number()] = true;
        for id in (0..=y.number()).rev() {
            if !reaching[id] {
                continue;
            }
            let node = &recording.nodes[id];
            for (i, &input) in node.inputs.iter().enumerate() {
                reaching[input as usize] |= recording.is_differentiable_in(node, i);
            }
        }
        reaching
    }

    /// For each node up to `y`, the first `detach` on a path from it to `y`, if there is one.
    fn cuts(&self, y: Var<'_>) -> Vec<Option<Id>> {
        let recording = self.recording();
        let (mut cuts, mut reaches) = (vec![None; y.number() + 1], vec![false; y.number() + 1]);
        reaches[y.number()] = true;
        for id in (0..=y.number()).rev() {
            if !reaches[id] {
                continue;
            }
            let node = &recording.nodes[id];
            let detached = matches!(node.op, Op::Detach(_));
            for (i, &input) in node.inputs.iter().enumerate() {
                // Comparisons and indices have derivative zero: that path is no cut.
                if detached || recording.is_differentiable_in(node, i) {
                    let (input, cut) = (input as usize, detached.then_some(id as Id).or(cuts[id]));
                    reaches[input] = true;
                    cuts[input] = cuts[input].or(cut);
                }
            }
        }
        cuts
    }

    /// The gradient where none came back: zeros, or a fault that names the cut, if there is one.
    #[track_caller]
    fn no_adjoint<'t>(&'t self, x: Var<'t>, cuts: &[Option<Id>]) -> Var<'t> {
        match cuts.get(x.number()).copied().flatten() {
            Some(cut) => self.fault(
                Fault::new("grad", "every path to y is cut by detach")
                    .operand("x", x)
                    .operand("cut", Var::new(self, cut))
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
        let mut wanted_ids: Vec<Id> = xs.iter().map(|x| x.id()).collect();
        wanted_ids.sort_unstable();
        // Cotangents of the nodes first..=y, as they come in.
        let mut cotangents: Vec<SmallVec<[Cotangent<'t>; 2]>> =
            vec![SmallVec::new(); between.len()];
        if let Some(last) = cotangents.last_mut() {
            last.push(Cotangent::new(seed));
        }
        let mut remat = Remat::none();
        for at in (0..between.len()).rev().filter(|&at| between[at]) {
            let id = first + at as Id;
            let (node, differentiable) = {
                let mut recording = self.recording_mut();
                recording.scope = recording.origins[id as usize].scope;
                recording.serves = Some(id);
                let node = recording.nodes[id as usize].clone();
                let flows = |i: usize| recording.is_differentiable_in(&node, i);
                let differentiable: SmallVec<[bool; 4]> =
                    (0..node.inputs.len()).map(flows).collect();
                (node, differentiable)
            };
            let Node { op, inputs, .. } = node;
            let Some(mut g) = Cotangent::total(&cotangents[at]) else { continue };
            if !op.is_elementwise() || wanted_ids.binary_search(&id).is_ok() {
                g = g.held();
            }
            cotangents[at] = SmallVec::from_iter([g]);
            let wanted = |i: usize| {
                inputs[i] >= first && between[(inputs[i] - first) as usize] && differentiable[i]
            };
            if !(0..inputs.len()).any(wanted) {
                continue;
            }
            remat.reach(id, g.var, |ids| {
                let ids = ids.start.max(first)..ids.end;
                let pending = ids.flat_map(|id| &cotangents[(id - first) as usize]);
                pending.map(|cotangent| cotangent.var).collect()
            });
            let read = |id: Id| remat.read(Var::new(self, id));
            let vars: Vec<Var<'t>> = inputs.iter().map(|&input| read(input)).collect();
            let y = read(id);
            let apply =
                |g: Var<'t>| op.family().vjp(&Rule { g, y, inputs: &vars, wanted: &wanted });
            let mut finite = FiniteFactors::before(g.var);
            let mut masks = None;
            for (i, cotangent) in apply(g.var).into_iter().enumerate() {
                let Some(cotangent) = cotangent.filter(|_| wanted(i)) else { continue };
                let cotangent = match &self.injector {
                    Some(injector) => injector.change(op.name(), i, g.var, cotangent),
                    None => cotangent,
                };
                cotangents[(inputs[i] - first) as usize].push(match op.is_elementwise() {
                    true => g.through_map(cotangent, &mut finite),
                    false => g.through(cotangent, &mut finite, |support| {
                        let masks = masks.get_or_insert_with(|| apply(support.indicator()));
                        *masks.get(i)?
                    }),
                });
            }
        }
        (self.recording_mut().scope, self.recording_mut().serves) = outer;
        let of = |x: &Var<'t>| Some(cotangents.get((x.id() - first) as usize)?.first()?.var);
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
                        && recording.is_differentiable_in(node, i)
                });
        }
        between
    }
}

/// Nodes with the names that errors give them.
pub(crate) fn named<'a, 't>(
    name: &'a str,
    var: Var<'t>,
    xs: &[Var<'t>],
) -> SmallVec<[(&'a str, Var<'t>); 8]> {
    std::iter::once((name, var)).chain(xs.iter().map(|&x| ("x", x))).collect()
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
    let cuts = LazyCell::new(|| tape.cuts(loss));
    all.iter()
        .zip(adjoints)
        .enumerate()
        .filter_map(|(i, (&leaf, adjoint))| match adjoint {
            Some(adjoint) => Some((leaf.id(), adjoint)),
            // Frozen on purpose, as in a target network: an optimizer passes it over.
            None if i >= variables.len() => None,
            None => Some((leaf.id(), tape.no_adjoint(leaf, &cuts))),
        })
        .collect()
}
