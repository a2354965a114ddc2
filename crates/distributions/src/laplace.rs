//! The Laplace distribution.

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};
use rand_distr::Exp1;

use crate::parameters::{broadcast, floats};
use crate::sampling::noise;
use crate::{Cdf, Distribution, Entropy, Reparametrized};

/// The Laplace distribution: two exponential ones, back to back at `loc`.
///
/// ```text
/// log_prob = −|z| − ln 2 scale                  z = (value − loc) / scale
/// entropy  = 1 + ln 2 scale
/// cdf      = ½ eᶻ up to loc, 1 − ½ e⁻ᶻ above
/// ```
///
/// At `loc`, the slope of `log_prob` is 0, and that of `cdf` is its density; so `icdf` has one at ½, too.
/// PyTorch has 0 there.
#[derive(Clone, Copy, Debug)]
pub struct Laplace<'t> {
    /// The mean, and the median.
    pub loc: Var<'t>,
    /// The mean distance from `loc`, positive.
    pub scale: Var<'t>,
}

impl<'t> Laplace<'t> {
    /// The distribution of a location and a scale.
    #[track_caller]
    pub fn new(loc: Var<'t>, scale: impl Operand<'t>) -> Laplace<'t> {
        let [loc, scale] = broadcast("Laplace", [("loc", loc), ("scale", scale.beside(loc))]);
        Laplace { loc, scale }
    }
}

impl<'t> Distribution<'t> for Laplace<'t> {
    fn tape(&self) -> &'t Tape {
        self.loc.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.loc.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Laplace.log_prob", || {
            let z = (floats(value, self.loc) - self.loc) / self.scale;
            -z.abs() - (2.0 * self.scale).ln()
        })
    }

    fn mean(&self) -> Var<'t> {
        self.loc
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        2.0 * self.scale.square()
    }

    #[track_caller]
    fn stddev(&self) -> Var<'t> {
        2.0_f64.sqrt() * self.scale
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        self.rsample(shape, rng).value()
    }
}

impl<'t> Reparametrized<'t> for Laplace<'t> {
    /// `loc + scale (a − b)`, with `a` and `b` of the standard exponential distribution.
    #[track_caller]
    fn rsample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Var<'t> {
        self.tape().named_call("Laplace.rsample", || {
            let noise = noise("Laplace.rsample", self.loc, shape, rng, |rng| {
                rng.sample::<f64, _>(Exp1) - rng.sample::<f64, _>(Exp1)
            });
            self.loc + self.scale * noise
        })
    }
}

impl<'t> Entropy<'t> for Laplace<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Laplace.entropy", || 1.0 + (2.0 * self.scale).ln())
    }
}

impl<'t> Cdf<'t> for Laplace<'t> {
    #[track_caller]
    fn cdf(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Laplace.cdf", || {
            let z = (floats(value, self.loc) - self.loc) / self.scale;
            z.le(0.0).select(0.5 * z.exp(), 1.0 - 0.5 * (-z).exp())
        })
    }

    #[track_caller]
    fn icdf(&self, probability: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Laplace.icdf", || {
            let p = floats(probability, self.loc);
            let z = p.le(0.5).select((2.0 * p).ln(), -(2.0 * (1.0 - p)).ln());
            self.loc + self.scale * z
        })
    }
}
