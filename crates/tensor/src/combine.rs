//! Concatenating, padding and comparing tensors.

use crate::create::allocatable_len;
use crate::tensor::with_elem;
use crate::{Elem, Error, IntoAxis, Result, Slice, Tensor, kernels};

/// A comparison of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Lt,
    /// `≤`
    Le,
    /// `>`
    Gt,
    /// `≥`
    Ge,
    /// `=`
    Eq,
    /// `≠`
    Ne,
}

impl Tensor {
    /// Concatenates tensors along an axis.
    ///
    /// # Errors
    /// No tensor; no such axis; shapes that differ elsewhere; element types that differ.
    pub fn concat(tensors: &[Tensor], axis: impl IntoAxis) -> Result<Tensor> {
        joined("concat", tensors, axis.into_axis())
    }

    /// Stacks tensors of equal shapes along a new axis.
    ///
    /// # Errors
    /// No tensor; no such axis; shapes or element types that differ.
    pub fn stack(tensors: &[Tensor], axis: impl IntoAxis) -> Result<Tensor> {
        let (operation, axis) = ("stack", axis.into_axis());
        if let Some(odd) = tensors.iter().find(|tensor| tensor.shape() != tensors[0].shape()) {
            let (left, right) = (tensors[0].shape().clone(), odd.shape().clone());
            let why = "stacked tensors have equal shapes";
            return Err(Error::Shape { operation, left, right, why });
        }
        let row = |tensor: &Tensor| match tensor.unsqueeze(axis) {
            Err(Error::Axis { axis, shape, .. }) => Err(Error::Axis { operation, axis, shape }),
            row => row,
        };
        joined(operation, &tensors.iter().map(row).collect::<Result<Vec<Tensor>>>()?, axis)
    }

    /// `before` and `after` elements of `value` around each axis, one pair an axis.
    ///
    /// # Errors
    /// Another number of pairs than of axes; no memory for the result.
    pub fn pad(&self, around: &[(usize, usize)], value: f64) -> Result<Tensor> {
        if around.len() != self.rank() {
            let (given, shape) = (around.len(), self.shape().clone());
            return Err(Error::PerAxis { operation: "pad", what: "pairs", given, shape });
        }
        let pairs = self.shape().iter().zip(around);
        let slices: Vec<Slice> =
            pairs.clone().map(|(&len, pair)| Slice { start: pair.0, len, step: 1 }).collect();
        let padded: Vec<usize> =
            pairs.map(|(&len, pair)| pair.0.saturating_add(len).saturating_add(pair.1)).collect();
        let mut out = Tensor::zeros(padded, self.dtype())?;
        kernels::pad(self, &slices, value, &mut out)?;
        Ok(out)
    }

    /// Compares element by element, with broadcasting: `I64`, 1 where it holds, else 0.
    ///
    /// # Errors
    /// Shapes that do not broadcast; element types that differ; no memory for the result.
    pub fn compare(&self, comparison: Comparison, other: &Tensor) -> Result<Tensor> {
        let (left, right) = (self.shape().clone(), other.shape().clone());
        let Some(shape) = left.broadcast(&right) else {
            let why = "they do not broadcast";
            return Err(Error::Shape { operation: "compare", left, right, why });
        };
        if self.dtype() != other.dtype() {
            let (given, expected) = (other.dtype(), self.dtype());
            return Err(Error::DType { operation: "compare", given, expected });
        }
        allocatable_len::<f64>(&shape)?;
        let (a, b) = (self.expand(shape.clone())?, other.expand(shape.clone())?);
        let holds = with_elem!(self.dtype(), T => {
            let pairs = kernels::copied::<T>(&a).into_iter().zip(kernels::copied::<T>(&b));
            pairs.map(|(a, b)| i64::from(comparison.holds(a, b))).collect::<Vec<i64>>()
        });
        Tensor::new(shape, holds)
    }

    /// Whether all elements agree within `atol + rtol · |other|`. NaN agrees with NaN, and an
    /// infinity with itself.
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        let close = |(a, b): (f64, f64)| {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= atol + rtol * b.abs()
        };
        self.shape() == other.shape() && self.to_f64s().into_iter().zip(other.to_f64s()).all(close)
    }
}

fn joined(operation: &'static str, tensors: &[Tensor], axis: isize) -> Result<Tensor> {
    let Some(first) = tensors.first() else {
        let (name, expected) = ("the number of tensors", "at least 1");
        return Err(Error::OutOfRange { operation, name, given: 0.0, expected });
    };
    let shape = first.shape();
    let error = || Error::Axis { operation, axis, shape: shape.clone() };
    let at = shape.axis(axis).ok_or_else(error)?;
    let mut dims = shape.to_vec();
    dims[at] = 0;
    for tensor in tensors {
        let other = tensor.shape();
        if other.rank() != shape.rank()
            || (0..shape.rank()).any(|axis| axis != at && other[axis] != shape[axis])
        {
            let (left, right) = (shape.clone(), other.clone());
            let why = "they may differ along the axis of concatenation alone";
            return Err(Error::Shape { operation, left, right, why });
        }
        if tensor.dtype() != first.dtype() {
            let (given, expected) = (tensor.dtype(), first.dtype());
            return Err(Error::DType { operation, given, expected });
        }
        dims[at] = dims[at].saturating_add(other[at]);
    }
    let mut out = Tensor::zeros(dims, first.dtype())?;
    kernels::concat(&tensors.iter().collect::<Vec<_>>(), at, &mut out)?;
    Ok(out)
}

impl Comparison {
    fn holds<T: Elem>(self, a: T, b: T) -> bool {
        match self {
            Comparison::Lt => a < b,
            Comparison::Le => a <= b,
            Comparison::Gt => a > b,
            Comparison::Ge => a >= b,
            Comparison::Eq => a == b,
            Comparison::Ne => a != b,
        }
    }
}

/// Equal in type, shape and every element; as for floats, NaN equals nothing.
impl PartialEq for Tensor {
    fn eq(&self, other: &Tensor) -> bool {
        self.dtype() == other.dtype()
            && self.shape() == other.shape()
            && with_elem!(self.dtype(), T => kernels::copied::<T>(self) == kernels::copied::<T>(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn concat_joins_along_every_axis() {
        let x = Tensor::new([2, 3, 4], (0..24).map(f64::from).collect()).unwrap();
        for axis in 0..3 {
            let joined = Tensor::concat(&[x.clone(), x.clone()], axis).unwrap();
            let len = x.shape()[axis as usize];
            assert_eq!(joined.narrow(axis, 0, len).unwrap(), x);
            assert_eq!(joined.narrow(axis, len, len).unwrap(), x);
        }
    }

    #[test]
    fn stack_makes_a_new_axis() {
        let rows = [Tensor::from([1.0, 2.0]), Tensor::from([3.0, 4.0])];
        assert_eq!(Tensor::stack(&rows, 0).unwrap(), Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
        assert_eq!(Tensor::stack(&rows, -1).unwrap(), Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
    }

    #[test]
    fn what_does_not_join_is_told() {
        let (a, b) = (Tensor::from([1.0, 2.0]), Tensor::from([[1.0]]));
        assert!(Tensor::concat(&[a.clone(), b.clone()], 0).is_err());
        assert!(Tensor::concat(&[], 0).is_err());
        assert!(Tensor::concat(&[a.clone(), Tensor::from([1_i64])], 0).is_err());
        assert!(Tensor::stack(&[a.clone(), Tensor::from([1.0])], 0).is_err());
        for stacked in [
            Tensor::stack(&[], 0),
            Tensor::stack(std::slice::from_ref(&a), 2),
            Tensor::stack(&[a, Tensor::from([1_i64, 2])], 0),
        ] {
            let error = stacked.err().unwrap().to_string();
            assert!(error.starts_with("stack: "), "{error}");
        }
    }

    #[test]
    fn padding_surrounds() {
        let x = Tensor::from([[1.0, 2.0]]).pad(&[(1, 0), (0, 2)], 9.0).unwrap();
        assert_eq!(x, Tensor::from([[9.0, 9.0, 9.0, 9.0], [1.0, 2.0, 9.0, 9.0]]));
    }

    #[test]
    fn comparisons_broadcast() {
        let x = Tensor::from([[1.0, 5.0], [3.0, f64::NAN]]);
        let less = x.compare(Comparison::Lt, &Tensor::from([2.0, 6.0])).unwrap();
        assert_eq!(less, Tensor::from([[1_i64, 1], [0, 0]]));
        let differ = x.compare(Comparison::Ne, &x).unwrap();
        assert_eq!(differ, Tensor::from([[0_i64, 0], [0, 1]]));
    }

    #[test]
    fn shapes_that_do_not_broadcast_are_refused() {
        let left = Tensor::zeros(Shape::from([2, 3]), crate::DType::F64).unwrap();
        assert!(left.compare(Comparison::Eq, &Tensor::from([1.0, 2.0])).is_err());
    }
}
