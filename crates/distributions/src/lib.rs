//! Probability distributions as values: log-densities, samples, entropies and divergences, as nodes of a tape.
//!
//! Parameters are [`Var`]s, so that everything has slopes, of all orders. Names, the order of arguments
//! and what is computed are those of `torch.distributions`.
//!
//! ```
//! use lossgraph_autograd::Tape;
//! use lossgraph_distributions::{Distribution, Normal, Reparametrized, kl_divergence};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let tape = Tape::f64();
//! let (mean, log_scale) = (tape.variable([0.5, -1.0]), tape.variable([0.0, 0.0]));
//! let posterior = Normal::new(mean, log_scale.exp());
//! let prior = Normal::new(tape.scalar(0.0), 1.0);
//! let z = posterior.rsample([], &mut ChaCha8Rng::seed_from_u64(0));
//! let loss = z.square().sum(..) + kl_divergence(&posterior, &prior).sum(..);
//! assert_eq!(kl_divergence(&posterior, &prior).value()?.to_f64s(), [0.125, 0.5]);
//! assert!(loss.backward()?.of(log_scale).is_some());
//! # Ok::<(), lossgraph_autograd::Error>(())
//! ```
//!
//! What a distribution can do is a trait: each has [`Distribution`], and those with a closed form have
//! [`Entropy`], [`Cdf`] and [`Reparametrized`]; [`KlDivergence`] is implemented for pairs. What has no
//! closed form does not compile.
//!
//! - Parameters broadcast to the *batch shape*: one distribution for each element. Values broadcast
//!   against it. Shapes that do not are faults.
//! - A value outside of the support has the log-probability −∞, and slope 0 in everything. NaN stays NaN.
//! - Parameters are data, and not checked while recording: what PyTorch refuses, such as a negative
//!   scale, gives what the formula gives, mostly NaN. Where it has to be drawn from, it is an error.
//! - The generator is the caller's: one seed, one sample. Noise is drawn in `f64`, rounded to the
//!   tape's type, and is a constant.

mod bernoulli;
mod beta;
mod categorical;
mod exponential;
mod gamma;
mod gumbel;
mod kl;
mod laplace;
mod multivariate_normal;
mod normal;
mod parameters;
mod poisson;
mod sampling;
mod uniform;

use lossgraph_autograd::{Operand, Result, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::Rng;

pub use bernoulli::Bernoulli;
pub use beta::Beta;
pub use categorical::Categorical;
pub use exponential::Exponential;
pub use gamma::Gamma;
pub use gumbel::Gumbel;
pub use kl::{KlDivergence, kl_divergence};
pub use laplace::Laplace;
pub use multivariate_normal::MultivariateNormal;
pub use normal::Normal;
pub use poisson::Poisson;
pub use uniform::Uniform;

/// What every distribution has.
pub trait Distribution<'t> {
    /// The tape that the parameters are on.
    fn tape(&self) -> &'t Tape;

    /// The shape of the parameters: one distribution for each element.
    fn batch_shape(&self) -> Shape;

    /// The shape of what one distribution gives.
    fn event_shape(&self) -> Shape {
        Shape::from([])
    }

    /// The logarithm of the density, or of the probability, at `value`, in nats; −∞ outside of the
    /// support.
    fn log_prob(&self, value: impl Operand<'t>) -> Var<'t>;

    /// The expected value.
    fn mean(&self) -> Var<'t>;

    /// The expected squared deviation from the mean.
    fn variance(&self) -> Var<'t>;

    /// The standard deviation, `√variance`.
    #[track_caller]
    fn stddev(&self) -> Var<'t> {
        self.variance().sqrt()
    }

    /// Independent draws: a tensor of shape `[shape…, batch…, event…]`, without slopes.
    ///
    /// # Errors
    /// Parameters that are faults, or of which there is no distribution.
    fn sample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Result<Tensor>;
}

/// A distribution whose draws are functions of its parameters and of a noise that does not depend on
/// them, so that the slopes of what is made of a draw come back to the parameters.
pub trait Reparametrized<'t>: Distribution<'t> {
    /// Independent draws, `[shape…, batch…, event…]`, recorded as the function of the parameters that
    /// they are. Its value is what [`sample`](Distribution::sample) gives with the same generator.
    ///
    /// # Source
    /// Kingma and Welling, Auto-Encoding Variational Bayes, 2013.
    fn rsample(&self, shape: impl Into<Shape>, rng: &mut impl Rng) -> Var<'t>;
}

/// A distribution whose entropy has a closed form.
pub trait Entropy<'t>: Distribution<'t> {
    /// The expected `−log_prob`, in nats.
    fn entropy(&self) -> Var<'t>;
}

/// A distribution whose cumulative distribution function has a closed form, and an inverse.
pub trait Cdf<'t>: Distribution<'t> {
    /// The probability of a number up to `value`.
    fn cdf(&self, value: impl Operand<'t>) -> Var<'t>;

    /// The number up to which the probability is `probability`: the inverse of [`cdf`](Cdf::cdf).
    fn icdf(&self, probability: impl Operand<'t>) -> Var<'t>;
}
