//! Errors that count nothing once they are large.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, Slope, TWO, number};
use crate::check::{Unequal, above_zero, pair};
use crate::terms::Terms;

/// Half the square of small errors, levelling off at `c²/2` as fast as a bell curve falls.
///
/// ```text
/// uᵢ = (pᵢ − tᵢ) / c
/// Lᵢ = c²/2 · (1 − e^(−uᵢ²))
/// ∂Lᵢ/∂pᵢ = c uᵢ e^(−uᵢ²)
/// ```
///
/// The pull is largest at `c/√2` and soon fades, so that the loss is not convex: start from a fit
/// that is near. With `c = 2.985` deviations it is 95 % as good as the squared error where errors
/// are normal. To maximise the correntropy of prediction and target is to minimise this.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's, squared |
/// | range | 0 to `c²/2` |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::welsch;
/// let tape = Tape::f64();
/// let p = tape.variable([3.0_f64.ln().sqrt(), 0.0]); // e^(−u²) = ⅓
/// let gradients = welsch(p, tape.constant([0.0, 0.0]), 1.0).sum().backward()?;
/// assert!((gradients.loss() - 1.0 / 3.0).abs() < 1e-15); // ½ (1 − ⅓)
/// let slope = [3.0_f64.ln().sqrt() / 3.0, 0.0];
/// assert!(gradients.of(p).unwrap().allclose(&slope.into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Welsch::broadcast); a `c` that is not above 0.
///
/// # Source
/// Dennis and Welsch, Techniques for Nonlinear Least Squares and Robust Regression, 1978.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "WelschLoss")]
pub struct Welsch {
    /// How far errors count, in the target's unit.
    pub c: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Welsch {
    fn default() -> Welsch {
        Welsch { c: 1.0, broadcast: false }
    }
}

/// [`Welsch`] with its `c`.
#[doc(alias = "leclerc")]
#[track_caller]
pub fn welsch<'t>(prediction: Var<'t>, target: Var<'t>, c: f64) -> Terms<'t> {
    Welsch { c, ..Welsch::default() }.forward(prediction, target)
}

impl Welsch {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("welsch", || {
            let c = self.c;
            let (p, t) = pair("welsch", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("welsch", "c", c, p);
            // Beyond 30 the exponential is 0, and with it the slope.
            let u = ((p - t) / c).clamp(-30.0, 30.0);
            Terms::new((-u.square()).exp_m1() * (-c * c / 2.0))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "welsch",
    aliases: &["WelschLoss", "welsch_loss", "leclerc", "correntropy"],
    summary: "Levels off as fast as a bell curve falls.",
    formula: "c²/2 · (1 − exp(−((p − t)/c)²))",
    latex: r"\frac{c^2}{2} \left( 1 - e^{-\left( \frac{p - t}{c} \right)^2} \right)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's, squared",
    range: "[0, c²/2)",
    source: "Dennis and Welsch, 1978",
    over: "c=0.5,1,2",
    inputs: &TWO,
    options: &[number("c", 1.0, "how far errors count"), BROADCAST],
    grid: &["", "c=2 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        Welsch { c: x.number("c"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let c = x.number("c");
        x.residuals(|d| 0.5 * c * c * (1.0 - (-d * d / (c * c)).exp()))
    },
    edges: &[],
    slope: Some(Slope {
        input: "prediction",
        formula: "(p − t) exp(−((p − t) / c)²) / n",
        options: &["c"],
        naive: |x| x.mean_slope(|d| d * (-(d / x.number("c")).powi(2)).exp()),
    }),
    ..FAMILY
};
