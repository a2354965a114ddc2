//! Tensors from arrays of the crate `ndarray`, and back.
//!
//! ```
//! use lossgraph_tensor::Tensor;
//! use ndarray::{ArrayD, array};
//!
//! let x = Tensor::from(array![[1.0, 2.0], [3.0, 4.0]]);
//! let y = ArrayD::<f64>::try_from(x.t()?)?;
//! assert_eq!(y, array![[1.0, 3.0], [2.0, 4.0]].into_dyn());
//! # Ok::<(), lossgraph_tensor::Error>(())
//! ```

use ndarray::{Array, ArrayBase, ArrayView, ArrayViewD, Data, Dimension, IxDyn, ShapeBuilder};

use super::filled;
use crate::{Elem, Error, Number, Result, Tensor};

/// Of an array with as many axes as its type says, whose elements are moved if they are contiguous
/// in row-major order, else copied.
impl<N: Number, D: Dimension> From<Array<N, D>> for Tensor {
    fn from(array: Array<N, D>) -> Tensor {
        let (len, shape) = (array.len(), array.shape().to_vec());
        if !array.is_standard_layout() {
            return Tensor::from(&array);
        }
        match array.into_raw_vec_and_offset() {
            (numbers, Some(0) | None) if numbers.len() == len => filled(shape, numbers),
            (numbers, offset) => {
                let numbers = numbers.into_iter().skip(offset.unwrap_or(0)).take(len);
                filled(shape, numbers.collect())
            }
        }
    }
}

/// Of an array, or a view of one, whose elements are copied.
impl<N: Number, S: Data<Elem = N>, D: Dimension> From<&ArrayBase<S, D>> for Tensor {
    fn from(array: &ArrayBase<S, D>) -> Tensor {
        filled(array.shape().to_vec(), array.iter().copied().collect())
    }
}

/// Of a view of an array, whose elements are copied.
impl<N: Number, D: Dimension> From<ArrayView<'_, N, D>> for Tensor {
    fn from(view: ArrayView<'_, N, D>) -> Tensor {
        Tensor::from(&view)
    }
}

impl<T: Elem> TryFrom<Tensor> for Array<T, IxDyn> {
    type Error = Error;

    /// A copy of the elements, which have this type.
    fn try_from(tensor: Tensor) -> Result<Array<T, IxDyn>> {
        Array::try_from(&tensor)
    }
}

impl<T: Elem> TryFrom<&Tensor> for Array<T, IxDyn> {
    type Error = Error;

    /// A copy of the elements, which have this type.
    fn try_from(tensor: &Tensor) -> Result<Array<T, IxDyn>> {
        let error = refused(tensor);
        Array::from_shape_vec(tensor.shape().to_vec(), tensor.to_vec::<T>()?).map_err(error)
    }
}

impl<'a, T: Elem> TryFrom<&'a Tensor> for ArrayView<'a, T, IxDyn> {
    type Error = Error;

    /// A view of the elements, which have this type. Nothing is copied, so that they are contiguous,
    /// or repeated or transposed; after a flip, [`contiguous`](Tensor::contiguous) copies first.
    fn try_from(tensor: &'a Tensor) -> Result<ArrayViewD<'a, T>> {
        let layout = tensor.layout();
        if T::DTYPE != tensor.dtype() {
            let (given, expected) = (tensor.dtype(), T::DTYPE);
            return Err(Error::DType { operation: "ArrayView::try_from", given, expected });
        }
        let shape = tensor.shape().to_vec();
        if tensor.is_empty() {
            return ArrayView::from_shape(shape, &[]).map_err(refused(tensor));
        }
        let strides = layout.strides().iter().map(|&stride| usize::try_from(stride));
        let strides = strides.collect::<std::result::Result<Vec<usize>, _>>();
        let from = tensor.buffer_slice::<T>().and_then(|buffer| buffer.get(layout.offset()..));
        let (Ok(strides), Some(from)) = (strides, from) else {
            return Err(refused(tensor)("negative strides, which contiguous() copies away"));
        };
        ArrayView::from_shape(shape.strides(strides), from).map_err(refused(tensor))
    }
}

/// The error of a tensor that is no array.
fn refused<E: ToString>(tensor: &Tensor) -> impl FnOnce(E) -> Error {
    let shape = tensor.shape().clone();
    move |why| Error::Reshape { shape, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, ArrayD, Axis, array, s};

    use super::*;
    use crate::DType;

    #[test]
    fn arrays_of_all_layouts_become_tensors() {
        let x = array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let expected = Tensor::from([[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(Tensor::from(&x), expected);
        assert_eq!(Tensor::from(x.view()), expected);
        assert_eq!(Tensor::from(x.clone().into_dyn()), expected);
        assert_eq!(Tensor::from(x.t()), expected.t().unwrap());
        assert_eq!(Tensor::from(x.clone().reversed_axes()), expected.t().unwrap());
        assert_eq!(Tensor::from(x.slice(s![.., ..;-2])).to_f64s(), [3.0, 1.0, 6.0, 4.0]);
        let mut cut = x.clone();
        cut.slice_collapse(s![1.., 1..]);
        assert_eq!(Tensor::from(cut), Tensor::from([[5.0_f32, 6.0]]));
        assert_eq!(Tensor::from(x.index_axis(Axis(0), 1)).shape()[..], [3]);
        assert_eq!(Tensor::from(array![true, false]), Tensor::from([1_i64, 0]));
        assert_eq!(Tensor::from(Array2::<f64>::zeros((0, 3))).shape()[..], [0, 3]);
    }

    #[test]
    fn the_elements_of_an_array_are_moved() {
        let x = Array2::<f64>::ones((2, 3));
        let start = x.as_ptr();
        assert_eq!(Tensor::from(x).as_slice::<f64>().unwrap().as_ptr(), start);
    }

    #[test]
    fn tensors_of_all_layouts_become_arrays() {
        let x = Tensor::arange(6, DType::I64).unwrap().reshape([2, 3]).unwrap();
        let array = array![[0_i64, 1, 2], [3, 4, 5]].into_dyn();
        assert_eq!(ArrayD::try_from(&x), Ok(array.clone()));
        assert_eq!(ArrayD::try_from(x.t().unwrap()), Ok(array.t().to_owned()));
        assert_eq!(ArrayViewD::<i64>::try_from(&x).unwrap(), array);
        assert_eq!(ArrayViewD::<i64>::try_from(&x.t().unwrap()).unwrap(), array.t());
        assert_eq!(ArrayViewD::<i64>::try_from(&x.narrow(1, 1, 2).unwrap()).unwrap()[[1, 0]], 4);
        assert_eq!(ArrayViewD::<i64>::try_from(&Tensor::from(7)).unwrap()[[]], 7);
        assert!(ArrayD::<f32>::try_from(&x).is_err() && ArrayViewD::<f32>::try_from(&x).is_err());
        assert!(ArrayViewD::<i64>::try_from(&x.flip(0).unwrap()).is_err());
        let empty = Tensor::zeros([0, 3], DType::F64).unwrap();
        assert_eq!(ArrayD::<f64>::try_from(&empty).unwrap().shape(), [0, 3]);
        assert_eq!(ArrayViewD::<f64>::try_from(&empty).unwrap().shape(), [0, 3]);
        let repeated = Tensor::filled_view([2, 2], 1.0, DType::F64).unwrap();
        assert_eq!(ArrayViewD::<f64>::try_from(&repeated).unwrap(), ArrayD::ones(vec![2, 2]));
    }
}
