//! Golden files of the family `classification`.

use lossgraph_losses::{Bce, BceWithLogits, LinearCrossEntropy, Nll};

use super::super::case::Adapter;
use super::{cross_entropy, ignore_index, reduced};

pub const FILES: &[(&str, Adapter)] = &[
    ("nll_loss", |x| {
        let loss = Nll { weight: x.tensor("weight"), ignore_index: ignore_index(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("cross_entropy", |x| reduced(x, cross_entropy(x, "input", "target"))),
    ("linear_cross_entropy", |x| {
        let loss = LinearCrossEntropy {
            bias: x.maybe("linear_bias"),
            weight: x.tensor("weight"),
            ignore_index: ignore_index(x),
            label_smoothing: x.number("label_smoothing").unwrap_or(0.0),
            ..LinearCrossEntropy::default()
        };
        reduced(x, loss.forward(x.var("input"), x.var("linear_weight"), x.var("target")))
    }),
    ("binary_cross_entropy", |x| {
        let loss = Bce { weight: x.tensor("weight") };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("binary_cross_entropy_with_logits", |x| {
        let (weight, pos_weight) = (x.tensor("weight"), x.tensor("pos_weight"));
        let loss = BceWithLogits { weight, pos_weight };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
];
