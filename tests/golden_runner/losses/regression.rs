//! Golden files of the family `regression`.

use lossgraph_losses::{Huber, L1, Mse, SmoothL1};

use super::super::case::Adapter;
use super::{asked, reduced};

pub const FILES: &[(&str, Adapter)] = &[
    ("mse_loss", |x| {
        let loss = Mse { weight: x.tensor("weight"), broadcast: asked(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("l1_loss", |x| {
        let loss = L1 { weight: x.tensor("weight"), broadcast: asked(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("smooth_l1_loss", |x| {
        let beta = x.number("beta").unwrap_or(1.0);
        let loss = SmoothL1 { beta, weight: None, broadcast: asked(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("huber_loss", |x| {
        let delta = x.number("delta").unwrap_or(1.0);
        let loss = Huber { delta, weight: x.tensor("weight"), broadcast: asked(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
];
