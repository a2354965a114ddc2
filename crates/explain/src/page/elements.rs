//! The elements of inputs that a reader can ask about: their paths, and the curve of the loss.

use std::ops::Range;

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

use super::picture::exact;
use super::program::Program;
use crate::graph::Graph;
use crate::paths::Paths;

/// The most elements of one input.
const OF_INPUT: usize = 16;
/// The most elements with a curve, of all inputs together, and the most nodes that may be computed
/// for their curves: a page is to be made in a moment.
const WITH_CURVE: usize = 48;
const NODES: usize = 120_000;
/// The points of a curve.
const POINTS: usize = 61;
/// How far a curve goes to both sides, for an element of size 1 or less.
const REACH: f64 = 3.0;

/// The inputs of a loss with a gradient, and those of their elements that bring most.
pub(super) fn elements(graph: &Graph, loss: Var<'_>) -> Result<Vec<Value>> {
    let is_input = |&at: &usize| {
        let node = &graph.nodes[at];
        node.inputs.is_empty() && node.op != "fill" && node.gradient.is_some()
    };
    let inputs: Vec<usize> = (0..graph.nodes.len()).filter(is_input).collect();
    let program = Program::new(graph, loss);
    let mut curves = WITH_CURVE.min(NODES / (graph.nodes.len() * POINTS));
    let mut told = Vec::new();
    for (&node, paths) in inputs.iter().zip(graph.paths(loss, &inputs)?) {
        let elements = largest(graph.nodes[node].gradient.as_ref());
        let with_curve = elements.len().min(curves);
        curves -= with_curve;
        let curves = elements[..with_curve]
            .iter()
            .map(|&element| curve(&program, node, element))
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
    elements.truncate(OF_INPUT);
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
fn curve(program: &Program<'_, '_>, node: usize, element: usize) -> Result<Value> {
    let inputs = program.inputs();
    let Some(input) = program.input(node) else { return Ok(Value::Null) };
    let numbers = inputs[input].to_f64s();
    let point = |x: f64| -> Result<Value> {
        let tape = Tape::with_dtype(program.dtype());
        let mut moved = numbers.clone();
        moved[element] = x;
        let vars: Vec<Var<'_>> = inputs
            .iter()
            .enumerate()
            .map(|(at, tensor)| match at == input {
                true => tape.variable(
                    Tensor::new(tensor.shape().clone(), moved.clone())
                        .unwrap_or_else(|_| tensor.clone()),
                ),
                false => tape.constant(tensor),
            })
            .collect();
        let loss = program.record(&tape, &vars);
        let found = tape.eval(&[loss, tape.grad(loss, &[vars[input]])[0]])?;
        Ok(json!([exact(x), exact(found[0].to_f64s()[0]), exact(found[1].to_f64s()[element])]))
    };
    let Range { start, end } = around(numbers[element]);
    let at = |i: usize| start + (end - start) * i as f64 / (POINTS - 1) as f64;
    let mut points = vec![point(numbers[element])?];
    for i in 0..POINTS {
        points.push(point(at(i))?);
    }
    Ok(json!(points))
}

/// What is shown around a number.
fn around(x: f64) -> Range<f64> {
    let reach = REACH * x.abs().max(1.0);
    (x - reach).floor()..(x + reach).ceil()
}
