//! Pairs of items, each counted by what their order costs.

use lossgraph_autograd::Var;
use lossgraph_tensor::kernels::Order;

use super::FAMILY;
use super::lists::{
    GRADES, ITEMS, differences, discount, gain, ideal, lists, naive_ideal, preferred,
};
use crate::catalogue::{Domain, Invariance, Loss, N, detached, input, number};
use crate::check::above_zero;
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
/// without a pair counts 0.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; terms: without the last axis |
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
/// Unequal shapes; single numbers; a `sigma` that is not above 0.
///
/// # Source
/// Burges et al., Learning to Rank with Nonsmooth Cost Functions, 2006; as a loss: Wang et al., The
/// LambdaLoss Framework, 2018.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LambdaLoss")]
pub struct LambdaRank {
    /// How steep a difference of scores counts.
    pub sigma: f64,
}

impl Default for LambdaRank {
    fn default() -> LambdaRank {
        LambdaRank { sigma: 1.0 }
    }
}

/// [`LambdaRank`] with its defaults.
#[track_caller]
pub fn lambda_rank<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    LambdaRank::default().forward(scores, relevance)
}

impl LambdaRank {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("lambda_rank", || {
            let (s, t) = lists("lambda_rank", scores, relevance);
            let s = above_zero("lambda_rank", "sigma", self.sigma, s);
            let best_first = s.argsort(-1, Order::Descending).to_float();
            let rank = best_first.argsort(-1, Order::Ascending).to_float() + 1.0;
            let g = gain(t.detach());
            let change = differences(g).abs() * differences(discount(rank)).abs();
            let delta = change / ideal(g).unsqueeze(-1);
            let nll = (differences(s) * -self.sigma).softplus();
            // Chosen, not multiplied: where nothing is relevant, delta is 0/0.
            let each = preferred(t).select(delta * nll, 0.0);
            Terms::new(each.sum([-2, -1]))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "lambda_rank",
    aliases: &["LambdaRankLoss", "lambdarank_loss", "LambdaLoss", "lambda_loss"],
    summary: "The negative log-likelihood of each pair, counted by what its order costs in discounted gain.",
    formula: "Σ |Δ NDCG of i and j changing places| ln(1 + exp(−σ (sᵢ − sⱼ))) over tᵢ > tⱼ",
    latex: r"\sum_{t_i > t_j} \lvert \Delta \mathrm{NDCG}_{ij} \rvert \log \left( 1 + e^{-\sigma (s_i - s_j)} \right)",
    shapes: "scores, relevance: […, item] alike; terms: without the last axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Burges et al., 2006; Wang et al., 2018",
    over: "sigma=1,2,4",
    inputs: &[
        input("scores", &[N, ITEMS], Domain::Logits),
        detached("relevance", &[N, ITEMS], GRADES),
    ],
    options: &[number("sigma", 1.0, "how steep a difference of scores counts")],
    grid: &["", "sigma=2"],
    invariances: &[Invariance::Shift("scores"), Invariance::Order(&["scores", "relevance"])],
    run: |x| LambdaRank { sigma: x.number("sigma") }.forward(x.var("scores"), x.var("relevance")),
    naive: |x| {
        let term = |(s, t): (&[f64], &[f64])| -> f64 {
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
        };
        x.rows("scores").into_iter().zip(x.rows("relevance")).map(term).collect()
    },
    ..FAMILY
};
