//! RowIndex: the registers that values take and give back, and what lies before all tiles.

use super::Compiler;
use crate::program::code::{Code, Operand, Slot, SlotId};
use crate::program::{Extent, NARROW, Program, Value};

impl Compiler<'_> {
    pub(super) fn slot(&mut self, slot: Slot) -> SlotId {
        self.executable
            .advances
            .push(matches!(slot, Slot::Input(_) | Slot::Output(_) | Slot::FixedColumns(_)));
        self.executable.slots.push(slot);
        self.executable.slots.len() as SlotId - 1
    }

    fn register(&mut self, len: usize) -> SlotId {
        // The one that was freed last is in the cache still.
        let fits = self.free.iter().rposition(|&(size, _)| size == len);
        let offset = match fits {
            Some(position) => self.free.remove(position).1,
            None => {
                // Registers start a cache line apart from where pages do, so that the same place
                // of two of them does not fall into the same set of the cache.
                let offset = self.executable.scratch;
                self.executable.scratch += len.next_multiple_of(16) + 16;
                offset
            }
        };
        let slot = self.slot(Slot::Register(offset));
        self.executable.advances[slot as usize] = len == self.len_of(Extent::Full);
        slot
    }

    pub(super) fn fixed(&mut self, len: usize) -> usize {
        let offset = self.executable.fixed;
        self.executable.fixed += len.next_multiple_of(16) + 16;
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
        let Some(slot) = self.at[value] else { return };
        // Where rows run piece by piece, what a row has one of is read again by the next piece,
        // after a later micro-op of the first piece would have written to its register.
        if self.executable.tile_rows == 1 && self.program.defs[value].extent == Extent::Rows {
            return;
        }
        if let Slot::Register(offset) = self.executable.slots[slot as usize] {
            let entry = (self.len_of(self.program.defs[value].extent), offset);
            if !self.free.contains(&entry) {
                self.free.push(entry);
            }
        }
    }

    /// How many elements of a value there are in a tile, and of columns in all.
    pub(super) fn len_of(&self, extent: Extent) -> usize {
        let tiled = matches!(extent, Extent::Full | Extent::Rows);
        let columns = if tiled { self.executable.tile_columns } else { self.executable.columns };
        extent.len(self.executable.tile_rows, columns)
    }

    /// The place that a computed value is written to.
    pub(super) fn target(&mut self, at: usize) -> SlotId {
        if let Some(slot) = self.at[at] {
            return slot;
        }
        let extent = self.program.defs[at].extent;
        let output = self.program.outputs.iter().position(|output| output.0 as usize == at);
        let slot = match (extent, output) {
            (Extent::Columns, _) => {
                let offset = self.fixed(self.executable.columns);
                self.slot(Slot::FixedColumns(offset))
            }
            (Extent::One, _) => {
                let offset = self.fixed(1);
                self.slot(Slot::Fixed(offset))
            }
            (Extent::Full, Some(output)) if !self.streams => self.slot(Slot::Output(output as u32)),
            (Extent::Rows, Some(output)) => self.slot(Slot::RowOutput(output as u32)),
            _ => match self.becomes[at] {
                Some(scatter) => self.target(scatter),
                None => self.register(self.len_of(extent)),
            },
        };
        self.at[at] = Some(slot);
        slot
    }

    /// The place of a value that is defined already.
    fn defined(&self, x: Value) -> SlotId {
        let slot = self.at[x.0 as usize];
        slot.unwrap_or_else(|| unreachable!("values are defined before use"))
    }

    /// An operand of a map with the extent `of`.
    pub(super) fn operand(&mut self, x: Value, of: Extent) -> Operand {
        let extent = self.program.extent(x);
        if extent == Extent::Columns && of == Extent::Full && self.executable.columns < NARROW {
            return Operand { at: self.whole(x, of), extent: of };
        }
        Operand { at: self.defined(x), extent }
    }

    /// The place of an operand of a micro-op with the extent `of` that has an element wherever
    /// the micro-op works: columns are repeated.
    pub(super) fn whole(&mut self, x: Value, of: Extent) -> SlotId {
        let (value, slot) = (x.0 as usize, self.defined(x));
        let columns = self.program.extent(x) == Extent::Columns;
        if !columns || of != Extent::Full || self.executable.tile_rows == 1 {
            return slot;
        }
        // All tiles have the same columns, so that one repetition serves them all.
        if let Some(repeated) = self.repeated[value] {
            return repeated;
        }
        let offset = self.fixed(self.len_of(Extent::Full));
        let out = self.slot(Slot::Fixed(offset));
        self.executable.prologue.push(Code::BroadcastColumns { x: slot, out });
        self.repeated[value] = Some(out);
        out
    }
}
