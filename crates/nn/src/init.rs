//! How the parameters of a layer begin.

use lossgraph_tensor::{DType, Float, Tensor};
use rand::Rng;

/// The distribution that a weight `[out, in, window…]` is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Init {
    /// Uniform in ±1/√fan_in: PyTorch's default for linear and convolutional layers.
    #[default]
    FanIn,
    /// Zeros.
    Zeros,
    /// One number everywhere.
    Constant(f64),
    /// Uniform between two numbers.
    Uniform(f64, f64),
    /// Normal with a mean and a standard deviation.
    Normal(f64, f64),
    /// Uniform in ±√(6/fan_in). He et al., 2015.
    KaimingUniform,
    /// Normal with standard deviation √(2/fan_in). He et al., 2015.
    KaimingNormal,
    /// Uniform in ±√(6/(fan_in + fan_out)). Glorot and Bengio, 2010.
    XavierUniform,
    /// Normal with standard deviation √(2/(fan_in + fan_out)). Glorot and Bengio, 2010.
    XavierNormal,
    /// Normal with a mean and a standard deviation, no further from the mean than two of these.
    #[doc(alias = "trunc_normal_")]
    TruncatedNormal(f64, f64),
    /// Rows, or columns if they are fewer, that are orthogonal and of one length, the gain. Saxe et al.,
    /// 2014.
    Orthogonal(f64),
}

impl Init {
    /// Draws a tensor.
    ///
    /// # Errors
    /// Impossible bounds; or, for those that speak of fans, rows or columns, a shape without the axes
    /// `[out, in]`.
    pub fn draw(
        self,
        shape: &[usize],
        dtype: DType,
        rng: &mut impl Rng,
    ) -> lossgraph_tensor::Result<Tensor> {
        match self {
            Init::FanIn => {
                let fan_in: f64 = shape.iter().skip(1).map(|&dim| dim as f64).product();
                let bound = 1.0 / fan_in.max(1.0).sqrt();
                Tensor::uniform(shape, -bound, bound, dtype, rng)
            }
            Init::Zeros => Tensor::zeros(shape, dtype),
            Init::Constant(value) => Tensor::full(shape, value, dtype),
            Init::Uniform(low, high) => Tensor::uniform(shape, low, high, dtype, rng),
            Init::Normal(mean, deviation) => Tensor::normal(shape, mean, deviation, dtype, rng),
            Init::KaimingUniform => Tensor::kaiming_uniform(shape, dtype, rng),
            Init::KaimingNormal => Tensor::kaiming_normal(shape, dtype, rng),
            Init::XavierUniform => Tensor::xavier_uniform(shape, dtype, rng),
            Init::XavierNormal => Tensor::xavier_normal(shape, dtype, rng),
            Init::TruncatedNormal(mean, deviation) => {
                // By the inverse of the distribution function, between its values at ±2.
                let [low, high] = [-2.0_f64, 2.0].map(Float::ndtr);
                let chances = Tensor::uniform(shape, low, high, DType::F64, rng)?;
                let numbers = chances.map(|chance| mean + deviation * Float::ndtri(chance));
                Ok(numbers.to_dtype(dtype))
            }
            Init::Orthogonal(gain) => Ok(orthogonal(shape, gain, rng)?.to_dtype(dtype)),
        }
    }
}

/// A matrix of normal numbers whose rows, or columns if they are fewer, are made orthogonal one after
/// another, by Gram and Schmidt.
fn orthogonal(shape: &[usize], gain: f64, rng: &mut impl Rng) -> lossgraph_tensor::Result<Tensor> {
    // The error is that of other initializers of a shape without rows and columns.
    let drawn = match shape.len() {
        0 | 1 => Tensor::kaiming_normal(shape, DType::F64, rng)?,
        _ => Tensor::normal(shape, 0.0, 1.0, DType::F64, rng)?,
    };
    let rows = shape[0];
    let columns = shape[1..].iter().product::<usize>();
    let wide = drawn.reshape([rows, columns])?;
    let turned = rows > columns;
    let vectors = if turned { wide.t()? } else { wide };
    let (count, length) = (rows.min(columns), rows.max(columns));
    let numbers = vectors.contiguous().to_f64s();
    let mut done: Vec<Vec<f64>> = Vec::with_capacity(count);
    for vector in numbers.chunks(length.max(1)) {
        let mut vector = vector.to_vec();
        // Twice is enough (Kahan and Parlett): what rounding left is taken away as well.
        for _ in 0..2 {
            for other in &done {
                let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
            let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            vector.iter_mut().for_each(|x| *x /= norm);
        }
        done.push(vector);
    }
    let scaled = done.into_iter().flatten().map(|x| gain * x).collect::<Vec<f64>>();
    let vectors = Tensor::new([count, length], scaled)?;
    let matrix = if turned { vectors.t()?.contiguous() } else { vectors };
    matrix.reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(3)
    }

    #[test]
    fn orthogonal_rows_or_columns_have_the_gain_for_their_length() {
        for shape in [[3, 5], [5, 3], [4, 4], [1, 6]] {
            let w = Init::Orthogonal(2.0).draw(&shape, DType::F64, &mut rng()).unwrap();
            let [rows, columns] = shape;
            let at = |i: usize, j: usize| w.get([i, j]).unwrap();
            for a in 0..rows.min(columns) {
                for b in 0..rows.min(columns) {
                    let product: f64 = match rows <= columns {
                        true => (0..columns).map(|j| at(a, j) * at(b, j)).sum(),
                        false => (0..rows).map(|i| at(i, a) * at(i, b)).sum(),
                    };
                    let expected = if a == b { 4.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-12, "{shape:?} {a} {b}: {product}");
                }
            }
        }
        let window = Init::Orthogonal(1.0).draw(&[4, 2, 3, 3], DType::F32, &mut rng()).unwrap();
        assert_eq!((window.shape()[..].to_vec(), window.dtype()), (vec![4, 2, 3, 3], DType::F32));
        assert!(Init::Orthogonal(1.0).draw(&[4], DType::F64, &mut rng()).is_err());
    }

    #[test]
    fn every_initializer_draws_the_same_numbers_in_any_float_type() {
        for init in [
            Init::FanIn,
            Init::Uniform(-1.0, 2.0),
            Init::Normal(1.0, 0.5),
            Init::KaimingUniform,
            Init::XavierNormal,
            Init::TruncatedNormal(1.0, 0.5),
            Init::Orthogonal(1.0),
        ] {
            let [single, double] = [DType::F32, DType::F64]
                .map(|dtype| init.draw(&[20, 30], dtype, &mut rng()).unwrap().to_f64s());
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * b.abs().max(1e-3);
            assert!(single.iter().zip(&double).all(near), "{init:?}");
        }
        let within = Init::TruncatedNormal(1.0, 0.5).draw(&[5000], DType::F64, &mut rng()).unwrap();
        assert!(within.to_f64s().iter().all(|x| (0.0..=2.0).contains(x)));
    }
}
