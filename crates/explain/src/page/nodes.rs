//! The nodes of a page, with the arithmetic of both passes.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Serialize;

use super::names::names;
use super::picture::{Exact, Picture};
use super::verdict::Checked;
use super::{Seen, Step};
use crate::expression::{Expression, Role};
use crate::graph::Graph;

/// How many elements of a step have their arithmetic written out, in a small program.
const LINES: usize = 16;
/// The same, in a program with more nodes than a reader goes through one by one.
const LINES_OF_MANY: usize = 3;
/// How many nodes such a program has.
const MANY: usize = 120;

/// A node.
#[derive(Serialize)]
pub(super) struct Node {
    name: String,
    number: usize,
    op: &'static str,
    attributes: String,
    constant: bool,
    transparent: bool,
    formula: String,
    /// How elements of its value are computed, if that is written out.
    forward: Option<Vec<Line>>,
    inputs: Vec<Input>,
    value: Picture,
    gradient: Option<Picture>,
    hazards: Vec<String>,
    location: Option<String>,
    /// Whether no variable is behind it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    passive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Checked>,
}

#[derive(Serialize)]
struct Input {
    node: usize,
    flow: Option<Flow>,
}

/// The cotangent that flows back along an edge: the rule, its range, and its numbers with the sum that
/// they are added to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flow {
    rule: String,
    least: Exact,
    most: Exact,
    non_finite: bool,
    /// If they are written out.
    lines: Option<Vec<Line>>,
    value: Option<Picture>,
}

/// The arithmetic of an element.
#[derive(Serialize)]
struct Line {
    at: usize,
    text: Option<String>,
    is: Exact,
    /// Of a cotangent: the gradient accumulated before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Exact>,
}

/// The nodes of a graph, unchecked.
pub(super) fn nodes(graph: &Graph, seen: &Seen) -> Vec<Node> {
    let is_backward = |step: &Step| matches!(step, Step::Backward(..));
    let writes_flows = seen.steps.as_ref().is_none_or(|steps| steps.iter().any(is_backward));
    let writer = Writer {
        graph,
        names: names(graph),
        passive: graph.passive(),
        sums: if writes_flows { sums(graph) } else { HashMap::new() },
        steps: seen.steps.as_deref(),
        located: seen.locations,
    };
    let mut nodes: Vec<Node> = (0..graph.nodes.len()).map(|at| writer.node(at)).collect();
    for hazard in graph.hazards() {
        nodes[hazard.node].hazards.push(hazard.text);
    }
    nodes
}

/// Writes nodes with their names on the page.
struct Writer<'a> {
    graph: &'a Graph,
    names: Vec<String>,
    passive: Vec<bool>,
    /// For each edge along which something flows, the elements written out with the gradient
    /// accumulated before its step.
    sums: HashMap<(usize, usize), Vec<(usize, f64)>>,
    /// The steps whose arithmetic is written out, if not all are.
    steps: Option<&'a [Step]>,
    /// Whether nodes say where they were recorded.
    located: bool,
}

/// The gradients as they are accumulated, edge by edge: the steps go through readers from the last
/// one to the first.
fn sums(graph: &Graph) -> HashMap<(usize, usize), Vec<(usize, f64)>> {
    let mut sums = HashMap::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        let mut sum = vec![0.0; node.shape.numel()];
        let mut readers: Vec<(usize, usize)> = graph.readers(at).collect();
        // Those of one reader go from its first input to its last.
        readers.sort_by_key(|&(reader, slot)| (Reverse(reader), slot));
        for edge in readers {
            let Some(flow) = &graph.nodes[edge.0].inputs[edge.1].flow else { continue };
            let numbers = flow.value.to_f64s();
            let before = selected(graph, &numbers).into_iter().map(|i| (i, sum[i])).collect();
            sums.insert(edge, before);
            sum.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += x);
        }
    }
    sums
}

/// The elements to be written out: all of a few, or else the largest, in row-major order.
fn selected(graph: &Graph, numbers: &[f64]) -> Vec<usize> {
    let most = if graph.nodes.len() > MANY { LINES_OF_MANY } else { LINES };
    let mut elements: Vec<usize> = (0..numbers.len()).collect();
    if numbers.len() > most {
        elements.sort_by(|&a, &b| numbers[b].abs().total_cmp(&numbers[a].abs()).then(a.cmp(&b)));
        elements.truncate(most);
        elements.sort_unstable();
    }
    elements
}

impl Writer<'_> {
    fn writes(&self, step: Step) -> bool {
        self.steps.is_none_or(|steps| steps.contains(&step))
    }

    fn node(&self, at: usize) -> Node {
        let node = &self.graph.nodes[at];
        let location = || format!("{}:{}", node.location.file(), node.location.line());
        Node {
            name: self.names[at].clone(),
            number: node.number,
            op: node.op,
            attributes: node.attributes.clone(),
            constant: node.operation.constant().is_some(),
            transparent: node.operation.is_transparent(),
            formula: self.text(at, &node.formula),
            forward: self.writes(Step::Forward(at)).then(|| self.forward(at)),
            inputs: (0..node.inputs.len()).map(|slot| self.input(at, slot)).collect(),
            value: Picture::of(&node.value),
            gradient: node.gradient.as_ref().map(Picture::of),
            hazards: Vec::new(),
            location: self.located.then(location),
            passive: self.passive[at],
            check: None,
        }
    }

    fn forward(&self, at: usize) -> Vec<Line> {
        let node = &self.graph.nodes[at];
        if node.inputs.is_empty() {
            return Vec::new();
        }
        let numbers = node.value.to_f64s();
        let line = |element: usize| {
            let text = self.graph.arithmetic(at, &node.shape.unravel_index(element));
            Line { at: element, text, is: Exact(numbers[element]), before: None }
        };
        selected(self.graph, &numbers).into_iter().map(line).collect()
    }

    fn input(&self, at: usize, slot: usize) -> Input {
        let input = &self.graph.nodes[at].inputs[slot];
        let Some(flow) = &input.flow else { return Input { node: input.node, flow: None } };
        // The cotangent of a single edge is the gradient itself, which is in the data already.
        let mut flows = self.graph.readers(input.node).filter(|&edge| self.graph.flows(edge));
        let is_whole = flows.nth(1).is_none();
        let numbers = flow.value.to_f64s();
        let read = &self.graph.nodes[input.node];
        let line = |&(element, before): &(usize, f64)| {
            let index = read.shape.unravel_index(element);
            let text = self.graph.backward_arithmetic(at, slot, &index);
            Line { at: element, text, is: Exact(numbers[element]), before: Some(Exact(before)) }
        };
        let is_written = self.writes(Step::Backward(at, slot));
        let flow = Flow {
            rule: self.text(at, &flow.rule),
            least: Exact(numbers.iter().copied().fold(0.0, f64::min)),
            most: Exact(numbers.iter().copied().fold(0.0, f64::max)),
            non_finite: numbers.iter().any(|x| !x.is_finite()),
            lines: is_written.then(|| self.sums[&(at, slot)].iter().map(line).collect()),
            value: (is_written && !is_whole).then(|| Picture::of(&flow.value)),
        };
        Input { node: input.node, flow: Some(flow) }
    }

    /// An expression of a node with the names of the page.
    fn text(&self, at: usize, expression: &Expression) -> String {
        let name = |node: usize| self.names[node].clone();
        expression.text(&|role| match role {
            Role::Input(slot) => name(self.graph.nodes[at].inputs[slot].node),
            Role::Output => name(at),
            Role::Gradient => format!("∂L/∂{}", name(at)),
        })
    }
}
