//! Layers that repeat: consecutive copies of one structure, folded into a group `linear, relu × 12`
//! that opens to its copies.
//!
//! What repeats is recognized by its structure, whoever recorded it: the same ops with values of the
//! same shapes, wired alike, in scopes of the same names, each copy reading the one before.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

use crate::graph::{Graph, Group};
use crate::level::Content;

/// The most boxes of a copy. A search for larger ones would take long, and find little.
const LONGEST: usize = 32;
/// How often something has to follow itself to be called repeated: a layer, several ops, or one.
const LEAST: [usize; 3] = [2, 3, 4];
/// How many names of a copy its group says.
const NAMES: usize = 3;

/// Something that repeats: the nodes of each copy.
struct Run {
    copies: Vec<Range<usize>>,
    /// The group that each copy is by itself; empty where it is several boxes.
    groups: Vec<usize>,
    name: String,
}

/// A box of a level with the nodes in it, which follow one another.
struct Child {
    nodes: Range<usize>,
    group: Option<usize>,
    /// The number of its structure.
    kind: usize,
}

impl Graph {
    /// The same graph with what repeats in groups, on all levels.
    pub(crate) fn with_repeats(mut self) -> Graph {
        let mut inside: Vec<Vec<usize>> = vec![Vec::new(); self.groups.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            self.path(node.group).into_iter().for_each(|group| inside[group].push(at));
        }
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let mut runs = self.runs(None, &all, &inside);
        for (group, nodes) in inside.iter().enumerate() {
            let found = self.runs(Some(group), nodes, &inside);
            runs.extend(found);
        }
        for (parent, run) in runs {
            self.gather(parent, run);
        }
        self.outer_first()
    }

    /// What repeats directly inside of a group.
    fn runs(
        &self,
        group: Option<usize>,
        nodes: &[usize],
        inside: &[Vec<usize>],
    ) -> Vec<(Option<usize>, Run)> {
        let depth = self.path(group).len();
        let mut kinds: HashMap<String, usize> = HashMap::new();
        let contents = self.children(group, nodes);
        let children: Vec<Child> = contents
            .iter()
            .map(|content| {
                let (members, group) = match content {
                    Content::Group(group, members) => (&members[..], Some(*group)),
                    Content::Node(node) => (std::slice::from_ref(node), None),
                    _ => (&[][..], None),
                };
                let first = members.first().copied().unwrap_or(0);
                let nodes = first..members.last().map_or(first, |last| last + 1);
                // A group that was left and entered again is like no other.
                let is_whole = nodes.len() == members.len()
                    && group.is_none_or(|group| inside[group].len() == members.len());
                let structure =
                    if is_whole { self.structure(&nodes, depth) } else { format!("{first}") };
                let new = kinds.len();
                Child { nodes, group, kind: *kinds.entry(structure).or_insert(new) }
            })
            .collect();
        let mut found = Vec::new();
        let mut at = 0;
        while at < children.len() {
            match self.run_at(&children, at) {
                Some((copies, period)) => {
                    found.push((group, self.run(&children[at..at + copies * period], period)));
                    at += copies * period;
                }
                None => at += 1,
            }
        }
        found
    }

    /// The ops among some consecutive nodes. Leaves do not count: weights that all copies share stand in
    /// the first one.
    fn ops(&self, nodes: &Range<usize>) -> Vec<usize> {
        nodes.clone().filter(|&at| !self.nodes[at].inputs.is_empty()).collect()
    }

    /// What some consecutive nodes are, as text: each op with the shape of its value, the groups inside
    /// of which it is, and which of the others it reads. A leaf by itself is its shape.
    fn structure(&self, nodes: &Range<usize>, depth: usize) -> String {
        let ops = self.ops(nodes);
        if ops.is_empty() {
            return format!("{} {:?}", self.nodes[nodes.start].op, self.nodes[nodes.start].shape);
        }
        let mut text = String::new();
        for &at in &ops {
            let node = &self.nodes[at];
            for group in self.path(node.group).into_iter().skip(depth) {
                let _ = write!(text, "{}/", stem(&self.groups[group].name));
            }
            let _ = write!(text, "{} {:?}", node.op, node.shape);
            for input in &node.inputs {
                match ops.binary_search(&input.node) {
                    Ok(place) => drop(write!(text, " {place}")),
                    Err(_) => text.push_str(" ."),
                }
            }
            text.push('\n');
        }
        text
    }

    /// How many copies of how many boxes begin at a box, if any do: most boxes in all, and of these the
    /// shortest copy.
    fn run_at(&self, children: &[Child], at: usize) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        for period in 1..=LONGEST.min((children.len() - at) / 2) {
            let copies = self.copies(children, at, period);
            let has_layer = children[at..at + period].iter().any(|child| child.group.is_some());
            let least = LEAST[if has_layer { 0 } else { 1 + usize::from(period == 1) }];
            if copies >= least && best.is_none_or(|(n, p)| copies * period > n * p) {
                best = Some((copies, period));
            }
        }
        let (copies, period) = best?;
        // A copy rather begins with a layer or with its parameters than with what follows them.
        let begins = |child: &Child| {
            child.group.is_some() || self.nodes[child.nodes.start].inputs.is_empty()
        };
        if !begins(&children[at])
            && (at + 1..at + period).any(|later| {
                begins(&children[later]) && self.copies(children, later, period) >= copies
            })
        {
            return None;
        }
        Some((copies, period))
    }

    /// How many copies of some boxes follow one another from a box on.
    fn copies(&self, children: &[Child], at: usize, period: usize) -> usize {
        let copy = |k: usize| children.get(at + k * period..at + (k + 1) * period);
        let nodes = |boxes: &[Child]| boxes[0].nodes.start..boxes[period - 1].nodes.end;
        let follows = |earlier: Option<&[Child]>, a: &[Child], b: &[Child]| {
            let same = a.iter().zip(b).all(|(a, b)| a.kind == b.kind);
            let joined = || {
                let all = a.iter().chain(b);
                all.clone().zip(all.skip(1)).all(|(a, b)| a.nodes.end == b.nodes.start)
            };
            same && joined() && self.is_next(earlier.map(nodes), nodes(a), nodes(b))
        };
        let mut count = 1;
        while let (Some(a), Some(b)) = (copy(count - 1), copy(count)) {
            let earlier = count.checked_sub(2).and_then(copy);
            if !follows(earlier, a, b) {
                break;
            }
            count += 1;
        }
        count
    }

    /// Whether some nodes of one structure are wired as those before them are, and read them. What the
    /// first copy reads in the place of a copy before it can be anything.
    fn is_next(
        &self,
        earlier: Option<Range<usize>>,
        before: Range<usize>,
        nodes: Range<usize>,
    ) -> bool {
        let earlier = earlier.map(|nodes| self.ops(&nodes));
        let (before, ops) = (self.ops(&before), self.ops(&nodes));
        let place = |ops: &[usize], node: usize| ops.binary_search(&node).ok();
        let looks_like = |a: usize, b: usize| {
            let [a, b] = [a, b].map(|at| &self.nodes[at]);
            a.op == b.op && a.shape == b.shape
        };
        let mut reads_before = false;
        for (&a, &b) in before.iter().zip(&ops) {
            for (a, b) in self.nodes[a].inputs.iter().zip(&self.nodes[b].inputs) {
                let (a, b) = (a.node, b.node);
                let alike = match (place(&before, a), place(&ops, b), place(&before, b)) {
                    (Some(a), Some(b), _) => a == b,
                    (None, None, Some(read)) => {
                        reads_before = true;
                        earlier.as_ref().is_none_or(|ops| place(ops, a) == Some(read))
                    }
                    // Both are elsewhere, such as weights.
                    (None, None, None) => a == b || looks_like(a, b),
                    _ => false,
                };
                if !alike {
                    return false;
                }
            }
        }
        reads_before && before.len() == ops.len()
    }

    /// Some boxes as copies of so many.
    fn run(&self, children: &[Child], period: usize) -> Run {
        let copies =
            children.chunks(period).map(|copy| copy[0].nodes.start..copy[period - 1].nodes.end);
        let groups = match period {
            1 => children.iter().filter_map(|child| child.group).collect(),
            _ => Vec::new(),
        };
        let mut names: Vec<&str> = Vec::new();
        for child in &children[..period] {
            let node = &self.nodes[child.nodes.start];
            let name = child.group.map_or(node.op, |group| stem(&self.groups[group].name));
            let is_leaf = child.group.is_none() && node.inputs.is_empty();
            if !is_leaf && !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() > NAMES {
            names.truncate(NAMES - 1);
            names.push("…");
        }
        Run { copies: copies.collect(), groups, name: names.join(", ") }
    }

    /// Puts copies into groups, and these into one.
    fn gather(&mut self, parent: Option<usize>, run: Run) {
        let Run { copies, groups, name } = run;
        let (outer, depth) = (self.groups.len(), self.path(parent).len());
        let location = self.nodes[copies[0].start].location;
        self.groups.push(Group { name: format!("{name} × {}", copies.len()), parent, location });
        for (at, copy) in copies.into_iter().enumerate() {
            let name = format!("{name} {}", at + 1);
            if let Some(&group) = groups.get(at) {
                let own = &mut self.groups[group];
                own.parent = Some(outer);
                // Copies that count by themselves keep their numbers.
                if stem(&own.name) == own.name {
                    own.name = name;
                }
                continue;
            }
            // A single op is its own copy.
            let inner = if copy.len() == 1 { outer } else { self.groups.len() };
            if inner != outer {
                let location = self.nodes[copy.start].location;
                self.groups.push(Group { name, parent: Some(outer), location });
            }
            for at in copy {
                match self.path(self.nodes[at].group).get(depth) {
                    None => self.nodes[at].group = Some(inner),
                    Some(&child) if child != outer => self.groups[child].parent = Some(inner),
                    // Its group was moved with a node before it.
                    Some(_) => {}
                }
            }
        }
    }

    /// The groups with outer ones before inner ones.
    fn outer_first(mut self) -> Graph {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|&group| self.path(Some(group)).len());
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &group)| place[group] = at);
        let moved = |group: Option<usize>| group.map(|group| place[group]);
        self.nodes.iter_mut().for_each(|node| node.group = moved(node.group));
        let group = |&at: &usize| Group {
            parent: moved(self.groups[at].parent),
            ..self.groups[at].clone()
        };
        self.groups = order.iter().map(group).collect();
        self
    }
}

/// A name without the number that it ends with: `step 3` and `step 4` are steps.
fn stem(name: &str) -> &str {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end();
    if stem.is_empty() { name } else { stem }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Tape, Var};

    use super::*;

    /// The groups of a loss once what repeats is folded: each with the names of the groups around it.
    fn folded(loss: Var<'_>) -> Vec<String> {
        let graph = Graph::of(loss).unwrap().with_repeats();
        assert_eq!(graph.nodes.len(), Graph::of(loss).unwrap().nodes.len());
        for (at, group) in graph.groups.iter().enumerate() {
            assert!(group.parent.is_none_or(|parent| parent < at), "outer groups come first");
        }
        let path = |at: usize| {
            let names =
                graph.path(Some(at)).into_iter().map(|group| graph.groups[group].name.clone());
            names.collect::<Vec<_>>().join("/")
        };
        (0..graph.groups.len()).map(path).collect()
    }

    fn dense<'t>(x: Var<'t>, width: usize) -> Var<'t> {
        let tape = x.tape();
        tape.scope("linear", || {
            let w = tape.variable(
                lossgraph_tensor::Tensor::full([x.dim(1), width], 0.1, x.dtype()).unwrap(),
            );
            x.matmul(w) + tape.variable(vec![0.1; width])
        })
    }

    #[test]
    fn twelve_layers_recorded_in_a_loop_are_one_box_that_opens_to_its_copies() {
        let tape = Tape::f64();
        let mut x = tape.variable([[1.0, 2.0]]);
        x = dense(x, 3).relu();
        for _ in 0..12 {
            x = dense(x, 3).relu();
        }
        let groups = folded(dense(x, 2).square().sum(..));
        assert!(groups.contains(&"linear, relu × 12".to_owned()), "{groups:?}");
        let copy = "linear, relu × 12/linear, relu 7/linear";
        assert!(groups.contains(&copy.to_owned()), "{groups:?}");
        // The first layer and the last one have other shapes.
        assert_eq!(groups.iter().filter(|group| *group == "linear").count(), 2);
    }

    #[test]
    fn a_layer_that_is_used_again_and_again_is_folded_with_its_first_use() {
        let tape = Tape::f64();
        // The weight is recorded by the first use.
        let mut weight = None;
        let y = (0..5).fold(tape.variable([[1.0, 2.0]]), |x, _| {
            tape.scope("layer", || {
                let w = *weight.get_or_insert_with(|| tape.variable([[0.1, 0.2], [0.3, 0.4]]));
                x.matmul(w).tanh()
            })
        });
        assert_eq!(folded(y.sum(..))[0], "layer × 5");
    }

    #[test]
    fn layers_without_anything_between_them_are_their_own_copies() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0, 3.0]]);
        let y = (0..4).fold(x, |x, _| dense(x, 3));
        let expected = [
            "linear × 4",
            "linear × 4/linear 1",
            "linear × 4/linear 2",
            "linear × 4/linear 3",
            "linear × 4/linear 4",
        ];
        assert_eq!(folded(y.sum(..)), expected);
    }

    #[test]
    fn steps_of_a_recurrent_net_are_folded_inside_of_its_scope() {
        let tape = Tape::f64();
        let x =
            tape.variable([[[0.1, 0.2]], [[0.3, -0.1]], [[0.2, 0.0]], [[0.5, 0.4]], [[-0.3, 0.2]]]);
        let [w, u] =
            [tape.variable([[0.5, 0.1], [0.2, 0.3]]), tape.variable([[0.1, 0.0], [0.3, 0.2]])];
        let h = tape.scope("rnn", || {
            let start = tape.fill([1, 2], 0.0);
            (0..5).fold(start, |h, t| (x.index(0, t).matmul(w) + h.matmul(u)).tanh())
        });
        let groups = folded(h.square().sum(..));
        let name = groups.iter().find(|group| group.ends_with(" × 5"));
        assert!(name.is_some_and(|name| name.starts_with("rnn/")), "{groups:?}");
        assert_eq!(groups.iter().filter(|group| group.matches('/').count() == 2).count(), 5);
    }

    #[test]
    fn what_is_alike_and_not_chained_or_of_other_shapes_is_not_folded() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0]]);
        // Side by side.
        let all: Vec<Var<'_>> = (0..3).map(|_| dense(x, 2)).collect();
        let beside = folded(all[0].sum(..) + all[1].sum(..) + all[2].sum(..));
        assert!(beside.iter().all(|group| !group.contains('×')), "{beside:?}");
        let widening = folded((3..6).fold(x, dense).sum(..));
        assert!(widening.iter().all(|group| !group.contains('×')), "{widening:?}");
    }

    #[test]
    fn a_long_loop_is_folded_once_and_soon() {
        let tape = Tape::f64();
        let x = tape.variable([0.1]);
        let y = (0..500).fold(x, |x, _| x.sin() * 0.5 + x);
        let groups = folded(y.sum(..));
        assert!(groups[0].ends_with(" × 500"), "{}", groups[0]);
    }
}
