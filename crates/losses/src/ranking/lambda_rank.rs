//! Pairs of items, each counted by what their order costs.

use lossgraph_autograd::Var;
use lossgraph_tensor::kernels::Order;

use super::FAMILY;
use super::lists::{
    GRADES, ITEMS, KEEP, Lists, SCORES, differences, discount, gain, naive, naive_ideal,
};
use crate::catalogue::{Invariance, Loss, N, detached, number};
use crate::check::above_zero;
use crate::rows::{finite, infinite, times};
use crate::terms::Terms;

/// [`RankNet`](crate::RankNet)'s loss of each pair, times how much the discounted gain of the
/// list would change if both items changed places.
///
/// ```text
/// gᵢ = 2^tᵢ − 1,   dᵢ = 1/log₂(1 + rankᵢ)
/// Δ[i, j] = |gᵢ − gⱼ| |dᵢ − dⱼ| / best discounted gain
/// L = Σ over tᵢ > tⱼ of Δ[i, j] ln(1 + exp(−σ (sᵢ − sⱼ)))
/// ∂L/∂sᵢ = Σⱼ −σ Δ[i, j] / (1 + exp(σ (sᵢ − sⱼ)))  over the pairs that i should win, less those that it should lose
/// ```
///
/// Ranks come from the scores, the largest first, equal ones in the order in which they stand.
/// The Δ are constants on purpose: nothing flows through ranks, nor to the relevance. A list
/// without a pair counts 0. Padding is in no pair and has no rank, and a list of nothing else counts
/// 0 in the mean as well.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; keep broadcasts to them; terms: without the last axis |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::lambda_rank;
/// let tape = Tape::f64();
/// let scores = tape.variable([[0.0, 0.0]]);
/// let gradients = lambda_rank(scores, tape.constant([[1.0, 0.0]])).mean().backward()?;
/// let delta = 1.0 - 1.0 / 3.0_f64.log2(); // between the first and the second place
/// assert!((gradients.loss() - delta * 2.0_f64.ln()).abs() < 1e-15);
/// let slope = [[-0.5 * delta, 0.5 * delta]];
/// assert!(gradients.of(scores).unwrap().allclose(&slope.into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; single numbers; a `keep` that does not broadcast to the scores; a `sigma` that is not above 0.
///
/// # Source
/// Burges et al., Learning to Rank with Nonsmooth Cost Functions, 2006; as a loss: Wang et al., The
/// LambdaLoss Framework, 2018.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LambdaLoss")]
pub struct LambdaRank<'t> {
    /// How steep a difference of scores counts.
    pub sigma: f64,
    /// Not 0 for the items that there are; broadcasts to the scores. The others are padding, and so
    /// is an item whose score is −∞: no term sees it, whatever it holds, and its slope is 0.
    pub keep: Option<Var<'t>>,
}

impl Default for LambdaRank<'_> {
    fn default() -> Self {
        LambdaRank { sigma: 1.0, keep: None }
    }
}

/// [`LambdaRank`] with its defaults.
#[track_caller]
pub fn lambda_rank<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    LambdaRank::default().forward(scores, relevance)
}

impl<'t> LambdaRank<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("lambda_rank", || {
            let s = above_zero("lambda_rank", "sigma", self.sigma, scores);
            let lists = Lists::new("lambda_rank", s, relevance, self.keep);
            let (s, t) = (lists.scores, lists.relevance);
            let best_first = lists.without_padding(s).argsort(-1, Order::Descending).to_float();
            let rank = best_first.argsort(-1, Order::Ascending).to_float() + 1.0;
            let g = gain(t.detach());
            let change = differences(g).abs() * differences(discount(rank)).abs();
            // Where nothing is relevant, no change is worth anything.
            let best = lists.ideal(g).unsqueeze(-1).unsqueeze(-1);
            let delta = change / best.eq(0.0).select(1.0, best);
            let nll = infinite((differences(finite(s)) * -self.sigma).softplus());
            let each = times(lists.preferred() * delta, nll);
            lists.terms(each.sum([-2, -1]))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "lambda_rank",
    aliases: &["LambdaRankLoss", "lambdarank_loss", "LambdaLoss", "lambda_loss"],
    summary: "The negative log-likelihood of each pair, counted by what its order costs in discounted gain.",
    formula: "Σ |Δ NDCG of i and j changing places| ln(1 + exp(−σ (sᵢ − sⱼ))) over tᵢ > tⱼ",
    latex: r"\sum_{t_i > t_j} \lvert \Delta \mathrm{NDCG}_{ij} \rvert \log \left( 1 + e^{-\sigma (s_i - s_j)} \right)",
    letters: &[("ΔNDCG", "what NDCG loses if i and j change places")],
    shapes: "scores, relevance: […, item] alike, keep broadcasts to them; terms: without the last axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Burges et al., 2006; Wang et al., 2018",
    over: "sigma=1,2,4",
    inputs: &[SCORES, detached("relevance", &[N, ITEMS], GRADES), KEEP],
    options: &[number("sigma", 1.0, "how steep a difference of scores counts")],
    grid: &["", "sigma=2", "keep"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "keep"]),
    ],
    run: |x| {
        LambdaRank { sigma: x.number("sigma"), keep: x.maybe("keep") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        naive(x, |s, t| {
            let n = s.len();
            let rank =
                |i: usize| 1 + (0..n).filter(|&j| s[j] > s[i] || (s[j] == s[i] && j < i)).count();
            let gain = |i: usize| 2.0_f64.powf(t[i]) - 1.0;
            let discount = |i: usize| 1.0 / (1.0 + rank(i) as f64).log2();
            let mut sum = 0.0;
            for (i, j) in (0..n * n).map(|k| (k / n, k % n)).filter(|&(i, j)| t[i] > t[j]) {
                let delta = (gain(i) - gain(j)).abs() * (discount(i) - discount(j)).abs();
                let nll = (1.0 + (-x.number("sigma") * (s[i] - s[j])).exp()).ln();
                sum += delta / naive_ideal(t) * nll;
            }
            sum
        })
    },
    edges: &[
        ("all times 1e10", "the gain 2^relevance is infinite"),
        ("all times 1e20", "the gain 2^relevance is infinite"),
        ("subnormal", "1/ideal is beyond the range of f32"),
    ],
    ..FAMILY
};
