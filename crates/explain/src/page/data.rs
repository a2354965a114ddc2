//! The data of a page, as JSON.

use lossgraph_autograd::Result;
use serde_json::{Value, json};

use super::elements::elements;
use super::names::names;
use super::picture::{SMALL, exact, picture};
use crate::caption::Caption;
use crate::expression::{Expression, Role};
use crate::graph::Graph;
use crate::level::{Content, Level};
use crate::numeric::NumericGradient;

/// How many elements of a step have their arithmetic written out, in a small program.
const LINES: usize = 16;
/// The same, in a program with more nodes than a reader goes through one by one.
const LINES_OF_MANY: usize = 3;
/// How many nodes such a program has.
const MANY: usize = 120;

/// The budget of all numeric gradients together, in elements computed: a moment's worth.
const BUDGET: usize = 20_000_000;

/// All that the page of a loss shows.
pub(super) fn data(graph: &Graph) -> Result<Value> {
    let names = names(graph);
    let writer = Writer { graph, names: &names };
    let mut nodes: Vec<Value> = (0..graph.nodes.len()).map(|at| writer.node(at)).collect();
    for hazard in graph.hazards() {
        if let Value::Array(hazards) = &mut nodes[hazard.node]["hazards"] {
            hazards.push(json!(hazard.text));
        }
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        node["numeric"] = match graph.numeric_gradient(at, BUDGET / graph.nodes.len())? {
            Some(NumericGradient::Elements(slopes)) if slopes.len() <= SMALL => picture(&slopes),
            Some(NumericGradient::Directional { numeric, analytic, .. }) => {
                json!({ "numeric": exact(numeric), "analytic": exact(analytic) })
            }
            _ => Value::Null,
        };
    }
    let groups: Vec<Value> = (0..graph.groups.len())
        .map(|group| {
            let info = &graph.groups[group];
            let location = format!("{}:{}", info.location.file(), info.location.line());
            let level = level(graph, &graph.level(Some(group), 0));
            json!({ "name": info.name, "parent": info.parent, "location": location, "level": level })
        })
        .collect();
    Ok(json!({
        "nodes": nodes,
        "groups": groups,
        "top": level(graph, &graph.level(None, 0)),
        "all": level(graph, &graph.level(None, usize::MAX)),
        "inputs": elements(graph)?,
        "listing": graph.listing().with_locations().to_string(),
    }))
}

/// A level with its layout.
fn level(graph: &Graph, level: &Level) -> Value {
    let boxes = level.boxes.iter().map(|shown| {
        let (kind, node, group, nodes) = match &shown.content {
            Content::Node(node) => ("node", Some(node), None, None),
            Content::InputPort(node) => ("input-port", Some(node), None, None),
            Content::OutputPort(node) => ("output-port", Some(node), None, None),
            Content::Group(group, nodes) => ("group", None, Some(group), Some(nodes)),
        };
        let Caption { title, shape, lines } = Caption::of(graph, &shown.content);
        json!({
            "kind": kind,
            "node": node,
            "group": group,
            "nodes": nodes,
            "x": rounded(shown.x),
            "y": rounded(shown.y),
            "width": rounded(shown.width),
            "height": rounded(shown.height),
            "title": title,
            "shape": shape,
            "lines": lines,
            "inside": shown.inside.as_ref().map(|inside| self::level(graph, inside)),
        })
    });
    let edges = level.edges.iter().map(|edge| {
        json!({
            "from": edge.from,
            "to": edge.to,
            "node": edge.node,
            "reads": edge.reads,
            "path": edge.path(),
        })
    });
    json!({
        "width": rounded(level.width),
        "height": rounded(level.height),
        "boxes": boxes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
    })
}

/// A length in pixels.
fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// Writes nodes with their names on the page.
struct Writer<'a> {
    graph: &'a Graph,
    names: &'a [String],
}

impl Writer<'_> {
    fn node(&self, at: usize) -> Value {
        let node = &self.graph.nodes[at];
        let inputs: Vec<Value> = (0..node.inputs.len()).map(|slot| self.input(at, slot)).collect();
        json!({
            "name": self.names[at],
            "number": node.number,
            "op": node.op,
            "attributes": node.attributes,
            "constant": node.operation.constant().is_some(),
            "transparent": node.operation.is_transparent(),
            "formula": self.text(at, &node.formula),
            "forward": self.forward(at),
            "inputs": inputs,
            "value": picture(&node.value),
            "gradient": node.gradient.as_ref().map(picture),
            "group": node.group,
            "hazards": [],
            "location": format!("{}:{}", node.location.file(), node.location.line()),
        })
    }

    /// How elements of a value are computed.
    fn forward(&self, at: usize) -> Vec<Value> {
        let node = &self.graph.nodes[at];
        if node.inputs.is_empty() {
            return Vec::new();
        }
        let numbers = node.value.to_f64s();
        let line = |element: usize| {
            let index = node.shape.unravel_index(element);
            let text = self.graph.arithmetic(at, &index);
            json!({ "at": element, "text": text, "is": exact(numbers[element]) })
        };
        self.selected(&numbers).into_iter().map(line).collect()
    }

    /// The cotangent that flows back along an edge: the rule, its range, and its numbers with the sum
    /// that they are added to.
    fn input(&self, at: usize, slot: usize) -> Value {
        let input = &self.graph.nodes[at].inputs[slot];
        let Some(flow) = &input.flow else { return json!({ "node": input.node, "flow": null }) };
        let before = self.accumulated(at, slot);
        // The cotangent of a single edge is the gradient itself, which is in the data already.
        let flows =
            |&(reader, slot): &(usize, usize)| self.graph.nodes[reader].inputs[slot].flow.is_some();
        let is_whole = self.graph.readers(input.node).filter(flows).count() == 1;
        let numbers = flow.value.to_f64s();
        let read = &self.graph.nodes[input.node];
        let line = |element: usize| {
            let index = read.shape.unravel_index(element);
            let text = self.graph.backward_arithmetic(at, slot, &index);
            json!({
                "at": element,
                "text": text,
                "is": exact(numbers[element]),
                "before": exact(before[element]),
            })
        };
        let least = numbers.iter().copied().fold(0.0, f64::min);
        let most = numbers.iter().copied().fold(0.0, f64::max);
        json!({
            "node": input.node,
            "flow": {
                "rule": self.text(at, &flow.rule),
                "least": exact(least),
                "most": exact(most),
                "nonFinite": numbers.iter().any(|x| !x.is_finite()),
                "lines": self.selected(&numbers).into_iter().map(line).collect::<Vec<_>>(),
                "value": (!is_whole).then(|| picture(&flow.value)),
            },
        })
    }

    /// The gradient accumulated in an input's node before the step of one edge: the steps go through
    /// readers from the last one to the first.
    fn accumulated(&self, at: usize, slot: usize) -> Vec<f64> {
        let node = self.graph.nodes[at].inputs[slot].node;
        let mut sum = vec![0.0; self.graph.nodes[node].shape.numel()];
        for (reader, other) in self.graph.readers(node) {
            let earlier = reader > at || reader == at && other < slot;
            if let (true, Some(flow)) = (earlier, &self.graph.nodes[reader].inputs[other].flow) {
                sum.iter_mut().zip(flow.value.to_f64s()).for_each(|(sum, x)| *sum += x);
            }
        }
        sum
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

    /// The elements to be written out: all of a few, or else the largest, in row-major order.
    fn selected(&self, numbers: &[f64]) -> Vec<usize> {
        let most = if self.graph.nodes.len() > MANY { LINES_OF_MANY } else { LINES };
        let mut elements: Vec<usize> = (0..numbers.len()).collect();
        if numbers.len() > most {
            elements
                .sort_by(|&a, &b| numbers[b].abs().total_cmp(&numbers[a].abs()).then(a.cmp(&b)));
            elements.truncate(most);
            elements.sort_unstable();
        }
        elements
    }
}
