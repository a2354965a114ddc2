//! Scans along an axis: cumulative sums, products and extremes, and linear recurrences.

use super::simd::dispatch;
use super::threads::parallel_chunks_mut;
use super::{CHUNK, Extreme, borrowed, input, is_nan, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{DType, Elem, Error, Result, Tensor};

/// How many totals go along the axis side by side: they stay in the first cache.
const COLUMNS: usize = 1024;

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

/// What is accumulated along the axis.
trait Accumulated<T: Elem> {
    /// What is carried from one element to the next.
    type Total: Copy;
    /// That of nothing.
    const START: Self::Total;
    /// With one more element.
    fn with(total: Self::Total, x: T) -> Self::Total;
    /// As an element.
    fn rounded(total: Self::Total) -> T;

    /// With each of four elements, which become the totals.
    #[inline(always)]
    fn with_four(mut total: Self::Total, four: &mut [T; 4]) -> Self::Total {
        for x in four {
            total = Self::with(total, *x);
            *x = Self::rounded(total);
        }
        total
    }
}

struct Sum;

impl<T: Elem> Accumulated<T> for Sum {
    type Total = T::Total;
    const START: T::Total = T::NOTHING;

    #[inline(always)]
    fn with(total: T::Total, x: T) -> T::Total {
        T::added(total, x)
    }

    #[inline(always)]
    fn rounded(total: T::Total) -> T {
        T::rounded(total)
    }
}

/// Products of `f32` are accumulated in `f64`; those of integers wrap.
pub(super) struct Product;

impl Accumulated<f32> for Product {
    type Total = f64;
    const START: f64 = 1.0;

    #[inline(always)]
    fn with(total: f64, x: f32) -> f64 {
        total * f64::from(x)
    }

    #[inline(always)]
    fn rounded(total: f64) -> f32 {
        total as f32
    }

    /// One factor in four waits for the one before: the product of four numbers of `f32` neither
    /// overflows nor underflows in `f64`.
    #[inline(always)]
    fn with_four(total: f64, four: &mut [f32; 4]) -> f64 {
        let [a, b, c, d] = four.map(f64::from);
        let (ab, cd) = (a * b, c * d);
        let products = [a, ab, ab * c, ab * cd].map(|product| total * product);
        *four = products.map(|product| product as f32);
        products[3]
    }
}

impl Accumulated<f64> for Product {
    type Total = f64;
    const START: f64 = 1.0;

    #[inline(always)]
    fn with(total: f64, x: f64) -> f64 {
        total * x
    }

    #[inline(always)]
    fn rounded(total: f64) -> f64 {
        total
    }
}

impl Accumulated<i64> for Product {
    type Total = i64;
    const START: i64 = 1;

    #[inline(always)]
    fn with(total: i64, x: i64) -> i64 {
        total.wrapping_mul(x)
    }

    #[inline(always)]
    fn rounded(total: i64) -> i64 {
        total
    }
}

/// The cumulative (inclusive) sum along an axis. Its error does not grow along the axis.
pub fn cumsum(x: &Tensor, axis: usize, direction: Direction, out: &mut Tensor) -> Result<()> {
    let [_, len, inner] = outer_dim_inner("cumsum", x.shape(), axis)?;
    super::copy(x, out)?;
    with_elem!(out.dtype(), T => {
        let out = output::<T>("cumsum", out, x.shape())?;
        accumulate::<T, Sum>(out, len, inner, direction);
    });
    Ok(())
}

/// The cumulative (inclusive) product along an axis.
pub fn cumprod(x: &Tensor, axis: usize, out: &mut Tensor) -> Result<()> {
    let [_, len, inner] = outer_dim_inner("cumprod", x.shape(), axis)?;
    super::copy(x, out)?;
    with_elem!(out.dtype(), T => {
        let out = output::<T>("cumprod", out, x.shape())?;
        accumulate::<T, Product>(out, len, inner, Direction::Forward);
    });
    Ok(())
}

fn accumulate<T: Elem, A: Accumulated<T>>(
    out: &mut [T],
    len: usize,
    inner: usize,
    direction: Direction,
) {
    if inner == 1 && len > 0 {
        let lines = (CHUNK / len).max(1);
        return parallel_chunks_mut(out, lines * len, |_, out| {
            along_lines::<T, A>(out, len, direction);
        });
    }
    each_slab(out, len * inner, |_, slab| along_rows::<T, A>(slab, inner, direction));
}

/// How many lines are accumulated side by side: an addition waits for the one before, but not for those
/// of other lines.
const LINES: usize = 8;

/// Along each of some contiguous lines.
fn along_lines<T: Elem, A: Accumulated<T>>(out: &mut [T], len: usize, direction: Direction) {
    let mut groups = out.chunks_exact_mut(LINES * len);
    for group in &mut groups {
        side_by_side::<T, A>(group, len, direction);
    }
    side_by_side::<T, A>(groups.into_remainder(), len, direction);
}

/// Along each of a few lines, four elements of each at a time.
fn side_by_side<T: Elem, A: Accumulated<T>>(lines: &mut [T], len: usize, direction: Direction) {
    let mut totals = [A::START; LINES];
    let totals = &mut totals[..lines.len() / len];
    let whole = len - len % 4;
    let rest = match direction {
        Direction::Forward => whole..len,
        Direction::Reverse => 0..len - whole,
    };
    for step in 0..whole / 4 {
        let start = match direction {
            Direction::Forward => 4 * step,
            Direction::Reverse => len - 4 * (step + 1),
        };
        for (nth, total) in totals.iter_mut().enumerate() {
            let at = nth * len + start;
            let Some(four) = lines[at..].first_chunk_mut::<4>() else { break };
            if direction == Direction::Reverse {
                four.reverse();
            }
            *total = A::with_four(*total, four);
            if direction == Direction::Reverse {
                four.reverse();
            }
        }
    }
    for (nth, total) in totals.iter_mut().enumerate() {
        let line = &mut lines[nth * len..][rest.clone()];
        for step in rows_in(direction, line.len()) {
            *total = A::with(*total, line[step]);
            line[step] = A::rounded(*total);
        }
    }
}

/// Calls `work` with each slab of `out` and its number, some slabs to a task.
fn each_slab<T: Elem>(out: &mut [T], slab: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    if out.is_empty() {
        return;
    }
    let slabs = (CHUNK / slab).max(1);
    parallel_chunks_mut(out, slabs * slab, |task, out| {
        for (nth, out) in out.chunks_exact_mut(slab).enumerate() {
            work(task * slabs + nth, out);
        }
    });
}

/// The numbers of rows, in the order of a direction.
fn rows_in(direction: Direction, rows: usize) -> impl Iterator<Item = usize> {
    (0..rows).map(move |step| match direction {
        Direction::Forward => step,
        Direction::Reverse => rows - step - 1,
    })
}

/// Rows of `inner` elements, each of which is added to those before it.
fn along_rows<T: Elem, A: Accumulated<T>>(slab: &mut [T], inner: usize, direction: Direction) {
    let rows = slab.len() / inner;
    let mut totals = vec![A::START; inner.min(COLUMNS)];
    for column in (0..inner).step_by(COLUMNS) {
        let totals = &mut totals[..COLUMNS.min(inner - column)];
        totals.fill(A::START);
        for row in rows_in(direction, rows) {
            let start = row * inner + column;
            let row = &mut slab[start..start + totals.len()];
            next_row::<T, A>(totals, row);
        }
    }
}

fn next_row<T: Elem, A: Accumulated<T>>(totals: &mut [A::Total], row: &mut [T]) {
    #[inline(always)]
    fn plain<T: Elem, A: Accumulated<T>>(totals: &mut [A::Total], row: &mut [T]) {
        for (total, x) in totals.iter_mut().zip(row) {
            *total = A::with(*total, *x);
            *x = A::rounded(*total);
        }
    }
    dispatch!(<T: Elem, A: Accumulated<T>> (totals: &mut [A::Total], row: &mut [T]) {
        plain::<T, A>(totals, row)
    })
}

/// The linear recurrence `hᵢ = aᵢ hᵢ₋₁ + bᵢ` along an axis, from `h₀ = b₀` on; in reverse
/// `hᵢ = aᵢ₊₁ hᵢ₊₁ + bᵢ`. So a factor belongs to two neighbors and stands at the later one; the first
/// is not read. Where `starts` is not 0, the later one begins a segment of its own, and no factor joins
/// it to the one before, which may be infinite. Computed in `f64`.
pub fn recurrence(
    a: &Tensor,
    b: &Tensor,
    starts: Option<&Tensor>,
    axis: usize,
    direction: Direction,
    out: &mut Tensor,
) -> Result<()> {
    let operation = "recurrence";
    let [_, len, inner] = outer_dim_inner(operation, b.shape(), axis)?;
    for (other, why) in [
        (Some(a), "there is one factor for each term"),
        (starts, "there is one start for each term"),
    ] {
        if let Some(other) = other.filter(|other| other.shape() != b.shape()) {
            let (left, right) = (other.shape().clone(), b.shape().clone());
            return Err(Error::Shape { operation, left, right, why });
        }
    }
    if !out.dtype().is_float() {
        let (given, expected) = (out.dtype(), DType::F64);
        return Err(Error::DType { operation, given, expected });
    }
    super::copy(b, out)?;
    with_elem!(out.dtype(), T => {
        input::<T>(operation, a)?;
        let a = borrowed::<T>(a);
        let starts = starts.map(|starts| input::<T>(operation, starts).map(|_| borrowed::<T>(starts)));
        let starts = starts.transpose()?;
        let out = output::<T>(operation, out, b.shape())?;
        if inner == 1 && len > 0 && starts.is_none() {
            let lines = (CHUNK / len).max(1) * len;
            parallel_chunks_mut(out, lines, |task, out| {
                let a = &a[task * lines..][..out.len()];
                let groups = a.chunks(LINES * len).zip(out.chunks_mut(LINES * len));
                groups.for_each(|(a, out)| recur_lines(a, out, len, direction));
            });
            return Ok(());
        }
        each_slab(out, len * inner, |nth, slab| {
            let a = &a[nth * len * inner..][..len * inner];
            match &starts {
                Some(starts) => {
                    let starts = &starts[nth * len * inner..][..len * inner];
                    recur_segments([a, starts], slab, inner, direction);
                }
                None => recur_rows(a, slab, inner, direction),
            }
        });
    });
    Ok(())
}

/// Along each of a few contiguous lines of factors and of terms, in whose place the results are
/// written: the total of a line waits for the one before, but not for those of other lines.
fn recur_lines<T: Elem>(a: &[T], terms: &mut [T], len: usize, direction: Direction) {
    let mut totals = [0.0; LINES];
    for (step, i) in rows_in(direction, len).enumerate() {
        let later = if direction == Direction::Forward { i } else { i + 1 };
        let terms = terms[i..].iter_mut().step_by(len);
        if step == 0 {
            terms.zip(&mut totals).for_each(|(h, total)| *total = h.to_f64());
            continue;
        }
        for ((h, a), total) in terms.zip(a[later..].iter().step_by(len)).zip(&mut totals) {
            *total = a.to_f64() * *total + h.to_f64();
            *h = T::of(*total);
        }
    }
}

/// The same in segments, along each line of the axis.
fn recur_segments<T: Elem>(
    [a, starts]: [&[T]; 2],
    slab: &mut [T],
    inner: usize,
    direction: Direction,
) {
    for column in 0..inner {
        let mut total = 0.0;
        for (step, row) in rows_in(direction, slab.len() / inner).enumerate() {
            let at = row * inner + column;
            let later = if direction == Direction::Forward { at } else { at + inner };
            let term = slab[at].to_f64();
            let begins = step == 0 || starts[later] != T::ZERO;
            total = if begins { term } else { a[later].to_f64() * total + term };
            slab[at] = T::of(total);
        }
    }
}

fn recur_rows<T: Elem>(a: &[T], slab: &mut [T], inner: usize, direction: Direction) {
    let rows = slab.len() / inner;
    let mut totals = vec![0.0; inner.min(COLUMNS)];
    for column in (0..inner).step_by(COLUMNS) {
        let totals = &mut totals[..COLUMNS.min(inner - column)];
        for (step, row) in rows_in(direction, rows).enumerate() {
            let start = row * inner + column;
            let h = &mut slab[start..start + totals.len()];
            if step == 0 {
                totals.iter_mut().zip(h).for_each(|(total, h)| *total = h.to_f64());
                continue;
            }
            let later = if direction == Direction::Forward { start } else { start + inner };
            next_row_of_recurrence(totals, &a[later..later + totals.len()], h);
        }
    }
}

fn next_row_of_recurrence<T: Elem>(totals: &mut [f64], a: &[T], h: &mut [T]) {
    #[inline(always)]
    fn plain<T: Elem>(totals: &mut [f64], a: &[T], h: &mut [T]) {
        for ((total, a), h) in totals.iter_mut().zip(a).zip(h) {
            *total = a.to_f64() * *total + h.to_f64();
            *h = T::of(*total);
        }
    }
    dispatch!(<T: Elem> (totals: &mut [f64], a: &[T], h: &mut [T]) { plain::<T>(totals, a, h) })
}

/// The index of the cumulative maximum or minimum along an axis: the last one of equals, and of NaNs
/// from the first NaN on.
pub fn arg_cumulative(extreme: Extreme, x: &Tensor, axis: usize, out: &mut Tensor) -> Result<()> {
    let operation = "arg_cumulative";
    let [_, len, inner] = outer_dim_inner(operation, x.shape(), axis)?;
    with_elem!(x.dtype(), T => {
        let x_elements = borrowed::<T>(x);
        let out = output::<i64>(operation, out, x.shape())?;
        each_slab(out, len * inner, |nth, slab| {
            let x = &x_elements[nth * len * inner..][..len * inner];
            match extreme {
                Extreme::Max => running_extreme(x, inner, |x, best| x >= best || is_nan(x), slab),
                Extreme::Min => running_extreme(x, inner, |x, best| x <= best || is_nan(x), slab),
            }
        });
    });
    Ok(())
}

/// How many elements are compared with an extreme at once.
const RUN: usize = 64;

fn running_extreme<T: Elem>(x: &[T], inner: usize, takes: impl Fn(T, T) -> bool, out: &mut [i64]) {
    if inner == 1 {
        let (mut best, mut at) = (x[0], 0);
        for (start, (x, out)) in (0..).step_by(RUN).zip(x.chunks(RUN).zip(out.chunks_mut(RUN))) {
            // Most runs hold no new extreme, which vectors find out.
            if !x.iter().fold(false, |any, &x| any | takes(x, best)) {
                out.fill(at);
                continue;
            }
            for ((n, &x), out) in (start..).zip(x).zip(out) {
                if takes(x, best) {
                    (best, at) = (x, n);
                }
                *out = at;
            }
        }
        return;
    }
    let mut best: Vec<(T, i64)> = x[..inner].iter().map(|&x| (x, 0)).collect();
    for ((n, x), out) in (0_i64..).zip(x.chunks_exact(inner)).zip(out.chunks_exact_mut(inner)) {
        for ((best, &x), out) in best.iter_mut().zip(x).zip(out) {
            *best = if takes(x, best.0) { (x, n) } else { *best };
            *out = best.1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn running(x: &Tensor, axis: usize, direction: Direction) -> Vec<f64> {
        let mut out = Tensor::zeros(x.shape().clone(), x.dtype()).unwrap();
        cumsum(x, axis, direction, &mut out).unwrap();
        out.to_f64s()
    }

    #[test]
    fn cumulative_sums_go_both_ways() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        assert_eq!(running(&x, 0, Direction::Forward), [1.0, 2.0, 4.0, 6.0, 9.0, 12.0]);
        assert_eq!(running(&x, 0, Direction::Reverse), [9.0, 12.0, 8.0, 10.0, 5.0, 6.0]);
        assert_eq!(running(&x, 1, Direction::Forward), [1.0, 3.0, 3.0, 7.0, 5.0, 11.0]);
        assert_eq!(
            running(&x.t().unwrap(), 1, Direction::Forward),
            [1.0, 4.0, 9.0, 2.0, 6.0, 12.0]
        );
    }

    #[test]
    fn a_cumulative_sum_of_twenty_million_ones_counts_them() {
        let ones = Tensor::filled_view([20_000_000], 1.0, DType::F32).unwrap();
        for direction in [Direction::Forward, Direction::Reverse] {
            let mut out = Tensor::zeros([20_000_000], DType::F32).unwrap();
            cumsum(&ones, 0, direction, &mut out).unwrap();
            let out = out.as_slice::<f32>().unwrap();
            let (first, last) = (out[0], out[19_999_999]);
            let ends = if direction == Direction::Forward { [first, last] } else { [last, first] };
            assert_eq!(ends, [1.0, 2e7]);
        }
    }

    #[test]
    fn every_partial_sum_is_as_exact_as_the_first() {
        for inner in [1_usize, 3] {
            // Signs that change, so that sums stay small beside their terms.
            let terms: Vec<i64> = (0..300_000).map(|i| (i * 7919 % 1001) - 500).collect();
            let sums = |dtype| {
                let x = Tensor::new([300_000 / inner, inner], terms.clone()).unwrap();
                let tenths = (x.to_dtype(DType::F64) * 0.1).unwrap();
                running(&tenths.to_dtype(dtype), 0, Direction::Forward)
            };
            let (single, double) = (sums(DType::F32), sums(DType::F64));
            let mut exact = vec![0_i64; inner];
            for (i, term) in terms.iter().enumerate() {
                exact[i % inner] += term;
                let expected = exact[i % inner] as f64 * 0.1;
                assert!((double[i] - expected).abs() < 1e-10, "{} against {expected}", double[i]);
                assert!((single[i] - expected).abs() < 0.1, "{} against {expected}", single[i]);
            }
        }
    }

    #[test]
    fn integers_are_added_up_as_integers() {
        let x = Tensor::from([i64::MAX - 1, 1, 1]);
        let mut out = Tensor::zeros([3], DType::I64).unwrap();
        cumsum(&x, 0, Direction::Forward, &mut out).unwrap();
        assert_eq!(out, Tensor::from([i64::MAX - 1, i64::MAX, i64::MIN]));
    }

    #[test]
    fn products_of_every_length_are_those_one_by_one() {
        let factors: Vec<f32> = (0..11).map(|i| 0.5 + i as f32 * 0.125).collect();
        for len in 0..11 {
            let x = Tensor::new([len], factors[..len].to_vec()).unwrap();
            let mut out = Tensor::zeros([len], DType::F32).unwrap();
            cumprod(&x, 0, &mut out).unwrap();
            let mut product = 1.0_f64;
            for (got, factor) in out.to_f64s().iter().zip(&factors) {
                product *= f64::from(*factor);
                assert!((got - product).abs() <= 1e-7 * product);
            }
        }
        let wide = Tensor::from([[2_i64, 3], [4, 5], [i64::MAX, -1]]);
        let mut out = Tensor::zeros([3, 2], DType::I64).unwrap();
        cumprod(&wide, 0, &mut out).unwrap();
        assert_eq!(out, Tensor::from([[2_i64, 3], [8, 15], [-8, -15]]));
    }

    #[test]
    fn a_recurrence_goes_both_ways_along_every_axis() {
        let a = Tensor::from([[9.0, 9.0], [2.0, 3.0], [4.0, 5.0]]);
        let b = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let run = |a: &Tensor, b: &Tensor, axis, direction| {
            let mut out = Tensor::zeros(b.shape().clone(), DType::F64).unwrap();
            recurrence(a, b, None, axis, direction, &mut out).unwrap();
            out
        };
        let forward = Tensor::from([[1.0, 2.0], [5.0, 10.0], [25.0, 56.0]]);
        let reverse = Tensor::from([[47.0, 104.0], [23.0, 34.0], [5.0, 6.0]]);
        assert_eq!(run(&a, &b, 0, Direction::Forward), forward);
        assert_eq!(run(&a, &b, 0, Direction::Reverse), reverse);
        let (a, b) = (a.t().unwrap(), b.t().unwrap());
        assert_eq!(run(&a, &b, 1, Direction::Forward), forward.t().unwrap());
        assert_eq!(run(&a, &b, 1, Direction::Reverse), reverse.t().unwrap());
    }

    #[test]
    fn a_segment_of_a_recurrence_knows_nothing_of_its_neighbors() {
        let a = Tensor::from([[9.0, 9.0], [2.0, 3.0], [4.0, f64::NAN], [0.0, 2.0]]);
        let b = Tensor::from([[1.0, f64::INFINITY], [3.0, 4.0], [f64::NAN, 6.0], [7.0, 8.0]]);
        let starts = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]);
        let of = |direction| {
            let mut out = Tensor::zeros([4, 2], DType::F64).unwrap();
            recurrence(&a, &b, Some(&starts), 0, direction, &mut out).unwrap();
            format!("{:?}", out.to_f64s())
        };
        assert_eq!(of(Direction::Forward), "[1.0, inf, 5.0, 4.0, NaN, 6.0, 7.0, 20.0]");
        assert_eq!(of(Direction::Reverse), "[7.0, inf, 3.0, 4.0, NaN, 22.0, 7.0, 8.0]");
    }

    #[test]
    fn the_last_of_equal_extremes_is_taken_and_nan_stays() {
        let index = |x: &Tensor, axis, extreme| {
            let mut out = Tensor::zeros(x.shape().clone(), DType::I64).unwrap();
            arg_cumulative(extreme, x, axis, &mut out).unwrap();
            out
        };
        let x = Tensor::from([1.0, 3.0, 3.0, 2.0, f64::NAN, 9.0, f64::NAN]);
        assert_eq!(index(&x, 0, Extreme::Max), Tensor::from([0_i64, 1, 2, 2, 4, 4, 6]));
        assert_eq!(index(&x, 0, Extreme::Min), Tensor::from([0_i64, 0, 0, 0, 4, 4, 6]));
        let mut rises = vec![0.0; 1000];
        for (i, x) in [(3, 1.0), (64, 1.0), (500, 2.0), (999, 2.0)] {
            rises[i] = x;
        }
        let found = index(&Tensor::from(rises), 0, Extreme::Max).to_f64s();
        let at = [(2, 2.0), (63, 3.0), (499, 64.0), (998, 500.0), (999, 999.0)];
        assert!(at.iter().all(|&(i, expected)| found[i] == expected), "{found:?}");
        let x = Tensor::from([[1.0, 5.0], [1.0, 6.0], [0.0, 4.0]]);
        assert_eq!(index(&x, 0, Extreme::Max), Tensor::from([[0_i64, 0], [1, 1], [1, 1]]));
        assert_eq!(index(&x, 1, Extreme::Min), Tensor::from([[0_i64, 0], [0, 0], [0, 0]]));
    }

    #[test]
    fn nothing_has_no_sums() {
        let x = Tensor::zeros([2, 0, 3], DType::F32).unwrap();
        assert!(running(&x, 1, Direction::Forward).is_empty());
        assert!(running(&x, 0, Direction::Reverse).is_empty());
    }
}
