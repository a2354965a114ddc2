//! Handwritten digits.

use std::io::Read;

use flate2::read::GzDecoder;
use lossgraph_tensor::Tensor;

use crate::dataset::Dataset;
use crate::error::{Error, Result};

const FILE: &[u8] = include_bytes!("../data/digits.csv.gz");
const NAME: &str = "digits.csv.gz";
const PIXELS: usize = 64;

/// 1,797 handwritten digits of 43 people, as images of 8 × 8 pixels from 0 (paper) to 1 (ink).
/// The inputs are `[1797, 64]`, row by row.
///
/// # Errors
/// None with the file that is compiled in.
///
/// # Source
/// E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
/// Repository, 1998, test part; as distributed with scikit-learn. CC BY 4.0.
pub fn digits() -> Result<Dataset> {
    let mut text = String::new();
    let broken = |line: usize, why: String| Error::File { file: NAME, line, why };
    GzDecoder::new(FILE)
        .read_to_string(&mut text)
        .map_err(|error| broken(0, format!("it does not unpack: {error}")))?;
    let mut inputs = Vec::with_capacity(1797 * PIXELS);
    let mut labels = Vec::with_capacity(1797);
    for (at, line) in text.lines().enumerate() {
        let mut numbers = line.split(',').map(|field| field.trim().parse::<f32>());
        let before = inputs.len();
        for pixel in numbers.by_ref().take(PIXELS) {
            let pixel = pixel.map_err(|error| broken(at + 1, error.to_string()))?;
            inputs.push(pixel / 16.0);
        }
        match (numbers.next(), numbers.next()) {
            (Some(Ok(label)), None) if inputs.len() == before + PIXELS => {
                labels.push(label as usize)
            }
            _ => return Err(broken(at + 1, format!("expected {PIXELS} pixels and a class"))),
        }
    }
    Dataset::new(Tensor::new([labels.len(), PIXELS], inputs)?, labels, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_1797_digits_of_ten_classes() {
        let digits = digits().unwrap();
        assert_eq!(digits.inputs().shape()[..], [1797, 64]);
        let per_class: Vec<usize> = (0..10)
            .map(|class| digits.labels().iter().filter(|&&label| label == class).count())
            .collect();
        assert_eq!(per_class, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let pixels = digits.inputs().to_f64s();
        assert!(pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    }
}
