//! Golden files of the family `ranking`.

use lossgraph_losses::{LambdaRank, RankNet, RankingSoftmax, list_mle, list_net};

use super::super::case::Adapter;
use super::reduced;

pub const FILES: &[(&str, Adapter)] = &[
    ("ranknet_loss", |x| {
        let loss = RankNet { sigma: x.number("sigma").unwrap_or(1.0), ..RankNet::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("lambdarank_loss", |x| {
        let loss = LambdaRank { sigma: x.number("sigma").unwrap_or(1.0), ..LambdaRank::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("listnet_loss", |x| reduced(x, list_net(x.var("input"), x.var("target")))),
    ("listmle_loss", |x| reduced(x, list_mle(x.var("input"), x.var("target")))),
    ("optax_ranking_softmax_loss", |x| {
        let loss = RankingSoftmax { weight: x.tensor("weights"), keep: x.tensor("where") };
        reduced(x, loss.forward(x.var("logits"), x.var("labels")))
    }),
];
