//! The product that sums over images and places: weights.

use super::super::planes::{Line, Planes, View};
#[cfg(target_arch = "x86_64")]
use super::super::simd::{Level, level};
use super::super::simd::{Loop, vectorised};
use super::super::threads::{Pointer, share};
use super::{BLOCK, PIECES, Sizes, output};
use crate::{Float, Result, Tensor};

/// Sums in vectors of `N` elements, on every processor, and the pieces in their order.
pub(super) fn weights<T: Float, const N: usize>(
    sizes: &Sizes,
    x: &Tensor,
    y: &Tensor,
    w: &mut Tensor,
) -> Result<()> {
    let shape = w.shape().clone();
    let w: &mut [T] = output("convolution", w, &shape)?;
    let (x, y) = (View::<T>::of(x)?, View::<T>::of(y)?);
    let reach = sizes.reach();
    let lines = [0, 1].map(|i| {
        let axis = sizes.axes[i];
        let (step, padding, extent) = (axis.window.stride, axis.padding, axis.extent);
        Line { step, padding, extent, length: axis.places + reach[i] }
    });
    let [ins, outs] = [sizes.groups * sizes.ins, sizes.groups * sizes.outs];
    let elements = (ins * lines[0].step * lines[1].step + outs) * lines[1].length;
    let rows = sizes.block(sizes.axes[0].places, elements);
    let from = Planes { channels: ins, lines, rows: rows + reach[0] };
    // The rows of results are as long as those of the images, with zeros at their ends.
    let [up, across] = [0, 1].map(|i| {
        let extent = sizes.axes[i].places;
        Line { step: 1, padding: 0, extent, length: lines[i].length }
    });
    let by = Planes { channels: outs, lines: [up, across], rows };
    let blocks = sizes.axes[0].places.div_ceil(rows);
    let units = sizes.batch * blocks;
    // Each piece has sums of its own, so that there are few of them.
    let pieces = sizes.pieces(units).min(PIECES / 2);
    let together = (BLOCK / (from.len() + by.len())).clamp(1, units.div_ceil(pieces.max(1)).max(1));
    let taps: Vec<usize> = (0..sizes.ins)
        .flat_map(|i| sizes.window().map(move |k| (i, k)))
        .map(|(i, k)| {
            let (plane, place) = sizes.plane(k);
            i * from.channel() + from.tap(plane, place)
        })
        .collect();
    w.fill(T::ZERO);
    if w.is_empty() || units == 0 || across.extent == 0 {
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
                dots::<T, N>(Dots {
                    images: &images[group * sizes.ins * from.channel()..],
                    results: &results,
                    taps: &taps,
                    channels: &channels,
                    apart: [from.len(), by.len()],
                    count,
                    columns: (rows - 1) * by.row() + across.extent,
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

/// Products of planes of images with planes of results, summed over columns and images.
struct Dots<'a, T> {
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

fn dots<T: Float, const N: usize>(work: Dots<'_, T>) {
    // A vector of sums is 64 bytes: one register of AVX-512, two of AVX2, which has 16.
    #[cfg(target_arch = "x86_64")]
    if !matches!(level(), Level::Avx512) {
        return vectorised(By::<T, N, 2, 2>(work));
    }
    vectorised(By::<T, N, 4, 3>(work));
}

/// The same, for `O` channels and `K` taps at a time: their sums stay in registers.
struct By<'a, T, const N: usize, const O: usize, const K: usize>(Dots<'a, T>);

impl<T: Float, const N: usize, const O: usize, const K: usize> Loop for By<'_, T, N, O, K> {
    #[inline(always)]
    fn run(self) {
        let Dots { images, results, taps, channels, apart, count, columns, sums } = self.0;
        for (channels, sums) in channels.chunks(O).zip(sums.chunks_mut(O * taps.len())) {
            for first in (0..taps.len()).step_by(K) {
                // Beyond the last channel and the last tap, these are summed once more.
                let ys: [usize; O] = std::array::from_fn(|o| channels[o.min(channels.len() - 1)]);
                let xs: [usize; K] = std::array::from_fn(|k| taps[(first + k).min(taps.len() - 1)]);
                let mut tile = [[[T::ZERO; N]; K]; O];
                for image in 0..count {
                    let (images, results) =
                        (&images[image * apart[0]..], &results[image * apart[1]..]);
                    for column in (0..columns).step_by(N) {
                        let mut x = [[T::ZERO; N]; K];
                        for (x, tap) in x.iter_mut().zip(xs) {
                            x.copy_from_slice(&images[tap + column..][..N]);
                        }
                        for (tile, channel) in tile.iter_mut().zip(ys) {
                            let mut y = [T::ZERO; N];
                            y.copy_from_slice(&results[channel + column..][..N]);
                            for (tile, x) in tile.iter_mut().zip(&x) {
                                for ((sum, &x), &y) in tile.iter_mut().zip(x).zip(&y) {
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
