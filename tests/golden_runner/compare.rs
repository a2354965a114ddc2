//! Comparing what we compute with what is recorded: FORMAT.md, section 6.

use lossgraph_tensor::{DType, Shape, Tensor};
use serde_json::Value;

use super::case::{Golden, has_tag};

/// `|a − b| ≤ absolute + relative · max|b|`, where `b` is what is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    pub absolute: f64,
    pub relative: f64,
}

/// Of outputs and gradients.
pub const FIRST: Tolerance = Tolerance { absolute: 1e-11, relative: 1e-9 };
/// Of Hessian-vector products.
pub const SECOND: Tolerance = Tolerance { absolute: 1e-9, relative: 1e-7 };
/// Of optimizers and whole trainings.
pub const TRAJECTORY: Tolerance = Tolerance { absolute: 1e-9, relative: 1e-7 };

impl Tolerance {
    /// The tolerance for a case: at the extremes digits are lost.
    pub fn of(self, case: &Value) -> Tolerance {
        if has_tag(case, "extreme") || has_tag(case, "boundary") {
            Tolerance { relative: self.relative.max(1e-6), ..self }
        } else {
            self
        }
    }

    /// What is allowed beside `expected`.
    fn margin(self, expected: &[f64]) -> f64 {
        let finite = expected.iter().filter(|value| value.is_finite());
        self.absolute + self.relative * finite.fold(0.0, |scale, value| value.abs().max(scale))
    }
}

/// Says how `got` differs from `expected`, if it does. `what` names the tensor.
pub fn compare(
    what: &str,
    expected: &Golden,
    got: &Tensor,
    within: Tolerance,
) -> Result<(), String> {
    if expected.shape[..] != got.shape()[..] {
        return Err(format!("{what}: expected shape {:?}, got {}", expected.shape, got.shape()));
    }
    if !expected.integer && got.dtype() == DType::I64 {
        return Err(format!("{what}: expected floats, got integers"));
    }
    let margin = if expected.integer { 0.0 } else { within.margin(&expected.values) };
    compare_values(what, &expected.shape, &expected.values, &got.to_f64s(), margin)
}

/// Says how numbers differ from those recorded, if they do. `what` names them.
pub fn compare_numbers(
    what: &str,
    expected: &[f64],
    got: &[f64],
    within: Tolerance,
) -> Result<(), String> {
    if expected.len() != got.len() {
        return Err(format!("{what}: expected {} numbers, got {}", expected.len(), got.len()));
    }
    compare_values(what, &[expected.len()], expected, got, within.margin(expected))
}

fn compare_values(
    what: &str,
    shape: &[usize],
    expected: &[f64],
    got: &[f64],
    margin: f64,
) -> Result<(), String> {
    // NaN agrees with NaN, an infinity with itself, -0 with 0.
    let agree = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= margin;
    match (0..expected.len()).find(|&i| !agree(got[i], expected[i])) {
        None => Ok(()),
        Some(i) => Err(format!(
            "{what} at {:?}: expected {:?}, got {:?}, tolerance {margin:.2e}",
            Shape::from(shape).unravel_index(i),
            expected[i],
            got[i]
        )),
    }
}
