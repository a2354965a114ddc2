//! The whole order, item by item.

use lossgraph_autograd::Var;
use lossgraph_tensor::{DType, Tensor, kernels::Order};

use super::FAMILY;
use super::lists::{ITEMS, KEEP, Lists, SCORES, naive};
use crate::catalogue::figure::{Cell, Chart, Figure, Panel, Table, rounded};
use crate::catalogue::{Invariance, Loss, N, Numbers, WIDE, detached};
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
    inputs: &[SCORES, detached("relevance", &[N, ITEMS], WIDE), KEEP],
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
    figure: Some(figure),
    ..FAMILY
};

/// The likelihood of each item at each place, given that the places before it went as they should.
fn figure(x: &Numbers<'_>) -> Option<Figure> {
    let [scores, relevance] = [x.rows("scores"), x.rows("relevance")];
    (x.shape("scores") == x.shape("relevance")).then_some(())?;
    let list = |(row, (s, t)): (usize, (&[f64], &[f64]))| {
        let is_item =
            |&i: &usize| s[i] != f64::NEG_INFINITY && x.weight("keep", row * s.len() + i) != 0.0;
        let mut order: Vec<usize> = (0..s.len()).filter(is_item).collect();
        order.sort_by(|&a, &b| t[b].total_cmp(&t[a]));
        let most = order.iter().map(|&j| s[j]).fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        let place = |k: usize| {
            let left: f64 = order[k..].iter().map(|&j| (s[j] - most).exp()).sum();
            let likelihood = |j: usize| (s[j] - most).exp() / left;
            total -= likelihood(order[k]).ln();
            let drawn = order[k..].iter().enumerate();
            let drawn = drawn.map(|(after, &j)| Cell::part(likelihood(j)).framed_if(after == 0));
            (0..k).map(|_| Cell::default()).chain(drawn).collect()
        };
        let table = Table {
            title: "likelihood of each item at each place".to_owned(),
            cells: (0..order.len()).map(place).collect(),
            columns: order.iter().map(|j| format!("item {j}")).collect(),
            rows: (1..=order.len()).map(|place| format!("{place}.")).collect(),
        };
        let caption = format!("list {row}: −ln of their product is {}", rounded(total));
        Panel { caption, charts: vec![Chart::Table(table)] }
    };
    Some(Figure {
        title: "The ranked list",
        about: "Columns: the items, most relevant first. A row draws the item of its place from those \
                that are left, by the softmax of their scores; framed is the item that should come.",
        panels: scores.into_iter().zip(relevance).enumerate().map(list).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Case;

    #[test]
    fn the_framed_likelihoods_of_a_list_multiply_to_its_term() {
        for setting in ROW.grid {
            let case = Case::new(&ROW, setting, 0).unwrap();
            let tape = lossgraph_autograd::Tape::f64();
            let inputs: Vec<_> = case.inputs.iter().map(|input| tape.constant(input)).collect();
            let terms = case.record(&tape, &inputs).unreduced().value().unwrap().to_f64s();
            let figure = case.figure(&case.inputs).unwrap();
            assert_eq!(figure.panels.len(), terms.len());
            for (panel, term) in figure.panels.iter().zip(terms) {
                let Chart::Table(table) = &panel.charts[0] else { panic!("it is a table") };
                let framed = table.cells.iter().flatten().filter(|cell| cell.framed);
                let found: f64 = framed.map(|cell| -cell.shade.ln()).sum();
                // A list of padding alone is masked.
                assert!((found - term).abs() < 1e-12, "{setting}: {found} {term}");
            }
        }
    }

    #[test]
    fn inputs_that_do_not_go_together_have_no_figure() {
        let case = Case::new(&ROW, "", 0).unwrap();
        let other = Tensor::from([1.0, 2.0]);
        assert_eq!(case.figure(&[case.inputs[0].clone(), other]), None);
        assert_eq!(case.figure(&case.inputs[..1]), None);
    }
}
