//! Each positive against the negatives of its anchor.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, counted, log_sum_exp_of};
use super::sample::{self, BATCH, MEAN, ORDER, log_sum_exp};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::Terms;

/// Cross-entropy of telling a positive from the negatives of its anchor, by similarity.
///
/// ```text
/// Lᵢⱼ = −ln( exp(sᵢⱼ/T) / (exp(sᵢⱼ/T) + Σₙ exp(sᵢₙ/T)) ) = softplus(ln Σₙ exp(sᵢₙ/T) − sᵢⱼ/T)
/// ∂Lᵢⱼ/∂sᵢⱼ = −(1 − e^(−Lᵢⱼ)) / T
/// ```
///
/// There is a term for each pair of one class; `n` runs over the examples of other classes. The
/// other positives of an anchor are not in the sum, so that they are not pushed away: this is
/// where it differs from [`SupCon`](crate::SupCon). With two views of each example it is SimCLR's
/// [`nt_xent_simclr`](crate::nt_xent_simclr()). A distance counts as its negative.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch, batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::nt_xent;
/// let tape = Tape::f64();
/// // Three right angles: the positive is as similar as the negative.
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// let gradients = nt_xent(e, tape.labels(&[0, 0, 1]), 1.0).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// // Half of each of two terms goes to the similarity of 0 and 1, as their mean.
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? + 0.5).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a temperature that is not above 0.
///
/// # Source
/// Sohn, 2016; Chen et al., A Simple Framework for Contrastive Learning, 2020.
/// pytorch-metric-learning's `NTXentLoss`, optax's `ntxent`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "NTXentLoss")]
pub struct NtXent {
    /// What similarities are divided by.
    pub temperature: f64,
    /// The similarity.
    pub distance: Distance,
}

impl Default for NtXent {
    fn default() -> NtXent {
        NtXent { temperature: 0.07, distance: Distance::CosineSimilarity }
    }
}

/// [`NtXent`] of the cosines of a batch, with a temperature.
#[doc(alias = "ntxent")]
#[track_caller]
pub fn nt_xent<'t>(embeddings: Var<'t>, labels: Var<'t>, temperature: f64) -> Terms<'t> {
    NtXent { temperature, ..NtXent::default() }.forward(Pairs::of(embeddings, labels))
}

impl NtXent {
    /// The terms of the positive pairs.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("nt_xent", || {
            let NtXent { temperature, distance } = *self;
            let pairs = pairs.above_zero("nt_xent", "temperature", temperature);
            let s = pairs.distances(distance) * (-distance.sign() / temperature);
            let others = log_sum_exp_of(pairs.negative, s);
            counted((others - s).softplus(), pairs.positive)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "nt_xent",
    aliases: &["NTXentLoss", "ntxent"],
    summary: "Each positive told from the negatives of its anchor, by similarity.",
    formula: "−ln( exp(s₊/T) / (exp(s₊/T) + Σ exp(s₋/T)) )",
    latex: r"-\log \frac{e^{s_{ij} / T}}{e^{s_{ij} / T} + \sum_{n : y_n \ne y_i} e^{s_{in} / T}}",
    letters: &[("s", "the cosine similarity of two embeddings")],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [batch, batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Chen et al., 2020; pytorch-metric-learning NTXentLoss",
    over: "temperature=0.07,0.5,2",
    inputs: &BATCH,
    options: &[number("temperature", 0.07, "what similarities are divided by"), MEAN],
    grid: &["", "temperature=0.5", "temperature=2 reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = NtXent { temperature: x.number("temperature"), ..NtXent::default() };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let s = |i: usize, j: usize| x.cosine(i, j) / x.number("temperature");
        let term = |&(i, j): &(usize, usize)| {
            let mut all: Vec<f64> = x.negatives(i).into_iter().map(|n| s(i, n)).collect();
            all.push(s(i, j));
            log_sum_exp(&all) - s(i, j)
        };
        vec![x.reduced(&x.positive_pairs().iter().map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
