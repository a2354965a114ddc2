//! Where we differ from PyTorch on purpose, and in which cases.

use serde_json::Value;

use super::Difference;
use crate::golden_runner::Part;

/// Of value and slopes.
pub const fn everywhere(when: fn(&Value) -> bool, because: &'static str) -> [Difference; 3] {
    [
        Difference { part: Part::Output, when, because },
        Difference { part: Part::Gradient, when, because },
        Difference { part: Part::SecondDerivative, when, because },
    ]
}

/// Of slopes.
pub const fn slopes(when: fn(&Value) -> bool, because: &'static str) -> [Difference; 2] {
    [
        Difference { part: Part::Gradient, when, because },
        Difference { part: Part::SecondDerivative, when, because },
    ]
}

/// The elements of an input.
fn data<'a>(case: &'a Value, name: &str) -> &'a [Value] {
    case["inputs"][name]["data"].as_array().map_or(&[], |list| list)
}

pub fn rank(case: &Value, name: &str) -> usize {
    case["inputs"][name]["shape"].as_array().map_or(0, Vec::len)
}

/// An input holds a NaN, or an infinity.
pub fn not_finite(case: &Value) -> bool {
    let inputs = case["inputs"].as_object().into_iter().flatten();
    inputs
        .flat_map(|(_, input)| input["data"].as_array().into_iter().flatten())
        .any(Value::is_string)
}

/// The input, or the base of a power, holds a negative number.
pub fn negative(case: &Value) -> bool {
    ["input", "other"].iter().any(|name| {
        data(case, name).iter().any(|x| x.as_f64().is_some_and(|x| x < 0.0) || x == "-Infinity")
    })
}

pub fn empty(case: &Value) -> bool {
    let inputs = case["inputs"].as_object().into_iter().flatten();
    inputs.into_iter().any(|(_, input)| {
        input["shape"].as_array().is_some_and(|shape| shape.iter().any(|length| length == 0))
    })
}

/// An input is further from 0 than functions are told apart by PyTorch's slopes.
pub fn far(case: &Value) -> bool {
    data(case, "input").iter().any(|x| x.is_string() || x.as_f64().is_some_and(|x| x.abs() > 1e3))
}

/// A target holds a 0.
pub fn zero_target(case: &Value) -> bool {
    let target = &case["inputs"]["target"];
    let values = target["data"].as_array().or(target["ints"].as_array());
    values.is_some_and(|values| values.iter().any(|x| x.as_f64() == Some(0.0)))
}
