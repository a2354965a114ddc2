//! Golden files of the family `detection`.

use lossgraph_losses::Giou;

use super::super::case::Adapter;
use super::reduced;

pub const FILES: &[(&str, Adapter)] = &[("generalized_box_iou_loss", |x| {
    let loss = Giou { eps: x.number("eps").unwrap_or(1e-7) };
    reduced(x, loss.forward(x.var("input"), x.var("target")))
})];
