//! Squared errors that stop at a slope.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, PAIR, Slope, number};
use crate::check::{Unequal, alike, demand, pair};
use crate::terms::{Terms, scaled};

/// Squared near 0, linear beyond `delta`: outliers pull with a slope of `delta` at most.
///
/// ```text
/// dᵢ = pᵢ − tᵢ
/// Lᵢ = dᵢ² / 2           if |dᵢ| < δ
///      δ (|dᵢ| − δ/2)    else
/// ∂Lᵢ/∂pᵢ = dᵢ clamped to ±δ
/// ```
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::huber;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 5.0]);
/// let gradients = huber(p, tape.constant([0.0, 0.0]), 2.0).sum().backward()?;
/// assert_eq!(gradients.loss(), 8.5); // 1/2 + 2 (5 − 1)
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [1.0, 2.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Huber::broadcast); a `delta` that is not above 0, or infinite.
///
/// # Source
/// Huber, Robust Estimation of a Location Parameter, 1964. PyTorch's `HuberLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "HuberLoss")]
pub struct Huber<'t> {
    /// Where the branches meet, in the target's unit.
    pub delta: f64,
    /// A weight for each element, of the prediction's shape. The mean divides by the number of
    /// elements, not by the weights, as PyTorch's does.
    pub weight: Option<Var<'t>>,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Huber<'_> {
    fn default() -> Self {
        Huber { delta: 1.0, weight: None, broadcast: false }
    }
}

/// [`Huber`] with a `delta`.
#[doc(alias = "huber_loss")]
#[track_caller]
pub fn huber<'t>(prediction: Var<'t>, target: Var<'t>, delta: f64) -> Terms<'t> {
    Huber { delta, ..Huber::default() }.forward(prediction, target)
}

impl<'t> Huber<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("huber", || {
            let delta = self.delta;
            let (p, t) = pair("huber", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = demand(
                "huber",
                delta > 0.0 && delta.is_finite(),
                || format!("delta is {delta}, expected a number above 0"),
                p,
            );
            let weight =
                self.weight.map(|weight| alike("huber", "weight", weight, ("prediction", p)));
            Terms::new(scaled(rounded(p - t, delta), weight))
        })
    }
}

/// `d²/2` where `|d|` is below the threshold, `threshold · (|d| − threshold/2)` elsewhere.
#[track_caller]
pub(super) fn rounded(d: Var<'_>, threshold: f64) -> Var<'_> {
    // With c = d the first and with c = ±threshold the second. Of all c within the threshold, this
    // one makes c·d − c²/2 largest, so the slope is c: that of c itself has the factor d − c,
    // which is 0 wherever c moves.
    let c = d.clamp(-threshold, threshold);
    c * d - c.square() * 0.5
}

pub(crate) static ROW: Loss = Loss {
    name: "huber",
    aliases: &["HuberLoss", "huber_loss"],
    summary: "Squared near 0, linear beyond delta.",
    formula: "d²/2 if |d| < δ, else δ (|d| − δ/2), with d = p − t",
    latex: r"\begin{cases} \frac{d^2}{2} & \lvert d \rvert < \delta \\ \delta \left(\lvert d \rvert - \frac{\delta}{2}\right) & \text{else} \end{cases} \quad d = p - t",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's, squared",
    range: "[0, ∞)",
    source: "Huber, 1964; PyTorch HuberLoss",
    over: "delta=0.5,1,2",
    inputs: &PAIR,
    options: &[number("delta", 1.0, "where the branches meet"), BROADCAST],
    grid: &["", "delta=0.5", "delta=2 weight"],
    invariances: &[Invariance::Order(&["prediction", "target", "weight"])],
    run: |x| {
        let delta = x.number("delta");
        Huber { delta, weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let delta = x.number("delta");
        x.residuals(|d| if d.abs() < delta { d * d / 2.0 } else { delta * (d.abs() - delta / 2.0) })
    },
    slope: Some(Slope {
        input: "prediction",
        formula: "clamp(p − t, −δ, δ) / n",
        options: &["delta"],
        naive: |x| x.mean_slope(|d| d.clamp(-x.number("delta").abs(), x.number("delta").abs())),
    }),
    ..FAMILY
};
