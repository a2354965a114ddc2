//! Which item comes first, as a distribution.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::lists::{LISTS, lists};
use crate::catalogue::{Invariance, Loss};
use crate::terms::Terms;

/// Cross-entropy of which item comes first: by the relevance, against by the scores.
///
/// ```text
/// L = −Σᵢ softmax(t)ᵢ · log_softmax(s)ᵢ
/// ∂L/∂s = softmax(s) − softmax(t)
/// ```
///
/// It is least, and then the entropy of the relevance, where scores and relevance differ by the
/// same number for all items. The relevance has a gradient, too.
///
/// | | |
/// |---|---|
/// | shapes | scores and relevance: `[…, item]` alike; terms: without the last axis |
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
/// Unequal shapes; single numbers.
///
/// # Source
/// Cao et al., Learning to Rank: From Pairwise Approach to Listwise Approach, 2007.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "ListNetLoss")]
pub struct ListNet {}

/// [`ListNet`].
#[track_caller]
pub fn list_net<'t>(scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
    ListNet::default().forward(scores, relevance)
}

impl ListNet {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, relevance: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("list_net", || {
            let (s, t) = lists("list_net", scores, relevance);
            Terms::new((t.softmax(-1) * -s.log_softmax(-1)).sum(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "list_net",
    aliases: &["ListNetLoss", "listnet_loss"],
    summary: "Cross-entropy of which item comes first, by relevance and by scores.",
    formula: "−Σᵢ softmax(t)ᵢ log_softmax(s)ᵢ",
    latex: r"-\sum_i \mathrm{softmax}(t)_i \log \mathrm{softmax}(s)_i",
    shapes: "scores, relevance: […, item] alike; terms: without the last axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Cao et al., 2007",
    inputs: &LISTS,
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Shift("relevance"),
        Invariance::Order(&["scores", "relevance"]),
    ],
    run: |x| ListNet {}.forward(x.var("scores"), x.var("relevance")),
    naive: |x| {
        let sum = |z: &[f64]| -> f64 { z.iter().map(|z| z.exp()).sum() };
        let term = |(s, t): (&[f64], &[f64])| -> f64 {
            let each = s.iter().zip(t).map(|(s_i, t_i)| t_i.exp() / sum(t) * (sum(s).ln() - s_i));
            each.sum()
        };
        x.rows("scores").into_iter().zip(x.rows("relevance")).map(term).collect()
    },
    ..FAMILY
};
