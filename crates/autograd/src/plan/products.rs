//! Products of matrices that are computed by the kernel that reads them, some rows at a time: bias,
//! activation or a whole loss find these rows in the second cache, and the product takes no memory.

use std::collections::HashSet;

use super::fuse::{Kernel, Unit};
use super::order::UnitReads;
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
    let product = |unit: &Unit| match *unit {
        Unit::Alone(id) if pays(graph, id) => Some(id),
        _ => None,
    };
    let mut products: HashSet<Id> = units.iter().filter_map(product).collect();
    if !products.is_empty() {
        let reads = UnitReads::of(graph, units);
        products.retain(|&id| {
            let reader = reads.only_reader(id).map(|at| &units[at]);
            matches!(reader, Some(Unit::Kernel(kernel)) if reads_in_rows(kernel, graph, id))
        });
    }
    products
}

/// Whether computing a node by rows pays: only large products of two matrices do.
fn pays(graph: &Graph, id: Id) -> bool {
    let node = &graph.nodes[id as usize];
    if node.op != Op::MatMul || node.shape.rank() != 2 {
        return false;
    }
    let (rows, columns) = (node.shape[0], node.shape[1]);
    let inner = graph.nodes[node.inputs[0] as usize].shape[1];
    rows * columns >= ELEMENTS && rows >= ROWS && columns >= COLUMNS && inner <= INNER
}

/// Whether a kernel reads a product once, in whole rows.
fn reads_in_rows(kernel: &Kernel, graph: &Graph, product: Id) -> bool {
    let mut places = (0..kernel.inputs.len()).filter(|&at| kernel.inputs[at] == product);
    let shape = &graph.nodes[product as usize].shape;
    match (places.next(), places.next()) {
        (Some(at), None) => kernel.program.ready().in_rows(at) == Some([shape[0], shape[1]]),
        _ => false,
    }
}
