//! Overlap of boxes.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::boxes;
use crate::catalogue::{Loss, number};
use crate::terms::Terms;

/// One less the overlap of two boxes as a part of their union.
///
/// ```text
/// L = 1 − I / (U + ε)          I: area of the intersection, U: of the union
/// ∂L = −(∂I − I/(U + ε) ∂U) / (U + ε)
/// ```
///
/// Boxes that do not meet have `L = 1` and slope 0, however far they are apart: start from
/// [`Giou`](crate::Giou) or [`Diou`](crate::Diou). Edges that coincide share their slope.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[…, 4]`: x1, y1, x2, y2; terms are without the last axis |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Iou;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.0, 0.0, 2.0, 2.0]]);
/// let t = tape.constant([[1.0, 0.0, 3.0, 2.0]]); // shifted by half its width: I = 2, U = 6
/// let loss = Iou { eps: 0.0 };
/// let gradients = loss.forward(p, t).mean().backward()?;
/// assert!((gradients.loss() - 2.0 / 3.0).abs() < 1e-15);
/// // The right edge: ∂I = 2, ∂U = 2 − 2; the left one: ∂I = 0, ∂U = −2.
/// let slope = gradients.of(p).unwrap().to_f64s();
/// assert!((slope[2] + 1.0 / 3.0).abs() < 1e-15 && (slope[0] + 1.0 / 9.0).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or a last axis that is not 4 long; an `eps` below 0; boxes that are data and whose
/// corners are not finite or not in order.
///
/// # Source
/// Yu et al., UnitBox, 2016 (with a logarithm).
#[derive(Clone, Copy, Debug)]
#[doc(alias = "IoULoss")]
pub struct Iou {
    /// What is added to areas that divide, so that empty boxes give no NaN.
    pub eps: f64,
}

impl Default for Iou {
    fn default() -> Iou {
        Iou { eps: 1e-7 }
    }
}

/// [`Iou`] with its defaults.
#[doc(alias = "box_iou")]
#[track_caller]
pub fn iou<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Iou::default().forward(prediction, target)
}

impl Iou {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        boxes::terms("iou", prediction, target, self.eps, |b| 1.0 - b.iou())
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "iou",
    aliases: &["IoULoss", "iou_loss", "box_iou", "box_iou_loss", "IntersectionOverUnion"],
    summary: "One less the overlap of two boxes as a part of their union.",
    formula: "1 − I/(U + ε)",
    latex: r"1 - \frac{I}{U + \varepsilon}",
    letters: &[("I", "the area that both boxes cover"), ("U", "the area that one of them covers")],
    shapes: "prediction, target: [batch, 4]; terms: [batch]",
    range: "[0, 1]",
    source: "Yu et al., UnitBox, 2016",
    inputs: &boxes::INPUTS,
    options: &[number("eps", 1e-7, "what is added to areas that divide")],
    grid: &["", "eps=0.1"],
    invariances: boxes::INVARIANCES,
    run: |x| Iou { eps: x.number("eps") }.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let eps = x.number("eps");
        boxes::naive(x, |b| 1.0 - b.intersection / (b.union + eps))
    },
    ..FAMILY
};
