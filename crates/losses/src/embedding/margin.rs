//! A border between near and far.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::Pairs;
use super::parts::Parts;
use super::sample::{self, BATCH, DIVISOR};
use super::triplets::Triplets;
use crate::catalogue::{Domain, Invariance, Loss, Sample, input, number};
use crate::check::{demand, floats};
use crate::terms::{Reduction, Terms};

/// Positives of a triplet within a border `beta`, negatives beyond it, both by a margin.
///
/// ```text
/// L₊ = max(0, d₊ − beta + margin),  L₋ = max(0, beta − d₋ + margin)
/// L = L₊ + L₋
/// ∂L/∂d₊ = 1 where L₊ > 0, ∂L/∂d₋ = −1 where L₋ > 0, ∂L/∂beta = their difference
/// ```
///
/// Unlike in [`TripletMargin`](crate::TripletMargin), distances are compared with a border, not with
/// each other. The border can be a parameter, one for all or one for each example, and then has a
/// price `nu` per unit, a part of its own. [`Reduction::Divisor`] divides by the number of sides that
/// are not 0.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`, beta `[]` or `[batch]`; terms are `[triplets]` |
/// | unit | the distance's |
/// | range | 0 and above, for a `nu` of 0 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Distance, Margin, Pairs, Reduction, Triplets};
/// let tape = Tape::f64();
/// let points = tape.constant([[0.0], [1.0], [3.0]]);
/// let beta = tape.variable(2.0);
/// let distance = Distance::Norm { p: 2.0, power: 1.0, normalize: false };
/// let loss = Margin { margin: 0.5, distance, ..Margin::default() };
/// let triplets = Triplets::of(Pairs::of(points, tape.labels(&[0, 0, 1])));
/// // From 0: 1 is within 2 − ½, and 3 beyond 2 + ½. From 1: the negative is at 2, ½ too near.
/// let gradients = loss.forward(&triplets, beta).reduce(Reduction::Divisor).backward()?;
/// assert_eq!(gradients.loss(), 0.5);
/// assert_eq!(gradients.of(beta).unwrap().to_f64s(), [1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a beta of another shape; a margin or `nu` that is NaN.
///
/// # Source
/// Wu et al., Sampling Matters in Deep Embedding Learning, 2017. pytorch-metric-learning's
/// `MarginLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "MarginLoss")]
pub struct Margin {
    /// How far within or beyond the border, in the distance's unit.
    pub margin: f64,
    /// The price of a unit of `beta`.
    pub nu: f64,
    /// The distance.
    pub distance: Distance,
}

impl Default for Margin {
    fn default() -> Margin {
        Margin { margin: 0.2, nu: 0.0, distance: Distance::UNIT }
    }
}

/// [`Margin`] of all triplets of a batch, as one term, reduced by [`Reduction::Divisor`].
#[track_caller]
pub fn margin<'t>(embeddings: Var<'t>, labels: Var<'t>, beta: Var<'t>) -> Terms<'t> {
    let triplets = Triplets::of(Pairs::of(embeddings, labels));
    Margin::default().forward(&triplets, beta).term(Reduction::Divisor)
}

impl Margin {
    /// The terms of the triplets, and of the border if it has a price.
    #[track_caller]
    pub fn forward<'t>(&self, triplets: &Triplets<'t>, beta: Var<'t>) -> Parts<'t> {
        triplets.embeddings.tape().named_call("margin", || {
            let Margin { margin, nu, distance } = *self;
            let fits = beta.rank() == 0 || beta.shape()[..] == [triplets.embeddings.dim(0)];
            let why = || format!("beta is {}, expected [] or one for each example", beta.shape());
            let beta = floats("margin", "beta", beta);
            let beta = demand("margin", fits || triplets.embeddings.is_faulty(), why, beta);
            let why = || "margin or nu is NaN".to_owned();
            let beta = demand("margin", !margin.is_nan() && !nu.is_nan(), why, beta);
            let beta = if beta.rank() == 0 { beta } else { triplets.of_anchors(beta) };
            let (sides, sign) = (triplets.sides(distance), distance.sign());
            let pull = ((sides.positive - beta) * sign + margin).relu();
            let push = ((beta - sides.negative) * sign + margin).relu();
            let active = (pull.gt(0.0) + push.gt(0.0)).sum(..);
            let parts = Parts::divided(Terms::new(pull + push), active);
            match (nu, beta.rank()) {
                (0.0, _) => parts,
                (_, 0) => parts.and(Terms::new(beta * nu)),
                _ => parts.and(Parts::divided(Terms::new(beta * nu), active)),
            }
        })
    }
}

/// A batch with a border for each example.
const BORDERED: [Sample; 3] =
    [BATCH[0], BATCH[1], input("beta", &[6], Domain::Between(0.8, 1.5)).learned(|_| vec![])];

pub(crate) static ROW: Loss = Loss {
    name: "margin",
    aliases: &["MarginLoss"],
    summary: "Positives within a border, negatives beyond it, both by a margin.",
    formula: "max(0, d₊ − β + m) + max(0, β − d₋ + m)",
    latex: r"\max(0, d_+ - \beta + m) + \max(0, \beta - d_- + m)",
    letters: &[("d₊, d₋", "the distance to a positive and to a negative")],
    shapes: "embeddings: [batch, features]; labels: [batch]; beta: [] or [batch]; terms: [triplets]",
    unit: "the distance's",
    range: "[0, ∞)",
    source: "Wu et al., 2017; pytorch-metric-learning MarginLoss",
    over: "margin=0.2,0.5,1",
    inputs: &BORDERED,
    options: &[
        number("margin", 0.2, "how far within or beyond the border"),
        number("nu", 0.0, "the price of a unit of beta"),
        DIVISOR,
    ],
    grid: &["", "margin=0.5 nu=0.3", "margin=0.35 nu=0.1 reduction=mean_or_zero", "reduction=sum"],
    invariances: &[
        Invariance::Order(&["embeddings", "labels", "beta"]),
        Invariance::Scale("embeddings"),
    ],
    run: |x| {
        let loss = Margin { margin: x.number("margin"), nu: x.number("nu"), ..Margin::default() };
        let parts = loss.forward(&Triplets::of(sample::pairs(x)), x.var("beta"));
        sample::reduced(x, parts)
    },
    naive: |x| {
        let (margin, nu) = (x.number("margin"), x.number("nu"));
        let (mut terms, mut prices, mut active) = (Vec::new(), Vec::new(), 0);
        for (i, j) in x.positive_pairs() {
            for k in x.negatives(i) {
                let beta = x.of("beta")[i];
                let pull = (x.distance(i, j) - beta + margin).max(0.0);
                let push = (beta - x.distance(i, k) + margin).max(0.0);
                active += usize::from(pull > 0.0) + usize::from(push > 0.0);
                terms.push(pull + push);
                prices.push(nu * beta);
            }
        }
        vec![match x.word("reduction") {
            "divisor" => {
                (terms.iter().sum::<f64>() + prices.iter().sum::<f64>()) / active.max(1) as f64
            }
            _ => x.reduced(&terms) + x.reduced(&prices),
        }]
    },
    ..FAMILY
};
