//! Squared errors of logarithms.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, C, Invariance, Loss, N, POSITIVE, input};
use crate::check::{Unequal, holds, pair};
use crate::terms::Terms;

/// The squared error of the logarithms of prediction and target, each 1 larger: for targets that
/// grow by factors.
///
/// ```text
/// Lᵢ = (ln(1 + pᵢ) − ln(1 + tᵢ))²
/// ∂Lᵢ/∂pᵢ = 2 (ln(1 + pᵢ) − ln(1 + tᵢ)) / (1 + pᵢ)
/// ```
///
/// For large numbers a prediction twice too large costs as much as one twice too small. Of a
/// prediction that is computed and not above −1 the loss is NaN: let a `softplus` or `exp` end the
/// model.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, above −1; terms have that shape |
/// | unit | none |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::msle;
/// let tape = Tape::f64();
/// let p = tape.variable([std::f64::consts::E - 1.0]);
/// let gradients = msle(p, tape.constant([0.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 1.0); // (ln e − ln 1)²
/// assert!((gradients.of(p).unwrap().item()? - 2.0 / std::f64::consts::E).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Msle::broadcast); data that is not above −1.
///
/// # Source
/// scikit-learn's `mean_squared_log_error`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MeanSquaredLogarithmicError")]
pub struct Msle {
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`Msle`] with its defaults.
#[doc(alias = "mean_squared_log_error")]
#[track_caller]
pub fn msle<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Msle::default().forward(prediction, target)
}

impl Msle {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("msle", || {
            let [prediction, target] = [("prediction", prediction), ("target", target)]
                .map(|(name, var)| holds("msle", name, "numbers above −1", |x| x > -1.0, var));
            let (p, t) = pair("msle", prediction, target, Unequal::broadcast_if(self.broadcast));
            Terms::new((p.ln_1p() - t.ln_1p()).square())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "msle",
    aliases: &[
        "mean_squared_log_error",
        "MeanSquaredLogError",
        "mean_squared_logarithmic_error",
        "MSLELoss",
    ],
    summary: "The squared error of logarithms.",
    formula: "(ln(1 + p) − ln(1 + t))²",
    latex: r"\left( \log(1 + p) - \log(1 + t) \right)^2",
    shapes: "prediction, target: alike; terms: alike",
    range: "[0, ∞)",
    source: "scikit-learn mean_squared_log_error",
    inputs: &[input("prediction", &[N, C], POSITIVE), input("target", &[N, C], POSITIVE)],
    options: &[BROADCAST],
    grid: &["", "broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| Msle { broadcast: x.flag("broadcast") }.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs.map(|(p, t)| ((1.0 + p) / (1.0 + t)).ln().powi(2)).collect()
    },
    ..FAMILY
};
