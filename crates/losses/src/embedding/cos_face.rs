//! A margin between the cosines to class vectors.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::classes::{Scores, similarities};
use super::distance::Distance;
use super::sample::{CLASSES, ORDER, cross_entropy};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::{above_zero, demand};
use crate::terms::Terms;

/// Cross-entropy of the cosines to class vectors, with a margin off the right one.
///
/// ```text
/// z[c] = scale · cos(x, w[c]) for c ≠ label,  z[label] = scale · (cos(x, w[label]) − margin)
/// L = log_sum_exp(z) − z[label]
/// ∂L/∂z = softmax(z) − one_hot(label)
/// ```
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, vectors `[classes, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::CosFace;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 0.0]]);
/// let w = tape.constant([[1.0, 0.0], [0.0, 1.0]]);
/// // Cosines 1 and 0; the margin takes the lead away.
/// let loss = CosFace { margin: 1.0, scale: 1.0 };
/// let gradients = loss.forward(x, w, tape.labels(&[0])).mean().backward()?;
/// assert_eq!(gradients.loss(), 2.0_f64.ln());
/// assert_eq!(gradients.of(x).unwrap().to_f64s(), [0.0, 0.5]); // away from the other
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; a margin that is NaN; a scale that is
/// not above 0.
///
/// # Source
/// Wang et al., CosFace, 2018. pytorch-metric-learning's `CosFaceLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CosFaceLoss")]
pub struct CosFace {
    /// By how much the right cosine should be the largest.
    pub margin: f64,
    /// What the cosines are multiplied by.
    pub scale: f64,
}

impl Default for CosFace {
    fn default() -> CosFace {
        CosFace { margin: 0.35, scale: 64.0 }
    }
}

/// [`CosFace`] with a margin.
#[track_caller]
pub fn cos_face<'t>(
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
    margin: f64,
) -> Terms<'t> {
    CosFace { margin, ..CosFace::default() }.forward(embeddings, vectors, labels)
}

impl CosFace {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, vectors: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("cos_face", || {
            let CosFace { margin, scale } = *self;
            let x = above_zero("cos_face", "scale", scale, embeddings);
            let x = demand("cos_face", !margin.is_nan(), || "margin is NaN".to_owned(), x);
            let cosine = similarities("cos_face", Distance::CosineSimilarity, x, vectors);
            match Scores::new("cos_face", cosine, labels) {
                Ok(scores) => {
                    let moved = scores.with_right(scores.right() - margin);
                    scores.cross_entropy(moved * scale)
                }
                Err(fault) => fault,
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "cos_face",
    aliases: &["CosFaceLoss", "additive_margin_softmax", "am_softmax"],
    summary: "Cross-entropy of cosines to class vectors, with a margin off the right one.",
    formula: "cross-entropy of scale · cos θ[c], less scale · margin for the label",
    latex: r"-\log \frac{e^{s (\cos \theta_y - m)}}{e^{s (\cos \theta_y - m)} + \sum_{c \ne y} e^{s \cos \theta_c}}",
    letters: &[("θ", "the angle between an embedding and the vector of a class")],
    shapes: "embeddings: [batch, features]; vectors: [classes, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Wang et al., 2018; pytorch-metric-learning CosFaceLoss",
    over: "margin=0,0.35,0.7",
    inputs: &CLASSES,
    options: &[
        number("margin", 0.35, "by how much the right cosine should be the largest"),
        number("scale", 64.0, "what the cosines are multiplied by"),
    ],
    grid: &["scale=8", "margin=0.1 scale=2"],
    invariances: &[ORDER, Invariance::Scale("embeddings"), Invariance::Scale("vectors")],
    run: |x| {
        CosFace { margin: x.number("margin"), scale: x.number("scale") }.forward(
            x.var("embeddings"),
            x.var("vectors"),
            x.var("labels"),
        )
    },
    naive: |x| {
        let term = |i: usize| {
            let score = |class: usize| {
                let margin = if class == x.label(i) { x.number("margin") } else { 0.0 };
                x.number("scale") * (x.class_cosine(i, class) - margin)
            };
            cross_entropy(&(0..4).map(score).collect::<Vec<_>>(), x.label(i))
        };
        (0..5).map(term).collect()
    },
    ..FAMILY
};
