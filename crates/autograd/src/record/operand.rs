//! `+ - * /` and what may stand beside a `Var`: another one, or a number.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::ops::binary::{ADD, Binary, DIV, MUL, SUB};
use crate::record::var::Var;

/// The second operand of a binary op: a [`Var`], or a number of the formula.
pub trait Operand<'t> {
    /// The operand as a node; a number takes the shape of its partner.
    fn beside(self, partner: Var<'t>) -> Var<'t>;
}

impl<'t> Operand<'t> for Var<'t> {
    #[track_caller]
    fn beside(self, _: Var<'t>) -> Var<'t> {
        self
    }
}

impl<'t> Operand<'t> for f64 {
    #[track_caller]
    fn beside(self, partner: Var<'t>) -> Var<'t> {
        partner.tape().fill(partner.shape(), self)
    }
}

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
    ($trait:ident $method:ident $row:ident) => {
        impl<'t, O: Operand<'t>> $trait<O> for Var<'t> {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: O) -> Var<'t> {
                self.binary(&$row, other)
            }
        }

        impl<'t> $trait<Var<'t>> for f64 {
            type Output = Var<'t>;

            #[track_caller]
            fn $method(self, other: Var<'t>) -> Var<'t> {
                self.beside(other).binary(&$row, other)
            }
        }
    };
}

operator!(Add add ADD);
operator!(Sub sub SUB);
operator!(Mul mul MUL);
operator!(Div div DIV);

impl<'t> Neg for Var<'t> {
    type Output = Var<'t>;

    #[track_caller]
    fn neg(self) -> Var<'t> {
        self.unary(&crate::ops::unary::NEG, [0.0; 2])
    }
}
