//! Ranking by an NDCG that has slopes.

use lossgraph_autograd::Var;

use super::lists::{LISTS, Lists, differences, discount, plain, plain_best_gain};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// What the normalised discounted cumulative gain lacks to 1, with ranks made smooth.
///
/// ```text
/// L = 1 − Σᵢ gainᵢ / log₂(1 + rankᵢ) / best
/// rankᵢ = 1 + Σ_{j ≠ i} sigmoid((sⱼ − sᵢ) / temperature)
/// gain = 2^relevance − 1,  best = the sum in the best order, with ranks 1, 2, …
/// ```
///
/// As the temperature falls to 0, ranks become whole and the loss that of the order itself, while
/// slopes vanish. A list without relevant items has loss 1, whatever its order. TensorFlow Ranking
/// leaves the 1 out.
///
/// | | |
/// |---|---|
/// | shapes | scores, relevance: `[…, item]`; terms: `[…]`, one a list |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::ApproxNdcg;
/// let tape = Tape::f64();
/// let scores = tape.variable([0.0, 0.0]); // both of rank 3/2
/// let loss = ApproxNdcg { temperature: 1.0, ..ApproxNdcg::default() };
/// let gradients = loss.forward(scores, tape.constant([1.0, 0.0])).mean().backward()?;
/// assert!((gradients.loss() - (1.0 - 1.0 / 2.5_f64.log2())).abs() < 1e-15);
/// let slope = gradients.of(scores).unwrap().to_f64s(); // opposite, the relevant one's is down
/// assert!(slope[0] < 0.0 && slope[0] == -slope[1]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a single number; a mask of another shape;
/// a temperature that is not above 0.
///
/// # Source
/// Qin, Liu and Li, A General Approximation Framework for Direct Optimization of Information
/// Retrieval Measures, 2010.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ApproxNDCGLoss")]
pub struct ApproxNdcg<'t> {
    /// The difference of scores over which a rank changes.
    pub temperature: f64,
    /// 1 for items that count, 0 for others, as padding is: of the scores' shape.
    pub mask: Option<Var<'t>>,
}

impl Default for ApproxNdcg<'_> {
    fn default() -> Self {
        ApproxNdcg { temperature: 0.1, mask: None }
    }
}

/// [`ApproxNdcg`] with a temperature.
#[track_caller]
pub fn approx_ndcg<'t>(scores: Var<'t>, relevance: Var<'t>, temperature: f64) -> Terms<'t> {
    ApproxNdcg { temperature, ..ApproxNdcg::default() }.forward(scores, relevance)
}

impl<'t> ApproxNdcg<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().scope("approx_ndcg", || {
            let scores = above_zero("approx_ndcg", "temperature", self.temperature, scores);
            let lists = Lists::new("approx_ndcg", scores, relevance, self.mask);
            let ahead = (differences(lists.scores) * (-1.0 / self.temperature)).sigmoid();
            let ahead = self.mask.map_or(ahead, |mask| mask.unsqueeze(-2).select(ahead, 0.0));
            // Half of the item itself is among those ahead.
            let rank = ahead.sum(-1) + 0.5;
            let gain = (lists.gains() * discount(rank)).sum(-1);
            Terms::new(1.0 - gain / lists.best_gain())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "approx_ndcg",
    aliases: &["ApproxNDCGLoss", "approx_ndcg_loss"],
    family: "ranking",
    summary: "What the NDCG lacks to 1, with ranks made smooth.",
    formula: "1 − Σ gain / log₂(1 + rank) / best, with rankᵢ = 1 + Σ_{j ≠ i} sigmoid((sⱼ − sᵢ)/temperature)",
    latex: r"1 - \frac{1}{Z} \sum_i \frac{2^{y_i} - 1}{\log_2 (1 + \hat{r}_i)}",
    shapes: "scores, relevance: […, item]; terms: […]",
    unit: "none",
    range: "[0, 1]",
    source: "Qin, Liu and Li, 2010",
    inputs: &LISTS,
    options: &[number("temperature", 0.1, "the difference of scores over which a rank changes")],
    grid: &["temperature=1", "temperature=0.5 mask"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "mask", "weight"]),
    ],
    run: |x| {
        ApproxNdcg { temperature: x.number("temperature"), mask: x.maybe("mask") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        let term = |list: &Vec<(f64, f64)>| -> f64 {
            let ahead = |i: usize, j: usize| {
                1.0 / (1.0 + ((list[i].0 - list[j].0) / x.number("temperature")).exp())
            };
            let others = |i: usize| (0..list.len()).filter(move |&j| j != i);
            let rank = |i: usize| 1.0 + others(i).map(|j| ahead(i, j)).sum::<f64>();
            let gain = |i: usize| (list[i].1.exp2() - 1.0) / (1.0 + rank(i)).log2();
            1.0 - (0..list.len()).map(gain).sum::<f64>() / plain_best_gain(list)
        };
        plain(x).iter().map(term).collect()
    },
};
