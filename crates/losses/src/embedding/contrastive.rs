//! Pairs of one class near, others far.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, counted};
use super::parts::Parts;
use super::sample::{self, BATCH, NON_ZERO_MEAN, ORDER};
use crate::catalogue::{Loss, number, word};
use crate::terms::{Reduction, Terms};

/// Pairs of one class should be nearer than a margin, pairs of two classes farther than another.
///
/// ```text
/// Lᵢⱼ = max(0, dᵢⱼ − positive_margin)   if i and j are of one class
///       max(0, negative_margin − dᵢⱼ)   else
/// ∂Lᵢⱼ/∂dᵢⱼ = 1 or −1 where Lᵢⱼ > 0, else 0
/// ```
///
/// For a similarity, both differences have the other sign. Positive and negative pairs are two
/// [`Parts`]: each is reduced by itself, so that the many negatives do not drown the positives.
/// [`Reduction::NonZeroMean`] is the usual way. Since the distance of equal vectors has slope 0,
/// there is no pull between them.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch, batch]` |
/// | unit | the distance's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Contrastive, Distance, Pairs, Reduction};
/// let tape = Tape::f64();
/// let points = tape.variable([[0.0], [0.5], [1.5]]);
/// let distance = Distance::Norm { p: 2.0, power: 1.0, normalize: false };
/// let loss = Contrastive { distance, negative_margin: 2.0, ..Contrastive::default() };
/// let parts = loss.forward(Pairs::of(points, tape.labels(&[0, 0, 1])));
/// let gradients = parts.reduce(Reduction::NonZeroMean).backward()?;
/// assert_eq!(gradients.loss(), 0.5 + (0.5 + 1.0) / 2.0);
/// assert_eq!(gradients.of(points).unwrap().to_f64s(), [-0.5, 1.5, -1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a margin that is NaN.
///
/// # Source
/// Hadsell, Chopra and LeCun, Dimensionality Reduction by Learning an Invariant Mapping, 2006, who
/// square the terms. pytorch-metric-learning's `ContrastiveLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ContrastiveLoss")]
#[doc(alias = "SignalToNoiseRatioContrastiveLoss")]
pub struct Contrastive {
    /// How far apart a class may be.
    pub positive_margin: f64,
    /// How near two classes may be.
    pub negative_margin: f64,
    /// The distance; [`Distance::Snr`] gives the signal-to-noise contrastive loss.
    pub distance: Distance,
}

impl Default for Contrastive {
    fn default() -> Contrastive {
        Contrastive { positive_margin: 0.0, negative_margin: 1.0, distance: Distance::UNIT }
    }
}

/// [`Contrastive`] with a margin for negative pairs, as one term, reduced by [`Reduction::NonZeroMean`].
#[track_caller]
pub fn contrastive<'t>(embeddings: Var<'t>, labels: Var<'t>, negative_margin: f64) -> Terms<'t> {
    let loss = Contrastive { negative_margin, ..Contrastive::default() };
    loss.forward(Pairs::of(embeddings, labels)).term(Reduction::NonZeroMean)
}

impl Contrastive {
    /// The terms of the positive and of the negative pairs.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Parts<'t> {
        pairs.embeddings.tape().named_call("contrastive", || {
            let Contrastive { positive_margin: near, negative_margin: far, distance } = *self;
            let fits = !near.is_nan() && !far.is_nan();
            let pairs = pairs.demand("contrastive", fits, || "a margin is NaN".to_owned());
            let d = pairs.distances(distance);
            let pull = ((d - near) * distance.sign()).relu();
            let push = ((far - d) * distance.sign()).relu();
            Parts::from(counted(pull, pairs.positive)).and(counted(push, pairs.negative))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "contrastive",
    aliases: &["ContrastiveLoss", "SignalToNoiseRatioContrastiveLoss", "snr_contrastive"],
    summary: "Pairs of one class nearer than a margin, others farther than another.",
    formula: "max(0, d − m₊) for pairs of one class, max(0, m₋ − d) for others",
    latex: r"\begin{cases} \max(0, d_{ij} - m_+) & y_i = y_j \\ \max(0, m_- - d_{ij}) & y_i \ne y_j \end{cases}",
    letters: &[
        ("d", "the distance of two embeddings"),
        ("m₊, m₋", "positive_margin and negative_margin"),
    ],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [batch, batch]",
    unit: "the distance's",
    range: "[0, ∞)",
    source: "Hadsell, Chopra and LeCun, 2006; pytorch-metric-learning ContrastiveLoss",
    over: "negative_margin=0.5,1,1.5",
    inputs: &BATCH,
    options: &[
        number("positive_margin", 0.0, "how far apart a class may be"),
        number("negative_margin", 1.0, "how near two classes may be"),
        word("distance", &["unit", "cosine", "snr"], "how embeddings are compared"),
        NON_ZERO_MEAN,
    ],
    grid: &[
        "",
        "positive_margin=0.3 negative_margin=1.5",
        "negative_margin=1.3 reduction=mean_or_zero",
        "reduction=sum",
        "distance=cosine positive_margin=0.9 negative_margin=0.1",
        "distance=snr positive_margin=0.1 negative_margin=2",
    ],
    invariances: &[ORDER, crate::catalogue::Invariance::Scale("embeddings")],
    run: |x| {
        let loss = Contrastive {
            positive_margin: x.number("positive_margin"),
            negative_margin: x.number("negative_margin"),
            distance: match x.word("distance") {
                "cosine" => Distance::CosineSimilarity,
                "snr" => Distance::Snr,
                _ => Distance::UNIT,
            },
        };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let variance = |a: &[f64]| {
            let mean = a.iter().sum::<f64>() / a.len() as f64;
            a.iter().map(|a| (a - mean) * (a - mean)).sum::<f64>() / (a.len() - 1) as f64
        };
        let distance = |i: usize, j: usize| match x.word("distance") {
            "cosine" => -x.cosine(i, j),
            "snr" => {
                let (a, b) = (x.unit(i), x.unit(j));
                let noise: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
                variance(&noise) / variance(&a)
            }
            _ => x.distance(i, j),
        };
        let sign = if x.word("distance") == "cosine" { -1.0 } else { 1.0 };
        let (near, far) = (x.number("positive_margin"), x.number("negative_margin"));
        let pull = |&(i, j): &(usize, usize)| (distance(i, j) - sign * near).max(0.0);
        let push = |&(i, j): &(usize, usize)| (sign * far - distance(i, j)).max(0.0);
        let pulls: Vec<f64> = x.positive_pairs().iter().map(pull).collect();
        let pushes: Vec<f64> = x.negative_pairs().iter().map(push).collect();
        vec![x.reduced(&pulls) + x.reduced(&pushes)]
    },
    edges: &[
        ("+∞ | −∞", "an infinite vector has no direction, and infinite distances no difference"),
        ("constant", "a constant signal has no variance to compare noise with"),
        ("zeros", "a constant signal has no variance to compare noise with"),
    ],
    ..FAMILY
};
