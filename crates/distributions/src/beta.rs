//! The beta distribution.

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};

use crate::parameters::{broadcast, floats, impossible};
use crate::sampling::draws;
use crate::{Distribution, Entropy};

/// The beta distribution: of a probability, after `concentration1 − 1` hits and `concentration0 − 1`
/// misses.
///
/// ```text
/// log_prob = (a − 1) ln value + (b − 1) ln(1 − value) − ln B(a, b)    a: concentration1, b: concentration0
/// entropy  = ln B(a, b) − (a − 1) ψ(a) − (b − 1) ψ(b) + (a + b − 2) ψ(a + b)
/// ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Beta<'t> {
    /// The weight of 1, positive.
    #[doc(alias = "alpha")]
    pub concentration1: Var<'t>,
    /// The weight of 0, positive.
    #[doc(alias = "beta")]
    pub concentration0: Var<'t>,
}

impl<'t> Beta<'t> {
    /// The distribution of the weight of 1 and that of 0.
    #[track_caller]
    pub fn new(concentration1: Var<'t>, concentration0: impl Operand<'t>) -> Beta<'t> {
        let concentration0 = concentration0.beside(concentration1);
        let parameters = [("concentration1", concentration1), ("concentration0", concentration0)];
        let [concentration1, concentration0] = broadcast("Beta", parameters);
        Beta { concentration1, concentration0 }
    }

    /// The weight of both.
    #[track_caller]
    pub(crate) fn total(&self) -> Var<'t> {
        self.concentration1 + self.concentration0
    }

    /// `ln B(a, b)`, what the density is divided by.
    #[track_caller]
    pub(crate) fn log_normalizer(&self) -> Var<'t> {
        self.concentration1.lgamma() + self.concentration0.lgamma() - self.total().lgamma()
    }
}

impl<'t> Distribution<'t> for Beta<'t> {
    fn tape(&self) -> &'t Tape {
        self.concentration1.tape()
    }

    fn batch_shape(&self) -> Shape {
        self.concentration1.shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Beta.log_prob", || {
            let value = floats(value, self.concentration1);
            let (a, b) = (self.concentration1 - 1.0, self.concentration0 - 1.0);
            let density = a.xlogy(value) + b.xlog1py(-value) - self.log_normalizer();
            impossible(value.lt(0.0) + value.gt(1.0), density)
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.concentration1 / self.total()
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        let total = self.total();
        self.concentration1 * self.concentration0 / (total.square() * (total + 1.0))
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        let parameters = [self.concentration1, self.concentration0];
        draws("Beta.sample", parameters, shape, |[a, b]| {
            let beta = rand_distr::Beta::new(a, b);
            let error = |_| format!("the concentrations are {a} and {b}, expected positive ones");
            Ok(rng.sample(beta.map_err(error)?))
        })
    }
}

impl<'t> Entropy<'t> for Beta<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Beta.entropy", || {
            let (a, b, total) = (self.concentration1, self.concentration0, self.total());
            let hits = (a - 1.0) * a.digamma() + (b - 1.0) * b.digamma();
            self.log_normalizer() - hits + (total - 2.0) * total.digamma()
        })
    }
}
