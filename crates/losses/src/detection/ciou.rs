//! Overlap of boxes, their distance, and their shapes.

use std::f64::consts::PI;

use lossgraph_autograd::Var;

use super::FAMILY;
use super::boxes;
use crate::catalogue::{Loss, flag, number};
use crate::terms::Terms;

/// [`Diou`](crate::Diou), and the difference of the proportions of both boxes.
///
/// ```text
/// L = 1 − I/(U + ε) + ρ²/(d² + ε) + α v
/// v = 4/π² (atan(w_t/h_t) − atan(w_p/h_p))²
/// α = v / (1 − I/(U + ε) + v + ε)
/// ∂L = ∂diou + α ∂v
/// ```
///
/// The trade-off `α` lets proportions matter once boxes overlap. It counts as a constant, so the
/// slope is not that of the value; [`through_trade_off`](Ciou::through_trade_off) gives that one.
/// Edges that coincide share their slope.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[…, 4]`: x1, y1, x2, y2; terms are without the last axis |
/// | unit | none |
/// | range | 0 and below 3 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Ciou;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.0, 0.0, 2.0, 2.0]]);
/// let t = tape.constant([[1.0, 0.0, 3.0, 2.0]]); // shifted by half its width: I = 2, U = 6
/// let loss = Ciou { eps: 0.0, ..Ciou::default() };
/// let gradients = loss.forward(p, t).mean().backward()?;
/// let expected = 2.0 / 3.0 + 1.0 / 13.0; // both are squares: v = 0
/// assert!((gradients.loss() - expected).abs() < 1e-15);
/// assert!((gradients.of(p).unwrap().to_f64s()[2] + 1.0 / 3.0 + 1.0 / 13.0).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or a last axis that is not 4 long; an `eps` below 0; boxes that are data and whose
/// corners are not finite or not in order.
///
/// # Source
/// Zheng et al., Distance-IoU Loss, 2020. torchvision's `complete_box_iou_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CIoULoss")]
pub struct Ciou {
    /// What is added to areas that divide, so that empty boxes give no NaN.
    pub eps: f64,
    /// Lets the slope through α as well, so that it is the derivative of the value.
    pub through_trade_off: bool,
}

impl Default for Ciou {
    fn default() -> Ciou {
        Ciou { eps: 1e-7, through_trade_off: false }
    }
}

/// [`Ciou`] with its defaults.
#[doc(alias = "complete_box_iou_loss")]
#[track_caller]
pub fn ciou<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Ciou::default().forward(prediction, target)
}

impl Ciou {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let Ciou { eps, through_trade_off } = *self;
        boxes::terms("ciou", prediction, target, eps, |b| {
            let iou = b.iou();
            let [p, t] = b.angles();
            let v = (t - p).square() * (4.0 / PI.powi(2));
            let alpha = v / (1.0 - iou + v + eps);
            let alpha = if through_trade_off { alpha } else { alpha.detach() };
            1.0 - iou + b.apart() + alpha * v
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "ciou",
    aliases: &["complete_box_iou_loss", "complete_box_iou", "CIoULoss", "CIoU"],
    summary: "DIoU, and the difference of the proportions.",
    formula: "1 − I/(U + ε) + ρ²/(d² + ε) + α v, with v = 4/π² (atan(w_t/h_t) − atan(w_p/h_p))²",
    latex: r"1 - \frac{I}{U + \varepsilon} + \frac{\rho^2}{d^2 + \varepsilon} + \alpha v \quad v = \frac{4}{\pi^2} \left( \arctan \frac{w_t}{h_t} - \arctan \frac{w_p}{h_p} \right)^2",
    letters: &[
        ("I", "the area that both boxes cover"),
        ("U", "the area that one of them covers"),
        ("ρ", "the distance of the centers"),
        ("d", "the diagonal of the smallest box around both"),
        ("w, h", "width and height"),
        ("α", "the trade-off, v / (1 − IoU + v)"),
    ],
    shapes: "prediction, target: [batch, 4]; terms: [batch]",
    range: "[0, 3)",
    source: "Zheng et al., 2020; torchvision complete_box_iou_loss",
    inputs: &boxes::INPUTS,
    options: &[
        number("eps", 1e-7, "what is added to areas that divide"),
        flag("through_trade_off", "lets the slope through α as well"),
    ],
    // Without the flag, the slope is not the derivative of the value: see the test below.
    grid: &["through_trade_off", "through_trade_off eps=0.1"],
    invariances: boxes::INVARIANCES,
    run: |x| {
        Ciou { eps: x.number("eps"), through_trade_off: x.flag("through_trade_off") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let eps = x.number("eps");
        boxes::naive(x, |b| {
            let iou = b.intersection / (b.union + eps);
            let v = 4.0 / PI.powi(2) * (b.proportions[1].atan() - b.proportions[0].atan()).powi(2);
            let alpha = v / (1.0 - iou + v + eps);
            1.0 - iou + b.apart / (b.diagonal + eps) + alpha * v
        })
    },
    ..FAMILY
};

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    /// The angle of the diagonal of a box.
    fn angle(corners: Var<'_>) -> Var<'_> {
        let side = |from, to| corners.index(-1, to) - corners.index(-1, from);
        (side(0, 2) / side(1, 3)).atan()
    }

    #[test]
    fn the_trade_off_is_a_constant_to_the_slope() {
        let tape = Tape::f64();
        let p = tape.variable([0.0, 0.0, 2.0, 3.0]);
        let t = tape.constant([0.5, 1.0, 4.0, 2.5]);
        let v = (angle(t) - angle(p)).square() * (4.0 / PI.powi(2));
        let alpha = (v / (crate::iou(p, t).unreduced() + v + 1e-7)).item().unwrap();
        let expected = crate::diou(p, t).unreduced() + v * alpha;
        let loss = ciou(p, t).unreduced();
        assert!((loss.item().unwrap() - expected.item().unwrap()).abs() < 1e-15);
        let slope = |loss: Var<'_>| loss.backward().unwrap().of(p).unwrap().clone();
        assert!(slope(loss).allclose(&slope(expected), 1e-14, 1e-14));
        let whole = Ciou { through_trade_off: true, ..Ciou::default() }.forward(p, t).unreduced();
        assert_eq!(whole.item().unwrap(), loss.item().unwrap());
        assert!(!slope(whole).allclose(&slope(expected), 1e-3, 1e-3));
    }
}
