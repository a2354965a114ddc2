//! Overlap of boxes, and the distance of their centers.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::boxes;
use crate::catalogue::{Loss, number};
use crate::terms::Terms;

/// [`Iou`](crate::Iou), and the distance of the centers, measured by the diagonal of the smallest box
/// around both.
///
/// ```text
/// L = 1 − I/(U + ε) + ρ²/(d² + ε)        ρ: distance of the centers, d: diagonal around both
/// ∂L = −(∂I − I/(U + ε) ∂U) / (U + ε) + (∂ρ² − ρ²/(d² + ε) ∂d²) / (d² + ε)
/// ```
///
/// Centres move towards each other directly, also where one box holds the other. Edges that coincide
/// share their slope.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[…, 4]`: x1, y1, x2, y2; terms are without the last axis |
/// | unit | none |
/// | range | 0 to 2 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Diou;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.0, 0.0, 2.0, 2.0]]);
/// let t = tape.constant([[1.0, 0.0, 3.0, 2.0]]); // shifted by half its width: I = 2, U = 6
/// let loss = Diou { eps: 0.0 };
/// let gradients = loss.forward(p, t).mean().backward()?;
/// let expected = 2.0 / 3.0 + 1.0 / 13.0; // ρ² = 1, d² = 9 + 4
/// assert!((gradients.loss() - expected).abs() < 1e-15);
/// // The right edge: as for iou, and ∂ρ² = −1, ∂d² = 0.
/// assert!((gradients.of(p).unwrap().to_f64s()[2] + 1.0 / 3.0 + 1.0 / 13.0).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or a last axis that is not 4 long; an `eps` below 0; boxes that are data and whose
/// corners are not finite or not in order.
///
/// # Source
/// Zheng et al., Distance-IoU Loss, 2020. torchvision's `distance_box_iou_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "DIoULoss")]
pub struct Diou {
    /// What is added to areas that divide, so that empty boxes give no NaN.
    pub eps: f64,
}

impl Default for Diou {
    fn default() -> Diou {
        Diou { eps: 1e-7 }
    }
}

/// [`Diou`] with its defaults.
#[doc(alias = "distance_box_iou_loss")]
#[track_caller]
pub fn diou<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Diou::default().forward(prediction, target)
}

impl Diou {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        boxes::terms("diou", prediction, target, self.eps, |b| 1.0 - b.iou() + b.apart())
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "diou",
    aliases: &["distance_box_iou_loss", "distance_box_iou", "DIoULoss", "DIoU"],
    summary: "IoU, and the distance of the centers.",
    formula: "1 − I/(U + ε) + ρ²/(d² + ε)",
    latex: r"1 - \frac{I}{U + \varepsilon} + \frac{\rho^2}{d^2 + \varepsilon}",
    letters: &[
        ("I", "the area that both boxes cover"),
        ("U", "the area that one of them covers"),
        ("ρ", "the distance of the centers"),
        ("d", "the diagonal of the smallest box around both"),
    ],
    shapes: "prediction, target: [batch, 4]; terms: [batch]",
    range: "[0, 2]",
    source: "Zheng et al., 2020; torchvision distance_box_iou_loss",
    inputs: &boxes::INPUTS,
    options: &[number("eps", 1e-7, "what is added to areas that divide")],
    grid: &["", "eps=0.1"],
    invariances: boxes::INVARIANCES,
    run: |x| Diou { eps: x.number("eps") }.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let eps = x.number("eps");
        boxes::naive(x, |b| 1.0 - b.intersection / (b.union + eps) + b.apart / (b.diagonal + eps))
    },
    ..FAMILY
};
