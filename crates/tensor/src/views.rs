//! Views of a tensor: the same buffer, another layout.

use crate::shape::checked_len;
use crate::{Error, IntoAxis, IntoDims, IntoRange, Layout, Result, Shape, Slice, Tensor, Window};

impl Tensor {
    /// The axes permuted: axis `i` of the result is axis `axes[i]`.
    ///
    /// # Errors
    /// Not each axis comes once.
    pub fn permute(&self, axes: impl IntoDims) -> Result<Tensor> {
        Ok(self.viewed(self.layout.permute(&axes.into_dims())?))
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn transpose(&self, a: impl IntoAxis, b: impl IntoAxis) -> Result<Tensor> {
        Ok(self.viewed(self.layout.transpose(a.into_axis(), b.into_axis())?))
    }

    /// The last two axes exchanged: the transposed matrix.
    ///
    /// # Errors
    /// There are fewer than two axes.
    pub fn t(&self) -> Result<Tensor> {
        self.transpose(-2, -1)
    }

    /// A range of an axis, as Python slices: negative ends count from the end, and ends beyond the
    /// axis are clamped.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.slice(1, 1..)?, Tensor::from([[2, 3], [5, 6]]));
    /// assert_eq!(x.slice(0, ..-1)?, Tensor::from([[1, 2, 3]]));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such axis.
    pub fn slice(&self, axis: impl IntoAxis, range: impl IntoRange) -> Result<Tensor> {
        let (start, stop) = range.into_range();
        self.slice_axis("slice", axis.into_axis(), |len| {
            Slice::resolve(start, stop, 1, len).unwrap_or(Slice::all(len))
        })
    }

    /// A slice of each of the leading axes; steps may be negative.
    ///
    /// # Errors
    /// A slice out of range, or more of them than axes.
    pub fn slices(&self, slices: &[Slice]) -> Result<Tensor> {
        Ok(self.viewed(self.layout.slice(slices)?))
    }

    /// `len` indices of an axis, from `start` on.
    ///
    /// # Errors
    /// There is no such axis, or an index out of range.
    pub fn narrow(&self, axis: impl IntoAxis, start: usize, len: usize) -> Result<Tensor> {
        self.slice_axis("narrow", axis.into_axis(), |_| Slice { start, len, step: 1 })
    }

    /// One index of an axis, which is dropped; negative ones count from the end.
    ///
    /// # Errors
    /// There is no such axis, or no such index.
    pub fn select(&self, axis: impl IntoAxis, index: impl IntoAxis) -> Result<Tensor> {
        let (axis, index) = (axis.into_axis(), index.into_axis());
        let one = self.slice_axis("select", axis, |len| {
            let from_start = if index < 0 { index.checked_add_unsigned(len) } else { Some(index) };
            // An index before the first is beyond the last, too, and refused.
            let start = from_start.and_then(|i| usize::try_from(i).ok()).unwrap_or(usize::MAX);
            Slice { start, len: 1, step: 1 }
        });
        match one {
            Err(Error::Slice { axis, shape, .. }) => {
                let (index, dim, position) = (index as i64, shape[axis], vec![axis]);
                Err(Error::Index { operation: "select", index, dim, position })
            }
            one => one?.squeeze(axis),
        }
    }

    /// An axis reversed.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn flip(&self, axis: impl IntoAxis) -> Result<Tensor> {
        let reversed = |len: usize| Slice { start: len.saturating_sub(1), len, step: -1 };
        self.slice_axis("flip", axis.into_axis(), reversed)
    }

    fn slice_axis(
        &self,
        operation: &'static str,
        axis: isize,
        slice: impl Fn(usize) -> Slice,
    ) -> Result<Tensor> {
        let shape = self.shape();
        let error = || Error::Axis { operation, axis, shape: shape.clone() };
        let at = shape.axis(axis).ok_or_else(error)?;
        let mut slices: Vec<Slice> = shape.iter().map(|&dim| Slice::all(dim)).collect();
        slices[at] = slice(shape[at]);
        self.slices(&slices)
    }

    /// Broadcasts to `shape`: repeats axes of length 1, and adds axes in front.
    ///
    /// # Errors
    /// Another length differs, or the shape has more elements than memory has addresses.
    pub fn expand(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        Ok(self.viewed(self.layout.expand(&shape.into())?))
    }

    /// The same elements in the same order, in another shape: a view where the strides allow it,
    /// else a copy. One length may be −1: as long as the elements ask for.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([1, 2, 3, 4, 5, 6]);
    /// assert_eq!(x.reshape((2, -1))?.shape()[..], [2, 3]);
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// The shape has another number of elements.
    pub fn reshape(&self, shape: impl IntoDims) -> Result<Tensor> {
        let shape = Shape::resolve(shape, self.len())
            .map_err(|why| Error::Reshape { shape: self.shape().clone(), why })?;
        checked_len(&shape)?;
        match self.layout.reshape(&shape) {
            Some(layout) => Ok(self.viewed(layout)),
            None => Ok(self.contiguous().viewed(Layout::contiguous(shape))),
        }
    }

    /// All elements along one axis.
    pub fn flatten(&self) -> Tensor {
        match self.layout.reshape(&Shape::from(self.len())) {
            Some(layout) => self.viewed(layout),
            None => self.contiguous().flatten(),
        }
    }

    /// Drops an axis of length 1.
    ///
    /// # Errors
    /// There is no such axis, or it has another length.
    pub fn squeeze(&self, axis: impl IntoAxis) -> Result<Tensor> {
        Ok(self.viewed(self.layout.squeeze(axis.into_axis())?))
    }

    /// Adds an axis of length 1, which becomes axis `axis` of the result.
    ///
    /// # Errors
    /// The result has no such axis.
    pub fn unsqueeze(&self, axis: impl IntoAxis) -> Result<Tensor> {
        Ok(self.viewed(self.layout.unsqueeze(axis.into_axis())?))
    }

    /// The diagonal of two axes, which are dropped for one new axis at the end.
    ///
    /// # Errors
    /// There is no such axis, or both are the same.
    pub fn diagonal(&self, a: impl IntoAxis, b: impl IntoAxis) -> Result<Tensor> {
        Ok(self.viewed(self.layout.diagonal(a.into_axis(), b.into_axis())?))
    }

    /// Sliding windows along an axis: its length becomes the number of windows, and the elements
    /// of each window come last, along a new axis.
    ///
    /// # Errors
    /// There is no such axis, not one window fits, or there are more elements in all windows than
    /// memory has addresses.
    pub fn windows(&self, axis: impl IntoAxis, window: Window) -> Result<Tensor> {
        Ok(self.viewed(self.layout.windows(axis.into_axis(), window)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    /// Element `[i, j, k]` is `100 i + 10 j + k`.
    fn cube() -> Tensor {
        let digits = (0..24).map(|n| f64::from(100 * (n / 12) + 10 * (n / 4 % 3) + n % 4));
        Tensor::new([2, 3, 4], digits.collect()).unwrap()
    }

    #[test]
    fn a_permutation_moves_each_element() {
        let y = cube().permute([2, 0, 1]).unwrap();
        assert_eq!(y.shape()[..], [4, 2, 3]);
        assert_eq!(y.get([3, 1, 2]), Ok(123.0));
        assert!(cube().permute([0, 0, 1]).is_err());
        assert!(cube().permute([0, 1]).is_err());
    }

    #[test]
    fn a_slice_can_step_backwards() {
        let y = cube().slices(&[Slice::all(2), Slice { start: 2, len: 2, step: -2 }]).unwrap();
        assert_eq!(y.to_f64s()[..8], [20.0, 21.0, 22.0, 23.0, 0.0, 1.0, 2.0, 3.0]);
        assert!(cube().slices(&[Slice { start: 0, len: 2, step: -1 }]).is_err());
        assert!(cube().narrow(1, 2, 2).is_err());
    }

    #[test]
    fn flip_and_select_work_on_every_axis() {
        for axis in 0..3 {
            let last = cube().shape()[axis] - 1;
            let flipped = cube().flip(axis as isize).unwrap();
            let first = flipped.select(axis as isize, 0).unwrap();
            assert_eq!(first, cube().select(axis as isize, last).unwrap());
        }
    }

    #[test]
    fn an_expanded_axis_repeats() {
        let x = Tensor::from([1.0, 2.0]).unsqueeze(1).unwrap();
        let y = x.expand([3, 2, 2]).unwrap();
        assert_eq!(y.to_f64s()[..4], [1.0, 1.0, 2.0, 2.0]);
        assert!(x.expand([3, 3]).is_err());
    }

    #[test]
    fn a_reshape_keeps_the_order_of_the_elements() {
        let y = cube().permute([1, 0, 2]).unwrap();
        assert_eq!(y.reshape([6, 4]).unwrap().to_f64s(), y.to_f64s());
        assert!(y.reshape([5, 5]).is_err());
        let x = cube();
        assert!(x.reshape([6, 4]).unwrap().shares_storage_with(&x));
    }

    #[test]
    fn the_diagonal_of_two_axes_comes_last() {
        let y = cube().diagonal(0, 2).unwrap();
        assert_eq!(y.shape()[..], [3, 2]);
        assert_eq!(y.to_f64s(), [0.0, 101.0, 10.0, 111.0, 20.0, 121.0]);
        assert!(cube().diagonal(1, 1).is_err());
    }

    #[test]
    fn windows_overlap() {
        let x = Tensor::arange(6, DType::F64).unwrap();
        let y = x.windows(0, Window { size: 2, stride: 2, dilation: 3 }).unwrap();
        assert_eq!(y.shape()[..], [2, 2]);
        assert_eq!(y.to_f64s(), [0.0, 3.0, 2.0, 5.0]);
        assert!(x.windows(0, Window { size: 7, stride: 1, dilation: 1 }).is_err());
    }

    #[test]
    fn axes_that_do_not_exist_are_named() {
        let error = cube().select(3, 0).err().unwrap().to_string();
        assert_eq!(error, "select: there is no axis 3 in shape [2, 3, 4], which has 3 axes");
    }
}
