//! Why a verdict is what it is: digits that single precision loses, graphs that end, noise; and a
//! page that shows it.

use lossgraph_autograd::FaultInjector;
use lossgraph_check::{Check, Page, Verdict, check};
use lossgraph_tensor::Tensor;

#[test]
fn the_op_that_loses_the_digits_in_single_precision_is_named() {
    let report =
        check(|_, x| ((x[0] + 3e4) - 3e4).square().sum(..), &[Tensor::from([0.001, 0.002])]);
    let report = report.unwrap();
    let single = report.single.as_ref().unwrap();
    let loses = single.loses.as_ref().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(loses.op.op, "sub", "{report}");
    assert!(loses.digits.0 > 6.0 && loses.digits.1 < 1.0, "{report}");
    assert!(report.to_string().contains("most digits are lost in `sub`"), "{report}");
    let healthy = check(|_, x| x[0].square().sum(..), &[Tensor::from([0.3])]).unwrap();
    assert_eq!(healthy.single.unwrap().loses, None);
}

#[test]
fn the_op_that_leaves_the_range_of_single_precision_is_named() {
    let report = check(|_, x| x[0].exp().ln().sum(..), &[Tensor::from([100.0, 1.0])]).unwrap();
    let loses = report.single.as_ref().unwrap().loses.as_ref().unwrap();
    assert_eq!(loses.op.op, "exp", "{report}");
    assert!(
        report.to_string().contains("in f32: the loss or its gradient is not finite"),
        "{report}"
    );
}

#[test]
fn a_second_derivative_that_is_missing_says_where_the_graph_ends() {
    let hidden = FaultInjector::new(|op, _, _, g| if op == "square" { g.detach() } else { g });
    let report = Check { injector: Some(hidden), ..Check::default() }
        .run(|_, x| x[0].square().square().sum(..), &[Tensor::from([0.5, 2.0])])
        .unwrap();
    let end = report.rows[1].failure.as_ref().unwrap().end.as_ref();
    assert_eq!(end.unwrap_or_else(|| panic!("{report}")).op, "detach");
    assert!(report.to_string().contains("the graph of the gradient ends at `detach`"), "{report}");
}

#[test]
fn noise_says_what_step_was_tried_and_what_came_out() {
    let report = check(|_, x| ((x[0] + 1e15) - 1e15).sum(..), &[Tensor::from([1.0])]).unwrap();
    assert_eq!(report.rows[0].verdict, Verdict::Noise, "{report}");
    let tried = report.rows[0].tried.unwrap();
    // Along a direction of a length between a half and 1.
    assert!((0.5..=1.0).contains(&tried.analytic.abs()), "{report}");
    assert!(tried.step > 0.0 && tried.numeric.error > 1e-3, "{report}");
    assert!(report.to_string().contains("uncertain: with steps up to"), "{report}");
    assert_eq!(report.to_json()["rows"][0]["noise"]["analytic"], tried.analytic);
}

#[test]
fn a_failure_on_a_tape_shrinks_to_one_element_and_is_written_as_a_test() {
    let wrong = FaultInjector::new(|op, _, _, g| if op == "tanh" { g * 1.5 } else { g });
    let numbers: Vec<f64> = (0..24).map(|i| f64::from(i) * 0.1 + 0.05).collect();
    let x = Tensor::new([4, 6], numbers).unwrap();
    let report = Check { injector: Some(wrong), orders: 1, ..Check::default() }
        .run(|_, x| x[0].tanh().mean(..), &[x])
        .unwrap();
    let smallest = report.rows[0].failure.as_ref().unwrap().smallest.as_ref().unwrap();
    assert_eq!(smallest.inputs[0].1.shape().to_vec(), [1, 1], "{smallest}");
    assert_eq!(smallest.inputs[0].1.to_f64s(), [0.0], "{smallest}");
    let expected =
        "    assert_gradients!(program, &[\n        Tensor::from([[0.0]]), // input 0\n    ]);";
    assert!(smallest.test.contains(expected), "{smallest}");
}

#[test]
fn a_page_has_a_row_for_each_derivative_and_a_picture_of_each_failure() {
    let wrong = FaultInjector::new(|op, _, _, g| if op == "tanh" { g * 1.5 } else { g });
    let report = Check { injector: Some(wrong), title: "a < b".into(), ..Check::default() }
        .run(|_, x| x[0].tanh().mean(..), &[Tensor::from([0.5, 1.0])])
        .unwrap();
    let html =
        Page::new("results").report(&report).explained("<body>\"explained\"</body>").to_html();
    assert!(html.contains("<h2>a &lt; b</h2>"));
    assert!(html.contains("<td class=\"FAIL\">FAIL</td>"));
    assert_eq!(html.matches("<svg").count(), 1);
    assert!(html.contains("claimed slope"));
    // The explainer opens at the op that is to blame.
    let node = report.rows[0].failure.as_ref().unwrap().blame.as_ref().unwrap().node;
    assert!(html.contains(&format!("active.find({node});")), "{html}");
    let plain = Page::new("results").report(&report).to_html();
    assert!(!plain.contains("<iframe"));
}
