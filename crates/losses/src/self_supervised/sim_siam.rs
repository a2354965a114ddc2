//! Each view predicted from the other.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::views;
use crate::catalogue::{Invariance, Loss, WIDE, detached, input};
use crate::embedding::Distance;
use crate::terms::Terms;

/// The negative cosine of predictions and the other views, in both directions.
///
/// ```text
/// L = −(cos(p1, z2) + cos(p2, z1)) / 2
/// ∂L/∂p1 = −½ ∂cos(p1, z2)/∂p1,  ∂L/∂z = 0 on purpose
/// ```
///
/// No gradient flows into the views that are predicted; without that, all embeddings would become
/// one.
///
/// | | |
/// |---|---|
/// | shapes | predictions and views `[batch, features]`; terms are `[batch]` |
/// | unit | none: cosines |
/// | range | −1 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::sim_siam;
/// let tape = Tape::f64();
/// let p = [[1.0, 0.0], [0.0, 1.0]].map(|p| tape.variable([p]));
/// let z = [[0.0, 1.0], [0.0, 2.0]].map(|z| tape.constant([z]));
/// // p1 and z2 at a right angle, p2 and z1 in one direction.
/// let gradients = sim_siam(p, z).mean().backward()?;
/// assert_eq!(gradients.loss(), -0.5);
/// assert_eq!(gradients.of(p[0]).unwrap().to_f64s(), [0.0, -0.5]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Predictions and views that are not matrices of one shape.
///
/// # Source
/// Chen and He, Exploring Simple Siamese Representation Learning, 2021.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimSiam;

/// [`SimSiam`], which has no options.
#[track_caller]
pub fn sim_siam<'t>(predictions: [Var<'t>; 2], views: [Var<'t>; 2]) -> Terms<'t> {
    SimSiam.forward(predictions, views)
}

impl SimSiam {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, predictions: [Var<'t>; 2], targets: [Var<'t>; 2]) -> Terms<'t> {
        predictions[0].tape().named_call("sim_siam", || {
            let [p1, p2] = [("p1", predictions[0]), ("p2", predictions[1])];
            let [z1, z2] = [("z1", targets[0]), ("z2", targets[1])];
            let cosine = |p, z: (&str, Var<'t>)| {
                Distance::CosineSimilarity.between(views("sim_siam", [p, z]), z.1.detach())
            };
            let z1 = ("z1", views("sim_siam", [z1, p1]));
            Terms::new((cosine(p1, z2) + cosine(p2, z1)) * -0.5)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "sim_siam",
    aliases: &["simsiam", "simsiam_loss"],
    summary: "The negative cosine of predictions and the other views.",
    formula: "−(cos(p1, z2) + cos(p2, z1)) / 2",
    latex: r"-\frac{1}{2} \bigl(\cos(p_1, z_2) + \cos(p_2, z_1)\bigr)",
    letters: &[("p, z", "the predictions and the projections of both views")],
    shapes: "p1, p2, z1, z2: [batch, features]; terms: [batch]",
    range: "[−1, 1]",
    source: "Chen and He, 2021",
    inputs: &[
        input("p1", &[5, 3], WIDE),
        input("p2", &[5, 3], WIDE),
        detached("z1", &[5, 3], WIDE),
        detached("z2", &[5, 3], WIDE),
    ],
    invariances: &[
        Invariance::Order(&["p1", "p2", "z1", "z2"]),
        Invariance::Scale("p1"),
        Invariance::Scale("z2"),
    ],
    run: |x| SimSiam.forward([x.var("p1"), x.var("p2")], [x.var("z1"), x.var("z2")]),
    naive: |x| {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let cosine = |a: &str, b: &str, i: usize| {
            let (a, b) = (x.rows(a)[i], x.rows(b)[i]);
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        (0..5).map(|i| -(cosine("p1", "z2", i) + cosine("p2", "z1", i)) / 2.0).collect()
    },
    ..FAMILY
};
