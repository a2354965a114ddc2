//! What to plan, and how.

use lossgraph_tensor::DType;

use crate::ops::op::Op;
use crate::record::node::{Id, Node};

/// How a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fusion {
    /// Simplified and fused.
    Fused,
    /// As written, each node a step: the reference.
    Unfused,
}

/// What to plan.
pub(crate) struct PlanRequest<'a> {
    pub nodes: &'a [Node],
    /// For each node, the node on the requesting tape that an error in it is about.
    pub origins: &'a [Id],
    pub roots: &'a [Id],
    /// Nodes whose value is known already, ascending.
    pub known: &'a [Id],
    /// Numbers of the program that a run is given, ascending: none of them is looked at, but that it
    /// is finite.
    pub arguments: &'a [Id],
    /// The float type of the program.
    pub float: DType,
}

impl PlanRequest<'_> {
    pub fn is_input(&self, id: Id) -> bool {
        matches!(self.nodes[id as usize].op, Op::Leaf(_)) || self.known.binary_search(&id).is_ok()
    }

    pub fn is_argument(&self, id: Id) -> bool {
        self.arguments.binary_search(&id).is_ok() && !self.is_input(id)
    }

    /// How many nodes that are needed read each node; being requested counts as well.
    pub fn readers(&self) -> Vec<u32> {
        let mut readers = vec![0; self.nodes.len()];
        for &root in self.roots {
            readers[root as usize] += 1;
        }
        for id in (0..self.nodes.len()).rev() {
            if readers[id] > 0 && !self.is_input(id as Id) {
                for &input in &self.nodes[id].inputs {
                    readers[input as usize] += 1;
                }
            }
        }
        readers
    }
}
