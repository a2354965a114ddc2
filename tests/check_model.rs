//! Whole models are checked: every parameter by its name, in training as well.

use lossgraph::autograd::FaultInjector;
use lossgraph::check::{Check, Report, Verdict};
use lossgraph::prelude::*;

/// A net with whatever is awkward to check: dropout, and statistics of the batch.
fn net() -> Sequential {
    let mut rng = lossgraph::rng(3);
    Sequential::new()
        .then(Linear::new(4, 6, &mut rng).unwrap())
        .then(BatchNorm::new(6).unwrap())
        .then(Activation::Tanh)
        .then(Dropout::new(0.4, 7).unwrap())
        .then(Linear::new(6, 3, &mut rng).unwrap())
}

fn batch(rows: usize) -> [Tensor; 2] {
    let x = Tensor::randn([rows, 4], DType::F64, &mut lossgraph::rng(1)).unwrap();
    [x, Tensor::from((0..rows as i64).map(|i| i % 3).collect::<Vec<_>>())]
}

fn names(report: &Report, order: usize) -> Vec<&str> {
    let mut names: Vec<&str> =
        report.rows.iter().filter(|row| row.order == order).map(|row| row.input.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_parameter_of_a_training_model_is_checked_in_both_orders() {
    let model = net();
    let report = check_model(
        &model,
        |model, x| cross_entropy(model.forward_train(x[0]), x[1]).mean(),
        &batch(8),
    )
    .unwrap();
    let parameters = ["0.bias", "0.weight", "1.bias", "1.weight", "4.bias", "4.weight"];
    assert_eq!(names(&report, 1), [&parameters[..], &["input 0", "input 1"]].concat());
    assert!(names(&report, 2).contains(&"all × 4.weight"), "{report}");
    let wrong = |row: &&lossgraph::check::Finding| {
        !matches!(row.verdict, Verdict::Pass | Verdict::Skipped(_))
    };
    // A bias before batch normalization changes nothing.
    assert!(report.rows.iter().filter(wrong).all(|row| row.verdict != Verdict::Fail), "{report}");
    assert!(report.passed(), "{report}");
}

#[test]
fn a_check_leaves_the_model_and_its_generators_as_they_were() {
    let model = net();
    let draw = |model: &Sequential| {
        let tape = Tape::f64();
        model.forward_train(tape.constant(&batch(5)[0])).value().unwrap().to_f64s()
    };
    let state = || model.generators()[0].1.value().to_vec::<i64>().unwrap();
    let before = state();
    check_model(
        &model,
        |model, x| cross_entropy(model.forward_train(x[0]), x[1]).mean(),
        &batch(5),
    )
    .unwrap();
    assert_eq!(state(), before);
    assert_eq!(draw(&net()), draw(&model));
}

#[test]
fn what_is_wrong_stands_first_with_its_layer_and_parameter() {
    let model = Mlp::new(&[4, 5, 3], &mut lossgraph::rng(2)).unwrap();
    // The rule of the product is wrong in the weight of the second layer alone.
    let wrong = FaultInjector::new(|op, input, of_output, g| {
        let of_second = of_output.shape().last() == Some(&3) && g.shape().to_vec().contains(&5);
        if op == "matmul" && input == 1 && of_second { g * 1.01 } else { g }
    });
    let check = Check { injector: Some(wrong), orders: 1, ..Check::default() };
    let report = check
        .run_model(&model, |model, x| cross_entropy(model.forward(x[0]), x[1]).mean(), &batch(6))
        .unwrap();
    assert_eq!(report.rows[0].verdict, Verdict::Fail, "{report}");
    assert_eq!(
        report.rows.iter().filter(|row| row.verdict == Verdict::Fail).count(),
        1,
        "{report}"
    );
    let first = &report.rows[0];
    assert_eq!(first.input, "2.weight", "{report}");
    assert_eq!(first.failure.as_ref().unwrap().blame.as_ref().unwrap().op, "matmul", "{report}");
}

#[test]
fn parameters_move_together_so_that_many_take_few_runs() {
    let mut rng = lossgraph::rng(4);
    let mut model = Sequential::new();
    for _ in 0..8 {
        model = model.then(Linear::new(4, 4, &mut rng).unwrap()).then(Activation::Tanh);
    }
    let rows = &batch(8)[..1];
    let report =
        check_model(&model, |model, x| model.forward(x[0]).square().mean(..), rows).unwrap();
    assert!(report.rows.iter().all(|row| row.verdict == Verdict::Pass), "{report}");
    // A ladder for each of the 34 derivatives alone would be eight runs each.
    assert_eq!(report.rows.len(), 34);
    assert!(report.runs < 4 * report.rows.len(), "{report}");
}

#[test]
#[ignore = "takes minutes without optimization: cargo test --release --test check_model -- --ignored --nocapture"]
fn a_model_of_a_million_parameters_is_checked_in_both_orders() {
    let mut rng = lossgraph::rng(5);
    let model = Sequential::new()
        .then(Linear::new(784, 1100, &mut rng).unwrap())
        .then(BatchNorm::new(1100).unwrap())
        .then(Activation::Relu)
        .then(Dropout::new(0.5, 1).unwrap())
        .then(Linear::new(1100, 128, &mut rng).unwrap())
        .then(Activation::Tanh)
        .then(Linear::new(128, 10, &mut rng).unwrap());
    let count: usize = model.parameters().iter().map(|(_, x)| x.value().len()).sum();
    assert!(count > 1_000_000, "{count}");
    let images = Tensor::randn([32, 784], DType::F64, &mut rng).unwrap();
    let labels = Tensor::from((0..32).map(|i| i % 10).collect::<Vec<i64>>());
    let started = std::time::Instant::now();
    let report = check_model(
        &model,
        |model, x| cross_entropy(model.forward_train(x[0]), x[1]).mean(),
        &[images, labels],
    )
    .unwrap();
    println!("{count} parameters in {:.1} s\n{report}", started.elapsed().as_secs_f64());
    assert!(report.passed(), "{report}");
}

#[test]
fn a_model_is_one_line_in_a_test() {
    let model = Linear::new(4, 3, &mut lossgraph::rng(0)).unwrap();
    assert_gradients!(
        &model,
        |model, x| cross_entropy(model.forward(x[0]), x[1]).mean(),
        &batch(4)
    );
}
