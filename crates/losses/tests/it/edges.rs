//! Where PyTorch is weak or surprising, and what the losses do there.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{
    BceWithLogits, CrossEntropy, KlDiv, Terms, asymmetric, bce, bce_with_logits,
    confidence_penalty, cosine_embedding, cross_entropy, distillation, huber, kl_div, mse, nll,
    poly, sigmoid_focal, smooth_l1, softmax_focal,
};
use lossgraph_tensor::Tensor;

const INF: f64 = f64::INFINITY;

fn gradient(loss: Var<'_>, of: Var<'_>) -> Vec<f64> {
    loss.tape().grad(loss, &[of])[0].value().unwrap().to_f64s()
}

#[test]
fn a_class_of_probability_0_has_the_slope_of_its_nll_in_the_target() {
    let tape = Tape::f64();
    let logits = tape.variable([[0.0, 3.0_f64.ln()]]);
    let target = tape.variable([[0.0, 1.0]]);
    let loss = cross_entropy(logits, target).sum();
    let slope = gradient(loss, target);
    assert!((slope[0] - 4.0_f64.ln()).abs() < 1e-12, "{slope:?}");
}

#[test]
fn a_logit_of_minus_infinity_with_probability_0_gives_no_nan() {
    let tape = Tape::f64();
    let logits = tape.variable([[0.0, f64::NEG_INFINITY, 0.0]]);
    let target = tape.variable([[0.5, 0.0, 0.5]]);
    let loss = cross_entropy(logits, target).sum();
    assert!((loss.item().unwrap() - 2.0_f64.ln()).abs() < 1e-12);
    assert_eq!(gradient(loss, logits), [0.0, 0.0, 0.0]);
    assert!(gradient(loss, target).iter().all(|x| !x.is_nan()), "{:?}", gradient(loss, target));
}

#[test]
fn the_slope_of_a_class_weight_is_0_if_all_labels_are_ignored() {
    let tape = Tape::f64();
    let logits = tape.variable([[1.0, 2.0], [f64::NAN, 4.0]]);
    let weight = tape.variable([1.0, 2.0]);
    let labels = tape.constant(vec![-100_i64, -100]);
    for label_smoothing in [0.0, 0.1] {
        let ce = CrossEntropy { weight: Some(weight), label_smoothing, ..CrossEntropy::default() };
        let loss = ce.forward(logits, labels).mean();
        assert!(loss.item().unwrap().is_nan());
        assert_eq!(gradient(loss, logits), [0.0; 4]);
        assert_eq!(gradient(loss, weight), [0.0; 2], "smoothing {label_smoothing}");
    }
}

#[test]
fn an_ignored_row_of_nan_is_not_seen_with_weights_and_smoothing() {
    let tape = Tape::f64();
    let logits = tape.variable([[1.0, 2.0], [f64::NAN, 4.0]]);
    let weight = tape.variable([1.0, 2.0]);
    let labels = tape.constant(vec![0_i64, -100]);
    for label_smoothing in [0.0, 0.1] {
        let ce = CrossEntropy { weight: Some(weight), label_smoothing, ..CrossEntropy::default() };
        for loss in [ce.forward(logits, labels).mean(), ce.forward(logits, labels).sum()] {
            assert!(loss.item().unwrap().is_finite());
            assert!(gradient(loss, logits).iter().all(|x| x.is_finite()));
            assert!(gradient(loss, weight).iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn labels_may_be_a_view_and_still_be_ignored() {
    let tape = Tape::f64();
    let logits = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
    let labels = tape.constant([[0_i64, -100]]).reshape([2]);
    let loss = cross_entropy(logits, labels).mean();
    assert!((loss.item().unwrap() - (1.0 + 1.0_f64.exp()).ln()).abs() < 1e-12);
    let log_p = tape.variable([[-1.0, -2.0], [-3.0, -4.0]]);
    assert_eq!(nll(log_p, labels).mean().item().unwrap(), 1.0);
}

#[test]
fn ignore_index_may_be_a_class_of_computed_labels() {
    let tape = Tape::f64();
    let logits = tape.variable([[1.0, 2.0], [4.0, 3.0]]);
    let labels = logits.argmax(1);
    let ce = CrossEntropy { ignore_index: 0, ..CrossEntropy::default() };
    assert!(
        (ce.forward(logits, labels).mean().item().unwrap() - (1.0 + (-1.0_f64).exp()).ln()).abs()
            < 1e-12
    );
}

#[test]
fn kl_div_with_a_target_of_0_has_no_nan_anywhere() {
    let tape = Tape::f64();
    let p = tape.variable([[0.0, f64::NEG_INFINITY]]);
    let t = tape.variable([[1.0, 0.0]]);
    let loss = kl_div(p, t).sum();
    assert_eq!(loss.item().unwrap(), 0.0);
    assert_eq!(gradient(loss, p), [-1.0, 0.0]);
    assert!(gradient(loss, t).iter().all(|x| !x.is_nan()), "{:?}", gradient(loss, t));
    let log_t = tape.variable([[0.0, f64::NEG_INFINITY]]);
    let loss = KlDiv { log_target: true, ..KlDiv::default() }.forward(p, log_t).sum();
    assert_eq!(loss.item().unwrap(), 0.0);
    assert!(gradient(loss, log_t).iter().all(|x| !x.is_nan()), "{:?}", gradient(loss, log_t));
}

#[test]
fn the_slope_of_bce_in_its_target_is_bounded() {
    let tape = Tape::f64();
    let (p, t) = (tape.variable([0.0, 1.0, 0.25]), tape.variable([1.0, 1.0, 0.5]));
    let loss = bce(p, t).sum();
    let slope = gradient(loss, t);
    assert_eq!(slope[..2], [100.0, -100.0]);
    assert!((slope[2] - 3.0_f64.ln()).abs() < 1e-12);
}

#[test]
fn bce_refuses_more_than_1_and_is_nan_there_if_computed() {
    let tape = Tape::f64();
    assert!(bce(tape.constant([1.5]), tape.constant([1.0])).mean().item().is_err());
    assert!(bce(tape.constant([1.5]) * 1.0, tape.constant([1.0])).mean().item().unwrap().is_nan());
}

#[test]
fn infinite_logits_of_bce_have_the_limit_as_slope() {
    let tape = Tape::f64();
    let z = tape.variable([INF, INF, -INF, -INF]);
    let t = tape.constant([1.0, 0.0, 0.0, 1.0]);
    for pos_weight in [None, Some(tape.constant(2.0))] {
        let loss = BceWithLogits { pos_weight, ..BceWithLogits::default() }.forward(z, t);
        let each = loss.unreduced().value().unwrap().to_f64s();
        assert_eq!([each[0], each[2]], [0.0, 0.0]);
        assert!(each[1] > 1e30 && each[3] > 1e30, "{each:?}");
        let c = if pos_weight.is_some() { 2.0 } else { 1.0 };
        assert_eq!(gradient(loss.sum(), z), [0.0, 1.0, 0.0, -c]);
    }
}

#[test]
fn thresholds_that_are_infinite_are_refused() {
    let tape = Tape::f64();
    let p = tape.variable([1.0, -2.0]);
    assert!(huber(p, p, INF).mean().item().is_err());
    assert!(smooth_l1(p, p, INF).mean().item().is_err());
}

#[test]
fn huber_holds_its_slope_at_infinite_errors() {
    let tape = Tape::f64();
    let p = tape.variable([INF, -INF, 3.0]);
    let loss = huber(p, tape.constant([0.0, 0.0, 0.0]), 2.0).sum();
    assert_eq!(gradient(loss, p), [2.0, -2.0, 2.0]);
}

#[test]
fn a_fault_is_reported_at_the_line_of_the_caller() {
    let tape = Tape::f64();
    let p = tape.variable([1.0, 2.0]);
    let t = tape.constant(Tensor::from([[1.0], [2.0]]));
    let line = line!() + 1;
    let error = mse(p, t).mean().item().unwrap_err();
    assert!(error.location().unwrap().ends_with(&format!("edges.rs:{line}")), "{error}");
    let line = line!() + 1;
    let error = huber(p, p, -1.0).mean().item().unwrap_err();
    assert!(error.location().unwrap().ends_with(&format!("edges.rs:{line}")), "{error}");
    let (logits, labels) = (tape.constant([[1.0, 2.0]]), tape.labels(&[2]));
    let line = line!() + 1;
    let error = cross_entropy(logits, labels).mean().item().unwrap_err();
    assert!(error.location().unwrap().ends_with(&format!("edges.rs:{line}")), "{error}");
}

#[test]
fn a_cosine_of_long_vectors_does_not_overflow_in_single_precision() {
    let tape = Tape::new();
    let a = tape.variable(vec![3e12_f32, 4e12]);
    let b = tape.variable(vec![3e12_f32, 4e12]);
    let loss = cosine_embedding(a, b, tape.constant(1.0), 0.0).sum();
    assert!(loss.item().unwrap().abs() < 1e-6);
}

#[test]
fn what_is_infinitely_sure_and_right_costs_nothing_and_wrong_everything() {
    let tape = Tape::f64();
    let z = tape.variable([INF, -INF]);
    let [right, wrong] = [[1.0, 0.0], [0.0, 1.0]].map(|t| tape.constant(t));
    type Run = for<'t> fn(Var<'t>, Var<'t>) -> Terms<'t>;
    let losses: [Run; 3] =
        [|z, t| sigmoid_focal(z, t, 2.0), |z, t| asymmetric(z, t), |z, t| bce_with_logits(z, t)];
    for (i, run) in losses.into_iter().enumerate() {
        let loss = run(z, right).sum();
        assert_eq!(
            (loss.item().unwrap(), gradient(loss, z)),
            (0.0, vec![0.0; 2]),
            "the loss at {i}"
        );
        let loss = run(z, wrong).unreduced();
        // What is below the clip costs the asymmetric loss little.
        assert_eq!(loss.value().unwrap().to_f64s()[1], INF, "the loss at {i}");
        assert!(gradient(loss.sum(..), z).iter().all(|x| x.is_finite()), "the loss at {i}");
    }
    let z = tape.variable([[INF, 0.0, 1.0]]);
    let losses: [Run; 3] =
        [|z, t| softmax_focal(z, t, 2.0), |z, t| cross_entropy(z, t), |z, t| poly(z, t, 1.0)];
    for (i, run) in losses.into_iter().enumerate() {
        let loss = run(z, tape.labels(&[0])).sum();
        assert_eq!(
            (loss.item().unwrap(), gradient(loss, z)),
            (0.0, vec![0.0; 3]),
            "the loss at {i}"
        );
        let loss = run(z, tape.labels(&[1])).sum();
        assert_eq!((loss.item().unwrap(), gradient(loss, z)[1]), (INF, -1.0), "the loss at {i}");
    }
}

#[test]
fn an_impossible_class_leaves_the_slopes_of_the_others() {
    let tape = Tape::f64();
    let z = tape.variable([[0.0, f64::NEG_INFINITY, 3.0_f64.ln()]]);
    let loss = confidence_penalty(z).sum();
    let without = tape.variable([[0.0, 3.0_f64.ln()]]);
    let expected = gradient(confidence_penalty(without).sum(), without);
    assert_eq!(gradient(loss, z), [expected[0], 0.0, expected[1]]);
    let teacher = tape.variable([[1.0, f64::NEG_INFINITY, 0.0]]);
    let loss = distillation(z, teacher, 2.0).sum();
    assert!(loss.item().unwrap().is_finite());
    for slope in [gradient(loss, z), gradient(loss, teacher)] {
        assert!(slope[1] == 0.0 && slope.iter().all(|x| x.is_finite()), "{slope:?}");
    }
}
