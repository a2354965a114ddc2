//! What is written into the boxes of pictures.

use lossgraph_tensor::Tensor;

use crate::graph::Graph;
use crate::level::Shows;
use crate::number::{brief, signed};

/// The text of a box. It is meant for a monospaced font, so that its extent is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// What it is: the op, or a name.
    pub title: String,
    /// The shape of its value.
    pub shape: String,
    /// Its value and its gradient, in short.
    pub lines: Vec<String>,
}

impl Caption {
    /// The size of its font.
    pub const SIZE: f64 = 11.0;
    /// How far one line is below the other.
    pub const LINE: f64 = 15.0;
    /// The room between the text and the side of its box.
    pub const MARGIN: f64 = 8.0;

    /// The text of a box.
    pub fn of(graph: &Graph, shows: &Shows) -> Caption {
        match shows {
            Shows::Node(node) | Shows::Enters(node) | Shows::Leaves(node) => {
                Caption::of_node(graph, *node)
            }
            Shows::Group(group, nodes) => Caption::of_group(graph, *group, nodes),
        }
    }

    fn of_node(graph: &Graph, at: usize) -> Caption {
        let node = &graph.nodes[at];
        // Numbers among them are shortened like all others.
        let words = node.attributes.split(", ");
        let words = words.map(|word| word.parse().map_or_else(|_| word.to_owned(), signed));
        let attributes = words.collect::<Vec<_>>().join(", ");
        if node.op == "fill" {
            // One number, which says all.
            return Caption { title: attributes, shape: shape(&node.value), lines: Vec::new() };
        }
        let title = match &node.name {
            Some(name) => name.clone(),
            None if attributes.is_empty() => node.op.to_owned(),
            None => format!("{} {attributes}", node.op),
        };
        Caption {
            title,
            shape: shape(&node.value),
            lines: lines(&node.value, node.gradient.as_ref()),
        }
    }

    /// A closed group is described by what it gives.
    fn of_group(graph: &Graph, group: usize, nodes: &[usize]) -> Caption {
        let name = &graph.groups[group].name;
        let last = graph.nodes.len() - 1;
        let leaves = |&node: &usize| {
            node == last || graph.readers(node).any(|(reader, _)| !nodes.contains(&reader))
        };
        let mut leaving = nodes.iter().copied().filter(leaves);
        match (leaving.next(), leaving.count()) {
            (Some(only), 0) => {
                let node = &graph.nodes[only];
                Caption {
                    title: name.clone(),
                    shape: shape(&node.value),
                    lines: lines(&node.value, node.gradient.as_ref()),
                }
            }
            (_, more) => Caption {
                title: name.clone(),
                shape: String::new(),
                lines: vec![format!("gives {} tensors", more + 1)],
            },
        }
    }

    /// How wide and how high a box with this text has to be.
    pub fn extent(&self) -> [f64; 2] {
        let gap = if self.shape.is_empty() { "" } else { "   " };
        let head = format!("{}{gap}{}", self.title, self.shape);
        let width = self
            .lines
            .iter()
            .chain([&head])
            .map(|line| Caption::width_of(line))
            .fold(0.0, f64::max);
        let lines = 1.0 + self.lines.len() as f64;
        [width + 2.0 * Caption::MARGIN, lines * Caption::LINE + Caption::MARGIN]
    }

    /// How wide a text is: monospaced fonts advance by 0.6 of their size, few by a little more.
    pub fn width_of(text: &str) -> f64 {
        text.chars().count() as f64 * Caption::SIZE * 0.62
    }
}

fn shape(value: &Tensor) -> String {
    if value.rank() == 0 { String::new() } else { value.shape().to_string() }
}

fn lines(value: &Tensor, gradient: Option<&Tensor>) -> Vec<String> {
    let mut lines = vec![format!("= {}", brief(value))];
    lines.extend(gradient.map(|gradient| format!("∂ {}", brief(gradient))));
    lines
}
