//! Golden files of the family `embedding`.

use lossgraph_losses::{CosineEmbedding, Distance, TripletMargin};

use super::super::case::{Adapter, Inputs, Reply};
use super::reduced;

pub const FILES: &[(&str, Adapter)] = &[
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

fn triplet<'t>(x: &Inputs<'t>, distance: Distance) -> Reply<'t> {
    let margin = x.number("margin").unwrap_or(1.0);
    let loss = TripletMargin { margin, distance, swap: x.flag("swap") };
    reduced(x, loss.forward(x.var("anchor"), x.var("positive"), x.var("negative")))
}
