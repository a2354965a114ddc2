//! Fusing: which nodes are computed in one pass.
//!
//! - A kernel is all nodes of one level and one home ([`kind`](super::kind)) that somebody outside
//!   reads, with all that they need.
//! - A kernel that needs a soft node of an earlier one computes it anew if that takes one or two
//!   cheap ops, or if it is made of leaves and nobody else reads it, and else reads it from memory.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use lossgraph_tensor::program::{Extent, Program};
use smallvec::SmallVec;

use super::Fusion;
use super::analysis::{Access, Analysis, Pattern, Reads};
use super::lower::Lowering;
use super::rewrite::Dag;
use super::space::Space;
use crate::graph::Id;
use crate::op::Op;
use crate::ops::binary::{ATAN2, Binary, POW, SIGMOID_BY, SOFTPLUS_BY};
use crate::ops::unary::{self, Unary};

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
    pub rematerialized: usize,
}

/// What is to be done, level by level.
pub(super) enum Unit {
    Standalone(Id),
    Kernel(Kernel),
}

pub(super) struct Planner<'a> {
    analysis: Analysis<'a>,
    /// The nodes that read each node, through reshapes and expansions.
    readers: Vec<SmallVec<[Id; 2]>>,
    /// The nodes that have to be in memory whatever kernels there are.
    kept: Vec<bool>,
    /// The nodes that kernels have to write out, by level and space.
    asked: BTreeMap<(i32, Space), BTreeSet<Id>>,
    /// The nodes that are steps of their own, by level.
    alone: BTreeMap<i32, BTreeSet<Id>>,
}

impl<'a> Planner<'a> {
    pub fn new(dag: &'a Dag, fusion: Fusion) -> Planner<'a> {
        let count = dag.nodes.len();
        let mut planner = Planner {
            analysis: Analysis::of(dag, fusion),
            readers: vec![SmallVec::new(); count],
            kept: vec![false; count],
            asked: BTreeMap::new(),
            alone: BTreeMap::new(),
        };
        let mut needed = vec![false; count];
        for &root in &dag.roots {
            needed[root as usize] = true;
            planner.keep(root);
        }
        for id in (0..count as Id).rev() {
            if needed[id as usize] {
                planner.note_reads(id, &mut needed);
            }
        }
        planner
    }

    /// Notes what a node that is needed reads.
    fn note_reads(&mut self, id: Id, needed: &mut [bool]) {
        let node = self.analysis.node(id);
        for (at, &input) in node.inputs.iter().enumerate() {
            needed[input as usize] = true;
            match self.analysis.pattern(id) {
                Pattern::Alias | Pattern::Expand(_) => {}
                Pattern::Standalone | Pattern::View => self.keep(input),
                Pattern::Gather | Pattern::Scatter if at == 1 => self.keep(input),
                _ => self.readers[self.analysis.base(input) as usize].push(id),
            }
        }
    }

    /// Notes that a node, and what it looks at if it is a view, will have to be in memory.
    fn keep(&mut self, id: Id) {
        let known = std::mem::replace(&mut self.kept[id as usize], true);
        if !known
            && matches!(
                self.analysis.pattern(id),
                Pattern::Alias | Pattern::Expand(_) | Pattern::View
            )
        {
            self.analysis.node(id).inputs.iter().for_each(|&input| self.keep(input));
        }
    }

    /// Sees to it that a node will be in memory.
    fn materialize(&mut self, id: Id) {
        match self.analysis.pattern(id) {
            Pattern::Input => {}
            Pattern::Alias | Pattern::Expand(_) | Pattern::View => {
                self.analysis.node(id).inputs.iter().for_each(|&input| self.materialize(input));
            }
            Pattern::Standalone => {
                self.alone.entry(self.analysis.level(id)).or_default().insert(id);
            }
            _ => {
                let key = (self.analysis.level(id), self.analysis.domain(id).0);
                self.asked.entry(key).or_default().insert(id);
            }
        }
    }

    /// Whether a node will be in memory, as far as is known.
    fn is_materialized(&self, id: Id) -> bool {
        let key = (self.analysis.level(id), self.analysis.domain(id).0);
        self.kept[id as usize] || self.asked.get(&key).is_some_and(|asked| asked.contains(&id))
    }

    /// The units of the plan, from the last level to the first: what a unit reads is known before
    /// the unit that computes it is made.
    pub fn units(mut self) -> Vec<Unit> {
        for &root in &self.analysis.dag.roots {
            self.materialize(root);
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
                    for &input in &self.analysis.node(id).inputs {
                        self.materialize(input);
                    }
                    units.push(Unit::Standalone(id));
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
        // First what is needed, from the last node to the first, so that all readers of a node are
        // known when it is its turn; then the micro-ops in order.
        let mut open: BinaryHeap<(Id, u8)> = BinaryHeap::new();
        for &id in &targets {
            open.push((id, code(self.analysis.domain(id).1)));
        }
        let mut needed: Vec<(Id, Extent)> = Vec::new();
        let mut resolved = Resolved::new();
        let mut rematerialized = BTreeSet::new();
        let mut read = HashSet::new();
        while let Some((id, extent)) = open.pop() {
            let extent = extent_of(extent);
            if resolved.contains_key(&(id, extent)) {
                continue;
            }
            if self.analysis.level(id) < level && !self.is_local(id, &resolved) {
                if !self.worth_rematerializing(id, extent, space) {
                    self.materialize(id);
                    read.insert((id, extent));
                    continue;
                }
                rematerialized.insert(id);
            }
            let reads = self.analysis.reads(id, extent, space);
            for &(access, extent) in &reads {
                match access {
                    Access::Inline(x) => open.push((x, code(extent))),
                    Access::Load(x) => self.materialize(x),
                    Access::Constant(_) => {}
                }
            }
            if matches!(self.analysis.pattern(id), Pattern::Gather | Pattern::Scatter) {
                self.materialize(self.analysis.node(id).inputs[1]);
            }
            resolved.insert((id, extent), reads);
            needed.push((id, extent));
        }
        for (access, extent) in resolved.values_mut().flatten() {
            if let Access::Inline(x) = *access
                && read.contains(&(x, *extent))
            {
                *access = Access::Load(x);
            }
        }
        needed.sort_by_key(|&(id, extent)| (id, code(extent)));
        Lowering::of(&self.analysis, space, &needed, &resolved, &targets)
            .kernel(rematerialized.len())
    }

    /// Whether a node is made of leaves, and all that read it are in this kernel: then it need not
    /// be computed before.
    fn is_local(&self, id: Id, resolved: &Resolved) -> bool {
        let here = |&reader: &Id| EXTENTS.iter().any(|&of| resolved.contains_key(&(reader, of)));
        self.analysis.level(id) == 0
            && !self.is_materialized(id)
            && self.readers[id as usize].iter().all(here)
    }

    /// Whether a soft node of an earlier kernel is computed anew here, rather than written out
    /// there: one or two cheap ops are, on what is in memory anyway; what floats is next to free.
    fn worth_rematerializing(&self, id: Id, extent: Extent, space: Space) -> bool {
        if extent == Extent::One {
            return true;
        }
        if self.is_materialized(id) || self.analysis.domain(id).1 == Extent::Rows {
            return false;
        }
        if extent != Extent::Full {
            return true;
        }
        self.rematerialization_cost(id, extent, space, 2).is_some()
    }

    /// How many cheap ops it takes to compute a node anew, if they are no more than `most`.
    fn rematerialization_cost(
        &self,
        id: Id,
        extent: Extent,
        space: Space,
        most: usize,
    ) -> Option<usize> {
        if self.is_materialized(id) || extent != Extent::Full {
            return Some(0);
        }
        let mut rest = most.checked_sub(1).filter(|_| is_cheap(&self.analysis.node(id).op))?;
        for (access, extent) in self.analysis.reads(id, extent, space) {
            if let Access::Inline(x) = access {
                rest -= self.rematerialization_cost(x, extent, space, rest)?;
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

/// Extents in the order in which values of one node are made.
const EXTENTS: [Extent; 4] = [Extent::One, Extent::Columns, Extent::Rows, Extent::Full];

fn code(extent: Extent) -> u8 {
    EXTENTS.iter().position(|&of| of == extent).unwrap_or(0) as u8
}

fn extent_of(code: u8) -> Extent {
    EXTENTS[code as usize]
}
