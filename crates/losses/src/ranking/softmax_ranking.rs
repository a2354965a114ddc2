//! Ranking by the softmax of all scores.

use lossgraph_autograd::Var;

use super::lists::{LISTS, Lists};
use crate::catalogue::{Invariance, Loss, POSITIVE, option};
use crate::check::alike;
use crate::terms::{Terms, scaled};

/// The cross-entropy of the softmax of the scores of a list against its relevances.
///
/// ```text
/// L = −Σᵢ wᵢ relevanceᵢ ln softmax(s)ᵢ
/// ∂L/∂s = softmax(s) Σᵢ wᵢ relevanceᵢ − w · relevance
/// ```
///
/// Items that do not count are in no sum. A list without relevant items has loss 0.
///
/// | | |
/// |---|---|
/// | shapes | scores, relevance: `[…, item]`; terms: `[…]`, one a list |
/// | unit | nats, times that of the relevance |
/// | range | 0 and above, for relevances from 0 on |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::softmax_ranking;
/// let tape = Tape::f64();
/// let scores = tape.variable([0.0, 3.0_f64.ln()]); // softmax: ¼, ¾
/// let gradients = softmax_ranking(scores, tape.constant([2.0, 0.0])).mean().backward()?;
/// assert!((gradients.loss() - 2.0 * 4.0_f64.ln()).abs() < 1e-15);
/// let slope = gradients.of(scores).unwrap().to_f64s(); // 2 (¼ − 1), 2 · ¾
/// assert!((slope[0] + 1.5).abs() < 1e-15 && (slope[1] - 1.5).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a single number; a mask of another shape.
/// A weight of another shape than the scores.
///
/// # Source
/// Cao et al., Learning to Rank: From Pairwise Approach to Listwise Approach, 2007, for one item;
/// optax's `ranking_softmax_loss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "ranking_softmax_loss")]
pub struct SoftmaxRanking<'t> {
    /// What each relevance is multiplied by: of the scores' shape.
    pub weight: Option<Var<'t>>,
    /// 1 for items that count, 0 for others, as padding is: of the scores' shape.
    pub mask: Option<Var<'t>>,
}

/// [`SoftmaxRanking`] with its defaults.
#[track_caller]
pub fn softmax_ranking<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    SoftmaxRanking::default().forward(scores, relevance)
}

impl<'t> SoftmaxRanking<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().scope("softmax_ranking", || {
            let lists = Lists::new("softmax_ranking", scores, relevance, self.mask);
            let weight =
                self.weight.map(|weight| alike("softmax_ranking", "weight", weight, scores));
            let relevance = scaled(lists.relevance, weight);
            let log_p = lists.among_items(lists.scores, |s| s.log_softmax(-1));
            Terms::new(-(relevance * log_p).sum(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "softmax_ranking",
    aliases: &["ranking_softmax_loss", "softmax_ranking_loss"],
    family: "ranking",
    summary: "The cross-entropy of the softmax of the scores of a list against its relevances.",
    formula: "−Σ w relevance ln softmax(s)",
    latex: r"-\sum_i w_i y_i \log \frac{e^{s_i}}{\sum_j e^{s_j}}",
    shapes: "scores, relevance: […, item]; terms: […]",
    unit: "nats, times that of the relevance",
    range: "[0, ∞)",
    source: "Cao et al., 2007; optax ranking_softmax_loss",
    inputs: &[LISTS[0], LISTS[1], LISTS[2], option("weight", &[4, 3], POSITIVE)],
    options: &[],
    grid: &["", "mask", "weight", "weight mask"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "mask", "weight"]),
    ],
    run: |x| {
        SoftmaxRanking { weight: x.maybe("weight"), mask: x.maybe("mask") }
            .forward(x.var("scores"), x.var("relevance"))
    },
    naive: |x| {
        let (scores, relevance) = (x.rows("scores"), x.rows("relevance"));
        let term = |list: usize| -> f64 {
            let width = scores[list].len();
            let items = (0..width).filter(|i| x.weight("mask", list * width + i) != 0.0);
            let sum: f64 = items.clone().map(|i| scores[list][i].exp()).sum();
            let weight = |i: usize| x.weight("weight", list * width + i);
            items.map(|i| weight(i) * relevance[list][i] * (sum.ln() - scores[list][i])).sum()
        };
        (0..scores.len()).map(term).collect()
    },
};
