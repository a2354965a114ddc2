//! Losses of a distance between numbers.

use lossgraph_autograd::Var;

use crate::check::{Unequal, alike, demand, pair};
use crate::rows::rounded;
use crate::terms::{Terms, scaled};

/// The squared error of each element.
///
/// ```text
/// Lᵢ = (pᵢ − tᵢ)²
/// ∂Lᵢ/∂pᵢ = 2 (pᵢ − tᵢ)
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
/// # use lossgraph_losses::mse;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 5.0]);
/// let gradients = mse(p, tape.constant([0.0, 2.0])).mean().backward()?;
/// assert_eq!(gradients.loss(), 5.0); // (1 + 9) / 2
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [1.0, 3.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Mse::broadcast); a weight of another shape.
///
/// # Source
/// Gauss, Theoria Motus, 1809. PyTorch's `MSELoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MSELoss")]
#[doc(alias = "L2")]
pub struct Mse<'t> {
    /// A weight for each element, of the prediction's shape. The mean divides by their sum.
    pub weight: Option<Var<'t>>,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`Mse`] with its defaults.
#[doc(alias = "mse_loss")]
#[track_caller]
pub fn mse<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Mse::default().forward(prediction, target)
}

impl<'t> Mse<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let (p, t) = pair("mse", prediction, target, unequal(self.broadcast));
        let weight = self.weight.map(|weight| alike("mse", "weight", weight, p));
        p.tape().scope("mse", || Terms::new(scaled((p - t).square(), weight)).that_weigh(weight))
    }
}

/// The absolute error of each element.
///
/// ```text
/// Lᵢ = |pᵢ − tᵢ|
/// ∂Lᵢ/∂pᵢ = signum(pᵢ − tᵢ)
/// ```
///
/// It is not differentiable at 0 only, where the slope here is 0; everywhere else its slope is ±1,
/// however small the error.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::l1;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 5.0]);
/// let gradients = l1(p, tape.constant([2.0, 2.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 4.0); // 1 + 3
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-1.0, 1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Mse`].
///
/// # Source
/// Laplace, 1774. PyTorch's `L1Loss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "L1Loss")]
#[doc(alias = "MAE")]
pub struct L1<'t> {
    /// A weight for each element, of the prediction's shape. The mean divides by their sum.
    pub weight: Option<Var<'t>>,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`L1`] with its defaults.
#[doc(alias = "l1_loss")]
#[track_caller]
pub fn l1<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    L1::default().forward(prediction, target)
}

impl<'t> L1<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let (p, t) = pair("l1", prediction, target, unequal(self.broadcast));
        let weight = self.weight.map(|weight| alike("l1", "weight", weight, p));
        p.tape().scope("l1", || Terms::new(scaled((p - t).abs(), weight)).that_weigh(weight))
    }
}

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
    /// Where the branches meet, in the target's unit. With 0 this is [`L1`].
    pub beta: f64,
    /// A weight for each element, of the prediction's shape. The mean divides by the number of
    /// elements, as for [`Huber`].
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
        let beta = self.beta;
        let (p, t) = pair("smooth_l1", prediction, target, unequal(self.broadcast));
        let p = demand(
            "smooth_l1",
            beta >= 0.0 && beta.is_finite(),
            || format!("beta is {beta}, expected a number from 0"),
            p,
        );
        let weight = self.weight.map(|weight| alike("smooth_l1", "weight", weight, p));
        p.tape().scope("smooth_l1", || {
            let d = p - t;
            Terms::new(scaled(if beta == 0.0 { d.abs() } else { rounded(d, beta) / beta }, weight))
        })
    }
}

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
        let delta = self.delta;
        let (p, t) = pair("huber", prediction, target, unequal(self.broadcast));
        let p = demand(
            "huber",
            delta > 0.0 && delta.is_finite(),
            || format!("delta is {delta}, expected a number above 0"),
            p,
        );
        let weight = self.weight.map(|weight| alike("huber", "weight", weight, p));
        p.tape().scope("huber", || Terms::new(scaled(rounded(p - t, delta), weight)))
    }
}

fn unequal(broadcast: bool) -> Unequal {
    if broadcast { Unequal::Broadcast } else { Unequal::Refuse }
}
