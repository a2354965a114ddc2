//! Errors as parts of the target.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, TWO, Task, number};
use crate::check::{Unequal, above_zero, pair};
use crate::terms::Terms;

/// The absolute error as a part of the target's size: 0.1 is 10 %.
///
/// ```text
/// Lᵢ = |pᵢ − tᵢ| / max(|tᵢ|, ε)
/// ∂Lᵢ/∂pᵢ = ±1 / max(|tᵢ|, ε)
/// ```
///
/// A target near 0 makes a huge term of any error. Too large a prediction can cost without bound,
/// too small a one at most 1, so that the optimum lies below the median: see [`Smape`](crate::Smape).
/// Keras multiplies by 100; this, as scikit-learn, does not.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | none |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::mape;
/// let tape = Tape::f64();
/// let p = tape.variable([3.0, -5.0]);
/// let gradients = mape(p, tape.constant([2.0, -4.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 0.75); // 1/2 + 1/4
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [0.5, -0.25]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Mape::broadcast); an `eps` that is not above 0.
///
/// # Source
/// scikit-learn's `mean_absolute_percentage_error`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "MeanAbsolutePercentageError")]
pub struct Mape {
    /// What a smaller target counts as, in the target's unit.
    pub eps: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Mape {
    fn default() -> Mape {
        Mape { eps: f64::EPSILON, broadcast: false }
    }
}

/// [`Mape`] with its defaults.
#[doc(alias = "mean_absolute_percentage_error")]
#[track_caller]
pub fn mape<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Mape::default().forward(prediction, target)
}

impl Mape {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("mape", || {
            let eps = self.eps;
            let (p, t) = pair("mape", prediction, target, Unequal::broadcast_if(self.broadcast));
            let p = above_zero("mape", "eps", eps, p);
            Terms::new((p - t).abs() / t.abs().clamp(eps, f64::INFINITY))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "mape",
    aliases: &[
        "mean_absolute_percentage_error",
        "MeanAbsolutePercentageError",
        "absolute_percentage_error",
    ],
    summary: "The absolute error as a part of the target's size.",
    formula: "|p − t| / max(|t|, ε)",
    latex: r"\frac{\lvert p - t \rvert}{\max(\lvert t \rvert, \varepsilon)}",
    shapes: "prediction, target: alike; terms: alike",
    range: "[0, ∞)",
    source: "scikit-learn mean_absolute_percentage_error",
    tasks: &[Task::Numbers.fit()],
    inputs: &[TWO[0], TWO[1].pictured_at(1.0)],
    options: &[number("eps", f64::EPSILON, "what a smaller target counts as"), BROADCAST],
    grid: &["", "eps=0.7 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        Mape { eps: x.number("eps"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs.map(|(p, t)| (p - t).abs() / t.abs().max(x.number("eps"))).collect()
    },
    edges: &[],
    ..FAMILY
};
