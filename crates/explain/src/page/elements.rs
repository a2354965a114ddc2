//! The elements of inputs that a reader can select: their paths, and the curve of the loss.

use std::ops::Range;

use lossgraph_autograd::Result;
use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

use super::picture::{SMALL, exact};
use crate::curve::{Point, window};
use crate::graph::Graph;
use crate::number::signed;
use crate::paths::{Path, Paths};
use crate::sweep::Sweep;

/// The most elements with a curve, of all inputs together, and the most nodes that may be evaluated
/// for their curves: a page is to be written in a moment.
const MAX_CURVES: usize = 48;
const MAX_EVALUATIONS: usize = 120_000;
/// About how many points a curve has.
const POINTS: usize = 120;
/// How far a curve reaches to both sides, for an element of size 1 or less.
const REACH: f64 = 3.0;

/// The inputs of a loss that have a gradient, and those of their elements where it is largest; with
/// paths and with curves of as many as there is time for, or for these elements of nodes alone.
pub(super) fn elements(graph: &Graph, wanted: Option<&[(usize, usize)]>) -> Result<Vec<Value>> {
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
    let mut followed = match seen.is_empty() {
        true => Vec::new(),
        false => graph.paths(&seen)?,
    }
    .into_iter();
    let mut data = Vec::new();
    for &node in &inputs {
        let paths = if is_seen(node) { followed.next() } else { None };
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
                true => curve(graph, node, element),
                false => Ok(Value::Null),
            })
            .collect::<Result<Vec<Value>>>()?;
        data.push(input(graph, node, &elements, paths.as_ref(), curves));
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

/// An input with the gradients of some elements, and with the contributions of each of its paths to
/// them, if it has been followed.
fn input(
    graph: &Graph,
    node: usize,
    elements: &[usize],
    paths: Option<&Paths>,
    curves: Vec<Value>,
) -> Value {
    let of_elements = |of: &Tensor| -> Vec<Value> {
        let numbers = of.to_f64s();
        elements.iter().map(|&element| exact(numbers[element])).collect()
    };
    let each = paths.map(|paths| {
        let path = |path: &Path| json!({ "edges": path.edges, "contributions": of_elements(&path.contribution) });
        paths.paths.iter().map(path).collect::<Vec<_>>()
    });
    json!({
        "node": node,
        "elements": elements,
        "gradients": graph.nodes[node].gradient.as_ref().map(of_elements),
        "paths": each,
        "count": paths.map(|paths| paths.count),
        "rest": paths.and_then(|paths| paths.rest.as_ref()).map(of_elements),
        "curves": curves,
    })
}

/// Loss and slope over the values of one element: the current point, the windows of values and
/// slopes, the pieces of the curve, and kinks with the points on both sides. A point is `[x, value, slope]`.
/// Where there is none to draw, why.
fn curve(graph: &Graph, node: usize, element: usize) -> Result<Value> {
    let value = &graph.nodes[node].value;
    let dependents = graph.dependents(node, usize::MAX).map_or_else(Vec::new, |found| found.0);
    let x = value.to_f64s()[element];
    let range = around(x);
    if !(range.end - range.start).is_finite() {
        let why = format!("No curve: the numbers around {} are not all finite.", signed(x));
        return Ok(json!({ "why": why }));
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
        return Ok(json!({ "why": why }));
    }
    let shown = |window: Range<f64>| [exact(window.start), exact(window.end)];
    let point = |point: &Point| json!([exact(point.x), exact(point.value), exact(point.slope)]);
    let piece = |piece: &Vec<Point>| piece.iter().map(point).collect::<Vec<_>>();
    Ok(json!({
        "current": point(&found.current),
        "values": shown(window(points().map(|point| point.value))),
        "slopes": shown(window(points().map(|point| point.slope))),
        "pieces": found.pieces.iter().map(piece).collect::<Vec<_>>(),
        "kinks": found.kinks.iter().map(|k| [point(&k.left), point(&k.right)]).collect::<Vec<_>>(),
    }))
}

/// The range of a curve around a number.
fn around(x: f64) -> Range<f64> {
    let reach = REACH * x.abs().max(1.0);
    (x - reach).floor()..(x + reach).ceil()
}
