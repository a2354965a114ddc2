//! The whole order, item by item.

use lossgraph_autograd::Var;
use lossgraph_tensor::{DType, Tensor, kernels::Order};

use super::FAMILY;
use super::lists::{ITEMS, KEEP, Lists, naive};
use crate::catalogue::{Domain, Invariance, Loss, N, WIDE, detached, input};
use crate::rows::{capped, infinite};
use crate::terms::Terms;

/// The negative log-likelihood of the right order: each item is drawn from those left, with the
/// softmax of their scores.
///
/// ```text
/// Lₗ = Σₖ (log_sum_exp(sₖ … sₙ) − sₖ),   the items in the order of falling relevance
/// ∂L/∂sⱼ = Σ over k ≤ j of softmax(sₖ … sₙ)ⱼ, less 1
/// ```
///
/// Only the order of the relevance counts, of equal ones that in which they stand; it has no
/// gradient. Each sum has its own maximum, so that a score far below the others loses nothing.
/// Padding is never drawn, and a list of nothing else counts 0 in sum and mean.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; keep broadcasts to them; terms: without the last axis |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::list_mle;
/// let tape = Tape::f64();
/// let scores = tape.variable([[0.0, 0.0, 0.0]]);
/// let gradients = list_mle(scores, tape.constant([[3.0, 2.0, 1.0]])).mean().backward()?;
/// assert!((gradients.loss() - 6.0_f64.ln()).abs() < 1e-15); // one order of 3 · 2 · 1
/// let slope = [[-2.0 / 3.0, -1.0 / 6.0, 5.0 / 6.0]];
/// assert!(gradients.of(scores).unwrap().allclose(&slope.into(), 1e-15, 1e-15));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; single numbers; a `keep` that does not broadcast to the scores.
///
/// # Source
/// Xia et al., Listwise Approach to Learning to Rank, 2008; the model: Plackett, 1975.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "ListMLELoss")]
pub struct ListMle<'t> {
    /// Not 0 for the items that there are; broadcasts to the scores. The others are padding, and so
    /// is an item whose score is −∞: no term sees it, whatever it holds, and its slope is 0.
    pub keep: Option<Var<'t>>,
}

/// [`ListMle`] with its defaults.
#[track_caller]
pub fn list_mle<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    ListMle::default().forward(scores, relevance)
}

impl<'t> ListMle<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("list_mle", || {
            let lists = Lists::new("list_mle", scores, relevance, self.keep);
            let order = lists.relevance.argsort(-1, Order::Descending);
            let [s, items] = [capped(lists.scores), lists.items].map(|x| x.gather(-1, order));
            let rank = s.tape().constant(Tensor::arange(s.dim(-1), DType::F64));
            let (column, row) = (rank.unsqueeze(0), rank.unsqueeze(1));
            // Row k: the items that are left when the k-th is drawn, it among them.
            let left = column.gt(row).select(items.unsqueeze(-2), column.eq(row));
            let of_left = left.select(s.unsqueeze(-2), f64::NEG_INFINITY);
            lists.terms(infinite(items.select(of_left.log_sum_exp(-1) - s, 0.0).sum(-1)))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "list_mle",
    aliases: &["ListMLELoss", "listmle_loss", "plackett_luce"],
    summary: "The negative log-likelihood of the right order, item by item.",
    formula: "Σₖ (log_sum_exp(sₖ … sₙ) − sₖ), in the order of falling relevance",
    latex: r"\sum_k \left( \log \sum_{j \ge k} e^{s_{\pi(j)}} - s_{\pi(k)} \right)",
    letters: &[("π", "the order by relevance, most relevant first")],
    shapes: "scores, relevance: […, item] alike, keep broadcasts to them; terms: without the last axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Xia et al., 2008",
    inputs: &[
        input("scores", &[N, ITEMS], Domain::Logits),
        detached("relevance", &[N, ITEMS], WIDE),
        KEEP,
    ],
    grid: &["", "keep"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "keep"]),
    ],
    run: |x| ListMle { keep: x.maybe("keep") }.forward(x.var("scores"), x.var("relevance")),
    naive: |x| {
        naive(x, |s, t| {
            let mut order: Vec<usize> = (0..s.len()).collect();
            order.sort_by(|&a, &b| t[b].total_cmp(&t[a]));
            let drawn = (0..order.len()).map(|k| {
                let left: f64 = order[k..].iter().map(|&j| s[j].exp()).sum();
                left.ln() - s[order[k]]
            });
            drawn.sum()
        })
    },
    ..FAMILY
};
