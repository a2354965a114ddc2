//! All positives of an anchor against all other examples.

use lossgraph_autograd::{Var, keep};

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, log_sum_exp_of};
use super::sample::{self, BATCH, NON_ZERO_MEAN, ORDER, log_sum_exp};
use crate::catalogue::{Invariance, Loss, Task, number};
use crate::terms::Terms;

/// Cross-entropy of telling the examples of an anchor's class from all others, by similarity.
///
/// ```text
/// Lᵢ = 1/|P(i)| Σ_{p ∈ P(i)} ( ln Σ_{k ≠ i} exp(sᵢₖ/T) − sᵢₚ/T )
/// ∂Lᵢ/∂sᵢₖ = (softmax(sᵢ/T)ₖ − [k ∈ P(i)]/|P(i)|) / T
/// ```
///
/// `P(i)` are the other examples of the anchor's class. Unlike in [`NtXent`](crate::NtXent), they
/// stand in the sum together, so that the terms of a class are never 0. An anchor without a
/// positive has the term 0, and so have all in a batch without any negative, from which nothing can
/// be told: [`Reduction::NonZeroMean`](crate::Reduction::NonZeroMean) leaves them out.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Reduction, sup_con};
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// let loss = sup_con(e, tape.labels(&[0, 0, 1]), 1.0).reduce(Reduction::NonZeroMean);
/// let gradients = loss.backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? + 0.5).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a temperature that is not above 0.
///
/// # Source
/// Khosla et al., Supervised Contrastive Learning, 2020 (equation 2). pytorch-metric-learning's
/// `SupConLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SupConLoss")]
pub struct SupCon {
    /// What similarities are divided by.
    pub temperature: f64,
    /// The similarity.
    pub distance: Distance,
}

impl Default for SupCon {
    fn default() -> SupCon {
        SupCon { temperature: 0.1, distance: Distance::CosineSimilarity }
    }
}

/// [`SupCon`] of the cosines of a batch, with a temperature.
#[track_caller]
pub fn sup_con<'t>(embeddings: Var<'t>, labels: Var<'t>, temperature: f64) -> Terms<'t> {
    SupCon { temperature, ..SupCon::default() }.forward(Pairs::of(embeddings, labels))
}

impl SupCon {
    /// The terms of the anchors.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("sup_con", || {
            let SupCon { temperature, distance } = *self;
            let pairs = pairs.above_zero("sup_con", "temperature", temperature).once();
            let s = pairs.distances(distance) * (-distance.sign() / temperature);
            let (positive, negative) = (pairs.positive, pairs.negative);
            let count = positive.sum(keep(-1));
            let tellable = count.gt(0.0) * negative.sum(..).gt(0.0);
            let mean = (positive * s).sum(keep(-1)) / tellable.select(count, 1.0);
            let each = tellable.select(log_sum_exp_of(positive + negative, s) - mean, 0.0);
            Terms::new(each.squeeze(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "sup_con",
    aliases: &["SupConLoss", "supervised_contrastive"],
    summary: "The examples of an anchor's class told from all others, by similarity.",
    formula: "mean over positives of ln Σ exp(s/T) − s₊/T",
    latex: r"\frac{1}{|P(i)|} \sum_{p \in P(i)} -\log \frac{e^{s_{ip} / T}}{\sum_{k \ne i} e^{s_{ik} / T}}",
    letters: &[
        ("P(i)", "the others of the class of i"),
        ("s", "the cosine similarity of two embeddings"),
    ],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Khosla et al., 2020; pytorch-metric-learning SupConLoss",
    over: "temperature=0.1,0.5,2",
    tasks: &[Task::Embeddings.fit().by_default()],
    inputs: &BATCH,
    options: &[number("temperature", 0.1, "what similarities are divided by"), NON_ZERO_MEAN],
    grid: &["", "temperature=0.5 reduction=mean_or_zero", "temperature=2 reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = SupCon { temperature: x.number("temperature"), ..SupCon::default() };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let s = |i: usize, j: usize| x.cosine(i, j) / x.number("temperature");
        let term = |i: usize| {
            let positives = x.positives(i);
            let others: Vec<f64> = (0..6).filter(|&k| k != i).map(|k| s(i, k)).collect();
            let each = positives.iter().map(|&p| log_sum_exp(&others) - s(i, p));
            if positives.is_empty() { 0.0 } else { each.sum::<f64>() / positives.len() as f64 }
        };
        vec![x.reduced(&(0..6).map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
