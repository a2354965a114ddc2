//! Overlap, with hard masks in focus.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::masks::{self, IGNORE_BACKGROUND, INPUTS, INVARIANCES, Masks, PER_CLASS, SCORES, sum};
use super::tversky::{fits, missed};
use crate::catalogue::{CLASS_AXIS, Loss, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// A power of [`Tversky`](crate::Tversky): below 1 it steepens the loss of masks that are nearly
/// met, above 1 it turns to those that are not.
///
/// ```text
/// L = (1 − TI)^γ, with TI = (TP + s) / (TP + α FP + β FN + s)
/// ∂L/∂pᵢ = −γ (1 − TI)^(γ−1) ∂TI/∂pᵢ
/// ```
///
/// The paper writes `1/γ` with its `γ = 4/3` for this exponent of ¾. Below 1 the slope grows without
/// bound towards a perfect mask; at one it is 0.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, …]` or `[batch, class, …]`; terms are `[batch]` or, [`per_class`](Masks::per_class), `[batch, class]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{FocalTversky, Masks, Scores};
/// let tape = Tape::f64();
/// let p = tape.variable([[0.5, 0.5]]); // TP = FP = FN = ½
/// let masks = Masks { scores: Scores::Probabilities, ..Masks::default() };
/// let loss = FocalTversky { alpha: 0.25, beta: 0.75, gamma: 2.0, smooth: 0.0, masks };
/// let gradients = loss.forward(p, tape.constant([[1.0, 0.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.25); // ½²
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-0.875, 0.125]); // 2 · ½ times Tversky's
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; targets, or probabilities that are data, outside of 0 to 1; an `alpha`, `beta`
/// or `smooth` below 0, or a `gamma` that is not above 0; options of classes without classes.
///
/// # Source
/// Abraham and Khan, A Novel Focal Tversky Loss Function, 2019.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "FocalTverskyLoss")]
pub struct FocalTversky<'t> {
    /// What a false positive costs.
    pub alpha: f64,
    /// What a false negative costs.
    pub beta: f64,
    /// The exponent.
    pub gamma: f64,
    /// What is added above and below the fraction line, so that two empty masks agree.
    pub smooth: f64,
    /// How the masks are laid out, and which parts of them count.
    pub masks: Masks<'t>,
}

impl Default for FocalTversky<'_> {
    fn default() -> Self {
        FocalTversky { alpha: 0.7, beta: 0.3, gamma: 0.75, smooth: 1.0, masks: Masks::default() }
    }
}

/// [`FocalTversky`] of logits, with its exponent.
#[doc(alias = "focal_tversky_loss")]
#[track_caller]
pub fn focal_tversky<'t>(logits: Var<'t>, target: Var<'t>, gamma: f64) -> Terms<'t> {
    FocalTversky { gamma, ..FocalTversky::default() }.forward(logits, target)
}

impl<'t> FocalTversky<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let FocalTversky { alpha, beta, gamma, smooth, masks } = *self;
        let prediction = fits("focal_tversky", [alpha, beta, smooth], prediction);
        let prediction = above_zero("focal_tversky", "gamma", gamma, prediction);
        masks.terms("focal_tversky", prediction, target, |m| {
            missed(m, alpha, beta, smooth).root(gamma)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "focal_tversky",
    aliases: &["FocalTverskyLoss", "focal_tversky_loss"],
    summary: "A power of Tversky's loss.",
    formula: "(1 − (TP + s) / (TP + α FP + β FN + s))^γ, with p = σ(z)",
    latex: r"\left( 1 - \frac{\mathrm{TP} + s}{\mathrm{TP} + \alpha \mathrm{FP} + \beta \mathrm{FN} + s} \right)^{\gamma}",
    letters: &[("TP, FP, FN", "Σ p t, Σ p (1 − t) and Σ (1 − p) t, of the probabilities p")],
    shapes: "logits, target: [batch, …] or [batch, class, …]; terms: [batch], or [batch, class]",
    range: "[0, 1]",
    source: "Abraham and Khan, 2019",
    over: "gamma=0.75,1,2",
    inputs: &INPUTS,
    options: &[
        number("alpha", 0.7, "what a false positive costs"),
        number("beta", 0.3, "what a false negative costs"),
        number("gamma", 0.75, "the exponent"),
        number("smooth", 1.0, "what is added above and below the fraction line"),
        SCORES,
        PER_CLASS,
        CLASS_AXIS,
        IGNORE_BACKGROUND,
    ],
    grid: &[
        "",
        "weight",
        "alpha=0.6 beta=0.2 gamma=1.5 smooth=0.1",
        "scores=class_logits per_class",
        "probabilities per_class ignore_background class_weight",
    ],
    invariances: INVARIANCES,
    run: |x| {
        let (masks, prediction, target) = masks::given(x);
        let [alpha, beta] = ["alpha", "beta"].map(|name| x.number(name));
        FocalTversky { alpha, beta, gamma: x.number("gamma"), smooth: x.number("smooth"), masks }
            .forward(prediction, target)
    },
    naive: |x| {
        masks::naive(x, |mask| {
            let tp = sum(mask, |p, t| p * t);
            let fp = sum(mask, |p, t| p * (1.0 - t));
            let fn_ = sum(mask, |p, t| (1.0 - p) * t);
            let s = x.number("smooth");
            let index = (tp + s) / (tp + x.number("alpha") * fp + x.number("beta") * fn_ + s);
            (1.0 - index).powf(x.number("gamma"))
        })
    },
    figure: Some(masks::figure),
    ..FAMILY
};
