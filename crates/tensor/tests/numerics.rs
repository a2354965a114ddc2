//! How far the elementary functions are from the exact values, in units in the last place.

use lossgraph_tensor::Float;

type Function<T> = (&'static str, fn(T) -> T, fn(f64) -> f64);

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

const F32: [Function<f32>; 7] = [
    ("exp", Float::exp, f64::exp),
    ("exp_m1", Float::exp_m1, f64::exp_m1),
    ("ln", Float::ln, f64::ln),
    ("ln_1p", Float::ln_1p, f64::ln_1p),
    ("tanh", Float::tanh, f64::tanh),
    ("sigmoid", Float::sigmoid, sigmoid),
    ("softplus", Float::softplus, softplus),
];

const F64: [Function<f64>; 5] = [
    ("exp", Float::exp, f64::exp),
    ("exp_m1", Float::exp_m1, f64::exp_m1),
    ("ln", Float::ln, f64::ln),
    ("ln_1p", Float::ln_1p, f64::ln_1p),
    ("tanh", Float::tanh, f64::tanh),
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

#[test]
#[ignore = "sweeps all 2³² inputs of each function, some minutes; docs/numerics.md has its table"]
fn all_of_f32_are_within_two_ulps() {
    println!("| function | largest error, ulp | at |\n|---|---|---|");
    for (name, f, exact) in F32 {
        let halves: Vec<(f64, f32)> = std::thread::scope(|scope| {
            let half = |start: u32, end: u32| {
                scope.spawn(move || {
                    let worst = (start..=end).map(|bits| {
                        let x = f32::from_bits(bits);
                        (ulps(f(x), exact(f64::from(x))), x)
                    });
                    worst.fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
                })
            };
            let halves = [half(0, u32::MAX / 2), half(u32::MAX / 2 + 1, u32::MAX)];
            halves.map(|half| half.join().unwrap()).into()
        });
        let worst = halves.into_iter().fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
        println!("| {name} | {:.2} | {:e} |", worst.0, worst.1);
        assert!(worst.0 <= 2.0, "{name}: {worst:?}");
    }
}

#[test]
fn samples_of_f64_are_within_two_ulps_of_the_standard_library() {
    for (name, f, expected) in F64 {
        // Exponents of all sizes, and mantissas that follow no pattern.
        let mut bits = 0x0123_4567_89ab_cdef_u64;
        for _ in 0..300_000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let near_one = f64::from_bits((bits >> 6) % (64 << 52) + (991 << 52));
            let near_one = if bits & 1 == 0 { near_one } else { -near_one };
            for x in [f64::from_bits(bits), near_one] {
                let (got, expected) = (f(x), expected(x));
                let close = got == expected
                    || got.is_nan() && expected.is_nan()
                    || (got - expected).abs() <= 2.0 * (expected.abs().next_up() - expected.abs());
                assert!(close, "{name}({x:e}) is {got:e}, not {expected:e}");
            }
        }
    }
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
    for f in [Float::exp_m1, Float::ln_1p, Float::tanh] as [fn(f32) -> f32; 3] {
        assert!(f(-0.0).is_sign_negative() && f(0.0).is_sign_positive());
        assert!(f(f32::NAN).is_nan());
    }
    // Below the normal range, gradually.
    assert_eq!(Float::exp(-103.0_f32), (-103.0_f64).exp() as f32);
    assert_eq!(Float::ln(f32::from_bits(1)), f64::from(f32::from_bits(1)).ln() as f32);
}
