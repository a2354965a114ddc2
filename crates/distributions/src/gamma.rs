//! The gamma distribution.

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};

use crate::parameters::{broadcast, floats, impossible};
use crate::sampling::draws;
use crate::{Distribution, Entropy};

/// The gamma distribution: the time until what happens `rate` times in a unit of time has happened
/// `concentration` times.
///
/// ```text
/// log_prob = a ln b + (a − 1) ln value − b value − ln Γ(a)      a: concentration, b: rate
/// entropy  = a − ln b + ln Γ(a) + (1 − a) ψ(a)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gamma<'t> {
    /// The shape, positive.
    #[doc(alias = "alpha")]
    pub concentration: Var<'t>,
    /// One over the scale, positive.
    #[doc(alias = "beta")]
    pub rate: Var<'t>,
}

impl<'t> Gamma<'t> {
    /// The distribution of a concentration and a rate.
    #[track_caller]
    pub fn new(concentration: Var<'t>, rate: impl Operand<'t>) -> Gamma<'t> {
        let rate = rate.beside(concentration);
        let parameters = [("concentration", concentration), ("rate", rate)];
        let [concentration, rate] = broadcast("Gamma", parameters);
        Gamma { concentration, rate }
    }
}

impl<'t> Distribution<'t> for Gamma<'t> {
    fn tape(&self) -> &'t Tape {
        self.rate.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.rate.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Gamma.log_prob", || {
            let (value, a, b) = (floats(value, self.rate), self.concentration, self.rate);
            let density = a.xlogy(b) + (a - 1.0).xlogy(value) - b * value - a.lgamma();
            impossible(value.lt(0.0), density)
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.concentration / self.rate
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        self.concentration / self.rate.square()
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        draws("Gamma.sample", [self.concentration, self.rate], shape, |[a, b]| {
            let gamma = rand_distr::Gamma::new(a, b.recip());
            let error =
                |_| format!("concentration and rate are {a} and {b}, expected positive ones");
            Ok(rng.sample(gamma.map_err(error)?))
        })
    }
}

impl<'t> Entropy<'t> for Gamma<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Gamma.entropy", || {
            let (a, b) = (self.concentration, self.rate);
            a - b.ln() + a.lgamma() + (1.0 - a) * a.digamma()
        })
    }
}
