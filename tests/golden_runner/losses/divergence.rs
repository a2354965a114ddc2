//! Golden files of the family `divergence`.

use lossgraph_losses::KlDiv;

use super::super::case::Adapter;
use super::{asked, reduced};

pub const FILES: &[(&str, Adapter)] = &[("kl_div", |x| {
    let loss = KlDiv { log_target: x.flag("log_target"), broadcast: asked(x) };
    reduced(x, loss.forward(x.var("input"), x.var("target")))
})];
