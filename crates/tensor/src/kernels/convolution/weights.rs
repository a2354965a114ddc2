//! The product that sums over images and places: weights.

use super::super::simd::{Loop, vectorised};
use super::super::threads::{Pointer, share};
use super::planes::{Line, Planes, View};
use super::{BLOCK, Sizes, output};
use crate::{Float, Result, Tensor};

/// The channels of results, and the taps, that are summed side by side.
const TILE: [usize; 2] = [4, 3];

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
    let pieces = sizes.pieces(units);
    let together = (BLOCK / (from.len() + by.len())).max(1);
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
                from.pack(&x, n, row, &mut images[at * from.len()..][..from.len()]);
                by.pack(&y, n, row, &mut results[at * by.len()..][..by.len()]);
            }
            for group in 0..sizes.groups {
                let images = &images[group * sizes.ins * from.channel()..];
                for o in (0..sizes.outs).step_by(TILE[0]) {
                    for k in (0..taps.len()).step_by(TILE[1]) {
                        let mut sums = [[T::ZERO; TILE[1]]; TILE[0]];
                        // Beyond the last channel or tap, it is summed again.
                        let results: [&[T]; TILE[0]] = std::array::from_fn(|i| {
                            let channel = group * sizes.outs + (o + i).min(sizes.outs - 1);
                            &results[channel * by.channel()..]
                        });
                        let taps: [usize; TILE[1]] =
                            std::array::from_fn(|i| taps[(k + i).min(taps.len() - 1)]);
                        vectorised(Dots::<T, N> {
                            images,
                            results,
                            taps,
                            apart: [from.len(), by.len()],
                            count,
                            columns: (rows - 1) * by.row() + across.extent,
                            sums: &mut sums,
                        });
                        for (o, sums) in (o..sizes.outs).zip(sums) {
                            let row = (group * sizes.outs + o) * (len / outs);
                            for (k, sum) in (k..len / outs).zip(sums) {
                                w[row + k] = w[row + k] + sum;
                            }
                        }
                    }
                }
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
struct Dots<'a, T, const N: usize> {
    images: &'a [T],
    results: [&'a [T]; TILE[0]],
    taps: [usize; TILE[1]],
    /// From one image, and from one result, to the next.
    apart: [usize; 2],
    count: usize,
    columns: usize,
    sums: &'a mut [[T; TILE[1]]; TILE[0]],
}

impl<T: Float, const N: usize> Loop for Dots<'_, T, N> {
    #[inline(always)]
    fn run(self) {
        let mut tile = [[[T::ZERO; N]; TILE[1]]; TILE[0]];
        for image in 0..self.count {
            let x = self.taps.map(|tap| &self.images[image * self.apart[0] + tap..]);
            let y = self.results.map(|result| &result[image * self.apart[1]..]);
            for column in (0..self.columns).step_by(N) {
                let x = x.map(|x| &x[column..column + N]);
                for (tile, y) in tile.iter_mut().zip(y) {
                    let y = &y[column..column + N];
                    for (tile, x) in tile.iter_mut().zip(x) {
                        for n in 0..N {
                            tile[n] = y[n].mul_add(x[n], tile[n]);
                        }
                    }
                }
            }
        }
        for (sums, tile) in self.sums.iter_mut().zip(&mut tile) {
            for (sum, tile) in sums.iter_mut().zip(tile) {
                *sum = pairwise(tile);
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
