//! The logistic loss of signs.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::signs::SIGNED;
use crate::catalogue::{BROADCAST, Invariance, Loss};
use crate::check::{Unequal, pair, signs};
use crate::terms::Terms;

/// The logistic loss of a prediction whose sign is to be that of the target.
///
/// ```text
/// Lᵢ = softplus(−tᵢ pᵢ) = ln(1 + e^(−tᵢ pᵢ))
/// ∂Lᵢ/∂pᵢ = −tᵢ σ(−tᵢ pᵢ)
/// ∂Lᵢ/∂tᵢ = −pᵢ σ(−tᵢ pᵢ)
/// ```
///
/// A target of 1 asks for a large positive prediction, a target of −1 for a large negative one.
/// (One meets the opposite in lecture notes: but then `−t p` grows, and the loss with it.) The
/// target may be any float, and has a gradient. The loss is finite for every finite prediction;
/// PyTorch's, which takes the exponential itself, is infinite beyond about 709, with a slope of NaN.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | nats |
/// | range | above 0 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::soft_margin;
/// let tape = Tape::f64();
/// let p = tape.variable([0.0, 3.0_f64.ln()]); // σ: ½, ¾
/// let gradients = soft_margin(p, tape.constant([1.0, -1.0])).sum().backward()?;
/// assert!((gradients.loss() - 8.0_f64.ln()).abs() < 1e-15); // ln 2 + ln 4
/// assert!(gradients.of(p).unwrap().allclose(&[-0.5, 0.75].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](SoftMargin::broadcast).
///
/// # Source
/// PyTorch's `SoftMarginLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "SoftMarginLoss")]
pub struct SoftMargin {
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`SoftMargin`] with its defaults.
#[doc(alias = "soft_margin_loss")]
#[track_caller]
pub fn soft_margin<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    SoftMargin::default().forward(prediction, target)
}

impl SoftMargin {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("soft_margin", || {
            let unequal = Unequal::broadcast_if(self.broadcast);
            let (p, t) =
                pair("soft_margin", prediction, signs("soft_margin", "target", target), unequal);
            Terms::new((-t * p).softplus())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "soft_margin",
    aliases: &["SoftMarginLoss", "soft_margin_loss", "logistic_loss"],
    summary: "The logistic loss of a prediction whose sign is to be that of the target.",
    formula: "ln(1 + e^(−t p))",
    latex: r"\log \left( 1 + e^{-t p} \right)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "nats",
    range: "(0, ∞)",
    source: "PyTorch SoftMarginLoss",
    tasks: super::EACH_CLASS,
    inputs: &SIGNED,
    options: &[BROADCAST],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        SoftMargin { broadcast: x.flag("broadcast") }.forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs.map(|(p, t)| (1.0 + (-t * p).exp()).ln()).collect()
    },
    ..FAMILY
};
