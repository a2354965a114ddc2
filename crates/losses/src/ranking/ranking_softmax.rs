//! Relevance as weights of a softmax.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lists::{ITEMS, KEEP, LISTS, Lists};
use crate::catalogue::{Invariance, Loss, N, POSITIVE, option};
use crate::check::repeats;
use crate::rows::{capped, infinite, times};
use crate::terms::Terms;

/// Cross-entropy of a softmax over the items of a list, each counted by its relevance.
///
/// ```text
/// L = −Σᵢ wᵢ tᵢ log_softmax(s)ᵢ
/// ∂L/∂s = (Σ w t) softmax(s) − w t
/// ```
///
/// The relevance is not normalized: a list with more of it counts more. With relevance of 1 for one
/// item and 0 for the others it is [`cross_entropy`](crate::cross_entropy()). Padding takes no part
/// in the softmax, and a list of nothing else counts 0 in sum and mean.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; keep broadcasts to them; terms: without the last axis |
/// | unit | nats times the relevance |
/// | range | 0 and above, for relevances of 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::ranking_softmax;
/// let tape = Tape::f64();
/// let scores = tape.variable([[0.0, 0.0]]);
/// let gradients = ranking_softmax(scores, tape.constant([[2.0, 1.0]])).mean().backward()?;
/// assert!((gradients.loss() - 8.0_f64.ln()).abs() < 1e-15); // 3 ln 2
/// assert!(gradients.of(scores).unwrap().allclose(&[[-0.5, 0.5]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; single numbers; a weight or `keep` that does not broadcast to the scores.
///
/// # Source
/// Cao et al., 2007; Bruch et al., An Analysis of the Softmax Cross Entropy Loss for Learning-to-Rank,
/// 2019. Optax's `ranking_softmax_loss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "ranking_softmax_loss")]
pub struct RankingSoftmax<'t> {
    /// A weight for each item; broadcasts to the scores.
    pub weight: Option<Var<'t>>,
    /// Not 0 for the items that there are; broadcasts to the scores. The others are padding, and so
    /// is an item whose score is −∞: no term sees it, whatever it holds, and its slope is 0. Optax's
    /// `where`.
    pub keep: Option<Var<'t>>,
}

/// [`RankingSoftmax`] with its defaults.
#[track_caller]
pub fn ranking_softmax<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    RankingSoftmax::default().forward(scores, relevance)
}

impl<'t> RankingSoftmax<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("ranking_softmax", || {
            let lists = Lists::new("ranking_softmax", scores, relevance, self.keep);
            let t = lists.relevance;
            let weight = self
                .weight
                .map(|weight| repeats("ranking_softmax", "weight", weight, ("relevance", t)));
            let t = weight.map_or(t, |weight| lists.items.select(t * weight, 0.0));
            let log_p = lists.without_padding(capped(lists.scores)).log_softmax(-1);
            lists.terms(infinite(times(t, -log_p).sum(-1)))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "ranking_softmax",
    aliases: &["ranking_softmax_loss", "softmax_ranking", "SoftmaxLoss"],
    summary: "Cross-entropy of a softmax over a list, each item counted by its relevance.",
    formula: "−Σᵢ wᵢ tᵢ log_softmax(s)ᵢ",
    latex: r"-\sum_i w_i t_i \log \mathrm{softmax}(s)_i",
    shapes: "scores, relevance: […, item] alike; terms: without the last axis",
    unit: "nats times the relevance",
    range: "[0, ∞)",
    source: "Bruch et al., 2019; optax ranking_softmax_loss",
    inputs: &[
        LISTS[0],
        LISTS[1],
        option("weight", &[N, ITEMS], POSITIVE, "a weight for each item"),
        KEEP,
    ],
    grid: &["", "weight", "keep", "weight keep"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "weight", "keep"]),
    ],
    run: |x| {
        RankingSoftmax { weight: x.maybe("weight"), keep: x.maybe("keep") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        let term = |(row, (s, t)): (usize, (&[f64], &[f64]))| -> f64 {
            let kept =
                |i: &usize| x.maybe("keep").is_none_or(|keep| keep[row * s.len() + *i] != 0.0);
            let items: Vec<usize> = (0..s.len()).filter(kept).collect();
            let sum: f64 = items.iter().map(|&i| s[i].exp()).sum();
            let weight = |i: usize| x.weight("weight", row * s.len() + i);
            items.iter().map(|&i| weight(i) * t[i] * (sum.ln() - s[i])).sum()
        };
        let lists = x.rows("scores").into_iter().zip(x.rows("relevance"));
        lists.enumerate().map(term).collect()
    },
    edges: &[("all times 1e10", "scores of this size have no digits left for their differences")],
    ..FAMILY
};
