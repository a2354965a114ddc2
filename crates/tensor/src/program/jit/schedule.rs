//! The passes of a kernel: which nodes each loop over a row computes, and which numbers of the row come
//! between.
//!
//! A reduction is known when its loop is over, so that what needs it is in a later one. What a later
//! loop needs of an earlier one is computed again if that is cheap, and kept in an array otherwise.

use super::graph::{Binary, Graph, Node, NodeId, Unary};

/// What a node may cost, in instructions, to be computed again in a later pass.
const AGAIN: u32 = 5;

/// Where a pass finds a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It computes it.
    Compute(NodeId),
    /// It reads what an earlier pass has kept.
    Reload(NodeId),
}

/// A loop over a row.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// The numbers of the row that are computed before the loop.
    pub numbers: Vec<NodeId>,
    pub steps: Vec<Step>,
    /// The leaves that no later pass loads.
    pub last_loads: Vec<NodeId>,
    /// The reductions that it accumulates.
    pub reductions: Vec<NodeId>,
    /// What it stores: results, and what later passes reload.
    pub stores: Vec<NodeId>,
}

pub(super) struct Schedule {
    pub passes: Vec<Pass>,
    /// Whether a result needs a node.
    pub needed: Vec<bool>,
    /// In which pass a node can be computed first; a number, before which.
    pub level: Vec<u32>,
}

impl Schedule {
    /// The passes that compute some results.
    pub fn of(graph: &Graph, results: &[NodeId]) -> Schedule {
        let (count, is_full) = (graph.nodes.len(), &graph.is_full);
        let (mut level, mut cost) = (vec![0; count], vec![0_u32; count]);
        for (at, node) in graph.nodes.iter().enumerate() {
            let operands = node.operands().iter().map(|&x| x as usize);
            level[at] = operands.clone().map(|x| level[x]).max().unwrap_or(0);
            // What a pass has loaded is in the L1 cache when an element of it is gathered.
            if matches!(node, Node::Reduce(..) | Node::Gather(..)) {
                level[at] += 1;
            }
            if is_full[at] {
                let own = match node {
                    Node::Binary(Binary::Div, _) | Node::Unary(Unary::Sqrt, _) => 6,
                    _ => 1,
                };
                cost[at] = operands.fold(own, |sum, x| sum.saturating_add(cost[x]));
            }
        }
        let mut needed = vec![false; count];
        for &result in results {
            needed[result as usize] = true;
        }
        for at in (0..count).rev() {
            if needed[at] {
                graph.nodes[at].operands().iter().for_each(|&x| needed[x as usize] = true);
            }
        }
        let last = (0..count).filter(|&at| needed[at]).map(|at| level[at]).max().unwrap_or(0);
        let mut passes: Vec<Pass> = (0..=last).map(|_| Pass::default()).collect();
        let is_leaf = |at: usize| matches!(graph.nodes[at], Node::Leaf { .. } | Node::Constant(_));
        for at in (0..count).filter(|&at| needed[at] && !is_leaf(at)) {
            match graph.nodes[at] {
                Node::Reduce(..) => passes[level[at] as usize - 1].reductions.push(at as NodeId),
                _ if !is_full[at] => passes[level[at] as usize].numbers.push(at as NodeId),
                _ => {}
            }
        }
        let mut stored = vec![false; count];
        for &result in results.iter().filter(|&&result| is_full[result as usize]) {
            if !std::mem::replace(&mut stored[result as usize], true) {
                passes[level[result as usize] as usize].stores.push(result);
            }
        }
        let mut loaded = vec![false; count];
        // From the last pass on, since it says what the earlier ones have to keep.
        for now in (0..passes.len()).rev() {
            let mut in_pass = vec![false; count];
            for &reduction in &passes[now].reductions {
                in_pass[graph.nodes[reduction as usize].operands()[0] as usize] = true;
            }
            passes[now].stores.iter().for_each(|&x| in_pass[x as usize] = true);
            let mut steps = vec![];
            for at in (0..count).rev().filter(|&at| is_full[at]) {
                if !in_pass[at] {
                    continue;
                }
                // A mask is in no array.
                let is_mask = matches!(graph.nodes[at], Node::Compare(..));
                let earlier = (level[at] as usize) < now && !is_leaf(at) && !is_mask;
                if earlier && (stored[at] || cost[at] > AGAIN) {
                    if !std::mem::replace(&mut stored[at], true) {
                        passes[level[at] as usize].stores.push(at as NodeId);
                    }
                    steps.push(Step::Reload(at as NodeId));
                } else {
                    graph.nodes[at].operands().iter().for_each(|&x| in_pass[x as usize] = true);
                    steps.push(Step::Compute(at as NodeId));
                }
            }
            steps.reverse();
            let leaves = steps.iter().filter_map(|step| match *step {
                Step::Compute(x) if matches!(graph.nodes[x as usize], Node::Leaf { .. }) => Some(x),
                _ => None,
            });
            passes[now].last_loads =
                leaves.filter(|&x| !std::mem::replace(&mut loaded[x as usize], true)).collect();
            passes[now].steps = steps;
        }
        Schedule { passes, needed, level }
    }
}
