//! Elementary functions that become vector loops: without branches, tables or calls, so that the
//! compiler turns a loop over them into whole vectors under every instruction set.
//!
//! - `exp` and `exp_m1` take a multiple of `ln 2` off (Cody and Waite, 1980), which leaves
//!   `|r| ≤ ½ ln 2`, and evaluate `eʳ − 1 = r + r² P(r)`; the power of two is multiplied on in two
//!   halves, so that results below the normal range are rounded gradually, once.
//! - `ln` and `ln_1p` write `x = 2ᵉ (1 + f)` with `1 + f` around 1 and use the series of
//!   `s = f / (2 + f)` with the coefficients of Sun's fdlibm; `ln_1p` adds the part of `x` that
//!   `1 + x` lost to `f`.
//! - `tanh` is `1 − 2 / (e²ˣ + 1)`, and up to 0.625 `x + x³ R(x²)` with Cephes' R, where the first
//!   form would lose places.
//!
//! docs/numerics.md has the errors.

/// The functions for one float type.
macro_rules! maths {
    ($float:ident, $int:ident, $bits:ident, mantissa: $mantissa:literal, bias: $bias:literal,
     magic: $magic:literal, ln_2: [$ln_2_high:literal, $ln_2_low:literal],
     exp: [$lowest:literal, $highest:literal, $lowest_m1:literal], series: $series:expr,
     ln: [$root_half:expr, $scale:literal, $scaled:literal], logs: $logs:expr,
     tanh: [$tanh:literal, |$z:ident| $small:expr]) => {
        pub mod $float {
            /// `x = n ln 2 + r` with the nearest whole n: n, and `eʳ − 1`.
            #[inline(always)]
            fn reduced(x: $float) -> ($int, $float) {
                // Adding and taking off a number whose last place is 1 rounds to a whole number,
                // which then also stands in the last bits.
                let shifted = x.mul_add(std::$float::consts::LOG2_E, $magic);
                let n = shifted - $magic;
                let r = n.mul_add(-$ln_2_low, n.mul_add(-$ln_2_high, x));
                let mut p: $float = 0.0;
                for c in $series {
                    p = p.mul_add(r, c);
                }
                let magic: $float = $magic;
                let whole = (shifted.to_bits() as $int).wrapping_sub(magic.to_bits() as $int);
                (whole, (r * r).mul_add(p, r))
            }

            /// `2ⁿ` for n in the normal range.
            #[inline(always)]
            fn power_of_two(n: $int) -> $float {
                $float::from_bits((n.wrapping_add($bias) << $mantissa) as $bits)
            }

            #[inline(always)]
            pub fn exp(x: $float) -> $float {
                // Comparisons leave NaN as it is.
                let x = if x < $lowest { $lowest } else { x };
                let x = if x > $highest { $highest } else { x };
                let (n, m1) = reduced(x);
                let half = n >> 1;
                (m1 + 1.0) * power_of_two(half) * power_of_two(n - half)
            }

            #[inline(always)]
            pub fn exp_m1(x: $float) -> $float {
                let held = if x < $lowest_m1 { $lowest_m1 } else { x };
                let held = if held > $highest { $highest } else { held };
                let (n, m1) = reduced(held);
                // 2ⁿ (m1 + 1) − 1 = 2ᵇ (2ᵃ m1 + (2ᵃ − 2⁻ᵇ)), where n = a + b: no overflow on the way.
                let half = n >> 1;
                let (a, b) = (power_of_two(n - half), power_of_two(half));
                let y = b * a.mul_add(m1, a - power_of_two(-half));
                // Zero keeps its sign.
                if x == 0.0 { x } else { y }
            }

            /// `ln(x + lost)` for normal x > 0, where `lost` is far below the last place of x.
            #[inline(always)]
            fn ln_of(x: $float, lost: $float, shift: $int) -> $float {
                let root: $float = $root_half;
                let bits = x.to_bits() as $int;
                let e = bits.wrapping_sub(root.to_bits() as $int) >> $mantissa;
                let one_and_f = $float::from_bits(bits.wrapping_sub(e << $mantissa) as $bits);
                // At large exponents nothing that was lost counts; 2⁻ᵉ has to stay normal.
                let down = if e > $bias - 1 { $bias - 1 } else { e };
                let f = lost.mul_add(power_of_two(-down), one_and_f - 1.0);
                ln_series(f, (e - shift) as $float)
            }

            /// `k ln 2 + ln(1 + f)` for `1 + f` around 1.
            #[inline(always)]
            fn ln_series(f: $float, k: $float) -> $float {
                let s = f / (2.0 + f);
                let z = s * s;
                let mut r: $float = 0.0;
                for c in $logs {
                    r = r.mul_add(z, c);
                }
                let r = r * z;
                let half_square = 0.5 * f * f;
                let low = s.mul_add(half_square + r, k * $ln_2_low);
                k.mul_add($ln_2_high, f - (half_square - low))
            }

            /// The result for x > 0, or what stands at and beyond the ends.
            #[inline(always)]
            fn at_the_ends(x: $float, y: $float) -> $float {
                let y = if x == 0.0 { $float::NEG_INFINITY } else { y };
                let y = if x < 0.0 { $float::NAN } else { y };
                // Infinity and NaN stay.
                if x < $float::INFINITY { y } else { x }
            }

            #[inline(always)]
            pub fn ln(x: $float) -> $float {
                // Below the normal range, a power of two higher.
                let tiny = x < $float::MIN_POSITIVE;
                let normal = if tiny { x * $scale } else { x };
                let y = ln_of(normal, 0.0, if tiny { $scaled } else { 0 });
                at_the_ends(x, y)
            }

            #[inline(always)]
            pub fn ln_1p(x: $float) -> $float {
                let u = 1.0 + x;
                // Exact: what rounding took from the smaller of the two.
                let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
                let lost = if u < $float::INFINITY { lost } else { 0.0 };
                let y = at_the_ends(u, ln_of(u, lost, 0));
                if x == 0.0 { x } else { y }
            }

            /// `max(x, 0) + ln(1 + e^(−|x|))`: the logarithm is of a number from 1 to 2.
            #[inline(always)]
            pub fn softplus(x: $float) -> $float {
                let e = exp(-x.abs());
                // Beyond √2, of half of it.
                let large = e > 0.414_213_57;
                let (f, k) =
                    (if large { 0.5 * (e - 1.0) } else { e }, if large { 1.0 } else { 0.0 });
                (if x < 0.0 { 0.0 } else { x }) + ln_series(f, k)
            }

            #[inline(always)]
            pub fn tanh(x: $float) -> $float {
                let a = x.abs();
                // From here on it rounds to 1.
                let a = if a > $tanh { $tanh } else { a };
                let large = 1.0 - 2.0 / (exp(a + a) + 1.0);
                let $z = x * x;
                let small = (x * $z).mul_add($small, x);
                (if a > 0.625 { large } else { small }).copysign(x)
            }
        }
    };
}

maths!(
    f32, i32, u32, mantissa: 23, bias: 127,
    magic: 12_582_912.0, // 1.5 · 2²³
    ln_2: [0.693_359_4, -2.121_944_4e-4],
    exp: [-104.0, 89.0, -20.0],
    // Cephes' expf, from the highest power on.
    series: [
        1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5,
    ],
    ln: [0.707_106_77, 8_388_608.0, 23],
    logs: [0.242_790_79, 0.284_987_87, 0.400_009_72, 0.666_666_6],
    tanh: [
        10.0,
        |z| (((-5.704_988_7e-3 * z + 2.063_909e-2) * z - 5.373_971_6e-2) * z + 1.333_144_2e-1) * z
            - 3.333_328e-1
    ]
);

maths!(
    f64, i64, u64, mantissa: 52, bias: 1023,
    magic: 6_755_399_441_055_744.0, // 1.5 · 2⁵²
    ln_2: [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10],
    exp: [-746.0, 710.0, -40.0],
    // Taylor's, 1/13! to 1/2!: the next term is below 2⁻⁵⁷.
    series: [
        1.605_904_383_682_161_5e-10, 2.087_675_698_786_81e-9, 2.505_210_838_544_172e-8,
        2.755_731_922_398_589e-7, 2.755_731_922_398_589e-6, 2.480_158_730_158_73e-5,
        1.984_126_984_126_984e-4, 1.388_888_888_888_889e-3, 8.333_333_333_333_333e-3,
        4.166_666_666_666_666_4e-2, 0.166_666_666_666_666_66, 0.5,
    ],
    ln: [std::f64::consts::FRAC_1_SQRT_2, 4_503_599_627_370_496.0, 52],
    logs: [
        1.479_819_860_511_658_6e-1, 1.531_383_769_920_937_3e-1, 1.818_357_216_161_805e-1,
        2.222_219_843_214_978_4e-1, 2.857_142_874_366_239e-1, 3.999_999_999_940_941_6e-1,
        6.666_666_666_666_735e-1,
    ],
    tanh: [
        20.0,
        |z| ((-9.643_991_794_250_522e-1 * z - 99.287_723_100_191_86) * z - 1.614_687_684_417_084_5e3)
            / (((z + 1.128_116_784_916_329_3e2) * z + 2.235_488_390_601_004_5e3) * z
                + 4.844_063_053_251_255e3)
    ]
);
