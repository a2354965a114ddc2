//! All positives of an anchor against all of its negatives.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, log_sum_exp_of};
use super::sample::{self, BATCH, MEAN, ORDER, log_sum_exp};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::Terms;

/// The farthest positive of an anchor should be nearer than the nearest negative, by soft maxima.
///
/// ```text
/// Lᵢ = max(0, ln Σ_p exp(dᵢₚ − positive_margin) + ln Σ_n exp(negative_margin − dᵢₙ))
/// ∂Lᵢ/∂dᵢₚ = softmax over the positives, where Lᵢ > 0
/// ```
///
/// A sum over nothing counts 0, so that an anchor with positives alone is still pulled to them.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | the distance's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Distance, GeneralizedLiftedStructure, Pairs};
/// let tape = Tape::f64();
/// let points = tape.variable([[0.0], [3.0], [1.0]]);
/// let distance = Distance::Norm { p: 2.0, power: 1.0, normalize: false };
/// let loss = GeneralizedLiftedStructure { distance, ..Default::default() };
/// let terms = loss.forward(Pairs::of(points, tape.labels(&[0, 0, 1])));
/// assert!((terms.unreduced().value()?.get(&[0])? - 3.0).abs() < 1e-12); // 3 + (1 − 1)
/// let gradients = terms.unreduced().index(0, 0).backward()?;
/// let slope = gradients.of(points).unwrap();
/// assert!(slope.allclose(&[[0.0], [1.0], [-1.0]].into(), 1e-12, 1e-12));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a margin that is NaN.
///
/// # Source
/// Hermans, Beyer and Leibe, In Defense of the Triplet Loss, 2017. pytorch-metric-learning's
/// `GeneralizedLiftedStructureLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "GeneralizedLiftedStructureLoss")]
pub struct GeneralizedLiftedStructure {
    /// What positive distances are lowered by.
    pub positive_margin: f64,
    /// How far apart two classes should be.
    pub negative_margin: f64,
    /// The distance.
    pub distance: Distance,
}

impl Default for GeneralizedLiftedStructure {
    fn default() -> Self {
        GeneralizedLiftedStructure {
            positive_margin: 0.0,
            negative_margin: 1.0,
            distance: Distance::UNIT,
        }
    }
}

/// [`GeneralizedLiftedStructure`] of a batch, with a margin for negative pairs.
#[track_caller]
pub fn generalized_lifted_structure<'t>(
    embeddings: Var<'t>,
    labels: Var<'t>,
    negative_margin: f64,
) -> Terms<'t> {
    let loss = GeneralizedLiftedStructure { negative_margin, ..Default::default() };
    loss.forward(Pairs::of(embeddings, labels))
}

impl GeneralizedLiftedStructure {
    /// The terms of the anchors.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        const NAME: &str = "generalized_lifted_structure";
        pairs.embeddings.tape().named_call(NAME, || {
            let GeneralizedLiftedStructure {
                positive_margin: near,
                negative_margin: far,
                distance,
            } = *self;
            let fits = !near.is_nan() && !far.is_nan();
            let pairs = pairs.demand(NAME, fits, || "a margin is NaN".to_owned()).once();
            let d = pairs.distances(distance);
            let pull = log_sum_exp_of(pairs.positive, (d - near) * distance.sign());
            let push = log_sum_exp_of(pairs.negative, (far - d) * distance.sign());
            Terms::new((or_zero(pull) + or_zero(push)).relu().squeeze(-1))
        })
    }
}

/// 0 for −∞, the logarithm of a sum over nothing.
fn or_zero(logarithm: Var<'_>) -> Var<'_> {
    logarithm.eq(f64::NEG_INFINITY).select(0.0, logarithm)
}

pub(crate) static ROW: Loss = Loss {
    name: "generalized_lifted_structure",
    aliases: &["GeneralizedLiftedStructureLoss"],
    summary: "The positives of an anchor nearer than its negatives, by soft maxima.",
    formula: "max(0, ln Σ exp(d₊ − m₊) + ln Σ exp(m₋ − d₋))",
    latex: r"\max \Bigl(0, \log \sum_p e^{d_{ip} - m_+} + \log \sum_n e^{m_- - d_{in}} \Bigr)",
    letters: &[
        ("d", "the distance of two embeddings"),
        ("m₊, m₋", "positive_margin and negative_margin"),
    ],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    unit: "the distance's",
    range: "[0, ∞)",
    source: "Hermans, Beyer and Leibe, 2017; pytorch-metric-learning GeneralizedLiftedStructureLoss",
    over: "negative_margin=0.5,1,2",
    inputs: &BATCH,
    options: &[
        number("positive_margin", 0.0, "what positive distances are lowered by"),
        number("negative_margin", 1.0, "how far apart two classes should be"),
        MEAN,
    ],
    grid: &["", "positive_margin=0.1 negative_margin=2", "reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = GeneralizedLiftedStructure {
            positive_margin: x.number("positive_margin"),
            negative_margin: x.number("negative_margin"),
            ..Default::default()
        };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let (near, far) = (x.number("positive_margin"), x.number("negative_margin"));
        let or_zero = |all: Vec<f64>| if all.is_empty() { 0.0 } else { log_sum_exp(&all) };
        let term = |i: usize| {
            let pull = x.positives(i).into_iter().map(|p| x.distance(i, p) - near).collect();
            let push = x.negatives(i).into_iter().map(|n| far - x.distance(i, n)).collect();
            (or_zero(pull) + or_zero(push)).max(0.0)
        };
        vec![x.reduced(&(0..6).map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
