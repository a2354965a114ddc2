//! Views that agree, features that spread and do not repeat each other.

use lossgraph_autograd::Var;
use lossgraph_tensor::{DType, Tensor};

use super::{FAMILY, VIEWS, views};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::demand;
use crate::terms::Terms;

/// Views that agree, features with a standard deviation of at least 1, and without covariances.
///
/// ```text
/// L = invariance mean (z1 − z2)²
///   + variance ½ (v(z1) + v(z2)),  v(z) = meanᵢ max(0, 1 − √(var zᵢ + eps))
///   + covariance (c(z1) + c(z2)),  c(z) = Σ_{i ≠ j} cov(zᵢ, zⱼ)² / features
/// ```
///
/// It is one number for a batch. Variances and covariances are unbiased, so that there have to be
/// two examples at least: those of one are NaN.
///
/// | | |
/// |---|---|
/// | shapes | two views `[batch, features]`; the term is `[]` |
/// | unit | that of `invariance` times a square |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::vicreg;
/// let tape = Tape::f64();
/// let z1 = tape.variable([[3.0], [-3.0]]);
/// // One feature that spreads: the distance of the views is left, 25 · 1.
/// let gradients = vicreg(z1, tape.constant([[4.0], [-4.0]])).mean().backward()?;
/// assert_eq!(gradients.loss(), 25.0);
/// assert_eq!(gradients.of(z1).unwrap().to_f64s(), [-25.0, 25.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Views that are not matrices of one shape; an option that is NaN; a negative `eps`.
///
/// # Source
/// Bardes, Ponce and LeCun, VICReg, 2022. pytorch-metric-learning's `VICRegLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "VICRegLoss")]
pub struct Vicreg {
    /// The weight of the distance of the views.
    pub invariance: f64,
    /// The weight of the spread of the features.
    pub variance: f64,
    /// The weight of their covariances.
    pub covariance: f64,
    /// What is added to the variances.
    pub eps: f64,
}

impl Default for Vicreg {
    fn default() -> Vicreg {
        Vicreg { invariance: 25.0, variance: 25.0, covariance: 1.0, eps: 1e-4 }
    }
}

/// [`Vicreg`] with its defaults.
#[track_caller]
pub fn vicreg<'t>(z1: Var<'t>, z2: Var<'t>) -> Terms<'t> {
    Vicreg::default().forward(z1, z2)
}

impl Vicreg {
    /// The term.
    #[track_caller]
    pub fn forward<'t>(&self, z1: Var<'t>, z2: Var<'t>) -> Terms<'t> {
        z1.tape().named_call("vicreg", || {
            let Vicreg { invariance, variance, covariance, eps } = *self;
            let fits = !(invariance + variance + covariance).is_nan() && eps >= 0.0;
            let why = || "expected numbers, and an eps of 0 or more".to_owned();
            let first = demand("vicreg", fits, why, views("vicreg", [("z1", z1), ("z2", z2)]));
            let both = [first, z2];
            let [narrow1, narrow2] =
                both.map(|z| (1.0 - (z.var(0, 1.0) + eps).sqrt()).relu().mean(..));
            let [alike1, alike2] = both.map(covariances);
            Terms::new(
                (first - z2).square().mean(..) * invariance
                    + (narrow1 + narrow2) * (variance * 0.5)
                    + (alike1 + alike2) * covariance,
            )
        })
    }
}

/// The squared covariances of different features, summed and divided by the number of features.
fn covariances(z: Var<'_>) -> Var<'_> {
    let (batch, features) = (z.dim(0) as f64, z.dim(1) as f64);
    let deviation = z.centered(0);
    let covariance = deviation.t().matmul(deviation) / (batch - 1.0);
    let same = z.tape().constant(Tensor::eye(covariance.dim(0), DType::F64));
    same.select(0.0, covariance.square()).sum(..) / features
}

pub(crate) static ROW: Loss = Loss {
    name: "vicreg",
    aliases: &["VICRegLoss"],
    summary: "Views that agree, features that spread and do not repeat each other.",
    formula: "λ mean (z1 − z2)² + μ/2 Σ mean max(0, 1 − √(var + ε)) + ν Σ cov²/features",
    latex: r"\lambda \, \overline{(z_1 - z_2)^2} + \frac{\mu}{2} \sum_z \overline{\max\bigl(0, 1 - \sqrt{\mathrm{var}\, z + \epsilon}\bigr)} + \frac{\nu}{D} \sum_z \sum_{i \ne j} \mathrm{cov}(z)_{ij}^2",
    letters: &[("z", "the embeddings of both views"), ("D", "the number of features")],
    shapes: "z1, z2: [batch, features]; term: []",
    range: "[0, ∞)",
    source: "Bardes, Ponce and LeCun, 2022; pytorch-metric-learning VICRegLoss",
    over: "invariance=5,25,50",
    inputs: &VIEWS,
    options: &[
        number("invariance", 25.0, "the weight of the distance of the views"),
        number("variance", 25.0, "the weight of the spread of the features"),
        number("covariance", 1.0, "the weight of their covariances"),
        number("eps", 1e-4, "what is added to the variances"),
    ],
    grid: &["", "invariance=1 variance=3 covariance=2 eps=0.01"],
    invariances: &[Invariance::Order(&["z1", "z2"])],
    run: |x| {
        Vicreg {
            invariance: x.number("invariance"),
            variance: x.number("variance"),
            covariance: x.number("covariance"),
            eps: x.number("eps"),
        }
        .forward(x.var("z1"), x.var("z2"))
    },
    naive: |x| {
        let column =
            |view: &str, i: usize| -> Vec<f64> { x.rows(view).iter().map(|row| row[i]).collect() };
        let covariance = |view: &str, i: usize, j: usize| -> f64 {
            let (a, b) = (column(view, i), column(view, j));
            let mean = |a: &[f64]| a.iter().sum::<f64>() / 5.0;
            let (of_a, of_b) = (mean(&a), mean(&b));
            a.iter().zip(&b).map(|(a, b)| (a - of_a) * (b - of_b)).sum::<f64>() / 4.0
        };
        let squares = x.of("z1").iter().zip(x.of("z2")).map(|(a, b)| (a - b).powi(2));
        let mut loss = x.number("invariance") * squares.sum::<f64>() / 15.0;
        for view in ["z1", "z2"] {
            for i in 0..3 {
                let spread = (covariance(view, i, i) + x.number("eps")).sqrt();
                loss += x.number("variance") / 2.0 * (1.0 - spread).max(0.0) / 3.0;
                for j in (0..3).filter(|&j| j != i) {
                    loss += x.number("covariance") * covariance(view, i, j).powi(2) / 3.0;
                }
            }
        }
        vec![loss]
    },
    edges: &[
        ("+∞ | −∞", "an infinite vector has no direction, and infinite distances no difference"),
        ("one example", "one example has no variance"),
    ],
    ..FAMILY
};
