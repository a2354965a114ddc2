//! A smooth absolute error.

use std::f64::consts::LN_2;

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, Slope, TWO};
use crate::check::{Unequal, pair};
use crate::terms::Terms;

/// The logarithm of the hyperbolic cosine of the error: half its square near 0, its absolute value
/// less ln 2 far away.
///
/// ```text
/// dᵢ = pᵢ − tᵢ
/// Lᵢ = ln cosh dᵢ
///    = ln(1 + 2 sinh²(dᵢ/2))            if |dᵢ| < 1
///      |dᵢ| + softplus(−2|dᵢ|) − ln 2   else
/// ∂Lᵢ/∂pᵢ = tanh dᵢ
/// ```
///
/// The first form is accurate to the last digits near 0, where the second would lose them; the
/// second cannot overflow, where the hyperbolic functions do.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | none: errors are told in the unit in which the curve bends, 1 |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::log_cosh;
/// let tape = Tape::f64();
/// let p = tape.variable([2.0_f64.ln(), 1000.0]); // cosh ln 2 = (2 + ½)/2
/// let terms = log_cosh(p, tape.constant([0.0, 0.0]));
/// let expected = [1.25_f64.ln(), 1000.0 - 2.0_f64.ln()];
/// assert!(terms.unreduced().value()?.allclose(&expected.into(), 1e-14, 0.0));
/// let slope = terms.sum().backward()?.of(p).unwrap().clone();
/// assert!(slope.allclose(&[0.6, 1.0].into(), 1e-14, 0.0)); // tanh ln 2 = (4 − 1)/(4 + 1)
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](LogCosh::broadcast).
///
/// # Source
/// R. Neuneier and H. G. Zimmermann, How to Train Neural Networks, 1998. Keras's `LogCosh`,
/// optax's `log_cosh`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "LogCoshLoss")]
pub struct LogCosh {
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`LogCosh`] with its defaults.
#[track_caller]
pub fn log_cosh<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    LogCosh::default().forward(prediction, target)
}

impl LogCosh {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("log_cosh", || {
            let (p, t) =
                pair("log_cosh", prediction, target, Unequal::broadcast_if(self.broadcast));
            let d = p - t;
            let near = d.abs().lt(1.0);
            let bent = ((near.select(d, 0.0) * 0.5).sinh().square() * 2.0).ln_1p();
            let straight = d.abs() + (d.abs() * -2.0).softplus() - LN_2;
            Terms::new(near.select(bent, straight))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "log_cosh",
    aliases: &["LogCosh", "LogCoshLoss", "log_cosh_loss", "LogCoshError"],
    summary: "A smooth absolute error.",
    formula: "ln cosh(p − t)",
    latex: r"\log \cosh (p - t)",
    shapes: "prediction, target: alike; terms: alike",
    range: "[0, ∞)",
    source: "Neuneier and Zimmermann, 1998; Keras LogCosh; optax log_cosh",
    inputs: &TWO,
    options: &[BROADCAST],
    grid: &["", "broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        LogCosh { broadcast: x.flag("broadcast") }.forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| x.residuals(|d| d.cosh().ln()),
    edges: &[],
    slope: Some(Slope {
        input: "prediction",
        formula: "tanh(p − t) / n",
        options: &[],
        naive: |x| x.mean_slope(f64::tanh),
    }),
    ..FAMILY
};
