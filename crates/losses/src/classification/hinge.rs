//! The hinge loss of signs.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::signs::{SIGNED, agreement};
use crate::catalogue::{BROADCAST, Invariance, Loss, number};
use crate::check::{Unequal, demand};
use crate::terms::Terms;

/// The distance by which a prediction falls short of its margin on the side of its target.
///
/// ```text
/// hᵢ = max(0, m − tᵢ pᵢ)                  m: margin
/// Lᵢ = hᵢ
/// ∂Lᵢ/∂pᵢ = −tᵢ if hᵢ > 0, else 0
/// ```
///
/// At the margin itself the slope is 0, the side that is right (optax shares the kink, and gives
/// ½). With a margin of 0 it is the [`Perceptron`](crate::Perceptron)'s loss.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target (signs, −1 or 1) alike; terms have that shape |
/// | unit | the prediction's |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::hinge;
/// let tape = Tape::f64();
/// let p = tape.variable([0.5, 2.0, 1.0]);
/// let gradients = hinge(p, tape.constant([1.0, 1.0, -1.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 2.5); // ½ + 0 + 2
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-1.0, 0.0, 1.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Hinge::broadcast); a target of data that holds 0; a margin
/// that is not finite.
///
/// # Source
/// Cortes and Vapnik, Support-Vector Networks, 1995. Keras' `Hinge`, optax's `hinge_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "HingeLoss")]
pub struct Hinge {
    /// How far on the right side a prediction has to lie.
    pub margin: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Hinge {
    fn default() -> Self {
        Hinge { margin: 1.0, broadcast: false }
    }
}

/// [`Hinge`] with its defaults.
#[track_caller]
pub fn hinge<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Hinge::default().forward(prediction, target)
}

impl Hinge {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("hinge", || {
            let (margin, unequal) = (self.margin, Unequal::broadcast_if(self.broadcast));
            let z = agreement("hinge", ("prediction", prediction), ("target", target), unequal);
            let why = || format!("margin is {margin}, expected a number");
            let z = demand("hinge", margin.is_finite(), why, z);
            Terms::new((margin - z).relu())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "hinge",
    aliases: &["hinge_loss", "HingeLoss"],
    summary: "How far a prediction falls short of its margin on the side of its target.",
    formula: "max(0, m − t p)",
    latex: r"\max(0, m - t p)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the prediction's",
    range: "[0, ∞)",
    source: "Cortes and Vapnik, 1995; Keras Hinge",
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
        Hinge { margin: x.number("margin"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let m = x.number("margin");
        let pairs = x.of("prediction").iter().zip(x.of("target"));
        pairs.map(|(p, t)| (m - t * p).max(0.0)).collect()
    },
    ..FAMILY
};
