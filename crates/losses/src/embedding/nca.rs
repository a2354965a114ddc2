//! Neighbors of the right class.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, log_sum_exp_of};
use super::sample::{self, BATCH, MEAN, ORDER};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::Terms;

/// The negative log-likelihood that a neighbor, drawn by nearness, is of the anchor's class.
///
/// ```text
/// Lᵢ = −ln( Σ_{p of the class} exp(−scale dᵢₚ) / Σ_{k ≠ i} exp(−scale dᵢₖ) )
/// ∂Lᵢ/∂dᵢₖ = scale (q(k) [k of the class] − softmax(−scale dᵢ)ₖ),  q the softmax within the class
/// ```
///
/// An anchor without a positive does not count. `scale` is the inverse of a temperature. The
/// distance is the squared one; a similarity counts as its negative.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::nca;
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// let gradients = nca(e, tape.labels(&[0, 0, 1]), 1.0).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-12); // one of two as near
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? + 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a scale that is not above 0.
///
/// # Source
/// Goldberger et al., Neighborhood Components Analysis, 2004. pytorch-metric-learning's `NCALoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "NCALoss")]
pub struct Nca {
    /// What distances are multiplied by.
    pub scale: f64,
    /// The distance.
    pub distance: Distance,
}

impl Default for Nca {
    fn default() -> Nca {
        Nca { scale: 1.0, distance: Distance::UNIT_SQUARED }
    }
}

/// [`Nca`] of a batch, with a scale.
#[track_caller]
pub fn nca<'t>(embeddings: Var<'t>, labels: Var<'t>, scale: f64) -> Terms<'t> {
    Nca { scale, ..Nca::default() }.forward(Pairs::of(embeddings, labels))
}

impl Nca {
    /// The terms of the anchors; those without a positive do not count.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("nca", || {
            let Nca { scale, distance } = *self;
            let pairs = pairs.above_zero("nca", "scale", scale);
            nll(pairs.once(), distance, scale)
        })
    }
}

/// `−ln` of the softmax mass that falls on the positives.
pub(super) fn nll<'t>(pairs: Pairs<'t>, distance: Distance, scale: f64) -> Terms<'t> {
    let s = pairs.distances(distance) * (-distance.sign() * scale);
    let (positive, all) = (pairs.positive, pairs.positive + pairs.negative);
    let each = log_sum_exp_of(all, s) - log_sum_exp_of(positive, s);
    Terms::new(each.squeeze(-1)).masked(positive.sum(-1).gt(0.0))
}

pub(crate) static ROW: Loss = Loss {
    name: "nca",
    aliases: &["NCALoss", "neighborhood_components_analysis", "neighbourhood_components_analysis"],
    summary: "The negative log-likelihood of a neighbor of the right class.",
    formula: "−ln(Σ₊ exp(−scale d) / Σ exp(−scale d))",
    latex: r"-\log \frac{\sum_p e^{-\alpha d_{ip}}}{\sum_{k \ne i} e^{-\alpha d_{ik}}}",
    letters: &[("d", "the distance of two embeddings")],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Goldberger et al., 2004; pytorch-metric-learning NCALoss",
    over: "scale=1,2,5",
    inputs: &BATCH,
    options: &[number("scale", 1.0, "what distances are multiplied by"), MEAN],
    grid: &["", "scale=5", "scale=2 reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = Nca { scale: x.number("scale"), ..Nca::default() };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let near = |i: usize, j: usize| (-x.number("scale") * x.distance(i, j).powi(2)).exp();
        let term = |i: usize| {
            let right: f64 = x.positives(i).into_iter().map(|p| near(i, p)).sum();
            let all: f64 = (0..6).filter(|&k| k != i).map(|k| near(i, k)).sum();
            -(right / all).ln()
        };
        let anchors = (0..6).filter(|&i| !x.positives(i).is_empty());
        vec![x.reduced(&anchors.map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
