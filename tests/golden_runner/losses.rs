//! The losses of the folders `losses` and `losses_more`, as the catalogue computes them.

use lossgraph_autograd::{Fault, Var};
use lossgraph_losses::{
    Bce, BceWithLogits, CosineEmbedding, CrossEntropy, Distance, Huber, KlDiv, L1, Mse, Nll,
    Reduction, SmoothL1, Terms, TripletMargin,
};

use super::case::{Adapter, Inputs, Reply};

/// Every file that the catalogue has a loss for.
pub const LOSSES: &[(&str, Adapter)] = &[
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
    ("nll_loss", |x| {
        let loss = Nll { weight: x.tensor("weight"), ignore_index: ignore_index(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("cross_entropy", |x| reduced(x, cross_entropy(x, "input", "target"))),
    ("binary_cross_entropy", |x| {
        let loss = Bce { weight: x.tensor("weight") };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("binary_cross_entropy_with_logits", |x| {
        let (weight, pos_weight) = (x.tensor("weight"), x.tensor("pos_weight"));
        let loss = BceWithLogits { weight, pos_weight };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("kl_div", |x| {
        let loss = KlDiv { log_target: x.flag("log_target"), broadcast: asked(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("triplet_margin_loss", |x| {
        let eps = x.number("eps").unwrap_or(1e-6);
        triplet(x, Distance::Lp { p: x.number("p").unwrap_or(2.0), eps })
    }),
    ("triplet_margin_with_distance_loss", |x| match x.text("distance_function") {
        None | Some("pairwise_distance") => triplet(x, Distance::default()),
        Some("pairwise_l1") => triplet(x, Distance::Lp { p: 1.0, eps: 1e-6 }),
        Some("one_minus_cosine") => triplet(x, Distance::Cosine),
        Some("squared_euclidean") => triplet(x, Distance::SquaredEuclidean),
        Some("chebyshev") => triplet(x, Distance::Chebyshev),
        Some("canberra") => triplet(x, Distance::Canberra),
        Some(other) => Reply::Unsupported(format!("there is no distance {other}")),
    }),
    ("cosine_embedding_loss", |x| {
        let loss = CosineEmbedding { margin: x.number("margin").unwrap_or(0.0) };
        reduced(x, loss.forward(x.var("input1"), x.var("input2"), x.var("target")))
    }),
];

/// Cross-entropy with the options of a case; trainings use it as well.
pub fn cross_entropy<'t>(x: &Inputs<'t>, input: &str, target: &str) -> Terms<'t> {
    let loss = CrossEntropy {
        weight: x.tensor("weight"),
        ignore_index: ignore_index(x),
        label_smoothing: x.number("label_smoothing").unwrap_or(0.0),
    };
    loss.forward(x.var(input), x.var(target))
}

fn triplet<'t>(x: &Inputs<'t>, distance: Distance) -> Reply<'t> {
    let margin = x.number("margin").unwrap_or(1.0);
    let loss = TripletMargin { margin, distance, swap: x.flag("swap") };
    reduced(x, loss.forward(x.var("anchor"), x.var("positive"), x.var("negative")))
}

fn ignore_index(x: &Inputs<'_>) -> i64 {
    x.integer("ignore_index").map_or(-100, |index| index as i64)
}

/// PyTorch broadcasts unequal shapes, with a warning; here that has to be asked for.
fn asked(x: &Inputs<'_>) -> bool {
    x.var("input").shape() != x.var("target").shape()
}

/// The terms, as the option `reduction` has them.
fn reduced<'t>(x: &Inputs<'t>, terms: Terms<'t>) -> Reply<'t> {
    let reduction = x.text("reduction").unwrap_or("mean").parse::<Reduction>();
    let var: Var<'t> = match reduction {
        Ok(reduction) => terms.reduce(reduction),
        Err(error) => x.tape().fault(Fault::new("reduction", error.to_string())),
    };
    var.into()
}
