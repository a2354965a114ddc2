//! Pairs near the mean of their kind.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, counted};
use super::parts::Parts;
use super::sample::{self, BATCH, MEAN, ORDER};
use crate::catalogue::{Invariance, Loss, Task, number};
use crate::terms::{Reduction, Terms, ratio};

/// Positive pairs not much less similar than their mean, negative pairs not much more than theirs.
///
/// ```text
/// Lᵢⱼ = max(0, (1 − positive_eps) μ₊ − sᵢⱼ)²   for positive pairs
///       max(0, sᵢⱼ − (1 + negative_eps) μ₋)²   for negative pairs
/// ```
///
/// `μ` is the mean similarity of the pairs of a kind, through which gradients flow. It narrows the
/// spread within both kinds, and is used beside a loss that parts them. For a distance, both
/// differences turn round.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; two parts of terms `[batch, batch]` |
/// | unit | the similarity's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Distance, IntraPairVariance, Pairs, Reduction};
/// let tape = Tape::f64();
/// let points = tape.variable([[1.0], [1.0], [3.0]]);
/// let loss = IntraPairVariance {
///     distance: Distance::DotProduct,
///     positive_eps: 0.0,
///     negative_eps: 0.0,
/// };
/// // Products of one class: 1, 3 and 3, with the mean 7/3. The first is 4/3 below it.
/// let parts = loss.forward(Pairs::of(points, tape.labels(&[0, 0, 0])));
/// let gradients = parts.reduce(Reduction::MeanOrZero).backward()?;
/// assert!((gradients.loss() - 16.0 / 9.0 / 3.0).abs() < 1e-15);
/// // ⅓ · 2 · 4/3 · ∂(μ − x₀x₁)/∂x₂ = 8/9 · 2/3
/// assert!((gradients.of(points).unwrap().get(&[2, 0])? - 16.0 / 27.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; an `eps` that is NaN.
///
/// # Source
/// Yu and Tao, Deep Metric Learning with Tuplet Margin Loss, 2019. pytorch-metric-learning's
/// `IntraPairVarianceLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "IntraPairVarianceLoss")]
pub struct IntraPairVariance {
    /// By which part of the mean a positive pair may be less similar.
    pub positive_eps: f64,
    /// By which part of the mean a negative pair may be more similar.
    pub negative_eps: f64,
    /// The similarity.
    pub distance: Distance,
}

impl Default for IntraPairVariance {
    fn default() -> IntraPairVariance {
        let distance = Distance::CosineSimilarity;
        IntraPairVariance { positive_eps: 0.01, negative_eps: 0.01, distance }
    }
}

/// [`IntraPairVariance`] of a batch, as one term, reduced by [`Reduction::MeanOrZero`].
#[track_caller]
pub fn intra_pair_variance<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    IntraPairVariance::default().forward(Pairs::of(embeddings, labels)).term(Reduction::MeanOrZero)
}

impl IntraPairVariance {
    /// The terms of the positive and of the negative pairs.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Parts<'t> {
        pairs.embeddings.tape().named_call("intra_pair_variance", || {
            let IntraPairVariance { positive_eps, negative_eps, distance } = *self;
            let fits = !positive_eps.is_nan() && !negative_eps.is_nan();
            let pairs = pairs.demand("intra_pair_variance", fits, || "an eps is NaN".to_owned());
            let s = pairs.distances(distance);
            let sign = -distance.sign();
            // How much a pair is less similar than the mean of its kind, or more.
            let behind = |counts: Var<'t>, eps: f64, sign: f64| {
                let mean = ratio((s * counts).sum(..), counts.sum(..));
                let each = ((mean * (1.0 - sign * eps) - s) * sign).relu().square();
                counted(each, counts)
            };
            let positive = behind(pairs.positive, positive_eps, sign);
            Parts::from(positive).and(behind(pairs.negative, negative_eps, -sign))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "intra_pair_variance",
    aliases: &["IntraPairVarianceLoss"],
    summary: "Positive pairs not less similar than their mean, negative ones not more.",
    formula: "max(0, (1 − ε₊) μ₊ − s)² and max(0, s − (1 + ε₋) μ₋)²",
    latex: r"\begin{cases} \max(0, (1 - \epsilon_+) \mu_+ - s_{ij})^2 & y_i = y_j \\ \max(0, s_{ij} - (1 + \epsilon_-) \mu_-)^2 & y_i \ne y_j \end{cases}",
    letters: &[
        ("s", "the cosine similarity of two embeddings"),
        ("μ₊, μ₋", "the mean similarity of positives and of negatives"),
        ("ϵ₊, ϵ₋", "positive_eps and negative_eps"),
    ],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [batch, batch]",
    unit: "the similarity's, squared",
    range: "[0, ∞)",
    source: "Yu and Tao, 2019; pytorch-metric-learning IntraPairVarianceLoss",
    tasks: &[Task::Embeddings.fit().penalty(1.0)],
    inputs: &BATCH,
    options: &[
        number("positive_eps", 0.01, "by which part a positive pair may be less similar"),
        number("negative_eps", 0.01, "by which part a negative pair may be more similar"),
        MEAN,
    ],
    grid: &["", "positive_eps=0.1 negative_eps=0.2", "reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = IntraPairVariance {
            positive_eps: x.number("positive_eps"),
            negative_eps: x.number("negative_eps"),
            ..IntraPairVariance::default()
        };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let cosines = |pairs: Vec<(usize, usize)>| -> Vec<f64> {
            pairs.into_iter().map(|(i, j)| x.cosine(i, j)).collect()
        };
        let mean = |s: &[f64]| s.iter().sum::<f64>() / s.len() as f64;
        let (near, far) = (cosines(x.positive_pairs()), cosines(x.negative_pairs()));
        let low = (1.0 - x.number("positive_eps")) * mean(&near);
        let high = (1.0 + x.number("negative_eps")) * mean(&far);
        let pulls: Vec<f64> = near.iter().map(|s| (low - s).max(0.0).powi(2)).collect();
        let pushes: Vec<f64> = far.iter().map(|s| (s - high).max(0.0).powi(2)).collect();
        vec![x.reduced(&pulls) + x.reduced(&pushes)]
    },
    ..FAMILY
};
