//! The product that sums over images and places: weights.

use super::super::planes::{Planes, View};
use super::super::simd::{Loop, vectorised};
use super::super::threads::{Pointer, share};
use super::{BLOCK, PIECES, Sizes, output};
use crate::{Float, Result, Tensor};

/// Sums in vectors of `N` elements, whatever the processor has, and adds pieces in their order.
pub(super) fn weights<T: Float, const N: usize>(
    sizes: &Sizes,
    x: &Tensor,
    y: &Tensor,
    w: &mut Tensor,
) -> Result<()> {
    let shape = w.shape().clone();
    let w: &mut [T] = output("convolution", w, &shape)?;
    let (x, y) = (View::<T>::of(x)?, View::<T>::of(y)?);
    let lines = sizes.images();
    let [ins, outs] = [sizes.groups * sizes.ins, sizes.groups * sizes.outs];
    let elements = (ins * lines[0].step * lines[1].step + outs) * lines[1].length;
    let rows = sizes.block(sizes.axes[0].places, elements);
    let from = Planes { channels: ins, lines, rows: rows + sizes.reach()[0] };
    // The rows of results are as long as those of the images, with zeros at their ends.
    let lines = sizes.results([0, 0], lines.map(|line| line.length));
    let by = Planes { channels: outs, lines, rows };
    let blocks = sizes.axes[0].places.div_ceil(rows);
    let units = sizes.batch * blocks;
    // Each piece has sums of its own, so that there are few of them.
    let pieces = sizes.pieces(units).min(PIECES / 2);
    let together = (BLOCK / (from.len() + by.len())).clamp(1, units.div_ceil(pieces.max(1)).max(1));
    let taps = sizes.taps(&from);
    w.fill(T::ZERO);
    if w.is_empty() || units == 0 || lines[1].extent == 0 {
        return Ok(());
    }
    let mut partial = vec![T::ZERO; pieces * w.len()];
    let len = w.len();
    let start = Pointer(partial.as_mut_ptr());
    share(pieces, |piece| {
        // SAFETY: each piece has its part of `partial`, which is borrowed by us alone.
        let w = unsafe { std::slice::from_raw_parts_mut(start.get().add(piece * len), len) };
        let mut images = vec![T::ZERO; together * from.len()];
        let mut results = vec![T::ZERO; together * by.len()];
        let (first, end) = (units * piece / pieces, units * (piece + 1) / pieces);
        for chunk in (first..end).step_by(together) {
            let count = together.min(end - chunk);
            for unit in chunk..chunk + count {
                let (n, row) = (unit / blocks, unit % blocks * rows);
                let at = unit - chunk;
                from.pack(&x, n, row, T::ZERO, &mut images[at * from.len()..][..from.len()]);
                by.pack(&y, n, row, T::ZERO, &mut results[at * by.len()..][..by.len()]);
            }
            let each = w.len() / sizes.groups;
            for (group, w) in w.chunks_exact_mut(each).enumerate() {
                let channels: Vec<usize> = (group * sizes.outs..(group + 1) * sizes.outs)
                    .map(|o| o * by.channel())
                    .collect();
                vectorised(Dots::<T, N> {
                    images: &images[group * sizes.ins * from.channel()..],
                    results: &results,
                    taps: &taps,
                    channels: &channels,
                    apart: [from.len(), by.len()],
                    count,
                    columns: (rows - 1) * by.row() + lines[1].extent,
                    sums: w,
                });
            }
        }
    });
    for piece in partial.chunks_exact(len) {
        for (w, &sum) in w.iter_mut().zip(piece) {
            *w = *w + sum;
        }
    }
    Ok(())
}

/// The channels of results, and the taps, that are summed side by side: with vectors of 32 bytes
/// their sums, and what they are sums of, fill the 16 registers of AVX2.
const O: usize = 4;
const K: usize = 3;

/// Products of planes of images with planes of results, summed over columns and images, in vectors
/// of `N` elements.
struct Dots<'a, T, const N: usize> {
    images: &'a [T],
    results: &'a [T],
    /// Where the planes begin: of images, and of results.
    taps: &'a [usize],
    channels: &'a [usize],
    /// From one image, and from one result, to the next.
    apart: [usize; 2],
    count: usize,
    columns: usize,
    /// For each channel, the sums of all taps.
    sums: &'a mut [T],
}

impl<T: Float, const N: usize> Loop for Dots<'_, T, N> {
    #[inline(always)]
    fn run(self) {
        let Dots { images, results, taps, channels, apart, count, columns, sums } = self;
        let width = columns.next_multiple_of(N);
        for (channels, sums) in channels.chunks(O).zip(sums.chunks_mut(O * taps.len())) {
            for first in (0..taps.len()).step_by(K) {
                // Beyond the last channel and the last tap, these are summed once more.
                let ys: [usize; O] = std::array::from_fn(|o| channels[o.min(channels.len() - 1)]);
                let xs: [usize; K] = std::array::from_fn(|k| taps[(first + k).min(taps.len() - 1)]);
                let mut tile = [[[T::ZERO; N]; K]; O];
                for image in 0..count {
                    // Slices of one length, so that no access in the loop has to be checked.
                    let xs = xs.map(|tap| &images[image * apart[0] + tap..][..width]);
                    let ys = ys.map(|channel| &results[image * apart[1] + channel..][..width]);
                    let (xs, ys) =
                        (xs.map(|x| x.as_chunks::<N>().0), ys.map(|y| y.as_chunks::<N>().0));
                    for column in 0..width / N {
                        let x = xs.map(|x| x[column]);
                        for (tile, y) in tile.iter_mut().zip(ys) {
                            let y = y[column];
                            for (tile, x) in tile.iter_mut().zip(x) {
                                for ((sum, x), y) in tile.iter_mut().zip(x).zip(y) {
                                    *sum = x.mul_add(y, *sum);
                                }
                            }
                        }
                    }
                }
                for (tile, sums) in tile.iter_mut().zip(sums.chunks_exact_mut(taps.len())) {
                    for (tile, sum) in tile.iter_mut().zip(&mut sums[first..]) {
                        *sum = *sum + pairwise(tile);
                    }
                }
            }
        }
    }
}

/// The sum of a vector, halves added until one element is left.
#[inline(always)]
fn pairwise<T: Float, const N: usize>(vector: &mut [T; N]) -> T {
    let mut half = N / 2;
    while half > 0 {
        for n in 0..half {
            vector[n] = vector[n] + vector[n + half];
        }
        half /= 2;
    }
    vector[0]
}
