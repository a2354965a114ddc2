//! The code of a compiled program: micro-ops on slots, which the interpreter runs.

use std::ops::Range;

use smallvec::SmallVec;

#[cfg(target_arch = "x86_64")]
use super::jit::KernelCall;
use super::{Extent, RowIndex};
use crate::DType;
use crate::kernels::{Map1, Map2, Map3, ReduceOp};

/// A compiled program, with slots for its values: compiled once, run often.
#[derive(Clone, Debug)]
pub struct Executable {
    pub(super) dtype: DType,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) tile_rows: usize,
    pub(super) tile_columns: usize,
    /// How many rows a strip has, see [`Segment`]; all of a tile, unless loops are distributed.
    pub(super) strip_rows: usize,
    pub(super) tiles: usize,
    pub(super) tasks: usize,
    /// How many micro-ops the program has.
    pub(super) micro_ops: usize,
    pub(super) inputs: Vec<Extent>,
    pub(super) indices: usize,
    /// What is gathered and scattered, in the order of the program, and by which operation.
    pub(super) row_indices: Vec<(&'static str, RowIndex)>,
    /// Where each output comes from, and how many elements it has.
    pub(super) outputs: Vec<(Source, usize)>,
    pub(super) slots: Vec<Slot>,
    /// How many elements of scratch memory the registers take, and how many the invariants: values
    /// that are the same for all tiles, which the prologue and the epilogue compute.
    pub(super) scratch: usize,
    pub(super) invariants: usize,
    /// Inputs that are loaded before all tiles, and constants, with their offsets among the
    /// invariants.
    pub(super) loads: Vec<(u32, usize)>,
    pub(super) numbers: Vec<(f64, usize)>,
    pub(super) prologue: Vec<Instruction>,
    pub(super) body: Vec<Instruction>,
    pub(super) epilogue: Vec<Instruction>,
    /// The body, cut where tiles are strip-mined and where they are not.
    pub(super) segments: Vec<Segment>,
    /// How many elements each slot advances by from row to row of a tile, and from column to column.
    pub(super) steps: Vec<Step>,
    /// The place in the body at which each input is read last, and that at which each output is
    /// written first; of those with an element for each point.
    pub(super) last_reads: Vec<Option<usize>>,
    pub(super) first_writes: Vec<Option<usize>>,
    /// The accumulators of reductions over everything, with the offsets of the results among the
    /// invariants, and those of reductions over rows, one element for each column.
    pub(super) scalar_accumulators: Vec<(ReduceOp, usize)>,
    pub(super) column_accumulators: Vec<ReduceOp>,
}

impl Executable {
    /// How many bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        let codes = self.prologue.len() + self.body.len() + self.epilogue.len();
        #[cfg(target_arch = "x86_64")]
        let kernel = self.body.iter().map(|code| match code {
            Instruction::Kernel(call) => call.kernel.bytes(),
            _ => 0,
        });
        #[cfg(not(target_arch = "x86_64"))]
        let kernel = std::iter::empty::<usize>();
        size_of::<Executable>()
            + codes * size_of::<Instruction>()
            + kernel.sum::<usize>()
            + self.slots.len() * (size_of::<Slot>() + size_of::<Step>())
            + self.segments.len() * size_of::<Segment>()
            + (self.inputs.len() + self.outputs.len()) * 4 * size_of::<usize>()
            + (self.loads.len() + self.numbers.len()) * 2 * size_of::<usize>()
    }

    /// The rows and columns of an input that is read in whole rows, with an element for each point:
    /// it may be bound to a product of matrices that is computed as it is read.
    pub fn product_shape(&self, input: usize) -> Option<[usize; 2]> {
        let whole = self.tile_columns == self.columns && self.columns > 1;
        let full = self.inputs.get(input) == Some(&Extent::Full);
        (whole && full).then_some([self.rows, self.columns])
    }

    /// Whether an output may be written over an input, in place: both have an element for each
    /// point, and nothing reads the input any more when the output is written.
    pub fn may_overwrite(&self, output: usize, input: usize) -> bool {
        let (read, written) = (self.last_read(input), self.first_write(output));
        read.zip(written).is_some_and(|(read, written)| read < written)
    }

    /// The place in the code at which an input with an element for each point is read last.
    pub fn last_read(&self, input: usize) -> Option<usize> {
        *self.last_reads.get(input)?
    }

    /// The place in the code at which an output with an element for each point is written first:
    /// over an input, if that was read for the last time before.
    pub fn first_write(&self, output: usize) -> Option<usize> {
        *self.first_writes.get(output)?
    }

    /// Notes what differs from strip to strip; the compiler calls it once.
    pub(super) fn note_moves(&mut self) {
        for segment in &mut self.segments {
            let Some([rows, columns]) = segment.strip else { continue };
            let whole = columns == self.columns;
            let mut slots: Vec<SlotId> = self.body[segment.codes.clone()]
                .iter()
                .flat_map(|code| code.reads().into_iter().chain(code.writes()))
                .collect();
            slots.sort_unstable();
            slots.dedup();
            let moved = slots.into_iter().map(|slot| {
                let Step { row, column } = self.steps[slot as usize];
                (slot, if whole { rows * row } else { columns * column })
            });
            segment.moves = moved.filter(|(_, step)| *step > 0).collect();
        }
    }

    /// Notes where the body reads and writes; the compiler calls it once.
    pub(super) fn note_reads_and_writes(&mut self) {
        self.last_reads = vec![None; self.inputs.len()];
        self.first_writes = vec![None; self.outputs.len()];
        let mut place = 0;
        for code in &self.body {
            let Accesses { reads, writes, places } = code.accesses();
            for (slot, at) in reads {
                if let Slot::Input(input) = self.slots[slot as usize] {
                    let last = &mut self.last_reads[input as usize];
                    *last = Some(place + at).max(*last);
                }
            }
            for (slot, at) in writes {
                if let Slot::Output(output) = self.slots[slot as usize] {
                    let first = self.first_writes[output as usize].get_or_insert(place + at);
                    *first = (place + at).min(*first);
                }
            }
            place += places;
        }
    }
}

/// A run of body code.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub codes: Range<usize>,
    /// The rows and columns that all codes run on before they run on the next of a tile, unless they
    /// run on the whole tile: such a strip stays in the L1 cache from one micro-op to the next.
    pub strip: Option<[usize; 2]>,
    /// The slots that differ from strip to strip, and by how many elements.
    pub moves: Vec<(SlotId, usize)>,
}

impl Segment {
    pub fn new(codes: Range<usize>, strip: Option<[usize; 2]>) -> Segment {
        Segment { codes, strip, moves: vec![] }
    }
}

/// How many elements a slot advances by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Step {
    pub row: usize,
    pub column: usize,
}

impl Step {
    pub const NONE: Step = Step { row: 0, column: 0 };
}

/// Where the elements of a value in the current tile are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Slot {
    /// In an input or output with an element for each point.
    Input(u32),
    Output(u32),
    /// In an input or output with an element for each row.
    RowInput(u32),
    RowOutput(u32),
    /// In scratch memory, at an offset.
    Register(usize),
    /// Among the invariants, at an offset: the same for all tiles.
    Invariant(usize),
    /// As above, from the first column of the tile on.
    InvariantColumns(usize),
}

/// Where an output comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// Written tile by tile.
    Tiles,
    /// The accumulators of a reduction over rows.
    ColumnAccumulator(usize),
    /// The invariants, at an offset.
    Invariant(usize),
}

/// The number of a slot.
pub(super) type SlotId = u32;

/// An operand of a micro-op: a slot, and along which axes it extends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Operand {
    pub at: SlotId,
    pub extent: Extent,
}

impl Operand {
    /// Whether a micro-op reads one number of it for each of its rows.
    pub fn is_number(self, extent: Extent) -> bool {
        match extent {
            Extent::Full => matches!(self.extent, Extent::Rows | Extent::One),
            Extent::Rows | Extent::Columns => self.extent == Extent::One,
            Extent::One => false,
        }
    }
}

/// The slots that a micro-op reads and writes, and at which of so many places in the code. What it reads
/// at a place it may write over at a later one.
#[derive(Clone, Debug, Default)]
pub(super) struct Accesses {
    pub reads: SmallVec<[(SlotId, usize); 4]>,
    pub writes: SmallVec<[(SlotId, usize); 4]>,
    pub places: usize,
}

/// A map that is fused into a sum: its results are not stored.
#[derive(Clone, Debug)]
pub(super) enum SummedMap {
    Map1 { f: &'static Map1, p: [f64; 2], x: Operand },
    Map2 { f: &'static Map2, x: [Operand; 2] },
    Map3 { f: &'static Map3, x: [Operand; 3] },
}

/// A micro-op on slots.
#[derive(Clone, Debug)]
pub(super) enum Instruction {
    Map1 {
        f: &'static Map1,
        p: [f64; 2],
        x: SlotId,
        out: SlotId,
        extent: Extent,
    },
    Map2 {
        f: &'static Map2,
        x: [Operand; 2],
        out: SlotId,
        extent: Extent,
    },
    Map3 {
        f: &'static Map3,
        x: [Operand; 3],
        out: SlotId,
        extent: Extent,
    },
    /// `a · s + b · t`, where each row has one s and one t: `[a, s, b, t]`. With a mask for each
    /// product behind it, which a row has one of too; `[a, s, m]` is one product with its mask.
    Weighted {
        x: SmallVec<[Operand; 6]>,
        out: SlotId,
    },
    BroadcastRows {
        x: SlotId,
        out: SlotId,
    },
    /// One number, repeated.
    BroadcastNumber {
        x: SlotId,
        out: SlotId,
        extent: Extent,
    },
    /// The columns, once for each row of a tile.
    BroadcastColumns {
        x: SlotId,
        out: SlotId,
    },
    Copy {
        x: SlotId,
        out: SlotId,
        extent: Extent,
    },
    /// A copy with streaming stores, which bypass the caches.
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
        extent: Extent,
        accumulator: usize,
    },
    ReduceColumns {
        op: ReduceOp,
        x: SlotId,
        accumulator: usize,
    },
    /// The sums of the rows of a map.
    SumRow {
        of: SummedMap,
        out: SlotId,
    },
    /// The sum of all elements of a map.
    SumAll {
        of: SummedMap,
        accumulator: usize,
    },
    /// Many of these, in machine code.
    #[cfg(target_arch = "x86_64")]
    Kernel(Box<KernelCall>),
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

impl Instruction {
    /// What it reads and writes, place by place.
    fn accesses(&self) -> Accesses {
        #[cfg(target_arch = "x86_64")]
        if let Instruction::Kernel(call) = self {
            return call.accesses.clone();
        }
        let reads = self.reads().into_iter().map(|slot| (slot, 0)).collect();
        let writes = self.writes().into_iter().map(|slot| (slot, 0)).collect();
        Accesses { reads, writes, places: 1 }
    }

    /// The slots that it reads.
    fn reads(&self) -> SmallVec<[SlotId; 4]> {
        match self {
            Instruction::Map1 { x, .. }
            | Instruction::BroadcastRows { x, .. }
            | Instruction::BroadcastNumber { x, .. }
            | Instruction::BroadcastColumns { x, .. }
            | Instruction::Copy { x, .. }
            | Instruction::Stream { x, .. }
            | Instruction::ReduceRow { x, .. }
            | Instruction::ReduceAll { x, .. }
            | Instruction::ReduceColumns { x, .. }
            | Instruction::Gather { x, .. }
            | Instruction::Scatter { added: x, .. } => SmallVec::from_iter([*x]),
            #[cfg(target_arch = "x86_64")]
            Instruction::Kernel(call) => {
                call.accesses.reads.iter().map(|(slot, _)| *slot).collect()
            }
            Instruction::Map2 { x, .. } => x.iter().map(|x| x.at).collect(),
            Instruction::Map3 { x, .. } => x.iter().map(|x| x.at).collect(),
            Instruction::Weighted { x, .. } => x.iter().map(|x| x.at).collect(),
            Instruction::SumRow { of, .. } | Instruction::SumAll { of, .. } => match of {
                SummedMap::Map1 { x, .. } => SmallVec::from_iter([x.at]),
                SummedMap::Map2 { x, .. } => x.iter().map(|x| x.at).collect(),
                SummedMap::Map3 { x, .. } => x.iter().map(|x| x.at).collect(),
            },
        }
    }

    /// The slot that it writes to, unless it is a reduction that accumulates from tile to tile.
    fn writes(&self) -> Option<SlotId> {
        match self {
            Instruction::Map1 { out, .. }
            | Instruction::Map2 { out, .. }
            | Instruction::Map3 { out, .. }
            | Instruction::Weighted { out, .. }
            | Instruction::BroadcastRows { out, .. }
            | Instruction::BroadcastNumber { out, .. }
            | Instruction::BroadcastColumns { out, .. }
            | Instruction::Copy { out, .. }
            | Instruction::Stream { out, .. }
            | Instruction::ReduceRow { out, .. }
            | Instruction::SumRow { out, .. }
            | Instruction::Gather { out, .. }
            | Instruction::Scatter { out, .. } => Some(*out),
            Instruction::ReduceAll { .. }
            | Instruction::ReduceColumns { .. }
            | Instruction::SumAll { .. } => None,
            #[cfg(target_arch = "x86_64")]
            Instruction::Kernel(_) => unreachable!("kernels write to several slots"),
        }
    }
}
