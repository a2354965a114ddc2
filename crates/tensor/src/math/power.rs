//! Powers, and logarithms to other bases.
//!
//! `powf`: `xʸ = e^(y ln x)`, where `ln x` needs more digits than the result.
//!
//! In `f64` it is the sum of two numbers: `x = 2ᵏ (1 + f)` and `ln(1 + f) = 2 artanh s` with
//! `s = f / (2 + f)`, whose series `2s (1 + s²/3 + s⁴/5 + …)` is summed in two numbers up to the
//! term with s² (Dekker, A floating-point technique for extending the available precision, 1971).
//! For `f32`, the plain logarithm of `f64` has enough digits.
//!
//! Zeros, infinities, NaN and signs are those of C's `pow`.

use super::exp::f64::scaled_exp;
use super::ln::f64::{number, split};
use super::polynomial;

/// `ln x` for x ≥ 0 as a sum.
#[inline(always)]
pub(super) fn exact_ln(x: f64) -> [f64; 2] {
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const THIRD: [f64; 2] = [1.0 / 3.0, 1.850_371_707_708_594e-17];
    let (normal, shift) =
        if x < f64::MIN_POSITIVE { (x * 4_503_599_627_370_496.0, 52.0) } else { (x, 0.0) };
    let (k, one_and_f) = split(normal);
    let k = number(k) - shift;
    let f = one_and_f - 1.0;
    // s = f / (2 + f), in two numbers as all that follow.
    let divisor = 2.0 + f;
    let divisor_low = f - (divisor - 2.0);
    let reciprocal = 1.0 / divisor;
    let s = f * reciprocal;
    let s_low = s.mul_add(-divisor_low, s.mul_add(-divisor, f)) * reciprocal;
    let z = s * s;
    let z_low = s.mul_add(s, -z) + 2.0 * s * s_low;
    // u = s² (1/3 + s²/5 + …), of which the first term needs its low part.
    let rest = z * polynomial!(
        z,
        [
            1.0 / 25.0,
            1.0 / 23.0,
            1.0 / 21.0,
            1.0 / 19.0,
            1.0 / 17.0,
            1.0 / 15.0,
            1.0 / 13.0,
            1.0 / 11.0,
            1.0 / 9.0,
            1.0 / 7.0,
            1.0 / 5.0,
        ]
    );
    let w = THIRD[0] + rest;
    let w_low = THIRD[0] - w + rest + THIRD[1];
    let u = z * w;
    let u_low = z.mul_add(w, -u) + z.mul_add(w_low, z_low * w);
    // s (1 + u)
    let v = s * u;
    let v_low = s.mul_add(u, -v) + s.mul_add(u_low, s_low * u);
    let h = s + v;
    let h_low = s - h + v + (v_low + s_low);
    // k ln 2 + 2h, where k times the first part is exact.
    let whole = k * LN_2[0];
    let sum = whole + 2.0 * h;
    let low = whole - sum + 2.0 * h + k.mul_add(LN_2[1], 2.0 * h_low);
    let high = sum + low;
    let low = sum - high + low;
    let high = if x == 0.0 { f64::NEG_INFINITY } else { high };
    if x < f64::INFINITY { [high, low] } else { [x, 0.0] }
}

/// Whether y is a whole number.
#[inline(always)]
fn is_whole(y: f64) -> bool {
    // 2⁵²: adding it rounds to a whole number, and all from there on are.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let a = y.abs();
    a >= WHOLE || a + WHOLE - WHOLE == a
}

/// `xʸ`, given `ln |x|`.
#[inline(always)]
fn of_logarithm(x: f64, y: f64, [high, low]: [f64; 2]) -> f64 {
    let product = y * high;
    // Far beyond the largest and the smallest result, the low part is no longer far below.
    let counts = product.abs() < 800.0;
    let low = if counts { y.mul_add(low, y.mul_add(high, -product)) } else { 0.0 };
    let size = scaled_exp([1.0, 0.0], [product, low]);
    let whole = is_whole(y);
    // Odd powers have the sign of x, −0 and −∞ among them.
    let odd = whole && !is_whole(0.5 * y);
    let power = if odd { size.copysign(x) } else { size };
    // Of a negative finite number only whole powers are real.
    let power = if x < 0.0 && x > f64::NEG_INFINITY && !whole { f64::NAN } else { power };
    if x == 1.0 || y == 0.0 || x == -1.0 && y.abs() == f64::INFINITY { 1.0 } else { power }
}

/// `ln x` times a number.
#[inline(always)]
fn ln_times(x: f64, [c, c_low]: [f64; 2]) -> f64 {
    let [high, low] = exact_ln(x.abs());
    let y = high * c;
    let rest = high.mul_add(c, -y) + high.mul_add(c_low, low * c);
    // Infinities have no digits to add.
    let y = if y.abs() < f64::INFINITY { y + rest } else { y };
    if x < 0.0 { f64::NAN } else { y }
}

#[inline(always)]
fn log2(x: f64) -> f64 {
    ln_times(x, [std::f64::consts::LOG2_E, 2.035_527_374_093_103_3e-17])
}

#[inline(always)]
fn log10(x: f64) -> f64 {
    ln_times(x, [std::f64::consts::LOG10_E, 1.098_319_650_216_765e-17])
}

/// `2ˣ = e^(x ln 2)`, with the product as a sum.
#[inline(always)]
fn exp2(x: f64) -> f64 {
    const LN_2: [f64; 2] = [std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17];
    // Beyond, it is 0 or infinite.
    let x = if x < -1100.0 { -1100.0 } else { x };
    let x = if x > 1100.0 { 1100.0 } else { x };
    let product = x * LN_2[0];
    scaled_exp([1.0, 0.0], [product, x.mul_add(LN_2[1], x.mul_add(LN_2[0], -product))])
}

/// The larger and the smaller of two sizes, brought near 1 by a power of two, and the power.
#[inline(always)]
fn near_one(a: f64, b: f64) -> [f64; 3] {
    let (more, less) = if a > b { (a, b) } else { (b, a) };
    // The exponent alone; of subnormal numbers, the smallest.
    let normal = if more > f64::MIN_POSITIVE { more } else { f64::MIN_POSITIVE };
    let power = f64::from_bits(normal.to_bits() & f64::INFINITY.to_bits());
    let down = 1.0 / power;
    [more * down, less * down, power]
}

/// Distances whose squares are in range, for both types.
macro_rules! distances {
    ($float:ident, $bits:ident, least: $least:literal, most: $most:literal) => {
        /// `√(x² + y²)` for `x ≥ y ≥ 0` with squares in range, with what rounding takes from the sum.
        #[inline(always)]
        pub(super) fn root_of_squares(x: $float, y: $float) -> $float {
            let (x2, y2) = (x * x, y * y);
            let sum = x2 + y2;
            let low = (x2 - sum + y2) + (x.mul_add(x, -x2) + y.mul_add(y, -y2));
            let root = sum.sqrt();
            root + (low + (-root).mul_add(root, sum)) / (root + root)
        }

        /// Whether the larger is 0, or so far from the ends of the range that its square has all digits.
        #[inline(always)]
        pub fn squares_are_near(x: $float, y: $float) -> bool {
            const LEAST: $float = $least;
            const MOST: $float = $most;
            // As bits, NaN is larger than all numbers.
            let larger = x.abs().to_bits().max(y.abs().to_bits());
            larger == 0 || larger >= LEAST.to_bits() && larger <= MOST.to_bits()
        }

        #[inline(always)]
        pub fn hypot_near(x: $float, y: $float) -> $float {
            let (a, b) = (x.abs(), y.abs());
            let (more, less) = if a > b { (a, b) } else { (b, a) };
            let root = root_of_squares(more, less);
            if more == 0.0 { 0.0 } else { root }
        }
    };
}

/// `√(a² + b²)`.
#[inline(always)]
fn hypot(a: f64, b: f64) -> f64 {
    let (a, b) = (a.abs(), b.abs());
    let [x, y, power] = near_one(a, b);
    let root = if x > 0.0 { f64::root_of_squares(x, y) * power } else { 0.0 };
    let root = if a.is_nan() || b.is_nan() { f64::NAN } else { root };
    if a == f64::INFINITY || b == f64::INFINITY { f64::INFINITY } else { root }
}

/// `a / √(a² + b²)`: 0 at the origin; at infinity, that of the angle.
#[inline(always)]
fn cosine(a: f64, b: f64) -> f64 {
    let sizes = [a.abs(), b.abs()];
    let infinite = sizes[0] == f64::INFINITY || sizes[1] == f64::INFINITY;
    // Beside an infinite one, finite numbers are nothing.
    let reduced = |x: f64| {
        if x == f64::INFINITY {
            1.0
        } else if infinite {
            0.0 * x
        } else {
            x
        }
    };
    let sizes = sizes.map(reduced);
    let [x, y, power] = near_one(sizes[0], sizes[1]);
    let cosine = sizes[0] / power / f64::root_of_squares(x, y);
    let cosine = if sizes[0] == 0.0 { 0.0 } else { cosine };
    if a.is_nan() || b.is_nan() { f64::NAN } else { cosine.copysign(a) }
}

/// What is computed in `f64` here has digits enough without sums of two numbers.
pub mod f32 {
    use super::super::exp::f32::{WHOLE, power_of_two};
    use super::super::ln::f32::{number, or_special, split, sum};
    use super::super::ln::f64::ln;
    use super::super::polynomial;

    distances!(f32, u32, least: 1e-15, most: 1e18);

    /// k and `ln(1 + f)` of `x = 2ᵏ (1 + f)`.
    #[inline(always)]
    fn parts(x: f32) -> [f32; 2] {
        let subnormal = x < f32::MIN_POSITIVE;
        let (k, one_and_f) = split(if subnormal { x * 8_388_608.0 } else { x });
        let shift = if subnormal { 23.0 } else { 0.0 };
        [number(k) - shift, sum(0.0, one_and_f - 1.0)]
    }

    #[inline(always)]
    pub fn log2(x: f32) -> f32 {
        let [k, rest] = parts(x);
        or_special(x, rest.mul_add(std::f32::consts::LOG2_E, k))
    }

    #[inline(always)]
    pub fn log10(x: f32) -> f32 {
        // log₁₀ 2; products with the first part are exact.
        const LOG10_2: [f32; 2] = [0.300_781_25, 2.487_456_7e-4];
        // log₁₀ e less its nearest number.
        const LOG10_E_LOW: f32 = -1.010_305e-8;
        let [k, rest] = parts(x);
        // What rounding takes from the product counts where the two parts nearly cancel.
        let product = rest * std::f32::consts::LOG10_E;
        let lost = rest.mul_add(std::f32::consts::LOG10_E, -product);
        let low = k.mul_add(LOG10_2[1], rest.mul_add(LOG10_E_LOW, lost));
        or_special(x, k.mul_add(LOG10_2[0], product) + low)
    }

    /// `2ˣ = 2ⁿ (1 + r Q(r))` with the nearest whole n, so that `|r| ≤ ½`; the coefficients of Q
    /// minimize the largest relative error, 2⁻²⁸.
    #[inline(always)]
    pub fn exp2(x: f32) -> f32 {
        // Beyond, it is 0 or infinite.
        let x = if x < -151.0 { -151.0 } else { x };
        let x = if x > 129.0 { 129.0 } else { x };
        let shifted = x + WHOLE;
        let r = x - (shifted - WHOLE);
        let q = polynomial!(
            r,
            [
                1.535_336_2e-4,
                1.339_887_5e-3,
                9.618_437e-3,
                5.550_332_4e-2,
                0.240_226_48,
                std::f32::consts::LN_2,
            ]
        );
        let [a, b] = power_of_two(shifted).map(f32::from_bits);
        r.mul_add(q, 1.0) * a * b
    }

    /// Squares of all `f32` are in the range of `f64`; its roots take twice the time.
    #[inline(always)]
    pub fn hypot(x: f32, y: f32) -> f32 {
        let (a, b) = (f64::from(x), f64::from(y));
        let root = a.mul_add(a, b * b).sqrt() as f32;
        let root = if squares_are_near(x, y) { hypot_near(x, y) } else { root };
        if x.abs() == f32::INFINITY || y.abs() == f32::INFINITY { f32::INFINITY } else { root }
    }

    /// With the larger one scaled to less than 4, so that no square leaves the range.
    #[inline(always)]
    pub fn cosine(x: f32, y: f32) -> f32 {
        let larger = x.abs().to_bits().max(y.abs().to_bits());
        let exponent = (larger & f32::INFINITY.to_bits()).min(253 << 23);
        let down = f32::from_bits((254 << 23) - exponent);
        let (a, b) = (x * down, y * down);
        let cosine = a / a.mul_add(a, b * b).sqrt();
        let cosine = if x == 0.0 { x } else { cosine };
        let both = y.abs() == f32::INFINITY;
        let cosine = if both { 0.0_f32.copysign(x) } else { cosine };
        let far = if both { std::f32::consts::FRAC_1_SQRT_2 } else { 1.0 }.copysign(x);
        let cosine = if x.abs() == f32::INFINITY { far } else { cosine };
        if x.is_nan() || y.is_nan() { f32::NAN } else { cosine }
    }

    #[inline(always)]
    pub fn powf(x: f32, y: f32) -> f32 {
        let (x, y) = (f64::from(x), f64::from(y));
        super::of_logarithm(x, y, [ln(x.abs()), 0.0]) as f32
    }
}

pub mod f64 {
    distances!(f64, u64, least: 1e-120, most: 1e120);

    #[inline(always)]
    pub fn log2(x: f64) -> f64 {
        super::log2(x)
    }

    #[inline(always)]
    pub fn log10(x: f64) -> f64 {
        super::log10(x)
    }

    #[inline(always)]
    pub fn exp2(x: f64) -> f64 {
        super::exp2(x)
    }

    #[inline(always)]
    pub fn hypot(x: f64, y: f64) -> f64 {
        super::hypot(x, y)
    }

    #[inline(always)]
    pub fn cosine(x: f64, y: f64) -> f64 {
        super::cosine(x, y)
    }

    #[inline(always)]
    pub fn powf(x: f64, y: f64) -> f64 {
        super::of_logarithm(x, y, super::exact_ln(x.abs()))
    }
}
