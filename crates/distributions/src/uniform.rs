//! The uniform distribution.

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{DType, Shape, Tensor};
use rand::{Rng, RngExt};
use rand_distr::StandardUniform;

use crate::parameters::{broadcast, floats, impossible};
use crate::sampling::noise;
use crate::{Cdf, Distribution, Entropy, Reparametrized};

/// The uniform distribution from `low` up to, and without, `high`.
///
/// ```text
/// log_prob = −ln(high − low)                    low ≤ value < high
/// entropy  = ln(high − low)
/// cdf      = (value − low) / (high − low)       held between 0 and 1
/// ```
///
/// As in PyTorch, the density at `high` is 0.
#[derive(Clone, Copy, Debug)]
pub struct Uniform<'t> {
    /// The smallest number.
    pub low: Var<'t>,
    /// The least number above all, larger than `low`.
    pub high: Var<'t>,
}

impl<'t> Uniform<'t> {
    /// The distribution between two bounds.
    #[track_caller]
    pub fn new(low: Var<'t>, high: impl Operand<'t>) -> Uniform<'t> {
        let [low, high] = broadcast("Uniform", [("low", low), ("high", high.beside(low))]);
        Uniform { low, high }
    }
}

impl<'t> Distribution<'t> for Uniform<'t> {
    fn tape(&self) -> &'t Tape {
        self.low.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.low.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Uniform.log_prob", || {
            let value = floats(value, self.low);
            let outside = value.lt(self.low) + value.ge(self.high);
            let known = value.eq(value);
            let density = -(self.high - self.low).ln();
            impossible(outside, known.select(density, value))
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        (self.high + self.low) / 2.0
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        (self.high - self.low).square() / 12.0
    }

    #[track_caller]
    fn stddev(&self) -> Var<'t> {
        (self.high - self.low) / 12.0_f64.sqrt()
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        self.rsample(shape, rng).value()
    }
}

impl<'t> Reparametrized<'t> for Uniform<'t> {
    /// `low + (high − low) u`, with `u` uniform from 0 up to, and without, 1.
    #[track_caller]
    fn rsample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Var<'t> {
        self.tape().named_call("Uniform.rsample", || {
            // The largest number below 1, so that none is rounded to 1.
            let below = match self.tape().dtype() {
                DType::F32 => 1.0 - f64::from(f32::EPSILON) / 2.0,
                _ => 1.0 - f64::EPSILON / 2.0,
            };
            let u = noise("Uniform.rsample", self.low, shape, rng, |rng| {
                rng.sample::<f64, _>(StandardUniform).min(below)
            });
            self.low + (self.high - self.low) * u
        })
    }
}

impl<'t> Entropy<'t> for Uniform<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Uniform.entropy", || (self.high - self.low).ln())
    }
}

impl<'t> Cdf<'t> for Uniform<'t> {
    #[track_caller]
    fn cdf(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Uniform.cdf", || {
            let value = floats(value, self.low);
            ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
        })
    }

    #[track_caller]
    fn icdf(&self, probability: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Uniform.icdf", || {
            self.low + (self.high - self.low) * floats(probability, self.low)
        })
    }
}
