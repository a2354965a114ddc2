//! Overlap as a part of both masks.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::masks::{self, IGNORE_BACKGROUND, INPUTS, INVARIANCES, Masks, PER_CLASS, SCORES, sum};
use crate::catalogue::{CLASS_AXIS, Loss, Task, flag, number};
use crate::check::demand;
use crate::terms::Terms;

/// One less Dice's coefficient: twice the overlap of two masks as a part of both together.
///
/// ```text
/// L = 1 − (2 Σ p t + s) / (Σ p + Σ t + s)
///   = (FP + FN) / (Σ p + Σ t + s)            FP = Σ p (1 − t), FN = Σ (1 − p) t
/// L = 1 − (2 Σ p t + s) / (Σ p² + Σ t² + s)  squared
///   = Σ (p − t)² / (Σ p² + Σ t² + s)
/// ∂L/∂pᵢ = (1 − 2 tᵢ − L) / (Σ p + Σ t + s)
/// ```
///
/// The background does not count, however large it is, which a mean over pixels is full of. The
/// second forms subtract no number from one next to it. Two empty masks agree if `smooth` is above
/// 0; with 0 they give NaN. With weights of their own for false positives and negatives this is
/// [`Tversky`](crate::Tversky), which optax's `dice_loss` is, too (its `smooth` is half of this).
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, …]` or `[batch, class, …]`; terms are `[batch]` or, [`per_class`](Masks::per_class), `[batch, class]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Dice, Masks, Scores};
/// let tape = Tape::f64();
/// let p = tape.variable([[1.0, 0.5, 0.0]]);
/// let masks = Masks { scores: Scores::Probabilities, ..Masks::default() };
/// let dice = Dice { smooth: 0.0, masks, ..Dice::default() };
/// let gradients = dice.forward(p, tape.constant([[1.0, 0.0, 0.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.2); // 1 − 2 · 1 / (1.5 + 1)
/// let slope = [[-0.48, 0.32, 0.32]]; // (−1 − 0.2) / 2.5, (1 − 0.2) / 2.5
/// assert!(gradients.of(p).unwrap().allclose(&slope.into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; targets, or probabilities that are data, outside of 0 to 1; a `smooth` below 0; options of
/// classes without classes.
///
/// # Source
/// Dice, Measures of the Amount of Ecologic Association Between Species, 1945; as a loss, with the
/// squares: Milletari et al., V-Net, 2016.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "DiceLoss")]
pub struct Dice<'t> {
    /// What is added above and below the fraction line, so that two empty masks agree.
    pub smooth: f64,
    /// Squares below the fraction line.
    pub squared: bool,
    /// How the masks are laid out, and which parts of them count.
    pub masks: Masks<'t>,
}

impl Default for Dice<'_> {
    fn default() -> Self {
        Dice { smooth: 1.0, squared: false, masks: Masks::default() }
    }
}

/// [`Dice`] of logits, with its defaults.
#[doc(alias = "dice_loss")]
#[track_caller]
pub fn dice<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Dice::default().forward(logits, target)
}

impl<'t> Dice<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let Dice { smooth, squared, masks } = *self;
        let why = || format!("smooth is {smooth}, expected a number from 0");
        let prediction = demand("dice", smooth >= 0.0 && smooth.is_finite(), why, prediction);
        masks.terms("dice", prediction, target, |m| match squared {
            true => m.sum((m.p - m.t).square()) / (m.sum(m.p.square() + m.t.square()) + smooth),
            false => (m.false_positives() + m.false_negatives()) / (m.sum(m.p + m.t) + smooth),
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "dice",
    aliases: &["DiceLoss", "dice_loss", "soft_dice", "binary_dice_loss"],
    summary: "One less twice the overlap of two masks as a part of both together.",
    formula: "1 − (2 Σ p t + s) / (Σ p + Σ t + s), with p = σ(z)",
    latex: r"1 - \frac{2 \sum_i p_i t_i + s}{\sum_i p_i + \sum_i t_i + s}",
    letters: &[("p", "the probabilities that the logits give")],
    shapes: "logits, target: [batch, …] or [batch, class, …]; terms: [batch], or [batch, class]",
    range: "[0, 1]",
    source: "Dice, 1945; Milletari et al., V-Net, 2016",
    tasks: &[Task::Masks.fit().by_default()],
    inputs: &INPUTS,
    options: &[
        number("smooth", 1.0, "what is added above and below the fraction line"),
        flag("squared", "squares below the fraction line"),
        SCORES,
        PER_CLASS,
        CLASS_AXIS,
        IGNORE_BACKGROUND,
    ],
    grid: &[
        "",
        "weight",
        "squared smooth=0.1",
        "scores=class_logits per_class",
        "probabilities per_class ignore_background class_weight",
    ],
    invariances: INVARIANCES,
    run: |x| {
        let (masks, prediction, target) = masks::given(x);
        Dice { smooth: x.number("smooth"), squared: x.flag("squared"), masks }
            .forward(prediction, target)
    },
    naive: |x| {
        let s = x.number("smooth");
        let size = |x: f64, squared: bool| if squared { x * x } else { x };
        masks::naive(x, |mask| {
            let squared = x.flag("squared");
            let both = sum(mask, |p, t| p * t);
            let all = sum(mask, |p, _| size(p, squared)) + sum(mask, |_, t| size(t, squared));
            1.0 - (2.0 * both + s) / (all + s)
        })
    },
    figure: Some(masks::figure),
    ..FAMILY
};
