//! Images packed into the planes of a polyphase decomposition, for kernels over sliding windows.
//!
//! Along an axis, element `i` of phase `r` is position `s·i + r − padding` of the image, if there
//! is one. With the stride of the windows as `s`, the element `k` of window `p` lies on phase
//! `d·k mod s`, at `p + ⌊d·k / s⌋`: contiguous for adjacent windows. A plane is a phase of each of
//! the two axes.

use std::ops::Range;

use super::input;
use crate::create::LARGE;
use crate::shape::checked_len;
use crate::{Elem, Result, Shape, Tensor, Window};

/// Readers may read on to the end of a vector of so many elements: behind the rows of a plane there
/// is as much padding, which is never packed.
pub(super) const VECTOR: usize = 16;

/// One axis of images, with its windows.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub window: Window,
    /// How many positions there are before the axis.
    pub padding: usize,
    /// How many positions the axis has.
    pub dim: usize,
    /// How many windows there are.
    pub windows: usize,
}

impl Axis {
    /// `padding` before `dim` positions, over which there are so many windows.
    pub fn new(mut window: Window, padding: usize, dim: usize, windows: usize) -> Axis {
        // A single window does not move; a stride beyond its length would give empty phases.
        if windows <= 1 {
            let length = window.size.saturating_sub(1).saturating_mul(window.dilation);
            window.stride = window.stride.min(length.saturating_add(1));
        }
        Axis { window, padding, dim, windows }
    }

    /// No distance along the axis is larger: twice the positions of all phases, since a block of
    /// rows may end beyond the last one, and what is before and on the axis. `None` if no integer
    /// holds it.
    fn span(self) -> Option<usize> {
        let Axis { window: Window { size, stride, dilation }, padding, dim, windows } = self;
        let moved = windows.checked_add(1)?.checked_mul(stride)?;
        let reach = size.checked_mul(dilation)?.checked_add(stride)?;
        moved.checked_add(reach)?.checked_add(padding)?.checked_add(dim)?.checked_mul(2)
    }

    /// The phase that the element `k` of windows lies on, and its offset there.
    pub fn phase(self, k: usize) -> (usize, usize) {
        let distance = k * self.window.dilation;
        (distance % self.window.stride, distance / self.window.stride)
    }

    /// The offset of the last element of a window on its phase.
    pub fn reach(self) -> usize {
        self.window.size.saturating_sub(1) * self.window.dilation / self.window.stride
    }

    /// The axis split into as many phases as the stride.
    pub fn phases(self, length: usize) -> PhaseAxis {
        let Axis { window, padding, dim, .. } = self;
        PhaseAxis { phases: window.stride, padding, dim, length }
    }
}

/// Whether each position and offset along these axes, in so many images or channels, is an integer.
pub(super) fn fit(axes: [Axis; 2], count: usize) -> bool {
    let [up, across] = axes.map(|axis| axis.span().unwrap_or(usize::MAX));
    checked_len(&Shape::from([up, across, VECTOR, count])).is_ok()
}

/// One axis split into phases.
#[derive(Clone, Copy)]
pub(super) struct PhaseAxis {
    /// How many phases there are.
    pub phases: usize,
    pub padding: usize,
    /// How many positions the axis has.
    pub dim: usize,
    /// How many elements a phase has.
    pub length: usize,
}

impl PhaseAxis {
    /// The position of element `i` of a phase, if it is on the axis.
    pub fn position(self, phase: usize, i: usize) -> Option<usize> {
        (self.phases * i + phase).checked_sub(self.padding).filter(|&at| at < self.dim)
    }

    /// The phases with an element on the axis: all, unless there are more than positions.
    pub fn occupied(self) -> Vec<usize> {
        if self.phases <= self.dim {
            return (0..self.phases).collect();
        }
        let phase = |position: usize| (position + self.padding) % self.phases;
        let mut occupied: Vec<usize> = (0..self.dim).map(phase).collect();
        occupied.sort_unstable();
        occupied
    }

    /// The elements of a phase that are on the axis.
    pub fn inside(self, phase: usize) -> Range<usize> {
        let first = |position: usize| {
            (position + self.padding).saturating_sub(phase).div_ceil(self.phases).min(self.length)
        };
        first(0)..first(self.dim)
    }
}

/// An input of four axes, of any strides.
pub(super) struct Strided4<'a, T> {
    pub elements: &'a [T],
    offset: usize,
    strides: [isize; 4],
}

impl<'a, T: Elem> Strided4<'a, T> {
    /// `x` has four axes.
    pub fn of(x: &'a Tensor) -> Result<Strided4<'a, T>> {
        let mut strides = [0; 4];
        strides.copy_from_slice(x.strides());
        Ok(Strided4 { elements: input("windows", x)?, offset: x.layout().offset(), strides })
    }

    /// The offset of an element in the buffer.
    pub fn offset_of(&self, index: [usize; 4]) -> usize {
        let distance: isize =
            index.iter().zip(self.strides).map(|(&i, stride)| i as isize * stride).sum();
        self.offset.wrapping_add_signed(distance)
    }

    /// The offset of the element so many rows behind another one.
    #[inline]
    fn row(&self, offset: usize, rows: usize) -> usize {
        offset.wrapping_add_signed(rows as isize * self.strides[2])
    }

    /// Reads every `step`-th element along the last axis, from an offset on.
    #[inline]
    fn read(&self, start: usize, step: usize, to: &mut [T]) {
        let stride = step as isize * self.strides[3];
        match stride {
            1 => to.copy_from_slice(&self.elements[start..start + to.len()]),
            2 => {
                // The last one by itself: there may be no element behind it.
                let Some((last, firsts)) = to.split_last_mut() else { return };
                let (pairs, from) = self.elements[start..].split_at(2 * firsts.len());
                *last = from[0];
                for (to, pair) in firsts.iter_mut().zip(pairs.as_chunks::<2>().0) {
                    *to = pair[0];
                }
            }
            3.. => {
                let every = self.elements[start..].chunks(stride as usize);
                to.iter_mut().zip(every).for_each(|(to, from)| *to = from[0]);
            }
            _ => {
                for (i, to) in to.iter_mut().enumerate() {
                    *to = self.elements[start.wrapping_add_signed(i as isize * stride)];
                }
            }
        }
    }
}

/// Whether there is memory for so many elements. An allocation that fails would end the process, so that a
/// large one is reserved before, and given back.
pub(super) fn has_room<T>(len: usize) -> bool {
    len < LARGE || Vec::<T>::new().try_reserve_exact(len).is_ok()
}

/// The layout of a packed image: its rows, plane by plane, channel by channel.
pub(super) struct Planes {
    pub channels: usize,
    pub axes: [PhaseAxis; 2],
    /// How many rows of each plane are packed at a time.
    pub rows: usize,
}

impl Planes {
    /// The stride from one row to the next.
    pub fn row(&self) -> usize {
        self.axes[1].length
    }

    /// The stride from one plane to the next.
    fn plane(&self) -> usize {
        (self.rows * self.row()).next_multiple_of(VECTOR)
    }

    /// The stride from one channel to the next.
    pub fn channel(&self) -> usize {
        self.axes[0].phases * self.axes[1].phases * self.plane()
    }

    /// The elements of all channels, and of a vector that begins at the last one. Without channels, there is
    /// one that no tap reads.
    pub fn len(&self) -> usize {
        self.channels.max(1) * self.channel() + VECTOR
    }

    /// Whether there is memory for [`len`](Planes::len) elements.
    pub fn have_room<T>(&self) -> bool {
        has_room::<T>(self.len())
    }

    /// The offset, among the planes of a channel, of an element of the plane of two phases.
    pub fn tap(&self, phases: [usize; 2], index: [usize; 2]) -> usize {
        let plane = phases[0] * self.axes[1].phases + phases[1];
        plane * self.plane() + index[0] * self.row() + index[1]
    }

    /// Packs the rows from `first` on of image `n`, with `outside` where there is no position. The buffer
    /// was filled with `outside` before anything was packed into it: to the left and right of images
    /// it stays so, and so it does between planes and behind the last one.
    pub fn pack<T: Elem>(
        &self,
        x: &Strided4<'_, T>,
        n: usize,
        first: usize,
        outside: T,
        to: &mut [T],
    ) {
        let [up, across] = self.axes;
        for b in 0..across.phases {
            let inside = across.inside(b);
            if inside.is_empty() {
                continue;
            }
            let begin = across.phases * inside.start + b - across.padding;
            for channel in 0..self.channels {
                let from = x.offset_of([n, channel, 0, begin]);
                for a in 0..up.phases {
                    let start = channel * self.channel() + self.tap([a, b], [0, 0]);
                    let rows =
                        to[start..start + self.rows * self.row()].chunks_exact_mut(self.row());
                    for (i, row) in rows.enumerate() {
                        let row = &mut row[inside.clone()];
                        match up.position(a, first + i) {
                            Some(position) => x.read(x.row(from, position), across.phases, row),
                            None => row.fill(outside),
                        }
                    }
                }
            }
        }
    }
}
