//! Errors that count less the larger they are.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, Slope, TWO, number};
use crate::check::{Unequal, above_zero, pair};
use crate::rows::ln_1p_square;
use crate::terms::Terms;

/// Half the square of small errors, growing only as their logarithm far away: the negative
/// log-likelihood of Cauchy's distribution.
///
/// ```text
/// uᵢ = (pᵢ − tᵢ) / c
/// Lᵢ = c²/2 · ln(1 + uᵢ²)
/// ∂Lᵢ/∂pᵢ = c uᵢ / (1 + uᵢ²)
/// ```
///
/// The pull of an error is largest at `c` and fades beyond, so that the loss is not convex: start
/// from a fit that is near. With `c = 2.385` deviations it is 95 % as good as the squared error
/// where errors are normal.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::cauchy;
/// let tape = Tape::f64();
/// let p = tape.variable([2.0, 6.0]);
/// let gradients = cauchy(p, tape.constant([0.0, 0.0]), 2.0).sum().backward()?;
/// assert!((gradients.loss() - 2.0 * 20.0_f64.ln()).abs() < 1e-14); // 2 (ln 2 + ln 10)
/// assert!(gradients.of(p).unwrap().allclose(&[1.0, 0.6].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Cauchy::broadcast); a `c` that is not above 0.
///
/// # Source
/// Black and Anandan, The Robust Estimation of Multiple Motions, 1996, as Lorentzian; Barron, A
/// General and Adaptive Robust Loss Function, 2019.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CauchyLoss")]
pub struct Cauchy {
    /// The error that pulls hardest, in the target's unit.
    pub c: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Cauchy {
    fn default() -> Cauchy {
        Cauchy { c: 1.0, broadcast: false }
    }
}

/// [`Cauchy`] with its `c`.
#[doc(alias = "lorentzian")]
#[track_caller]
pub fn cauchy<'t>(prediction: Var<'t>, target: Var<'t>, c: f64) -> Terms<'t> {
    Cauchy { c, ..Cauchy::default() }.forward(prediction, target)
}

impl Cauchy {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("cauchy", || {
            let c = self.c;
            let (p, t) = pair("cauchy", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("cauchy", "c", c, p);
            Terms::new(ln_1p_square(p - t, c) * (c * c / 2.0))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "cauchy",
    aliases: &["CauchyLoss", "cauchy_loss", "lorentzian", "LorentzianLoss"],
    summary: "Grows as the logarithm of the error.",
    formula: "c²/2 · ln(1 + ((p − t)/c)²)",
    latex: r"\frac{c^2}{2} \log \left( 1 + \left( \frac{p - t}{c} \right)^2 \right)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's, squared",
    range: "[0, ∞)",
    source: "Black and Anandan, 1996; Barron, 2019",
    over: "c=0.5,1,2",
    inputs: &TWO,
    options: &[number("c", 1.0, "the error that pulls hardest"), BROADCAST],
    grid: &["", "c=0.5 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        Cauchy { c: x.number("c"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let c = x.number("c");
        x.residuals(|d| 0.5 * c * c * (1.0 + d * d / (c * c)).ln())
    },
    edges: &[],
    slope: Some(Slope {
        input: "prediction",
        formula: "(p − t) / (1 + ((p − t) / c)²) / n",
        options: &["c"],
        naive: |x| x.mean_slope(|d| d / (1.0 + (d / x.number("c")).powi(2))),
    }),
    ..FAMILY
};
