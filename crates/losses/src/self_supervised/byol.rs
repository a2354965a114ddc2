//! A view predicted from the other.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::views;
use crate::catalogue::{Invariance, Loss, WIDE, detached, input};
use crate::embedding::Distance;
use crate::terms::Terms;

/// The squared distance of the directions of a prediction and its target.
///
/// ```text
/// L = 2 − 2 cos(prediction, target) = ‖p/‖p‖ − t/‖t‖‖²
/// ∂L/∂p = −2 (t/‖t‖ − cos(p, t) p/‖p‖) / ‖p‖,  ∂L/∂t = 0 on purpose
/// ```
///
/// The target comes from a slowly moving copy of the network, and no gradient flows into it. Train
/// with both views in both roles, and add the losses.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target `[batch, features]`; terms are `[batch]` |
/// | unit | none |
/// | range | 0 to 4 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::byol;
/// let tape = Tape::f64();
/// let p = tape.variable([[2.0, 0.0]]);
/// let gradients = byol(p, tape.constant([[0.0, 3.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 2.0); // a right angle
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [0.0, -1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Prediction and target that are not matrices of one shape.
///
/// # Source
/// Grill et al., Bootstrap Your Own Latent, 2020.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "BYOL")]
pub struct Byol;

/// [`Byol`], which has no options.
#[track_caller]
pub fn byol<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Byol.forward(prediction, target)
}

impl Byol {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("byol", || {
            let p = views("byol", [("prediction", prediction), ("target", target)]);
            Terms::new(2.0 - Distance::CosineSimilarity.between(p, target.detach()) * 2.0)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "byol",
    aliases: &["byol_loss", "negative_cosine_similarity"],
    summary: "The squared distance of the directions of a prediction and its target.",
    formula: "2 − 2 cos(prediction, target)",
    latex: r"2 - 2 \cos(p, t)",
    shapes: "prediction, target: [batch, features]; terms: [batch]",
    range: "[0, 4]",
    source: "Grill et al., 2020",
    inputs: &[input("prediction", &[5, 3], WIDE), detached("target", &[5, 3], WIDE)],
    invariances: &[
        Invariance::Order(&["prediction", "target"]),
        Invariance::Scale("prediction"),
        Invariance::Scale("target"),
    ],
    run: |x| Byol.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let length = |a: &[f64]| a.iter().map(|a| a * a).sum::<f64>().sqrt();
        let rows = x.rows("prediction").into_iter().zip(x.rows("target"));
        let term = |(p, t): (&[f64], &[f64])| -> f64 {
            let (of_p, of_t) = (length(p), length(t));
            p.iter().zip(t).map(|(p, t)| (p / of_p - t / of_t).powi(2)).sum()
        };
        rows.map(term).collect()
    },
    ..FAMILY
};
