//! A tile, and what micro-ops do to its slices.

use std::borrow::Cow;

use super::code::{Code, Operand, SlotId, Span, SummedMap};
use super::micro;
use super::{Extent, Failure, RowIndex};
use crate::Error;
use crate::kernels::reduce::combine;
use crate::kernels::{Loops, Strip};

/// Where a task folds to: its own number of each fold over everything, and its own row of columns
/// of each fold over rows.
pub(super) struct Folds<T> {
    pub totals: *mut f64,
    pub between_totals: usize,
    pub sums: *mut T,
    pub between_sums: usize,
}

impl<T> Folds<T> {
    pub fn none() -> Folds<T> {
        let (totals, sums) = (std::ptr::null_mut(), std::ptr::null_mut());
        Folds { totals, between_totals: 0, sums, between_sums: 0 }
    }
}

/// The tile that micro-ops run on.
pub(super) struct Tile<'a, T> {
    /// Where the elements of each place start.
    pub slots: &'a [*mut T],
    pub rows: usize,
    pub columns: usize,
    /// The first row and column in the space.
    pub row: usize,
    pub column: usize,
    pub folds: &'a Folds<T>,
    pub indices: &'a [Cow<'a, [i64]>],
}

impl<T: Loops> Tile<'_, T> {
    /// Runs one micro-op.
    #[inline]
    pub fn step(&self, code: &Code) -> Result<(), Failure> {
        match code {
            Code::Map1 { f, p, x, out, span } => {
                let n = self.len(*span);
                let (x, out) = self.read_write(*x, *out, n);
                (T::loops1(f).each)(x, p.map(T::of), out);
            }
            Code::Map2 { f, x: [a, b], out, span } => {
                let columns = self.row_len([a, b], *span);
                let loops = T::loops2(f);
                let each = match (a.is_number(*span), b.is_number(*span)) {
                    (true, _) => loops.number_left,
                    (_, true) => loops.number_right,
                    _ => loops.each,
                };
                let x = [self.strip(a, *span), self.strip(b, *span)];
                each(x, columns, self.write(*out, self.len(*span)));
            }
            Code::Map3 { f, x: [a, b, c], out, span } => {
                let columns = self.row_len([a, b, c], *span);
                let loops = T::loops3(f);
                let each = match (b.is_number(*span), c.is_number(*span)) {
                    (false, false) => loops.each,
                    (true, false) => loops.number_middle,
                    (false, true) => loops.number_right,
                    (true, true) => loops.numbers,
                };
                let x = [self.strip(a, *span), self.strip(b, *span), self.strip(c, *span)];
                each(x, columns, self.write(*out, self.len(*span)));
            }
            Code::Weighted { x: [a, s, b, t], out } => {
                let columns = self.row_len([a, s, b, t], Span::Tile);
                let strip = |x| self.strip(x, Span::Tile);
                let x = [strip(a), strip(s), strip(b), strip(t)];
                micro::weighted(x, columns, self.write(*out, self.len(Span::Tile)));
            }
            Code::BroadcastRows { x, out } => {
                let x = self.read(*x, self.rows);
                micro::broadcast_rows(x, self.columns, self.write(*out, self.rows * self.columns));
            }
            Code::BroadcastNumber { x, out, span } => {
                let number = self.read(*x, 1)[0];
                self.write(*out, self.len(*span)).fill(number);
            }
            Code::BroadcastColumns { x, out } => {
                let (x, out) =
                    (self.read(*x, self.columns), self.write(*out, self.rows * self.columns));
                out.chunks_exact_mut(self.columns).for_each(|row| row.copy_from_slice(x));
            }
            Code::Copy { x, out, span } => {
                let (x, out) = self.read_write(*x, *out, self.len(*span));
                out.copy_from_slice(x);
            }
            Code::Stream { x, out } => {
                let (x, out) = self.read_write(*x, *out, self.rows * self.columns);
                micro::stream(x, out);
            }
            Code::ReduceRow { op, x, out } => {
                let x = self.read(*x, self.rows * self.columns);
                let out = self.write(*out, self.rows);
                let before = out[0];
                micro::reduce_rows(*op, x, self.columns, out);
                if self.column > 0 {
                    // The row goes on from the piece before.
                    out[0] = combine(*op, before, out[0]);
                }
            }
            Code::SumRow { of, out } => {
                let out = self.write(*out, self.rows);
                let before = out[0];
                self.sums(of, self.columns, out);
                if self.column > 0 {
                    out[0] = before + out[0];
                }
            }
            Code::SumAll { of, total } => {
                let mut sum = [T::ZERO];
                self.sums(of, self.rows * self.columns, &mut sum);
                // SAFETY: as for other folds over everything.
                unsafe {
                    *self.folds.totals.add(total * self.folds.between_totals) += sum[0].to_f64();
                }
            }
            Code::ReduceAll { op, x, span, total } => {
                let x = micro::reduce_all(*op, self.read(*x, self.len(*span)));
                // SAFETY: the totals of this task, one for each fold over everything.
                let total =
                    unsafe { &mut *self.folds.totals.add(total * self.folds.between_totals) };
                *total = combine(*op, *total, x.to_f64());
            }
            Code::ReduceColumns { op, x, sums } => {
                let x = self.read(*x, self.rows * self.columns);
                let start = sums * self.folds.between_sums + self.column;
                // SAFETY: the sums of this task, an element for each column.
                let into = unsafe {
                    std::slice::from_raw_parts_mut(self.folds.sums.add(start), self.columns)
                };
                micro::reduce_columns(*op, x, into);
            }
            Code::Gather { x, out, row_index } => {
                let x = self.read(*x, self.rows * self.columns);
                let out = self.write(*out, self.rows);
                let indices = self.indices(row_index);
                for ((row, y), &index) in x.chunks_exact(self.columns).zip(out).zip(indices) {
                    match row.get(index as usize) {
                        Some(&x) => *y = x,
                        None => return Err(self.no_column("gather", row_index)),
                    }
                }
            }
            Code::Scatter { clear, added, out, row_index } => {
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
                        None => return Err(self.no_column("scatter_add", row_index)),
                    }
                }
            }
        }
        Ok(())
    }

    /// The indices of the rows. A negative one is, as `usize`, beyond all columns.
    fn indices(&self, row_index: &RowIndex) -> &[i64] {
        &self.indices[row_index.index as usize][self.row..self.row + self.rows]
    }

    /// The error of the first index that names no column.
    #[cold]
    fn no_column(&self, operation: &'static str, row_index: &RowIndex) -> Failure {
        let extent = self.columns;
        let outside = |index: &i64| usize::try_from(*index).map_or(true, |index| index >= extent);
        let indices = self.indices(row_index);
        let at = indices.iter().position(outside).unwrap_or(0);
        let position = row_index.shape.unravel_index(self.row + at);
        let error = Error::Index { operation, index: indices[at], extent, position };
        Failure { tag: Some(row_index.tag), error: Box::new(error) }
    }

    /// The sums of the rows of a map.
    fn sums(&self, of: &SummedMap, columns: usize, out: &mut [T]) {
        match of {
            SummedMap::Map1 { f, p, x } => {
                let x = self.strip(x, Span::Tile);
                (T::loops1(f).sums)(x, p.map(T::of), columns, out);
            }
            SummedMap::Map2 { f, x: [a, b] } => {
                let x = [self.strip(a, Span::Tile), self.strip(b, Span::Tile)];
                (T::loops2(f).sums)(x, columns, out);
            }
            SummedMap::Map3 { f, x: [a, b, c] } => {
                let strip = |x| self.strip(x, Span::Tile);
                let x = [strip(a), strip(b), strip(c)];
                (T::loops3(f).sums)(x, columns, out);
            }
        }
    }
}

impl<'a, T> Tile<'a, T> {
    #[inline(always)]
    fn len(&self, span: Span) -> usize {
        match span {
            Span::Tile => self.rows * self.columns,
            Span::Rows => self.rows,
            Span::Columns => self.columns,
            Span::One => 1,
        }
    }

    /// What a loop over the rows of a tile reads of an operand.
    #[inline(always)]
    fn strip(&self, x: &Operand, span: Span) -> Strip<'a, T> {
        let (len, step) = match (span, x.extent) {
            (Span::Tile, Extent::Full) => (self.rows * self.columns, self.columns),
            (Span::Tile, Extent::Columns) => (self.columns, 0),
            (Span::Tile, Extent::Rows) => (self.rows, 1),
            (_, Extent::One) => (1, 0),
            _ => (self.len(span), 0),
        };
        Strip { elements: self.read(x.at, len), step }
    }

    /// How many columns a loop has: all elements lie in one row for a loop where nothing tells
    /// the rows of the tile apart.
    #[inline(always)]
    fn row_len<const N: usize>(&self, x: [&Operand; N], span: Span) -> usize {
        let by_rows = |x: &&Operand| matches!(x.extent, Extent::Rows | Extent::Columns);
        let rows = span == Span::Tile && x.iter().any(by_rows);
        if rows { self.columns } else { self.len(span) }
    }

    /// The elements of a place.
    #[inline(always)]
    fn read(&self, at: SlotId, n: usize) -> &'a [T] {
        // SAFETY: the compiler gave the place of a value as many elements as its span has in the
        // largest tile, and inputs and outputs were measured before the run. Nobody writes to them
        // while the slice lives: a micro-op writes to one place, which none of its operands has,
        // nor an operand in the memory of that place (`Executable::may_overwrite`).
        unsafe { std::slice::from_raw_parts(self.slots[at as usize], n) }
    }

    /// The elements of a place to write to.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the slots are disjoint memory, not parts of the tile")]
    fn write(&self, at: SlotId, n: usize) -> &'a mut [T] {
        // SAFETY: as for `read`; the place belongs to this task alone, and no operand of the
        // micro-op has it.
        unsafe { std::slice::from_raw_parts_mut(self.slots[at as usize], n) }
    }

    #[inline(always)]
    fn read_write(&self, x: SlotId, out: SlotId, n: usize) -> (&'a [T], &'a mut [T]) {
        debug_assert!(!std::ptr::eq(self.slots[x as usize], self.slots[out as usize]));
        (self.read(x, n), self.write(out, n))
    }
}
