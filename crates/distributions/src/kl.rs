//! The Kullback-Leibler divergence of pairs of distributions.
//!
//! Where `ln q` is a sum of moments of `p`, the divergence is `−H(p) − E[ln q]`, for every `p` that knows
//! these moments. Pairs of one family have formulas in which what is equal cancels.

use std::f64::consts::{FRAC_2_PI, PI, SQRT_2};

use lossgraph_autograd::{Fault, Triangular, Var};

use crate::multivariate_normal::solve_lower;
use crate::{
    Bernoulli, Beta, Categorical, Distribution, Entropy, Exponential, Gamma, Gumbel, Laplace,
    MultivariateNormal, Normal, Poisson, Uniform,
};

pub(crate) const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// A distribution whose divergence from a `Q` has a closed form.
///
/// | p | q |
/// |---|---|
/// | each | one of its own family |
/// | `Normal` | `Laplace`, `Gumbel` |
/// | `Laplace`, `Gumbel` | `Normal` |
/// | `Uniform`, `Beta` | `Normal`, `Exponential`, `Gamma`, `Beta`, `Uniform`, and `Gumbel` for `Uniform` |
/// | `Exponential`, `Gamma` | `Normal`, `Exponential`, `Gamma`, `Gumbel` |
/// | `Bernoulli` | `Poisson` |
///
/// Where `p` gives what `q` cannot, the divergence is ∞: also of `Normal`, `Laplace` and `Gumbel` from
/// `Exponential`, `Gamma`, `Beta` and `Uniform`, of `Exponential` and `Gamma` from `Beta` and `Uniform`, and
/// of `Poisson` from `Bernoulli`. These are the pairs that PyTorch has.
pub trait KlDivergence<'t, Q>: Distribution<'t> {
    /// `E_p[ln p − ln q]`, in nats.
    fn kl_divergence(&self, q: &Q) -> Var<'t>;
}

/// The Kullback-Leibler divergence of `q` from `p`, `E_p[ln p − ln q]`, in nats: one number for each
/// pair of distributions, whose batches broadcast. A pair without a closed form does not compile.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_distributions::{Normal, kl_divergence};
/// let tape = Tape::f64();
/// let (p, q) = (Normal::new(tape.scalar(1.0), 2.0), Normal::new(tape.scalar(0.0), 2.0));
/// assert_eq!(kl_divergence(&p, &q).item()?, 0.125);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Source
/// Kullback and Leibler, On Information and Sufficiency, 1951.
#[track_caller]
pub fn kl_divergence<'t, Q>(p: &impl KlDivergence<'t, Q>, q: &Q) -> Var<'t> {
    p.kl_divergence(q)
}

/// Pairs: `P | Q => |p, q| formula`.
macro_rules! pairs {
    ($($p:ident | $q:ident => |$a:ident, $b:ident| $formula:expr;)*) => {
        $(impl<'t> KlDivergence<'t, $q<'t>> for $p<'t> {
            #[track_caller]
            fn kl_divergence(&self, q: &$q<'t>) -> Var<'t> {
                let formula = |$a: &$p<'t>, $b: &$q<'t>| -> Var<'t> { $formula };
                self.tape().named_call("kl_divergence", || formula(self, q))
            }
        })*
    };
}

pairs! {
    Normal | Normal => |p, q| {
        let ratio = (p.scale / q.scale).square();
        0.5 * (ratio + ((p.loc - q.loc) / q.scale).square() - 1.0 - ratio.ln())
    };
    Laplace | Laplace => |p, q| {
        let (ratio, distance) = (p.scale / q.scale, (p.loc - q.loc).abs());
        distance / q.scale + ratio * (-distance / p.scale).exp() - ratio.ln() - 1.0
    };
    Gumbel | Gumbel => |p, q| {
        let (ratio, distance) = (p.scale / q.scale, (p.loc - q.loc) / q.scale);
        let tail = ((1.0 + ratio).lgamma() - distance).exp();
        distance + EULER_GAMMA * ratio + tail - ratio.ln() - (1.0 + EULER_GAMMA)
    };
    Exponential | Exponential => |p, q| {
        let ratio = q.rate / p.rate;
        ratio - ratio.ln() - 1.0
    };
    Gamma | Gamma => |p, q| {
        let (a, c) = (p.concentration, q.concentration);
        let shapes = c.lgamma() - a.lgamma() + (a - c) * a.digamma();
        shapes + c * (p.rate / q.rate).ln() + (q.rate - p.rate) * a / p.rate
    };
    Beta | Beta => |p, q| {
        let ([a, b], [c, d]) = (
            [p.concentration1, p.concentration0],
            [q.concentration1, q.concentration0],
        );
        let hits = (a - c) * a.digamma() + (b - d) * b.digamma();
        q.log_normalizer() - p.log_normalizer()
            + hits
            + (q.total() - p.total()) * p.total().digamma()
    };
    Poisson | Poisson => |p, q| {
        p.rate * (p.rate.ln() - q.rate.ln()) - (p.rate - q.rate)
    };
    Bernoulli | Bernoulli => |p, q| {
        let (at, from) = (p.logits(), q.logits());
        let of = |weight: Var<'t>, given: Var<'t>, sign: f64| {
            let difference = (sign * from).softplus() - (sign * at).softplus();
            divergent(weight, given, weight * difference)
        };
        of(p.probs(), q.probs(), -1.0) + of(1.0 - p.probs(), 1.0 - q.probs(), 1.0)
    };
    Categorical | Categorical => |p, q| {
        let each = divergent(p.probs(), q.probs(), p.probs() * (p.logits() - q.logits()));
        if each.is_faulty() { each } else { each.sum(-1) }
    };
    MultivariateNormal | MultivariateNormal => |p, q| {
        if p.len() != q.len() {
            let fault = Fault::new("kl_divergence", "the vectors differ in length");
            return p.tape().fault(fault.operand("p.loc", p.loc).operand("q.loc", q.loc));
        }
        let factors = q.scale_tril.solve_triangular(p.scale_tril, Triangular::LOWER);
        if factors.is_faulty() {
            return factors;
        }
        let trace = factors.square().sum([-2, -1]);
        let distance = solve_lower(q.scale_tril, q.loc - p.loc).square().sum(-1);
        q.half_log_det() - p.half_log_det() + 0.5 * (trace + distance - p.len())
    };
    Uniform | Uniform => |p, q| {
        let result = ((q.high - q.low) / (p.high - p.low)).ln();
        (q.low.gt(p.low) + q.high.lt(p.high)).select(f64::INFINITY, result)
    };
    Normal | Laplace => |p, q| {
        let (z, distance) = ((p.loc - q.loc) / p.scale, p.loc - q.loc);
        let near = FRAC_2_PI.sqrt() * p.scale * (-0.5 * z.square()).exp();
        (near + distance * (z / SQRT_2).erf()) / q.scale + (2.0 * q.scale).ln() - p.entropy()
    };
    Bernoulli | Poisson => |p, q| q.rate - p.probs() * q.rate.ln() - p.entropy();
}

/// What a pair of classes adds to a divergence: nothing where `p` never gives it, ∞ where only `q` never
/// does.
#[track_caller]
fn divergent<'t>(p: Var<'t>, q: Var<'t>, term: Var<'t>) -> Var<'t> {
    p.eq(0.0).select(0.0, q.eq(0.0).select(f64::INFINITY, term))
}

/// Pairs `P… | Q => |p, q| −E[ln q]`, to which the entropy of `p` is added.
macro_rules! cross_entropies {
    ($($($p:ident),* | $q:ident => $cross:ident;)*) => {
        $($(impl<'t> KlDivergence<'t, $q<'t>> for $p<'t> {
            #[track_caller]
            fn kl_divergence(&self, q: &$q<'t>) -> Var<'t> {
                let record = || $cross(self, q) - self.entropy();
                self.tape().named_call("kl_divergence", record)
            }
        })*)*
    };
}

cross_entropies! {
    Laplace, Gumbel, Exponential, Gamma, Beta, Uniform | Normal => from_normal;
    Gamma, Beta, Uniform | Exponential => from_exponential;
    Exponential, Beta, Uniform | Gamma => from_gamma;
    Normal, Exponential, Gamma, Uniform | Gumbel => from_gumbel;
    Uniform | Beta => from_beta;
    Beta | Uniform => from_uniform;
}

/// Moments of a distribution of positive numbers; ∞ is what a divergence is if some are not.
trait Positive<'t>: Distribution<'t> {
    /// `E[ln x]`.
    fn mean_log(&self) -> Var<'t>;

    /// Where it gives negative numbers.
    fn negative(&self) -> Option<Var<'t>> {
        None
    }
}

impl<'t> Positive<'t> for Exponential<'t> {
    #[track_caller]
    fn mean_log(&self) -> Var<'t> {
        -EULER_GAMMA - self.rate.ln()
    }
}

impl<'t> Positive<'t> for Gamma<'t> {
    #[track_caller]
    fn mean_log(&self) -> Var<'t> {
        self.concentration.digamma() - self.rate.ln()
    }
}

impl<'t> Positive<'t> for Beta<'t> {
    #[track_caller]
    fn mean_log(&self) -> Var<'t> {
        self.concentration1.digamma() - self.total().digamma()
    }
}

impl<'t> Positive<'t> for Uniform<'t> {
    #[track_caller]
    fn mean_log(&self) -> Var<'t> {
        mean_log_between(self.low, self.high)
    }

    #[track_caller]
    fn negative(&self) -> Option<Var<'t>> {
        Some(self.low.lt(0.0))
    }
}

/// `E[ln x]` of what is uniform: `(b ln b − a ln a) / (b − a) − 1`.
#[track_caller]
fn mean_log_between<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
    (b.xlogy(b) - a.xlogy(a)) / (b - a) - 1.0
}

/// A distribution with a Laplace transform.
trait Transformed<'t>: Distribution<'t> {
    /// `E[e^(−(x − loc) / scale)]`.
    fn transform(&self, loc: Var<'t>, scale: Var<'t>) -> Var<'t>;
}

impl<'t> Transformed<'t> for Normal<'t> {
    #[track_caller]
    fn transform(&self, loc: Var<'t>, scale: Var<'t>) -> Var<'t> {
        ((loc - self.loc) / scale + 0.5 * (self.scale / scale).square()).exp()
    }
}

impl<'t> Transformed<'t> for Exponential<'t> {
    #[track_caller]
    fn transform(&self, loc: Var<'t>, scale: Var<'t>) -> Var<'t> {
        let product = self.rate * scale;
        (loc / scale).exp() * product / (product + 1.0)
    }
}

impl<'t> Transformed<'t> for Gamma<'t> {
    #[track_caller]
    fn transform(&self, loc: Var<'t>, scale: Var<'t>) -> Var<'t> {
        (loc / scale - self.concentration * (self.rate * scale).recip().ln_1p()).exp()
    }
}

impl<'t> Transformed<'t> for Uniform<'t> {
    #[track_caller]
    fn transform(&self, loc: Var<'t>, scale: Var<'t>) -> Var<'t> {
        let at = |end: Var<'t>| ((loc - end) / scale).exp();
        scale / (self.high - self.low) * (at(self.low) - at(self.high))
    }
}

#[track_caller]
fn from_normal<'t>(p: &impl Distribution<'t>, q: &Normal<'t>) -> Var<'t> {
    let deviation = p.variance() + (p.mean() - q.loc).square();
    0.5 * deviation / q.scale.square() + q.scale.ln() + 0.5 * (2.0 * PI).ln()
}

#[track_caller]
fn from_exponential<'t>(p: &impl Positive<'t>, q: &Exponential<'t>) -> Var<'t> {
    infinite(p.negative(), q.rate * p.mean() - q.rate.ln())
}

#[track_caller]
fn from_gamma<'t>(p: &impl Positive<'t>, q: &Gamma<'t>) -> Var<'t> {
    let (a, b) = (q.concentration, q.rate);
    let cross = a.lgamma() - a * b.ln() - (a - 1.0) * p.mean_log() + b * p.mean();
    infinite(p.negative(), cross)
}

#[track_caller]
fn from_gumbel<'t>(p: &impl Transformed<'t>, q: &Gumbel<'t>) -> Var<'t> {
    q.scale.ln() + (p.mean() - q.loc) / q.scale + p.transform(q.loc, q.scale)
}

#[track_caller]
fn from_beta<'t>(p: &Uniform<'t>, q: &Beta<'t>) -> Var<'t> {
    let hits = (q.concentration1 - 1.0) * mean_log_between(p.low, p.high);
    let misses = (q.concentration0 - 1.0) * mean_log_between(1.0 - p.high, 1.0 - p.low);
    infinite(Some(p.low.lt(0.0) + p.high.gt(1.0)), q.log_normalizer() - hits - misses)
}

#[track_caller]
fn from_uniform<'t>(_: &Beta<'t>, q: &Uniform<'t>) -> Var<'t> {
    infinite(Some(q.low.gt(0.0) + q.high.lt(1.0)), (q.high - q.low).ln())
}

/// ∞ where `p` gives what `q` cannot.
#[track_caller]
fn infinite<'t>(outside: Option<Var<'t>>, result: Var<'t>) -> Var<'t> {
    match outside {
        Some(outside) => outside.select(f64::INFINITY, result),
        None => result,
    }
}

/// Pairs of which `p` gives what `q` cannot, whatever the parameters.
macro_rules! infinite {
    ($($p:ident | $($q:ident),*;)*) => {
        $($(impl<'t> KlDivergence<'t, $q<'t>> for $p<'t> {
            #[track_caller]
            fn kl_divergence(&self, q: &$q<'t>) -> Var<'t> {
                let (p, q) = (self.mean(), q.mean());
                let both = p.tape().named_call("kl_divergence", || p + q);
                match both.is_faulty() {
                    true => both,
                    false => p.tape().fill(both.shape(), f64::INFINITY),
                }
            }
        })*)*
    };
}

infinite! {
    Normal | Exponential, Gamma, Beta, Uniform;
    Laplace | Exponential, Gamma, Beta, Uniform;
    Gumbel | Exponential, Gamma, Beta, Uniform;
    Exponential | Beta, Uniform;
    Gamma | Beta, Uniform;
    Poisson | Bernoulli;
}
