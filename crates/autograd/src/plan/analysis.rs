//! Fusion analysis: whether a node lives in a tile or is a fusion barrier, over which iteration
//! domain it is computed, and after which steps.
//!
//! A **fusion barrier** exists only after a step of its own: products of matrices, reductions over
//! everything or over rows, whatever is no map. The other nodes are **fusible**: they live in a
//! tile, and are written out only if somebody outside of their group reads them.
//!
//! - Nodes with the same elements in the same order ([`space`](super::space)) share one iteration
//!   space `rows × columns`, which the reductions and broadcasts among them decide on.
//! - The **domain** of a fusible node is the space of its elements; or, for one made from
//!   reductions of the rows of a larger space, a row there. A node of leaves and barriers alone is
//!   **hoistable**: it can be computed wherever it is read, as rows, as columns, as one number.
//! - One number made of reductions over everything, such as a mean, is an **epilogue**: it comes
//!   after the tiles of the pass that reduces.
//! - The **level** of a node counts the steps that have to come before: reading in the same group
//!   costs none.

use lossgraph_tensor::program::Extent;
use smallvec::SmallVec;

use super::request::Fusion;
use super::rewrite::Dag;
use super::space::{Broadcast, Space, Spaces, indexes_rows, repeats};
use crate::ops::index::Index;
use crate::ops::op::{Fill, Op, ReduceOp};
use crate::ops::reduce::Reduce;
use crate::ops::view::View;
use crate::record::node::{Id, Node};

/// Rows with more columns are reduced by a step of their own: a tile of whole rows would leave the
/// second cache.
const WIDEST: usize = 1 << 17;

/// What a node is to the planner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pattern {
    /// A leaf, a known value, or a constant.
    Input,
    /// The same elements in another shape.
    Alias,
    /// Some axes repeated; see [`Broadcast`].
    Expand(Broadcast),
    /// A view of something in memory.
    View,
    Elementwise,
    ReduceRow(ReduceOp),
    ReduceAll(ReduceOp),
    ReduceColumns(ReduceOp),
    /// One number made of reductions over everything of one pass, computed at its end.
    Epilogue,
    Gather,
    Scatter,
    /// A step of its own.
    Standalone,
}

/// Where an operand comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Access {
    Constant(f64),
    /// Computed in the kernel that reads it.
    Inline(Id),
    /// Read from memory.
    Load(Id),
}

/// The operands of a value, each with the extent that it is read as.
pub(super) type Reads = SmallVec<[(Access, Extent); 3]>;

/// What all nodes of a graph are.
pub(super) struct Analysis<'a> {
    pub dag: &'a Dag,
    patterns: Vec<Pattern>,
    /// The node under reshapes, and that under reshapes and expansions.
    under_reshapes: Vec<Id>,
    under_broadcasts: Vec<Id>,
    in_memory: Vec<bool>,
    spaces: Vec<Space>,
    domains: Vec<(Space, Extent)>,
    hoistable: Vec<bool>,
    levels: Vec<i32>,
}

impl<'a> Analysis<'a> {
    pub fn of(dag: &'a Dag, fusion: Fusion) -> Analysis<'a> {
        let count = dag.nodes.len();
        let mut spaces = Spaces::of(dag);
        let mut all = Analysis {
            dag,
            patterns: Vec::with_capacity(count),
            under_reshapes: Vec::with_capacity(count),
            under_broadcasts: Vec::with_capacity(count),
            in_memory: Vec::with_capacity(count),
            spaces: (0..count as Id).map(|id| spaces.space(id)).collect(),
            domains: Vec::with_capacity(count),
            hoistable: Vec::with_capacity(count),
            levels: Vec::with_capacity(count),
        };
        for id in 0..count as Id {
            let pattern = all.pattern_of(id, fusion);
            all.patterns.push(pattern);
            all.note_what_is_under(id);
            let hoistable = all.hoistable_of(id);
            all.hoistable.push(hoistable);
            let domain = all.domain_of(id);
            all.domains.push(domain);
            let level = all.level_of(id);
            all.levels.push(level);
        }
        all
    }

    pub fn node(&self, id: Id) -> &'a Node {
        &self.dag.nodes[id as usize]
    }

    pub fn pattern(&self, id: Id) -> Pattern {
        self.patterns[id as usize]
    }

    pub fn domain(&self, id: Id) -> (Space, Extent) {
        self.domains[id as usize]
    }

    pub fn level(&self, id: Id) -> i32 {
        self.levels[id as usize]
    }

    fn pattern_of(&self, id: Id, fusion: Fusion) -> Pattern {
        let node = self.node(id);
        let input = |i: usize| self.node(node.inputs[i]);
        let nothing = node.shape.contains(&0)
            || node.inputs.iter().any(|&input| self.node(input).shape.contains(&0));
        match &node.op {
            Op::Leaf(_) | Op::Fill(_) => Pattern::Input,
            Op::View(View::Reshape) => Pattern::Alias,
            Op::View(View::Expand) => Pattern::Expand(repeats(&input(0).shape, &node.shape)),
            Op::View(_) => Pattern::View,
            _ if nothing || fusion == Fusion::Unfused || !node.dtype.is_float() => {
                Pattern::Standalone
            }
            // Programs of micro-ops compute in floats.
            Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Reduce(_)
                if self.dag.reads_integers(node) =>
            {
                Pattern::Standalone
            }
            Op::Unary(_) | Op::Binary(_) | Op::Select(_) => match self.epilogue_of(node) {
                Some(_) => Pattern::Epilogue,
                None => Pattern::Elementwise,
            },
            Op::Reduce(Reduce { op, .. }) => {
                let space = self.spaces[node.inputs[0] as usize];
                match repeats(&node.shape, &input(0).shape) {
                    Broadcast::One => Pattern::ReduceAll(*op),
                    Broadcast::AlongRow(n) if n == space.columns && n <= WIDEST => {
                        Pattern::ReduceRow(*op)
                    }
                    Broadcast::AcrossRows(n) if n == space.columns && n <= WIDEST => {
                        Pattern::ReduceColumns(*op)
                    }
                    _ => Pattern::Standalone,
                }
            }
            Op::Index(Index::Gather { axis }) => {
                let fits = indexes_rows(self.dag, node, *axis)
                    && input(0).shape[*axis] == self.spaces[node.inputs[0] as usize].columns
                    && input(0).shape[*axis] <= WIDEST
                    && self.in_memory(node.inputs[1]);
                if fits { Pattern::Gather } else { Pattern::Standalone }
            }
            Op::Index(Index::ScatterAdd { axis }) => {
                let fits = indexes_rows(self.dag, node, *axis)
                    && node.shape[*axis] == self.spaces[id as usize].columns
                    && node.shape[*axis] <= WIDEST
                    && self.in_memory(node.inputs[1]);
                if fits { Pattern::Scatter } else { Pattern::Standalone }
            }
            _ => Pattern::Standalone,
        }
    }

    /// The pass at whose end a number can be computed: that of all reductions that it is made of, if
    /// there are any, and if all else is given.
    fn epilogue_of(&self, node: &Node) -> Option<(i32, Space)> {
        let inputs = || node.inputs.iter().map(|&input| self.strip_broadcasts(input));
        let reduced =
            |&x: &Id| matches!(self.pattern(x), Pattern::ReduceAll(_) | Pattern::Epilogue);
        let pass = |x: Id| (self.level(x), self.domain(x).0);
        let ends = inputs().find(reduced).map(pass).filter(|_| node.shape.numel() == 1)?;
        let fits = |x: Id| match reduced(&x) {
            true => pass(x) == ends,
            false => self.pattern(x) == Pattern::Input,
        };
        inputs().all(fits).then_some(ends)
    }

    /// Notes what a node looks at, from what is noted of its input.
    fn note_what_is_under(&mut self, id: Id) {
        let under = |table: &[Id]| table[self.node(id).inputs[0] as usize];
        let (reshapes, broadcasts, in_memory) = match self.pattern(id) {
            Pattern::Alias => (
                under(&self.under_reshapes),
                under(&self.under_broadcasts),
                self.in_memory(self.node(id).inputs[0]),
            ),
            Pattern::Expand(_) => (id, under(&self.under_broadcasts), false),
            Pattern::Input
            | Pattern::Standalone
            | Pattern::ReduceAll(_)
            | Pattern::ReduceColumns(_)
            | Pattern::Epilogue
            | Pattern::View => (id, id, true),
            Pattern::Elementwise | Pattern::ReduceRow(_) | Pattern::Gather | Pattern::Scatter => {
                (id, id, false)
            }
        };
        self.under_reshapes.push(reshapes);
        self.under_broadcasts.push(broadcasts);
        self.in_memory.push(in_memory);
    }

    /// The node under reshapes and expansions.
    pub fn strip_broadcasts(&self, id: Id) -> Id {
        self.under_broadcasts[id as usize]
    }

    /// Whether a value is in memory wherever it is looked at.
    fn in_memory(&self, id: Id) -> bool {
        self.in_memory[id as usize]
    }

    /// The node under reshapes.
    pub fn strip_reshapes(&self, id: Id) -> Id {
        self.under_reshapes[id as usize]
    }

    fn hoistable_of(&self, id: Id) -> bool {
        let settled = |id: Id| self.in_memory(id) || self.hoistable[id as usize];
        self.pattern(id) == Pattern::Elementwise
            && self.node(id).inputs.iter().all(|&input| {
                let input = self.strip_reshapes(input);
                match self.pattern(input) {
                    Pattern::Expand(_) => {
                        let narrow = self.strip_reshapes(self.node(input).inputs[0]);
                        self.node(narrow).shape.numel() == 1 && settled(narrow)
                    }
                    _ => settled(input),
                }
            })
    }

    fn domain_of(&self, id: Id) -> (Space, Extent) {
        let node = self.node(id);
        let own = (self.spaces[id as usize], Extent::Full);
        match self.pattern(id) {
            Pattern::ReduceRow(_) | Pattern::Gather => {
                (self.spaces[node.inputs[0] as usize], Extent::Rows)
            }
            Pattern::ReduceColumns(_) => (self.spaces[node.inputs[0] as usize], Extent::Columns),
            // In the domain of what is reduced, as a row or in full.
            Pattern::ReduceAll(_) => {
                let x = self.strip_reshapes(node.inputs[0]);
                match (self.pattern(x), self.domain(x)) {
                    (Pattern::Elementwise | Pattern::ReduceRow(_) | Pattern::Gather, domain) => {
                        domain
                    }
                    _ => (self.spaces[node.inputs[0] as usize], Extent::Full),
                }
            }
            Pattern::Epilogue => {
                self.epilogue_of(node).map_or(own, |(_, space)| (space, Extent::One))
            }
            Pattern::Elementwise if node.shape.numel() == 1 => (own.0, Extent::One),
            Pattern::Elementwise => {
                let inputs = node.inputs.iter().map(|&input| self.strip_reshapes(input));
                let fusible = inputs.filter(|&x| {
                    matches!(
                        self.pattern(x),
                        Pattern::Elementwise | Pattern::ReduceRow(_) | Pattern::Gather
                    )
                });
                let rows =
                    fusible.map(|x| self.domain(x)).filter(|domain| domain.1 == Extent::Rows);
                rows.max_by_key(|(space, _)| space.rows * space.columns).unwrap_or(own)
            }
            _ => own,
        }
    }

    /// How a kernel over `space` reads a node as an `extent`.
    fn access(&self, id: Id, extent: Extent, space: Space) -> (Access, Extent) {
        let (id, extent) = self.strip_repeats(id, extent, space);
        let node = self.node(id);
        match self.pattern(id) {
            Pattern::Input => match node.op {
                Op::Fill(Fill::Float(value)) => (Access::Constant(value.0), Extent::One),
                _ => (Access::Load(id), extent),
            },
            Pattern::Elementwise | Pattern::ReduceRow(_) | Pattern::Gather | Pattern::Scatter => {
                let here = self.domain(id) == (space, extent);
                let hoistable = self.hoistable[id as usize] && extent != Extent::Full;
                match here || hoistable {
                    true => (Access::Inline(id), extent),
                    false => (Access::Load(id), extent),
                }
            }
            Pattern::View
            | Pattern::Standalone
            | Pattern::ReduceAll(_)
            | Pattern::ReduceColumns(_)
            | Pattern::Epilogue
            | Pattern::Alias
            | Pattern::Expand(_) => (Access::Load(id), extent),
        }
    }

    /// The node under reshapes, and under the expansions that a kernel over `space` makes as it
    /// reads; and the extent that it is read as.
    fn strip_repeats(&self, mut id: Id, mut extent: Extent, space: Space) -> (Id, Extent) {
        loop {
            id = self.strip_reshapes(id);
            if self.node(id).shape.numel() == 1 {
                extent = Extent::One;
            }
            let Pattern::Expand(repeats) = self.pattern(id) else { return (id, extent) };
            let whole = extent == Extent::Full && self.spaces[id as usize] == space;
            extent = match repeats {
                Broadcast::One => Extent::One,
                Broadcast::AlongRow(n) if whole && n == space.columns => Extent::Rows,
                Broadcast::AcrossRows(n) if whole && n == space.columns => Extent::Columns,
                _ => return (id, extent),
            };
            id = self.node(id).inputs[0];
        }
    }

    /// What a fusible node, or a reduction that ends a group, reads in a group over `space`.
    pub fn reads(&self, id: Id, extent: Extent, space: Space) -> Reads {
        let node = self.node(id);
        match self.pattern(id) {
            Pattern::ReduceRow(_) | Pattern::ReduceColumns(_) | Pattern::Gather => {
                SmallVec::from_iter([self.access(node.inputs[0], Extent::Full, space)])
            }
            Pattern::ReduceAll(_) => {
                SmallVec::from_iter([self.access(node.inputs[0], extent, space)])
            }
            Pattern::Scatter => {
                SmallVec::from_iter([self.access(node.inputs[0], Extent::Rows, space)])
            }
            Pattern::Epilogue => {
                let read = |&input: &Id| {
                    let x = self.strip_broadcasts(input);
                    match self.pattern(x) {
                        Pattern::ReduceAll(_) | Pattern::Epilogue => {
                            (Access::Inline(x), self.domain(x).1)
                        }
                        _ => self.access(input, Extent::One, space),
                    }
                };
                node.inputs.iter().map(read).collect()
            }
            _ => node.inputs.iter().map(|&input| self.access(input, extent, space)).collect(),
        }
    }

    /// The step after which a node is in memory, or in the tile that it is computed in.
    fn level_of(&self, id: Id) -> i32 {
        let node = self.node(id);
        let of = |id: Id| self.levels[id as usize];
        match self.pattern(id) {
            Pattern::Input => -1,
            Pattern::Alias | Pattern::Expand(_) => of(node.inputs[0]),
            Pattern::View => node.inputs.iter().map(|&input| of(input)).max().unwrap_or(0),
            Pattern::Standalone => {
                node.inputs.iter().map(|&input| of(input) + 1).max().unwrap_or(0).max(0)
            }
            _ => {
                let (space, extent) = self.domain(id);
                let reads = self.reads(id, extent, space);
                let indexed = matches!(self.pattern(id), Pattern::Gather | Pattern::Scatter);
                let index = indexed.then(|| of(node.inputs[1]) + 1);
                let levels = reads.iter().map(|(access, _)| match *access {
                    Access::Constant(_) => 0,
                    Access::Inline(x) => of(x),
                    Access::Load(x) => of(x) + 1,
                });
                levels.chain(index).max().unwrap_or(0).max(0)
            }
        }
    }
}
