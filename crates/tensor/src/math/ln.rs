//! `ln`, `ln_1p`, and the logarithm in `softplus`.
//!
//! `x = 2ᵏ (1 + f)` with `1 + f` around 1, and `ln(1 + f) = f − ½ f² + rest(f)`. In `f32` the rest
//! is `f³ P(f)`, where the coefficients of P minimize the largest relative error of the logarithm,
//! 2⁻²⁷. In `f64`, where that would take twenty terms and a division no longer costs more, it is
//! the series in `s = f / (2 + f)` with the coefficients of Sun's fdlibm.

use super::polynomial;

macro_rules! logarithms {
    ($float:ident, $int:ident, $bits:ident, mantissa: $mantissa:literal, bias: $bias:literal,
     whole: $whole:literal,
     ln_2: [$ln_2_high:literal, $ln_2_low:literal], subnormal: [$scale:literal, $scaled:literal],
     least: $least:expr, rest: |$f:ident, $square:ident| $rest:expr,
     of_one_and: |$e:ident| $of_one_and:expr) => {
        pub mod $float {
            use super::*;

            /// Adding this number, whose last place is 1, adds integers to its bits.
            pub const WHOLE: $float = $whole;

            /// `ln 2`, in two parts.
            pub const LN_2: [$float; 2] = [$ln_2_high, $ln_2_low];

            /// What is multiplied below the normal range, and the logarithm of that to base 2.
            pub const SUBNORMAL: [$float; 2] = [$scale, $scaled];

            /// The least `1 + f`.
            pub const LEAST: $float = $least;

            /// `k ln 2 + ln(1 + f)` for `1 + f` around 1.
            #[inline(always)]
            pub fn sum(k: $float, $f: $float) -> $float {
                let $square = $f * $f;
                let low = k.mul_add(LN_2[1], $rest);
                k.mul_add(LN_2[0], $f + $square.mul_add(-0.5, low))
            }

            /// For normal x > 0: k, and `1 + f`.
            #[inline(always)]
            pub fn split(x: $float) -> ($int, $float) {
                let bits = x.to_bits() as $int;
                let k = bits.wrapping_sub(LEAST.to_bits() as $int) >> $mantissa;
                (k, $float::from_bits(bits.wrapping_sub(k << $mantissa) as $bits))
            }

            /// The exponent k as a number. Not `as`: AVX2 has no conversion of 64-bit integers.
            #[inline(always)]
            pub fn number(k: $int) -> $float {
                $float::from_bits((k as $bits).wrapping_add(WHOLE.to_bits())) - WHOLE
            }

            /// The result for x > 0, or the special value of 0, x < 0, infinity and NaN.
            #[inline(always)]
            pub fn or_special(x: $float, y: $float) -> $float {
                let y = if x == 0.0 { $float::NEG_INFINITY } else { y };
                let y = if x < 0.0 { $float::NAN } else { y };
                // Infinity and NaN stay.
                if x < $float::INFINITY { y } else { x }
            }

            #[inline(always)]
            pub fn ln(x: $float) -> $float {
                // Below the normal range, a power of two higher.
                let (normal, shift) = if x < $float::MIN_POSITIVE {
                    (x * SUBNORMAL[0], SUBNORMAL[1])
                } else {
                    (x, 0.0)
                };
                let (k, one_and_f) = split(normal);
                or_special(x, sum(number(k) - shift, one_and_f - 1.0))
            }

            #[inline(always)]
            pub fn ln_1p(x: $float) -> $float {
                let u = 1.0 + x;
                // Exact: what rounding took from the smaller of the two.
                let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
                let lost = if u < $float::INFINITY { lost } else { 0.0 };
                let (k, one_and_f) = split(u);
                // At large exponents nothing that was lost counts; 2⁻ᵏ has to stay normal.
                let down = if k > $bias - 1 { $bias - 1 } else { k };
                let down = $float::from_bits((($bias - down) << $mantissa) as $bits);
                let y = or_special(u, sum(number(k), lost.mul_add(down, one_and_f - 1.0)));
                if x == 0.0 { x } else { y }
            }

            /// `ln(1 + e)` for e from 0 to 1.
            #[inline(always)]
            pub fn ln_1p_of_fraction($e: $float) -> $float {
                $of_one_and
            }
        }
    };
}

/// The coefficients of P in `f32`.
pub const P: [f32; 8] = [
    -0.128_926_83,
    0.139_844_18,
    -0.121_838_85,
    0.140_058_76,
    -0.166_805_31,
    0.200_104_04,
    -0.249_997_96,
    0.333_332_15,
];

/// Those of `ln(1 + e) = e + e² Q(e)`, for e from 0 to 1.
pub const Q: [f32; 9] = [
    -3.317_842_5e-3,
    2.020_168_9e-2,
    -5.765_888_5e-2,
    0.106_799_796,
    -0.153_550_5,
    0.196_952_79,
    -0.249_585_64,
    0.333_305_1,
    -0.499_999_3,
];

logarithms!(
    f32, i32, u32, mantissa: 23, bias: 127,
    whole: 12_582_912.0, // 1.5 · 2²³
    ln_2: [0.693_359_4, -2.121_944_4e-4],
    subnormal: [8_388_608.0, 23.0], // 2²³
    least: 2.0 / 3.0,
    rest: |f, square| {
        let p = polynomial!(f, P);
        square * (f * p)
    },
    // Of its own, over the whole range: `e + e² Q(e)`, fitted as P is.
    of_one_and: |e| {
        let q = polynomial!(e, Q);
        (e * e).mul_add(q, e)
    }
);

logarithms!(
    f64, i64, u64, mantissa: 52, bias: 1023,
    whole: 6_755_399_441_055_744.0, // 1.5 · 2⁵²
    ln_2: [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10],
    subnormal: [4_503_599_627_370_496.0, 52.0], // 2⁵²
    least: std::f64::consts::FRAC_1_SQRT_2,
    rest: |f, square| {
        let s = f / (2.0 + f);
        let z = s * s;
        let r = polynomial!(z, [
            1.479_819_860_511_658_6e-1, 1.531_383_769_920_937_3e-1, 1.818_357_216_161_805e-1,
            2.222_219_843_214_978_4e-1, 2.857_142_874_366_239e-1, 3.999_999_999_940_941_6e-1,
            6.666_666_666_666_735e-1,
        ]);
        s * z.mul_add(r, 0.5 * square)
    },
    // Beyond √2, twice the half of it.
    of_one_and: |e| {
        let (k, f) = if e > 0.414_213_57 { (1.0, 0.5 * (e - 1.0)) } else { (0.0, e) };
        sum(k, f)
    }
);
