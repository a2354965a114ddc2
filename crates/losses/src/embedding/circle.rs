//! Similarities with a pace of their own.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, log_sum_exp_of};
use super::sample::{self, NON_ZERO_MEAN, ORDER, log_sum_exp};
use crate::catalogue::{Domain, Invariance, Loss, WIDE, detached, input, number};
use crate::terms::Terms;

/// Positives towards similarity 1 and negatives towards 0, each with the pace of its own error.
///
/// ```text
/// Lᵢ = softplus( ln Σ_n exp(gamma aₙ (sᵢₙ − m)) + ln Σ_p exp(−gamma aₚ (sᵢₚ − (1 − m))) )
/// aₙ = max(0, sᵢₙ + m),  aₚ = max(0, 1 + m − sᵢₚ)   through which no gradient flows
/// ∂Lᵢ/∂sᵢₙ = σ(…) softmaxₙ gamma aₙ
/// ```
///
/// The paces `a` are constants to the gradient, on purpose, so it is not the derivative of the
/// value. An anchor that lacks positives or negatives has the term 0.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Circle, Pairs, Reduction};
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// // Right angles; with m = 1 the paces are 1 and 2, the exponents −1 and 0.
/// let loss = Circle { m: 1.0, gamma: 1.0, ..Circle::default() };
/// let terms = loss.forward(Pairs::of(e, tape.labels(&[0, 0, 1])));
/// let gradients = terms.reduce(Reduction::NonZeroMean).backward()?;
/// assert!((gradients.loss() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15);
/// // σ(−1) times the pace 2, from both ends of the pair.
/// let pull = 2.0 / (1.0 + 1.0_f64.exp());
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? + pull).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a `gamma` that is not above 0.
///
/// # Source
/// Sun et al., Circle Loss, 2020. pytorch-metric-learning's `CircleLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CircleLoss")]
pub struct Circle {
    /// How far from 0 and 1 similarities may stay.
    pub m: f64,
    /// What the exponents are multiplied by.
    pub gamma: f64,
    /// The similarity.
    pub distance: Distance,
}

impl Default for Circle {
    fn default() -> Circle {
        Circle { m: 0.4, gamma: 80.0, distance: Distance::CosineSimilarity }
    }
}

/// [`Circle`] of a batch, with its defaults.
#[track_caller]
pub fn circle<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    Circle::default().forward(Pairs::of(embeddings, labels))
}

impl Circle {
    /// The terms of the anchors.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("circle", || {
            let Circle { m, gamma, distance } = *self;
            let pairs = pairs.above_zero("circle", "gamma", gamma).once();
            let tape = pairs.embeddings.tape();
            let s = pairs.similarities(distance);
            let [push, pull] = tape.scope("weights", || {
                let pace = s.detach();
                [(pace + m).relu(), (1.0 + m - pace).relu()]
            });
            let [push, pull] = tape
                .scope("exponents", || [push * (s - m) * gamma, pull * (s - (1.0 - m)) * -gamma]);
            let push = log_sum_exp_of(pairs.negative, push);
            let pull = log_sum_exp_of(pairs.positive, pull);
            Terms::new((push + pull).softplus().squeeze(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "circle",
    aliases: &["CircleLoss"],
    summary: "Positives towards similarity 1, negatives towards 0, each with its own pace.",
    formula: "softplus(ln Σ exp(γ a₋ (s₋ − m)) + ln Σ exp(−γ a₊ (s₊ − 1 + m)))",
    latex: r"\log \Bigl(1 + \sum_n e^{\gamma a_n (s_{in} - m)} \sum_p e^{-\gamma a_p (s_{ip} - 1 + m)}\Bigr)",
    letters: &[
        ("s", "the cosine similarity of two embeddings"),
        ("a", "how far a similarity is from its optimum, 0 at least"),
    ],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Sun et al., 2020; pytorch-metric-learning CircleLoss",
    over: "gamma=4,8,16",
    inputs: &[
        // The paces depend on the embeddings, and no gradient flows through them.
        detached("embeddings", &[6, 3], WIDE).partly(),
        input("labels", &[6], Domain::Integers(&[0, 0, 1, 1, 0, 2])),
    ],
    options: &[
        number("m", 0.4, "how far from 0 and 1 similarities may stay"),
        number("gamma", 80.0, "what the exponents are multiplied by"),
        NON_ZERO_MEAN,
    ],
    grid: &["gamma=16", "m=0.25 gamma=4", "gamma=2 reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = Circle { m: x.number("m"), gamma: x.number("gamma"), ..Circle::default() };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let (m, gamma) = (x.number("m"), x.number("gamma"));
        let term = |i: usize| {
            let push = |n: usize| {
                let s = x.cosine(i, n);
                gamma * (s + m).max(0.0) * (s - m)
            };
            let pull = |p: usize| {
                let s = x.cosine(i, p);
                -gamma * (1.0 + m - s).max(0.0) * (s - 1.0 + m)
            };
            let pushes: Vec<f64> = x.negatives(i).into_iter().map(push).collect();
            let pulls: Vec<f64> = x.positives(i).into_iter().map(pull).collect();
            if pulls.is_empty() {
                0.0
            } else {
                (log_sum_exp(&pushes) + log_sum_exp(&pulls)).exp().ln_1p()
            }
        };
        vec![x.reduced(&(0..6).map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
