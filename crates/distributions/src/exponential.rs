//! The exponential distribution.

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};
use rand_distr::Exp1;

use crate::parameters::{broadcast, floats, impossible};
use crate::sampling::noise;
use crate::{Cdf, Distribution, Entropy, Reparametrized};

/// The exponential distribution: the time until what happens `rate` times in a unit of time.
///
/// ```text
/// log_prob = ln rate − rate value               from 0 on
/// entropy  = 1 − ln rate
/// cdf      = 1 − e^(−rate value)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Exponential<'t> {
    /// One over the mean, positive.
    pub rate: Var<'t>,
}

impl<'t> Exponential<'t> {
    /// The distribution of a rate.
    #[track_caller]
    pub fn new(rate: Var<'t>) -> Exponential<'t> {
        let [rate] = broadcast("Exponential", [("rate", rate)]);
        Exponential { rate }
    }
}

impl<'t> Distribution<'t> for Exponential<'t> {
    fn tape(&self) -> &'t Tape {
        self.rate.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.rate.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Exponential.log_prob", || {
            let value = floats(value, self.rate);
            impossible(value.lt(0.0), self.rate.ln() - self.rate * value)
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.rate.recip()
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        self.rate.square().recip()
    }

    #[track_caller]
    fn stddev(&self) -> Var<'t> {
        self.rate.recip()
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        self.rsample(shape, rng).value()
    }
}

impl<'t> Reparametrized<'t> for Exponential<'t> {
    /// `a / rate`, with `a` of the standard exponential distribution.
    #[track_caller]
    fn rsample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Var<'t> {
        self.tape().named_call("Exponential.rsample", || {
            noise("Exponential.rsample", self.rate, shape, rng, |rng| rng.sample(Exp1)) / self.rate
        })
    }
}

impl<'t> Entropy<'t> for Exponential<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Exponential.entropy", || 1.0 - self.rate.ln())
    }
}

impl<'t> Cdf<'t> for Exponential<'t> {
    #[track_caller]
    fn cdf(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Exponential.cdf", || {
            let value = floats(value, self.rate);
            value.lt(0.0).select(0.0, -(-self.rate * value).exp_m1())
        })
    }

    #[track_caller]
    fn icdf(&self, probability: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Exponential.icdf", || {
            -(-floats(probability, self.rate)).ln_1p() / self.rate
        })
    }
}
