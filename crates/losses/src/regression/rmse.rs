//! The root of the mean squared error.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, Invariance, Loss, PAIR, flag};
use crate::check::{Unequal, alike, demand, pair};
use crate::size::size;
use crate::terms::{Terms, weighted_mean};

/// The root of the mean squared error: one number, or one for each example.
///
/// ```text
/// L = √(Σᵢ wᵢ (pᵢ − tᵢ)² / Σᵢ wᵢ)
/// ∂L/∂pᵢ = wᵢ (pᵢ − tᵢ) / (L Σᵢ wᵢ)
/// ```
///
/// The mean stands below the root, so it belongs to the loss: there is one term, of shape `[]`,
/// which every reduction gives as it is. The mean of the roots of examples
/// ([`per_example`](Rmse::per_example)) is another number, never a larger one. Where all errors are
/// 0 the root has a kink, and the slope is 0. A weight has to be in the loss, too, since
/// [`Terms::weighted`] comes after the root.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; one term `[]`, or `[batch]` per example |
/// | unit | the target's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::rmse;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 7.0]);
/// let gradients = rmse(p, tape.constant([0.0, 0.0])).mean().backward()?;
/// assert_eq!(gradients.loss(), 5.0); // √((1 + 49) / 2)
/// assert!(gradients.of(p).unwrap().allclose(&[0.1, 0.7].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Rmse::broadcast); a weight of another shape; a single
/// number `per_example`.
///
/// # Source
/// Gauss, Theoria Combinationis, 1821. scikit-learn's `root_mean_squared_error`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "RMSELoss")]
pub struct Rmse<'t> {
    /// A weight for each element, of the prediction's shape.
    pub weight: Option<Var<'t>>,
    /// A term for each index of the first axis.
    pub per_example: bool,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

/// [`Rmse`] with its defaults.
#[doc(alias = "root_mean_squared_error")]
#[track_caller]
pub fn rmse<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Rmse::default().forward(prediction, target)
}

impl<'t> Rmse<'t> {
    /// The term, or the terms per example.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("rmse", || {
            let (p, t) = pair("rmse", prediction, target, Unequal::broadcast_if(self.broadcast));
            let several = !self.per_example || p.rank() > 0;
            let p = demand("rmse", several, || "a single number has no examples".to_owned(), p);
            let weight =
                self.weight.map(|weight| alike("rmse", "weight", weight, ("prediction", p)));
            let inner: Vec<isize> = (isize::from(self.per_example)..p.rank() as isize).collect();
            let d = p - t;
            let size = size(d, &inner[..]);
            let squares = (d / size).square();
            let mean = match weight {
                Some(w) => weighted_mean((squares * w).sum(&inner[..]), w.sum(&inner[..])),
                None => squares.mean(&inner[..]),
            };
            Terms::new(mean.root(0.5) * size.reshape(mean.shape()))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "rmse",
    aliases: &["RMSELoss", "rmse_loss", "root_mean_squared_error"],
    summary: "The root of the mean squared error.",
    formula: "√(Σ w (p − t)² / Σ w)",
    latex: r"\sqrt{\frac{\sum_i w_i (p_i - t_i)^2}{\sum_i w_i}}",
    shapes: "prediction, target: alike; terms: [], or [batch] per example",
    unit: "the target's",
    range: "[0, ∞)",
    source: "Gauss, 1821; scikit-learn root_mean_squared_error",
    inputs: &PAIR,
    options: &[flag("per_example", "a term for each index of the first axis"), BROADCAST],
    grid: &["", "weight", "per_example", "per_example weight broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target", "weight"])],
    run: |x| {
        let (per_example, broadcast) = (x.flag("per_example"), x.flag("broadcast"));
        Rmse { weight: x.maybe("weight"), per_example, broadcast }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let squares = x.residuals(|d| d * d);
        let each = if x.flag("per_example") { x.rows("target")[0].len() } else { squares.len() };
        let term = |(n, squares): (usize, &[f64])| {
            let weights = (0..each).map(|i| x.weight("weight", n * each + i));
            (squares.iter().sum::<f64>() / weights.sum::<f64>()).sqrt()
        };
        squares.chunks(each).enumerate().map(term).collect()
    },
    ..FAMILY
};
