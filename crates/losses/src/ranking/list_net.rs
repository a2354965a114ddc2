//! Ranking by the likeliest first item.

use lossgraph_autograd::Var;

use super::lists::{LISTS, Lists, plain};
use crate::catalogue::{Invariance, Loss};
use crate::terms::Terms;

/// The cross-entropy between the softmax of the relevances and that of the scores of a list: of the
/// probabilities that an item comes first.
///
/// ```text
/// L = −Σᵢ softmax(relevance)ᵢ ln softmax(s)ᵢ
/// ∂L/∂s = softmax(s) − softmax(relevance)
/// ```
///
/// | | |
/// |---|---|
/// | shapes | scores, relevance: `[…, item]`; terms: `[…]`, one a list |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::list_net;
/// let tape = Tape::f64();
/// let scores = tape.variable([0.0, 0.0]);
/// let relevance = tape.constant([0.0, 3.0_f64.ln()]); // softmax: ¼, ¾
/// let gradients = list_net(scores, relevance).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// let slope = gradients.of(scores).unwrap().to_f64s();
/// assert!((slope[0] - 0.25).abs() < 1e-15 && (slope[1] + 0.25).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a single number; a mask of another shape.
///
/// # Source
/// Cao et al., Learning to Rank: From Pairwise Approach to Listwise Approach, 2007, with one item
/// at the top.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "ListNetLoss")]
pub struct ListNet<'t> {
    /// 1 for items that count, 0 for others, as padding is: of the scores' shape.
    pub mask: Option<Var<'t>>,
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
        scores.tape().scope("list_net", || {
            let lists = Lists::new("list_net", scores, relevance, self.mask);
            let first = lists.among_items(lists.relevance, |y| y.softmax(-1));
            let log_p = lists.among_items(lists.scores, |s| s.log_softmax(-1));
            Terms::new(-(first * log_p).sum(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "list_net",
    aliases: &["ListNetLoss", "listnet_loss"],
    family: "ranking",
    summary: "The cross-entropy between the softmax of relevances and that of scores.",
    formula: "−Σ softmax(relevance) ln softmax(s)",
    latex: r"-\sum_i \frac{e^{y_i}}{\sum_j e^{y_j}} \log \frac{e^{s_i}}{\sum_j e^{s_j}}",
    shapes: "scores, relevance: […, item]; terms: […]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Cao et al., 2007",
    inputs: &LISTS,
    options: &[],
    grid: &["", "mask"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Shift("relevance"),
        Invariance::Order(&["scores", "relevance", "mask", "weight"]),
    ],
    run: |x| ListNet { mask: x.maybe("mask") }.forward(x.var("scores"), x.var("relevance")),
    naive: |x| {
        let term = |list: &Vec<(f64, f64)>| -> f64 {
            let [scores, relevance]: [f64; 2] =
                [list.iter().map(|x| x.0.exp()).sum(), list.iter().map(|x| x.1.exp()).sum()];
            list.iter().map(|(s, y)| y.exp() / relevance * (scores.ln() - s)).sum()
        };
        plain(x).iter().map(term).collect()
    },
};
