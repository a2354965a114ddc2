//! The Lovász extension of Jaccard's index, which its two losses share.

use lossgraph_autograd::{Var, keep};
use lossgraph_tensor::kernels::Order;

use crate::rows::times;

/// The extension along the last axis: what each error adds to the loss of Jaccard's index if the
/// errors are let in one by one, the largest first, times the error. Errors below 0 cost nothing.
#[track_caller]
pub(super) fn extension<'t>(errors: Var<'t>, foreground: Var<'t>) -> Var<'t> {
    let order = errors.argsort(-1, Order::Descending);
    let (e, t) = (errors.gather(-1, order), foreground.gather(-1, order));
    let total = t.sum(keep(-1));
    let jaccard = 1.0 - (total - t.cumsum(-1)) / (total + (1.0 - t).cumsum(-1));
    let mut around = vec![(0, 0); e.rank().saturating_sub(1)];
    around.push((1, 0));
    let before = jaccard.slice(-1, ..-1).pad(&around, 0.0);
    times(jaccard - before, e.relu()).sum(-1)
}

/// The extension on plain numbers, by its definition: the index of the set of pixels that are wrong
/// so far, `|M| / |foreground ∪ M|`.
pub(super) fn naive(errors: &[f64], foreground: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..errors.len()).collect();
    order.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    let index = |wrong: &[usize]| {
        let union = (0..errors.len()).filter(|i| foreground[*i] || wrong.contains(i)).count();
        wrong.len() as f64 / union.max(1) as f64
    };
    let step = |k: usize| index(&order[..=k]) - index(&order[..k]);
    (0..order.len()).map(|k| errors[order[k]].max(0.0) * step(k)).sum()
}
