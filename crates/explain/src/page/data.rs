//! The data of a page, as JSON.

use std::cmp::Reverse;
use std::collections::HashMap;

use lossgraph_autograd::Result;
use serde_json::{Value, json};

use super::elements::elements;
use super::names::names;
use super::picture::{exact, picture};
use super::verdict::{summary, verdicts};
use super::{Opened, Step, View};
use crate::caption::Caption;
use crate::expression::{Expression, Role};
use crate::graph::Graph;
use crate::guards::is_idle;
use crate::level::{Content, Level};

/// How many elements of a step have their arithmetic written out, in a small program.
const LINES: usize = 16;
/// The same, in a program with more nodes than a reader goes through one by one.
const LINES_OF_MANY: usize = 3;
/// How many nodes such a program has.
const MANY: usize = 120;

/// What is seen of a page.
pub(super) struct Seen {
    /// The elements of nodes whose paths and curves are seen, if not all are.
    pub curves: Option<Vec<(usize, usize)>>,
    /// The steps whose arithmetic is seen, if that of all is not.
    pub steps: Option<Vec<Step>>,
    /// The view that is seen, and which of its levels, if not all are laid out.
    pub level: Option<(View, Opened)>,
    /// Whether the listing and the comparison with finite differences can wait.
    pub is_sketch: bool,
    /// Whether it says where ops were recorded.
    pub locations: bool,
}

/// What the page of a loss shows.
pub(super) fn data(graph: &Graph, seen: &Seen) -> Result<Value> {
    let names = names(graph);
    let is_backward = |step: &Step| matches!(step, Step::Backward(..));
    let writes_flows = seen.steps.as_ref().is_none_or(|steps| steps.iter().any(is_backward));
    let writer = Writer {
        graph,
        names: &names,
        sums: if writes_flows { sums(graph) } else { HashMap::new() },
        steps: seen.steps.as_deref(),
        located: seen.locations,
    };
    let mut nodes: Vec<Value> = (0..graph.nodes.len()).map(|at| writer.node(at)).collect();
    for (node, _) in nodes.iter_mut().zip(graph.passive()).filter(|(_, is_passive)| *is_passive) {
        node["passive"] = json!(true);
    }
    for hazard in graph.hazards() {
        if let Value::Array(hazards) = &mut nodes[hazard.node]["hazards"] {
            hazards.push(json!(hazard.text));
        }
    }
    let mut checked = Value::Null;
    if !seen.is_sketch {
        let verdicts = verdicts(graph)?;
        checked = summary(graph, &verdicts);
        for (node, verdict) in nodes.iter_mut().zip(verdicts) {
            node["check"] = verdict;
        }
    }
    let is_seen = |view: View| seen.level.is_none_or(|(seen, _)| seen == view);
    let opened = seen.level.map(|(_, opened)| opened);
    let listing = (!seen.is_sketch).then(|| listing(graph, seen.locations));
    Ok(json!({
        "nodes": nodes,
        "views": {
            "teaching": is_seen(View::Teaching).then(|| view(&graph.taught(), opened)),
            "ops": is_seen(View::EveryOp).then(|| view(graph, opened)),
        },
        "inputs": elements(graph, seen.curves.as_deref())?,
        "checked": checked,
        "listing": listing,
    }))
}

/// The graph as text.
pub(super) fn listing(graph: &Graph, locations: bool) -> String {
    let listing = graph.listing();
    if locations { listing.with_locations().to_string() } else { listing.to_string() }
}

/// The levels of a graph, or the outermost and the one that is opened; and in which group each node is.
fn view(graph: &Graph, opened: Option<Opened>) -> Value {
    let is_laid_out = |level: Opened| opened.is_none_or(|opened| opened == level);
    let groups: Vec<Value> = graph
        .groups
        .iter()
        .zip(graph.levels(|group| is_laid_out(Opened::Group(group))))
        .map(|(info, inside)| {
            let level = inside.map(|inside| level(graph, &inside));
            json!({
                "name": info.name,
                "parent": info.parent,
                "idle": is_idle(&info.name),
                "level": level,
            })
        })
        .collect();
    // Without groups, all that there is is the outermost level.
    let has_more = !groups.is_empty() && is_laid_out(Opened::All);
    json!({
        "top": level(graph, &graph.level(None, 0)),
        "all": has_more.then(|| level(graph, &graph.level(None, usize::MAX))),
        "groups": groups,
        "within": graph.nodes.iter().map(|node| node.group).collect::<Vec<_>>(),
    })
}

/// A level with its layout.
fn level(graph: &Graph, level: &Level) -> Value {
    let boxes = level.boxes.iter().map(|shown| {
        let (kind, node, group, nodes) = match &shown.content {
            Content::Node(node) => ("node", Some(node), None, None),
            Content::InputPort(node) => ("input-port", Some(node), None, None),
            Content::OutputPort(node) => ("output-port", Some(node), None, None),
            Content::Group(group, nodes) => ("group", None, Some(group), Some(nodes)),
            Content::Reference(node) => ("reference", Some(node), None, None),
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
            "forward": self.writes(Step::Forward(at)).then(|| self.forward(at)),
            "inputs": inputs,
            "value": picture(&node.value),
            "gradient": node.gradient.as_ref().map(picture),
            "hazards": [],
            "location": self
                .located
                .then(|| format!("{}:{}", node.location.file(), node.location.line())),
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
        selected(self.graph, &numbers).into_iter().map(line).collect()
    }

    /// The cotangent that flows back along an edge: the rule, its range, and its numbers with the sum
    /// that they are added to.
    fn input(&self, at: usize, slot: usize) -> Value {
        let input = &self.graph.nodes[at].inputs[slot];
        let Some(flow) = &input.flow else { return json!({ "node": input.node, "flow": null }) };
        // The cotangent of a single edge is the gradient itself, which is in the data already.
        let mut flows = self.graph.readers(input.node).filter(|&edge| self.graph.flows(edge));
        let is_whole = flows.nth(1).is_none();
        let numbers = flow.value.to_f64s();
        let read = &self.graph.nodes[input.node];
        let line = |&(element, before): &(usize, f64)| {
            let index = read.shape.unravel_index(element);
            let text = self.graph.backward_arithmetic(at, slot, &index);
            json!({
                "at": element,
                "text": text,
                "is": exact(numbers[element]),
                "before": exact(before),
            })
        };
        let is_written = self.writes(Step::Backward(at, slot));
        let lines = || self.sums[&(at, slot)].iter().map(line).collect::<Vec<_>>();
        let least = numbers.iter().copied().fold(0.0, f64::min);
        let most = numbers.iter().copied().fold(0.0, f64::max);
        json!({
            "node": input.node,
            "flow": {
                "rule": self.text(at, &flow.rule),
                "least": exact(least),
                "most": exact(most),
                "nonFinite": numbers.iter().any(|x| !x.is_finite()),
                "lines": is_written.then(lines),
                "value": (is_written && !is_whole).then(|| picture(&flow.value)),
            },
        })
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
