//! The absolute error without a kink.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, Slope, TWO, number};
use crate::check::{Unequal, above_zero, pair};
use crate::rows::hypot;
use crate::terms::Terms;

/// A smooth absolute error: it leaves the kink of [`L1`](crate::L1) for a bend of width `ε`.
///
/// ```text
/// dᵢ = pᵢ − tᵢ
/// Lᵢ = √(dᵢ² + ε²)
/// ∂Lᵢ/∂pᵢ = dᵢ / Lᵢ
/// ```
///
/// The least term is `ε`, not 0. Without that, and scaled so that it is half the square of small
/// errors, it is [`PseudoHuber`](crate::PseudoHuber): `pseudo_huber(δ) = δ (charbonnier(δ) − δ)`.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's |
/// | range | `ε` and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::charbonnier;
/// let tape = Tape::f64();
/// let p = tape.variable([3.0, 0.0]);
/// let gradients = charbonnier(p, tape.constant([0.0, 0.0]), 4.0).sum().backward()?;
/// assert_eq!(gradients.loss(), 9.0); // √(9 + 16) + √16
/// assert!(gradients.of(p).unwrap().allclose(&[0.6, 0.0].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Charbonnier::broadcast); a `eps` that is not above 0.
///
/// # Source
/// Charbonnier et al., Two Deterministic Half-Quadratic Regularization Algorithms for Computed
/// Imaging, 1994.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CharbonnierLoss")]
pub struct Charbonnier {
    /// How wide the bend is, in the target's unit.
    pub eps: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Charbonnier {
    fn default() -> Charbonnier {
        Charbonnier { eps: 1e-3, broadcast: false }
    }
}

/// [`Charbonnier`] with its `eps`.
#[doc(alias = "charbonnier_loss")]
#[track_caller]
pub fn charbonnier<'t>(prediction: Var<'t>, target: Var<'t>, eps: f64) -> Terms<'t> {
    Charbonnier { eps, ..Charbonnier::default() }.forward(prediction, target)
}

impl Charbonnier {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("charbonnier", || {
            let eps = self.eps;
            let (p, t) =
                pair("charbonnier", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("charbonnier", "eps", eps, p);
            Terms::new(hypot(p - t, eps))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "charbonnier",
    aliases: &["CharbonnierLoss", "charbonnier_loss", "l1_charbonnier"],
    summary: "A smooth absolute error.",
    formula: "√((p − t)² + ε²)",
    latex: r"\sqrt{(p - t)^2 + \varepsilon^2}",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's",
    range: "[ε, ∞)",
    source: "Charbonnier et al., 1994",
    over: "eps=0.001,0.5,1",
    inputs: &TWO,
    options: &[number("eps", 1e-3, "how wide the bend is"), BROADCAST],
    grid: &["", "eps=0.1 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        Charbonnier { eps: x.number("eps"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let eps = x.number("eps");
        x.residuals(|d| d.hypot(eps))
    },
    edges: &[],
    slope: Some(Slope {
        input: "prediction",
        formula: "(p − t) / √((p − t)² + ε²) / n",
        options: &["eps"],
        naive: |x| x.mean_slope(|d| d / d.hypot(x.number("eps"))),
    }),
    ..FAMILY
};
