//! What a page knows of a loss, as JSON.

use lossgraph_autograd::Result;
use serde_json::{Value, json};

use super::elements::elements;
use super::names::names;
use super::picture::{SMALL, exact, picture};
use crate::caption::Caption;
use crate::expression::{Expression, Role};
use crate::graph::Graph;
use crate::level::{Level, Shows};
use crate::replay::Measured;

/// How many elements of a step are written out with their numbers, in a small program.
const WRITTEN: usize = 16;
/// The same, in a program of more nodes than a reader goes through one by one.
const WRITTEN_OF_MANY: usize = 3;
/// How many nodes such a program has.
const MANY: usize = 120;

/// How many numbers may be computed to measure all gradients: a moment's worth.
const MEASURED: usize = 20_000_000;

/// All that the page of a loss is drawn from.
pub(super) fn data(graph: &Graph) -> Result<Value> {
    let names = names(graph);
    let writer = Writer { graph, names: &names };
    let mut nodes: Vec<Value> = (0..graph.nodes.len()).map(|at| writer.node(at)).collect();
    for mark in graph.hazards() {
        if let Value::Array(hazards) = &mut nodes[mark.node]["hazards"] {
            hazards.push(json!(mark.text));
        }
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        node["measured"] = match graph.measured(at, MEASURED / graph.nodes.len())? {
            Some(Measured::Elements(slopes)) if slopes.len() <= SMALL => picture(&slopes),
            Some(Measured::Along { numeric, analytic, .. }) => {
                json!({ "numeric": exact(numeric), "analytic": exact(analytic) })
            }
            _ => Value::Null,
        };
    }
    let groups: Vec<Value> = (0..graph.groups.len())
        .map(|group| {
            let info = &graph.groups[group];
            let place = format!("{}:{}", info.location.file(), info.location.line());
            let level = level(graph, &graph.level(Some(group), 0));
            json!({ "name": info.name, "parent": info.parent, "place": place, "level": level })
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

/// A level as it was laid out.
fn level(graph: &Graph, level: &Level) -> Value {
    let boxes = level.boxes.iter().map(|shown| {
        let (kind, node, group, nodes) = match &shown.shows {
            Shows::Node(node) => ("node", Some(node), None, None),
            Shows::Enters(node) => ("enters", Some(node), None, None),
            Shows::Leaves(node) => ("leaves", Some(node), None, None),
            Shows::Group(group, nodes) => ("group", None, Some(group), Some(nodes)),
        };
        let Caption { title, shape, lines } = Caption::of(graph, &shown.shows);
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

/// Writes nodes with the names that they have on the page.
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
            "arguments": node.attributes,
            "formula": self.text(at, &node.formula),
            "forward": self.forward(at),
            "inputs": inputs,
            "value": picture(&node.value),
            "gradient": node.gradient.as_ref().map(picture),
            "group": node.group,
            "hazards": [],
            "place": format!("{}:{}", node.location.file(), node.location.line()),
        })
    }

    /// How elements of a value come about.
    fn forward(&self, at: usize) -> Vec<Value> {
        let node = &self.graph.nodes[at];
        if node.inputs.is_empty() {
            return Vec::new();
        }
        let numbers = node.value.to_f64s();
        let line = |element: usize| {
            let place = node.shape.unravel_index(element);
            let text = self.graph.arithmetic(at, &place);
            json!({ "at": element, "text": text, "is": exact(numbers[element]) })
        };
        self.written(&numbers).into_iter().map(line).collect()
    }

    /// What flows back along an edge: the rule, its size, and its numbers with what they add to.
    fn input(&self, at: usize, slot: usize) -> Value {
        let input = &self.graph.nodes[at].inputs[slot];
        let Some(flow) = &input.flow else { return json!({ "node": input.node, "flow": null }) };
        let before = self.before(at, slot);
        // What comes back along one edge alone is the gradient itself, which is told once.
        let flows =
            |&(reader, slot): &(usize, usize)| self.graph.nodes[reader].inputs[slot].flow.is_some();
        let is_whole = self.graph.readers(input.node).filter(flows).count() == 1;
        let numbers = flow.value.to_f64s();
        let read = &self.graph.nodes[input.node];
        let line = |element: usize| {
            let place = read.shape.unravel_index(element);
            let text = self.graph.backward_arithmetic(at, slot, &place);
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
                "strange": numbers.iter().any(|x| !x.is_finite()),
                "lines": self.written(&numbers).into_iter().map(line).collect::<Vec<_>>(),
                "value": (!is_whole).then(|| picture(&flow.value)),
            },
        })
    }

    /// What had flowed back to an input's node before the step that goes through one edge: the steps
    /// go through readers from the last one to the first.
    fn before(&self, at: usize, slot: usize) -> Vec<f64> {
        let node = self.graph.nodes[at].inputs[slot].node;
        let mut sum = vec![0.0; self.graph.nodes[node].shape.len()];
        for (reader, other) in self.graph.readers(node) {
            let earlier = reader > at || reader == at && other < slot;
            if let (true, Some(flow)) = (earlier, &self.graph.nodes[reader].inputs[other].flow) {
                sum.iter_mut().zip(flow.value.to_f64s()).for_each(|(sum, x)| *sum += x);
            }
        }
        sum
    }

    /// An expression of a node in the names of the page.
    fn text(&self, at: usize, expression: &Expression) -> String {
        let name = |node: usize| self.names[node].clone();
        expression.text(&|role| match role {
            Role::Input(slot) => name(self.graph.nodes[at].inputs[slot].node),
            Role::Output => name(at),
            Role::Gradient => format!("∂L/∂{}", name(at)),
        })
    }

    /// The elements to be written out: all of a few, else the largest, in the order of rows.
    fn written(&self, numbers: &[f64]) -> Vec<usize> {
        let most = if self.graph.nodes.len() > MANY { WRITTEN_OF_MANY } else { WRITTEN };
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
