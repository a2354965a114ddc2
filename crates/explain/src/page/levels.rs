//! The levels of a view of a page, laid out.

use serde::Serialize;

use super::Opened;
use crate::caption::Caption;
use crate::graph::Graph;
use crate::guards::is_idle;
use crate::level::{Block, Content, Edge, Level};

/// The levels of a graph that are seen.
#[derive(Serialize)]
pub(super) struct Levels {
    /// The outermost.
    top: Drawn,
    /// All groups at once.
    all: Option<Drawn>,
    groups: Vec<Group>,
    /// In which group each node is.
    within: Vec<Option<usize>>,
}

#[derive(Serialize)]
struct Group {
    name: String,
    parent: Option<usize>,
    idle: bool,
    level: Option<Drawn>,
}

/// A level with its layout. Lengths are in pixels.
#[derive(Serialize)]
struct Drawn {
    width: f64,
    height: f64,
    boxes: Vec<Shown>,
    edges: Vec<Line>,
}

#[derive(Serialize)]
struct Shown {
    kind: &'static str,
    node: Option<usize>,
    group: Option<usize>,
    nodes: Option<Vec<usize>>,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    title: String,
    shape: String,
    lines: Vec<String>,
    inside: Option<Drawn>,
}

#[derive(Serialize)]
struct Line {
    from: usize,
    to: usize,
    node: usize,
    reads: Vec<(usize, usize)>,
    path: String,
}

impl Levels {
    /// All levels of a graph, or the outermost and the one that is opened.
    pub(super) fn of(graph: &Graph, opened: Option<Opened>) -> Levels {
        let is_laid_out = |level: Opened| opened.is_none_or(|opened| opened == level);
        let levels = graph.levels(|group| is_laid_out(Opened::Group(group)));
        let each = graph.groups.iter().zip(levels);
        let groups = each.map(|(info, inside)| Group {
            name: info.name.clone(),
            parent: info.parent,
            idle: is_idle(&info.name),
            level: inside.map(|inside| Drawn::of(graph, inside)),
        });
        // Without groups, all that there is is the outermost level.
        let has_more = !graph.groups.is_empty() && is_laid_out(Opened::All);
        Levels {
            top: Drawn::of(graph, graph.level(None, 0)),
            all: has_more.then(|| Drawn::of(graph, graph.level(None, usize::MAX))),
            groups: groups.collect(),
            within: graph.nodes.iter().map(|node| node.group).collect(),
        }
    }
}

impl Drawn {
    fn of(graph: &Graph, level: Level) -> Drawn {
        Drawn {
            width: rounded(level.width),
            height: rounded(level.height),
            boxes: level.boxes.into_iter().map(|each| Shown::of(graph, each)).collect(),
            edges: level.edges.into_iter().map(Line::of).collect(),
        }
    }
}

impl Shown {
    fn of(graph: &Graph, block: Block) -> Shown {
        let Caption { title, shape, lines } = Caption::of(graph, &block.content);
        let (kind, node, group, nodes) = match block.content {
            Content::Node(node) => ("node", Some(node), None, None),
            Content::InputPort(node) => ("input-port", Some(node), None, None),
            Content::OutputPort(node) => ("output-port", Some(node), None, None),
            Content::Group(group, nodes) => ("group", None, Some(group), Some(nodes)),
            Content::Reference(node) => ("reference", Some(node), None, None),
        };
        Shown {
            kind,
            node,
            group,
            nodes,
            x: rounded(block.x),
            y: rounded(block.y),
            width: rounded(block.width),
            height: rounded(block.height),
            title,
            shape,
            lines,
            inside: block.inside.map(|inside| Drawn::of(graph, inside)),
        }
    }
}

impl Line {
    fn of(edge: Edge) -> Line {
        let path = edge.path();
        Line { from: edge.from, to: edge.to, node: edge.node, reads: edge.reads, path }
    }
}

/// A length in pixels.
fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}
