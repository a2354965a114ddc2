//! Several centers a class, softly chosen.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::arc_face::of_centers;
use super::classes::{Scores, similarities};
use super::distance::Distance;
use super::sample::{CENTERS, ORDER, cross_entropy};
use crate::catalogue::{Invariance, Loss, Task, count, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// Cross-entropy of soft maxima of the cosines to the centers of each class, with a margin.
///
/// ```text
/// s[c] = Σ_k softmax_k(cos(x, w[c, k]) / gamma) cos(x, w[c, k])
/// z[c] = la (s[c] − margin [c = label])
/// L = log_sum_exp(z) − z[label]
/// ∂L/∂z = softmax(z) − one_hot(label)
/// ```
///
/// The paper's regulariser, which merges centers that are not needed, is not in it: add it to the
/// loss if there are many.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, vectors `[classes · centers, features]`, the centers of a class together, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::SoftTriple;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 0.0]]);
/// // Two centers a class: those of the first at the cosines 1 and 1, of the second at 0 and 0.
/// let w = tape.constant([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 1.0]]);
/// let loss = SoftTriple { centers: 2, la: 1.0, margin: 0.0, ..SoftTriple::default() };
/// let gradients = loss.forward(x, w, tape.labels(&[0])).mean().backward()?;
/// assert!((gradients.loss() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15);
/// let push = 1.0 / (1.0 + 1.0_f64.exp());
/// assert!((gradients.of(x).unwrap().get(&[0, 1])? - push).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; a `gamma` or `la` that is not above 0.
///
/// # Source
/// Qian et al., SoftTriple Loss, 2019. pytorch-metric-learning's `SoftTripleLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SoftTripleLoss")]
pub struct SoftTriple {
    /// How many centers each class has.
    pub centers: usize,
    /// What similarities are multiplied by.
    pub la: f64,
    /// How soft the maximum over the centers is.
    pub gamma: f64,
    /// By how much the right similarity should be the largest.
    pub margin: f64,
}

impl Default for SoftTriple {
    fn default() -> SoftTriple {
        SoftTriple { centers: 10, la: 20.0, gamma: 0.1, margin: 0.01 }
    }
}

/// [`SoftTriple`] with a number of centers for each class.
#[track_caller]
pub fn soft_triple<'t>(
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
    centers: usize,
) -> Terms<'t> {
    SoftTriple { centers, ..SoftTriple::default() }.forward(embeddings, vectors, labels)
}

impl SoftTriple {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, vectors: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("soft_triple", || {
            let SoftTriple { centers, la, gamma, margin } = *self;
            let x = above_zero("soft_triple", "gamma", gamma, embeddings);
            let x = above_zero("soft_triple", "la", la, x);
            let cosine = similarities("soft_triple", Distance::CosineSimilarity, x, vectors);
            let of_centers = of_centers("soft_triple", cosine, centers);
            let soft = ((of_centers / gamma).softmax(-1) * of_centers).sum(-1);
            match Scores::new("soft_triple", soft, labels) {
                Ok(scores) => {
                    let moved = scores.with_right(scores.right() - margin);
                    scores.cross_entropy(moved * la)
                }
                Err(fault) => fault,
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "soft_triple",
    aliases: &["SoftTripleLoss"],
    summary: "Cross-entropy of soft maxima of the cosines to the centers of classes.",
    formula: "cross-entropy of λ s[c], less λ margin for the label, s the soft maximum over centers",
    latex: r"-\log \frac{e^{\lambda (s_y - \delta)}}{e^{\lambda (s_y - \delta)} + \sum_{c \ne y} e^{\lambda s_c}}, \quad s_c = \sum_k \frac{e^{\cos_{ck} / \gamma}}{\sum_l e^{\cos_{cl} / \gamma}} \cos_{ck}",
    letters: &[("s", "the similarity to a class, of all of its centers")],
    shapes: "embeddings: [batch, features]; vectors: [classes · centers, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Qian et al., 2019; pytorch-metric-learning SoftTripleLoss",
    over: "la=5,10,20",
    tasks: &[Task::Embeddings.set("centers=2")],
    inputs: &CENTERS,
    options: &[
        count("centers", 10, "how many centers each class has"),
        number("la", 20.0, "what similarities are multiplied by"),
        number("gamma", 0.1, "how soft the maximum over the centers is"),
        number("margin", 0.01, "by how much the right similarity should be the largest"),
    ],
    grid: &["centers=2", "centers=2 la=5 gamma=0.5 margin=0.1", "centers=1"],
    invariances: &[ORDER, Invariance::Scale("embeddings"), Invariance::Scale("vectors")],
    run: |x| {
        SoftTriple {
            centers: x.count("centers"),
            la: x.number("la"),
            gamma: x.number("gamma"),
            margin: x.number("margin"),
        }
        .forward(x.var("embeddings"), x.var("vectors"), x.var("labels"))
    },
    naive: |x| {
        let centers = x.count("centers");
        let soft = |i: usize, class: usize| {
            let of_class = class * centers..(class + 1) * centers;
            let cosines: Vec<f64> = of_class.map(|k| x.class_cosine(i, k)).collect();
            let weights = cosines.iter().map(|cos| (cos / x.number("gamma")).exp());
            let sum: f64 = weights.clone().sum();
            weights.zip(&cosines).map(|(weight, cos)| weight / sum * cos).sum::<f64>()
        };
        let term = |i: usize| {
            let score = |class: usize| {
                let margin = if class == x.label(i) { x.number("margin") } else { 0.0 };
                x.number("la") * (soft(i, class) - margin)
            };
            cross_entropy(&(0..8 / centers).map(score).collect::<Vec<_>>(), x.label(i))
        };
        (0..5).map(term).collect()
    },
    ..FAMILY
};
