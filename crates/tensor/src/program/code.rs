//! A program with its values in places: what the compiler makes and the interpreter runs.

use std::ops::Range;

use smallvec::SmallVec;

use super::{Extent, Places};
use crate::DType;
use crate::kernels::{Fold, Map1, Map2, Map3};

/// A program with places for its values: made once, run often.
#[derive(Clone, Debug)]
pub struct Ready {
    pub(super) dtype: DType,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) tile_rows: usize,
    pub(super) tile_columns: usize,
    pub(super) tiles: usize,
    pub(super) tasks: usize,
    pub(super) inputs: Vec<Extent>,
    pub(super) indices: usize,
    /// What each output is, and how many elements it has.
    pub(super) outputs: Vec<(Source, usize)>,
    pub(super) places: Vec<Place>,
    /// The elements of scratch that registers take, and those of values computed before or after
    /// all tiles.
    pub(super) scratch: usize,
    pub(super) fixed: usize,
    /// Inputs that are read before all tiles, with the offsets of their copies.
    pub(super) loads: Vec<(u32, usize)>,
    pub(super) numbers: Vec<(f64, usize)>,
    pub(super) prologue: Vec<Code>,
    pub(super) body: Vec<Code>,
    pub(super) epilogue: Vec<Code>,
    /// The parts of the body that run piece by piece along wide rows, and those that do not.
    pub(super) segments: Vec<(Range<usize>, bool)>,
    /// How many columns such a piece has, and whether a place moves from piece to piece.
    pub(super) piece: usize,
    pub(super) moves: Vec<bool>,
    /// The outputs that may be written over an input, with that input.
    pub(super) overwrites: Vec<(usize, usize)>,
    /// The folds over everything, with the offsets that they come to, and those over rows.
    pub(super) totals: Vec<(Fold, usize)>,
    pub(super) sums: Vec<Fold>,
}

impl Ready {
    /// The rows and columns of an input that is read in whole rows, with an element at each place:
    /// it may be given as a product of matrices that is computed as it is read.
    pub fn in_rows(&self, input: usize) -> Option<[usize; 2]> {
        let whole = self.tile_columns == self.columns && self.columns > 1;
        let full = self.inputs.get(input) == Some(&Extent::Full);
        (whole && full).then_some([self.rows, self.columns])
    }

    /// Whether an output may be written over an input: both have an element at each place, and
    /// nothing reads the input any more when the output is written.
    pub fn may_overwrite(&self, output: usize, input: usize) -> bool {
        self.overwrites.contains(&(output, input))
    }

    /// The same, read off the micro-ops: the compiler asks once.
    pub(super) fn can_overwrite(&self, output: usize, input: usize) -> bool {
        let [from, to] = [Place::Input(input as u32), Place::Output(output as u32)];
        let is = |at: At, place: Place| self.places[at as usize] == place;
        let reads = |code: &Code| code.reads().iter().any(|&at| is(at, from));
        let writes = |code: &Code| code.writes().is_some_and(|at| is(at, to));
        let read = self.body.iter().rposition(reads);
        let written = self.body.iter().position(writes);
        read.zip(written).is_some_and(|(read, written)| read < written)
    }
}

/// Where the elements of a value in the current tile are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// In an input or output with an element for each place.
    Input(u32),
    Output(u32),
    /// In an input or output with an element for each row.
    RowInput(u32),
    RowOutput(u32),
    /// In scratch, at an offset.
    Register(usize),
    /// Among what is computed before or after all tiles: at an offset, the same for all tiles.
    Fixed(usize),
    /// As above, from the first column of the tile on.
    FixedColumns(usize),
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// Written tile by tile.
    Tiles,
    /// One of the folds over rows.
    Sums(usize),
    /// Computed before or after all tiles.
    Fixed(usize),
}

/// The number of a place.
pub(super) type At = u32;

/// How many elements a micro-op works on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Span {
    Tile,
    Rows,
    Columns,
    One,
}

/// An operand of a micro-op: a place, and how many elements it has there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Operand {
    pub at: At,
    pub extent: Extent,
}

impl Operand {
    /// Whether a micro-op reads one number of it in each of its rows.
    pub fn is_number(self, span: Span) -> bool {
        match span {
            Span::Tile => matches!(self.extent, Extent::Rows | Extent::One),
            Span::Rows | Span::Columns => self.extent == Extent::One,
            Span::One => false,
        }
    }
}

/// A map that is summed without being stored.
#[derive(Clone, Debug)]
pub(super) enum Summed {
    Map1 { f: &'static Map1, p: [f64; 2], x: Operand },
    Map2 { f: &'static Map2, x: [Operand; 2] },
    Map3 { f: &'static Map3, x: [Operand; 3] },
}

/// A micro-op with its places.
#[derive(Clone, Debug)]
pub(super) enum Code {
    Map1 {
        f: &'static Map1,
        p: [f64; 2],
        x: At,
        out: At,
        span: Span,
    },
    Map2 {
        f: &'static Map2,
        x: [Operand; 2],
        out: At,
        span: Span,
    },
    Map3 {
        f: &'static Map3,
        x: [Operand; 3],
        out: At,
        span: Span,
    },
    /// `a · s + b · t`, where each row has one s and one t.
    Weighted {
        x: [Operand; 4],
        out: At,
    },
    SpreadRows {
        x: At,
        out: At,
    },
    /// One number, written out.
    Fill {
        x: At,
        out: At,
        span: Span,
    },
    /// The columns, once for each row of a tile.
    Repeat {
        x: At,
        out: At,
    },
    Copy {
        x: At,
        out: At,
        span: Span,
    },
    /// A copy that goes around the caches.
    Stream {
        x: At,
        out: At,
    },
    FoldRow {
        fold: Fold,
        x: At,
        out: At,
    },
    FoldAll {
        fold: Fold,
        x: At,
        span: Span,
        total: usize,
    },
    FoldColumns {
        fold: Fold,
        x: At,
        sums: usize,
    },
    /// The sums of the rows of a map.
    SumRow {
        of: Summed,
        out: At,
    },
    /// The sum of all elements of a map.
    SumAll {
        of: Summed,
        total: usize,
    },
    Gather {
        x: At,
        out: At,
        places: Places,
    },
    Scatter {
        clear: bool,
        added: At,
        out: At,
        places: Places,
    },
}

impl Code {
    /// The places that it reads.
    fn reads(&self) -> SmallVec<[At; 4]> {
        match self {
            Code::Map1 { x, .. }
            | Code::SpreadRows { x, .. }
            | Code::Fill { x, .. }
            | Code::Repeat { x, .. }
            | Code::Copy { x, .. }
            | Code::Stream { x, .. }
            | Code::FoldRow { x, .. }
            | Code::FoldAll { x, .. }
            | Code::FoldColumns { x, .. }
            | Code::Gather { x, .. }
            | Code::Scatter { added: x, .. } => SmallVec::from_iter([*x]),
            Code::Map2 { x, .. } => x.iter().map(|x| x.at).collect(),
            Code::Map3 { x, .. } => x.iter().map(|x| x.at).collect(),
            Code::Weighted { x, .. } => x.iter().map(|x| x.at).collect(),
            Code::SumRow { of, .. } | Code::SumAll { of, .. } => match of {
                Summed::Map1 { x, .. } => SmallVec::from_iter([x.at]),
                Summed::Map2 { x, .. } => x.iter().map(|x| x.at).collect(),
                Summed::Map3 { x, .. } => x.iter().map(|x| x.at).collect(),
            },
        }
    }

    /// The place that it writes to, if it is no fold that goes on from tile to tile.
    fn writes(&self) -> Option<At> {
        match self {
            Code::Map1 { out, .. }
            | Code::Map2 { out, .. }
            | Code::Map3 { out, .. }
            | Code::Weighted { out, .. }
            | Code::SpreadRows { out, .. }
            | Code::Fill { out, .. }
            | Code::Repeat { out, .. }
            | Code::Copy { out, .. }
            | Code::Stream { out, .. }
            | Code::FoldRow { out, .. }
            | Code::SumRow { out, .. }
            | Code::Gather { out, .. }
            | Code::Scatter { out, .. } => Some(*out),
            Code::FoldAll { .. } | Code::FoldColumns { .. } | Code::SumAll { .. } => None,
        }
    }
}
