//! What one level of a loss shows: its nodes and groups as boxes, with edges between them.

use std::collections::BTreeMap;

use crate::caption::Caption;
use crate::graph::Graph;
use crate::layout::{Arrow, Item, Rank, layered};

/// A picture of one level: the loss as a whole, or the inside of a group. Lengths are in pixels of
/// text that is [`Caption::SIZE`] high; `[0, 0]` is the upper left corner.
#[derive(Clone, Debug)]
pub struct Level {
    /// The boxes, in the order of recording; what comes from outside first, what goes there last.
    pub boxes: Vec<Block>,
    /// What is read along which way.
    pub edges: Vec<Edge>,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
}

/// A box of a [`Level`].
#[derive(Clone, Debug)]
pub struct Block {
    /// What it stands for.
    pub shows: Shows,
    /// Its left side.
    pub x: f64,
    /// Its upper side.
    pub y: f64,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
    /// The picture of its inside, if it is an open group: its corner is that of the box.
    pub inside: Option<Level>,
}

/// What a [`Block`] stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// A node of the graph.
    Node(usize),
    /// A group, with the nodes of it that it holds. A group that was left and entered again, as when
    /// a gradient is part of the loss, is shown once for each time.
    Group(usize, Vec<usize>),
    /// A node outside that is read inside.
    Enters(usize),
    /// A node inside that is read outside, or is the loss.
    Leaves(usize),
}

/// An edge of a [`Level`].
#[derive(Clone, Debug)]
pub struct Edge {
    /// The box that gives.
    pub from: usize,
    /// The box that reads.
    pub to: usize,
    /// The node whose value goes along.
    pub node: usize,
    /// Which nodes read it here, and as which of their inputs.
    pub reads: Vec<(usize, usize)>,
    /// From the lower side of one box to the upper side of the other: see [`Edge::path`].
    pub bends: Vec<[f64; 2]>,
}

/// The room around what is inside of an open group.
const PADDING: f64 = 14.0;
/// The room for its name.
const HEAD: f64 = 26.0;

impl Graph {
    /// The picture of the whole loss, or of the inside of a group. `depth` groups within one another
    /// are open; the others are boxes. A group that there is not has nothing inside.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::{Graph, Shows};
    /// let tape = Tape::f64();
    /// let x = tape.variable([3.0, 4.0]);
    /// let graph = Graph::of(tape.scope("length", || x.square().sum(..).sqrt()))?;
    /// let level = graph.level(None, 0);
    /// assert_eq!(level.boxes[0].shows, Shows::Node(0));
    /// assert_eq!(level.boxes[1].shows, Shows::Group(0, vec![1, 2, 3, 4]));
    /// assert_eq!((level.edges[0].node, &level.edges[0].reads), (0, &vec![(1, 0)]));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn level(&self, group: Option<usize>, depth: usize) -> Level {
        let within = |node: &usize| match group {
            Some(group) => self.path(self.nodes[*node].group).contains(&group),
            None => true,
        };
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(within).collect();
        self.drawn(group, &nodes, depth, &|shows| Caption::of(self, shows).extent())
    }

    /// Draws some nodes of a group, all boxes but open groups as large as `extent` says.
    fn drawn(
        &self,
        group: Option<usize>,
        nodes: &[usize],
        depth: usize,
        extent: &dyn Fn(&Shows) -> [f64; 2],
    ) -> Level {
        let boxes = self.boxes(group, nodes);
        let edges = self.edges(&boxes);
        let insides: Vec<Option<Level>> = boxes
            .iter()
            .map(|shows| match shows {
                Shows::Group(inner, nodes) if depth > 0 => {
                    Some(self.opened(*inner, nodes, depth, extent))
                }
                _ => None,
            })
            .collect();
        let sizes: Vec<[f64; 2]> = boxes
            .iter()
            .zip(&insides)
            .map(|(shows, inside)| match inside {
                Some(inside) => [inside.width, inside.height],
                None => extent(shows),
            })
            .collect();
        let items: Vec<Item> = boxes
            .iter()
            .zip(&sizes)
            .map(|(shows, &[width, height])| {
                let rank = match shows {
                    Shows::Node(_) | Shows::Group(..) => Rank::Free,
                    Shows::Enters(_) => Rank::First,
                    Shows::Leaves(_) => Rank::Last,
                };
                Item { width, height, rank }
            })
            .collect();
        // An edge meets an open group where the group's inside goes on with it.
        let port = |at: usize, wanted: Shows| {
            let inside = insides[at].as_ref()?;
            let port = inside.boxes.iter().find(|port| port.shows == wanted)?;
            Some(port.x + port.width / 2.0 - inside.width / 2.0)
        };
        let arrows: Vec<Arrow> = edges
            .iter()
            .map(|edge| Arrow {
                from: edge.from,
                to: edge.to,
                leaves: port(edge.from, Shows::Leaves(edge.node)).unwrap_or(0.0),
                enters: port(edge.to, Shows::Enters(edge.node)),
            })
            .collect();
        let placed = layered(&items, &arrows);
        let boxes = boxes.into_iter().zip(sizes).zip(insides).zip(placed.middles);
        Level {
            boxes: boxes
                .map(|(((shows, [width, height]), inside), [x, y])| Block {
                    shows,
                    x: x - width / 2.0,
                    y: y - height / 2.0,
                    width,
                    height,
                    inside,
                })
                .collect(),
            edges: edges
                .into_iter()
                .zip(placed.bends)
                .map(|(e, bends)| Edge { bends, ..e })
                .collect(),
            width: placed.width,
            height: placed.height,
        }
    }

    /// Draws an open group: ports are points on its frame, under which its name has room.
    fn opened(
        &self,
        group: usize,
        nodes: &[usize],
        depth: usize,
        extent: &dyn Fn(&Shows) -> [f64; 2],
    ) -> Level {
        let mut level = self.drawn(Some(group), nodes, depth - 1, &|shows| match shows {
            Shows::Enters(_) | Shows::Leaves(_) => [0.0, 0.0],
            shows => extent(shows),
        });
        let has = |port: fn(&Shows) -> bool| level.boxes.iter().any(|b| port(&b.shows));
        let enters = has(|shows| matches!(shows, Shows::Enters(_)));
        let leaves = has(|shows| matches!(shows, Shows::Leaves(_)));
        let least = Caption::width_of(&self.groups[group].name) + 2.0 * PADDING;
        let width = (level.width + 2.0 * PADDING).max(least);
        let [right, down] = [(width - level.width) / 2.0, if enters { 0.0 } else { HEAD }];
        for shown in &mut level.boxes {
            (shown.x, shown.y) = (shown.x + right, shown.y + down);
        }
        for bend in level.edges.iter_mut().flat_map(|edge| &mut edge.bends) {
            *bend = [bend[0] + right, bend[1] + down];
        }
        level.width = width;
        level.height += down + if leaves { 0.0 } else { PADDING };
        level
    }

    /// The nodes and groups right inside of a group, of some nodes of it.
    pub(crate) fn outline(&self, group: Option<usize>, nodes: &[usize]) -> Vec<Shows> {
        let depth = self.path(group).len();
        let mut inner: Vec<Shows> = Vec::new();
        for &node in nodes {
            match (self.path(self.nodes[node].group).get(depth), inner.last_mut()) {
                (None, _) => inner.push(Shows::Node(node)),
                (Some(&next), Some(Shows::Group(last, members))) if *last == next => {
                    members.push(node)
                }
                (Some(&next), _) => inner.push(Shows::Group(next, vec![node])),
            }
        }
        inner
    }

    /// The boxes of a level without their places: those right inside, and what crosses its frame.
    fn boxes(&self, group: Option<usize>, nodes: &[usize]) -> Vec<Shows> {
        let inner = self.outline(group, nodes);
        if group.is_none() {
            return inner;
        }
        let mut is_inside = vec![false; self.nodes.len()];
        nodes.iter().for_each(|&node| is_inside[node] = true);
        let mut entering: Vec<usize> = nodes
            .iter()
            .flat_map(|&node| self.nodes[node].inputs.iter().map(|input| input.node))
            .filter(|&node| !is_inside[node])
            .collect();
        entering.sort_unstable();
        entering.dedup();
        let mut is_read = vec![false; self.nodes.len()];
        for (_, node) in self.nodes.iter().enumerate().filter(|(reader, _)| !is_inside[*reader]) {
            node.inputs.iter().for_each(|input| is_read[input.node] = true);
        }
        let loss = self.nodes.len() - 1;
        let leaving = nodes.iter().copied().filter(|&node| is_read[node] || node == loss);
        let mut boxes: Vec<Shows> = entering.into_iter().map(Shows::Enters).collect();
        boxes.extend(inner);
        boxes.extend(leaving.map(Shows::Leaves));
        boxes
    }

    /// The edges between boxes, without their ways.
    fn edges(&self, boxes: &[Shows]) -> Vec<Edge> {
        let mut box_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, shows) in boxes.iter().enumerate() {
            match shows {
                Shows::Node(node) | Shows::Enters(node) => drop(box_of.insert(*node, at)),
                Shows::Group(_, nodes) => box_of.extend(nodes.iter().map(|&node| (node, at))),
                Shows::Leaves(_) => {}
            }
        }
        let mut edges: Vec<Edge> = Vec::new();
        let edge = |from, to, node, reads| Edge { from, to, node, reads, bends: Vec::new() };
        for (to, shows) in boxes.iter().enumerate() {
            let readers = match shows {
                Shows::Node(node) => std::slice::from_ref(node),
                Shows::Group(_, nodes) => nodes.as_slice(),
                Shows::Enters(_) => &[],
                Shows::Leaves(node) => {
                    edges.push(edge(box_of[node], to, *node, Vec::new()));
                    &[]
                }
            };
            let start = edges.len();
            for &reader in readers {
                for (slot, input) in self.nodes[reader].inputs.iter().enumerate() {
                    let from = box_of[&input.node];
                    // A group reads a node once, whoever reads it there.
                    let known = edges[start..].iter_mut().find(|edge| edge.node == input.node);
                    match (shows, known) {
                        _ if from == to => {}
                        (Shows::Group(..), Some(known)) => known.reads.push((reader, slot)),
                        _ => edges.push(edge(from, to, input.node, vec![(reader, slot)])),
                    }
                }
            }
        }
        edges
    }
}

impl Edge {
    /// Its way as the data of an SVG path: down inside of layers, in a curve between them.
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
    fn a_level_shows_what_is_inside_of_it_and_what_crosses_its_frame() {
        let tape = Tape::f64();
        let graph = Graph::of(nested(&tape)).unwrap();
        let level = graph.level(Some(0), 0);
        let shows: Vec<&Shows> = level.boxes.iter().map(|shown| &shown.shows).collect();
        let group = Shows::Group(1, vec![1, 2, 3]);
        assert_eq!(shows, [&Shows::Enters(0), &group, &Shows::Node(4), &Shows::Leaves(4)]);
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
        let times = level.boxes.iter().filter(|shown| matches!(shown.shows, Shows::Group(..)));
        assert_eq!(times.count(), 2);
        assert!(level.edges.iter().all(|edge| edge.from < edge.to));
    }
}
