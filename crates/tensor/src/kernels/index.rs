//! Reading by indices that are data: gather, selection and its transpose, one-hot, argmax.

use super::accumulate::Accumulate;
use super::threads::{parallel_chunks_mut, try_parallel_chunks_mut};
use super::{CHUNK, borrowed, input, is_nan, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{DType, Elem, Error, Layout, Result, Shape, Tensor};
use std::borrow::Cow;
use std::ops::Range;

/// The indices, row by row.
pub(super) fn indices<'a>(operation: &'static str, index: &'a Tensor) -> Result<Cow<'a, [i64]>> {
    if index.dtype() != DType::I64 {
        let (given, expected) = (index.dtype(), DType::I64);
        return Err(Error::DType { operation, given, expected });
    }
    Ok(borrowed(index))
}

/// An index of an axis of length `dim`, if it is in range; `n` counts it among the indices of
/// `shape`.
#[inline]
pub(super) fn in_range(
    operation: &'static str,
    i: i64,
    dim: usize,
    n: usize,
    shape: &Shape,
) -> Result<usize> {
    match usize::try_from(i) {
        Ok(index) if index < dim => Ok(index),
        _ => {
            let position = shape.unravel_index(n);
            Err(Error::Index { operation, index: i, dim, position })
        }
    }
}

/// How many indices a task has: reading and writing by index takes longer than in order.
pub(super) const INDICES: usize = CHUNK / 8;

/// `y[i, j] = x[i, index[i, j]]` for axis 1, and so on. The index has as many axes as `x`; other
/// axes of it may be shorter. `out` has the shape of the index.
pub fn gather(x: &Tensor, axis: usize, index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("gather", index)?;
    let dim = x.shape().get(axis).copied().unwrap_or(0);
    let index_rows = IndexRows::new("gather", x.shape(), index.shape(), axis)?;
    with_elem!(out.dtype(), T => {
        let buffer = input::<T>("gather", x)?;
        let out = output::<T>("gather", out, index.shape())?;
        let rows = (INDICES / index_rows.row().max(1)).max(1);
        try_parallel_chunks_mut(out, rows * index_rows.row(), |task, out| {
            for (row, out) in out.chunks_mut(index_rows.row()).enumerate() {
                let row = task * rows + row;
                let (mut from, [step, stride]) = index_rows.of(x.layout(), row);
                if (step, stride) == (0, 1) {
                    // Along the last axis of a row of memory.
                    let elements = &buffer[from as usize..][..dim];
                    let first = row * index_rows.row();
                    let at = &at[first..][..out.len()];
                    for (n, (&i, out)) in (first..).zip(at.iter().zip(out)) {
                        *out = match elements.get(i as usize) {
                            Some(&x) => x,
                            None => elements[in_range("gather", i, dim, n, index.shape())?],
                        };
                    }
                    continue;
                }
                for (n, out) in (row * index_rows.row()..).zip(out) {
                    let i = in_range("gather", at[n], dim, n, index.shape())?;
                    *out = buffer[(from + i as isize * stride) as usize];
                    from += step;
                }
            }
            Ok(())
        })
    })
}

/// The rows of an index tensor, and where their elements are along the other axes of what it
/// indexes.
pub(super) struct IndexRows {
    dims: Vec<usize>,
    axis: usize,
}

impl IndexRows {
    pub fn new(
        operation: &'static str,
        x: &Shape,
        index: &Shape,
        axis: usize,
    ) -> Result<IndexRows> {
        let fits = axis < x.rank()
            && x.rank() == index.rank()
            && (0..x.rank()).all(|other| other == axis || index[other] <= x[other]);
        if !fits {
            let (left, right) = (x.clone(), index.clone());
            let why = "the index has as many axes, and none but its own is longer";
            return Err(Error::Shape { operation, left, right, why });
        }
        Ok(IndexRows { dims: index.to_vec(), axis })
    }

    /// How many indices there are along the last axis.
    pub fn row(&self) -> usize {
        self.dims.last().copied().unwrap_or(1)
    }

    pub fn rows(&self) -> usize {
        self.dims[..self.dims.len() - 1].iter().product()
    }

    /// For a row of the index: the offset in the buffer of the element with index 0, and the
    /// strides from one element of the row to the next, and from one index to the next.
    pub fn of(&self, layout: &Layout, row: usize) -> (isize, [isize; 2]) {
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

/// Whole slices along an axis, by index: the axes of the index replace the axis in `out`.
pub fn index_select(x: &Tensor, axis: usize, index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("index_select", index)?;
    let [_, dim, inner] = outer_dim_inner("index_select", x.shape(), axis)?;
    let expected = selected(x.shape(), axis, index.shape());
    with_elem!(out.dtype(), T => {
        input::<T>("index_select", x)?;
        let out = output::<T>("index_select", out, &expected)?;
        for (n, &i) in at.iter().enumerate() {
            in_range("index_select", i, dim, n, index.shape())?;
        }
        if at.is_empty() {
            return Ok(());
        }
        if inner == 1 {
            // In any layout: slopes are one number that is repeated.
            let Some(buffer) = x.buffer_slice::<T>() else { return Ok(()) };
            let slabs = (INDICES / at.len()).max(1);
            parallel_chunks_mut(out, slabs * at.len(), |task, out| {
                for (nth, out) in out.chunks_exact_mut(at.len()).enumerate() {
                    let (from, stride) = line(x.layout(), axis, task * slabs + nth);
                    if stride == 1 {
                        let row = &buffer[from as usize..][..dim];
                        out.iter_mut().zip(&*at).for_each(|(y, &i)| *y = row[i as usize]);
                    } else {
                        let element = |i: i64| buffer[(from + i as isize * stride) as usize];
                        out.iter_mut().zip(&*at).for_each(|(y, &i)| *y = element(i));
                    }
                }
            });
            return Ok(());
        }
        let x = borrowed::<T>(x);
        let slices = (CHUNK / inner.max(1)).max(1);
        parallel_chunks_mut(out, slices * inner.max(1), |task, out| {
            let (mut slab, mut n) = (task * slices / at.len(), task * slices % at.len());
            for out in out.chunks_exact_mut(inner.max(1)) {
                let from = (slab * dim + at[n] as usize) * inner;
                out.copy_from_slice(&x[from..from + inner]);
                n += 1;
                if n == at.len() {
                    (slab, n) = (slab + 1, 0);
                }
            }
        });
        Ok(())
    })
}

/// Where the elements along an axis are, for a combination of indices of the axes before it, while
/// those after it have length 1: the offset of the first one, and the stride to the next.
fn line(layout: &Layout, axis: usize, slab: usize) -> (isize, isize) {
    let (strides, mut rest) = (layout.strides(), slab);
    let mut from = layout.offset() as isize;
    for before in (0..axis).rev() {
        let dim = layout.shape()[before];
        from += (rest % dim) as isize * strides[before];
        rest /= dim;
    }
    (from, strides[axis])
}

/// The transpose of [`index_select`]: `out` is 0, or `base` where there is one, and the sum of the
/// slices of `source` for each index is added at that index along the axis.
pub fn index_add(
    source: &Tensor,
    axis: usize,
    index: &Tensor,
    base: Option<&Tensor>,
    out: &mut Tensor,
) -> Result<()> {
    let at = indices("index_add", index)?;
    let shape = out.shape().clone();
    let [_, dim, inner] = outer_dim_inner("index_add", &shape, axis)?;
    if source.shape()[..] != selected(&shape, axis, index.shape()) {
        let (left, right) = (source.shape().clone(), shape);
        let why = "in the source, the axes of the index replace the axis";
        return Err(Error::Shape { operation: "index_add", left, right, why });
    }
    with_elem!(out.dtype(), T => {
        input::<T>("index_add", source)?;
        let source = borrowed::<T>(source);
        if let Some(base) = base {
            input::<T>("index_add", base)?;
            super::copy(base, out)?;
        }
        let out = output::<T>("index_add", out, &shape)?;
        let readers = Readers::new(&at, dim, index.shape())?;
        // Whole slices of the output go to different threads.
        let slices = (CHUNK / inner.max(1)).max(1);
        parallel_chunks_mut(out, slices * inner.max(1), |task, out| {
            let (start, end) = (task * slices, task * slices + out.len() / inner.max(1));
            let mut sums = vec![T::NOTHING; inner];
            if base.is_none() {
                out.fill(T::ZERO);
            }
            for slab in start / dim..end.div_ceil(dim) {
                let [from, to] = [start, end].map(|slice| slice.saturating_sub(slab * dim).min(dim));
                let source = &source[slab * at.len() * inner..][..at.len() * inner];
                let out = &mut out[(slab * dim + from - start) * inner..][..(to - from) * inner];
                for (i, readers) in readers.of(from..to) {
                    let out = &mut out[(i - from) * inner..][..inner];
                    match (&mut *out, readers) {
                        ([y], [only]) => *y = y.plus(source[*only]),
                        ([y], _) => {
                            let terms = readers.iter().map(|&n| source[n]);
                            *y = y.plus(T::rounded(terms.fold(T::NOTHING, T::added)));
                        }
                        _ => {
                            sums.fill(T::NOTHING);
                            for &n in readers {
                                for (sum, &x) in sums.iter_mut().zip(&source[n * inner..]) {
                                    *sum = T::added(*sum, x);
                                }
                            }
                            for (y, &sum) in out.iter_mut().zip(&sums) {
                                *y = y.plus(T::rounded(sum));
                            }
                        }
                    }
                }
            }
        });
        Ok(())
    })
}

/// For each index of an axis, where it stands among the indices, in their order.
struct Readers {
    /// The indices that occur, in order, and where the places of each end.
    ends: Vec<(usize, usize)>,
    places: Vec<usize>,
}

impl Readers {
    /// By counting.
    fn new(at: &[i64], dim: usize, shape: &Shape) -> Result<Readers> {
        let mut next = vec![0; dim];
        for (n, &i) in at.iter().enumerate() {
            next[in_range("index_add", i, dim, n, shape)?] += 1;
        }
        let (mut ends, mut end) = (Vec::new(), 0);
        for (i, next) in next.iter_mut().enumerate() {
            let count = std::mem::replace(next, end);
            end += count;
            ends.extend((count > 0).then_some((i, end)));
        }
        let mut places = vec![0; at.len()];
        for (n, &i) in at.iter().enumerate() {
            let next = &mut next[i as usize];
            places[*next] = n;
            *next += 1;
        }
        Ok(Readers { ends, places })
    }

    /// The indices in a range that occur, and their places.
    fn of(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &[usize])> {
        let [first, last] =
            [range.start, range.end].map(|end| self.ends.partition_point(|&(i, _)| i < end));
        let mut start = first.checked_sub(1).map_or(0, |before| self.ends[before].1);
        self.ends[first..last].iter().map(move |&(i, end)| {
            let places = &self.places[start..end];
            start = end;
            (i, places)
        })
    }
}

fn selected(shape: &Shape, axis: usize, index: &Shape) -> Vec<usize> {
    let before = shape.get(..axis).unwrap_or(&[]);
    let after = shape.get(axis + 1..).unwrap_or(&[]);
    [before, &index[..], after].concat()
}

/// A 1 at each class number, along a new last axis, and 0 elsewhere.
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
            out[n * classes + in_range("one_hot", i, classes, n, index.shape())?] = T::ONE;
        }
        Ok(())
    })
}

/// Which extreme [`arg_extreme`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extreme {
    /// The largest element.
    Max,
    /// The smallest element.
    Min,
}

impl Extreme {
    /// The operation that finds it: `argmax` or `argmin`.
    pub fn operation(self) -> &'static str {
        match self {
            Extreme::Max => "argmax",
            Extreme::Min => "argmin",
        }
    }
}

/// Argmax or argmin: the index of the first largest, or smallest, element along an axis, which has
/// length 1 in `out`; NaN counts as the extreme.
pub fn arg_extreme(extreme: Extreme, x: &Tensor, axis: usize, out: &mut Tensor) -> Result<()> {
    with_elem!(x.dtype(), T => arg_extreme_of::<T>(extreme, x, axis, out))
}

fn arg_extreme_of<T: Elem>(
    extreme: Extreme,
    x: &Tensor,
    axis: usize,
    out: &mut Tensor,
) -> Result<()> {
    let operation = extreme.operation();
    let [outer, dim, inner] = outer_dim_inner(operation, x.shape(), axis)?;
    if dim == 0 {
        return Err(Error::Empty { operation, axis, shape: x.shape().clone() });
    }
    let mut expected = x.shape().to_vec();
    if let Some(dim) = expected.get_mut(axis) {
        *dim = 1;
    }
    let data = borrowed::<T>(x);
    let out = output::<i64>(operation, out, &expected)?;
    for slab in 0..outer {
        for i in 0..inner {
            let at = |n: usize| data[(slab * dim + n) * inner + i];
            let beats = |a: T, b: T| match extreme {
                Extreme::Max => a > b,
                Extreme::Min => a < b,
            };
            let mut best = 0;
            for n in 1..dim {
                let better = beats(at(n), at(best)) || (is_nan(at(n)) && !is_nan(at(best)));
                if better && !is_nan(at(best)) {
                    best = n;
                }
            }
            out[slab * inner + i] = best as i64;
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
    fn gather_reads_at_indices_in_every_layout() {
        let index = Tensor::from([[2_i64, 2], [0, 1]]);
        let mut out = zeros(&[2, 2]);
        gather(&table(), 1, &index, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [3.0, 3.0, 4.0, 5.0]);
        gather(&table().t().unwrap(), 0, &index, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [3.0, 6.0, 1.0, 5.0]);
    }

    #[test]
    fn whole_slices_are_selected_and_added_back() {
        let index = Tensor::from([[1_i64, 0], [1, 1]]);
        let mut out = zeros(&[2, 2, 3]);
        index_select(&table(), 0, &index, &mut out).unwrap();
        assert_eq!(out.to_f64s()[..6], [4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
        let mut back = zeros(&[2, 3]);
        index_add(&out, 0, &index, None, &mut back).unwrap();
        assert_eq!(back.to_f64s(), [1.0, 2.0, 3.0, 12.0, 15.0, 18.0]);
        index_add(&out, 0, &index, Some(&table()), &mut back).unwrap();
        assert_eq!(back.to_f64s(), [2.0, 4.0, 6.0, 16.0, 20.0, 24.0]);
        let mut columns = zeros(&[2, 1]);
        index_select(&table(), 1, &Tensor::from([2_i64]), &mut columns).unwrap();
        assert_eq!(columns.to_f64s(), [3.0, 6.0]);
    }

    #[test]
    fn an_index_outside_is_told_with_its_position() {
        let error = gather(&table(), 1, &Tensor::from([[0_i64], [3]]), &mut zeros(&[2, 1]));
        let text = error.err().unwrap().to_string();
        assert_eq!(text, "gather: index 3, at [1, 0] of the indices, is out of range 0..3");
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
        let index = |x: Tensor, extreme: Extreme| {
            let mut out = Tensor::from([[0_i64]; 1]);
            arg_extreme(extreme, &x, 1, &mut out).map(|()| out.to_f64s()[0])
        };
        assert_eq!(index(Tensor::from([[1.0, 3.0, 3.0]]), Extreme::Max), Ok(1.0));
        assert_eq!(index(Tensor::from([[1.0, 1.0, 3.0]]), Extreme::Min), Ok(0.0));
        assert_eq!(index(Tensor::from([[1.0, f64::NAN, f64::NAN, 9.0]]), Extreme::Max), Ok(1.0));
        let large = (1_i64 << 60) + 1;
        assert_eq!(index(Tensor::from([[large, large + 1, large + 1]]), Extreme::Max), Ok(1.0));
    }
}
