//! Squared errors.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, PAIR, Slope, Task};
use crate::check::{Unequal, alike, pair};
use crate::terms::{Terms, scaled};

/// The squared error of each element.
///
/// ```text
/// Lᵢ = (pᵢ − tᵢ)²
/// ∂Lᵢ/∂pᵢ = 2 (pᵢ − tᵢ)
/// ```
///
/// optax's `l2_loss` is half of it.
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
        prediction.tape().named_call("mse", || {
            let (p, t) = pair("mse", prediction, target, Unequal::broadcast_if(self.broadcast));
            let weight =
                self.weight.map(|weight| alike("mse", "weight", weight, ("prediction", p)));
            Terms::new(scaled((p - t).square(), weight)).with_weights(weight)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "mse",
    aliases: &["MSELoss", "mse_loss", "l2", "squared_error", "mean_squared_error"],
    summary: "The squared error of each element.",
    formula: "(p − t)²",
    latex: r"(p - t)^2",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's, squared",
    range: "[0, ∞)",
    source: "PyTorch MSELoss",
    tasks: &[
        Task::Numbers.fit().by_default(),
        Task::Classes.fit(),
        Task::Pictures.fit().by_default(),
    ],
    inputs: &PAIR,
    options: &[BROADCAST],
    grid: &["", "weight"],
    invariances: &[Invariance::Order(&["prediction", "target", "weight"])],
    run: |x| {
        Mse { weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| x.residuals(|d| d * d),
    slope: Some(Slope {
        input: "prediction",
        formula: "2 (p − t) / n",
        options: &[],
        naive: |x| x.mean_slope(|d| 2.0 * d),
    }),
    ..FAMILY
};
