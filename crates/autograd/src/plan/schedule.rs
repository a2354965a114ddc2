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

/// Who waits for a node.
#[derive(Clone, Copy)]
enum Waiter {
    Unit(usize),
    /// A view after two nodes, for one of them.
    Join(Id),
}

/// The units in an order in which each comes after those that it reads, and of those that could be
/// next, the one after which the values in memory are smallest; the earlier one, if equal.
pub(super) fn list_schedule(
    dag: &Dag,
    units: Vec<Unit<LoweredKernel>>,
) -> Vec<Unit<LoweredKernel>> {
    let Uses { of_units: reads, of_roots, waits_of_units, joins } = Uses::of(dag, &units);
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
    // Who waits for each node to be there: units, and views after two nodes.
    let mut waiters: Vec<Vec<Waiter>> = vec![Vec::new(); dag.nodes.len()];
    for (at, ids) in waits_of_units.iter().enumerate() {
        ids.iter().for_each(|&id| waiters[id as usize].push(Waiter::Unit(at)));
    }
    for (join, both) in joins {
        both.iter().for_each(|&id| waiters[id as usize].push(Waiter::Join(join)));
    }
    let mut missing: Vec<usize> = waits_of_units.iter().map(Vec::len).collect();
    let mut half_joined = vec![false; dag.nodes.len()];
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
            if value.left == 1
                && let Some(&last) = value.readers.iter().find(|&&reader| !done[reader])
            {
                let waits = ready.remove(&(rise[last], last));
                rise[last] -= value.bytes;
                ready.extend(waits.then_some((rise[last], last)));
            }
        }
        let mut there = units[at].outputs().to_vec();
        while let Some(id) = there.pop() {
            for waiter in &waiters[id as usize] {
                match *waiter {
                    Waiter::Unit(unit) => {
                        missing[unit] -= 1;
                        ready.extend((missing[unit] == 0).then_some((rise[unit], unit)));
                    }
                    Waiter::Join(join) => {
                        let other = std::mem::replace(&mut half_joined[join as usize], true);
                        there.extend(other.then_some(join));
                    }
                }
            }
        }
    }
    let mut units: Vec<Option<Unit<LoweredKernel>>> = units.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| units[at].take()).collect()
}
