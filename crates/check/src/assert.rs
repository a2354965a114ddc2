//! One line in a test.

/// Panics with the report if a gradient is wrong: the one line that a test of a loss needs.
///
/// ```
/// use lossgraph_check::assert_gradients;
/// use lossgraph_tensor::Tensor;
///
/// // A program, recorded on a tape.
/// assert_gradients!(|_, x| (x[0] - x[1]).square().mean(..), &[[0.5, 3.0].into(), [0.0, 1.0].into()]);
///
/// // A function that gives its value and its gradients, however it computes them.
/// assert_gradients!(
///     function: |x: &[Tensor]| {
///         let x = x[0].to_f64s();
///         (x.iter().map(|x| x * x).sum(), vec![Tensor::from(vec![2.0 * x[0], 2.0 * x[1]])])
///     },
///     &[[0.5, 3.0].into()]
/// );
/// ```
///
/// `assert_gradients!(&model, |model, x| …, batch)` checks every parameter of a model:
/// see [`check_model`](crate::check_model).
///
/// # Panics
/// A gradient or Hessian that is wrong; a program, a function or inputs that cannot be checked;
/// nothing to compare.
#[macro_export]
macro_rules! assert_gradients {
    (function: $function:expr, $inputs:expr $(,)?) => {
        $crate::assert_passed($crate::check_function($function, $inputs))
    };
    ($program:expr, $inputs:expr $(,)?) => {
        $crate::assert_passed($crate::check($program, $inputs))
    };
    ($model:expr, $loss:expr, $batch:expr $(,)?) => {
        $crate::assert_passed($crate::check_model($model, $loss, $batch))
    };
}

/// Panics with the report unless it passed: what [`assert_gradients!`](crate::assert_gradients)
/// does with its check.
///
/// # Panics
/// As said there.
#[doc(hidden)]
#[track_caller]
pub fn assert_passed(report: lossgraph_autograd::Result<crate::Report>) {
    match report {
        Ok(report) if report.passed() => {}
        Ok(report) if !report.compared() => panic!("nothing was compared\n{report}"),
        Ok(report) => panic!("a gradient is wrong\n{report}"),
        Err(error) => panic!("the gradients cannot be checked: {error:?}"),
    }
}
