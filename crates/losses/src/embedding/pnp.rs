//! Negatives before positives.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::pairs::Pairs;
use super::sample::{self, BATCH, MEAN, ORDER};
use super::smooth_ap::comparisons;
use crate::catalogue::{Invariance, Loss, number, word};
use crate::check::above_zero;
use crate::terms::Terms;

/// How many negatives stand before each positive in the ranking of a query, softly counted.
///
/// ```text
/// Rᵢⱼ = Σ_{k of other classes} σ((sᵢₖ − sᵢⱼ)/T)
/// Lᵢ = mean over j of the class of i of f(Rᵢⱼ)
/// ```
///
/// `f` is a [`PnpVariant`]. The class of `i` has `i` itself as a member; a query that is alone in its
/// class does not count.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | negatives, as the variant counts them |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Pnp, PnpVariant};
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// let loss = Pnp { temperature: 0.01, variant: PnpVariant::Count };
/// // From 0, the positive 1 is as similar as the negative 2: half of it stands before.
/// let each = loss.forward(e, tape.labels(&[0, 0, 1])).unreduced();
/// let gradients = each.index(0, 0).backward()?;
/// assert!((gradients.loss() - 0.25).abs() < 1e-12); // mean of 0, for itself, and ½
/// // σ'(0)/T = 25, halved by the mean.
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? + 12.5).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a temperature that is not above 0.
///
/// # Source
/// Li et al., Rethinking the Optimization of Average Precision: Only Penalizing Negative Instances
/// before Positive Ones is Enough, 2022. pytorch-metric-learning's `PNPLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "PNPLoss")]
pub struct Pnp {
    /// What differences of cosines are divided by.
    pub temperature: f64,
    /// What becomes of a count.
    pub variant: PnpVariant,
}

/// What becomes of the count `R` of negatives before a positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PnpVariant {
    /// `R`: the paper's PNP-O.
    Count,
    /// `ln(1 + R)`, PNP-Ds: the slope falls with the count.
    Logarithm,
    /// `1 − (1 + R)^(−α)`, PNP-Dq: the slope falls faster, as that of average precision.
    Power(f64),
    /// `(1 + R) ln(1 + R)`, PNP-Iu: the slope rises without bound.
    Entropy,
    /// `(b R − ln(1 + b R)) / b²`, PNP-Ib: the slope rises to `1/b`.
    Bounded(f64),
}

impl Default for Pnp {
    fn default() -> Pnp {
        Pnp { temperature: 0.01, variant: PnpVariant::Count }
    }
}

/// [`Pnp`] with a temperature, of plain counts.
#[track_caller]
pub fn pnp<'t>(embeddings: Var<'t>, labels: Var<'t>, temperature: f64) -> Terms<'t> {
    Pnp { temperature, ..Pnp::default() }.forward(embeddings, labels)
}

impl Pnp {
    /// The terms of the queries; one that is alone in its class does not count.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("pnp", || {
            let Pnp { temperature, variant } = *self;
            let pairs =
                Pairs::of(above_zero("pnp", "temperature", temperature, embeddings), labels);
            let before = comparisons(pairs, temperature) * pairs.negative.unsqueeze(1);
            let count = variant.of(before.sum(-1));
            let class = 1.0 - pairs.negative;
            let each = (class * count).sum(-1) / class.sum(-1);
            Terms::new(each).masked(pairs.positive.sum(-1).gt(0.0))
        })
    }
}

impl PnpVariant {
    fn of(self, r: Var<'_>) -> Var<'_> {
        match self {
            PnpVariant::Count => r,
            PnpVariant::Logarithm => r.ln_1p(),
            PnpVariant::Power(alpha) => 1.0 - (r + 1.0).powf(-alpha),
            PnpVariant::Entropy => (r + 1.0) * r.ln_1p(),
            PnpVariant::Bounded(b) => (r * b - (r * b).ln_1p()) / (b * b),
        }
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "pnp",
    aliases: &["PNPLoss"],
    summary: "The negatives before each positive in a ranking, softly counted.",
    formula: "mean of f(Σ₋ σ(Δs/T)) over the class",
    latex: r"\frac{1}{|C|} \sum_{j \in C} f \Bigl( \sum_{k \notin C} \sigma \bigl((s_{ik} - s_{ij}) / T\bigr) \Bigr)",
    letters: &[
        ("C", "the others of the class of i"),
        ("f", "the variant"),
        ("s", "the cosine similarity of two embeddings"),
        ("σ", "the logistic function"),
    ],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    unit: "negatives",
    range: "[0, ∞)",
    source: "Li et al., 2022; pytorch-metric-learning PNPLoss",
    inputs: &BATCH,
    options: &[
        number("temperature", 0.01, "what differences of cosines are divided by"),
        word(
            "variant",
            &["count", "logarithm", "power", "entropy", "bounded"],
            "what becomes of a count",
        ),
        number("alpha", 1.0, "the exponent of the variant `power`"),
        number("b", 2.0, "the bound of the variant `bounded`"),
        MEAN,
    ],
    grid: &[
        "temperature=0.1",
        "temperature=0.2 variant=logarithm reduction=sum",
        "temperature=0.2 variant=power alpha=1.5",
        "temperature=0.2 variant=entropy",
        "temperature=0.2 variant=bounded b=3",
    ],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let variant = match x.word("variant") {
            "logarithm" => PnpVariant::Logarithm,
            "power" => PnpVariant::Power(x.number("alpha")),
            "entropy" => PnpVariant::Entropy,
            "bounded" => PnpVariant::Bounded(x.number("b")),
            _ => PnpVariant::Count,
        };
        let loss = Pnp { temperature: x.number("temperature"), variant };
        sample::reduced(x, loss.forward(x.var("embeddings"), x.var("labels")))
    },
    naive: |x| {
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let f = |r: f64| match x.word("variant") {
            "logarithm" => (1.0 + r).ln(),
            "power" => 1.0 - 1.0 / (1.0 + r).powf(x.number("alpha")),
            "entropy" => (1.0 + r) * (1.0 + r).ln(),
            "bounded" => {
                let b = x.number("b");
                (b * r - (1.0 + b * r).ln()) / b / b
            }
            _ => r,
        };
        let term = |i: usize| {
            let before = |j: usize, k: usize| {
                sigmoid((x.cosine(i, k) - x.cosine(i, j)) / x.number("temperature"))
            };
            let mut class = x.positives(i);
            class.push(i);
            let each = class
                .iter()
                .map(|&j| f(x.negatives(i).into_iter().map(|k| before(j, k)).sum::<f64>()));
            each.sum::<f64>() / class.len() as f64
        };
        let queries = (0..6).filter(|&i| !x.positives(i).is_empty());
        vec![x.reduced(&queries.map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
