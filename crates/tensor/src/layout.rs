//! Layouts: which element of a buffer is at which index of a tensor.

use smallvec::SmallVec;

use crate::shape::{checked_len, each_axis};
use crate::{Dims, Error, Result, Shape};

/// Steps in the buffer from one index of an axis to the next.
pub(crate) type Strides = SmallVec<[isize; 4]>;

/// Shape, strides and offset. Element `[i, j, …]` is at `offset + i·strides[0] + j·strides[1] + …`.
///
/// A layout by itself is a description, of no memory and so of any size: its arithmetic wraps.
/// What reads memory is a [`Tensor`](crate::Tensor), and
/// [`with_layout`](crate::Tensor::with_layout) takes a layout only if its shape has addresses and
/// all of its elements lie in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    shape: Shape,
    strides: Strides,
    offset: usize,
}

impl Clone for Layout {
    #[inline]
    fn clone(&self) -> Layout {
        let (shape, strides) = (self.shape.clone(), each_axis(&self.strides));
        Layout { shape, strides, offset: self.offset }
    }
}

/// Indices of an axis: `start`, `start + step`, … , `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// The first index.
    pub start: usize,
    /// How many indices.
    pub len: usize,
    /// From one index to the next; negative goes backwards.
    pub step: isize,
}

impl Slice {
    /// Every index of an axis.
    pub fn all(dim: usize) -> Slice {
        Slice { start: 0, len: dim, step: 1 }
    }

    /// The indices from `start` up to, and without, `end`.
    pub fn range(start: usize, end: usize) -> Slice {
        Slice { start, len: end.saturating_sub(start), step: 1 }
    }

    /// Python's `start:stop:step`: `None` is an open end, negative counts from the end, and ends
    /// beyond the axis are clamped. `None` for a step of 0.
    pub fn resolve(
        start: Option<isize>,
        stop: Option<isize>,
        step: isize,
        dim: usize,
    ) -> Option<Slice> {
        let n = isize::try_from(dim).unwrap_or(isize::MAX);
        // Backwards, a range may end just before index 0.
        let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
        let index = |at: isize| (if at < 0 { at.saturating_add(n) } else { at }).clamp(low, high);
        let start = start.map_or(if step > 0 { low } else { high }, index);
        let stop = stop.map_or(if step > 0 { high } else { low }, index);
        // How far it is from the start to the end, in the direction of the step.
        let distance = match step {
            0 => return None,
            1.. => stop - start,
            _ => start - stop,
        };
        match distance {
            1.. => {
                let len = (distance as usize - 1) / step.unsigned_abs() + 1;
                Some(Slice { start: start as usize, len, step })
            }
            _ => Some(Slice { start: 0, len: 0, step }),
        }
    }

    /// Whether all indices are in range on an axis of this length.
    pub fn fits(self, dim: usize) -> bool {
        let Some(steps) = self.len.checked_sub(1) else { return self.start <= dim };
        let distance = isize::try_from(steps).ok().and_then(|steps| steps.checked_mul(self.step));
        let last = distance.and_then(|distance| self.start.checked_add_signed(distance));
        self.step != 0 && self.start < dim && last.is_some_and(|last| last < dim)
    }
}

/// Sliding windows along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The elements of a window.
    pub size: usize,
    /// From one window to the next.
    pub stride: usize,
    /// From one element of a window to the next.
    pub dilation: usize,
}

impl Window {
    /// How many windows fit on an axis; `None` if not even one, or a number is 0.
    pub fn count(self, dim: usize) -> Option<usize> {
        let reach = self.size.checked_sub(1)?.checked_mul(self.dilation)?.checked_add(1)?;
        let room = dim.checked_sub(reach)?;
        (self.stride > 0 && self.dilation > 0).then(|| room / self.stride + 1)
    }
}

impl Layout {
    /// The row-major layout of a whole buffer: the last axis varies fastest.
    #[inline]
    pub fn contiguous(shape: impl Into<Shape>) -> Layout {
        let shape = shape.into();
        let mut strides: Strides = SmallVec::from_elem(0, shape.rank());
        let mut step: usize = 1;
        for (stride, &dim) in strides.iter_mut().zip(shape.iter()).rev() {
            *stride = step as isize;
            // Wraps for a shape that no tensor has.
            step = step.wrapping_mul(dim.max(1));
        }
        Layout { shape, strides, offset: 0 }
    }

    /// The layout of a tensor all of whose elements are the one element of its buffer: strides are 0.
    pub(crate) fn repeated(shape: Shape) -> Layout {
        let strides = SmallVec::from_elem(0, shape.rank());
        Layout { shape, strides, offset: 0 }
    }

    /// The lengths of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The strides, in elements.
    #[inline]
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The offset of the first element in the buffer.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The number of elements.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "as for Shape")]
    pub fn len(&self) -> usize {
        self.shape.numel()
    }

    /// Whether the elements are contiguous in row-major order. Strides of axes of length 1 do not
    /// matter.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1;
        for (&stride, &dim) in self.strides.iter().zip(self.shape.iter()).rev() {
            if dim != 1 {
                if stride != step {
                    return self.len() == 0;
                }
                // Wraps for a shape that no tensor has.
                step = step.wrapping_mul(dim as isize);
            }
        }
        true
    }

    /// Whether the shape has addresses, and every element is in bounds of a buffer of `len`
    /// elements.
    pub(crate) fn fits(&self, len: usize) -> bool {
        match checked_len(&self.shape) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        let (mut low, mut high) = (self.offset, self.offset);
        for (&stride, &dim) in self.strides.iter().zip(self.shape.iter()) {
            // Unsigned, since a length beyond the signed integers would turn its sign.
            let distance = stride.unsigned_abs().checked_mul(dim - 1);
            let end = if stride < 0 { &mut low } else { &mut high };
            let moved = distance.and_then(|distance| match stride {
                ..0 => end.checked_sub(distance),
                _ => end.checked_add(distance),
            });
            match moved {
                Some(moved) => *end = moved,
                None => return false,
            }
        }
        high < len
    }

    fn axis(&self, operation: &'static str, axis: isize) -> Result<usize> {
        let error = || Error::Axis { operation, axis, shape: self.shape.clone() };
        self.shape.axis(axis).ok_or_else(error)
    }

    fn of(&self, dims: Dims, strides: Strides) -> Layout {
        Layout { shape: Shape::from(dims), strides, offset: self.offset }
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]`.
    pub fn permute(&self, axes: &[isize]) -> Result<Layout> {
        let error = || Error::Permutation { axes: axes.to_vec(), shape: self.shape.clone() };
        let order: Option<Dims> = axes.iter().map(|&axis| self.shape.axis(axis)).collect();
        let order = order.ok_or_else(error)?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.shape.rank()) {
            return Err(error());
        }
        let dims = order.iter().map(|&axis| self.shape[axis]).collect();
        Ok(self.of(dims, order.iter().map(|&axis| self.strides[axis]).collect()))
    }

    /// Two axes exchanged.
    pub fn transpose(&self, a: isize, b: isize) -> Result<Layout> {
        let (a, b) = (self.axis("transpose", a)?, self.axis("transpose", b)?);
        let mut dims: Dims = self.shape.iter().copied().collect();
        let mut strides = self.strides.clone();
        dims.swap(a, b);
        strides.swap(a, b);
        Ok(self.of(dims, strides))
    }

    /// A slice of each of the leading axes.
    pub fn slice(&self, slices: &[Slice]) -> Result<Layout> {
        let mut layout = self.clone();
        if slices.len() > self.shape.rank() {
            let (given, shape) = (slices.len(), self.shape.clone());
            return Err(Error::PerAxis { operation: "slices", what: "slices", given, shape });
        }
        let mut dims: Dims = self.shape.iter().copied().collect();
        for (axis, &slice) in slices.iter().enumerate() {
            if !slice.fits(dims[axis]) {
                let Slice { start, len, step } = slice;
                return Err(Error::Slice { start, len, step, axis, shape: self.shape.clone() });
            }
            // Nobody reads an empty tensor, wherever a slice of it starts.
            if slice.len > 0 && self.len() > 0 {
                let distance = (slice.start as isize).wrapping_mul(self.strides[axis]);
                layout.offset = layout.offset.wrapping_add_signed(distance);
            }
            // Without a second index to step to, the step may be any number.
            if slice.len > 1 {
                layout.strides[axis] = layout.strides[axis].wrapping_mul(slice.step);
            }
            dims[axis] = slice.len;
        }
        layout.shape = Shape::from(dims);
        Ok(layout)
    }

    /// Broadcasts to `shape`: repeats axes of length 1, and adds axes in front, with stride 0.
    pub fn expand(&self, shape: &Shape) -> Result<Layout> {
        let error = || Error::Shape {
            operation: "expand",
            left: self.shape.clone(),
            right: shape.clone(),
            why: "only axes of length 1 are repeated",
        };
        let added = shape.rank().checked_sub(self.shape.rank()).ok_or_else(error)?;
        checked_len(shape)?;
        let mut strides: Strides = SmallVec::from_elem(0, shape.rank());
        for (axis, (&dim, &stride)) in self.shape.iter().zip(&self.strides).enumerate() {
            match (dim, shape[axis + added]) {
                (from, to) if from == to => strides[axis + added] = stride,
                (1, _) => {}
                _ => return Err(error()),
            }
        }
        Ok(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// The same elements in another shape; `None` if no strides give that view.
    pub fn reshape(&self, shape: &Shape) -> Option<Layout> {
        if checked_len(shape) != Ok(self.len()) {
            return None;
        }
        if self.is_contiguous() || self.len() == 0 {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape.clone()) });
        }
        // Match groups of old axes with groups of new axes of as many elements, from the end. An
        // old group has to be contiguous in itself.
        let mut strides: Strides = SmallVec::from_elem(0, shape.rank());
        let mut old = (0..self.shape.rank()).rev().filter(|&axis| self.shape[axis] != 1).peekable();
        let mut new = (0..shape.rank()).rev().peekable();
        while let Some(first) = old.next() {
            let mut elements = self.shape[first];
            let mut reached = 1;
            let mut last = first;
            let step = self.strides[first];
            loop {
                if reached == elements && new.peek().is_none_or(|&axis| shape[axis] != 1) {
                    break;
                }
                match new.next() {
                    Some(axis) => {
                        strides[axis] = step.wrapping_mul(reached as isize);
                        reached *= shape[axis];
                    }
                    None => return None,
                }
                while elements < reached {
                    let next = old.next()?;
                    let outer = self.strides[last].wrapping_mul(self.shape[last] as isize);
                    if self.strides[next] != outer {
                        return None;
                    }
                    elements *= self.shape[next];
                    last = next;
                }
                if !elements.is_multiple_of(reached) {
                    return None;
                }
            }
        }
        Some(Layout { shape: shape.clone(), strides, offset: self.offset })
    }

    /// Without an axis of length 1.
    pub fn squeeze(&self, axis: isize) -> Result<Layout> {
        let at = self.axis("squeeze", axis)?;
        if self.shape[at] != 1 {
            let mut right: Dims = self.shape.iter().copied().collect();
            right[at] = 1;
            let (operation, left, right) = ("squeeze", self.shape.clone(), Shape::from(right));
            return Err(Error::Shape { operation, left, right, why: "the axis has not length 1" });
        }
        let mut dims: Dims = self.shape.iter().copied().collect();
        let mut strides = self.strides.clone();
        dims.remove(at);
        strides.remove(at);
        Ok(self.of(dims, strides))
    }

    /// With a new axis of length 1 at `axis` of the result.
    pub fn unsqueeze(&self, axis: isize) -> Result<Layout> {
        let rank = self.shape.rank() as isize;
        if !(-rank - 1..=rank).contains(&axis) {
            let (operation, shape) = ("unsqueeze", self.shape.clone());
            return Err(Error::Axis { operation, axis, shape });
        }
        let at = axis.rem_euclid(rank + 1) as usize;
        let mut dims: Dims = self.shape.iter().copied().collect();
        let mut strides = self.strides.clone();
        dims.insert(at, 1);
        strides.insert(at, 1);
        Ok(self.of(dims, strides))
    }

    /// The diagonal of two axes, which are dropped for one new axis at the end.
    pub fn diagonal(&self, a: isize, b: isize) -> Result<Layout> {
        let (i, j) = (self.axis("diagonal", a)?, self.axis("diagonal", b)?);
        if i == j {
            return Err(Error::Permutation { axes: vec![a, b], shape: self.shape.clone() });
        }
        let kept = || (0..self.shape.rank()).filter(|&axis| axis != i && axis != j);
        let mut dims: Dims = kept().map(|axis| self.shape[axis]).collect();
        let mut strides: Strides = kept().map(|axis| self.strides[axis]).collect();
        dims.push(self.shape[i].min(self.shape[j]));
        strides.push(self.strides[i].wrapping_add(self.strides[j]));
        Ok(self.of(dims, strides))
    }

    /// Sliding windows along an axis: it counts the windows, and their elements come last.
    pub fn windows(&self, axis: isize, window: Window) -> Result<Layout> {
        let at = self.axis("windows", axis)?;
        let Window { size, stride, dilation } = window;
        let count = window.count(self.shape[at]).ok_or_else(|| Error::Window {
            size,
            stride,
            dilation,
            axis: at,
            shape: self.shape.clone(),
        })?;
        let mut dims: Dims = self.shape.iter().copied().collect();
        let mut strides = self.strides.clone();
        dims[at] = count;
        dims.push(size);
        // Without a second element, or a second window, the number may be any.
        let step = |many: bool, by: usize| {
            if many { self.strides[at].wrapping_mul(by as isize) } else { self.strides[at] }
        };
        strides.push(step(size > 1, dilation));
        strides[at] = step(count > 1, stride);
        let layout = self.of(dims, strides);
        // Windows that overlap repeat elements.
        checked_len(&layout.shape)?;
        Ok(layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_resolve_as_in_python() {
        let resolve = |start, stop, step| Slice::resolve(start, stop, step, 5).unwrap();
        assert_eq!(resolve(Some(1), Some(-1), 1), Slice { start: 1, len: 3, step: 1 });
        assert_eq!(resolve(None, None, -1), Slice { start: 4, len: 5, step: -1 });
        assert_eq!(resolve(None, None, 2), Slice { start: 0, len: 3, step: 2 });
        assert_eq!(resolve(Some(-100), Some(100), 3), Slice { start: 0, len: 2, step: 3 });
        assert_eq!(resolve(Some(4), Some(1), -2), Slice { start: 4, len: 2, step: -2 });
        assert_eq!(resolve(Some(3), Some(1), 1).len, 0);
        assert_eq!(Slice::resolve(None, None, 0, 5), None);
    }

    #[test]
    fn windows_count_only_whole_windows() {
        let window = Window { size: 3, stride: 2, dilation: 2 };
        assert_eq!(window.count(4), None);
        assert_eq!(window.count(5), Some(1));
        assert_eq!(window.count(8), Some(2));
        assert_eq!(Window { size: 1, stride: 0, dilation: 1 }.count(5), None);
    }

    #[test]
    fn a_reshape_of_a_transpose_needs_a_copy_but_a_split_of_an_axis_does_not() {
        let layout = Layout::contiguous([4, 6]).transpose(0, 1).unwrap();
        assert_eq!(layout.reshape(&Shape::from([24])), None);
        let split = layout.reshape(&Shape::from([2, 3, 1, 4])).unwrap();
        assert_eq!(split.strides()[..2], [3, 1]);
        assert_eq!(split.strides()[3], 6);
    }
}
