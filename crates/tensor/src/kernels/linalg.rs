//! Factorizations of small matrices, matrix by matrix: the last two axes are rows and columns, all
//! before them a batch.
//!
//! They are computed in `f64` whatever the element type, and rounded once.

use super::simd::{Loop, vectorized};
use super::threads::try_parallel_chunks_mut;
use super::{CHUNK, output};
use crate::{DType, Error, Float, Result, Shape, Tensor};

/// Which matrices a triangular system has, and what is read of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Triangle {
    /// Whether the triangle above the diagonal is read, and not that below it.
    pub upper: bool,
    /// Whether the diagonal counts as ones, and is not read.
    pub unit: bool,
}

/// What becomes of a system that has no solution, or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Singular {
    /// It is an error.
    Refused,
    /// Its solution is what a division by 0 gives.
    Infinite,
}

/// The lower triangle `L` with `L Lᵀ = A`, of which the lower triangle is read.
///
/// # Errors
/// A matrix that is not positive definite; shapes that do not fit.
pub fn cholesky(a: &Tensor, out: &mut Tensor) -> Result<()> {
    let n = order("cholesky", a)?;
    let expected = a.shape().clone();
    batched("cholesky", [(a, n * n)], (expected, n * n), cubed(n), out, |[a], l| {
        l.fill(0.0);
        for (i, j) in (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))) {
            let (above, row) = l.split_at_mut(i * n);
            let other = if i == j { &row[..j] } else { &above[j * n..][..j] };
            let rest = a[i * n + j] - dot(&row[..j], other);
            if i != j {
                row[j] = rest / above[j * n + j];
            } else if rest > 0.0 {
                row[i] = rest.sqrt();
            } else {
                let minor = i + 1;
                return Err(format!(
                    "is not positive definite: its leading minor of order {minor} is not positive"
                ));
            }
        }
        Ok(())
    })
}

/// The solution of `A X = B`, by elimination with partial pivoting.
///
/// # Errors
/// A singular matrix, if that is refused; shapes that do not fit.
pub fn solve(a: &Tensor, b: &Tensor, singular: Singular, out: &mut Tensor) -> Result<()> {
    let (n, columns) = system("solve", a, b)?;
    let (len, cost) = (n * columns, cubed(n).saturating_add(n * n * columns));
    let inputs = [(a, n * n), (b, len)];
    batched("solve", inputs, (b.shape().clone(), len), cost, out, |[a, b], x| {
        let factors = Factors::of(a, n);
        let zero = (0..n).find(|&k| factors.elements[k * n + k] == 0.0);
        if let Some(k) = zero.filter(|_| singular == Singular::Refused) {
            return Err(format!("is singular: its pivot {k} is 0"));
        }
        for (x, &row) in x.chunks_exact_mut(columns).zip(&factors.rows) {
            x.copy_from_slice(&b[row * columns..][..columns]);
        }
        substitute(&factors.elements, [n, n], Triangle { upper: false, unit: true }, x);
        substitute(&factors.elements, [n, n], Triangle { upper: true, unit: false }, x);
        Ok(())
    })
}

/// The solution of `A X = B` for a triangle `A`; a 0 on the diagonal divides.
///
/// # Errors
/// Shapes that do not fit.
pub fn solve_triangular(a: &Tensor, b: &Tensor, of: Triangle, out: &mut Tensor) -> Result<()> {
    let (n, columns) = system("solve_triangular", a, b)?;
    let (len, cost) = (n * columns, n.saturating_mul(n * columns));
    let inputs = [(a, n * n), (b, len)];
    batched("solve_triangular", inputs, (b.shape().clone(), len), cost, out, |[a, b], x| {
        x.copy_from_slice(b);
        substitute(a, [n, n], of, x);
        Ok(())
    })
}

/// The determinants, `[…]`: that of a matrix without rows is 1.
///
/// # Errors
/// Shapes that do not fit.
pub fn det(a: &Tensor, out: &mut Tensor) -> Result<()> {
    let n = order("det", a)?;
    let expected = Shape::from(&a.shape()[..a.rank() - 2]);
    batched("det", [(a, n * n)], (expected, 1), cubed(n), out, |[a], y| {
        let factors = Factors::of(a, n);
        y[0] = factors.diagonal().fold(factors.sign, |product, pivot| product * pivot);
        Ok(())
    })
}

/// The sign of each determinant and the logarithm of its absolute value, `[…, 2]`: 0 and −∞ of a
/// singular matrix.
///
/// # Errors
/// Shapes that do not fit.
pub fn slogdet(a: &Tensor, out: &mut Tensor) -> Result<()> {
    let n = order("slogdet", a)?;
    let mut expected = a.shape()[..a.rank() - 2].to_vec();
    expected.push(2);
    batched("slogdet", [(a, n * n)], (Shape::from(expected), 2), cubed(n), out, |[a], y| {
        let factors = Factors::of(a, n);
        let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
        y[0] = factors.diagonal().fold(factors.sign, |product, pivot| product * sign(pivot));
        y[1] = factors.diagonal().fold(0.0, |sum, pivot| sum + pivot.abs().ln());
        Ok(())
    })
}

/// The cofactors: `Cᵢⱼ` is the determinant without row `i` and column `j`, times `(−1)^(i+j)`. That
/// is the slope of the determinant, of singular matrices as well.
///
/// Rows and columns are exchanged for the largest pivot, `P A Q = L U`, so that the smallest one,
/// `δ`, comes last. With `U = [V, u; 0, δ]` and `d = det V`,
///
/// ```text
/// Cᵀ = det(A) A⁻¹ = ± d Q [δ V⁻¹, −V⁻¹ u; 0, 1] L⁻¹ P
/// ```
///
/// which does not divide by `δ`. Where another pivot is 0, so are all cofactors.
///
/// # Errors
/// Shapes that do not fit.
pub fn cofactors(a: &Tensor, out: &mut Tensor) -> Result<()> {
    let n = order("cofactors", a)?;
    let expected = a.shape().clone();
    batched("cofactors", [(a, n * n)], (expected, n * n), cubed(n), out, |[a], c| {
        let mut lu = a.to_vec();
        let [mut rows, mut columns] = [(); 2].map(|()| (0..n).collect::<Vec<usize>>());
        let (last, mut minor) = (n - 1, 1.0);
        c.fill(0.0);
        for k in 0..last {
            let rest = (k..n).flat_map(|i| (k..n).map(move |j| (i, j)));
            let (row, column) = largest(rest, |(i, j)| lu[i * n + j]).unwrap_or((k, k));
            if lu[row * n + column] == 0.0 {
                return Ok(());
            }
            swap_rows(&mut lu, n, k, row);
            (0..n).for_each(|i| lu.swap(i * n + k, i * n + column));
            rows.swap(k, row);
            columns.swap(k, column);
            minor *= if (row == k) == (column == k) { lu[k * n + k] } else { -lu[k * n + k] };
            eliminate(&mut lu, n, k);
        }
        // The transpose of what stands between Q and P: a row for each column.
        let mut middle = vec![0.0; n * n];
        for k in 0..last {
            middle[k * n + k] = lu[last * n + last];
            middle[k * n + last] = -lu[k * n + last];
        }
        let of = Triangle { upper: true, unit: false };
        substitute(&lu, [last, n], of, &mut middle[..last * n]);
        middle[last * n + last] = 1.0;
        let (mut transposed, mut upper) = (vec![0.0; n * n], vec![0.0; n * n]);
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            (transposed[j * n + i], upper[j * n + i]) = (middle[i * n + j], lu[i * n + j]);
        }
        substitute(&upper, [n, n], Triangle { upper: true, unit: true }, &mut transposed);
        for (j, i) in (0..n).flat_map(|j| (0..n).map(move |i| (j, i))) {
            c[rows[j] * n + columns[i]] = minor * transposed[j * n + i];
        }
        Ok(())
    })
}

/// `P A = L U`: the ones on the diagonal of `L` are not stored.
struct Factors {
    n: usize,
    elements: Vec<f64>,
    /// Which row of `A` each row is.
    rows: Vec<usize>,
    /// The determinant of `P`.
    sign: f64,
}

impl Factors {
    fn of(a: &[f64], n: usize) -> Factors {
        let mut factors = Factors { n, elements: a.to_vec(), rows: (0..n).collect(), sign: 1.0 };
        let Factors { elements, rows, sign, .. } = &mut factors;
        for k in 0..n {
            let row = largest(k..n, |i| elements[i * n + k]).unwrap_or(k);
            if row != k {
                swap_rows(elements, n, k, row);
                rows.swap(k, row);
                *sign = -*sign;
            }
            eliminate(elements, n, k);
        }
        factors
    }

    fn diagonal(&self) -> impl Iterator<Item = f64> + '_ {
        self.elements.iter().step_by(self.n + 1).copied()
    }
}

/// The first place of the largest absolute value; NaN counts as the largest.
fn largest<P: Copy>(places: impl Iterator<Item = P>, at: impl Fn(P) -> f64) -> Option<P> {
    places.reduce(|best, place| {
        let larger = at(place).abs().total_cmp(&at(best).abs()).is_gt();
        if larger { place } else { best }
    })
}

fn swap_rows(elements: &mut [f64], n: usize, a: usize, b: usize) {
    if a != b {
        (0..n).for_each(|j| elements.swap(a * n + j, b * n + j));
    }
}

/// From how many columns on the widest vectors pay.
const WIDE: usize = 16;

/// Subtracts multiples of row `k` from those below, and keeps the multiples in its column. Below a
/// pivot of 0 there are zeros, which stay.
fn eliminate(elements: &mut [f64], n: usize, k: usize) {
    let (above, below) = elements.split_at_mut((k + 1) * n);
    let pivots = &above[k * n + k..];
    if pivots[0] == 0.0 {
        return;
    }
    let work = Eliminate { pivots, below, n, k };
    if n - k < WIDE { work.run() } else { vectorized(work) }
}

struct Eliminate<'a> {
    pivots: &'a [f64],
    below: &'a mut [f64],
    n: usize,
    k: usize,
}

impl Loop for Eliminate<'_> {
    #[inline(always)]
    fn run(self) {
        let Eliminate { pivots, below, n, k } = self;
        for row in below.chunks_exact_mut(n) {
            let (factor, rest) = row[k..].split_at_mut(1);
            factor[0] /= pivots[0];
            subtract(factor[0], &pivots[1..], rest);
        }
    }
}

/// Solves `A X = B` for a triangle of n rows, which are so many elements apart, where `x` holds `B`.
fn substitute(a: &[f64], [n, leading]: [usize; 2], of: Triangle, x: &mut [f64]) {
    let columns = x.len() / n.max(1);
    let work = Substitute { a, n, leading, of, x };
    if columns < WIDE { work.run() } else { vectorized(work) }
}

struct Substitute<'a> {
    a: &'a [f64],
    n: usize,
    leading: usize,
    of: Triangle,
    x: &'a mut [f64],
}

impl Loop for Substitute<'_> {
    #[inline(always)]
    fn run(self) {
        let Substitute { a, n, leading, of, x } = self;
        let columns = x.len() / n.max(1);
        for step in 0..n {
            let k = if of.upper { n - 1 - step } else { step };
            let (above, rest) = x.split_at_mut(k * columns);
            let (row, below) = rest.split_at_mut(columns);
            if !of.unit {
                row.iter_mut().for_each(|x| *x /= a[k * leading + k]);
            }
            let (others, first) = if of.upper { (above, 0) } else { (below, k + 1) };
            for (i, other) in others.chunks_exact_mut(columns.max(1)).enumerate() {
                subtract(a[(first + i) * leading + k], row, other);
            }
        }
    }
}

/// Subtracts a multiple of a row from another one.
#[inline(always)]
fn subtract(factor: f64, x: &[f64], from: &mut [f64]) {
    for (y, x) in from.iter_mut().zip(x) {
        *y -= factor * x;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cubed(n: usize) -> usize {
    n.saturating_mul(n).saturating_mul(n)
}

/// How many rows and columns the matrices have.
fn order(operation: &'static str, a: &Tensor) -> Result<usize> {
    match a.shape()[..] {
        [.., rows, columns] if rows == columns => Ok(rows),
        _ => {
            let (left, right) = (a.shape().clone(), a.shape().clone());
            let why = "the matrices are square";
            Err(Error::Shape { operation, left, right, why })
        }
    }
}

/// How many rows the matrices of a system have, and how many columns its right sides.
fn system(operation: &'static str, a: &Tensor, b: &Tensor) -> Result<(usize, usize)> {
    let n = order(operation, a)?;
    let (rank, left, right) = (a.rank(), a.shape(), b.shape());
    if b.rank() != rank || right[..rank - 1] != left[..rank - 1] {
        let (left, right) = (left.clone(), right.clone());
        let why = "there is a row on the right for each row on the left, and as many matrices";
        return Err(Error::Shape { operation, left, right, why });
    }
    Ok((n, right[rank - 1]))
}

/// Calls `work` with the elements of each matrix of a batch, and those of its result: so many of
/// each, at such a cost.
fn batched<const N: usize>(
    operation: &'static str,
    inputs: [(&Tensor, usize); N],
    result: (Shape, usize),
    cost: usize,
    out: &mut Tensor,
    work: impl Fn([&[f64]; N], &mut [f64]) -> std::result::Result<(), String> + Sync,
) -> Result<()> {
    match out.dtype() {
        DType::F64 => typed::<f64, N>(operation, inputs, result, cost, out, work),
        _ => typed::<f32, N>(operation, inputs, result, cost, out, work),
    }
}

fn typed<T: Float, const N: usize>(
    operation: &'static str,
    inputs: [(&Tensor, usize); N],
    (expected, len): (Shape, usize),
    cost: usize,
    out: &mut Tensor,
    work: impl Fn([&[f64]; N], &mut [f64]) -> std::result::Result<(), String> + Sync,
) -> Result<()> {
    let batch = Shape::from(&inputs[0].0.shape()[..inputs[0].0.rank() - 2]);
    let inputs = inputs.map(|(input, len)| (input.to_f64s(), len));
    let out = output::<T>(operation, out, &expected)?;
    if out.is_empty() {
        return Ok(());
    }
    let each = (CHUNK / cost.max(1)).max(1);
    try_parallel_chunks_mut(out, each * len, |task, out| {
        let mut result = vec![0.0; len];
        for (i, out) in out.chunks_exact_mut(len).enumerate() {
            let nth = task * each + i;
            let matrices = inputs.each_ref().map(|(input, len)| &input[nth * len..][..*len]);
            work(matrices, &mut result).map_err(|why| {
                let index = batch.unravel_index(nth);
                Error::Matrix { operation, index, why }
            })?;
            out.iter_mut().zip(&result).for_each(|(to, &y)| *to = T::of(y));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(shape: &[usize], kernel: impl Fn(&mut Tensor) -> Result<()>) -> Vec<f64> {
        let mut out = Tensor::zeros(shape, DType::F64).unwrap();
        kernel(&mut out).unwrap();
        out.to_f64s()
    }

    #[test]
    fn factors_multiply_to_the_matrix() {
        let a = Tensor::from([[4.0, 2.0], [2.0, 5.0]]);
        assert_eq!(computed(&[2, 2], |out| cholesky(&a, out)), [2.0, 0.0, 1.0, 2.0]);
        let (a, b) = (Tensor::from([[0.0, 2.0], [4.0, 6.0]]), Tensor::from([[2.0], [10.0]]));
        assert_eq!(computed(&[2, 1], |out| solve(&a, &b, Singular::Refused, out)), [1.0, 1.0]);
        let upper = Triangle { upper: true, unit: false };
        let triangle = Tensor::from([[2.0, 1.0], [9.0, 4.0]]);
        let b = Tensor::from([[4.0], [8.0]]);
        assert_eq!(
            computed(&[2, 1], |out| solve_triangular(&triangle, &b, upper, out)),
            [1.0, 2.0]
        );
        assert_eq!(computed(&[], |out| det(&a, out)), [-8.0]);
        assert_eq!(computed(&[2], |out| slogdet(&a, out)), [-1.0, 8.0_f64.ln()]);
    }

    #[test]
    fn cofactors_are_those_of_minors_whatever_the_rank() {
        let regular = Tensor::from([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]]);
        let of_regular = [1.0, 6.0, -2.0, -2.0, 1.0, 4.0, 6.0, -3.0, 1.0];
        let of_rank_2 = [1.0, -2.0, 1.0, -2.0, 4.0, -2.0, 1.0, -2.0, 1.0];
        let rank_2 = Tensor::from([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [3.0, 4.0, 5.0]]);
        let rank_1 = Tensor::from([[1.0, 2.0, 4.0], [2.0, 4.0, 8.0], [4.0, 8.0, 16.0]]);
        let cases = [(regular, of_regular), (rank_2, of_rank_2.map(|x| -x)), (rank_1, [0.0; 9])];
        for (a, expected) in cases {
            let given = computed(&[3, 3], |out| cofactors(&a, out));
            for (given, expected) in given.iter().zip(expected) {
                assert!((given - expected).abs() < 1e-13, "{given} against {expected}");
            }
        }
        assert_eq!(computed(&[1, 1], |out| cofactors(&Tensor::from([[0.0]]), out)), [1.0]);
    }

    #[test]
    fn a_matrix_that_cannot_be_factored_is_named() {
        let a = Tensor::from([[[[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]]]);
        let mut out = Tensor::zeros([1, 2, 2, 2], DType::F64).unwrap();
        let error = cholesky(&a, &mut out).unwrap_err().to_string();
        assert!(
            error.starts_with("cholesky: matrix [0, 1] of the batch is not positive"),
            "{error}"
        );
        let (a, b) = (Tensor::from([[1.0, 2.0], [2.0, 4.0]]), Tensor::from([[1.0], [1.0]]));
        let mut out = Tensor::zeros([2, 1], DType::F64).unwrap();
        let error = solve(&a, &b, Singular::Refused, &mut out).unwrap_err().to_string();
        assert_eq!(error, "solve: the matrix is singular: its pivot 1 is 0");
        solve(&a, &b, Singular::Infinite, &mut out).unwrap();
        assert!(out.to_f64s().iter().all(|x| !x.is_finite()));
    }

    #[test]
    fn matrices_without_rows_and_batches_without_matrices_are_fine() {
        let none = Tensor::zeros([3, 0, 0], DType::F64).unwrap();
        assert_eq!(computed(&[3], |out| det(&none, out)), [1.0; 3]);
        assert_eq!(computed(&[3, 2], |out| slogdet(&none, out)), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        let empty = Tensor::zeros([0, 2, 2], DType::F64).unwrap();
        assert!(computed(&[0, 2, 2], |out| cofactors(&empty, out)).is_empty());
        assert!(
            computed(&[0, 2, 2], |out| solve(&empty, &empty, Singular::Refused, out)).is_empty()
        );
        assert!(det(&Tensor::from([[1.0, 2.0]]), &mut Tensor::from(0.0)).is_err());
    }
}
