//! `sin`, `cos` and `tan`, and the normalized `sinc`.
//!
//! `x = n π/2 + r` with the nearest whole n, and r as the sum of two numbers; then the polynomials
//! of Sun's fdlibm for `|r| ≤ π/4`. Up to `|x| = 2²⁰`, n and r come from products with π/2 in three
//! parts (Cody and Waite). Beyond, they come from the digits of 2/π that count (Payne and Hanek,
//! Radian reduction for trigonometric functions, 1983): that takes integers of 192 bits, and so
//! a branch. [`is_near`] tells loops where they can take the fast path without it.
//!
//! The functions for `f32` are those for `f64`, rounded.

use super::polynomial;

/// π/2 as a sum.
const HALF_PI: [f64; 3] =
    [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];

/// The binary digits of 2/π: 64 before the point, and 1216 behind it.
const TWO_OVER_PI: [u64; 20] = [
    0,
    0xa2f9_836e_4e44_1529,
    0xfc27_57d1_f534_ddc0,
    0xdb62_9599_3c43_9041,
    0xfe51_63ab_debb_c561,
    0xb724_6e3a_424d_d2e0,
    0x0649_2eea_09d1_921c,
    0xfe1d_eb1c_b129_a73e,
    0xe882_35f5_2ebb_4484,
    0xe99c_7026_b45f_7e41,
    0x3991_d639_8353_39f4,
    0x9c84_5f8b_bdf9_283b,
    0x1ff8_97ff_de05_980f,
    0xef2f_118b_5a0a_6d1f,
    0x6d36_7ecf_27cb_09b7,
    0x4f46_3f66_9e5f_ea2d,
    0x7527_bac7_ebe5_f17b,
    0x3d07_39f7_8a52_92ea,
    0x6bfb_5fb1_1f8d_5d08,
    0x5603_3046_fc7b_6bab,
];

/// `x = n π/2 + r + low`, n by its last bits.
#[derive(Clone, Copy)]
struct Reduced {
    n: u64,
    r: f64,
    low: f64,
}

/// Whether the reduction is without a branch.
#[inline(always)]
fn is_near(x: f64) -> bool {
    x.abs() <= 1_048_576.0
}

#[inline(always)]
fn reduced_near(x: f64) -> Reduced {
    // Adding 1.5 · 2⁵² rounds to a whole number, whose last bits are then those of n.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    let shifted = x.mul_add(std::f64::consts::FRAC_2_PI, WHOLE);
    let n = shifted - WHOLE;
    // Exact, as the difference is a multiple of the last place of π/2.
    let first = n.mul_add(-HALF_PI[0], x);
    let r = n.mul_add(-HALF_PI[1], first);
    let low = n.mul_add(-HALF_PI[2], n.mul_add(-HALF_PI[1], first - r));
    Reduced { n: shifted.to_bits(), r, low }
}

#[cold]
fn reduced_far(x: f64) -> Reduced {
    if !x.is_finite() {
        return Reduced { n: 0, r: f64::NAN, low: 0.0 };
    }
    // |x| = m · 2^(exponent − 1075). Of 2/π, the digits that make multiples of 4 do not count.
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as usize;
    let m = u128::from((bits & ((1 << 52) - 1)) | (1 << 52));
    let skipped = exponent + 62 - 1075;
    let digits = |i: usize| {
        let (word, bit) = (skipped / 64 + i, skipped % 64);
        let pair = (u128::from(TWO_OVER_PI[word]) << 64) | u128::from(TWO_OVER_PI[word + 1]);
        (pair << bit) >> 64
    };
    // Their product with m, modulo 4, in units of 2⁻¹⁹⁰; the last 64 bits only carry.
    let product =
        ((m * digits(0)) << 64).wrapping_add(m * digits(1)).wrapping_add((m * digits(2)) >> 64);
    // The first two bits are n; what follows, as a signed fraction, is r in units of 2⁻¹²⁸ π/2.
    let fraction = (product << 2) as i128;
    let n = ((product >> 126) as u64).wrapping_add(u64::from(fraction < 0));
    let high = fraction as f64;
    let rest = fraction.wrapping_sub(high as i128) as f64;
    let r = high * HALF_PI[0];
    let low = high.mul_add(HALF_PI[0], -r) + high.mul_add(HALF_PI[1], rest * HALF_PI[0]);
    let unit = f64::from_bits((1023 - 128) << 52);
    if x < 0.0 {
        Reduced { n: n.wrapping_neg(), r: -r * unit, low: -low * unit }
    } else {
        Reduced { n, r: r * unit, low: low * unit }
    }
}

impl Reduced {
    #[inline(always)]
    fn of(x: f64) -> Reduced {
        if is_near(x) { reduced_near(x) } else { reduced_far(x) }
    }

    /// `sin(r + low)`.
    #[inline(always)]
    fn sin_of_rest(self) -> f64 {
        let Reduced { r, low, .. } = self;
        let z = r * r;
        let p = polynomial!(
            z,
            [
                1.589_690_995_211_55e-10,
                -2.505_076_025_340_686_3e-8,
                2.755_731_370_707_006_8e-6,
                -1.984_126_982_985_795e-4,
                8.333_333_333_322_49e-3,
            ]
        );
        let cube = z * r;
        r - (z.mul_add(0.5 * low - cube * p, -low) + cube * 0.166_666_666_666_666_32)
    }

    /// `cos(r + low)`.
    #[inline(always)]
    fn cos_of_rest(self) -> f64 {
        let Reduced { r, low, .. } = self;
        let z = r * r;
        let p = polynomial!(
            z,
            [
                -1.135_964_755_778_819_5e-11,
                2.087_572_321_298_175e-9,
                -2.755_731_435_139_066_3e-7,
                2.480_158_728_947_673e-5,
                -1.388_888_888_887_411e-3,
                4.166_666_666_666_66e-2,
            ]
        );
        let half = 0.5 * z;
        let w = 1.0 - half;
        w + ((1.0 - w - half) + (z * z).mul_add(p, -r * low))
    }

    #[inline(always)]
    fn sin(self) -> f64 {
        let y = if self.n & 1 == 0 { self.sin_of_rest() } else { self.cos_of_rest() };
        if self.n & 2 == 0 { y } else { -y }
    }

    #[inline(always)]
    fn cos(self) -> f64 {
        Reduced { n: self.n.wrapping_add(1), ..self }.sin()
    }

    #[inline(always)]
    fn tan(self) -> f64 {
        let (sin, cos) = (self.sin_of_rest(), self.cos_of_rest());
        let (over, under) = if self.n & 1 == 0 { (sin, cos) } else { (-cos, sin) };
        over / under
    }
}

/// `πx = n π/2 + r`, exactly but for the rounding of r.
#[inline(always)]
fn reduced_half_turns(x: f64) -> Reduced {
    // From 2⁵³ on, all numbers are even; infinity is none.
    let x = if x.abs() < 9_007_199_254_740_992.0 { x } else { 0.0 * x };
    let quarters = (2.0 * x).round_ties_even();
    let t = x - 0.5 * quarters;
    let turn = quarters - 4.0 * (0.25 * quarters).floor();
    let r = t * std::f64::consts::PI;
    let low = t.mul_add(PI_LOW, t.mul_add(std::f64::consts::PI, -r));
    // Of a number whose last place is 1, the last bits are those of the whole number added to it.
    Reduced { n: (turn + 4_503_599_627_370_496.0).to_bits(), r, low }
}

/// What π is above the number nearest to it.
const PI_LOW: f64 = 1.224_646_799_147_353_2e-16;

/// `sin πx / πx`, and 1 at 0.
#[inline(always)]
fn sinc(x: f64) -> f64 {
    let u = x * std::f64::consts::PI;
    let low = x.mul_add(PI_LOW, x.mul_add(std::f64::consts::PI, -u));
    let quotient = reduced_half_turns(x).sin() / u;
    // What rounding took from πx.
    let quotient = (-quotient).mul_add(low / u, quotient);
    let y = if x.abs() < 1e-20 { 1.0 } else { quotient };
    // From 2⁵³ on, all numbers are whole; infinity is no number.
    if x.abs() >= 9_007_199_254_740_992.0 { 0.0 * x.abs() } else { y }
}

/// The n-th derivative of `sinc` for n > 0, over πⁿ: `Fₙ(u) = ∫₀¹ tⁿ cos(ut + nπ/2) dt`, `u = πx`.
///
/// Of large u by `u Fₙ + n Fₙ₋₁ = sin(u + nπ/2)`; of small u, where that cancels, by its series.
#[inline(always)]
fn sinc_slope(x: f64, n: f64) -> f64 {
    let u = x * std::f64::consts::PI;
    let odd = n % 2.0 == 1.0;
    // The term with uʲ is (−1)^((n + j)/2) uʲ/(j! (n + j + 1)), for an even n + j.
    let half = ((n + 1.0) * 0.5).floor();
    let (mut term, mut j) = (if odd { u } else { 1.0 }, if odd { 1.0 } else { 0.0 });
    term = if half % 2.0 == 1.0 { -term } else { term };
    let mut series = 0.0;
    // Of the first derivative, as many as u up to 2 takes.
    let terms = if n == 1.0 { 12 } else { 24 };
    for _ in 0..terms {
        series += term / (n + j + 1.0);
        term *= -u * u / ((j + 1.0) * (j + 2.0));
        j += 2.0;
    }
    let reduced = reduced_half_turns(x);
    let (sin, cos) = (reduced.sin(), reduced.cos());
    let mut far = sin / u;
    // sin(u + kπ/2), from k = 1 on
    let (mut next, mut before) = (cos, sin);
    for k in 1..=n as u32 {
        far = (next - f64::from(k) * far) / u;
        (next, before) = (-before, next);
    }
    let slope = if u.abs() > n + 1.0 { far } else { series };
    let scale = (0..n as u32).fold(1.0, |scale, _| scale * std::f64::consts::PI);
    if x.abs() == f64::INFINITY { 0.0 } else { slope * scale }
}

macro_rules! trigonometric {
    ($float:ident, $($name:ident $name_near:ident)*) => {
        pub mod $float {
            use super::{Reduced, reduced_near};

            #[inline(always)]
            pub fn sinc(x: $float) -> $float {
                super::sinc(x.into()) as $float
            }

            #[inline(always)]
            pub fn sinc_slope(x: $float, n: $float) -> $float {
                super::sinc_slope(x.into(), n.into()) as $float
            }

            #[inline(always)]
            pub fn is_near(x: $float) -> bool {
                super::is_near(x.into())
            }

            $(
                #[inline(always)]
                pub fn $name(x: $float) -> $float {
                    Reduced::of(x.into()).$name() as $float
                }

                /// The same where `is_near`.
                #[inline(always)]
                pub fn $name_near(x: $float) -> $float {
                    reduced_near(x.into()).$name() as $float
                }
            )*
        }
    };
}

trigonometric!(f32, sin sin_near cos cos_near tan tan_near);
trigonometric!(f64, sin sin_near cos cos_near tan tan_near);
