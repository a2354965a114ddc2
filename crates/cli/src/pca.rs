//! The plane in which points spread most: their first two principal components.

use lossgraph_tensor::{DType, Result, Tensor, kernels};

/// Rounds of the power iteration; eigenvalues that are near each other need many.
const ROUNDS: usize = 200;

/// Points `[n, features]` as `[x, y]`, along the two directions of largest variance (Pearson,
/// On Lines and Planes of Closest Fit, 1901).
pub fn plane(points: &Tensor) -> Result<Vec<[f64; 2]>> {
    let x = points.to_dtype(DType::F64);
    let (n, features) = (x.shape()[0], x.shape()[1]);
    let data = x.to_f64s();
    let mean: Vec<f64> = (0..features)
        .map(|j| (0..n).map(|i| data[i * features + j]).sum::<f64>() / n as f64)
        .collect();
    let centered = data.iter().enumerate().map(|(at, x)| x - mean[at % features]).collect();
    let centered = Tensor::new([n, features], centered)?;
    let mut covariance = Tensor::zeros([features, features], DType::F64)?;
    kernels::matmul(&centered.t()?, &centered, &mut covariance)?;

    // A power iteration on two vectors at once, made orthonormal in each round.
    let mut axes = [0, 1].map(|k| {
        (0..features).map(|j| ((j + 1) as f64 * (k + 1) as f64 * 0.7).sin()).collect::<Vec<f64>>()
    });
    for _ in 0..ROUNDS {
        for axis in &mut axes {
            let mut image = Tensor::zeros([features, 1], DType::F64)?;
            let column = Tensor::new([features, 1], axis.clone())?;
            kernels::matmul(&covariance, &column, &mut image)?;
            *axis = image.to_f64s();
        }
        let [first, second] = &mut axes;
        normalize(first);
        let overlap: f64 = first.iter().zip(second.iter()).map(|(a, b)| a * b).sum();
        second.iter_mut().zip(first.iter()).for_each(|(b, a)| *b -= overlap * a);
        normalize(second);
    }
    let centered = centered.to_f64s();
    let along = |row: &[f64], axis: &[f64]| row.iter().zip(axis).map(|(x, a)| x * a).sum();
    let point = |row: &[f64]| [along(row, &axes[0]), along(row, &axes[1])];
    Ok(centered.chunks(features).map(point).collect())
}

fn normalize(x: &mut [f64]) {
    let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length > 0.0 {
        x.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_axis_is_that_of_the_largest_spread() {
        let points =
            Tensor::from([[0.0, 3.0, 1.0], [0.0, -3.0, 1.0], [1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]);
        let plane = plane(&points).unwrap();
        let sizes = plane.map_abs();
        assert_eq!(sizes, [[3.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 1.0]]);
    }

    trait MapAbs {
        fn map_abs(&self) -> Vec<[f64; 2]>;
    }

    impl MapAbs for Vec<[f64; 2]> {
        /// Without signs, which are a matter of taste, and rounded.
        fn map_abs(&self) -> Vec<[f64; 2]> {
            self.iter().map(|p| p.map(|x| (x.abs() * 1e9).round() / 1e9)).collect()
        }
    }
}
