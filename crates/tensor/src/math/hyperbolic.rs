//! `sinh`, `cosh` and `tanh`; and their inverses, of which `asinh` and `acosh` of `f32` are
//! those of `f64`, rounded.

use super::ln::f64::{ln, ln_1p};
use super::polynomial;

/// `ln(a + √(a² + 1))` with the sign of x, as `ln(1 + a + a²/(1 + √(a² + 1)))`.
#[inline(always)]
fn asinh(x: f64) -> f64 {
    let a = x.abs();
    let square = a * a;
    let near = ln_1p(a + square / (1.0 + (square + 1.0).sqrt()));
    let far = ln(a) + std::f64::consts::LN_2;
    (if a > LARGE { far } else { near }).copysign(x)
}

/// `ln(x + √(x² − 1))`, as `ln(1 + t + √(2t + t²))` with `t = x − 1`.
#[inline(always)]
fn acosh(x: f64) -> f64 {
    let t = x - 1.0;
    let near = ln_1p(t + t.mul_add(t, 2.0 * t).sqrt());
    let far = ln(x) + std::f64::consts::LN_2;
    let y = if x > LARGE { far } else { near };
    if x < 1.0 { f64::NAN } else { y }
}

/// 2²⁸: from here on, what 1 adds to a square is not seen.
const LARGE: f64 = 268_435_456.0;

macro_rules! hyperbolic {
    (
        $float:ident, sinh: $sinh:tt, atanh: $atanh:tt up to $near:literal, largest: $largest:literal,
        |$z:ident| $small:expr
    ) => {
        pub mod $float {
            use super::super::exp::$float::{exp, scaled_exp};
            use super::super::ln::$float::ln_1p;
            use super::polynomial;

            /// `½ eˣ − ½ e⁻ˣ`, and up to 1 the series, where the first form cancels digits.
            #[inline(always)]
            pub fn sinh(x: $float) -> $float {
                let half = scaled_exp([0.5, 0.0], [x.abs(), 0.0]);
                let large = (half - 0.25 / half).copysign(x);
                let z = x * x;
                let small = (x * z).mul_add(polynomial!(z, $sinh), x);
                if x.abs() > 1.0 { large } else { small }
            }

            /// `½ eˣ + ½ e⁻ˣ`.
            #[inline(always)]
            pub fn cosh(x: $float) -> $float {
                let half = scaled_exp([0.5, 0.0], [x.abs(), 0.0]);
                half + 0.25 / half
            }

            /// `1 − 2 / (e²ˣ + 1)`, and up to 0.625 `x + x³ R(x²)` with Cephes' R, where the first
            /// form cancels digits.
            #[inline(always)]
            pub fn tanh(x: $float) -> $float {
                let a = x.abs();
                // From here on it rounds to 1.
                let a = if a > $largest { $largest } else { a };
                let large = 1.0 - 2.0 / (exp(a + a) + 1.0);
                let $z = x * x;
                let small = (x * $z).mul_add($small, x);
                (if a > 0.625 { large } else { small }).copysign(x)
            }

            #[inline(always)]
            pub fn asinh(x: $float) -> $float {
                super::asinh(x.into()) as $float
            }

            #[inline(always)]
            pub fn acosh(x: $float) -> $float {
                super::acosh(x.into()) as $float
            }

            /// `½ ln((1 + a)/(1 − a))` with the sign of x, as `½ ln(1 + q)` with `q = 2a/(1 − a)`, and
            /// with what the roundings of q lost: the logarithm has the slope `(1 − a)/(1 + a)` there.
            /// Near 0 the series.
            #[inline(always)]
            pub fn atanh(x: $float) -> $float {
                let a = x.abs();
                let d = 1.0 - a;
                let q = 2.0 * a / d;
                let lost = (-q).mul_add(d, 2.0 * a) - q * (1.0 - d - a);
                let large = ln_1p(q) + if a < 1.0 { lost / (1.0 + a) } else { 0.0 };
                let z = x * x;
                let small = (x * z).mul_add(polynomial!(z, $atanh), x);
                if a > $near { (0.5 * large).copysign(x) } else { small }
            }
        }
    };
}

hyperbolic!(
    f32,
    sinh: [1.0 / 362_880.0, 1.0 / 5_040.0, 1.0 / 120.0, 1.0 / 6.0],
    atanh: [1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0] up to 0.25,
    largest: 10.0,
    |z| polynomial!(z, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1])
);

hyperbolic!(
    f64,
    sinh: [
        1.0 / 355_687_428_096_000.0, 1.0 / 1_307_674_368_000.0, 1.0 / 6_227_020_800.0,
        1.0 / 39_916_800.0, 1.0 / 362_880.0, 1.0 / 5_040.0, 1.0 / 120.0, 1.0 / 6.0,
    ],
    atanh: [
        1.0 / 17.0, 1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0,
    ] up to 0.125,
    largest: 20.0,
    |z| polynomial!(z, [-9.643_991_794_250_522e-1, -99.287_723_100_191_86, -1.614_687_684_417_084_5e3])
        / polynomial!(z, [1.0, 1.128_116_784_916_329_3e2, 2.235_488_390_601_004_5e3, 4.844_063_053_251_255e3])
);
