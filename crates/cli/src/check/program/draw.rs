//! Inputs for a program: drawn by shapes and ranges, or read from a file.

use std::fs;
use std::path::Path;

use lossgraph_engine::{Entries, json};
use lossgraph_tensor::{DType, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::tensor;

/// An input with its name.
pub type Input = (String, Tensor);

/// What is expected of `--draw`.
const FORM: &str = "expected inputs such as \"logits: [8, 10], labels: 8 of 0..10, scale: [] of 0.5..2.0\": \
                    a name, a shape, and a range of floats, or of integers below the second one; \
                    without a range, normal numbers";

/// Draws inputs that are described like `logits: [8, 10], labels: 8 of 0..10`.
pub fn draw(text: &str, seed: u64) -> Result<Vec<Input>, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut inputs: Vec<Input> = Vec::new();
    for part in parts(text) {
        let wrong = |why: String| format!("--draw: `{}`: {why}\n{FORM}", part.trim());
        let (name, described) =
            part.split_once(':').ok_or_else(|| wrong("it has no name and colon".to_owned()))?;
        let name = name.trim();
        if name.is_empty() || inputs.iter().any(|(before, _)| before == name) {
            return Err(wrong("each input needs a name of its own".to_owned()));
        }
        let (shape, range) = match described.split_once(" of ") {
            Some((shape, range)) => (shape, Some(range.trim())),
            None => (described, None),
        };
        let shape = shape_of(shape.trim()).map_err(wrong)?;
        inputs.push((name.to_owned(), drawn(&shape, range, &mut rng).map_err(wrong)?));
    }
    match inputs.is_empty() {
        true => Err(format!("--draw: it names no inputs\n{FORM}")),
        false => Ok(inputs),
    }
}

/// The text at its commas, but not those within brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut first, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[first..at]);
                first = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[first..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn shape_of(text: &str) -> Result<Vec<usize>, String> {
    let inner = match text.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or("its shape has no closing bracket")?,
        None => text,
    };
    if inner.trim().is_empty() && text.starts_with('[') {
        return Ok(Vec::new());
    }
    let length = |length: &str| match length.trim().parse::<usize>() {
        Ok(0) => Err("an axis of length 0 leaves nothing to compare".to_owned()),
        Ok(length) => Ok(length),
        Err(_) => Err(format!("`{}` is no length of an axis", length.trim())),
    };
    inner.split(',').map(length).collect()
}

fn drawn(shape: &[usize], range: Option<&str>, rng: &mut ChaCha8Rng) -> Result<Tensor, String> {
    let count = shape.iter().try_fold(1_usize, |count, &length| count.checked_mul(length));
    let count = count.filter(|&count| count <= MOST).ok_or(format!("{shape:?} is too large"))?;
    let Some(range) = range else {
        return Tensor::randn(shape.to_vec(), DType::F64, rng).map_err(|error| error.to_string());
    };
    let tensor = match range.split_once("..") {
        None => {
            let number: f64 =
                range.parse().map_err(|_| format!("`{range}` is no range and no number"))?;
            Tensor::new(shape.to_vec(), vec![number; count])
        }
        Some((low, high)) => match (low.trim().parse::<i64>(), high.trim().parse::<i64>()) {
            (Ok(low), Ok(high)) if low < high => Tensor::new(
                shape.to_vec(),
                (0..count).map(|_| rng.random_range(low..high)).collect(),
            ),
            (Ok(_), Ok(_)) => return Err(format!("the range {range} is empty")),
            _ => {
                let float = |text: &str| {
                    let number = text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
                    number.ok_or_else(|| format!("`{}` is no end of a range", text.trim()))
                };
                let (low, high) = (float(low)?, float(high)?);
                if low >= high || !(high - low).is_finite() {
                    return Err(format!("the range {range} is empty"));
                }
                Tensor::new(
                    shape.to_vec(),
                    (0..count).map(|_| rng.random_range(low..high)).collect(),
                )
            }
        },
    };
    tensor.map_err(|error| error.to_string())
}

/// More elements than this are not drawn: a check would not end.
const MOST: usize = 1 << 28;

/// Reads inputs from a file of JSON, in its order.
pub fn read(file: &Path) -> Result<Vec<Input>, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let wrong = |why: String| format!("{}: {why}", file.display());
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let value: Value = json::parse(text).map_err(|error| wrong(format!("no JSON: {error}")))?;
    if !value.is_object() {
        return Err(wrong(
            "expected inputs by name: {\"logits\": [[2.0, 1.0]], \"labels\": [0]}".into(),
        ));
    }
    // Of two of one name, the object has the last one.
    let Entries(inputs) = json::parse(text).map_err(|error| wrong(error.to_string()))?;
    let read = |(name, value): (String, Value)| {
        let tensor = tensor::from_json(&value).map_err(|why| wrong(format!("`{name}`: {why}")))?;
        Ok((name, tensor))
    };
    inputs.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_drawn_by_shapes_and_ranges() {
        let inputs = draw("logits: [8, 10], labels: 8 of 0..10, scale: [] of 0.5..2.0", 1).unwrap();
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|(_, x)| x.shape().to_vec()).collect();
        assert_eq!(shapes, [vec![8, 10], vec![8], vec![]]);
        let labels: Vec<i64> = inputs[1].1.to_vec().unwrap();
        assert!(labels.iter().all(|label| (0..10).contains(label)));
        assert!((0.5..2.0).contains(&inputs[2].1.to_f64s()[0]));
        let again = draw("logits: [8, 10]", 1).unwrap();
        assert_eq!(again[0].1.to_f64s(), inputs[0].1.to_f64s());
    }

    #[test]
    fn a_description_that_is_wrong_says_where_and_what_is_expected() {
        for (text, why) in [
            ("logits [8]", "no name and colon"),
            ("x: [8, y]", "`y` is no length"),
            ("x: [8", "no closing bracket"),
            ("x: 8 of 3..3", "empty"),
            ("x: 8 of a..b", "`a` is no end"),
            ("x: 0", "length 0"),
            ("x: 2, x: 3", "name of its own"),
            ("", "no inputs"),
            ("x: [99999999999, 99999999999]", "too large"),
        ] {
            let told = draw(text, 0).unwrap_err();
            assert!(told.contains(why) && told.contains("such as"), "{text}: {told}");
        }
    }
}
