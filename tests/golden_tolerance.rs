//! The comparison that the golden values are judged by, judged itself: it must see what is wrong.

#[path = "golden_runner/case.rs"]
#[allow(dead_code, reason = "the golden test uses the rest")]
mod case;
#[path = "golden_runner/compare.rs"]
#[allow(dead_code, reason = "the golden test uses the rest")]
mod compare;

use case::{Golden, number};
use compare::{FIRST, compare, compare_numbers};
use lossgraph_tensor::Tensor;
use serde_json::json;

/// How numbers differ from `recorded`, if they do.
fn difference(recorded: &[f64], got: &[f64]) -> Option<String> {
    compare_numbers("x", recorded, got, FIRST).err()
}

#[test]
fn a_difference_is_reported_with_its_index_and_both_values() {
    let recorded = Golden { shape: vec![2, 2], values: vec![1.0, 2.0, 3.0, 4.0], integer: false };
    let got = Tensor::new([2, 2], vec![1.0, 2.0, 3.5, 4.0]).unwrap();
    let error = compare("gradient of x", &recorded, &got, FIRST).unwrap_err();
    assert_eq!(error, "gradient of x at [1, 0]: expected 3.0, got 3.5, tolerance 4.01e-9");
}

#[test]
fn a_wrong_sign_or_factor_differs() {
    assert!(difference(&[0.5, -0.25], &[-0.5, 0.25]).is_some());
    assert!(difference(&[0.5, -0.25], &[1.0, -0.5]).is_some());
    assert!(difference(&[1e-9], &[-1e-9]).is_some());
}

#[test]
fn the_tolerance_is_absolute_plus_relative_to_the_largest() {
    // 1e-11 + 1e-9 · 100
    assert!(difference(&[100.0, 0.0], &[100.0, 0.99e-7]).is_none());
    assert!(difference(&[100.0, 0.0], &[100.0, 1.01e-7]).is_some());
    assert!(difference(&[0.0], &[0.9e-11]).is_none());
    assert!(difference(&[0.0], &[1.1e-11]).is_some());
}

#[test]
fn an_infinity_does_not_widen_the_tolerance() {
    assert!(difference(&[f64::INFINITY, 1.0], &[f64::INFINITY, 1.1]).is_some());
}

#[test]
fn nan_agrees_with_nan_and_an_infinity_with_its_sign() {
    assert!(difference(&[f64::NAN], &[f64::NAN]).is_none());
    assert!(difference(&[f64::NAN], &[0.0]).is_some());
    assert!(difference(&[0.0], &[f64::NAN]).is_some());
    assert!(difference(&[f64::INFINITY], &[f64::INFINITY]).is_none());
    assert!(difference(&[f64::INFINITY], &[f64::NEG_INFINITY]).is_some());
    assert!(difference(&[1.0], &[f64::INFINITY]).is_some());
}

#[test]
fn a_wrong_shape_differs_whatever_the_numbers() {
    let recorded = Golden { shape: vec![2, 1], values: vec![1.0, 2.0], integer: false };
    let got = Tensor::from([1.0, 2.0]);
    assert!(compare("x", &recorded, &got, FIRST).is_err());
}

#[test]
fn whole_numbers_agree_exactly_or_not_at_all() {
    let recorded = Golden { shape: vec![1], values: vec![3.0], integer: true };
    assert!(compare("x", &recorded, &Tensor::from([3_i64]), FIRST).is_ok());
    assert!(compare("x", &recorded, &Tensor::from([3.0 + 1e-12]), FIRST).is_err());
}

#[test]
fn the_extremes_are_compared_relative_to_the_largest() {
    let plain = FIRST.of(&json!({"tags": ["kink"]}));
    let extreme = FIRST.of(&json!({"tags": ["extreme"]}));
    assert_eq!((plain.relative, extreme.relative), (1e-9, 1e-6));
    assert_eq!(plain.absolute, extreme.absolute);
}

#[test]
fn words_stand_for_what_json_has_no_number_for() {
    assert!(number(&json!("NaN")).is_some_and(f64::is_nan));
    assert_eq!(number(&json!("-Infinity")), Some(f64::NEG_INFINITY));
    assert_eq!(number(&json!(5e-324)), Some(5e-324));
    assert_eq!(number(&json!("mean")), None);
}
