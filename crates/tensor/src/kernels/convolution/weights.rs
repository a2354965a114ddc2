//! The correlation of images and results, which sums over both: weights.

use std::cell::Cell;

use super::super::microkernel::{Tile, accumulate_lanes, sum_of_lanes};
use super::super::planes::{Planes, Strided4};
use super::super::scratch::Scratch;
use super::super::simd::{HAS_AVX512, Loop, vector_bytes, vectorized};
use super::super::threads::{Pointer, parallel_for};
use super::{BLOCK, MAX_TASKS, Sizes, output};
use crate::{Float, Result, Tensor};

thread_local! {
    /// For packed images, and for packed results.
    static IMAGES: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    static RESULTS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

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
    parallel_for(tasks, &|task| {
        // SAFETY: each task has its part of `partial`, which is borrowed by us alone.
        let w = unsafe { std::slice::from_raw_parts_mut(start.get().add(task * len), len) };
        let mut images = Scratch::filled(&IMAGES, units_at_once * from.len(), T::ZERO);
        let mut results = Scratch::filled(&RESULTS, units_at_once * by.len(), T::ZERO);
        let (images, results) = (images.elements(), results.elements());
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
                let dots = Dots {
                    images: &images[group * sizes.ins * from.channel()..],
                    results,
                    taps: &taps,
                    channels: &channels,
                    strides: [from.len(), by.len()],
                    count,
                    columns: (rows - 1) * by.row() + axes[1].dim,
                    sums: w,
                };
                if HAS_AVX512 && vector_bytes() == 64 {
                    vectorized(Tiled::<T, N, 4, 64>(dots));
                } else {
                    vectorized(Tiled::<T, N, 2, 32>(dots));
                }
            }
        }
    });
    for (i, w) in w.iter_mut().enumerate() {
        let tasks = partial[i..].iter().step_by(len).map(|&total| T::rounded(total));
        *w = T::rounded(tasks.fold(T::NOTHING, T::added));
    }
    Ok(())
}

/// The taps that are summed at a time.
const K: usize = 6;

/// How many vectors of products are added up in one go.
const VECTORS: usize = 256;

/// Products of planes of images with planes of results, summed over columns and images.
struct Dots<'a, T: Float> {
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

/// [`Dots`] in vectors of `N` elements, of `O` channels of results at a time: their sums, the results and
/// one vector of an image fill the registers, 16 of AVX2 or 32 of a processor with vectors of 64 bytes.
struct Tiled<'a, T: Float, const N: usize, const O: usize, const BYTES: usize>(Dots<'a, T>);

impl<T: Float, const N: usize, const O: usize, const BYTES: usize> Loop
    for Tiled<'_, T, N, O, BYTES>
{
    const VECTOR_BYTES: Option<usize> = Some(BYTES);

    #[inline(always)]
    fn run(self) {
        let Dots { images, results, taps, channels, strides, count, columns, sums } = self.0;
        let vectors = columns.div_ceil(N);
        // The planes of a few taps stay in the L1 cache, while those of all results go by.
        for first in (0..taps.len()).step_by(K) {
            for (channels, sums) in channels.chunks(O).zip(sums.chunks_mut(O * taps.len())) {
                // Beyond the last channel and the last tap, these are summed once more.
                let ys: [usize; O] = std::array::from_fn(|o| channels[o.min(channels.len() - 1)]);
                let xs: [usize; K] = std::array::from_fn(|k| taps[(first + k).min(taps.len() - 1)]);
                let mut tile: Tile<T, K, O, N> = [[[T::ZERO; N]; O]; K];
                let mut added = 0;
                for image in 0..count {
                    for start in (0..vectors).step_by(VECTORS) {
                        let some = (vectors - start).min(VECTORS);
                        // So many at a time, so that the error does not grow with their number.
                        if added + some > VECTORS {
                            flush(&mut tile, sums, taps.len(), first);
                            added = 0;
                        }
                        added += some;
                        // Slices, so that what is read is checked to be there.
                        let mut left = [images.as_ptr(); K];
                        for (left, tap) in left.iter_mut().zip(xs) {
                            let from = image * strides[0] + tap + start * N;
                            *left = images[from..][..some * N].as_ptr();
                        }
                        let mut right = [results.as_ptr(); O];
                        for (right, channel) in right.iter_mut().zip(ys) {
                            let from = image * strides[1] + channel + start * N;
                            *right = results[from..][..some * N].as_ptr();
                        }
                        // SAFETY: each pointer is that of a slice of so many vectors.
                        unsafe { accumulate_lanes(some, left, right, &mut tile) };
                    }
                }
                flush(&mut tile, sums, taps.len(), first);
            }
        }
    }
}

/// Adds the sums of a tile to those of its taps, from the first one on, and makes them 0. Each channel has
/// so many taps.
#[inline(always)]
fn flush<T: Float, const N: usize, const O: usize>(
    tile: &mut Tile<T, K, O, N>,
    sums: &mut [T::Total],
    taps: usize,
    first: usize,
) {
    for (o, sums) in sums.chunks_exact_mut(taps).enumerate() {
        for (tile, sum) in tile.iter().zip(&mut sums[first..]) {
            *sum = T::added(*sum, sum_of_lanes(tile[o]));
        }
    }
    *tile = [[[T::ZERO; N]; O]; K];
}
