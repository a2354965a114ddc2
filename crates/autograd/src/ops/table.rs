//! The table of all ops, from which tests and docs are made. The rows stand beside the ops.

use super::binary::Binary;
use super::unary::Unary;
use super::{
    Kink, activation, adaptive, arithmetic, attention, binary, clamp, combination, combine,
    conv_transpose, convolution, diagonal, distance, einsum, elementary, fold, index, interpolate,
    linalg, mask, matmul, normalization, order, padding, pieces, pooling, quantile, rearrange,
    reduce, rounding, scan, scatter, select, slices, special, statistics, tensordot, view,
};
use crate::record::var::Var;

/// An op as tests and docs see it: how to record one, on which inputs.
#[derive(Debug)]
pub struct Row {
    /// Its name: that of the method.
    pub name: &'static str,
    /// Which family it belongs to.
    pub family: &'static str,
    /// What it computes.
    pub formula: &'static str,
    /// The inputs of a sample.
    pub inputs: &'static [Sample],
    /// Records it on inputs like the sample's.
    pub record: for<'t> fn(&[Var<'t>]) -> Var<'t>,
    /// The points without a derivative.
    pub kinks: &'static [Kink],
    /// What PyTorch has in its place.
    pub torch: Counterpart,
    /// How it differs from that on purpose; empty if it does not.
    pub differs: &'static str,
}

/// What PyTorch has in the place of an op.
#[derive(Clone, Copy, Debug)]
pub enum Counterpart {
    /// A function of the same name.
    Same,
    /// A function, or several, of other names.
    Named(&'static str),
    /// Nothing; what it is then.
    None(&'static str),
}

/// An input of a sample.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// Floats of a shape, drawn from an interval.
    Floats(&'static [usize], [f64; 2]),
    /// Integers of a shape, from 0 up to, and without, a bound.
    Integers(&'static [usize], usize),
}

use Sample::Floats;

/// The usual interval.
pub(super) const AROUND: [f64; 2] = [-2.0, 2.0];
/// Three axes of different lengths.
pub(super) const CUBE: Sample = Floats(&[2, 3, 4], AROUND);

/// How all comparisons differ.
pub(super) const MASK: &str = "a mask of 0 and 1 in the tape's type, not of booleans";

/// The rows of each file, in the order in which the docs list them.
const FILES: &[&[Row]] = &[
    arithmetic::ROWS,
    elementary::ROWS,
    rounding::ROWS,
    activation::ROWS,
    special::ROWS,
    clamp::ROWS,
    binary::ROWS,
    mask::ROWS,
    select::ROWS,
    reduce::ROWS,
    statistics::ROWS,
    scan::ROWS,
    view::ROWS,
    slices::ROWS,
    rearrange::ROWS,
    pieces::ROWS,
    combine::ROWS,
    padding::ROWS,
    diagonal::ROWS,
    index::ROWS,
    scatter::ROWS,
    order::ROWS,
    quantile::ROWS,
    matmul::ROWS,
    tensordot::ROWS,
    einsum::ROWS,
    linalg::ROWS,
    combination::ROWS,
    distance::ROWS,
    convolution::ROWS,
    conv_transpose::ROWS,
    pooling::ROWS,
    adaptive::ROWS,
    fold::ROWS,
    interpolate::ROWS,
    normalization::ROWS,
    attention::ROWS,
];

/// Every op.
pub fn all() -> impl Iterator<Item = &'static Row> {
    FILES.iter().copied().flatten()
}

pub(crate) const TIES: Kink = Kink {
    at: "ties",
    here: |[x, extreme], _| x == extreme,
    input: [1.0, 1.0],
    slope: [0.5, 0.5],
    because: "each of k equal extremes has slope 1/k",
};

type Record = for<'t> fn(&[Var<'t>]) -> Var<'t>;

pub(super) const fn one(row: &'static Unary, inputs: &'static [Sample], record: Record) -> Row {
    Row { family: "unary", ..kinked(row.name, "", row.formula, inputs, record, row.kinks) }
}

pub(super) const fn two(row: &'static Binary, inputs: &'static [Sample], record: Record) -> Row {
    Row { family: "binary", ..kinked(row.name, "", row.formula, inputs, record, row.kinks) }
}

pub(super) const fn op(
    name: &'static str,
    family: &'static str,
    formula: &'static str,
    inputs: &'static [Sample],
    record: Record,
) -> Row {
    kinked(name, family, formula, inputs, record, &[])
}

pub(super) const fn kinked(
    name: &'static str,
    family: &'static str,
    formula: &'static str,
    inputs: &'static [Sample],
    record: Record,
    kinks: &'static [Kink],
) -> Row {
    let (torch, differs) = (Counterpart::Same, "");
    Row { name, family, formula, inputs, record, kinks, torch, differs }
}

impl Row {
    /// With PyTorch's name, or several.
    pub(super) const fn torch(self, names: &'static str) -> Row {
        Row { torch: Counterpart::Named(names), ..self }
    }

    /// One that PyTorch lacks, and what it is.
    pub(super) const fn ours(self, what: &'static str) -> Row {
        Row { torch: Counterpart::None(what), ..self }
    }

    /// With what is different on purpose.
    pub(super) const fn differs(self, how: &'static str) -> Row {
        Row { differs: how, ..self }
    }
}
