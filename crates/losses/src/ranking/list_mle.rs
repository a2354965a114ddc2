//! Ranking by the likelihood of the best order.

use lossgraph_autograd::Var;
use lossgraph_tensor::kernels::Order;

use super::lists::{LISTS, Lists, plain};
use crate::catalogue::{Invariance, Loss};
use crate::terms::Terms;

/// The negative log-likelihood of the best order, if items are drawn one after another by the
/// softmax of the scores of those that are left.
///
/// ```text
/// L = Σ_k ln(e^s_k + … + e^s_n) − s_k    with the scores s in the order of descending relevance
/// ∂L/∂s_i = −1 + Σ_{k ≤ i} softmax(s_k … s_n)_i
/// ```
///
/// Equal relevances keep the order in which they stand. The running sums are added up in
/// logarithms, so far scores neither overflow nor vanish.
///
/// | | |
/// |---|---|
/// | shapes | scores, relevance: `[…, item]`; terms: `[…]`, one a list |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::list_mle;
/// let tape = Tape::f64();
/// let scores = tape.variable([0.0, 0.0, 0.0]);
/// let gradients = list_mle(scores, tape.constant([1.0, 3.0, 2.0])).mean().backward()?;
/// assert!((gradients.loss() - 6.0_f64.ln()).abs() < 1e-15); // one order of 3!
/// let slope = gradients.of(scores).unwrap(); // the best item is right in one draw of three
/// assert!((slope.get(&[1]).unwrap() + 2.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a single number; a mask of another shape.
///
/// # Source
/// Xia et al., Listwise Approach to Learning to Rank: Theory and Algorithm, 2008.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "ListMLELoss")]
pub struct ListMle<'t> {
    /// 1 for items that count, 0 for others, as padding is: of the scores' shape.
    pub mask: Option<Var<'t>>,
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
        scores.tape().scope("list_mle", || {
            let lists = Lists::new("list_mle", scores, relevance, self.mask);
            // What does not count comes last, with a score that adds nothing.
            let order = lists.of_items(lists.relevance, NEVER).argsort(-1, Order::Descending);
            let s = lists.of_items(lists.scores, NEVER).gather(-1, order);
            let each = s.ne(NEVER).select(left_log_sums(s) - s, 0.0);
            Terms::new(each.sum(-1))
        })
    }
}

/// The score of what does not count.
const NEVER: f64 = f64::NEG_INFINITY;

/// `ln(e^s_k + … + e^s_n)` for each k, by sums of twice as many items each time.
fn left_log_sums(s: Var<'_>) -> Var<'_> {
    let doublings = (0..).map(|k| 1_isize << k).take_while(|&reach| reach < s.extent(-1) as isize);
    doublings.fold(s, |sums, reach| sums.log_add_exp(sums.shift(-1, -reach, NEVER)))
}

pub(crate) static ROW: Loss = Loss {
    name: "list_mle",
    aliases: &["ListMLELoss", "listmle_loss"],
    family: "ranking",
    summary: "The negative log-likelihood of the best order.",
    formula: "Σ_k ln Σ_{i ≥ k} e^s_i − s_k, by descending relevance",
    latex: r"\sum_k \log \sum_{i \geq k} e^{s_i} - s_k",
    shapes: "scores, relevance: […, item]; terms: […]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Xia et al., 2008",
    inputs: &LISTS,
    options: &[],
    grid: &["", "mask"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "relevance", "mask", "weight"]),
    ],
    run: |x| ListMle { mask: x.maybe("mask") }.forward(x.var("scores"), x.var("relevance")),
    naive: |x| {
        let term = |list: &Vec<(f64, f64)>| -> f64 {
            let mut left = list.clone();
            left.sort_by(|a, b| b.1.total_cmp(&a.1));
            let draw = |k: usize| left[k..].iter().map(|item| item.0.exp()).sum::<f64>().ln();
            (0..left.len()).map(|k| draw(k) - left[k].0).sum()
        };
        plain(x).iter().map(term).collect()
    },
};
