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
use super::super::simd::{MAX_LEN, Vector, VectorLoop, Vectorized, prefetch};
use super::super::transpose::transpose;
use crate::{Elem, Float};

/// The columns of a tile, in vectors. Its rows are a parameter, `R`: eight at most.
const VECTORS: usize = 2;

/// The lengths of blocks: as many terms as let a panel fill half of the L1 cache, and few enough that the
/// error of a chain of them stays small; as many rows, and columns, as fit the L2 and the L3 cache.
const BLOCK_TERMS: usize = 256;
const BLOCK_ROWS: usize = 160;
const BLOCK_COLUMNS: usize = 1024;

/// Panels are packed for more rows than this: fewer do not read them often enough. Nor are they where
/// all of the right factor, so many bytes at most, stays in the L1 cache.
const IN_PLACE_ROWS: usize = 128;
const IN_PLACE_BYTES: usize = 1 << 14;

/// From how many columns on the rows of the left factor are packed, too: they are read so often that
/// it pays to have them side by side.
const PACKED_LEFT_COLUMNS: usize = 512;

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

    /// The same numbers by their own type.
    pub fn cast<U>(self) -> Factor<U> {
        Factor { start: self.start.cast(), strides: self.strides }
    }

    /// The part from a row and a column on.
    #[inline(always)]
    fn from(self, row: usize, column: usize) -> Factor<T> {
        Factor { start: self.at(row, column), ..self }
    }
}

/// The product of an m × k by a k × n matrix into rows that are `leading` elements apart.
///
/// Both factors have all their elements, and `out` may be written to at all of its own, which nobody
/// else looks at meanwhile.
pub(super) struct BlockedProduct<T> {
    size: [usize; 3],
    left: Factor<T>,
    right: Factor<T>,
    out: *mut T,
    leading: usize,
}

impl<T> BlockedProduct<T> {
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

impl<T: Vectorized> VectorLoop for BlockedProduct<T> {
    type Elem = T;

    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>, const R: usize>(self) {
        let [m, k, n] = self.size;
        if m == 0 || n == 0 {
            return;
        }
        if k == 0 {
            for row in 0..m {
                // SAFETY: the caller of `new` vouches for m rows of n elements.
                let row = unsafe { slice::from_raw_parts_mut(self.out.add(row * self.leading), n) };
                row.fill(T::ZERO);
            }
            return;
        }
        let width = VECTORS * V::LEN;
        let [block_rows, block_terms, block_columns] =
            [block(m, BLOCK_ROWS, R), block_terms(k), block(n, BLOCK_COLUMNS, width)];
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
                let is_in_place = |panel: usize| {
                    reads_well && (columns - panel >= width || columns - panel == V::LEN)
                };
                for panel in (0..columns).step_by(width).filter(|&panel| !is_in_place(panel)) {
                    let columns = width.min(columns - panel);
                    // SAFETY: the columns are those of the right factor, and the scratch has room for
                    // `terms` rows of all panels.
                    unsafe {
                        let to = packed_right.add(panel * terms);
                        pack_right::<V>(right.from(0, panel), [terms, columns], to);
                    }
                }
                for row in (0..m).step_by(block_rows) {
                    let rows = block_rows.min(m - row);
                    let left = self.left.from(row, term);
                    let is_packed = n >= PACKED_LEFT_COLUMNS;
                    if is_packed {
                        // SAFETY: the rows are those of the left factor, and the scratch has room for
                        // `terms` columns of so many rows, up to a whole tile.
                        unsafe { pack_left::<T, R>(left, [rows, terms], packed_left) };
                    }
                    for panel in (0..columns).step_by(width) {
                        let right = match is_in_place(panel) {
                            true => (right.at(0, panel), Stride(right.strides[0])),
                            false => (
                                packed_right.wrapping_add(panel * terms).cast_const(),
                                Stride(width as isize),
                            ),
                        };
                        for first in (0..rows).step_by(R) {
                            let left = match is_packed {
                                true => Factor {
                                    start: packed_left.wrapping_add(first * terms).cast_const(),
                                    strides: [1, R as isize],
                                },
                                false => left.from(first, 0),
                            };
                            let start = (row + first) * self.leading + column + panel;
                            let sums = Sums {
                                start: self.out.wrapping_add(start),
                                leading: self.leading,
                                columns: width.min(columns - panel),
                                // The terms before have been added up there.
                                begun: term > 0,
                            };
                            let terms = Terms { len: terms, left, right };
                            // SAFETY: the rows of the left factor are there, of the right one all
                            // columns of the tile, since those in place are whole; the sums are
                            // elements of `out`, as the caller of `new` says.
                            unsafe {
                                if rows - first >= R {
                                    sums.add::<V, R>(terms);
                                } else {
                                    sums.add_few::<V>(rows - first, terms);
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
unsafe fn pack_right<V: Vector>(
    from: Factor<V::Elem>,
    [terms, columns]: [usize; 2],
    to: *mut V::Elem,
) {
    let width = VECTORS * V::LEN;
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
                    *to.add(term * width + column) = V::Elem::ZERO;
                }
            }
            return;
        }
        for term in 0..terms {
            let (from, to) = (from.at(term, 0), to.add(term * width));
            if columns == width {
                for v in 0..VECTORS {
                    V::load(from.add(v * V::LEN)).store(to.add(v * V::LEN));
                }
                continue;
            }
            ptr::copy_nonoverlapping(from, to, columns);
            for column in columns..width {
                *to.add(column) = V::Elem::ZERO;
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
unsafe fn pack_left<T: Float, const R: usize>(
    from: Factor<T>,
    [rows, terms]: [usize; 2],
    to: *mut T,
) {
    for first in (0..rows).step_by(R) {
        let is_whole = rows - first >= R;
        let (from, to) = (from.from(first, 0), to.wrapping_add(first * terms));
        // SAFETY: as the caller says. The rows, of `terms` contiguous elements and `leading` apart, end
        // with the last element of the last one.
        unsafe {
            if is_whole && from.strides[1] == 1 && from.strides[0] > 0 {
                let leading = from.strides[0].unsigned_abs();
                let rows = slice::from_raw_parts(from.start, (R - 1) * leading + terms);
                let to = slice::from_raw_parts_mut(to, terms * R);
                transpose(rows, leading, [R, terms], to);
                continue;
            }
            for term in 0..terms {
                let to = to.add(term * R).cast::<[T; R]>();
                if is_whole && from.strides[0] == 1 {
                    *to = *from.at(0, term).cast::<[T; R]>();
                    continue;
                }
                for (i, to) in (*to).iter_mut().enumerate() {
                    *to = *from.at(i.min(rows - first - 1), term);
                }
            }
        }
    }
}

/// The products that are added to a tile: so many, of the rows of a left factor and the columns of a
/// right one.
#[derive(Clone, Copy)]
struct Terms<T> {
    len: usize,
    left: Factor<T>,
    right: (*const T, Stride),
}

/// The sums of a tile in memory.
#[derive(Clone, Copy)]
struct Sums<T> {
    start: *mut T,
    leading: usize,
    /// As many as a tile has, or fewer.
    columns: usize,
    /// Whether they hold the sums of terms before these.
    begun: bool,
}

impl<T: Float> Sums<T> {
    /// Adds terms to the rows that are left at the lower edge, fewer than eight.
    ///
    /// # Safety
    /// As of [`add`](Sums::add), for each of the rows.
    #[inline(always)]
    unsafe fn add_few<V: Vector<Elem = T>>(mut self, rows: usize, mut terms: Terms<T>) {
        // SAFETY: as the caller says.
        unsafe {
            if rows & 4 != 0 {
                self.add::<V, 4>(terms);
                (self, terms) = (self.below(4), terms.below(4));
            }
            if rows & 2 != 0 {
                self.add::<V, 2>(terms);
                (self, terms) = (self.below(2), terms.below(2));
            }
            if rows & 1 != 0 {
                self.add::<V, 1>(terms);
            }
        }
    }

    /// Where a row starts.
    #[inline(always)]
    fn row(self, i: usize) -> *mut T {
        self.start.wrapping_add(i * self.leading)
    }

    /// The same columns, from a row further down on.
    #[inline(always)]
    fn below(self, rows: usize) -> Sums<T> {
        Sums { start: self.row(rows), ..self }
    }

    /// Adds terms to `R` rows.
    ///
    /// # Safety
    /// The left factor can be read at so many rows, the right one at the columns of a tile, and the sums
    /// be read and written to; the processor has the vectors.
    #[inline(always)]
    unsafe fn add<V: Vector<Elem = T>, const R: usize>(self, terms: Terms<T>) {
        // SAFETY: as the caller says; no more than `columns` elements of a row are touched: rows that end
        // within a vector are added up in a place with room for it.
        unsafe {
            let mut place;
            let mut sums = self;
            let is_whole = self.columns.is_multiple_of(V::LEN);
            if !is_whole {
                place = [[T::ZERO; VECTORS * MAX_LEN]; R];
                let leading = VECTORS * MAX_LEN;
                sums = Sums { start: place.as_mut_ptr().cast(), leading, ..self };
                if self.begun {
                    sums.copy::<R>(self);
                }
            }
            if self.columns <= V::LEN {
                sums.add_columns::<V, R, 1>(terms);
            } else {
                sums.add_columns::<V, R, VECTORS>(terms);
            }
            if !is_whole {
                self.copy::<R>(sums);
            }
        }
    }

    /// Copies the columns of `R` rows.
    ///
    /// # Safety
    /// Those of one can be read, and those of the other be written to.
    #[inline(always)]
    unsafe fn copy<const R: usize>(self, from: Sums<T>) {
        for i in 0..R {
            // SAFETY: as the caller says.
            unsafe { ptr::copy_nonoverlapping(from.row(i), self.row(i), self.columns) };
        }
    }

    /// Adds terms to `R` rows of `C` whole vectors.
    ///
    /// # Safety
    /// As of [`add`](Sums::add).
    #[inline(always)]
    unsafe fn add_columns<V: Vector<Elem = T>, const R: usize, const C: usize>(
        self,
        Terms { len, left, right }: Terms<T>,
    ) {
        let mut starts = [left.start; R];
        for (i, start) in starts.iter_mut().enumerate() {
            *start = left.at(i, 0);
        }
        // SAFETY: as the caller says.
        unsafe {
            let mut tile: Tile<V, R, C> = [[V::splat(T::ZERO); C]; R];
            if self.begun {
                // From a cache that is far, perhaps, while there is something to do.
                for i in 0..R {
                    for c in 0..C {
                        prefetch(self.row(i).wrapping_add(c * V::LEN));
                    }
                }
            }
            accumulate(len, (starts, Stride(left.strides[1])), right, &mut tile);
            if self.begun {
                for (i, row) in tile.iter_mut().enumerate() {
                    for (c, sums) in row.iter_mut().enumerate() {
                        *sums = V::load(self.row(i).add(c * V::LEN)).add(*sums);
                    }
                }
            }
            for (i, row) in tile.into_iter().enumerate() {
                for (c, sums) in row.into_iter().enumerate() {
                    sums.store(self.row(i).add(c * V::LEN));
                }
            }
        }
    }
}

impl<T: Copy> Terms<T> {
    /// The same terms, of the rows further down.
    #[inline(always)]
    fn below(self, rows: usize) -> Terms<T> {
        Terms { left: self.left.from(rows, 0), ..self }
    }
}
