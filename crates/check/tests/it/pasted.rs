//! The smallest case of a failure is a test that compiles as it is printed, and fails.

use lossgraph_autograd::{Tape, Var};
use lossgraph_check::{Report, assert_gradients, check, check_function};
use lossgraph_tensor::Tensor;

/// x², whose slope forgets one of the two factors.
fn program<'t>(_: &'t Tape, x: &[Var<'t>]) -> Var<'t> {
    (x[0] * x[0].detach()).sum(..)
}

/// The same by hand.
fn function(x: &[Tensor]) -> (f64, Vec<Tensor>) {
    (x[0].to_f64s().iter().map(|x| x * x).sum(), vec![x[0].clone()])
}

fn input() -> Tensor {
    Tensor::from([[0.5, -1.0, 3.0], [2.0, 0.25, -0.5]])
}

/// What is printed has to stand in this file, where it is compiled and run.
fn is_pasted(report: &Report) {
    let smallest = report.rows[0].failure.as_ref().unwrap().smallest.as_ref().unwrap();
    // The last digits of differences are those of a machine.
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| !line.starts_with("//") && !line.is_empty()).collect()
    };
    let (printed, here) = (lines(&smallest.test), lines(include_str!("pasted.rs")));
    assert!(here.windows(printed.len()).any(|part| part == printed), "{smallest}");
}

#[test]
fn the_test_of_a_program_compiles_as_it_is_printed() {
    is_pasted(&check(program, &[input()]).unwrap());
}

#[test]
fn the_test_of_a_function_compiles_as_it_is_printed() {
    is_pasted(&check_function(function, &[input()]).unwrap());
}

#[rustfmt::skip]
mod of_a_program {
    use super::*;

    #[should_panic(expected = "a gradient is wrong")]
    #[test]
    fn the_gradient_is_right() {
        // In input 0 at [0, 0]: 2 by differences, not 1.
        assert_gradients!(program, &[
            Tensor::from([[1.0]]), // input 0
        ]);
    }
}

#[rustfmt::skip]
mod of_a_function {
    use super::*;

    #[should_panic(expected = "a gradient is wrong")]
    #[test]
    fn the_gradient_is_right() {
        // In input 0 at [0, 0]: 2 by differences, not 1.
        assert_gradients!(function: function, &[
            Tensor::from([[1.0]]), // input 0
        ]);
    }
}
