//! The matrix product.
//!
//! An element of a product is a sum of chains of fused multiply-adds, of some hundred terms each, in
//! their order: the same on any processor and for any number of threads. But a product of contiguous
//! rows and a vector is added up in lanes, and one of thousands of terms part by part.

mod blocked;
mod vector;

use std::slice;

use super::accumulate::totals;
use super::simd::{in_vectors, vector_bytes, vectorized};
use super::threads::{Pointer, parallel_chunks_mut, parallel_for};
use super::{borrowed, input, output};
use crate::{DType, Dims, Error, Float, Layout, Result, Tensor};
use blocked::{BlockedProduct, Factor};
use vector::{Dots, WeightedRows};

/// From how many multiplications for each byte of a vector on, some microseconds of them, a product
/// is computed in parallel.
const PARALLEL_THRESHOLD: usize = 1 << 12;

/// From how many multiplications on a product is cut along both axes.
const TWO_AXES_THRESHOLD: usize = 3 << 23;

/// How long a block is at least: along the longer axis, and along the other one.
const MIN_BLOCK: [usize; 2] = [16, 64];

/// How many terms of a sum are added up in one go: the error of longer ones would grow with their
/// number.
const TERMS: usize = 1 << 12;

/// `out = a · b` over the last two axes, `[…, m, k] · [… , k, n]`; the axes before them are equal.
///
/// Operands of any strides are read in place.
pub fn matmul(a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    match out.dtype() {
        DType::F32 => floats::<f32>(a, b, out),
        DType::F64 => floats::<f64>(a, b, out),
        DType::I64 => integers(a, b, out),
    }
}

/// The product of matrices of integers, which wrap.
fn integers(a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    let (batch, [m, k, n]) = sizes(a, b)?;
    let mut dims: Dims = batch.into();
    dims.extend([m, n]);
    let [a, b] = [
        input::<i64>("matmul", a).map(|_| borrowed::<i64>(a))?,
        input::<i64>("matmul", b).map(|_| borrowed::<i64>(b))?,
    ];
    let out = output::<i64>("matmul", out, &dims)?;
    out.fill(0);
    if out.is_empty() || k == 0 {
        return Ok(());
    }
    let rows = a.chunks_exact(k).zip(out.chunks_exact_mut(n)).enumerate();
    for (row, (a, out)) in rows {
        let b = &b[row / m * k * n..][..k * n];
        for (&a, b) in a.iter().zip(b.chunks_exact(n)) {
            for (y, &b) in out.iter_mut().zip(b) {
                *y = y.wrapping_add(a.wrapping_mul(b));
            }
        }
    }
    Ok(())
}

fn floats<T: Float>(a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    let (batch, [m, k, n]) = sizes(a, b)?;
    let mut dims: Dims = batch.into();
    dims.extend([m, n]);
    if k > TERMS {
        return long::<T>(a, b, out, &dims);
    }
    let out = output::<T>("matmul", out, &dims)?;
    let [a, b] = [(input::<T>("matmul", a)?, a.layout()), (input::<T>("matmul", b)?, b.layout())];
    if out.is_empty() {
        return Ok(());
    }
    let factors = |i: usize| [a, b].map(|(buffer, layout)| Matrix::of(buffer, layout, i));
    match batch.iter().product() {
        1 => {
            let [a, b] = factors(0);
            product(a, b, [m, k, n], out);
        }
        count => {
            let one = |i: usize, out: &mut [T]| {
                let ([a, b], size) = (factors(i), [m, k, n]);
                // SAFETY: `out` holds the m · n elements of one product, row by row, and is
                // borrowed by us alone; the matrices have the sizes that were checked above.
                unsafe { a.times(b, size, Of::product(size), (out.as_mut_ptr(), n)) }
            };
            if count.saturating_mul(m * n).saturating_mul(k) < parallel_threshold() {
                out.chunks_exact_mut(m * n).enumerate().for_each(|(i, out)| one(i, out));
            } else {
                parallel_chunks_mut(out, m * n, one);
            }
        }
    }
    Ok(())
}

/// The axes before the last two, and the lengths of these.
fn sizes<'a>(a: &'a Tensor, b: &Tensor) -> Result<(&'a [usize], [usize; 3])> {
    let (left, right) = (a.shape(), b.shape());
    let error = |why: &'static str| Error::Shape {
        operation: "matmul",
        left: left.clone(),
        right: right.clone(),
        why,
    };
    let rank = left.rank();
    if rank < 2 || right.rank() != rank {
        return Err(error("both have at least two axes, and as many"));
    }
    let (batch, [m, k]) = (&left[..rank - 2], [left[rank - 2], left[rank - 1]]);
    let n = right[rank - 1];
    if right[..rank - 2] != *batch || right[rank - 2] != k {
        return Err(error(
            "the batches are equal, and rows of one as long as columns of the other",
        ));
    }
    Ok((batch, [m, k, n]))
}

/// Products of long rows: part by part, added up without an error that grows with their number.
fn long<T: Float>(a: &Tensor, b: &Tensor, out: &mut Tensor, dims: &[usize]) -> Result<()> {
    let rank = a.rank() as isize;
    let k = a.shape()[a.rank() - 1];
    let mut part = Tensor::zeros(dims, T::DTYPE)?;
    let out = output::<T>("matmul", out, dims)?;
    totals(out, |totals| {
        for start in (0..k).step_by(TERMS) {
            let len = TERMS.min(k - start);
            let (a, b) = (a.narrow(rank - 1, start, len)?, b.narrow(rank - 2, start, len)?);
            floats::<T>(&a, &b, &mut part)?;
            for (total, &term) in totals.iter_mut().zip(input::<T>("matmul", &part)?) {
                *total = T::added(*total, term);
            }
        }
        Ok(())
    })
}

/// From how many multiplications on a product is computed in parallel.
fn parallel_threshold() -> usize {
    PARALLEL_THRESHOLD * vector_bytes()
}

/// One product of two matrices; its rows or columns, or both, are halved for threads.
///
/// The cut depends on the shape and the processor alone.
fn product<T: Float>(a: Matrix<'_, T>, b: Matrix<'_, T>, [m, k, n]: [usize; 3], out: &mut [T]) {
    debug_assert!(out.len() == m * n);
    let (work, of) = ((m * n).saturating_mul(k), Of::product([m, k, n]));
    // Each block packs what it reads of both operands by itself, so that blocks are few, and not
    // thin.
    let block = |len: usize, threshold: usize, min: usize| {
        let halved = work >= threshold && len >= 2 * min;
        if halved { len.div_ceil(2).next_multiple_of(MIN_BLOCK[0]) } else { len }
    };
    let long = block(m.max(n), parallel_threshold(), MIN_BLOCK[0]);
    let short = block(m.min(n), TWO_AXES_THRESHOLD, MIN_BLOCK[1]);
    let (rows, columns) = if m >= n { (long, short) } else { (short, long) };
    let across = n.div_ceil(columns);
    let start = Pointer(out.as_mut_ptr());
    parallel_for(m.div_ceil(rows) * across, &|i| {
        let (row, column) = (i / across * rows, i % across * columns);
        let (a, b) = (a.from([row, 0]), b.from([0, column]));
        let size = [rows.min(m - row), k, columns.min(n - column)];
        // SAFETY: the blocks are disjoint parts of the m · n elements of `out`, which is borrowed
        // by us alone; `a` has the rows and `b` the columns of this block from here on.
        unsafe { a.times(b, size, of, (start.get().add(row * n + column), n)) };
    });
}

/// A product that is not materialized: whoever reads rows of it computes them.
pub(crate) struct LazyProduct<'a, T> {
    a: Matrix<'a, T>,
    b: Tensor,
    size: [usize; 3],
}

impl<'a, T: Float> LazyProduct<'a, T> {
    /// The product of two matrices.
    pub fn of(a: &'a Tensor, b: &Tensor) -> Result<LazyProduct<'a, T>> {
        let (left, right) = (a.shape(), b.shape());
        if left.rank() != 2 || right.rank() != 2 || left[1] != right[0] {
            let (left, right) = (left.clone(), right.clone());
            let why = "rows of one are as long as columns of the other";
            return Err(Error::Shape { operation: "matmul", left, right, why });
        }
        input::<T>("matmul", b)?;
        let size = [left[0], left[1], right[1]];
        let a = Matrix::of(input::<T>("matmul", a)?, a.layout(), 0);
        Ok(LazyProduct { a, b: b.contiguous(), size })
    }

    /// How many rows and columns there are.
    pub fn shape(&self) -> [usize; 2] {
        [self.size[0], self.size[2]]
    }

    /// How many multiplications it takes.
    pub fn work(&self) -> usize {
        self.size.into_iter().fold(1, usize::saturating_mul)
    }

    /// Computes as many rows as `out` has room for, from row `first` on.
    pub fn compute(&self, first: usize, out: &mut [T]) {
        let [m, k, n] = self.size;
        let (rows, of) = (out.len() / n.max(1), Of::product(self.size));
        let Some(b) = self.b.buffer_slice::<T>() else { return };
        assert!(first + rows <= m, "there are {m} rows");
        let (a, b) = (self.a.from([first, 0]), Matrix::of(b, self.b.layout(), 0));
        // SAFETY: `out` has room for so many rows of n elements and is borrowed by us alone; the
        // matrices have the sizes that were checked when they were given.
        unsafe { a.times(b, [rows, k, n], of, (out.as_mut_ptr(), n)) };
    }
}

/// A matrix whose element `[i, j]` is at `offset + i·strides[0] + j·strides[1]` of a buffer.
#[derive(Clone, Copy)]
struct Matrix<'a, T> {
    buffer: &'a [T],
    offset: isize,
    strides: [isize; 2],
}

impl<'a, T: Float> Matrix<'a, T> {
    /// Matrix `i` of a batch, that is, of the axes before the last two.
    fn of(buffer: &'a [T], layout: &Layout, mut i: usize) -> Matrix<'a, T> {
        let (outer, strides) = layout.strides().split_at(layout.strides().len() - 2);
        let mut offset = layout.offset() as isize;
        for (&stride, &dim) in outer.iter().zip(layout.shape().iter()).rev() {
            offset += (i % dim) as isize * stride;
            i /= dim;
        }
        Matrix { buffer, offset, strides: [strides[0], strides[1]] }
    }

    /// The part from a row and a column on.
    fn from(self, [row, column]: [usize; 2]) -> Matrix<'a, T> {
        let offset =
            self.offset + row as isize * self.strides[0] + column as isize * self.strides[1];
        Matrix { offset, ..self }
    }

    /// Where it starts, and its strides. That of an axis of length 1 is any number, and loops are chosen
    /// by strides.
    fn factor(self, [rows, columns]: [usize; 2]) -> Factor<T> {
        let [row, column] = self.strides;
        let column = if columns == 1 { 1 } else { column };
        let strides = [if rows == 1 { columns as isize } else { row }, column];
        Factor { start: self.buffer.as_ptr().wrapping_offset(self.offset), strides }
    }

    /// The product of two matrices, or of blocks of them, into rows that start `leading` elements from
    /// each other.
    ///
    /// # Safety
    /// The matrices have at least m rows and k columns, and k rows and n columns; `out` may be
    /// written to at m rows of n elements, which nobody else looks at meanwhile.
    unsafe fn times(
        self,
        other: Matrix<'_, T>,
        [m, k, n]: [usize; 3],
        of: Of,
        (out, leading): (*mut T, usize),
    ) {
        let factors = [self.factor([m, k]), other.factor([k, n])];
        // SAFETY: as the caller says; layouts stay inside of their buffers.
        unsafe {
            match (T::DTYPE, vector_bytes()) {
                (DType::F64, 64) => multiply::<T, 8>([m, k, n], factors, of, (out, leading)),
                (_, 64) => multiply::<T, 16>([m, k, n], factors, of, (out, leading)),
                (DType::F64, _) => multiply::<T, 4>([m, k, n], factors, of, (out, leading)),
                _ => multiply::<T, 8>([m, k, n], factors, of, (out, leading)),
            }
        }
    }
}

/// What a block is a part of. A block that happens to be a row of a matrix is added up as the rows of
/// other blocks are.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    /// The product of a matrix and a vector, whatever comes first.
    Vector,
    /// The product of two matrices.
    Matrices,
}

impl Of {
    fn product([m, _, n]: [usize; 3]) -> Of {
        if m == 1 || n == 1 { Of::Vector } else { Of::Matrices }
    }
}

/// The product of an m × k by a k × n matrix, that of a vector in vectors of `N` elements.
///
/// # Safety
/// The factors can be read at all their elements, and the result be written to at all of its own,
/// which nobody else looks at meanwhile.
unsafe fn multiply<T: Float, const N: usize>(
    [m, k, n]: [usize; 3],
    [left, right]: [Factor<T>; 2],
    of: Of,
    (out, leading): (*mut T, usize),
) {
    // SAFETY: as the caller says. The results of a vector are side by side.
    unsafe {
        if of == Of::Vector {
            // The strides of the matrix, from one result to the next and from one term to the next.
            let (len, [matrix, vector], step, [across, along]) = if m == 1 {
                let [along, across] = right.strides;
                (n, [right.start, left.start], left.strides[1], [across, along])
            } else {
                (m, [left.start, right.start], right.strides[0], left.strides)
            };
            let out = slice::from_raw_parts_mut(out, len);
            if along == 1 && step == 1 {
                let vector = slice::from_raw_parts(vector, k);
                return vectorized(Dots::new(vector, (matrix, across), out));
            }
            if across == 1 {
                return vectorized(WeightedRows::<T, N>::new(
                    k,
                    (vector, step),
                    (matrix, along),
                    out,
                ));
            }
        }
        // A float is `f32` or `f64`, as its type of elements says: the casts change nothing.
        let factors = [left, right];
        if T::DTYPE == DType::F64 {
            let out = (out.cast::<f64>(), leading);
            in_vectors(BlockedProduct::new([m, k, n], factors.map(Factor::cast), out));
        } else {
            let out = (out.cast::<f32>(), leading);
            in_vectors(BlockedProduct::new([m, k, n], factors.map(Factor::cast), out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;
    use crate::kernels::threads;

    fn matrix(rows: usize, columns: usize) -> Tensor {
        let element = |i: usize| f64::from((i * 31 % 17) as u8) - 8.0;
        Tensor::new([rows, columns], (0..rows * columns).map(element).collect()).unwrap()
    }

    fn naive(a: &Tensor, b: &Tensor) -> Vec<f64> {
        let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
        let entry = |i: usize, j: usize| {
            (0..k).map(|l| a.get([i, l]).unwrap() * b.get([l, j]).unwrap()).sum::<f64>()
        };
        (0..m * n).map(|at| entry(at / n, at % n)).collect()
    }

    #[test]
    fn operands_of_any_strides_are_read_in_place() {
        let plain = [matrix(5, 7), matrix(7, 3)];
        let transposed = [matrix(7, 5).t().unwrap(), matrix(3, 7).t().unwrap()];
        // Enough rows for the transpose of the second factor to be packed before.
        let many = [matrix(20, 7), matrix(9, 7).t().unwrap()];
        let flipped = plain.each_ref().map(|x| x.flip(0).unwrap().flip(1).unwrap());
        let repeated = [
            Tensor::from([[1.0], [2.0]]).expand([2, 7]).unwrap(),
            Tensor::filled_view([7, 3], 0.5, DType::F64).unwrap(),
        ];
        for [a, b] in [&plain, &transposed, &many, &flipped, &repeated] {
            let mut out = Tensor::zeros([a.shape()[0], b.shape()[1]], DType::F64).unwrap();
            matmul(a, b, &mut out).unwrap();
            assert_eq!(out.to_f64s(), naive(a, b));
        }
    }

    fn waves<T: Float>(rows: usize, columns: usize) -> Tensor {
        let data = (0..rows * columns).map(|i| T::of((i as f64 * 0.37).sin())).collect();
        Tensor::new([rows, columns], data).unwrap()
    }

    /// Shapes that end within tiles and beyond blocks, and factors along either axis.
    #[test]
    fn an_element_is_a_sum_of_chains_however_its_product_is_cut() {
        let large =
            [[7, 300, 33], [130, 17, 1030], [13, 257, 5], [2, 1, 2], [12, 40, 600], [241, 3, 17]];
        let rows = (2..18).map(|m| [m, 9, 48]);
        let columns = [8, 15, 16, 17, 31, 32, 47, 49, 64].map(|n| [11, 9, n]);
        for size in large.into_iter().chain(rows).chain(columns) {
            check_chains::<f32>(size);
            check_chains::<f64>(size);
        }
    }

    fn check_chains<T: Float>([m, k, n]: [usize; 3]) {
        let rows = [waves::<T>(m, k), waves::<T>(k, n)];
        let columns = [waves::<T>(k, m), waves::<T>(n, k)].map(|x| x.t().unwrap());
        let flipped = rows.each_ref().map(|x| x.flip(0).unwrap().flip(1).unwrap());
        for [a, b] in [
            [&rows[0], &rows[1]],
            [&rows[0], &columns[1]],
            [&columns[0], &rows[1]],
            [&columns[0], &columns[1]],
            [&flipped[0], &flipped[1]],
        ] {
            let mut out = Tensor::zeros([m, n], T::DTYPE).unwrap();
            matmul(a, b, &mut out).unwrap();
            let (a, b) = (a.to_vec::<T>().unwrap(), b.to_vec::<T>().unwrap());
            let block = blocked::block_terms(k);
            let sum = |i: usize, j: usize| {
                let chain = |start: usize| {
                    let terms = start..k.min(start + block);
                    terms.fold(T::ZERO, |sum, l| a[i * k + l].mul_add(b[l * n + j], sum))
                };
                (0..k).step_by(block).map(chain).fold(T::ZERO, |sum, chain| sum + chain)
            };
            let expected: Vec<T> = (0..m * n).map(|at| sum(at / n, at % n)).collect();
            assert!(out.to_vec::<T>().unwrap() == expected, "{m} {k} {n}");
        }
    }

    #[test]
    fn products_of_vectors_are_those_of_matrices_of_one_row_or_column() {
        for [m, k, n] in [[1, 100, 83], [83, 100, 1], [1, 33, 1], [1, 1, 70], [70, 1, 1]] {
            let rows = [matrix(m, k), matrix(k, n)];
            let columns = [matrix(k, m), matrix(n, k)].map(|x| x.t().unwrap());
            let apart = [matrix(2 * m, 2 * k), matrix(2 * k, 2 * n)].map(|x| {
                let every_other = |len: usize| Slice { start: 0, len: len / 2, step: 2 };
                x.slices(&[every_other(x.shape()[0]), every_other(x.shape()[1])]).unwrap()
            });
            for [a, b] in [&rows, &columns, &apart] {
                let mut out = Tensor::zeros([m, n], DType::F64).unwrap();
                matmul(a, b, &mut out).unwrap();
                // Whole numbers, of which every sum is exact.
                assert_eq!(out.to_f64s(), naive(a, b), "{m} {k} {n}");
            }
        }
    }

    #[test]
    fn a_batch_is_multiplied_matrix_by_matrix() {
        let a = Tensor::stack(&[matrix(2, 3), matrix(3, 2).t().unwrap()], 0).unwrap();
        let b = matrix(3, 4).expand([2, 3, 4]).unwrap();
        let mut out = Tensor::zeros([2, 2, 4], DType::F64).unwrap();
        matmul(&a, &b, &mut out).unwrap();
        for i in 0..2 {
            let [a, b, y] = [&a, &b, &out].map(|x| x.select(0, i).unwrap());
            assert_eq!(y.to_f64s(), naive(&a, &b));
        }
    }

    #[test]
    fn an_inner_length_of_zero_gives_zeros() {
        let mut out = Tensor::ones([2, 3], DType::F64).unwrap();
        matmul(&matrix(2, 0), &matrix(0, 3), &mut out).unwrap();
        assert_eq!(out.to_f64s(), [0.0; 6]);
        for [m, n] in [[1, 3], [3, 1], [1, 1]] {
            let mut out = Tensor::ones([m, n], DType::F64).unwrap();
            matmul(&matrix(m, 0), &matrix(0, n), &mut out).unwrap();
            assert!(out.to_f64s().into_iter().all(|sum| sum == 0.0));
        }
        let (a, mut rows) = (matrix(2, 0), [1.0; 6]);
        LazyProduct::<f64>::of(&a, &matrix(0, 3)).unwrap().compute(0, &mut rows);
        assert_eq!(rows, [0.0; 6]);
        let mut none = Tensor::zeros([0, 3], DType::F64).unwrap();
        matmul(&matrix(0, 2), &matrix(2, 3), &mut none).unwrap();
    }

    #[test]
    fn products_are_bitwise_equal_for_any_number_of_threads() {
        for [m, k, n] in [[128, 784, 256], [784, 128, 256], [300, 77, 301], [33, 2000, 35]] {
            let (a, b) = (waves::<f32>(m, k), waves::<f32>(k, n));
            let run = |threads: usize| {
                threads::with(threads, || {
                    let mut out = Tensor::zeros([m, n], DType::F32).unwrap();
                    matmul(&a, &b, &mut out).unwrap();
                    out
                })
            };
            let one = run(1);
            assert!(one == run(2) && one == run(7), "{m} {k} {n}");
        }
    }

    #[test]
    fn lengths_that_differ_are_refused() {
        let mut out = Tensor::zeros([2, 3], DType::F64).unwrap();
        assert!(matmul(&matrix(2, 4), &matrix(5, 3), &mut out).is_err());
        assert!(matmul(&Tensor::from([1.0]), &matrix(1, 3), &mut out).is_err());
    }
}
