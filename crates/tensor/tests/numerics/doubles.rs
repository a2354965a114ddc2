//! `f64`, against the standard library, `libm` and exact values.

use super::{FUNCTIONS, is_close, moderate, scattered};
use lossgraph_tensor::Float;

#[test]
fn samples_of_f64_are_within_two_ulps_of_the_standard_library() {
    // No formula or library at hand has the last places of these right.
    let inexact = ["erfc", "sigmoid", "softplus"];
    for function in FUNCTIONS.iter().filter(|function| !inexact.contains(&function.name)) {
        let Some(exact) = function.exact else { continue };
        for bits in scattered().take(300_000) {
            for x in [f64::from_bits(bits), moderate(bits)] {
                let (got, expected) = ((function.f64)(x), exact(x));
                let name = function.name;
                assert!(is_close(got, expected), "{name}({x:e}) is {got:e}, not {expected:e}");
            }
        }
    }
}

#[test]
fn functions_without_a_reference_are_within_two_ulps_of_exact_values() {
    // By mpmath, with 200 bits.
    type Value = (fn(f64) -> f64, f64, f64);
    const EXACT: [Value; 54] = [
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
        (Float::sigmoid, -740.0, 4.2e-322),
        (Float::sigmoid, -708.5, 2.006132305331306e-308),
        (Float::sigmoid, -36.7, 1.1518409493076095e-16),
        (Float::sigmoid, -4.846455, 0.0077949399566415835),
        (Float::sigmoid, -1.0, 0.2689414213699951),
        (Float::sigmoid, -0.001, 0.4997500000208333),
        (Float::sigmoid, 1e-10, 0.500000000025),
        (Float::sigmoid, 0.3, 0.574442516811659),
        (Float::sigmoid, 2.0, 0.8807970779778824),
        (Float::sigmoid, 20.0, 0.9999999979388464),
        (Float::sigmoid, 36.5, 0.9999999999999999),
        (Float::softplus, -740.0, 4.2e-322),
        (Float::softplus, -708.5, 2.006132305331306e-308),
        (Float::softplus, -36.7, 1.1518409493076095e-16),
        (Float::softplus, -5.0, 0.006715348489118068),
        (Float::softplus, -0.7936977, 0.37305879130021197),
        (Float::softplus, -0.8813736, 0.34657358647808484),
        (Float::softplus, -0.001, 0.6926473055599401),
        (Float::softplus, 1e-10, 0.6931471806099453),
        (Float::softplus, 0.3, 0.8543552444685271),
        (Float::softplus, 2.0, 2.1269280110429727),
        (Float::softplus, 20.0, 20.000000002061153),
        (Float::softplus, 36.5, 36.5),
    ];
    for (f, x, exact) in EXACT {
        assert!(is_close(f(x), exact), "of {x:e} is {:e}, not {exact:e}", f(x));
    }
}
