//! The correlation of images and results, which sums over both: weights.
//!
//! Where there are many channels of results, they are side by side in vectors ([`channels`]); where there
//! are few, columns are ([`lanes`]). The shape decides, not the processor, on which the order of sums must
//! not depend.

mod channels;
mod lanes;

use std::cell::Cell;
use std::ops::Range;
use std::slice;

use super::super::planes::{Planes, Strided4};
use super::super::scratch::Scratch;
use super::super::simd::Vectorized;
use super::super::threads::{Pointer, parallel_for};
use super::{BLOCK, MAX_TASKS, Sizes, fills_vectors, output};
use crate::{Result, Tensor};
use channels::ByChannels;
use lanes::ByLanes;

thread_local! {
    /// For packed images, and for packed results.
    static IMAGES: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    static RESULTS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// A way to sum.
trait Correlation<T: Vectorized>: Sync {
    /// How many elements the results of a unit take, packed, and how many are read behind the last one.
    fn packed_len(&self) -> [usize; 2];
    /// Packs the results of a unit.
    fn pack(&self, unit: Unit, to: &mut [T]);
    /// Adds the sums of units to those of a group.
    fn add(&self, packed: &Packed<'_, T>, group: usize, sums: &mut [T::Total]);
    /// Where the sum of a channel and a tap is, among those of a group.
    fn position(&self, channel: usize, tap: usize) -> usize;
}

/// Some rows of windows of an image.
#[derive(Clone, Copy)]
struct Unit {
    image: usize,
    first: usize,
    rows: usize,
}

/// Images and results that are summed over at a time.
struct Packed<'a, T> {
    /// Their planes, and where the elements of a window are on them.
    planes: &'a Planes,
    taps: &'a [usize],
    images: &'a [T],
    results: &'a [T],
    units: &'a [Unit],
}

/// All units, in their order.
struct Units {
    rows: usize,
    all_rows: usize,
    count: usize,
}

impl Units {
    fn range(&self, range: Range<usize>) -> Vec<Unit> {
        let blocks = self.all_rows.div_ceil(self.rows);
        let unit = |i: usize| {
            let (image, first) = (i / blocks, i % blocks * self.rows);
            Unit { image, first, rows: self.rows.min(self.all_rows - first) }
        };
        range.map(unit).collect()
    }
}

pub(super) fn weights<T: Vectorized>(
    sizes: &Sizes,
    x: &Tensor,
    y: &Tensor,
    w: &mut Tensor,
) -> Result<()> {
    let shape = w.shape().clone();
    let w: &mut [T] = output("convolution", w, &shape)?;
    w.fill(T::ZERO);
    let axes = sizes.image_axes();
    let [ins, outs] = [sizes.groups * sizes.ins, sizes.groups * sizes.outs];
    let elements = (ins * axes[0].phases * axes[1].phases + outs) * axes[1].length;
    let all_rows = sizes.axes[0].windows;
    let rows = sizes.block(all_rows, elements);
    let planes =
        sizes.allocatable::<T>(Planes { channels: ins, axes, rows: rows + sizes.reach()[0] })?;
    let units = Units { rows, all_rows, count: sizes.batch * all_rows.div_ceil(rows) };
    if w.is_empty() || units.count == 0 || sizes.axes[1].windows == 0 {
        return Ok(());
    }
    let x = Strided4::<T>::of(x)?;
    if fills_vectors(sizes.outs) {
        sum(sizes, &units, (&planes, &x), &ByChannels::of(sizes, rows, y)?, w);
    } else {
        sum(sizes, &units, (&planes, &x), &ByLanes::of(sizes, &planes, rows, y)?, w);
    }
    Ok(())
}

/// Adds up the sums of tasks in their order.
fn sum<T: Vectorized>(
    sizes: &Sizes,
    units: &Units,
    (planes, x): (&Planes, &Strided4<'_, T>),
    by: &impl Correlation<T>,
    w: &mut [T],
) {
    // Each task has sums of its own, so that there are few of them.
    let tasks = sizes.tasks(units.count).min(MAX_TASKS / 2);
    let (len, [packed, behind]) = (planes.len(), by.packed_len());
    let each = units.count.div_ceil(tasks.max(1));
    let units_at_once = (BLOCK / (len + packed)).clamp(1, each.max(1));
    let taps = sizes.taps(planes);
    let of_group = sizes.outs * taps.len();
    let count = w.len();
    let mut partial = vec![T::NOTHING; tasks * count];
    let start = Pointer(partial.as_mut_ptr());
    parallel_for(tasks, &|task| {
        // SAFETY: each task has its part of `partial`, which is borrowed by us alone.
        let sums = unsafe { slice::from_raw_parts_mut(start.get().add(task * count), count) };
        let mut images = Scratch::filled(&IMAGES, units_at_once * len, T::ZERO);
        let mut results = Scratch::filled(&RESULTS, units_at_once * packed + behind, T::ZERO);
        let (images, results) = (images.elements(), results.elements());
        let end = units.count * (task + 1) / tasks;
        for first in (units.count * task / tasks..end).step_by(units_at_once) {
            let units = units.range(first..end.min(first + units_at_once));
            for (at, &unit) in units.iter().enumerate() {
                let image = &mut images[at * len..][..len];
                planes.pack(x, unit.image, unit.first, T::ZERO, image);
                by.pack(unit, &mut results[at * packed..][..packed]);
            }
            let packed = Packed { planes, taps: &taps, images, results, units: &units };
            for (group, sums) in sums.chunks_exact_mut(of_group).enumerate() {
                by.add(&packed, group, sums);
            }
        }
    });
    for (group, w) in w.chunks_exact_mut(of_group).enumerate() {
        for (channel, w) in w.chunks_exact_mut(taps.len()).enumerate() {
            for (tap, w) in w.iter_mut().enumerate() {
                let at = group * of_group + by.position(channel, tap);
                let tasks = partial[at..].iter().step_by(count).map(|&total| T::rounded(total));
                *w = T::rounded(tasks.fold(T::NOTHING, T::added));
            }
        }
    }
}
