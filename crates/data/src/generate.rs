//! Data sets that are drawn: points of the plane in classes that no line parts, and a noisy curve.
//!
//! Each is a pure function of its arguments. Classes have equally many points, or one more.

use std::f64::consts::{PI, TAU};

use lossgraph_tensor::Tensor;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// Two half circles of radius 1 that reach into each other, `[count, 2]`, with normal noise.
///
/// # Errors
/// For all of these: fewer points than classes; noise that is negative or not finite.
#[doc(alias = "make_moons")]
pub fn moons(count: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points(count, 2, noise, seed, |class, rng| {
        let angle = PI * rng.random::<f64>();
        match class {
            0 => [angle.cos(), angle.sin()],
            _ => [1.0 - angle.cos(), 0.5 - angle.sin()],
        }
    })
}

/// Circles around the origin, of radius 1, 2, …, one a class.
///
/// # Errors
/// See [`moons`].
#[doc(alias = "make_circles")]
pub fn rings(count: usize, classes: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points(count, classes, noise, seed, |class, rng| {
        let angle = TAU * rng.random::<f64>();
        let radius = 1.0 + class as f64;
        [radius * angle.cos(), radius * angle.sin()]
    })
}

/// Arms of a spiral, one a class, that wind around the origin once as they go out to radius 1.
///
/// # Errors
/// See [`moons`].
pub fn spirals(count: usize, classes: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points(count, classes, noise, seed, |class, rng| {
        let radius = rng.random::<f64>();
        let angle = TAU * (class as f64 / classes as f64 + radius);
        [radius * angle.cos(), radius * angle.sin()]
    })
}

/// Clouds around centers, one a class, which stand on a circle of radius 1.
///
/// # Errors
/// See [`moons`].
#[doc(alias = "make_blobs")]
pub fn blobs(count: usize, classes: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points(count, classes, noise, seed, |class, _| {
        let angle = TAU * class as f64 / classes as f64;
        [angle.cos(), angle.sin()]
    })
}

/// The four corners `(±1, ±1)`, of which those with one sign are class 0, the others class 1.
///
/// # Errors
/// See [`moons`].
pub fn xor(count: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points(count, 2, noise, seed, |class, rng| {
        let x = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        [x, if class == 0 { x } else { -x }]
    })
}

/// Numbers `x` from −π to π, `[count, 1]`, and `sin x` with normal noise to learn from them.
///
/// # Errors
/// See [`moons`].
#[doc(alias = "make_regression")]
pub fn sine(count: usize, noise: f64, seed: u64) -> Result<Dataset> {
    check(count, 1, noise)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let x = PI * (2.0 * rng.random::<f64>() - 1.0);
        inputs.push(x as f32);
        targets.push((x.sin() + noise * normal(&mut rng)) as f32);
    }
    Dataset::pairs(Tensor::new([count, 1], inputs)?, Tensor::new([count, 1], targets)?)
}

fn points(
    count: usize,
    classes: usize,
    noise: f64,
    seed: u64,
    mut point: impl FnMut(usize, &mut ChaCha8Rng) -> [f64; 2],
) -> Result<Dataset> {
    check(count, classes, noise)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut inputs = Vec::with_capacity(2 * count);
    let labels: Vec<usize> = (0..count).map(|i| i % classes).collect();
    for &class in &labels {
        for x in point(class, &mut rng) {
            inputs.push((x + noise * normal(&mut rng)) as f32);
        }
    }
    Dataset::new(Tensor::new([count, 2], inputs)?, labels, classes)
}

fn check(count: usize, classes: usize, noise: f64) -> Result<()> {
    let refuse = |why: String| Err(Error::Dataset { why });
    match () {
        () if classes == 0 || count < classes => {
            refuse(format!("generate: {count} points for {classes} classes, expected one for each"))
        }
        () if !(noise.is_finite() && noise >= 0.0) => {
            refuse(format!("generate: the noise is {noise}, expected a number of 0 and above"))
        }
        () => Ok(()),
    }
}

/// A draw from the normal distribution (Box and Muller 1958).
fn normal(rng: &mut impl Rng) -> f64 {
    let [u, v] = [(); 2].map(|()| rng.random::<f64>());
    (-2.0 * (1.0 - u).ln()).sqrt() * (TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(data: &Dataset) -> Vec<[f64; 2]> {
        data.inputs().to_f64s().chunks(2).map(|row| [row[0], row[1]]).collect()
    }

    #[test]
    fn without_noise_points_lie_where_their_class_does() {
        let data = rings(30, 3, 0.0, 1).unwrap();
        for ([x, y], label) in rows(&data).into_iter().zip(data.labels()) {
            assert!((x.hypot(y) - 1.0 - *label as f64).abs() < 1e-6);
        }
        let data = xor(20, 0.0, 1).unwrap();
        for ([x, y], label) in rows(&data).into_iter().zip(data.labels()) {
            assert_eq!(x * y, if *label == 0 { 1.0 } else { -1.0 });
        }
        let data = moons(20, 0.0, 1).unwrap();
        for ([x, y], label) in rows(&data).into_iter().zip(data.labels()) {
            let [cx, cy] = if *label == 0 { [0.0, 0.0] } else { [1.0, 0.5] };
            assert!(((x - cx).hypot(y - cy) - 1.0).abs() < 1e-6);
        }
        let data = sine(20, 0.0, 1).unwrap();
        for (x, y) in data.inputs().to_f64s().into_iter().zip(data.targets().to_f64s()) {
            assert!((x.sin() - y).abs() < 1e-6);
        }
        assert_eq!(spirals(10, 5, 0.1, 1).unwrap().classes(), 5);
    }

    #[test]
    fn noise_spreads_a_cloud_as_far_as_it_says() {
        let data = blobs(4000, 2, 0.3, 1).unwrap();
        let squares = rows(&data).into_iter().zip(data.labels()).map(|([x, y], label)| {
            let center = if *label == 0 { 1.0 } else { -1.0 };
            (x - center).powi(2) + y * y
        });
        let variance = squares.sum::<f64>() / 8000.0;
        assert!((variance - 0.09).abs() < 0.006, "{variance}");
    }

    #[test]
    fn the_seed_decides_and_bad_arguments_are_refused() {
        let of = |seed| moons(10, 0.1, seed).unwrap().inputs().to_f64s();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(blobs(2, 3, 0.1, 1).is_err());
        assert!(blobs(0, 0, 0.1, 1).is_err());
        assert!(moons(10, f64::NAN, 1).is_err());
        assert!(sine(10, -1.0, 1).is_err());
    }
}
