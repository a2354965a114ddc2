//! Golden files of the family `divergence`.

use lossgraph_losses::{JensenShannon, KlDiv};

use super::super::case::{Adapter, Inputs, Reply};
use super::{broadcasts, reduced};

pub const FILES: &[(&str, Adapter)] = &[
    ("kl_div", |x| {
        let (log_target, broadcast) = (x.flag("log_target"), broadcasts(x));
        let loss = KlDiv { log_target, broadcast, ..KlDiv::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("js_divergence", |x| {
        let loss = JensenShannon { broadcast: broadcasts(x), ..JensenShannon::default() };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("optax_kl_divergence", |x| per_row(x, KlDiv::default(), "targets")),
    ("optax_kl_divergence_with_log_targets", |x| {
        per_row(x, KlDiv { log_target: true, ..KlDiv::default() }, "log_targets")
    }),
    ("optax_generalized_kl_divergence", |x| {
        per_row(x, KlDiv { generalized: true, ..KlDiv::default() }, "targets")
    }),
];

/// The divergence along the last axis, not reduced, as optax has it.
fn per_row<'t>(x: &Inputs<'t>, loss: KlDiv, targets: &str) -> Reply<'t> {
    let loss = KlDiv { per_row: true, ..loss };
    loss.forward(x.var("log_predictions"), x.var(targets)).unreduced().into()
}
