//! One threshold for all classes.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, counted};
use super::parts::Parts;
use super::sample::{self, BATCH, MEAN, ORDER};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::{Reduction, Terms};

/// Positive pairs above a cosine and negative pairs below one, averaged over the hard pairs alone.
///
/// ```text
/// L = lambda_plus  mean of (margin_plus − s) over positive pairs with s ≤ margin_plus
///   + lambda_minus mean of (s − margin_minus) over negative pairs with s ≥ margin_minus
/// ```
///
/// It is used beside another loss, so that one threshold of similarity serves all classes. Which
/// pairs are hard has no slope, and the mean over them jumps as one stops to be so: reduce by
/// [`Reduction::MeanOrZero`].
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; two parts of terms `[batch, batch]` |
/// | unit | none: cosines |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::threshold_consistent_margin;
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0], [0.0, 1.0]]);
/// // One positive pair, at a right angle: 0.9 − 0.
/// let gradients = threshold_consistent_margin(e, tape.labels(&[0, 0])).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.9);
/// assert_eq!(gradients.of(e).unwrap().to_f64s(), [0.0, -1.0, -1.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; an option that is NaN.
///
/// # Source
/// Zhang et al., Threshold-Consistent Margin Loss for Open-World Deep Metric Learning, 2023.
/// pytorch-metric-learning's `ThresholdConsistentMarginLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ThresholdConsistentMarginLoss")]
pub struct ThresholdConsistentMargin {
    /// The weight of the positive pairs.
    pub lambda_plus: f64,
    /// The weight of the negative pairs.
    pub lambda_minus: f64,
    /// The cosine that positive pairs should have.
    pub margin_plus: f64,
    /// The cosine that negative pairs may have.
    pub margin_minus: f64,
}

impl Default for ThresholdConsistentMargin {
    fn default() -> Self {
        ThresholdConsistentMargin {
            lambda_plus: 1.0,
            lambda_minus: 1.0,
            margin_plus: 0.9,
            margin_minus: 0.5,
        }
    }
}

/// [`ThresholdConsistentMargin`] of a batch, as one term, reduced by [`Reduction::MeanOrZero`].
#[track_caller]
pub fn threshold_consistent_margin<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    let parts = ThresholdConsistentMargin::default().forward(Pairs::of(embeddings, labels));
    parts.term(Reduction::MeanOrZero)
}

impl ThresholdConsistentMargin {
    /// The terms of the hard positive and of the hard negative pairs.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Parts<'t> {
        const NAME: &str = "threshold_consistent_margin";
        pairs.embeddings.tape().named_call(NAME, || {
            let ThresholdConsistentMargin { lambda_plus, lambda_minus, margin_plus, margin_minus } =
                *self;
            let fits = !(lambda_plus + lambda_minus + margin_plus + margin_minus).is_nan();
            let pairs = pairs.demand(NAME, fits, || "an option is NaN".to_owned());
            let s = pairs.similarities(Distance::CosineSimilarity);
            // All but the easy ones, so that a NaN is among them.
            let hard_positive = s.gt(margin_plus).select(0.0, pairs.positive);
            let hard_negative = s.lt(margin_minus).select(0.0, pairs.negative);
            let pull = counted((margin_plus - s) * lambda_plus, hard_positive);
            let push = counted((s - margin_minus) * lambda_minus, hard_negative);
            Parts::from(pull).and(push)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "threshold_consistent_margin",
    aliases: &["ThresholdConsistentMarginLoss", "tcm"],
    summary: "Hard positive pairs above a cosine, hard negative pairs below one.",
    formula: "λ₊ mean(m₊ − s over s ≤ m₊) + λ₋ mean(s − m₋ over s ≥ m₋)",
    latex: r"\lambda_+ \, \mathrm{mean}_{s_p \le m_+} (m_+ - s_p) + \lambda_- \, \mathrm{mean}_{s_n \ge m_-} (s_n - m_-)",
    letters: &[
        ("s", "the cosine similarity of a positive or a negative pair"),
        ("m₊, m₋", "margin_plus and margin_minus"),
        ("λ₊, λ₋", "lambda_plus and lambda_minus"),
    ],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [batch, batch]",
    range: "[0, ∞)",
    source: "Zhang et al., 2023; pytorch-metric-learning ThresholdConsistentMarginLoss",
    inputs: &BATCH,
    options: &[
        number("lambda_plus", 1.0, "the weight of the positive pairs"),
        number("lambda_minus", 1.0, "the weight of the negative pairs"),
        number("margin_plus", 0.9, "the cosine that positive pairs should have"),
        number("margin_minus", 0.5, "the cosine that negative pairs may have"),
        MEAN,
    ],
    grid: &["", "lambda_plus=0.5 lambda_minus=2 margin_plus=0.7 margin_minus=0.2", "reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = ThresholdConsistentMargin {
            lambda_plus: x.number("lambda_plus"),
            lambda_minus: x.number("lambda_minus"),
            margin_plus: x.number("margin_plus"),
            margin_minus: x.number("margin_minus"),
        };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let cosines = |pairs: Vec<(usize, usize)>| -> Vec<f64> {
            pairs.into_iter().map(|(i, j)| x.cosine(i, j)).collect()
        };
        let (near, far) = (x.number("margin_plus"), x.number("margin_minus"));
        let pulls = cosines(x.positive_pairs()).into_iter().filter(|s| *s <= near);
        let pushes = cosines(x.negative_pairs()).into_iter().filter(|s| *s >= far);
        let pulls: Vec<f64> = pulls.map(|s| x.number("lambda_plus") * (near - s)).collect();
        let pushes: Vec<f64> = pushes.map(|s| x.number("lambda_minus") * (s - far)).collect();
        vec![x.reduced(&pulls) + x.reduced(&pushes)]
    },
    ..FAMILY
};
