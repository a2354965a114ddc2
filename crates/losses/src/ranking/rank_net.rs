//! Pairs of items in the wrong order.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lists::{LISTS, Lists, differences};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::above_zero;
use crate::rows::{finite, infinite};
use crate::terms::Terms;

/// The negative log-likelihood that the more relevant of two items wins, by the difference of scores.
///
/// ```text
/// L[i, j] = ln(1 + exp(−σ (sᵢ − sⱼ)))       for each pair with tᵢ > tⱼ
/// ∂L[i, j]/∂sᵢ = −σ / (1 + exp(σ (sᵢ − sⱼ)))
/// ```
///
/// Pairs of all lists count alike: the mean divides by their number. Without any pair it is NaN.
/// Padding is in no pair.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; keep broadcasts to them; terms: `[…, item, item]`, 0 where there is no pair |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::rank_net;
/// let tape = Tape::f64();
/// let scores = tape.variable([[1.0, 1.0]]);
/// let gradients = rank_net(scores, tape.constant([[2.0, 0.0]])).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15); // one pair, a tie
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [-0.5, 0.5]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; single numbers; a `keep` that does not broadcast to the scores; a `sigma` that is not above 0.
///
/// # Source
/// Burges et al., Learning to Rank Using Gradient Descent, 2005.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "RankNetLoss")]
pub struct RankNet<'t> {
    /// How steep a difference of scores counts.
    pub sigma: f64,
    /// Not 0 for the items that there are; broadcasts to the scores. The others are padding, and so
    /// is an item whose score is −∞: no term sees it, whatever it holds, and its slope is 0.
    pub keep: Option<Var<'t>>,
}

impl Default for RankNet<'_> {
    fn default() -> Self {
        RankNet { sigma: 1.0, keep: None }
    }
}

/// [`RankNet`] with its defaults.
#[track_caller]
pub fn rank_net<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    RankNet::default().forward(scores, relevance)
}

impl<'t> RankNet<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("rank_net", || {
            let s = above_zero("rank_net", "sigma", self.sigma, scores);
            let lists = Lists::new("rank_net", s, relevance, self.keep);
            let each = infinite((differences(finite(lists.scores)) * -self.sigma).softplus());
            Terms::new(each).masked(lists.preferred())
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "rank_net",
    aliases: &["RankNetLoss", "ranknet_loss", "pairwise_logistic"],
    summary: "The negative log-likelihood that the more relevant of two items has the larger score.",
    formula: "ln(1 + exp(−σ (sᵢ − sⱼ))) for tᵢ > tⱼ",
    latex: r"\log \left( 1 + e^{-\sigma (s_i - s_j)} \right) \quad t_i > t_j",
    shapes: "scores, relevance: […, item] alike, keep broadcasts to them; terms: […, item, item]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Burges et al., 2005",
    over: "sigma=1,2,4",
    inputs: &LISTS,
    options: &[number("sigma", 1.0, "how steep a difference of scores counts")],
    grid: &["", "sigma=2", "keep"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "keep"]),
    ],
    run: |x| {
        RankNet { sigma: x.number("sigma"), keep: x.maybe("keep") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        let term = |(row, (s, t)): (usize, (&[f64], &[f64]))| -> Vec<f64> {
            let there =
                |i: usize| x.maybe("keep").is_none_or(|keep| keep[row * s.len() + i] != 0.0);
            let pair = |i: usize, j: usize| match t[i] > t[j] && there(i) && there(j) {
                true => (1.0 + (-x.number("sigma") * (s[i] - s[j])).exp()).ln(),
                false => 0.0,
            };
            (0..s.len() * s.len()).map(|k| pair(k / s.len(), k % s.len())).collect()
        };
        let lists = x.rows("scores").into_iter().zip(x.rows("relevance"));
        lists.enumerate().flat_map(term).collect()
    },
    ..FAMILY
};
