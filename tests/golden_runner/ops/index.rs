//! Gather, scatter and their kin: indices that are data.

use lossgraph_autograd::Var;
use lossgraph_tensor::Tensor;
use lossgraph_tensor::kernels::Order;

use super::{Inputs, Reply, axis, input, refuse};

pub fn index_select<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let index = x.var("index");
    match index.rank() {
        0 => input(x).index_select(axis(x, 0), index.reshape([1])).into(),
        1 => input(x).index_select(axis(x, 0), index).into(),
        _ => refuse(x, "index_select", "the index is a vector"),
    }
}

/// Writes `src` at indices along an axis; which of several at one index wins is unspecified.
pub fn scatter<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, index, axis) = (input(x), x.var("index"), axis(x, 0));
    let source = match x.number("src").or(x.number("value")) {
        Some(value) => x.tape().fill(index.shape(), value),
        None => x.var("src"),
    };
    let nothing = x.tape().fill(from.shape(), 0.0);
    let written = nothing.scatter_add(axis, index, x.tape().fill(index.shape(), 1.0)).ne(0.0);
    written.select(nothing.scatter_add(axis, index, source), from).into()
}

/// Rows of a table; the row `padding_idx` is one that is never trained.
pub fn embedding<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (table, index) = (x.var("weight"), input(x));
    let Some(row) = x.integer("padding_idx") else {
        return table.embedding(index).into();
    };
    let rows = table.dim(0) as isize;
    let row = if row < 0 { row + rows } else { row };
    if !(0..rows).contains(&row) {
        return refuse(x, "embedding", "padding_idx is outside of the table");
    }
    let fixed: Vec<f64> = (0..rows).map(|i| f64::from(i == row)).collect();
    let fixed = x.tape().constant(fixed).reshape([rows as usize, 1]);
    fixed.select(table.detach(), table).embedding(index).into()
}

pub fn one_hot<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let classes = match x.integer("num_classes").unwrap_or(-1) {
        -1 => {
            let index = input(x).data().map(|index: Tensor| index.to_f64s()).unwrap_or_default();
            index.into_iter().reduce(f64::max).map(|largest| largest as isize + 1)
        }
        classes => Some(classes),
    };
    match classes.and_then(|classes| usize::try_from(classes).ok()).filter(|&n| n > 0) {
        Some(classes) => input(x).one_hot(classes).into(),
        None => refuse(x, "one_hot", "the number of classes is not known"),
    }
}

pub fn sort<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let order = if x.flag("descending") { Order::Descending } else { Order::Ascending };
    in_order(x, order, None)
}

pub fn topk<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let order = if x.flag("largest") { Order::Descending } else { Order::Ascending };
    let from = input(x);
    let dim = if from.rank() == 0 { 1 } else { from.dim(axis(x, -1)) as isize };
    match x.integer("k").filter(|k| (0..=dim).contains(k)) {
        Some(k) => in_order(x, order, Some(k)),
        None => refuse(x, "topk", "there are fewer than k"),
    }
}

/// The first elements in an order, with their indices; PyTorch sorts a scalar, too.
fn in_order<'t>(x: &Inputs<'t>, order: Order, count: Option<isize>) -> Reply<'t> {
    let (from, axis) = (input(x), axis(x, -1));
    let line: Var<'t> = if from.rank() == 0 { from.reshape([1]) } else { from };
    let indices = line.argsort(axis, order);
    let indices = count.map_or(indices, |count| indices.slice(axis, ..count));
    let shape = if from.rank() == 0 { from.shape() } else { indices.shape() };
    let found = line.gather(axis, indices);
    [("output", found.reshape(shape.clone())), ("indices", indices.reshape(shape))].into()
}
