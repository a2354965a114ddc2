//! A program with its values in places: what the compiler makes and the interpreter runs.

use std::ops::Range;

use smallvec::SmallVec;

use super::{Extent, RowIndex};
use crate::DType;
use crate::kernels::{Map1, Map2, Map3, ReduceOp};

/// A program with places for its values: made once, run often.
#[derive(Clone, Debug)]
pub struct Executable {
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
    pub(super) slots: Vec<Slot>,
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
    pub(super) advances: Vec<bool>,
    /// The outputs that may be written over an input, with that input.
    pub(super) overwrites: Vec<(usize, usize)>,
    /// The folds over everything, with the offsets that they come to, and those over rows.
    pub(super) totals: Vec<(ReduceOp, usize)>,
    pub(super) sums: Vec<ReduceOp>,
}

impl Executable {
    /// The rows and columns of an input that is read in whole rows, with an element at each place:
    /// it may be given as a product of matrices that is computed as it is read.
    pub fn product_shape(&self, input: usize) -> Option<[usize; 2]> {
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
        let [from, to] = [Slot::Input(input as u32), Slot::Output(output as u32)];
        let is = |at: SlotId, slot: Slot| self.slots[at as usize] == slot;
        let reads = |code: &Code| code.reads().iter().any(|&at| is(at, from));
        let writes = |code: &Code| code.writes().is_some_and(|at| is(at, to));
        let read = self.body.iter().rposition(reads);
        let written = self.body.iter().position(writes);
        read.zip(written).is_some_and(|(read, written)| read < written)
    }
}

/// Where the elements of a value in the current tile are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Slot {
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
pub(super) type SlotId = u32;

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
    pub at: SlotId,
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
pub(super) enum SummedMap {
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
        x: SlotId,
        out: SlotId,
        span: Span,
    },
    Map2 {
        f: &'static Map2,
        x: [Operand; 2],
        out: SlotId,
        span: Span,
    },
    Map3 {
        f: &'static Map3,
        x: [Operand; 3],
        out: SlotId,
        span: Span,
    },
    /// `a · s + b · t`, where each row has one s and one t.
    Weighted {
        x: [Operand; 4],
        out: SlotId,
    },
    BroadcastRows {
        x: SlotId,
        out: SlotId,
    },
    /// One number, written out.
    BroadcastNumber {
        x: SlotId,
        out: SlotId,
        span: Span,
    },
    /// The columns, once for each row of a tile.
    BroadcastColumns {
        x: SlotId,
        out: SlotId,
    },
    Copy {
        x: SlotId,
        out: SlotId,
        span: Span,
    },
    /// A copy that goes around the caches.
    Stream {
        x: SlotId,
        out: SlotId,
    },
    ReduceRow {
        op: ReduceOp,
        x: SlotId,
        out: SlotId,
    },
    ReduceAll {
        op: ReduceOp,
        x: SlotId,
        span: Span,
        total: usize,
    },
    ReduceColumns {
        op: ReduceOp,
        x: SlotId,
        sums: usize,
    },
    /// The sums of the rows of a map.
    SumRow {
        of: SummedMap,
        out: SlotId,
    },
    /// The sum of all elements of a map.
    SumAll {
        of: SummedMap,
        total: usize,
    },
    Gather {
        x: SlotId,
        out: SlotId,
        row_index: RowIndex,
    },
    Scatter {
        clear: bool,
        added: SlotId,
        out: SlotId,
        row_index: RowIndex,
    },
}

impl Code {
    /// The places that it reads.
    fn reads(&self) -> SmallVec<[SlotId; 4]> {
        match self {
            Code::Map1 { x, .. }
            | Code::BroadcastRows { x, .. }
            | Code::BroadcastNumber { x, .. }
            | Code::BroadcastColumns { x, .. }
            | Code::Copy { x, .. }
            | Code::Stream { x, .. }
            | Code::ReduceRow { x, .. }
            | Code::ReduceAll { x, .. }
            | Code::ReduceColumns { x, .. }
            | Code::Gather { x, .. }
            | Code::Scatter { added: x, .. } => SmallVec::from_iter([*x]),
            Code::Map2 { x, .. } => x.iter().map(|x| x.at).collect(),
            Code::Map3 { x, .. } => x.iter().map(|x| x.at).collect(),
            Code::Weighted { x, .. } => x.iter().map(|x| x.at).collect(),
            Code::SumRow { of, .. } | Code::SumAll { of, .. } => match of {
                SummedMap::Map1 { x, .. } => SmallVec::from_iter([x.at]),
                SummedMap::Map2 { x, .. } => x.iter().map(|x| x.at).collect(),
                SummedMap::Map3 { x, .. } => x.iter().map(|x| x.at).collect(),
            },
        }
    }

    /// The place that it writes to, if it is no fold that goes on from tile to tile.
    fn writes(&self) -> Option<SlotId> {
        match self {
            Code::Map1 { out, .. }
            | Code::Map2 { out, .. }
            | Code::Map3 { out, .. }
            | Code::Weighted { out, .. }
            | Code::BroadcastRows { out, .. }
            | Code::BroadcastNumber { out, .. }
            | Code::BroadcastColumns { out, .. }
            | Code::Copy { out, .. }
            | Code::Stream { out, .. }
            | Code::ReduceRow { out, .. }
            | Code::SumRow { out, .. }
            | Code::Gather { out, .. }
            | Code::Scatter { out, .. } => Some(*out),
            Code::ReduceAll { .. } | Code::ReduceColumns { .. } | Code::SumAll { .. } => None,
        }
    }
}
