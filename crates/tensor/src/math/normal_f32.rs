//! `erf`, `erfc` and functions of the normal distribution for `f32`: in `f64`, with as many terms as
//! `f32` needs.
//!
//! `(1 + 2a) e^(a²) erfc a` is a polynomial in `t = (a − 3) / (a + 3)` from 0 to infinity, within
//! 2⁻³⁷, so that what is left and what is right of 0 have all but their last steps in common.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E};

use super::error::{MIDDLE, middle};
use super::ln::f64::{number, split};
use super::polynomial;

/// `eˣ` for `x ≤ 0`, within 2⁻³⁹; below −700, where `f32` has 0, that of −700.
#[inline(always)]
fn exp(x: f64) -> f64 {
    // 1.5 · 2⁵² and the bias: in the last bits of the sum stands the exponent.
    const WHOLE: f64 = 6_755_399_441_056_767.0;
    let x = if x < -700.0 { -700.0 } else { x };
    let shifted = x.mul_add(LOG2_E, WHOLE);
    let r = (shifted - WHOLE).mul_add(-LN_2, x);
    let e = polynomial!(
        r,
        [
            2.470_826_708_265_546_2e-5,
            1.990_895_277_652_25e-4,
            1.388_919_726_148_544_3e-3,
            8.333_281_786_920_015e-3,
            4.166_666_440_365_613e-2,
            0.166_666_667_845_149_7,
            0.500_000_000_042_716_7,
            1.0,
            1.0,
        ]
    );
    e * f64::from_bits(shifted.to_bits() << 52)
}

/// `ln(x + low)` for a normal `x > 0`, within 2⁻⁴⁴: what `low` adds counts near 1 alone, where the
/// exponent is 0.
#[inline(always)]
fn ln(x: f64, low: f64) -> f64 {
    let (k, one_and_f) = split(x);
    let f = one_and_f - 1.0 + low;
    let s = f / (2.0 + f);
    let r = polynomial!(
        s * s,
        [
            0.195_842_119_620_502_16,
            0.221_761_841_011_253_76,
            0.285_721_092_800_866_4,
            0.399_999_956_205_445_1,
            0.666_666_666_758_053_3,
            2.0,
        ]
    );
    number(k).mul_add(LN_2, s * r)
}

/// `|x|`. Of what `f32` has, infinity alone is cut off, to a number whose square `f64` has.
#[inline(always)]
fn argument(x: f64) -> f64 {
    let a = x.abs();
    if a > 1e40 { 1e40 } else { a }
}

/// `e^(a²) erfc a` for `a ≥ 0`, as a numerator and a denominator.
#[inline(always)]
fn scaled_tail(a: f64) -> [f64; 2] {
    [scaled_tail_at((a - 3.0) / (a + 3.0)), a.mul_add(2.0, 1.0)]
}

/// The numerator at `t`.
#[inline(always)]
fn scaled_tail_at(t: f64) -> f64 {
    polynomial!(
        t,
        [
            1.676_972_449_738_258_8e-6,
            -1.253_371_482_717_198_4e-7,
            -1.734_969_056_724_095e-5,
            4.299_125_614_847_513e-6,
            1.226_909_770_915_533e-4,
            -1.047_299_615_739_436e-4,
            -7.785_933_022_783_452e-4,
            1.888_520_020_594_303_3e-3,
            2.529_024_483_248_940_4e-3,
            -2.377_047_667_666_400_7e-2,
            6.830_808_561_329_926e-2,
            -0.119_273_667_744_448_11,
            0.129_645_154_531_510_74,
            -4.756_229_416_348_847e-2,
            -0.135_621_106_037_269_5,
            1.253_008_058_268_343,
        ]
    )
}

/// `erfc a` for `a ≥ 0`, from one division.
#[inline(always)]
fn tail(a: f64) -> f64 {
    let (sum, denominator) = (a + 3.0, a.mul_add(2.0, 1.0));
    let reciprocal = 1.0 / (sum * denominator);
    let g = scaled_tail_at((a - 3.0) * (denominator * reciprocal));
    exp(-a * a) * g * (sum * reciprocal)
}

#[inline(always)]
fn erf_of(x: f64) -> f64 {
    let outside = (1.0 - tail(argument(x))).copysign(x);
    if x.abs() < MIDDLE { middle(x) } else { outside }
}

#[inline(always)]
fn erfc_of(x: f64) -> f64 {
    let tail = tail(argument(x));
    if x < 0.0 { 2.0 - tail } else { tail }
}

/// Left of 0, `ln ½e^(a²) erfc a − a²`; right of it, `ln(1 − ½ erfc a)`.
#[inline(always)]
fn log_ndtr_of(x: f64) -> f64 {
    let a = argument(x * FRAC_1_SQRT_2);
    let [g, d] = scaled_tail(a);
    let (factor, square) = (0.5 * g / d, a * a);
    let tail = factor * exp(-square);
    let rest = 1.0 - tail;
    let (p, low, less) =
        if x < 0.0 { (factor, 0.0, square) } else { (rest, 1.0 - rest - tail, 0.0) };
    // A tail that is 0 is subtracted as well.
    let y = -(ln(p, low) - less).abs();
    let y = if x == f64::INFINITY { 0.0 } else { y };
    if x.is_nan() { x } else { y }
}

/// With `e = e^(−a²)`, right of 0 `√(2/π) e / (2 − e · e^(a²) erfc a)`, and left of it the same
/// divided by e, where the divisor is `2 Φ(x)`.
#[inline(always)]
fn log_ndtr_slope_of(x: f64) -> f64 {
    // √(2/π)
    const TWICE_DENSITY: f64 = 0.797_884_560_802_865_4;
    let a = argument(x * FRAC_1_SQRT_2);
    let ([g, d], e) = (scaled_tail(a), exp(-a * a));
    let right = (d * e, (-e).mul_add(g, 2.0 * d));
    let (numerator, denominator) = if x < 0.0 { (d, g) } else { right };
    TWICE_DENSITY * numerator / denominator
}

/// A polynomial in `w = −ln(1 − x²)` or its root, within 2⁻³⁰.
#[inline(always)]
fn erfinv_of(x: f64) -> f64 {
    let a = x.abs();
    let w = -ln((1.0 - a) * (1.0 + a), 0.0);
    let center = polynomial!(
        w,
        [
            -1.330_219_075_154_604_9e-11,
            5.042_038_035_286_251e-10,
            -7.700_446_340_335_399e-9,
            5.439_126_596_604_760_3e-8,
            -8.587_826_931_923_042e-8,
            -1.076_344_727_903_973_8e-6,
            2.475_026_829_020_741e-6,
            4.565_462_390_096_95e-5,
            -1.269_855_913_464_030_3e-4,
            -2.335_735_807_800_462_6e-3,
            1.154_952_886_678_567_3e-2,
            0.232_013_645_762_318_28,
            0.886_226_925_822_676_2,
        ]
    );
    // Up to the largest number below 1.
    let outer = polynomial!(
        w.sqrt(),
        [
            -3.707_429_521_059_893e-5,
            1.287_288_178_684_532_8e-3,
            -2.001_642_679_535_319_2e-2,
            0.183_296_230_349_601_88,
            -1.092_538_529_928_957_1,
            4.416_201_081_198_879,
            -12.204_911_949_144_515,
            22.604_130_483_850_75,
            -26.492_594_010_832_62,
            18.266_939_133_504_152,
            -4.613_996_833_676_968,
        ]
    );
    let y = a * if w < 6.25 { center } else { outer };
    let y = if a == 1.0 { f64::INFINITY } else { y };
    let y = if a > 1.0 { f64::NAN } else { y };
    y.copysign(x)
}

#[inline(always)]
pub fn erf(x: f32) -> f32 {
    erf_of(x.into()) as f32
}

#[inline(always)]
pub fn erfc(x: f32) -> f32 {
    erfc_of(x.into()) as f32
}

#[inline(always)]
pub fn log_ndtr(x: f32) -> f32 {
    log_ndtr_of(x.into()) as f32
}

#[inline(always)]
pub fn log_ndtr_slope(x: f32) -> f32 {
    log_ndtr_slope_of(x.into()) as f32
}

#[inline(always)]
pub fn erfinv(x: f32) -> f32 {
    erfinv_of(x.into()) as f32
}
