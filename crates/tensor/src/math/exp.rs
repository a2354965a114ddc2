//! `exp`, `exp_m1` and the powers of two that they end with.
//!
//! `x = n ln 2 + r` with the nearest whole n, so that `|r| ≤ ½ ln 2` (Cody and Waite, 1980, with
//! `ln 2` in two parts), and `eʳ = 1 + r + r² P(r)`. The coefficients of P minimize the largest
//! relative error of `eʳ`, which is 2⁻²⁸ in `f32` and 2⁻⁶⁰ in `f64`; rounding makes it one ulp.

use super::polynomial;

macro_rules! exponentials {
    ($float:ident, $bits:ident, mantissa: $mantissa:literal, bias: $bias:literal,
     whole: $whole:literal, ln_2: [$ln_2_high:literal, $ln_2_low:literal],
     ends: [$lowest:literal, $highest:literal, $lowest_m1:literal], rest: $rest:tt) => {
        pub mod $float {
            use super::polynomial;

            /// Adding this number, whose last place is 1, rounds to a whole number n, which then
            /// stands in the last bits: `n + 2 bias`, whose halves are exponents.
            pub const WHOLE: $float = $whole;

            /// `ln 2`, in two parts.
            pub const LN_2: [$float; 2] = [$ln_2_high, $ln_2_low];

            /// The coefficients of P.
            pub const REST: &[$float] = &$rest;

            /// The bits of two factors that make `2ⁿ`, given `WHOLE + n`.
            ///
            /// Two, since n may be beyond the exponents of normal numbers: then the second product
            /// rounds gradually, once, and becomes 0 or infinite where it has to.
            #[inline(always)]
            pub fn power_of_two(shifted: $float) -> [$bits; 2] {
                let sum = shifted.to_bits();
                let half = sum >> 1;
                [half << $mantissa, sum.wrapping_sub(half) << $mantissa]
            }

            /// r, and the factors of `2ⁿ`, for x from `lowest` to `highest`.
            #[inline(always)]
            fn reduced(x: $float) -> ($float, [$bits; 2]) {
                let shifted = x.mul_add(std::$float::consts::LOG2_E, WHOLE);
                let n = shifted - WHOLE;
                let r = n.mul_add(-LN_2[1], n.mul_add(-LN_2[0], x));
                (r, power_of_two(shifted))
            }

            /// `P(r)`.
            #[inline(always)]
            fn rest(r: $float) -> $float {
                polynomial!(r, REST)
            }

            /// x, or the end beyond which results are 0 or infinite. NaN stays as it is.
            #[inline(always)]
            fn clamped(x: $float) -> $float {
                let x = if x < $lowest { $lowest } else { x };
                if x > $highest { $highest } else { x }
            }

            #[inline(always)]
            pub fn exp(x: $float) -> $float {
                let (r, [a, b]) = reduced(clamped(x));
                let e = r.mul_add(r.mul_add(rest(r), 1.0), 1.0);
                e * $float::from_bits(a) * $float::from_bits(b)
            }

            /// `scale · eˣ`, for `scale` from ½ to 2. Both are sums of a number and one that is far
            /// below it.
            #[inline(always)]
            pub fn scaled_exp([scale, scale_low]: [$float; 2], [x, low]: [$float; 2]) -> $float {
                let (r, [a, b]) = reduced(clamped(x));
                let r = r + low;
                let m1 = (r * r).mul_add(rest(r), r);
                (scale + scale.mul_add(m1, scale_low)) * $float::from_bits(a) * $float::from_bits(b)
            }

            #[inline(always)]
            pub fn exp_m1(x: $float) -> $float {
                let clamped = if x < $lowest_m1 { $lowest_m1 } else { x };
                let clamped = if clamped > $highest { $highest } else { clamped };
                let (r, [a, b]) = reduced(clamped);
                let m1 = (r * r).mul_add(rest(r), r);
                // 2ⁿ (m1 + 1) − 1 = b (a m1 + (a − 1/b)), where 2ⁿ = a b: no overflow on the way.
                let one: $bits = 2 * $bias << $mantissa;
                let one_over_b = $float::from_bits(one.wrapping_sub(b));
                let (a, b) = ($float::from_bits(a), $float::from_bits(b));
                let y = b * a.mul_add(m1, a - one_over_b);
                // Zero keeps its sign.
                if x == 0.0 { x } else { y }
            }
        }
    };
}

exponentials!(
    f32, u32, mantissa: 23, bias: 127,
    whole: 12_583_166.0, // 1.5 · 2²³ + 254
    ln_2: [0.693_359_4, -2.121_944_4e-4],
    ends: [-104.0, 90.0, -20.0],
    rest: [1.381_691_1e-3, 8.368_727e-3, 4.166_835_5e-2, 0.166_665_21, 0.499_999_94]
);

exponentials!(
    f64, u64, mantissa: 52, bias: 1023,
    whole: 6_755_399_441_057_790.0, // 1.5 · 2⁵² + 2046
    ln_2: [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10],
    ends: [-746.0, 711.0, -40.0],
    rest: [
        2.082_628_826_529_967_6e-9, 2.511_208_414_936_580_7e-8, 2.755_758_331_695_302e-7,
        2.755_723_472_649_751_5e-6, 2.480_158_692_439_07e-5, 1.984_126_989_651_981_6e-4,
        1.388_888_888_911_711e-3, 8.333_333_333_316_978e-3, 4.166_666_666_666_609e-2,
        0.166_666_666_666_666_82, 0.5,
    ]
);
