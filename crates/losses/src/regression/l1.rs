//! Absolute errors.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, PAIR, Slope};
use crate::check::{Unequal, alike, pair};
use crate::terms::{Terms, scaled};

/// The absolute error of each element.
///
/// ```text
/// Lᵢ = |pᵢ − tᵢ|
/// ∂Lᵢ/∂pᵢ = signum(pᵢ − tᵢ)
/// ```
///
/// It is not differentiable at 0 only, where the slope here is 0; everywhere else its slope is ±1,
/// however small the error.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::l1;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 5.0]);
/// let gradients = l1(p, tape.constant([2.0, 2.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 4.0); // 1 + 3
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-1.0, 1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Mse`](crate::Mse).
///
/// # Source
/// Laplace, 1774. PyTorch's `L1Loss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "L1Loss")]
#[doc(alias = "MAE")]
pub struct L1<'t> {
    /// A weight for each element, of the prediction's shape. The mean divides by their sum.
    pub weight: Option<Var<'t>>,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`L1`] with its defaults.
#[doc(alias = "l1_loss")]
#[track_caller]
pub fn l1<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    L1::default().forward(prediction, target)
}

impl<'t> L1<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("l1", || {
            let (p, t) = pair("l1", prediction, target, Unequal::broadcast_if(self.broadcast));
            let weight = self.weight.map(|weight| alike("l1", "weight", weight, ("prediction", p)));
            Terms::new(scaled((p - t).abs(), weight)).with_weights(weight)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "l1",
    aliases: &["L1Loss", "l1_loss", "mae", "absolute_error", "mean_absolute_error"],
    summary: "The absolute error of each element.",
    formula: "|p − t|",
    latex: r"\lvert p - t \rvert",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's",
    range: "[0, ∞)",
    source: "PyTorch L1Loss",
    inputs: &PAIR,
    options: &[BROADCAST],
    grid: &["", "weight"],
    invariances: &[Invariance::Order(&["prediction", "target", "weight"])],
    run: |x| {
        L1 { weight: x.maybe("weight"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| x.residuals(f64::abs),
    slope: Some(Slope {
        input: "prediction",
        formula: "sign(p − t) / n",
        options: &[],
        naive: |x| x.mean_slope(|d| if d == 0.0 { 0.0 } else { d.signum() }),
    }),
    ..FAMILY
};
