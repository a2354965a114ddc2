//! The squared hinge loss of signs.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::signs::{SIGNED, agreement};
use crate::catalogue::{BROADCAST, Invariance, Loss, number};
use crate::check::{Unequal, demand};
use crate::terms::Terms;

/// The square of the hinge loss: smooth at the margin, and harsher to what lies far on the wrong
/// side.
///
/// ```text
/// hᵢ = max(0, m − tᵢ pᵢ)                  m: margin
/// Lᵢ = hᵢ²
/// ∂Lᵢ/∂pᵢ = −2 tᵢ hᵢ
/// ```
///
/// The slope is continuous; the second derivative jumps at the margin, and is 0 there.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target (signs, −1 or 1) alike; terms have that shape |
/// | unit | the prediction's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::squared_hinge;
/// let tape = Tape::f64();
/// let p = tape.variable([0.5, 2.0, 1.0]);
/// let gradients = squared_hinge(p, tape.constant([1.0, 1.0, -1.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 4.25); // ¼ + 0 + 4
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-1.0, 0.0, 4.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](SquaredHinge::broadcast); a target of data that holds 0; a
/// margin that is not finite.
///
/// # Source
/// Keras' `SquaredHinge`; the L2-SVM of Cortes and Vapnik, Support-Vector Networks, 1995.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "squared_hinge_loss")]
pub struct SquaredHinge {
    /// How far on the right side a prediction has to lie.
    pub margin: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for SquaredHinge {
    fn default() -> Self {
        SquaredHinge { margin: 1.0, broadcast: false }
    }
}

/// [`SquaredHinge`] with its defaults.
#[track_caller]
pub fn squared_hinge<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    SquaredHinge::default().forward(prediction, target)
}

impl SquaredHinge {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("squared_hinge", || {
            let (margin, unequal) = (self.margin, Unequal::broadcast_if(self.broadcast));
            let z =
                agreement("squared_hinge", ("prediction", prediction), ("target", target), unequal);
            let why = || format!("margin is {margin}, expected a number");
            let z = demand("squared_hinge", margin.is_finite(), why, z);
            Terms::new((margin - z).relu().square())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "squared_hinge",
    aliases: &["SquaredHinge", "squared_hinge_loss"],
    summary: "The square of the hinge loss.",
    formula: "max(0, m − t p)²",
    latex: r"\max(0, m - t p)^2",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the prediction's, squared",
    range: "[0, ∞)",
    source: "Keras SquaredHinge; Cortes and Vapnik, 1995",
    tasks: super::EACH_CLASS,
    over: "margin=0.5,1,2",
    inputs: &SIGNED,
    options: &[
        number("margin", 1.0, "how far on the right side a prediction has to lie"),
        BROADCAST,
    ],
    grid: &["", "margin=0.3"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        SquaredHinge { margin: x.number("margin"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let m = x.number("margin");
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs.map(|(p, t)| (m - t * p).max(0.0).powi(2)).collect()
    },
    ..FAMILY
};
