//! Features that agree between views, and differ among themselves.

use lossgraph_autograd::{Var, keep};
use lossgraph_tensor::{DType, Tensor};

use super::{FAMILY, VIEWS, views};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::demand;
use crate::size::size;
use crate::terms::Terms;

/// The correlation of each feature with itself in the other view towards 1, with others towards 0.
///
/// ```text
/// c = standardized(z1)ᵀ standardized(z2) / batch      over the batch, ε = 10⁻⁵
/// L = Σᵢ (cᵢᵢ − 1)² + lambda Σ_{i ≠ j} cᵢⱼ²
/// ∂L/∂cᵢᵢ = 2 (cᵢᵢ − 1),  ∂L/∂cᵢⱼ = 2 lambda cᵢⱼ
/// ```
///
/// It is one number for a batch. Examples need no negatives: the features keep each other apart.
///
/// | | |
/// |---|---|
/// | shapes | two views `[batch, features]`; the term is `[]` |
/// | unit | none |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::BarlowTwins;
/// let tape = Tape::f64();
/// let z1 = tape.variable([[1.0], [-1.0]]);
/// // One feature, in the second view with the other sign: a correlation of −1.
/// let loss = BarlowTwins { eps: 0.0, ..BarlowTwins::default() };
/// let gradients = loss.forward(z1, tape.constant([[-1.0], [1.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 4.0);
/// assert_eq!(gradients.of(z1).unwrap().to_f64s(), [0.0, 0.0]); // a scale does not change it
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Views that are not matrices of one shape; a `lambda` that is NaN; a negative `eps`.
///
/// # Source
/// Zbontar et al., Barlow Twins, 2021.
#[derive(Clone, Copy, Debug)]
pub struct BarlowTwins {
    /// The weight of the correlations of different features.
    pub lambda: f64,
    /// What is added to the variances.
    pub eps: f64,
}

impl Default for BarlowTwins {
    fn default() -> BarlowTwins {
        BarlowTwins { lambda: 0.0051, eps: 1e-5 }
    }
}

/// [`BarlowTwins`] with a weight of the correlations of different features.
#[track_caller]
pub fn barlow_twins<'t>(z1: Var<'t>, z2: Var<'t>, lambda: f64) -> Terms<'t> {
    BarlowTwins { lambda, ..BarlowTwins::default() }.forward(z1, z2)
}

impl BarlowTwins {
    /// The term.
    #[track_caller]
    pub fn forward<'t>(&self, z1: Var<'t>, z2: Var<'t>) -> Terms<'t> {
        z1.tape().named_call("barlow_twins", || {
            let BarlowTwins { lambda, eps } = *self;
            let tape = z1.tape();
            let why = || format!("lambda {lambda} and eps {eps}, expected numbers, eps 0 or more");
            let fits = !lambda.is_nan() && eps >= 0.0;
            let first =
                demand("barlow_twins", fits, why, views("barlow_twins", [("z1", z1), ("z2", z2)]));
            let batch = first.dim(0) as f64;
            let [first, second] = [first, z2].map(|z| standardized(z, eps));
            let c = first.t().matmul(second) / batch;
            let same = tape.constant(Tensor::eye(c.dim(0), DType::F64));
            Terms::new(same.select((c - 1.0).square(), c.square() * lambda).sum(..))
        })
    }
}

/// Each feature with mean 0 and variance 1 over the batch, whatever its size.
#[track_caller]
fn standardized(z: Var<'_>, eps: f64) -> Var<'_> {
    let deviation = z - z.mean(keep(0));
    let size = size(deviation, 0);
    let deviation = deviation / size;
    deviation * (deviation.square().mean(keep(0)) + eps / size.square()).rsqrt()
}

pub(crate) static ROW: Loss = Loss {
    name: "barlow_twins",
    aliases: &["BarlowTwinsLoss"],
    summary: "Features that correlate between views, and not with each other.",
    formula: "Σ (c[i, i] − 1)² + λ Σ c[i, j]²",
    latex: r"\sum_i (c_{ii} - 1)^2 + \lambda \sum_{i \ne j} c_{ij}^2",
    letters: &[("c", "the correlation of a feature of one view with one of the other")],
    shapes: "z1, z2: [batch, features]; term: []",
    range: "[0, ∞)",
    source: "Zbontar et al., 2021",
    over: "lambda=0.0051,0.1,0.5",
    inputs: &VIEWS,
    options: &[
        number("lambda", 0.0051, "the weight of the correlations of different features"),
        number("eps", 1e-5, "what is added to the variances"),
    ],
    grid: &["", "lambda=0.5 eps=0.1"],
    invariances: &[Invariance::Order(&["z1", "z2"])],
    run: |x| {
        BarlowTwins { lambda: x.number("lambda"), eps: x.number("eps") }
            .forward(x.var("z1"), x.var("z2"))
    },
    naive: |x| {
        let standardized = |view: &str, feature: usize| -> Vec<f64> {
            let column: Vec<f64> = x.rows(view).iter().map(|row| row[feature]).collect();
            let mean = column.iter().sum::<f64>() / 5.0;
            let variance = column.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / 5.0;
            column.iter().map(|z| (z - mean) / (variance + x.number("eps")).sqrt()).collect()
        };
        let mut loss = 0.0;
        for i in 0..3 {
            for j in 0..3 {
                let (a, b) = (standardized("z1", i), standardized("z2", j));
                let c = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() / 5.0;
                loss += if i == j { (c - 1.0).powi(2) } else { x.number("lambda") * c * c };
            }
        }
        vec![loss]
    },
    ..FAMILY
};
