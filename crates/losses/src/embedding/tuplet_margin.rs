//! Each positive pair against the negatives of its anchor, with a margin on the angle.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::classes::angle;
use super::distance::Distance;
use super::pairs::{Pairs, counted, log_sum_exp_of};
use super::sample::{self, BATCH, MEAN, ORDER};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::Terms;

/// Negatives should be less similar than a positive whose angle is taken as smaller by a margin.
///
/// ```text
/// θᵢⱼ = angle(i, j)
/// Lᵢⱼ = ln(1 + Σ_n exp(scale (cos θᵢₙ − cos(θᵢⱼ − margin))))
/// ∂Lᵢⱼ/∂cos θᵢₙ = scale exp(…) / (1 + Σ exp(…))
/// ```
///
/// The margin makes the positive look more similar than it is: it is the slack that keeps pairs of
/// a class that differ much from being forced together.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch, batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Pairs, TupletMargin};
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// let loss = TupletMargin { margin: 0.0, scale: 1.0 };
/// let gradients = loss.forward(Pairs::of(e, tape.labels(&[0, 0, 1]))).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? + 0.5).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a margin that is NaN; a scale that is not above 0.
///
/// # Source
/// Yu and Tao, Deep Metric Learning with Tuplet Margin Loss, 2019. pytorch-metric-learning's
/// `TupletMarginLoss`, whose margin is in degrees.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "TupletMarginLoss")]
pub struct TupletMargin {
    /// How much smaller positive angles are taken, in radians.
    pub margin: f64,
    /// What differences of cosines are multiplied by.
    pub scale: f64,
}

impl Default for TupletMargin {
    fn default() -> TupletMargin {
        TupletMargin { margin: 0.1, scale: 64.0 }
    }
}

/// [`TupletMargin`] of a batch, with a margin in radians.
#[track_caller]
pub fn tuplet_margin<'t>(embeddings: Var<'t>, labels: Var<'t>, margin: f64) -> Terms<'t> {
    TupletMargin { margin, ..TupletMargin::default() }.forward(Pairs::of(embeddings, labels))
}

impl TupletMargin {
    /// The terms of the positive pairs.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("tuplet_margin", || {
            let TupletMargin { margin, scale } = *self;
            let why = || "margin is NaN".to_owned();
            let pairs = pairs.demand("tuplet_margin", !margin.is_nan(), why);
            let pairs = pairs.above_zero("tuplet_margin", "scale", scale);
            let cosine = pairs.similarities(Distance::CosineSimilarity);
            let nearer = (angle(cosine) - margin).cos();
            let others = log_sum_exp_of(pairs.negative, cosine * scale);
            counted((others - nearer * scale).softplus(), pairs.positive)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "tuplet_margin",
    aliases: &["TupletMarginLoss"],
    summary: "Each positive told from the negatives of its anchor, with a margin on its angle.",
    formula: "ln(1 + Σ exp(scale (cos θ₋ − cos(θ₊ − margin))))",
    latex: r"\log \Bigl(1 + \sum_n e^{s (\cos \theta_{in} - \cos(\theta_{ij} - m))}\Bigr)",
    letters: &[("θ", "the angle between two embeddings")],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [batch, batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Yu and Tao, 2019; pytorch-metric-learning TupletMarginLoss",
    over: "scale=2,5,10",
    inputs: &BATCH,
    options: &[
        number("margin", 0.1, "how much smaller positive angles are taken, in radians"),
        number("scale", 64.0, "what differences of cosines are multiplied by"),
        MEAN,
    ],
    grid: &["scale=10", "margin=0.25 scale=4", "scale=2 reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = TupletMargin { margin: x.number("margin"), scale: x.number("scale") };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let (margin, scale) = (x.number("margin"), x.number("scale"));
        let term = |&(i, j): &(usize, usize)| {
            let right = (x.cosine(i, j).acos() - margin).cos();
            let wrong = x.negatives(i).into_iter();
            wrong.map(|n| (scale * (x.cosine(i, n) - right)).exp()).sum::<f64>().ln_1p()
        };
        vec![x.reduced(&x.positive_pairs().iter().map(term).collect::<Vec<_>>())]
    },
    edges: &[
        ("+∞ | −∞", "an infinite vector has no direction, and infinite distances no difference"),
        ("equal", "an angle of 0 is a kink, one rounding away"),
    ],
    ..FAMILY
};
