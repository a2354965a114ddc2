//! Errors that cost more on one side.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, TWO, number};
use crate::check::{Unequal, demand, pair};
use crate::terms::Terms;

/// The absolute error, `q` times if the prediction is too small and `1 − q` times if it is too
/// large: the prediction with the least mean is the quantile `q` of the target.
///
/// ```text
/// dᵢ = tᵢ − pᵢ
/// Lᵢ = max(q dᵢ, (q − 1) dᵢ)
/// ∂Lᵢ/∂pᵢ = −q if dᵢ > 0, 1 − q if dᵢ < 0
/// ```
///
/// With `q = ½` this is half the absolute error, whose optimum is the median. At an error of 0 both
/// sides share the slope, which is ½ − q.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::quantile;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 5.0]);
/// let gradients = quantile(p, tape.constant([3.0, 3.0]), 0.75).sum().backward()?;
/// assert_eq!(gradients.loss(), 2.0); // ¾ · 2 + ¼ · 2
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-0.75, 0.25]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Quantile::broadcast); a quantile outside of 0 to 1.
///
/// # Source
/// Koenker and Bassett, Regression Quantiles, 1978. scikit-learn's `mean_pinball_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "PinballLoss")]
pub struct Quantile {
    /// The quantile to estimate, 0 to 1.
    pub quantile: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Quantile {
    fn default() -> Quantile {
        Quantile { quantile: 0.5, broadcast: false }
    }
}

/// [`Quantile`] with the quantile to estimate.
#[doc(alias = "pinball")]
#[track_caller]
pub fn quantile<'t>(prediction: Var<'t>, target: Var<'t>, quantile: f64) -> Terms<'t> {
    Quantile { quantile, ..Quantile::default() }.forward(prediction, target)
}

impl Quantile {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("quantile", || {
            let q = self.quantile;
            let (p, t) =
                pair("quantile", prediction, target, Unequal::broadcast_if(self.broadcast));
            let why = || format!("quantile is {q}, expected 0 to 1");
            let p = demand("quantile", (0.0..=1.0).contains(&q), why, p);
            let d = t - p;
            Terms::new((d * q).maximum(d * (q - 1.0)))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "quantile",
    aliases: &["QuantileLoss", "quantile_loss", "pinball", "pinball_loss", "mean_pinball_loss"],
    summary: "The absolute error, with a weight for each side.",
    formula: "max(q (t − p), (q − 1) (t − p))",
    latex: r"\max \left( q (t - p), (q - 1) (t - p) \right)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's",
    range: "[0, ∞)",
    source: "Koenker and Bassett, 1978; scikit-learn mean_pinball_loss",
    over: "quantile=0.1,0.5,0.9",
    inputs: &TWO,
    options: &[number("quantile", 0.5, "the quantile to estimate, 0 to 1"), BROADCAST],
    grid: &["", "quantile=0.1", "quantile=0.9 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        Quantile { quantile: x.number("quantile"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let q = x.number("quantile");
        x.residuals(|d| if d < 0.0 { -q * d } else { (1.0 - q) * d })
    },
    edges: &[],
    ..FAMILY
};
