//! The angle at the negative of a triangle.

use lossgraph_autograd::{Var, keep};
use lossgraph_tensor::Tensor;

use super::FAMILY;
use super::distance::normalized;
use super::pairs::{Pairs, log_sum_exp_of};
use super::sample::{self, BATCH, MEAN, ORDER, dot};
use crate::catalogue::{Loss, number};
use crate::terms::Terms;

/// Seen from a negative, a positive pair should stand under an angle of less than `alpha`.
///
/// ```text
/// f = 4 tan²alpha (a + p)·n − 2 (1 + tan²alpha) a·p
/// L = ln(1 + Σ_n exp f)
/// ∂L/∂f = exp f / (1 + Σ exp f)
/// ```
///
/// `a` and `p` are brought to length 1. The negatives `n` are taken as they are, as
/// pytorch-metric-learning has it, where the paper means unit vectors: normalize the embeddings
/// before, if their lengths differ.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are one for each positive pair |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::angular;
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
/// // Right angles: f = 0 for the one negative of each of two pairs.
/// let terms = angular(e, tape.labels(&[0, 0, 1]), 45_f64.to_radians());
/// let gradients = terms.mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// // ½ · 4 tan²45° (a + p) moves the negative.
/// let slope = gradients.of(e).unwrap();
/// assert!((slope.get(&[2, 0])? - 2.0).abs() < 1e-12 && (slope.get(&[2, 1])? - 2.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; an angle outside of 0 to π/2.
///
/// # Source
/// Wang et al., Deep Metric Learning with Angular Loss, 2017. pytorch-metric-learning's
/// `AngularLoss`, whose angle is in degrees.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "AngularLoss")]
pub struct Angular {
    /// The angle, in radians.
    pub alpha: f64,
}

impl Default for Angular {
    /// 40°.
    fn default() -> Angular {
        Angular { alpha: 40_f64.to_radians() }
    }
}

/// [`Angular`] of a batch, with an angle in radians.
#[track_caller]
pub fn angular<'t>(embeddings: Var<'t>, labels: Var<'t>, alpha: f64) -> Terms<'t> {
    Angular { alpha }.forward(Pairs::of(embeddings, labels))
}

impl Angular {
    /// The terms of the positive pairs.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("angular", || {
            let alpha = self.alpha;
            let fits = alpha > 0.0 && alpha < std::f64::consts::FRAC_PI_2;
            let why = || format!("alpha is {alpha}, expected 0 to π/2");
            let pairs = pairs.demand("angular", fits, why);
            let tape = pairs.embeddings.tape();
            let indices = pairs.positive_indices();
            let end = |side: usize| {
                let indices: Vec<i64> = indices.iter().map(|pair| pair[side] as i64).collect();
                tape.constant(Tensor::from(indices))
            };
            let (first, second) = (end(0), end(1));
            let a = normalized(pairs.embeddings.index_select(0, first), 2.0);
            let p = normalized(pairs.references.index_select(0, second), 2.0);
            let tan2 = alpha.tan().powi(2);
            let f = (a + p).matmul(pairs.references.t()) * (4.0 * tan2)
                - (a * p).sum(keep(-1)) * (2.0 * (1.0 + tan2));
            let negatives = pairs.negative.gt(0.0).index_select(0, first);
            Terms::new(log_sum_exp_of(negatives, f).softplus().squeeze(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "angular",
    aliases: &["AngularLoss"],
    summary: "A positive pair under a small angle, seen from each negative.",
    formula: "ln(1 + Σ exp(4 tan²α (a + p)·n − 2 (1 + tan²α) a·p))",
    latex: r"\log \Bigl(1 + \sum_n e^{4 \tan^2 \alpha \, (a + p) \cdot n - 2 (1 + \tan^2 \alpha) \, a \cdot p}\Bigr)",
    letters: &[("a, p, n", "an anchor, its positive and its negatives")],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [positive pairs]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Wang et al., 2017; pytorch-metric-learning AngularLoss",
    over: "alpha=0.3,0.5,0.7",
    inputs: &BATCH,
    options: &[number("alpha", 0.6981317007977318, "the angle, in radians"), MEAN],
    grid: &["", "alpha=0.5", "alpha=0.3 reduction=sum"],
    invariances: &[ORDER],
    run: |x| {
        let terms = Angular { alpha: x.number("alpha") }.forward(sample::pairs(x));
        sample::reduced(x, terms)
    },
    naive: |x| {
        let tan2 = x.number("alpha").tan().powi(2);
        let term = |&(i, j): &(usize, usize)| {
            let (a, p) = (x.unit(i), x.unit(j));
            let f = |n: usize| {
                let n = x.rows("embeddings")[n];
                4.0 * tan2 * (dot(&a, n) + dot(&p, n)) - 2.0 * (1.0 + tan2) * dot(&a, &p)
            };
            (1.0 + x.negatives(i).into_iter().map(|n| f(n).exp()).sum::<f64>()).ln()
        };
        vec![x.reduced(&x.positive_pairs().iter().map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
