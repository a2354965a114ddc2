//! Lists of items with a score and a relevance each, padded to one length: what all losses of this
//! family take.

use lossgraph_autograd::Var;
use lossgraph_tensor::{DType, Tensor, kernels::Order};

use crate::catalogue::{Domain, N, Numbers, Sample, WIDE, input, option};
use crate::check::{Unequal, demand, named_pair, repeats};
use crate::terms::Terms;

/// Items of a list of the samples.
pub(super) const ITEMS: usize = 5;

/// Scores, of which −∞ is padding.
pub(super) const SCORES: Sample = input("scores", &[N, ITEMS], Domain::Logits).padded();

/// Scores, and relevances that are floats.
pub(super) const LISTS: [Sample; 3] = [SCORES, input("relevance", &[N, ITEMS], WIDE), KEEP];

/// Which items there are, in lists of different lengths.
pub(super) const KEEP: Sample = option(
    "keep",
    &[N, ITEMS],
    Domain::Integers(&[1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0]),
    "0 for items that do not count",
);

/// Grades of relevance, in which each list has one that is above 0.
pub(super) const GRADES: Domain = Domain::Floats(&[
    2.0, 0.0, 1.0, 3.0, 0.0, 0.0, 1.0, 0.0, 2.0, 1.0, 1.0, 1.0, 0.0, 0.0, 2.0, 0.0, 3.0, 2.0, 0.0,
    1.0,
]);

/// Lists of items, and which of them there are. The others are padding: no term sees it, and its
/// slope is 0.
#[derive(Clone, Copy)]
pub(super) struct Lists<'t> {
    /// The scores; 0 for padding.
    pub scores: Var<'t>,
    /// The relevance; 0 for padding.
    pub relevance: Var<'t>,
    /// 1 for items, 0 for padding.
    pub items: Var<'t>,
    /// 1 for lists with an item, 0 for those of padding alone.
    some: Var<'t>,
}

impl<'t> Lists<'t> {
    /// Scores and relevance, if they have one shape with an axis of items. What `keep` leaves out
    /// is padding, and a score of −∞.
    #[track_caller]
    pub fn new(
        loss: &str,
        scores: Var<'t>,
        relevance: Var<'t>,
        keep: Option<Var<'t>>,
    ) -> Lists<'t> {
        let (s, t) =
            named_pair(loss, ("scores", scores), ("relevance", relevance), Unequal::Refuse);
        let s = demand(loss, s.rank() > 0, || "scores have an axis of items".to_owned(), s);
        let scored = s.ne(f64::NEG_INFINITY);
        let items = match keep {
            Some(keep) => repeats(loss, "keep", keep, ("scores", s)).select(scored, 0.0),
            None => scored,
        };
        // A relevance that is NaN has no place in an order, which would hide it.
        let s = t.eq(t).select(s, f64::NAN);
        let [scores, relevance] = [s, t].map(|x| items.select(x, 0.0));
        Lists { scores, relevance, items, some: items.sum(-1).gt(0.0) }
    }

    /// A number for each item, and −∞ for padding, which a softmax and an order pass over. A list
    /// of nothing else keeps its numbers: nothing could be said of it.
    #[track_caller]
    pub fn without_padding(&self, each: Var<'t>) -> Var<'t> {
        let padding = self.some.unsqueeze(-1).select(f64::NEG_INFINITY, 0.0);
        self.items.select(each, padding)
    }

    /// 1 for pairs of two items of which the first is more relevant: `[…, item, item]`.
    #[track_caller]
    pub fn preferred(&self) -> Var<'t> {
        let Lists { relevance: t, items, .. } = *self;
        // Not greater, but not at most: a NaN is neither, and must not be passed over.
        let lower = t.unsqueeze(-1).le(t.unsqueeze(-2));
        lower.select(0.0, items.unsqueeze(-1) * items.unsqueeze(-2))
    }

    /// Terms of lists, of which those of padding alone count 0.
    #[track_caller]
    pub fn terms(&self, each: Var<'t>) -> Terms<'t> {
        Terms::new(each).masked(self.some)
    }

    /// The discounted gain of each list in its best order, of what each item is worth.
    #[track_caller]
    pub fn ideal(&self, gain: Var<'t>) -> Var<'t> {
        let ranks = Tensor::arange(gain.dim(-1), DType::F64);
        let ranks = gain.tape().constant(ranks) + 1.0;
        let best = self.items.select(gain, f64::NEG_INFINITY).sort(-1, Order::Descending);
        (best.ne(f64::NEG_INFINITY).select(best, 0.0) * discount(ranks)).sum(-1)
    }
}

/// `x[i] − x[j]` for all items of a list: `[…, item, item]`.
#[track_caller]
pub(super) fn differences(x: Var<'_>) -> Var<'_> {
    x.unsqueeze(-1) - x.unsqueeze(-2)
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

/// The terms of plain lists, without their padding: scores and relevance of the items.
pub(super) fn naive(x: &Numbers<'_>, term: impl Fn(&[f64], &[f64]) -> f64) -> Vec<f64> {
    let lists = x.rows("scores").into_iter().zip(x.rows("relevance")).enumerate();
    let unpadded = |(row, (s, t)): (usize, (&[f64], &[f64]))| {
        let kept = |i: &usize| x.maybe("keep").is_none_or(|keep| keep[row * s.len() + i] != 0.0);
        let items: Vec<usize> = (0..s.len()).filter(kept).collect();
        let of_items = |x: &[f64]| items.iter().map(|&i| x[i]).collect::<Vec<_>>();
        term(&of_items(s), &of_items(t))
    };
    lists.map(unpadded).collect()
}

/// The discounted gain of a plain list in its best order.
pub(super) fn naive_ideal(relevance: &[f64]) -> f64 {
    let mut sorted = relevance.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let each = sorted.iter().enumerate();
    each.map(|(k, t)| (2.0_f64.powf(*t) - 1.0) / (k as f64 + 2.0).log2()).sum()
}
