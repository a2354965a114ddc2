//! Overlap, with a price for each kind of error.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::masks::{
    self, IGNORE_BACKGROUND, INPUTS, INVARIANCES, Masks, Overlap, PER_CLASS, SCORES, sum,
};
use crate::catalogue::{CLASS_AXIS, Loss, number};
use crate::check::demand;
use crate::terms::Terms;

/// One less Tversky's index: the overlap of two masks as a part of it and of the errors, with a
/// weight for each kind.
///
/// ```text
/// TP = Σ p t, FP = Σ p (1 − t), FN = Σ (1 − p) t
/// L = 1 − (TP + s) / (TP + α FP + β FN + s)
///   = (α FP + β FN) / (TP + α FP + β FN + s)
/// ∂L/∂pᵢ = ((1 − L) (α (1 − tᵢ) − β tᵢ) − L tᵢ) / (TP + α FP + β FN + s)
/// ```
///
/// With `α < β` what is missed costs more than what is seen where nothing is, for masks that are
/// rare. `α = β = ½` is [`Dice`](crate::Dice) of twice the `smooth` (and optax's `dice_loss`),
/// `α = β = 1` is [`Jaccard`](crate::Jaccard). The second form subtracts no number from one next to
/// it.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, …]` or `[batch, class, …]`; terms are `[batch]` or, [`per_class`](Masks::per_class), `[batch, class]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Masks, Scores, Tversky};
/// let tape = Tape::f64();
/// let p = tape.variable([[0.5, 0.5]]); // TP = FP = FN = ½
/// let masks = Masks { scores: Scores::Probabilities, ..Masks::default() };
/// let tversky = Tversky { alpha: 0.25, beta: 0.75, smooth: 0.0, masks };
/// let gradients = tversky.forward(p, tape.constant([[1.0, 0.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.5); // (⅛ + ⅜) / 1
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-0.875, 0.125]); // ½ (−¾) − ½, ½ · ¼
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; targets, or probabilities that are data, outside of 0 to 1; an `alpha`, `beta`
/// or `smooth` below 0; options of classes without classes.
///
/// # Source
/// Tversky, Features of Similarity, 1977; Salehi et al., Tversky Loss Function for Image
/// Segmentation, 2017, whose `alpha` and `beta` are the defaults.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "TverskyLoss")]
pub struct Tversky<'t> {
    /// What a false positive costs.
    pub alpha: f64,
    /// What a false negative costs.
    pub beta: f64,
    /// What is added above and below the fraction line, so that two empty masks agree.
    pub smooth: f64,
    /// How the masks are laid out, and which parts of them count.
    pub masks: Masks<'t>,
}

impl Default for Tversky<'_> {
    fn default() -> Self {
        Tversky { alpha: 0.3, beta: 0.7, smooth: 1.0, masks: Masks::default() }
    }
}

/// [`Tversky`] of logits, with a price for false positives and one for false negatives.
#[doc(alias = "tversky_loss")]
#[track_caller]
pub fn tversky<'t>(logits: Var<'t>, target: Var<'t>, alpha: f64, beta: f64) -> Terms<'t> {
    Tversky { alpha, beta, ..Tversky::default() }.forward(logits, target)
}

impl<'t> Tversky<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let Tversky { alpha, beta, smooth, masks } = *self;
        let prediction = fits("tversky", [alpha, beta, smooth], prediction);
        masks.terms("tversky", prediction, target, |m| missed(m, alpha, beta, smooth))
    }
}

/// `1 − TI`, from the errors.
#[track_caller]
pub(super) fn missed<'t>(m: Overlap<'t>, alpha: f64, beta: f64, smooth: f64) -> Var<'t> {
    let errors = m.false_positives() * alpha + m.false_negatives() * beta;
    errors / (m.hits() + errors + smooth)
}

/// `prediction`, or a fault of `loss` if an option is below 0.
#[track_caller]
pub(super) fn fits<'t>(loss: &str, options: [f64; 3], prediction: Var<'t>) -> Var<'t> {
    let [alpha, beta, smooth] = options;
    let why = || format!("alpha, beta, smooth are {alpha}, {beta}, {smooth}, expected 0 and above");
    demand(loss, options.iter().all(|&x| x >= 0.0 && x.is_finite()), why, prediction)
}

pub(crate) static ROW: Loss = Loss {
    name: "tversky",
    aliases: &["TverskyLoss", "tversky_loss"],
    summary: "One less overlap as a part of it and of the errors, with a weight for each kind.",
    formula: "1 − (TP + s) / (TP + α FP + β FN + s), with p = σ(z)",
    latex: r"1 - \frac{\mathrm{TP} + s}{\mathrm{TP} + \alpha \mathrm{FP} + \beta \mathrm{FN} + s}",
    letters: &[("TP, FP, FN", "Σ p t, Σ p (1 − t) and Σ (1 − p) t, of the probabilities p")],
    shapes: "logits, target: [batch, …] or [batch, class, …]; terms: [batch], or [batch, class]",
    range: "[0, 1]",
    source: "Tversky, 1977; Salehi et al., 2017",
    over: "beta=0.3,0.7,1",
    inputs: &INPUTS,
    options: &[
        number("alpha", 0.3, "what a false positive costs"),
        number("beta", 0.7, "what a false negative costs"),
        number("smooth", 1.0, "what is added above and below the fraction line"),
        SCORES,
        PER_CLASS,
        CLASS_AXIS,
        IGNORE_BACKGROUND,
    ],
    grid: &[
        "",
        "weight",
        "alpha=0.6 beta=0.2 smooth=0.1",
        "scores=class_logits per_class",
        "probabilities per_class ignore_background class_weight",
    ],
    invariances: INVARIANCES,
    run: |x| {
        let (masks, prediction, target) = masks::given(x);
        Tversky {
            alpha: x.number("alpha"),
            beta: x.number("beta"),
            smooth: x.number("smooth"),
            masks,
        }
        .forward(prediction, target)
    },
    naive: |x| {
        masks::naive(x, |mask| {
            let tp = sum(mask, |p, t| p * t);
            let fp = sum(mask, |p, t| p * (1.0 - t));
            let fn_ = sum(mask, |p, t| (1.0 - p) * t);
            let s = x.number("smooth");
            1.0 - (tp + s) / (tp + x.number("alpha") * fp + x.number("beta") * fn_ + s)
        })
    },
    figure: Some(masks::figure),
    ..FAMILY
};
