//! Places: the registers that values take and give back, and what lies before all tiles.

use super::Compiler;
use crate::program::code::{At, Code, Operand, Place};
use crate::program::{Extent, NARROW, Program, Value};

impl Compiler<'_> {
    pub(super) fn place(&mut self, place: Place) -> At {
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

    pub(super) fn fixed(&mut self, len: usize) -> usize {
        let offset = self.ready.fixed;
        self.ready.fixed += len.next_multiple_of(16) + 16;
        offset
    }

    /// Frees the registers of the values that are read for the last time at `at`.
    pub(super) fn release(&mut self, at: usize) {
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
    pub(super) fn len_of(&self, extent: Extent) -> usize {
        let tiled = matches!(extent, Extent::Full | Extent::Rows);
        let columns = if tiled { self.ready.tile_columns } else { self.ready.columns };
        extent.len(self.ready.tile_rows, columns)
    }

    /// The place that a computed value is written to.
    pub(super) fn target(&mut self, at: usize) -> At {
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
    pub(super) fn operand(&mut self, x: Value, of: Extent) -> Operand {
        let extent = self.program.extent(x);
        if extent == Extent::Columns && of == Extent::Full && self.ready.columns < NARROW {
            return Operand { at: self.whole(x, of), extent: of };
        }
        Operand { at: self.defined(x), extent }
    }

    /// The place of an operand of a micro-op with the extent `of` that has an element wherever
    /// the micro-op works: columns are repeated.
    pub(super) fn whole(&mut self, x: Value, of: Extent) -> At {
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
}
