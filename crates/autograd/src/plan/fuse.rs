//! Fusing: which nodes share a pass over which iteration space.
//!
//! A node is **hard** if it exists only after a step of its own: products of matrices, sums over
//! everything or over rows, whatever is no map. The others are **soft**: they live in a tile, and
//! are written out only if somebody outside of their kernel reads them.
//!
//! - Nodes with the same elements in the same order ([`space`](super::space)) share one space `rows × columns`,
//!   which the folds and broadcasts among them decide on.
//! - A soft node has a **home**: the space of its elements, or, made from folds of the rows of a
//!   larger space, a row there. A node of leaves and hard nodes alone **floats**: it can be
//!   computed wherever it is read, as rows, as columns, as one number.
//! - Its **level** counts the steps that have to come before: reading in the same kernel costs
//!   none. A kernel is all nodes of one level and one home that somebody outside reads.
//! - A kernel that needs a soft node of an earlier one computes it anew if that takes one or two
//!   cheap ops, and else reads it from memory.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use lossgraph_tensor::kernels::Fold;
use lossgraph_tensor::program::{Extent, Program};
use smallvec::SmallVec;

use super::lower::Lowering;
use super::simplify::Graph;
use super::space::{Repeats, Space, Spaces, places_a_row, repeats};
use crate::graph::{Id, Node};
use crate::op::{Folding, Op};
use crate::ops::binary::{ATAN2, Binary, POW, SIGMOID_BY, SOFTPLUS_BY};
use crate::ops::index::Index;
use crate::ops::unary::{self, Unary};
use crate::ops::view::View;

/// Rows with more columns are folded by a step of their own: a tile of whole rows would leave the
/// second cache.
const WIDEST: usize = 1 << 17;

/// What a node is to the planner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A leaf, a known value, or a constant.
    Given,
    /// The same elements in another shape.
    Alias,
    /// Some axes repeated; see [`Repeats`].
    Expand(Repeats),
    /// A view of something in memory.
    View,
    Elementwise,
    FoldRow(Fold),
    FoldAll(Fold),
    FoldColumns(Fold),
    Gather,
    Scatter,
    /// A step of its own.
    Alone,
}

/// Where an operand comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Access {
    Number(f64),
    /// Computed in the kernel that reads it.
    Inline(Id),
    /// Read from memory.
    Read(Id),
}

/// The operands of a value, each with the extent that it is read as.
pub(super) type Reads = SmallVec<[(Access, Extent); 3]>;

/// The values of a kernel with their operands.
pub(super) type Resolved = HashMap<(Id, Extent), Reads>;

/// A kernel with the nodes that it reads and writes.
pub(super) struct Kernel {
    pub program: Program,
    /// The nodes read, floats and indices.
    pub inputs: Vec<Id>,
    pub indices: Vec<Id>,
    pub outputs: Vec<Id>,
    /// How many values of earlier kernels are computed anew.
    pub again: usize,
}

/// What is to be done, level by level.
pub(super) enum Unit {
    Alone(Id),
    Kernel(Kernel),
}

/// How a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// Simplified and fused.
    Fused,
    /// As written, each node a step: the reference.
    Unfused,
}

pub(super) struct Planner<'a> {
    pub graph: &'a Graph,
    kinds: Vec<Kind>,
    spaces: Vec<Space>,
    homes: Vec<(Space, Extent)>,
    floats: Vec<bool>,
    levels: Vec<i32>,
    /// The nodes that kernels have to write out, by level and space.
    asked: BTreeMap<(i32, Space), BTreeSet<Id>>,
    /// The nodes that are steps of their own, by level.
    alone: BTreeMap<i32, BTreeSet<Id>>,
}

impl<'a> Planner<'a> {
    pub fn new(graph: &'a Graph, mode: Mode) -> Planner<'a> {
        let count = graph.nodes.len();
        let mut spaces = Spaces::of(graph);
        let mut planner = Planner {
            graph,
            kinds: Vec::with_capacity(count),
            spaces: (0..count as Id).map(|id| spaces.space(id)).collect(),
            homes: Vec::with_capacity(count),
            floats: Vec::with_capacity(count),
            levels: Vec::with_capacity(count),
            asked: BTreeMap::new(),
            alone: BTreeMap::new(),
        };
        for id in 0..count as Id {
            let kind = planner.kind_of(id, mode);
            planner.kinds.push(kind);
            let floats = planner.floats_of(id);
            planner.floats.push(floats);
            let home = planner.home_of(id);
            planner.homes.push(home);
            let level = planner.level_of(id);
            planner.levels.push(level);
        }
        planner
    }

    pub fn node(&self, id: Id) -> &'a Node {
        &self.graph.nodes[id as usize]
    }

    pub fn kind(&self, id: Id) -> Kind {
        self.kinds[id as usize]
    }

    pub fn is_binary(&self, id: Id, row: &Binary) -> bool {
        matches!(&self.node(id).op, Op::Binary(of) if std::ptr::eq(of.0, row))
    }

    pub fn home(&self, id: Id) -> (Space, Extent) {
        self.homes[id as usize]
    }

    fn kind_of(&self, id: Id, mode: Mode) -> Kind {
        let node = self.node(id);
        let input = |i: usize| self.node(node.inputs[i]);
        let nothing = node.shape.contains(&0)
            || node.inputs.iter().any(|&input| self.node(input).shape.contains(&0));
        match &node.op {
            Op::Leaf(_) | Op::Fill(_) => Kind::Given,
            Op::View(View::Reshape) => Kind::Alias,
            Op::View(View::Expand) => Kind::Expand(repeats(&input(0).shape, &node.shape)),
            Op::View(_) => Kind::View,
            _ if nothing || mode == Mode::Unfused || !node.dtype.is_float() => Kind::Alone,
            Op::Unary(..) | Op::Binary(_) | Op::Select => Kind::Elementwise,
            Op::Fold(folding, _) => {
                let fold = match folding {
                    Folding::Sum => Fold::Sum,
                    Folding::Max => Fold::Max,
                    Folding::Min => Fold::Min,
                };
                let space = self.spaces[node.inputs[0] as usize];
                match repeats(&node.shape, &input(0).shape) {
                    Repeats::One => Kind::FoldAll(fold),
                    Repeats::AlongRows(n) if n == space.columns && n <= WIDEST => {
                        Kind::FoldRow(fold)
                    }
                    Repeats::EachRow(n) if n == space.columns && n <= WIDEST => {
                        Kind::FoldColumns(fold)
                    }
                    _ => Kind::Alone,
                }
            }
            Op::Index(Index::Gather { axis }) => {
                let fits = places_a_row(self.graph, node, *axis)
                    && input(0).shape[*axis] == self.spaces[node.inputs[0] as usize].columns
                    && input(0).shape[*axis] <= WIDEST
                    && self.in_memory(node.inputs[1]);
                if fits { Kind::Gather } else { Kind::Alone }
            }
            Op::Index(Index::ScatterAdd { axis }) => {
                let fits = places_a_row(self.graph, node, *axis)
                    && node.shape[*axis] == self.spaces[id as usize].columns
                    && node.shape[*axis] <= WIDEST
                    && self.in_memory(node.inputs[1]);
                if fits { Kind::Scatter } else { Kind::Alone }
            }
            _ => Kind::Alone,
        }
    }

    /// Whether a value is in memory wherever it is looked at.
    fn in_memory(&self, id: Id) -> bool {
        let hard = matches!(
            self.kind(id),
            Kind::Given | Kind::Alone | Kind::FoldAll(_) | Kind::FoldColumns(_) | Kind::View
        );
        hard || self.kind(id) == Kind::Alias && self.in_memory(self.node(id).inputs[0])
    }

    /// The node under reshapes.
    pub fn under(&self, mut id: Id) -> Id {
        while self.kind(id) == Kind::Alias {
            id = self.node(id).inputs[0];
        }
        id
    }

    fn floats_of(&self, id: Id) -> bool {
        let base = |id: Id| self.under(id);
        let settled = |id: Id| self.in_memory(id) || self.floats[id as usize];
        self.kind(id) == Kind::Elementwise
            && self.node(id).inputs.iter().all(|&input| {
                let input = base(input);
                match self.kind(input) {
                    Kind::Expand(_) => {
                        let narrow = base(self.node(input).inputs[0]);
                        self.node(narrow).shape.len() == 1 && settled(narrow)
                    }
                    _ => settled(input),
                }
            })
    }

    fn home_of(&self, id: Id) -> (Space, Extent) {
        let node = self.node(id);
        let own = (self.spaces[id as usize], Extent::Full);
        match self.kind(id) {
            Kind::FoldRow(_) | Kind::Gather => (self.spaces[node.inputs[0] as usize], Extent::Rows),
            Kind::FoldColumns(_) => (self.spaces[node.inputs[0] as usize], Extent::Columns),
            // Where the folded value is at home, as a row or in full.
            Kind::FoldAll(_) => {
                let x = self.under(node.inputs[0]);
                match (self.kind(x), self.home(x)) {
                    (Kind::Elementwise | Kind::FoldRow(_) | Kind::Gather, home) => home,
                    _ => (self.spaces[node.inputs[0] as usize], Extent::Full),
                }
            }
            Kind::Elementwise if node.shape.len() == 1 => (own.0, Extent::One),
            Kind::Elementwise => {
                let inputs = node.inputs.iter().map(|&input| self.under(input));
                let soft = inputs.filter(|&x| {
                    matches!(self.kind(x), Kind::Elementwise | Kind::FoldRow(_) | Kind::Gather)
                });
                let rows = soft.map(|x| self.home(x)).filter(|home| home.1 == Extent::Rows);
                rows.max_by_key(|(space, _)| space.rows * space.columns).unwrap_or(own)
            }
            _ => own,
        }
    }

    /// How a kernel over `space` reads a node as an `extent`.
    fn access(&self, id: Id, extent: Extent, space: Space) -> (Access, Extent) {
        let id = self.under(id);
        let node = self.node(id);
        let extent = if node.shape.len() == 1 { Extent::One } else { extent };
        match self.kind(id) {
            Kind::Given => match node.op {
                Op::Fill(value) => (Access::Number(value.0), Extent::One),
                _ => (Access::Read(id), extent),
            },
            Kind::Expand(repeats) => {
                let base = node.inputs[0];
                let whole = extent == Extent::Full && self.spaces[id as usize] == space;
                match repeats {
                    Repeats::One => self.access(base, Extent::One, space),
                    Repeats::AlongRows(n) if whole && n == space.columns => {
                        self.access(base, Extent::Rows, space)
                    }
                    Repeats::EachRow(n) if whole && n == space.columns => {
                        self.access(base, Extent::Columns, space)
                    }
                    _ => (Access::Read(id), extent),
                }
            }
            Kind::Elementwise | Kind::FoldRow(_) | Kind::Gather | Kind::Scatter => {
                let here = self.home(id) == (space, extent);
                let floats = self.floats[id as usize] && extent != Extent::Full;
                match here || floats {
                    true => (Access::Inline(id), extent),
                    false => (Access::Read(id), extent),
                }
            }
            Kind::View | Kind::Alone | Kind::FoldAll(_) | Kind::FoldColumns(_) | Kind::Alias => {
                (Access::Read(id), extent)
            }
        }
    }

    /// What a soft node, or a fold that ends a kernel, reads in a kernel over `space`.
    fn reads(&self, id: Id, extent: Extent, space: Space) -> Reads {
        let node = self.node(id);
        match self.kind(id) {
            Kind::FoldRow(_) | Kind::FoldColumns(_) | Kind::Gather => {
                SmallVec::from_iter([self.access(node.inputs[0], Extent::Full, space)])
            }
            Kind::FoldAll(_) => SmallVec::from_iter([self.access(node.inputs[0], extent, space)]),
            Kind::Scatter => {
                SmallVec::from_iter([self.access(node.inputs[0], Extent::Rows, space)])
            }
            _ => node.inputs.iter().map(|&input| self.access(input, extent, space)).collect(),
        }
    }

    /// The step after which a node is in memory, or in the tile that it is computed in.
    fn level_of(&self, id: Id) -> i32 {
        let node = self.node(id);
        let of = |id: Id| self.levels[id as usize];
        match self.kind(id) {
            Kind::Given => -1,
            Kind::Alias | Kind::Expand(_) => of(node.inputs[0]),
            Kind::View => node.inputs.iter().map(|&input| of(input)).max().unwrap_or(0),
            Kind::Alone => node.inputs.iter().map(|&input| of(input) + 1).max().unwrap_or(0).max(0),
            _ => {
                let (space, extent) = self.home(id);
                let reads = self.reads(id, extent, space);
                let indexed = matches!(self.kind(id), Kind::Gather | Kind::Scatter);
                let index = indexed.then(|| of(node.inputs[1]) + 1);
                let levels = reads.iter().map(|(access, _)| match *access {
                    Access::Number(_) => 0,
                    Access::Inline(x) => of(x),
                    Access::Read(x) => of(x) + 1,
                });
                levels.chain(index).max().unwrap_or(0).max(0)
            }
        }
    }

    /// Sees to it that a node will be in memory.
    fn ask(&mut self, id: Id) {
        match self.kind(id) {
            Kind::Given => {}
            Kind::Alias | Kind::Expand(_) | Kind::View => {
                self.node(id).inputs.iter().for_each(|&input| self.ask(input));
            }
            Kind::Alone => {
                self.alone.entry(self.levels[id as usize]).or_default().insert(id);
            }
            _ => {
                let key = (self.levels[id as usize], self.home(id).0);
                self.asked.entry(key).or_default().insert(id);
            }
        }
    }

    fn is_asked(&self, id: Id) -> bool {
        let key = (self.levels[id as usize], self.home(id).0);
        self.asked.get(&key).is_some_and(|asked| asked.contains(&id))
    }

    /// The units of the plan, from the last level to the first: what a unit reads is known before
    /// the unit that computes it is made.
    pub fn units(mut self) -> Vec<Unit> {
        for &root in &self.graph.roots {
            self.ask(root);
        }
        let mut units = Vec::new();
        loop {
            let kernel = self.asked.last_key_value().map(|((level, _), _)| *level);
            let alone = self.alone.last_key_value().map(|(level, _)| *level);
            if kernel.is_none() && alone.is_none() {
                break;
            }
            if alone >= kernel {
                let Some((_, ids)) = self.alone.pop_last() else { break };
                for id in ids.into_iter().rev() {
                    for &input in &self.node(id).inputs {
                        self.ask(input);
                    }
                    units.push(Unit::Alone(id));
                }
            } else if let Some(((level, space), targets)) = self.asked.pop_last() {
                units.push(Unit::Kernel(self.kernel(level, space, targets)));
            }
        }
        units.reverse();
        units
    }

    /// Makes the kernel of a level and space that writes out `targets`.
    fn kernel(&mut self, level: i32, space: Space, targets: BTreeSet<Id>) -> Kernel {
        // First what is needed, from the last node to the first; then the micro-ops in order.
        let mut open: BinaryHeap<(Id, u8)> = BinaryHeap::new();
        for &id in &targets {
            open.push((id, code(self.home(id).1)));
        }
        let mut needed: Vec<(Id, Extent)> = Vec::new();
        let mut resolved = Resolved::new();
        let mut again = BTreeSet::new();
        while let Some((id, extent)) = open.pop() {
            let extent = extent_of(extent);
            if resolved.contains_key(&(id, extent)) {
                continue;
            }
            let mut reads = self.reads(id, extent, space);
            for (access, extent) in &mut reads {
                if let Access::Inline(x) = *access {
                    let earlier = self.levels[x as usize] < level;
                    if earlier && !self.worth_repeating(x, *extent, space) {
                        *access = Access::Read(x);
                    } else {
                        if earlier {
                            again.insert(x);
                        }
                        open.push((x, code(*extent)));
                    }
                }
                if let Access::Read(x) = *access {
                    self.ask(x);
                }
            }
            if matches!(self.kind(id), Kind::Gather | Kind::Scatter) {
                self.ask(self.node(id).inputs[1]);
            }
            resolved.insert((id, extent), reads);
            needed.push((id, extent));
        }
        needed.sort_by_key(|&(id, extent)| (id, code(extent)));
        Lowering::of(self, space, &needed, &resolved, &targets).kernel(again.len())
    }

    /// Whether a soft node of an earlier kernel is computed anew here, rather than written out
    /// there: one or two cheap ops are, on what is in memory anyway; what floats is next to free.
    fn worth_repeating(&self, id: Id, extent: Extent, space: Space) -> bool {
        if extent == Extent::One {
            return true;
        }
        if self.is_asked(id) || self.home(id).1 == Extent::Rows {
            return false;
        }
        if extent != Extent::Full {
            return true;
        }
        self.cheap_ops(id, extent, space, 2).is_some()
    }

    /// How many cheap ops it takes to compute a node anew, if they are no more than `most`.
    fn cheap_ops(&self, id: Id, extent: Extent, space: Space, most: usize) -> Option<usize> {
        if self.is_asked(id) || extent != Extent::Full {
            return Some(0);
        }
        let mut rest = most.checked_sub(1).filter(|_| is_cheap(&self.node(id).op))?;
        for (access, extent) in self.reads(id, extent, space) {
            if let Access::Inline(x) = access {
                rest -= self.cheap_ops(x, extent, space, rest)?;
            }
        }
        Some(most - rest)
    }
}

/// Whether an op costs about as much as reading its operand. What is not known to, does not.
fn is_cheap(op: &Op) -> bool {
    const CHEAP: [&Unary; 9] = [
        &unary::NEG,
        &unary::RECIP,
        &unary::SQUARE,
        &unary::ABS,
        &unary::SIGNUM,
        &unary::FLOOR,
        &unary::RELU,
        &unary::LEAKY_RELU,
        &unary::CLAMP,
    ];
    const COSTLY: [&Binary; 4] = [&POW, &ATAN2, &SIGMOID_BY, &SOFTPLUS_BY];
    let costly = |row: &Binary| COSTLY.iter().any(|costly| std::ptr::eq(row, *costly));
    match op {
        Op::Unary(row, _) => CHEAP.iter().any(|cheap| std::ptr::eq(row.0, *cheap)),
        Op::Binary(row) => !costly(row.0),
        Op::Select => true,
        _ => false,
    }
}

// Extents in the order in which values of one node are made.
fn code(extent: Extent) -> u8 {
    match extent {
        Extent::One => 0,
        Extent::Columns => 1,
        Extent::Rows => 2,
        Extent::Full => 3,
    }
}

fn extent_of(code: u8) -> Extent {
    [Extent::One, Extent::Columns, Extent::Rows, Extent::Full][code as usize]
}
