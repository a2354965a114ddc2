//! A squared hinge loss that outliers cannot dominate.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::signs::{SIGNED, agreement};
use crate::catalogue::{BROADCAST, Invariance, Loss};
use crate::check::Unequal;
use crate::terms::Terms;

/// The squared hinge loss near the margin of 1, linear where the prediction is wrong by more than
/// 1.
///
/// ```text
/// hᵢ = max(0, 1 − tᵢ pᵢ),  uᵢ = min(hᵢ, 2)
/// Lᵢ = uᵢ (2 hᵢ − uᵢ)
///    = hᵢ²           if tᵢ pᵢ ≥ −1
///      −4 tᵢ pᵢ      else
/// ∂Lᵢ/∂pᵢ = −2 tᵢ uᵢ
/// ```
///
/// Minimised, the prediction estimates `2 P(t = 1) − 1`, held between −1 and 1: so it can be read
/// as a probability.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target (signs, −1 or 1) alike; terms have that shape |
/// | unit | the prediction's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::modified_huber;
/// let tape = Tape::f64();
/// let p = tape.variable([0.5, 2.0, 2.0]);
/// let gradients = modified_huber(p, tape.constant([1.0, 1.0, -1.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 8.25); // ¼ + 0 + 8
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-1.0, 0.0, 4.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](ModifiedHuber::broadcast); a target of data that holds 0.
///
/// # Source
/// Zhang, Solving Large Scale Linear Prediction Problems Using Stochastic Gradient Descent, 2004.
/// scikit-learn's `modified_huber`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "modified_huber_loss")]
pub struct ModifiedHuber {
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`ModifiedHuber`] with its defaults.
#[track_caller]
pub fn modified_huber<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    ModifiedHuber::default().forward(prediction, target)
}

impl ModifiedHuber {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("modified_huber", || {
            let unequal = Unequal::broadcast_if(self.broadcast);
            let z = agreement(
                "modified_huber",
                ("prediction", prediction),
                ("target", target),
                unequal,
            );
            let h = (1.0 - z).relu();
            let u = h.clamp(0.0, 2.0);
            Terms::new(u * (h * 2.0 - u))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "modified_huber",
    aliases: &["modified_huber_loss", "ModifiedHuberLoss"],
    summary: "The squared hinge loss near the margin, linear far on the wrong side.",
    formula: "max(0, 1 − z)² if z ≥ −1, else −4 z, with z = t p",
    latex: r"\begin{cases} \max(0, 1 - z)^2 & z \ge -1 \\ -4 z & \text{else} \end{cases} \quad z = t p",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the prediction's, squared",
    range: "[0, ∞)",
    source: "Zhang, 2004; scikit-learn modified_huber",
    tasks: super::EACH_CLASS,
    inputs: &SIGNED,
    options: &[BROADCAST],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        ModifiedHuber { broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs
            .map(|(p, t)| if t * p >= -1.0 { (1.0 - t * p).max(0.0).powi(2) } else { -4.0 * t * p })
            .collect()
    },
    ..FAMILY
};
