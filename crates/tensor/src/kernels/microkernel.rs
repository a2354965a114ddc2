//! The microkernels of matrix products and convolutions: a tile of sums that stays in registers.
//!
//! They read through pointers: a check in the loop would keep the sums in memory.

use super::simd::{Lanes, Vector};
use crate::{Elem, Float};

/// A tile of sums, in rows of `C` vectors.
pub(super) type Tile<V, const R: usize, const C: usize> = [[V; C]; R];

/// Where what belongs to a term starts in a factor.
pub(super) trait Offsets: Copy {
    fn offset(self, term: usize) -> isize;
}

/// At a fixed distance from each other.
#[derive(Clone, Copy)]
pub(super) struct Stride(pub isize);

impl Offsets for Stride {
    #[inline(always)]
    fn offset(self, term: usize) -> isize {
        term as isize * self.0
    }
}

/// Each at an offset of its own.
impl Offsets for &[usize] {
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
/// The left factor has a start for each row, and the right one a single start; each has an offset for each
/// term.
///
/// # Safety
/// Both factors may be read at all these elements, and the processor has the vectors.
#[inline(always)]
pub(super) unsafe fn accumulate<V: Vector, const R: usize, const C: usize>(
    terms: usize,
    (left, elements): ([*const V::Elem; R], impl Offsets),
    (right, rows): (*const V::Elem, impl Offsets),
    tile: &mut Tile<V, R, C>,
) {
    // By value, so that it stays in registers.
    let mut sums = *tile;
    for term in 0..terms {
        // SAFETY: the caller vouches for the processor, for the elements of a row of the right factor,
        // and for those of the left one.
        unsafe {
            let row = right.offset(rows.offset(term));
            let mut x = [V::splat(V::Elem::ZERO); C];
            for (c, x) in x.iter_mut().enumerate() {
                *x = V::load(row.add(c * V::LEN));
            }
            let element = elements.offset(term);
            for i in 0..R {
                let a = V::splat(*left[i].offset(element));
                for c in 0..C {
                    sums[i][c] = a.mul_add(x[c], sums[i][c]);
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
/// Each row may be read at so many vectors, and the processor has them.
#[inline(always)]
pub(super) unsafe fn accumulate_lanes<V: Vector, const R: usize, const C: usize>(
    vectors: usize,
    left: [*const V::Elem; R],
    right: [*const V::Elem; C],
    tile: &mut Tile<V, R, C>,
) {
    let mut sums = *tile;
    for vector in 0..vectors {
        // SAFETY: as the caller says.
        unsafe {
            let mut y = [V::splat(V::Elem::ZERO); C];
            for c in 0..C {
                y[c] = V::load(right[c].add(vector * V::LEN));
            }
            for i in 0..R {
                let x = V::load(left[i].add(vector * V::LEN));
                for c in 0..C {
                    sums[i][c] = x.mul_add(y[c], sums[i][c]);
                }
            }
        }
    }
    *tile = sums;
}

/// The sum of lanes, halves added until one is left.
#[inline(always)]
pub(super) fn sum_of_lanes<T: Float, const N: usize>(Lanes(mut lanes): Lanes<T, N>) -> T {
    let mut half = N / 2;
    while half > 0 {
        for n in 0..half {
            lanes[n] = lanes[n] + lanes[n + half];
        }
        half /= 2;
    }
    lanes[0]
}
