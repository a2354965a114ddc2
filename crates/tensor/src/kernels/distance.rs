//! Euclidean distances of each vector of a set from each of another, from differences: what the norms
//! and a product of matrices give loses the digits of vectors that are close.

use super::simd::{Loop, vectorized};
use super::threads::parallel_chunks_mut;
use super::transpose::transpose;
use super::{CHUNK, borrowed, output};
use crate::{DType, Error, Float, Result, Shape, Tensor};

/// How many numbers a loop has at a time: those of some vectors, for each of two rows of results. Each
/// has a sum of its own, and fewer sums than these would wait for their own last term.
const LANES: usize = 32;

/// The same where there are not so many.
const FEW: usize = 8;

/// How many terms are added up before they join the total.
const TERMS: usize = 32;

/// Batch, rows and columns of a tensor of matrices.
fn matrices(x: &Tensor) -> Option<(&[usize], [usize; 2])> {
    x.shape().split_last_chunk::<2>().map(|(batch, size)| (batch, *size))
}

/// The shape of all distances, if there are two sets of vectors of one length, in equal batches.
fn pairs(a: &Tensor, b: &Tensor) -> Result<Vec<usize>> {
    match (matrices(a), matrices(b)) {
        (Some((batch, [n, d])), Some((same, [m, length]))) if batch == same && d == length => {
            Ok([batch, &[n, m]].concat())
        }
        _ => {
            let (left, right) = (a.shape().clone(), b.shape().clone());
            let why = "the rows of both are vectors of one length, in equal batches";
            Err(Error::Shape { operation: "distances", left, right, why })
        }
    }
}

/// `y[i, j] = ‖a[i] − b[j]‖`: sets `[…, n, d]` and `[…, m, d]` give `[…, n, m]`.
///
/// # Errors
/// Shapes or types that do not fit.
pub fn distances(a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    match out.dtype() {
        DType::F32 => distances_of::<f32>(a, b, out),
        _ => distances_of::<f64>(a, b, out),
    }
}

fn distances_of<T: Float>(a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    let expected = pairs(a, b)?;
    let (d, [n, m]) = (a.shape()[a.rank() - 1], [expected[a.rank() - 2], expected[a.rank() - 1]]);
    let out = output::<T>("distances", out, &expected)?;
    if out.is_empty() {
        return Ok(());
    }
    let (a, b) = (borrowed::<T>(a), borrowed::<T>(b));
    let leading = m.next_multiple_of(if m < LANES { FEW } else { LANES });
    let columns = columns(&b, [m, d], leading);
    parallel_rows(out, [n, m, m * d], |row, [first, second]| {
        let (columns, b) =
            (&columns[row / n * d * leading..][..d * leading], &b[row / n * m * d..]);
        let a = |nth: usize| &a[(row + nth) * d..][..d];
        let mut sums = vec![T::ZERO; 2 * leading];
        let few = m < LANES;
        match (second.is_empty(), few) {
            (false, false) => squares::<T, LANES, 2>([a(0), a(1)], columns, &mut sums),
            (false, true) => squares::<T, FEW, 2>([a(0), a(1)], columns, &mut sums),
            (true, false) => squares::<T, LANES, 1>([a(0)], columns, &mut sums[..leading]),
            (true, true) => squares::<T, FEW, 1>([a(0)], columns, &mut sums[..leading]),
        }
        for (nth, (out, sums)) in
            [first, second].into_iter().zip(sums.chunks_exact(leading)).enumerate()
        {
            let in_range = |sum: T| sum < T::INFINITY && sum > T::MIN_POSITIVE * T::of(1e15);
            out.iter_mut().zip(sums).for_each(|(y, &sum)| *y = sum.sqrt());
            if sums[..out.len()].iter().fold(true, |all, &sum| all & in_range(sum)) {
                continue;
            }
            for (j, y) in out.iter_mut().enumerate().filter(|&(j, _)| !in_range(sums[j])) {
                *y = scaled_distance(a(nth), &b[j * d..][..d]);
            }
        }
    });
    Ok(())
}

/// Calls `work` with the number of a row of results, with it, and with the next one, if that belongs to
/// the same batch of so many rows; else that is empty. Two rows read once what one would read: most of
/// what these loops do is to wait for it. A row has so many columns, and takes so many steps.
fn parallel_rows<T: Float>(
    out: &mut [T],
    [n, columns, steps]: [usize; 3],
    work: impl Fn(usize, [&mut [T]; 2]) + Sync,
) {
    let rows = (CHUNK / steps.max(1)).max(1).next_multiple_of(2);
    parallel_chunks_mut(out, rows * columns, |task, mut out| {
        let mut row = task * rows;
        while let Some(first) = out.split_off_mut(..columns) {
            let is_last = (row + 1).is_multiple_of(n);
            let second = if is_last { None } else { out.split_off_mut(..columns) };
            let count = 1 + usize::from(second.is_some());
            work(row, [first, second.unwrap_or_default()]);
            row += count;
        }
    });
}

/// The vectors of each set coordinate by coordinate, with room behind the last one for whole lanes.
fn columns<T: Float>(b: &[T], [m, d]: [usize; 2], leading: usize) -> Vec<T> {
    let (mut transposed, mut columns) =
        (vec![T::ZERO; m * d], vec![T::ZERO; b.len() / m * leading]);
    if d == 0 {
        return columns;
    }
    for (b, columns) in b.chunks_exact(m * d).zip(columns.chunks_exact_mut(leading * d)) {
        transpose(b, d, [m, d], &mut transposed);
        for (column, row) in columns.chunks_exact_mut(leading).zip(transposed.chunks_exact(m)) {
            column[..m].copy_from_slice(row);
        }
    }
    columns
}

/// The squares of the distances of R vectors from others, whose coordinates stand in columns, N of
/// them at a time: a row of sums for each vector.
fn squares<T: Float, const N: usize, const R: usize>(a: [&[T]; R], columns: &[T], sums: &mut [T]) {
    vectorized(SquaredDistances::<T, N, R> { a, columns, sums });
}

struct SquaredDistances<'a, T, const N: usize, const R: usize> {
    a: [&'a [T]; R],
    columns: &'a [T],
    sums: &'a mut [T],
}

impl<T: Float, const N: usize, const R: usize> Loop for SquaredDistances<'_, T, N, R> {
    #[inline(always)]
    fn run(self) {
        let SquaredDistances { a, columns, sums } = self;
        let (leading, d) = (sums.len() / R, a[0].len());
        let fits = columns.len() >= d * leading && a.iter().all(|a| a.len() == d);
        assert!(fits, "there is a row of lanes for each coordinate");
        for first in (0..leading - leading % N).step_by(N) {
            let mut totals = [[T::NOTHING; N]; R];
            for start in (0..d).step_by(TERMS) {
                let mut terms = [[T::ZERO; N]; R];
                for k in start..d.min(start + TERMS) {
                    // SAFETY: `k` is a coordinate, for which there are `leading` columns, and these N
                    // are whole chunks of as many. Checked, it would keep the sums in memory.
                    let b = unsafe { &*columns.as_ptr().add(k * leading + first).cast::<[T; N]>() };
                    for row in 0..R {
                        // SAFETY: `k` is a coordinate.
                        let a = unsafe { *a[row].get_unchecked(k) };
                        for lane in 0..N {
                            let difference = a - b[lane];
                            terms[row][lane] = difference.mul_add(difference, terms[row][lane]);
                        }
                    }
                }
                for (totals, terms) in totals.iter_mut().zip(terms) {
                    for lane in 0..N {
                        totals[lane] = T::added(totals[lane], terms[lane]);
                    }
                }
            }
            for (row, totals) in totals.into_iter().enumerate() {
                let sums = &mut sums[row * leading + first..][..N];
                for (sum, total) in sums.iter_mut().zip(totals) {
                    *sum = T::rounded(total);
                }
            }
        }
    }
}

/// A distance of which squares overflow, or lose digits by underflow.
#[cold]
fn scaled_distance<T: Float>(a: &[T], b: &[T]) -> T {
    let mut largest = T::ZERO;
    for (&a, &b) in a.iter().zip(b) {
        largest = largest.max((a - b).abs());
    }
    if largest == T::ZERO || largest == T::INFINITY || largest.is_nan() {
        return largest;
    }
    let scale = largest.max(T::MIN_POSITIVE).power_of_two();
    let mut sum = T::NOTHING;
    for (&a, &b) in a.iter().zip(b) {
        let difference = (a - b) / scale;
        sum = T::added(sum, difference * difference);
    }
    T::rounded(sum).sqrt() * scale
}

/// `y[i] = Σⱼ w[i, j] (a[i] − b[j])`: weights `[…, n, m]` of the differences of `[…, n, d]` and
/// `[…, m, d]` give `[…, n, d]`.
///
/// # Errors
/// Shapes or types that do not fit.
pub fn weighted_differences(w: &Tensor, a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    match out.dtype() {
        DType::F32 => weighted_differences_of::<f32>(w, a, b, out),
        _ => weighted_differences_of::<f64>(w, a, b, out),
    }
}

fn weighted_differences_of<T: Float>(
    w: &Tensor,
    a: &Tensor,
    b: &Tensor,
    out: &mut Tensor,
) -> Result<()> {
    let expected = pairs(a, b)?;
    if w.shape()[..] != expected {
        let (left, right) = (w.shape().clone(), Shape::from(&expected[..]));
        let why = "there is a weight for each pair of vectors";
        return Err(Error::Shape { operation: "weighted_differences", left, right, why });
    }
    let (d, [n, m]) = (a.shape()[a.rank() - 1], [expected[a.rank() - 2], expected[a.rank() - 1]]);
    let out = output::<T>("weighted_differences", out, a.shape())?;
    if out.is_empty() {
        return Ok(());
    }
    let (w, a, b) = (borrowed::<T>(w), borrowed::<T>(a), borrowed::<T>(b));
    parallel_rows(out, [n, d, m * d], |row, [first, second]| {
        let b = &b[row / n * m * d..][..m * d];
        let (w, a) =
            (|nth: usize| &w[(row + nth) * m..][..m], |nth: usize| &a[(row + nth) * d..][..d]);
        match second.is_empty() {
            true => vectorized(WeightedDifferences { w: [w(0)], a: [a(0)], b, out: [first] }),
            false => {
                let (w, a, out) = ([w(0), w(1)], [a(0), a(1)], [first, second]);
                vectorized(WeightedDifferences { w, a, b, out });
            }
        }
    });
    Ok(())
}

/// R rows of [`weighted_differences`].
struct WeightedDifferences<'a, T: Float, const R: usize> {
    w: [&'a [T]; R],
    a: [&'a [T]; R],
    b: &'a [T],
    out: [&'a mut [T]; R],
}

impl<T: Float, const R: usize> Loop for WeightedDifferences<'_, T, R> {
    #[inline(always)]
    fn run(mut self) {
        let d = self.out[0].len();
        let (many, few) = (d - d % LANES, d - d % FEW);
        for start in (0..many).step_by(LANES) {
            self.columns::<LANES>(start);
        }
        for start in (many..few).step_by(FEW) {
            self.columns::<FEW>(start);
        }
        for start in few..d {
            self.columns::<1>(start);
        }
    }
}

impl<T: Float, const R: usize> WeightedDifferences<'_, T, R> {
    /// So many sums of each row, from a column on.
    #[inline(always)]
    fn columns<const N: usize>(&mut self, start: usize) {
        let (d, m) = (self.out[0].len(), self.w[0].len());
        let fits = self.b.len() >= m * d && self.w.iter().all(|w| w.len() == m);
        assert!(fits, "there is a vector for each weight");
        let mut a = [[T::ZERO; N]; R];
        for (to, a) in a.iter_mut().zip(self.a) {
            to.copy_from_slice(&a[start..start + N]);
        }
        let mut totals = [[T::NOTHING; N]; R];
        for first in (0..m).step_by(TERMS) {
            let mut sums = [[T::ZERO; N]; R];
            for j in first..m.min(first + TERMS) {
                // SAFETY: vector `j` is one of those with a weight, and has N coordinates from `start`
                // on, as those of `a` have. Checked, it would keep the sums in memory.
                let b = unsafe { &*self.b.as_ptr().add(j * d + start).cast::<[T; N]>() };
                for row in 0..R {
                    // SAFETY: there is a weight for each vector.
                    let w = unsafe { *self.w[row].get_unchecked(j) };
                    for lane in 0..N {
                        sums[row][lane] = w.mul_add(a[row][lane] - b[lane], sums[row][lane]);
                    }
                }
            }
            for (totals, sums) in totals.iter_mut().zip(sums) {
                for lane in 0..N {
                    totals[lane] = T::added(totals[lane], sums[lane]);
                }
            }
        }
        for (out, totals) in self.out.iter_mut().zip(totals) {
            let out = &mut out[start..start + N];
            for (y, total) in out.iter_mut().zip(totals) {
                *y = T::rounded(total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: &[f32], b: &[f32]) -> f32 {
        let row = |x: &[f32]| Tensor::new([1, x.len()], x.to_vec()).unwrap();
        let mut out = Tensor::zeros([1, 1], DType::F32).unwrap();
        distances(&row(a), &row(b), &mut out).unwrap();
        out.to_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn squares_neither_overflow_nor_vanish() {
        assert_eq!(distance(&[3e30, 1e30], &[0.0, 5e30]), 5e30);
        assert_eq!(distance(&[3e-40, 0.0], &[0.0, 4e-40]), 5e-40);
        assert_eq!(distance(&[3e-30, 0.0], &[0.0, 4e-30]), 5e-30);
        assert_eq!(distance(&[], &[]), 0.0);
        assert_eq!(distance(&[f32::INFINITY, 0.0], &[0.0, 0.0]), f32::INFINITY);
        assert!(distance(&[f32::INFINITY, 0.0], &[f32::INFINITY, 0.0]).is_nan());
        assert!(distance(&[f32::NAN, f32::INFINITY], &[0.0, 0.0]).is_nan());
    }

    #[test]
    fn batches_have_their_own_vectors() {
        // Pairs of rows, a last one alone, and more vectors than a loop takes at a time.
        for [n, m, d] in [[2, 4, 3], [3, 40, 3], [1, 70, 45]] {
            let set = |n: usize, step: f64| {
                let numbers = (0..2 * n * d).map(|i| (i as f64 * step).sin()).collect::<Vec<f64>>();
                Tensor::new([2, n, d], numbers).unwrap()
            };
            let w = Tensor::arange(2 * n * m, DType::F64).unwrap().reshape([2, n, m]).unwrap();
            let (a, b) = (set(n, 0.7), set(m, 0.3));
            let mut y = Tensor::zeros([2, n, m], DType::F64).unwrap();
            distances(&a, &b, &mut y).unwrap();
            let mut weighted = Tensor::zeros([2, n, d], DType::F64).unwrap();
            weighted_differences(&w, &a, &b, &mut weighted).unwrap();
            for [batch, i] in (0..2 * n).map(|row| [row / n, row % n]) {
                let difference = |j: usize, k: usize| {
                    a.get([batch, i, k]).unwrap() - b.get([batch, j, k]).unwrap()
                };
                for j in 0..m {
                    let expected = (0..d).map(|k| difference(j, k).powi(2)).sum::<f64>().sqrt();
                    let error = (y.get([batch, i, j]).unwrap() - expected).abs();
                    assert!(error <= 8.0 * f64::EPSILON * expected, "{n} {m} {d}");
                }
                for k in 0..d {
                    let term = |j: usize| w.get([batch, i, j]).unwrap() * difference(j, k);
                    let expected: f64 = (0..m).map(term).sum();
                    let size: f64 = (0..m).map(|j| term(j).abs()).sum();
                    let error = (weighted.get([batch, i, k]).unwrap() - expected).abs();
                    assert!(error <= 8.0 * f64::EPSILON * size, "{n} {m} {d}");
                }
            }
        }
    }
}
