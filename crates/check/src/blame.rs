//! Which op is it? Each op of a program is checked by itself, at its own inputs.

use std::fmt;
use std::panic::Location;

use lossgraph_autograd::{NodeInfo, Result, Tape, Var};
use lossgraph_tensor::Tensor;

use crate::directions::Directions;
use crate::function::Function;
use crate::gradient::Gradient;
use crate::report::Verdict;
use crate::rounding;
use crate::steps::representable;

/// The op that is to blame for a wrong derivative or a kink.
#[derive(Clone, Debug, PartialEq)]
pub struct Blame {
    /// Its name.
    pub op: &'static str,
    /// The number of its node.
    pub node: usize,
    /// Which of its inputs, counted from 0.
    pub input: usize,
    /// The scopes around it: `mlp/cross_entropy`; empty at the top.
    pub scope: String,
    /// The line that recorded it; `None` in a report [without
    /// locations](crate::Report::without_locations).
    pub location: Option<&'static Location<'static>>,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (node %{}, its input {}{})", self.op, self.node, self.input, self.within())
    }
}

impl Blame {
    /// Which node it is, and where it was recorded.
    pub(crate) fn origin(&self) -> String {
        format!("node %{}{}", self.node, self.within())
    }

    fn within(&self) -> String {
        let scope = match self.scope.as_str() {
            "" => String::new(),
            scope => format!(", in {scope}"),
        };
        match self.location {
            Some(location) => format!("{scope}, from {}:{}", location.file(), location.line()),
            None => scope,
        }
    }

    /// An op that is named, without the question which input it is about.
    pub(crate) fn of_node(tape: &Tape, node: &NodeInfo) -> Blame {
        let scopes = tape.scopes();
        let mut path: Vec<&str> = std::iter::successors(node.scope, |&scope| scopes[scope].parent)
            .map(|scope| scopes[scope].name.as_str())
            .collect();
        path.reverse();
        Blame {
            op: node.op,
            node: node.id,
            input: 0,
            scope: path.join("/"),
            location: Some(node.location),
        }
    }
}

/// The nodes that the program computes, with their values.
struct Evaluated {
    tape: Tape,
    nodes: Vec<NodeInfo>,
    values: Vec<Option<Tensor>>,
}

impl Evaluated {
    fn new(function: &Function<'_>) -> Result<Evaluated> {
        let tape = function.tape();
        let last = {
            let (_, y) = function.record(&tape);
            y.number()
        };
        let mut needed = vec![false; last + 1];
        needed[last] = true;
        for id in (0..=last).rev() {
            if let (true, Some(node)) = (needed[id], tape.node(id)) {
                node.inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let nodes: Vec<NodeInfo> =
            (0..=last).filter(|&id| needed[id]).filter_map(|id| tape.node(id)).collect();
        let vars: Vec<Var<'_>> = nodes.iter().filter_map(|node| tape.var(node.id)).collect();
        let mut values = vec![None; last + 1];
        for (node, value) in nodes.iter().zip(tape.eval(&vars)?) {
            values[node.id] = Some(value);
        }
        Ok(Evaluated { tape, nodes, values })
    }

    /// The nodes that compute something, with the values of their inputs.
    fn ops(&self) -> impl Iterator<Item = (&NodeInfo, Vec<Tensor>)> {
        self.nodes.iter().filter(|node| !node.inputs.is_empty()).map(|node| {
            let inputs = node.inputs.iter().filter_map(|&input| self.values[input].clone());
            (node, inputs.collect())
        })
    }

    fn blame(&self, node: &NodeInfo, input: usize) -> Blame {
        Blame { input, ..Blame::of_node(&self.tape, node) }
    }
}

/// The first op on the tape whose rule is wrong at its own inputs.
pub(crate) fn first_wrong_rule(function: &Function<'_>) -> Result<Option<Blame>> {
    let evaluated = Evaluated::new(function)?;
    for (node, inputs) in evaluated.ops() {
        for which in 0..inputs.len() {
            if is_wrong(function, &evaluated.tape, node, &inputs, which) {
                return Ok(Some(evaluated.blame(node, which)));
            }
        }
    }
    Ok(None)
}

/// Whether the rule of a node for one of its inputs is wrong, at the values that the inputs have.
/// A rule that cannot be judged, at a kink or at the end of a domain, is not.
fn is_wrong(
    function: &Function<'_>,
    tape: &Tape,
    node: &NodeInfo,
    inputs: &[Tensor],
    which: usize,
) -> bool {
    if !inputs[which].dtype().is_float() || inputs[which].is_empty() {
        return false;
    }
    let Some(op) = tape.op_instance(node.id) else { return false };
    let weights = Directions::unit(node.shape.numel(), 11).next();
    let Ok(weights) = Tensor::new(node.shape.clone(), weights) else { return false };
    let standalone = program(move |tape, x| op.record(tape, x));
    let standalone =
        Function { program: &standalone, inputs, weights: Some(&weights), ..*function };
    let checked = || {
        let at_0 = (standalone.value()?, rounding::of_value(&standalone)?);
        Gradient::new(&standalone, which, at_0)?.verdict()
    };
    matches!(checked(), Ok(Verdict::Fail))
}

/// Gives a closure the lifetimes of a program.
pub(crate) fn program<F>(record: F) -> F
where
    F: for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + Sync,
{
    record
}

/// The first op that has a kink, or a jump, at its own inputs: along a random direction the second
/// difference of what it gives is of the order of the step, not of its square.
pub(crate) fn first_kink(function: &Function<'_>) -> Result<Option<Blame>> {
    const STEP: f64 = 1e-5;
    let evaluated = Evaluated::new(function)?;
    for (node, inputs) in evaluated.ops() {
        let direction: Vec<Vec<f64>> = inputs
            .iter()
            .enumerate()
            .map(|(i, x)| Directions::new(&x.to_f64s(), 23 + i as u64).next())
            .collect();
        let moved = |t: f64| -> Option<Vec<f64>> {
            let onto = Tape::f64();
            let vars: Option<Vec<Var<'_>>> = inputs
                .iter()
                .zip(&direction)
                .map(|(x, direction)| {
                    if !x.dtype().is_float() {
                        return Some(onto.constant(x));
                    }
                    let x_plain = x.to_f64s();
                    let step = representable(&x_plain, direction, STEP / 8.0, 8.0);
                    let t = 8.0 * t / STEP;
                    let moved = x_plain.iter().zip(step).map(|(x, step)| x + t * step).collect();
                    Some(onto.variable(Tensor::new(x.shape().clone(), moved).ok()?))
                })
                .collect();
            let value = evaluated.tape.op_instance(node.id)?.record(&onto, &vars?).value().ok()?;
            value.dtype().is_float().then(|| value.to_f64s())
        };
        let steps = [-STEP, 0.0, STEP, STEP / 8.0];
        let [Some(below), Some(here), Some(above), Some(near)] = steps.map(moved) else { continue };
        let bends = (0..here.len()).any(|i| {
            let second = (above[i] - 2.0 * here[i] + below[i]).abs();
            let first = (above[i] - below[i]).abs().max(STEP * here[i].abs()).max(STEP * STEP);
            // A jump is as high after an eighth of the step.
            let jump = (near[i] - here[i]).abs();
            second > 1e-2 * first || jump > (0.5 * (above[i] - here[i]).abs()).max(STEP)
        });
        if bends {
            return Ok(Some(evaluated.blame(node, 0)));
        }
    }
    Ok(None)
}

/// Whether an op repeats its only input along axes, so that its rule has to sum over them.
pub(crate) fn broadcasts(function: &Function<'_>, blame: &Blame) -> bool {
    let tape = function.tape();
    let _ = function.record(&tape);
    let Some(node) = tape.node(blame.node) else { return false };
    let [input] = node.inputs[..] else { return false };
    let Some(input) = tape.node(input) else { return false };
    input.shape.numel() < node.shape.numel()
        && input.shape.broadcast(&node.shape).as_ref() == Some(&node.shape)
}

/// The numbers of elements and lengths of axes of a program's nodes: candidates for a wrong factor.
pub(crate) fn lengths(function: &Function<'_>) -> Vec<usize> {
    let tape = function.tape();
    let _ = function.record(&tape);
    let mut lengths: Vec<usize> = (0..tape.len())
        .filter_map(|id| tape.node(id))
        .flat_map(|node| node.shape.iter().copied().chain([node.shape.numel()]).collect::<Vec<_>>())
        .collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}
