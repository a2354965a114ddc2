//! Ranking by pairs, weighed by what an exchange would cost.

use lossgraph_autograd::Var;

use super::lists::{LISTS, Lists, differences, discount, plain, plain_best_gain};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// [`RankNet`](crate::RankNet), where a pair counts as much as exchanging it would change the NDCG.
///
/// ```text
/// L = Σ Δᵢⱼ softplus(−σ (sᵢ − sⱼ))    over all i, j with relevanceᵢ > relevanceⱼ
/// Δᵢⱼ = |gainᵢ − gainⱼ| · |discountᵢ − discountⱼ| / best
/// gain = 2^relevance − 1,  discount = 1 / log₂(1 + rank),  best = Σ gain · discount, best order
/// ```
///
/// Ranks count from 1 by descending scores. They are flat wherever they have a derivative, so the
/// slope is that of the softplus, `Δᵢⱼ` times: nothing has to be detached.
///
/// | | |
/// |---|---|
/// | shapes | scores, relevance: `[…, item]`; terms: `[…]`, one a list |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::lambda_rank;
/// let tape = Tape::f64();
/// let scores = tape.variable([1.0, 1.0]);
/// let relevance = tape.constant([1.0, 0.0]); // in the best order, though by chance
/// let gradients = lambda_rank(scores, relevance).mean().backward()?;
/// let delta = 1.0 - 1.0 / 3.0_f64.log2();
/// assert!((gradients.loss() - delta * 2.0_f64.ln()).abs() < 1e-15);
/// assert!((gradients.of(scores).unwrap().get(&[1]).unwrap() - delta / 2.0).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a single number; a mask of another shape; a `sigma` that is not above 0.
///
/// # Source
/// Burges et al., Learning to Rank with Nonsmooth Cost Functions, 2006.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LambdaRankLoss")]
pub struct LambdaRank<'t> {
    /// How steep the preference is.
    pub sigma: f64,
    /// 1 for items that count, 0 for others, as padding is: of the scores' shape.
    pub mask: Option<Var<'t>>,
}

impl Default for LambdaRank<'_> {
    fn default() -> Self {
        LambdaRank { sigma: 1.0, mask: None }
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
        scores.tape().scope("lambda_rank", || {
            let scores = above_zero("lambda_rank", "sigma", self.sigma, scores);
            let lists = Lists::new("lambda_rank", scores, relevance, self.mask);
            let [gain, discount] = [lists.gains(), discount(lists.ranks())];
            let exchange = differences(gain).abs() * differences(discount).abs();
            let each = exchange * (differences(lists.scores) * -self.sigma).softplus();
            Terms::new(lists.preferred().select(each, 0.0).sum([-2, -1]) / lists.best_gain())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "lambda_rank",
    aliases: &["LambdaRankLoss", "lambdarank_loss", "lambda_loss"],
    family: "ranking",
    summary: "Pairs of items, weighed by how much exchanging them would change the NDCG.",
    formula: "Σ Δᵢⱼ softplus(−σ (sᵢ − sⱼ)), with Δᵢⱼ = |gainᵢ − gainⱼ| |discountᵢ − discountⱼ| / best",
    latex: r"\sum_{y_i > y_j} \Delta_{ij} \log \left( 1 + e^{-\sigma (s_i - s_j)} \right)",
    shapes: "scores, relevance: […, item]; terms: […]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Burges et al., 2006",
    inputs: &LISTS,
    options: &[number("sigma", 1.0, "how steep the preference is")],
    grid: &["", "sigma=2", "mask"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "mask", "weight"]),
    ],
    run: |x| {
        LambdaRank { sigma: x.number("sigma"), mask: x.maybe("mask") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        let term = |list: &Vec<(f64, f64)>| -> f64 {
            // How often a score is beaten, or met by one that stands before.
            let rank = |i: usize| {
                let ahead = |&j: &usize| list[j].0 > list[i].0 || list[j].0 == list[i].0 && j < i;
                1.0 + (0..list.len()).filter(ahead).count() as f64
            };
            let discount = |i: usize| 1.0 / (1.0 + rank(i)).log2();
            let gain = |i: usize| list[i].1.exp2() - 1.0;
            let pair = |i: usize, j: usize| {
                let exchange = (gain(i) - gain(j)).abs() * (discount(i) - discount(j)).abs();
                exchange * (-x.number("sigma") * (list[i].0 - list[j].0)).exp().ln_1p()
            };
            let items = 0..list.len();
            let pairs = items.clone().flat_map(|i| items.clone().map(move |j| (i, j)));
            let preferred = pairs.filter(|&(i, j)| list[i].1 > list[j].1);
            preferred.map(|(i, j)| pair(i, j)).sum::<f64>() / plain_best_gain(list)
        };
        plain(x).iter().map(term).collect()
    },
};
