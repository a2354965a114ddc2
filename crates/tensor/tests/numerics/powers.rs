//! `powf`, against the standard library.

use super::{is_close, moderate, scattered, ulps};
use lossgraph_tensor::Float;

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
