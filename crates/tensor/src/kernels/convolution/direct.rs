//! The convolution and the transposed convolution: products that sum over channels and the elements
//! of windows.
//!
//! Both are sums of slices of planes, each times a weight. For images the planes are those of the
//! results, with zeros around them: position `s·i + r − padding` gets contributions of the windows
//! `i − ⌊d·k / s⌋`, from those of their elements that lie on phase `r`.

use std::cell::Cell;

use super::super::microkernel::{Tile, accumulate};
use super::super::planes::{PhaseAxis, Planes, Strided4, VECTOR};
use super::super::scratch::Scratch;
use super::super::simd::{Vector, VectorLoop, Vectorized, in_vectors};
use super::super::threads::{Pointer, parallel_chunks_mut, parallel_for};
use super::{Sizes, output};
use crate::{Elem, Float, Result, Tensor};

/// Channels that are summed at a time, and vectors of columns: as many vectors of sums as hide how long
/// one addition takes, from few elements that are read.
pub(super) const CHANNELS: usize = 4;
const VECTORS: usize = 2;

/// How many taps are summed before the next columns: their slices stay in the L1 cache.
const TAPS: usize = 256;

thread_local! {
    /// For a packed image, and for sums of columns.
    static PLANES: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    static SUMS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// A product, computed block of rows by block.
struct DirectConvolution<'a, T> {
    sizes: &'a Sizes,
    /// What is read, each group with so many channels.
    from: Planes,
    ins: usize,
    /// What is written, with so many channels a group.
    to: [PhaseAxis; 2],
    outs: usize,
    /// How many rows are written at a time.
    rows: usize,
    passes: Vec<Pass<T>>,
    bias: Option<Vec<T>>,
}

/// The sum for one plane of the output.
struct Pass<T> {
    phases: [usize; 2],
    taps: Vec<usize>,
    /// For each group, for each [`CHANNELS`] of its outputs, for each tap: a weight for each.
    weights: Vec<T>,
}

/// Some rows of a plane of an image of the output.
#[derive(Clone, Copy)]
struct Block {
    image: usize,
    first: usize,
    rows: usize,
}

pub(super) fn results<T: Vectorized>(
    sizes: &Sizes,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    y: &mut Tensor,
) -> Result<()> {
    let (channels, reach) = (sizes.groups * sizes.ins, sizes.reach());
    let axes = sizes.image_axes();
    let elements = channels * axes[0].phases * axes[1].phases * axes[1].length;
    let rows = sizes.block(sizes.axes[0].windows, elements);
    let from = sizes.allocatable::<T>(Planes { channels, axes, rows: rows + reach[0] })?;
    let to = sizes.result_axes([0, 0], sizes.axes.map(|axis| axis.windows));
    let w = Strided4::<T>::of(w)?;
    let window: Vec<[usize; 2]> = sizes.window().collect();
    let taps = sizes.taps(&from);
    let weights = packed(sizes.groups, sizes.outs, taps.len(), |group, o, term| {
        let (i, k) = (term / window.len(), window[term % window.len()]);
        w.elements[w.offset_of([group * sizes.outs + o, i, k[0], k[1]])]
    });
    let passes = vec![Pass { phases: [0, 0], taps, weights }];
    let bias = bias.map(|bias| bias.to_vec::<T>()).transpose()?;
    let shape = y.shape().clone();
    let y = output("convolution", y, &shape)?;
    DirectConvolution { sizes, from, ins: sizes.ins, to, outs: sizes.outs, rows, passes, bias }
        .run(&Strided4::of(x)?, y);
    Ok(())
}

pub(super) fn images<T: Vectorized>(
    sizes: &Sizes,
    w: &Tensor,
    y: &Tensor,
    x: &mut Tensor,
) -> Result<()> {
    let (channels, reach) = (sizes.groups * sizes.outs, sizes.reach());
    let to =
        sizes.axes.map(|axis| axis.phases((axis.dim + axis.padding).div_ceil(axis.window.stride)));
    let axes = sizes.result_axes(reach, [0, 1].map(|i| to[i].length + reach[i]));
    let rows = sizes.block(to[0].length, channels * axes[1].length);
    let from = sizes.allocatable::<T>(Planes { channels, axes, rows: rows + reach[0] })?;
    let w = Strided4::<T>::of(w)?;
    let [up, across] = to.map(PhaseAxis::occupied);
    let planes = up.iter().flat_map(|&a| across.iter().map(move |&b| [a, b]));
    let pass = |phases: [usize; 2]| {
        let on_it = |k: &[usize; 2]| sizes.phases(*k).0 == phases;
        let terms: Vec<(usize, [usize; 2])> = (0..sizes.outs)
            .flat_map(|o| sizes.window().filter(on_it).map(move |k| (o, k)))
            .collect();
        let tap = |&(o, k): &(usize, [usize; 2])| {
            let (_, offsets) = sizes.phases(k);
            o * from.channel() + from.tap([0, 0], [0, 1].map(|i| reach[i] - offsets[i]))
        };
        let taps = terms.iter().map(tap).collect();
        let weights = packed(sizes.groups, sizes.ins, terms.len(), |group, i, term| {
            let (o, k) = terms[term];
            w.elements[w.offset_of([group * sizes.outs + o, i, k[0], k[1]])]
        });
        Pass { phases, taps, weights }
    };
    let passes = planes.map(pass).collect();
    let shape = x.shape().clone();
    let x = output("convolution", x, &shape)?;
    DirectConvolution {
        sizes,
        from,
        ins: sizes.outs,
        to,
        outs: sizes.ins,
        rows,
        passes,
        bias: None,
    }
    .run(&Strided4::of(y)?, x);
    Ok(())
}

/// The weights of `outs` outputs and so many terms in the order in which they are read.
fn packed<T: Float>(
    groups: usize,
    outs: usize,
    terms: usize,
    weight: impl Fn(usize, usize, usize) -> T + Sync,
) -> Vec<T> {
    let tiles = outs.div_ceil(CHANNELS);
    let mut packed = vec![T::ZERO; groups * tiles * terms * CHANNELS];
    parallel_chunks_mut(&mut packed, terms * CHANNELS, |i, tile| {
        let (group, first) = (i / tiles, i % tiles * CHANNELS);
        for (term, weights) in tile.chunks_exact_mut(CHANNELS).enumerate() {
            for (o, to) in (first..outs).zip(weights) {
                *to = weight(group, o, term);
            }
        }
    });
    packed
}

impl<T: Vectorized> DirectConvolution<'_, T> {
    fn run(&self, x: &Strided4<'_, T>, out: &mut [T]) {
        if out.is_empty() {
            return;
        }
        let all = self.to[0].length;
        let blocks = all.div_ceil(self.rows);
        let units = self.sizes.batch * blocks;
        let tasks = self.sizes.tasks(units);
        let width = (self.rows * self.from.row()).next_multiple_of(VECTOR);
        let out = Pointer(out.as_mut_ptr());
        parallel_for(tasks, &|task| {
            let mut planes = Scratch::filled(&PLANES, self.from.len(), T::ZERO);
            let mut sums = Scratch::filled(&SUMS, CHANNELS * width, T::ZERO);
            let (planes, sums) = (planes.elements(), sums.elements());
            for unit in units * task / tasks..units * (task + 1) / tasks {
                let (image, first) = (unit / blocks, unit % blocks * self.rows);
                let block = Block { image, first, rows: self.rows.min(all - first) };
                self.from.pack(x, image, first, T::ZERO, planes);
                for pass in &self.passes {
                    // SAFETY: the rows of an image that a block writes are those of no other
                    // block, and `out` is borrowed by us alone.
                    unsafe { self.pass(pass, block, planes, sums, out.get()) };
                }
            }
        });
    }

    /// Sums up a block of one plane of the output, in all channels, and writes it.
    ///
    /// # Safety
    /// `out` holds all images, and nobody else looks at the rows of this block.
    unsafe fn pass(&self, pass: &Pass<T>, block: Block, planes: &[T], sums: &mut [T], out: *mut T) {
        let (tiles, width) = (self.outs.div_ceil(CHANNELS), sums.len() / CHANNELS);
        let len = pass.taps.len() * CHANNELS;
        for tile in 0..self.sizes.groups * tiles {
            let (group, first) = (tile / tiles, tile % tiles * CHANNELS);
            let channels = CHANNELS.min(self.outs - first);
            let first = group * self.outs + first;
            for (o, sums) in sums.chunks_exact_mut(width).take(channels).enumerate() {
                sums.fill(self.bias.as_ref().map_or(T::ZERO, |bias| bias[first + o]));
            }
            in_vectors(Multiply {
                taps: &pass.taps,
                weights: &pass.weights[tile * len..][..len],
                planes: &planes[group * self.ins * self.from.channel()..],
                sums,
                columns: (block.rows - 1) * self.from.row() + self.to[1].length,
            });
            for (o, sums) in sums.chunks_exact(width).take(channels).enumerate() {
                // SAFETY: as the caller says.
                unsafe { self.write(pass.phases, first + o, block, sums, out) };
            }
        }
    }

    /// Writes the sums of a channel to their positions in the output.
    ///
    /// # Safety
    /// `out` holds all images, and nobody else looks at the rows of this block.
    unsafe fn write(
        &self,
        [a, b]: [usize; 2],
        channel: usize,
        block: Block,
        sums: &[T],
        out: *mut T,
    ) {
        let [up, across] = self.to;
        let inside = across.inside(b);
        if inside.is_empty() {
            return;
        }
        let begin = across.phases * inside.start + b - across.padding;
        let image = block.image * self.sizes.groups * self.outs + channel;
        for (i, sums) in sums.chunks(self.from.row()).take(block.rows).enumerate() {
            let Some(position) = up.position(a, block.first + i) else { continue };
            let start = (image * up.dim + position) * across.dim;
            // SAFETY: the position is on the axis, so that this is a row of the image.
            let row = unsafe { std::slice::from_raw_parts_mut(out.add(start), across.dim) };
            let sums = &sums[inside.clone()];
            if across.phases == 1 {
                row[begin..begin + sums.len()].copy_from_slice(sums);
                continue;
            }
            for (to, &sum) in row[begin..].iter_mut().step_by(across.phases).zip(sums) {
                *to = sum;
            }
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
        accumulate(taps.len(), (starts, CHANNELS as isize), (planes.as_ptr(), taps), &mut tile);
        for (o, row) in tile.into_iter().enumerate() {
            for (c, tile) in row.into_iter().enumerate() {
                tile.store(sums.add(o * width + c * V::LEN));
            }
        }
    }
}
