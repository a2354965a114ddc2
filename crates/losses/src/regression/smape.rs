//! Errors as parts of prediction and target.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, TWO, Task};
use crate::check::{Unequal, pair};
use crate::rows::finite;
use crate::terms::Terms;

/// The absolute error as a part of the mean size of prediction and target, which may change places.
///
/// ```text
/// sᵢ = |pᵢ| + |tᵢ|
/// Lᵢ = 2 |pᵢ − tᵢ| / sᵢ
/// ∂Lᵢ/∂pᵢ = 2 (sign(pᵢ − tᵢ) − sign(pᵢ) |pᵢ − tᵢ| / sᵢ) / sᵢ
/// ```
///
/// Where both are 0 there is no error: the term is 0 with slope 0 (the formula alone would give
/// NaN). Where one of them is 0, or the signs differ, the term is 2 whatever the size of the error:
/// there is no slope to lower it.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | none |
/// | range | 0 to 2 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::smape;
/// let tape = Tape::f64();
/// let p = tape.variable([3.0, 0.0]);
/// let gradients = smape(p, tape.constant([1.0, 0.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 1.0); // 2 · 2/4 + 0
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [0.25, 0.0]); // 2 (1 − 2/4)/4
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Smape::broadcast).
///
/// # Source
/// Makridakis, Accuracy Measures, 1993.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "SymmetricMeanAbsolutePercentageError")]
pub struct Smape {
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`Smape`] with its defaults.
#[doc(alias = "symmetric_mean_absolute_percentage_error")]
#[track_caller]
pub fn smape<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Smape::default().forward(prediction, target)
}

impl Smape {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("smape", || {
            let (p, t) = pair("smape", prediction, target, Unequal::broadcast_if(self.broadcast));
            // Halved, so that the sum of two sizes cannot overflow.
            let [p, t] = [p, t].map(|x| finite(x) * 0.5);
            let size = p.abs() + t.abs();
            Terms::new((p - t).abs() * 2.0 / size.eq(0.0).select(1.0, size))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "smape",
    aliases: &[
        "smape_loss",
        "SMAPELoss",
        "symmetric_mean_absolute_percentage_error",
        "SymmetricMeanAbsolutePercentageError",
    ],
    summary: "The absolute error as a part of the mean size of prediction and target.",
    formula: "2 |p − t| / (|p| + |t|)",
    latex: r"\frac{2 \lvert p - t \rvert}{\lvert p \rvert + \lvert t \rvert}",
    shapes: "prediction, target: alike; terms: alike",
    range: "[0, 2]",
    source: "Makridakis, 1993",
    tasks: &[Task::Numbers.fit()],
    inputs: &[TWO[0], TWO[1].pictured_at(1.0)],
    options: &[BROADCAST],
    grid: &["", "broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| Smape { broadcast: x.flag("broadcast") }.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs.map(|(p, t)| 2.0 * (p - t).abs() / (p.abs() + t.abs())).collect()
    },
    edges: &[],
    ..FAMILY
};
