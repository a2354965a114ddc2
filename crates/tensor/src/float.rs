//! The mathematics of one float: what the scalar functions of kernels are written with.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::Elem;

/// A float type of the kernels, `f32` or `f64`.
pub trait Float:
    Elem
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Positive infinity.
    const INFINITY: Self;
    /// Negative infinity.
    const NEG_INFINITY: Self;
    /// The largest number that is not infinite.
    const MAX: Self;
    /// The smallest number above 0 that has all its digits.
    const MIN_POSITIVE: Self;
    /// Zero with a negative sign: what leaves any number as it is when it is added, −0 as well.
    const NEG_ZERO: Self;

    /// `|x|`.
    fn abs(self) -> Self;
    /// −1, 0 or 1; 0 for NaN.
    fn signum0(self) -> Self;
    /// `⌊x⌋`.
    fn floor(self) -> Self;
    /// `⌈x⌉`.
    fn ceil(self) -> Self;
    /// The whole number next to x on the way to 0.
    fn trunc(self) -> Self;
    /// The nearest whole number, of two the even one.
    fn round_ties_even(self) -> Self;
    /// `|x|` with the sign of another number, −0 and NaN included.
    fn copysign(self, sign: Self) -> Self;
    /// `√x`.
    fn sqrt(self) -> Self;
    /// `eˣ`.
    fn exp(self) -> Self;
    /// `eˣ − 1`, exact near 0.
    fn exp_m1(self) -> Self;
    /// `ln x`.
    fn ln(self) -> Self;
    /// `ln(1 + x)`, exact near 0.
    fn ln_1p(self) -> Self;
    /// `log₂ x`.
    fn log2(self) -> Self;
    /// `log₁₀ x`.
    fn log10(self) -> Self;
    /// `2ˣ`.
    fn exp2(self) -> Self;
    /// `sin x`.
    fn sin(self) -> Self;
    /// `cos x`.
    fn cos(self) -> Self;
    /// `tan x`.
    fn tan(self) -> Self;
    /// Whether `|x| ≤ 2²⁰`: then `sin_near` and its kin are the same as `sin` and its kin, and
    /// have no branch.
    fn is_near(self) -> bool;
    /// `sin x` where [`is_near`](Float::is_near).
    fn sin_near(self) -> Self;
    /// `cos x` where [`is_near`](Float::is_near).
    fn cos_near(self) -> Self;
    /// `tan x` where [`is_near`](Float::is_near).
    fn tan_near(self) -> Self;
    /// `arcsin x`.
    fn asin(self) -> Self;
    /// `arccos x`.
    fn acos(self) -> Self;
    /// `arctan x`.
    fn atan(self) -> Self;
    /// `arctan y/x` in the quadrant of `(x, y)`; `self` is `y`.
    fn atan2(self, x: Self) -> Self;
    /// `sinh x`.
    fn sinh(self) -> Self;
    /// `cosh x`.
    fn cosh(self) -> Self;
    /// `tanh x`.
    fn tanh(self) -> Self;
    /// The inverse of `sinh`.
    fn asinh(self) -> Self;
    /// The inverse of `cosh`; NaN below 1.
    fn acosh(self) -> Self;
    /// The inverse of `tanh`; NaN beyond ±1.
    fn atanh(self) -> Self;
    /// `√(x² + y²)`, without overflow or underflow on the way.
    fn hypot(self, y: Self) -> Self;
    /// Whether no square comes near an end of the range: then `hypot_near` is the same as `hypot`, and
    /// faster.
    fn squares_are_near(self, y: Self) -> bool;
    /// `hypot` where [`squares_are_near`](Float::squares_are_near).
    fn hypot_near(self, y: Self) -> Self;
    /// `x / √(x² + y²)`, and 0 at the origin.
    fn cosine(self, y: Self) -> Self;
    /// `x − y trunc(x/y)`, exactly; the sign is that of x.
    fn fmod(self, y: Self) -> Self;
    /// `x − y ⌊x/y⌋`; the sign is that of y.
    fn remainder(self, y: Self) -> Self;
    /// `⌊x/y⌋`, of the quotient before it is rounded.
    fn floor_divide(self, y: Self) -> Self;
    /// Whether `|x/y| < 2ⁿ` for numbers of n bits: then `fmod_near` and its kin are the same as `fmod`
    /// and its kin, and have no branch.
    fn quotient_is_near(self, y: Self) -> bool;
    /// `fmod` where [`quotient_is_near`](Float::quotient_is_near).
    fn fmod_near(self, y: Self) -> Self;
    /// `remainder` where [`quotient_is_near`](Float::quotient_is_near).
    fn remainder_near(self, y: Self) -> Self;
    /// `floor_divide` where [`quotient_is_near`](Float::quotient_is_near).
    fn floor_divide_near(self, y: Self) -> Self;
    /// `sin πx / πx`, and 1 at 0.
    fn sinc(self) -> Self;
    /// The derivative of [`sinc`](Float::sinc) of a whole order above 0.
    fn sinc_slope(self, order: Self) -> Self;
    /// `xʸ`.
    fn powf(self, y: Self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// `1 − erf(x)`, accurate in the right tail.
    fn erfc(self) -> Self;
    /// The inverse of [`erf`](Float::erf): infinite at ±1, NaN beyond.
    fn erfinv(self) -> Self;
    /// The normal distribution function `Φ(x) = ½ erfc(−x/√2)`.
    fn ndtr(self) -> Self;
    /// The inverse of [`ndtr`](Float::ndtr): infinite at 0 and 1, NaN beyond.
    fn ndtri(self) -> Self;
    /// `ln Φ(x)`, accurate in both tails.
    fn log_ndtr(self) -> Self;
    /// `h = φ(x)/Φ(x)`, the slope of [`log_ndtr`](Float::log_ndtr).
    fn log_ndtr_slope(self) -> Self;
    /// `h (h + x)`, the slope of that, negated.
    fn log_ndtr_bend(self) -> Self;
    /// `ln |Γ(x)|`; ∞ at the poles.
    fn lgamma(self) -> Self;
    /// `lgamma` of `x > 0`, without a branch.
    fn lgamma_of_positive(self) -> Self;
    /// `ψ(x)`, the slope of [`lgamma`](Float::lgamma); NaN at the poles, but that of 0 has a side.
    fn digamma(self) -> Self;
    /// `digamma` of `x > 0`, without a branch.
    fn digamma_of_positive(self) -> Self;
    /// `ψ′(x)`.
    fn trigamma(self) -> Self;
    /// `trigamma` of `x > 0`, without a branch.
    fn trigamma_of_positive(self) -> Self;
    /// The derivative of `ψ` of a whole order from 2 to 170.
    fn polygamma(self, order: Self) -> Self;
    /// `polygamma` of `x > 0`, without a branch.
    fn polygamma_of_positive(self, order: Self) -> Self;
    /// Whether it is NaN.
    fn is_nan(self) -> bool;
    /// The largest power of two that is not above `|x|`, for a number that is neither subnormal nor
    /// infinite.
    fn power_of_two(self) -> Self;
    /// `self · a + b`, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;

    /// The larger; NaN if either is.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other || self.is_nan() { self } else { other }
    }

    /// The smaller; NaN if either is.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self < other || self.is_nan() { self } else { other }
    }

    /// `e^(−|x|)`: what [`sigmoid`](Float::sigmoid) and [`softplus`](Float::softplus) have in
    /// common. It cannot overflow.
    #[inline(always)]
    fn exp_neg_abs(self) -> Self {
        (-self.abs()).exp()
    }

    /// `1/(1 + e⁻ˣ)`, accurate at both ends.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        self.sigmoid_by(self.exp_neg_abs())
    }

    /// [`sigmoid`](Float::sigmoid), given `e = e^(−|x|)`.
    #[inline(always)]
    fn sigmoid_by(self, e: Self) -> Self {
        // Below 0 the numerator is e^x itself.
        let numerator = if self < Self::ZERO { e } else { Self::ONE };
        // One step of refinement takes back what rounding 1 + e and the quotient lost.
        let divisor = Self::ONE + e;
        let lost = e - (divisor - Self::ONE);
        let reciprocal = Self::ONE / divisor;
        let quotient = numerator * reciprocal;
        let rest = (-quotient).mul_add(lost, (-quotient).mul_add(divisor, numerator));
        rest.mul_add(reciprocal, quotient)
    }

    /// `ln(1 + eˣ)`, without overflow and accurate in the left tail.
    #[inline(always)]
    fn softplus(self) -> Self {
        self.softplus_by(self.exp_neg_abs())
    }

    /// [`softplus`](Float::softplus), given `e = e^(−|x|)`: `max(x, 0) + ln(1 + e)`.
    #[inline(always)]
    fn softplus_by(self, e: Self) -> Self {
        (if self < Self::ZERO { Self::ZERO } else { self }) + e.ln_1p_of_fraction()
    }

    /// `ln(1 + x)` for x from 0 to 1.
    fn ln_1p_of_fraction(self) -> Self;
}

macro_rules! float {
    ($type:ident) => {
        impl Float for $type {
            const INFINITY: $type = $type::INFINITY;
            const NEG_INFINITY: $type = $type::NEG_INFINITY;
            const MAX: $type = $type::MAX;
            const MIN_POSITIVE: $type = $type::MIN_POSITIVE;
            const NEG_ZERO: $type = -0.0;

            float!(@std $type abs floor ceil trunc round_ties_even sqrt asin acos atan);
            float!(@own $type exp: exp exp_m1);
            float!(@own $type ln: ln ln_1p ln_1p_of_fraction);
            float!(@own $type power: log2 log10 exp2);
            float!(@own $type hyperbolic: sinh cosh tanh asinh acosh atanh);
            float!(@own $type trigonometric: sin cos tan sin_near cos_near tan_near sinc);
            float!(@own $type error: erf erfc);
            float!(@own $type normal: erfinv ndtr ndtri log_ndtr log_ndtr_slope log_ndtr_bend);
            float!(@own $type gamma: lgamma lgamma_of_positive digamma digamma_of_positive);
            float!(@own $type gamma: trigamma trigamma_of_positive);
            float!(@own2 $type remainder: fmod remainder floor_divide);
            float!(@own2 $type remainder: fmod_near remainder_near floor_divide_near);
            float!(@own2 $type gamma: polygamma polygamma_of_positive);
            float!(@own2 $type trigonometric: sinc_slope);
            float!(@own2 $type power: powf hypot hypot_near cosine);

            #[inline(always)]
            fn signum0(self) -> $type {
                if self > 0.0 {
                    1.0
                } else if self < 0.0 {
                    -1.0
                } else {
                    0.0
                }
            }

            #[inline(always)]
            fn atan2(self, x: $type) -> $type {
                $type::atan2(self, x)
            }

            #[inline(always)]
            fn copysign(self, sign: $type) -> $type {
                $type::copysign(self, sign)
            }

            #[inline(always)]
            fn quotient_is_near(self, y: $type) -> bool {
                crate::math::remainder::$type::quotient_is_near(self, y)
            }

            #[inline(always)]
            fn squares_are_near(self, y: $type) -> bool {
                crate::math::power::$type::squares_are_near(self, y)
            }

            #[inline(always)]
            fn is_near(self) -> bool {
                crate::math::trigonometric::$type::is_near(self)
            }

            #[inline(always)]
            fn mul_add(self, a: $type, b: $type) -> $type {
                $type::mul_add(self, a, b)
            }

            #[inline(always)]
            fn is_nan(self) -> bool {
                $type::is_nan(self)
            }

            #[inline(always)]
            fn power_of_two(self) -> $type {
                // The exponent alone: those of infinity are all bits of it.
                $type::from_bits(self.to_bits() & $type::INFINITY.to_bits())
            }
        }
    };
    (@own $type:ident $file:ident: $($method:ident)*) => {
        $(
            #[inline(always)]
            fn $method(self) -> $type {
                crate::math::$file::$type::$method(self)
            }
        )*
    };
    (@own2 $type:ident $file:ident: $($method:ident)*) => {
        $(
            #[inline(always)]
            fn $method(self, other: $type) -> $type {
                crate::math::$file::$type::$method(self, other)
            }
        )*
    };
    (@std $type:ident $($method:ident)*) => {
        $(
            #[inline(always)]
            fn $method(self) -> $type {
                $type::$method(self)
            }
        )*
    };
}

float!(f32);
float!(f64);

#[cfg(test)]
mod tests {
    use super::Float;

    #[test]
    fn sigmoid_is_accurate_at_both_ends() {
        assert_eq!(Float::sigmoid(-800.0_f64), 0.0);
        assert_eq!(Float::sigmoid(-700.0_f64), (-700.0_f64).exp());
        assert_eq!(Float::sigmoid(800.0_f64), 1.0);
        assert_eq!(Float::sigmoid(0.0_f32), 0.5);
    }

    #[test]
    fn a_power_of_two_is_the_number_without_its_digits() {
        let powers = [1.0, 1.999, 2.0, -3.0, 1e38, f32::MIN_POSITIVE].map(Float::power_of_two);
        assert_eq!(powers, [1.0, 1.0, 2.0, 2.0, 2_f32.powi(126), f32::MIN_POSITIVE]);
        assert_eq!(Float::power_of_two(1e300_f64), 2_f64.powi(996));
    }

    #[test]
    fn softplus_is_linear_for_large_inputs() {
        assert_eq!(Float::softplus(1000.0_f64), 1000.0);
        assert_eq!(Float::softplus(-50.0_f64), (-50.0_f64).exp());
        assert!(Float::is_nan(Float::softplus(f64::NAN)));
    }

    #[test]
    fn max_and_min_keep_nan() {
        assert!(
            Float::is_nan(Float::max(f64::NAN, 1.0)) && Float::is_nan(Float::max(1.0, f64::NAN))
        );
        assert!(
            Float::is_nan(Float::min(f64::NAN, 1.0)) && Float::is_nan(Float::min(1.0, f64::NAN))
        );
        assert_eq!((Float::max(1.0, 2.0), Float::min(1.0, 2.0)), (2.0, 1.0));
    }
}
