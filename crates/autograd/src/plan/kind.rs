//! What nodes are to the planner: whether they live in a tile or need a step, over which space, and
//! after which steps.
//!
//! A node is **hard** if it exists only after a step of its own: products of matrices, sums over
//! everything or over rows, whatever is no map. The others are **soft**: they live in a tile, and
//! are written out only if somebody outside of their kernel reads them.
//!
//! - Nodes with the same elements in the same order ([`space`](super::space)) share one space
//!   `rows × columns`, which the folds and broadcasts among them decide on.
//! - A soft node has a **home**: the space of its elements, or, made from folds of the rows of a
//!   larger space, a row there. A node of leaves and hard nodes alone **floats**: it can be
//!   computed wherever it is read, as rows, as columns, as one number.
//! - One number made of folds over everything, such as a mean, comes **after** the tiles of the
//!   pass that folds.
//! - Its **level** counts the steps that have to come before: reading in the same kernel costs
//!   none.

use lossgraph_tensor::kernels::Fold;
use lossgraph_tensor::program::Extent;
use smallvec::SmallVec;

use super::Mode;
use super::simplify::Graph;
use super::space::{Repeats, Space, Spaces, places_a_row, repeats};
use crate::graph::{Id, Node};
use crate::op::{Folding, Op};
use crate::ops::binary::Binary;
use crate::ops::index::Index;
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
    /// One number made of folds over everything of one pass, computed at its end.
    After,
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

/// What all nodes of a graph are.
pub(super) struct Kinds<'a> {
    pub graph: &'a Graph,
    kinds: Vec<Kind>,
    spaces: Vec<Space>,
    homes: Vec<(Space, Extent)>,
    floats: Vec<bool>,
    levels: Vec<i32>,
}

impl<'a> Kinds<'a> {
    pub fn of(graph: &'a Graph, mode: Mode) -> Kinds<'a> {
        let count = graph.nodes.len();
        let mut spaces = Spaces::of(graph);
        let mut all = Kinds {
            graph,
            kinds: Vec::with_capacity(count),
            spaces: (0..count as Id).map(|id| spaces.space(id)).collect(),
            homes: Vec::with_capacity(count),
            floats: Vec::with_capacity(count),
            levels: Vec::with_capacity(count),
        };
        for id in 0..count as Id {
            let kind = all.kind_of(id, mode);
            all.kinds.push(kind);
            let floats = all.floats_of(id);
            all.floats.push(floats);
            let home = all.home_of(id);
            all.homes.push(home);
            let level = all.level_of(id);
            all.levels.push(level);
        }
        all
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

    pub fn level(&self, id: Id) -> i32 {
        self.levels[id as usize]
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
            Op::Unary(..) | Op::Binary(_) | Op::Select => match self.ends(node) {
                Some(_) => Kind::After,
                None => Kind::Elementwise,
            },
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

    /// The pass at whose end a number can be computed: that of all folds that it is made of, if
    /// there are any, and if all else is given.
    fn ends(&self, node: &Node) -> Option<(i32, Space)> {
        let inputs = || node.inputs.iter().map(|&input| self.base(input));
        let folded = |&x: &Id| matches!(self.kind(x), Kind::FoldAll(_) | Kind::After);
        let pass = |x: Id| (self.level(x), self.home(x).0);
        let ends = inputs().find(folded).map(pass).filter(|_| node.shape.len() == 1)?;
        let fits = |x: Id| match folded(&x) {
            true => pass(x) == ends,
            false => self.kind(x) == Kind::Given,
        };
        inputs().all(fits).then_some(ends)
    }

    /// The node under reshapes and expansions.
    pub fn base(&self, mut id: Id) -> Id {
        while matches!(self.kind(id), Kind::Alias | Kind::Expand(_)) {
            id = self.node(id).inputs[0];
        }
        id
    }

    /// Whether a value is in memory wherever it is looked at.
    fn in_memory(&self, id: Id) -> bool {
        let hard = matches!(
            self.kind(id),
            Kind::Given
                | Kind::Alone
                | Kind::FoldAll(_)
                | Kind::FoldColumns(_)
                | Kind::After
                | Kind::View
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
        let settled = |id: Id| self.in_memory(id) || self.floats[id as usize];
        self.kind(id) == Kind::Elementwise
            && self.node(id).inputs.iter().all(|&input| {
                let input = self.under(input);
                match self.kind(input) {
                    Kind::Expand(_) => {
                        let narrow = self.under(self.node(input).inputs[0]);
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
            Kind::After => self.ends(node).map_or(own, |(_, space)| (space, Extent::One)),
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
            Kind::View
            | Kind::Alone
            | Kind::FoldAll(_)
            | Kind::FoldColumns(_)
            | Kind::After
            | Kind::Alias => (Access::Read(id), extent),
        }
    }

    /// What a soft node, or a fold that ends a kernel, reads in a kernel over `space`.
    pub fn reads(&self, id: Id, extent: Extent, space: Space) -> Reads {
        let node = self.node(id);
        match self.kind(id) {
            Kind::FoldRow(_) | Kind::FoldColumns(_) | Kind::Gather => {
                SmallVec::from_iter([self.access(node.inputs[0], Extent::Full, space)])
            }
            Kind::FoldAll(_) => SmallVec::from_iter([self.access(node.inputs[0], extent, space)]),
            Kind::Scatter => {
                SmallVec::from_iter([self.access(node.inputs[0], Extent::Rows, space)])
            }
            Kind::After => {
                let read = |&input: &Id| {
                    let x = self.base(input);
                    match self.kind(x) {
                        Kind::FoldAll(_) | Kind::After => (Access::Inline(x), self.home(x).1),
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
}
