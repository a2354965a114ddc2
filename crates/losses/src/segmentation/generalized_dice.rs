//! Overlap of all classes, the rare ones first.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::masks::{self, IGNORE_BACKGROUND, INPUTS, INVARIANCES, Masks, Scores, sum};
use crate::catalogue::{CLASS_AXIS, Loss, number, word};
use crate::check::demand;
use crate::terms::Terms;

/// [`Dice`](crate::Dice) over all classes of an example at once, each with a weight that makes up
/// for its size.
///
/// ```text
/// w_c = 1 / max(1, Σ t_c)²
/// L = 1 − (2 Σ_c w_c Σ p_c t_c + s) / (Σ_c w_c Σ (p_c + t_c) + s)
///   = Σ_c w_c (FP_c + FN_c) / (Σ_c w_c Σ (p_c + t_c) + s)
/// ∂L/∂p_c,i = w_c (1 − 2 t_c,i − L) / (Σ_c w_c Σ (p_c + t_c) + s)
/// ```
///
/// A class that is not there counts as one of one element; with the paper's `1/(Σ t)²` its weight
/// would be infinite. optax's `multiclass_generalized_dice_loss` is another one: the mean of
/// [`Tversky`](crate::Tversky) over classes with such weights, taken from the whole batch.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, class, …]`; terms are `[batch]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{GeneralizedDice, Masks, Scores};
/// let tape = Tape::f64();
/// // Class 0 has two of three elements, class 1 one: w = ¼, 1.
/// let target = tape.constant([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]);
/// let p = tape.variable([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]]);
/// let masks = Masks { scores: Scores::Probabilities, ..Masks::default() };
/// let loss = GeneralizedDice { smooth: 0.0, masks };
/// let gradients = loss.forward(p, target).mean().backward()?;
/// assert!((gradients.loss() - 1.25 / 3.75).abs() < 1e-15); // (¼ · 1 + 1) / (¼ · 3 + 3)
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or no axis of classes; targets, or probabilities that are data, outside of 0 to
/// 1; a `smooth` below 0; a `class_weight`, since the loss has its own.
///
/// # Source
/// Sudre et al., Generalized Dice Overlap as a Deep Learning Loss Function for Highly Unbalanced
/// Segmentations, 2017.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "GeneralizedDiceLoss")]
pub struct GeneralizedDice<'t> {
    /// What is added above and below the fraction line; small against `1/Σ t`.
    pub smooth: f64,
    /// Which parts of the masks count. There is always an axis of classes.
    pub masks: Masks<'t>,
}

impl Default for GeneralizedDice<'_> {
    fn default() -> Self {
        let masks = Masks { scores: Scores::ClassLogits, per_class: true, ..Masks::default() };
        GeneralizedDice { smooth: 1e-6, masks }
    }
}

/// [`GeneralizedDice`] of the logits of classes, with its defaults.
#[doc(alias = "generalized_dice_loss")]
#[doc(alias = "generalised_dice")]
#[track_caller]
pub fn generalized_dice<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    GeneralizedDice::default().forward(logits, target)
}

impl<'t> GeneralizedDice<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let smooth = self.smooth;
        let why = || format!("smooth is {smooth}, expected a number from 0");
        let fits = smooth >= 0.0 && smooth.is_finite();
        let prediction = demand("generalized_dice", fits, why, prediction);
        let why = || "the loss has class weights of its own".to_owned();
        let own = self.masks.class_weight.is_none();
        let prediction = demand("generalized_dice", own, why, prediction);
        let masks = Masks { per_class: true, ..self.masks };
        masks.terms("generalized_dice", prediction, target, |m| {
            let w = m.sum(m.t).clamp(1.0, f64::INFINITY).square().recip();
            let errors = m.false_positives() + m.false_negatives();
            (w * errors).sum(1) / ((w * m.sum(m.p + m.t)).sum(1) + smooth)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "generalized_dice",
    aliases: &["GeneralizedDiceLoss", "generalized_dice_loss", "generalised_dice"],
    summary: "Dice over all classes at once, each with a weight that makes up for its size.",
    formula: "1 − (2 Σ w Σ p t + s) / (Σ w Σ (p + t) + s), with w = 1/max(1, Σ t)² and p = softmax(z)",
    latex: r"1 - \frac{2 \sum_c w_c \sum_i p_{ci} t_{ci} + s}{\sum_c w_c \sum_i (p_{ci} + t_{ci}) + s} \quad w_c = \frac{1}{\max(1, \sum_i t_{ci})^2}",
    letters: &[("p", "the probabilities that the logits give")],
    shapes: "logits, target: [batch, class, …]; terms: [batch]",
    range: "[0, 1]",
    source: "Sudre et al., 2017",
    inputs: &INPUTS,
    options: &[
        number("smooth", 1e-6, "what is added above and below the fraction line"),
        word("scores", &["class_logits", "logits"], "what the prediction holds"),
        CLASS_AXIS,
        IGNORE_BACKGROUND,
    ],
    grid: &["", "weight", "scores=logits smooth=0.1", "probabilities ignore_background"],
    invariances: INVARIANCES,
    run: |x| {
        let (masks, prediction, target) = masks::given(x);
        GeneralizedDice { smooth: x.number("smooth"), masks }.forward(prediction, target)
    },
    naive: |x| {
        let s = x.number("smooth");
        let term = |classes: Vec<masks::Mask>| {
            let over_classes = |each: &dyn Fn(f64, f64) -> f64| -> f64 {
                let weight = |mask: &masks::Mask| sum(mask, |_, t| t).max(1.0).powi(-2);
                classes.iter().map(|mask| weight(mask) * sum(mask, each)).sum()
            };
            let both = over_classes(&|p, t| p * t);
            1.0 - (2.0 * both + s) / (over_classes(&|p, t| p + t) + s)
        };
        masks::examples(x).into_iter().map(term).collect()
    },
    figure: Some(masks::figure),
    ..FAMILY
};
