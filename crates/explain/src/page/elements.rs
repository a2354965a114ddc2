//! The elements of inputs that a reader can ask about: their paths, and the curve of the loss.

use std::ops::Range;

use lossgraph_autograd::{Result, Tape};
use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

use super::picture::{SMALL, exact};
use crate::graph::Graph;
use crate::paths::Paths;

/// The most elements with a curve, of all inputs together, and the most nodes that may be computed
/// for their curves: a page is to be made in a moment.
const WITH_CURVE: usize = 48;
const NODES: usize = 120_000;
/// The points of a curve.
const POINTS: usize = 61;
/// How far a curve goes to both sides, for an element of size 1 or less.
const REACH: f64 = 3.0;

/// The inputs of a loss with a gradient, and those of their elements that bring most.
pub(super) fn elements(graph: &Graph) -> Result<Vec<Value>> {
    let is_input = |&at: &usize| {
        let node = &graph.nodes[at];
        node.inputs.is_empty() && node.op != "fill" && node.gradient.is_some()
    };
    let inputs: Vec<usize> = (0..graph.nodes.len()).filter(is_input).collect();
    let mut curves = WITH_CURVE.min(NODES / (graph.nodes.len() * POINTS));
    let mut told = Vec::new();
    for (&node, paths) in inputs.iter().zip(graph.paths(&inputs)?) {
        let elements = largest(graph.nodes[node].gradient.as_ref());
        let with_curve = elements.len().min(curves);
        curves -= with_curve;
        let curves = elements[..with_curve]
            .iter()
            .map(|&element| curve(graph, node, element))
            .collect::<Result<Vec<Value>>>()?;
        told.push(input(node, &elements, &paths, curves));
    }
    Ok(told)
}

/// The elements of a tensor with the largest numbers, in the order of rows.
fn largest(tensor: Option<&Tensor>) -> Vec<usize> {
    let numbers = tensor.map(Tensor::to_f64s).unwrap_or_default();
    let mut elements: Vec<usize> = (0..numbers.len()).collect();
    elements.sort_by(|&a, &b| numbers[b].abs().total_cmp(&numbers[a].abs()).then(a.cmp(&b)));
    elements.truncate(SMALL);
    elements.sort_unstable();
    elements
}

/// An input with the shares of each of its paths in each of some elements.
fn input(node: usize, elements: &[usize], paths: &Paths, curves: Vec<Value>) -> Value {
    let shares = |share: &Tensor| -> Vec<Value> {
        let numbers = share.to_f64s();
        elements.iter().map(|&element| exact(numbers[element])).collect()
    };
    let each = paths
        .paths
        .iter()
        .map(|path| json!({ "edges": path.edges, "shares": shares(&path.share) }));
    json!({
        "node": node,
        "elements": elements,
        "paths": each.collect::<Vec<_>>(),
        "count": paths.count,
        "rest": paths.rest.as_ref().map(shares),
        "curves": curves,
    })
}

/// Loss and slope while one element moves: `[x, value, slope]` at each point, the current one first.
fn curve(graph: &Graph, node: usize, element: usize) -> Result<Value> {
    let value = &graph.nodes[node].value;
    let (numbers, moved) = (value.to_f64s(), graph.moved_by(node));
    let point = |x: f64| -> Result<Value> {
        let tape = Tape::f64();
        let mut numbers = numbers.clone();
        numbers[element] = x;
        let changed = Tensor::new(value.shape().clone(), numbers);
        let var = tape.variable(changed.unwrap_or_else(|_| value.clone()));
        let loss = graph.replayed(&tape, node, &moved, var);
        let found = tape.eval(&[loss, tape.grad(loss, &[var])[0]])?;
        Ok(json!([exact(x), exact(found[0].to_f64s()[0]), exact(found[1].to_f64s()[element])]))
    };
    let Range { start, end } = around(numbers[element]);
    let at = |i: usize| start + (end - start) * i as f64 / (POINTS - 1) as f64;
    let points = std::iter::once(numbers[element]).chain((0..POINTS).map(at));
    Ok(Value::Array(points.map(point).collect::<Result<_>>()?))
}

/// What is shown around a number.
fn around(x: f64) -> Range<f64> {
    let reach = REACH * x.abs().max(1.0);
    (x - reach).floor()..(x + reach).ceil()
}
