//! The Poisson distribution.

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};

use crate::Distribution;
use crate::parameters::{broadcast, floats, impossible};
use crate::sampling::draws;

/// The Poisson distribution: how often something happens that happens `rate` times on average.
///
/// ```text
/// log_prob = value ln rate − rate − ln value!   value 0, 1, 2, …
/// ```
///
/// Its entropy has no closed form.
#[derive(Clone, Copy, Debug)]
pub struct Poisson<'t> {
    /// The mean, and the variance; 0 or more.
    pub rate: Var<'t>,
}

impl<'t> Poisson<'t> {
    /// The distribution of a rate.
    #[track_caller]
    pub fn new(rate: Var<'t>) -> Poisson<'t> {
        let [rate] = broadcast("Poisson", [("rate", rate)]);
        Poisson { rate }
    }
}

impl<'t> Distribution<'t> for Poisson<'t> {
    fn tape(&self) -> &'t Tape {
        self.rate.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.rate.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Poisson.log_prob", || {
            let value = floats(value, self.rate);
            let outside = value.lt(0.0) + value.gt(value.floor());
            impossible(outside, value.xlogy(self.rate) - self.rate - (value + 1.0).lgamma())
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.rate
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        self.rate
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        draws("Poisson.sample", [self.rate], shape, |[rate]| match rate {
            0.0 => Ok(0.0),
            _ => {
                let poisson = rand_distr::Poisson::new(rate);
                let error = |_| format!("a rate is {rate}, expected a finite number, 0 or more");
                Ok(rng.sample(poisson.map_err(error)?))
            }
        })
    }
}
