//! Weights of few channels: columns are side by side in vectors, and their sums added up at last.

use super::super::super::microkernel::{Tile, accumulate_lanes, sum_of_lanes};
use super::super::super::planes::{Planes, Strided4};
use super::super::super::simd::{Lanes, Loop, vector_bytes, vectorized};
use super::{Correlation, Packed, Sizes, Unit, Vectorized};
use crate::{DType, Float, Result, Tensor};

/// Results in planes whose rows are as long as those of the images, with zeros at their ends.
pub(super) struct ByLanes<'a, T> {
    sizes: &'a Sizes,
    planes: Planes,
    y: Strided4<'a, T>,
}

impl<'a, T: Vectorized> ByLanes<'a, T> {
    pub fn of(sizes: &'a Sizes, images: &Planes, rows: usize, y: &'a Tensor) -> Result<Self> {
        let axes = sizes.result_axes([0, 0], images.axes.map(|axis| axis.length));
        let channels = sizes.groups * sizes.outs;
        let planes = sizes.allocatable::<T>(Planes { channels, axes, rows })?;
        Ok(ByLanes { sizes, planes, y: Strided4::of(y)? })
    }
}

impl<T: Vectorized> Correlation<T> for ByLanes<'_, T> {
    fn packed_len(&self) -> [usize; 2] {
        [self.planes.len(), 0]
    }

    fn pack(&self, Unit { image, first, .. }: Unit, to: &mut [T]) {
        self.planes.pack(&self.y, image, first, T::ZERO, to);
    }

    fn add(&self, packed: &Packed<'_, T>, group: usize, sums: &mut [T::Total]) {
        let Sizes { ins, outs, .. } = *self.sizes;
        let channels: Vec<usize> =
            (group * outs..(group + 1) * outs).map(|o| o * self.planes.channel()).collect();
        let dots = Dots {
            images: &packed.images[group * ins * packed.planes.channel()..],
            results: packed.results,
            taps: packed.taps,
            channels: &channels,
            strides: [packed.planes.len(), self.planes.len()],
            count: packed.units.len(),
            columns: (self.planes.rows - 1) * self.planes.row() + self.sizes.axes[1].windows,
            sums,
        };
        // Vectors of 32 bytes, whatever the processor has.
        match (T::DTYPE, vector_bytes()) {
            (DType::F64, 64) => vectorized(Tiled::<T, 4, 4, 64>(dots)),
            (DType::F64, _) => vectorized(Tiled::<T, 4, 2, 32>(dots)),
            (_, 64) => vectorized(Tiled::<T, 8, 4, 64>(dots)),
            _ => vectorized(Tiled::<T, 8, 2, 32>(dots)),
        }
    }

    fn position(&self, channel: usize, tap: usize) -> usize {
        channel * (self.sizes.ins * self.sizes.window().count()) + tap
    }
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
                let mut tile: Tile<Lanes<T, N>, K, O> = [[Lanes([T::ZERO; N]); O]; K];
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
    tile: &mut Tile<Lanes<T, N>, K, O>,
    sums: &mut [T::Total],
    taps: usize,
    first: usize,
) {
    for (o, sums) in sums.chunks_exact_mut(taps).enumerate() {
        for (tile, sum) in tile.iter().zip(&mut sums[first..]) {
            *sum = T::added(*sum, sum_of_lanes(tile[o]));
        }
    }
    *tile = [[Lanes([T::ZERO; N]); O]; K];
}
