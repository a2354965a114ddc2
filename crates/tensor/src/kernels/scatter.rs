//! Writing at indices that are data.

use super::accumulate::{MANY, totals};
use super::index::{INDICES, IndexRows, in_range, indices};
use super::threads::try_parallel_chunks_mut;
use super::{borrowed, input, is_nan, output};
use crate::tensor::with_elem;
use crate::{Elem, Error, Layout, Result, Shape, Tensor};

/// The transpose of [`gather`](super::gather): `out` is 0, then
/// `out[i, index[i, j]] += source[i, j]` for axis 1.
pub fn scatter_add(source: &Tensor, axis: usize, index: &Tensor, out: &mut Tensor) -> Result<()> {
    let at = indices("scatter_add", index)?;
    let shape = out.shape().clone();
    let targets = Targets::new("scatter_add", &shape, axis, index, source)?;
    with_elem!(out.dtype(), T => {
        input::<T>("scatter_add", source)?;
        let source = borrowed::<T>(source);
        let out = output::<T>("scatter_add", out, &shape)?;
        let many = index.shape()[axis] > MANY;
        try_parallel_chunks_mut(out, targets.chunk, |task, out| {
            if many {
                return match targets.add_distinct(task, &at, &source, out)? {
                    true => Ok(()),
                    false => totals(out, |totals| targets.add(task, &at, &source, totals)),
                };
            }
            out.fill(T::ZERO);
            targets.each(task, &at, |to, n| out[to] = out[to].plus(source[n]))
        })
    })
}

/// What becomes of several elements that are scattered to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scattered {
    /// The last one stays, row by row; it replaces what was there.
    Last,
    /// The largest; NaN if there is one.
    Largest(Base),
    /// The smallest; NaN if there is one.
    Smallest(Base),
    /// Their product, accumulated in `f64`; that of integers wraps.
    Product(Base),
}

/// Whether what was there takes part where something is scattered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// It does.
    Included,
    /// It is replaced.
    Replaced,
}

/// `out` is `base`, with `source[i, j]` combined into `out[i, index[i, j]]` for axis 1.
pub fn scatter(
    how: Scattered,
    base: &Tensor,
    source: &Tensor,
    axis: usize,
    index: &Tensor,
    out: &mut Tensor,
) -> Result<()> {
    let at = indices("scatter", index)?;
    let shape = base.shape().clone();
    let targets = Targets::new("scatter", &shape, axis, index, source)?;
    with_elem!(out.dtype(), T => {
        input::<T>("scatter", source)?;
        let source = borrowed::<T>(source);
        // One number everywhere is written by each of several tasks, while it has its part in the cache.
        let is_number =
            base.strides().iter().all(|&stride| stride == 0) && targets.chunk < out.len();
        let buffer = input::<T>("scatter", base)?;
        let number = is_number.then(|| buffer[base.layout().offset()]);
        if number.is_none() {
            super::copy(base, out)?;
        }
        let out = output::<T>("scatter", out, &shape)?;
        try_parallel_chunks_mut(out, targets.chunk, |task, out| {
            if let Some(number) = number {
                out.fill(number);
            }
            combine(how, &targets, task, &at, &source, out)
        })
    })
}

/// Combines the elements of a task into what is there.
fn combine<T: Factor>(
    how: Scattered,
    targets: &Targets,
    task: usize,
    at: &[i64],
    source: &[T],
    out: &mut [T],
) -> Result<()> {
    match how {
        Scattered::Last => targets.each(task, at, |to, n| out[to] = source[n]),
        Scattered::Largest(base) => combined(targets, task, at, base, out, |to, first, out| {
            let x = source[to.1];
            let y = &mut out[to.0];
            if first || x > *y || is_nan(x) {
                *y = x;
            }
        }),
        Scattered::Smallest(base) => combined(targets, task, at, base, out, |to, first, out| {
            let x = source[to.1];
            let y = &mut out[to.0];
            if first || x < *y || is_nan(x) {
                *y = x;
            }
        }),
        Scattered::Product(base) => {
            let mut products: Vec<_> = out.iter().map(|&x| x.factor()).collect();
            combined(targets, task, at, base, &mut products, |to, first, products| {
                let x = source[to.1].factor();
                let y = &mut products[to.0];
                *y = if first { x } else { T::times(*y, x) };
            })?;
            out.iter_mut().zip(products).for_each(|(y, product)| *y = T::product(product));
            Ok(())
        }
    }
}

/// Calls `add` with each place and the number of the element for it, and whether that is the first
/// there that replaces what was.
fn combined<Y>(
    targets: &Targets,
    task: usize,
    at: &[i64],
    base: Base,
    out: &mut [Y],
    add: impl Fn((usize, usize), bool, &mut [Y]),
) -> Result<()> {
    match base {
        Base::Included => targets.each(task, at, |to, n| add((to, n), false, out)),
        Base::Replaced => {
            let mut seen = vec![false; out.len()];
            targets.each(task, at, |to, n| {
                let first = !std::mem::replace(&mut seen[to], true);
                add((to, n), first, out);
            })
        }
    }
}

/// What a product is accumulated in.
trait Factor: Elem {
    type Product: Copy + Send;
    fn factor(self) -> Self::Product;
    fn times(a: Self::Product, b: Self::Product) -> Self::Product;
    fn product(product: Self::Product) -> Self;
}

macro_rules! factor {
    ($type:ty, $product:ty, $times:expr) => {
        impl Factor for $type {
            type Product = $product;

            fn factor(self) -> $product {
                self as $product
            }

            fn times(a: $product, b: $product) -> $product {
                $times(a, b)
            }

            fn product(product: $product) -> $type {
                product as $type
            }
        }
    };
}

factor!(f32, f64, |a: f64, b: f64| a * b);
factor!(f64, f64, |a: f64, b: f64| a * b);
factor!(i64, i64, i64::wrapping_mul);

/// Where the elements of a source go, task by task.
struct Targets {
    operation: &'static str,
    index: IndexRows,
    shape: Shape,
    index_shape: Shape,
    layout: Layout,
    axis: usize,
    /// How many rows of the index a task has.
    rows: usize,
    /// How many elements of the output a task has.
    chunk: usize,
}

impl Targets {
    fn new(
        operation: &'static str,
        shape: &Shape,
        axis: usize,
        index: &Tensor,
        source: &Tensor,
    ) -> Result<Targets> {
        let rows = IndexRows::new(operation, shape, index.shape(), axis)?;
        if source.shape() != index.shape() {
            let (left, right) = (source.shape().clone(), index.shape().clone());
            let why = "there is one index for each element of the source";
            return Err(Error::Shape { operation, left, right, why });
        }
        let dim = shape[axis];
        if let (Some(&i), 0) = (indices(operation, index)?.first(), dim) {
            in_range(operation, i, dim, 0, index.shape())?;
        }
        // Rows of the index that write to rows of their own can go to different threads.
        let disjoint = axis + 1 == shape.rank() && shape[..axis] == index.shape()[..axis];
        let some = (INDICES / rows.row().max(1)).max(1);
        let (rows_of_task, chunk) =
            if disjoint { (some, some * dim) } else { (rows.rows(), shape.numel()) };
        Ok(Targets {
            operation,
            index: rows,
            shape: shape.clone(),
            index_shape: index.shape().clone(),
            layout: Layout::contiguous(shape.clone()),
            axis,
            rows: rows_of_task,
            chunk,
        })
    }

    /// Calls `write` with the place in the chunk of a task, and the number, of each element.
    fn each(&self, task: usize, at: &[i64], mut write: impl FnMut(usize, usize)) -> Result<()> {
        let (dim, row_len) = (self.shape[self.axis], self.index.row());
        for row in task * self.rows..self.index.rows().min((task + 1) * self.rows) {
            let (mut to, [step, stride]) = self.index.of(&self.layout, row);
            to -= (task * self.chunk) as isize;
            let first = row * row_len;
            for (n, &i) in (first..).zip(&at[first..first + row_len]) {
                let i = in_range(self.operation, i, dim, n, &self.index_shape)?;
                write((to + i as isize * stride) as usize, n);
                to += step;
            }
        }
        Ok(())
    }

    /// Adds each element of a task to 0 at its place, as long as no two of them go to one, and says whether
    /// that is so of all: then there is nothing to add up.
    fn add_distinct<T: Elem>(
        &self,
        task: usize,
        at: &[i64],
        source: &[T],
        out: &mut [T],
    ) -> Result<bool> {
        let (dim, row_len) = (self.shape[self.axis], self.index.row());
        if self.index_shape[self.axis] > dim {
            return Ok(false);
        }
        out.fill(T::ZERO);
        let mut is_taken = vec![false; out.len()];
        for row in task * self.rows..self.index.rows().min((task + 1) * self.rows) {
            let (mut to, [step, stride]) = self.index.of(&self.layout, row);
            to -= (task * self.chunk) as isize;
            let first = row * row_len;
            let elements = at[first..].iter().zip(&source[first..]).take(row_len);
            for (n, (&i, &x)) in (first..).zip(elements) {
                let i = in_range(self.operation, i, dim, n, &self.index_shape)?;
                let place = (to + i as isize * stride) as usize;
                if std::mem::replace(&mut is_taken[place], true) {
                    return Ok(false);
                }
                out[place] = T::ZERO.plus(x);
                to += step;
            }
        }
        Ok(true)
    }

    /// Adds the elements of a task to what they are accumulated in.
    fn add<T: Elem>(
        &self,
        task: usize,
        at: &[i64],
        source: &[T],
        totals: &mut [T::Total],
    ) -> Result<()> {
        let (dim, row_len) = (self.shape[self.axis], self.index.row());
        for row in task * self.rows..self.index.rows().min((task + 1) * self.rows) {
            let (mut to, [step, stride]) = self.index.of(&self.layout, row);
            to -= (task * self.chunk) as isize;
            let first = row * row_len;
            let (at, source) = (&at[first..][..row_len], &source[first..][..row_len]);
            let mut n = 0;
            while n < row_len {
                let i = in_range(self.operation, at[n], dim, first + n, &self.index_shape)?;
                let place = &mut totals[(to + n as isize * step + i as isize * stride) as usize];
                let same = |next: &i64| step == 0 && *next == at[n];
                let run =
                    1 + at[n + 1..].iter().position(|next| !same(next)).unwrap_or(row_len - n - 1);
                *place = run_total(*place, &source[n..n + run]);
                n += run;
            }
        }
        Ok(())
    }
}

/// Lanes of a run: each addition waits for the one before.
const LANES: usize = 4;

/// A total and all elements of a run, which go to one place: in registers, since a total that is written
/// and read again for each of them takes twice as long, and a long run in lanes.
#[inline(always)]
fn run_total<T: Elem>(total: T::Total, run: &[T]) -> T::Total {
    let add_up = |total, x: &[T]| x.iter().fold(total, |total, &x| T::added(total, x));
    if run.len() < 4 * LANES {
        return add_up(total, run);
    }
    let (chunks, rest) = run.as_chunks::<LANES>();
    let mut lanes = [T::NOTHING; LANES];
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = T::added(*lane, x);
        }
    }
    add_up(lanes.into_iter().fold(total, T::joined), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn zeros(shape: &[usize]) -> Tensor {
        Tensor::zeros(shape, DType::F64).unwrap()
    }

    #[test]
    fn runs_of_any_length_are_added_up_to_what_is_exact() {
        for len in [1, 15, 16, 17, 40, 1001] {
            let index = Tensor::new([2 * len], [vec![1_i64; len], vec![0; len]].concat()).unwrap();
            let source: Vec<f64> =
                (0..2 * len).map(|i| i as f64 + if i == 3 { 1e17 } else { 0.0 }).collect();
            let sum = |x: &[f64]| x.iter().map(|&x| x as i128).sum::<i128>() as f64;
            let expected = [sum(&source[len..]), sum(&source[..len])];
            let mut out = zeros(&[2]);
            scatter_add(&Tensor::from(source), 0, &index, &mut out).unwrap();
            if len > MANY {
                assert_eq!(out.to_f64s(), expected);
            }
            let whole = Tensor::from((0..2 * len as i64).collect::<Vec<_>>());
            let mut out = Tensor::zeros([2], DType::I64).unwrap();
            scatter_add(&whole, 0, &index, &mut out).unwrap();
            let len = len as i64;
            let exact = [len * (3 * len - 1) / 2, len * (len - 1) / 2];
            assert_eq!(out.to_vec::<i64>().unwrap(), exact);
        }
    }

    #[test]
    fn places_that_are_all_different_hold_what_a_sum_of_one_term_is() {
        let (rows, len) = (700, 2 * MANY);
        for axis in [0, 1] {
            // The last three elements of a line, of which a sum in `f32` loses the two small ones, meet.
            for meets in [None, Some(0), Some(rows - 1)] {
                let mut index: Vec<i64> =
                    (0..rows * len).map(|n| (n / len + 5 * n) as i64 % len as i64).collect();
                let mut source: Vec<f32> = (0..rows * len)
                    .map(|n| [-0.0, 1.5, f32::NAN, f32::INFINITY, -1e-45][n % 5])
                    .collect();
                if let Some(line) = meets {
                    let end = (line + 1) * len;
                    let place = index[end - 1];
                    index[end - 3..end].fill(place);
                    source[line * len..end].fill(0.0);
                    source[end - 3..end].copy_from_slice(&[1.0, 5e-8, 5e-8]);
                }
                let mut expected = vec![0.0_f64; rows * len];
                for (n, &i) in index.iter().enumerate() {
                    expected[n / len * len + i as usize] += f64::from(source[n]);
                }
                let expected = expected.into_iter().map(|x| x as f32).collect();
                let lines = |x: Tensor| if axis == 1 { x } else { x.t().unwrap() };
                let index = lines(Tensor::new([rows, len], index).unwrap());
                let source = lines(Tensor::new([rows, len], source).unwrap());
                let mut out = Tensor::zeros(source.shape().clone(), DType::F32).unwrap();
                scatter_add(&source, axis, &index, &mut out).unwrap();
                let expected = lines(Tensor::new([rows, len], expected).unwrap());
                let bits = |x: f32| if x.is_nan() { u32::MAX } else { x.to_bits() };
                let bits = |x: Tensor| x.to_vec::<f32>().unwrap().into_iter().map(bits);
                assert!(bits(out).eq(bits(expected)), "axis {axis}, {meets:?}");
            }
        }
    }

    #[test]
    fn scatter_add_adds_where_gather_reads() {
        let index = Tensor::from([[2_i64, 2], [0, 1]]);
        let mut back = zeros(&[2, 3]);
        let source = Tensor::from([[3.0, 3.0], [4.0, 5.0]]);
        scatter_add(&source, 1, &index, &mut back).unwrap();
        assert_eq!(back.to_f64s(), [0.0, 0.0, 6.0, 4.0, 5.0, 0.0]);
    }

    fn scattered(how: Scattered, base: &Tensor, source: &Tensor, axis: usize) -> Vec<f64> {
        let index = Tensor::from([[0_i64, 2, 0], [1, 1, 1]]);
        let mut out = Tensor::zeros(base.shape().clone(), base.dtype()).unwrap();
        scatter(how, base, source, axis, &index, &mut out).unwrap();
        out.to_f64s()
    }

    #[test]
    fn elements_that_meet_are_combined() {
        let base = Tensor::from([[9.0, 8.0, 7.0], [0.5, 2.0, 3.0]]);
        let source = Tensor::from([[1.0, 10.0, 3.0], [-2.0, 5.0, 4.0]]);
        let of = |how| scattered(how, &base, &source, 1);
        assert_eq!(of(Scattered::Last), [3.0, 8.0, 10.0, 0.5, 4.0, 3.0]);
        assert_eq!(of(Scattered::Largest(Base::Included)), [9.0, 8.0, 10.0, 0.5, 5.0, 3.0]);
        assert_eq!(of(Scattered::Largest(Base::Replaced)), [3.0, 8.0, 10.0, 0.5, 5.0, 3.0]);
        assert_eq!(of(Scattered::Smallest(Base::Included)), [1.0, 8.0, 7.0, 0.5, -2.0, 3.0]);
        assert_eq!(of(Scattered::Product(Base::Included)), [27.0, 8.0, 70.0, 0.5, -80.0, 3.0]);
        assert_eq!(of(Scattered::Product(Base::Replaced)), [3.0, 8.0, 10.0, 0.5, -40.0, 3.0]);
        let columns = Tensor::from([[9.0, 8.0, 7.0], [0.5, 2.0, 3.0], [1.0, 1.0, 1.0]]);
        let of = |how| scattered(how, &columns, &source, 0);
        assert_eq!(of(Scattered::Last), [1.0, 8.0, 3.0, -2.0, 5.0, 4.0, 1.0, 10.0, 1.0]);
    }

    #[test]
    fn nan_is_the_extreme_wherever_it_comes() {
        let base = Tensor::from([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]);
        let source = Tensor::from([[f64::NAN, 10.0, 3.0], [2.0, f64::NAN, 4.0]]);
        for how in [Scattered::Largest(Base::Included), Scattered::Smallest(Base::Replaced)] {
            let out = scattered(how, &base, &source, 1);
            assert!(out[0].is_nan() && out[4].is_nan() && out[1] == 1.0, "{out:?}");
        }
    }
}
