//! The text in the boxes of pictures.

use lossgraph_tensor::Tensor;

use crate::graph::Graph;
use crate::level::Content;
use crate::number::{brief, signed};

/// The text of a box. It is meant for a monospaced font, so that its size is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// The op, or a name.
    pub title: String,
    /// The shape of its value.
    pub shape: String,
    /// Its value and its gradient, abbreviated.
    pub lines: Vec<String>,
}

impl Caption {
    /// The font size, in pixels.
    pub const FONT_SIZE: f64 = 11.0;
    /// The distance from one baseline to the next.
    pub const LINE_HEIGHT: f64 = 15.0;
    /// The space between the text and the border of its box.
    pub const PADDING: f64 = 8.0;

    /// The text of a box.
    pub fn of(graph: &Graph, content: &Content) -> Caption {
        match content {
            Content::Node(node) | Content::InputPort(node) | Content::OutputPort(node) => {
                Caption::of_node(graph, *node)
            }
            Content::Group(group, nodes) => Caption::of_group(graph, *group, nodes),
            // Its value tells it from others of its op; the gradient stands in its own box.
            Content::Reference(node) => {
                let mut caption = Caption::of_node(graph, *node);
                caption.lines.truncate(1);
                caption
            }
        }
    }

    fn of_node(graph: &Graph, at: usize) -> Caption {
        let node = &graph.nodes[at];
        // Numbers among them are abbreviated like all others.
        let words = node.attributes.split(", ");
        let words = words.map(|word| word.parse().map_or_else(|_| word.to_owned(), signed));
        let attributes = words.collect::<Vec<_>>().join(", ");
        if node.operation.constant().is_some() {
            // The number itself says all.
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

    /// A collapsed group is described by its outputs; its nodes are ascending.
    fn of_group(graph: &Graph, group: usize, nodes: &[usize]) -> Caption {
        let name = &graph.groups[group].name;
        let last = graph.nodes.len() - 1;
        let is_output = |&node: &usize| {
            node == last
                || graph.readers(node).any(|(reader, _)| nodes.binary_search(&reader).is_err())
        };
        let mut outputs = nodes.iter().copied().filter(is_output);
        match (outputs.next(), outputs.count()) {
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

    /// The width and height of a box with this text.
    pub fn size(&self) -> [f64; 2] {
        let gap = if self.shape.is_empty() { "" } else { "   " };
        let head = format!("{}{gap}{}", self.title, self.shape);
        let width = self
            .lines
            .iter()
            .chain([&head])
            .map(|line| Caption::text_width(line))
            .fold(0.0, f64::max);
        let lines = 1.0 + self.lines.len() as f64;
        [width + 2.0 * Caption::PADDING, lines * Caption::LINE_HEIGHT + Caption::PADDING]
    }

    /// The width of a text: monospaced fonts advance by 0.6 of their size, few by a little more.
    pub fn text_width(text: &str) -> f64 {
        text.chars().count() as f64 * Caption::FONT_SIZE * 0.62
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
