//! Powers, signs and absolute values.

use lossgraph_tensor::{DType, map1};

use super::Kink;
use super::facts::Notation;
use super::facts::Precedence::{self, Atom, Power, Product};
use super::table::{CUBE, Row, Sample::Floats, one, op};
use super::unary::{Unary, unary};
use crate::record::var::Var;

/// `x²`, flat where it overflows: for a slope that is 0 there, and of which the slope is 0 as well,
/// although its formula is 0 times `x`.
pub(super) fn flat_square(x: Var<'_>) -> Var<'_> {
    let largest = if x.tape().dtype() == DType::F32 { f64::from(f32::MAX) } else { f64::MAX };
    let bound = 2.0 * largest.sqrt();
    x.clamp(-bound, bound).square()
}

/// `neg`: −x. The operator `-x` records it.
pub static NEG: Unary = Unary::new("neg", "−x", map1!(|x, _p| -x))
    .vjp(|g, _, _, _| -g)
    .integers(|x, _| x.wrapping_neg())
    .cheap()
    .exact()
    .written(Notation::unary("−a", Precedence::Sign, Power));

unary! {
    /// The reciprocal, `1/x`; slope `−1/x²`.
    #[doc(alias = "reciprocal")]
    fn recip() = RECIP {
        formula: "1/x",
        value: |x, _p| T::ONE / x,
        vjp: Some(|g, _, y, _| -g * y.square()),
        domain: [0.3, 3.0],
        facts: positive_of_positive().cheap().zero_by_underflow().written(Notation::unary("1 / a", Product, Precedence::Sign)),
    }
}

unary! {
    /// The square, `x²`; slope `2x`.
    fn square() = SQUARE {
        formula: "x²",
        value: specialized: |x, _p| x * x,
        // The factor meets g first: what x is multiplied with is one number where g is.
        vjp: Some(|g, x, _, _| (g * 2.0) * x),
        domain: [-3.0, 3.0],
        facts: positive().cheap().integers(|x, _| x.wrapping_mul(x)).zero_by_underflow().written(Notation::unary("a²", Power, Atom)),
    }
}

unary! {
    /// The square root, `√x`; slope `1/(2√x)`, which is infinite at 0.
    fn sqrt() = SQRT {
        formula: "√x",
        value: |x, _p| x.sqrt(),
        vjp: Some(|g, _, y, _| g * 0.5 / y),
        domain: [0.1, 4.0],
        facts: positive_of_positive().written(Notation::unary("√a", Power, Atom)),
    }
}

unary! {
    /// The reciprocal of the square root, `1/√x`; slope `−½ y³`.
    fn rsqrt() = RSQRT {
        formula: "1/√x",
        value: |x, _p| T::ONE / x.sqrt(),
        vjp: Some(|g, _, y, _| g * (y * y.square() * -0.5)),
        domain: [0.1, 4.0],
        facts: positive_of_positive().zero_by_underflow(),
    }
}

unary! {
    /// The power with a number as exponent, `xⁿ`; slope `n xⁿ⁻¹`, and 0 where `n = 0`.
    #[doc(alias = "pow")]
    #[doc(alias = "float_power")]
    fn powf(exponent) = POWF {
        formula: "xⁿ",
        value: |x, p| x.powf(p[0]),
        vjp: Some(|g, x, _, [n, _]| match n {
            0.0 => g.tape().fill(g.shape(), 0.0),
            1.0 => g,
            _ => g * (x.powf(n - 1.0) * n),
        }),
        domain: [0.2, 3.0],
        sample: [2.5, 0.0],
        facts: zero_by_underflow().written(Notation::unary("a^p", Power, Atom)),
    }
}

impl<'t> Var<'t> {
    /// The power with a whole number as exponent, `xⁿ`; slope `n xⁿ⁻¹`.
    #[track_caller]
    pub fn powi(self, exponent: i32) -> Var<'t> {
        match u32::try_from(exponent) {
            Ok(2) => self.square(),
            Ok(exponent) if !self.dtype().is_float() => self.repeated_squares(exponent),
            _ => self.powf(exponent.into()),
        }
    }

    /// The power of an integer, by squares: it wraps as a product does.
    #[track_caller]
    fn repeated_squares(self, exponent: u32) -> Var<'t> {
        let (mut power, mut square, mut rest) =
            (self.tape().integers(self.shape(), 1), self, exponent);
        while rest > 0 {
            power = if rest % 2 == 1 { power * square } else { power };
            rest /= 2;
            square = if rest > 0 { square.square() } else { square };
        }
        power
    }
}

unary! {
    /// The absolute value, `|x|`; slope `signum(x)`, which is 0 at 0.
    #[doc(alias = "absolute")]
    fn abs() = ABS {
        formula: "|x|",
        value: specialized: |x, _p| x.abs(),
        vjp: Some(|g, x, _, _| g * x.signum()),
        domain: [-3.0, 3.0],
        facts: positive().cheap().integers(|x, _| x.wrapping_abs()).written(Notation::unary("|a|", Atom, Precedence::Comparison)),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.0, "a minimum: 0 lies between the slopes −1 and 1",
    }
}

unary! {
    /// The sign: −1, 0 or 1; 0 for NaN. Its slope is 0.
    #[doc(alias = "sign")]
    #[doc(alias = "sgn")]
    fn signum() = SIGNUM {
        formula: "−1 if x < 0, 0 if x = 0, 1 if x > 0",
        value: |x, _p| x.signum0(),
        vjp: None,
        domain: [-3.0, 3.0],
        facts: cheap().integers(|x, _| x.signum()).written(Notation::Call("sign")),
        kink: "x = 0", |[x, _], _| x == 0.0, 0.0, 0.0, "a jump: the slope on both sides",
    }
}

/// A power of two that brings a number above 0 which is outside of a range near 1; 1 within the range,
/// for 0 and for what is not finite. A product with it is exact. It scales what does not depend on the
/// scale, and so has no slope.
pub(crate) static SCALE: Unary = Unary::new(
    "scale",
    "1 if a ≤ x ≤ b, else 2^−⌊log₂ x⌋",
    map1!(|x, p| {
        let inside = x >= p[0] && x <= p[1];
        if inside || !(x > T::ZERO && x < T::INFINITY) {
            T::ONE
        } else {
            let least = T::MIN_POSITIVE;
            T::ONE / x.max(least).min(T::ONE / least).power_of_two()
        }
    }),
)
.domain(0.1, 4.0)
.sample([0.5, 2.0]);

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    one(&NEG, &[Floats(&[2, 3], NEG.domain)], |x| -x[0]).torch("neg, negative"),
    one(&RECIP, &[Floats(&[2, 3], RECIP.domain)], |x| x[0].recip()).torch("reciprocal"),
    one(&SQUARE, &[Floats(&[2, 3], SQUARE.domain)], |x| x[0].square()),
    one(&SQRT, &[Floats(&[2, 3], SQRT.domain)], |x| x[0].sqrt()),
    one(&RSQRT, &[Floats(&[2, 3], RSQRT.domain)], |x| x[0].rsqrt()),
    one(&POWF, &[Floats(&[2, 3], POWF.domain)], |x| x[0].powf(2.5)).torch("pow"),
    one(&ABS, &[Floats(&[2, 3], ABS.domain)], |x| x[0].abs()).torch("abs, absolute"),
    one(&SIGNUM, &[Floats(&[2, 3], SIGNUM.domain)], |x| x[0].signum()).torch("sign, sgn"),
    op("powi", "composed", "xⁿ, for whole n", &[CUBE], |x| x[0].powi(3)).torch("pow"),
];
