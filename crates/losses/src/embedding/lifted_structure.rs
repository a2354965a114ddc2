//! Each positive pair against the negatives of both of its ends.

use lossgraph_autograd::{Var, stack};
use lossgraph_tensor::Tensor;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, counted, log_sum_exp_of};
use super::sample::{self, BATCH, MEAN, ORDER, log_sum_exp};
use crate::catalogue::{Invariance, Loss, number};
use crate::terms::Terms;

/// A pair of one class should be nearer than all negatives of both of its ends, by a soft maximum.
///
/// ```text
/// Jᵢⱼ = ln Σ_{n negative of i or of j} exp(negative_margin − d) + dᵢⱼ − positive_margin
/// Lᵢⱼ = max(0, Jᵢⱼ)² / 2
/// ∂Lᵢⱼ/∂dᵢⱼ = max(0, Jᵢⱼ)
/// ```
///
/// Half, since each pair counts in both orders. A pair without a negative has the term 0. With
/// references, the negatives of reference `j` are those of the embedding at index `j`, as of another
/// view of the same example.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch, batch]` |
/// | unit | the distance's, squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Distance, LiftedStructure, Pairs};
/// let tape = Tape::f64();
/// let points = tape.variable([[-1.0], [1.0], [0.0]]);
/// let distance = Distance::Norm { p: 2.0, power: 1.0, normalize: false };
/// let loss = LiftedStructure { distance, ..LiftedStructure::default() };
/// // The ends are 2 apart; the negative between them is 1 from both: J = ln(1 + 1) + 2.
/// let terms = loss.forward(Pairs::of(points, tape.labels(&[0, 0, 1])));
/// let gradients = terms.mean().backward()?;
/// let j = 2.0_f64.ln() + 2.0;
/// assert!((gradients.loss() - j * j / 2.0).abs() < 1e-12);
/// // J falls by 1 as the left end comes nearer, and rises by ½ as it nears the negative.
/// assert!((gradients.of(points).unwrap().get(&[0, 0])? + j / 2.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; a margin that is NaN.
///
/// # Source
/// Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, 2016.
/// pytorch-metric-learning's `LiftedStructureLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LiftedStructureLoss")]
pub struct LiftedStructure {
    /// What positive distances are lowered by.
    pub positive_margin: f64,
    /// How far apart two classes should be.
    pub negative_margin: f64,
    /// The distance.
    pub distance: Distance,
}

impl Default for LiftedStructure {
    fn default() -> LiftedStructure {
        LiftedStructure { positive_margin: 0.0, negative_margin: 1.0, distance: Distance::UNIT }
    }
}

/// [`LiftedStructure`] of a batch, with a margin for negative pairs.
#[track_caller]
pub fn lifted_structure<'t>(
    embeddings: Var<'t>,
    labels: Var<'t>,
    negative_margin: f64,
) -> Terms<'t> {
    let loss = LiftedStructure { negative_margin, ..LiftedStructure::default() };
    loss.forward(Pairs::of(embeddings, labels))
}

impl LiftedStructure {
    /// The terms of the positive pairs.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("lifted_structure", || {
            let LiftedStructure { positive_margin: near, negative_margin: far, distance } = *self;
            let fits = !near.is_nan() && !far.is_nan();
            let pairs = pairs.demand("lifted_structure", fits, || "a margin is NaN".to_owned());
            let d = pairs.distances(distance);
            let of_row = log_sum_exp_of(pairs.negative, (far - d) * distance.sign());
            let negatives = of_either(of_row, d);
            let violation = negatives + (d - near) * distance.sign();
            counted(violation.relu().square() * 0.5, pairs.positive)
        })
    }
}

/// `ln(exp(rᵢ) + exp(rⱼ))` for each pair of `like`, from `r` of the rows, as one family where both
/// are the same index.
fn of_either<'t>(of_row: Var<'t>, like: Var<'t>) -> Var<'t> {
    let (n, m) = (like.dim(0), like.dim(1));
    let apart = (0..n).flat_map(|i| (0..m).map(move |j| f64::from(u8::from(i != j))));
    let apart = match Tensor::new([n, m], apart.collect::<Vec<f64>>()) {
        Ok(apart) if !of_row.is_faulty() => of_row.tape().constant(apart),
        _ => return of_row,
    };
    let of_column = of_row.t().slice(1, ..m as isize);
    let of_column = of_column.pad(&[(0, 0), (0, m.saturating_sub(n))], f64::NEG_INFINITY);
    let ends = [of_row.expand([n, m]), apart.select(of_column, f64::NEG_INFINITY)];
    let both = stack(&ends, -1);
    log_sum_exp_of(both.tape().fill(both.shape(), 1.0), both).squeeze(-1)
}

pub(crate) static ROW: Loss = Loss {
    name: "lifted_structure",
    aliases: &["LiftedStructureLoss", "lifted_struct"],
    summary: "A positive pair nearer than the negatives of both of its ends.",
    formula: "max(0, ln Σ exp(m₋ − d₋) + d₊ − m₊)² / 2",
    latex: r"\frac{1}{2} \max \Bigl(0, \log \sum_{n} e^{m_- - d_n} + d_{ij} - m_+ \Bigr)^2",
    letters: &[
        ("d", "the distance of two embeddings"),
        ("m₊, m₋", "positive_margin and negative_margin"),
    ],
    shapes: "embeddings: [batch, features]; labels: [batch]; terms: [batch, batch]",
    unit: "the distance's, squared",
    range: "[0, ∞)",
    source: "Oh Song et al., 2016; pytorch-metric-learning LiftedStructureLoss",
    over: "negative_margin=0.5,1,2",
    inputs: &BATCH,
    options: &[
        number("positive_margin", 0.0, "what positive distances are lowered by"),
        number("negative_margin", 1.0, "how far apart two classes should be"),
        MEAN,
    ],
    grid: &["", "positive_margin=0.1 negative_margin=2", "reduction=sum"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let loss = LiftedStructure {
            positive_margin: x.number("positive_margin"),
            negative_margin: x.number("negative_margin"),
            ..LiftedStructure::default()
        };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let (near, far) = (x.number("positive_margin"), x.number("negative_margin"));
        let term = |&(i, j): &(usize, usize)| {
            let of_i = x.negatives(i).into_iter().map(|n| far - x.distance(i, n));
            let of_j = x.negatives(j).into_iter().map(|n| far - x.distance(j, n));
            let all: Vec<f64> = of_i.chain(of_j).collect();
            (log_sum_exp(&all) + x.distance(i, j) - near).max(0.0).powi(2) / 2.0
        };
        vec![x.reduced(&x.positive_pairs().iter().map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
