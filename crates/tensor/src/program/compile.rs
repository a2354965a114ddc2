//! From values to places: tiles, registers, and what is computed once before all tiles.

use std::ops::Range;

use super::code::{At, Code, Operand, Place, Ready, Source, Span, Summed};
use super::{Extent, Micro, NARROW, Program, Value};
use crate::DType;
use crate::kernels::Fold;

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
    pub fn ready(&self) -> Ready {
        Compiler::new(self).finish()
    }
}

struct Compiler<'a> {
    program: &'a Program,
    ready: Ready,
    /// The place of each value, and that of its repetition over a tile.
    at: Vec<Option<At>>,
    repeated: Vec<Option<At>>,
    last_use: Vec<usize>,
    /// Free registers by size: offsets.
    free: Vec<(usize, usize)>,
    /// For a value that a scatter adds to and nobody else reads, the scatter: one register.
    becomes: Vec<Option<usize>>,
    /// The maps that only a sum reads, which takes them over.
    summed: Vec<bool>,
    /// For a fold over everything or over rows, which one it is.
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
                Micro::FoldRow(..) | Micro::Gather(..) | Micro::Scatter(..) => true,
                Micro::FoldAll(_, x) => a_row(x),
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
                Micro::FoldRow(Fold::Sum, x) if columns >= NARROW => x,
                Micro::FoldAll(Fold::Sum, x) => x,
                _ => continue,
            };
            let map = &program.defs[x.0 as usize];
            let tiled = |x: &Value| matches!(program.extent(*x), Extent::Full | Extent::Columns);
            let fits = match &map.micro {
                Micro::Map1(_, _, x) => tiled(x),
                Micro::Map2(_, operands) => operands.iter().all(tiled),
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
        let ready = Ready {
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
            places: vec![],
            scratch: 0,
            fixed: 0,
            loads: vec![],
            numbers: vec![],
            prologue: vec![],
            body: vec![],
            segments: vec![],
            piece: tile,
            moves: vec![],
            totals: vec![],
            sums: vec![],
        };
        let (at, repeated) = (vec![None; count], vec![None; count]);
        let (free, nth) = (vec![], vec![0; count]);
        Compiler { program, ready, at, repeated, last_use, free, becomes, summed, nth, streams }
    }

    fn finish(mut self) -> Ready {
        for at in 0..self.program.defs.len() {
            self.lower(at);
            self.release(at);
        }
        for (output, &value) in self.program.outputs.iter().enumerate() {
            self.ask(output as u32, value);
        }
        self.ready.segments = self.segments();
        self.ready
    }

    /// Cuts the body where a wide row cannot go on piece by piece: such a piece stays in the first
    /// cache from one micro-op to the next, which a whole row does not.
    fn segments(&self) -> Vec<(Range<usize>, bool)> {
        let ready = &self.ready;
        let wide = ready.tile_rows == 1
            && ready.tile_columns == ready.columns
            && ready.columns > 2 * ready.piece;
        if !wide {
            return vec![(0..ready.body.len(), false)];
        }
        let mut segments: Vec<(Range<usize>, bool)> = vec![];
        // The folds of rows that are complete only at the end of the segment.
        let mut folded: Vec<At> = vec![];
        for (at, code) in ready.body.iter().enumerate() {
            let waits = |x: &Operand| x.extent == Extent::Rows && folded.contains(&x.at);
            let (tiled, waits) = match code {
                Code::Map1 { span, .. }
                | Code::Fill { span, .. }
                | Code::Copy { span, .. }
                | Code::FoldAll { span, .. } => (*span == Span::Tile, false),
                Code::Map2 { x, span, .. } => (*span == Span::Tile, x.iter().any(waits)),
                Code::Map3 { x, span, .. } => (*span == Span::Tile, x.iter().any(waits)),
                Code::Weighted { x, .. } => (true, x.iter().any(waits)),
                Code::SpreadRows { x, .. } => (true, folded.contains(x)),
                Code::SumRow { .. }
                | Code::SumAll { .. }
                | Code::Stream { .. }
                | Code::FoldRow { .. }
                | Code::FoldColumns { .. } => (true, false),
                Code::Repeat { .. } | Code::Gather { .. } | Code::Scatter { .. } => (false, false),
            };
            match segments.last_mut() {
                Some((range, true)) if tiled && !waits => range.end = at + 1,
                _ => {
                    folded.clear();
                    segments.push((at..at + 1, tiled));
                }
            }
            if let Code::FoldRow { out, .. } | Code::SumRow { out, .. } = code {
                folded.push(*out);
            }
        }
        segments
    }

    fn place(&mut self, place: Place) -> At {
        self.ready
            .moves
            .push(matches!(place, Place::Input(_) | Place::Output(_) | Place::FixedColumns(_)));
        self.ready.places.push(place);
        self.ready.places.len() as At - 1
    }

    fn register(&mut self, len: usize) -> At {
        // The one that was freed last is in the cache still.
        let fits = self.free.iter().rposition(|&(size, _)| size == len);
        let offset = match fits {
            Some(position) => self.free.remove(position).1,
            None => {
                // Registers start a cache line apart from where pages do, so that the same place
                // of two of them does not fall into the same set of the cache.
                let offset = self.ready.scratch;
                self.ready.scratch += len.next_multiple_of(16) + 16;
                offset
            }
        };
        let place = self.place(Place::Register(offset));
        self.ready.moves[place as usize] = len == self.len_of(Extent::Full);
        place
    }

    fn fixed(&mut self, len: usize) -> usize {
        let offset = self.ready.fixed;
        self.ready.fixed += len.next_multiple_of(16) + 16;
        offset
    }

    /// Frees the registers of the values that are read for the last time at `at`.
    fn release(&mut self, at: usize) {
        let program = self.program;
        for value in Program::operands(&program.defs[at].micro) {
            let value = value.0 as usize;
            if self.summed[value] {
                // The sum has read what the map would have read.
                for operand in Program::operands(&program.defs[value].micro) {
                    let operand = operand.0 as usize;
                    if self.last_use[operand] == at && self.becomes[operand].is_none() {
                        self.give_back(operand);
                    }
                }
            }
            if self.last_use[value] == at && self.becomes[value].is_none() {
                self.give_back(value);
            }
        }
        if self.last_use[at] == 0 {
            // Nobody reads it.
            self.give_back(at);
        }
    }

    fn give_back(&mut self, value: usize) {
        let Some(place) = self.at[value] else { return };
        // Where rows run piece by piece, what a row has one of is read again by the next piece,
        // after a later micro-op of the first piece would have written to its register.
        if self.ready.tile_rows == 1 && self.program.defs[value].extent == Extent::Rows {
            return;
        }
        if let Place::Register(offset) = self.ready.places[place as usize] {
            let entry = (self.len_of(self.program.defs[value].extent), offset);
            if !self.free.contains(&entry) {
                self.free.push(entry);
            }
        }
    }

    /// How many elements of a value there are in a tile, and of columns in all.
    fn len_of(&self, extent: Extent) -> usize {
        let tiled = matches!(extent, Extent::Full | Extent::Rows);
        let columns = if tiled { self.ready.tile_columns } else { self.ready.columns };
        extent.len(self.ready.tile_rows, columns)
    }

    /// The place that a computed value is written to.
    fn target(&mut self, at: usize) -> At {
        if let Some(place) = self.at[at] {
            return place;
        }
        let extent = self.program.defs[at].extent;
        let output = self.program.outputs.iter().position(|output| output.0 as usize == at);
        let place = match (extent, output) {
            (Extent::Columns, _) => {
                let offset = self.fixed(self.ready.columns);
                self.place(Place::FixedColumns(offset))
            }
            (Extent::One, _) => {
                let offset = self.fixed(1);
                self.place(Place::Fixed(offset))
            }
            (Extent::Full, Some(output)) if !self.streams => {
                self.place(Place::Output(output as u32))
            }
            (Extent::Rows, Some(output)) => self.place(Place::RowOutput(output as u32)),
            _ => match self.becomes[at] {
                Some(scatter) => self.target(scatter),
                None => self.register(self.len_of(extent)),
            },
        };
        self.at[at] = Some(place);
        place
    }

    /// The place of a value that is defined already.
    fn defined(&self, x: Value) -> At {
        let place = self.at[x.0 as usize];
        place.unwrap_or_else(|| unreachable!("values are defined before use"))
    }

    /// An operand of a map with the extent `of`.
    fn operand(&mut self, x: Value, of: Extent) -> Operand {
        let extent = self.program.extent(x);
        if extent == Extent::Columns && of == Extent::Full && self.ready.columns < NARROW {
            return Operand { at: self.whole(x, of), extent: of };
        }
        Operand { at: self.defined(x), extent }
    }

    /// The place of an operand of a micro-op with the extent `of` that has an element wherever
    /// the micro-op works: columns are repeated.
    fn whole(&mut self, x: Value, of: Extent) -> At {
        let (value, place) = (x.0 as usize, self.defined(x));
        let columns = self.program.extent(x) == Extent::Columns;
        if !columns || of != Extent::Full || self.ready.tile_rows == 1 {
            return place;
        }
        // All tiles have the same columns, so that one repetition serves them all.
        if let Some(repeated) = self.repeated[value] {
            return repeated;
        }
        let offset = self.fixed(self.len_of(Extent::Full));
        let out = self.place(Place::Fixed(offset));
        self.ready.prologue.push(Code::Repeat { x: place, out });
        self.repeated[value] = Some(out);
        out
    }

    fn emit(&mut self, extent: Extent, code: Code) {
        match extent {
            Extent::Full | Extent::Rows => self.ready.body.push(code),
            Extent::Columns | Extent::One => self.ready.prologue.push(code),
        }
    }

    /// A map with its operands, for the sum that takes it over.
    fn summed(&mut self, x: Value, operand: impl Fn(&mut Self, Value) -> Operand) -> Summed {
        let program = self.program;
        match &program.defs[x.0 as usize].micro {
            Micro::Map1(f, p, x) => Summed::Map1 { f, p: *p, x: operand(self, *x) },
            Micro::Map2(f, x) => Summed::Map2 { f, x: x.map(|x| operand(self, x)) },
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
                let place = match extent {
                    Extent::Full => Place::Input(*input),
                    Extent::Rows => Place::RowInput(*input),
                    Extent::Columns | Extent::One => {
                        let offset = self.fixed(self.len_of(extent));
                        self.ready.loads.push((*input, offset));
                        match extent {
                            Extent::Columns => Place::FixedColumns(offset),
                            _ => Place::Fixed(offset),
                        }
                    }
                };
                self.at[at] = Some(self.place(place));
            }
            Micro::Number(number) => {
                let offset = self.fixed(1);
                self.ready.numbers.push((*number, offset));
                self.at[at] = Some(self.place(Place::Fixed(offset)));
            }
            Micro::Map1(f, p, x) => {
                let (x, out) = (self.whole(*x, extent), self.target(at));
                self.emit(extent, Code::Map1 { f, p: *p, x, out, span });
            }
            Micro::Map2(f, operands) => {
                let x = operands.map(|x| self.operand(x, extent));
                let out = self.target(at);
                self.emit(extent, Code::Map2 { f, x, out, span });
            }
            Micro::Map3(f, operands) => {
                let x = operands.map(|x| self.operand(x, extent));
                let out = self.target(at);
                self.emit(extent, Code::Map3 { f, x, out, span });
            }
            Micro::Weighted(x) => {
                let x = x.map(|x| self.operand(x, extent));
                let out = self.target(at);
                self.ready.body.push(Code::Weighted { x, out });
            }
            Micro::Spread(x) => {
                let of = self.program.extent(*x);
                let x = self.whole(*x, extent);
                let out = self.target(at);
                let code = match of {
                    Extent::One => Code::Fill { x, out, span },
                    Extent::Rows => Code::SpreadRows { x, out },
                    Extent::Full | Extent::Columns => Code::Copy { x, out, span },
                };
                self.emit(extent, code);
            }
            Micro::FoldRow(_, x) if self.summed[x.0 as usize] => {
                let of = self.summed(*x, |this, x| this.operand(x, Extent::Full));
                let out = self.target(at);
                self.ready.body.push(Code::SumRow { of, out });
            }
            Micro::FoldAll(fold, x) if self.summed[x.0 as usize] => {
                // In one go over all rows of the tile.
                let whole = |this: &mut Self, x| Operand {
                    at: this.whole(x, Extent::Full),
                    extent: Extent::Full,
                };
                let (of, total) = (self.summed(*x, whole), self.ready.totals.len());
                self.nth[at] = total;
                self.ready.totals.push(*fold);
                self.ready.body.push(Code::SumAll { of, total });
            }
            Micro::FoldRow(fold, x) => {
                let (x, out) = (self.whole(*x, Extent::Full), self.target(at));
                self.ready.body.push(Code::FoldRow { fold: *fold, x, out });
            }
            Micro::FoldAll(fold, x) => {
                let of = self.program.extent(*x);
                let span = if of == Extent::Rows { Span::Rows } else { Span::Tile };
                let (x, total) = (self.whole(*x, of), self.ready.totals.len());
                self.nth[at] = total;
                self.ready.totals.push(*fold);
                self.ready.body.push(Code::FoldAll { fold: *fold, x, span, total });
            }
            Micro::FoldColumns(fold, x) => {
                let (x, sums) = (self.whole(*x, Extent::Full), self.ready.sums.len());
                self.nth[at] = sums;
                self.ready.sums.push(*fold);
                self.ready.body.push(Code::FoldColumns { fold: *fold, x, sums });
            }
            Micro::Gather(x, places) => {
                let (x, out) = (self.whole(*x, Extent::Full), self.target(at));
                self.ready.body.push(Code::Gather { x, out, places: places.clone() });
            }
            Micro::Scatter(onto, added, places) => {
                let onto = onto.map(|onto| self.whole(onto, Extent::Full));
                let added = self.whole(*added, Extent::Rows);
                let out = self.target(at);
                if let Some(x) = onto.filter(|&onto| onto != out) {
                    self.ready.body.push(Code::Copy { x, out, span });
                }
                let (clear, places) = (onto.is_none(), places.clone());
                self.ready.body.push(Code::Scatter { clear, added, out, places });
            }
        }
    }

    /// Sees to it that a value ends up in an output.
    fn ask(&mut self, output: u32, value: Value) {
        let def = &self.program.defs[value.0 as usize];
        let source = match (&def.micro, def.extent) {
            (Micro::FoldAll(..), _) => Source::Total(self.nth[value.0 as usize]),
            (Micro::FoldColumns(..), _) => Source::Sums(self.nth[value.0 as usize]),
            (_, Extent::Full | Extent::Rows) => {
                let rows = def.extent == Extent::Rows;
                let here = if rows { Place::RowOutput(output) } else { Place::Output(output) };
                let Some(x) = self.at[value.0 as usize] else { unreachable!("it is defined") };
                if self.ready.places[x as usize] != here {
                    let out = self.place(here);
                    let span = if rows { Span::Rows } else { Span::Tile };
                    self.ready.body.push(match self.streams && !rows {
                        true => Code::Stream { x, out },
                        false => Code::Copy { x, out, span },
                    });
                }
                Source::Tiles
            }
            (_, Extent::Columns | Extent::One) => {
                let place = self.at[value.0 as usize].map(|at| self.ready.places[at as usize]);
                let Some(Place::Fixed(offset) | Place::FixedColumns(offset)) = place else {
                    unreachable!("columns and single numbers are fixed");
                };
                Source::Fixed(offset)
            }
        };
        let len = def.extent.len(self.ready.rows, self.ready.columns);
        self.ready.outputs.push((source, len));
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
                    | Micro::FoldRow(..)
                    | Micro::FoldColumns(..)
            )
        };
        if flat && !self.defs.iter().any(placed) {
            (self.rows * self.columns, 1)
        } else {
            (self.rows, self.columns)
        }
    }
}
