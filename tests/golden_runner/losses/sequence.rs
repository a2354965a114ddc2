//! Golden files of the family `sequence`.

use lossgraph_autograd::Var;
use lossgraph_losses::Ctc;
use lossgraph_tensor::Tensor;

use super::super::case::{Adapter, Inputs};
use super::reduced;

pub const FILES: &[(&str, Adapter)] = &[
    ("ctc_loss", |x| {
        let loss = Ctc { blank: blank(x, "blank"), zero_infinity: x.flag("zero_infinity") };
        // What PyTorch gives as the gradient of log-probabilities is that of logits.
        let scores = x.maybe("logits").unwrap_or_else(|| x.var("log_probs"));
        let [targets, inputs, counts] =
            ["targets", "input_lengths", "target_lengths"].map(|name| x.var(name));
        reduced(x, loss.of_logits(scores, targets, inputs, counts))
    }),
    ("optax_ctc_loss", |x| {
        let loss = Ctc { blank: blank(x, "blank_id"), zero_infinity: false };
        let [inputs, counts] = ["logit_paddings", "label_paddings"].map(|name| lengths(x, name));
        let logits = x.var("logits").transpose(0, 1);
        loss.of_logits(logits, x.var("labels"), inputs, counts).unreduced().into()
    }),
];

/// A blank that is no class stays none.
fn blank(x: &Inputs<'_>, name: &str) -> usize {
    x.integer(name).map_or(0, |blank| usize::try_from(blank).unwrap_or(usize::MAX))
}

/// How many positions of each row are not padded.
fn lengths<'t>(x: &Inputs<'t>, name: &str) -> Var<'t> {
    let paddings = x.var(name).value().expect("paddings are given");
    let rows = paddings.to_f64s();
    let width = paddings.shape()[1].max(1);
    let counts = rows.chunks(width).map(|row| row.iter().filter(|&&padded| padded == 0.0).count());
    x.tape().constant(Tensor::from(counts.map(|count| count as i64).collect::<Vec<i64>>()))
}
