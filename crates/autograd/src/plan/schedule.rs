//! The order of the steps: what frees memory goes first, so that of many large values that are
//! used up one after another only one is there at a time.

use std::collections::BTreeSet;

use super::fusion::Unit;
use super::lower::LoweredKernel;
use super::rewrite::Dag;
use super::uses::Uses;
use crate::record::node::Id;

/// A value that a unit makes, and the units that read it, themselves or through views.
struct LiveValue {
    bytes: i64,
    readers: Vec<usize>,
    /// How many readers are still to come. What is requested is read once more, in the end.
    left: usize,
}

/// The units in an order in which each comes after those that it reads, and of those that could be
/// next, the one after which the values in memory are smallest; the earlier one, if equal.
pub(super) fn list_schedule(
    dag: &Dag,
    units: Vec<Unit<LoweredKernel>>,
) -> Vec<Unit<LoweredKernel>> {
    let Uses { of_units: reads, of_roots } = Uses::of(dag, &units);
    let bytes = |id: Id| {
        let node = &dag.nodes[id as usize];
        (node.shape.numel() * node.dtype.size()) as i64
    };
    let mut values: Vec<LiveValue> = (0..dag.nodes.len() as Id)
        .map(|id| LiveValue { bytes: bytes(id), readers: Vec::new(), left: 0 })
        .collect();
    for (at, reads) in reads.iter().enumerate() {
        for &id in reads {
            values[id as usize].readers.push(at);
            values[id as usize].left += 1;
        }
    }
    for id in of_roots {
        values[id as usize].left += 1;
    }
    let mut missing: Vec<usize> = reads.iter().map(BTreeSet::len).collect();
    // By how much each unit raises what is in memory.
    let mut rise: Vec<i64> = units
        .iter()
        .zip(&reads)
        .map(|(unit, reads)| {
            let last = reads.iter().filter(|&&id| values[id as usize].left == 1);
            let freed: i64 = last.map(|&id| bytes(id)).sum();
            unit.outputs().iter().map(|&id| bytes(id)).sum::<i64>() - freed
        })
        .collect();
    let mut ready: BTreeSet<(i64, usize)> =
        (0..units.len()).filter(|&at| missing[at] == 0).map(|at| (rise[at], at)).collect();
    let mut done = vec![false; units.len()];
    let mut order = Vec::with_capacity(units.len());
    while let Some((_, at)) = ready.pop_first() {
        done[at] = true;
        order.push(at);
        for &id in &reads[at] {
            let value = &mut values[id as usize];
            value.left -= 1;
            // Who comes last frees the value.
            let last = value.readers.iter().find(|&&reader| !done[reader] && value.left == 1);
            if let Some(&last) = last {
                let waits = ready.remove(&(rise[last], last));
                rise[last] -= value.bytes;
                ready.extend(waits.then_some((rise[last], last)));
            }
        }
        for &id in units[at].outputs() {
            for &reader in &values[id as usize].readers {
                missing[reader] -= 1;
                ready.extend((missing[reader] == 0).then_some((rise[reader], reader)));
            }
        }
    }
    let mut units: Vec<Option<Unit<LoweredKernel>>> = units.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| units[at].take()).collect()
}
