//! The microkernels of matrix products and convolutions: a tile of sums that stays in registers.
//!
//! They read through pointers: a check in the loop would keep the sums in memory.

use crate::Float;

/// A tile of sums, in rows of `V` vectors of `N` elements.
pub(super) type Tile<T, const R: usize, const V: usize, const N: usize> = [[[T; N]; V]; R];

/// Where the row of the right factor that belongs to a term starts.
pub(super) trait RowOffsets: Copy {
    fn offset(self, term: usize) -> isize;
}

/// Rows at a fixed distance from each other.
#[derive(Clone, Copy)]
pub(super) struct Stride(pub isize);

impl RowOffsets for Stride {
    #[inline(always)]
    fn offset(self, term: usize) -> isize {
        term as isize * self.0
    }
}

/// Rows at offsets of their own.
impl RowOffsets for &[usize] {
    #[inline(always)]
    fn offset(self, term: usize) -> isize {
        self[term] as isize
    }
}

/// `tile[i, j] += Σ left[i, term] · right[term, j]`, over so many terms.
///
/// Each sum is one chain of fused multiply-adds, over its terms in their order. So its bits depend
/// neither on the processor, nor on how a product is cut into tiles and blocks.
///
/// The left factor has a start for each row and the stride from one term to the next; the right one
/// a start, and an offset for each term.
///
/// # Safety
/// Both factors may be read at all these elements.
#[inline(always)]
pub(super) unsafe fn accumulate<T: Float, const R: usize, const V: usize, const N: usize>(
    terms: usize,
    (left, stride): ([*const T; R], isize),
    (right, offsets): (*const T, impl RowOffsets),
    tile: &mut Tile<T, R, V, N>,
) {
    // By value, so that it stays in registers.
    let mut sums = *tile;
    for term in 0..terms {
        let mut x = [[T::ZERO; N]; V];
        // SAFETY: the caller vouches for the elements of a row of the right factor; an array is
        // aligned as its elements are.
        unsafe {
            let row = right.offset(offsets.offset(term)).cast::<[T; N]>();
            for (v, x) in x.iter_mut().enumerate() {
                *x = *row.add(v);
            }
        }
        for i in 0..R {
            // SAFETY: the caller vouches for the elements of the left factor.
            let a = unsafe { *left[i].offset(term as isize * stride) };
            for v in 0..V {
                for n in 0..N {
                    sums[i][v][n] = a.mul_add(x[v][n], sums[i][v][n]);
                }
            }
        }
    }
    *tile = sums;
}

/// `tile[i, j] += Σ left[i, vector] · right[j, vector]`, element by element, over so many vectors: the
/// dot products of rows, in lanes.
///
/// # Safety
/// Each row may be read at so many vectors of `N` elements.
#[inline(always)]
pub(super) unsafe fn accumulate_lanes<T: Float, const R: usize, const V: usize, const N: usize>(
    vectors: usize,
    left: [*const T; R],
    right: [*const T; V],
    tile: &mut Tile<T, R, V, N>,
) {
    let mut sums = *tile;
    for vector in 0..vectors {
        let mut y = [[T::ZERO; N]; V];
        for (y, row) in y.iter_mut().zip(right) {
            // SAFETY: as the caller says; an array is aligned as its elements are.
            *y = unsafe { *row.cast::<[T; N]>().add(vector) };
        }
        for i in 0..R {
            // SAFETY: as above.
            let x = unsafe { *left[i].cast::<[T; N]>().add(vector) };
            for v in 0..V {
                for n in 0..N {
                    sums[i][v][n] = x[n].mul_add(y[v][n], sums[i][v][n]);
                }
            }
        }
    }
    *tile = sums;
}

/// The sum of lanes, halves added until one is left.
#[inline(always)]
pub(super) fn sum_of_lanes<T: Float, const N: usize>(mut lanes: [T; N]) -> T {
    let mut half = N / 2;
    while half > 0 {
        for n in 0..half {
            lanes[n] = lanes[n] + lanes[n + half];
        }
        half /= 2;
    }
    lanes[0]
}
