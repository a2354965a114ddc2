//! Sums of few channels: columns are side by side in vectors, those between two rows as well.

use super::super::super::microkernel::{Stride, Tile, accumulate};
use super::super::super::planes::VECTOR;
use super::super::super::simd::{Vector, VectorLoop, Vectorized, in_vectors};
use super::{Region, Target};
use crate::Elem;

/// Channels that are summed at a time, and vectors of columns: as many vectors of sums as hide how long
/// one addition takes, from few elements that are read.
pub(super) const CHANNELS: usize = 4;
const VECTORS: usize = 2;

/// How many taps are summed before the next columns: their slices stay in the L1 cache.
const TAPS: usize = 256;

/// How many sums there are in so many rows, with so many elements from one to the next.
pub(super) fn scratch_len(rows: usize, row: usize) -> usize {
    CHANNELS * (rows * row).next_multiple_of(VECTOR)
}

/// Sums up a region, and writes the sums.
///
/// # Safety
/// There are places for all of them, which nobody else looks at.
pub(super) unsafe fn sum<T: Vectorized>(
    region: &Region<'_, T>,
    scratch: &mut [T],
    target: Target<T>,
) {
    let &Region { taps, weights, planes, row, channels, .. } = region;
    let columns = (region.rows - 1) * row + region.columns;
    let width = columns.next_multiple_of(VECTOR);
    let sums = &mut scratch[..CHANNELS * width];
    for (sums, &bias) in sums.chunks_exact_mut(width).zip(&region.bias) {
        sums.fill(bias);
    }
    in_vectors(Multiply { taps, weights, planes, sums, columns });
    for (channel, sums) in sums.chunks_exact(width).take(channels).enumerate() {
        for (nth, sums) in sums.chunks(row).take(region.rows).enumerate() {
            // SAFETY: as the caller says.
            unsafe { target.write(channel, nth, &sums[..region.columns]) };
        }
    }
}

/// Adds slices of planes, each times a weight, to rows of sums.
struct Multiply<'a, T> {
    taps: &'a [usize],
    weights: &'a [T],
    planes: &'a [T],
    sums: &'a mut [T],
    columns: usize,
}

impl<T: Vectorized> VectorLoop for Multiply<'_, T> {
    type Elem = T;

    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>, const R: usize>(self) {
        let Multiply { taps, weights, planes, sums, columns } = self;
        for (taps, weights) in taps.chunks(TAPS).zip(weights.chunks(TAPS * CHANNELS)) {
            // A tile reads whole vectors, to the end of what is packed at most.
            let last = taps.iter().copied().max().unwrap_or(0);
            assert!(last + columns.next_multiple_of(V::LEN) <= planes.len());
            for column in (0..columns).step_by(VECTORS * V::LEN) {
                let planes = &planes[column..];
                // SAFETY: the caller vouches for the processor, and there are as many vectors of planes
                // behind the last tap.
                unsafe {
                    if columns - column > V::LEN {
                        add::<V, VECTORS>(taps, weights, planes, sums, column);
                    } else {
                        add::<V, 1>(taps, weights, planes, sums, column);
                    }
                }
            }
        }
    }
}

/// Adds to `C` vectors of each row of sums, from a column on.
///
/// # Safety
/// There are so many vectors of the planes behind the last tap, and the processor has them.
#[inline(always)]
unsafe fn add<V: Vector, const C: usize>(
    taps: &[usize],
    weights: &[V::Elem],
    planes: &[V::Elem],
    sums: &mut [V::Elem],
    column: usize,
) {
    let width = sums.len() / CHANNELS;
    assert!(weights.len() == taps.len() * CHANNELS && column + C * V::LEN <= width);
    let mut starts = [weights.as_ptr(); CHANNELS];
    for (o, start) in starts.iter_mut().enumerate() {
        *start = start.wrapping_add(o);
    }
    let sums = sums.as_mut_ptr().wrapping_add(column);
    // SAFETY: there are so many weights for each tap, and sums in each row; the caller vouches
    // for the planes and the processor.
    unsafe {
        let mut tile: Tile<V, CHANNELS, C> = [[V::splat(V::Elem::ZERO); C]; CHANNELS];
        for (o, row) in tile.iter_mut().enumerate() {
            for (c, tile) in row.iter_mut().enumerate() {
                *tile = V::load(sums.add(o * width + c * V::LEN));
            }
        }
        accumulate(
            taps.len(),
            (starts, Stride(CHANNELS as isize)),
            (planes.as_ptr(), taps),
            &mut tile,
        );
        for (o, row) in tile.into_iter().enumerate() {
            for (c, tile) in row.into_iter().enumerate() {
                tile.store(sums.add(o * width + c * V::LEN));
            }
        }
    }
}
