//! Products of matrices that are computed by the kernel that reads them, some rows at a time: bias,
//! activation or a whole loss find these rows in the second cache, and the product takes no memory.

use std::collections::HashSet;

use super::fuse::Unit;
use super::order::Reads;
use super::simplify::Graph;
use crate::graph::Id;
use crate::op::Op;

/// Where that pays (`lossgraph-bench products`): for a result that would leave the second cache,
/// and an inner length so short that reading the result back is a good part of the work. Each block
/// of rows costs packing the second factor once more, so blocks are not thin.
const ELEMENTS: usize = 1 << 19;
const INNER: usize = 128;
const ROWS: usize = 1 << 11;
const COLUMNS: usize = 64;

/// The products that one kernel reads, and nobody else.
pub(super) fn in_kernels(graph: &Graph, units: &[Unit]) -> HashSet<Id> {
    let reads = Reads::of(graph, units);
    let kernel = |&product: &Id| {
        let node = &graph.nodes[product as usize];
        let inner = graph.nodes[node.inputs[0] as usize].shape.last()?;
        let pays = node.shape.rank() == 2
            && node.shape.len() >= ELEMENTS
            && node.shape[0] >= ROWS
            && node.shape[1] >= COLUMNS
            && *inner <= INNER;
        let Unit::Kernel(kernel) = &units[reads.only_reader(product).filter(|_| pays)?] else {
            return None;
        };
        let mut inputs = (0..kernel.inputs.len()).filter(|&at| kernel.inputs[at] == product);
        let input = inputs.next().filter(|_| inputs.clone().next().is_none())?;
        let space = kernel.program.ready().in_rows(input)?;
        (space == [node.shape[0], node.shape[1]]).then_some(())
    };
    let product = |unit: &Unit| match *unit {
        Unit::Alone(id) if graph.nodes[id as usize].op == Op::MatMul => Some(id),
        _ => None,
    };
    units.iter().filter_map(product).filter(|id| kernel(id).is_some()).collect()
}
