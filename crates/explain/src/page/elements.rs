//! The elements of inputs that a reader can select: their paths, and the curve of the loss.

use std::ops::Range;

use lossgraph_autograd::Result;
use lossgraph_tensor::Tensor;
use serde::Serialize;

use super::picture::{Exact, SMALL};
use crate::curve::{Point, window};
use crate::graph::Graph;
use crate::number::signed;
use crate::paths::{Path, Paths};
use crate::sweep::Sweep;

/// The most elements with a curve, of all inputs together, and the most nodes that may be evaluated
/// for their curves: a page is to be written in a moment.
const MAX_CURVES: usize = 48;
const MAX_EVALUATIONS: usize = 120_000;
/// The edges of paths, of all inputs together, after which those of no other input are written down: a
/// sum of many terms has as many as it has terms, squared.
const MAX_EDGES: usize = 1_000_000;
/// About how many points a curve has.
const POINTS: usize = 120;
/// How far a curve reaches to both sides, for an element of size 1 or less.
const REACH: f64 = 3.0;

/// An input with the gradients of some elements.
#[derive(Serialize)]
pub(super) struct Input {
    node: usize,
    elements: Vec<usize>,
    gradients: Option<Vec<Exact>>,
    /// Its paths with their contributions to each of the elements, if they have been followed.
    paths: Option<Vec<PathTo>>,
    /// How many paths there are, and what those contribute that are left out.
    count: Option<f64>,
    rest: Option<Vec<Exact>>,
    /// Of each element, if it is drawn.
    curves: Vec<Option<Curve>>,
}

#[derive(Serialize)]
struct PathTo {
    edges: Vec<(usize, usize)>,
    contributions: Vec<Exact>,
}

/// `[x, value, slope]`.
type CurvePoint = [Exact; 3];

/// Loss and slope over the values of one element.
#[derive(Serialize)]
#[serde(untagged)]
enum Curve {
    Drawn {
        current: CurvePoint,
        /// The windows of values and of slopes.
        values: [Exact; 2],
        slopes: [Exact; 2],
        pieces: Vec<Vec<CurvePoint>>,
        /// The points on both sides of each kink.
        kinks: Vec<[CurvePoint; 2]>,
    },
    /// Why there is none to draw.
    Undrawn { why: String },
}

/// The inputs of a loss that have a gradient, and those of their elements where it is largest; with
/// paths and with curves of as many as there is room and time for, or for these elements of nodes alone.
pub(super) fn elements(graph: &Graph, wanted: Option<&[(usize, usize)]>) -> Result<Vec<Input>> {
    let is_input = |&at: &usize| {
        let node = &graph.nodes[at];
        node.operation.op().is_none()
            && node.operation.constant().is_none()
            && node.gradient.is_some()
    };
    let inputs: Vec<usize> = (0..graph.nodes.len()).filter(is_input).collect();
    let mut curves = MAX_CURVES.min(MAX_EVALUATIONS / (graph.nodes.len() * POINTS));
    let is_seen = |node: usize| wanted.is_none_or(|all| all.iter().any(|(each, _)| *each == node));
    let seen: Vec<usize> = inputs.iter().copied().filter(|&node| is_seen(node)).collect();
    let followed = graph.followed(&seen)?;
    let mut edges = 0;
    let mut data = Vec::new();
    for &node in &inputs {
        let paths = (is_seen(node) && edges < MAX_EDGES).then(|| followed.to(node));
        let each = paths.iter().flat_map(|paths| &paths.paths);
        edges += each.map(|path| path.edges.len()).sum::<usize>();
        let elements = largest(graph.nodes[node].gradient.as_ref());
        let with_curve = elements.len().min(curves);
        let is_drawn = |at: usize, element: usize| match wanted {
            Some(wanted) => wanted.contains(&(node, element)),
            None => at < with_curve,
        };
        curves -= with_curve;
        let curves = elements
            .iter()
            .enumerate()
            .map(|(at, &element)| match is_drawn(at, element) {
                true => curve(graph, node, element).map(Some),
                false => Ok(None),
            })
            .collect::<Result<Vec<_>>>()?;
        data.push(input(graph, node, elements, paths, curves));
    }
    Ok(data)
}

/// The elements of a tensor with the largest numbers, in row-major order.
fn largest(tensor: Option<&Tensor>) -> Vec<usize> {
    let numbers = tensor.map(Tensor::to_f64s).unwrap_or_default();
    let mut elements: Vec<usize> = (0..numbers.len()).collect();
    elements.sort_by(|&a, &b| numbers[b].abs().total_cmp(&numbers[a].abs()).then(a.cmp(&b)));
    elements.truncate(SMALL);
    elements.sort_unstable();
    elements
}

/// An input with the contributions of each of its paths to some elements, if it has been followed.
fn input(
    graph: &Graph,
    node: usize,
    elements: Vec<usize>,
    paths: Option<Paths>,
    curves: Vec<Option<Curve>>,
) -> Input {
    let of_elements = |of: &Tensor| -> Vec<Exact> {
        let numbers = of.to_f64s();
        elements.iter().map(|&element| Exact(numbers[element])).collect()
    };
    let gradients = graph.nodes[node].gradient.as_ref().map(of_elements);
    let (count, rest) = match &paths {
        Some(paths) => (Some(paths.count), paths.rest.as_ref().map(of_elements)),
        None => (None, None),
    };
    let path =
        |Path { edges, contribution }| PathTo { edges, contributions: of_elements(&contribution) };
    let paths = paths.map(|paths| paths.paths.into_iter().map(path).collect());
    Input { node, gradients, paths, count, rest, curves, elements }
}

/// The curve of an element.
fn curve(graph: &Graph, node: usize, element: usize) -> Result<Curve> {
    let value = &graph.nodes[node].value;
    let dependents = graph.dependents(node, usize::MAX).map_or_else(Vec::new, |found| found.0);
    let x = value.to_f64s()[element];
    let range = around(x);
    if !(range.end - range.start).is_finite() {
        let why = format!("No curve: the numbers around {} are not all finite.", signed(x));
        return Ok(Curve::Undrawn { why });
    }
    let [start, end] = [range.start, range.end].map(signed);
    let found = crate::curve(
        |tape, x| graph.substituted(tape, &dependents, x[0]),
        std::slice::from_ref(value),
        &Sweep { input: 0, element, range },
    )?;
    let points = || found.pieces.iter().flatten();
    if points().nth(1).is_none() {
        let why = format!("No curve: loss and slope are finite nowhere from {start} to {end}.");
        return Ok(Curve::Undrawn { why });
    }
    let shown = |window: Range<f64>| [window.start, window.end].map(Exact);
    let point = |point: &Point| [point.x, point.value, point.slope].map(Exact);
    let piece = |piece: &Vec<Point>| piece.iter().map(point).collect();
    Ok(Curve::Drawn {
        current: point(&found.current),
        values: shown(window(points().map(|point| point.value))),
        slopes: shown(window(points().map(|point| point.slope))),
        pieces: found.pieces.iter().map(piece).collect(),
        kinks: found.kinks.iter().map(|k| [point(&k.left), point(&k.right)]).collect(),
    })
}

/// The range of a curve around a number.
fn around(x: f64) -> Range<f64> {
    let reach = REACH * x.abs().max(1.0);
    (x - reach).floor()..(x + reach).ceil()
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::Tape;

    use super::*;

    #[test]
    fn paths_of_a_sum_of_many_terms_are_written_down_for_the_first_inputs() {
        let tape = Tape::f64();
        let terms = (0..1500).map(|_| tape.variable(1.0).square());
        let graph = Graph::of(terms.reduce(|sum, term| sum + term).unwrap()).unwrap();
        let all = elements(&graph, None).unwrap();
        let edges = |input: &Input| {
            input.paths.iter().flatten().map(|path| path.edges.len()).sum::<usize>()
        };
        // A path has an edge for each sum between its term and the loss, and one for the square.
        assert_eq!((all.len(), edges(&all[0])), (1500, 1500));
        let total = all.iter().map(edges).sum::<usize>();
        assert!((MAX_EDGES..MAX_EDGES + 1500).contains(&total), "{total}");
        assert!(all[1499].paths.is_none());
    }
}
