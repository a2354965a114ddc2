//! The losses that hold the weights of their classes: against the losses of all logits, and what
//! they refuse.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{
    AdaptiveLogSoftmax, ClassClusters, CrossEntropy, LinearCrossEntropy, Terms,
    linear_cross_entropy,
};
use lossgraph_tensor::{DType, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn drawn(shape: &[usize], seed: u64) -> Tensor {
    Tensor::uniform(shape, -2.0, 2.0, DType::F64, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

fn assert_close(got: Var<'_>, expected: Var<'_>) {
    let (got, expected) = (got.value().unwrap(), expected.value().unwrap());
    assert!(got.allclose(&expected, 1e-13, 1e-13), "{got}\nexpected\n{expected}");
}

fn refused(terms: Terms<'_>) -> String {
    terms.mean().item().unwrap_err().to_string()
}

#[test]
fn blocks_of_any_size_give_the_cross_entropy_of_all_logits_and_its_gradients() {
    let tape = Tape::f64();
    let features = tape.variable(drawn(&[2, 3, 4], 1));
    let matrix = tape.variable(drawn(&[5, 4], 2));
    let bias = tape.variable(drawn(&[5], 3));
    let labels = tape.constant([[1_i64, 4, -100], [0, 4, 2]]);
    let logits = features.linear(matrix, Some(bias)).transpose(1, 2);
    let whole = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
    let whole = whole.forward(logits, labels);
    for block in [1, 12, 1000] {
        let loss = LinearCrossEntropy {
            bias: Some(bias),
            label_smoothing: 0.1,
            block,
            ..Default::default()
        };
        let terms = loss.forward(features, matrix, labels);
        assert_close(terms.unreduced(), whole.unreduced());
        let given = [features, matrix, bias];
        let gradients = tape.grad(terms.mean(), &given);
        for (gradient, expected) in gradients.into_iter().zip(tape.grad(whole.mean(), &given)) {
            assert_close(gradient, expected);
        }
    }
}

#[test]
fn only_a_block_of_logits_is_there_at_a_time() {
    let tape = Tape::new();
    let features = tape.variable(Tensor::zeros([64, 2], DType::F32).unwrap());
    let matrix = tape.variable(Tensor::zeros([4096, 2], DType::F32).unwrap());
    let labels = tape.labels(&[7; 64]);
    let loss = LinearCrossEntropy { block: 64 * 256, ..LinearCrossEntropy::default() };
    let mean = loss.forward(features, matrix, labels).mean();
    let gradients = tape.grad(mean, &[features, matrix]);
    let plan = tape.plan(&[mean, gradients[0], gradients[1]]).unwrap().to_string();
    let elements = plan.rsplit_once(" elements in all").unwrap().0.rsplit(' ').next().unwrap();
    // A few of the sixteen blocks, beside the gradients and what they are joined from.
    assert!(elements.parse::<usize>().unwrap() < 5 * 64 * 256 + 4 * 4096 * 2, "{plan}");
}

#[test]
fn single_examples_and_none_at_all_are_those_of_all_logits() {
    let tape = Tape::f64();
    let matrix = tape.variable(drawn(&[3, 2], 1));
    let single = linear_cross_entropy(tape.variable([0.5, -1.0]), matrix, tape.constant(2_i64));
    let batch = linear_cross_entropy(tape.variable([[0.5, -1.0]]), matrix, tape.labels(&[2]));
    assert_close(single.unreduced(), batch.unreduced().index(0, 0));
    let nothing = tape.variable(Tensor::zeros([0, 2], DType::F64).unwrap());
    let none = linear_cross_entropy(nothing, matrix, tape.labels(&[]));
    assert_eq!(none.sum().item().unwrap(), 0.0);
    assert!(none.mean().backward().unwrap().loss().is_nan());
}

#[test]
fn an_ignored_example_is_not_seen_whatever_its_features() {
    let tape = Tape::f64();
    let features = tape.variable([[f64::NAN, 1.0], [0.0, 0.0]]);
    let matrix = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
    let loss = linear_cross_entropy(features, matrix, tape.constant([-100_i64, 0])).mean();
    let gradients = loss.backward().unwrap();
    assert_eq!(gradients.loss(), 2.0_f64.ln());
    assert_eq!(gradients.of(features).unwrap().to_f64s(), [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(gradients.of(matrix).unwrap().to_f64s(), [0.0; 4]);
}

#[test]
fn a_class_that_its_bias_forbids_costs_nothing_if_it_is_not_the_target() {
    let tape = Tape::f64();
    let bias = Some(tape.constant([0.0, 0.0, f64::NEG_INFINITY]));
    let loss = LinearCrossEntropy { bias, block: 1, ..LinearCrossEntropy::default() };
    let features = tape.variable([[1.0]]);
    let matrix = tape.constant([[0.0], [0.0], [5.0]]);
    for target in [tape.labels(&[0]), tape.constant([[1.0, 0.0, 0.0]])] {
        let gradients = loss.forward(features, matrix, target).mean().backward().unwrap();
        assert_eq!(gradients.loss(), 2.0_f64.ln());
        assert_eq!(gradients.of(features).unwrap().to_f64s(), [0.0]);
    }
}

#[test]
fn the_probabilities_of_an_adaptive_softmax_add_up_to_1_and_are_those_of_the_loss() {
    let clusters =
        ClassClusters::new(6, 9, &[2, 5], 2.0, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    let tape = Tape::f64();
    let softmax = clusters.with_head_bias().on(&tape);
    let features = tape.constant(drawn(&[9, 6], 2));
    let log_p = softmax.log_prob(features);
    assert_close(log_p.exp().sum(1), tape.fill([9], 1.0));
    let labels = tape.labels(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_close(softmax.forward(features, labels).unreduced(), -log_p.diagonal(0, 0, 1));
    assert_eq!(
        softmax.predict(features).value().unwrap().to_f64s(),
        log_p.argmax(1).value().unwrap().to_f64s()
    );
}

#[test]
fn a_tail_sees_only_the_examples_that_fall_into_it() {
    let clusters =
        ClassClusters::new(4, 100, &[2, 50], 2.0, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    let tape = Tape::f64();
    let softmax = clusters.on(&tape);
    let features = tape.constant(drawn(&[7, 4], 2));
    let terms = softmax.forward(features, tape.labels(&[0, 60, 1, 0, 1, 99, 1]));
    let widest = (0..tape.len()).filter_map(|id| tape.node(id)).filter(|node| node.op == "matmul");
    let shapes: Vec<Vec<usize>> = widest.map(|node| node.shape.to_vec()).collect();
    assert_eq!(shapes, [vec![2, 1], vec![2, 50], vec![7, 4]]);
    assert!(terms.mean().item().is_ok());
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let tape = Tape::f64();
    let x = tape.constant([[1.0, 2.0]]);
    let matrix = tape.constant([[1.0, 2.0], [3.0, 4.0]]);
    let label = tape.labels(&[1]);
    let default = LinearCrossEntropy::default();
    let starts = "linear_cross_entropy: ";
    for terms in [
        linear_cross_entropy(x, tape.constant([[1.0]]), label),
        linear_cross_entropy(x, matrix, tape.labels(&[2])),
        linear_cross_entropy(x, matrix, tape.labels(&[0, 1])),
        linear_cross_entropy(x, matrix, tape.constant([1.0])),
        LinearCrossEntropy { bias: Some(tape.constant([1.0])), ..default }
            .forward(x, matrix, label),
        LinearCrossEntropy { weight: Some(x), ..default }.forward(x, matrix, label),
        LinearCrossEntropy { label_smoothing: 1.5, ..default }.forward(x, matrix, label),
        LinearCrossEntropy { block: 0, ..default }.forward(x, matrix, label),
    ] {
        let why = refused(terms);
        assert!(why.starts_with(starts), "{why}");
    }
    let tails = vec![[tape.constant([[1.0, 0.0]]), tape.constant([[1.0], [2.0]])]];
    let fits = AdaptiveLogSoftmax { cutoffs: vec![1], head: matrix, head_bias: None, tails };
    assert!(fits.forward(x, tape.labels(&[2])).mean().item().is_ok());
    assert!(refused(fits.forward(x, tape.labels(&[3]))).contains("label 3 is none of the classes"));
    assert!(refused(fits.forward(x, tape.labels(&[0, 1]))).contains("expected labels"));
    for cutoffs in [vec![], vec![0], vec![2], vec![1, 2], vec![1, 1]] {
        let unfit = AdaptiveLogSoftmax { cutoffs, ..fits.clone() };
        assert!(refused(unfit.forward(x, label)).starts_with("adaptive_log_softmax: "));
        assert!(unfit.predict(x).is_faulty() && unfit.log_prob(x).is_faulty());
    }
    let rng = &mut ChaCha8Rng::seed_from_u64(0);
    assert!(ClassClusters::new(4, 10, &[5, 3], 2.0, rng).is_err());
    assert!(ClassClusters::new(4, 10, &[5, 10], 2.0, rng).is_err());
    assert!(ClassClusters::new(4, 10, &[5, 7], 4.0, rng).is_err());
}

#[test]
fn several_predictions_of_a_row_are_those_of_as_many_layers() {
    let tape = Tape::f64();
    let (x, w) = (tape.variable(drawn(&[4, 3], 1)), tape.variable(drawn(&[5, 2, 2, 3], 2)));
    let (bias, weight) =
        (tape.variable(drawn(&[5, 2, 2], 3)), tape.constant([1.0, 2.0, 0.5, 1.0, 3.0]));
    let numbers: Vec<i64> = (0..16).map(|i| if i == 7 { 1 } else { i * 3 % 5 }).collect();
    let labels = tape.constant(Tensor::new([4, 2, 2], numbers).unwrap());
    let loss = LinearCrossEntropy {
        bias: Some(bias),
        weight: Some(weight),
        ignore_index: 1,
        label_smoothing: 0.1,
        block: 8,
    };
    let logits = x.linear(w.reshape([20, 3]), Some(bias.flatten(..))).reshape([4, 5, 2, 2]);
    let all = CrossEntropy {
        weight: Some(weight),
        ignore_index: 1,
        label_smoothing: 0.1,
        ..CrossEntropy::default()
    };
    let (terms, expected) = (loss.forward(x, w, labels), all.forward(logits, labels));
    assert_eq!(terms.unreduced().shape()[..], [4, 2, 2]);
    assert_close(terms.unreduced(), expected.unreduced());
    for (got, expected) in tape
        .grad(terms.mean(), &[x, w, bias])
        .into_iter()
        .zip(tape.grad(expected.mean(), &[x, w, bias]))
    {
        assert_close(got, expected);
    }
    let probabilities = tape.constant(drawn(&[4, 5, 2, 2], 4)).softmax(1);
    let loss = LinearCrossEntropy { bias: Some(bias), ..LinearCrossEntropy::default() };
    assert_close(
        loss.forward(x, w, probabilities).unreduced(),
        CrossEntropy::default().forward(logits, probabilities).unreduced(),
    );
    let flat = LinearCrossEntropy { bias: Some(bias.flatten(..)), ..LinearCrossEntropy::default() };
    assert!(refused(flat.forward(x, w, labels)).contains("one for each logit"));
    let wide = x.reshape([2, 2, 3]);
    let text = refused(LinearCrossEntropy::default().forward(wide, w, labels));
    assert!(text.contains("features are [batch, feature]"), "{text}");
}
