//! How the parameters of a layer begin.

use lossgraph_tensor::{DType, Tensor};
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
}

impl Init {
    /// Draws a tensor.
    ///
    /// # Errors
    /// Impossible bounds; or, for the last four, a shape without the axes `[out, in]`.
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
        }
    }
}
