//! Errors that hardly count once they are large.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, Slope, TWO, number};
use crate::check::{Unequal, above_zero, pair};
use crate::rows::sine;
use crate::terms::Terms;

/// Grows as the square of small errors and levels off at ½, so that far outliers do not pull.
///
/// ```text
/// dᵢ = pᵢ − tᵢ
/// sᵢ = dᵢ / √(dᵢ² + c²)
/// Lᵢ = ½ sᵢ²
/// ∂Lᵢ/∂pᵢ = sᵢ (1 − sᵢ²)^1.5 / c
/// ```
///
/// No error is squared by itself, so that the loss is right for errors of any size.
/// It counts outliers more than it measures them. The pull is largest at `c/√3`; the loss is not
/// convex.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | none |
/// | range | 0 to ½ |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::geman_mcclure;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 3.0]);
/// let gradients = geman_mcclure(p, tape.constant([0.0, 0.0]), 1.0).sum().backward()?;
/// assert!((gradients.loss() - 0.7).abs() < 1e-15); // ½ (1/2 + 9/10)
/// assert!(gradients.of(p).unwrap().allclose(&[0.25, 0.03].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](GemanMcClure::broadcast); a `c` that is not above 0.
///
/// # Source
/// Geman and McClure, Bayesian Image Analysis, 1985; here with a half in front, so that with `c = 1`
/// it begins as half the square.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "GemanMcClureLoss")]
pub struct GemanMcClure {
    /// The error that counts half as much as an endless one, in the target's unit.
    pub c: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for GemanMcClure {
    fn default() -> GemanMcClure {
        GemanMcClure { c: 1.0, broadcast: false }
    }
}

/// [`GemanMcClure`] with its `c`.
#[doc(alias = "geman_mcclure_loss")]
#[track_caller]
pub fn geman_mcclure<'t>(prediction: Var<'t>, target: Var<'t>, c: f64) -> Terms<'t> {
    GemanMcClure { c, ..GemanMcClure::default() }.forward(prediction, target)
}

impl GemanMcClure {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("geman_mcclure", || {
            let c = self.c;
            let (p, t) =
                pair("geman_mcclure", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("geman_mcclure", "c", c, p);
            Terms::new(sine(p - t, c).square() * 0.5)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "geman_mcclure",
    aliases: &["GemanMcClureLoss", "geman_mcclure_loss"],
    summary: "Levels off at one half, so that far outliers do not pull.",
    formula: "½ (p − t)² / ((p − t)² + c²)",
    latex: r"\frac{(p - t)^2}{2 \left( (p - t)^2 + c^2 \right)}",
    shapes: "prediction, target: alike; terms: alike",
    range: "[0, ½)",
    source: "Geman and McClure, 1985",
    over: "c=0.5,1,2",
    inputs: &TWO,
    options: &[number("c", 1.0, "the error that counts half as much as an endless one"), BROADCAST],
    grid: &["", "c=0.5 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        GemanMcClure { c: x.number("c"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let c = x.number("c");
        x.residuals(|d| 0.5 / (1.0 + (c / d).powi(2)))
    },
    edges: &[],
    slope: Some(Slope {
        input: "prediction",
        formula: "(p − t) c² / ((p − t)² + c²)² / n",
        options: &["c"],
        naive: |x| {
            let square = x.number("c").powi(2);
            x.mean_slope(|d| d * square / (d * d + square).powi(2))
        },
    }),
    ..FAMILY
};
