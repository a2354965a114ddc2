//! Adaptive windows: so many along an axis, side by side or overlapping, of lengths that differ by one
//! at most.

use super::accumulate::Accumulate;
use super::simd::dispatch;
use super::threads::parallel_chunks_mut;
use super::{CHUNK, borrowed, is_nan, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{Elem, Error, Result, Tensor};
use std::ops::Range;

/// Adaptive windows along an axis: window `i` reaches from `⌊i·length/count⌋` to, and without,
/// `⌈(i + 1)·length/count⌉`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AdaptiveWindows {
    /// The length of the axis.
    pub length: usize,
    /// How many windows there are.
    pub count: usize,
}

impl AdaptiveWindows {
    /// What window `i` reads.
    pub fn window(self, i: usize) -> Range<usize> {
        let at = |i: usize| i as u128 * self.length as u128;
        let count = self.count as u128;
        (at(i) / count) as usize..at(i + 1).div_ceil(count) as usize
    }

    /// The windows that read position `at`.
    fn readers(self, at: usize) -> Range<usize> {
        // Window i reads it if i·length < (at + 1)·count and (i + 1)·length > at·count.
        let of = |at: usize| at as u128 * self.count as u128;
        let length = self.length as u128;
        (of(at) / length) as usize..of(at + 1).div_ceil(length) as usize
    }
}

/// The sum of each window along an axis, which has the length of their count in `out`.
///
/// # Errors
/// Shapes or types that do not fit.
pub fn adaptive_sum(
    x: &Tensor,
    axis: usize,
    windows: AdaptiveWindows,
    out: &mut Tensor,
) -> Result<()> {
    sums("adaptive_sum", x, axis, [windows.length, windows.count], |i| windows.window(i), out)
}

/// The transpose of [`adaptive_sum`]: at each position, the sum over the windows that read it.
///
/// # Errors
/// Shapes or types that do not fit.
pub fn adaptive_spread(
    x: &Tensor,
    axis: usize,
    windows: AdaptiveWindows,
    out: &mut Tensor,
) -> Result<()> {
    sums("adaptive_spread", x, axis, [windows.count, windows.length], |i| windows.readers(i), out)
}

/// Sums of ranges along an axis, of which there are so many before and after.
fn sums(
    operation: &'static str,
    x: &Tensor,
    axis: usize,
    [from, to]: [usize; 2],
    range: impl Fn(usize) -> Range<usize>,
    out: &mut Tensor,
) -> Result<()> {
    let [_, dim, inner] = outer_dim_inner(operation, x.shape(), axis)?;
    let mut expected = x.shape().to_vec();
    expected[axis] = to;
    if dim != from {
        let (left, right) = (x.shape().clone(), expected.into());
        let why = "the windows are of an axis of another length";
        return Err(Error::Shape { operation, left, right, why });
    }
    with_elem!(out.dtype(), T => {
        let out = output::<T>(operation, out, &expected)?;
        if out.is_empty() {
            return Ok(());
        }
        let x = borrowed::<T>(x);
        let ranges: Vec<Range<usize>> = (0..to).map(range).collect();
        let slabs = (CHUNK / (dim * inner).max(1)).max(1);
        parallel_chunks_mut(out, slabs * to * inner, |task, out| {
            let first = task * slabs;
            if inner == 1 {
                let ends = x[first * dim..].chunks_exact(dim).zip(out.chunks_exact_mut(to));
                return ends.for_each(|(x, out)| sum_line(x, &ranges, out));
            }
            let mut totals = vec![T::NOTHING; inner];
            let slab_rows = out.chunks_exact_mut(inner).zip(ranges.iter().cycle()).enumerate();
            for (row, (out, range)) in slab_rows {
                let slab = (first + row / to) * dim;
                totals.fill(T::NOTHING);
                let rows = &x[(slab + range.start) * inner..(slab + range.end) * inner];
                sum_rows(rows, &mut totals, out);
            }
        });
        Ok(())
    })
}

/// The sum of each range of a line.
fn sum_line<T: Elem>(x: &[T], ranges: &[Range<usize>], out: &mut [T]) {
    for (y, range) in out.iter_mut().zip(ranges) {
        *y = T::rounded(x[range.clone()].iter().copied().fold(T::NOTHING, T::added));
    }
}

/// The sum of rows, as long as the totals, which are 0 before.
fn sum_rows<T: Elem>(rows: &[T], totals: &mut [T::Total], out: &mut [T]) {
    #[inline(always)]
    fn plain<T: Elem>(rows: &[T], totals: &mut [T::Total], out: &mut [T]) {
        for row in rows.chunks_exact(out.len()) {
            for (total, &x) in totals.iter_mut().zip(row) {
                *total = T::added(*total, x);
            }
        }
        for (y, &total) in out.iter_mut().zip(totals.iter()) {
            *y = T::rounded(total);
        }
    }
    dispatch!(<T: Elem> (rows: &[T], totals: &mut [T::Total], out: &mut [T]) {
        plain::<T>(rows, totals, out)
    })
}

/// The index, row by row in its plane, of the first largest element of each window over the last two
/// axes; NaN counts as the largest.
///
/// # Errors
/// Shapes or types that do not fit.
pub fn adaptive_argmax(x: &Tensor, windows: [AdaptiveWindows; 2], out: &mut Tensor) -> Result<()> {
    let [up, across] = windows;
    let mismatch = |out: &Tensor| {
        let (left, right) = (x.shape().clone(), out.shape().clone());
        let why = "the windows are over the last two axes, of other lengths";
        Error::Shape { operation: "adaptive_argmax", left, right, why }
    };
    let Some((outer, &[height, width])) = x.shape().split_last_chunk::<2>() else {
        return Err(mismatch(out));
    };
    if [height, width] != [up.length, across.length] || height * width == 0 {
        return Err(mismatch(out));
    }
    let expected = [outer, &[up.count, across.count]].concat();
    let out = output::<i64>("adaptive_argmax", out, &expected)?;
    if out.is_empty() {
        return Ok(());
    }
    let [rows, columns] =
        windows.map(|axis| (0..axis.count).map(|i| axis.window(i)).collect::<Vec<_>>());
    with_elem!(x.dtype(), T => {
        let x = borrowed::<T>(x);
        let planes = (CHUNK / (height * width)).max(1);
        let each = rows.len() * columns.len();
        parallel_chunks_mut(out, planes * each, |task, out| {
            for (plane, out) in out.chunks_exact_mut(each).enumerate() {
                let x = &x[(task * planes + plane) * height * width..][..height * width];
                let windows = rows.iter().flat_map(|i| columns.iter().map(move |j| (i, j)));
                for (y, (i, j)) in out.iter_mut().zip(windows) {
                    *y = first_largest(x, width, i.clone(), j.clone()) as i64;
                }
            }
        });
        Ok(())
    })
}

/// The index of the first largest element of a window of a plane.
#[inline]
fn first_largest<T: Elem>(x: &[T], width: usize, i: Range<usize>, j: Range<usize>) -> usize {
    let mut best = i.start * width + j.start;
    let mut largest = x[best];
    for row in i {
        let start = row * width;
        for (at, &x) in x[start + j.start..start + j.end].iter().enumerate() {
            if x > largest || (is_nan(x) && !is_nan(largest)) {
                (best, largest) = (start + j.start + at, x);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn readers_are_the_windows_that_read() {
        for (length, count) in [(7, 3), (3, 7), (32, 7), (5, 5), (1, 4), (6, 2)] {
            let windows = AdaptiveWindows { length, count };
            for at in 0..length {
                let reading: Vec<usize> =
                    (0..count).filter(|&i| windows.window(i).contains(&at)).collect();
                assert_eq!(windows.readers(at).collect::<Vec<_>>(), reading);
            }
        }
    }

    #[test]
    fn sums_and_what_is_spread_have_the_same_products() {
        let windows = AdaptiveWindows { length: 5, count: 3 };
        let x = Tensor::arange(20, DType::F64).unwrap().reshape([2, 5, 2]).unwrap();
        let g = Tensor::arange(12, DType::F64).unwrap().reshape([2, 3, 2]).unwrap();
        let mut sums = Tensor::zeros([2, 3, 2], DType::F64).unwrap();
        adaptive_sum(&x, 1, windows, &mut sums).unwrap();
        assert_eq!(sums.to_f64s()[..6], [2.0, 4.0, 12.0, 15.0, 14.0, 16.0]);
        let mut spread = Tensor::zeros([2, 5, 2], DType::F64).unwrap();
        adaptive_spread(&g, 1, windows, &mut spread).unwrap();
        let dot = |a: &Tensor, b: &Tensor| -> f64 {
            a.to_f64s().iter().zip(b.to_f64s()).map(|(a, b)| a * b).sum()
        };
        assert_eq!(dot(&sums, &g), dot(&x, &spread));
    }

    #[test]
    fn the_first_largest_is_found_and_nan_is_larger() {
        let x = Tensor::from([[1.0, 3.0, 3.0], [3.0, f64::NAN, 0.0]]);
        let windows = [(2, 1), (3, 2)].map(|(length, count)| AdaptiveWindows { length, count });
        let mut out = Tensor::zeros([1, 2], DType::I64).unwrap();
        adaptive_argmax(&x, windows, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [4.0, 4.0]);
        let x = Tensor::from([[1.0, 3.0, 3.0], [3.0, 2.0, 0.0]]);
        adaptive_argmax(&x, windows, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [1.0, 1.0]);
    }
}
