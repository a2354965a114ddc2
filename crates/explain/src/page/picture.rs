//! Tensors as a page shows them: all numbers of a small one, a summary of a large one.

use lossgraph_tensor::Tensor;
use serde::{Serialize, Serializer};

/// The most elements of which a page holds every number.
pub(super) const SMALL: usize = 64;
/// The most rows and columns of a heat map.
const CELLS: usize = 16;
/// The bars of a histogram.
const BARS: usize = 25;

/// A number; what is not finite is a word that JavaScript parses.
pub(super) struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_finite() => serializer.serialize_f64(x),
            x if x.is_nan() => serializer.serialize_str("NaN"),
            x => serializer.serialize_str(if x > 0.0 { "Infinity" } else { "-Infinity" }),
        }
    }
}

/// A tensor: its shape with all numbers, or with a heat map and a histogram.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Picture {
    Small {
        shape: Vec<usize>,
        numbers: Vec<Exact>,
    },
    #[serde(rename_all = "camelCase")]
    Large {
        shape: Vec<usize>,
        /// Means of blocks, in percent of `most`.
        heat: Vec<Vec<i8>>,
        most: Exact,
        bars: Vec<usize>,
        low: Exact,
        high: Exact,
        mean: Exact,
        zeros: usize,
        non_finite: usize,
    },
}

impl Picture {
    pub(super) fn of(tensor: &Tensor) -> Picture {
        let numbers = tensor.to_f64s();
        let shape = tensor.shape().to_vec();
        if numbers.len() <= SMALL {
            return Picture::Small { shape, numbers: numbers.into_iter().map(Exact).collect() };
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
        let means = means(&numbers, shape.last().copied().unwrap_or(1));
        let most = means.iter().flatten().fold(0.0, |most: f64, mean| most.max(mean.abs()));
        let cell = |mean: &f64| if *mean == 0.0 { 0.0 } else { (100.0 * mean / most).round() };
        let heat = means.iter().map(|row| row.iter().map(|mean| cell(mean) as i8).collect());
        Picture::Large {
            heat: heat.collect(),
            most: Exact(most),
            bars,
            low: Exact(low),
            high: Exact(high),
            mean: Exact(finite().sum::<f64>() / count.max(1) as f64),
            zeros: numbers.iter().filter(|x| **x == 0.0).count(),
            non_finite: numbers.len() - count,
            shape,
        }
    }
}

/// Rows of means over equal blocks; the rows of the tensor lie along its last axis. What is not
/// finite does not count.
fn means(numbers: &[f64], width: usize) -> Vec<Vec<f64>> {
    let height = numbers.len() / width.max(1);
    let (rows, columns) = (height.min(CELLS), width.min(CELLS));
    let block = |at: usize, of: usize, len: usize| at * len / of..(at + 1) * len / of;
    let mean = |row: usize, column: usize| {
        let across = block(column, columns, width);
        let down = block(row, rows, height);
        let all = down.flat_map(|i| &numbers[i * width..][across.clone()]);
        let (sum, count) = all
            .filter(|x| x.is_finite())
            .fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
        if count == 0.0 { 0.0 } else { sum / count }
    };
    (0..rows).map(|row| (0..columns).map(|column| mean(row, column)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use lossgraph_tensor::DType;
    use serde_json::{Value, json};

    use super::*;

    fn picture(tensor: &Tensor) -> Value {
        json!(Picture::of(tensor))
    }

    #[test]
    fn a_small_tensor_keeps_its_numbers_and_what_is_not_finite_is_a_word() {
        let shown = picture(&Tensor::from([1.5, f64::NAN, f64::NEG_INFINITY]));
        assert_eq!(shown, json!({ "shape": [3], "numbers": [1.5, "NaN", "-Infinity"] }));
    }

    #[test]
    fn a_large_tensor_is_a_heat_map_of_means_and_a_histogram_of_all() {
        let shown =
            picture(&Tensor::arange(48 * 48, DType::F64).unwrap().reshape([48, 48]).unwrap());
        assert_eq!(shown["heat"].as_array().unwrap().len(), 16);
        // Means of nine numbers: 49 in the first block, 2254 in the last, which is 100.
        let [first, last] = [&shown["heat"][0][0], &shown["heat"][15][15]];
        assert_eq!((first, last, &shown["most"]), (&json!(2), &json!(100), &json!(2254.0)));
        let bars: Vec<u64> =
            shown["bars"].as_array().unwrap().iter().flat_map(Value::as_u64).collect();
        assert_eq!(bars.iter().sum::<u64>(), 48 * 48);
        assert!(bars.iter().all(|bar| (91..=94).contains(bar)), "{bars:?}");
        assert_eq!((&shown["zeros"], &shown["nonFinite"]), (&json!(1), &json!(0)));
    }
}
