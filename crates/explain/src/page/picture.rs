//! Tensors as a page shows them: all numbers of a small one, a summary of a large one.

use lossgraph_tensor::Tensor;
use serde_json::{Value, json};

/// The most elements of which a page holds every number.
pub(super) const SMALL: usize = 64;
/// The most rows and columns of a heat map.
const CELLS: usize = 24;
/// The bars of a histogram.
const BARS: usize = 25;

/// A number of JSON, which has none that is not finite: those are words that JavaScript reads.
pub(super) fn exact(x: f64) -> Value {
    match x {
        x if x.is_finite() => json!(x),
        x if x.is_nan() => json!("NaN"),
        x => json!(if x > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

/// A tensor: its shape with all numbers, or with a heat map and a histogram.
pub(super) fn picture(tensor: &Tensor) -> Value {
    let numbers = tensor.to_f64s();
    let shape = tensor.shape().to_vec();
    if numbers.len() <= SMALL {
        let numbers: Vec<Value> = numbers.into_iter().map(exact).collect();
        return json!({ "shape": shape, "numbers": numbers });
    }
    let finite = || numbers.iter().copied().filter(|x| x.is_finite());
    let (low, high) = finite()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let mut bars = vec![0; BARS];
    for x in finite() {
        let at = (x - low) / (high - low).max(f64::MIN_POSITIVE) * BARS as f64;
        bars[(at as usize).min(BARS - 1)] += 1;
    }
    let count = finite().count();
    json!({
        "shape": shape,
        "heat": heat_map(&numbers, shape.last().copied().unwrap_or(1)),
        "bars": bars,
        "low": exact(low),
        "high": exact(high),
        "mean": exact(finite().sum::<f64>() / count.max(1) as f64),
        "zeros": numbers.iter().filter(|x| **x == 0.0).count(),
        "strange": numbers.len() - count,
    })
}

/// Rows of means over equal blocks; the rows of the tensor lie along its last axis.
fn heat_map(numbers: &[f64], width: usize) -> Vec<Vec<Value>> {
    let height = numbers.len() / width.max(1);
    let (rows, columns) = (height.min(CELLS), width.min(CELLS));
    let block = |at: usize, of: usize, len: usize| at * len / of..(at + 1) * len / of;
    let mean = |row: usize, column: usize| {
        let across = block(column, columns, width);
        let down = block(row, rows, height);
        let count = down.len() * across.len();
        let sum: f64 = down.map(|i| numbers[i * width..][across.clone()].iter().sum::<f64>()).sum();
        exact(sum / count as f64)
    };
    (0..rows).map(|row| (0..columns).map(|column| mean(row, column)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use lossgraph_tensor::DType;

    use super::*;

    #[test]
    fn a_small_tensor_keeps_its_numbers_and_what_is_not_finite_is_a_word() {
        let shown = picture(&Tensor::from([1.5, f64::NAN, f64::NEG_INFINITY]));
        assert_eq!(shown, json!({ "shape": [3], "numbers": [1.5, "NaN", "-Infinity"] }));
    }

    #[test]
    fn a_large_tensor_is_a_heat_map_of_means_and_a_histogram_of_all() {
        let shown = picture(&Tensor::arange(48 * 48, DType::F64).reshape([48, 48]).unwrap());
        assert_eq!(shown["heat"].as_array().unwrap().len(), 24);
        assert_eq!(shown["heat"][0][0], 24.5);
        let bars: Vec<u64> =
            shown["bars"].as_array().unwrap().iter().flat_map(Value::as_u64).collect();
        assert_eq!(bars.iter().sum::<u64>(), 48 * 48);
        assert!(bars.iter().all(|bar| (91..=94).contains(bar)), "{bars:?}");
        assert_eq!((&shown["zeros"], &shown["strange"]), (&json!(1), &json!(0)));
    }
}
