//! The correlation of images and results, which sums over both: weights.

use super::super::planes::{Planes, Strided4};
use super::super::simd::{Loop, vectorized};
use super::super::threads::{Pointer, parallel_for};
use super::{BLOCK, MAX_TASKS, Sizes, output};
use crate::{Float, Result, Tensor};

/// Sums in vectors of `N` elements, whatever the processor has, and adds up the sums of tasks in
/// their order.
pub(super) fn weights<T: Float, const N: usize>(
    sizes: &Sizes,
    x: &Tensor,
    y: &Tensor,
    w: &mut Tensor,
) -> Result<()> {
    let shape = w.shape().clone();
    let w: &mut [T] = output("convolution", w, &shape)?;
    let (x, y) = (Strided4::<T>::of(x)?, Strided4::<T>::of(y)?);
    let axes = sizes.image_axes();
    let [ins, outs] = [sizes.groups * sizes.ins, sizes.groups * sizes.outs];
    let elements = (ins * axes[0].phases * axes[1].phases + outs) * axes[1].length;
    let rows = sizes.block(sizes.axes[0].windows, elements);
    let from =
        sizes.allocatable::<T>(Planes { channels: ins, axes, rows: rows + sizes.reach()[0] })?;
    // The rows of results are as long as those of the images, with zeros at their ends.
    let axes = sizes.result_axes([0, 0], axes.map(|axis| axis.length));
    let by = sizes.allocatable::<T>(Planes { channels: outs, axes, rows })?;
    let blocks = sizes.axes[0].windows.div_ceil(rows);
    let units = sizes.batch * blocks;
    // Each task has sums of its own, so that there are few of them.
    let tasks = sizes.tasks(units).min(MAX_TASKS / 2);
    let units_at_once =
        (BLOCK / (from.len() + by.len())).clamp(1, units.div_ceil(tasks.max(1)).max(1));
    let taps = sizes.taps(&from);
    w.fill(T::ZERO);
    if w.is_empty() || units == 0 || axes[1].dim == 0 {
        return Ok(());
    }
    let mut partial = vec![T::NOTHING; tasks * w.len()];
    let len = w.len();
    let start = Pointer(partial.as_mut_ptr());
    parallel_for(tasks, |task| {
        // SAFETY: each task has its part of `partial`, which is borrowed by us alone.
        let w = unsafe { std::slice::from_raw_parts_mut(start.get().add(task * len), len) };
        let mut images = vec![T::ZERO; units_at_once * from.len()];
        let mut results = vec![T::ZERO; units_at_once * by.len()];
        let (first, end) = (units * task / tasks, units * (task + 1) / tasks);
        for chunk in (first..end).step_by(units_at_once) {
            let count = units_at_once.min(end - chunk);
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
                vectorized(Dots::<T, N> {
                    images: &images[group * sizes.ins * from.channel()..],
                    results: &results,
                    taps: &taps,
                    channels: &channels,
                    strides: [from.len(), by.len()],
                    count,
                    columns: (rows - 1) * by.row() + axes[1].dim,
                    sums: w,
                });
            }
        }
    });
    for (i, w) in w.iter_mut().enumerate() {
        let tasks = partial[i..].iter().step_by(len).map(|&total| T::rounded(total));
        *w = T::rounded(tasks.fold(T::NOTHING, T::added));
    }
    Ok(())
}

/// The channels of results, and the taps, that are summed at a time: with vectors of 32 bytes
/// their sums, and what they are sums of, fill the 16 registers of AVX2.
const O: usize = 4;
const K: usize = 3;

/// How many vectors of products are added up in one go.
const VECTORS: usize = 256;

/// Products of planes of images with planes of results, summed over columns and images, in vectors
/// of `N` elements.
struct Dots<'a, T: Float, const N: usize> {
    images: &'a [T],
    results: &'a [T],
    /// The offsets of the planes of images, and of those of results.
    taps: &'a [usize],
    channels: &'a [usize],
    /// The strides from one image, and from one result, to the next.
    strides: [usize; 2],
    count: usize,
    columns: usize,
    /// For each channel, the sums of all taps.
    sums: &'a mut [T::Total],
}

impl<T: Float, const N: usize> Loop for Dots<'_, T, N> {
    #[inline(always)]
    fn run(self) {
        let Dots { images, results, taps, channels, strides, count, columns, sums } = self;
        let width = columns.next_multiple_of(N);
        for (channels, sums) in channels.chunks(O).zip(sums.chunks_mut(O * taps.len())) {
            for first in (0..taps.len()).step_by(K) {
                // Beyond the last channel and the last tap, these are summed once more.
                let ys: [usize; O] = std::array::from_fn(|o| channels[o.min(channels.len() - 1)]);
                let xs: [usize; K] = std::array::from_fn(|k| taps[(first + k).min(taps.len() - 1)]);
                let vectors = width / N;
                // Some columns at a time, so that the error does not grow with their number.
                let parts = (0..count).flat_map(|image| {
                    (0..vectors).step_by(VECTORS).map(move |start| (image, start))
                });
                for (image, start) in parts {
                    let mut tile = [[[T::ZERO; N]; K]; O];
                    // Slices of one length, so that no access in the loop has to be checked.
                    let xs = xs.map(|tap| &images[image * strides[0] + tap..][..width]);
                    let ys = ys.map(|channel| &results[image * strides[1] + channel..][..width]);
                    let (xs, ys) =
                        (xs.map(|x| x.as_chunks::<N>().0), ys.map(|y| y.as_chunks::<N>().0));
                    for column in start..vectors.min(start + VECTORS) {
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
                    for (tile, sums) in tile.iter_mut().zip(sums.chunks_exact_mut(taps.len())) {
                        for (tile, sum) in tile.iter_mut().zip(&mut sums[first..]) {
                            *sum = T::added(*sum, pairwise(tile));
                        }
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
