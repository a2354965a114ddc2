//! Vectors in one direction.

use lossgraph_autograd::{Var, keep};

use super::FAMILY;
use crate::catalogue::{C, Invariance, Loss, N, Task, WIDE, input, number};
use crate::check::{Unequal, demand, floats, pair};
use crate::terms::Terms;

/// One minus the cosine of the angle between prediction and target.
///
/// ```text
/// L = 1 − p·t / (max(‖p‖, √eps) max(‖t‖, √eps))
/// ∂L/∂p = −(t/‖t‖ − cos(p, t) p/‖p‖) / ‖p‖
/// ```
///
/// The lengths do not matter; at half the squared length it is the error of unit vectors:
/// `2 L = ‖p/‖p‖ − t/‖t‖‖²`. A vector shorter than the bound is divided by the bound, which shows in
/// the slope.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, vectors along the last axis; terms without it |
/// | unit | none: a cosine |
/// | range | 0 to 2 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::cosine_distance;
/// let tape = Tape::f64();
/// let p = tape.variable([[2.0, 0.0]]);
/// let gradients = cosine_distance(p, tape.constant([[0.0, 3.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 1.0); // a right angle
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [0.0, -0.5]); // turns it, the more the shorter
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, or scalars; a negative `eps`.
///
/// # Source
/// optax's `cosine_distance`, whose `eps` is 0 by default.
#[derive(Clone, Copy, Debug)]
pub struct CosineDistance {
    /// What squared lengths are held above.
    pub eps: f64,
}

impl Default for CosineDistance {
    fn default() -> CosineDistance {
        CosineDistance { eps: 1e-16 }
    }
}

/// [`CosineDistance`] with its defaults.
#[doc(alias = "cosine_similarity")]
#[track_caller]
pub fn cosine_distance<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    CosineDistance::default().forward(prediction, target)
}

impl CosineDistance {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("cosine_distance", || {
            let eps = self.eps;
            let target = floats("cosine_distance", "target", target);
            let (p, t) = pair("cosine_distance", prediction, target, Unequal::Refuse);
            let why = || format!("eps is {eps}, expected 0 or more");
            let p = demand("cosine_distance", eps >= 0.0, why, p);
            let why = || "a scalar has no direction".to_owned();
            let p = demand("cosine_distance", p.rank() > 0, why, p);
            let [p, t] = [p, t].map(|x| x / x.norm(2.0, keep(-1)).clamp(eps.sqrt(), f64::INFINITY));
            Terms::new(1.0 - (p * t).sum(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "cosine_distance",
    aliases: &["cosine_similarity", "CosineSimilarity"],
    summary: "One minus the cosine between prediction and target.",
    formula: "1 − p·t / (‖p‖ ‖t‖)",
    latex: r"1 - \frac{p \cdot t}{\lVert p \rVert \lVert t \rVert}",
    shapes: "prediction, target: [batch, features]; terms: [batch]",
    range: "[0, 2]",
    source: "optax cosine_distance",
    tasks: &[Task::Views.fit()],
    inputs: &[input("prediction", &[N, C], WIDE), input("target", &[N, C], WIDE)],
    options: &[number("eps", 1e-16, "what squared lengths are held above")],
    grid: &["", "eps=100"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| CosineDistance { eps: x.number("eps") }.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let length = |a: &[f64]| dot(a, a).max(x.number("eps")).sqrt();
        let rows = x.rows("prediction").into_iter().zip(x.rows("target"));
        rows.map(|(p, t)| 1.0 - dot(p, t) / length(p) / length(t)).collect()
    },
    ..FAMILY
};
