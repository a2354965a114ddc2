//! Max pooling: the indices of the largest elements of sliding windows.

use std::cell::Cell;

use super::planes::{Axis, Planes, Strided4, VECTOR, fit};
use super::scratch::Scratch;
use super::simd::{Loop, vectorized};
use super::threads::parallel_chunks_mut;
use super::{CHUNK, output};
use crate::{DType, Error, Float, Result, Tensor, Window};

thread_local! {
    /// For a packed image.
    static PACKED: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// Max pooling with indices: the index, row by row in its image, of the first largest element of
/// each window over the last two axes; NaN counts as the largest.
///
/// The first window begins `padding` positions before each axis, and the last one, as the lengths
/// of `out` say, may end beyond it: what is not on the axes is no element.
///
/// # Errors
/// A window without elements; shapes or types that do not fit.
pub fn window_argmax(
    x: &Tensor,
    windows: [Window; 2],
    padding: [usize; 2],
    out: &mut Tensor,
) -> Result<()> {
    match x.dtype() {
        DType::F32 => typed::<f32>(x, windows, padding, out),
        DType::F64 => typed::<f64>(x, windows, padding, out),
        DType::I64 => typed::<f64>(&ranks(x)?, windows, padding, out),
    }
}

/// For each integer, how many other ones of the tensor are smaller: in the same order, and floats
/// without rounding.
fn ranks(x: &Tensor) -> Result<Tensor> {
    let elements = x.to_vec::<i64>()?;
    let mut sorted = elements.clone();
    sorted.sort_unstable();
    let rank = |x: &i64| sorted.partition_point(|other| other < x) as f64;
    Tensor::new(x.shape().clone(), elements.iter().map(rank).collect::<Vec<f64>>())
}

/// The first element of each window that is on the axis; `None` if a window has none.
fn first_elements(axis: Axis) -> Option<Vec<usize>> {
    let Axis { window: Window { size, stride, dilation }, padding, dim, windows } = axis;
    let first = |nth: usize| {
        let start = nth.checked_mul(stride)?;
        let k = padding.saturating_sub(start).div_ceil(dilation);
        let at = start.checked_add(k.checked_mul(dilation)?)? - padding;
        (k < size && at < dim).then_some(k)
    };
    if [size, stride, dilation].contains(&0) { None } else { (0..windows).map(first).collect() }
}

/// A float, and an integer of its size, so that both fill vectors of one width.
trait Numbered: Float {
    type Number: Copy + Default + Send + Sync + TryFrom<usize>;

    fn position(number: Self::Number) -> i64;
}

impl Numbered for f32 {
    type Number = u32;

    #[inline(always)]
    fn position(number: u32) -> i64 {
        i64::from(number)
    }
}

impl Numbered for f64 {
    type Number = u64;

    #[inline(always)]
    fn position(number: u64) -> i64 {
        number as i64
    }
}

fn typed<T: Numbered>(
    x: &Tensor,
    windows: [Window; 2],
    padding: [usize; 2],
    out: &mut Tensor,
) -> Result<()> {
    let (shape, counted) = (x.shape().clone(), out.shape().clone());
    let (Some((outer, dims)), Some((_, counts))) =
        (shape.split_last_chunk::<2>(), counted.split_last_chunk::<2>())
    else {
        let why = "the windows are over the last two axes";
        return Err(Error::Shape { operation: "window_argmax", left: shape, right: counted, why });
    };
    let axes = [0, 1].map(|i| Axis::new(windows[i], padding[i], dims[i], counts[i]));
    let too_large = || {
        let why = "the windows reach farther than memory";
        let (left, right) = (shape.clone(), counted.clone());
        Error::Shape { operation: "window_argmax", left, right, why }
    };
    if !fit(axes, 1) {
        return Err(too_large());
    }
    let out = output::<i64>("window_argmax", out, &[outer, counts].concat())?;
    let first = |axis: usize| {
        let Window { size, stride, dilation } = windows[axis];
        let (first, axis) = (first_elements(axes[axis]), outer.len() + axis);
        first.ok_or_else(|| Error::Window { size, stride, dilation, axis, shape: shape.clone() })
    };
    let [up_first, across_first] = [first(0)?, first(1)?];
    if out.is_empty() {
        return Ok(());
    }
    let images: usize = outer.iter().product();
    let x = x.reshape([images, 1, dims[0], dims[1]])?;
    let x = Strided4::<T>::of(&x)?;
    let phase_axes = axes.map(|axis| axis.phases(axis.windows + axis.reach()));
    let planes = Planes { channels: 1, axes: phase_axes, rows: phase_axes[0].length };
    if !planes.have_room::<T>() {
        return Err(too_large());
    }
    let [up, across] = axes;
    let row = planes.row();
    let columns = (up.windows - 1) * row + across.windows;
    // An element is so far behind the place where its window would begin, if nothing were outside.
    let behind = |[i, j]: [usize; 2]| {
        T::Number::try_from(i * up.window.dilation * across.dim + j * across.window.dilation)
            .map_err(|_| too_large())
    };
    let mut taps = Vec::with_capacity(up.window.size * across.window.size);
    for i in 0..up.window.size {
        for j in 0..across.window.size {
            let ((a, row), (b, column)) = (up.phase(i), across.phase(j));
            taps.push((planes.tap([a, b], [row, column]), behind([i, j])?));
        }
    }
    let mut first = vec![T::Number::default(); columns.next_multiple_of(VECTOR)];
    for (first, &i) in first.chunks_mut(row).zip(&up_first) {
        for (first, &j) in first.iter_mut().zip(&across_first) {
            *first = behind([i, j])?;
        }
    }
    let outside = (up.padding * across.dim + across.padding) as i64;
    let moved = [up.window.stride * across.dim, across.window.stride].map(|step| step as i64);
    let each = counts[0] * counts[1];
    let images_per_task = (CHUNK / 4 / (dims[0] * dims[1]).max(1)).max(1);
    parallel_chunks_mut(out, images_per_task * each, |task, out| {
        let mut packed = Scratch::filled(&PACKED, planes.len(), T::NEG_INFINITY);
        let packed = packed.elements();
        let mut which = first.clone();
        for (image, out) in out.chunks_exact_mut(each).enumerate() {
            planes.pack(&x, task * images_per_task + image, 0, T::NEG_INFINITY, packed);
            let (planes, taps, first, which) = (&*packed, &taps, &first, &mut which);
            vectorized(FirstLargest { planes, taps, first, which });
            let (which, windows) = (&*which, across.windows);
            vectorized(Positions::<T> { which, row, out, windows, outside, moved });
        }
    });
    Ok(())
}

/// For each column, where the first largest element of its window is in the window.
struct FirstLargest<'a, T: Numbered> {
    planes: &'a [T],
    taps: &'a [(usize, T::Number)],
    /// The first element of each window.
    first: &'a [T::Number],
    which: &'a mut [T::Number],
}

impl<T: Numbered> Loop for FirstLargest<'_, T> {
    #[inline(always)]
    fn run(self) {
        let first = self.first.as_chunks::<VECTOR>().0;
        let chunks = self.which.as_chunks_mut::<VECTOR>().0;
        for (chunk, (which, first)) in chunks.iter_mut().zip(first).enumerate() {
            let (mut largest, mut numbers) = ([T::NEG_INFINITY; VECTOR], *first);
            for &(tap, number) in self.taps {
                let x = &self.planes[tap + chunk * VECTOR..][..VECTOR];
                for ((largest, at), &x) in largest.iter_mut().zip(&mut numbers).zip(x) {
                    // Without a branch; a NaN is not below what it is compared with.
                    let stays = (x <= *largest) | largest.is_nan();
                    *largest = if stays { *largest } else { x };
                    *at = if stays { *at } else { number };
                }
            }
            *which = numbers;
        }
    }
}

/// Where those elements are in their image.
struct Positions<'a, T: Numbered> {
    which: &'a [T::Number],
    /// The stride from one row of them to the next.
    row: usize,
    out: &'a mut [i64],
    /// How many windows there are in a row.
    windows: usize,
    /// How far the first window begins before the image.
    outside: i64,
    /// How far a window begins behind the one above, and behind the one beside it.
    moved: [i64; 2],
}

impl<T: Numbered> Loop for Positions<'_, T> {
    #[inline(always)]
    fn run(self) {
        let [down, right] = self.moved;
        let rows = self.out.chunks_exact_mut(self.windows).zip(self.which.chunks(self.row));
        for ((out, which), nth) in rows.zip(0..) {
            let begin = nth * down - self.outside;
            for ((out, &which), column) in out.iter_mut().zip(which).zip(0..) {
                *out = begin + column * right + T::position(which);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(x: Tensor, window: Window, padding: usize, out: [usize; 2]) -> Result<Vec<f64>> {
        let mut indices = Tensor::zeros(out, DType::I64)?;
        window_argmax(&x, [window; 2], [padding; 2], &mut indices)?;
        Ok(indices.to_f64s())
    }

    #[test]
    fn the_first_largest_wins_and_nan_is_the_largest() {
        let window = Window { size: 2, stride: 2, dilation: 1 };
        let x = Tensor::from([[1.0, 3.0, f64::NAN, 9.0], [3.0, 2.0, 9.0, f64::NAN]]);
        assert_eq!(indices(x, window, 0, [1, 2]), Ok(vec![1.0, 2.0]));
        let none = Tensor::full([2, 2], f64::NEG_INFINITY, DType::F64).unwrap();
        assert_eq!(indices(none, window, 0, [1, 1]), Ok(vec![0.0]));
        let large = Tensor::from([[1_i64 << 60, (1 << 60) + 1], [(1 << 60) + 1, i64::MIN]]);
        assert_eq!(indices(large, window, 0, [1, 1]), Ok(vec![1.0]));
    }

    #[test]
    fn what_is_beside_the_axes_is_no_element() {
        let window = Window { size: 2, stride: 2, dilation: 1 };
        let x = Tensor::full([3, 3], -1.0, DType::F64).unwrap();
        assert_eq!(indices(x.clone(), window, 1, [2, 2]), Ok(vec![0.0, 1.0, 3.0, 4.0]));
        assert_eq!(indices(x.clone(), window, 0, [2, 2]), Ok(vec![0.0, 2.0, 6.0, 8.0]));
        assert!(indices(x, window, 0, [3, 3]).is_err());
    }

    #[test]
    fn a_single_window_may_have_any_stride() {
        let window = Window { size: 2, stride: usize::MAX, dilation: 1 };
        let x = Tensor::arange(9, DType::F64).unwrap().reshape([3, 3]).unwrap();
        assert_eq!(indices(x, window, 0, [1, 1]), Ok(vec![4.0]));
    }

    #[test]
    fn elements_of_a_window_may_lie_apart() {
        let window = Window { size: 2, stride: 1, dilation: 2 };
        let x = Tensor::arange(16, DType::F64).unwrap().reshape([4, 4]).unwrap();
        assert_eq!(indices(x.t().unwrap(), window, 0, [2, 2]), Ok(vec![10.0, 11.0, 14.0, 15.0]));
    }
}
