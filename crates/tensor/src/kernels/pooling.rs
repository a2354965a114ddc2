//! Where windows have their largest elements.

use super::simd::{Loop, vectorised};
use super::threads::share_chunks;
use super::{PIECE, output, seen};
use crate::{DType, Error, Float, Result, Tensor, Window};

/// The place, among the elements of its plane row by row, of the first largest element of each
/// window over the last two axes; NaN counts as the largest.
///
/// The first window stands out in front of each axis by its padding, and the last one, as the
/// lengths of `out` say, may stand out behind it: what is not on the axes is no element.
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
        DType::F64 => typed::<f64>(x, windows, padding, out),
        _ => typed::<f32>(x, windows, padding, out),
    }
}

/// One axis with its windows.
struct Along {
    window: Window,
    padding: usize,
    extent: usize,
    /// The first position of each window.
    first: Vec<usize>,
}

impl Along {
    /// The windows whose element `k` is on the axis.
    fn having(&self, k: usize) -> std::ops::Range<usize> {
        let Window { stride, dilation, .. } = self.window;
        let from = |position: usize| {
            (position + self.padding).saturating_sub(k * dilation).div_ceil(stride)
        };
        from(0).min(self.first.len())..from(self.extent).min(self.first.len())
    }

    /// The position of element `k` of a window that has it.
    fn position(&self, place: usize, k: usize) -> usize {
        place * self.window.stride + k * self.window.dilation - self.padding
    }
}

fn typed<T: Float>(
    x: &Tensor,
    windows: [Window; 2],
    padding: [usize; 2],
    out: &mut Tensor,
) -> Result<()> {
    let (shape, counted) = (x.shape().clone(), out.shape().clone());
    let (Some((outer, plane)), Some((_, places))) =
        (shape.split_last_chunk::<2>(), counted.split_last_chunk::<2>())
    else {
        let why = "there are two axes of windows";
        return Err(Error::Shape { operation: "window_argmax", left: shape, right: counted, why });
    };
    let along = |axis: usize| {
        let Window { size, stride, dilation } = windows[axis];
        let (padding, extent) = (padding[axis], plane[axis]);
        let first = |place: usize| {
            let before = padding.saturating_sub(place * stride);
            let k = before.checked_div(dilation)? + usize::from(before % dilation > 0);
            let at = (place * stride + k * dilation).checked_sub(padding)?;
            (k < size && at < extent).then_some(at)
        };
        let first: Option<Vec<usize>> = (0..places[axis]).map(first).collect();
        let axis_of_x = outer.len() + axis;
        let empty =
            || Error::Window { size, stride, dilation, axis: axis_of_x, shape: shape.clone() };
        let window = Window { stride: stride.max(1), ..windows[axis] };
        first.map(|first| Along { window, padding, extent, first }).ok_or_else(empty)
    };
    let axes = [along(0)?, along(1)?];
    let elements = seen::<T>(x);
    let out = output::<i64>("window_argmax", out, &[outer, places].concat())?;
    let (area, each) = (plane[0] * plane[1], places[0] * places[1]);
    let planes = (PIECE / 4 / area.max(1)).max(1);
    share_chunks(out, planes * each, |piece, out| {
        let x = &elements[piece * planes * area..];
        vectorised(Planes { x, axes: &axes, out });
    });
    Ok(())
}

/// The places of the largest elements in the windows of some planes.
struct Planes<'a, T> {
    x: &'a [T],
    axes: &'a [Along; 2],
    out: &'a mut [i64],
}

impl<T: Float> Loop for Planes<'_, T> {
    #[inline(always)]
    fn run(self) {
        let [up, across] = self.axes;
        let (rows, columns) = (up.first.len(), across.first.len());
        let mut best = vec![T::ZERO; columns];
        for (n, out) in self.out.chunks_exact_mut(columns).enumerate() {
            let (plane, row) = (n / rows * up.extent * across.extent, n % rows);
            best.fill(T::NEG_INFINITY);
            for (out, &first) in out.iter_mut().zip(&across.first) {
                *out = (up.first[row] * across.extent + first) as i64;
            }
            for i in (0..up.window.size).filter(|&i| up.having(i).contains(&row)) {
                let line = up.position(row, i) * across.extent;
                for j in 0..across.window.size {
                    let having = across.having(j);
                    if having.is_empty() {
                        continue;
                    }
                    let at = line + across.position(having.start, j);
                    let (x, best) = (&self.x[plane + at..], &mut best[having.clone()]);
                    // The usual strides are known to the compiler.
                    match across.window.stride {
                        1 => keep_larger(x, 1, at, best, &mut out[having]),
                        2 => keep_larger(x, 2, at, best, &mut out[having]),
                        3 => keep_larger(x, 3, at, best, &mut out[having]),
                        stride => keep_larger(x, stride, at, best, &mut out[having]),
                    }
                }
            }
        }
    }
}

/// Takes every `stride`-th element of `x`, the first of which is at `at`, where it is larger.
#[inline(always)]
fn keep_larger<T: Float>(x: &[T], stride: usize, at: usize, best: &mut [T], places: &mut [i64]) {
    // Without branches, for vectors.
    let larger = |x: T, best: T| ((x > best) | x.is_nan()) & !best.is_nan();
    let last = best.len() - 1;
    let elements = x[..stride * last].chunks_exact(stride);
    let mut at = at as i64;
    for ((best, place), x) in best.iter_mut().zip(places.iter_mut()).zip(elements) {
        let better = larger(x[0], *best);
        *best = if better { x[0] } else { *best };
        *place = if better { at } else { *place };
        at += stride as i64;
    }
    if larger(x[stride * last], best[last]) {
        (best[last], places[last]) = (x[stride * last], at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(x: Tensor, window: Window, padding: usize, out: [usize; 2]) -> Result<Vec<f64>> {
        let mut places = Tensor::zeros(out, DType::I64)?;
        window_argmax(&x, [window; 2], [padding; 2], &mut places)?;
        Ok(places.to_f64s())
    }

    #[test]
    fn the_first_largest_wins_and_nan_is_the_largest() {
        let window = Window { size: 2, stride: 2, dilation: 1 };
        let x = Tensor::from([[1.0, 3.0, f64::NAN, 9.0], [3.0, 2.0, 9.0, f64::NAN]]);
        assert_eq!(places(x, window, 0, [1, 2]), Ok(vec![1.0, 2.0]));
        let none = Tensor::full([2, 2], f64::NEG_INFINITY, DType::F64).unwrap();
        assert_eq!(places(none, window, 0, [1, 1]), Ok(vec![0.0]));
    }

    #[test]
    fn what_is_beside_the_axes_is_no_element() {
        let window = Window { size: 2, stride: 2, dilation: 1 };
        let x = Tensor::full([3, 3], -1.0, DType::F64).unwrap();
        assert_eq!(places(x.clone(), window, 1, [2, 2]), Ok(vec![0.0, 1.0, 3.0, 4.0]));
        assert_eq!(places(x.clone(), window, 0, [2, 2]), Ok(vec![0.0, 2.0, 6.0, 8.0]));
        assert!(places(x, window, 0, [3, 3]).is_err());
    }

    #[test]
    fn elements_of_a_window_may_lie_apart() {
        let window = Window { size: 2, stride: 1, dilation: 2 };
        let x = Tensor::arange(16, DType::F64).reshape([4, 4]).unwrap();
        assert_eq!(places(x.t().unwrap(), window, 0, [2, 2]), Ok(vec![10.0, 11.0, 14.0, 15.0]));
    }
}
