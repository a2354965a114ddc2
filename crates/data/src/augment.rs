//! Random changes of inputs that leave their targets as they are.

use lossgraph_tensor::{DType, Tensor};
use rand::{Rng, RngExt};

use crate::error::{Error, Result};

/// A random change of inputs that leaves their targets as they are; drawn anew for each example.
/// Those of pictures take `[batch, channel, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Augmentation {
    /// Adds normal noise to each number. Any shape.
    #[doc(alias = "GaussianNoise")]
    Noise {
        /// The standard deviation of the noise.
        deviation: f64,
    },
    /// Moves a picture by up to so many pixels along both axes, with 0 from beyond the border.
    #[doc(alias = "RandomCrop")]
    #[doc(alias = "translate")]
    Shift {
        /// The most pixels that it moves.
        pixels: usize,
    },
    /// Mirrors a picture left to right, every second one.
    #[doc(alias = "RandomHorizontalFlip")]
    Flip,
    /// Multiplies the numbers of an example by one factor, and adds another number to all.
    #[doc(alias = "ColorJitter")]
    Jitter {
        /// The factor is from `1 − contrast` to `1 + contrast`.
        contrast: f64,
        /// What is added is from `−brightness` to `brightness`.
        brightness: f64,
    },
    /// Sets a square of a picture to 0, cut off where it leaves the picture.
    #[doc(alias = "RandomErasing")]
    Cutout {
        /// The side of the square, in pixels.
        side: usize,
    },
}

impl Augmentation {
    /// A batch with each example changed.
    ///
    /// ```
    /// use lossgraph_data::Augmentation;
    /// use lossgraph_tensor::Tensor;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let picture = Tensor::from([[[[1.0, 2.0, 3.0]]]]);
    /// let mut rng = ChaCha8Rng::seed_from_u64(0);
    /// let seen: Vec<Vec<f64>> = (0..20)
    ///     .map(|_| Ok(Augmentation::Flip.apply(&picture, &mut rng)?.to_f64s()))
    ///     .collect::<Result<_, lossgraph_data::Error>>()?;
    /// assert!(seen.contains(&vec![3.0, 2.0, 1.0]) && seen.contains(&vec![1.0, 2.0, 3.0]));
    /// # Ok::<(), lossgraph_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// Inputs that are no floats, or no pictures for those that change pictures; options out of
    /// their range.
    pub fn apply(&self, inputs: &Tensor, rng: &mut impl Rng) -> Result<Tensor> {
        self.check(inputs)?;
        if let Augmentation::Noise { deviation } = *self {
            let noise = Tensor::normal(inputs.shape().clone(), 0.0, deviation, DType::F64, rng)?;
            let numbers = inputs.to_f64s().into_iter().zip(noise.to_f64s()).map(|(x, e)| x + e);
            return Ok(Tensor::new(inputs.shape().clone(), numbers.collect::<Vec<f64>>())?
                .to_dtype(inputs.dtype()));
        }
        let mut numbers = inputs.to_f64s();
        let count = inputs.shape()[0].max(1);
        let example = (numbers.len() / count).max(1);
        for example in numbers.chunks_mut(example) {
            match *self {
                Augmentation::Jitter { contrast, brightness } => {
                    let factor = between(1.0 - contrast, 1.0 + contrast, rng);
                    let shift = between(-brightness, brightness, rng);
                    example.iter_mut().for_each(|x| *x = factor * *x + shift);
                }
                _ => self.change_picture(example, &inputs.shape()[2..], rng),
            }
        }
        Ok(Tensor::new(inputs.shape().clone(), numbers)?.to_dtype(inputs.dtype()))
    }

    fn change_picture(&self, picture: &mut [f64], sides: &[usize], rng: &mut impl Rng) {
        let [height, width] = [sides[0], sides[1]];
        match *self {
            Augmentation::Shift { pixels } => {
                let pixels = pixels as i64;
                let [down, right] = [(); 2].map(|()| rng.random_range(-pixels..=pixels));
                for plane in picture.chunks_mut(height * width) {
                    let from = plane.to_vec();
                    for (at, pixel) in plane.iter_mut().enumerate() {
                        let (y, x) = ((at / width) as i64 - down, (at % width) as i64 - right);
                        let inside =
                            (0..height as i64).contains(&y) && (0..width as i64).contains(&x);
                        *pixel = if inside { from[y as usize * width + x as usize] } else { 0.0 };
                    }
                }
            }
            Augmentation::Flip => {
                if rng.random_bool(0.5) {
                    picture.chunks_mut(width).for_each(|row| row.reverse());
                }
            }
            Augmentation::Cutout { side } => {
                // Its center is anywhere in the picture.
                let cut = |center: usize, end: usize| {
                    let start = (center + side / 2 + 1).saturating_sub(side);
                    start.min(end)..(center + side / 2 + 1).min(end)
                };
                let (rows, columns) = (
                    cut(rng.random_range(0..height), height),
                    cut(rng.random_range(0..width), width),
                );
                for plane in picture.chunks_mut(height * width) {
                    for y in rows.clone() {
                        plane[y * width..][columns.clone()].fill(0.0);
                    }
                }
            }
            Augmentation::Noise { .. } | Augmentation::Jitter { .. } => {}
        }
    }

    /// An error unless it can change such inputs.
    pub(crate) fn check(&self, inputs: &Tensor) -> Result<()> {
        let refuse = |why: String| Err(Error::Augmentation { why });
        let numbers = match *self {
            Augmentation::Noise { deviation } => vec![("deviation", deviation)],
            Augmentation::Jitter { contrast, brightness } => {
                vec![("contrast", contrast), ("brightness", brightness)]
            }
            _ => Vec::new(),
        };
        if let Some((name, x)) = numbers.iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            return refuse(format!("{name} is {x}, expected a number of 0 and above"));
        }
        let is_picture = matches!(
            self,
            Augmentation::Shift { .. } | Augmentation::Flip | Augmentation::Cutout { .. }
        );
        if inputs.dtype() == DType::I64 {
            return refuse(format!("the inputs are integers {}, expected floats", inputs.shape()));
        }
        let shape = inputs.shape();
        if is_picture && (shape.rank() != 4 || shape[2] * shape[3] == 0) {
            return refuse(format!(
                "the inputs are {shape}, expected pictures [batch, channel, height, width]"
            ));
        }
        match shape.rank() {
            0 => refuse("the inputs are of shape [], expected [batch, …]".to_owned()),
            _ => Ok(()),
        }
    }
}

fn between(low: f64, high: f64, rng: &mut impl Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn pictures() -> Tensor {
        Tensor::arange(24, DType::F64).unwrap().reshape([2, 1, 3, 4]).unwrap().map(|x| x + 1.0)
    }

    #[test]
    fn a_shift_moves_all_of_a_picture_and_fills_with_0() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..20 {
            let shifted = Augmentation::Shift { pixels: 1 }.apply(&pictures(), &mut rng).unwrap();
            for (before, after) in pictures().to_f64s().chunks(12).zip(shifted.to_f64s().chunks(12))
            {
                let moved = |down: i64, right: i64| -> Vec<f64> {
                    let at = |i: i64| {
                        let (y, x) = (i / 4 - down, i % 4 - right);
                        let inside = (0..3).contains(&y) && (0..4).contains(&x);
                        if inside { before[(4 * y + x) as usize] } else { 0.0 }
                    };
                    (0..12).map(at).collect()
                };
                let mut all = (-1..=1).flat_map(|down| (-1..=1).map(move |right| (down, right)));
                assert!(all.any(|(down, right)| moved(down, right) == after), "{after:?}");
            }
        }
    }

    #[test]
    fn a_cutout_sets_a_square_to_0() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut counts = Vec::new();
        for _ in 0..50 {
            let cut = Augmentation::Cutout { side: 2 }.apply(&pictures(), &mut rng).unwrap();
            counts
                .extend(cut.to_f64s().chunks(12).map(|p| p.iter().filter(|x| **x == 0.0).count()));
        }
        counts.sort_unstable();
        counts.dedup();
        // Whole, cut off at one border, or at two.
        assert_eq!(counts, [1, 2, 4]);
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut refused = |augmentation: Augmentation, inputs: Tensor| {
            augmentation.apply(&inputs, &mut rng).unwrap_err().to_string()
        };
        let told = refused(Augmentation::Flip, Tensor::from([[1.0, 2.0]]));
        assert!(told.contains("[1, 2], expected pictures"), "{told}");
        let told = refused(Augmentation::Noise { deviation: -1.0 }, Tensor::from([1.0]));
        assert!(told.contains("deviation is -1"), "{told}");
        let told = refused(Augmentation::Noise { deviation: 1.0 }, Tensor::from([1_i64]));
        assert!(told.contains("integers"), "{told}");
    }

    #[test]
    fn noise_has_the_deviation_that_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let zeros = Tensor::zeros([10_000], DType::F32).unwrap();
        let noisy = Augmentation::Noise { deviation: 0.5 }.apply(&zeros, &mut rng).unwrap();
        assert_eq!(noisy.dtype(), DType::F32);
        let variance = noisy.to_f64s().iter().map(|x| x * x).sum::<f64>() / 10_000.0;
        assert!((variance - 0.25).abs() < 0.02, "{variance}");
    }
}
