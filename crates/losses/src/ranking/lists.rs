//! Lists of items with scores and relevances: what the losses of their order share.

use lossgraph_autograd::Var;
use lossgraph_tensor::Tensor;
use lossgraph_tensor::kernels::Order;

use crate::catalogue::{Domain, Numbers, Sample, input, option};
use crate::check::{Unequal, alike, demand, pair};

/// Lists along the last axis.
#[derive(Clone, Copy)]
pub(super) struct Lists<'t> {
    /// Of items that count; 0 elsewhere.
    pub scores: Var<'t>,
    /// Of items that count; 0 elsewhere.
    pub relevance: Var<'t>,
    mask: Option<Var<'t>>,
}

impl<'t> Lists<'t> {
    #[track_caller]
    pub fn new(
        loss: &str,
        scores: Var<'t>,
        relevance: Var<'t>,
        mask: Option<Var<'t>>,
    ) -> Lists<'t> {
        let why = || "lists of items have an axis".to_owned();
        let scores = demand(loss, scores.rank() > 0, why, scores);
        let (scores, relevance) = pair(loss, scores, relevance, Unequal::Refuse);
        let mask = mask.map(|mask| alike(loss, "mask", mask, scores));
        let lists = Lists { scores, relevance, mask };
        Lists {
            scores: lists.of_items(scores, 0.0),
            relevance: lists.of_items(relevance, 0.0),
            mask,
        }
    }

    /// One number an item, and another one for those that do not count.
    pub fn of_items(&self, x: Var<'t>, otherwise: f64) -> Var<'t> {
        self.mask.map_or(x, |mask| mask.select(x, otherwise))
    }

    /// A softmax, or its logarithm, over the items that count; 0 elsewhere.
    pub fn among_items(&self, x: Var<'t>, softmax: impl Fn(Var<'t>) -> Var<'t>) -> Var<'t> {
        self.of_items(softmax(self.of_items(x, f64::NEG_INFINITY)), 0.0)
    }

    /// 1 for the pairs of items in which the first is more relevant: `[…, item, item]`.
    pub fn preferred(&self) -> Var<'t> {
        let more = self.relevance.unsqueeze(-1).gt(self.relevance.unsqueeze(-2));
        self.mask.map_or(more, |mask| {
            let counts = mask.ne(0.0);
            more * counts.unsqueeze(-1) * counts.unsqueeze(-2)
        })
    }

    /// `2^relevance − 1`.
    pub fn gains(&self) -> Var<'t> {
        (self.relevance * std::f64::consts::LN_2).exp_m1()
    }

    /// The discounted gain of the best order, 1 where there is none to be had.
    pub fn best_gain(&self) -> Var<'t> {
        let discounts = (0..self.scores.extent(-1)).map(|place| 1.0 / (place as f64 + 2.0).log2());
        let discounts = self.scores.tape().constant(Tensor::from(discounts.collect::<Vec<f64>>()));
        let best = (self.gains().sort(-1, Order::Descending) * discounts).sum(-1);
        best.eq(0.0).select(1.0, best)
    }

    /// The place of each item by descending scores, from 1; of equal ones, the first comes first,
    /// and those that do not count come last.
    pub fn ranks(&self) -> Var<'t> {
        let order = self.of_items(self.scores, f64::NEG_INFINITY).argsort(-1, Order::Descending);
        order.to_float().argsort(-1, Order::Ascending).to_float() + 1.0
    }
}

/// `xᵢ − xⱼ`: `[…, item, item]`.
pub(super) fn differences(x: Var<'_>) -> Var<'_> {
    x.unsqueeze(-1) - x.unsqueeze(-2)
}

/// What an item at a rank counts: `1 / log₂(1 + rank)`.
pub(super) fn discount(rank: Var<'_>) -> Var<'_> {
    (rank + 1.0).log2().recip()
}

const SHAPE: &[usize] = &[4, 3];

/// What the losses take: scores, relevances, and perhaps a mask.
pub(super) const LISTS: [Sample; 3] = [
    input("scores", SHAPE, Domain::Logits),
    input("relevance", SHAPE, Domain::Between(0.0, 3.0)),
    option("mask", SHAPE, Domain::Integers(&[1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1])),
];

/// The items of each list that count, as plain pairs of score and relevance.
pub(super) fn plain(x: &Numbers<'_>) -> Vec<Vec<(f64, f64)>> {
    let (scores, relevance) = (x.rows("scores"), x.rows("relevance"));
    let counts = |at: usize| x.weight("mask", at) != 0.0;
    let list = |(row, (scores, relevance)): (usize, (&[f64], &[f64]))| {
        let items = scores.iter().copied().zip(relevance.iter().copied()).enumerate();
        items.filter(|(i, _)| counts(row * scores.len() + i)).map(|(_, item)| item).collect()
    };
    scores.into_iter().zip(relevance).enumerate().map(list).collect()
}

/// The discounted gain of items in an order.
pub(super) fn plain_gain(items: impl Iterator<Item = f64>) -> f64 {
    let gain =
        |(place, relevance): (usize, f64)| (relevance.exp2() - 1.0) / (place as f64 + 2.0).log2();
    items.enumerate().map(gain).sum()
}

/// The discounted gain of the best order.
pub(super) fn plain_best_gain(list: &[(f64, f64)]) -> f64 {
    let mut relevance: Vec<f64> = list.iter().map(|item| item.1).collect();
    relevance.sort_by(|a, b| b.total_cmp(a));
    plain_gain(relevance.into_iter())
}
