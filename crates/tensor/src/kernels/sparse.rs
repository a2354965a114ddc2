//! Products with a sparse matrix along an axis: weighted sums of a few elements each.

use std::hash::{Hash, Hasher};

use super::accumulate::MANY;
use super::simd::dispatch;
use super::threads::parallel_chunks_mut;
use super::transpose::transpose;
use super::{CHUNK, borrowed, input, outer_dim_inner, output};
use crate::{DType, Error, Float, Result, Shape, Tensor};

/// A sparse matrix of fixed numbers, row by row ("CSR").
#[derive(Clone, PartialEq, Debug)]
pub struct SparseMatrix {
    columns: usize,
    /// Where the entries of each row end.
    ends: Vec<usize>,
    /// Columns and numbers, row by row.
    entries: Vec<(usize, f64)>,
}

/// Where its entries are: of equal matrices, that is the same.
impl Hash for SparseMatrix {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.columns, &self.ends).hash(state);
        self.entries.iter().for_each(|(column, _)| column.hash(state));
    }
}

impl SparseMatrix {
    /// From the entries of each row. A column may come twice: its numbers are added up.
    ///
    /// # Panics
    /// If there is no such column: a mistake of the caller.
    pub fn from_rows<R: IntoIterator<Item = (usize, f64)>>(
        columns: usize,
        rows: impl IntoIterator<Item = R>,
    ) -> SparseMatrix {
        let (mut ends, mut entries) = (Vec::new(), Vec::new());
        for row in rows {
            entries.extend(row);
            ends.push(entries.len());
        }
        let in_range = entries.iter().all(|&(column, _)| column < columns);
        assert!(in_range, "an entry stands in one of {columns} columns");
        SparseMatrix { columns, ends, entries }
    }

    /// How many rows and columns it has.
    pub fn size(&self) -> [usize; 2] {
        [self.ends.len(), self.columns]
    }

    /// The entries of each row.
    pub fn rows(&self) -> impl Iterator<Item = &[(usize, f64)]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.entries[std::mem::replace(&mut start, end)..end])
    }

    /// With rows for columns.
    pub fn transposed(&self) -> SparseMatrix {
        let mut rows = vec![Vec::new(); self.columns];
        for (row, entries) in self.rows().enumerate() {
            entries.iter().for_each(|&(column, x)| rows[column].push((row, x)));
        }
        SparseMatrix::from_rows(self.ends.len(), rows)
    }
}

/// How many lines are multiplied side by side, where an axis is the last one.
const LINES: usize = 64;

/// `y[…, i, …] = Σₖ m[i, k] x[…, k, …]` along an axis.
pub fn sparse_matmul(
    matrix: &SparseMatrix,
    x: &Tensor,
    axis: usize,
    out: &mut Tensor,
) -> Result<()> {
    match out.dtype() {
        DType::F32 => product_of::<f32>(matrix, x, axis, out),
        _ => product_of::<f64>(matrix, x, axis, out),
    }
}

fn product_of<T: Float>(
    matrix: &SparseMatrix,
    x: &Tensor,
    axis: usize,
    out: &mut Tensor,
) -> Result<()> {
    let operation = "sparse_matmul";
    let [_, dim, inner] = outer_dim_inner(operation, x.shape(), axis)?;
    let [rows, columns] = matrix.size();
    if columns != dim {
        let (left, right) = (Shape::from([rows, columns]), x.shape().clone());
        let why = "the matrix has a column for each element of the axis";
        return Err(Error::Shape { operation, left, right, why });
    }
    let mut expected = x.shape().to_vec();
    expected[axis] = rows;
    input::<T>(operation, x)?;
    let x = borrowed::<T>(x);
    let out = output::<T>(operation, out, &expected)?;
    let slab = rows * inner;
    if slab == 0 {
        return Ok(());
    }
    let slabs = (CHUNK / slab).max(1).next_multiple_of(if inner == 1 { LINES } else { 1 });
    parallel_chunks_mut(out, slabs * slab, |task, out| {
        let x = &x[task * slabs * dim * inner..];
        if inner > 1 {
            for (nth, out) in out.chunks_exact_mut(slab).enumerate() {
                times(matrix, &x[nth * dim * inner..][..dim * inner], inner, out);
            }
            return;
        }
        // Lines become columns, so that there are vectors of them.
        let (mut from, mut to) = (vec![T::ZERO; dim * LINES], vec![T::ZERO; rows * LINES]);
        for (nth, out) in out.chunks_mut(rows * LINES).enumerate() {
            let lines = out.len() / rows;
            let (from, to) = (&mut from[..dim * lines], &mut to[..rows * lines]);
            transpose(&x[nth * dim * LINES..], dim, [lines, dim], from);
            times(matrix, from, lines, to);
            transpose(to, lines, [rows, lines], out);
        }
    });
    Ok(())
}

/// The product with a row-major matrix of so many columns.
fn times<T: Float>(matrix: &SparseMatrix, x: &[T], width: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<T: Float>(matrix: &SparseMatrix, x: &[T], width: usize, out: &mut [T]) {
        let mut totals = Vec::new();
        for (entries, y) in matrix.rows().zip(out.chunks_exact_mut(width)) {
            let row = |column: usize| &x[column * width..][..width];
            if entries.len() <= MANY {
                y.fill(T::ZERO);
                for &(column, factor) in entries {
                    let factor = T::of(factor);
                    y.iter_mut().zip(row(column)).for_each(|(y, &x)| *y = *y + factor * x);
                }
                continue;
            }
            totals.clear();
            totals.resize(width, T::NOTHING);
            for &(column, factor) in entries {
                let terms = row(column).iter().map(|&x| T::of(factor) * x);
                totals.iter_mut().zip(terms).for_each(|(sum, term)| *sum = T::added(*sum, term));
            }
            y.iter_mut().zip(&totals).for_each(|(y, &total)| *y = T::rounded(total));
        }
    }
    dispatch!(<T: Float> (matrix: &SparseMatrix, x: &[T], width: usize, out: &mut [T]) {
        plain::<T>(matrix, x, width, out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> SparseMatrix {
        SparseMatrix::from_rows(3, [vec![(2, 2.0), (0, 1.0)], vec![], vec![(1, 0.5); 3]])
    }

    #[test]
    fn a_product_along_any_axis_is_that_with_the_dense_matrix() {
        let dense = [[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, 1.5, 0.0]];
        let x = Tensor::arange(2 * 3 * 3, DType::F64).unwrap().reshape([2, 3, 3]).unwrap();
        for (axis, matrix, dense) in [
            (1, matrix(), dense),
            (2, matrix(), dense),
            (2, matrix().transposed(), [0, 1, 2].map(|i| dense.map(|row: [f64; 3]| row[i]))),
        ] {
            let mut out = Tensor::full([2, 3, 3], f64::NAN, DType::F64).unwrap();
            sparse_matmul(&matrix, &x, axis, &mut out).unwrap();
            for [slab, i, j] in (0..18).map(|n| [n / 9, n / 3 % 3, n % 3]) {
                let (row, at) = if axis == 1 { (i, [slab, 0, j]) } else { (j, [slab, i, 0]) };
                let term = |k: usize| {
                    let mut at = at;
                    at[axis] = k;
                    dense[row][k] * x.get(at).unwrap()
                };
                let expected: f64 = (0..3).map(term).sum();
                assert_eq!(out.get([slab, i, j]).unwrap(), expected, "axis {axis}");
            }
        }
        assert!(
            sparse_matmul(&matrix(), &x, 0, &mut Tensor::zeros([3, 3, 3], DType::F64).unwrap())
                .is_err()
        );
    }

    #[test]
    fn long_rows_keep_their_digits() {
        let many = SparseMatrix::from_rows(101, [(0..101).map(|k| (k, 1.0))]);
        let x: Vec<f32> = [1e8].into_iter().chain([1.0; 99]).chain([-1e8]).collect();
        let mut out = Tensor::zeros([1], DType::F32).unwrap();
        sparse_matmul(&many, &Tensor::new([101], x).unwrap(), 0, &mut out).unwrap();
        assert_eq!(out.to_f64s(), [99.0]);
    }
}
