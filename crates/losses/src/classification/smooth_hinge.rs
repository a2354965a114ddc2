//! The hinge loss of signs with a rounded corner.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::signs::{SIGNED, agreement};
use crate::catalogue::{BROADCAST, Invariance, Loss};
use crate::check::Unequal;
use crate::terms::Terms;

/// The hinge loss with its corner rounded: quadratic between 0 and the margin of 1, linear below.
///
/// ```text
/// hᵢ = max(0, 1 − tᵢ pᵢ),  uᵢ = min(hᵢ, 1)
/// Lᵢ = uᵢ (hᵢ − uᵢ/2)
///    = ½ − tᵢ pᵢ     if tᵢ pᵢ ≤ 0
///      hᵢ² / 2       else
/// ∂Lᵢ/∂pᵢ = −tᵢ uᵢ
/// ```
///
/// It is the Huber loss of the hinge.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target (signs, −1 or 1) alike; terms have that shape |
/// | unit | the prediction's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::smooth_hinge;
/// let tape = Tape::f64();
/// let p = tape.variable([0.5, 2.0, 1.0]);
/// let gradients = smooth_hinge(p, tape.constant([1.0, 1.0, -1.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 1.625); // ⅛ + 0 + 1½
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-0.5, 0.0, 1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](SmoothHinge::broadcast); a target of data that holds 0.
///
/// # Source
/// Rennie and Srebro, Loss Functions for Preference Levels, 2005.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "smooth_hinge_loss")]
pub struct SmoothHinge {
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`SmoothHinge`] with its defaults.
#[track_caller]
pub fn smooth_hinge<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    SmoothHinge::default().forward(prediction, target)
}

impl SmoothHinge {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("smooth_hinge", || {
            let unequal = Unequal::broadcast_if(self.broadcast);
            let z =
                agreement("smooth_hinge", ("prediction", prediction), ("target", target), unequal);
            let h = (1.0 - z).relu();
            let u = h.clamp(0.0, 1.0);
            Terms::new(u * (h - u * 0.5))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "smooth_hinge",
    aliases: &["smooth_hinge_loss", "SmoothHingeLoss"],
    summary: "The hinge loss with its corner rounded.",
    formula: "½ − z if z ≤ 0, else max(0, 1 − z)²/2, with z = t p",
    latex: r"\begin{cases} \frac{1}{2} - z & z \le 0 \\ \frac{1}{2} \max(0, 1 - z)^2 & \text{else} \end{cases} \quad z = t p",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the prediction's",
    range: "[0, ∞)",
    source: "Rennie and Srebro, 2005",
    tasks: super::EACH_CLASS,
    inputs: &SIGNED,
    options: &[BROADCAST],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        SmoothHinge { broadcast: x.flag("broadcast") }.forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs
            .map(|(p, t)| match t * p {
                z if z <= 0.0 => 0.5 - z,
                z if z < 1.0 => (1.0 - z).powi(2) / 2.0,
                _ => 0.0,
            })
            .collect()
    },
    edges: &[("all times 1e-10", "the kink is one rounding away")],
    ..FAMILY
};
