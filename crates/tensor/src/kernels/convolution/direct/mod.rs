//! The convolution and the transposed convolution: products that sum over channels and the elements
//! of windows.
//!
//! Both are sums of slices of planes, each times a weight. For images the planes are those of the
//! results, with zeros around them: position `s·i + r − padding` gets contributions of the windows
//! `i − ⌊d·k / s⌋`, from those of their elements that lie on phase `r`.
//!
//! Where there are many channels of the output, they are side by side in vectors ([`channels`]); where
//! there are few, columns are ([`columns`]). Each sum is the same chain of products either way.

mod channels;
mod columns;

use std::cell::Cell;

use super::super::planes::{PhaseAxis, Planes, Strided4};
use super::super::scratch::Scratch;
use super::super::simd::{MAX_LEN, Vectorized};
use super::super::threads::{Pointer, parallel_chunks_mut, parallel_for};
use super::{PANEL, Sizes, fills_vectors, output};
use crate::{Float, Result, Tensor};

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
    along: Along,
    passes: Vec<Pass<T>>,
    bias: Option<Vec<T>>,
}

/// The sum for one plane of the output.
struct Pass<T> {
    phases: [usize; 2],
    taps: Vec<usize>,
    /// For each group, for each [`Along::channels`] of its outputs, for each tap: a weight for each.
    weights: Vec<T>,
}

/// What is side by side in vectors.
#[derive(Clone, Copy)]
enum Along {
    Channels,
    Columns,
}

impl Along {
    /// For so many channels in each group of the output. One vector of them alone would have to wait for
    /// what is read: an element for each product.
    fn of(outs: usize) -> Along {
        if outs > MAX_LEN && fills_vectors(outs) { Along::Channels } else { Along::Columns }
    }

    /// How many channels are summed up at a time.
    fn channels(self) -> usize {
        match self {
            Along::Channels => PANEL,
            Along::Columns => columns::CHANNELS,
        }
    }
}

/// Some channels of a rectangle of positions, to be summed up.
struct Region<'a, T> {
    /// Where the terms of a position are, from it on, and for each of them a weight for each channel.
    taps: &'a [usize],
    weights: &'a [T],
    channels: usize,
    /// What the sums begin with.
    bias: [T; PANEL],
    /// What is read, from the first position on, and the stride from one row to the next.
    planes: &'a [T],
    row: usize,
    rows: usize,
    columns: usize,
}

/// Where the sums of a region are written.
#[derive(Clone, Copy)]
struct Target<T> {
    /// The place of the first one.
    start: *mut T,
    /// The strides from one channel, row and column to the next.
    strides: [usize; 3],
}

impl<T: Float> Target<T> {
    /// Writes a row of a channel.
    ///
    /// # Safety
    /// There are places for all of them, and nobody else looks at those, nor between them.
    unsafe fn write(&self, channel: usize, row: usize, sums: &[T]) {
        let [channels, rows, step] = self.strides;
        let start = self.start.wrapping_add(channel * channels + row * rows);
        let len = sums.len().saturating_sub(1) * step + usize::from(!sums.is_empty());
        // SAFETY: as the caller says.
        let to = unsafe { std::slice::from_raw_parts_mut(start, len) };
        if step == 1 {
            to.copy_from_slice(sums);
            return;
        }
        for (to, &sum) in to.iter_mut().step_by(step).zip(sums) {
            *to = sum;
        }
    }
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
    let along = Along::of(sizes.outs);
    let weights = packed(sizes.groups, sizes.outs, along, taps.len(), |group, o, term| {
        let (i, k) = (term / window.len(), window[term % window.len()]);
        w.elements[w.offset_of([group * sizes.outs + o, i, k[0], k[1]])]
    });
    let passes = vec![Pass { phases: [0, 0], taps, weights }];
    let bias = bias.map(|bias| bias.to_vec::<T>()).transpose()?;
    let shape = y.shape().clone();
    let y = output("convolution", y, &shape)?;
    let [ins, outs] = [sizes.ins, sizes.outs];
    DirectConvolution { sizes, from, ins, to, outs, rows, along, passes, bias }
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
    let along = Along::of(sizes.ins);
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
        let weights = packed(sizes.groups, sizes.ins, along, terms.len(), |group, i, term| {
            let (o, k) = terms[term];
            w.elements[w.offset_of([group * sizes.outs + o, i, k[0], k[1]])]
        });
        Pass { phases, taps, weights }
    };
    let passes = planes.map(pass).collect();
    let shape = x.shape().clone();
    let x = output("convolution", x, &shape)?;
    let [ins, outs] = [sizes.outs, sizes.ins];
    DirectConvolution { sizes, from, ins, to, outs, rows, along, passes, bias: None }
        .run(&Strided4::of(y)?, x);
    Ok(())
}

/// The weights of `outs` outputs and so many terms in the order in which they are read.
fn packed<T: Float>(
    groups: usize,
    outs: usize,
    along: Along,
    terms: usize,
    weight: impl Fn(usize, usize, usize) -> T + Sync,
) -> Vec<T> {
    let channels = along.channels();
    let tiles = outs.div_ceil(channels);
    let mut packed = vec![T::ZERO; groups * tiles * terms * channels];
    parallel_chunks_mut(&mut packed, terms * channels, |i, tile| {
        let (group, first) = (i / tiles, i % tiles * channels);
        for (term, weights) in tile.chunks_exact_mut(channels).enumerate() {
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
        let len = match self.along {
            Along::Channels => channels::SCRATCH,
            Along::Columns => columns::scratch_len(self.rows, self.from.row()),
        };
        let out = Pointer(out.as_mut_ptr());
        parallel_for(tasks, &|task| {
            let mut planes = Scratch::filled(&PLANES, self.from.len(), T::ZERO);
            let mut sums = Scratch::take(&SUMS, len);
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
        let ([up, across], [a, b], row) = (self.to, pass.phases, self.from.row());
        // What is on the axes.
        let (rows, columns) = (up.inside(a), across.inside(b));
        let rows = rows.start.max(block.first)..rows.end.min(block.first + block.rows);
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        let planes = &planes[(rows.start - block.first) * row + columns.start..];
        let position =
            |axis: PhaseAxis, phase: usize, i: usize| axis.phases * i + phase - axis.padding;
        let first = position(up, a, rows.start) * across.dim + position(across, b, columns.start);
        let strides = [up.dim * across.dim, up.phases * across.dim, across.phases];
        let at_a_time = self.along.channels();
        let (tiles, len) = (self.outs.div_ceil(at_a_time), pass.taps.len() * at_a_time);
        for tile in 0..self.sizes.groups * tiles {
            let (group, channel) = (tile / tiles, tile % tiles * at_a_time);
            let channels = at_a_time.min(self.outs - channel);
            let image = (block.image * self.sizes.groups + group) * self.outs + channel;
            let mut bias = [T::ZERO; PANEL];
            if let Some(all) = &self.bias {
                bias[..channels].copy_from_slice(&all[group * self.outs + channel..][..channels]);
            }
            let region = Region {
                taps: &pass.taps,
                weights: &pass.weights[tile * len..][..len],
                channels,
                bias,
                planes: &planes[group * self.ins * self.from.channel()..],
                row,
                rows: rows.len(),
                columns: columns.len(),
            };
            let target = Target { start: out.wrapping_add(image * strides[0] + first), strides };
            // SAFETY: these rows and columns are on the axes; the caller vouches for the images.
            unsafe {
                match self.along {
                    Along::Channels => channels::sum(&region, sums, target),
                    Along::Columns => columns::sum(&region, sums, target),
                }
            }
        }
    }
}
