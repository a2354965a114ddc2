//! Overlap as a part of the union.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::masks::{self, IGNORE_BACKGROUND, INPUTS, INVARIANCES, Masks, PER_CLASS, SCORES, sum};
use crate::catalogue::{CLASS_AXIS, Loss, number};
use crate::check::demand;
use crate::terms::Terms;

/// One less Jaccard's index: the overlap of two masks as a part of their union (IoU).
///
/// ```text
/// I = Σ p t, U = Σ p + Σ t − I
/// L = 1 − (I + s) / (U + s)
///   = (FP + FN) / (U + s)          FP = Σ p (1 − t), FN = Σ (1 − p) t
/// ∂L/∂pᵢ = ((1 − L) (1 − tᵢ) − tᵢ) / (U + s)
/// ```
///
/// It orders masks as [`Dice`](crate::Dice) does and is the larger number of both. The second form
/// subtracts no number from one next to it. [`LovaszHinge`](crate::LovaszHinge) is the tight convex
/// surrogate of the same index. For boxes there is [`iou`](crate::iou).
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, …]` or `[batch, class, …]`; terms are `[batch]` or, [`per_class`](Masks::per_class), `[batch, class]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Jaccard, Masks, Scores};
/// let tape = Tape::f64();
/// let p = tape.variable([[1.0, 1.0, 0.0]]);
/// let masks = Masks { scores: Scores::Probabilities, ..Masks::default() };
/// let jaccard = Jaccard { smooth: 0.0, masks };
/// let gradients = jaccard.forward(p, tape.constant([[1.0, 0.0, 0.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.5); // I = 1, U = 2
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-0.5, 0.25, 0.25]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; targets, or probabilities that are data, outside of 0 to 1; a `smooth` below 0; options of
/// classes without classes.
///
/// # Source
/// Jaccard, The Distribution of the Flora in the Alpine Zone, 1912; as a loss: Rahman and Wang,
/// Optimizing Intersection-Over-Union, 2016.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "JaccardLoss")]
pub struct Jaccard<'t> {
    /// What is added above and below the fraction line, so that two empty masks agree.
    pub smooth: f64,
    /// How the masks are laid out, and which parts of them count.
    pub masks: Masks<'t>,
}

impl Default for Jaccard<'_> {
    fn default() -> Self {
        Jaccard { smooth: 1.0, masks: Masks::default() }
    }
}

/// [`Jaccard`] of logits, with its defaults.
#[doc(alias = "jaccard_loss")]
#[track_caller]
pub fn jaccard<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Jaccard::default().forward(logits, target)
}

impl<'t> Jaccard<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let Jaccard { smooth, masks } = *self;
        let why = || format!("smooth is {smooth}, expected a number from 0");
        let prediction = demand("jaccard", smooth >= 0.0 && smooth.is_finite(), why, prediction);
        masks.terms("jaccard", prediction, target, |m| {
            let errors = m.false_positives() + m.false_negatives();
            errors / (m.hits() + errors + smooth)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "jaccard",
    aliases: &["JaccardLoss", "jaccard_loss", "soft_iou"],
    summary: "One less the overlap of two masks as a part of their union.",
    formula: "1 − (I + s) / (Σ p + Σ t − I + s), with I = Σ p t and p = σ(z)",
    latex: r"1 - \frac{I + s}{\sum_i p_i + \sum_i t_i - I + s} \quad I = \sum_i p_i t_i",
    letters: &[("p", "the probabilities that the logits give")],
    shapes: "logits, target: [batch, …] or [batch, class, …]; terms: [batch], or [batch, class]",
    range: "[0, 1]",
    source: "Jaccard, 1912; Rahman and Wang, 2016",
    inputs: &INPUTS,
    options: &[
        number("smooth", 1.0, "what is added above and below the fraction line"),
        SCORES,
        PER_CLASS,
        CLASS_AXIS,
        IGNORE_BACKGROUND,
    ],
    grid: &[
        "",
        "weight",
        "smooth=0.1",
        "scores=class_logits per_class",
        "probabilities per_class ignore_background class_weight",
    ],
    invariances: INVARIANCES,
    run: |x| {
        let (masks, prediction, target) = masks::given(x);
        Jaccard { smooth: x.number("smooth"), masks }.forward(prediction, target)
    },
    naive: |x| {
        let s = x.number("smooth");
        masks::naive(x, |mask| {
            let both = sum(mask, |p, t| p * t);
            let union = sum(mask, |p, t| p + t) - both;
            1.0 - (both + s) / (union + s)
        })
    },
    figure: Some(masks::figure),
    ..FAMILY
};
