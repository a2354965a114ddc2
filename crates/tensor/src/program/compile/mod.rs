//! From values to places: a list of micro-ops becomes tiles, tasks, and codes with the places that
//! they read and write ([`places`]), cut to run piece by piece along wide rows ([`segments`]).

mod registers;
mod segments;

use super::code::{Code, Executable, Operand, Slot, SlotId, Source, Span, SummedMap};
use super::{Extent, Micro, NARROW, Program, Value};
use crate::DType;
use crate::kernels::ReduceOp;

/// The bytes of a tile's register. Some of them have to fit the first cache together, and a
/// micro-op should run long enough to pay for its dispatch.
const TILE_BYTES: usize = 12 << 10;

/// From how many bytes in and out on results go around the caches, which they would only flush.
const STREAM_BYTES: usize = 24 << 20;

/// A place is worked on by the task that owns its tile: so many elements at least, and so many
/// tasks at most, whatever the number of threads.
const TASK: usize = 1 << 14;
const TASKS: usize = 64;

impl Program {
    /// Finds places for all values.
    pub fn compile(&self) -> Executable {
        Compiler::new(self).finish()
    }
}

struct Compiler<'a> {
    program: &'a Program,
    executable: Executable,
    /// The place of each value, and that of its repetition over a tile.
    at: Vec<Option<SlotId>>,
    repeated: Vec<Option<SlotId>>,
    last_use: Vec<usize>,
    /// Free registers by size: offsets.
    free: Vec<(usize, usize)>,
    /// For a value that a scatter adds to and nobody else reads, the scatter: one register.
    becomes: Vec<Option<usize>>,
    /// The maps that only a sum reads, which takes them over.
    summed: Vec<bool>,
    /// For a fold over rows, which one it is.
    nth: Vec<usize>,
    streams: bool,
}

impl<'a> Compiler<'a> {
    fn new(program: &'a Program) -> Compiler<'a> {
        let (rows, columns) = program.space();
        // What a row has one of is made by one task, which then has to have the whole row.
        let a_row = |x: &Value| program.extent(*x) == Extent::Rows;
        let whole_rows = program.outputs.iter().any(a_row)
            || program.defs.iter().any(|def| match &def.micro {
                Micro::ReduceRow(..) | Micro::Gather(..) | Micro::Scatter(..) => true,
                Micro::ReduceAll(_, x) => a_row(x),
                _ => false,
            });
        let size = if program.dtype == DType::F64 { 8 } else { 4 };
        let tile = TILE_BYTES / size;
        let tile_columns = if whole_rows { columns } else { columns.min(tile) };
        let tile_rows = (tile / columns.max(1)).clamp(1, rows.max(1));
        let tiles = rows.div_ceil(tile_rows) * columns.div_ceil(tile_columns.max(1));
        let tasks = (rows * columns / TASK).clamp(1, TASKS).min(tiles.max(1));
        let full = |extent: &Extent| *extent == Extent::Full;
        let inputs = program.inputs.iter().filter(|&extent| full(extent)).count();
        let outputs = program.outputs.iter().filter(|&&x| full(&program.extent(x))).count();
        let streams = (inputs + outputs) * rows * columns * size > STREAM_BYTES;
        let count = program.defs.len();
        let mut last_use = vec![0; count];
        let mut uses = vec![0; count];
        for (at, def) in program.defs.iter().enumerate() {
            for x in Program::operands(&def.micro) {
                last_use[x.0 as usize] = at;
                uses[x.0 as usize] += 1;
            }
        }
        for x in &program.outputs {
            last_use[x.0 as usize] = count;
            uses[x.0 as usize] += 1;
        }
        let mut becomes = vec![None; count];
        for (at, def) in program.defs.iter().enumerate() {
            if let Micro::Scatter(Some(onto), ..) = def.micro {
                let computed = !matches!(program.defs[onto.0 as usize].micro, Micro::Input(_));
                if uses[onto.0 as usize] == 1 && computed {
                    becomes[onto.0 as usize] = Some(at);
                }
            }
        }
        let mut summed = vec![false; count];
        for (at, def) in program.defs.iter().enumerate() {
            let x = match def.micro {
                Micro::ReduceRow(ReduceOp::Sum, x) if columns >= NARROW => x,
                Micro::ReduceAll(ReduceOp::Sum, x) => x,
                _ => continue,
            };
            let map = &program.defs[x.0 as usize];
            let tiled = |x: &Value| matches!(program.extent(*x), Extent::Full | Extent::Columns);
            let fits = match &map.micro {
                Micro::Map1(_, _, x) => tiled(x),
                Micro::Map2(_, operands) => operands.iter().all(tiled),
                Micro::Map3(_, operands) => operands.iter().all(tiled),
                _ => false,
            };
            if fits && map.extent == Extent::Full && uses[x.0 as usize] == 1 {
                summed[x.0 as usize] = true;
                // Its operands are read by the sum.
                for operand in Program::operands(&map.micro) {
                    let last = &mut last_use[operand.0 as usize];
                    *last = at.max(*last);
                }
            }
        }
        let executable = Executable {
            dtype: program.dtype,
            rows,
            columns,
            tile_rows,
            tile_columns,
            tiles,
            tasks,
            inputs: program.inputs.clone(),
            indices: program.indices as usize,
            outputs: vec![],
            slots: vec![],
            scratch: 0,
            fixed: 0,
            loads: vec![],
            numbers: vec![],
            prologue: vec![],
            body: vec![],
            epilogue: vec![],
            segments: vec![],
            piece: tile,
            advances: vec![],
            overwrites: vec![],
            totals: vec![],
            sums: vec![],
        };
        let (at, repeated) = (vec![None; count], vec![None; count]);
        let (free, nth) = (vec![], vec![0; count]);
        Compiler {
            program,
            executable,
            at,
            repeated,
            last_use,
            free,
            becomes,
            summed,
            nth,
            streams,
        }
    }

    fn finish(mut self) -> Executable {
        for at in 0..self.program.defs.len() {
            self.lower(at);
            self.release(at);
        }
        for (output, &value) in self.program.outputs.iter().enumerate() {
            self.ask(output as u32, value);
        }
        self.executable.segments = self.executable.cut();
        let pairs = (0..self.executable.outputs.len())
            .flat_map(|output| (0..self.executable.inputs.len()).map(move |input| (output, input)));
        self.executable.overwrites =
            pairs.filter(|&(output, input)| self.executable.can_overwrite(output, input)).collect();
        self.executable
    }

    /// Puts the micro-op of a definition where it runs.
    fn emit(&mut self, at: usize, code: Code) {
        let def = &self.program.defs[at];
        match def.extent {
            Extent::Full | Extent::Rows => self.executable.body.push(code),
            Extent::One if def.last => self.executable.epilogue.push(code),
            Extent::Columns | Extent::One => self.executable.prologue.push(code),
        }
    }

    /// The number of a fold over everything, which gets a place for its result.
    fn total(&mut self, at: usize, op: ReduceOp) -> usize {
        let offset = self.fixed(1);
        self.at[at] = Some(self.slot(Slot::Fixed(offset)));
        self.executable.totals.push((op, offset));
        self.executable.totals.len() - 1
    }

    /// A map with its operands, for the sum that takes it over.
    fn summed(&mut self, x: Value, operand: impl Fn(&mut Self, Value) -> Operand) -> SummedMap {
        let program = self.program;
        match &program.defs[x.0 as usize].micro {
            Micro::Map1(f, p, x) => SummedMap::Map1 { f, p: *p, x: operand(self, *x) },
            Micro::Map2(f, x) => SummedMap::Map2 { f, x: x.map(|x| operand(self, x)) },
            Micro::Map3(f, x) => SummedMap::Map3 { f, x: x.map(|x| operand(self, x)) },
            _ => unreachable!("only maps are taken over"),
        }
    }

    fn lower(&mut self, at: usize) {
        if self.summed[at] {
            return;
        }
        let def = &self.program.defs[at];
        let extent = def.extent;
        let span = match extent {
            Extent::Full => Span::Tile,
            Extent::Rows => Span::Rows,
            Extent::Columns => Span::Columns,
            Extent::One => Span::One,
        };
        match &def.micro {
            Micro::Input(input) => {
                let slot = match extent {
                    Extent::Full => Slot::Input(*input),
                    Extent::Rows => Slot::RowInput(*input),
                    Extent::Columns | Extent::One => {
                        let offset = self.fixed(self.len_of(extent));
                        self.executable.loads.push((*input, offset));
                        match extent {
                            Extent::Columns => Slot::FixedColumns(offset),
                            _ => Slot::Fixed(offset),
                        }
                    }
                };
                self.at[at] = Some(self.slot(slot));
            }
            Micro::Number(number) => {
                let offset = self.fixed(1);
                self.executable.numbers.push((*number, offset));
                self.at[at] = Some(self.slot(Slot::Fixed(offset)));
            }
            Micro::Map1(f, p, x) => {
                let (x, out) = (self.whole(*x, extent), self.target(at));
                self.emit(at, Code::Map1 { f, p: *p, x, out, span });
            }
            Micro::Map2(f, operands) => {
                let x = operands.map(|x| self.operand(x, extent));
                let out = self.target(at);
                self.emit(at, Code::Map2 { f, x, out, span });
            }
            Micro::Map3(f, operands) => {
                let x = operands.map(|x| self.operand(x, extent));
                let out = self.target(at);
                self.emit(at, Code::Map3 { f, x, out, span });
            }
            Micro::Weighted(x) => {
                let x = x.map(|x| self.operand(x, extent));
                let out = self.target(at);
                self.executable.body.push(Code::Weighted { x, out });
            }
            Micro::Broadcast(x) => {
                let of = self.program.extent(*x);
                let x = self.whole(*x, extent);
                let out = self.target(at);
                let code = match of {
                    Extent::One => Code::BroadcastNumber { x, out, span },
                    Extent::Rows => Code::BroadcastRows { x, out },
                    Extent::Full | Extent::Columns => Code::Copy { x, out, span },
                };
                self.emit(at, code);
            }
            Micro::ReduceRow(_, x) if self.summed[x.0 as usize] => {
                let of = self.summed(*x, |this, x| this.operand(x, Extent::Full));
                let out = self.target(at);
                self.executable.body.push(Code::SumRow { of, out });
            }
            Micro::ReduceAll(op, x) if self.summed[x.0 as usize] => {
                // In one go over all rows of the tile.
                let whole = |this: &mut Self, x| Operand {
                    at: this.whole(x, Extent::Full),
                    extent: Extent::Full,
                };
                let (of, total) = (self.summed(*x, whole), self.total(at, *op));
                self.executable.body.push(Code::SumAll { of, total });
            }
            Micro::ReduceRow(op, x) => {
                let (x, out) = (self.whole(*x, Extent::Full), self.target(at));
                self.executable.body.push(Code::ReduceRow { op: *op, x, out });
            }
            Micro::ReduceAll(op, x) => {
                let of = self.program.extent(*x);
                let span = if of == Extent::Rows { Span::Rows } else { Span::Tile };
                let (x, total) = (self.whole(*x, of), self.total(at, *op));
                self.executable.body.push(Code::ReduceAll { op: *op, x, span, total });
            }
            Micro::ReduceColumns(op, x) => {
                let (x, sums) = (self.whole(*x, Extent::Full), self.executable.sums.len());
                self.nth[at] = sums;
                self.executable.sums.push(*op);
                self.executable.body.push(Code::ReduceColumns { op: *op, x, sums });
            }
            Micro::Gather(x, row_index) => {
                let (x, out) = (self.whole(*x, Extent::Full), self.target(at));
                self.executable.body.push(Code::Gather { x, out, row_index: row_index.clone() });
            }
            Micro::Scatter(onto, added, row_index) => {
                let onto = onto.map(|onto| self.whole(onto, Extent::Full));
                let added = self.whole(*added, Extent::Rows);
                let out = self.target(at);
                if let Some(x) = onto.filter(|&onto| onto != out) {
                    self.executable.body.push(Code::Copy { x, out, span });
                }
                let (clear, row_index) = (onto.is_none(), row_index.clone());
                self.executable.body.push(Code::Scatter { clear, added, out, row_index });
            }
        }
    }

    /// Sees to it that a value ends up in an output.
    fn ask(&mut self, output: u32, value: Value) {
        let def = &self.program.defs[value.0 as usize];
        let source = match (&def.micro, def.extent) {
            (Micro::ReduceColumns(..), _) => Source::Sums(self.nth[value.0 as usize]),
            (_, Extent::Full | Extent::Rows) => {
                let rows = def.extent == Extent::Rows;
                let here = if rows { Slot::RowOutput(output) } else { Slot::Output(output) };
                let Some(x) = self.at[value.0 as usize] else { unreachable!("it is defined") };
                if self.executable.slots[x as usize] != here {
                    let out = self.slot(here);
                    let span = if rows { Span::Rows } else { Span::Tile };
                    self.executable.body.push(match self.streams && !rows {
                        true => Code::Stream { x, out },
                        false => Code::Copy { x, out, span },
                    });
                }
                Source::Tiles
            }
            (_, Extent::Columns | Extent::One) => {
                let slot = self.at[value.0 as usize].map(|at| self.executable.slots[at as usize]);
                let Some(Slot::Fixed(offset) | Slot::FixedColumns(offset)) = slot else {
                    unreachable!("columns and single numbers are fixed");
                };
                Source::Fixed(offset)
            }
        };
        let len = def.extent.len(self.executable.rows, self.executable.columns);
        self.executable.outputs.push((source, len));
    }
}

impl Program {
    /// Rows and columns; one long column where nothing tells rows from columns.
    pub fn space(&self) -> (usize, usize) {
        let flat = self.inputs.iter().chain(self.defs.iter().map(|def| &def.extent));
        let flat = flat.copied().all(|extent| matches!(extent, Extent::Full | Extent::One));
        let placed = |def: &super::Def| {
            matches!(
                def.micro,
                Micro::Gather(..)
                    | Micro::Scatter(..)
                    | Micro::ReduceRow(..)
                    | Micro::ReduceColumns(..)
            )
        };
        if flat && !self.defs.iter().any(placed) {
            (self.rows * self.columns, 1)
        } else {
            (self.rows, self.columns)
        }
    }
}
