//! Reductions along axes.

use super::simd::dispatch;
use super::threads::parallel_chunks_mut;
use super::{CHUNK, borrowed, input, output};
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
    /// Whether results are rounded: whether it is a sum.
    const ROUNDS: bool = false;
    fn combine(a: T, b: T) -> T;
}

pub(crate) struct Sum;
pub(crate) struct Max;
pub(crate) struct Min;

macro_rules! reduction {
    ($name:ident $rounds:literal $identity:ident |$a:ident, $b:ident| $value:expr, $integers:expr) => {
        impl<T: Float> Combine<T> for $name {
            const IDENTITY: T = T::$identity;
            const ROUNDS: bool = $rounds;

            #[inline(always)]
            fn combine($a: T, $b: T) -> T {
                $value
            }
        }

        impl Combine<i64> for $name {
            const IDENTITY: i64 = $integers.0;

            #[inline(always)]
            fn combine(a: i64, b: i64) -> i64 {
                $integers.1(a, b)
            }
        }
    };
}

reduction!(Sum true NEG_ZERO |a, b| a + b, (0, i64::wrapping_add));
reduction!(Max false NEG_INFINITY |a, b| a.max(b), (i64::MIN, i64::max));
reduction!(Min false INFINITY |a, b| a.min(b), (i64::MAX, i64::min));

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

/// The identity element, which combined with a number gives that number, bit for bit.
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

/// Shorter slices are not reduced in lanes: the vectors would be half empty.
pub(crate) const SHORT: usize = 16;

/// The reduction of a slice in `N` lanes, which are then reduced by halves.
///
/// A slice shorter than [`SHORT`] is reduced one element after another.
///
/// Four elements for a lane are combined with each other first: a lane then depends on one
/// combination in four, which counts since a compiler may well keep lanes in memory.
#[inline(always)]
pub(crate) fn lanes<T: Elem, C: Combine<T>, const N: usize>(x: &[T]) -> T {
    if x.len() < SHORT {
        let mut y = C::IDENTITY;
        for &x in x {
            y = C::combine(y, x);
        }
        return y;
    }
    let mut lanes = [C::IDENTITY; N];
    let blocks = x.len() - x.len() % (4 * N);
    for start in (0..blocks).step_by(4 * N) {
        let now = &x[start..start + 4 * N];
        for (i, lane) in lanes.iter_mut().enumerate() {
            let front = C::combine(now[i], now[N + i]);
            let back = C::combine(now[2 * N + i], now[3 * N + i]);
            *lane = C::combine(*lane, C::combine(front, back));
        }
    }
    if blocks < x.len() {
        // Whole vectors, filled up with what changes nothing: indices that vary would keep the lanes
        // in memory all along.
        let mut rest = [[C::IDENTITY; N]; 4];
        for (y, &x) in rest.as_flattened_mut().iter_mut().zip(&x[blocks..]) {
            *y = x;
        }
        for rest in rest {
            for (lane, y) in lanes.iter_mut().zip(rest) {
                *lane = C::combine(*lane, y);
            }
        }
    }
    halved::<T, C, N>(lanes)
}

/// The reduction of lanes, by halves.
#[inline(always)]
pub(crate) fn halved<T: Elem, C: Combine<T>, const N: usize>(mut lanes: [T; N]) -> T {
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
pub(crate) fn into_row<T: Elem, C: Combine<T>>(x: &[T], into: &mut [T]) {
    #[inline(always)]
    fn plain<T: Elem, C: Combine<T>>(x: &[T], into: &mut [T]) {
        for row in x.chunks_exact(into.len().max(1)) {
            for (y, &x) in into.iter_mut().zip(row) {
                *y = C::combine(*y, x);
            }
        }
    }
    dispatch!(<T: Elem, C: Combine<T>> (x: &[T], into: &mut [T]) { plain::<T, C>(x, into) })
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
    match (x.dtype(), out.dtype()) {
        (DType::I64, DType::F32) if op == ReduceOp::Sum => exact_sum::<f32>(x, axes, out),
        (DType::I64, DType::F64) if op == ReduceOp::Sum => exact_sum::<f64>(x, axes, out),
        (_, DType::F32) => with_reduce!(op, reduce_axes::<f32>(x, axes, out)),
        (_, DType::F64) => with_reduce!(op, reduce_axes::<f64>(x, axes, out)),
        (_, DType::I64) => with_reduce!(op, reduce_axes::<i64>(x, axes, out)),
    }
}

/// The sum of integers as floats: exact, however large it is, and then rounded.
fn exact_sum<T: Float>(x: &Tensor, axes: AxisSet, out: &mut Tensor) -> Result<()> {
    // Sums of the upper and of the lower half of the bits do not overflow.
    const HALF: u32 = 32;
    let shape = out.shape().clone();
    let sums = |half: fn(i64) -> i64| {
        let halves: Vec<i64> = borrowed::<i64>(x).iter().map(|&x| half(x)).collect();
        let halves = Tensor::new(x.shape().clone(), halves)?;
        let mut sums = Tensor::zeros(shape.clone(), DType::I64)?;
        reduce_axes::<i64, Sum>(&halves, axes, &mut sums)?;
        sums.to_vec::<i64>()
    };
    let (upper, lower) = (sums(|x| x >> HALF)?, sums(|x| x & ((1 << HALF) - 1))?);
    let out = output::<T>("reduce", out, &shape)?;
    for (y, (upper, lower)) in out.iter_mut().zip(upper.into_iter().zip(lower)) {
        let sum = (i128::from(upper) << HALF) + i128::from(lower);
        // Rounded once.
        *y = T::of(if T::DTYPE == DType::F32 { f64::from(sum as f32) } else { sum as f64 });
    }
    Ok(())
}

/// Reduces groups of adjacent axes one after another, each as `[outer, reduced, inner]`.
fn reduce_axes<T: Elem, C: Combine<T> + Sync>(
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
fn reduce_middle<T: Elem, C: Combine<T> + Sync>(data: &[T], dims: [usize; 3], out: &mut [T]) {
    let [_, reduced, inner] = dims;
    if reduced == 0 || out.is_empty() {
        // Only sums can be of nothing.
        out.fill(T::ZERO);
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
fn reduce_row<T: Elem, C: Combine<T> + Sync>(data: &[T]) -> T {
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

fn block<T: Elem, C: Combine<T>>(data: &[T]) -> T {
    dispatch!(<T: Elem, C: Combine<T>> (data: &[T]) -> T { lanes::<T, C, 16>(data) })
}

/// The reduction of rows of `inner` elements to one row: a tree of halves over blocks of 32 rows.
fn reduce_columns<T: Elem, C: Combine<T> + Sync>(data: &[T], inner: usize, out: &mut [T]) {
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
    fn integers_are_reduced_as_integers() {
        let large = (1_i64 << 60) + 1;
        let x = Tensor::from([[large, -3], [large + 1, i64::MIN]]);
        let of = |op, axes: &[usize]| reduced(op, &x, axes).to_vec::<i64>().unwrap();
        assert_eq!(of(ReduceOp::Sum, &[0]), [2 * large + 1, i64::MAX - 2]);
        assert_eq!(of(ReduceOp::Max, &[0, 1]), [large + 1]);
        assert_eq!(of(ReduceOp::Min, &[1]), [-3, i64::MIN]);
    }

    #[test]
    fn a_sum_of_integers_as_a_float_is_rounded_once() {
        let sum = |x: Vec<i64>| {
            let mut out = Tensor::zeros([1], DType::F64).unwrap();
            reduce(ReduceOp::Sum, &Tensor::from(x), AxisSet::from_iter([0]), &mut out).unwrap();
            out.to_f64s()[0]
        };
        assert_eq!(sum(vec![i64::MAX; 4]), 4.0 * i64::MAX as f64);
        assert_eq!(sum(vec![i64::MIN; 3]), 3.0 * i64::MIN as f64);
        assert_eq!(sum(vec![(1 << 53) + 1, -(1 << 53), 4, -4]), 1.0);
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
}
