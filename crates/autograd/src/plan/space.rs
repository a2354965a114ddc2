//! Iteration spaces: which nodes have the same elements in the same order, and how shapes that are
//! broadcast or reduced into each other become rows and columns.

use std::collections::BTreeMap;

use lossgraph_tensor::Shape;
use smallvec::SmallVec;

use super::rewrite::Dag;
use crate::ops::index::Index;
use crate::ops::op::Op;
use crate::ops::view::View;
use crate::record::node::{FxHashMap, Id, Node};

/// An iteration space. One long column where nothing tells rows from columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Space {
    pub rows: usize,
    pub columns: usize,
}

/// How an expansion, or a reduction the other way round, relates two shapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Broadcast {
    /// One element everywhere.
    One,
    /// Each element along a row of so many columns.
    AlongRow(usize),
    /// All elements, as a row of so many columns, in each row.
    AcrossRows(usize),
    /// Anything else.
    Other,
}

/// How the axes of `narrow` that have length 1, or are not there, are repeated in `wide`.
pub(super) fn repeats(narrow: &Shape, wide: &Shape) -> Broadcast {
    let more = wide.rank() - narrow.rank();
    let long = (0..wide.rank()).filter(|&axis| wide[axis] != 1);
    let one = |axis: usize| axis < more || narrow[axis - more] == 1;
    let repeated: SmallVec<[bool; 6]> = long.clone().map(one).collect();
    let columns = |which: bool| {
        let axes = long.clone().zip(&repeated).filter(|&(_, &repeated)| repeated == which);
        axes.map(|(axis, _)| wide[axis]).product()
    };
    let first = repeated.iter().take_while(|&&it| it == repeated[0]).count();
    let changes_once = repeated[first..].iter().all(|&it| it != repeated[0]);
    match repeated.first() {
        Some(true) if first == repeated.len() => Broadcast::One,
        Some(true) if changes_once => Broadcast::AcrossRows(columns(false)),
        Some(false) if changes_once && first < repeated.len() => Broadcast::AlongRow(columns(true)),
        _ => Broadcast::Other,
    }
}

/// The nodes that have the same elements in the same order, and their common space.
pub(super) struct Spaces {
    parent: Vec<Id>,
    /// Votes for a number of columns, by the representative of a class.
    votes: FxHashMap<Id, BTreeMap<usize, usize>>,
    lens: Vec<usize>,
}

impl Spaces {
    pub fn of(dag: &Dag) -> Spaces {
        let count = dag.nodes.len();
        let lens = dag.nodes.iter().map(|node| node.shape.numel()).collect();
        let mut spaces =
            Spaces { parent: (0..count as Id).collect(), votes: FxHashMap::default(), lens };
        // The number of columns that a node votes for, and with which weight.
        let mut votes: Vec<(Id, usize, usize)> = Vec::new();
        for (id, node) in dag.nodes.iter().enumerate() {
            let id = id as Id;
            let shape = |id: Id| &dag.nodes[id as usize].shape;
            match &node.op {
                Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::View(View::Reshape) => {
                    node.inputs.iter().for_each(|&input| spaces.union(id, input));
                }
                Op::View(View::Expand) => match repeats(shape(node.inputs[0]), &node.shape) {
                    Broadcast::AlongRow(n) | Broadcast::AcrossRows(n) => {
                        // One that repeats other axes, too, has no say where others have one.
                        let above = &dag.nodes[node.inputs[0] as usize].op;
                        votes.push((id, n, usize::from(*above != Op::View(View::Expand))))
                    }
                    _ => {}
                },
                Op::Reduce(..) => match repeats(&node.shape, shape(node.inputs[0])) {
                    Broadcast::AlongRow(n) | Broadcast::AcrossRows(n) => {
                        votes.push((node.inputs[0], n, 1))
                    }
                    _ => {}
                },
                Op::Index(Index::Gather { axis }) if indexes_rows(dag, node, *axis) => {
                    votes.push((node.inputs[0], shape(node.inputs[0])[*axis], 1));
                }
                Op::Index(Index::ScatterAdd { axis }) if indexes_rows(dag, node, *axis) => {
                    votes.push((id, node.shape[*axis], 1));
                }
                _ => {}
            }
        }
        for (id, columns, weight) in votes {
            let class = spaces.find(id);
            *spaces.votes.entry(class).or_default().entry(columns).or_insert(0) += weight;
        }
        spaces
    }

    fn find(&mut self, id: Id) -> Id {
        let mut at = id;
        while self.parent[at as usize] != at {
            let above = self.parent[self.parent[at as usize] as usize];
            self.parent[at as usize] = above;
            at = above;
        }
        at
    }

    fn union(&mut self, a: Id, b: Id) {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }

    /// The space of a node's elements; most votes decide.
    pub fn space(&mut self, id: Id) -> Space {
        let (len, class) = (self.lens[id as usize], self.find(id));
        let votes = self.votes.get(&class).and_then(|votes| votes.iter().max_by_key(|(_, n)| **n));
        match votes {
            Some((&columns, _)) => Space { rows: len / columns.max(1), columns },
            None => Space { rows: len, columns: 1 },
        }
    }
}

/// Whether a gather or scatter takes one column in each row of what it reads or writes.
pub(super) fn indexes_rows(dag: &Dag, node: &Node, axis: usize) -> bool {
    let shape = |input: usize| &dag.nodes[node.inputs[input] as usize].shape;
    let (wide, index) = match node.op {
        Op::Index(Index::Gather { .. }) => (shape(0), shape(1)),
        _ => (&node.shape, shape(1)),
    };
    wide.rank() == index.rank()
        && index[axis] == 1
        && wide[axis] > 1
        && (0..wide.rank()).all(|a| a == axis || (wide[a] == index[a]))
        && wide[axis + 1..].iter().all(|&dim| dim == 1)
        && wide.numel() > wide[axis]
}
