//! The normal distribution: `ndtr`, its logarithm, the slopes of that, and the inverses of `erf` and
//! `ndtr`.
//!
//! The slope of `ln Φ(x)` is `h = φ(x)/Φ(x)`, the inverse of Mills' ratio, and that of h is
//! `−h (h + x)`. To the left, `h + x` cancels all digits of h: it is `Q(t)/(2 − x)` with
//! `t = (−x − 3.5)/(−x + 3.5)`, where the coefficients of Q minimize the largest relative error, 2⁻⁵⁵.
//!
//! The functions for `f32` are those for `f64`, rounded, or have fewer terms (`normal_f32.rs`).

use super::double_double::{add, product, sum};
use super::error::{MIDDLE, middle, scaled_tail, tail};
use super::exp::f64::{exp, scaled_exp};
use super::ln::f64::{ln, ln_1p};
use super::polynomial;
use super::power::exact_ln;

use std::f64::consts::FRAC_1_SQRT_2;

/// `Φ(−a)` for a from √2 `MIDDLE` on.
#[inline(always)]
fn upper_tail(a: f64) -> f64 {
    // From here on it rounds to 0.
    let a = if a > 39.5 { 39.5 } else { a };
    let [q, low] = scaled_tail(a * FRAC_1_SQRT_2);
    let [square, square_low] = product(a, a);
    scaled_exp([0.5 * q, 0.5 * low], [-0.5 * square, -0.5 * square_low])
}

#[inline(always)]
fn ndtr(x: f64) -> f64 {
    let tail = upper_tail(x.abs());
    let outside = if x < 0.0 { tail } else { 1.0 - tail };
    let a = x * FRAC_1_SQRT_2;
    let half = 0.5 + 0.5 * middle(a);
    if a.abs() < MIDDLE { half } else { outside }
}

#[inline(always)]
fn log_ndtr(x: f64) -> f64 {
    let a = x * FRAC_1_SQRT_2;
    let is_middle = a.abs() < MIDDLE;
    // To the left, ln of Φ(x) e^(x²/2), less x²/2.
    let far = if x < -1e150 { -1e150 } else { x };
    let [q, low] = scaled_tail(-far * FRAC_1_SQRT_2);
    let factor = [0.5 * q, 0.5 * low];
    let half = sum(0.5, 0.5 * middle(a));
    let [p, p_low] = if is_middle { half } else { factor };
    let logarithm = add(exact_ln(p), [p_low / p, 0.0]);
    let [square, square_low] = product(far, far);
    let [left, _] = add(logarithm, [-0.5 * square, -0.5 * square_low]);
    let farther = -0.5 * x * x;
    let left = if x < -1e150 { farther } else { left };
    let right = ln_1p(-upper_tail(x));
    let outside = if x < 0.0 { left } else { right };
    let y = if is_middle { logarithm[0] } else { outside };
    if x.is_nan() { x } else { y }
}

/// `Q(t)` for the number z to the left.
#[inline(always)]
fn excess_factor(z: f64) -> f64 {
    polynomial!(
        1.0 - 7.0 / (z + 3.5),
        [
            -1.519_270_441_730_501_5e-9,
            6.493_142_947_785_6e-9,
            -1.027_315_741_566_750_8e-8,
            -9.109_949_904_920_357e-8,
            2.315_139_708_027_383_8e-7,
            7.302_498_020_982_709e-7,
            -1.636_821_708_720_499_7e-6,
            -4.338_053_622_222_131e-6,
            7.392_759_759_265_61e-6,
            2.085_150_995_942_760_2e-5,
            -2.575_428_234_031_612_6e-5,
            -8.520_328_542_303_833e-5,
            7.719_543_746_001_597e-5,
            3.075_523_918_606_879e-4,
            -2.202_705_113_381_819_2e-4,
            -1.011_510_879_886_330_4e-3,
            6.682_303_530_772_712e-4,
            3.097_313_326_954_346e-3,
            -2.328_148_336_857_195e-3,
            -8.885_674_463_692_959e-3,
            9.220_803_383_823_636e-3,
            2.320_874_162_563_689_8e-2,
            -3.902_498_851_991_889_6e-2,
            -4.625_316_972_707_701e-2,
            0.165_924_232_634_663_7,
            -5.516_260_400_263_897e-2,
            -0.432_181_836_621_028_9,
            1.382_651_956_717_348_5,
        ]
    )
}

/// `φ(x) / Φ(x)` for x ≥ 0.
#[inline(always)]
fn hazard_of_positive(x: f64) -> f64 {
    // 1 / √(2π)
    const DENSITY: [f64; 2] = [0.398_942_280_401_432_7, -2.492_327_202_277_73e-17];
    let x = if x > 40.0 { 40.0 } else { x };
    let [square, low] = product(x, x);
    // Below ½ by less than a factor of 2, which the exponent has room for.
    scaled_exp(DENSITY, [-0.5 * square, -0.5 * low]) / ndtr(x)
}

/// `φ(x) / Φ(x)`, the slope of `log_ndtr`.
#[inline(always)]
fn log_ndtr_slope(x: f64) -> f64 {
    let z = if x < 0.0 { -x } else { 0.0 };
    let left = z + excess_factor(z) / (z + 2.0);
    let right = hazard_of_positive(if x < 0.0 { 0.0 } else { x });
    if x < 0.0 { left } else { right }
}

/// `h (h + x)` with `h = φ(x)/Φ(x)`: the slope of that, negated.
#[inline(always)]
fn log_ndtr_bend(x: f64) -> f64 {
    let z = if x < 0.0 { -x } else { 0.0 };
    let (q, r) = (excess_factor(z), 1.0 / (z + 2.0));
    let excess = q * r;
    let left = q * (1.0 - 2.0 * r) + excess * excess;
    let right = if x < 0.0 { 0.0 } else { x };
    let h = hazard_of_positive(right);
    let right = if h == 0.0 { 0.0 } else { h * (h + right) };
    if x < 0.0 { left } else { right }
}

/// The number with this `erf`: a polynomial in `w = −ln(1 − x²)` or its root, within 2⁻²², and then
/// one step of Halley's, after which its error is that of `erf`.
#[inline(always)]
fn erfinv(x: f64) -> f64 {
    let a = x.abs();
    let w = -ln((1.0 - a) * (1.0 + a));
    let center = polynomial!(
        w,
        [
            -4.613_402_191_017_829e-9,
            1.212_239_895_610_075e-7,
            -9.829_311_254_063_413e-7,
            -1.346_349_073_797_570_6e-6,
            6.120_021_748_750_709e-5,
            -1.578_939_980_543_649_4e-4,
            -2.303_205_880_676_487_5e-3,
            1.153_284_331_400_136_6e-2,
            0.232_016_880_802_824_82,
            0.886_226_824_457_042_8,
        ]
    );
    let outer = polynomial!(
        w.sqrt(),
        [
            7.269_264_136_146_375e-8,
            -2.858_407_204_687_030_4e-6,
            4.437_133_532_906_182_6e-5,
            -2.835_665_686_275_289e-4,
            -7.154_198_106_678_449e-4,
            2.786_168_902_751_489_5e-2,
            -0.243_298_023_505_383_3,
            1.204_218_396_416_154,
            -3.765_423_535_081_161_3,
            7.419_727_651_775_632,
            -7.485_097_166_138_742,
            4.153_364_176_954_994,
        ]
    );
    let y = a * if w < 6.25 { center } else { outer };
    let (near, far) = (middle(y) - a, (1.0 - a) - tail(y));
    let off = if a < 0.5 { near } else { far };
    let step = off / (exp(-y * y) * std::f64::consts::FRAC_2_SQRT_PI);
    let y = y - step / (1.0 + y * step);
    let y = if a == 1.0 { f64::INFINITY } else { y };
    let y = if a > 1.0 { f64::NAN } else { y };
    y.copysign(x)
}

/// `z` with `Φ(−z) = q`, for a `q` up to ¼: a polynomial in `(t − 3.5)/(t + 3.5)` of `t = √(−2 ln q)`,
/// within 2⁻²³, and then one step of Halley's.
#[inline(always)]
fn upper_quantile(q: f64) -> f64 {
    // Below that, tails are compared 2⁶⁰⁰ times as large, where no digit of them is lost.
    const TINY: f64 = 1e-150;
    const SCALE: f64 = f64::from_bits((1023 + 600) << 52);
    const SHIFT: [f64; 2] = [415.888_308_335_967_2, 1.835_517_298_157_842_4e-14];
    let t = (-2.0 * ln(q)).sqrt();
    let z = t - polynomial!(
        1.0 - 7.0 / (t + 3.5),
        [
            -0.068_350_860_864_380_61,
            0.118_062_816_353_622_22,
            -0.108_316_525_185_414_4,
            0.096_254_499_086_779_29,
            -0.135_936_950_328_201_1,
            0.165_222_943_004_407_04,
            -0.259_682_237_325_834_95,
            0.343_362_528_540_847,
            -0.793_010_023_053_188_1,
            0.650_222_699_680_392,
        ]
    );
    let [square, low] = product(z, z);
    let exponent = [-0.5 * square, -0.5 * low];
    let is_tiny = q < TINY;
    let exponent = add(exponent, if is_tiny { SHIFT } else { [0.0; 2] });
    let [half, half_low] = scaled_tail(z * FRAC_1_SQRT_2);
    let tail = scaled_exp([0.5 * half, 0.5 * half_low], exponent);
    // φ(z), with the same factor.
    let density = exp(exponent[0]) * 0.398_942_280_401_432_7;
    let step = (tail - if is_tiny { q * SCALE } else { q }) / density;
    z + step / (1.0 - 0.5 * step * z)
}

/// The number with this `ndtr`. Near ½, it is that of `erfinv`; elsewhere, that of the tail.
#[inline(always)]
fn ndtri(p: f64) -> f64 {
    let middle = erfinv(2.0 * p - 1.0);
    let [middle, low] = product(middle, std::f64::consts::SQRT_2);
    // The rest of √2.
    let middle = middle + (low - middle * 6.835_808_657_661_922e-17);
    let q = if p < 0.5 { p } else { 1.0 - p };
    let tail = upper_quantile(if q < 0.25 { q } else { 0.25 });
    let tail = if q == 0.0 { f64::INFINITY } else { tail };
    let outside = if p < 0.5 { -tail } else { tail };
    let y = if q >= 0.25 { middle } else { outside };
    if q >= 0.0 { y } else { f64::NAN }
}

macro_rules! normal_functions {
    ($float:ident: $($name:ident)*, $($other:ident)*) => {
        pub mod $float {
            $(pub use super::super::normal_f32::$other;)*
            $(
                #[inline(always)]
                pub fn $name(x: $float) -> $float {
                    super::$name(x.into()) as $float
                }
            )*
        }
    };
}

normal_functions!(f32: ndtr log_ndtr_bend ndtri, log_ndtr log_ndtr_slope erfinv);
normal_functions!(f64: ndtr log_ndtr log_ndtr_slope log_ndtr_bend erfinv ndtri,);
