//! Reductions along axes, and cumulative sums.

use super::simd::dispatch;
use super::threads::parallel_chunks_mut;
use super::{CHUNK, input, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{AxisSet, DType, Elem, Error, Float, Result, Tensor};

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// The sum; of nothing, 0. Pairwise, so that its error grows with the logarithm of the length
    /// (Higham, The Accuracy of Floating Point Summation, 1993).
    Sum,
    /// The largest; NaN if there is one.
    Max,
    /// The smallest; NaN if there is one.
    Min,
}

impl ReduceOp {
    /// The name under which listings show it.
    pub fn name(self) -> &'static str {
        match self {
            ReduceOp::Sum => "sum",
            ReduceOp::Max => "max",
            ReduceOp::Min => "min",
        }
    }
}

/// How two numbers are combined, with the identity element, for loops.
pub(crate) trait Combine<T> {
    const IDENTITY: T;
    fn combine(a: T, b: T) -> T;
}

pub(crate) struct Sum;
pub(crate) struct Max;
pub(crate) struct Min;

macro_rules! reduction {
    ($name:ident $identity:ident |$a:ident, $b:ident| $value:expr) => {
        impl<T: Float> Combine<T> for $name {
            const IDENTITY: T = T::$identity;

            #[inline(always)]
            fn combine($a: T, $b: T) -> T {
                $value
            }
        }
    };
}

reduction!(Sum ZERO |a, b| a + b);
reduction!(Max NEG_INFINITY |a, b| a.max(b));
reduction!(Min INFINITY |a, b| a.min(b));

/// Calls a function with the [`Combine`] of a [`ReduceOp`].
macro_rules! with_reduce {
    ($op:expr, $f:ident::<$T:ident>($($arg:expr),*)) => {{
        use $crate::kernels::reduce::{Max, Min, ReduceOp, Sum};
        match $op {
            ReduceOp::Sum => $f::<$T, Sum>($($arg),*),
            ReduceOp::Max => $f::<$T, Max>($($arg),*),
            ReduceOp::Min => $f::<$T, Min>($($arg),*),
        }
    }};
}
pub(crate) use with_reduce;

/// The identity element: the reduction of nothing.
pub(crate) fn identity<T: Float>(op: ReduceOp) -> T {
    fn of<T: Float, C: Combine<T>>() -> T {
        C::IDENTITY
    }
    with_reduce!(op, of::<T>())
}

/// Two numbers combined.
pub(crate) fn combine<T: Float>(op: ReduceOp, a: T, b: T) -> T {
    fn of<T: Float, C: Combine<T>>(a: T, b: T) -> T {
        C::combine(a, b)
    }
    with_reduce!(op, of::<T>(a, b))
}

/// The reduction of a slice in `N` lanes, which are then reduced by halves.
///
/// Four elements for a lane are combined with each other first: a lane then depends on one
/// combination in four, which counts since a compiler may well keep lanes in memory.
#[inline(always)]
pub(crate) fn lanes<T: Float, C: Combine<T>, const N: usize>(mut x: &[T]) -> T {
    let mut lanes = [C::IDENTITY; N];
    while x.len() >= 4 * N {
        let now = &x[..4 * N];
        for i in 0..N {
            let front = C::combine(now[i], now[N + i]);
            let back = C::combine(now[2 * N + i], now[3 * N + i]);
            lanes[i] = C::combine(lanes[i], C::combine(front, back));
        }
        x = &x[4 * N..];
    }
    for x in x.chunks(N) {
        for i in 0..x.len() {
            lanes[i] = C::combine(lanes[i], x[i]);
        }
    }
    halved::<T, C, N>(lanes)
}

/// The reduction of lanes, by halves.
#[inline(always)]
pub(crate) fn halved<T: Float, C: Combine<T>, const N: usize>(mut lanes: [T; N]) -> T {
    let mut width = N;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] = C::combine(lanes[i], lanes[i + width]);
        }
    }
    lanes[0]
}

/// Reduces rows of as many elements as `into` has into it.
pub(crate) fn into_row<T: Float, C: Combine<T>>(x: &[T], into: &mut [T]) {
    #[inline(always)]
    fn plain<T: Float, C: Combine<T>>(x: &[T], into: &mut [T]) {
        for row in x.chunks_exact(into.len().max(1)) {
            for (y, &x) in into.iter_mut().zip(row) {
                *y = C::combine(*y, x);
            }
        }
    }
    dispatch!(<T: Float, C: Combine<T>> (x: &[T], into: &mut [T]) { plain::<T, C>(x, into) })
}

/// Reduces `x` along `axes`, which have length 1 in `out`.
///
/// # Errors
/// A maximum or minimum along an empty axis.
pub fn reduce(op: ReduceOp, x: &Tensor, axes: AxisSet, out: &mut Tensor) -> Result<()> {
    let empty = axes.iter().find(|&axis| x.shape().get(axis) == Some(&0));
    if let (Some(axis), ReduceOp::Max | ReduceOp::Min) = (empty, op) {
        let operation = op.name();
        return Err(Error::Empty { operation, axis, shape: x.shape().clone() });
    }
    match out.dtype() {
        DType::F32 => typed::<f32>(op, x, axes, out),
        _ => typed::<f64>(op, x, axes, out),
    }
}

fn typed<T: Float>(op: ReduceOp, x: &Tensor, axes: AxisSet, out: &mut Tensor) -> Result<()> {
    with_reduce!(op, reduce_axes::<T>(x, axes, out))
}

/// Reduces groups of adjacent axes one after another, each as `[outer, reduced, inner]`.
fn reduce_axes<T: Float, C: Combine<T> + Sync>(
    x: &Tensor,
    axes: AxisSet,
    out: &mut Tensor,
) -> Result<()> {
    let mut shape = x.shape().to_vec();
    for axis in axes.iter().take_while(|&axis| axis < x.rank()) {
        shape[axis] = 1;
    }
    let out = output::<T>("reduce", out, &shape)?;
    input::<T>("reduce", x)?;
    let contiguous = x.contiguous();
    let Some(data) = contiguous.as_slice::<T>() else { return Ok(()) };

    // The lengths of alternating groups of axes: kept, reduced, kept, reduced, … from the first.
    let mut groups = vec![1];
    for (axis, &dim) in x.shape().iter().enumerate().filter(|&(_, &dim)| dim != 1) {
        let reduced = axes.contains(axis);
        if reduced != (groups.len() % 2 == 0) {
            groups.push(1);
        }
        if let Some(group) = groups.last_mut() {
            *group *= dim;
        }
    }
    let mut current = std::borrow::Cow::Borrowed(data);
    // From the last reduced group to the first, so that large inner groups go first.
    while groups.len() > 1 {
        let inner = if groups.len() % 2 == 1 { groups.pop().unwrap_or(1) } else { 1 };
        let reduced = groups.pop().unwrap_or(1);
        let outer: usize = groups.iter().product();
        if groups.len() == 1 {
            reduce_middle::<T, C>(&current, [outer, reduced, inner], out);
            return Ok(());
        }
        let mut next = vec![T::ZERO; outer * inner];
        reduce_middle::<T, C>(&current, [outer, reduced, inner], &mut next);
        current = next.into();
        // The kept group before the reduced one now continues in the inner one.
        if let Some(kept) = groups.last_mut() {
            *kept *= inner;
        }
    }
    out.copy_from_slice(&current);
    Ok(())
}

/// Reduces the middle one of three axes of contiguous data.
fn reduce_middle<T: Float, C: Combine<T> + Sync>(data: &[T], dims: [usize; 3], out: &mut [T]) {
    let [_, reduced, inner] = dims;
    if reduced == 0 || out.is_empty() {
        out.fill(C::IDENTITY);
    } else if inner == 1 {
        let rows = (CHUNK / reduced).max(1);
        let reduce_rows = |(data, out): (&[T], &mut [T])| {
            for (row, y) in data.chunks_exact(reduced).zip(out) {
                *y = reduce_row::<T, C>(row);
            }
        };
        if data.len() < 2 * CHUNK {
            reduce_rows((data, out));
        } else {
            parallel_chunks_mut(out, rows, |i, out| {
                reduce_rows((&data[i * rows * reduced..(i * rows + out.len()) * reduced], out));
            });
        }
    } else if data.len() < 2 * CHUNK {
        let slabs = data.chunks_exact(reduced * inner).zip(out.chunks_exact_mut(inner));
        slabs.for_each(|(data, out)| reduce_columns::<T, C>(data, inner, out));
    } else {
        parallel_chunks_mut(out, inner, |i, out| {
            let rows = i * reduced * inner..(i + 1) * reduced * inner;
            reduce_columns::<T, C>(&data[rows], inner, out);
        });
    }
}

/// The reduction of contiguous elements: a tree of halves over blocks of 16 lanes. The tree depends
/// on the length alone, and large halves go to different threads.
fn reduce_row<T: Float, C: Combine<T> + Sync>(data: &[T]) -> T {
    const BLOCK: usize = 1024;
    if data.len() <= BLOCK {
        return block::<T, C>(data);
    }
    let half = (data.len() / 2).next_multiple_of(BLOCK);
    let (left, right) = data.split_at(half.min(data.len() - 1));
    let (a, b) = if data.len() < 2 * CHUNK {
        (reduce_row::<T, C>(left), reduce_row::<T, C>(right))
    } else {
        let mut halves = [T::ZERO; 2];
        parallel_chunks_mut(&mut halves, 1, |i, half| {
            half[0] = reduce_row::<T, C>([left, right][i])
        });
        (halves[0], halves[1])
    };
    C::combine(a, b)
}

fn block<T: Float, C: Combine<T>>(data: &[T]) -> T {
    dispatch!(<T: Float, C: Combine<T>> (data: &[T]) -> T { lanes::<T, C, 16>(data) })
}

/// The reduction of rows of `inner` elements to one row: a tree of halves over blocks of 32 rows.
fn reduce_columns<T: Float, C: Combine<T> + Sync>(data: &[T], inner: usize, out: &mut [T]) {
    const ROWS: usize = 32;
    let rows = data.len() / inner;
    if rows <= ROWS {
        out.copy_from_slice(&data[..inner]);
        return into_row::<T, C>(&data[inner..], out);
    }
    let half = (rows / 2).next_multiple_of(ROWS).min(rows - 1);
    let (upper, lower) = data.split_at(half * inner);
    let mut other = vec![T::ZERO; inner];
    if data.len() < 2 * CHUNK {
        reduce_columns::<T, C>(upper, inner, out);
        reduce_columns::<T, C>(lower, inner, &mut other);
    } else {
        let mut halves = [(upper, &mut *out), (lower, &mut other[..])];
        parallel_chunks_mut(&mut halves, 1, |_, half| {
            reduce_columns::<T, C>(half[0].0, inner, half[0].1)
        });
    }
    into_row::<T, C>(&other, out);
}

/// The direction of a scan along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the start of the axis to its end.
    Forward,
    /// From the end of the axis to its start.
    Reverse,
}

impl Direction {
    /// The other one: that of the transposed scan.
    pub fn reversed(self) -> Direction {
        match self {
            Direction::Forward => Direction::Reverse,
            Direction::Reverse => Direction::Forward,
        }
    }
}

/// The cumulative (inclusive) sum along an axis.
pub fn cumsum(x: &Tensor, axis: usize, direction: Direction, out: &mut Tensor) -> Result<()> {
    let shape = x.shape().clone();
    let [_, len, inner] = outer_dim_inner("cumsum", &shape, axis)?;
    super::copy(x, out)?;
    with_elem!(out.dtype(), T => {
        let out = output::<T>("cumsum", out, &shape)?;
        if inner == 0 || len == 0 {
            return Ok(());
        }
        for slab in out.chunks_exact_mut(len * inner) {
            for step in 1..len {
                // The row before, in the direction of the sum, and the row that it is added to.
                let (from, to) = match direction {
                    Direction::Forward => (step - 1, step),
                    Direction::Reverse => (len - step, len - step - 1),
                };
                for i in 0..inner {
                    slab[to * inner + i] = slab[to * inner + i].plus(slab[from * inner + i]);
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::threads;
    use crate::{Layout, Shape};

    fn reduced(kind: ReduceOp, x: &Tensor, axes: &[usize]) -> Tensor {
        let axes = AxisSet::from_iter(axes.iter().copied());
        let mut dims = x.shape().to_vec();
        axes.iter().for_each(|axis| dims[axis] = 1);
        let mut out = Tensor::zeros(dims, x.dtype()).unwrap();
        reduce(kind, x, axes, &mut out).unwrap();
        out
    }

    /// Reduces element by element.
    fn naive(kind: ReduceOp, x: &Tensor, axes: &[usize]) -> Vec<f64> {
        let mut dims = x.shape().to_vec();
        axes.iter().for_each(|&axis| dims[axis] = 1);
        let at = Layout::contiguous(Shape::from(dims.clone()));
        let start = match kind {
            ReduceOp::Sum => 0.0,
            ReduceOp::Max => f64::NEG_INFINITY,
            ReduceOp::Min => f64::INFINITY,
        };
        let mut out = vec![start; dims.iter().product()];
        for (n, value) in x.to_f64s().into_iter().enumerate() {
            let mut rest = n;
            let mut to = 0;
            for axis in (0..x.rank()).rev() {
                let i = rest % x.shape()[axis];
                rest /= x.shape()[axis];
                to += if axes.contains(&axis) { 0 } else { i * at.strides()[axis] as usize };
            }
            out[to] = match kind {
                ReduceOp::Sum => out[to] + value,
                ReduceOp::Max => out[to].max(value),
                ReduceOp::Min => out[to].min(value),
            };
        }
        out
    }

    #[test]
    fn every_set_of_axes_of_every_layout_is_reduced_as_by_the_naive_loop() {
        let x = Tensor::new([2, 3, 4, 5], (0..120).map(|i| f64::from(i * 37 % 19) - 8.5).collect());
        let x = x.unwrap();
        let layouts = [
            x.clone(),
            x.permute([3, 1, 0, 2]).unwrap(),
            x.flip(2).unwrap().transpose(0, 3).unwrap(),
        ];
        for x in &layouts {
            for bits in 0..16_usize {
                let axes: Vec<usize> = (0..4).filter(|axis| bits >> axis & 1 == 1).collect();
                for kind in [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min] {
                    let expected = naive(kind, x, &axes);
                    for (a, b) in reduced(kind, x, &axes).to_f64s().into_iter().zip(expected) {
                        approx::assert_relative_eq!(a, b, max_relative = 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn reductions_of_nothing_are_the_identity_or_an_error() {
        let x = Tensor::zeros([2, 0], DType::F64).unwrap();
        assert_eq!(reduced(ReduceOp::Sum, &x, &[1]).to_f64s(), [0.0, 0.0]);
        assert_eq!(reduced(ReduceOp::Sum, &x, &[0]).shape()[..], [1, 0]);
        let mut out = Tensor::zeros([2, 1], DType::F64).unwrap();
        assert!(reduce(ReduceOp::Max, &x, AxisSet::from_iter([1]), &mut out).is_err());
    }

    #[test]
    fn extremes_keep_nan() {
        let x = Tensor::from([1.0, f64::NAN, 3.0]);
        assert!(reduced(ReduceOp::Max, &x, &[0]).to_f64s()[0].is_nan());
        assert!(reduced(ReduceOp::Min, &x, &[0]).to_f64s()[0].is_nan());
    }

    #[test]
    fn a_pairwise_sum_of_many_floats_is_accurate() {
        let n = 1 << 22;
        let x = Tensor::from(vec![0.1_f32; n]);
        let sum = reduced(ReduceOp::Sum, &x, &[0]).to_f64s()[0];
        let exact = f64::from(0.1_f32) * n as f64;
        assert!((sum - exact).abs() / exact < 1e-6, "{sum} against {exact}");
    }

    #[test]
    fn reductions_are_bitwise_equal_for_any_number_of_threads() {
        let x = Tensor::from((0..500_000).map(|i| (i as f32).sin()).collect::<Vec<_>>());
        let run = |threads: usize| {
            threads::with(threads, || {
                let wide = x.reshape([500, 1000]).unwrap();
                [
                    reduced(ReduceOp::Sum, &x, &[0]),
                    reduced(ReduceOp::Sum, &wide, &[0]),
                    reduced(ReduceOp::Sum, &wide, &[1]),
                ]
            })
        };
        assert!(run(1) == run(2) && run(2) == run(7));
    }

    #[test]
    fn cumulative_sums_go_both_ways() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let mut out = Tensor::zeros([3, 2], DType::F64).unwrap();
        cumsum(&x, 0, Direction::Forward, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [1.0, 2.0, 4.0, 6.0, 9.0, 12.0]);
        cumsum(&x, 0, Direction::Reverse, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [9.0, 12.0, 8.0, 10.0, 5.0, 6.0]);
        cumsum(&x, 1, Direction::Forward, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [1.0, 3.0, 3.0, 7.0, 5.0, 11.0]);
    }
}
