//! Fusion: which nodes are computed in one pass.
//!
//! - A fusion group is all nodes of one level and one iteration domain
//!   ([`analysis`](super::analysis)) that somebody outside reads, with all that they need.
//! - A group that needs a fusible node of an earlier one rematerializes it if that takes one or two
//!   cheap ops, or if it is made of leaves and nobody else reads it, and else loads it from memory.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use lossgraph_tensor::program::Extent;
use smallvec::SmallVec;

use super::analysis::{Access, Analysis, Pattern, Reads};
use super::space::Space;
use crate::ops::facts::Cost;
use crate::record::node::{FxHashMap, FxHashSet, Id};

/// A value of a group: a node, and over which part of the iteration space it extends.
pub(super) type GroupValue = (Id, Extent);

/// Nodes that are computed in one pass.
pub(super) struct FusionGroup {
    pub space: Space,
    /// The values that are computed, in order.
    pub values: Vec<GroupValue>,
    /// Their operands.
    pub reads: FxHashMap<GroupValue, Reads>,
    /// The nodes that are written to memory.
    pub outputs: BTreeSet<Id>,
    /// How many values of earlier groups are rematerialized.
    pub rematerialized: usize,
}

/// What is one step of a plan.
pub(super) enum Unit<K> {
    /// A node by its own kernel.
    Standalone(Id),
    /// Nodes that are fused.
    Kernel(K),
}

/// Parts a program into units, in the order of their levels.
pub(super) fn partition(analysis: &Analysis<'_>) -> Vec<Unit<FusionGroup>> {
    Partition::new(analysis).units()
}

struct Partition<'p, 'a> {
    analysis: &'p Analysis<'a>,
    /// The nodes that read each node, through reshapes and expansions.
    readers: Vec<SmallVec<[Id; 2]>>,
    /// The nodes that have to be in memory whatever groups there are.
    materialized: Vec<bool>,
    /// The views that were requested, with what they look at.
    requested_views: Vec<bool>,
    /// The nodes that groups have to write out, by level and space.
    requested: BTreeMap<(i32, Space), BTreeSet<Id>>,
    /// The nodes that are steps of their own, by level.
    standalone: BTreeMap<i32, BTreeSet<Id>>,
}

impl<'p, 'a> Partition<'p, 'a> {
    fn new(analysis: &'p Analysis<'a>) -> Partition<'p, 'a> {
        let dag = analysis.dag;
        let count = dag.nodes.len();
        let mut partition = Partition {
            analysis,
            readers: vec![SmallVec::new(); count],
            materialized: vec![false; count],
            requested_views: vec![false; count],
            requested: BTreeMap::new(),
            standalone: BTreeMap::new(),
        };
        let mut needed = vec![false; count];
        for &root in &dag.roots {
            needed[root as usize] = true;
            partition.note_materialized(root);
        }
        for id in (0..count as Id).rev() {
            if needed[id as usize] {
                partition.note_reads(id, &mut needed);
            }
        }
        partition
    }

    /// Notes what a node that is needed reads.
    fn note_reads(&mut self, id: Id, needed: &mut [bool]) {
        let node = self.analysis.node(id);
        for (at, &input) in node.inputs.iter().enumerate() {
            needed[input as usize] = true;
            match self.analysis.pattern(id) {
                Pattern::Alias | Pattern::Expand(_) => {}
                Pattern::Standalone | Pattern::View => self.note_materialized(input),
                Pattern::Gather | Pattern::Scatter if at == 1 => self.note_materialized(input),
                _ => self.readers[self.analysis.strip_broadcasts(input) as usize].push(id),
            }
        }
    }

    /// Notes that a node, and what it looks at if it is a view, will have to be in memory.
    fn note_materialized(&mut self, id: Id) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let known = std::mem::replace(&mut self.materialized[id as usize], true);
            if !known && self.is_view(id) {
                open.extend(&self.analysis.node(id).inputs);
            }
        }
    }

    /// Whether a node is a view of any kind.
    fn is_view(&self, id: Id) -> bool {
        matches!(self.analysis.pattern(id), Pattern::Alias | Pattern::Expand(_) | Pattern::View)
    }

    /// Sees to it that a node will be in memory, and what it looks at if it is a view.
    fn request(&mut self, id: Id) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if self.is_view(id) {
                let seen = std::mem::replace(&mut self.requested_views[id as usize], true);
                open.extend(self.analysis.node(id).inputs.iter().filter(|_| !seen));
                continue;
            }
            let level = self.analysis.level(id);
            match self.analysis.pattern(id) {
                Pattern::Input => {}
                Pattern::Standalone => {
                    self.standalone.entry(level).or_default().insert(id);
                }
                _ => {
                    let key = (level, self.analysis.domain(id).0);
                    self.requested.entry(key).or_default().insert(id);
                }
            }
        }
    }

    /// Whether a node will be in memory, as far as is known.
    fn is_materialized(&self, id: Id) -> bool {
        let key = (self.analysis.level(id), self.analysis.domain(id).0);
        self.materialized[id as usize]
            || self.requested.get(&key).is_some_and(|requested| requested.contains(&id))
    }

    /// The units, made from the last level to the first: what a unit reads is known before the unit
    /// that computes it is made.
    fn units(mut self) -> Vec<Unit<FusionGroup>> {
        for &root in &self.analysis.dag.roots {
            self.request(root);
        }
        let mut units = Vec::new();
        loop {
            let group = self.requested.last_key_value().map(|((level, _), _)| *level);
            let standalone = self.standalone.last_key_value().map(|(level, _)| *level);
            if group.is_none() && standalone.is_none() {
                break;
            }
            if standalone >= group {
                let Some((_, ids)) = self.standalone.pop_last() else { break };
                for id in ids.into_iter().rev() {
                    for &input in &self.analysis.node(id).inputs {
                        self.request(input);
                    }
                    units.push(Unit::Standalone(id));
                }
            } else if let Some(((level, space), outputs)) = self.requested.pop_last() {
                units.push(Unit::Kernel(self.group(level, space, outputs)));
            }
        }
        units.reverse();
        units
    }

    /// Makes the group of a level and space that writes out `outputs`: from the last node to the
    /// first, so that all readers of a node are known when it is its turn.
    fn group(&mut self, level: i32, space: Space, outputs: BTreeSet<Id>) -> FusionGroup {
        let mut open: BinaryHeap<(Id, u8)> = BinaryHeap::new();
        for &id in &outputs {
            open.push((id, code(self.analysis.domain(id).1)));
        }
        let mut values: Vec<GroupValue> = Vec::new();
        let mut reads: FxHashMap<GroupValue, Reads> = FxHashMap::default();
        let mut rematerialized = BTreeSet::new();
        let mut loaded = FxHashSet::default();
        while let Some((id, extent)) = open.pop() {
            let extent = extent_of(extent);
            if reads.contains_key(&(id, extent)) || loaded.contains(&(id, extent)) {
                continue;
            }
            if self.analysis.level(id) < level && !self.is_local(id, &reads) {
                if !self.worth_rematerializing(id, extent, space) {
                    self.request(id);
                    loaded.insert((id, extent));
                    continue;
                }
                rematerialized.insert(id);
            }
            let operands = self.analysis.reads(id, extent, space);
            for &(access, extent) in &operands {
                match access {
                    Access::Inline(x) => open.push((x, code(extent))),
                    Access::Load(x) => self.request(x),
                    Access::Constant(_) => {}
                }
            }
            if matches!(self.analysis.pattern(id), Pattern::Gather | Pattern::Scatter) {
                self.request(self.analysis.node(id).inputs[1]);
            }
            reads.insert((id, extent), operands);
            values.push((id, extent));
        }
        for (access, extent) in reads.values_mut().flatten() {
            if let Access::Inline(x) = *access
                && loaded.contains(&(x, *extent))
            {
                *access = Access::Load(x);
            }
        }
        values.sort_by_key(|&(id, extent)| (id, code(extent)));
        FusionGroup { space, values, reads, outputs, rematerialized: rematerialized.len() }
    }

    /// Whether a node is made of leaves, and all that read it are in this group: then it need not
    /// be computed before.
    fn is_local(&self, id: Id, reads: &FxHashMap<GroupValue, Reads>) -> bool {
        let here = |&reader: &Id| EXTENTS.iter().any(|&of| reads.contains_key(&(reader, of)));
        self.analysis.level(id) == 0
            && !self.is_materialized(id)
            && self.readers[id as usize].iter().all(here)
    }

    /// Whether a fusible node of an earlier group is rematerialized here, rather than written out
    /// there: one or two cheap ops are, on what is in memory anyway; what is hoisted is next to free.
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

    /// How many cheap ops it takes to rematerialize a node, if they are no more than `most`.
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
        let mut rest = most.checked_sub(1).filter(|_| self.is_cheap(id))?;
        for (access, extent) in self.analysis.reads(id, extent, space) {
            if let Access::Inline(x) = access {
                rest -= self.rematerialization_cost(x, extent, space, rest)?;
            }
        }
        Some(most - rest)
    }

    /// Whether computing a node costs about as much as reading its operands.
    fn is_cheap(&self, id: Id) -> bool {
        let op = &self.analysis.node(id).op;
        op.is_elementwise() && op.family().facts().cost == Cost::Cheap
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
