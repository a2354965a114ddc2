//! A tile, and what micro-ops do to its slices.

use std::borrow::Cow;

use super::code::{At, Code, Span, Summed};
use super::micro;
use super::{Failure, Places};
use crate::Error;
use crate::kernels::Loops;
use crate::kernels::fold::combine;

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
    pub places: &'a [*mut T],
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
                (T::loops1(f).slice)(x, p.map(T::of), out);
            }
            Code::Map2 { f, a, b, out, span } => {
                let n = self.len(*span);
                let (b, (a, out)) = (self.read(*b, n), self.read_write(*a, *out, n));
                (T::loops2(f).slices)(a, b, out);
            }
            Code::Number2 { f, a, b, left, out, span } => {
                let n = self.len(*span);
                if *left {
                    let (number, (b, out)) = (self.read(*a, 1)[0], self.read_write(*b, *out, n));
                    (T::loops2(f).number_left)(number, b, out);
                } else {
                    let (number, (a, out)) = (self.read(*b, 1)[0], self.read_write(*a, *out, n));
                    (T::loops2(f).number_right)(a, number, out);
                }
            }
            Code::Row2 { f, a, b, left, out } => {
                let (rows, each) = if *left { (*a, *b) } else { (*b, *a) };
                let numbers = self.read(rows, self.rows);
                let (x, out) = self.read_write(each, *out, self.rows * self.columns);
                let pairs = x.chunks_exact(self.columns).zip(out.chunks_exact_mut(self.columns));
                for ((x, out), &number) in pairs.zip(numbers) {
                    if *left {
                        (T::loops2(f).number_left)(number, x, out);
                    } else {
                        (T::loops2(f).number_right)(x, number, out);
                    }
                }
            }
            Code::Map3 { f, x: [a, b, c], numbers, out, span } => {
                let n = self.len(*span);
                let ((a, out), loops) = (self.read_write(*a, *out, n), T::loops3(f));
                let of = |at: At, number: bool| self.read(at, if number { 1 } else { n });
                let (b, c) = (of(*b, numbers[0]), of(*c, numbers[1]));
                match numbers {
                    [false, false] => (loops.slices)(a, b, c, out),
                    [true, false] => (loops.number_middle)(a, b[0], c, out),
                    [false, true] => (loops.number_right)(a, b, c[0], out),
                    [true, true] => (loops.numbers)(a, b[0], c[0], out),
                }
            }
            Code::SpreadRows { x, out } => {
                let x = self.read(*x, self.rows);
                micro::spread_rows(x, self.columns, self.write(*out, self.rows * self.columns));
            }
            Code::Fill { x, out, span } => {
                let number = self.read(*x, 1)[0];
                self.write(*out, self.len(*span)).fill(number);
            }
            Code::Repeat { x, out } => {
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
            Code::FoldRow { fold, x, out } => {
                let x = self.read(*x, self.rows * self.columns);
                let out = self.write(*out, self.rows);
                let before = out[0];
                micro::fold_rows(*fold, x, self.columns, out);
                if self.column > 0 {
                    // The row goes on from the piece before.
                    out[0] = combine(*fold, before, out[0]);
                }
            }
            Code::SumRow { of, out } => {
                let out = self.write(*out, self.rows);
                for (row, y) in out.iter_mut().enumerate() {
                    let sum = self.sum(of, row * self.columns, self.columns);
                    *y = if self.column > 0 { *y + sum } else { sum };
                }
            }
            Code::SumAll { of, total } => {
                let sum = self.sum(of, 0, self.rows * self.columns);
                // SAFETY: as for other folds over everything.
                unsafe {
                    *self.folds.totals.add(total * self.folds.between_totals) += sum.to_f64();
                }
            }
            Code::FoldAll { fold, x, span, total } => {
                let x = micro::fold_all(*fold, self.read(*x, self.len(*span)));
                // SAFETY: the totals of this task, one for each fold over everything.
                let total =
                    unsafe { &mut *self.folds.totals.add(total * self.folds.between_totals) };
                *total = combine(*fold, *total, x.to_f64());
            }
            Code::FoldColumns { fold, x, sums } => {
                let x = self.read(*x, self.rows * self.columns);
                let start = sums * self.folds.between_sums + self.column;
                // SAFETY: the sums of this task, an element for each column.
                let into = unsafe {
                    std::slice::from_raw_parts_mut(self.folds.sums.add(start), self.columns)
                };
                micro::fold_columns(*fold, x, into);
            }
            Code::Gather { x, out, places } => {
                let x = self.read(*x, self.rows * self.columns);
                let out = self.write(*out, self.rows);
                let indices = self.indices(places);
                for ((row, y), &index) in x.chunks_exact(self.columns).zip(out).zip(indices) {
                    match row.get(index as usize) {
                        Some(&x) => *y = x,
                        None => return Err(self.no_column("gather", places)),
                    }
                }
            }
            Code::Scatter { clear, added, out, places } => {
                let added = self.read(*added, self.rows);
                let out = self.write(*out, self.rows * self.columns);
                if *clear {
                    out.fill(T::ZERO);
                }
                let indices = self.indices(places);
                let rows = out.chunks_exact_mut(self.columns);
                for ((row, &added), &index) in rows.zip(added).zip(indices) {
                    match row.get_mut(index as usize) {
                        Some(y) => *y = *y + added,
                        None => return Err(self.no_column("scatter_add", places)),
                    }
                }
            }
        }
        Ok(())
    }

    /// The indices of the rows. A negative one is, as `usize`, beyond all columns.
    fn indices(&self, places: &Places) -> &[i64] {
        &self.indices[places.index as usize][self.row..self.row + self.rows]
    }

    /// The error of the first index that names no column.
    #[cold]
    fn no_column(&self, operation: &'static str, places: &Places) -> Failure {
        let extent = self.columns;
        let outside = |index: &i64| usize::try_from(*index).map_or(true, |index| index >= extent);
        let indices = self.indices(places);
        let at = indices.iter().position(outside).unwrap_or(0);
        let mut position = vec![0; places.shape.rank()];
        let mut rest = self.row + at;
        for (at, &dim) in position.iter_mut().zip(places.shape.iter()).rev() {
            (*at, rest) = (rest % dim.max(1), rest / dim.max(1));
        }
        let error = Error::Index { operation, index: indices[at], extent, position };
        Failure { tag: Some(places.tag), error: Box::new(error) }
    }

    /// The sum of `n` elements of a map, from one on.
    fn sum(&self, of: &Summed, from: usize, n: usize) -> T {
        let part = |at: At| &self.read(at, from + n)[from..];
        match of {
            Summed::Map1 { f, p, x } => (T::loops1(f).sum)(part(*x), p.map(T::of)),
            Summed::Map2 { f, a, b } => (T::loops2(f).sum)(part(*a), part(*b)),
        }
    }
}

impl<'a, T> Tile<'a, T> {
    fn len(&self, span: Span) -> usize {
        match span {
            Span::Tile => self.rows * self.columns,
            Span::Rows => self.rows,
            Span::Columns => self.columns,
            Span::One => 1,
        }
    }

    /// The elements of a place.
    #[inline(always)]
    fn read(&self, at: At, n: usize) -> &'a [T] {
        // SAFETY: the compiler gave the place of a value as many elements as its span has in the
        // largest tile, and inputs and outputs were measured before the run. Nobody writes to them
        // while the slice lives: a micro-op writes to one place, which none of its operands has.
        unsafe { std::slice::from_raw_parts(self.places[at as usize], n) }
    }

    /// The elements of a place to write to.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the places are disjoint memory, not parts of the tile")]
    fn write(&self, at: At, n: usize) -> &'a mut [T] {
        // SAFETY: as for `read`; the place belongs to this task alone, and no operand of the
        // micro-op has it.
        unsafe { std::slice::from_raw_parts_mut(self.places[at as usize], n) }
    }

    #[inline(always)]
    fn read_write(&self, x: At, out: At, n: usize) -> (&'a [T], &'a mut [T]) {
        debug_assert!(!std::ptr::eq(self.places[x as usize], self.places[out as usize]));
        (self.read(x, n), self.write(out, n))
    }
}
