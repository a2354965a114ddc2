//! Golden files of the family `embedding`.

use lossgraph_losses::{
    ArcFace, Contrastive, CosineEmbedding, Distance, NtXent, Parts, ProxyAnchor, Terms,
    TripletMargin,
};

use super::super::case::{Adapter, Inputs, Reply};
use super::{metric, reduced};

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
    ("pml_ContrastiveLoss", |x| metric::reduced(x, contrastive(x, Distance::UNIT))),
    ("pml_SignalToNoiseRatioContrastiveLoss", |x| {
        metric::reduced(x, contrastive(x, Distance::Snr))
    }),
    ("pml_TripletMarginLoss", |x| {
        let loss = TripletMargin {
            margin: x.number("margin").unwrap_or(0.05),
            distance: metric::distance(x, Distance::UNIT),
            swap: x.flag("swap"),
            smooth: x.flag("smooth_loss"),
        };
        metric::reduced(x, loss.over(&metric::triplets(x)))
    }),
    ("optax_triplet_margin_loss", |x| {
        let p = x.number("norm_degree").unwrap_or(2.0);
        let loss = TripletMargin {
            margin: x.number("margin").unwrap_or(1.0),
            distance: Distance::Smoothed { p, eps: x.number("eps").unwrap_or(1e-6) },
            ..TripletMargin::default()
        };
        loss.forward(x.var("anchors"), x.var("positives"), x.var("negatives")).each().into()
    }),
    ("pml_NTXentLoss", |x| metric::reduced(x, nt_xent(x))),
    ("optax_ntxent", |x| metric::reduced(x, nt_xent(x))),
    ("pml_ArcFaceLoss", |x| metric::reduced(x, arc_face(x, 1))),
    ("pml_SubCenterArcFaceLoss", |x| {
        metric::reduced(x, arc_face(x, x.integer("sub_centers").unwrap_or(3) as usize))
    }),
    ("pml_ProxyAnchorLoss", |x| {
        let loss = ProxyAnchor {
            margin: x.number("margin").unwrap_or(0.1),
            alpha: x.number("alpha").unwrap_or(32.0),
        };
        let parts = loss.forward(x.var("embeddings"), x.var("proxies"), x.var("labels"));
        metric::reduced(x, parts)
    }),
];

fn contrastive<'t>(x: &Inputs<'t>, default: Distance) -> Parts<'t> {
    let loss = Contrastive {
        positive_margin: x.number("pos_margin").unwrap_or(0.0),
        negative_margin: x.number("neg_margin").unwrap_or(1.0),
        distance: metric::distance(x, default),
    };
    loss.forward(metric::pairs(x))
}

fn nt_xent<'t>(x: &Inputs<'t>) -> Terms<'t> {
    let temperature = x.number("temperature").unwrap_or(0.07);
    let distance = metric::distance(x, Distance::CosineSimilarity);
    NtXent { temperature, distance }.forward(metric::pairs(x))
}

/// The library's class weights stand in columns, its margins are degrees.
fn arc_face<'t>(x: &Inputs<'t>, sub_centers: usize) -> Terms<'t> {
    let margin = x.number("margin").unwrap_or(28.6).to_radians();
    let scale = x.number("scale").unwrap_or(64.0);
    let loss = ArcFace { margin, scale, sub_centers };
    loss.forward(x.var("embeddings"), x.var("W").t(), x.var("labels"))
}

fn triplet<'t>(x: &Inputs<'t>, distance: Distance) -> Reply<'t> {
    let margin = x.number("margin").unwrap_or(1.0);
    let loss = TripletMargin { margin, distance, swap: x.flag("swap"), smooth: false };
    reduced(x, loss.forward(x.var("anchor"), x.var("positive"), x.var("negative")))
}
