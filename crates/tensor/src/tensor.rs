//! The tensor: a shared buffer and a layout.

use std::sync::Arc;

use crate::shape::checked_len;
use crate::{DType, Elem, Error, IntoDims, Layout, Result, Shape, kernels};

/// Numbers in a shape. A clone shares the buffer; writing to a shared buffer copies it first.
#[derive(Clone)]
pub struct Tensor {
    pub(crate) storage: Storage,
    pub(crate) layout: Layout,
}

/// A shared buffer of one of the element types.
#[derive(Clone)]
pub enum Storage {
    /// `f32`.
    F32(Arc<Vec<f32>>),
    /// `f64`.
    F64(Arc<Vec<f64>>),
    /// `i64`.
    I64(Arc<Vec<i64>>),
}

/// Runs a block with `$T` as the element type that `$dtype` says.
macro_rules! with_elem {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
        }
    };
}
pub(crate) use with_elem;

impl Tensor {
    /// The lengths of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        self.layout.shape()
    }

    /// The strides, in elements.
    #[inline]
    pub fn strides(&self) -> &[isize] {
        self.layout.strides()
    }

    /// Shape, strides and offset.
    #[inline]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    #[inline]
    pub fn dtype(&self) -> DType {
        match self.storage {
            Storage::F32(_) => DType::F32,
            Storage::F64(_) => DType::F64,
            Storage::I64(_) => DType::I64,
        }
    }

    /// Whether nobody else shares the buffer.
    #[inline]
    pub fn is_unique(&self) -> bool {
        let (strong, weak) = match &self.storage {
            Storage::F32(data) => (Arc::strong_count(data), Arc::weak_count(data)),
            Storage::F64(data) => (Arc::strong_count(data), Arc::weak_count(data)),
            Storage::I64(data) => (Arc::strong_count(data), Arc::weak_count(data)),
        };
        strong == 1 && weak == 0
    }

    /// Whether both are views of the same buffer.
    pub fn shares_storage_with(&self, other: &Tensor) -> bool {
        match (&self.storage, &other.storage) {
            (Storage::F32(a), Storage::F32(b)) => Arc::ptr_eq(a, b),
            (Storage::F64(a), Storage::F64(b)) => Arc::ptr_eq(a, b),
            (Storage::I64(a), Storage::I64(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The elements as a slice; `None` if they are not contiguous, or for the wrong type.
    #[inline]
    pub fn as_slice<T: Elem>(&self) -> Option<&[T]> {
        let buffer = self.buffer_slice::<T>()?;
        let (start, len) = (self.layout.offset(), self.layout.len());
        match self.layout.is_contiguous() {
            // An empty view may start beyond the end of its buffer.
            true if len == 0 => Some(&[]),
            true => buffer.get(start..start + len),
            false => None,
        }
    }

    /// The one element that all others repeat, if one was broadcast; `None` for the wrong type.
    pub(crate) fn repeated<T: Elem>(&self) -> Option<T> {
        let strides = self.strides().iter().zip(self.shape().iter());
        let is_repeated =
            !self.is_empty() && strides.into_iter().all(|(&s, &dim)| s == 0 || dim == 1);
        let buffer = self.buffer_slice::<T>().filter(|_| is_repeated)?;
        buffer.get(self.layout.offset()).copied()
    }

    /// The whole buffer, which the layout indexes; `None` for the wrong type.
    #[inline]
    pub fn buffer_slice<T: Elem>(&self) -> Option<&[T]> {
        T::stored(&self.storage).map(|data| &data[..])
    }

    /// The elements to write to, copied first if they are shared or not contiguous (copy-on-write);
    /// `None` for the wrong type.
    #[inline]
    pub fn as_mut_slice<T: Elem>(&mut self) -> Option<&mut [T]> {
        if T::DTYPE != self.dtype() {
            return None;
        }
        if !self.layout.is_contiguous() || !self.is_unique() {
            *self = self.copied();
        }
        let (start, len) = (self.layout.offset(), self.layout.len());
        let data = Arc::get_mut(T::stored_mut(&mut self.storage)?)?;
        if len == 0 { Some(&mut []) } else { data.get_mut(start..start + len) }
    }

    /// A contiguous tensor with a buffer of its own.
    pub(crate) fn copied(&self) -> Tensor {
        with_elem!(self.dtype(), T => {
            let data: Vec<T> = kernels::copied(self);
            Tensor {
                storage: <T as crate::dtype::sealed::Stored>::store(data),
                layout: Layout::contiguous(self.shape().clone()),
            }
        })
    }

    /// This tensor if it is contiguous, else a contiguous copy.
    pub fn contiguous(&self) -> Tensor {
        if self.layout.is_contiguous() { self.clone() } else { self.copied() }
    }

    /// The elements, in row-major order.
    ///
    /// # Errors
    /// The elements are of another type.
    pub fn to_vec<T: Elem>(&self) -> Result<Vec<T>> {
        if T::DTYPE != self.dtype() {
            let (given, expected) = (self.dtype(), T::DTYPE);
            return Err(Error::DType { operation: "to_vec", given, expected });
        }
        Ok(kernels::copied(self))
    }

    /// The elements as `f64`, in row-major order, whatever their type.
    pub fn to_f64s(&self) -> Vec<f64> {
        with_elem!(self.dtype(), T => {
            kernels::copied::<T>(self).into_iter().map(|x| x.to_f64()).collect()
        })
    }

    /// `f` of each element, in the same shape. Floats keep their type; of integers they are `f64`.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([[0.0_f32, 1.0], [2.0, 3.0]]);
    /// assert_eq!(x.map(|x| x.powi(3) + 1.0), Tensor::from([[1.0_f32, 2.0], [9.0, 28.0]]));
    /// ```
    #[doc(alias = "apply_")]
    #[must_use]
    pub fn map(&self, f: impl FnMut(f64) -> f64) -> Tensor {
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::F64 };
        let results: Vec<f64> = self.iter_f64().map(f).collect();
        let results = Tensor::new(self.shape().clone(), results);
        results.expect("there is a result for each element").to_dtype(dtype)
    }

    /// The only element.
    ///
    /// # Errors
    /// There are more, or none.
    pub fn item(&self) -> Result<f64> {
        if self.len() != 1 {
            return Err(Error::Item { shape: self.shape().clone() });
        }
        Ok(self.at(self.layout.offset()))
    }

    /// The element at an index, as `f64`: one whole number for each axis, of any type, as an array,
    /// slice or tuple; negative ones count from the end.
    ///
    /// There is no `tensor[[i, j]]`: `Index` gives a reference, and the type of what it refers to
    /// would be known at run time alone. [`as_slice`](Tensor::as_slice) names the type, and its
    /// slice is indexed as every other.
    ///
    /// ```
    /// use lossgraph_tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.get([1, 0])?, 3.0);
    /// assert_eq!(x.get((0, -1))?, 2.0);
    /// assert_eq!(x.as_slice::<f32>().unwrap()[3], 4.0);
    /// # Ok::<(), lossgraph_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// An index out of range; too many numbers, or too few.
    pub fn get(&self, index: impl IntoDims) -> Result<f64> {
        let index = index.into_dims();
        if index.len() != self.rank() {
            let (given, shape) = (index.len(), self.shape().clone());
            return Err(Error::PerAxis { operation: "get", what: "indices", given, shape });
        }
        let mut at = self.layout.offset() as isize;
        for (axis, (&i, &stride)) in index.iter().zip(self.strides()).enumerate() {
            let dim = self.shape()[axis];
            let from_start = if i < 0 { i.checked_add_unsigned(dim) } else { Some(i) };
            match from_start.and_then(|i| usize::try_from(i).ok()).filter(|&i| i < dim) {
                Some(i) => at += i as isize * stride,
                None => {
                    let (index, position) = (i as i64, vec![axis]);
                    return Err(Error::Index { operation: "get", index, dim, position });
                }
            }
        }
        Ok(self.at(at as usize))
    }

    /// The element at an index, which is in range, of a tensor of integers.
    pub(crate) fn integer(&self, index: &[usize]) -> Option<i64> {
        let Storage::I64(data) = &self.storage else { return None };
        let steps = index.iter().zip(self.strides()).map(|(&i, &stride)| i as isize * stride);
        data.get((self.layout.offset() as isize + steps.sum::<isize>()) as usize).copied()
    }

    /// The element at an offset of the buffer.
    pub(crate) fn at(&self, offset: usize) -> f64 {
        match &self.storage {
            Storage::F32(data) => data[offset].to_f64(),
            Storage::F64(data) => data[offset],
            Storage::I64(data) => data[offset].to_f64(),
        }
    }

    /// The elements as another type; floats become integers by truncation.
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() {
            return self.clone();
        }
        with_elem!(self.dtype(), From => with_elem!(dtype, To => {
            let data = kernels::copied::<From>(self).into_iter().map(|x| To::of(x.to_f64())).collect();
            Tensor {
                storage: <To as crate::dtype::sealed::Stored>::store(data),
                layout: Layout::contiguous(self.shape().clone()),
            }
        }))
    }

    /// The same buffer with another layout.
    ///
    /// # Errors
    /// The layout is out of bounds of the buffer.
    pub fn with_layout(&self, layout: Layout) -> Result<Tensor> {
        let len = match &self.storage {
            Storage::F32(data) => data.len(),
            Storage::F64(data) => data.len(),
            Storage::I64(data) => data.len(),
        };
        if !layout.fits(len) {
            return Err(Error::OutOfBounds { shape: layout.shape().clone(), len });
        }
        Ok(Tensor { storage: self.storage.clone(), layout })
    }

    /// How many elements the buffer has, of which the tensor may show a part.
    #[inline]
    pub fn buffer_len(&self) -> usize {
        with_elem!(self.dtype(), T => self.buffer_slice::<T>().map_or(0, <[T]>::len))
    }

    /// This tensor's buffer, reused as a contiguous tensor of `shape` whose elements are
    /// whatever was in it: memory to write to. `None` if somebody else shares the buffer, or it
    /// has fewer elements.
    #[inline]
    pub fn recycled(mut self, shape: &Shape) -> Option<Tensor> {
        if !self.is_unique() || !checked_len(shape).is_ok_and(|len| len <= self.buffer_len()) {
            return None;
        }
        if self.shape() != shape || !self.layout.is_contiguous() {
            self.layout = Layout::contiguous(shape.clone());
        }
        Some(self)
    }

    /// A view whose layout is known to be in bounds.
    pub(crate) fn viewed(&self, layout: Layout) -> Tensor {
        Tensor { storage: self.storage.clone(), layout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_to_a_shared_tensor_leaves_the_other_as_it_was() {
        let a = Tensor::from([1.0, 2.0]);
        let mut b = a.clone();
        b.as_mut_slice::<f64>().unwrap()[0] = 5.0;
        assert_eq!((a.to_f64s(), b.to_f64s()), (vec![1.0, 2.0], vec![5.0, 2.0]));
        assert!(!a.shares_storage_with(&b));
    }

    #[test]
    fn writing_to_a_tensor_of_its_own_copies_nothing() {
        let mut a = Tensor::from([1.0_f32, 2.0]);
        let before = a.as_slice::<f32>().unwrap().as_ptr();
        assert_eq!(a.as_mut_slice::<f32>().unwrap().as_ptr(), before.cast_mut());
        assert!(a.as_mut_slice::<f64>().is_none());
    }

    #[test]
    fn indices_out_of_range_are_refused() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(x.get([1, 0]), Ok(3.0));
        assert_eq!(x.get([-1, -2]), Ok(3.0));
        assert!(x.get([0, -3]).is_err() && x.get([isize::MIN, 0]).is_err());
        assert!(x.get([0, 2]).is_err());
        let error = |index: &[usize]| x.flatten().get(index).err().unwrap().to_string();
        assert_eq!(error(&[1, 0]), "get: 2 indices given, [4] has 1 axis");
        assert_eq!(error(&[]), "get: 0 indices given, [4] has 1 axis");
        assert!(x.item().is_err());
    }
}
