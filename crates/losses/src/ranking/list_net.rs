//! Which item comes first, as a distribution.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lists::{LISTS, Lists, naive};
use crate::catalogue::{Invariance, Loss, Task};
use crate::rows::{capped, infinite, times};
use crate::terms::Terms;

/// Cross-entropy of which item comes first: by the relevance, against by the scores.
///
/// ```text
/// L = −Σᵢ softmax(t)ᵢ · log_softmax(s)ᵢ
/// ∂L/∂s = softmax(s) − softmax(t)
/// ```
///
/// It is least, and then the entropy of the relevance, where scores and relevance differ by the
/// same number for all items. The relevance has a gradient, too. Padding never comes first, and a
/// list of nothing else counts 0 in sum and mean.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; keep broadcasts to them; terms: without the last axis |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::list_net;
/// let tape = Tape::f64();
/// let scores = tape.variable([[0.0, 0.0]]);
/// let relevance = tape.constant([[3.0_f64.ln(), 0.0]]); // first with ¾, second with ¼
/// let gradients = list_net(scores, relevance).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// assert!(gradients.of(scores).unwrap().allclose(&[[-0.25, 0.25]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; single numbers; a `keep` that does not broadcast to the scores.
///
/// # Source
/// Cao et al., Learning to Rank: From Pairwise Approach to Listwise Approach, 2007.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "ListNetLoss")]
pub struct ListNet<'t> {
    /// Not 0 for the items that there are; broadcasts to the scores. The others are padding, and so
    /// is an item whose score is −∞: no term sees it, whatever it holds, and its slope is 0.
    pub keep: Option<Var<'t>>,
}

/// [`ListNet`] with its defaults.
#[track_caller]
pub fn list_net<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    ListNet::default().forward(scores, relevance)
}

impl<'t> ListNet<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("list_net", || {
            let lists = Lists::new("list_net", scores, relevance, self.keep);
            let [s, t] = [lists.scores, lists.relevance].map(|x| lists.without_padding(capped(x)));
            let log_p = lists.items.select(s.log_softmax(-1), 0.0);
            lists.terms(infinite(times(t.softmax(-1), -log_p).sum(-1)))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "list_net",
    aliases: &["ListNetLoss", "listnet_loss"],
    summary: "Cross-entropy of which item comes first, by relevance and by scores.",
    formula: "−Σᵢ softmax(t)ᵢ log_softmax(s)ᵢ",
    latex: r"-\sum_i \mathrm{softmax}(t)_i \log \mathrm{softmax}(s)_i",
    shapes: "scores, relevance: […, item] alike, keep broadcasts to them; terms: without the last axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Cao et al., 2007",
    tasks: &[Task::Rankings.fit().by_default()],
    inputs: &LISTS,
    grid: &["", "keep"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Shift("relevance"),
        Invariance::Order(&["scores", "relevance", "keep"]),
    ],
    run: |x| ListNet { keep: x.maybe("keep") }.forward(x.var("scores"), x.var("relevance")),
    naive: |x| {
        let sum = |z: &[f64]| -> f64 { z.iter().map(|z| z.exp()).sum() };
        naive(x, |s, t| {
            let each = s.iter().zip(t).map(|(s_i, t_i)| t_i.exp() / sum(t) * (sum(s).ln() - s_i));
            each.sum()
        })
    },
    ..FAMILY
};
