//! Vectors of all processes, merged by the tree of shards.

use super::communicator::Communicator;
use super::layout::{Lengths, merge};
use super::tree::{Node, Tree};
use super::wire::{Wire, put, take};
use crate::error::{Error, Result};

/// How many numbers are exchanged at a time: what a message takes does not grow with the model.
const BUCKET: usize = 1 << 22;

/// How the shards of a batch are dealt to processes.
pub(super) struct Deal {
    /// How many examples each shard has.
    pub examples: Vec<usize>,
    /// How many processes there are.
    pub processes: usize,
}

impl Deal {
    /// The shards of a process.
    pub fn shards(&self, rank: usize) -> std::ops::Range<usize> {
        let each = self.examples.len() / self.processes;
        rank * each..(rank + 1) * each
    }

    /// The nodes of the tree that a process has alone, with the number of their examples.
    fn nodes(&self, rank: usize) -> Vec<(Node, usize)> {
        let mut tree = Tree::new(self.examples.len());
        for shard in self.shards(rank) {
            tree.push_leaf(shard, self.examples[shard], &mut |a, b| a + b);
        }
        tree.into_nodes()
    }
}

/// The numbers of a node, with how many examples they are of; without an example there are none.
pub(super) type Part<T> = (usize, Vec<T>);

/// Merges what two nodes give.
pub(super) fn join<T: Wire>(left: Part<T>, right: Part<T>, sums: usize) -> Part<T> {
    let examples = left.0 + right.0;
    match (left.0, right.0) {
        (_, 0) => left,
        (0, _) => right,
        (_, of_right) => {
            (examples, merge(left.1, &right.1, sums, of_right as f64 / examples as f64))
        }
    }
}

/// The numbers of the whole tree. Each process has those of its nodes, of which it sends every
/// process a piece; each merges one piece, and sends it to all.
///
/// So a process sends, and receives, `2 (p − 1)/p` times the bytes of the vector if its shards are one
/// node, as they are for powers of 2.
pub(super) fn allreduce<T: Wire>(
    world: &dyn Communicator,
    deal: &Deal,
    mut own: Vec<Vec<T>>,
    lengths: Lengths,
) -> Result<Vec<T>> {
    let size = world.size();
    if size == 1 {
        // The root of the tree.
        return Ok(own.pop().unwrap_or_default());
    }
    let nodes: Vec<Vec<(Node, usize)>> = (0..size).map(|rank| deal.nodes(rank)).collect();
    // Of as many nodes as the process with most of them has; there is nothing in what others lack.
    let slots = nodes.iter().map(Vec::len).max().unwrap_or(0);
    let mut all = Vec::with_capacity(lengths.all);
    for start in (0..lengths.all).step_by(BUCKET) {
        let count = BUCKET.min(lengths.all - start);
        let piece = count.div_ceil(size);
        let mut sent = Vec::with_capacity(T::SIZE * piece * size * slots);
        for to in 0..size {
            let range = (to * piece).min(count)..((to + 1) * piece).min(count);
            for slot in 0..slots {
                let end = sent.len() + T::SIZE * piece;
                if let Some(numbers) = own.get(slot).filter(|numbers| !numbers.is_empty()) {
                    put(&mut sent, &numbers[start + range.start..start + range.end]);
                }
                sent.resize(end, 0);
            }
        }
        let received = world.alltoall(&sent)?;
        // Where in the vector the piece of this process begins.
        let first = start + world.rank() * piece;
        let sums = lengths.sums.saturating_sub(first).min(piece);
        let mut tree = Tree::new(deal.examples.len());
        for (nodes, mut bytes) in nodes.iter().zip(received.chunks(T::SIZE * piece * slots)) {
            for &(node, examples) in nodes {
                let numbers = take::<T>(&mut bytes, piece);
                tree.push(node, (examples, numbers), &mut |a, b| join(a, b, sums));
            }
        }
        let (_, merged) = tree.into_root().ok_or_else(|| Error::Parallel {
            why: "the shards of the processes are not those of a batch".to_owned(),
        })?;
        let mut bytes = Vec::new();
        put(&mut bytes, &merged);
        let gathered = world.allgather(&bytes)?;
        all.extend(take::<T>(&mut &gathered[..], count));
    }
    Ok(all)
}
