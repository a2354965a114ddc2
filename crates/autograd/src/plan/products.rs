//! Products of matrices that are computed by the kernel that reads them, some rows at a time: bias,
//! activation or a whole loss find these rows in the second cache, and the product takes no memory.

use super::fusion::Unit;
use super::lower::LoweredKernel;
use super::rewrite::Dag;
use super::uses::Uses;
use crate::ops::op::Op;
use crate::record::node::{FxHashSet, Id};

/// Where that pays (`lossgraph-bench products`): for a result that would leave the second cache,
/// and an inner length so short that reading the result back is a good part of the work. Each block
/// of rows costs packing the second factor once more, so blocks are not thin.
const ELEMENTS: usize = 1 << 19;
const INNER: usize = 128;
const ROWS: usize = 1 << 11;
const COLUMNS: usize = 64;

/// The products that one kernel reads, and nobody else.
pub(super) fn in_kernels(dag: &Dag, units: &[Unit<LoweredKernel>]) -> FxHashSet<Id> {
    let product = |unit: &Unit<LoweredKernel>| match *unit {
        Unit::Standalone(id) if pays(dag, id) => Some(id),
        _ => None,
    };
    let mut products: FxHashSet<Id> = units.iter().filter_map(product).collect();
    if !products.is_empty() {
        let only_users = Uses::of(dag, units).only_users(dag);
        products.retain(|&id| {
            let reader = only_users[id as usize].map(|at| &units[at]);
            matches!(reader, Some(Unit::Kernel(kernel)) if reads_in_rows(kernel, dag, id))
        });
    }
    products
}

/// Whether computing a node by rows pays: only large products of two matrices do.
fn pays(dag: &Dag, id: Id) -> bool {
    let node = &dag.nodes[id as usize];
    if !matches!(node.op, Op::MatMul(_)) || node.shape.rank() != 2 {
        return false;
    }
    let (rows, columns) = (node.shape[0], node.shape[1]);
    let inner = dag.nodes[node.inputs[0] as usize].shape[1];
    rows * columns >= ELEMENTS && rows >= ROWS && columns >= COLUMNS && inner <= INNER
}

/// Whether a kernel reads a product once, in whole rows.
fn reads_in_rows(kernel: &LoweredKernel, dag: &Dag, product: Id) -> bool {
    let mut reads = (0..kernel.inputs.len()).filter(|&at| kernel.inputs[at] == product);
    let shape = &dag.nodes[product as usize].shape;
    match (reads.next(), reads.next()) {
        (Some(at), None) => kernel.executable.product_shape(at) == Some([shape[0], shape[1]]),
        _ => false,
    }
}
