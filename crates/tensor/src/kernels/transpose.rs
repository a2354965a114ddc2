//! The packed transpose of a matrix, in blocks that are transposed in vector registers.

use crate::{DType, Elem};

/// How many columns are transposed at a time: a cache line of each row, and as few rows of the
/// result, whose lines stay in the L1 cache until they are full.
const COLUMNS: usize = 16;

/// `out[j, i] = x[i, j]` for a matrix with the leading dimension `leading` in `x`: its rows start
/// so many elements from each other. `out` is contiguous.
///
/// # Panics
/// If the matrices do not fit into `x` and `out`: a mistake of the caller.
pub(super) fn transpose<T: Elem>(
    x: &[T],
    leading: usize,
    [rows, columns]: [usize; 2],
    out: &mut [T],
) {
    assert!(rows.checked_mul(columns) == Some(out.len()));
    // SAFETY: `out` has room for all rows.
    unsafe { transpose_to(x, leading, [rows, columns], out.as_mut_ptr(), rows) };
}

/// As [`transpose`], where the rows of the result start `leading_out` elements from each other.
///
/// # Safety
/// All rows of the result can be written, and nobody else looks at them.
pub(super) unsafe fn transpose_to<T: Elem>(
    x: &[T],
    leading: usize,
    [rows, columns]: [usize; 2],
    out: *mut T,
    leading_out: usize,
) {
    let none = rows == 0 || columns == 0;
    if none {
        return;
    }
    let last = (rows - 1).checked_mul(leading).and_then(|last| last.checked_add(columns));
    assert!(last.is_some_and(|last| last <= x.len()));
    // Whole blocks first, then what is left below and beside them.
    // SAFETY: `x` was just measured; the caller vouches for `out`.
    let block = unsafe { vectors((x.as_ptr(), leading), [rows, columns], (out, leading_out)) };
    let (below, beside) = (rows - rows % block[0], columns - columns % block[1]);
    for i in 0..rows {
        let from = if i < below { beside } else { 0 };
        let row = &x[i * leading..i * leading + columns];
        for (j, &x) in row.iter().enumerate().skip(from) {
            // SAFETY: as the caller says.
            unsafe { *out.add(j * leading_out + i) = x };
        }
    }
}

/// Transposes all whole blocks if the processor has vectors for that, and gives their size; else
/// none, which is one block larger than any matrix.
///
/// # Safety
/// Rows of `size[1]` elements may be read at `x`, and rows of `size[0]` be written at `out`, each so many
/// elements from each other.
unsafe fn vectors<T: Elem>(
    (x, leading): (*const T, usize),
    size: [usize; 2],
    (out, leading_out): (*mut T, usize),
) -> [usize; 2] {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::kernels::simd::{Level, level};
        if !matches!(level(), Level::Portable) {
            match T::DTYPE {
                DType::F32 => {
                    let (x, out) = ((x.cast(), leading), (out.cast(), leading_out));
                    // SAFETY: the processor has AVX2, elements are f32, and the caller vouches for both
                    // matrices.
                    unsafe { avx2::blocks_of_f32(x, size, out) };
                    return [8, 4];
                }
                DType::F64 => {
                    let (x, out) = ((x.cast(), leading), (out.cast(), leading_out));
                    // SAFETY: as above, with f64.
                    unsafe { avx2::blocks_of_f64(x, size, out) };
                    return [4, 2];
                }
                DType::I64 => {}
            }
        }
    }
    [usize::MAX; 2]
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::COLUMNS;

    /// Calls `block` with the row and column of each whole block.
    #[inline(always)]
    fn each(
        [rows, columns]: [usize; 2],
        [height, width]: [usize; 2],
        block: impl Fn(usize, usize),
    ) {
        let whole = columns - columns % width;
        for from in (0..whole).step_by(COLUMNS) {
            for i in (0..rows / height).map(|i| i * height) {
                for j in (from..whole.min(from + COLUMNS)).step_by(width) {
                    block(i, j);
                }
            }
        }
    }

    /// Transposes blocks of 8 rows and 4 columns.
    ///
    /// # Safety
    /// As for [`vectors`](super::vectors).
    #[target_feature(enable = "avx2")]
    pub unsafe fn blocks_of_f32(
        (x, leading): (*const f32, usize),
        size: [usize; 2],
        (out, leading_out): (*mut f32, usize),
    ) {
        each(size, [8, 4], |i, j| {
            // SAFETY: the block lies inside of both matrices, for which the caller vouches.
            unsafe {
                // Row k, and beside it row k + 4.
                let row = |k: usize| _mm_loadu_ps(x.add((i + k) * leading + j));
                let pair = |k: usize| _mm256_set_m128(row(k + 4), row(k));
                let [a, b, c, d] = [pair(0), pair(1), pair(2), pair(3)];
                let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
                let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
                let columns = [
                    _mm256_shuffle_ps::<0x44>(ab, cd),
                    _mm256_shuffle_ps::<0xee>(ab, cd),
                    _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
                    _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
                ];
                for (k, column) in columns.into_iter().enumerate() {
                    _mm256_storeu_ps(out.add((j + k) * leading_out + i), column);
                }
            }
        });
    }

    /// Transposes blocks of 4 rows and 2 columns.
    ///
    /// # Safety
    /// As for [`vectors`](super::vectors).
    #[target_feature(enable = "avx2")]
    pub unsafe fn blocks_of_f64(
        (x, leading): (*const f64, usize),
        size: [usize; 2],
        (out, leading_out): (*mut f64, usize),
    ) {
        each(size, [4, 2], |i, j| {
            // SAFETY: the block lies inside of both matrices, for which the caller vouches.
            unsafe {
                // Row k, and beside it row k + 2.
                let row = |k: usize| _mm_loadu_pd(x.add((i + k) * leading + j));
                let pair = |k: usize| _mm256_set_m128d(row(k + 2), row(k));
                let [a, b] = [pair(0), pair(1)];
                _mm256_storeu_pd(out.add(j * leading_out + i), _mm256_unpacklo_pd(a, b));
                _mm256_storeu_pd(out.add((j + 1) * leading_out + i), _mm256_unpackhi_pd(a, b));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Elem>() {
        for [rows, columns] in [[1, 1], [8, 4], [4, 2], [7, 9], [19, 70], [64, 130], [0, 3], [3, 0]]
        {
            for beside in [0, 3] {
                let leading = columns + beside;
                let x: Vec<T> = (0..rows * leading).map(|i| T::of(i as f64)).collect();
                let mut out = vec![T::of(-1.0); rows * columns];
                transpose(&x, leading, [rows, columns], &mut out);
                for (at, &y) in out.iter().enumerate() {
                    let (j, i) = (at / rows, at % rows);
                    assert!(
                        y == x[i * leading + j],
                        "{rows} × {columns}, leading dimension {leading}: {i}, {j}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_element_of_matrices_of_all_sizes_is_transposed() {
        check::<f32>();
        check::<f64>();
        check::<i64>();
    }
}
