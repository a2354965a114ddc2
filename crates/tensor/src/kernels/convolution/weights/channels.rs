//! Weights of many channels: they are side by side in vectors, and each sum is a chain of products.

use std::marker::PhantomData;
use std::slice;

use super::super::super::microkernel::{Stride, Tile, accumulate};
use super::super::super::planes::has_room;
use super::super::super::simd::{Lanes, MAX_LEN, Vector, VectorLoop, Vectorized, in_vectors};
use super::super::super::transpose::transpose;
use super::super::{PANEL, Sizes, input};
use super::{Correlation, Packed, Unit};
use crate::{Float, Result, Tensor};

/// How many products are a chain at most: longer ones would have larger errors.
const CHAIN: usize = 256;

/// The taps of a tile where few are left, and the channels of one, in vectors.
const FEW_TAPS: usize = 4;
const VECTORS: usize = 2;

/// Results, contiguous.
pub(super) struct ByChannels<'a, T> {
    sizes: &'a Sizes,
    /// How many rows a unit has at most, and how many columns one has.
    rows: usize,
    columns: usize,
    y: Tensor,
    of: PhantomData<T>,
}

impl<'a, T: Vectorized> ByChannels<'a, T> {
    pub fn of(sizes: &'a Sizes, rows: usize, y: &Tensor) -> Result<Self> {
        input::<T>("convolution", y)?;
        let is_copied = y.as_slice::<T>().is_none();
        if is_copied && !has_room::<T>(y.len()) {
            return Err(sizes.too_large(sizes.groups * sizes.outs));
        }
        let columns = sizes.axes[1].windows;
        Ok(ByChannels { sizes, rows, columns, y: y.contiguous(), of: PhantomData })
    }
}

impl<T: Vectorized> Correlation<T> for ByChannels<'_, T> {
    fn packed_len(&self) -> [usize; 2] {
        // A tile reads whole vectors, beyond the last channel, too.
        [self.sizes.groups * self.sizes.outs * self.rows * self.columns, PANEL]
    }

    /// Panel by panel of a group, and there position by position.
    fn pack(&self, Unit { image, first, rows }: Unit, mut to: &mut [T]) {
        let Sizes { groups, outs, axes, .. } = *self.sizes;
        let Some(y) = self.y.as_slice::<T>() else { return };
        let leading = axes[0].windows * self.columns;
        for group in 0..groups {
            for panel in (0..outs).step_by(PANEL) {
                let size = [PANEL.min(outs - panel), rows * self.columns];
                let (packed, rest) = to.split_at_mut(size[0] * size[1]);
                let channel = (image * groups + group) * outs + panel;
                let from = channel * leading + first * self.columns;
                transpose(&y[from..], leading, size, packed);
                to = rest;
            }
        }
    }

    fn add(&self, packed: &Packed<'_, T>, group: usize, sums: &mut [T::Total]) {
        in_vectors(Tiles {
            images: &packed.images[group * self.sizes.ins * packed.planes.channel()..],
            results: packed.results,
            units: packed.units,
            columns: self.columns,
            strides: [packed.planes.len(), self.packed_len()[0]],
            row: packed.planes.row(),
            taps: packed.taps,
            outs: self.sizes.outs,
            group,
            sums,
        });
    }

    fn position(&self, channel: usize, tap: usize) -> usize {
        tap * self.sizes.outs + channel
    }
}

/// The sums of products of images, at so many taps, and of the results of a group.
struct Tiles<'a, T: Float> {
    images: &'a [T],
    /// Of all groups, each in panels.
    results: &'a [T],
    units: &'a [Unit],
    /// How many columns a row of results has.
    columns: usize,
    /// The strides from one unit of images, and of results, to the next.
    strides: [usize; 2],
    /// The stride from one row of an image to the next.
    row: usize,
    taps: &'a [usize],
    outs: usize,
    group: usize,
    /// For each tap, the sums of all channels.
    sums: &'a mut [T::Total],
}

impl<T: Vectorized> VectorLoop for Tiles<'_, T> {
    type Elem = T;

    /// In tiles of so many taps: those of few taps stay in the L1 cache, while the results go by.
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>, const R: usize>(mut self) {
        for channel in (0..self.outs).step_by(VECTORS * V::LEN) {
            let is_narrow = self.outs - channel <= V::LEN;
            for tap in (0..self.taps.len()).step_by(R) {
                // SAFETY: as the caller says.
                unsafe {
                    match (self.taps.len() - tap, is_narrow) {
                        (..=FEW_TAPS, true) => self.add::<V, FEW_TAPS, 1>(tap, channel),
                        (..=FEW_TAPS, false) => self.add::<V, FEW_TAPS, VECTORS>(tap, channel),
                        (_, true) => self.add::<V, R, 1>(tap, channel),
                        (_, false) => self.add::<V, R, VECTORS>(tap, channel),
                    }
                }
            }
        }
    }
}

impl<T: Vectorized> Tiles<'_, T> {
    /// Adds to the sums of a tile, from a tap and a channel on.
    ///
    /// # Safety
    /// The processor has these vectors.
    #[inline(always)]
    unsafe fn add<V: Vector<Elem = T>, const R: usize, const C: usize>(
        &mut self,
        tap: usize,
        channel: usize,
    ) {
        let panel = channel - channel % PANEL;
        let width = PANEL.min(self.outs - panel);
        let mut taps = [0; R];
        for (i, at) in taps.iter_mut().enumerate() {
            // Beyond the last tap, its sums are computed once more.
            *at = self.taps[(tap + i).min(self.taps.len() - 1)];
        }
        // SAFETY: the caller vouches for the processor.
        let mut tile: Tile<V, R, C> = unsafe { [[V::splat(T::ZERO); C]; R] };
        let mut chain = 0;
        for (unit, &Unit { rows, .. }) in self.units.iter().enumerate() {
            let positions = rows * self.columns;
            let from = (self.group * self.outs + panel) * positions + channel % PANEL;
            // Slices, so that what is read is checked to be there.
            let results = &self.results[unit * self.strides[1] + from..]
                [..(positions - 1) * width + C * V::LEN];
            let mut images = [self.images.as_ptr(); R];
            for (image, tap) in images.iter_mut().zip(taps) {
                let len = (rows - 1) * self.row + self.columns;
                *image = self.images[unit * self.strides[0] + tap..][..len].as_ptr();
            }
            for row in 0..rows {
                for first in (0..self.columns).step_by(CHAIN) {
                    let terms = CHAIN.min(self.columns - first);
                    if chain + terms > CHAIN {
                        // SAFETY: as above.
                        unsafe { self.flush(&mut tile, tap, channel) };
                        chain = 0;
                    }
                    chain += terms;
                    let left = images.map(|image| image.wrapping_add(row * self.row + first));
                    let right = results.as_ptr().wrapping_add((row * self.columns + first) * width);
                    // SAFETY: these are terms of the slices above: of so many rows, and columns.
                    unsafe {
                        accumulate(
                            terms,
                            (left, Stride(1)),
                            (right, Stride(width as isize)),
                            &mut tile,
                        );
                    }
                }
            }
        }
        // SAFETY: as above.
        unsafe { self.flush(&mut tile, tap, channel) };
    }

    /// Adds the sums of a tile to those of its taps and channels, and makes them 0.
    ///
    /// # Safety
    /// The processor has these vectors.
    #[inline(always)]
    unsafe fn flush<V: Vector<Elem = T>, const R: usize, const C: usize>(
        &mut self,
        tile: &mut Tile<V, R, C>,
        tap: usize,
        channel: usize,
    ) {
        let channels = (C * V::LEN).min(self.outs - channel);
        let rows = self.sums.chunks_exact_mut(self.outs).skip(tap);
        for (row, sums) in tile.iter().zip(rows) {
            let mut lanes = [Lanes([T::ZERO; MAX_LEN]); C];
            let place = lanes.as_mut_ptr().cast::<T>();
            for (c, sums) in row.iter().enumerate() {
                // SAFETY: the caller vouches for the processor, and there is room for so many vectors.
                unsafe { sums.store(place.add(c * V::LEN)) };
            }
            // SAFETY: they have just been written.
            let lanes = unsafe { slice::from_raw_parts(place, C * V::LEN) };
            for (sum, &lane) in sums[channel..][..channels].iter_mut().zip(lanes) {
                *sum = T::added(*sum, lane);
            }
        }
        // SAFETY: the caller vouches for the processor.
        *tile = unsafe { [[V::splat(T::ZERO); C]; R] };
    }
}
