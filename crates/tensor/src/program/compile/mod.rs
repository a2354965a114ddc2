//! The compiler: lowers a list of micro-ops to code on slots, with register allocation
//! ([`registers`]), strip-mining of wide rows ([`segments`]) and loop distribution ([`distribution`]),
//! and cuts the iteration space into tiles and tasks.

mod cut;
mod distribution;
#[cfg(target_arch = "x86_64")]
mod kernel;
mod registers;
mod segments;
mod uses;

use std::collections::HashMap;

use super::code::{
    Executable, Instruction, Operand, Segment, Slot, SlotId, Source, Step, SummedMap,
};
use super::{Extent, Micro, NARROW, Program, Value};
use crate::DType;
use crate::kernels::ReduceOp;
use cut::{Cut, LEAST_ROWS, STRIP_BYTES, TILE_BYTES};
use distribution::Distribution;
use uses::Uses;

/// From how many bytes in and out on results are written with streaming stores, which bypass the
/// caches: they would only evict what lies there.
const STREAM_BYTES: usize = 24 << 20;

impl Program {
    /// Compiles the program.
    pub fn compile(&self) -> Executable {
        // Rows that are short are many in a tile anyway, and one that is wide has strips of its own.
        let (rows, columns) = self.space();
        let row_bytes = columns * self.element_bytes();
        let fits = columns >= NARROW && row_bytes <= STRIP_BYTES && rows >= LEAST_ROWS;
        // The engine of pages is for a few numbers, and each of them carries it.
        let fits = fits && !cfg!(target_family = "wasm");
        let distributed = fits.then(|| Distribution::of(self)).flatten();
        let cut = Cut::of(self, distributed.is_some());
        #[cfg(target_arch = "x86_64")]
        if let Some(executable) = kernel::compile(self, &cut) {
            return executable;
        }
        match distributed {
            Some(distributed) => {
                Compiler::new(&distributed.program, &cut, Some(&distributed)).compile()
            }
            None => Compiler::new(self, &cut, None).compile(),
        }
    }

    fn element_bytes(&self) -> usize {
        if self.dtype == DType::F64 { 8 } else { 4 }
    }
}

/// How many columns of a row run together, if it is so wide that it is strip-mined.
#[cfg(target_arch = "x86_64")]
pub(super) fn strip_columns<T>(columns: usize) -> Option<usize> {
    let chunk = TILE_BYTES / size_of::<T>();
    (columns > 2 * chunk).then_some(chunk)
}

struct Compiler<'a> {
    program: &'a Program,
    distribution: Option<&'a Distribution>,
    executable: Executable,
    /// The slot of each value, and that of columns repeated for each row of a tile.
    slot_of: Vec<Option<SlotId>>,
    repeated: Vec<Option<SlotId>>,
    last_use: Vec<usize>,
    /// The offsets of free registers, by how they advance and by their size.
    free_registers: HashMap<(Step, usize), Vec<usize>>,
    /// The values whose registers are free again.
    freed: Vec<bool>,
    /// The output that each value is.
    output_of: Vec<Option<u32>>,
    /// For a value that a scatter adds to and nothing else reads, the scatter, with which it shares
    /// a register.
    coalesced: Vec<Option<usize>>,
    /// The maps that only a sum reads, and that are fused into it.
    fused_into_sum: Vec<bool>,
    /// The accumulators of a reduction over rows.
    column_accumulator: Vec<usize>,
    /// Whether results bypass the caches.
    streaming: bool,
    /// How many columns of a wide row a strip has.
    chunk: usize,
}

impl<'a> Compiler<'a> {
    fn new(
        program: &'a Program,
        cut: &Cut,
        distribution: Option<&'a Distribution>,
    ) -> Compiler<'a> {
        let (rows, columns) = program.space();
        let Cut { tile_rows, tile_columns, strip_rows, tiles, tasks } = *cut;
        let inputs = program.inputs.iter().filter(|&&extent| extent == Extent::Full).count();
        let is_full = |x: &&Value| program.extent(**x) == Extent::Full;
        let outputs = program.outputs.iter().filter(is_full).count();
        let size = program.element_bytes();
        let streaming = (inputs + outputs) * rows * columns * size > STREAM_BYTES;
        let count = program.defs.len();
        let mut uses = Uses::of(program);
        let coalesced = program.coalesced(&uses);
        let fused_into_sum = program.fused_into_sums(&mut uses);
        let executable = Executable {
            dtype: program.dtype,
            rows,
            columns,
            tile_rows,
            tile_columns,
            strip_rows,
            tiles,
            tasks,
            micro_ops: count,
            inputs: program.inputs.clone(),
            indices: program.indices as usize,
            row_indices: program.row_indices(),
            outputs: vec![],
            slots: vec![],
            scratch: 0,
            invariants: 0,
            loads: vec![],
            numbers: vec![],
            prologue: vec![],
            body: vec![],
            epilogue: vec![],
            segments: vec![],
            steps: vec![],
            last_reads: vec![],
            first_writes: vec![],
            scalar_accumulators: vec![],
            column_accumulators: vec![],
        };
        Compiler {
            program,
            distribution,
            executable,
            slot_of: vec![None; count],
            repeated: vec![None; count],
            last_use: uses.last,
            free_registers: HashMap::new(),
            freed: vec![false; count],
            output_of: program.output_of(),
            coalesced,
            fused_into_sum,
            column_accumulator: vec![0; count],
            streaming,
            chunk: TILE_BYTES / size,
        }
    }

    fn compile(mut self) -> Executable {
        for at in 0..self.program.defs.len() {
            let start = self.executable.body.len();
            self.lower(at);
            self.release(at);
            if let Some(distribution) = self.distribution {
                self.extend_segments(start, distribution.phases[at]);
            }
        }
        self.finish()
    }

    /// Makes values outputs, and cuts the body into segments.
    fn finish(mut self) -> Executable {
        let start = self.executable.body.len();
        for (output, &value) in self.program.outputs.iter().enumerate() {
            self.emit_output(output as u32, value);
        }
        match self.distribution {
            Some(distribution) => self.extend_segments(start, distribution.last_phase()),
            None => self.executable.segments = self.executable.strip_mine(self.chunk),
        }
        self.executable.note_moves();
        self.executable.note_reads_and_writes();
        self.executable
    }

    /// Makes the code from `start` on part of a phase: of points, strip by strip, or of rows.
    fn extend_segments(&mut self, start: usize, phase: usize) {
        let Executable { body, segments, strip_rows, columns, .. } = &mut self.executable;
        if start == body.len() {
            return;
        }
        let strip = phase.is_multiple_of(2).then_some([*strip_rows, *columns]);
        match segments.last_mut() {
            Some(last) if last.strip == strip => last.codes.end = body.len(),
            _ => segments.push(Segment::new(start..body.len(), strip)),
        }
    }

    /// Appends the code of a definition to the part in which it runs: prologue, body or epilogue.
    fn emit(&mut self, at: usize, code: Instruction) {
        let def = &self.program.defs[at];
        match def.extent {
            Extent::Full | Extent::Rows => self.executable.body.push(code),
            Extent::One if def.epilogue => self.executable.epilogue.push(code),
            Extent::Columns | Extent::One => self.executable.prologue.push(code),
        }
    }

    /// The accumulator of a reduction over everything, which gets a slot for its result.
    fn scalar_accumulator(&mut self, at: usize, op: ReduceOp) -> usize {
        let offset = self.allocate_invariant(1);
        self.slot_of[at] = Some(self.slot(Slot::Invariant(offset)));
        self.executable.scalar_accumulators.push((op, offset));
        self.executable.scalar_accumulators.len() - 1
    }

    /// A map with its operands, to be fused into a sum.
    fn summed_map(&mut self, x: Value, operand: impl Fn(&mut Self, Value) -> Operand) -> SummedMap {
        let program = self.program;
        match &program.defs[x.0 as usize].micro {
            Micro::Map1(f, p, x) => SummedMap::Map1 { f, p: *p, x: operand(self, *x) },
            Micro::Map2(f, x) => SummedMap::Map2 { f, x: x.map(|x| operand(self, x)) },
            Micro::Map3(f, x) => SummedMap::Map3 { f, x: x.map(|x| operand(self, x)) },
            _ => unreachable!("only maps are fused into sums"),
        }
    }

    fn lower(&mut self, at: usize) {
        if self.fused_into_sum[at] {
            return;
        }
        let def = &self.program.defs[at];
        let extent = def.extent;
        match &def.micro {
            Micro::Input(input) => {
                let slot = match extent {
                    Extent::Full => Slot::Input(*input),
                    Extent::Rows => Slot::RowInput(*input),
                    Extent::Columns | Extent::One => {
                        let offset = self.allocate_invariant(self.len_of(extent));
                        self.executable.loads.push((*input, offset));
                        match extent {
                            Extent::Columns => Slot::InvariantColumns(offset),
                            _ => Slot::Invariant(offset),
                        }
                    }
                };
                self.slot_of[at] = Some(self.slot(slot));
            }
            Micro::Constant(number) => {
                let offset = self.allocate_invariant(1);
                self.executable.numbers.push((*number, offset));
                self.slot_of[at] = Some(self.slot(Slot::Invariant(offset)));
            }
            Micro::Map1(f, p, x) => {
                let (x, out) = (self.materialized(*x, extent), self.destination(at));
                self.emit(at, Instruction::Map1 { f, p: *p, x, out, extent });
            }
            Micro::Map2(f, operands) => {
                let x = operands.map(|x| self.operand(x, extent));
                let out = self.destination(at);
                self.emit(at, Instruction::Map2 { f, x, out, extent });
            }
            Micro::Map3(f, operands) => {
                let x = operands.map(|x| self.operand(x, extent));
                let out = self.destination(at);
                self.emit(at, Instruction::Map3 { f, x, out, extent });
            }
            Micro::Weighted(x) => {
                let x = x.iter().map(|&x| self.operand(x, extent)).collect();
                let out = self.destination(at);
                self.executable.body.push(Instruction::Weighted { x, out });
            }
            Micro::Broadcast(x) => {
                let of = self.program.extent(*x);
                let x = self.materialized(*x, extent);
                let out = self.destination(at);
                let code = match of {
                    Extent::One => Instruction::BroadcastNumber { x, out, extent },
                    Extent::Rows => Instruction::BroadcastRows { x, out },
                    Extent::Full | Extent::Columns => Instruction::Copy { x, out, extent },
                };
                self.emit(at, code);
            }
            Micro::ReduceRow(_, x) if self.fused_into_sum[x.0 as usize] => {
                let of = self.summed_map(*x, |this, x| this.operand(x, Extent::Full));
                let out = self.destination(at);
                self.executable.body.push(Instruction::SumRow { of, out });
            }
            Micro::ReduceAll(op, x) if self.fused_into_sum[x.0 as usize] => {
                // One loop over all rows of the tile.
                let whole = |this: &mut Self, x| Operand {
                    at: this.materialized(x, Extent::Full),
                    extent: Extent::Full,
                };
                let of = self.summed_map(*x, whole);
                let accumulator = self.scalar_accumulator(at, *op);
                self.executable.body.push(Instruction::SumAll { of, accumulator });
            }
            Micro::ReduceRow(op, x) => {
                let (x, out) = (self.materialized(*x, Extent::Full), self.destination(at));
                self.executable.body.push(Instruction::ReduceRow { op: *op, x, out });
            }
            Micro::ReduceAll(op, x) => {
                let of = self.program.extent(*x);
                let extent = if of == Extent::Rows { Extent::Rows } else { Extent::Full };
                let x = self.materialized(*x, of);
                let accumulator = self.scalar_accumulator(at, *op);
                self.executable.body.push(Instruction::ReduceAll {
                    op: *op,
                    x,
                    extent,
                    accumulator,
                });
            }
            Micro::ReduceColumns(op, x) => {
                let x = self.materialized(*x, Extent::Full);
                let accumulator = self.executable.column_accumulators.len();
                self.column_accumulator[at] = accumulator;
                self.executable.column_accumulators.push(*op);
                self.executable.body.push(Instruction::ReduceColumns { op: *op, x, accumulator });
            }
            Micro::Gather(x, row_index) => {
                let (x, out) = (self.materialized(*x, Extent::Full), self.destination(at));
                self.executable.body.push(Instruction::Gather {
                    x,
                    out,
                    row_index: row_index.clone(),
                });
            }
            Micro::Scatter(onto, added, row_index) => {
                let onto = onto.map(|onto| self.materialized(onto, Extent::Full));
                let added = self.materialized(*added, Extent::Rows);
                let out = self.destination(at);
                if let Some(x) = onto.filter(|&onto| onto != out) {
                    self.executable.body.push(Instruction::Copy { x, out, extent });
                }
                let (clear, row_index) = (onto.is_none(), row_index.clone());
                self.executable.body.push(Instruction::Scatter { clear, added, out, row_index });
            }
        }
    }

    /// Makes a value an output: copies it there unless its slot is the output.
    fn emit_output(&mut self, output: u32, value: Value) {
        let def = &self.program.defs[value.0 as usize];
        let source = match (&def.micro, def.extent) {
            (Micro::ReduceColumns(..), _) => {
                Source::ColumnAccumulator(self.column_accumulator[value.0 as usize])
            }
            (_, Extent::Full | Extent::Rows) => {
                let rows = def.extent == Extent::Rows;
                let destination = if rows { Slot::RowOutput(output) } else { Slot::Output(output) };
                let Some(x) = self.slot_of[value.0 as usize] else { unreachable!("it is defined") };
                if self.executable.slots[x as usize] != destination {
                    let out = self.slot(destination);
                    let extent = if rows { Extent::Rows } else { Extent::Full };
                    self.executable.body.push(match self.streaming && !rows {
                        true => Instruction::Stream { x, out },
                        false => Instruction::Copy { x, out, extent },
                    });
                }
                Source::Tiles
            }
            (_, Extent::Columns | Extent::One) => {
                let slot =
                    self.slot_of[value.0 as usize].map(|at| self.executable.slots[at as usize]);
                let Some(Slot::Invariant(offset) | Slot::InvariantColumns(offset)) = slot else {
                    unreachable!("columns and single numbers are invariants")
                };
                Source::Invariant(offset)
            }
        };
        let len = def.extent.len(self.executable.rows, self.executable.columns);
        self.executable.outputs.push((source, len));
    }
}

impl Program {
    /// The rows and columns of the iteration space; one long column where no micro-op tells rows
    /// from columns.
    pub fn space(&self) -> (usize, usize) {
        let flat = self.inputs.iter().chain(self.defs.iter().map(|def| &def.extent));
        let flat = flat.copied().all(|extent| matches!(extent, Extent::Full | Extent::One));
        let by_row = |def: &super::Def| {
            matches!(
                def.micro,
                Micro::Gather(..)
                    | Micro::Scatter(..)
                    | Micro::ReduceRow(..)
                    | Micro::ReduceColumns(..)
            )
        };
        if flat && !self.defs.iter().any(by_row) {
            (self.rows * self.columns, 1)
        } else {
            (self.rows, self.columns)
        }
    }
}
