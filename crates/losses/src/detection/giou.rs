//! Overlap of boxes, and the gap between them.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::boxes;
use crate::catalogue::{Loss, Task, number};
use crate::terms::Terms;

/// [`Iou`](crate::Iou), and the part of the smallest box around both that neither covers, so that
/// boxes apart attract each other.
///
/// ```text
/// L = 1 − I/(U + ε) + (E − U)/(E + ε)        E: area of the box around both
/// ∂L = −(∂I − I/(U + ε) ∂U) / (U + ε) + (∂E (U + ε)/(E + ε) − ∂U) / (E + ε)
/// ```
///
/// Where one box holds the other, E is U and this is `iou`. Edges that coincide share their slope.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[…, 4]`: x1, y1, x2, y2; terms are without the last axis |
/// | unit | none |
/// | range | 0 to 2 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Giou;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.0, 0.0, 2.0, 2.0]]);
/// let t = tape.constant([[1.0, 0.0, 3.0, 2.0]]); // shifted by half its width: I = 2, U = 6
/// let loss = Giou { eps: 0.0 };
/// let gradients = loss.forward(p, t).mean().backward()?;
/// assert!((gradients.loss() - 2.0 / 3.0).abs() < 1e-15); // E = U = 6
/// let apart = loss.forward(p, tape.constant([[4.0, 0.0, 6.0, 2.0]])); // I = 0, U = 8, E = 12
/// assert!((apart.mean().item()? - 4.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or a last axis that is not 4 long; an `eps` below 0; boxes that are data and whose
/// corners are not finite or not in order.
///
/// # Source
/// Rezatofighi et al., Generalized Intersection over Union, 2019. torchvision's
/// `generalized_box_iou_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "GIoULoss")]
pub struct Giou {
    /// What is added to areas that divide, so that empty boxes give no NaN.
    pub eps: f64,
}

impl Default for Giou {
    fn default() -> Giou {
        Giou { eps: 1e-7 }
    }
}

/// [`Giou`] with its defaults.
#[doc(alias = "generalized_box_iou_loss")]
#[track_caller]
pub fn giou<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Giou::default().forward(prediction, target)
}

impl Giou {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let eps = self.eps;
        boxes::terms("giou", prediction, target, eps, |b| {
            let hull = b.hull();
            hull.tape().scope("ratio", || 1.0 - b.iou() + (hull - b.union) / (hull + b.eps))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "giou",
    aliases: &["generalized_box_iou_loss", "generalized_box_iou", "GIoULoss", "GIoU"],
    summary: "IoU, and the part of the box around both that neither covers.",
    formula: "1 − I/(U + ε) + (E − U)/(E + ε)",
    latex: r"1 - \frac{I}{U + \varepsilon} + \frac{E - U}{E + \varepsilon}",
    letters: &[
        ("I", "the area that both boxes cover"),
        ("U", "the area that one of them covers"),
        ("E", "the area of the smallest box around both"),
    ],
    shapes: "prediction, target: [batch, 4]; terms: [batch]",
    range: "[0, 2]",
    source: "Rezatofighi et al., 2019; torchvision generalized_box_iou_loss",
    tasks: &[Task::Boxes.fit().by_default()],
    inputs: &boxes::INPUTS,
    options: &[number("eps", 1e-7, "what is added to areas that divide")],
    grid: &["", "eps=0.1"],
    invariances: boxes::INVARIANCES,
    run: |x| Giou { eps: x.number("eps") }.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let eps = x.number("eps");
        boxes::naive(x, |b| {
            let around = b.around[0] * b.around[1];
            1.0 - (b.intersection / (b.union + eps) - (around - b.union) / (around + eps))
        })
    },
    ..FAMILY
};
