//! What losses of numbers, masks, boxes and pictures refuse, and what they give at the ends of their
//! domains.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{
    AdaptiveWing, Dice, ElasticNet, FocalTversky, GaussianNll, LovaszHinge, LovaszSoftmax, Masks,
    MsSsim, Mse, PoissonNll, Rmse, Scores, Ssim, Terms, Tweedie, cauchy, charbonnier, dice,
    geman_mcclure, generalized_dice, giou, huber, iou, jaccard, lambda_rank, log_cosh,
    lovasz_hinge, lovasz_softmax, mape, msle, poisson_nll, pseudo_huber, psnr, quantile, rmse,
    smape, ssim, total_variation, tukey_biweight, tweedie, welsch, wing,
};

fn gradient(loss: Var<'_>, of: Var<'_>) -> Vec<f64> {
    loss.tape().grad(loss, &[of])[0].value().unwrap().to_f64s()
}

fn why(terms: Terms<'_>) -> String {
    terms.sum().item().unwrap_err().to_string()
}

#[test]
fn data_outside_of_the_domain_is_refused_by_name() {
    let tape = Tape::f64();
    let one = tape.constant([1.0]);
    let (low, zero, high) = (tape.constant([-1.0]), tape.constant([0.0]), tape.constant([2.5]));
    assert!(why(poisson_nll(one, low)).contains("target holds -1, expected counts from 0"));
    let rate = PoissonNll { log_input: false, ..PoissonNll::default() };
    assert!(why(rate.forward(low, one)).contains("prediction holds -1"));
    assert!(why(msle(one, low)).contains("target holds -1, expected numbers above −1"));
    assert!(why(tweedie(zero, one, 1.5)).contains("prediction holds 0"));
    assert!(why(tweedie(one, zero, 2.0)).contains("target holds 0"));
    assert!(why(AdaptiveWing::default().forward(one, high)).contains("target holds 2.5"));
    let var = GaussianNll::default().forward(one, one, low);
    assert!(why(var).contains("var holds -1, expected variances from 0"));
    assert!(why(dice(one, high)).contains("target holds 2.5"));
    assert!(why(lovasz_hinge(tape.constant([[1.0]]), tape.constant([[0.5]]))).contains("0 or 1"));
    let flipped = tape.constant([[2.0, 0.0, 1.0, 1.0]]);
    assert!(
        why(iou(flipped, flipped)).contains("expected finite corners with x1 ≤ x2 and y1 ≤ y2")
    );
    // At whichever corner, and on whichever side.
    for corner in 0..4 {
        for end in [f64::NEG_INFINITY, f64::INFINITY] {
            let mut corners = [0.0, 0.0, 1.0, 1.0];
            corners[corner] = end;
            let endless = tape.constant([corners]);
            assert!(why(giou(endless, endless)).contains("expected finite corners"), "{corners:?}");
        }
    }
}

#[test]
fn whole_numbers_outside_of_the_domain_are_refused_too() {
    let tape = Tape::f64();
    assert!(why(poisson_nll(tape.constant([1.0]), tape.constant([-1_i64]))).contains("holds -1"));
    let mask = tape.constant([[2_i64, 0]]);
    assert!(why(lovasz_hinge(tape.constant([[1.0, 2.0]]), mask)).contains("target holds 2"));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let tape = Tape::f64();
    let x = tape.constant([[0.5, 0.5]]);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(why(charbonnier(x, x, bad)).contains("eps is"));
        assert!(why(welsch(x, x, bad)).contains("c is"));
        assert!(why(psnr(x, x, bad)).contains("data_range is"));
    }
    assert!(why(quantile(x, x, 1.5)).contains("quantile is 1.5, expected 0 to 1"));
    assert!(why(tweedie(x, x, 0.5)).contains("power is 0.5"));
    assert!(
        why(ElasticNet { l1_ratio: 2.0, ..ElasticNet::default() }.forward(&tape, &[x]))
            .contains("l1_ratio is 2")
    );
    let smooth = Dice { smooth: -1.0, ..Dice::default() };
    assert!(why(smooth.forward(x, x)).contains("smooth is -1"));
    let weight = Some(tape.constant([1.0, 1.0]));
    let masks = Masks { class_weight: weight, ..Masks::default() };
    assert!(why(Dice { masks, ..Dice::default() }.forward(x, x)).contains("per_class"));
    assert!(why(giou(x, x)).contains("boxes are […, 4]"));
    assert!(why(total_variation(tape.constant([1.0]))).contains("[…, height, width]"));
}

#[test]
fn a_perfect_prediction_has_slope_0_where_a_root_or_logarithm_has_none() {
    let tape = Tape::f64();
    let p = tape.variable([[1.0, 2.0]]);
    let t = tape.constant([[1.0, 2.0]]);
    for per_example in [false, true] {
        let loss = Rmse { per_example, ..Rmse::default() }.forward(p, t).sum();
        assert_eq!((loss.item().unwrap(), gradient(loss, p)), (0.0, vec![0.0, 0.0]));
    }
    let loss = psnr(p, t, 1.0).sum();
    assert_eq!((loss.item().unwrap(), gradient(loss, p)), (f64::NEG_INFINITY, vec![0.0, 0.0]));
    let mask = tape.variable([[1.0, 0.0]]);
    let masks = Masks { scores: Scores::Probabilities, ..Masks::default() };
    let loss = FocalTversky { masks, ..FocalTversky::default() };
    let loss = loss.forward(mask, tape.constant([[1.0, 0.0]])).sum();
    assert_eq!((loss.item().unwrap(), gradient(loss, mask)), (0.0, vec![0.0, 0.0]));
}

#[test]
fn nothing_predicted_of_nothing_is_no_error() {
    let tape = Tape::f64();
    let p = tape.variable([0.0, 1.0]);
    let loss = smape(p, tape.constant([0.0, 1.0])).sum();
    assert_eq!((loss.item().unwrap(), gradient(loss, p)), (0.0, vec![0.0, 0.0]));
    let masks = Masks { scores: Scores::Probabilities, ..Masks::default() };
    let empty = tape.variable([[0.0, 0.0]]);
    let terms = Dice { masks, ..Dice::default() }.forward(empty, tape.constant([[0.0, 0.0]]));
    assert_eq!(terms.sum().item().unwrap(), 0.0);
}

#[test]
fn nan_is_not_swallowed() {
    let tape = Tape::f64();
    let (nan, one) = (tape.constant([[f64::NAN, 1.0]]), tape.constant([[1.0, 1.0]]));
    let terms = [
        rmse(nan, one),
        log_cosh(nan, one),
        quantile(nan, one, 0.3),
        mape(nan, one),
        smape(nan, one),
        tukey_biweight(nan, one, 1.0),
        poisson_nll(nan, one),
        tweedie(nan, one, 1.5),
        psnr(nan, one, 1.0),
        dice(nan, one),
        jaccard(nan, one),
        lovasz_hinge(nan, one),
    ];
    for (i, terms) in terms.into_iter().enumerate() {
        assert!(terms.sum().item().unwrap().is_nan(), "the loss at {i}");
    }
}

#[test]
fn a_small_error_keeps_its_digits_in_single_precision() {
    let tape = Tape::new();
    let p = tape.variable([1e-4]);
    let loss = log_cosh(p, tape.constant([0.0])).sum();
    assert!((loss.item().unwrap() / 5e-9 - 1.0).abs() < 1e-5);
    assert!((gradient(loss, p)[0] / 1e-4 - 1.0).abs() < 1e-5);
    let p = tape.variable([1e-4]);
    let loss = tukey_biweight(p, tape.constant([0.0]), 1.0).sum();
    assert!((loss.item().unwrap() / 5e-9 - 1.0).abs() < 1e-5);
}

#[test]
fn a_count_of_0_at_a_rate_of_0_costs_nothing() {
    let tape = Tape::f64();
    let ln_rate = tape.variable([f64::NEG_INFINITY]);
    let loss = poisson_nll(ln_rate, tape.constant([0.0])).sum();
    assert_eq!((loss.item().unwrap(), gradient(loss, ln_rate)), (0.0, vec![0.0]));
}

#[test]
fn the_deviance_of_a_target_of_0_is_finite_with_its_slopes() {
    let tape = Tape::f64();
    for power in [1.0, 1.5] {
        let (mean, t) = (tape.variable([2.0]), tape.variable([0.0]));
        let loss = Tweedie { power, ..Tweedie::default() }.forward(mean, t).sum();
        assert!(loss.item().unwrap().is_finite(), "power {power}");
        for slope in [gradient(loss, mean), gradient(loss, t)] {
            assert!(slope[0].is_finite(), "power {power}: {slope:?}");
        }
    }
}

#[test]
fn a_variance_below_its_least_has_the_slope_of_the_least() {
    let tape = Tape::f64();
    let (p, t) = (tape.constant([1.0, 1.0]), tape.constant([0.0, 0.0]));
    let var = tape.variable([0.01, 0.5]);
    let loss = GaussianNll { eps: 0.5, ..GaussianNll::default() }.forward(p, t, var).sum();
    assert_eq!(gradient(loss, var), [-1.0, -1.0]); // ½ (1 − 1/½) / ½
}

/// A loss of one number, with the value and slope that it has at an error.
type OfError = fn(f64) -> [f64; 2];

#[test]
fn robust_losses_are_right_at_errors_whose_squares_are_beyond_the_type() {
    type Run = for<'t> fn(Var<'t>, Var<'t>) -> Terms<'t>;
    let losses: [(&str, Run, OfError); 9] = [
        ("geman_mcclure", |p, t| geman_mcclure(p, t, 1.0), |_| [0.5, 0.0]),
        ("pseudo_huber", |p, t| pseudo_huber(p, t, 1.0), |x| [x, 1.0]),
        ("charbonnier", |p, t| charbonnier(p, t, 1e-3), |x| [x, 1.0]),
        ("cauchy", |p, t| cauchy(p, t, 0.1), |x| [0.01 * (x / 0.1).ln(), 0.01 / x]),
        ("welsch", |p, t| welsch(p, t, 1.0), |_| [0.5, 0.0]),
        ("tukey_biweight", |p, t| tukey_biweight(p, t, 1.0), |_| [1.0 / 6.0, 0.0]),
        ("huber", |p, t| huber(p, t, 1.0), |x| [x, 1.0]),
        ("log_cosh", |p, t| log_cosh(p, t), |x| [x, 1.0]),
        ("wing", |p, t| wing(p, t), |x| [x, 1.0]),
    ];
    for (name, run, expected) in losses {
        let sizes = [(Tape::new(), 1e20), (Tape::new(), 1e37), (Tape::f64(), 1e307)];
        for (tape, size) in sizes {
            let p = tape.variable([size]);
            let loss = run(p, tape.constant([0.0])).sum();
            let slope = tape.grad(loss, &[p])[0];
            let second = tape.grad(slope.sum(..), &[p])[0].value().unwrap().to_f64s()[0];
            let (got, slope) = (loss.item().unwrap(), slope.value().unwrap().to_f64s()[0]);
            let [value, expected] = expected(size);
            assert!((got / value - 1.0).abs() < 1e-5, "{name} at {size}: {got}, not {value}");
            assert!((slope - expected).abs() < 1e-6, "{name} at {size}: slope {slope}");
            assert!(second.abs() < 1e-6, "{name} at {size}: second derivative {second}");
        }
    }
}

#[test]
fn robust_losses_keep_their_second_derivative_where_they_bend() {
    let tape = Tape::f64();
    let p = tape.variable([0.6]);
    let t = tape.constant([0.0]);
    let r = 1.36_f64;
    let expected = [
        (geman_mcclure(p, t, 1.0), (1.0 - 3.0 * 0.36) / r.powi(3)),
        (pseudo_huber(p, t, 1.0), r.powf(-1.5)),
        (charbonnier(p, t, 1.0), r.powf(-1.5)),
        (cauchy(p, t, 1.0), (1.0 - 0.36) / r.powi(2)),
    ];
    for (i, (terms, expected)) in expected.into_iter().enumerate() {
        let slope = tape.grad(terms.sum(), &[p])[0].sum(..);
        let second = gradient(slope, p)[0];
        assert!((second - expected).abs() < 1e-14, "the loss at {i}: {second}, not {expected}");
    }
}

#[test]
fn bright_pictures_are_as_similar_as_dark_ones() {
    let noise = |seed: usize, i: usize| ((i * (37 + 2 * seed) + 11 * seed) % 101) as f64 * 1.2;
    let picture =
        |seed: usize| -> Vec<f64> { (0..48 * 48).map(|i| 3e4 + noise(seed, i)).collect() };
    let of = |tape: &Tape, scales: bool| {
        let [p, t] = [1, 3].map(|seed| tape.constant(picture(seed)).reshape([1, 1, 48, 48]));
        let weights = vec![0.5, 0.5];
        match scales {
            true => MsSsim { weights, data_range: 255.0, ..MsSsim::default() }.forward(p, t),
            false => Ssim { data_range: 255.0, ..Ssim::default() }.forward(p, t),
        }
        .unreduced()
        .value()
        .unwrap()
    };
    for scales in [false, true] {
        let (single, double) = (of(&Tape::new(), scales), of(&Tape::f64(), scales));
        let pairs = single.to_f64s().into_iter().zip(double.to_f64s());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{worst}");
    }
    let tape = Tape::new();
    let p = tape.constant(picture(1)).reshape([1, 1, 48, 48]);
    assert!(ssim(p, p, 255.0).mean().item().unwrap().abs() < 1e-6);
}

#[test]
fn lists_without_anything_relevant_have_no_slope() {
    let tape = Tape::f64();
    let s = tape.variable([[1.0, 2.0, 3.0]]);
    let loss = lambda_rank(s, tape.constant([[0.0, 0.0, 0.0]])).sum();
    assert_eq!((loss.item().unwrap(), gradient(loss, s)), (0.0, vec![0.0; 3]));
}

#[test]
fn weights_that_are_all_0_leave_no_slope() {
    let tape = Tape::f64();
    let (p, w) = (tape.variable([1.0, 2.0]), tape.variable([0.0, 0.0]));
    let t = tape.constant([0.0, 0.0]);
    let mse = Mse { weight: Some(w), ..Mse::default() }.forward(p, t);
    let rmse = Rmse { weight: Some(w), ..Rmse::default() }.forward(p, t);
    for terms in [mse, rmse] {
        assert!(terms.mean().item().unwrap().is_nan());
        assert_eq!(gradient(terms.mean(), p), [0.0, 0.0]);
        assert_eq!(gradient(terms.mean(), w), [0.0, 0.0]);
    }
}

#[test]
fn boxes_of_any_size_overlap_alike() {
    for size in [1.0, 1e20, 1e30] {
        let tape = Tape::new();
        let p = tape.variable([[0.0, 0.0, 2.0 * size, 2.0 * size]]);
        let loss = iou(p, tape.constant([[size, 0.0, 3.0 * size, 2.0 * size]])).sum();
        assert!((loss.item().unwrap() - 2.0 / 3.0).abs() < 1e-6, "{size}");
        assert!(gradient(loss, p).iter().all(|x| x.is_finite()), "{size}");
    }
}

#[test]
fn pixels_to_ignore_are_pixels_left_out() {
    let tape = Tape::f64();
    let z = tape.variable([[0.5, f64::NAN, -0.3, 2.0]]);
    let t = tape.constant([[1_i64, 255, 0, 1]]);
    let hinge = LovaszHinge { ignore_index: 255, ..LovaszHinge::default() };
    let left = lovasz_hinge(tape.constant([[0.5, -0.3, 2.0]]), tape.constant([[1_i64, 0, 1]]));
    let loss = hinge.forward(z, t).sum();
    assert_eq!(loss.item().unwrap(), left.sum().item().unwrap());
    assert_eq!(gradient(loss, z)[1], 0.0);

    let rows = [[1.0, 0.0], [f64::NAN, 3.0], [-1.0, 0.5]];
    let z = tape.variable(rows);
    let softmax = LovaszSoftmax { ignore_index: -1, ..LovaszSoftmax::default() };
    let loss = softmax.forward(z, tape.constant([0_i64, -1, 1])).mean();
    let left = lovasz_softmax(tape.constant([rows[0], rows[2]]), tape.labels(&[0, 1])).mean();
    assert_eq!(loss.item().unwrap(), left.item().unwrap());
    assert_eq!(gradient(loss, z)[2..4], [0.0, 0.0]);
}

#[test]
fn a_class_that_is_not_there_does_not_hide_the_others() {
    let tape = Tape::f64();
    let target = tape.constant([[[1.0, 1.0], [0.0, 0.0]]]);
    let z = tape.variable([[[9.0, 9.0], [-9.0, -9.0]]]);
    let loss = generalized_dice(z, target).mean().item().unwrap();
    assert!(loss < 1e-6, "{loss}");
}

#[test]
fn an_empty_batch_has_no_terms() {
    let tape = Tape::f64();
    let nothing = tape.fill([0, 2, 2], 0.5);
    let boxes = tape.fill([0, 4], 0.0);
    for terms in [dice(nothing, nothing), lovasz_hinge(nothing, nothing), iou(boxes, boxes)] {
        assert_eq!(terms.sum().item().unwrap(), 0.0);
        assert!(terms.mean().item().unwrap().is_nan());
    }
}
