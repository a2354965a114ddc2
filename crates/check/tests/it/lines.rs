//! Errors of a check name the line that called it, or that of the program that is wrong.

use lossgraph_autograd::{Result, numeric_gradient};
use lossgraph_check::{Check, Method, check};
use lossgraph_tensor::Tensor;

fn assert_line<T>(found: Result<T>, line: u32, what: &str) {
    let error = found.err().unwrap_or_else(|| panic!("{what} gave a value"));
    let place = format!("{}:{line}", file!());
    assert_eq!(error.location(), Some(place), "{what}:\n{error:?}");
}

#[test]
fn a_check_that_cannot_be_made_names_the_line_of_its_call() {
    let inputs = &[Tensor::from([1.0, 2.0])];
    assert_line(check(|_, x| x[0].square(), inputs), line!(), "a vector");
    assert_line(check(|_, x| x[0].slice(0, ..0), inputs), line!(), "nothing");
    assert_line(check(|_, x| (x[0] - 1.0).ln().sum(..), inputs), line!(), "an infinite loss");
    assert_line(numeric_gradient(|_, x| x[0].exp(), inputs), line!(), "a numeric gradient");
    for method in [Method::Quick, Method::Full, Method::Taylor] {
        let check = Check { method, ..Check::default() };
        assert_line(check.run(|_, x| x[0].square(), inputs), line!(), "a vector");
    }
}

#[test]
fn an_error_of_the_program_names_its_own_line() {
    let line = line!() + 1;
    assert_line(check(|_, x| x[0].sum(3), &[Tensor::from([1.0])]), line, "no such axis");
}
