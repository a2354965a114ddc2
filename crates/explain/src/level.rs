//! The layout of one level of a loss: its nodes and groups as boxes, with edges between them.

use std::collections::{BTreeMap, HashMap};

use crate::caption::Caption;
use crate::graph::Graph;
use crate::layout::{Arrow, Item, Rank, layered};
use crate::reference::with_references;

/// The layout of one level of the hierarchy: the loss as a whole, or the inside of a group. Lengths
/// are in pixels, for a font size of [`Caption::FONT_SIZE`]; `[0, 0]` is the upper left corner.
#[derive(Clone, Debug)]
pub struct Level {
    /// The boxes, in the order of recording; input ports come first, and output ports last. A
    /// reference comes right before its reader.
    pub boxes: Vec<Block>,
    /// The edges between the boxes.
    pub edges: Vec<Edge>,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// A box of a [`Level`].
#[derive(Clone, Debug)]
pub struct Block {
    /// What it represents.
    pub content: Content,
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// The layout of its inside, if it is an expanded group: its corner is that of the box.
    pub inside: Option<Level>,
}

/// What a [`Block`] represents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A node of the graph.
    Node(usize),
    /// A group, with the nodes of it that it holds. A group that was left and entered again, as when
    /// a gradient is part of the loss, is shown once for each time.
    Group(usize, Vec<usize>),
    /// A node outside of the group that is read inside.
    InputPort(usize),
    /// A node inside of the group that is read outside, or is the loss.
    OutputPort(usize),
    /// A node that is read far from where it is drawn: its name, beside the reader.
    Reference(usize),
}

/// An edge of a [`Level`].
#[derive(Clone, Debug)]
pub struct Edge {
    /// The box that it comes from.
    pub from: usize,
    /// The box that it goes to.
    pub to: usize,
    /// The node that is read; of several that one closed group reads of another, the first.
    pub node: usize,
    /// The nodes that read it here, each with the number of its input.
    pub reads: Vec<(usize, usize)>,
    /// Its points from the lower side of one box to the upper side of the other: see [`Edge::path`].
    pub bends: Vec<[f64; 2]>,
}

/// The space around the inside of an expanded group.
const PADDING: f64 = 14.0;
/// The space for its name.
const HEADER: f64 = 26.0;

impl Graph {
    /// The layout of the whole loss, or of the inside of a group. Groups are expanded to a nesting of
    /// `depth`; deeper ones are collapsed. A group out of range has nothing inside.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::{Graph, Content};
    /// let tape = Tape::f64();
    /// let x = tape.variable([3.0, 4.0]);
    /// let graph = Graph::of(tape.scope("length", || x.square().sum(..).sqrt()))?;
    /// let level = graph.level(None, 0);
    /// assert_eq!(level.boxes[0].content, Content::Node(0));
    /// assert_eq!(level.boxes[1].content, Content::Group(0, vec![1, 2, 3, 4]));
    /// assert_eq!((level.edges[0].node, &level.edges[0].reads), (0, &vec![(1, 0)]));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn level(&self, group: Option<usize>, depth: usize) -> Level {
        let within = |node: &usize| match group {
            Some(group) => self.path(self.nodes[*node].group).contains(&group),
            None => true,
        };
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(within).collect();
        self.level_of(group, &nodes, depth)
    }

    /// The layout of the inside of each group that is wanted, with its inner groups collapsed.
    pub(crate) fn levels(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<Option<Level>> {
        let mut nodes: Vec<Vec<usize>> = vec![Vec::new(); self.groups.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            self.path(node.group).into_iter().for_each(|group| nodes[group].push(at));
        }
        let each = nodes.iter().enumerate();
        let level = |(group, nodes): (usize, &Vec<usize>)| {
            is_wanted(group).then(|| self.level_of(Some(group), nodes, 0))
        };
        each.map(level).collect()
    }

    fn level_of(&self, group: Option<usize>, nodes: &[usize], depth: usize) -> Level {
        self.laid_out(group, nodes, depth, &|content| Caption::of(self, content).size())
    }

    /// Lays out some nodes of a group; `size` gives the size of each box but expanded groups.
    fn laid_out(
        &self,
        group: Option<usize>,
        nodes: &[usize],
        depth: usize,
        size: &dyn Fn(&Content) -> [f64; 2],
    ) -> Level {
        let boxes = self.boxes(group, nodes);
        let mut edges = self.edges(&boxes, depth == 0);
        let boxes = with_references(boxes, &mut edges);
        let insides: Vec<Option<Level>> = boxes
            .iter()
            .map(|content| match content {
                Content::Group(inner, nodes) if depth > 0 => {
                    Some(self.expanded(*inner, nodes, depth, size))
                }
                _ => None,
            })
            .collect();
        let sizes: Vec<[f64; 2]> = boxes
            .iter()
            .zip(&insides)
            .map(|(content, inside)| match inside {
                Some(inside) => [inside.width, inside.height],
                None => size(content),
            })
            .collect();
        let items: Vec<Item> = boxes
            .iter()
            .zip(&sizes)
            .map(|(content, &[width, height])| Item { width, height, rank: content.rank() })
            .collect();
        // An edge meets an expanded group at the port where it continues inside.
        let ports: Vec<HashMap<Port, f64>> =
            insides.iter().map(|inside| inside.as_ref().map_or_else(HashMap::new, ports)).collect();
        let port = |at: usize, port: Port| ports[at].get(&port).copied();
        let arrows: Vec<Arrow> = edges
            .iter()
            .map(|edge| Arrow {
                from: edge.from,
                to: edge.to,
                exit: port(edge.from, Port::Output(edge.node)).unwrap_or(0.0),
                entry: port(edge.to, Port::Input(edge.node)),
            })
            .collect();
        let layout = layered(&items, &arrows);
        let boxes = boxes.into_iter().zip(sizes).zip(insides).zip(layout.middles);
        Level {
            boxes: boxes
                .map(|(((content, [width, height]), inside), [x, y])| Block {
                    content,
                    x: x - width / 2.0,
                    y: y - height / 2.0,
                    width,
                    height,
                    inside,
                })
                .collect(),
            edges: edges
                .into_iter()
                .zip(layout.bends)
                .map(|(e, bends)| Edge { bends, ..e })
                .collect(),
            width: layout.width,
            height: layout.height,
        }
    }

    /// Lays out an expanded group: ports are points on its border, and its name has space below that.
    fn expanded(
        &self,
        group: usize,
        nodes: &[usize],
        depth: usize,
        size: &dyn Fn(&Content) -> [f64; 2],
    ) -> Level {
        let mut level = self.laid_out(Some(group), nodes, depth - 1, &|content| match content {
            Content::InputPort(_) | Content::OutputPort(_) => [0.0, 0.0],
            content => size(content),
        });
        let has = |port: fn(&Content) -> bool| level.boxes.iter().any(|b| port(&b.content));
        let inputs = has(|content| matches!(content, Content::InputPort(_)));
        let outputs = has(|content| matches!(content, Content::OutputPort(_)));
        let least = Caption::text_width(&self.groups[group].name) + 2.0 * PADDING;
        let width = (level.width + 2.0 * PADDING).max(least);
        let [right, down] = [(width - level.width) / 2.0, if inputs { 0.0 } else { HEADER }];
        for shown in &mut level.boxes {
            (shown.x, shown.y) = (shown.x + right, shown.y + down);
        }
        for bend in level.edges.iter_mut().flat_map(|edge| &mut edge.bends) {
            *bend = [bend[0] + right, bend[1] + down];
        }
        level.width = width;
        level.height += down + if outputs { 0.0 } else { PADDING };
        level
    }

    /// The direct children of a group that hold some of its nodes: nodes and groups.
    pub(crate) fn children(&self, group: Option<usize>, nodes: &[usize]) -> Vec<Content> {
        let depth = self.path(group).len();
        let mut inner: Vec<Content> = Vec::new();
        for &node in nodes {
            match (self.path(self.nodes[node].group).get(depth), inner.last_mut()) {
                (None, _) => inner.push(Content::Node(node)),
                (Some(&next), Some(Content::Group(last, members))) if *last == next => {
                    members.push(node)
                }
                (Some(&next), _) => inner.push(Content::Group(next, vec![node])),
            }
        }
        inner
    }

    /// The boxes of a level before layout: its direct children, and its ports.
    fn boxes(&self, group: Option<usize>, nodes: &[usize]) -> Vec<Content> {
        let inner = self.children(group, nodes);
        if group.is_none() {
            return inner;
        }
        let is_inside = |node: usize| nodes.binary_search(&node).is_ok();
        let mut inputs: Vec<usize> = nodes
            .iter()
            .flat_map(|&node| self.nodes[node].inputs.iter().map(|input| input.node))
            .filter(|&node| !is_inside(node))
            .collect();
        inputs.sort_unstable();
        inputs.dedup();
        let is_read = |node: usize| self.readers(node).any(|(reader, _)| !is_inside(reader));
        let loss = self.nodes.len() - 1;
        let outputs = nodes.iter().copied().filter(|&node| is_read(node) || node == loss);
        let mut boxes: Vec<Content> = inputs.into_iter().map(Content::InputPort).collect();
        boxes.extend(inner);
        boxes.extend(outputs.map(Content::OutputPort));
        boxes
    }

    /// The edges between boxes, before layout. What a closed group reads of another one is one edge, however many
    /// tensors that are.
    fn edges(&self, boxes: &[Content], are_closed: bool) -> Vec<Edge> {
        let mut box_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, content) in boxes.iter().enumerate() {
            match content {
                Content::Node(node) | Content::InputPort(node) => drop(box_of.insert(*node, at)),
                Content::Group(_, nodes) => box_of.extend(nodes.iter().map(|&node| (node, at))),
                Content::OutputPort(_) | Content::Reference(_) => {}
            }
        }
        let mut edges: Vec<Edge> = Vec::new();
        let edge = |from, to, node, reads| Edge { from, to, node, reads, bends: Vec::new() };
        for (to, content) in boxes.iter().enumerate() {
            let readers = match content {
                Content::Node(node) => std::slice::from_ref(node),
                Content::Group(_, nodes) => nodes.as_slice(),
                Content::InputPort(_) | Content::Reference(_) => &[],
                Content::OutputPort(node) => {
                    edges.push(edge(box_of[node], to, *node, Vec::new()));
                    &[]
                }
            };
            // A group reads a node once, whoever reads it there.
            let mut known: HashMap<(usize, Option<usize>), usize> = HashMap::new();
            for &reader in readers {
                for (slot, input) in self.nodes[reader].inputs.iter().enumerate() {
                    let from = box_of[&input.node];
                    let is_group = matches!(boxes[from], Content::Group(..));
                    let source = (from, (!(are_closed && is_group)).then_some(input.node));
                    match (content, known.get(&source)) {
                        _ if from == to => {}
                        (Content::Group(..), Some(&known)) => {
                            edges[known].reads.push((reader, slot))
                        }
                        _ => {
                            known.insert(source, edges.len());
                            edges.push(edge(from, to, input.node, vec![(reader, slot)]));
                        }
                    }
                }
            }
        }
        edges
    }
}

impl Content {
    pub(crate) fn rank(&self) -> Rank {
        match self {
            Content::Node(_) | Content::Group(..) | Content::Reference(_) => Rank::Free,
            Content::InputPort(_) => Rank::Source,
            Content::OutputPort(_) => Rank::Sink,
        }
    }
}

/// Where an edge goes on inside of an expanded group, and which node it is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Port {
    Input(usize),
    Output(usize),
}

/// How far each port of an expanded group is from its middle.
fn ports(inside: &Level) -> HashMap<Port, f64> {
    let port = |shown: &Block| {
        let port = match shown.content {
            Content::InputPort(node) => Port::Input(node),
            Content::OutputPort(node) => Port::Output(node),
            _ => return None,
        };
        Some((port, shown.x + shown.width / 2.0 - inside.width / 2.0))
    };
    inside.boxes.iter().filter_map(port).collect()
}

impl Edge {
    /// Its course as the data of an SVG path: straight within layers, curved between them.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (i, &[x, y]) in self.bends.iter().enumerate() {
            match i.checked_sub(1).map(|before| self.bends[before]) {
                // Without a length, it would have no direction that an arrow could point in.
                Some([left, top]) if (left - x).abs() < 0.5 && (top - y).abs() < 0.5 => {}
                None => path += &format!("M{x:.1} {y:.1}"),
                Some([before, _]) if (before - x).abs() < 0.5 => path += &format!("L{x:.1} {y:.1}"),
                Some([left, top]) => {
                    let middle = (top + y) / 2.0;
                    path += &format!("C{left:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}");
                }
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Tape, Var};

    use super::*;

    fn nested(tape: &Tape) -> Var<'_> {
        let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
        let y = tape.scope("outer", || {
            let z = tape.scope("inner", || x.exp() + x.square());
            z * x
        });
        y.sum(..) + x.mean(..)
    }

    #[test]
    fn a_level_has_its_children_and_its_ports() {
        let tape = Tape::f64();
        let graph = Graph::of(nested(&tape)).unwrap();
        let level = graph.level(Some(0), 0);
        let contents: Vec<&Content> = level.boxes.iter().map(|shown| &shown.content).collect();
        let group = Content::Group(1, vec![1, 2, 3]);
        assert_eq!(
            contents,
            [&Content::InputPort(0), &group, &Content::Node(4), &Content::OutputPort(4)]
        );
        let edges: Vec<(usize, usize, usize)> =
            level.edges.iter().map(|edge| (edge.from, edge.to, edge.reads.len())).collect();
        // The group reads x twice, and has one edge for it.
        assert_eq!(edges, [(0, 1, 2), (1, 2, 1), (0, 2, 1), (2, 3, 0)]);
    }

    #[test]
    fn a_group_is_as_large_as_what_is_drawn_inside() {
        let tape = Tape::f64();
        let graph = Graph::of(nested(&tape)).unwrap();
        let level = graph.level(None, usize::MAX);
        let outer = level.boxes.iter().find_map(|shown| shown.inside.as_ref()).unwrap();
        let inner = outer.boxes.iter().find_map(|shown| shown.inside.as_ref()).unwrap();
        assert!(level.height > outer.height && outer.height > inner.height);
        for level in [&level, outer, inner] {
            for (i, a) in level.boxes.iter().enumerate() {
                assert!(a.x > -1e-6 && a.x + a.width < level.width + 1e-6, "{a:?}");
                assert!(a.y > -1e-6 && a.y + a.height < level.height + 1e-6, "{a:?}");
                for b in &level.boxes[i + 1..] {
                    let beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
                    assert!(beside || a.y + a.height <= b.y || b.y + b.height <= a.y);
                }
            }
        }
    }

    #[test]
    fn a_group_that_is_left_and_entered_again_is_two_boxes() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        let y = tape.scope("loss", || x.powi(3).sum(..));
        let penalty = tape.grad(y, &[x])[0].square().sum(..);
        let graph = Graph::of(y + penalty).unwrap();
        let level = graph.level(None, 0);
        let times = level.boxes.iter().filter(|shown| matches!(shown.content, Content::Group(..)));
        assert_eq!(times.count(), 2);
        assert!(level.edges.iter().all(|edge| edge.from < edge.to));
    }
}
