//! The Bernoulli distribution.

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::{Rng, RngExt};
use rand_distr::StandardUniform;

use crate::parameters::{broadcast, epsilon, floats, impossible};
use crate::sampling::draws;
use crate::{Distribution, Entropy};

/// The Bernoulli distribution: 1 with a probability, else 0.
///
/// ```text
/// log_prob = value logit − softplus(logit)      value 0 or 1;  logit = ln p − ln(1 − p)
/// entropy  = softplus(logit) − p logit
/// ```
///
/// As in PyTorch, a probability is held within `[ε, 1 − ε]` where its logarithm is taken, with the ε of
/// the tape's type: what cannot happen has a log-probability of `ln ε`.
#[derive(Clone, Copy, Debug)]
pub struct Bernoulli<'t> {
    given: Given<'t>,
}

#[derive(Clone, Copy, Debug)]
enum Given<'t> {
    Probs(Var<'t>),
    Logits(Var<'t>),
}

impl<'t> Bernoulli<'t> {
    /// The distribution of a probability of 1.
    #[track_caller]
    pub fn new(probs: Var<'t>) -> Bernoulli<'t> {
        let [probs] = broadcast("Bernoulli", [("probs", probs)]);
        Bernoulli { given: Given::Probs(probs) }
    }

    /// The distribution of the logarithm of the odds of 1.
    #[track_caller]
    pub fn from_logits(logits: Var<'t>) -> Bernoulli<'t> {
        let [logits] = broadcast("Bernoulli", [("logits", logits)]);
        Bernoulli { given: Given::Logits(logits) }
    }

    /// The probability of 1.
    #[track_caller]
    pub fn probs(&self) -> Var<'t> {
        match self.given {
            Given::Probs(probs) => probs,
            Given::Logits(logits) => logits.sigmoid(),
        }
    }

    /// The logarithm of the odds of 1.
    #[track_caller]
    pub fn logits(&self) -> Var<'t> {
        match self.given {
            Given::Probs(probs) => {
                let p = probs.clamp(epsilon(probs), 1.0 - epsilon(probs));
                p.ln() - (-p).ln_1p()
            }
            Given::Logits(logits) => logits,
        }
    }

    fn parameter(&self) -> Var<'t> {
        match self.given {
            Given::Probs(parameter) | Given::Logits(parameter) => parameter,
        }
    }
}

impl<'t> Distribution<'t> for Bernoulli<'t> {
    fn tape(&self) -> &'t Tape {
        self.parameter().tape()
    }

    fn batch_shape(&self) -> Shape {
        self.parameter().shape()
    }

    #[track_caller]
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t> {
        self.tape().named_call("Bernoulli.log_prob", || {
            let (value, logits) = (floats(value, self.parameter()), self.logits());
            let outside = value.lt(0.0) + value.gt(1.0) + value.gt(0.0) * value.lt(1.0);
            impossible(outside, value * logits - logits.softplus())
        })
    }

    #[track_caller]
    fn mean(&self) -> Var<'t> {
        self.probs()
    }

    #[track_caller]
    fn variance(&self) -> Var<'t> {
        let p = self.probs();
        p * (1.0 - p)
    }

    #[track_caller]
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor> {
        draws("Bernoulli.sample", [self.probs()], shape, |[p]| match (0.0..=1.0).contains(&p) {
            true => Ok(f64::from(rng.sample::<f64, _>(StandardUniform) < p)),
            false => Err(format!("a probability is {p}, expected 0 to 1")),
        })
    }
}

impl<'t> Entropy<'t> for Bernoulli<'t> {
    #[track_caller]
    fn entropy(&self) -> Var<'t> {
        self.tape().named_call("Bernoulli.entropy", || {
            let logits = self.logits();
            logits.softplus() - self.probs() * logits
        })
    }
}
