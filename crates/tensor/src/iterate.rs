//! Iterators over rows and over elements.

use std::iter::FusedIterator;

use smallvec::SmallVec;

use crate::tensor::with_elem;
use crate::{Elem, Slice, Tensor};

/// How many elements are looked at together: a loop that stops at each of them has no vectors.
const BLOCK: usize = 256;

impl Tensor {
    /// The tensors along the first axis, of one axis less: views. A scalar has none.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let rows: Vec<Tensor> = x.rows().collect();
    /// assert_eq!(rows[1], Tensor::from([3.0, 4.0]));
    /// ```
    #[doc(alias = "outer_iter")]
    #[doc(alias = "unbind")]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Tensor> + DoubleEndedIterator + '_ {
        let rows = self.shape().first().copied().unwrap_or(0);
        (0..rows).map(move |start| {
            let row = self.layout.slice(&[Slice { start, len: 1, step: 1 }]);
            match row.and_then(|row| row.squeeze(0)) {
                Ok(row) => self.viewed(row),
                Err(_) => unreachable!("there are {rows} rows"),
            }
        })
    }

    /// The elements as `f64`, in row-major order, one after another; of any layout, without a copy.
    ///
    /// Of contiguous elements, [`as_slice`](Tensor::as_slice) gives them in their own type.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert!(x.t()?.iter_f64().eq([1.0, 3.0, 2.0, 4.0]));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    pub fn iter_f64(&self) -> impl ExactSizeIterator<Item = f64> + FusedIterator + '_ {
        let (left, index) = (self.len(), SmallVec::from_elem(0, self.rank()));
        Elements { tensor: self, left, index, offset: self.layout.offset() as isize }
    }

    /// The first element for which a predicate holds, as `f64`, in row-major order. The elements are looked
    /// at a block at a time.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([0.5, 1.5, -2.0]);
    /// assert_eq!(x.find(|x| !(0.0..=1.0).contains(&x)), Some(1.5));
    /// assert_eq!(x.find(f64::is_nan), None);
    /// ```
    pub fn find(&self, is: impl Fn(f64) -> bool) -> Option<f64> {
        let mut found = None;
        self.blocks(&mut |block| {
            if block.iter().fold(false, |some, &x| some | is(x)) {
                found = block.iter().copied().find(|&x| is(x));
            }
            found.is_none()
        });
        found
    }

    /// Hands out the elements as `f64`, some at a time, in row-major order, for as long as the answer is
    /// to go on.
    fn blocks(&self, goes_on: &mut dyn FnMut(&[f64]) -> bool) {
        if let Some(elements) = self.as_slice::<f64>() {
            elements.chunks(BLOCK).all(goes_on);
            return;
        }
        let mut block = [0.0; BLOCK];
        with_elem!(self.dtype(), T => if let Some(elements) = self.as_slice::<T>() {
            elements.chunks(BLOCK).all(|elements| {
                for (x, element) in block.iter_mut().zip(elements) {
                    *x = element.to_f64();
                }
                goes_on(&block[..elements.len()])
            });
            return;
        });
        let mut elements = self.iter_f64();
        while elements.len() > 0 {
            let len = elements.len().min(BLOCK);
            block.iter_mut().zip(elements.by_ref().take(len)).for_each(|(x, element)| *x = element);
            if !goes_on(&block[..len]) {
                return;
            }
        }
    }
}

/// An iterator over elements, which counts up as an odometer does.
struct Elements<'a> {
    tensor: &'a Tensor,
    left: usize,
    index: SmallVec<[usize; 4]>,
    offset: isize,
}

impl Iterator for Elements<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.left = self.left.checked_sub(1)?;
        let x = self.tensor.at(self.offset as usize);
        let (shape, strides) = (self.tensor.shape(), self.tensor.strides());
        for axis in (0..shape.rank()).rev() {
            self.index[axis] += 1;
            if self.index[axis] < shape[axis] {
                self.offset += strides[axis];
                break;
            }
            self.offset -= (shape[axis] - 1) as isize * strides[axis];
            self.index[axis] = 0;
        }
        Some(x)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

impl FusedIterator for Elements<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn rows_are_views_along_the_first_axis() {
        let x = Tensor::arange(24, DType::F32).unwrap().reshape((2, 3, 4)).unwrap();
        let x = x.permute([1, 2, 0]).unwrap();
        assert_eq!(x.rows().len(), 3);
        for (i, row) in x.rows().enumerate() {
            assert!(row.shares_storage_with(&x));
            assert_eq!(Ok(row), x.select(0, i));
        }
        assert_eq!(Tensor::from(1.0).rows().len(), 0);
        assert_eq!(Tensor::zeros([0, 2], DType::F32).unwrap().rows().len(), 0);
        assert_eq!(Tensor::zeros([2, 0], DType::F32).unwrap().rows().len(), 2);
    }

    #[test]
    fn elements_come_row_by_row_from_any_layout() {
        let x = Tensor::arange(24, DType::F64).unwrap().reshape([2, 3, 4]).unwrap();
        let views = [
            x.clone(),
            x.permute([2, 0, 1]).unwrap(),
            x.flip(1).unwrap(),
            x.select(1, 1).unwrap().unsqueeze(1).unwrap().expand([2, 5, 4]).unwrap(),
            x.narrow(0, 0, 0).unwrap(),
            Tensor::from(3.0),
        ];
        for x in views {
            assert_eq!(x.iter_f64().len(), x.len());
            assert_eq!(x.iter_f64().collect::<Vec<_>>(), x.to_f64s());
        }
    }

    #[test]
    fn the_first_element_is_found_in_any_layout_and_type() {
        let x = Tensor::arange(3000, DType::F32).unwrap();
        assert_eq!(x.find(|x| x > 999.5), Some(1000.0));
        assert_eq!(x.to_dtype(DType::I64).find(|x| x > 2998.0), Some(2999.0));
        assert_eq!(x.flip(0).unwrap().find(|x| x < 2.0), Some(1.0));
        assert_eq!(x.find(|x| x < 0.0), None);
        assert_eq!(x.narrow(0, 0, 0).unwrap().find(|_| true), None);
    }
}
