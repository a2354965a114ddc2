//! Sums of many channels: they are side by side in vectors, for some positions at a time.

use super::super::super::microkernel::{Stride, Tile, accumulate};
use super::super::super::simd::{Vector, VectorLoop, Vectorized, in_vectors, prefetch};
use super::super::super::transpose::{transpose, transpose_to};
use super::{PANEL, Region, Target};

/// The positions of a tile where few are left, and the channels of one, in vectors.
const FEW: usize = 4;
const VECTORS: usize = 2;

/// How many bytes are fetched at a time.
const CACHE_LINE: usize = 64;

/// How many taps are summed before the next positions: their weights, and what is read there, stay in the
/// L1 cache.
const TAPS: usize = 128;

/// How many positions are summed up before their sums are written.
const POSITIONS: usize = 1 << 10;

/// The elements of scratch memory: the sums of so many positions, and those of a row again.
pub(super) const SCRATCH: usize = 2 * PANEL * POSITIONS;

/// Sums up a region, and writes the sums.
///
/// # Safety
/// There are places for all of them, and nobody else looks at those, nor between them.
pub(super) unsafe fn sum<T: Vectorized>(
    region: &Region<'_, T>,
    scratch: &mut [T],
    target: Target<T>,
) {
    let [_, down, across] = target.strides;
    let columns = region.columns.min(POSITIONS);
    let rows = POSITIONS / columns;
    for row in (0..region.rows).step_by(rows) {
        for column in (0..region.columns).step_by(columns) {
            let piece = Region {
                planes: &region.planes[row * region.row + column..],
                rows: rows.min(region.rows - row),
                columns: columns.min(region.columns - column),
                ..*region
            };
            let start = target.start.wrapping_add(row * down + column * across);
            // SAFETY: as the caller says; a piece lies inside.
            unsafe { sum_piece(&piece, scratch, Target { start, ..target }) };
        }
    }
}

/// As [`sum`], of [`POSITIONS`] at most.
///
/// # Safety
/// As for [`sum`].
unsafe fn sum_piece<T: Vectorized>(region: &Region<'_, T>, scratch: &mut [T], target: Target<T>) {
    let &Region { rows, columns, channels, .. } = region;
    let [to, down, across] = target.strides;
    // Without gaps, all rows of a channel are one.
    let is_dense = across == 1 && (rows == 1 || down == columns);
    let (sums, rest) = scratch.split_at_mut(PANEL * rows * columns);
    let fetched = is_dense.then_some((target.start, to));
    in_vectors(Positions { region, sums, fetched });
    if is_dense {
        // SAFETY: as the caller says.
        unsafe { transpose_to(sums, PANEL, [rows * columns, channels], target.start, to) };
        return;
    }
    let transposed = &mut rest[..channels * columns];
    for (row, sums) in sums.chunks_exact(columns * PANEL).enumerate() {
        transpose(sums, PANEL, [columns, channels], transposed);
        for (channel, sums) in transposed.chunks_exact(columns).enumerate() {
            // SAFETY: as the caller says.
            unsafe { target.write(channel, row, sums) };
        }
    }
}

/// The sums of a region: for each position those of all channels of a panel.
struct Positions<'a, 'r, T> {
    region: &'a Region<'r, T>,
    sums: &'a mut [T],
    /// Where they will be written, and the stride from one channel to the next, to be fetched meanwhile.
    fetched: Option<(*mut T, usize)>,
}

/// Where a tile is: from which position, channel and term on, and the largest tap of its terms.
#[derive(Clone, Copy)]
struct At {
    position: usize,
    channel: usize,
    term: usize,
    farthest: usize,
}

impl<T: Vectorized> VectorLoop for Positions<'_, '_, T> {
    type Elem = T;

    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>, const R: usize>(mut self) {
        let Region { taps, channels, row, rows, columns, .. } = *self.region;
        let positions = rows * columns;
        // Without taps, too, there is a bias.
        for term in (0..taps.len().max(1)).step_by(TAPS) {
            let farthest = taps.iter().skip(term).take(TAPS).copied().max().unwrap_or(0);
            let (mut start, mut column) = (0, 0);
            for position in (0..positions).step_by(R) {
                let mut places = [0; R];
                for (i, place) in places.iter_mut().enumerate() {
                    *place = start + column;
                    // Beyond the last position, its sums are computed once more.
                    if position + i + 1 < positions {
                        column += 1;
                        if column == columns {
                            (start, column) = (start + row, 0);
                        }
                    }
                }
                let is_due = term == 0 && position % (CACHE_LINE / size_of::<T>()) < R;
                if let Some((start, stride)) = self.fetched.filter(|_| is_due) {
                    for channel in 0..channels {
                        prefetch(start.wrapping_add(channel * stride + position));
                    }
                }
                let few = [places[0], places[1], places[2], places[3]];
                for channel in (0..channels).step_by(VECTORS * V::LEN) {
                    let at = At { position, channel, term, farthest };
                    // SAFETY: as the caller says.
                    unsafe {
                        match (positions - position, channels - channel <= V::LEN) {
                            (..=FEW, true) => self.add::<V, FEW, 1>(at, few),
                            (..=FEW, false) => self.add::<V, FEW, VECTORS>(at, few),
                            (_, true) => self.add::<V, R, 1>(at, places),
                            (_, false) => self.add::<V, R, VECTORS>(at, places),
                        }
                    }
                }
            }
        }
    }
}

impl<T: Vectorized> Positions<'_, '_, T> {
    /// Adds [`TAPS`] terms at most to the sums of a tile: of positions that read from these places on, and of
    /// `C` vectors of channels.
    ///
    /// # Safety
    /// The processor has these vectors.
    #[inline(always)]
    unsafe fn add<V: Vector<Elem = T>, const R: usize, const C: usize>(
        &mut self,
        At { position, channel, term, farthest }: At,
        places: [usize; R],
    ) {
        let Region { bias, planes, .. } = self.region;
        let taps = &self.region.taps[term..];
        let taps = &taps[..taps.len().min(TAPS)];
        let weights = &self.region.weights[term * PANEL..][..taps.len() * PANEL];
        let mut starts = [planes.as_ptr(); R];
        for (start, place) in starts.iter_mut().zip(places) {
            // A slice, so that what is read is checked to be there.
            *start = planes[place..][..=farthest].as_ptr();
        }
        assert!(channel + C * V::LEN <= PANEL);
        let weights = weights.as_ptr().wrapping_add(channel);
        let (sums, _) = self.sums[position * PANEL..].as_chunks_mut::<PANEL>();
        // SAFETY: a panel has so many channels, as was just checked, and the places and the farthest tap were;
        // the caller vouches for the processor.
        unsafe {
            let mut tile: Tile<V, R, C> = [[V::splat(T::ZERO); C]; R];
            for (i, tile) in tile.iter_mut().enumerate() {
                let from = match term {
                    0 => bias.as_ptr(),
                    _ => sums[i.min(sums.len() - 1)].as_ptr(),
                };
                for (c, tile) in tile.iter_mut().enumerate() {
                    *tile = V::load(from.add(channel + c * V::LEN));
                }
            }
            accumulate(taps.len(), (starts, taps), (weights, Stride(PANEL as isize)), &mut tile);
            for (tile, sums) in tile.iter().zip(sums) {
                for (c, tile) in tile.iter().enumerate() {
                    tile.store(sums.as_mut_ptr().add(channel + c * V::LEN));
                }
            }
        }
    }
}
