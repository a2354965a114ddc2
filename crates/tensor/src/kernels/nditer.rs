//! Iteration over several strided layouts of one shape together, in runs along the last axis, as
//! NumPy's `nditer` does with an external loop.

use smallvec::SmallVec;

use super::transpose::transpose;
use crate::{Elem, Layout};

/// How many elements of a strided operand are packed at a time.
pub(super) const TILE: usize = 1024;

/// Runs of so many elements take longer to find than to go over.
const SHORT: usize = 4;

/// Layouts of one shape, with their dimensions coalesced: axes of length 1 dropped, and neighbors
/// merged where every layout allows it.
pub(super) struct NdIter<const N: usize> {
    dims: SmallVec<[usize; 4]>,
    strides: SmallVec<[[isize; N]; 4]>,
    offsets: [isize; N],
}

impl<const N: usize> NdIter<N> {
    pub fn new(layouts: [&Layout; N]) -> NdIter<N> {
        let shape = layouts[0].shape();
        let mut dims: SmallVec<[usize; 4]> = SmallVec::new();
        let mut strides: SmallVec<[[isize; N]; 4]> = SmallVec::new();
        for (axis, &dim) in shape.iter().enumerate() {
            if dim == 1 {
                continue;
            }
            let step = layouts.map(|layout| layout.strides()[axis]);
            match (dims.last_mut(), strides.last_mut()) {
                // The axis before continues where this one ends: they coalesce.
                (Some(outer), Some(last)) if (0..N).all(|i| last[i] == step[i] * dim as isize) => {
                    *outer *= dim;
                    *last = step;
                }
                _ => {
                    dims.push(dim);
                    strides.push(step);
                }
            }
        }
        NdIter { dims, strides, offsets: layouts.map(|layout| layout.offset() as isize) }
    }

    /// With runs along the axis before the last one, where the last one is so short that its runs are
    /// no work: for those to whom the order of the elements is nothing.
    pub fn with_long_runs(mut self) -> NdIter<N> {
        if let [.., before, last] = self.dims[..]
            && last <= SHORT
            && before > last
        {
            let at = self.dims.len() - 1;
            self.dims.swap(at - 1, at);
            self.strides.swap(at - 1, at);
        }
        self
    }

    /// Calls `run` with the offsets of each run, its length, and the strides along it, in order.
    pub fn for_each_run(&self, mut run: impl FnMut([isize; N], usize, [isize; N])) {
        let Some((&len, outer)) = self.dims.split_last() else {
            return run(self.offsets, 1, [1; N]);
        };
        let (step, outer_steps) = (self.strides[outer.len()], &self.strides[..outer.len()]);
        if self.dims.contains(&0) {
            return;
        }
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, outer.len());
        let mut offsets = self.offsets;
        loop {
            run(offsets, len, step);
            // Counts up as an odometer does, from the last outer axis.
            let mut axis = outer.len();
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                index[axis] += 1;
                for i in 0..N {
                    offsets[i] += outer_steps[axis][i];
                }
                if index[axis] < outer[axis] {
                    break;
                }
                for i in 0..N {
                    offsets[i] -= outer_steps[axis][i] * outer[axis] as isize;
                }
                index[axis] = 0;
            }
        }
    }
}

/// `len` elements of a buffer from `offset` on, `stride` apart: borrowed if they are contiguous,
/// else packed into `scratch`.
#[inline]
pub(super) fn packed<'a, T: Elem>(
    buffer: &'a [T],
    offset: isize,
    stride: isize,
    len: usize,
    scratch: &'a mut [T; TILE],
) -> &'a [T] {
    if stride == 1 || len == 1 {
        return &buffer[offset as usize..offset as usize + len];
    }
    let scratch = &mut scratch[..len];
    if stride == 0 {
        scratch.fill(buffer[offset as usize]);
    } else {
        for (i, x) in scratch.iter_mut().enumerate() {
            *x = buffer[(offset + i as isize * stride) as usize];
        }
    }
    scratch
}

/// Packs elements of a layout, in order, from any one on.
pub(crate) struct Packer<'a, T> {
    buffer: &'a [T],
    walk: NdIter<1>,
}

impl<'a, T: Elem> Packer<'a, T> {
    pub fn new(buffer: &'a [T], layout: &Layout) -> Packer<'a, T> {
        Packer { buffer, walk: NdIter::new([layout]) }
    }

    /// How many rows are the columns of a row-major matrix: those of a packed transpose; 0 if none.
    pub fn transposed_rows(&self) -> usize {
        match (&self.walk.dims[..], &self.walk.strides[..]) {
            ([.., rows, _], [.., [1], [leading]]) if *leading > 1 => *rows,
            _ => 0,
        }
    }

    /// Whether rows are long enough, or many enough to be transposed, to find the start of each by
    /// divisions.
    pub fn has_long_rows(&self) -> bool {
        self.walk.dims.last().is_none_or(|&len| len >= 64) || self.transposed_rows() > 0
    }

    /// Fills `out` with the elements from number `from` on.
    pub fn pack(&self, from: usize, out: &mut [T]) {
        let (dims, strides) = (&self.walk.dims, &self.walk.strides);
        let Some((&len, outer)) = dims.split_last() else {
            return out.fill(self.buffer[self.walk.offsets[0] as usize]);
        };
        let stride = strides[outer.len()][0];
        let transposed = self.transposed_rows();
        let (mut row, mut column, mut done) = (from / len.max(1), from % len.max(1), 0);
        while done < out.len() {
            let mut offset = self.walk.offsets[0] + column as isize * stride;
            let mut rest = row;
            for (&dim, stride) in outer.iter().zip(strides).rev() {
                offset += (rest % dim) as isize * stride[0];
                rest /= dim;
            }
            let rows =
                transposed.saturating_sub(row % transposed.max(1)).min((out.len() - done) / len);
            if column == 0 && rows > 1 && stride as usize >= rows {
                let out = &mut out[done..done + rows * len];
                transpose(&self.buffer[offset as usize..], stride as usize, [len, rows], out);
                (row, done) = (row + rows, done + rows * len);
                continue;
            }
            let n = (len - column).min(out.len() - done);
            let out = &mut out[done..done + n];
            if stride == 1 {
                out.copy_from_slice(&self.buffer[offset as usize..offset as usize + n]);
            } else if stride == 0 {
                out.fill(self.buffer[offset as usize]);
            } else {
                for (i, x) in out.iter_mut().enumerate() {
                    *x = self.buffer[(offset + i as isize * stride) as usize];
                }
            }
            (row, column, done) = (row + 1, 0, done + n);
        }
    }
}
