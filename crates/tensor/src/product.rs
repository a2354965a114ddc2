//! The matrix product of tensors.

use crate::{DType, Error, Result, Shape, Tensor, kernels};

impl Tensor {
    /// The matrix product of the last two axes; axes before them are a batch, and broadcast. A vector
    /// on the left is one row, on the right one column, and that axis is dropped again. Integers
    /// beside floats become floats.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.matmul(&Tensor::from([1.0, 10.0]))?, Tensor::from([21.0, 43.0]));
    /// assert_eq!(x.matmul(&x.transpose(0, 1)?)?.get([1, 1])?, 25.0);
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// Inner lengths that differ, batches that do not broadcast, a number instead of a matrix, floats
    /// of two types.
    #[doc(alias = "mm")]
    #[doc(alias = "bmm")]
    #[doc(alias = "dot")]
    pub fn matmul(&self, other: &Tensor) -> Result<Tensor> {
        let refused = |why: &'static str| Error::Shape {
            operation: "matmul",
            left: self.shape().clone(),
            right: other.shape().clone(),
            why,
        };
        let dtype = match [self.dtype(), other.dtype()] {
            [a, b] if a == b => a,
            [DType::I64, float] | [float, DType::I64] => float,
            [expected, given] => return Err(Error::DType { operation: "matmul", given, expected }),
        };
        if self.rank() == 0 || other.rank() == 0 {
            return Err(refused("a number has no rows"));
        }
        let a = if self.rank() == 1 { self.unsqueeze(0)? } else { self.clone() };
        let b = if other.rank() == 1 { other.unsqueeze(1)? } else { other.clone() };
        let [m, k] = [a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]];
        let n = b.shape()[b.rank() - 1];
        if k != b.shape()[b.rank() - 2] {
            return Err(refused("the inner lengths differ"));
        }
        let batch = |x: &Tensor| Shape::from(&x.shape()[..x.rank() - 2]);
        let Some(batch) = batch(&a).broadcast(&batch(&b)) else {
            return Err(refused("the batch axes do not broadcast"));
        };
        let matrices = |x: Tensor, rows: usize, columns: usize| {
            x.to_dtype(dtype).expand([&batch[..], &[rows, columns]].concat())
        };
        let mut out = Tensor::zeros([&batch[..], &[m, n]].concat(), dtype)?;
        kernels::matmul(&matrices(a, m, k)?, &matrices(b, k, n)?, &mut out)?;
        let rows = (self.rank() > 1).then_some(m);
        let columns = (other.rank() > 1).then_some(n);
        out.reshape(batch.iter().copied().chain(rows).chain(columns).collect::<Vec<usize>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_has_the_shape_of_its_ranks() {
        let of = |shape: &[usize]| Tensor::full(shape, 2.0, DType::F64).unwrap();
        let cases: [(&[usize], &[usize], &[usize]); 6] = [
            (&[3], &[3], &[]),
            (&[2, 3], &[3], &[2]),
            (&[3], &[3, 4], &[4]),
            (&[5, 2, 3], &[3, 4], &[5, 2, 4]),
            (&[5, 1, 2, 3], &[6, 3, 4], &[5, 6, 2, 4]),
            (&[0, 2, 0], &[0, 4], &[0, 2, 4]),
        ];
        for (a, b, shape) in cases {
            let y = of(a).matmul(&of(b)).unwrap();
            let inner = *a.last().unwrap() as f64;
            assert_eq!(y.shape()[..], *shape);
            assert!(y.to_f64s().iter().all(|&y| y == 4.0 * inner), "{y}");
        }
        assert_eq!(of(&[2]).matmul(&Tensor::from([1, 2])).unwrap().item().unwrap(), 6.0);
    }

    #[test]
    fn what_is_no_product_is_refused() {
        let x = Tensor::from([[1.0, 2.0, 3.0]]);
        for (y, why) in [
            (x.clone(), "the inner lengths differ"),
            (Tensor::from(1.0), "a number has no rows"),
            (Tensor::zeros([3, 2], DType::F32).unwrap(), "given f32 elements, expected f64"),
        ] {
            assert!(x.matmul(&y).unwrap_err().to_string().contains(why));
        }
        let batches = Tensor::zeros([2, 3, 3], DType::F64).unwrap();
        let others = Tensor::zeros([5, 3, 3], DType::F64).unwrap();
        assert!(batches.matmul(&others).unwrap_err().to_string().contains("do not broadcast"));
    }
}
