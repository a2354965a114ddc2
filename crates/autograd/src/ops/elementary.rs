//! Logarithms and exponentials to other bases, the inverse hyperbolic functions, and what points and
//! angles need.

use std::f64::consts::{LN_2, LOG2_E, LOG10_E, PI};

use lossgraph_tensor::{map1, map2};

use super::Kink;
use super::binary::{Binary, binary};
use super::unary::{Unary, unary};
use crate::record::operand::Operand;
use crate::record::var::Var;

unary! {
    /// The logarithm to base 2; slope `1/(x ln 2)`. Of a power of two, it is the whole number.
    fn log2() = LOG2 {
        formula: "log₂ x",
        value: compact |x, _p| x.log2(),
        vjp: Some(|g, x, _, _| (g * LOG2_E) / x),
        domain: [0.1, 4.0],
    }
}

unary! {
    /// The logarithm to base 10; slope `1/(x ln 10)`. Of a power of ten, it is the whole number.
    fn log10() = LOG10 {
        formula: "log₁₀ x",
        value: compact |x, _p| x.log10(),
        vjp: Some(|g, x, _, _| (g * LOG10_E) / x),
        domain: [0.1, 4.0],
    }
}

unary! {
    /// `2ˣ`; slope `y ln 2`. Of a whole number, it is the power of two.
    fn exp2() = EXP2 {
        formula: "2ˣ",
        value: compact |x, _p| x.exp2(),
        vjp: Some(|g, _, y, _| g * (y * LN_2)),
        domain: [-3.0, 3.0],
        facts: positive().zero_by_underflow(),
    }
}

unary! {
    /// The inverse of [`sinh`](Var::sinh), `ln(x + √(x² + 1))`; slope `1/√(x² + 1)`. Accurate near 0,
    /// and without overflow.
    #[doc(alias = "arcsinh")]
    fn asinh() = ASINH {
        formula: "arsinh x",
        value: compact |x, _p| x.asinh(),
        vjp: Some(|g, x, _, _| g / x.hypot(1.0)),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The inverse of [`cosh`](Var::cosh), `ln(x + √(x² − 1))`; slope `1/√(x² − 1)`, which is infinite
    /// at 1. Below 1 it is NaN, but has the slope of the formula where that is a number, below −1.
    #[doc(alias = "arccosh")]
    fn acosh() = ACOSH {
        formula: "arcosh x",
        value: compact |x, _p| x.acosh(),
        // Both factors, since the square overflows.
        vjp: Some(|g, x, _, _| g * ((x.abs() - 1.0).rsqrt() * (x.abs() + 1.0).rsqrt())),
        domain: [1.2, 4.0],
    }
}

unary! {
    /// The inverse of [`tanh`](Var::tanh), `½ ln((1 + x)/(1 − x))`; slope `1/(1 − x²)`. At ±1 both are
    /// infinite; beyond, it is NaN.
    #[doc(alias = "arctanh")]
    fn atanh() = ATANH {
        formula: "artanh x",
        value: compact |x, _p| x.atanh(),
        // As a sum of two, since 1 − x² loses digits near ±1.
        vjp: Some(|g, x, _, _| g * (((1.0 - x).recip() + (x + 1.0).recip()) * 0.5)),
        domain: [-0.9, 0.9],
    }
}

binary! {
    /// The distance of a point from the origin, `√(a² + b²)`, without overflow or underflow on the
    /// way; slopes `a/y` and `b/y`.
    ///
    /// At the origin, a minimum, they are 0 in every order (PyTorch: NaN). An infinite operand makes
    /// it infinite, whatever the other is.
    fn hypot = HYPOT {
        formula: "√(a² + b²)",
        value: compact |a, b| a.hypot(b),
        vjp: Some([
            |g, a, b, _| g * a.binary(&COSINE, b),
            |g, a, b, _| g * b.binary(&COSINE, a),
        ]),
        domain: [0.4, 3.0],
        facts: expensive().positive().commutes(),
        kink: "a = b = 0", |[a, b], _| a == 0.0 && b == 0.0, [0.0, 0.0], [0.0, 0.0], "a minimum",
    }
}

/// The slope of a distance: the cosine of the angle, of the point with abscissa a and ordinate b. With
/// that of b, the sine, its slopes are `sin²/y` and `−cos sin/y`.
pub(crate) static COSINE: Binary =
    Binary::new("cosine", "a/√(a² + b²)", map2!(compact | a, b | a.cosine(b)))
        .vjp(
            |g, a, b, _| g * over(b.binary(&COSINE, a).square(), a.hypot(b)),
            |g, a, b, y| -g * over(y * b.binary(&COSINE, a), a.hypot(b)),
        )
        .domain(0.4, 3.0)
        .expensive();

/// `x / y`, and 0 where `y = 0`.
#[track_caller]
fn over<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let zero = y.eq(0.0);
    zero.select(0.0, x / zero.select(1.0, y))
}

binary! {
    /// `|a|` with the sign of `b`, that of −0 and NaN included; slopes `±1` and 0.
    fn copysign = COPYSIGN {
        formula: "|a| · sign b",
        value: |a, b| a.copysign(b),
        vjp: Some([
            |g, a, _, y| g * (a.signum() * y.signum()),
            |g, _, _, _| g.tape().fill(g.shape(), 0.0),
        ]),
        domain: [0.4, 3.0],
        facts: zero_slope(&["it is {x}, and its size has no minus", "only its sign is taken"]),
        kink: "a = 0", |[a, _], _| a == 0.0, [0.0, 1.0], [0.0, 0.0], "a minimum or a maximum: 0 lies between the slopes −1 and 1",
    }
}

impl<'t> Var<'t> {
    /// `log₂(2ᵃ + 2ᵇ)`, without overflow; its slopes are the shares of both.
    #[track_caller]
    pub fn logaddexp2(self, other: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("logaddexp2");
        (self * LN_2).log_add_exp(other.beside(self) * LN_2) * LOG2_E
    }

    /// Degrees as radians.
    #[track_caller]
    pub fn deg2rad(self) -> Var<'t> {
        let _call = self.tape().call("deg2rad");
        self * (PI / 180.0)
    }

    /// Radians as degrees.
    #[track_caller]
    pub fn rad2deg(self) -> Var<'t> {
        let _call = self.tape().call("rad2deg");
        self * (180.0 / PI)
    }
}
