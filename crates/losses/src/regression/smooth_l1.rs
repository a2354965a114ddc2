//! Absolute errors without the kink.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::huber::rounded;
use crate::catalogue::{BROADCAST, Invariance, Loss, PAIR, Slope, number};
use crate::check::{Unequal, alike, demand, pair};
use crate::terms::{Terms, scaled};

/// Squared near 0, absolute beyond: the absolute error with its kink rounded off within `beta`.
///
/// ```text
/// dᵢ = pᵢ − tᵢ
/// Lᵢ = dᵢ² / 2β      if |dᵢ| < β
///      |dᵢ| − β/2    else
/// ∂Lᵢ/∂pᵢ = dᵢ/β clamped to ±1
/// ```
///
/// This is not Huber's loss but that divided by its threshold: `huber(δ) = δ · smooth_l1(β = δ)`.
/// (The notes call it Huber and an elastic net; an elastic net is L1 + L2 of the weights.) At
/// `|d| = β` the linear branch holds, so the second derivative is 0 there.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::smooth_l1;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 5.0]);
/// let gradients = smooth_l1(p, tape.constant([0.0, 0.0]), 2.0).sum().backward()?;
/// assert_eq!(gradients.loss(), 4.25); // 1/4 + (5 − 1)
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [0.5, 1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](SmoothL1::broadcast); a `beta` below 0, NaN or infinite.
///
/// # Source
/// Girshick, Fast R-CNN, 2015. PyTorch's `SmoothL1Loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SmoothL1Loss")]
pub struct SmoothL1<'t> {
    /// Where the branches meet, in the target's unit. With 0 this is [`L1`](crate::L1).
    pub beta: f64,
    /// A weight for each element, of the prediction's shape. The mean divides by the number of
    /// elements, as for [`Huber`](crate::Huber).
    pub weight: Option<Var<'t>>,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for SmoothL1<'_> {
    fn default() -> Self {
        SmoothL1 { beta: 1.0, weight: None, broadcast: false }
    }
}

/// [`SmoothL1`] with a `beta`.
#[doc(alias = "smooth_l1_loss")]
#[track_caller]
pub fn smooth_l1<'t>(prediction: Var<'t>, target: Var<'t>, beta: f64) -> Terms<'t> {
    SmoothL1 { beta, ..SmoothL1::default() }.forward(prediction, target)
}

impl<'t> SmoothL1<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("smooth_l1", || {
            let beta = self.beta;
            let (p, t) =
                pair("smooth_l1", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = demand(
                "smooth_l1",
                beta >= 0.0 && beta.is_finite(),
                || format!("beta is {beta}, expected a number from 0"),
                p,
            );
            let weight =
                self.weight.map(|weight| alike("smooth_l1", "weight", weight, ("prediction", p)));
            let d = p - t;
            Terms::new(scaled(if beta == 0.0 { d.abs() } else { rounded(d, beta) / beta }, weight))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "smooth_l1",
    aliases: &["SmoothL1Loss", "smooth_l1_loss"],
    summary: "The absolute error with its kink rounded off within beta.",
    formula: "d²/2β if |d| < β, else |d| − β/2, with d = p − t",
    latex: r"\begin{cases} \frac{d^2}{2\beta} & \lvert d \rvert < \beta \\ \lvert d \rvert - \frac{\beta}{2} & \text{else} \end{cases} \quad d = p - t",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's",
    range: "[0, ∞)",
    source: "Girshick, Fast R-CNN, 2015; PyTorch SmoothL1Loss",
    over: "beta=0.5,1,2",
    inputs: &PAIR,
    options: &[number("beta", 1.0, "where the branches meet"), BROADCAST],
    grid: &["", "beta=0.5", "beta=2 weight", "beta=0"],
    invariances: &[Invariance::Order(&["prediction", "target", "weight"])],
    run: |x| {
        let beta = x.number("beta");
        SmoothL1 { beta, weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let beta = x.number("beta");
        x.residuals(|d| if d.abs() < beta { d * d / (2.0 * beta) } else { d.abs() - beta / 2.0 })
    },
    slope: Some(Slope {
        input: "prediction",
        formula: "clamp((p − t) / β, −1, 1) / n",
        options: &["beta"],
        naive: |x| {
            let beta = x.number("beta");
            x.mean_slope(|d| match d.abs() < beta {
                true => d / beta,
                false if d == 0.0 => 0.0,
                false => d.signum(),
            })
        },
    }),
    ..FAMILY
};
