//! Logarithms and exponentials to other bases, the inverse hyperbolic functions, and what points and
//! angles need.

use std::f64::consts::{LN_2, LOG2_E, LOG10_E, PI};

use lossgraph_tensor::{map1, map2};

use super::Kink;
use super::arithmetic::flat_square;
use super::binary::{Binary, binary};
use super::table::{AROUND, CUBE, Row, Sample::Floats, one, op, two};
use super::unary::{Unary, unary};
use crate::record::operand::Operand;
use crate::record::var::Var;

unary! {
    /// The exponential, `eˣ`; slope `y`.
    fn exp() = EXP {
        formula: "eˣ",
        value: specialized: |x, _p| x.exp(),
        vjp: Some(|g, _, y, _| g * y),
        domain: [-3.0, 3.0],
        facts: positive().zero_by_underflow(),
    }
}

unary! {
    /// `eˣ − 1`, exact near 0; slope `y + 1`.
    #[doc(alias = "expm1")]
    fn exp_m1() = EXP_M1 {
        formula: "eˣ − 1",
        value: |x, _p| x.exp_m1(),
        vjp: Some(|g, _, y, _| g * (y + 1.0)),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The natural logarithm, `ln x`; slope `1/x`.
    #[doc(alias = "log")]
    fn ln() = LN {
        formula: "ln x",
        value: |x, _p| x.ln(),
        vjp: Some(|g, x, _, _| g / x),
        domain: [0.1, 4.0],
    }
}

unary! {
    /// `ln(1 + x)`, exact near 0; slope `1/(1 + x)`.
    #[doc(alias = "log1p")]
    fn ln_1p() = LN_1P {
        formula: "ln(1 + x)",
        value: |x, _p| x.ln_1p(),
        vjp: Some(|g, x, _, _| g / (x + 1.0)),
        domain: [-0.7, 3.0],
    }
}

unary! {
    /// The sine; slope `cos x`.
    fn sin() = SIN {
        formula: "sin x",
        value: |x, _p| x.sin(), where x.is_near() => x.sin_near(),
        vjp: Some(|g, x, _, _| g * x.cos()),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The cosine; slope `−sin x`.
    fn cos() = COS {
        formula: "cos x",
        value: |x, _p| x.cos(), where x.is_near() => x.cos_near(),
        vjp: Some(|g, x, _, _| -g * x.sin()),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The tangent; slope `1 + y²`.
    fn tan() = TAN {
        formula: "tan x",
        value: |x, _p| x.tan(), where x.is_near() => x.tan_near(),
        vjp: Some(|g, _, y, _| g * (y.square() + 1.0)),
        domain: [-1.2, 1.2],
    }
}

unary! {
    /// The angle whose sine is `x`; slope `1/√(1 − x²)`.
    #[doc(alias = "arcsin")]
    fn asin() = ASIN {
        formula: "arcsin x",
        value: |x, _p| x.asin(),
        vjp: Some(|g, x, _, _| g * (1.0 - x.square()).rsqrt()),
        domain: [-0.9, 0.9],
    }
}

unary! {
    /// The angle whose cosine is `x`; slope `−1/√(1 − x²)`.
    #[doc(alias = "arccos")]
    fn acos() = ACOS {
        formula: "arccos x",
        value: |x, _p| x.acos(),
        vjp: Some(|g, x, _, _| -g * (1.0 - x.square()).rsqrt()),
        domain: [-0.9, 0.9],
    }
}

unary! {
    /// The angle whose tangent is `x`; slope `1/(1 + x²)`.
    #[doc(alias = "arctan")]
    fn atan() = ATAN {
        formula: "arctan x",
        value: |x, _p| x.atan(),
        vjp: Some(|g, x, _, _| g / (flat_square(x) + 1.0)),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The hyperbolic sine; slope `cosh x`.
    fn sinh() = SINH {
        formula: "sinh x",
        value: |x, _p| x.sinh(),
        vjp: Some(|g, x, _, _| g * x.cosh()),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The hyperbolic cosine; slope `sinh x`.
    fn cosh() = COSH {
        formula: "cosh x",
        value: |x, _p| x.cosh(),
        vjp: Some(|g, x, _, _| g * x.sinh()),
        domain: [-3.0, 3.0],
        facts: positive(),
    }
}

unary! {
    /// The hyperbolic tangent; slope `1 − y²`, kept as `(1 − y)(1 + y)` for accuracy near ±1.
    fn tanh() = TANH {
        formula: "tanh x",
        value: |x, _p| x.tanh(),
        vjp: Some(|g, _, y, _| g * ((1.0 - y) * (1.0 + y))),
        domain: [-3.0, 3.0],
    }
}

unary! {
    /// The logarithm to base 2; slope `1/(x ln 2)`. Of a power of two, it is the whole number.
    fn log2() = LOG2 {
        formula: "log₂ x",
        value: |x, _p| x.log2(),
        vjp: Some(|g, x, _, _| (g * LOG2_E) / x),
        domain: [0.1, 4.0],
    }
}

unary! {
    /// The logarithm to base 10; slope `1/(x ln 10)`. Of a power of ten, it is the whole number.
    fn log10() = LOG10 {
        formula: "log₁₀ x",
        value: |x, _p| x.log10(),
        vjp: Some(|g, x, _, _| (g * LOG10_E) / x),
        domain: [0.1, 4.0],
    }
}

unary! {
    /// `2ˣ`; slope `y ln 2`. Of a whole number, it is the power of two.
    fn exp2() = EXP2 {
        formula: "2ˣ",
        value: |x, _p| x.exp2(),
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
        value: |x, _p| x.asinh(),
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
        value: |x, _p| x.acosh(),
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
        value: |x, _p| x.atanh(),
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
        value: |a, b| a.hypot(b), where a.squares_are_near(b) => a.hypot_near(b),
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
pub(crate) static COSINE: Binary = Binary::new("cosine", "a/√(a² + b²)", map2!(|a, b| a.cosine(b)))
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

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    one(&EXP, &[Floats(&[2, 3], EXP.domain)], |x| x[0].exp()),
    one(&EXP_M1, &[Floats(&[2, 3], EXP_M1.domain)], |x| x[0].exp_m1()).torch("expm1"),
    one(&LN, &[Floats(&[2, 3], LN.domain)], |x| x[0].ln()).torch("log"),
    one(&LN_1P, &[Floats(&[2, 3], LN_1P.domain)], |x| x[0].ln_1p()).torch("log1p"),
    one(&SIN, &[Floats(&[2, 3], SIN.domain)], |x| x[0].sin()),
    one(&COS, &[Floats(&[2, 3], COS.domain)], |x| x[0].cos()),
    one(&TAN, &[Floats(&[2, 3], TAN.domain)], |x| x[0].tan()),
    one(&ASIN, &[Floats(&[2, 3], ASIN.domain)], |x| x[0].asin()).torch("asin, arcsin"),
    one(&ACOS, &[Floats(&[2, 3], ACOS.domain)], |x| x[0].acos()).torch("acos, arccos"),
    one(&ATAN, &[Floats(&[2, 3], ATAN.domain)], |x| x[0].atan()).torch("atan, arctan"),
    one(&SINH, &[Floats(&[2, 3], SINH.domain)], |x| x[0].sinh()),
    one(&COSH, &[Floats(&[2, 3], COSH.domain)], |x| x[0].cosh()),
    one(&TANH, &[Floats(&[2, 3], TANH.domain)], |x| x[0].tanh()),
    one(&LOG2, &[Floats(&[2, 3], LOG2.domain)], |x| x[0].log2()),
    one(&LOG10, &[Floats(&[2, 3], LOG10.domain)], |x| x[0].log10()),
    one(&EXP2, &[Floats(&[2, 3], EXP2.domain)], |x| x[0].exp2()),
    one(&ASINH, &[Floats(&[2, 3], ASINH.domain)], |x| x[0].asinh()).torch("asinh, arcsinh"),
    one(&ACOSH, &[Floats(&[2, 3], ACOSH.domain)], |x| x[0].acosh()).torch("acosh, arccosh"),
    one(&ATANH, &[Floats(&[2, 3], ATANH.domain)], |x| x[0].atanh()).torch("atanh, arctanh"),
    two(&HYPOT, &[Floats(&[2, 3], HYPOT.domain), Floats(&[3], HYPOT.domain)], |x| x[0].hypot(x[1])),
    two(&COPYSIGN, &[Floats(&[2, 3], COPYSIGN.domain), Floats(&[3], COPYSIGN.domain)], |x| {
        x[0].copysign(x[1])
    }),
    op("logaddexp2", "composed", "log₂(2ᵃ + 2ᵇ)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].logaddexp2(x[1])
    }),
    op("deg2rad", "composed", "π x / 180", &[CUBE], |x| x[0].deg2rad()),
    op("rad2deg", "composed", "180 x / π", &[CUBE], |x| x[0].rad2deg()),
];
