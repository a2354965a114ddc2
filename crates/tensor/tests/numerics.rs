//! How far the elementary functions are from the exact values, in units in the last place.

use lossgraph_tensor::Float;

type Function<T> = (&'static str, fn(T) -> T, fn(f64) -> f64);

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

const F32: [Function<f32>; 14] = [
    ("exp", Float::exp, f64::exp),
    ("exp_m1", Float::exp_m1, f64::exp_m1),
    ("ln", Float::ln, f64::ln),
    ("ln_1p", Float::ln_1p, f64::ln_1p),
    ("sinh", Float::sinh, f64::sinh),
    ("cosh", Float::cosh, f64::cosh),
    ("tanh", Float::tanh, f64::tanh),
    ("sigmoid", Float::sigmoid, sigmoid),
    ("softplus", Float::softplus, softplus),
    ("sin", Float::sin, f64::sin),
    ("cos", Float::cos, f64::cos),
    ("tan", Float::tan, f64::tan),
    ("erf", Float::erf, libm::erf),
    ("erfc", Float::erfc, libm::erfc),
];

/// All but `erfc`, of which no library at hand has the last places right.
const F64: [Function<f64>; 11] = [
    ("exp", Float::exp, f64::exp),
    ("exp_m1", Float::exp_m1, f64::exp_m1),
    ("ln", Float::ln, f64::ln),
    ("ln_1p", Float::ln_1p, f64::ln_1p),
    ("sinh", Float::sinh, f64::sinh),
    ("cosh", Float::cosh, f64::cosh),
    ("tanh", Float::tanh, f64::tanh),
    ("sin", Float::sin, f64::sin),
    ("cos", Float::cos, f64::cos),
    ("tan", Float::tan, f64::tan),
    ("erf", Float::erf, libm::erf),
];

/// The distance from the exact value, in units of the last place of the nearest `f32`.
fn ulps(got: f32, exact: f64) -> f64 {
    let near = exact as f32;
    if got == near || got.is_nan() && near.is_nan() {
        return 0.0;
    }
    if !got.is_finite() || !near.is_finite() {
        // An infinity is one step beyond the largest number.
        let edge = f64::from(f32::MAX);
        let (got, near) = (f64::from(got).clamp(-edge, edge), exact.clamp(-edge, edge));
        let far = (got - near).abs() / (edge - f64::from(f32::MAX.next_down()));
        return if got.is_nan() || near.is_nan() { f64::INFINITY } else { far.max(1.0) };
    }
    let size = near.abs();
    let unit = f64::from(size.next_up()) - f64::from(size);
    (f64::from(got) - exact).abs() / unit
}

#[test]
fn samples_of_f32_are_within_two_ulps() {
    for (name, f, exact) in F32 {
        // Every 4099th of all bit patterns: all exponents, NaN and infinities among them.
        for bits in (0..u32::MAX).step_by(4099) {
            let x = f32::from_bits(bits);
            let error = ulps(f(x), exact(f64::from(x)));
            assert!(error <= 2.0, "{name}({x:e}) is {:e}, off by {error} ulps", f(x));
        }
    }
}

/// The largest error over all inputs of a function.
fn sweep(function: &str) {
    let (name, f, exact) = F32.into_iter().find(|(name, ..)| *name == function).unwrap();
    let half = |start: u32, end: u32| {
        let errors = (start..=end).map(|bits| {
            let x = f32::from_bits(bits);
            (ulps(f(x), exact(f64::from(x))), x)
        });
        errors.fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    };
    let (a, b) = std::thread::scope(|scope| {
        let negative = scope.spawn(|| half(u32::MAX / 2 + 1, u32::MAX));
        (half(0, u32::MAX / 2), negative.join().unwrap())
    });
    let worst = if b.0 > a.0 { b } else { a };
    println!("| {name} | {:.2} | {:e} |", worst.0, worst.1);
    assert!(worst.0 <= 2.0, "{name}: {worst:?}");
}

/// A test for each function, so that they can be run one by one.
macro_rules! sweeps {
    ($($name:ident)*) => {
        mod all_of_f32_are_within_two_ulps {
            $(
                #[test]
                #[ignore = "sweeps all 2³² inputs; docs/numerics.md has the table"]
                fn $name() {
                    super::sweep(stringify!($name));
                }
            )*
        }
    };
}

sweeps!(exp exp_m1 ln ln_1p sinh cosh tanh sigmoid softplus sin cos tan erf erfc);

/// Numbers whose bits follow no pattern (Knuth's MMIX generator).
fn scattered() -> impl Iterator<Item = u64> {
    let step = |bits: &u64| {
        let (factor, term) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        Some(bits.wrapping_mul(factor).wrapping_add(term))
    };
    std::iter::successors(Some(0x0123_4567_89ab_cdef), step).map(|bits| bits ^ (bits >> 29))
}

/// A number from 2⁻³² to 2³², of either sign.
fn moderate(bits: u64) -> f64 {
    let x = f64::from_bits((bits >> 6) % (64 << 52) + (991 << 52));
    if bits & 1 == 0 { x } else { -x }
}

fn is_close(got: f64, expected: f64) -> bool {
    got == expected
        || got.is_nan() && expected.is_nan()
        || (got - expected).abs() <= 2.0 * (expected.abs().next_up() - expected.abs())
}

#[test]
fn samples_of_f64_are_within_two_ulps_of_the_standard_library() {
    for (name, f, expected) in F64 {
        for bits in scattered().take(300_000) {
            for x in [f64::from_bits(bits), moderate(bits)] {
                let (got, expected) = (f(x), expected(x));
                assert!(is_close(got, expected), "{name}({x:e}) is {got:e}, not {expected:e}");
            }
        }
    }
}

#[test]
fn the_error_functions_are_within_two_ulps_of_exact_values() {
    // By mpmath, with 200 bits.
    type Value = (fn(f64) -> f64, f64, f64);
    const EXACT: [Value; 31] = [
        (Float::erf, 1e-300, 1.1283791670955126e-300),
        (Float::erf, 1e-10, 1.1283791670955126e-10),
        (Float::erf, 0.1, 0.1124629160182849),
        (Float::erf, 0.3, 0.3286267594591274),
        (Float::erf, 0.47, 0.4937450508860821),
        (Float::erf, 0.48, 0.5027496706947648),
        (Float::erf, 0.7, 0.6778011938374184),
        (Float::erf, 1.0, 0.8427007929497149),
        (Float::erf, 1.5, 0.9661051464753108),
        (Float::erf, 2.0, 0.9953222650189527),
        (Float::erf, 3.0, 0.9999779095030014),
        (Float::erf, 5.0, 0.9999999999984626),
        (Float::erf, 5.9, 0.9999999999999999),
        (Float::erfc, -7.0, 2.0),
        (Float::erfc, -2.0, 1.9953222650189528),
        (Float::erfc, -0.5, 1.5204998778130465),
        (Float::erfc, -1e-05, 1.0000112837916706),
        (Float::erfc, 0.1, 0.887537083981715),
        (Float::erfc, 0.4, 0.5716076449533315),
        (Float::erfc, 0.48, 0.4972503293052351),
        (Float::erfc, 0.6, 0.3961439091520741),
        (Float::erfc, 1.0, 0.15729920705028513),
        (Float::erfc, 1.7, 0.01620954140922544),
        (Float::erfc, 2.5, 0.0004069520174449589),
        (Float::erfc, 4.0, 1.541725790028002e-08),
        (Float::erfc, 7.0, 4.183825607779414e-23),
        (Float::erfc, 11.0, 1.4408661379436948e-54),
        (Float::erfc, 17.75, 4.694993499922695e-139),
        (Float::erfc, 22.0, 1.6219058609334726e-212),
        (Float::erfc, 26.5, 2.2109076642637343e-307),
        (Float::erfc, 27.2, 1e-323),
    ];
    for (f, x, exact) in EXACT {
        assert!(is_close(f(x), exact), "of {x:e} is {:e}, not {exact:e}", f(x));
    }
}

#[test]
fn samples_of_powers_are_within_two_ulps() {
    let bits: Vec<u64> = scattered().take(400_000).collect();
    for pair in bits.chunks_exact(2) {
        let (any, x) = (f64::from_bits(pair[0]), moderate(pair[0]).abs());
        // An exponent that keeps the power a finite number, and whole ones.
        let y = (pair[1] as i64) as f64 / i64::MAX as f64 * 745.0 / x.ln().abs();
        for (x, y) in [(x, y), (-x, y.round()), (any, (y % 8.0).round()), (any, moderate(pair[1]))]
        {
            // A signalling NaN is NaN even to the power of 0 in some libraries.
            if x.is_nan() {
                continue;
            }
            let (got, expected) = (Float::powf(x, y), x.powf(y));
            assert!(is_close(got, expected), "{x:e} to {y:e} is {got:e}, not {expected:e}");
            let (x, y) = (x as f32, y as f32);
            let error = ulps(Float::powf(x, y), f64::from(x).powf(y.into()));
            assert!(error <= 2.0, "{x:e} to {y:e} is {:e}: {error} ulps", Float::powf(x, y));
        }
    }
}

#[test]
fn powers_at_the_ends_are_those_of_c() {
    let numbers = [0.0, 1.0, 0.5, 2.0, 2.5, 3.0, f32::MAX, f32::INFINITY, f32::NAN, 1e-45, 1e-30];
    let numbers: Vec<f32> = numbers.into_iter().flat_map(|x| [x, -x]).collect();
    for &x in &numbers {
        for &y in &numbers {
            let (got, expected) = (Float::powf(x, y), x.powf(y));
            let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
            assert!(
                same || ulps(got, expected.into()) <= 1.0 && got != 0.0,
                "{x:e} to {y:e} is {got:e}"
            );
            let (got, expected) =
                (Float::powf(f64::from(x), y.into()), f64::from(x).powf(y.into()));
            assert!(is_close(got, expected), "{x:e} to {y:e} is {got:e}");
            assert!(got.is_nan() || got.is_sign_negative() == expected.is_sign_negative());
        }
    }
}

#[test]
fn angles_of_any_size_are_reduced_exactly() {
    // By mpmath, with 1300 bits.
    assert!(is_close(Float::sin(1e22_f64), -0.852_200_849_767_188_8));
    assert!(is_close(Float::cos(1e22_f64), 0.523_214_785_395_138_9));
    assert!(is_close(Float::sin(f64::MAX), 4.961_954_789_184_062e-3));
    // The double that comes closest to a multiple of π/2.
    let closest = 6_381_956_970_095_103.0 * 2.0_f64.powi(797);
    assert!(is_close(Float::cos(closest), -4.687_165_924_254_628e-19));
    for f in [Float::sin, Float::cos, Float::tan] as [fn(f32) -> f32; 3] {
        assert!(f(f32::INFINITY).is_nan() && f(f32::NEG_INFINITY).is_nan() && f(f32::NAN).is_nan());
    }
    assert!(Float::sin(-0.0_f32).is_sign_negative() && Float::tan(-0.0_f64).is_sign_negative());
}

#[test]
fn the_ends_and_signed_zeros_are_right() {
    let infinity = f32::INFINITY;
    assert_eq!(
        [Float::exp(infinity), Float::exp(-infinity), Float::exp(-0.0_f32)],
        [infinity, 0.0, 1.0]
    );
    assert_eq!(
        [Float::ln(0.0_f32), Float::ln(infinity), Float::ln(1.0_f32)],
        [-infinity, infinity, 0.0]
    );
    assert_eq!([Float::ln_1p(-1.0_f32), Float::ln_1p(infinity)], [-infinity, infinity]);
    assert_eq!([Float::exp_m1(infinity), Float::exp_m1(-infinity)], [infinity, -1.0]);
    assert_eq!([Float::tanh(infinity), Float::tanh(-infinity)], [1.0, -1.0]);
    assert!(Float::ln(-1.0_f32).is_nan() && Float::ln_1p(-1.5_f32).is_nan());
    assert_eq!([Float::erf(infinity), Float::erf(-infinity)], [1.0, -1.0]);
    assert_eq!([Float::erfc(infinity), Float::erfc(-infinity), Float::erfc(0.0)], [0.0, 2.0, 1.0]);
    assert_eq!([Float::sinh(-infinity), Float::cosh(-infinity)], [-infinity, infinity]);
    let odd = [Float::exp_m1, Float::ln_1p, Float::sinh, Float::tanh, Float::erf, Float::sin];
    for f in odd as [fn(f32) -> f32; 6] {
        assert!(f(-0.0).is_sign_negative() && f(0.0).is_sign_positive());
        assert!(f(f32::NAN).is_nan());
    }
    // Below the normal range, gradually.
    assert_eq!(Float::exp(-103.0_f32), (-103.0_f64).exp() as f32);
    assert_eq!(Float::ln(f32::from_bits(1)), f64::from(f32::from_bits(1)).ln() as f32);
}
