//! Pairs of items in the wrong order.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lists::{LISTS, differences, lists, preferred};
use crate::catalogue::{Invariance, Loss, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// The negative log-likelihood that the more relevant of two items wins, by the difference of scores.
///
/// ```text
/// L[i, j] = ln(1 + exp(−σ (sᵢ − sⱼ)))       for each pair with tᵢ > tⱼ
/// ∂L[i, j]/∂sᵢ = −σ / (1 + exp(σ (sᵢ − sⱼ)))
/// ```
///
/// Pairs of all lists count alike: the mean divides by their number. Without any pair it is NaN.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; terms: `[…, item, item]`, 0 where there is no pair |
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
/// Unequal shapes; single numbers; a `sigma` that is not above 0.
///
/// # Source
/// Burges et al., Learning to Rank Using Gradient Descent, 2005.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "RankNetLoss")]
pub struct RankNet {
    /// How steep a difference of scores counts.
    pub sigma: f64,
}

impl Default for RankNet {
    fn default() -> RankNet {
        RankNet { sigma: 1.0 }
    }
}

/// [`RankNet`] with its defaults.
#[track_caller]
pub fn rank_net<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    RankNet::default().forward(scores, relevance)
}

impl RankNet {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("rank_net", || {
            let (s, t) = lists("rank_net", scores, relevance);
            let s = above_zero("rank_net", "sigma", self.sigma, s);
            let each = (differences(s) * -self.sigma).softplus();
            Terms::new(each).masked(preferred(t))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "rank_net",
    aliases: &["RankNetLoss", "ranknet_loss", "pairwise_logistic"],
    summary: "The negative log-likelihood that the more relevant of two items has the larger score.",
    formula: "ln(1 + exp(−σ (sᵢ − sⱼ))) for tᵢ > tⱼ",
    latex: r"\log \left( 1 + e^{-\sigma (s_i - s_j)} \right) \quad t_i > t_j",
    shapes: "scores, relevance: […, item] alike; terms: […, item, item]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Burges et al., 2005",
    over: "sigma=1,2,4",
    inputs: &LISTS,
    options: &[number("sigma", 1.0, "how steep a difference of scores counts")],
    grid: &["", "sigma=2"],
    invariances: &[Invariance::Shift("scores"), Invariance::Order(&["scores", "relevance"])],
    run: |x| RankNet { sigma: x.number("sigma") }.forward(x.var("scores"), x.var("relevance")),
    naive: |x| {
        let term = |(s, t): (&[f64], &[f64])| -> Vec<f64> {
            let pair = |i: usize, j: usize| match t[i] > t[j] {
                true => (1.0 + (-x.number("sigma") * (s[i] - s[j])).exp()).ln(),
                false => 0.0,
            };
            (0..s.len() * s.len()).map(|k| pair(k / s.len(), k % s.len())).collect()
        };
        x.rows("scores").into_iter().zip(x.rows("relevance")).flat_map(term).collect()
    },
    ..FAMILY
};
