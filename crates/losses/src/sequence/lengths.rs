//! Lengths and labels of sequences: integers that are looked at while recording.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::{Elem, Tensor};

use crate::labels::integers;

/// One length for each of `batch` sequences, none above `most`, or a fault of `loss`.
#[track_caller]
pub(super) fn lengths<'t>(
    loss: &str,
    name: &str,
    var: Var<'t>,
    batch: usize,
    most: usize,
) -> Result<Vec<usize>, Var<'t>> {
    let lengths = integers(loss, name, var)?;
    let refuse = |why: String| Err(var.tape().fault(Fault::new(loss, why).operand(name, var)));
    if var.rank() > 1 || lengths.len() != batch {
        return refuse(format!("one length for each of {batch} sequences"));
    }
    match lengths.iter().find(|&length| !(0..=most as i64).contains(length)) {
        Some(length) => refuse(format!("{name} holds {length}, expected 0 to {most}")),
        None => Ok(lengths.into_iter().map(|length| length as usize).collect()),
    }
}

/// The labels of each sequence, without padding, from `[batch, labels]` padded with anything or
/// `[labels]` one after another; or a fault of `loss`.
#[track_caller]
pub(super) fn rows<'t>(
    loss: &str,
    targets: Var<'t>,
    lengths: &[usize],
    allowed: impl Fn(i64) -> Result<(), String>,
) -> Result<Vec<Vec<i64>>, Var<'t>> {
    let labels = integers(loss, "targets", targets)?;
    let refuse = |why| Err(targets.tape().fault(Fault::new(loss, why).operand("targets", targets)));
    let (batch, total) = (lengths.len(), lengths.iter().sum::<usize>());
    let padded = targets.rank() == 2 && targets.dim(0) == batch;
    if !padded && (targets.rank() != 1 || targets.len() != total) {
        return refuse(format!("expected [{batch}, labels], or [{total}] by the lengths"));
    }
    let width = targets.dim(1);
    let ends = lengths.iter().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    let row = |(i, (end, &length)): (usize, (usize, &usize))| {
        let start = if padded { i * width } else { end - length };
        labels[start..start + length].to_vec()
    };
    let rows: Vec<Vec<i64>> = ends.zip(lengths).enumerate().map(row).collect();
    match rows.iter().flatten().find_map(|&label| allowed(label).err()) {
        Some(why) => refuse(why),
        None => Ok(rows),
    }
}

/// A constant of one number for each cell of a table.
pub(super) fn table<T: Elem>(
    like: Var<'_>,
    [rows, columns]: [usize; 2],
    number: impl Fn(usize, usize) -> T,
) -> Var<'_> {
    let number = &number;
    let numbers = (0..rows).flat_map(|row| (0..columns).map(move |column| number(row, column)));
    match Tensor::new([rows, columns], numbers.collect::<Vec<T>>()) {
        Ok(table) => like.tape().constant(table),
        Err(_) => unreachable!("there are as many numbers as cells"),
    }
}
