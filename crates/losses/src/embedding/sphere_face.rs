//! Multiples of the angle to the right class vector.

use lossgraph_autograd::{Var, keep};

use super::FAMILY;
use super::classes::{Scores, angle, similarities};
use super::distance::Distance;
use super::sample::{CLASSES, ORDER, cross_entropy, dot};
use crate::catalogue::{Invariance, Loss, count, number};
use crate::check::{above_zero, demand};
use crate::terms::Terms;

/// Cross-entropy of scores `‖x‖ cos θ`, with a multiple of the angle to the right class vector.
///
/// ```text
/// ψ(θ) = (−1)ᵏ cos(margin θ) − 2k,  k = ⌊margin θ / π⌋    falls all the way from θ = 0 to π
/// z[c] = scale ‖x‖ cos θ[c] for c ≠ label,  z[label] = scale ‖x‖ ψ(θ[label])
/// L = log_sum_exp(z) − z[label]
/// ∂L/∂z = softmax(z) − one_hot(label)
/// ```
///
/// `cos(margin θ)` is Chebyshev's polynomial of `cos θ`, whose slope is finite at 0 and π, too. The
/// number `k` of half turns has no slope; `ψ` has none at their ends either way.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, vectors `[classes, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::sphere_face;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 0.0]]);
/// let w = tape.constant([[2.0, 0.0], [0.0, 1.0]]);
/// let gradients = sphere_face(x, w, tape.labels(&[0]), 2).mean().backward()?;
/// assert!((gradients.loss() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15); // 1 against 0
/// // A longer x is surer of its class.
/// let slope = 1.0 / (1.0 + 1.0_f64.exp());
/// assert!(gradients.of(x).unwrap().allclose(&[[-slope, slope]].into(), 1e-14, 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; a margin of 0; a scale that is not
/// above 0.
///
/// # Source
/// Liu et al., SphereFace, 2017. pytorch-metric-learning's `SphereFaceLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SphereFaceLoss")]
pub struct SphereFace {
    /// What the angle to the right vector is multiplied by.
    pub margin: usize,
    /// What scores are multiplied by.
    pub scale: f64,
}

impl Default for SphereFace {
    fn default() -> SphereFace {
        SphereFace { margin: 4, scale: 1.0 }
    }
}

/// [`SphereFace`] with a margin.
#[track_caller]
pub fn sphere_face<'t>(
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
    margin: usize,
) -> Terms<'t> {
    SphereFace { margin, ..SphereFace::default() }.forward(embeddings, vectors, labels)
}

impl SphereFace {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, vectors: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("sphere_face", || {
            let SphereFace { margin, scale } = *self;
            let x = above_zero("sphere_face", "scale", scale, embeddings);
            let cosine = similarities("sphere_face", Distance::CosineSimilarity, x, vectors);
            match multiplied("sphere_face", cosine, labels, margin) {
                Ok((scores, moved)) => scores.cross_entropy(moved * x.norm(2.0, keep(-1)) * scale),
                Err(fault) => fault,
            }
        })
    }
}

/// The largest multiple: a polynomial of that degree is recorded, and papers take up to 4.
const MOST: usize = 64;

/// The cosines, and the same with `ψ(θ)` for the right class.
pub(super) fn multiplied<'t>(
    loss: &str,
    cosine: Var<'t>,
    labels: Var<'t>,
    margin: usize,
) -> Result<(Scores<'t>, Var<'t>), Terms<'t>> {
    let why = || format!("margin is {margin}, expected 1 to {MOST}");
    let fits = (1..=MOST).contains(&margin);
    let scores = Scores::new(loss, demand(loss, fits, why, cosine), labels)?;
    let right = scores.right();
    let turns = (angle(right.detach()) * (margin as f64 / std::f64::consts::PI)).floor();
    let odd = turns - (turns * 0.5).floor() * 2.0;
    let psi = chebyshev(margin, right) * (1.0 - odd * 2.0) - turns * 2.0;
    let moved = scores.with_right(psi);
    Ok((scores, moved))
}

/// `cos(n θ)` for `x = cos θ`: `Tₙ(x) = 2x Tₙ₋₁(x) − Tₙ₋₂(x)`, from `T₀ = 1` and `T₁ = x`.
fn chebyshev(n: usize, x: Var<'_>) -> Var<'_> {
    let one = x.tape().fill(x.shape(), 1.0);
    let (_, last) = (1..n).fold((one, x), |(before, last), _| (last, x * 2.0 * last - before));
    last
}

pub(crate) static ROW: Loss = Loss {
    name: "sphere_face",
    aliases: &["SphereFaceLoss", "a_softmax"],
    summary: "Cross-entropy of ‖x‖ cos θ, with a multiple of the right angle.",
    formula: "cross-entropy of scale ‖x‖ cos θ[c], with (−1)ᵏ cos(m θ) − 2k for the label",
    latex: r"-\log \frac{e^{\lVert x \rVert \psi(\theta_y)}}{e^{\lVert x \rVert \psi(\theta_y)} + \sum_{c \ne y} e^{\lVert x \rVert \cos \theta_c}}",
    letters: &[
        ("x", "an embedding"),
        ("θ", "the angle between an embedding and the vector of a class"),
        ("ψ", "the cosine of margin times the angle, made monotone"),
    ],
    shapes: "embeddings: [batch, features]; vectors: [classes, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Liu et al., 2017; pytorch-metric-learning SphereFaceLoss",
    over: "margin=1,2,4",
    inputs: &CLASSES,
    options: &[
        count("margin", 4, "what the right angle is multiplied by"),
        number("scale", 1.0, "what scores are multiplied by"),
    ],
    grid: &["", "margin=2 scale=2", "margin=1", "margin=3"],
    invariances: &[ORDER, Invariance::Scale("vectors")],
    run: |x| {
        SphereFace { margin: x.count("margin"), scale: x.number("scale") }.forward(
            x.var("embeddings"),
            x.var("vectors"),
            x.var("labels"),
        )
    },
    naive: |x| {
        let term = |i: usize| {
            let row = x.rows("embeddings")[i];
            let length = dot(row, row).sqrt() * x.number("scale");
            let score = |class: usize| match x.class_cosine(i, class) {
                cos if class == x.label(i) => length * psi(cos, x.number("margin")),
                cos => length * cos,
            };
            cross_entropy(&(0..4).map(score).collect::<Vec<_>>(), x.label(i))
        };
        (0..5).map(term).collect()
    },
    ..FAMILY
};

/// The paper's `ψ`, on a number.
pub(super) fn psi(cosine: f64, margin: f64) -> f64 {
    let theta = cosine.acos();
    let k = (margin * theta / std::f64::consts::PI).floor();
    (-1.0_f64).powf(k) * (margin * theta).cos() - 2.0 * k
}
