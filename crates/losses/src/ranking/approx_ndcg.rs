//! The discounted gain of a list, made smooth.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lists::{ITEMS, KEEP, Lists, SCORES, differences, discount, gain, naive, naive_ideal};
use crate::catalogue::{Domain, Invariance, Loss, N, input, number};
use crate::check::above_zero;
use crate::rows::finite;
use crate::terms::Terms;

/// One less the discounted gain of a list as a share of the best one, with ranks that are smooth in
/// the scores.
///
/// ```text
/// rankᵢ = 1 + Σ over j ≠ i of sigmoid((sⱼ − sᵢ)/T)
/// L = 1 − Σᵢ (2^tᵢ − 1)/log₂(1 + rankᵢ) / best discounted gain
/// ∂L/∂rankᵢ = (2^tᵢ − 1) ln 2 / ((1 + rankᵢ) ln²(1 + rankᵢ)) / best discounted gain
/// ```
///
/// The smaller the temperature `T`, the nearer the ranks are to whole numbers, and the flatter
/// their slopes. A list in which nothing is relevant has no order that is better than another; it
/// counts 0. Padding takes no rank, and a list of nothing else counts 0 in the mean as well.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; keep broadcasts to them; terms: without the last axis |
/// | unit | none: a share |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::approx_ndcg;
/// let tape = Tape::f64();
/// let scores = tape.variable([[0.0, 0.0]]);
/// let gradients = approx_ndcg(scores, tape.constant([[1.0, 0.0]]), 1.0).mean().backward()?;
/// // The relevant item has rank 1½, and the best is rank 1 with a gain of 1.
/// assert!((gradients.loss() - (1.0 - 1.0 / 2.5_f64.log2())).abs() < 1e-15);
/// let by_rank = 2.0_f64.ln() / (2.5 * 2.5_f64.ln().powi(2));
/// let slope = [[-0.25 * by_rank, 0.25 * by_rank]];
/// assert!(gradients.of(scores).unwrap().allclose(&slope.into(), 1e-14, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; single numbers; a `keep` that does not broadcast to the scores; a temperature that is not above 0.
///
/// # Source
/// Qin, Liu and Li, A General Approximation Framework for Direct Optimization of Information
/// Retrieval Measures, 2010. TensorFlow Ranking's `ApproxNDCGLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ApproxNDCGLoss")]
pub struct ApproxNdcg<'t> {
    /// How large a difference of scores has to be to count as an order.
    pub temperature: f64,
    /// Not 0 for the items that there are; broadcasts to the scores. The others are padding, and so
    /// is an item whose score is −∞: no term sees it, whatever it holds, and its slope is 0.
    pub keep: Option<Var<'t>>,
}

impl Default for ApproxNdcg<'_> {
    fn default() -> Self {
        ApproxNdcg { temperature: 0.1, keep: None }
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
        scores.tape().named_call("approx_ndcg", || {
            let s = above_zero("approx_ndcg", "temperature", self.temperature, scores);
            let lists = Lists::new("approx_ndcg", s, relevance, self.keep);
            let lost = (differences(finite(lists.scores)) / -self.temperature).sigmoid();
            // An item loses half a rank to itself.
            let rank = 0.5 + lists.items.unsqueeze(-2).select(lost, 0.0).sum(-1);
            let g = gain(lists.relevance);
            let best = lists.ideal(g);
            let relevant = best.ne(0.0);
            let share = (g * discount(rank)).sum(-1) / relevant.select(best, 1.0);
            lists.terms(relevant.select(1.0 - share, 0.0))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "approx_ndcg",
    aliases: &["ApproxNDCGLoss", "approx_ndcg_loss"],
    summary: "One less the normalized discounted gain, with smooth ranks.",
    formula: "1 − Σᵢ (2^tᵢ − 1)/log₂(1 + rankᵢ) / best, with rankᵢ = 1 + Σ_(j ≠ i) σ((sⱼ − sᵢ)/T)",
    latex: r"1 - \frac{1}{\mathrm{IDCG}} \sum_i \frac{2^{t_i} - 1}{\log_2 (1 + \hat{r}_i)} \quad \hat{r}_i = 1 + \sum_{j \ne i} \sigma \left( \frac{s_j - s_i}{T} \right)",
    letters: &[("σ", "the logistic function"), ("IDCG", "the DCG of the best order")],
    shapes: "scores, relevance: […, item] alike, keep broadcasts to them; terms: without the last axis",
    range: "[0, 1]",
    source: "Qin et al., 2010; TensorFlow Ranking ApproxNDCGLoss",
    over: "temperature=0.1,0.5,1",
    inputs: &[SCORES, input("relevance", &[N, ITEMS], Domain::Between(0.1, 3.0)), KEEP],
    options: &[number(
        "temperature",
        0.1,
        "how large a difference of scores has to be to count as an order",
    )],
    grid: &["", "temperature=1", "keep"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "keep"]),
    ],
    run: |x| {
        ApproxNdcg { temperature: x.number("temperature"), keep: x.maybe("keep") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        naive(x, |s, t| {
            let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
            let rank = |i: usize| -> f64 {
                let others = (0..s.len()).filter(|&j| j != i);
                1.0 + others.map(|j| sigmoid((s[j] - s[i]) / x.number("temperature"))).sum::<f64>()
            };
            let gain = |i: usize| (2.0_f64.powf(t[i]) - 1.0) / (1.0 + rank(i)).log2();
            1.0 - (0..s.len()).map(gain).sum::<f64>() / naive_ideal(t)
        })
    },
    edges: &[
        ("all times 1e10", "the gain 2^relevance is infinite"),
        ("all times 1e20", "the gain 2^relevance is infinite"),
        ("subnormal", "1/ideal is beyond the range of f32"),
    ],
    ..FAMILY
};
