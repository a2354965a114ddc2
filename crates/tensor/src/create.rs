//! New tensors: of given data, of one number, and of a pattern.

use crate::dtype::sealed::Stored;
use crate::shape::checked_len;
use crate::tensor::with_elem;
use crate::{DType, Elem, Error, Layout, Result, Shape, Tensor};

/// From how many elements on an allocation is tried out before it is made.
pub(crate) const LARGE: usize = 1 << 27;

/// The number of elements of a shape, if there is memory for so many of type `T`.
///
/// An allocation that fails ends the process, so that a large one is reserved before, and given
/// back.
pub(crate) fn allocatable_len<T>(shape: &Shape) -> Result<usize> {
    let len = checked_len(shape)?;
    match len >= LARGE && Vec::<T>::new().try_reserve_exact(len).is_err() {
        true => Err(Error::TooLarge { shape: shape.clone() }),
        false => Ok(len),
    }
}

impl Tensor {
    /// A tensor of `data`, in row-major order; the vector is moved, not copied.
    ///
    /// # Errors
    /// The data does not fill the shape.
    pub fn new<T: Elem>(shape: impl Into<Shape>, data: Vec<T>) -> Result<Tensor> {
        let shape = shape.into();
        if checked_len(&shape)? != data.len() {
            return Err(Error::Length { operation: "Tensor::new", given: data.len(), shape });
        }
        Ok(Tensor { storage: T::store(data), layout: Layout::contiguous(shape) })
    }

    /// A tensor of one number.
    ///
    /// # Errors
    /// There is no memory for the shape.
    pub fn full(shape: impl Into<Shape>, value: f64, dtype: DType) -> Result<Tensor> {
        let shape = shape.into();
        with_elem!(dtype, T => {
            let len = allocatable_len::<T>(&shape)?;
            Tensor::new(shape, vec![T::of(value); len])
        })
    }

    /// A tensor of zeros; see [`full`](Tensor::full).
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        Tensor::full(shape, 0.0, dtype)
    }

    /// A tensor of ones; see [`full`](Tensor::full).
    pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        Tensor::full(shape, 1.0, dtype)
    }

    /// A tensor filled with one number, which is stored once: all strides are 0.
    ///
    /// # Errors
    /// The shape has more elements than memory has addresses.
    pub fn filled_view(shape: impl Into<Shape>, value: f64, dtype: DType) -> Result<Tensor> {
        let shape = shape.into();
        checked_len(&shape)?;
        let storage = with_elem!(dtype, T => <T as Stored>::store(vec![T::of(value)]));
        Ok(Tensor { storage, layout: Layout::repeated(shape) })
    }

    /// `[0, 1, …, n − 1]`.
    ///
    /// # Errors
    /// There is no memory for `n` elements.
    pub fn arange(n: usize, dtype: DType) -> Result<Tensor> {
        let shape = Shape::from(n);
        with_elem!(dtype, T => {
            allocatable_len::<T>(&shape)?;
            Tensor::new(shape, (0..n).map(|i| T::of(i as f64)).collect::<Vec<T>>())
        })
    }

    /// `count` numbers at equal distances, from `start` to `stop`, which is the last one.
    ///
    /// ```
    /// use lossgraph_tensor::{DType, Tensor};
    ///
    /// let x = Tensor::linspace(-1.0, 1.0, 5, DType::F64)?;
    /// assert_eq!(x, Tensor::from([-1.0, -0.5, 0.0, 0.5, 1.0]));
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no memory for `count` elements.
    pub fn linspace(start: f64, stop: f64, count: usize, dtype: DType) -> Result<Tensor> {
        let shape = Shape::from(count);
        let last = count.saturating_sub(1).max(1) as f64;
        // A weighted sum, which hits both ends and does not overflow between them.
        let number = |i: usize| match i as f64 / last {
            0.0 => start,
            1.0 => stop,
            part => start * (1.0 - part) + stop * part,
        };
        with_elem!(dtype, T => {
            allocatable_len::<T>(&shape)?;
            Tensor::new(shape, (0..count).map(|i| T::of(number(i))).collect::<Vec<T>>())
        })
    }

    /// The identity matrix, `[n, n]`.
    ///
    /// # Errors
    /// There is no memory for `n²` elements.
    pub fn eye(n: usize, dtype: DType) -> Result<Tensor> {
        let shape = Shape::from([n, n]);
        with_elem!(dtype, T => {
            let mut data = vec![T::ZERO; allocatable_len::<T>(&shape)?];
            data.iter_mut().step_by(n.saturating_add(1)).for_each(|x| *x = T::ONE);
            Tensor::new(shape, data)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_needs_as_many_elements_as_its_shape() {
        let error = Tensor::new([2, 3], vec![1.0; 5]).err().unwrap().to_string();
        assert_eq!(error, "Tensor::new: 5 elements given, [2, 3] has 6");
    }

    #[test]
    fn a_shape_beyond_memory_is_refused() {
        assert!(matches!(Tensor::zeros([usize::MAX, 2], DType::F32), Err(Error::TooLarge { .. })));
        // There are addresses for these, but no memory.
        assert!(matches!(Tensor::zeros([1 << 58], DType::F32), Err(Error::TooLarge { .. })));
        assert_eq!(Tensor::zeros([1 << 58, 2, 0], DType::F32).unwrap().len(), 0);
    }

    #[test]
    fn a_filled_view_stores_one_element() {
        let x = Tensor::filled_view([2, 3], 7.0, DType::F32).unwrap();
        assert_eq!(x.buffer_slice::<f32>().unwrap().len(), 1);
        assert_eq!(x.to_f64s(), [7.0; 6]);
    }

    #[test]
    fn the_identity_has_ones_on_its_diagonal() {
        let eye = Tensor::eye(3, DType::I64).unwrap();
        assert_eq!(eye, Tensor::from([[1_i64, 0, 0], [0, 1, 0], [0, 0, 1]]));
        assert_eq!(Tensor::eye(0, DType::F32).unwrap().shape()[..], [0, 0]);
        assert!(matches!(Tensor::eye(1 << 32, DType::F32), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn a_linspace_begins_and_ends_where_it_says() {
        let x = Tensor::linspace(0.1, 0.7, 4, DType::F64).unwrap().to_f64s();
        assert_eq!((x[0], x[3]), (0.1, 0.7));
        assert_eq!(Tensor::linspace(2.0, 3.0, 1, DType::F64).unwrap().to_f64s(), [2.0]);
        assert!(Tensor::linspace(2.0, 3.0, 0, DType::F32).unwrap().is_empty());
        let wide = Tensor::linspace(f64::MIN, f64::MAX, 3, DType::F64).unwrap();
        assert_eq!(wide.to_f64s(), [f64::MIN, 0.0, f64::MAX]);
    }
}
