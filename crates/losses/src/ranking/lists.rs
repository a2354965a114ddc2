//! Lists of items with a score and a relevance each: what all losses of this family take.

use lossgraph_autograd::Var;
use lossgraph_tensor::{DType, Tensor, kernels::Order};

use crate::catalogue::{Domain, N, Sample, WIDE, input};
use crate::check::{Unequal, demand, pair};

/// Items of a list of the samples.
pub(super) const ITEMS: usize = 5;

/// Scores, and relevances that are floats.
pub(super) const LISTS: [Sample; 2] =
    [input("scores", &[N, ITEMS], Domain::Logits), input("relevance", &[N, ITEMS], WIDE)];

/// Grades of relevance, in which each list has one that is above 0.
pub(super) const GRADES: Domain = Domain::Floats(&[
    2.0, 0.0, 1.0, 3.0, 0.0, 0.0, 1.0, 0.0, 2.0, 1.0, 1.0, 1.0, 0.0, 0.0, 2.0, 0.0, 3.0, 2.0, 0.0,
    1.0,
]);

/// Scores and relevance, if they have one shape with an axis of items.
#[track_caller]
pub(super) fn lists<'t>(loss: &str, scores: Var<'t>, relevance: Var<'t>) -> (Var<'t>, Var<'t>) {
    let (s, t) = pair(loss, scores, relevance, Unequal::Refuse);
    (demand(loss, s.rank() > 0, || "scores have an axis of items".to_owned(), s), t)
}

/// `x[i] − x[j]` for all items of a list: `[…, item, item]`.
#[track_caller]
pub(super) fn differences(x: Var<'_>) -> Var<'_> {
    x.unsqueeze(-1) - x.unsqueeze(-2)
}

/// 1 where item `i` is more relevant than item `j`: `[…, item, item]`.
#[track_caller]
pub(super) fn preferred(relevance: Var<'_>) -> Var<'_> {
    relevance.unsqueeze(-1).gt(relevance.unsqueeze(-2))
}

/// `2^t − 1`: what an item of a relevance is worth.
#[track_caller]
pub(super) fn gain(relevance: Var<'_>) -> Var<'_> {
    (relevance * std::f64::consts::LN_2).exp_m1()
}

/// `1/log₂(1 + rank)`: what is left of a gain at a rank, counted from 1.
#[track_caller]
pub(super) fn discount(rank: Var<'_>) -> Var<'_> {
    (1.0 + rank).log2().recip()
}

/// The discounted gain of each list in its best order: `[…, 1]`.
#[track_caller]
pub(super) fn ideal<'t>(gain: Var<'t>) -> Var<'t> {
    let ranks = Tensor::arange(gain.dim(-1), DType::F64);
    let ranks = gain.tape().constant(ranks) + 1.0;
    (gain.sort(-1, Order::Descending) * discount(ranks)).sum(-1).unsqueeze(-1)
}

/// The same on plain numbers.
pub(super) fn naive_ideal(relevance: &[f64]) -> f64 {
    let mut sorted = relevance.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let each = sorted.iter().enumerate();
    each.map(|(k, t)| (2.0_f64.powf(*t) - 1.0) / (k as f64 + 2.0).log2()).sum()
}
