//! The Gumbel distribution.

use std::f64::consts::PI;

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};
use rand_distr::Open01;

use crate::kl::EULER_GAMMA;
use crate::parameters::{broadcast, floats};
use crate::sampling::noise;
use crate::{Cdf, Distribution, Entropy, Reparametrized};

/// The Gumbel distribution, that of the largest of many numbers.
///
/// ```text
/// log_prob = −z − e⁻ᶻ − ln scale                z = (value − loc) / scale
/// entropy  = ln scale + 1 + γ
/// cdf      = e^(−e⁻ᶻ)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gumbel<'t> {
    /// The mode.
    pub loc: Var<'t>,
    /// The width, positive.
    pub scale: Var<'t>,
}

impl<'t> Gumbel<'t> {
    /// The distribution of a location and a scale.
    #[track_caller]
    pub fn new(loc: Var<'t>, scale: impl Operand<'t>) -> Gumbel<'t> {
        let [loc, scale] = broadcast("Gumbel", [("loc", loc), ("scale", scale.beside(loc))]);
        Gumbel { loc, scale }
    }
}

impl<'t> Distribution<'t> for Gumbel<'t> {
    fn tape(&self) -> &'t Tape {
        self.loc.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.loc.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Gumbel.log_prob", || {
            let z = (floats(value, self.loc) - self.loc) / self.scale;
            -z - (-z).exp() - self.scale.ln()
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.loc + EULER_GAMMA * self.scale
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        self.stddev().square()
    }

    #[track_caller]
    fn stddev(&self) -> Var<'t> {
        PI / 6.0_f64.sqrt() * self.scale
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        self.rsample(shape, rng).value()
    }
}

impl<'t> Reparametrized<'t> for Gumbel<'t> {
    /// `loc − scale ln(−ln u)`, with `u` uniform between 0 and 1.
    #[track_caller]
    fn rsample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Var<'t> {
        self.tape().named_call("Gumbel.rsample", || {
            let noise = noise("Gumbel.rsample", self.loc, shape, rng, |rng| {
                -(-rng.sample::<f64, _>(Open01).ln()).ln()
            });
            self.loc + self.scale * noise
        })
    }
}

impl<'t> Entropy<'t> for Gumbel<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Gumbel.entropy", || self.scale.ln() + (1.0 + EULER_GAMMA))
    }
}

impl<'t> Cdf<'t> for Gumbel<'t> {
    #[track_caller]
    fn cdf(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Gumbel.cdf", || {
            let z = (floats(value, self.loc) - self.loc) / self.scale;
            (-(-z).exp()).exp()
        })
    }

    #[track_caller]
    fn icdf(&self, probability: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Gumbel.icdf", || {
            let p = floats(probability, self.loc);
            self.loc - self.scale * (-p.ln()).ln()
        })
    }
}
