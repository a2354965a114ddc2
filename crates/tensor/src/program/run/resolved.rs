//! Where the places of a task are, from tile to tile.

use smallvec::SmallVec;

use super::{Elements, Run};
use crate::kernels::Loops;
use crate::program::Extent;
use crate::program::code::{Executable, Slot};

/// So many elements of a product are computed at a time: they stay in the second cache until their
/// tiles have been read.
const BLOCK: usize = 1 << 16;

/// The part of the space that a tile covers.
pub(super) struct Part {
    pub row: usize,
    pub column: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Part {
    pub fn of(executable: &Executable, tile: usize) -> Part {
        let across = executable.columns.div_ceil(executable.tile_columns.max(1));
        let (row, column) =
            (tile / across * executable.tile_rows, tile % across * executable.tile_columns);
        let rows = executable.tile_rows.min(executable.rows - row);
        let columns = executable.tile_columns.min(executable.columns - column);
        Part { row, column, rows, columns }
    }
}

/// How a place moves from tile to tile.
#[derive(Clone, Copy)]
enum Move {
    Whole,
    Rows,
    Columns,
}

/// The places of a task.
pub(super) struct ResolvedSlots<T> {
    pub slots: SmallVec<[*mut T; 32]>,
    /// The places that move from tile to tile, with their starts.
    moving: SmallVec<[(usize, *mut T, Move); 8]>,
    /// The places that are filled tile by tile, with their inputs and memory.
    filled: SmallVec<[(usize, usize, *mut T); 4]>,
}

impl<T: Loops> ResolvedSlots<T> {
    /// Those of a task of so many tiles. Behind the registers, `scratch` has room for the inputs
    /// that are filled.
    pub fn of(run: &Run<'_, T>, fixed: *mut T, scratch: *mut T, tiles: usize) -> ResolvedSlots<T> {
        let count = run.executable.slots.len();
        let (slots, moving, filled) =
            (SmallVec::with_capacity(count), SmallVec::new(), SmallVec::new());
        let mut resolved = ResolvedSlots { slots, moving, filled };
        let mut free = scratch.wrapping_add(run.executable.scratch);
        for (at, slot) in run.executable.slots.iter().enumerate() {
            let (start, step) = match *slot {
                Slot::Input(i) | Slot::RowInput(i) => match &run.inputs[i as usize] {
                    Elements::Slice(slice) => {
                        let rows = matches!(slot, Slot::RowInput(_));
                        let step = if rows { Move::Rows } else { Move::Whole };
                        (slice.as_ptr().cast_mut(), Some(step))
                    }
                    // The compiler has seen that its reads come before the writes of the output.
                    Elements::Output(o) => (run.outputs[*o].0.get(), Some(Move::Whole)),
                    input @ (Elements::Packed(_) | Elements::Product(_)) => {
                        let start = free;
                        free = free.wrapping_add(run.room(input, tiles));
                        resolved.filled.push((at, i as usize, start));
                        (start, None)
                    }
                },
                Slot::Output(o) => (run.outputs[o as usize].0.get(), Some(Move::Whole)),
                Slot::RowOutput(o) => (run.outputs[o as usize].0.get(), Some(Move::Rows)),
                Slot::Register(offset) => (scratch.wrapping_add(offset), None),
                Slot::Fixed(offset) => (fixed.wrapping_add(offset), None),
                Slot::FixedColumns(offset) => (fixed.wrapping_add(offset), Some(Move::Columns)),
            };
            resolved.slots.push(start);
            resolved.moving.extend(step.map(|step| (at, start, step)));
        }
        resolved
    }

    /// Goes on to a tile, before which the task has had `done`, and with which it has `left`.
    pub fn come_to(&mut self, run: &Run<'_, T>, part: &Part, done: usize, left: usize) {
        let (executable, &Part { row, column, .. }) = (run.executable, part);
        for &(at, start, step) in &self.moving {
            self.slots[at] = start.wrapping_add(match step {
                Move::Whole => row * executable.columns + column,
                Move::Rows => row,
                Move::Columns => column,
            });
        }
        for &(at, input, start) in &self.filled {
            match &run.inputs[input] {
                Elements::Packed(packer) => {
                    let (from, len) = match executable.inputs[input] {
                        Extent::Rows => (row, part.rows),
                        _ => (row * executable.columns + column, part.rows * part.columns),
                    };
                    // SAFETY: there is room for a tile, and this task alone reads it.
                    packer.pack(from, unsafe { std::slice::from_raw_parts_mut(start, len) });
                }
                Elements::Product(product) => {
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
                Elements::Slice(_) | Elements::Output(_) => {}
            }
        }
    }
}

impl<T: Loops> Run<'_, T> {
    /// How many tiles of a product are computed at a time in a task of so many.
    fn block(&self, tiles: usize) -> usize {
        (BLOCK / (self.executable.tile_rows * self.executable.columns)).clamp(1, tiles.max(1))
    }

    /// The elements of memory that an input takes in a task of so many tiles.
    pub(super) fn room(&self, input: &Elements<'_, T>, tiles: usize) -> usize {
        let tile =
            (self.executable.tile_rows * self.executable.tile_columns).next_multiple_of(16) + 16;
        match input {
            Elements::Packed(_) => tile,
            Elements::Product(_) => self.block(tiles) * tile,
            Elements::Slice(_) | Elements::Output(_) => 0,
        }
    }
}
