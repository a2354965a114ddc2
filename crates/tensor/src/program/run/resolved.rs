//! Slots resolved to addresses, from tile to tile of a task.

use smallvec::SmallVec;

use super::{InputBuffer, Run};
use crate::kernels::Loops;
use crate::program::Extent;
use crate::program::code::{Executable, Slot};

/// How many elements of a product are computed at a time: they stay in the L2 cache until their
/// tiles have been read.
const BLOCK: usize = 1 << 16;

/// The part of the iteration space that a tile covers.
pub(super) struct TileBounds {
    pub row: usize,
    pub column: usize,
    pub rows: usize,
    pub columns: usize,
}

impl TileBounds {
    pub fn of(executable: &Executable, tile: usize) -> TileBounds {
        let across = executable.columns.div_ceil(executable.tile_columns.max(1));
        let (row, column) =
            (tile / across * executable.tile_rows, tile % across * executable.tile_columns);
        let rows = executable.tile_rows.min(executable.rows - row);
        let columns = executable.tile_columns.min(executable.columns - column);
        TileBounds { row, column, rows, columns }
    }
}

/// How the address of a slot advances from tile to tile.
#[derive(Clone, Copy)]
enum Advance {
    Full,
    Rows,
    Columns,
}

/// The addresses of the slots of a task.
pub(super) struct ResolvedSlots<T> {
    pub slots: SmallVec<[*mut T; 32]>,
    /// The slots whose addresses advance from tile to tile, with the addresses to start from.
    advancing: SmallVec<[(usize, *mut T, Advance); 8]>,
    /// The slots that are filled before each tile, with their inputs and staging buffers.
    staged: SmallVec<[(usize, usize, *mut T); 4]>,
}

impl<T: Loops> ResolvedSlots<T> {
    /// The addresses for a task of so many tiles. Behind the registers, `scratch` has room for the
    /// staging buffers.
    pub fn of(
        run: &Run<'_, T>,
        invariants: *mut T,
        scratch: *mut T,
        tiles: usize,
    ) -> ResolvedSlots<T> {
        let count = run.executable.slots.len();
        let (slots, advancing, staged) =
            (SmallVec::with_capacity(count), SmallVec::new(), SmallVec::new());
        let mut resolved = ResolvedSlots { slots, advancing, staged };
        let mut free = scratch.wrapping_add(run.executable.scratch);
        for (at, slot) in run.executable.slots.iter().enumerate() {
            let (start, step) = match *slot {
                Slot::Input(i) | Slot::RowInput(i) => match &run.inputs[i as usize] {
                    InputBuffer::Slice(slice) => {
                        let rows = matches!(slot, Slot::RowInput(_));
                        let step = if rows { Advance::Rows } else { Advance::Full };
                        (slice.as_ptr().cast_mut(), Some(step))
                    }
                    // The compiler has checked that its reads precede the writes of the output.
                    InputBuffer::Output(o) => (run.outputs[*o].0.get(), Some(Advance::Full)),
                    input @ (InputBuffer::Packed(_) | InputBuffer::Product(_)) => {
                        let start = free;
                        free = free.wrapping_add(run.staging_len(input, tiles));
                        resolved.staged.push((at, i as usize, start));
                        (start, None)
                    }
                },
                Slot::Output(o) => (run.outputs[o as usize].0.get(), Some(Advance::Full)),
                Slot::RowOutput(o) => (run.outputs[o as usize].0.get(), Some(Advance::Rows)),
                Slot::Register(offset) => (scratch.wrapping_add(offset), None),
                Slot::Invariant(offset) => (invariants.wrapping_add(offset), None),
                Slot::InvariantColumns(offset) => {
                    (invariants.wrapping_add(offset), Some(Advance::Columns))
                }
            };
            resolved.slots.push(start);
            resolved.advancing.extend(step.map(|step| (at, start, step)));
        }
        resolved
    }

    /// Advances to a tile of a task that has `done` so many before, and has `left` so many with it.
    pub fn enter_tile(&mut self, run: &Run<'_, T>, bounds: &TileBounds, done: usize, left: usize) {
        let (executable, &TileBounds { row, column, .. }) = (run.executable, bounds);
        for &(at, start, step) in &self.advancing {
            self.slots[at] = start.wrapping_add(match step {
                Advance::Full => row * executable.columns + column,
                Advance::Rows => row,
                Advance::Columns => column,
            });
        }
        for &(at, input, start) in &self.staged {
            match &run.inputs[input] {
                InputBuffer::Packed(packer) => {
                    let (from, len) = match executable.inputs[input] {
                        Extent::Rows => (row, bounds.rows),
                        _ => (row * executable.columns + column, bounds.rows * bounds.columns),
                    };
                    // SAFETY: there is room for a tile, and this task alone reads it.
                    packer.pack(from, unsafe { std::slice::from_raw_parts_mut(start, len) });
                }
                InputBuffer::Product(product) => {
                    let block = run.block(done + left);
                    let nth = done % block;
                    if nth == 0 {
                        let rows =
                            (block.min(left) * executable.tile_rows).min(executable.rows - row);
                        let len = rows * executable.columns;
                        // SAFETY: there is room for a block of tiles, which are whole rows, and
                        // this task alone reads it.
                        product.compute(row, unsafe { std::slice::from_raw_parts_mut(start, len) });
                    }
                    self.slots[at] =
                        start.wrapping_add(nth * executable.tile_rows * executable.columns);
                }
                InputBuffer::Slice(_) | InputBuffer::Output(_) => {}
            }
        }
    }
}

impl<T: Loops> Run<'_, T> {
    /// How many tiles of a product are computed at a time in a task of so many.
    fn block(&self, tiles: usize) -> usize {
        (BLOCK / (self.executable.tile_rows * self.executable.columns)).clamp(1, tiles.max(1))
    }

    /// How many elements the staging buffer of an input has, in a task of so many tiles.
    pub(super) fn staging_len(&self, input: &InputBuffer<'_, T>, tiles: usize) -> usize {
        let tile =
            (self.executable.tile_rows * self.executable.tile_columns).next_multiple_of(16) + 16;
        match input {
            InputBuffer::Packed(_) => tile,
            InputBuffer::Product(_) => self.block(tiles) * tile,
            InputBuffer::Slice(_) | InputBuffer::Output(_) => 0,
        }
    }
}
