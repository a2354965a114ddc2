//! A tile, and what micro-ops do to its slices.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use super::code::{Instruction, Operand, SlotId, SummedMap};
use super::micro;
use super::{Extent, NARROW, RowIndex};
use crate::kernels::accumulate::Compensated;
use crate::kernels::loops::{Loops2, Loops3};
use crate::kernels::reduce::combine;
use crate::kernels::{Loops, ReduceOp, Strip};

/// The accumulators of a task: a number for each reduction over everything, and a row of columns
/// for each reduction over rows.
pub(super) struct Accumulators {
    pub scalars: *mut Compensated,
    pub scalar_stride: usize,
    /// The sums of all columns, then what their roundings lost.
    pub columns: *mut f64,
    pub column_stride: usize,
    pub all_columns: usize,
}

impl Accumulators {
    pub fn none() -> Accumulators {
        let (scalars, columns) = (std::ptr::null_mut(), std::ptr::null_mut());
        Accumulators { scalars, scalar_stride: 0, columns, column_stride: 0, all_columns: 0 }
    }
}

/// What a micro-op says of an index that is no column; which one, [`Run`](super::run) finds out.
pub(super) struct OutOfRange;

/// The tile that micro-ops run on.
pub(super) struct Tile<'a, T> {
    /// The address of each slot.
    pub slots: &'a [*mut T],
    pub rows: usize,
    pub columns: usize,
    /// The first row and column in the space.
    pub row: usize,
    pub column: usize,
    pub accumulators: &'a Accumulators,
    pub indices: &'a [Cow<'a, [i64]>],
}

impl<T: Loops> Tile<'_, T> {
    /// Runs one micro-op. Maps are most of them; the frame of all others would be half of the time that
    /// one of them takes to start.
    #[inline(always)]
    pub fn execute(&self, code: &Instruction) -> Result<(), OutOfRange> {
        match code {
            Instruction::Map1 { f, p, x, out, extent } => {
                let n = self.len(*extent);
                let (x, out) = self.read_write(*x, *out, n);
                (T::loops1(f).each)(x, p.map(T::of), out);
                Ok(())
            }
            Instruction::Map2 { f, x, out, extent } => {
                self.map2(T::loops2(f), x, *out, *extent);
                Ok(())
            }
            Instruction::Map3 { f, x, out, extent } => {
                self.map3(T::loops3(f), x, *out, *extent);
                Ok(())
            }
            _ => self.execute_other(code),
        }
    }

    #[inline(never)]
    fn map2(&self, loops: &Loops2<T>, [a, b]: &[Operand; 2], out: SlotId, extent: Extent) {
        let columns = self.row_len([a, b], extent);
        let each = match (a.is_number(extent), b.is_number(extent)) {
            (true, _) => loops.number_left,
            (_, true) => loops.number_right,
            _ => loops.each,
        };
        let x = [self.strip(a, extent), self.strip(b, extent)];
        each(x, columns, self.write(out, self.len(extent)));
    }

    #[inline(never)]
    fn map3(&self, loops: &Loops3<T>, [a, b, c]: &[Operand; 3], out: SlotId, extent: Extent) {
        let columns = self.row_len([a, b, c], extent);
        let each = match (b.is_number(extent), c.is_number(extent)) {
            (false, false) => loops.each,
            (true, false) => loops.number_middle,
            (false, true) => loops.number_right,
            (true, true) => loops.numbers,
        };
        let x = [self.strip(a, extent), self.strip(b, extent), self.strip(c, extent)];
        each(x, columns, self.write(out, self.len(extent)));
    }

    #[inline(never)]
    fn execute_other(&self, code: &Instruction) -> Result<(), OutOfRange> {
        match code {
            Instruction::Map1 { .. } | Instruction::Map2 { .. } | Instruction::Map3 { .. } => {
                unreachable!("maps are run by `execute`")
            }
            Instruction::Weighted { x, out } => {
                let strip = |x| self.strip(x, Extent::Full);
                let out = self.write(*out, self.len(Extent::Full));
                match x.as_slice() {
                    [a, s, b, t] => {
                        let columns = self.row_len([a, s, b, t], Extent::Full);
                        micro::weighted([a, s, b, t].map(strip), columns, out);
                    }
                    // Masks have a number for each row.
                    [a, s, b, t, m, n] => {
                        let x = [a, s, b, t, m, n].map(strip);
                        micro::masked_weighted(x, self.columns, out);
                    }
                    x => {
                        debug_assert_eq!(x.len(), 3, "a product and its mask");
                        let x = [&x[0], &x[1], &x[2]].map(strip);
                        micro::masked_product(x, self.columns, out);
                    }
                }
            }
            Instruction::BroadcastRows { x, out } => {
                let x = self.read(*x, self.rows);
                micro::broadcast_rows(x, self.columns, self.write(*out, self.rows * self.columns));
            }
            Instruction::BroadcastNumber { x, out, extent } => {
                let number = self.read(*x, 1)[0];
                self.write(*out, self.len(*extent)).fill(number);
            }
            Instruction::BroadcastColumns { x, out } => {
                let (x, out) =
                    (self.read(*x, self.columns), self.write(*out, self.rows * self.columns));
                out.chunks_exact_mut(self.columns).for_each(|row| row.copy_from_slice(x));
            }
            Instruction::Copy { x, out, extent } => {
                let (x, out) = self.read_write(*x, *out, self.len(*extent));
                out.copy_from_slice(x);
            }
            Instruction::Stream { x, out } => {
                let (x, out) = self.read_write(*x, *out, self.rows * self.columns);
                micro::stream(x, out);
            }
            Instruction::ReduceRow { op, x, out } => {
                let x = self.read(*x, self.rows * self.columns);
                let out = self.write(*out, self.rows);
                let before = out[0];
                micro::reduce_rows(*op, x, self.columns, out);
                if self.column > 0 {
                    // The row continues from the chunk before.
                    out[0] = combine(*op, before, out[0]);
                }
            }
            Instruction::SumRow { of, out } => {
                let out = self.write(*out, self.rows);
                let before = out[0];
                self.row_sums(of, self.columns, out);
                if self.column > 0 {
                    out[0] = before + out[0];
                }
            }
            Instruction::SumAll { of, accumulator } => {
                let (rows, columns) = self.summed_rows();
                let mut sums: SmallVec<[T; 64]> = smallvec![T::ZERO; rows];
                self.row_sums(of, columns, &mut sums);
                self.accumulate(*accumulator, &sums);
            }
            Instruction::ReduceAll { op: ReduceOp::Sum, x, extent: Extent::Full, accumulator } => {
                let (rows, columns) = self.summed_rows();
                let mut sums: SmallVec<[T; 64]> = smallvec![T::ZERO; rows];
                micro::reduce_rows(
                    ReduceOp::Sum,
                    self.read(*x, rows * columns),
                    columns,
                    &mut sums,
                );
                self.accumulate(*accumulator, &sums);
            }
            #[cfg(target_arch = "x86_64")]
            Instruction::Kernel(call) => {
                debug_assert_eq!(T::DTYPE, crate::DType::F32, "kernels are for f32");
                let (rows, columns) = self.summed_rows();
                let slots = self.slots.as_ptr().cast::<*mut f32>();
                let of_tile = |indices: &'_ Cow<'_, [i64]>| -> *const i64 {
                    indices[self.row..self.row + self.rows].as_ptr()
                };
                let indices: SmallVec<[*const i64; 2]> = self.indices.iter().map(of_tile).collect();
                // SAFETY: the type is `f32`, as the compiler of the kernel has checked, and the slots are
                // as for `read` and `write`.
                let in_range = unsafe {
                    let slots = std::slice::from_raw_parts(slots, self.slots.len());
                    call.kernel.run(slots, &indices, [rows, columns])
                };
                if !in_range {
                    return Err(OutOfRange);
                }
                for &(slot, accumulator) in &call.sums {
                    self.accumulate(accumulator, self.read(slot, rows));
                }
            }
            Instruction::ReduceAll { op, x, extent, accumulator } => {
                let x = micro::reduce_all(*op, self.read(*x, self.len(*extent)));
                let accumulator = self.scalar_accumulator(*accumulator);
                *accumulator = micro::accumulated(*op, *accumulator, x.to_f64());
            }
            Instruction::ReduceColumns { op, x, accumulator } => {
                let x = self.read(*x, self.rows * self.columns);
                let start = accumulator * self.accumulators.column_stride + self.column;
                // SAFETY: the accumulators of this task, two elements for each column: the columns
                // of a tile are some of all columns, so that both slices are inside and disjoint.
                let [sums, lost] = [0, self.accumulators.all_columns].map(|offset| unsafe {
                    let first = self.accumulators.columns.add(start + offset);
                    std::slice::from_raw_parts_mut(first, self.columns)
                });
                micro::reduce_columns(*op, x, sums, lost);
            }
            Instruction::Gather { x, out, row_index } => {
                let x = self.read(*x, self.rows * self.columns);
                let out = self.write(*out, self.rows);
                let indices = self.indices(row_index);
                for ((row, y), &index) in x.chunks_exact(self.columns).zip(out).zip(indices) {
                    match row.get(index as usize) {
                        Some(&x) => *y = x,
                        None => return Err(OutOfRange),
                    }
                }
            }
            Instruction::Scatter { clear, added, out, row_index } => {
                let added = self.read(*added, self.rows);
                let out = self.write(*out, self.rows * self.columns);
                if *clear {
                    out.fill(T::ZERO);
                }
                let indices = self.indices(row_index);
                let rows = out.chunks_exact_mut(self.columns);
                for ((row, &added), &index) in rows.zip(added).zip(indices) {
                    match row.get_mut(index as usize) {
                        Some(y) => *y = *y + added,
                        None => return Err(OutOfRange),
                    }
                }
            }
        }
        Ok(())
    }

    /// The indices of the rows. A negative one, as `usize`, is out of range for any column.
    fn indices(&self, row_index: &RowIndex) -> &[i64] {
        &self.indices[row_index.index as usize][self.row..self.row + self.rows]
    }

    /// The rows whose sums a sum over everything adds up: those of the tile, unless they are narrow.
    fn summed_rows(&self) -> (usize, usize) {
        let (rows, columns) = (self.rows, self.columns);
        if columns < NARROW { (1, rows * columns) } else { (rows, columns) }
    }

    /// Adds the sums of rows up in an accumulator.
    fn accumulate(&self, accumulator: usize, sums: &[T]) {
        let accumulator = self.scalar_accumulator(accumulator);
        *accumulator = sums.iter().fold(*accumulator, |total, sum| total.plus(sum.to_f64()));
    }

    /// The number that a reduction over everything accumulates in.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "accumulators are memory beside the tile")]
    fn scalar_accumulator(&self, accumulator: usize) -> &mut Compensated {
        let Accumulators { scalars, scalar_stride, .. } = *self.accumulators;
        // SAFETY: this task alone has it, and a micro-op borrows one of them.
        unsafe { &mut *scalars.add(accumulator * scalar_stride) }
    }

    /// The sums of the rows of a map.
    fn row_sums(&self, of: &SummedMap, columns: usize, out: &mut [T]) {
        match of {
            SummedMap::Map1 { f, p, x } => {
                let x = self.strip(x, Extent::Full);
                (T::loops1(f).sums)(x, p.map(T::of), columns, out);
            }
            SummedMap::Map2 { f, x: [a, b] } => {
                let x = [self.strip(a, Extent::Full), self.strip(b, Extent::Full)];
                (T::loops2(f).sums)(x, columns, out);
            }
            SummedMap::Map3 { f, x: [a, b, c] } => {
                let strip = |x| self.strip(x, Extent::Full);
                let x = [strip(a), strip(b), strip(c)];
                (T::loops3(f).sums)(x, columns, out);
            }
        }
    }
}

impl<'a, T> Tile<'a, T> {
    #[inline(always)]
    fn len(&self, extent: Extent) -> usize {
        extent.len(self.rows, self.columns)
    }

    /// An operand as a loop over the rows of a tile reads it.
    #[inline(always)]
    fn strip(&self, x: &Operand, extent: Extent) -> Strip<'a, T> {
        let (len, row_stride) = match (extent, x.extent) {
            (Extent::Full, Extent::Full) => (self.rows * self.columns, self.columns),
            (Extent::Full, Extent::Columns) => (self.columns, 0),
            (Extent::Full, Extent::Rows) => (self.rows, 1),
            (_, Extent::One) => (1, 0),
            _ => (self.len(extent), 0),
        };
        Strip { elements: self.read(x.at, len), row_stride }
    }

    /// How many columns a loop has: all elements are one row where no operand is broadcast along
    /// rows or columns.
    #[inline(always)]
    fn row_len<const N: usize>(&self, x: [&Operand; N], extent: Extent) -> usize {
        let by_rows = |x: &&Operand| matches!(x.extent, Extent::Rows | Extent::Columns);
        let rows = extent == Extent::Full && x.iter().any(by_rows);
        if rows { self.columns } else { self.len(extent) }
    }

    /// The elements of a slot.
    #[inline(always)]
    fn read(&self, at: SlotId, n: usize) -> &'a [T] {
        // SAFETY: the compiler gave the slot of a value as many elements as its extent has in the
        // largest tile, and inputs and outputs were measured before the run. Nobody writes to them
        // while the slice lives: a micro-op writes to one slot, which is none of its operands', and
        // shares its memory with none of them (`Executable::may_overwrite`).
        unsafe { std::slice::from_raw_parts(self.slots[at as usize], n) }
    }

    /// The elements of a slot to write to.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the slots are disjoint memory, not parts of the tile")]
    fn write(&self, at: SlotId, n: usize) -> &'a mut [T] {
        // SAFETY: as for `read`; the slot belongs to this task alone, and no operand of the
        // micro-op has it.
        unsafe { std::slice::from_raw_parts_mut(self.slots[at as usize], n) }
    }

    #[inline(always)]
    fn read_write(&self, x: SlotId, out: SlotId, n: usize) -> (&'a [T], &'a mut [T]) {
        debug_assert!(!std::ptr::eq(self.slots[x as usize], self.slots[out as usize]));
        (self.read(x, n), self.write(out, n))
    }
}
