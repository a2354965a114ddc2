//! Huber's loss without a seam.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, Slope, TWO, number};
use crate::check::{Unequal, above_zero, pair};
use crate::rows::hypot_excess;
use crate::terms::Terms;

/// Half the square of small errors, `δ` times the size of large ones, with no seam between them.
///
/// ```text
/// dᵢ = pᵢ − tᵢ
/// rᵢ = √(1 + (dᵢ/δ)²)
/// Lᵢ = δ² (rᵢ − 1)
/// ∂Lᵢ/∂pᵢ = dᵢ / rᵢ
/// ```
///
/// It keeps its digits near 0, and is right for errors of any size. Unlike those of
/// [`Huber`](crate::Huber), all derivatives exist everywhere.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::pseudo_huber;
/// let tape = Tape::f64();
/// let p = tape.variable([3.0, 0.0]);
/// let gradients = pseudo_huber(p, tape.constant([0.0, 0.0]), 4.0).sum().backward()?;
/// assert_eq!(gradients.loss(), 4.0); // 16 (5/4 − 1)
/// assert!(gradients.of(p).unwrap().allclose(&[2.4, 0.0].into(), 1e-15, 0.0)); // 3 / (5/4)
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](PseudoHuber::broadcast); a `delta` that is not above 0.
///
/// # Source
/// Charbonnier et al., Deterministic Edge-Preserving Regularization in Computed Imaging, 1997;
/// Hartley and Zisserman, Multiple View Geometry, 2003.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "PseudoHuberLoss")]
pub struct PseudoHuber {
    /// Where the curve bends, in the target's unit; also the slope far away.
    pub delta: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for PseudoHuber {
    fn default() -> PseudoHuber {
        PseudoHuber { delta: 1.0, broadcast: false }
    }
}

/// [`PseudoHuber`] with its `delta`.
#[doc(alias = "pseudo_huber_loss")]
#[track_caller]
pub fn pseudo_huber<'t>(prediction: Var<'t>, target: Var<'t>, delta: f64) -> Terms<'t> {
    PseudoHuber { delta, ..PseudoHuber::default() }.forward(prediction, target)
}

impl PseudoHuber {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("pseudo_huber", || {
            let delta = self.delta;
            let (p, t) =
                pair("pseudo_huber", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("pseudo_huber", "delta", delta, p);
            Terms::new(hypot_excess(p - t, delta) * delta)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "pseudo_huber",
    aliases: &["PseudoHuberLoss", "pseudo_huber_loss"],
    summary: "Huber's loss without a seam.",
    formula: "δ² (√(1 + ((p − t)/δ)²) − 1)",
    latex: r"\delta^2 \left( \sqrt{1 + \left( \frac{p - t}{\delta} \right)^2} - 1 \right)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's, squared",
    range: "[0, ∞)",
    source: "Charbonnier et al., 1997; Hartley and Zisserman, 2003",
    over: "delta=0.5,1,2",
    inputs: &TWO,
    options: &[number("delta", 1.0, "where the curve bends"), BROADCAST],
    grid: &["", "delta=0.5 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        PseudoHuber { delta: x.number("delta"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let delta = x.number("delta");
        x.residuals(|d| delta * delta * ((1.0 + d * d / (delta * delta)).sqrt() - 1.0))
    },
    edges: &[],
    slope: Some(Slope {
        input: "prediction",
        formula: "(p − t) / √(1 + ((p − t) / δ)²) / n",
        options: &["delta"],
        naive: |x| x.mean_slope(|d| d / (d / x.number("delta")).hypot(1.0)),
    }),
    ..FAMILY
};
