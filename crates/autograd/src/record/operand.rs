//! `+ - * /` and what may stand beside a `Var`: another one, a number, or a tensor.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use lossgraph_tensor::{Number, Tensor};

use crate::ops::binary::{ADD, Binary, DIV, MUL, SUB};
use crate::ops::combine::of_nothing;
use crate::record::var::Var;

/// The second operand of a binary op: a [`Var`], a number of the formula, or a tensor, which is
/// recorded as a constant.
pub trait Operand<'t> {
    /// The operand as a node; a number takes the shape of its partner.
    fn beside(self, partner: Var<'t>) -> Var<'t>;

    /// The operand, if it is a node already.
    fn node(&self) -> Option<Var<'t>> {
        None
    }

    /// The operand, if it is a number of the formula.
    fn number(&self) -> Option<f64> {
        None
    }
}

impl<'t> Operand<'t> for Var<'t> {
    #[track_caller]
    fn beside(self, _: Var<'t>) -> Var<'t> {
        self
    }

    fn node(&self) -> Option<Var<'t>> {
        Some(*self)
    }
}

impl<'t> Operand<'t> for &Var<'t> {
    #[track_caller]
    fn beside(self, _: Var<'t>) -> Var<'t> {
        *self
    }

    fn node(&self) -> Option<Var<'t>> {
        Some(**self)
    }
}

impl<'t> Operand<'t> for Tensor {
    #[track_caller]
    fn beside(self, partner: Var<'t>) -> Var<'t> {
        partner.tape().constant(self)
    }
}

impl<'t> Operand<'t> for &Tensor {
    #[track_caller]
    fn beside(self, partner: Var<'t>) -> Var<'t> {
        partner.tape().constant(self)
    }
}

macro_rules! numbers {
    (floats $($number:ty),*) => {
        $(impl<'t> Operand<'t> for $number {
            #[track_caller]
            fn beside(self, partner: Var<'t>) -> Var<'t> {
                partner.tape().fill(partner.shape(), self as f64)
            }

            fn number(&self) -> Option<f64> {
                Some(*self as f64)
            }
        })*
    };
    (integers $($number:ty),*) => {
        $(impl<'t> Operand<'t> for $number {
            /// An integer beside integers, a float beside floats.
            #[track_caller]
            fn beside(self, partner: Var<'t>) -> Var<'t> {
                match partner.dtype().is_float() {
                    true => partner.tape().fill(partner.shape(), self as f64),
                    false => partner.tape().integers(partner.shape(), self.into_elem()),
                }
            }

            fn number(&self) -> Option<f64> {
                Some(*self as f64)
            }
        })*
    };
}

numbers!(floats f64, f32);
numbers!(integers i32, i64, u32, usize);

impl<'t> Var<'t> {
    /// Records a row of the binary table, broadcasting both operands by NumPy's rule.
    ///
    /// For rows of one's own; the library's have methods and operators.
    #[track_caller]
    pub fn binary(self, row: &'static Binary, other: impl Operand<'t>) -> Var<'t> {
        crate::ops::binary::record(row, self, other.beside(self))
    }
}

macro_rules! operator {
    ($trait:ident $method:ident $assign:ident $assign_method:ident $row:ident) => {
        impl<'t, O: Operand<'t>> $trait<O> for Var<'t> {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: O) -> Var<'t> {
                self.binary(&$row, other)
            }
        }

        impl<'t, O: Operand<'t>> $trait<O> for &Var<'t> {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: O) -> Var<'t> {
                self.binary(&$row, other)
            }
        }

        /// Another node for the same name: the one before stays what it was.
        impl<'t, O: Operand<'t>> $assign<O> for Var<'t> {
            #[track_caller]
            fn $assign_method(&mut self, other: O) {
                *self = self.binary(&$row, other);
            }
        }

        operator!(@left $trait $method $row f64 i32);
    };
    // One type of floats and one of integers, so that a literal has one meaning.
    (@left $trait:ident $method:ident $row:ident $($number:ty)*) => {
        $(impl<'t> $trait<Var<'t>> for $number {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: Var<'t>) -> Var<'t> {
                self.beside(other).binary(&$row, other)
            }
        }

        impl<'t> $trait<&Var<'t>> for $number {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: &Var<'t>) -> Var<'t> {
                self.beside(*other).binary(&$row, other)
            }
        })*
    };
}

operator!(Add add AddAssign add_assign ADD);
operator!(Sub sub SubAssign sub_assign SUB);
operator!(Mul mul MulAssign mul_assign MUL);
operator!(Div div DivAssign div_assign DIV);

impl<'t> Neg for Var<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn neg(self) -> Var<'t> {
        self.unary(&crate::ops::arithmetic::NEG, [0.0; 2])
    }
}

impl<'t> Neg for &Var<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn neg(self) -> Var<'t> {
        -*self
    }
}

/// The sum of some nodes; that of none is a fault, since it has no tape and no shape.
impl<'t> Sum for Var<'t> {
    #[track_caller]
    fn sum<I: Iterator<Item = Var<'t>>>(vars: I) -> Var<'t> {
        vars.reduce(|sum, var| sum + var).unwrap_or_else(|| of_nothing("sum"))
    }
}

impl<'a, 't> Sum<&'a Var<'t>> for Var<'t> {
    #[track_caller]
    fn sum<I: Iterator<Item = &'a Var<'t>>>(vars: I) -> Var<'t> {
        vars.copied().sum()
    }
}
