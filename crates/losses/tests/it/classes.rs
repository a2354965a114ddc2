//! Losses of class scores beside the plain batch: single examples, more axes, nothing at all, what
//! is ignored, and what is refused.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{
    ALL, Asymmetric, CategoricalHinge, ConfidencePenalty, Distillation, FenchelYoung,
    GeneralizedCe, Hinge, KlDiv, Loss, MultiMargin, Ordinal, Poly, SigmoidFocal, SoftmaxFocal,
    SquaredHinge, SymmetricCe, Terms, cross_entropy, distillation, fenchel_young, hinge,
    jensen_shannon, kl_div, multilabel_margin, multilabel_soft_margin, ordinal, perceptron,
    smooth_labels, soft_margin, sparsemax,
};
use lossgraph_tensor::Tensor;

const INF: f64 = f64::INFINITY;

fn gradient(loss: Var<'_>, of: Var<'_>) -> Vec<f64> {
    loss.tape().grad(loss, &[of])[0].value().unwrap().to_f64s()
}

fn close(what: &str, got: &[f64], expected: &[f64]) {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
    let all = got.len() == expected.len() && got.iter().zip(expected).all(near);
    assert!(all, "{what}: {got:?}, expected {expected:?}");
}

/// The losses of two families, each with its samples in the default setting; not those that have
/// weights among their inputs, which are not examples.
fn losses() -> impl Iterator<Item = (&'static Loss, Vec<(&'static str, Tensor)>)> {
    let of_classes = |loss: &&&Loss| ["classification", "divergence"].contains(&loss.family);
    let given = |loss: &&'static Loss| (*loss, loss.inputs_in(&loss.setting("").unwrap()));
    ALL.iter()
        .filter(of_classes)
        .map(given)
        .filter(|(_, samples)| samples.iter().all(|sample| sample.shape[0] == 4))
        .map(|(loss, samples)| {
            (loss, samples.iter().map(|sample| (sample.name, sample.draw(4))).collect())
        })
}

/// Those of them that ignore a label.
fn labeled() -> impl Iterator<Item = (&'static Loss, Vec<(&'static str, Tensor)>)> {
    losses().filter(|(_, inputs)| {
        inputs.iter().any(|(name, x)| *name == "labels" && x.shape().rank() == 1)
    })
}

fn record<'t>(tape: &'t Tape, loss: &'static Loss, inputs: &[(&'static str, Tensor)]) -> Terms<'t> {
    let vars: Vec<_> = inputs.iter().map(|(name, x)| (*name, tape.input(x))).collect();
    loss.record(tape, &vars, "")
}

#[test]
fn a_single_example_is_a_batch_of_one_without_its_axis() {
    for (loss, inputs) in losses() {
        let tape = Tape::f64();
        let first: Vec<_> =
            inputs.iter().map(|(name, x)| (*name, x.select(0, 0).unwrap())).collect();
        let single = record(&tape, loss, &first).unreduced().value().unwrap();
        let batch = record(&tape, loss, &inputs).unreduced().value().unwrap();
        assert_eq!(single.shape()[..], batch.shape()[1..], "{}", loss.name);
        close(loss.name, &single.to_f64s(), &batch.to_f64s()[..single.to_f64s().len()]);
    }
}

#[test]
fn an_empty_batch_has_terms_of_nothing_the_sum_0_and_the_mean_nan() {
    for (loss, inputs) in losses() {
        let tape = Tape::f64();
        let none =
            inputs.iter().map(|(name, x)| (*name, x.narrow(0, 0, 0).unwrap())).collect::<Vec<_>>();
        let terms = record(&tape, loss, &none);
        assert_eq!(terms.unreduced().value().unwrap().shape()[0], 0, "{}", loss.name);
        assert_eq!(terms.sum().item().unwrap(), 0.0, "{}", loss.name);
        assert!(terms.mean().item().unwrap().is_nan(), "{}", loss.name);
        assert!(terms.mean().backward().is_ok(), "{}", loss.name);
    }
}

#[test]
fn more_axes_are_more_examples() {
    let more = labeled().filter(|(loss, _)| loss.shapes.contains("[batch, class, …]"));
    for (loss, inputs) in more {
        let tape = Tape::f64();
        let twice = |(name, x): &(&'static str, Tensor)| {
            let halves = [x.clone(), loss.inputs.iter().find(|i| i.name == *name).unwrap().draw(5)];
            let vars = halves.map(|half| tape.constant(half));
            // A new last axis, [batch, class, 2] or [batch, 2].
            let joined = match x.dtype().is_float() {
                true => lossgraph_autograd::stack(&vars, -1).value().unwrap(),
                false => {
                    let [a, b] = vars.map(|var| var.value().unwrap().to_vec::<i64>().unwrap());
                    let pairs = a.iter().zip(&b).flat_map(|(a, b)| [*a, *b]).collect();
                    Tensor::new([x.shape()[0], 2], pairs).unwrap()
                }
            };
            (*name, joined)
        };
        let both = inputs.iter().map(twice).collect::<Vec<_>>();
        let each = record(&tape, loss, &both).unreduced();
        let half = |i: isize| each.index(1, i).value().unwrap().to_f64s();
        let first = record(&tape, loss, &inputs).unreduced().value().unwrap().to_f64s();
        close(loss.name, &half(0), &first);
        let second: Vec<_> = loss
            .inputs_in(&loss.setting("").unwrap())
            .iter()
            .map(|s| (s.name, s.draw(5)))
            .collect();
        close(
            loss.name,
            &half(1),
            &record(&tape, loss, &second).unreduced().value().unwrap().to_f64s(),
        );
    }
}

/// Some labels replaced by the one that is ignored, and the scores of their examples by NaN.
fn ignoring(inputs: &[(&'static str, Tensor)], ignored: &[usize]) -> Vec<(&'static str, Tensor)> {
    let change = |(name, x): &(&'static str, Tensor)| {
        let mut numbers = x.to_f64s();
        let row = numbers.len() / x.shape()[0];
        for &i in ignored {
            let nothing = if *name == "labels" { -100.0 } else { f64::NAN };
            numbers[i * row..(i + 1) * row].fill(nothing);
        }
        (*name, Tensor::new(x.shape().clone(), numbers).unwrap().to_dtype(x.dtype()))
    };
    inputs.iter().map(change).collect()
}

#[test]
fn an_ignored_example_is_not_seen_by_any_loss_of_labels() {
    for (loss, inputs) in labeled() {
        let tape = Tape::f64();
        let terms = record(&tape, loss, &ignoring(&inputs, &[1]));
        let all = record(&tape, loss, &inputs).unreduced().value().unwrap().to_f64s();
        close(
            loss.name,
            &terms.unreduced().value().unwrap().to_f64s(),
            &[all[0], 0.0, all[2], all[3]],
        );
        close(loss.name, &[terms.mean().item().unwrap()], &[(all[0] + all[2] + all[3]) / 3.0]);
        let scores = tape.var(0).unwrap();
        let slope = gradient(terms.mean(), scores);
        assert_eq!(slope[3..6], [0.0; 3], "{}", loss.name);
        assert!(slope.iter().all(|x| x.is_finite()), "{}: {slope:?}", loss.name);
    }
}

#[test]
fn if_all_labels_are_ignored_the_mean_is_nan_and_its_slope_0() {
    for (loss, inputs) in labeled() {
        let tape = Tape::f64();
        let mean = record(&tape, loss, &ignoring(&inputs, &[0, 1, 2, 3])).mean();
        assert!(mean.item().unwrap().is_nan(), "{}", loss.name);
        assert_eq!(gradient(mean, tape.var(0).unwrap()), [0.0; 12], "{}", loss.name);
    }
}

#[test]
fn sample_weights_and_masks_are_those_of_examples() {
    for (loss, inputs) in labeled() {
        let tape = Tape::f64();
        let terms = record(&tape, loss, &inputs);
        let each = terms.unreduced().value().unwrap().to_f64s();
        let weight = tape.constant([1.0, 3.0, 0.0, 2.0]);
        let mask = tape.constant([1.0, 1.0, 1.0, 0.0]);
        let mean = terms.weighted(weight).masked(mask).mean().item().unwrap();
        close(loss.name, &[mean], &[(each[0] + 3.0 * each[1]) / 4.0]);
    }
}

#[test]
fn soft_margin_is_finite_where_the_exponential_overflows() {
    let tape = Tape::f64();
    let p = tape.variable([-1000.0, 1000.0]);
    let t = tape.variable([1.0, 1.0]);
    let loss = soft_margin(p, t).sum();
    assert_eq!(loss.item().unwrap(), 1000.0);
    assert_eq!(gradient(loss, p), [-1.0, 0.0]);
    assert_eq!(gradient(loss, t), [1000.0, 0.0]);
}

#[test]
fn a_label_that_is_listed_twice_counts_twice_and_what_follows_the_end_is_not_read() {
    let tape = Tape::f64();
    let z = tape.constant([[0.0, 2.0, 1.5], [0.0, 2.0, 1.5]]);
    let labels = tape.constant([[0_i64, 0, -1], [0, -1, 1]]);
    let each = multilabel_margin(z, labels).unreduced().value().unwrap().to_f64s();
    // (1 + 2) + (1 + 1.5), over three classes.
    close("multilabel_margin", &each, &[2.0 * 5.5 / 3.0, 5.5 / 3.0]);
}

#[test]
fn impossible_classes_cost_nothing_where_they_are_not_the_target() {
    let tape = Tape::f64();
    let z = tape.variable([[0.0, -INF, 0.0]]);
    let t = tape.constant([[0.5, 0.0, 0.5]]);
    let label = tape.labels(&[0]);
    let ln_2 = 2.0_f64.ln();
    for (name, loss, expected) in [
        ("fenchel_young", fenchel_young(z, t).sum(), ln_2),
        ("distillation", distillation(z, z.detach(), 1.0).sum(), 0.0),
        ("sparsemax", sparsemax(z, label).sum(), 0.25),
        ("poly", Poly { epsilon: 1.0, ..Poly::default() }.forward(z, t).sum(), ln_2 + 0.5),
        (
            "focal",
            SoftmaxFocal { gamma: 1.0, ..Default::default() }.forward(z, label).sum(),
            ln_2 / 2.0,
        ),
    ] {
        close(name, &[loss.item().unwrap()], &[expected]);
        let slope = gradient(loss, z);
        assert!(slope.iter().all(|x| x.is_finite()) && slope[1] == 0.0, "{name}: {slope:?}");
    }
}

#[test]
fn focal_losses_have_no_nan_where_a_prediction_is_perfect() {
    let tape = Tape::new();
    let z = tape.variable([[300.0, -300.0]]);
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let sigmoid = SigmoidFocal { gamma, ..SigmoidFocal::default() };
        let sigmoid = sigmoid.forward(z, tape.constant([[1.0, 0.0]])).sum();
        let softmax = SoftmaxFocal { gamma, ..SoftmaxFocal::default() };
        let softmax = softmax.forward(z, tape.labels(&[0])).sum();
        for loss in [sigmoid, softmax] {
            assert_eq!(loss.item().unwrap(), 0.0);
            let slope = tape.grad(loss, &[z])[0];
            assert_eq!(slope.value().unwrap().to_f64s(), [0.0, 0.0]);
            let curvature = gradient((slope * slope).sum(..), z);
            assert!(curvature.iter().all(|x| x.is_finite()), "{curvature:?}");
        }
    }
}

#[test]
fn a_perceptron_is_a_hinge_without_margin() {
    let tape = Tape::f64();
    let z = tape.constant([1.5, -0.5, 2.0]);
    let t = tape.constant([1.0, 1.0, -1.0]);
    let without = Hinge { margin: 0.0, ..Hinge::default() }.forward(z, t).sum();
    assert_eq!(perceptron(z, t).sum().item().unwrap(), without.item().unwrap());
}

#[test]
fn a_maximum_generates_the_losses_that_it_is_known_for() {
    let tape = Tape::f64();
    let z = tape.constant([[1.0, 0.5, -1.0]]);
    let t = tape.constant([[0.0, 1.0, 0.0]]);
    let labels = tape.labels(&[1]);
    let best = FenchelYoung { maximum: |z| z.max(-1), ..FenchelYoung::default() };
    let value = |terms: Terms<'_>| terms.mean().item().unwrap();
    close("max", &[value(best.forward(z, t))], &[value(perceptron(z, labels))]);
    close("log_sum_exp", &[value(fenchel_young(z, t))], &[value(cross_entropy(z, labels))]);
}

#[test]
fn the_labels_of_an_ordinal_loss_are_one_more_than_its_logits() {
    let tape = Tape::f64();
    let z = tape.constant([[1.0, -1.0]]);
    assert!(ordinal(z, tape.labels(&[2])).mean().item().is_ok());
    let error = ordinal(z, tape.labels(&[3])).mean().item().unwrap_err().to_string();
    assert!(error.contains("label 3, at 0, is none of the classes 0..3"), "{error}");
}

#[test]
fn divergences_by_distribution_take_weights_of_examples() {
    let tape = Tape::f64();
    let p = tape.constant([[0.5_f64.ln(), 0.5_f64.ln()], [0.25_f64.ln(), 0.75_f64.ln()]]);
    let t = tape.constant([[1.0, 0.0], [0.25, 0.75]]);
    let terms = KlDiv { per_row: true, ..KlDiv::default() }.forward(p, t);
    let weighted = terms.weighted(tape.constant([3.0, 1.0])).mean().item().unwrap();
    close("kl_div", &[weighted], &[0.75 * 2.0_f64.ln()]);
    let batch = kl_div(p, t).batch_mean().item().unwrap();
    close("kl_div", &[terms.mean().item().unwrap()], &[batch]);
}

#[test]
fn the_divergence_of_distributions_that_share_nothing_is_ln_2() {
    let tape = Tape::f64();
    let p = tape.variable([[1.0, 0.0]]);
    let loss = jensen_shannon(p, tape.constant([[0.0, 1.0]])).sum();
    close("jensen_shannon", &[loss.item().unwrap()], &[2.0_f64.ln()]);
    assert!(gradient(loss, p).iter().all(|x| x.is_finite()));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let tape = Tape::f64();
    let z = tape.constant([[1.0, 2.0], [0.5, 0.0]]);
    let labels = tape.labels(&[0, 1]);
    let bits = tape.constant([[1.0, 0.0], [0.0, 1.0]]);
    let signs = tape.constant([[1.0, -1.0], [-1.0, 1.0]]);
    let odd = tape.constant([1.0, 2.0, 3.0]);
    let odd_weight = Some(odd);
    for (terms, expected) in [
        (hinge(z, bits), "target holds 0, expected signs, −1 or 1"),
        (hinge(z, odd), "hinge: prediction [2, 2] and target [3]: they differ in rank"),
        (Hinge { margin: INF, broadcast: false }.forward(z, signs), "margin is inf"),
        (SquaredHinge { margin: f64::NAN, broadcast: false }.forward(z, signs), "margin is NaN"),
        (soft_margin(z, odd), "they differ in rank"),
        (perceptron(z, bits), "signs holds 0, expected signs, −1 or 1"),
        (
            CategoricalHinge { margin: -1.0, ..Default::default() }.forward(z, labels),
            "margin is -1",
        ),
        (MultiMargin { p: 0.5, ..Default::default() }.forward(z, labels), "p is 0.5"),
        (
            MultiMargin { weight: odd_weight, ..Default::default() }.forward(z, labels),
            "one weight for each of the 2 classes",
        ),
        (multilabel_margin(z, labels), "the labels are integers in the shape of the scores"),
        (
            multilabel_margin(z, tape.constant([[0_i64, 2], [-1, -1]])),
            "label 2, at 1, is neither one of the classes 0..2 nor −1",
        ),
        (multilabel_soft_margin(z, odd), "they differ in rank"),
        (SigmoidFocal::default().forward(z, z), "target holds 2, expected probabilities"),
        (SigmoidFocal { gamma: -1.0, alpha: None }.forward(z, bits), "gamma is -1"),
        (SigmoidFocal { gamma: 1.0, alpha: Some(2.0) }.forward(z, bits), "alpha is not in 0 to 1"),
        (SoftmaxFocal { gamma: INF, ..Default::default() }.forward(z, labels), "gamma is inf"),
        (
            SoftmaxFocal { alpha: odd_weight, ..Default::default() }.forward(z, labels),
            "one weight for each of the 2 classes",
        ),
        (Asymmetric { clip: 1.0, ..Default::default() }.forward(z, bits), "clip is 1"),
        (Asymmetric { gamma_neg: -1.0, ..Default::default() }.forward(z, bits), "gamma_neg -1"),
        (Poly { epsilon: INF, ..Default::default() }.forward(z, labels), "epsilon is inf"),
        (GeneralizedCe { q: 0.0, ..Default::default() }.forward(z, labels), "q is 0"),
        (SymmetricCe { beta: -1.0, ..Default::default() }.forward(z, labels), "beta -1"),
        (SymmetricCe { log_zero: 0.0, ..Default::default() }.forward(z, labels), "log_zero is 0"),
        (
            ConfidencePenalty { threshold: Some(f64::NAN), ..Default::default() }.forward(z),
            "threshold is NaN",
        ),
        (Distillation { temperature: 0.0, ..Default::default() }.forward(z, z), "temperature is 0"),
        (Distillation { alpha: 1.5, ..Default::default() }.forward(z, z), "alpha is 1.5"),
        (distillation(z, odd, 1.0), "they differ in rank"),
        (
            Ordinal { weight: odd_weight, ..Default::default() }.forward(z, labels),
            "one weight for each of the 2 thresholds, given [3]",
        ),
        (jensen_shannon(z, bits), "prediction holds 2, expected probabilities"),
        (Terms::new(smooth_labels(bits, 2.0)), "smoothing is 2"),
        (cross_entropy(z, tape.labels(&[0, 2])), "label 2, at 1, is none of the classes 0..2"),
    ] {
        let error = terms.mean().item().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }
}

// As in PyTorch 2.15.
#[test]
fn a_scalar_is_the_score_of_one_class_and_one_example_may_list_its_label() {
    let tape = Tape::f64();
    let score = tape.variable(2.0);
    let margin = MultiMargin::default();
    for labels in [tape.constant(0_i64), tape.constant([0_i64])] {
        let terms = margin.forward(score, labels).unreduced();
        assert_eq!((terms.shape(), terms.value().unwrap().to_f64s()), (labels.shape(), vec![0.0]));
    }
    let scores = tape.variable([0.5, 1.0, 3.0, -2.0]);
    let listed = margin.forward(scores, tape.constant([1_i64]));
    assert_eq!(listed.unreduced().shape()[..], [1]);
    assert_eq!(listed.mean().item().unwrap(), 0.875);
    assert!(margin.forward(score, tape.constant(1_i64)).mean().is_faulty());
    let labels = tape.constant(0_i64);
    assert_eq!(multilabel_margin(score, labels).unreduced().item().unwrap(), 0.0);
    assert_eq!(gradient(multilabel_margin(score, labels).mean(), score), [0.0]);
}
