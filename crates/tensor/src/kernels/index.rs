//! Reading and writing at places that are data.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::threads::try_share_chunks;
use super::{PIECE, copied, input, output, seen};
use crate::tensor::with_elem;
use crate::{DType, Elem, Error, Float, Layout, Result, Shape, Tensor};

/// The indices, row by row.
fn indices<'a>(operation: &'static str, index: &'a Tensor) -> Result<Cow<'a, [i64]>> {
    if index.dtype() != DType::I64 {
        let (given, expected) = (index.dtype(), DType::I64);
        return Err(Error::DType { operation, given, expected });
    }
    Ok(seen(index))
}

/// An index as a place on an axis; `n` is where it stands among the indices of `shape`.
#[inline]
fn place(operation: &'static str, i: i64, extent: usize, n: usize, shape: &Shape) -> Result<usize> {
    match usize::try_from(i) {
        Ok(place) if place < extent => Ok(place),
        _ => {
            let position = shape.unravel_index(n);
            Err(Error::Index { operation, index: i, extent, position })
        }
    }
}

/// The lengths of the axes before, at, and after `axis`, multiplied up.
fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    let product = |dims: Option<&[usize]>| dims.unwrap_or(&[]).iter().product::<usize>();
    [
        product(shape.get(..axis)),
        shape.get(axis).copied().unwrap_or(1),
        product(shape.get(axis + 1..)),
    ]
}

/// How many elements at places that are data make a piece.
const PLACES: usize = PIECE / 8;

/// `y[i, j] = x[i, index[i, j]]` for axis 1, and so on. The index has as many axes as `x`; other
/// axes of it may be shorter. `out` has the shape of the index.
pub fn gather(x: &Tensor, axis: usize, index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("gather", index)?;
    let extent = x.shape().get(axis).copied().unwrap_or(0);
    let places = Places::new("gather", x.shape(), index.shape(), axis)?;
    with_elem!(out.dtype(), T => {
        let buffer = input::<T>("gather", x)?;
        let out = output::<T>("gather", out, index.shape())?;
        let rows = (PLACES / places.row().max(1)).max(1);
        try_share_chunks(out, rows * places.row(), |piece, out| {
            for (row, out) in out.chunks_mut(places.row()).enumerate() {
                let row = piece * rows + row;
                let (mut from, [step, stride]) = places.of(x.layout(), row);
                for (n, out) in (row * places.row()..).zip(out) {
                    let i = place("gather", at[n], extent, n, index.shape())?;
                    *out = buffer[(from + i as isize * stride) as usize];
                    from += step;
                }
            }
            Ok(())
        })
    })
}

/// The transpose of [`gather`]: `out` is 0, then `out[i, index[i, j]] += source[i, j]` for axis 1.
pub fn scatter_add(source: &Tensor, axis: usize, index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("scatter_add", index)?;
    let shape = out.shape().clone();
    let extent = shape.get(axis).copied().unwrap_or(0);
    let places = Places::new("scatter_add", &shape, index.shape(), axis)?;
    if source.shape() != index.shape() {
        let (left, right) = (source.shape().clone(), index.shape().clone());
        let why = "there is one index for each element of the source";
        return Err(Error::Shape { operation: "scatter_add", left, right, why });
    }
    with_elem!(out.dtype(), T => {
        input::<T>("scatter_add", source)?;
        let source = seen::<T>(source);
        if let (Some(&i), 0) = (at.first(), extent) {
            place("scatter_add", i, extent, 0, index.shape())?;
        }
        let layout = Layout::contiguous(shape.clone());
        let out = output::<T>("scatter_add", out, &shape)?;
        // Rows of the index that add to rows of their own can be shared among threads.
        let apart = axis + 1 == shape.rank() && shape[..axis] == index.shape()[..axis];
        let all = places.rows();
        let rows = if apart { (PLACES / places.row().max(1)).max(1) } else { all };
        let chunk = if apart { rows * extent } else { out.len() };
        try_share_chunks(out, chunk, |piece, out| {
            out.fill(T::ZERO);
            for row in piece * rows..all.min((piece + 1) * rows) {
                let (mut to, [step, stride]) = places.of(&layout, row);
                to -= (piece * chunk) as isize;
                for n in row * places.row()..(row + 1) * places.row() {
                    let i = place("scatter_add", at[n], extent, n, index.shape())?;
                    let sum = &mut out[(to + i as isize * stride) as usize];
                    *sum = sum.plus(source[n]);
                    to += step;
                }
            }
            Ok(())
        })
    })
}

/// The places of an index among the other axes of what it indexes.
struct Places {
    dims: Vec<usize>,
    axis: usize,
}

impl Places {
    fn new(operation: &'static str, x: &Shape, index: &Shape, axis: usize) -> Result<Places> {
        let fits = axis < x.rank()
            && x.rank() == index.rank()
            && (0..x.rank()).all(|other| other == axis || index[other] <= x[other]);
        if !fits {
            let (left, right) = (x.clone(), index.clone());
            let why = "the index has as many axes, and none but its own is longer";
            return Err(Error::Shape { operation, left, right, why });
        }
        Ok(Places { dims: index.to_vec(), axis })
    }

    /// How many indices there are along the last axis.
    fn row(&self) -> usize {
        self.dims.last().copied().unwrap_or(1)
    }

    fn rows(&self) -> usize {
        self.dims[..self.dims.len() - 1].iter().product()
    }

    /// For a row of the index: the place in the buffer of the element with index 0, and the
    /// strides from that of one element of the row to that of the next, and from index to index.
    fn of(&self, layout: &Layout, row: usize) -> (isize, [isize; 2]) {
        let strides = layout.strides();
        let last = self.dims.len() - 1;
        let (mut base, mut rest) = (layout.offset() as isize, row);
        for axis in (0..last).rev() {
            if axis != self.axis {
                base += (rest % self.dims[axis]) as isize * strides[axis];
            }
            rest /= self.dims[axis];
        }
        let step = if self.axis == last { 0 } else { strides[last] };
        (base, [step, strides[self.axis]])
    }
}

/// Whole slices at places along an axis: the axes of the index take its place in `out`.
pub fn index_select(x: &Tensor, axis: usize, index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("index_select", index)?;
    let [outer, extent, inner] = around(x.shape(), axis);
    let expected = selected(x.shape(), axis, index.shape());
    with_elem!(out.dtype(), T => {
        input::<T>("index_select", x)?;
        let x = x.contiguous();
        let Some(x) = x.as_slice::<T>() else { return Ok(()) };
        let out = output::<T>("index_select", out, &expected)?;
        for slab in 0..outer {
            for (n, &i) in at.iter().enumerate() {
                let i = place("index_select", i, extent, n, index.shape())?;
                let (to, from) = ((slab * at.len() + n) * inner, (slab * extent + i) * inner);
                out[to..to + inner].copy_from_slice(&x[from..from + inner]);
            }
        }
        Ok(())
    })
}

/// The transpose of [`index_select`]: `out` is 0, then each slice of `source` is added at its
/// place along the axis.
pub fn index_add(source: &Tensor, axis: usize, index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("index_add", index)?;
    let shape = out.shape().clone();
    let [outer, extent, inner] = around(&shape, axis);
    if source.shape()[..] != selected(&shape, axis, index.shape()) {
        let (left, right) = (source.shape().clone(), shape);
        let why = "the source has the axes of the index in place of the axis";
        return Err(Error::Shape { operation: "index_add", left, right, why });
    }
    with_elem!(out.dtype(), T => {
        input::<T>("index_add", source)?;
        let source = source.contiguous();
        let Some(source) = source.as_slice::<T>() else { return Ok(()) };
        let out = output::<T>("index_add", out, &shape)?;
        out.fill(T::ZERO);
        for slab in 0..outer {
            for (n, &i) in at.iter().enumerate() {
                let i = place("index_add", i, extent, n, index.shape())?;
                let (from, to) = ((slab * at.len() + n) * inner, (slab * extent + i) * inner);
                for (y, &x) in out[to..to + inner].iter_mut().zip(&source[from..from + inner]) {
                    *y = y.plus(x);
                }
            }
        }
        Ok(())
    })
}

fn selected(shape: &Shape, axis: usize, index: &Shape) -> Vec<usize> {
    let before = shape.get(..axis).unwrap_or(&[]);
    let after = shape.get(axis + 1..).unwrap_or(&[]);
    [before, &index[..], after].concat()
}

/// A one at the place of each class number, along a new last axis.
pub fn one_hot(index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("one_hot", index)?;
    let shape = out.shape().clone();
    let classes = shape.last().copied().unwrap_or(0);
    let mut expected = index.shape().to_vec();
    expected.push(classes);
    with_elem!(out.dtype(), T => {
        let out = output::<T>("one_hot", out, &expected)?;
        out.fill(T::ZERO);
        for (n, &i) in at.iter().enumerate() {
            out[n * classes + place("one_hot", i, classes, n, index.shape())?] = T::ONE;
        }
        Ok(())
    })
}

/// The place of the first largest (or smallest) element along an axis, which has length 1 in
/// `out`; NaN counts as the extreme.
pub fn arg_extreme(largest: bool, x: &Tensor, axis: usize, out: &mut Tensor) -> Result<()> {
    match x.dtype() {
        DType::F32 => extreme::<f32>(largest, x, axis, out),
        DType::F64 => extreme::<f64>(largest, x, axis, out),
        DType::I64 => extreme::<f64>(largest, &x.to_dtype(DType::F64), axis, out),
    }
}

fn extreme<T: Float>(largest: bool, x: &Tensor, axis: usize, out: &mut Tensor) -> Result<()> {
    let [outer, extent, inner] = around(x.shape(), axis);
    if extent == 0 {
        let operation = if largest { "argmax" } else { "argmin" };
        return Err(Error::Empty { operation, axis, shape: x.shape().clone() });
    }
    let mut expected = x.shape().to_vec();
    if let Some(dim) = expected.get_mut(axis) {
        *dim = 1;
    }
    let data = seen::<T>(x);
    let out = output::<i64>("arg_extreme", out, &expected)?;
    for slab in 0..outer {
        for i in 0..inner {
            let at = |n: usize| data[(slab * extent + n) * inner + i];
            let beats = |a: T, b: T| if largest { a > b } else { a < b };
            let mut best = 0;
            for n in 1..extent {
                let better = beats(at(n), at(best)) || (at(n).is_nan() && !at(best).is_nan());
                if better && !at(best).is_nan() {
                    best = n;
                }
            }
            out[slab * inner + i] = best as i64;
        }
    }
    Ok(())
}

/// Which end of an order comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The smallest first.
    #[default]
    Ascending,
    /// The largest first.
    Descending,
}

/// The places of the elements along an axis, in their order: `x[out[0]]` comes first. Equal
/// elements stay in the order in which they stand, and NaN counts as the largest.
pub fn arg_sort(x: &Tensor, axis: usize, order: Order, out: &mut Tensor) -> Result<()> {
    match x.dtype() {
        DType::F32 => sorted::<f32>(x, axis, order, nan_last, out),
        DType::F64 => sorted::<f64>(x, axis, order, nan_last, out),
        DType::I64 => sorted::<i64>(x, axis, order, i64::cmp, out),
    }
}

fn nan_last<T: Float>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn sorted<T: Elem>(
    x: &Tensor,
    axis: usize,
    order: Order,
    compare: fn(&T, &T) -> Ordering,
    out: &mut Tensor,
) -> Result<()> {
    let [outer, extent, inner] = around(x.shape(), axis);
    let data = copied::<T>(x);
    let out = output::<i64>("argsort", out, x.shape())?;
    let mut line: Vec<(T, i64)> = Vec::with_capacity(extent);
    for slab in 0..outer {
        for i in 0..inner {
            let at = |n: usize| (slab * extent + n) * inner + i;
            line.clear();
            line.extend((0..extent).map(|n| (data[at(n)], n as i64)));
            // The sort of the standard library is stable, in both orders.
            match order {
                Order::Ascending => line.sort_by(|a, b| compare(&a.0, &b.0)),
                Order::Descending => line.sort_by(|a, b| compare(&b.0, &a.0)),
            }
            for (n, (_, place)) in line.iter().enumerate() {
                out[at(n)] = *place;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Tensor {
        Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    }

    fn zeros(shape: &[usize]) -> Tensor {
        Tensor::zeros(shape, DType::F64).unwrap()
    }

    #[test]
    fn gather_and_scatter_add_meet_at_the_same_places() {
        let index = Tensor::from([[2_i64, 2], [0, 1]]);
        let mut out = zeros(&[2, 2]);
        gather(&table(), 1, &index, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [3.0, 3.0, 4.0, 5.0]);
        let mut back = zeros(&[2, 3]);
        scatter_add(&out, 1, &index, &mut back).unwrap();
        assert_eq!(back.to_f64s(), [0.0, 0.0, 6.0, 4.0, 5.0, 0.0]);
        let mut strided = zeros(&[2, 2]);
        gather(&table().t().unwrap(), 0, &index, &mut strided).unwrap();
        assert_eq!(strided.to_f64s(), [3.0, 6.0, 1.0, 5.0]);
    }

    #[test]
    fn whole_slices_are_selected_and_added_back() {
        let index = Tensor::from([[1_i64, 0], [1, 1]]);
        let mut out = zeros(&[2, 2, 3]);
        index_select(&table(), 0, &index, &mut out).unwrap();
        assert_eq!(out.to_f64s()[..6], [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
        let mut back = zeros(&[2, 3]);
        index_add(&out, 0, &index, &mut back).unwrap();
        assert_eq!(back.to_f64s(), [1.0, 2.0, 3.0, 12.0, 15.0, 18.0]);
        let mut columns = zeros(&[2, 1]);
        index_select(&table(), 1, &Tensor::from([2_i64]), &mut columns).unwrap();
        assert_eq!(columns.to_f64s(), [3.0, 6.0]);
    }

    #[test]
    fn an_index_outside_is_told_with_its_position() {
        let error = gather(&table(), 1, &Tensor::from([[0_i64], [3]]), &mut zeros(&[2, 1]));
        let text = error.err().unwrap().to_string();
        assert_eq!(text, "gather: index 3, at [1, 0] of the indices, is not in 0..3");
        assert!(one_hot(&Tensor::from([-1_i64]), &mut zeros(&[1, 3])).is_err());
        assert!(index_select(&table(), 0, &Tensor::from([2_i64]), &mut zeros(&[1, 3])).is_err());
    }

    #[test]
    fn one_hot_puts_a_one_at_each_class() {
        let mut out = zeros(&[2, 3]);
        one_hot(&Tensor::from([2_i64, 0]), &mut out).unwrap();
        assert_eq!(out.to_f64s(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_first_extreme_wins_and_nan_is_one() {
        let places = |x: Tensor, largest: bool| {
            let mut out = Tensor::from([[0_i64]; 1]);
            arg_extreme(largest, &x, 1, &mut out).map(|()| out.to_f64s()[0])
        };
        assert_eq!(places(Tensor::from([[1.0, 3.0, 3.0]]), true), Ok(1.0));
        assert_eq!(places(Tensor::from([[1.0, 1.0, 3.0]]), false), Ok(0.0));
        assert_eq!(places(Tensor::from([[1.0, f64::NAN, f64::NAN, 9.0]]), true), Ok(1.0));
    }

    #[test]
    fn equal_elements_stay_in_their_order_and_nan_is_the_largest() {
        let places = |x: Tensor, axis: usize, order: Order| {
            let mut out = Tensor::zeros(x.shape().clone(), DType::I64).unwrap();
            arg_sort(&x, axis, order, &mut out).unwrap();
            out.to_f64s()
        };
        let x = Tensor::from([2.0, f64::NAN, 1.0, 2.0]);
        assert_eq!(places(x.clone(), 0, Order::Ascending), [2.0, 0.0, 3.0, 1.0]);
        assert_eq!(places(x, 0, Order::Descending), [1.0, 0.0, 3.0, 2.0]);
        let columns = Tensor::from([[3.0, 1.0, 2.0], [1.0, 2.0, 2.0]]);
        assert_eq!(places(columns, 0, Order::Ascending), [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let large = Tensor::from([(1_i64 << 53) + 1, 1 << 53]);
        assert_eq!(places(large, 0, Order::Ascending), [1.0, 0.0]);
        let nothing = Tensor::zeros([2, 0], DType::F32).unwrap();
        assert!(places(nothing, 1, Order::Ascending).is_empty());
    }
}
