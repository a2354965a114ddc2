//! Checks the derivatives of a program against finite differences, and says what is wrong and
//! where.
//!
//! ```
//! use lossgraph_check::check;
//!
//! let report = check(|_, x| (x[0] - x[1]).cosh().ln().mean(..), &[[0.5, 3.0].into(), [0.0, 1.0].into()])?;
//! assert!(report.passed(), "{report}");
//! # Ok::<(), lossgraph_autograd::Error>(())
//! ```
//!
//! What sets it apart from comparing with a tolerance: the numeric side comes from a ladder of
//! steps with an *estimate of its own error*, so that an error of one element in 65,536 by a
//! thousandth is seen where it is above rounding, and honest gradients are not blamed. At a kink,
//! any slope between those of both sides is right. After a failure, single elements are looked at,
//! the ratios are read, and the first op whose own rule is wrong at its own inputs is named with the
//! line that recorded it.

mod assert;
mod black_box;
mod blame;
mod check;
mod compared;
mod diagnosis;
mod differentiable;
mod directions;
mod doubt;
mod ends;
mod function;
mod gradient;
mod joint;
mod locate;
mod model;
mod noise;
mod progress;
mod report;
mod rounding;
mod rust_test;
mod single;
mod slopes;
mod smallest;
mod steps;
mod taylor;

#[doc(hidden)]
pub use assert::assert_passed;
pub use black_box::{
    Answer, BlackBox, Evaluation, IntoEvaluation, Products, check_function, each_value,
};
pub use blame::Blame;
pub use check::{Check, check};
pub use diagnosis::Diagnosis;
pub use gradient::Method;
pub use model::check_model;
pub use report::{
    Colored, Element, Failure, Finding, INTEGERS, KinkPoint, Line, Loses, Page, Report, Single,
    Tried, Verdict,
};
pub use slopes::Estimate;
pub use smallest::Smallest;
