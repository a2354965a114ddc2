//! `+ - * /` of tensors, and of tensors and numbers.
//!
//! Shapes may not broadcast and types may differ, which no operator of Rust can return but as a
//! value; so these give a `Result`, as candle's do, and nothing panics as ndarray's do. A result may
//! stand beside a tensor on either side, so that `(x - y) / z` needs one `?`. Beside a number, or
//! another result, it stands on the right alone, and has to be asked first on the left, `(x * y)? + 1`:
//! `Result` is not ours to give operators to.
//!
//! ```
//! use lossgraph_tensor::Tensor;
//!
//! let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
//! let row = Tensor::from([10.0, 20.0]);
//! assert_eq!((&x + &row * 2.0)?, Tensor::from([[21.0, 42.0], [23.0, 44.0]]));
//! assert_eq!(((&x - &row) / &row)?, Tensor::from([[-0.9, -0.9], [-0.7, -0.8]]));
//! assert_eq!((1.0 - &x)?, Tensor::from([[0.0, -1.0], [-2.0, -3.0]]));
//! assert!((&x + Tensor::from([1.0, 2.0, 3.0])).is_err());
//! # Ok::<(), lossgraph_tensor::Error>(())
//! ```

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::create::allocatable_len;
use crate::kernels::{self, Map1, Map2};
use crate::{DType, Elem, Error, Number, Result, Tensor, map1, map2};

/// An operation of two numbers.
struct Operation {
    name: &'static str,
    floats: Map2,
    /// None where integers have no result among them.
    integers: Option<fn(i64, i64) -> i64>,
}

static ADD: Operation =
    Operation { name: "add", floats: map2!(|a, b| a + b), integers: Some(i64::wrapping_add) };
static SUB: Operation =
    Operation { name: "sub", floats: map2!(|a, b| a - b), integers: Some(i64::wrapping_sub) };
static MUL: Operation =
    Operation { name: "mul", floats: map2!(|a, b| a * b), integers: Some(i64::wrapping_mul) };
static DIV: Operation = Operation { name: "div", floats: map2!(|a, b| a / b), integers: None };

static NEG: Map1 = map1!(|x, p| -x);

/// What may stand beside a tensor: another one, one that may be refused, or a number, which takes
/// the tensor's type.
pub trait TensorOperand {
    /// The operand as a tensor, beside one of this type.
    #[doc(hidden)]
    fn beside(self, operation: &'static str, dtype: DType) -> Result<Tensor>;
}

impl TensorOperand for Tensor {
    fn beside(self, _: &'static str, _: DType) -> Result<Tensor> {
        Ok(self)
    }
}

impl TensorOperand for &Tensor {
    fn beside(self, _: &'static str, _: DType) -> Result<Tensor> {
        Ok(self.clone())
    }
}

impl TensorOperand for Result<Tensor> {
    fn beside(self, _: &'static str, _: DType) -> Result<Tensor> {
        self
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl TensorOperand for $number {
            fn beside(self, operation: &'static str, dtype: DType) -> Result<Tensor> {
                number(operation, self, dtype)
            }
        })*
    };
}

numbers!(f64, f32, i32, i64, u32, usize);

/// A number as a scalar of a type; no fraction becomes an integer.
fn number<N: Number>(operation: &'static str, number: N, dtype: DType) -> Result<Tensor> {
    if N::Elem::DTYPE.is_float() && !dtype.is_float() {
        let (given, expected) = (dtype, N::Elem::DTYPE);
        return Err(Error::DType { operation, given, expected });
    }
    Ok(Tensor::from(number).to_dtype(dtype))
}

fn binary(operation: &Operation, left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let (a, b, name) = (left.shape(), right.shape(), operation.name);
    let Some(shape) = a.broadcast(b) else {
        let (left, right) = (a.clone(), b.clone());
        return Err(Error::Shape { operation: name, left, right, why: "they do not broadcast" });
    };
    if left.dtype() != right.dtype() {
        let (given, expected) = (right.dtype(), left.dtype());
        return Err(Error::DType { operation: name, given, expected });
    }
    let [left, right] = [left.expand(shape.clone())?, right.expand(shape.clone())?];
    if left.dtype().is_float() {
        let mut out = Tensor::zeros(shape, left.dtype())?;
        kernels::map2(&operation.floats, &left, &right, &mut out)?;
        return Ok(out);
    }
    let Some(integers) = operation.integers else {
        let (given, expected) = (DType::I64, DType::F64);
        return Err(Error::DType { operation: name, given, expected });
    };
    allocatable_len::<i64>(&shape)?;
    let pairs = left.to_vec::<i64>()?.into_iter().zip(right.to_vec::<i64>()?);
    Tensor::new(shape, pairs.map(|(a, b)| integers(a, b)).collect::<Vec<i64>>())
}

macro_rules! operator {
    ($trait:ident $method:ident $operation:ident $what:literal) => {
        operator!(@right $trait $method $operation $what: Tensor, &Tensor);
        // One type of floats and one of integers, so that a literal has one meaning.
        operator!(@left $trait $method $operation: f64, i32);
        operator!(@result $trait $method: Tensor, &Tensor);
    };
    (@right $trait:ident $method:ident $operation:ident $what:literal: $($left:ty),*) => {
        $(
            #[doc = concat!($what, " by NumPy's rule of broadcasting. Integers wrap.")]
            ///
            /// # Errors
            /// Shapes that do not broadcast; element types that differ, where a number takes the
            /// type of its partner; no memory for the result.
            impl<O: TensorOperand> $trait<O> for $left {
                type Output = Result<Tensor>;

                fn $method(self, other: O) -> Result<Tensor> {
                    binary(&$operation, &self, &other.beside($operation.name, self.dtype())?)
                }
            }
        )*
    };
    (@result $trait:ident $method:ident: $($right:ty),*) => {
        $(impl $trait<$right> for Result<Tensor> {
            type Output = Result<Tensor>;

            fn $method(self, other: $right) -> Result<Tensor> {
                $trait::$method(&self?, other)
            }
        })*
    };
    (@left $trait:ident $method:ident $operation:ident: $($number:ty),*) => {
        $(
            impl $trait<Tensor> for $number {
                type Output = Result<Tensor>;

                fn $method(self, other: Tensor) -> Result<Tensor> {
                    $trait::$method(self, &other)
                }
            }

            impl $trait<&Tensor> for $number {
                type Output = Result<Tensor>;

                fn $method(self, other: &Tensor) -> Result<Tensor> {
                    binary(&$operation, &self.beside($operation.name, other.dtype())?, other)
                }
            }
        )*
    };
}

operator!(Add add ADD "The sum, element by element,");
operator!(Sub sub SUB "The difference, element by element,");
operator!(Mul mul MUL "The product, element by element,");
operator!(Div div DIV "The quotient of floats, element by element,");

impl Neg for &Tensor {
    type Output = Tensor;

    /// The negative of each element. Integers wrap.
    fn neg(self) -> Tensor {
        if let Ok(elements) = self.to_vec::<i64>() {
            let negative = elements.into_iter().map(i64::wrapping_neg).collect::<Vec<i64>>();
            return Tensor::from(negative).viewed(crate::Layout::contiguous(self.shape()));
        }
        let mut out = self.copied();
        match kernels::map1(&NEG, self, [0.0; 2], &mut out) {
            Ok(()) => out,
            Err(_) => unreachable!("a copy has the shape and the type of what it is of"),
        }
    }
}

impl Neg for Tensor {
    type Output = Tensor;

    fn neg(self) -> Tensor {
        -&self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_broadcast_whoever_owns_them() -> Result<()> {
        let (x, row) = (Tensor::from([[1.0], [2.0]]), Tensor::from([10.0, 20.0]));
        let sum = Tensor::from([[11.0, 21.0], [12.0, 22.0]]);
        assert_eq!((&x + &row)?, sum);
        assert_eq!((x.clone() + row.clone())?, sum);
        assert_eq!((&x.t()? - &row)?, Tensor::from([[-9.0, -18.0]]));
        assert_eq!((&row / &row)?, Tensor::from([1.0, 1.0]));
        assert_eq!((&row * &x.flatten())?, Tensor::from([10.0, 40.0]));
        assert_eq!(-x, Tensor::from([[-1.0], [-2.0]]));
        Ok(())
    }

    #[test]
    fn a_result_stands_on_either_side_of_a_tensor() -> Result<()> {
        let [x, mean, std] = [[3.0, 5.0], [1.0, 1.0], [2.0, 4.0]].map(Tensor::from);
        assert_eq!(((&x - &mean) / &std)?, Tensor::from([1.0, 1.0]));
        assert_eq!(((&x - &mean) * std.clone() + &mean)?, Tensor::from([5.0, 17.0]));
        assert_eq!((&x - (&x - mean))?, Tensor::from([1.0, 1.0]));
        let refused = &x + Tensor::from([1.0, 2.0, 3.0]);
        assert_eq!((refused.clone() - &std).err(), refused.err());
        Ok(())
    }

    #[test]
    fn numbers_of_all_types_stand_on_both_sides() -> Result<()> {
        let x = Tensor::from([1.0_f32, 2.0]);
        assert_eq!((&x * 2)?, Tensor::from([2.0_f32, 4.0]));
        assert_eq!(((&x * 0.5)? + 1_usize)?, Tensor::from([1.5_f32, 2.0]));
        assert_eq!((2 - &x)?, Tensor::from([1.0_f32, 0.0]));
        assert_eq!((1.0 / x)?, Tensor::from([1.0_f32, 0.5]));
        Ok(())
    }

    #[test]
    fn integers_wrap_and_have_no_quotient() -> Result<()> {
        let x = Tensor::from([i64::MAX, 3]);
        assert_eq!((&x + 1)?, Tensor::from([i64::MIN, 4]));
        assert_eq!(-&Tensor::from(i64::MIN), Tensor::from(i64::MIN));
        assert!((&x / 2).is_err());
        assert!((&x * 0.5).is_err());
        Ok(())
    }

    #[test]
    fn operands_that_do_not_fit_are_an_error() {
        let x = Tensor::from([1.0, 2.0]);
        let error = (&x + Tensor::from([1.0, 2.0, 3.0])).err().unwrap().to_string();
        assert_eq!(error, "add: shapes [2] and [3] are incompatible: they do not broadcast");
        assert!((&x + Tensor::from([1.0_f32])).is_err());
        let huge = Tensor::filled_view([1 << 30, 1], 1.0, DType::F64).unwrap();
        assert!((&huge + huge.t()).is_err());
    }
}
