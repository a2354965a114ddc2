//! What is planted is found: each kind of error with its diagnosis and the op that has it; each
//! kink with its op.

use lossgraph_autograd::{FaultInjector, Var, ops};
use lossgraph_check::{Check, Diagnosis, Failure, Method, Report, Verdict};
use lossgraph_losses::{cross_entropy, mse};
use lossgraph_tensor::Tensor;

/// Numbers without a pattern.
fn numbers(shape: &[usize], seed: f64) -> Tensor {
    let count: usize = shape.iter().product();
    let data = (0..count).map(|i| 2.0 * ((i as f64 + seed) * 12.9898).sin()).collect();
    Tensor::new(shape.to_vec(), data).unwrap()
}

fn labels(rows: usize, classes: i64) -> Tensor {
    Tensor::from((0..rows as i64).map(|i| i * 7 % classes).collect::<Vec<i64>>())
}

/// Mean cross-entropy with rules that are wrong.
fn cross_entropy_with(injector: FaultInjector, rows: usize, classes: usize) -> Report {
    let check = Check { injector: Some(injector), orders: 1, ..Check::default() };
    let inputs = [numbers(&[rows, classes], 1.0), labels(rows, classes as i64)];
    check.run(|_, x| cross_entropy(x[0], x[1]).mean(), &inputs).unwrap()
}

/// A change of the cotangents of one op.
fn of(
    name: &'static str,
    change: impl for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync + 'static,
) -> FaultInjector {
    FaultInjector::new(move |op, _, _, g| if op == name { change(g) } else { g })
}

fn failure(report: &Report) -> &Failure {
    assert!(!report.passed(), "{report}");
    report.rows[0].failure.as_ref().unwrap()
}

#[test]
fn a_wrong_sign_is_called_a_wrong_sign() {
    let report = cross_entropy_with(
        FaultInjector::new(|op, _, _, g| if op == "sum" { -g } else { g }),
        8,
        5,
    );
    let found = failure(&report);
    assert_eq!(found.blame.as_ref().unwrap().op, "sum");
    let report = Check { orders: 1, injector: Some(of("square", |g| -g)), ..Check::default() }
        .run(|_, x| mse(x[0], x[1]).mean(), &[numbers(&[3, 4], 0.0), numbers(&[3, 4], 5.0)])
        .unwrap();
    let found = failure(&report);
    assert_eq!(found.diagnosis, Diagnosis::Sign);
    assert_eq!(found.wrong, (12, 12));
    let blame = found.blame.as_ref().unwrap();
    assert_eq!((blame.op, blame.scope.as_str()), ("square", "mse"));
}

#[test]
fn a_factor_is_diagnosed_with_its_size() {
    let mse_with = |change: fn(Var<'_>) -> Var<'_>| {
        let check = Check { orders: 1, injector: Some(of("square", change)), ..Check::default() };
        let inputs = [numbers(&[3, 4], 0.0), numbers(&[3, 4], 5.0)];
        check.run(|_, x| mse(x[0], x[1]).mean(), &inputs).unwrap()
    };
    assert!(
        matches!(failure(&mse_with(|g| g * 1.01)).diagnosis, Diagnosis::Factor(f) if (f - 1.01).abs() < 1e-6)
    );
    assert_eq!(failure(&mse_with(|g| g * 12.0)).diagnosis, Diagnosis::TooLargeBy(12));
    assert_eq!(failure(&mse_with(|g| g / 12.0)).diagnosis, Diagnosis::TooSmallBy(12));
    assert_eq!(failure(&mse_with(|g| g * 0.0)).diagnosis, Diagnosis::Zero);
    assert_eq!(failure(&mse_with(|g| g * f64::NAN)).diagnosis, Diagnosis::NotFinite);
    assert_eq!(failure(&mse_with(|g| g / 0.0)).diagnosis, Diagnosis::NotFinite);
}

#[test]
fn a_transposed_gradient_is_called_transposed() {
    let transposed = of("sub", |g| match g.rank() {
        2 => g.t().reshape(g.shape()),
        _ => g,
    });
    let check = Check { orders: 1, injector: Some(transposed), ..Check::default() };
    let inputs = [numbers(&[3, 4], 0.0), numbers(&[3, 4], 5.0)];
    let report = check.run(|_, x| mse(x[0], x[1]).mean(), &inputs).unwrap();
    assert_eq!(failure(&report).diagnosis, Diagnosis::Transposed);
    assert_eq!(failure(&report).blame.as_ref().unwrap().op, "sub");
}

#[test]
fn a_missing_sum_over_a_broadcast_axis_is_called_that() {
    // The rule of expand is a sum; a wrong one takes the first row alone.
    let first = FaultInjector::new(|op, _, g, right| match (op, g.rank()) {
        ("expand", 2) => g.slice(0, 0..1),
        _ => right,
    });
    let check = Check { orders: 1, injector: Some(first), ..Check::default() };
    let inputs = [numbers(&[1, 3], 0.0), numbers(&[4, 3], 5.0)];
    let report = check.run(|_, x| (x[0] * x[1]).square().mean(..), &inputs).unwrap();
    assert_eq!(failure(&report).diagnosis, Diagnosis::MissingSum);
}

#[test]
fn one_wrong_element_of_many_is_found_and_named() {
    for (rows, classes) in [(8, 32), (64, 32), (256, 256)] {
        let at = rows * classes / 3 + 5;
        let wrong = FaultInjector::new(move |op, input, _, g| {
            if op == "sub" && input == 0 && g.len() == rows * classes {
                changed(g, at, 1.01)
            } else {
                g
            }
        });
        let check = Check { orders: 1, injector: Some(wrong), ..Check::default() };
        let inputs = [numbers(&[rows, classes], 1.0), numbers(&[rows, classes], 9.0)];
        let report = check.run(|_, x| mse(x[0], x[1]).mean(), &inputs).unwrap();
        let found = failure(&report);
        assert_eq!(found.worst[0].index, [at / classes, at % classes]);
        assert_eq!(found.diagnosis, Diagnosis::Elements(1), "{report}");
        assert_eq!(found.blame.as_ref().unwrap().op, "sub");
    }
}

/// A tensor with one element times a factor.
fn changed(g: Var<'_>, at: usize, factor: f64) -> Var<'_> {
    let mut factors = vec![1.0; g.len()];
    factors[at] = factor;
    g * g.tape().constant(Tensor::new(g.shape(), factors).unwrap())
}

#[test]
fn a_rule_that_is_wrong_in_its_own_derivative_fails_at_order_2() {
    // The cotangent is right, but what it depends on is hidden from the second derivative.
    let report = Check { injector: Some(of("square", |g| g.detach())), ..Check::default() }
        .run(|_, x| x[0].square().square().sum(..), &[numbers(&[4], 0.0)])
        .unwrap();
    assert_eq!(report.rows[0].verdict, Verdict::Pass, "{report}");
    assert_eq!(report.rows[1].verdict, Verdict::Fail, "{report}");
}

#[test]
fn every_method_finds_a_wrong_factor_and_passes_a_right_one() {
    for method in [Method::Quick, Method::Full, Method::Taylor] {
        for (factor, passes) in [(1.0, true), (1.05, false)] {
            let injector =
                FaultInjector::new(move |op, _, _, g| if op == "exp" { g * factor } else { g });
            let check = Check { method, orders: 1, injector: Some(injector), ..Check::default() };
            let report = check.run(|_, x| x[0].exp().sum(..), &[numbers(&[2, 3], 0.0)]).unwrap();
            assert_eq!(report.passed(), passes, "{method:?}: {report}");
        }
    }
}

#[test]
fn taylor_tells_by_the_order_of_what_is_left_over() {
    let margin = |factor: f64| {
        let injector =
            FaultInjector::new(move |op, _, _, g| if op == "exp" { g * factor } else { g });
        let method = Method::Taylor;
        let check = Check { method, orders: 1, injector: Some(injector), ..Check::default() };
        let report = check.run(|_, x| x[0].exp().sum(..), &[numbers(&[2, 3], 0.0)]).unwrap();
        report.rows[0].margin
    };
    // 1.5 over the order: 2 for a right gradient, 1 for one that is wrong, however little.
    assert!((margin(1.0) - 0.75).abs() < 0.02, "{}", margin(1.0));
    assert!((margin(1.001) - 1.5).abs() < 0.1, "{}", margin(1.001));
    assert!((margin(-1.0) - 1.5).abs() < 0.02, "{}", margin(-1.0));
}

#[test]
fn taylor_does_not_take_a_kink_farther_away_for_a_wrong_slope() {
    let check = |factor: f64| {
        let injector =
            FaultInjector::new(move |op, _, _, g| if op == "relu" { g * factor } else { g });
        let method = Method::Taylor;
        let check = Check { method, orders: 1, injector: Some(injector), ..Check::default() };
        check.run(|_, x| (x[0] - 0.995).relu().sum(..), &[Tensor::from([1.0])]).unwrap().passed()
    };
    assert!(check(1.0) && !check(1.01));
}

#[test]
fn every_kink_of_an_op_is_a_kink_and_names_the_op() {
    for row in ops::all() {
        for kink in row.kinks {
            let inputs: Vec<Tensor> = match row.family {
                "unary" => vec![Tensor::from([kink.input[0], 0.77])],
                "binary" => kink.input.iter().map(|&x| Tensor::from([x, 0.77])).collect(),
                // Two maxima, or minima.
                _ => vec![Tensor::from([[[1.0, 0.5], [1.0, 0.7]], [[0.2, 0.5], [0.2, 0.9]]])],
            };
            let report = Check { orders: 1, ..Check::default() }
                .run(|_, x| (row.record)(x).sum(..), &inputs)
                .unwrap();
            let finding = &report.rows[0];
            if row.name == "pow" {
                // Its kink is in the other input: in the base, x⁰ is flat.
                assert_eq!(finding.verdict, Verdict::Pass, "{report}");
                continue;
            }
            assert_eq!(finding.verdict, Verdict::Kink, "{}: {report}", row.name);
            let found = finding.kink.as_ref().unwrap();
            let op = found.op.as_ref().map(|op| op.op);
            assert_eq!(op, Some(row.name), "{report}");
            if ["unary", "binary"].contains(&row.family) {
                assert_eq!(found.element, Some(vec![0]), "{report}");
            }
        }
    }
}

#[test]
fn a_slope_outside_of_both_sides_of_a_kink_fails() {
    let report = Check { orders: 1, injector: Some(of("abs", |g| g * 3.0)), ..Check::default() }
        .run(|_, x| x[0].abs().sum(..), &[Tensor::from([0.0, 1.0])])
        .unwrap();
    assert_eq!(report.rows[0].verdict, Verdict::Fail, "{report}");
}

#[test]
fn what_has_no_gradient_is_skipped_with_the_reason() {
    let report = lossgraph_check::check(
        |_, x| (x[0] * x[1].detach()).sum(..),
        &[numbers(&[3], 0.0), numbers(&[3], 1.0)],
    )
    .unwrap();
    assert!(matches!(&report.rows[1].verdict, Verdict::Skipped(why) if why.contains("detach")));
    let report = cross_entropy_with(of("nothing", |g| g), 4, 3);
    assert_eq!(report.rows[1].verdict, Verdict::Skipped("it holds integers".to_owned()));
}

#[test]
fn a_loss_that_is_not_finite_is_an_error() {
    let error = lossgraph_check::check(|_, x| x[0].ln().sum(..), &[Tensor::from([0.0])]);
    assert!(error.unwrap_err().to_string().contains("the loss is -inf"));
    let error = lossgraph_check::check(|_, x| x[0].exp(), &[Tensor::from([0.0, 1.0])]);
    assert!(error.unwrap_err().to_string().contains("expected one element"));
}

#[test]
fn a_report_is_json_and_the_same_for_the_same_seed() {
    let run = || cross_entropy_with(of("exp", |g| g * 2.0), 4, 3);
    let (one, two) = (run(), run());
    assert_eq!(one.to_json(), two.to_json());
    assert_eq!(one.to_json()["verdict"], "FAIL");
}
