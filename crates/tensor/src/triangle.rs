//! Triangles of matrices.

use crate::tensor::with_elem;
use crate::{Elem, Error, Result, Tensor, kernels};

impl Tensor {
    /// The lower triangle of the last two axes: element `[i, j]` where `j − i ≤ diagonal`, else 0.
    ///
    /// # Errors
    /// There are fewer than two axes.
    pub fn tril(&self, diagonal: isize) -> Result<Tensor> {
        self.triangle("tril", |row, column| column.saturating_sub(row) <= diagonal)
    }

    /// The upper triangle of the last two axes: element `[i, j]` where `j − i ≥ diagonal`, else 0.
    ///
    /// # Errors
    /// There are fewer than two axes.
    pub fn triu(&self, diagonal: isize) -> Result<Tensor> {
        self.triangle("triu", |row, column| column.saturating_sub(row) >= diagonal)
    }

    fn triangle(
        &self,
        operation: &'static str,
        stays: impl Fn(isize, isize) -> bool,
    ) -> Result<Tensor> {
        let shape = self.shape().clone();
        let &[.., rows, columns] = &shape[..] else {
            return Err(Error::Axis { operation, axis: -2, shape });
        };
        with_elem!(self.dtype(), T => {
            let mut elements = kernels::copied::<T>(self);
            for (row, elements) in elements.chunks_mut(columns.max(1)).enumerate() {
                for (column, x) in (0..).zip(elements) {
                    if !stays((row % rows) as isize, column) {
                        *x = T::ZERO;
                    }
                }
            }
            Tensor::new(shape, elements)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangles_of_every_matrix_of_a_batch() {
        let x = Tensor::from([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [1, 2, 3]]]);
        let lower = Tensor::from([[[1, 0, 0], [4, 5, 0]], [[7, 0, 0], [1, 2, 0]]]);
        assert_eq!(x.tril(0).unwrap(), lower);
        let upper = Tensor::from([[[0, 2, 3], [0, 0, 6]], [[0, 8, 9], [0, 0, 3]]]);
        assert_eq!(x.triu(1).unwrap(), upper);
        assert_eq!(x.tril(isize::MAX).unwrap(), x);
        assert_eq!(x.triu(isize::MIN).unwrap(), x);
        assert!(Tensor::from([1]).tril(0).is_err());
    }
}
