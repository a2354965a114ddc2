//! Multiples of the angle to the right class vector, with lengths.

use lossgraph_autograd::{Var, keep};

use super::FAMILY;
use super::classes::similarities;
use super::distance::Distance;
use super::sample::{CLASSES, ORDER, cross_entropy, dot};
use super::sphere_face::{multiplied, psi};
use crate::catalogue::{Loss, count, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// Cross-entropy of scores `‖x‖ ‖w‖ cos θ`, with a multiple of the angle to the right class vector.
///
/// ```text
/// z[c] = scale ‖x‖ ‖w[c]‖ cos θ[c] for c ≠ label
/// z[label] = scale ‖x‖ ‖w[label]‖ ψ(θ[label]),  ψ as in SphereFace
/// L = log_sum_exp(z) − z[label]
/// ∂L/∂z = softmax(z) − one_hot(label)
/// ```
///
/// With a margin of 1 it is the cross-entropy of a linear layer without bias. In
/// [`SphereFace`](crate::SphereFace) the class vectors have no length.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, vectors `[classes, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::large_margin_softmax;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 0.0]]);
/// let w = tape.constant([[2.0, 0.0], [0.0, 1.0]]);
/// let gradients = large_margin_softmax(x, w, tape.labels(&[0]), 2).mean().backward()?;
/// assert!((gradients.loss() - (-2.0_f64).exp().ln_1p()).abs() < 1e-15); // 2 against 0
/// let slope = 1.0 / (1.0 + 2.0_f64.exp());
/// assert!(gradients.of(x).unwrap().allclose(&[[-2.0 * slope, slope]].into(), 1e-14, 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; a margin of 0; a scale that is not
/// above 0.
///
/// # Source
/// Liu et al., Large-Margin Softmax Loss for Convolutional Neural Networks, 2016.
/// pytorch-metric-learning's `LargeMarginSoftmaxLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LargeMarginSoftmaxLoss")]
pub struct LargeMarginSoftmax {
    /// What the angle to the right vector is multiplied by.
    pub margin: usize,
    /// What scores are multiplied by.
    pub scale: f64,
}

impl Default for LargeMarginSoftmax {
    fn default() -> LargeMarginSoftmax {
        LargeMarginSoftmax { margin: 4, scale: 1.0 }
    }
}

/// [`LargeMarginSoftmax`] with a margin.
#[track_caller]
pub fn large_margin_softmax<'t>(
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
    margin: usize,
) -> Terms<'t> {
    let loss = LargeMarginSoftmax { margin, ..LargeMarginSoftmax::default() };
    loss.forward(embeddings, vectors, labels)
}

impl LargeMarginSoftmax {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, vectors: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        const NAME: &str = "large_margin_softmax";
        embeddings.tape().named_call(NAME, || {
            let LargeMarginSoftmax { margin, scale } = *self;
            let x = above_zero(NAME, "scale", scale, embeddings);
            let cosine = similarities(NAME, Distance::CosineSimilarity, x, vectors);
            match multiplied(NAME, cosine, labels, margin) {
                Ok((scores, moved)) => {
                    let lengths = x.norm(2.0, keep(-1)) * vectors.norm(2.0, -1);
                    scores.cross_entropy(moved * lengths * scale)
                }
                Err(fault) => fault,
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "large_margin_softmax",
    aliases: &["LargeMarginSoftmaxLoss", "l_softmax"],
    summary: "Cross-entropy of ‖x‖ ‖w‖ cos θ, with a multiple of the right angle.",
    formula: "cross-entropy of scale ‖x‖ ‖w[c]‖ cos θ[c], with (−1)ᵏ cos(m θ) − 2k for the label",
    latex: r"-\log \frac{e^{\lVert x \rVert \lVert w_y \rVert \psi(\theta_y)}}{e^{\lVert x \rVert \lVert w_y \rVert \psi(\theta_y)} + \sum_{c \ne y} e^{\lVert x \rVert \lVert w_c \rVert \cos \theta_c}}",
    letters: &[
        ("x", "an embedding"),
        ("w", "the vector of a class"),
        ("θ", "the angle between an embedding and the vector of a class"),
        ("ψ", "the cosine of margin times the angle, made monotone"),
    ],
    shapes: "embeddings: [batch, features]; vectors: [classes, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Liu et al., 2016; pytorch-metric-learning LargeMarginSoftmaxLoss",
    over: "margin=1,2,4",
    inputs: &CLASSES,
    options: &[
        count("margin", 4, "what the right angle is multiplied by"),
        number("scale", 1.0, "what scores are multiplied by"),
    ],
    grid: &["", "margin=2 scale=0.5", "margin=1"],
    invariances: &[ORDER],
    run: |x| {
        let margin = x.count("margin");
        LargeMarginSoftmax { margin, scale: x.number("scale") }.forward(
            x.var("embeddings"),
            x.var("vectors"),
            x.var("labels"),
        )
    },
    naive: |x| {
        let length = |row: &[f64]| dot(row, row).sqrt();
        let term = |i: usize| {
            let score = |class: usize| {
                let cos = match x.class_cosine(i, class) {
                    cos if class == x.label(i) => psi(cos, x.number("margin")),
                    cos => cos,
                };
                let lengths = length(x.rows("embeddings")[i]) * length(x.rows("vectors")[class]);
                x.number("scale") * lengths * cos
            };
            cross_entropy(&(0..4).map(score).collect::<Vec<_>>(), x.label(i))
        };
        (0..5).map(term).collect()
    },
    edges: &[
        ("+∞ | −∞", "an infinite vector has no direction, and infinite distances no difference"),
        ("1e20", "scores of this size have no digits left for their differences"),
        ("1e30", "scores of this size have no digits left for their differences"),
        ("−1e20", "scores of this size have no digits left for their differences"),
        ("−1e30", "scores of this size have no digits left for their differences"),
    ],
    ..FAMILY
};
