//! Tensors from numbers, arrays, slices and vectors, and vectors from tensors.
//!
//! Floats and `i64` stay what they are; other integers and `bool` become `I64` ([`Number`]).

#[cfg(feature = "ndarray")]
mod ndarray;
mod nested;

pub use nested::Nested;

use crate::dtype::sealed::Stored;
use crate::{Elem, Error, Layout, Number, Result, Shape, Tensor};

/// A tensor of as many numbers as the shape has.
fn filled<N: Number>(shape: impl Into<Shape>, numbers: Vec<N>) -> Tensor {
    let layout = Layout::contiguous(shape);
    debug_assert!(layout.len() == numbers.len());
    Tensor { storage: N::Elem::store(N::into_elems(numbers)), layout }
}

impl<N: Number> From<N> for Tensor {
    fn from(number: N) -> Tensor {
        filled((), vec![number])
    }
}

impl From<&Tensor> for Tensor {
    fn from(tensor: &Tensor) -> Tensor {
        tensor.clone()
    }
}

impl<N: Number> From<Vec<N>> for Tensor {
    fn from(numbers: Vec<N>) -> Tensor {
        filled(numbers.len(), numbers)
    }
}

impl<N: Number> From<&Vec<N>> for Tensor {
    fn from(numbers: &Vec<N>) -> Tensor {
        Tensor::from(numbers.clone())
    }
}

impl<N: Number> From<&[N]> for Tensor {
    fn from(numbers: &[N]) -> Tensor {
        Tensor::from(numbers.to_vec())
    }
}

impl<N: Number> FromIterator<N> for Tensor {
    /// A tensor of one axis.
    fn from_iter<I: IntoIterator<Item = N>>(numbers: I) -> Tensor {
        Tensor::from(numbers.into_iter().collect::<Vec<N>>())
    }
}

/// Arrays of one axis to four, owned and borrowed: their dimensions, and how they become flat.
macro_rules! arrays {
    ($([$first:ident $($dim:ident)*] $array:ty, |$numbers:ident| $flat:expr;)*) => {
        $(
            impl<N: Number, const $first: usize $(, const $dim: usize)*> From<&$array> for Tensor {
                fn from($numbers: &$array) -> Tensor {
                    // The product of the lengths of an empty array may be beyond the integers.
                    let empty = size_of_val($numbers) == 0;
                    let numbers = if empty { Vec::new() } else { $flat.to_vec() };
                    filled([$first $(, $dim)*], numbers)
                }
            }

            impl<N: Number, const $first: usize $(, const $dim: usize)*> From<$array> for Tensor {
                fn from(numbers: $array) -> Tensor {
                    Tensor::from(&numbers)
                }
            }
        )*
    };
}

arrays! {
    [A] [N; A], |x| x;
    [A B] [[N; B]; A], |x| x.as_flattened();
    [A B C] [[[N; C]; B]; A], |x| x.as_flattened().as_flattened();
    [A B C D] [[[[N; D]; C]; B]; A], |x| x.as_flattened().as_flattened().as_flattened();
}

impl<N: Number, const K: usize> From<Vec<[N; K]>> for Tensor {
    fn from(rows: Vec<[N; K]>) -> Tensor {
        Tensor::from(&rows[..])
    }
}

impl<N: Number, const K: usize> From<&[[N; K]]> for Tensor {
    fn from(rows: &[[N; K]]) -> Tensor {
        let numbers = if K == 0 { Vec::new() } else { rows.as_flattened().to_vec() };
        filled([rows.len(), K], numbers)
    }
}

impl<T: Elem> TryFrom<&Tensor> for Vec<T> {
    type Error = Error;

    /// As [`to_vec`](Tensor::to_vec): the elements have this type.
    fn try_from(tensor: &Tensor) -> Result<Vec<T>> {
        tensor.to_vec()
    }
}

impl TryFrom<&Tensor> for f64 {
    type Error = Error;

    /// As [`item`](Tensor::item): there is one element.
    fn try_from(tensor: &Tensor) -> Result<f64> {
        tensor.item()
    }
}

/// What could not be made is what is wrong: so data that may be refused, such as
/// [`eye`](Tensor::eye), stands where data does.
impl<E> TryFrom<std::result::Result<Tensor, E>> for Tensor {
    type Error = E;

    fn try_from(tensor: std::result::Result<Tensor, E>) -> std::result::Result<Tensor, E> {
        tensor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn integers_and_truth_values_become_i64() {
        let expected = Tensor::from([1_i64, 0, 1]);
        assert_eq!(Tensor::from([1_u8, 0, 1]), expected);
        assert_eq!(Tensor::from(vec![1_usize, 0, 1]), expected);
        assert_eq!(Tensor::from([true, false, true]), expected);
        assert_eq!(Tensor::from([1, 0, 1]), expected);
        assert_eq!(Tensor::from(&[1_i32, 0, 1][..]), expected);
        assert_eq!(Tensor::from(u64::MAX).to_vec::<i64>(), Ok(vec![i64::MAX]));
        assert_eq!(Tensor::from(-1_i8).to_vec::<i64>(), Ok(vec![-1]));
    }

    #[test]
    fn arrays_have_up_to_four_axes() {
        let x = Tensor::from([[[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]]]);
        assert_eq!(x.shape()[..], [1, 3, 1, 2]);
        assert_eq!(x.to_f64s(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(Tensor::from(&[[1.0_f32], [2.0]]).shape()[..], [2, 1]);
        assert_eq!(Tensor::from([[0.0; 0]; 3]).shape()[..], [3, 0]);
    }

    #[test]
    fn a_vector_of_floats_is_moved() {
        let numbers = vec![1.0_f32, 2.0];
        let start = numbers.as_ptr();
        assert_eq!(Tensor::from(numbers).as_slice::<f32>().unwrap().as_ptr(), start);
    }

    #[test]
    fn numbers_are_collected() {
        let squares: Tensor = (0..3).map(|i| f64::from(i * i)).collect();
        assert_eq!(squares, Tensor::from([0.0, 1.0, 4.0]));
    }

    #[test]
    fn a_tensor_becomes_a_vector_of_its_type() {
        let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t().unwrap();
        assert_eq!(Vec::<f64>::try_from(&x), Ok(vec![1.0, 3.0, 2.0, 4.0]));
        assert!(Vec::<f32>::try_from(&x).is_err());
        assert_eq!(f64::try_from(&Tensor::from(3_u8)), Ok(3.0));
        assert!(f64::try_from(&x).is_err());
        assert!(Tensor::try_from(Tensor::eye(usize::MAX, DType::F32)).is_err());
    }
}
