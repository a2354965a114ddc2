//! The product of two matrices in blocks that fit the caches, as Goto and van de Geijn cut it
//! ("Anatomy of high-performance matrix multiplication", 2008).
//!
//! A block of terms of the right factor is packed in panels as wide as a tile, one of which stays in
//! the L1 cache while all tiles of a column of them are computed; a block of the left factor stays in
//! the L2 cache. A factor whose elements are read only a few times, or lie well, is read in place.

use std::cell::Cell;
use std::{ptr, slice};

use super::super::microkernel::{Stride, Tile, accumulate};
use super::super::scratch::Scratch;
use super::super::simd::Loop;
use super::super::transpose::transpose;
use crate::Float;

/// The rows of a tile, and its columns in vectors: their sums, and what is added to them, fill the 16
/// registers of AVX2.
const ROWS: usize = 6;
const VECTORS: usize = 2;

/// The lengths of blocks: as many terms as let a panel fill half of the L1 cache, and few enough that the
/// error of a chain of them stays small; as many rows, and columns, as fit the L2 and the L3 cache.
const BLOCK_TERMS: usize = 256;
const BLOCK_ROWS: usize = 20 * ROWS;
const BLOCK_COLUMNS: usize = 1024;

/// Panels are packed for more rows than this: fewer do not read them often enough. Nor are they where
/// all of the right factor, so many bytes at most, stays in the L1 cache.
const IN_PLACE_ROWS: usize = 2 * ROWS;
const IN_PLACE_BYTES: usize = 1 << 14;

/// From how many columns on the rows of the left factor are packed, too: they are read so often that
/// it pays to have them side by side.
const PACKED_LEFT_COLUMNS: usize = 512;

/// From how many terms on a left factor is packed that is not stored along its terms.
const PACKED_LEFT_TERMS: usize = 16;

thread_local! {
    /// For packed blocks of the left and of the right factor.
    static LEFT: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    static RIGHT: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// The start of a matrix, and its strides from row to row and from column to column.
#[derive(Clone, Copy)]
pub(super) struct Factor<T> {
    pub start: *const T,
    pub strides: [isize; 2],
}

impl<T: Copy> Factor<T> {
    /// The place of an element. Whoever reads it vouches that it is there.
    #[inline(always)]
    fn at(self, row: usize, column: usize) -> *const T {
        let [down, across] = self.strides;
        self.start.wrapping_offset(row as isize * down + column as isize * across)
    }

    /// The part from a row and a column on.
    #[inline(always)]
    fn from(self, row: usize, column: usize) -> Factor<T> {
        Factor { start: self.at(row, column), ..self }
    }
}

/// The product of an m × k by a k × n matrix, in vectors of `N` elements, into rows that are
/// `leading` elements apart.
///
/// Both factors have all their elements, and `out` may be written to at all of its own, which nobody
/// else looks at meanwhile.
pub(super) struct BlockedProduct<T, const N: usize> {
    size: [usize; 3],
    left: Factor<T>,
    right: Factor<T>,
    out: *mut T,
    leading: usize,
}

impl<T, const N: usize> BlockedProduct<T, N> {
    /// # Safety
    /// Both factors can be read at all their elements, and `out` be written to at all of its own, which
    /// nobody else looks at until the product is dropped.
    pub unsafe fn new(
        size: [usize; 3],
        [left, right]: [Factor<T>; 2],
        (out, leading): (*mut T, usize),
    ) -> Self {
        BlockedProduct { size, left, right, out, leading }
    }
}

impl<T: Float, const N: usize> Loop for BlockedProduct<T, N> {
    const VECTOR_BYTES: Option<usize> = Some(N * size_of::<T>());

    #[inline(always)]
    fn run(self) {
        let [m, k, n] = self.size;
        if k == 0 {
            for row in 0..m {
                // SAFETY: the caller of `new` vouches for m rows of n elements.
                let row = unsafe { slice::from_raw_parts_mut(self.out.add(row * self.leading), n) };
                row.fill(T::ZERO);
            }
            return;
        }
        let width = VECTORS * N;
        let [block_rows, block_terms, block_columns] =
            [block(m, BLOCK_ROWS, ROWS), block_terms(k), block(n, BLOCK_COLUMNS, width)];
        let mut packed_right = Scratch::<T>::take(&RIGHT, block_terms * block_columns);
        let mut packed_left = Scratch::<T>::take(&LEFT, block_terms * block_rows);
        let (packed_right, packed_left) = (packed_right.start(), packed_left.start());
        let is_small = (k * n).saturating_mul(size_of::<T>()) <= IN_PLACE_BYTES;
        for column in (0..n).step_by(block_columns) {
            let columns = block_columns.min(n - column);
            for term in (0..k).step_by(block_terms) {
                let terms = block_terms.min(k - term);
                let right = self.right.from(term, column);
                // Panels that end beyond the matrix are packed in any case, with zeros behind it.
                let reads_well = right.strides[1] == 1 && (m <= IN_PLACE_ROWS || is_small);
                let in_place = if reads_well { columns - columns % width } else { 0 };
                for panel in (in_place..columns).step_by(width) {
                    let columns = width.min(columns - panel);
                    // SAFETY: the columns are those of the right factor, and the scratch has room for
                    // `terms` rows of all panels.
                    unsafe {
                        let to = packed_right.add(panel * terms);
                        pack_right::<T, N>(right.from(0, panel), [terms, columns], to);
                    }
                }
                for row in (0..m).step_by(block_rows) {
                    let rows = block_rows.min(m - row);
                    let left = self.left.from(row, term);
                    let pays = left.strides[1] != 1 && terms > PACKED_LEFT_TERMS;
                    let is_packed = n >= PACKED_LEFT_COLUMNS || pays && n > 2 * width;
                    if is_packed {
                        // SAFETY: the rows are those of the left factor, and the scratch has room for
                        // `terms` columns of so many rows, up to a whole tile.
                        unsafe { pack_left(left, [rows, terms], packed_left) };
                    }
                    for panel in (0..columns).step_by(width) {
                        let right = match panel < in_place {
                            true => (right.at(0, panel), Stride(right.strides[0])),
                            false => (
                                packed_right.wrapping_add(panel * terms).cast_const(),
                                Stride(width as isize),
                            ),
                        };
                        for first in (0..rows).step_by(ROWS) {
                            let left = match is_packed {
                                true => Factor {
                                    start: packed_left.wrapping_add(first * terms).cast_const(),
                                    strides: [1, ROWS as isize],
                                },
                                false => left.from(first, 0),
                            };
                            let sums = Sums {
                                start: self
                                    .out
                                    .wrapping_add((row + first) * self.leading + column + panel),
                                leading: self.leading,
                                rows: ROWS.min(rows - first),
                                columns: width.min(columns - panel),
                                // The terms before have been added up there.
                                begun: term > 0,
                            };
                            // SAFETY: the rows of the left factor are there, of the right one all
                            // columns of the tile, since those in place are whole; the sums are
                            // elements of `out`, as the caller of `new` says.
                            unsafe {
                                match (sums.rows == 1, sums.columns <= N) {
                                    (false, false) => {
                                        sums.add::<ROWS, VECTORS, N>(terms, left, right)
                                    }
                                    (false, true) => sums.add::<ROWS, 1, N>(terms, left, right),
                                    (true, false) => sums.add::<1, VECTORS, N>(terms, left, right),
                                    (true, true) => sums.add::<1, 1, N>(terms, left, right),
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The length of blocks of an axis, `most` at most and in whole units, of nearly the same length.
fn block(len: usize, most: usize, unit: usize) -> usize {
    len.div_ceil(len.div_ceil(most).max(1)).next_multiple_of(unit)
}

/// How many terms are a chain, of so many: the chains of a sum are added up.
pub(super) fn block_terms(terms: usize) -> usize {
    block(terms, BLOCK_TERMS, 1)
}

/// Packs so many rows and columns of the right factor, the columns of a tile at most: row by row, with
/// zeros behind the last column.
///
/// # Safety
/// The elements can be read, and `to` has room for so many rows as wide as a tile.
#[inline(always)]
unsafe fn pack_right<T: Float, const N: usize>(
    from: Factor<T>,
    [terms, columns]: [usize; 2],
    to: *mut T,
) {
    let width = VECTORS * N;
    // SAFETY: as the caller says: each index is below `terms` and `columns`, or below `width` in what
    // is written. The columns, of `terms` contiguous elements and `leading` apart, end with the last
    // element of the last one.
    unsafe {
        let leading = from.strides[1].unsigned_abs();
        if from.strides[0] == 1 && from.strides[1] > 0 && columns == width {
            let from = slice::from_raw_parts(from.start, (width - 1) * leading + terms);
            let to = slice::from_raw_parts_mut(to, terms * width);
            return transpose(from, leading, [width, terms], to);
        }
        if from.strides[1] != 1 {
            for column in 0..columns {
                for term in 0..terms {
                    *to.add(term * width + column) = *from.at(term, column);
                }
            }
            for term in 0..terms {
                for column in columns..width {
                    *to.add(term * width + column) = T::ZERO;
                }
            }
            return;
        }
        for term in 0..terms {
            let (from, to) = (from.at(term, 0), to.add(term * width));
            if columns == width {
                *to.cast::<[[T; N]; VECTORS]>() = *from.cast::<[[T; N]; VECTORS]>();
                continue;
            }
            ptr::copy_nonoverlapping(from, to, columns);
            for column in columns..width {
                *to.add(column) = T::ZERO;
            }
        }
    }
}

/// Packs so many rows and columns of the left factor: tile by tile, and there column by column. Rows
/// beyond the last are copies of it.
///
/// # Safety
/// The elements can be read, and `to` has room for so many columns of the rows of whole tiles.
#[inline(always)]
unsafe fn pack_left<T: Float>(from: Factor<T>, [rows, terms]: [usize; 2], to: *mut T) {
    for first in (0..rows).step_by(ROWS) {
        for term in 0..terms {
            for i in 0..ROWS {
                let row = if first + i < rows { first + i } else { rows - 1 };
                // SAFETY: as the caller says.
                unsafe { *to.add(first * terms + term * ROWS + i) = *from.at(row, term) };
            }
        }
    }
}

/// The sums of a tile in memory.
#[derive(Clone, Copy)]
struct Sums<T> {
    start: *mut T,
    leading: usize,
    /// As many as a tile has, or fewer.
    rows: usize,
    columns: usize,
    /// Whether they hold the sums of terms before these.
    begun: bool,
}

impl<T: Float> Sums<T> {
    /// Adds terms.
    ///
    /// # Safety
    /// The left factor can be read at as many rows as there are, the right one at the columns of a
    /// tile, and the sums be read and written to.
    #[inline(always)]
    unsafe fn add<const R: usize, const V: usize, const N: usize>(
        self,
        terms: usize,
        left: Factor<T>,
        right: (*const T, Stride),
    ) {
        let Sums { start, leading, rows, columns, begun } = self;
        let mut tile: Tile<T, R, V, N> = [[[T::ZERO; N]; V]; R];
        let mut starts = [left.start; R];
        for (i, at) in starts.iter_mut().enumerate() {
            // Below the last row its sums are computed once more.
            *at = left.at(if i < rows { i } else { rows - 1 }, 0);
        }
        // SAFETY: as the caller says; no row is beyond `rows`, and no more than `columns` elements of
        // one are touched.
        unsafe {
            let whole = columns == V * N;
            accumulate(terms, (starts, left.strides[1]), right, &mut tile);
            for (i, tile) in tile.iter_mut().enumerate().take(rows) {
                let to = start.add(i * leading);
                if begun {
                    let mut before = [[T::ZERO; N]; V];
                    match whole {
                        true => before = *to.cast::<[[T; N]; V]>(),
                        false => {
                            ptr::copy_nonoverlapping(to, before.as_mut_ptr().cast::<T>(), columns)
                        }
                    }
                    for (sums, before) in tile.iter_mut().zip(before) {
                        for (sum, before) in sums.iter_mut().zip(before) {
                            *sum = before + *sum;
                        }
                    }
                }
                match whole {
                    true => *to.cast::<[[T; N]; V]>() = *tile,
                    false => ptr::copy_nonoverlapping(tile.as_ptr().cast::<T>(), to, columns),
                }
            }
        }
    }
}
