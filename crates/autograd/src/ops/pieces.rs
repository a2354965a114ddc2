//! Tensors cut into several, and several laid out together.

use lossgraph_tensor::{IntoAxis, IntoSections, Sections, Shape};

use super::combine::{concat, of_nothing};
use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::record::fault::Fault;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// The pieces of an axis: of one length, the last one shorter if need be, for a number, and of
    /// these lengths for a list of them. What is wrong is a single faulty piece.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, lengths that do not add up to it, or a length of 0 for all
    /// pieces.
    #[track_caller]
    pub fn split(self, sections: impl IntoSections, axis: impl IntoAxis) -> Vec<Var<'t>> {
        let _call = self.tape().call("split");
        self.cut("split", sections.into_sections(), axis.into_axis())
    }

    #[track_caller]
    fn cut(self, name: &str, sections: Sections, axis: isize) -> Vec<Var<'t>> {
        if self.is_faulty() {
            return vec![self];
        }
        let Some(at) = self.shape().axis(axis) else { return vec![self.no_axis(name, axis)] };
        let dim = self.dim(at);
        let refuse =
            |why: String| vec![self.tape().fault(Fault::new(name, why).operand("input", self))];
        let lengths: Vec<usize> = match sections {
            Sections::Each(0) if dim == 0 => vec![0],
            Sections::Each(len @ ..=0) => return refuse(format!("pieces have a length of {len}")),
            Sections::Each(len) => {
                let len = len as usize;
                (0..dim.div_ceil(len).max(1)).map(|i| len.min(dim - i * len)).collect()
            }
            Sections::Lengths(list) => {
                let lengths: Vec<usize> =
                    list.iter().filter_map(|&len| usize::try_from(len).ok()).collect();
                let total = lengths.iter().try_fold(0_usize, |sum, &len| sum.checked_add(len));
                if lengths.len() != list.len() || total != Some(dim) {
                    return refuse(format!(
                        "lengths of {:?} do not add up to axis {axis}, which has length {dim}",
                        &list[..]
                    ));
                }
                lengths
            }
        };
        let mut start = 0;
        let piece = |len: usize| {
            let piece = self.slice(at, start..start + len);
            start += len;
            piece
        };
        lengths.into_iter().map(piece).collect()
    }

    /// About `n` pieces of an axis, all of one length but for the last, which may be shorter. Where
    /// the length does not divide evenly there may be fewer of them, as in PyTorch.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or no pieces. What is wrong is a single faulty piece.
    #[track_caller]
    pub fn chunk(self, n: usize, axis: impl IntoAxis) -> Vec<Var<'t>> {
        let _call = self.tape().call("chunk");
        let axis = axis.into_axis();
        let sections = match self.dim(axis) {
            _ if n == 0 => {
                let fault = Fault::new("chunk", "there is at least one piece");
                return vec![self.tape().fault(fault.operand("input", self))];
            }
            0 => Sections::Lengths(std::iter::repeat_n(0, n).collect()),
            dim => Sections::Each(dim.div_ceil(n) as isize),
        };
        self.cut("chunk", sections, axis)
    }

    /// The slices along an axis, which they do not have.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis. What is wrong is a single faulty piece.
    #[track_caller]
    pub fn unbind(self, axis: impl IntoAxis) -> Vec<Var<'t>> {
        let _call = self.tape().call("unbind");
        let axis = axis.into_axis();
        if self.is_faulty() {
            return vec![self];
        }
        match self.shape().axis(axis) {
            Some(at) => (0..self.dim(at)).map(|i| self.index(at, i)).collect(),
            None => vec![self.no_axis("unbind", axis)],
        }
    }
}

/// Which axis the first tensor of a [`meshgrid`] goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Indexing {
    /// The first: rows and columns of a matrix.
    #[default]
    Ij,
    /// The second, and the second tensor along the first: the x and y of a picture.
    Xy,
}

/// The coordinates of a grid: each tensor, of one axis or none, repeated along the axes of all others.
///
/// # Errors
/// Recorded as faults: no tensor, or one with more axes. What is wrong is a single faulty tensor.
#[track_caller]
pub fn meshgrid<'t>(vars: &[Var<'t>], indexing: Indexing) -> Vec<Var<'t>> {
    let Some(&first) = vars.first() else { return vec![of_nothing("meshgrid")] };
    let _call = first.tape().call("meshgrid");
    let named: Vec<(&str, Var<'t>)> = vars.iter().map(|&var| ("input", var)).collect();
    if let Some(fault) = first.tape().admit("meshgrid", &named) {
        return vec![fault];
    }
    if let Some(&faulty) = vars.iter().find(|var| var.is_faulty()) {
        return vec![faulty];
    }
    if let Some(&wide) = vars.iter().find(|var| var.rank() > 1) {
        let fault = Fault::new("meshgrid", "a tensor has more than one axis");
        return vec![first.tape().fault(fault.operand("input", wide).cure("x.flatten(..)"))];
    }
    let axis = |i: usize| match indexing {
        Indexing::Xy if i < 2 && vars.len() > 1 => 1 - i,
        _ => i,
    };
    let mut grid = vec![1; vars.len()];
    for (i, var) in vars.iter().enumerate() {
        grid[axis(i)] = var.len();
    }
    let coordinate = |(i, var): (usize, &Var<'t>)| {
        let mut dims = vec![1; vars.len()];
        dims[axis(i)] = var.len();
        var.reshape(dims).expand(Shape::from(&grid[..]))
    };
    vars.iter().enumerate().map(coordinate).collect()
}

/// The tensors beside each other: along the second axis, or the only one.
///
/// # Errors
/// Recorded as faults: those of [`concat()`].
#[track_caller]
pub fn hstack<'t>(vars: &[Var<'t>]) -> Var<'t> {
    let Some(&first) = vars.first() else { return of_nothing("hstack") };
    let _call = first.tape().call("hstack");
    let lines: Vec<Var<'t>> = vars.iter().map(|var| var.with_rank(1)).collect();
    concat(&lines, if lines[0].rank() == 1 { 0 } else { 1 })
}

/// The tensors below each other, along the first axis; one of one axis is a row.
///
/// # Errors
/// Recorded as faults: those of [`concat()`].
#[track_caller]
pub fn vstack<'t>(vars: &[Var<'t>]) -> Var<'t> {
    let Some(&first) = vars.first() else { return of_nothing("vstack") };
    let _call = first.tape().call("vstack");
    concat(&vars.iter().map(|var| var.with_rank(2)).collect::<Vec<_>>(), 0)
}

impl<'t> Var<'t> {
    /// At least `rank` axes, with axes of length 1 in front.
    #[track_caller]
    fn with_rank(self, rank: usize) -> Var<'t> {
        if self.is_faulty() || self.rank() >= rank {
            return self;
        }
        let mut dims = vec![1; rank - self.rank()];
        dims.extend_from_slice(&self.shape());
        self.reshape(dims)
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("split", "composed", "pieces of an axis", &[CUBE], |x| {
        let pieces = x[0].split([1, 3], 2);
        pieces[0] * pieces[1]
    }),
    op("chunk", "composed", "some pieces of an axis", &[CUBE], |x| {
        let pieces = x[0].chunk(2, 2);
        pieces[0] * pieces[1]
    }),
    op("unbind", "composed", "the slices along an axis", &[CUBE], |x| {
        let slices = x[0].unbind(1);
        slices[0] * slices[2]
    }),
    op(
        "meshgrid",
        "composed",
        "the coordinates of a grid",
        &[Floats(&[3], AROUND), Floats(&[2], AROUND)],
        |x| {
            let grid = meshgrid(&[x[0], x[1]], Indexing::Xy);
            grid[0] * grid[1].sin()
        },
    ),
    op(
        "hstack",
        "composed",
        "beside each other",
        &[Floats(&[2, 3], AROUND), Floats(&[2, 1], AROUND)],
        |x| hstack(&[x[0], x[1]]),
    ),
    op(
        "vstack",
        "composed",
        "below each other",
        &[Floats(&[2, 3], AROUND), Floats(&[3], AROUND)],
        |x| vstack(&[x[0], x[1]]),
    )
    .torch("vstack, row_stack"),
];
