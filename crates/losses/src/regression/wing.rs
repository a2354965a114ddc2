//! Errors of landmarks, of which small ones count more.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, TWO, number};
use crate::check::{Unequal, above_zero, pair};
use crate::terms::Terms;

/// Logarithmic for errors below `w`, absolute beyond: small errors get the larger slopes, so that
/// they are not drowned by a few large ones. For coordinates of landmarks.
///
/// ```text
/// aᵢ = |pᵢ − tᵢ|
/// Lᵢ = w ln(1 + aᵢ/ε)   if aᵢ < w
///      aᵢ − C            else, with C = w − w ln(1 + w/ε)
/// ∂Lᵢ/∂pᵢ = ±w / (ε + aᵢ) if aᵢ < w, else ±1
/// ```
///
/// `C` joins the branches in value; the slope jumps at `w`, from `w/(ε + w)` to 1. At 0 it is 0,
/// between `−w/ε` and `w/ε`.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Wing;
/// let tape = Tape::f64();
/// let p = tape.variable([3.0, 9.0]);
/// let wing = Wing { w: 4.0, epsilon: 1.0, ..Wing::default() };
/// let terms = wing.forward(p, tape.constant([0.0, 0.0]));
/// let expected = [4.0 * 4.0_f64.ln(), 5.0 + 4.0 * 5.0_f64.ln()]; // 9 − (4 − 4 ln 5)
/// assert!(terms.unreduced().value()?.allclose(&expected.into(), 1e-14, 0.0));
/// assert_eq!(terms.sum().backward()?.of(p).unwrap().to_f64s(), [1.0, 1.0]); // 4/(1 + 3), 1
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Wing::broadcast); `w` or `epsilon` not above 0.
///
/// # Source
/// Feng et al., Wing Loss for Robust Facial Landmark Localisation, 2018.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "WingLoss")]
pub struct Wing {
    /// Where the branches meet, in the target's unit.
    pub w: f64,
    /// How sharp the logarithm bends at 0, in the target's unit.
    pub epsilon: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Wing {
    fn default() -> Wing {
        Wing { w: 10.0, epsilon: 2.0, broadcast: false }
    }
}

/// [`Wing`] with its defaults.
#[doc(alias = "wing_loss")]
#[track_caller]
pub fn wing<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Wing::default().forward(prediction, target)
}

impl Wing {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("wing", || {
            let Wing { w, epsilon, .. } = *self;
            let (p, t) = pair("wing", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("wing", "w", w, p);
            let p = above_zero("wing", "epsilon", epsilon, p);
            let a = (p - t).abs();
            let c = w - w * (w / epsilon).ln_1p();
            Terms::new(a.lt(w).select((a / epsilon).ln_1p() * w, a - c))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "wing",
    aliases: &["WingLoss", "wing_loss"],
    summary: "Logarithmic for small errors, absolute beyond.",
    formula: "w ln(1 + |p − t|/ε) if |p − t| < w, else |p − t| − w + w ln(1 + w/ε)",
    latex: r"\begin{cases} w \log \left( 1 + \frac{\lvert p - t \rvert}{\varepsilon} \right) & \lvert p - t \rvert < w \\ \lvert p - t \rvert - w + w \log \left( 1 + \frac{w}{\varepsilon} \right) & \text{else} \end{cases}",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's",
    range: "[0, ∞)",
    source: "Feng et al., 2018",
    over: "w=1,2,10",
    inputs: &TWO,
    options: &[
        number("w", 10.0, "where the branches meet"),
        number("epsilon", 2.0, "how sharp the logarithm bends at 0"),
        BROADCAST,
    ],
    grid: &["", "w=1", "epsilon=0.5 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        let (w, epsilon) = (x.number("w"), x.number("epsilon"));
        Wing { w, epsilon, broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let (w, epsilon) = (x.number("w"), x.number("epsilon"));
        let bent = |a: f64| w * (1.0 + a / epsilon).ln();
        x.residuals(|d| if d.abs() < w { bent(d.abs()) } else { d.abs() - w + bent(w) })
    },
    edges: &[],
    ..FAMILY
};
