//! The normal distribution.

use std::f64::consts::{PI, SQRT_2};

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::parameters::{broadcast, floats};
use crate::sampling::noise;
use crate::{Cdf, Distribution, Entropy, Reparametrized};

/// The normal distribution of a mean `loc` and a standard deviation `scale`.
///
/// ```text
/// log_prob = −½ z² − ln scale − ½ ln 2π         z = (value − loc) / scale
/// entropy  = ½ + ½ ln 2π + ln scale
/// cdf      = ½ erfc(−z / √2)
/// ```
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_distributions::{Cdf, Distribution, Normal};
/// let tape = Tape::f64();
/// let normal = Normal::new(tape.scalar(1.0), 2.0);
/// assert_eq!(normal.log_prob(1.0).item()?, -2.0_f64.ln() - 0.5 * std::f64::consts::TAU.ln());
/// assert_eq!(normal.cdf(1.0).item()?, 0.5);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[doc(alias = "Gaussian")]
pub struct Normal<'t> {
    /// The mean.
    pub loc: Var<'t>,
    /// The standard deviation, positive.
    pub scale: Var<'t>,
}

impl<'t> Normal<'t> {
    /// The distribution of a mean and a standard deviation.
    #[track_caller]
    pub fn new(loc: Var<'t>, scale: impl Operand<'t>) -> Normal<'t> {
        let [loc, scale] = broadcast("Normal", [("loc", loc), ("scale", scale.beside(loc))]);
        Normal { loc, scale }
    }
}

impl<'t> Distribution<'t> for Normal<'t> {
    fn tape(&self) -> &'t Tape {
        self.loc.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.loc.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Normal.log_prob", || {
            let z = (floats(value, self.loc) - self.loc) / self.scale;
            -0.5 * z.square() - self.scale.ln() - 0.5 * (2.0 * PI).ln()
        })
    }

    fn mean(&self) -> Var<'t> {
        self.loc
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        self.scale.square()
    }

    #[track_caller]
    fn stddev(&self) -> Var<'t> {
        self.scale
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        self.rsample(shape, rng).value()
    }
}

impl<'t> Reparametrized<'t> for Normal<'t> {
    /// `loc + scale ε`, with a standard normal `ε`.
    #[track_caller]
    fn rsample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Var<'t> {
        self.tape().named_call("Normal.rsample", || {
            self.loc
                + self.scale
                    * noise("Normal.rsample", self.loc, shape, rng, |rng| {
                        rng.sample(StandardNormal)
                    })
        })
    }
}

impl<'t> Entropy<'t> for Normal<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Normal.entropy", || self.scale.ln() + 0.5 * (1.0 + (2.0 * PI).ln()))
    }
}

impl<'t> Cdf<'t> for Normal<'t> {
    #[track_caller]
    fn cdf(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Normal.cdf", || {
            let z = (floats(value, self.loc) - self.loc) / self.scale;
            0.5 * (z / -SQRT_2).erfc()
        })
    }

    #[track_caller]
    fn icdf(&self, probability: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Normal.icdf", || {
            let p = floats(probability, self.loc);
            self.loc + self.scale * (2.0 * p - 1.0).erfinv() * SQRT_2
        })
    }
}
