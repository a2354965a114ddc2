//! Images packed into planes, for whatever looks at windows of them.
//!
//! Along an axis, place `i` of plane `r` is position `step·i + r − padding` of the image, if there
//! is one. With the stride of a window as the step, the element `k` of the window at
//! place `p` lies on plane `d·k mod s`, at `p + ⌊d·k / s⌋`: for neighbours `p`, side by side.

use std::ops::Range;

use super::input;
use crate::{Elem, Result, Tensor, Window};

/// Readers may go on to the end of a vector of so many elements: behind the rows of a plane there
/// is as much that is never packed.
pub(super) const VECTOR: usize = 8;

/// One axis of images, with its windows.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub window: Window,
    /// How far the first window stands out in front of the axis.
    pub padding: usize,
    /// How many positions the axis has.
    pub extent: usize,
    /// How many windows there are.
    pub places: usize,
}

impl Axis {
    /// `padding` stands out in front of `extent` positions, on which there are `places` windows.
    pub fn new(mut window: Window, padding: usize, extent: usize, places: usize) -> Axis {
        // A single window does not move; a stride beyond its length would be planes of nothing.
        if places <= 1 {
            let length = window.size.saturating_sub(1).saturating_mul(window.dilation);
            window.stride = window.stride.min(length.saturating_add(1));
        }
        Axis { window, padding, extent, places }
    }

    /// The plane that the element `k` of windows lies on, and how far along.
    pub fn plane(self, k: usize) -> (usize, usize) {
        let way = k * self.window.dilation;
        (way % self.window.stride, way / self.window.stride)
    }

    /// How far along the planes the last element of a window lies behind the first.
    pub fn reach(self) -> usize {
        self.window.size.saturating_sub(1) * self.window.dilation / self.window.stride
    }

    /// The position of the element `k` of a window that has it.
    pub fn position(self, place: usize, k: usize) -> usize {
        place * self.window.stride + k * self.window.dilation - self.padding
    }

    /// Dealt to planes by the stride.
    pub fn dealt(self, length: usize) -> Line {
        let Axis { window, padding, extent, .. } = self;
        Line { step: window.stride, padding, extent, length }
    }
}

/// One axis dealt to planes.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// How many planes there are.
    pub step: usize,
    pub padding: usize,
    /// How many positions the axis has.
    pub extent: usize,
    /// How many places a plane has.
    pub length: usize,
}

impl Line {
    /// The position of a place, if it is on the axis.
    pub fn position(self, plane: usize, i: usize) -> Option<usize> {
        (self.step * i + plane).checked_sub(self.padding).filter(|&at| at < self.extent)
    }

    /// The places of a plane that are on the axis.
    pub fn inside(self, plane: usize) -> Range<usize> {
        let first = |position: usize| {
            (position + self.padding).saturating_sub(plane).div_ceil(self.step).min(self.length)
        };
        first(0)..first(self.extent)
    }
}

/// The elements of an input of four axes.
pub(super) struct View<'a, T> {
    pub elements: &'a [T],
    offset: usize,
    strides: [isize; 4],
}

impl<'a, T: Elem> View<'a, T> {
    /// `x` has four axes.
    pub fn of(x: &'a Tensor) -> Result<View<'a, T>> {
        let mut strides = [0; 4];
        strides.copy_from_slice(x.strides());
        Ok(View { elements: input("windows", x)?, offset: x.layout().offset(), strides })
    }

    pub fn place(&self, at: [usize; 4]) -> usize {
        let way: isize = at.iter().zip(self.strides).map(|(&i, stride)| i as isize * stride).sum();
        self.offset.wrapping_add_signed(way)
    }

    /// Reads every `step`-th element along the last axis.
    fn read(&self, at: [usize; 4], step: usize, to: &mut [T]) {
        let (start, stride) = (self.place(at), step as isize * self.strides[3]);
        match stride {
            1 => to.copy_from_slice(&self.elements[start..start + to.len()]),
            2.. => {
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

/// How the rows of an image are packed: plane by plane, channel by channel.
pub(super) struct Planes {
    pub channels: usize,
    pub lines: [Line; 2],
    /// How many rows of each plane are packed at a time.
    pub rows: usize,
}

impl Planes {
    /// From one row to the next.
    pub fn row(&self) -> usize {
        self.lines[1].length
    }

    /// From one plane to the next.
    fn plane(&self) -> usize {
        (self.rows * self.row()).next_multiple_of(VECTOR)
    }

    /// From one channel to the next.
    pub fn channel(&self) -> usize {
        self.lines[0].step * self.lines[1].step * self.plane()
    }

    /// All channels, and a vector that begins at the last element.
    pub fn len(&self) -> usize {
        self.channels * self.channel() + VECTOR
    }

    /// Where on the planes of a channel a place stands.
    pub fn tap(&self, plane: [usize; 2], place: [usize; 2]) -> usize {
        let plane = plane[0] * self.lines[1].step + plane[1];
        plane * self.plane() + place[0] * self.row() + place[1]
    }

    /// Packs the rows from `first` on of image `n`, with `outside` where there is no position.
    /// Between planes, and behind the last one, everything stays as it is.
    pub fn pack<T: Elem>(&self, x: &View<'_, T>, n: usize, first: usize, outside: T, to: &mut [T]) {
        let [up, across] = self.lines;
        for channel in 0..self.channels {
            for [a, b] in (0..up.step).flat_map(|a| (0..across.step).map(move |b| [a, b])) {
                let inside = across.inside(b);
                let start = channel * self.channel() + self.tap([a, b], [0, 0]);
                let rows = to[start..start + self.rows * self.row()].chunks_exact_mut(self.row());
                for (i, row) in rows.enumerate() {
                    let Some(position) = up.position(a, first + i).filter(|_| !inside.is_empty())
                    else {
                        row.fill(outside);
                        continue;
                    };
                    row[..inside.start].fill(outside);
                    row[inside.end..].fill(outside);
                    let begin = across.step * inside.start + b - across.padding;
                    let at = [n, channel, position, begin];
                    x.read(at, across.step, &mut row[inside.clone()]);
                }
            }
        }
    }
}
