//! Views, and joins of tensors.

use lossgraph_autograd::{PadMode, Var, concat};
use lossgraph_tensor::{AxisSet, Slice};

use super::{Inputs, Reply, axis, input, refuse};

/// PyTorch passes over an empty vector among tensors of whatever rank.
pub fn cat<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let all = x.series("input");
    let full: Vec<Var<'t>> = all.iter().copied().filter(|v| v.shape()[..] != [0]).collect();
    concat(if full.is_empty() { &all } else { &full }, axis(x, 0)).into()
}

pub fn split<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, axis) = (input(x), axis(x, 0));
    let dim = from.dim(axis) as isize;
    let whole = x.integer("split_size_or_sections");
    let sections = match whole {
        Some(size) if size > 0 => {
            (0..((dim + size - 1) / size).max(1)).map(|i| size.min(dim - i * size)).collect()
        }
        Some(_) => return refuse(x, "split", "a section has at least one element"),
        None => x.integers("split_size_or_sections").unwrap_or_default(),
    };
    let fits = sections.iter().all(|&section| section >= 0);
    if from.shape().axis(axis).is_none() || !fits || sections.iter().sum::<isize>() != dim {
        return refuse(x, "split", "the sections do not add up to the axis");
    }
    let mut start = 0;
    let pieces = sections.iter().enumerate().map(|(i, section)| {
        let piece = from.slice(axis, start..start + section);
        start += section;
        (format!("output{i}"), piece)
    });
    Reply::Many(pieces.collect())
}

pub fn slice<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x);
    let entries = x.option("slices").and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let mut slices = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        let dim = from.dim(i as isize);
        let end = |at: usize| entry.get(at).and_then(|end| end.as_i64()).map(|end| end as isize);
        match entry.is_array() {
            false => slices.push(Slice::all(dim)),
            true => match Slice::resolve(end(0), end(1), end(2).unwrap_or(1), dim) {
                Some(slice) => slices.push(slice),
                None => return refuse(x, "slice", "a step is not 0"),
            },
        }
    }
    // From the last, since each index drops its axis.
    let indices = entries.iter().enumerate().rev().filter_map(|(i, e)| Some((i, e.as_i64()?)));
    let sliced = from.slices(&slices);
    indices.fold(sliced, |v, (axis, at)| v.index(axis as isize, at as isize)).into()
}

pub fn pad<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x);
    let list = x.integers("pad").unwrap_or_default();
    if !list.len().is_multiple_of(2) || list.len() > 2 * from.rank() {
        return refuse(x, "pad", "a pair for each of the last axes is needed");
    }
    // Pairs come from the last axis to the first.
    let mut around = vec![(0, 0); from.rank()];
    for (i, pair) in list.chunks(2).enumerate() {
        around[from.rank() - 1 - i] = (pair[0], pair[1]);
    }
    let mode = match x.text("mode").unwrap_or("constant") {
        "constant" => PadMode::Constant(x.number("value").unwrap_or(0.0)),
        "reflect" => PadMode::Reflect,
        "circular" => PadMode::Circular,
        "replicate" => PadMode::Replicate,
        _ => return refuse(x, "pad", "there is no such mode"),
    };
    from.pad(&around, mode).into()
}

/// The lengths of option `shape`, with −1 inferred by `inferred` from the axis.
fn lengths(x: &Inputs<'_>, inferred: impl Fn(usize) -> Option<usize>) -> Option<Vec<usize>> {
    let list = x.integers("shape").unwrap_or_default();
    let length = |(i, &length): (usize, &isize)| match length {
        -1 => inferred(i),
        _ => usize::try_from(length).ok(),
    };
    list.iter().enumerate().map(length).collect()
}

pub fn expand<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x).shape();
    let rank = x.integers("shape").unwrap_or_default().len();
    // −1 keeps the length of an axis that is there.
    let kept = |i: usize| from.get((i + from.rank()).checked_sub(rank)?).copied();
    match lengths(x, kept) {
        Some(shape) => input(x).expand(shape).into(),
        None => refuse(x, "expand", "a new axis needs a length"),
    }
}

pub fn reshape<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let list = x.integers("shape").unwrap_or_default();
    let known: usize = list.iter().filter(|&&l| l >= 0).map(|&l| l as usize).product();
    let unknown = list.iter().filter(|&&length| length < 0).count();
    let fits = unknown <= 1 && known > 0 && input(x).len().is_multiple_of(known);
    let shape = lengths(x, |_| fits.then(|| input(x).len() / known));
    match shape {
        Some(shape) => input(x).reshape(shape).into(),
        None => refuse(x, "reshape", "one length can be inferred, from a whole quotient"),
    }
}

pub fn transpose<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (a, b) = (x.integer("dim0").unwrap_or(0), x.integer("dim1").unwrap_or(1));
    let of_scalar = |axis: isize| axis == 0 || axis == -1;
    match input(x).rank() {
        0 if of_scalar(a) && of_scalar(b) => input(x).into(),
        _ => input(x).transpose(a, b).into(),
    }
}

/// Drops the named axes, or all, where they have length 1.
pub fn squeeze<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x);
    let named = x.integers("dim");
    let mut drop = vec![named.is_none(); from.rank()];
    for axis in named.into_iter().flatten() {
        match from.shape().axis(axis) {
            Some(axis) => drop[axis] = true,
            None if from.rank() == 0 && (axis == 0 || axis == -1) => {}
            None => return refuse(x, "squeeze", "there is no such axis"),
        }
    }
    let last_first = (0..from.rank()).rev().filter(|&axis| drop[axis] && from.shape()[axis] == 1);
    last_first.fold(from, |v, axis| v.squeeze(axis as isize)).into()
}

pub fn flip<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let axes = x.integers("dims").unwrap_or_default();
    let set: AxisSet = axes.iter().filter_map(|&axis| input(x).shape().axis(axis)).collect();
    if set.len() != axes.len() {
        return refuse(x, "flip", "an axis is named twice, or is not there");
    }
    axes.into_iter().fold(input(x), |v, axis| v.flip(axis)).into()
}

/// Moves elements along axes; what leaves at one end comes in at the other.
pub fn roll<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let shifts = x.integers("shifts").unwrap_or_default();
    let along = |v: Var<'t>, shift: isize, axis: isize| match v.dim(axis) as isize {
        0 => v,
        dim => {
            let start = (-shift).rem_euclid(dim);
            concat(&[v.slice(axis, start..), v.slice(axis, ..start)], axis)
        }
    };
    match x.integers("dims").filter(|dims| !dims.is_empty()) {
        Some(dims) if dims.len() == shifts.len() => {
            let moves = dims.into_iter().zip(shifts);
            moves.fold(input(x), |v, (axis, shift)| along(v, shift, axis)).into()
        }
        None if shifts.len() == 1 => {
            along(input(x).flatten(..), shifts[0], 0).reshape(input(x).shape()).into()
        }
        _ => refuse(x, "roll", "a shift for each axis is needed"),
    }
}

pub fn repeat<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, repeats) = (input(x), x.integers("repeats").unwrap_or_default());
    let added = repeats.len().checked_sub(from.rank());
    let Some(added) = added.filter(|_| repeats.iter().all(|&times| times >= 0)) else {
        return refuse(x, "repeat", "a number for each axis is needed");
    };
    let extents = vec![1; added].into_iter().chain(from.shape().to_vec());
    let (mut apart, mut wide, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    for (dim, &times) in extents.zip(&repeats) {
        apart.extend([1, dim]);
        wide.extend([times as usize, dim]);
        shape.push(times as usize * dim);
    }
    from.reshape(apart).expand(wide).reshape(shape).into()
}

pub fn triangle<'t>(x: &Inputs<'t>, inside: fn(isize, isize, isize) -> bool) -> Reply<'t> {
    let from = input(x);
    if from.rank() < 2 {
        return refuse(x, "tril", "a matrix is needed");
    }
    let (rows, columns) = (from.dim(-2) as isize, from.dim(-1) as isize);
    let diagonal = x.integer("diagonal").unwrap_or(0);
    let indices = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let mask = indices.map(|(row, column)| f64::from(inside(row, column, diagonal)));
    let mask = x.tape().constant(mask.collect::<Vec<f64>>());
    mask.reshape([rows as usize, columns as usize]).select(from, 0.0).into()
}
