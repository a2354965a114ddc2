//! The matrix product: the crate `gemm`, behind this module alone.

use super::threads::{Pointer, try_share, try_share_chunks};
use super::{input, output};
use crate::{DType, Dims, Error, Float, Result, Slice, Tensor};
use gemm::Parallelism;

/// Products with fewer multiplications stay on one thread.
const ALONE: usize = 1 << 20;

/// How many multiplications a piece of a product has at least, but for the smallest products.
const SHARE: usize = 1 << 22;

/// Rows or columns a piece of a product has at least.
const THIN: usize = 64;

/// `out = a · b` over the last two axes, `[…, m, k] · [… , k, n]`; the axes before them are equal.
///
/// Operands of any strides are read in place.
pub fn matmul(a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    match out.dtype() {
        DType::F64 => typed::<f64>(a, b, out),
        _ => typed::<f32>(a, b, out),
    }
}

fn typed<T: Float>(a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    let (left, right) = (a.shape(), b.shape());
    let misfit = |why: &'static str| Error::Shape {
        operation: "matmul",
        left: left.clone(),
        right: right.clone(),
        why,
    };
    let rank = left.rank();
    if rank < 2 || right.rank() != rank {
        return Err(misfit("both have at least two axes, and as many"));
    }
    let (batch, [m, k]) = (&left[..rank - 2], [left[rank - 2], left[rank - 1]]);
    let n = right[rank - 1];
    if right[..rank - 2] != *batch || right[rank - 2] != k {
        return Err(misfit(
            "the batches are equal, and rows of one as long as columns of the other",
        ));
    }
    let mut dims: Dims = batch.into();
    dims.extend([m, n]);
    let out = output::<T>("matmul", out, &dims)?;
    input::<T>("matmul", a)?;
    input::<T>("matmul", b)?;
    if out.is_empty() {
        return Ok(());
    }
    if k == 0 {
        out.fill(T::ZERO);
        return Ok(());
    }
    if rank == 2 {
        return shared(a, b, [m, k, n], out);
    }
    let count: usize = batch.iter().product();
    let one = |(i, out): (usize, &mut [T])| -> Result<()> {
        let (mut x, mut y, mut rest) = (a.clone(), b.clone(), i);
        let mut place = vec![0; batch.len()];
        for (at, &dim) in place.iter_mut().zip(batch).rev() {
            (*at, rest) = (rest % dim, rest / dim);
        }
        let slices: Vec<Slice> =
            place.iter().map(|&start| Slice { start, len: 1, step: 1 }).collect();
        (x, y) = (x.slice(&slices)?, y.slice(&slices)?);
        for _ in batch {
            (x, y) = (x.squeeze(0)?, y.squeeze(0)?);
        }
        product(&x, &y, [m, k, n], out);
        Ok(())
    };
    if count * m * k * n < ALONE {
        return out.chunks_exact_mut(m * n).enumerate().try_for_each(one);
    }
    try_share_chunks(out, m * n, |i, out| one((i, out)))
}

/// One product of two matrices, its rows or columns cut into pieces for threads.
///
/// Our pool, and not the threads that `gemm` could use itself: two pools would fight for the
/// cores. The cut depends on the shape alone, so that each element is the same sum in the same
/// order on any number of threads.
fn shared<T: Float>(a: &Tensor, b: &Tensor, [m, k, n]: [usize; 3], out: &mut [T]) -> Result<()> {
    let by_rows = m >= n;
    let long = m.max(n);
    // Each piece packs the whole of the other operand, so that pieces must not be thin.
    let pieces = (m * k * n / SHARE).min(long / THIN).clamp(1, 8);
    if pieces == 1 {
        product(a, b, [m, k, n], out);
        return Ok(());
    }
    let piece = long.div_ceil(pieces).next_multiple_of(THIN / 4);
    let (start, columns) = (Pointer(out.as_mut_ptr()), n);
    try_share(long.div_ceil(piece), |i| {
        let (from, len) = (i * piece, piece.min(long - i * piece));
        let (a, b) = match by_rows {
            true => (a.narrow(0, from, len)?, b.clone()),
            false => (a.clone(), b.narrow(1, from, len)?),
        };
        let (size, offset) = if by_rows { ([len, k, n], from * n) } else { ([m, k, len], from) };
        // SAFETY: the pieces are disjoint rows, or disjoint columns, of the m · n elements of
        // `out`, which is borrowed by us alone.
        unsafe { product_into(&a, &b, size, start.get().add(offset), columns) };
        Ok(())
    })
}

fn product<T: Float>(a: &Tensor, b: &Tensor, [m, k, n]: [usize; 3], out: &mut [T]) {
    debug_assert!(out.len() == m * n);
    // SAFETY: `out` holds m · n elements, row by row, and is borrowed by us alone.
    unsafe { product_into(a, b, [m, k, n], out.as_mut_ptr(), n) }
}

/// The product of two matrices into rows that are `columns` elements apart.
///
/// # Safety
/// `out` may be written to at m rows of n elements, which nobody else looks at meanwhile.
unsafe fn product_into<T: Float>(
    a: &Tensor,
    b: &Tensor,
    [m, k, n]: [usize; 3],
    out: *mut T,
    columns: usize,
) {
    let (Some(x), Some(y)) = (a.buffer_slice::<T>(), b.buffer_slice::<T>()) else { return };
    debug_assert!(a.shape()[..] == [m, k] && b.shape()[..] == [k, n]);
    let (a_strides, b_strides) = (a.strides(), b.strides());
    // SAFETY: the layouts of `a` and `b` stay inside of their buffers, so every element that gemm
    // reads is there; what it writes to, the caller vouches for; the type is f32 or f64, which
    // gemm knows.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            columns as isize,
            false,
            x.as_ptr().add(a.layout().offset()),
            a_strides[1],
            a_strides[0],
            y.as_ptr().add(b.layout().offset()),
            b_strides[1],
            b_strides[0],
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::threads;

    fn matrix(rows: usize, columns: usize) -> Tensor {
        let element = |i: usize| f64::from((i * 31 % 17) as u8) - 8.0;
        Tensor::new([rows, columns], (0..rows * columns).map(element).collect()).unwrap()
    }

    fn naive(a: &Tensor, b: &Tensor) -> Vec<f64> {
        let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
        let entry = |i: usize, j: usize| {
            (0..k).map(|l| a.get(&[i, l]).unwrap() * b.get(&[l, j]).unwrap()).sum::<f64>()
        };
        (0..m * n).map(|at| entry(at / n, at % n)).collect()
    }

    #[test]
    fn operands_of_any_strides_are_read_in_place() {
        let plain = [matrix(5, 7), matrix(7, 3)];
        let transposed = [matrix(7, 5).t().unwrap(), matrix(3, 7).t().unwrap()];
        let flipped = plain.each_ref().map(|x| x.flip(0).unwrap().flip(1).unwrap());
        let repeated = [
            Tensor::from([[1.0], [2.0]]).expand([2, 7]).unwrap(),
            Tensor::filled_view([7, 3], 0.5, DType::F64).unwrap(),
        ];
        for [a, b] in [&plain, &transposed, &flipped, &repeated] {
            let mut out = Tensor::zeros([a.shape()[0], 3], DType::F64).unwrap();
            matmul(a, b, &mut out).unwrap();
            assert_eq!(out.to_f64s(), naive(a, b));
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
        let mut none = Tensor::zeros([0, 3], DType::F64).unwrap();
        matmul(&matrix(0, 2), &matrix(2, 3), &mut none).unwrap();
    }

    #[test]
    fn products_are_bitwise_equal_for_any_number_of_threads() {
        let random = |rows: usize, columns: usize| {
            let data = (0..rows * columns).map(|i| (i as f32 * 0.37).sin()).collect();
            Tensor::new([rows, columns], data).unwrap()
        };
        for [m, k, n] in [[128, 784, 256], [784, 128, 256], [300, 77, 301], [33, 2000, 35]] {
            let (a, b) = (random(m, k), random(k, n));
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
