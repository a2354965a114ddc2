//! Golden files of the family `embedding`.

use lossgraph_autograd::Var;
use lossgraph_losses::*;

use super::super::case::{Adapter, Inputs, Reply};
use super::{broadcasts, metric, reduced};

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
        let margin = x.number("margin").unwrap_or(0.0);
        let loss = CosineEmbedding { margin, ..CosineEmbedding::default() };
        reduced(x, loss.forward(x.var("input1"), x.var("input2"), x.var("target")))
    }),
    ("hinge_embedding_loss", |x| {
        let loss =
            HingeEmbedding { margin: x.number("margin").unwrap_or(1.0), broadcast: broadcasts(x) };
        reduced(x, loss.forward(x.var("input"), x.var("target")))
    }),
    ("margin_ranking_loss", |x| {
        let names = ["input1", "input2", "target"];
        let broadcast = names.iter().any(|name| x.var(name).shape() != x.var("target").shape());
        let loss = MarginRanking { margin: x.number("margin").unwrap_or(0.0), broadcast };
        let [first, second, target] = names.map(|name| x.var(name));
        reduced(x, loss.forward(first, second, target))
    }),
    ("optax_cosine_distance", |x| cosine_distance(x).into()),
    ("optax_cosine_similarity", |x| (1.0 - cosine_distance(x)).into()),
    ("center_loss", |x| {
        reduced(x, Center.forward(x.var("input"), x.var("centers"), x.var("target")))
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
            broadcast: false,
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
        loss.forward(x.var("anchors"), x.var("positives"), x.var("negatives")).unreduced().into()
    }),
    ("pml_NTXentLoss", |x| metric::reduced(x, nt_xent(x))),
    ("optax_ntxent", |x| metric::reduced(x, nt_xent(x))),
    ("pml_ArcFaceLoss", |x| arc_face(x, 1)),
    ("pml_SubCenterArcFaceLoss", |x| arc_face(x, x.integer("sub_centers").unwrap_or(3) as usize)),
    ("pml_ProxyAnchorLoss", |x| {
        let loss = ProxyAnchor {
            margin: x.number("margin").unwrap_or(0.1),
            alpha: x.number("alpha").unwrap_or(32.0),
        };
        let parts = loss.forward(x.var("embeddings"), x.var("proxies"), x.var("labels"));
        metric::reduced(x, parts)
    }),
    ("pml_ProxyNCALoss", |x| {
        let loss = ProxyNca {
            scale: x.number("softmax_scale").unwrap_or(1.0),
            distance: metric::distance(x, Distance::UNIT_SQUARED),
        };
        metric::reduced(x, loss.forward(x.var("embeddings"), x.var("proxies"), x.var("labels")))
    }),
    ("pml_CosFaceLoss", |x| {
        let margin = x.number("margin").unwrap_or(0.35);
        let loss = CosFace { margin, scale: x.number("scale").unwrap_or(64.0) };
        of_classes(x, "W", |e, w, labels| loss.forward(e, w, labels))
    }),
    ("pml_SphereFaceLoss", |x| {
        let margin = x.integer("margin").unwrap_or(4) as usize;
        let loss = SphereFace { margin, scale: x.number("scale").unwrap_or(1.0) };
        of_classes(x, "W", |e, w, labels| loss.forward(e, w, labels))
    }),
    ("pml_LargeMarginSoftmaxLoss", |x| {
        let margin = x.integer("margin").unwrap_or(4) as usize;
        let loss = LargeMarginSoftmax { margin, scale: x.number("scale").unwrap_or(1.0) };
        of_classes(x, "W", |e, w, labels| loss.forward(e, w, labels))
    }),
    ("pml_NormalizedSoftmaxLoss", |x| {
        let temperature = x.number("temperature").unwrap_or(0.05);
        let distance = metric::distance(x, Distance::CosineSimilarity);
        let loss = NormSoftmax { temperature, distance, ..NormSoftmax::default() };
        of_classes(x, "W", |e, w, labels| loss.forward(e, w, labels))
    }),
    ("pml_SoftTripleLoss", |x| {
        let loss = SoftTriple {
            centers: x.integer("centers_per_class").unwrap_or(10) as usize,
            la: x.number("la").unwrap_or(20.0),
            gamma: x.number("gamma").unwrap_or(0.1),
            margin: x.number("margin").unwrap_or(0.01),
        };
        of_classes(x, "fc", |e, w, labels| loss.forward(e, w, labels))
    }),
    ("pml_SupConLoss", |x| {
        let temperature = x.number("temperature").unwrap_or(0.1);
        let distance = metric::distance(x, Distance::CosineSimilarity);
        metric::reduced(x, SupCon { temperature, distance }.forward(metric::pairs(x)))
    }),
    ("pml_NPairsLoss", |x| {
        let distance = metric::distance(x, Distance::CosineSimilarity);
        metric::reduced(x, NPairs { distance }.forward(metric::pairs(x), x.var("labels")))
    }),
    ("pml_LiftedStructureLoss", |x| {
        let loss = LiftedStructure {
            positive_margin: x.number("pos_margin").unwrap_or(0.0),
            negative_margin: x.number("neg_margin").unwrap_or(1.0),
            distance: metric::distance(x, Distance::UNIT),
        };
        metric::reduced(x, loss.forward(metric::pairs(x)))
    }),
    ("pml_GeneralizedLiftedStructureLoss", |x| {
        let loss = GeneralizedLiftedStructure {
            positive_margin: x.number("pos_margin").unwrap_or(0.0),
            negative_margin: x.number("neg_margin").unwrap_or(1.0),
            distance: metric::distance(x, Distance::UNIT),
        };
        metric::reduced(x, loss.forward(metric::pairs(x)))
    }),
    ("pml_MultiSimilarityLoss", |x| {
        let loss = MultiSimilarity {
            alpha: x.number("alpha").unwrap_or(2.0),
            beta: x.number("beta").unwrap_or(50.0),
            base: x.number("base").unwrap_or(0.5),
            distance: metric::distance(x, Distance::CosineSimilarity),
        };
        metric::reduced(x, loss.forward(metric::pairs(x)))
    }),
    ("pml_CircleLoss", |x| {
        let loss = Circle {
            m: x.number("m").unwrap_or(0.4),
            gamma: x.number("gamma").unwrap_or(80.0),
            distance: metric::distance(x, Distance::CosineSimilarity),
        };
        metric::reduced(x, loss.forward(metric::pairs(x)))
    }),
    ("pml_AngularLoss", |x| {
        let loss = Angular { alpha: x.number("alpha").unwrap_or(40.0).to_radians() };
        // Whatever pairs are mined, the library takes all examples of other classes as negatives.
        let pairs = Pairs { negative: metric::labeled(x).negative, ..metric::pairs(x) };
        metric::reduced(x, loss.forward(pairs))
    }),
    ("pml_MarginLoss", |x| {
        let loss = Margin {
            margin: x.number("margin").unwrap_or(0.2),
            nu: 0.0, // a price of learned borders alone, which these are not
            distance: metric::distance(x, Distance::UNIT),
        };
        let beta = x.tape().scalar(x.number("beta").unwrap_or(1.2));
        metric::reduced(x, loss.forward(&metric::triplets(x), beta))
    }),
    ("pml_TupletMarginLoss", |x| {
        let margin = x.number("margin").unwrap_or(5.73).to_radians();
        let loss = TupletMargin { margin, scale: x.number("scale").unwrap_or(64.0) };
        metric::reduced(x, loss.forward(metric::pairs(x)))
    }),
    ("pml_FastAPLoss", |x| {
        let distance = metric::distance(x, Distance::UNIT_SQUARED);
        let range = match distance {
            Distance::Norm { power, .. } => 2.0_f64.powf(power),
            _ => 4.0,
        };
        let loss = FastAp { bins: x.integer("num_bins").unwrap_or(10) as usize, range, distance };
        metric::reduced(x, loss.forward(metric::labeled(x)))
    }),
    ("pml_SmoothAPLoss", |x| {
        let loss = SmoothAp { temperature: x.number("temperature").unwrap_or(0.01) };
        metric::reduced(x, loss.forward(x.var("embeddings"), x.var("labels")))
    }),
    ("pml_PNPLoss", |x| {
        let variant = match x.text("variant") {
            Some("Ds") => PnpVariant::Logarithm,
            Some("Dq") => PnpVariant::Power(x.number("alpha").unwrap_or(1.0)),
            Some("Iu") => PnpVariant::Entropy,
            Some("Ib") => PnpVariant::Bounded(x.number("b").unwrap_or(2.0)),
            _ => PnpVariant::Count,
        };
        let loss = Pnp { temperature: x.number("anneal").unwrap_or(0.01), variant };
        let terms = loss.forward(x.var("embeddings"), x.var("labels"));
        terms.reduce(Reduction::MeanOrZero).into()
    }),
    ("pml_NCALoss", |x| {
        let loss = Nca {
            scale: x.number("softmax_scale").unwrap_or(1.0),
            distance: metric::distance(x, Distance::UNIT_SQUARED),
        };
        metric::reduced(x, loss.forward(metric::labeled(x)))
    }),
    ("pml_InstanceLoss", |x| {
        let loss = Instance { gamma: x.number("gamma").unwrap_or(64.0) };
        metric::reduced(x, loss.forward(x.var("embeddings"), x.var("labels")))
    }),
    ("pml_IntraPairVarianceLoss", |x| {
        let loss = IntraPairVariance {
            positive_eps: x.number("pos_eps").unwrap_or(0.01),
            negative_eps: x.number("neg_eps").unwrap_or(0.01),
            distance: metric::distance(x, Distance::CosineSimilarity),
        };
        metric::reduced(x, loss.forward(metric::pairs(x)))
    }),
    ("pml_ThresholdConsistentMarginLoss", |x| {
        let loss = ThresholdConsistentMargin {
            lambda_plus: x.number("lambda_plus").unwrap_or(1.0),
            lambda_minus: x.number("lambda_minus").unwrap_or(1.0),
            margin_plus: x.number("margin_plus").unwrap_or(0.9),
            margin_minus: x.number("margin_minus").unwrap_or(0.5),
        };
        loss.forward(metric::pairs(x)).reduce(Reduction::MeanOrZero).into()
    }),
];

fn cosine_distance<'t>(x: &Inputs<'t>) -> Var<'t> {
    let axis = x.integer("axis").unwrap_or(-1);
    let loss = CosineDistance { eps: x.number("epsilon").unwrap_or(0.0) };
    let [predictions, targets] =
        ["predictions", "targets"].map(|name| x.var(name).transpose(axis, -1));
    loss.forward(predictions, targets).unreduced()
}

/// A loss with class weights, which the library has in columns.
fn of_classes<'t>(
    x: &Inputs<'t>,
    weights: &str,
    loss: impl Fn(Var<'t>, Var<'t>, Var<'t>) -> Terms<'t>,
) -> Reply<'t> {
    metric::reduced(x, loss(x.var("embeddings"), x.var(weights).t(), x.var("labels")))
}

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

/// The library's margins are degrees.
fn arc_face<'t>(x: &Inputs<'t>, sub_centers: usize) -> Reply<'t> {
    let margin = x.number("margin").unwrap_or(28.6).to_radians();
    let loss = ArcFace { margin, scale: x.number("scale").unwrap_or(64.0), sub_centers };
    of_classes(x, "W", |e, w, labels| loss.forward(e, w, labels))
}

fn triplet<'t>(x: &Inputs<'t>, distance: Distance) -> Reply<'t> {
    let margin = x.number("margin").unwrap_or(1.0);
    let swap = x.flag("swap");
    let loss = TripletMargin { margin, distance, swap, ..TripletMargin::default() };
    reduced(x, loss.forward(x.var("anchor"), x.var("positive"), x.var("negative")))
}
