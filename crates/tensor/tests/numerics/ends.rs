//! Zeros, infinities, NaN and angles of any size.

use super::{FUNCTIONS, is_close};
use lossgraph_tensor::Float;

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
        assert!(f(f32::INFINITY).is_nan() && f(f32::NEG_INFINITY).is_nan());
    }
    assert!(Float::sin(-0.0_f32).is_sign_negative() && Float::tan(-0.0_f64).is_sign_negative());
}

#[test]
fn nan_stays_nan() {
    for function in &FUNCTIONS {
        assert!((function.f32)(f32::NAN).is_nan(), "{}", function.name);
        assert!((function.f64)(-f64::NAN).is_nan(), "{}", function.name);
    }
}

#[test]
fn the_smallest_numbers_stay_what_they_are_where_the_slope_is_1() {
    let least = f64::from_bits(1);
    for f in [Float::exp_m1, Float::ln_1p, Float::sinh, Float::tanh, Float::sin, Float::tan] {
        let f: fn(f64) -> f64 = f;
        assert_eq!([f(least), f(-least), f(1e-310)], [least, -least, 1e-310]);
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
    assert_eq!([Float::erf(infinity), Float::erf(-infinity)], [1.0, -1.0]);
    assert_eq!([Float::erfc(infinity), Float::erfc(-infinity), Float::erfc(0.0)], [0.0, 2.0, 1.0]);
    assert_eq!([Float::sinh(-infinity), Float::cosh(-infinity)], [-infinity, infinity]);
    let odd = [Float::exp_m1, Float::ln_1p, Float::sinh, Float::tanh, Float::erf, Float::sin];
    for f in odd as [fn(f32) -> f32; 6] {
        assert!(f(-0.0).is_sign_negative() && f(0.0).is_sign_positive());
    }
    // Below the normal range, gradually.
    assert_eq!(Float::exp(-103.0_f32), (-103.0_f64).exp() as f32);
    assert_eq!(Float::ln(f32::from_bits(1)), f64::from(f32::from_bits(1)).ln() as f32);
}
