//! Positives and negatives of an anchor, the hardest most.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, log_sum_exp_of};
use super::sample::{self, BATCH, MEAN, ORDER};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::Terms;

/// Positives above a similarity and negatives below it, each weighed against the others of its kind.
///
/// ```text
/// Lᵢ = ln(1 + Σ_p exp(−alpha (sᵢₚ − base))) / alpha + ln(1 + Σ_n exp(beta (sᵢₙ − base))) / beta
/// ∂Lᵢ/∂sᵢₙ = exp(beta (sᵢₙ − base)) / (1 + Σ exp(beta (sᵢₙ − base)))
/// ```
///
/// The slopes of the negatives of an anchor add up to less than 1, and most of it goes to the
/// hardest, the more so the larger `beta`. [`Miner::MultiSimilarity`](crate::Miner) is its miner.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | the similarity's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{MultiSimilarity, Pairs};
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0], [0.0, 1.0]]);
/// let loss = MultiSimilarity { beta: 2.0, base: 0.0, ..MultiSimilarity::default() };
/// // One negative, at a right angle, for each of two anchors.
/// let gradients = loss.forward(Pairs::of(e, tape.labels(&[0, 1]))).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln() / 2.0).abs() < 1e-15);
/// assert_eq!(gradients.of(e).unwrap().to_f64s(), [0.0, 0.5, 0.5, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; an `alpha` or `beta` that is not above 0.
///
/// # Source
/// Wang et al., Multi-Similarity Loss with General Pair Weighting, 2019. pytorch-metric-learning's
/// `MultiSimilarityLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "MultiSimilarityLoss")]
pub struct MultiSimilarity {
    /// How much the least similar positives count more.
    pub alpha: f64,
    /// How much the most similar negatives count more.
    pub beta: f64,
    /// The similarity between both.
    pub base: f64,
    /// The similarity.
    pub distance: Distance,
}

impl Default for MultiSimilarity {
    fn default() -> MultiSimilarity {
        MultiSimilarity { alpha: 2.0, beta: 50.0, base: 0.5, distance: Distance::CosineSimilarity }
    }
}

/// [`MultiSimilarity`] of a batch, with its defaults.
#[track_caller]
pub fn multi_similarity<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    MultiSimilarity::default().forward(Pairs::of(embeddings, labels))
}

impl MultiSimilarity {
    /// The terms of the anchors.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("multi_similarity", || {
            let MultiSimilarity { alpha, beta, base, distance } = *self;
            let pairs = pairs.above_zero("multi_similarity", "alpha", alpha);
            let pairs = pairs.above_zero("multi_similarity", "beta", beta).once();
            let s = (pairs.distances(distance) - base) * -distance.sign();
            let pull = log_sum_exp_of(pairs.positive, s * -alpha).softplus() / alpha;
            let push = log_sum_exp_of(pairs.negative, s * beta).softplus() / beta;
            Terms::new((pull + push).squeeze(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "multi_similarity",
    aliases: &["MultiSimilarityLoss"],
    summary: "Positives above a similarity and negatives below it, the hardest most.",
    formula: "ln(1 + Σ exp(−α (s₊ − base)))/α + ln(1 + Σ exp(β (s₋ − base)))/β",
    latex: r"\frac{1}{\alpha} \log \Bigl(1 + \sum_p e^{-\alpha (s_{ip} - \lambda)}\Bigr) + \frac{1}{\beta} \log \Bigl(1 + \sum_n e^{\beta (s_{in} - \lambda)}\Bigr)",
    letters: &[("s", "the cosine similarity of two embeddings")],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    unit: "the similarity's",
    range: "[0, ∞)",
    source: "Wang et al., 2019; pytorch-metric-learning MultiSimilarityLoss",
    over: "beta=2,5,10",
    inputs: &BATCH,
    options: &[
        number("alpha", 2.0, "how much the least similar positives count more"),
        number("beta", 50.0, "how much the most similar negatives count more"),
        number("base", 0.5, "the similarity between both"),
        MEAN,
    ],
    grid: &["beta=10", "alpha=1.5 beta=5 base=0.2", "beta=2 reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = MultiSimilarity {
            alpha: x.number("alpha"),
            beta: x.number("beta"),
            base: x.number("base"),
            ..MultiSimilarity::default()
        };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let (alpha, beta, base) = (x.number("alpha"), x.number("beta"), x.number("base"));
        let term = |i: usize| {
            let sum = |others: Vec<usize>, slope: f64| -> f64 {
                others.into_iter().map(|j| (slope * (x.cosine(i, j) - base)).exp()).sum()
            };
            let pull = sum(x.positives(i), -alpha).ln_1p() / alpha;
            pull + sum(x.negatives(i), beta).ln_1p() / beta
        };
        vec![x.reduced(&(0..6).map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
