//! One pair of each class against the pairs of all others.

use lossgraph_autograd::Var;
use lossgraph_tensor::Tensor;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, class_numbers};
use super::sample::{self, BATCH, MEAN, dot};
use crate::catalogue::{Loss, word};
use crate::terms::Terms;

/// Cross-entropy of telling the positive of an anchor from the positives of the other classes.
///
/// ```text
/// Lᵢ = ln Σⱼ exp(sᵢⱼ) − sᵢᵢ,   sᵢⱼ = similarity of anchor i and positive j
/// ∂Lᵢ/∂sᵢⱼ = softmax(sᵢ)ⱼ − [i = j]
/// ```
///
/// There is one pair for each class that has one: its first two examples, in the order of the
/// batch. So the batch's order matters. A distance counts as its negative.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are one for each class with a pair |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::n_pairs;
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]);
/// let gradients = n_pairs(e, tape.labels(&[0, 0, 1, 1])).mean().backward()?;
/// // The right similarity is 1, the wrong one 0.
/// assert!((gradients.loss() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15);
/// let pull = 0.5 / (1.0 + 1.0_f64.exp());
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? - pull).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`].
///
/// # Source
/// Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, 2016, who does not
/// normalize ([`Distance::DotProduct`]). pytorch-metric-learning's `NPairsLoss`, which does.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "NPairsLoss")]
pub struct NPairs {
    /// The similarity.
    pub distance: Distance,
}

impl Default for NPairs {
    fn default() -> NPairs {
        NPairs { distance: Distance::CosineSimilarity }
    }
}

/// [`NPairs`] of the cosines of a batch.
#[track_caller]
pub fn n_pairs<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    NPairs::default().forward(Pairs::of(embeddings, labels), labels)
}

impl NPairs {
    /// The terms of one pair of each class. The labels are those of the anchors.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>, labels: Var<'t>) -> Terms<'t> {
        let tape = pairs.embeddings.tape();
        tape.named_call("n_pairs", || {
            let classes = match class_numbers(pairs.embeddings, labels) {
                Ok(classes) => classes,
                Err(fault) => return Terms::new(fault),
            };
            let mut first = pairs.positive_indices();
            // A stable sort: the first pair of a class stays the first.
            first.sort_by_key(|&[i, _]| classes[i]);
            first.dedup_by_key(|&mut [i, _]| classes[i]);
            let indices = |side: usize| {
                let indices: Vec<i64> = first.iter().map(|pair| pair[side] as i64).collect();
                tape.constant(Tensor::from(indices))
            };
            let anchors = pairs.embeddings.index_select(0, indices(0));
            let positives = pairs.references.index_select(0, indices(1));
            let sign = -self.distance.sign();
            let all = self.distance.between_all(anchors, positives) * sign;
            let right = self.distance.between(anchors, positives) * sign;
            Terms::new(all.log_sum_exp(-1) - right)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "n_pairs",
    aliases: &["NPairsLoss", "npairs"],
    summary: "The positive of an anchor told from those of the other classes.",
    formula: "ln Σ exp(s[i, j]) − s[i, i]",
    latex: r"\log \sum_j e^{s_{ij}} - s_{ii}",
    letters: &[("s", "the similarity of anchor i and positive j")],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [classes with a pair]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Sohn, 2016; pytorch-metric-learning NPairsLoss",
    inputs: &BATCH,
    options: &[word("distance", &["cosine", "dot"], "how embeddings are compared"), MEAN],
    grid: &["", "distance=dot", "reduction=sum"],
    run: |x| {
        let distance = match x.word("distance") {
            "dot" => Distance::DotProduct,
            _ => Distance::CosineSimilarity,
        };
        let terms = NPairs { distance }.forward(sample::pairs(x), x.var("labels"));
        sample::reduced(x, terms)
    },
    naive: |x| {
        let s = |i: usize, j: usize| match x.word("distance") {
            "dot" => dot(x.rows("embeddings")[i], x.rows("embeddings")[j]),
            _ => x.cosine(i, j),
        };
        // The first pairs of the labels 0 0 1 1 0 2.
        let pairs = [(0, 1), (2, 3)];
        let term = |&(a, p): &(usize, usize)| {
            pairs.iter().map(|&(_, q)| s(a, q).exp()).sum::<f64>().ln() - s(a, p)
        };
        vec![x.reduced(&pairs.iter().map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
