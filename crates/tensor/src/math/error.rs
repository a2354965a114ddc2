//! `erf` and `erfc`.
//!
//! Up to 0.4769, where both are ½, `erf x = x + x E(x²)`. Beyond, `erfc x = e^(−x²) G(t) / (1 + 2x)`
//! with `t = (x − 4) / (x + 4)`: `(1 + 2x) e^(x²) erfc x` varies so little from there to infinity
//! that one polynomial has it all (Shepherd and Laframboise, Chebyshev approximation of
//! (1 + 2x) exp(x²) erfc x, 1981). The coefficients minimize the largest relative error, 2⁻⁵⁴.
//!
//! The functions for `f32` have fewer terms (`normal_f32.rs`).

use super::exp::f64::scaled_exp;
use super::polynomial;

/// `erf⁻¹(½)`.
pub(super) const MIDDLE: f64 = 0.476_936_276_204_469_9;

/// `erf x` for `|x|` up to `MIDDLE`.
#[inline(always)]
pub(super) fn middle(x: f64) -> f64 {
    let e = polynomial!(
        x * x,
        [
            1.487_182_788_285_790_1e-6,
            -1.485_891_668_807_568_8e-5,
            0.000_120_538_086_176_402_92,
            -0.000_854_830_664_825_309_4,
            0.005_223_977_465_100_649,
            -0.026_866_170_638_031_924,
            0.112_837_916_709_393_58,
            -0.376_126_389_031_836_15,
            0.128_379_167_095_512_56,
        ]
    );
    x.mul_add(e, x)
}

/// `erfc a` for a from `MIDDLE` on.
#[inline(always)]
pub(super) fn tail(a: f64) -> f64 {
    // From here on it rounds to 0.
    let a = if a > 28.0 { 28.0 } else { a };
    // The rounding error of a² is compensated.
    let square = a * a;
    let square_low = a.mul_add(a, -square);
    scaled_exp(scaled_tail(a), [-square, -square_low])
}

/// `e^(a²) erfc a` for a from `MIDDLE` on, as a sum of two numbers.
#[inline(always)]
pub(super) fn scaled_tail(a: f64) -> [f64; 2] {
    let t = (a - 4.0) / (a + 4.0);
    let rest = t * polynomial!(
        t,
        [
            1.744_898_694_709_922_4e-9,
            -9.673_458_424_454_791e-9,
            -1.769_402_779_718_265_8e-8,
            1.033_134_022_071_085_2e-7,
            7.443_900_982_654_447e-8,
            -8.195_726_014_372_072e-7,
            2.938_703_596_651_586e-7,
            5.706_534_617_794_087e-6,
            -1.122_201_906_655_071_1e-5,
            -2.439_807_227_387_590_2e-5,
            1.506_216_623_262_369e-4,
            -1.992_569_620_894_331e-4,
            -7.577_732_842_231_898e-4,
            5.031_970_018_079_582e-3,
            -1.619_773_405_854_996_3e-2,
            3.716_751_553_383_416e-2,
            -6.633_036_581_214_456e-2,
            9.373_283_499_853_265e-2,
            -0.101_039_066_036_307_95,
            6.809_705_425_468_848e-2,
            1.537_965_210_261_981e-2,
            -0.139_621_116_840_562_5,
        ]
    );
    // The rounding errors of the sum, of the divisor and of the quotient are compensated.
    const FIRST: f64 = 1.232_995_118_625_552_6;
    let g = FIRST + rest;
    let g_low = FIRST - g + rest;
    let divisor = a.mul_add(2.0, 1.0);
    let divisor_low = a.mul_add(2.0, 1.0 - divisor);
    let reciprocal = 1.0 / divisor;
    let quotient = g * reciprocal;
    let left = quotient.mul_add(-divisor_low, quotient.mul_add(-divisor, g)) + g_low;
    [quotient, left * reciprocal]
}

#[inline(always)]
fn erf_of(x: f64) -> f64 {
    let outside = (1.0 - tail(x.abs())).copysign(x);
    if x.abs() < MIDDLE { middle(x) } else { outside }
}

#[inline(always)]
fn erfc_of(x: f64) -> f64 {
    let tail = tail(x.abs());
    let outside = if x < 0.0 { 2.0 - tail } else { tail };
    if x.abs() < MIDDLE { 1.0 - middle(x) } else { outside }
}

pub mod f32 {
    pub use super::super::normal_f32::{erf, erfc};
}

pub mod f64 {
    #[inline(always)]
    pub fn erf(x: f64) -> f64 {
        super::erf_of(x)
    }

    #[inline(always)]
    pub fn erfc(x: f64) -> f64 {
        super::erfc_of(x)
    }
}
