//! A margin between the angles to class vectors.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::classes::{Scores, angle, similarities};
use super::distance::Distance;
use super::sample::{CENTERS, ORDER, cross_entropy};
use crate::catalogue::{Invariance, Loss, count, number};
use crate::check::demand;
use crate::terms::Terms;

/// Cross-entropy of the cosines to class vectors, with the angle to the right one enlarged.
///
/// ```text
/// θ = angle(x, w[label])
/// z[c] = scale · cos(x, w[c]) for c ≠ label
/// z[label] = scale · cos(θ + margin)              if θ ≤ π − margin
///            scale · (cos θ − margin sin margin)  else, where cos(θ + margin) would rise again
/// L = log_sum_exp(z) − z[label]
/// ∂L/∂z = softmax(z) − one_hot(label)
/// ```
///
/// Angles are in radians. With several centers a class, the nearest one counts, so that noisy
/// examples may gather around one that is not the main one. Where a cosine rounds to ±1, where the
/// angle has an infinite slope, its slope is taken as 0.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, vectors `[classes · sub_centers, features]`, the centers of a class together, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::ArcFace;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 1.0]]);
/// let w = tape.constant([[1.0, 0.0], [0.0, 1.0]]);
/// // 45° to both, and 90° with the margin: z is 0 for the right class and √½ for the other.
/// let loss = ArcFace { margin: 45_f64.to_radians(), scale: 1.0, ..ArcFace::default() };
/// let gradients = loss.forward(x, w, tape.labels(&[0])).mean().backward()?;
/// assert!((gradients.loss() - (1.0 + 0.5_f64.sqrt().exp()).ln()).abs() < 1e-15);
/// assert!(gradients.of(x).unwrap().get(&[0, 0])? < 0.0); // towards its class
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; a margin outside of 0 to π; a scale
/// that is not above 0.
///
/// # Source
/// Deng et al., ArcFace, 2019; several centers: Deng et al., Sub-center ArcFace, 2020.
/// pytorch-metric-learning's `ArcFaceLoss` and `SubCenterArcFaceLoss`, whose margins are degrees.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ArcFaceLoss")]
#[doc(alias = "SubCenterArcFaceLoss")]
pub struct ArcFace {
    /// How much larger the angle to the right class counts, in radians.
    pub margin: f64,
    /// What the cosines are multiplied by.
    pub scale: f64,
    /// How many vectors each class has.
    pub sub_centers: usize,
}

impl Default for ArcFace {
    fn default() -> ArcFace {
        ArcFace { margin: 0.5, scale: 64.0, sub_centers: 1 }
    }
}

/// [`ArcFace`] with a margin in radians, and one vector a class.
#[track_caller]
pub fn arc_face<'t>(
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
    margin: f64,
) -> Terms<'t> {
    ArcFace { margin, ..ArcFace::default() }.forward(embeddings, vectors, labels)
}

impl ArcFace {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, vectors: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("arc_face", || {
            const PI: f64 = std::f64::consts::PI;
            let ArcFace { margin, scale, sub_centers } = *self;
            let fits = (0.0..=PI).contains(&margin) && scale > 0.0 && scale.is_finite();
            let why = || format!("margin {margin} and scale {scale}, expected 0 to π and above 0");
            let cosine = similarities(
                "arc_face",
                Distance::CosineSimilarity,
                demand("arc_face", fits, why, embeddings),
                vectors,
            );
            let nearest = of_centers("arc_face", cosine, sub_centers).max(-1);
            let scores = match Scores::new("arc_face", nearest, labels) {
                Ok(scores) => scores,
                Err(fault) => return fault,
            };
            let cos = scores.right();
            let theta = angle(cos);
            let moved =
                theta.le(PI - margin).select((theta + margin).cos(), cos - margin * margin.sin());
            scores.cross_entropy(scores.with_right(moved) * scale)
        })
    }
}

/// Scores `[batch, classes · centers]` as `[batch, classes, centers]`.
pub(super) fn of_centers<'t>(loss: &str, scores: Var<'t>, centers: usize) -> Var<'t> {
    let vectors = scores.dim(-1);
    let fits = centers > 0 && vectors.is_multiple_of(centers);
    let why = || format!("{vectors} vectors are not {centers} for each class");
    let scores = demand(loss, fits, why, scores);
    if scores.is_faulty() {
        return scores;
    }
    scores.reshape([scores.dim(0), vectors / centers, centers])
}

pub(crate) static ROW: Loss = Loss {
    name: "arc_face",
    aliases: &["ArcFaceLoss", "SubCenterArcFaceLoss", "additive_angular_margin"],
    summary: "Cross-entropy of cosines to class vectors, with a margin on the right angle.",
    formula: "cross-entropy of scale · cos θ[c], with cos(θ + margin) for the label",
    latex: r"-\log \frac{e^{s \cos(\theta_y + m)}}{e^{s \cos(\theta_y + m)} + \sum_{c \ne y} e^{s \cos \theta_c}}",
    letters: &[("θ", "the angle between an embedding and the vector of a class")],
    shapes: "embeddings: [batch, features]; vectors: [classes · sub_centers, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Deng et al., 2019; pytorch-metric-learning ArcFaceLoss",
    over: "margin=0,0.5,1",
    inputs: &CENTERS,
    options: &[
        number("margin", 0.5, "how much larger the right angle counts, in radians"),
        number("scale", 64.0, "what the cosines are multiplied by"),
        count("sub_centers", 1, "how many vectors each class has"),
    ],
    grid: &["scale=8", "scale=4 margin=0.2", "margin=2.5 scale=2", "scale=4 sub_centers=2"],
    invariances: &[ORDER, Invariance::Scale("embeddings"), Invariance::Scale("vectors")],
    run: |x| {
        ArcFace {
            margin: x.number("margin"),
            scale: x.number("scale"),
            sub_centers: x.count("sub_centers"),
        }
        .forward(x.var("embeddings"), x.var("vectors"), x.var("labels"))
    },
    naive: |x| {
        let (margin, scale) = (x.number("margin"), x.number("scale"));
        let centers = x.count("sub_centers");
        let nearest = |i: usize, class: usize| {
            let of_class = class * centers..(class + 1) * centers;
            of_class.map(|center| x.class_cosine(i, center)).fold(-1.0, f64::max)
        };
        let term = |i: usize| {
            let score = |class: usize| {
                let cos = nearest(i, class);
                match cos.acos() {
                    _ if class != x.label(i) => scale * cos,
                    theta if theta + margin <= std::f64::consts::PI => {
                        scale * (theta + margin).cos()
                    }
                    _ => scale * (cos - margin * margin.sin()),
                }
            };
            cross_entropy(&(0..8 / centers).map(score).collect::<Vec<_>>(), x.label(i))
        };
        (0..5).map(term).collect()
    },
    ..FAMILY
};
