//! Register allocation: the slots of values, and the registers that are free again after the last
//! use of a value.

use super::Compiler;
use crate::program::code::{Executable, Instruction, Operand, Slot, SlotId, Step};
use crate::program::{Extent, NARROW, Program, Value};

impl Compiler<'_> {
    pub(super) fn slot(&mut self, slot: Slot) -> SlotId {
        let step = match slot {
            Slot::Input(_) | Slot::Output(_) => Step { row: self.executable.columns, column: 1 },
            Slot::RowInput(_) | Slot::RowOutput(_) => Step { row: 1, column: 0 },
            Slot::InvariantColumns(_) => Step { row: 0, column: 1 },
            Slot::Register(_) | Slot::Invariant(_) => Step::NONE,
        };
        self.executable.steps.push(step);
        self.executable.slots.push(slot);
        self.executable.slots.len() as SlotId - 1
    }

    /// A register for a value, and how it advances.
    pub(super) fn register(&mut self, extent: Extent, kept: bool) -> SlotId {
        let (step, len) = self.room(extent, kept);
        // The one that was freed last is still in the cache.
        let free = self.free_registers.get_mut(&(step, len)).and_then(Vec::pop);
        let offset = match free {
            Some(offset) => offset,
            None => {
                // Registers are padded by a cache line, so that the same element of two of them
                // does not fall into the same set of the cache.
                let offset = self.executable.scratch;
                self.executable.scratch += len.next_multiple_of(16) + 16;
                offset
            }
        };
        let slot = self.slot(Slot::Register(offset));
        self.executable.steps[slot as usize] = step;
        slot
    }

    /// A register of two rows.
    pub(super) fn pair_of_rows(&mut self) -> SlotId {
        let offset = self.executable.scratch;
        self.executable.scratch += (2 * self.executable.columns).next_multiple_of(16) + 16;
        self.slot(Slot::Register(offset))
    }

    /// How the register of a value advances from strip to strip, and how many elements it has: of the
    /// points of a strip that a later phase does not read, those of one strip.
    fn room(&self, extent: Extent, kept: bool) -> (Step, usize) {
        let Executable { tile_rows, tile_columns, columns, .. } = self.executable;
        match extent {
            Extent::Full if self.distribution.is_some() && !kept => {
                (Step::NONE, self.len_of(extent))
            }
            Extent::Full => (Step { row: columns, column: 1 }, tile_rows * tile_columns),
            Extent::Rows => (Step { row: 1, column: 0 }, tile_rows),
            Extent::Columns | Extent::One => (Step::NONE, self.len_of(extent)),
        }
    }

    /// Whether a later phase reads a value at each point.
    fn is_kept(&self, value: usize) -> bool {
        self.distribution.is_some_and(|distribution| distribution.kept[value])
    }

    pub(super) fn allocate_invariant(&mut self, len: usize) -> usize {
        let offset = self.executable.invariants;
        self.executable.invariants += len.next_multiple_of(16) + 16;
        offset
    }

    /// Frees the registers of the values that are read for the last time at `at`.
    pub(super) fn release(&mut self, at: usize) {
        let program = self.program;
        for value in Program::operands(&program.defs[at].micro) {
            let value = value.0 as usize;
            if self.fused_into_sum[value] {
                // The sum has read the operands of the map.
                for operand in Program::operands(&program.defs[value].micro) {
                    let operand = operand.0 as usize;
                    if self.last_use[operand] == at && self.coalesced[operand].is_none() {
                        self.free_register(operand);
                    }
                }
            }
            if self.last_use[value] == at && self.coalesced[value].is_none() {
                self.free_register(value);
            }
        }
        if self.last_use[at] == 0 {
            // Nothing reads it.
            self.free_register(at);
        }
    }

    fn free_register(&mut self, value: usize) {
        let Some(slot) = self.slot_of[value] else { return };
        // Both operands of a square are one value.
        if std::mem::replace(&mut self.freed[value], true) {
            return;
        }
        // In a strip-mined row, a value with one element for the row is read again for the next
        // chunk, after a later micro-op of the first chunk would have written to its register.
        if self.executable.tile_rows == 1 && self.program.defs[value].extent == Extent::Rows {
            return;
        }
        if let Slot::Register(offset) = self.executable.slots[slot as usize] {
            // Values that share a register advance alike: what the last of them overwrites in a strip,
            // no other strip reads.
            let kept = self.executable.steps[slot as usize] != Step::NONE;
            let room = self.room(self.program.defs[value].extent, kept);
            self.free_registers.entry(room).or_default().push(offset);
        }
    }

    /// How many elements of a value there are in a strip; of columns and single numbers, in all.
    pub(super) fn len_of(&self, extent: Extent) -> usize {
        let tiled = matches!(extent, Extent::Full | Extent::Rows);
        let columns = if tiled { self.executable.tile_columns } else { self.executable.columns };
        extent.len(self.executable.strip_rows, columns)
    }

    /// The slot that a computed value is written to. What a chain of scatters adds to shares that of
    /// the last of them.
    pub(super) fn destination(&mut self, at: usize) -> SlotId {
        let (mut chain, mut last) = (vec![], at);
        while let (None, Some(scatter)) = (self.slot_of[last], self.coalesced[last]) {
            chain.push(last);
            last = scatter;
        }
        let slot = match self.slot_of[last] {
            Some(slot) => slot,
            None => {
                let kept = chain.iter().chain([&last]).any(|&value| self.is_kept(value));
                self.new_destination(last, kept)
            }
        };
        for value in chain.into_iter().chain([last]) {
            self.slot_of[value] = Some(slot);
        }
        slot
    }

    fn new_destination(&mut self, at: usize, kept: bool) -> SlotId {
        let extent = self.program.defs[at].extent;
        match (extent, self.output_of[at]) {
            (Extent::Columns, _) => {
                let offset = self.allocate_invariant(self.executable.columns);
                self.slot(Slot::InvariantColumns(offset))
            }
            (Extent::One, _) => {
                let offset = self.allocate_invariant(1);
                self.slot(Slot::Invariant(offset))
            }
            (Extent::Full, Some(output)) if !self.streaming => self.slot(Slot::Output(output)),
            (Extent::Rows, Some(output)) => self.slot(Slot::RowOutput(output)),
            _ => self.register(extent, kept),
        }
    }

    /// The slot of a value that is defined already.
    pub(super) fn defined(&self, x: Value) -> SlotId {
        let slot = self.slot_of[x.0 as usize];
        slot.unwrap_or_else(|| unreachable!("values are defined before use"))
    }

    /// An operand of a map with the extent `of`.
    pub(super) fn operand(&mut self, x: Value, of: Extent) -> Operand {
        let extent = self.program.extent(x);
        if extent == Extent::Columns && of == Extent::Full && self.executable.columns < NARROW {
            return Operand { at: self.materialized(x, of), extent: of };
        }
        Operand { at: self.defined(x), extent }
    }

    /// The slot of an operand with an element for each one of a micro-op with the extent `of`:
    /// columns are repeated for each row.
    pub(super) fn materialized(&mut self, x: Value, of: Extent) -> SlotId {
        let (value, slot) = (x.0 as usize, self.defined(x));
        let columns = self.program.extent(x) == Extent::Columns;
        if !columns || of != Extent::Full || self.executable.strip_rows == 1 {
            return slot;
        }
        // All tiles have the same columns, so that one copy serves them all.
        if let Some(repeated) = self.repeated[value] {
            return repeated;
        }
        let offset = self.allocate_invariant(self.len_of(Extent::Full));
        let out = self.slot(Slot::Invariant(offset));
        self.executable.prologue.push(Instruction::BroadcastColumns { x: slot, out });
        self.repeated[value] = Some(out);
        out
    }
}
