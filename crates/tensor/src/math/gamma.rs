//! `ln |Γ(x)|` and its derivatives: `digamma`, `trigamma`, and `polygamma` of any order.
//!
//! For x > 0, everything is said at `y = x + 12`, where the asymptotic series have all digits, and is
//! brought back by the recurrence `Γ(x + 1) = x Γ(x)`: what is subtracted cancels near the zeros of a
//! function, so that both sides are sums of two numbers. For x < 0 it is reflected; poles and angles
//! make that a branch, and `is_positive` tells loops where they can do without.
//!
//! The functions for `f32` are computed in `f64`: where `x > 0`, `lgamma` and `digamma` without
//! sums of two numbers, and the others as for `f64`.

use super::double_double::{add, mul, neg, product, recip, sum};
use super::polynomial;
use super::power::exact_ln;
use super::power::f64::powf;

/// How far an argument is moved up.
const STEPS: f64 = 12.0;

/// `π`.
const PI: [f64; 2] = [std::f64::consts::PI, 1.224_646_799_147_353_2e-16];

/// For each step but the first, written out, since an inner loop would keep the outer one from being
/// vectorized.
macro_rules! for_steps {
    ($k:ident, $body:block) => {
        for_steps!(@ $k $body 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 9.0 10.0 11.0)
    };
    (@ $k:ident $body:block $($value:literal)*) => {
        $({
            let $k = $value;
            $body
        })*
    };
}

/// `ln x` for x > 0.
#[inline(always)]
fn ln([x, low]: [f64; 2]) -> [f64; 2] {
    add(exact_ln(x), [low / x, 0.0])
}

/// x, or `x + 12` where x is below 12; and whether it is.
#[inline(always)]
fn raised(x: f64) -> ([f64; 2], bool) {
    let below = x < STEPS;
    (if below { sum(STEPS, x) } else { [x, 0.0] }, below)
}

/// `ln Γ(x)` for x > 0: `(y − ½)(ln y − 1) + ½ ln 2π − ½ + 1/(12y) − …`, less `ln x(x + 1)…(x + 11)`.
#[inline(always)]
fn ln_gamma(x: f64) -> [f64; 2] {
    // ½ ln 2π − ½
    const OFFSET: [f64; 2] = [0.418_938_533_204_672_8, -3.878_294_158_067_241_4e-17];
    const TWELFTH: [f64; 2] = [1.0 / 12.0, 4.625_929_269_271_485e-18];
    let (y, below) = raised(x);
    let main = mul(add(y, [-0.5, 0.0]), add(ln(y), [-1.0, 0.0]));
    let r = recip(y);
    let z = r[0] * r[0];
    let rest = r[0]
        * z
        * polynomial!(
            z,
            [
                -1.392_432_216_905_901_1,
                0.179_644_372_368_830_57,
                -2.955_065_359_477_124_2e-2,
                6.410_256_410_256_41e-3,
                -1.917_526_917_526_917_6e-3,
                8.417_508_417_508_417e-4,
                -5.952_380_952_380_953e-4,
                7.936_507_936_507_937e-4,
                -2.777_777_777_777_778e-3,
            ]
        );
    let there = add(add(main, OFFSET), add(mul(r, TWELFTH), [rest, 0.0]));
    let mut p = [x, 0.0];
    for_steps!(k, {
        p = mul(p, sum(k, x));
    });
    // Of a tiny number, Γ is the reciprocal, and the product would lose its digits.
    let is_tiny = x < TINY;
    let p = if is_tiny { [x, 0.0] } else { p };
    let less = ln(p);
    let y = add(there, neg(less));
    let y = if below { y } else { there };
    if is_tiny { neg(less) } else { y }
}

/// 2⁻⁶⁰.
const TINY: f64 = 8.673_617_379_884_035e-19;

/// `lgamma(1 + d) / d` for a small d.
#[inline(always)]
fn near_one(d: f64) -> f64 {
    polynomial!(
        d,
        [
            -9.095_401_714_582_904e-2,
            0.100_099_457_512_781_8,
            -0.111_334_265_869_564_69,
            0.125_509_669_524_743_04,
            -0.144_049_896_768_846_1,
            0.169_557_176_997_408_2,
            -0.207_385_551_028_673_98,
            0.270_580_808_427_784_54,
            -0.400_685_634_386_531_43,
            0.822_467_033_424_113_2,
            -0.577_215_664_901_532_9,
        ]
    )
}

/// `lgamma(2 + d) / d` for a small d.
#[inline(always)]
fn near_two(d: f64) -> f64 {
    polynomial!(
        d,
        [
            -4.492_623_673_813_314e-5,
            9.945_751_278_180_853e-5,
            -2.231_547_584_535_793_9e-4,
            5.096_695_247_430_425e-4,
            -1.192_753_911_703_261e-3,
            2.890_510_330_741_523_4e-3,
            -7.385_551_028_673_986e-3,
            2.058_080_842_778_454_6e-2,
            -6.735_230_105_319_81e-2,
            0.322_467_033_424_113_2,
            0.422_784_335_098_467_13,
        ]
    )
}

#[inline(always)]
fn lgamma_of_positive(x: f64) -> f64 {
    let [y, _] = ln_gamma(x);
    // Series around its zeros, 1 and 2.
    let y = if (x - 1.0).abs() < 0.015_625 { (x - 1.0) * near_one(x - 1.0) } else { y };
    let y = if (x - 2.0).abs() < 0.015_625 { (x - 2.0) * near_two(x - 2.0) } else { y };
    // From here on it overflows.
    if x > 2.556_348_163_871_690_6e305 { f64::INFINITY } else { y }
}

#[inline(always)]
fn lgamma(x: f64) -> f64 {
    if x > 0.0 || x.is_nan() { lgamma_of_positive(x) } else { lgamma_of_negative(x) }
}

/// `Γ(x) Γ(−x) = −π / (x sin πx)`.
#[cold]
fn lgamma_of_negative(x: f64) -> f64 {
    if x == x.floor() {
        return f64::INFINITY;
    }
    if -x < TINY {
        return -exact_ln(-x)[0];
    }
    const LN_PI: [f64; 2] = [1.144_729_885_849_400_2, 1.026_595_116_270_782_6e-17];
    let [sin, _] = sin_cos_pi(x);
    let sin = if sin[0] < 0.0 { neg(sin) } else { sin };
    let less = add(add(ln(sin), ln([-x, 0.0])), ln_gamma(-x));
    add(LN_PI, neg(less))[0]
}

/// `sin πx` and `cos πx`, with a sign for both.
#[cold]
fn sin_cos_pi(x: f64) -> [[f64; 2]; 2] {
    // To at most an eighth of a turn: whole quarters are taken off exactly.
    let quarters = (2.0 * x).round_ties_even();
    let u = mul(PI, [x - 0.5 * quarters, 0.0]);
    let z = neg(mul(u, u));
    // 1 − z/(2·3) (1 − z/(4·5) (…)), and the same with 1·2, 3·4, …
    let series = |first: f64| {
        (0..12).rev().fold([1.0, 0.0], |inner, i| {
            let k = first + 2.0 * f64::from(i);
            add([1.0, 0.0], mul(mul(z, recip([k * (k + 1.0), 0.0])), inner))
        })
    };
    let (sin, cos) = (mul(u, series(2.0)), series(1.0));
    match quarters.rem_euclid(4.0) as u8 {
        0 => [sin, cos],
        1 => [cos, neg(sin)],
        2 => [neg(sin), neg(cos)],
        _ => [neg(cos), sin],
    }
}

/// `x²`.
#[inline(always)]
fn square([x, x_low]: [f64; 2]) -> [f64; 2] {
    let [square, low] = product(x, x);
    [square, (2.0 * x).mul_add(x_low, low)]
}

/// The sum of `1/(x + k)` and of `1/(x + k)²` for k from 0 to 11.
#[inline(always)]
fn sums(x: f64) -> [[f64; 2]; 2] {
    let r = recip([x, 0.0]);
    let (mut first, mut second) = (r, square(r));
    for_steps!(k, {
        let r = recip(sum(k, x));
        first = add(first, r);
        second = add(second, square(r));
    });
    [first, second]
}

/// `ψ(x)` for x > 0: `ln y − 1/(2y) − 1/(12y²) + …`, less `1/x + … + 1/(x + 11)`.
#[inline(always)]
fn digamma_pair(x: f64) -> [f64; 2] {
    let (y, below) = raised(x);
    let [r, low] = recip(y);
    let z = r * r;
    let rest = z * polynomial!(
        z,
        [
            -26.456_212_121_212_122,
            3.053_954_330_270_119_8,
            -0.443_259_803_921_568_6,
            8.333_333_333_333_333e-2,
            -2.109_279_609_279_609_4e-2,
            7.575_757_575_757_576e-3,
            -4.166_666_666_666_667e-3,
            3.968_253_968_253_968e-3,
            -8.333_333_333_333_333e-3,
            8.333_333_333_333_333e-2,
        ]
    );
    let there = add(ln(y), [-0.5 * r, (-0.5f64).mul_add(low, -rest)]);
    let [less, _] = sums(x);
    let here = add(there, neg(less));
    if below { here } else { there }
}

/// The zero of `ψ` above 0.
const DIGAMMA_ROOT: [f64; 2] = [1.461_632_144_968_362_2, 9.549_995_429_965_697e-17];

/// `ψ(x) / d` for a small distance d of x from that zero.
#[inline(always)]
fn digamma_near_root(d: f64) -> f64 {
    polynomial!(
        d,
        [
            2.259_764_823_221_810_4e-2,
            -3.316_112_647_484_736e-2,
            4.880_428_816_414_311e-2,
            -7.219_956_125_645_471e-2,
            0.107_824_050_691_262_37,
            -0.163_942_705_442_406_52,
            0.258_499_760_955_651,
            -0.442_763_168_983_592_1,
            0.967_672_245_447_621_2,
        ]
    )
}

#[inline(always)]
fn digamma_of_positive(x: f64) -> f64 {
    let d = x - DIGAMMA_ROOT[0] - DIGAMMA_ROOT[1];
    let [y, _] = digamma_pair(x);
    // Around its zero, the series there.
    let y = if d.abs() < 0.007_812_5 { d * digamma_near_root(d) } else { y };
    // Of a tiny number it is −1/x, which may overflow.
    let reciprocal = -1.0 / x;
    let y = if x < 1e-300 { reciprocal } else { y };
    if x < f64::INFINITY { y } else { x }
}

#[inline(always)]
fn digamma(x: f64) -> f64 {
    if x > 0.0 || x.is_nan() { digamma_of_positive(x) } else { digamma_of_negative(x) }
}

/// `ψ(x) = ψ(−x) − 1/x − π cot πx`.
#[cold]
fn digamma_of_negative(x: f64) -> f64 {
    if x == 0.0 {
        return f64::INFINITY.copysign(-x);
    }
    if x == x.floor() {
        return f64::NAN;
    }
    if x > -TINY {
        return -1.0 / x;
    }
    let [sin, cos] = sin_cos_pi(x);
    let cot = mul(cos, recip(sin));
    let less = add(recip([x, 0.0]), mul(PI, cot));
    add(digamma_pair(-x), neg(less))[0]
}

/// `ψ′(x)` for x > 0: `1/y + 1/(2y²) + 1/(6y³) − …`, and `1/x² + … + 1/(x + 11)²`.
#[inline(always)]
fn trigamma_of_positive(x: f64) -> f64 {
    let (y, below) = raised(x);
    let [r, low] = recip(y);
    let z = r * r;
    let rest = r
        * z
        * polynomial!(
            z,
            [
                -529.124_242_424_242_4,
                54.971_177_944_862_156,
                -7.092_156_862_745_098,
                1.166_666_666_666_666_7,
                -0.253_113_553_113_553_1,
                7.575_757_575_757_576e-2,
                -3.333_333_333_333_333e-2,
                2.380_952_380_952_380_8e-2,
                -3.333_333_333_333_333e-2,
                0.166_666_666_666_666_66,
            ]
        );
    let there = add([r, low], [0.5 * z, rest]);
    let [_, more] = sums(x);
    let here = add(there, more);
    let [y, _] = if below { here } else { there };
    // Of a tiny number it is 1/x², which may overflow.
    let r = 1.0 / x;
    let y = if x < 1e-150 { r * r } else { y };
    if x == f64::INFINITY { 0.0 } else { y }
}

#[inline(always)]
fn trigamma(x: f64) -> f64 {
    if x > 0.0 || x.is_nan() { trigamma_of_positive(x) } else { trigamma_of_negative(x) }
}

/// `ψ′(x) = (π / sin πx)² − ψ′(1 − x)`.
#[cold]
fn trigamma_of_negative(x: f64) -> f64 {
    if x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x == x.floor() {
        return f64::INFINITY;
    }
    if x > -1e-150 {
        return (1.0 / x) * (1.0 / x);
    }
    let [sin, _] = sin_cos_pi(x);
    let ratio = mul(PI, recip(sin));
    add(mul(ratio, ratio), [-trigamma_of_positive(1.0 - x), 0.0])[0]
}

/// Hurwitz's `ζ(s, q) = Σ (q + k)⁻ˢ` for q > 0, by Euler and Maclaurin from `q + 12` on.
#[inline(always)]
fn zeta(s: f64, q: f64) -> f64 {
    // (t + low)⁻ˢ
    let power = |[t, low]: [f64; 2]| {
        let p = powf(t, -s);
        let change = s * (low / t);
        let changed = (-p).mul_add(change, p);
        if change == 0.0 { p } else { changed }
    };
    let mut total = [power([q, 0.0]), 0.0];
    for_steps!(k, {
        let [next, low] = sum(total[0], power(sum(k, q)));
        total = [next, total[1] + low];
    });
    let y = sum(STEPS, q);
    let r = 1.0 / y[0];
    // Bernoulli's numbers, over (2j)!
    const B: [f64; 12] = [
        8.333_333_333_333_333e-2,
        -1.388_888_888_888_889e-3,
        3.306_878_306_878_307e-5,
        -8.267_195_767_195_768e-7,
        2.087_675_698_786_81e-8,
        -5.284_190_138_687_493e-10,
        1.338_253_653_068_467_9e-11,
        -3.389_680_296_322_582_7e-13,
        8.586_062_056_277_845e-15,
        -2.174_868_698_558_062e-16,
        5.509_002_828_360_229_5e-18,
        -1.395_446_468_581_252_2e-19,
    ];
    let mut rest = 0.5 + y[0] / (s - 1.0);
    let mut factor = s * r;
    for (j, b) in B.into_iter().enumerate() {
        rest += b * factor;
        let k = s + 2.0 * j as f64;
        factor *= (k + 1.0) * r * ((k + 2.0) * r);
    }
    let [total, low] = total;
    let all = total + (low + power(y) * rest);
    // A sum that overflows has lost what is below it.
    let all = if total == f64::INFINITY { total } else { all };
    if q == f64::INFINITY { 0.0 } else { all }
}

/// `n!`, exactly as long as that is a number, and then within an ulp or two.
const FACTORIALS: [f64; 171] = {
    let (mut table, mut exact, mut n) = ([1.0; 171], 1_u128, 1);
    while n < 171 {
        if n < 35 {
            exact *= n as u128;
            table[n] = exact as f64;
        } else {
            table[n] = table[n - 1] * n as f64;
        }
        n += 1;
    }
    table
};

/// `(−1)ⁿ⁺¹ n!` for a whole n up to 170.
#[inline(always)]
fn signed_factorial(n: f64) -> f64 {
    let factorial = FACTORIALS[(n as usize).min(170)];
    if (0.5 * n).floor() == 0.5 * n { -factorial } else { factorial }
}

#[inline(always)]
fn polygamma_of_positive(x: f64, n: f64) -> f64 {
    signed_factorial(n) * zeta(n + 1.0, x)
}

#[inline(always)]
fn polygamma(x: f64, n: f64) -> f64 {
    if x > 0.0 || x.is_nan() { polygamma_of_positive(x, n) } else { polygamma_of_negative(x, n) }
}

/// The sum over all whole k of `(x + k)⁻ˢ`, less those that are not in `ζ(s, x)`.
#[cold]
fn polygamma_of_negative(x: f64, n: f64) -> f64 {
    if x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x == x.floor() {
        return signed_factorial(n) * f64::INFINITY;
    }
    let (s, r) = (n + 1.0, x - x.round_ties_even());
    let sign = if s % 2.0 == 0.0 { 1.0 } else { -1.0 };
    let all = powf(r, -s) + (zeta(s, 1.0 + r) + sign * zeta(s, 1.0 - r));
    signed_factorial(n) * (all - sign * zeta(s, 1.0 - x))
}

/// The product of `x + k` for k from 0 to 11, and its slope.
#[inline(always)]
fn rising(x: f64) -> [f64; 2] {
    let (mut p, mut slope) = (x, 1.0);
    for_steps!(k, {
        slope = (x + k).mul_add(slope, p);
        p *= x + k;
    });
    [p, slope]
}

/// [`lgamma_of_positive`] within 2⁻³⁵.
#[inline(always)]
fn lgamma_of_positive_for_f32(x: f64) -> f64 {
    let below = x < STEPS;
    let y = if below { x + STEPS } else { x };
    let r = 1.0 / y;
    let z = r * r;
    let rest = r * polynomial!(
        z,
        [
            8.417_508_417_508_417e-4,
            -5.952_380_952_380_953e-4,
            7.936_507_936_507_937e-4,
            -2.777_777_777_777_778e-3,
            1.0 / 12.0,
        ]
    );
    let ln = super::ln::f64::ln;
    let there = (y - 0.5).mul_add(ln(y) - 1.0, 0.418_938_533_204_672_8 + rest);
    // Of a number that is not below 12, the product is not needed, and may overflow.
    let [p, _] = rising(if below { x } else { 1.0 });
    let y = if below { there - ln(p) } else { there };
    let y = if (x - 1.0).abs() < 0.015_625 { (x - 1.0) * near_one(x - 1.0) } else { y };
    let y = if (x - 2.0).abs() < 0.015_625 { (x - 2.0) * near_two(x - 2.0) } else { y };
    if x == f64::INFINITY { x } else { y }
}

/// [`digamma_of_positive`] within 2⁻³⁵.
#[inline(always)]
fn digamma_of_positive_for_f32(x: f64) -> f64 {
    let below = x < STEPS;
    let y = if below { x + STEPS } else { x };
    let r = 1.0 / y;
    let z = r * r;
    let rest = z * polynomial!(
        z,
        [
            7.575_757_575_757_576e-3,
            -4.166_666_666_666_667e-3,
            3.968_253_968_253_968e-3,
            -8.333_333_333_333_333e-3,
            8.333_333_333_333_333e-2,
        ]
    );
    let there = super::ln::f64::ln(y) - (0.5 * r + rest);
    // The sum of 1/(x + k) is the slope of the logarithm of their product.
    let [p, slope] = rising(if below { x } else { 1.0 });
    let y = if below { there - slope / p } else { there };
    let d = x - DIGAMMA_ROOT[0] - DIGAMMA_ROOT[1];
    let y = if d.abs() < 0.007_812_5 { d * digamma_near_root(d) } else { y };
    if x == f64::INFINITY { x } else { y }
}

#[inline(always)]
fn lgamma_for_f32(x: f64) -> f64 {
    if x > 0.0 || x.is_nan() { lgamma_of_positive_for_f32(x) } else { lgamma_of_negative(x) }
}

#[inline(always)]
fn digamma_for_f32(x: f64) -> f64 {
    if x > 0.0 || x.is_nan() { digamma_of_positive_for_f32(x) } else { digamma_of_negative(x) }
}

macro_rules! gamma_functions {
    ($float:ident, $($name:ident: $of:ident)*) => {
        pub mod $float {
            $(
                #[inline(always)]
                pub fn $name(x: $float) -> $float {
                    super::$of(x.into()) as $float
                }
            )*

            #[inline(always)]
            pub fn polygamma(x: $float, n: $float) -> $float {
                super::polygamma(x.into(), n.into()) as $float
            }

            #[inline(always)]
            pub fn polygamma_of_positive(x: $float, n: $float) -> $float {
                super::polygamma_of_positive(x.into(), n.into()) as $float
            }
        }
    };
}

gamma_functions!(
    f32,
    lgamma: lgamma_for_f32 lgamma_of_positive: lgamma_of_positive_for_f32
    digamma: digamma_for_f32 digamma_of_positive: digamma_of_positive_for_f32
    trigamma: trigamma trigamma_of_positive: trigamma_of_positive
);
gamma_functions!(
    f64,
    lgamma: lgamma lgamma_of_positive: lgamma_of_positive
    digamma: digamma digamma_of_positive: digamma_of_positive
    trigamma: trigamma trigamma_of_positive: trigamma_of_positive
);
