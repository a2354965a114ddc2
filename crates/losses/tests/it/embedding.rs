//! Losses of embeddings where there is little to compare, or vectors lie on each other.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::*;
use lossgraph_tensor::{DType, Tensor};

/// A loss of a batch, as one number.
type OfBatch = for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>;

/// A loss of class vectors.
type OfClasses = for<'t> fn(Var<'t>, Var<'t>, Var<'t>) -> Terms<'t>;

/// Losses of pairs and triplets in their usual reductions.
const OF_BATCHES: [(&str, OfBatch); 18] = [
    ("contrastive", |e, y| contrastive(e, y, 1.0).mean()),
    ("nt_xent", |e, y| nt_xent(e, y, 0.1).reduce(Reduction::MeanOrZero)),
    ("sup_con", |e, y| sup_con(e, y, 0.1).reduce(Reduction::NonZeroMean)),
    ("n_pairs", |e, y| n_pairs(e, y).reduce(Reduction::MeanOrZero)),
    ("lifted_structure", |e, y| lifted_structure(e, y, 1.0).reduce(Reduction::MeanOrZero)),
    ("generalized_lifted_structure", |e, y| {
        generalized_lifted_structure(e, y, 1.0).reduce(Reduction::MeanOrZero)
    }),
    ("multi_similarity", |e, y| multi_similarity(e, y).reduce(Reduction::MeanOrZero)),
    ("circle", |e, y| circle(e, y).reduce(Reduction::NonZeroMean)),
    ("angular", |e, y| angular(e, y, 0.7).reduce(Reduction::MeanOrZero)),
    ("margin", |e, y| margin(e, y, e.tape().scalar(1.2)).mean()),
    ("tuplet_margin", |e, y| tuplet_margin(e, y, 0.1).reduce(Reduction::MeanOrZero)),
    ("fast_ap", |e, y| fast_ap(e, y).reduce(Reduction::MeanOrZero)),
    ("smooth_ap", |e, y| smooth_ap(e, y, 0.01).reduce(Reduction::MeanOrZero)),
    ("pnp", |e, y| pnp(e, y, 0.01).reduce(Reduction::MeanOrZero)),
    ("nca", |e, y| nca(e, y, 1.0).reduce(Reduction::MeanOrZero)),
    ("intra_pair_variance", |e, y| intra_pair_variance(e, y).mean()),
    ("threshold_consistent_margin", |e, y| threshold_consistent_margin(e, y).mean()),
    ("triplet_margin", |e, y| {
        let loss = TripletMargin { distance: Distance::UNIT, swap: true, ..Default::default() };
        loss.over(&Triplets::of(Pairs::of(e, y))).reduce(Reduction::NonZeroMean)
    }),
];

#[test]
fn a_batch_of_one_or_of_none_is_0_with_slope_0() {
    for (name, loss) in OF_BATCHES {
        for batch in [0, 1] {
            let tape = Tape::f64();
            let e = tape.variable(Tensor::ones([batch, 2], DType::F64).unwrap());
            let loss = loss(e, tape.labels(&vec![3; batch]));
            let gradient = tape.grad(loss, &[e])[0];
            let values = tape.eval(&[loss, gradient]);
            let values = values.unwrap_or_else(|error| panic!("{name} of {batch}: {error}"));
            assert_eq!(values[0].item().unwrap(), 0.0, "{name} of {batch}");
            assert_eq!(values[1].to_f64s(), vec![0.0; 2 * batch], "{name} of {batch}");
        }
    }
}

#[test]
fn vectors_that_lie_on_each_other_have_finite_slopes_in_single_precision() {
    for (name, loss) in OF_BATCHES {
        let tape = Tape::new();
        let e = tape.variable([[0.3, 0.4], [0.3, 0.4], [3.0, 4.0], [-0.3, -0.4]]);
        let gradients = loss(e, tape.labels(&[0, 0, 1, 1])).backward().unwrap();
        assert!(gradients.loss().is_finite(), "{name}: {}", gradients.loss());
        let slope = gradients.of(e).unwrap().to_f64s();
        assert!(slope.iter().all(|x| x.is_finite()), "{name}: {slope:?}");
    }
}

#[test]
fn an_embedding_on_its_class_vector_has_a_finite_slope() {
    let losses: [OfClasses; 3] = [
        |e, w, y| arc_face(e, w, y, 0.5),
        |e, w, y| sphere_face(e, w, y, 4),
        |e, w, y| large_margin_softmax(e, w, y, 4),
    ];
    for loss in losses {
        let tape = Tape::new();
        let e = tape.variable([[0.3, 0.4], [-0.6, -0.8]]);
        let w = tape.variable([[0.3, 0.4], [0.4, -0.3]]);
        let gradients = loss(e, w, tape.labels(&[0, 0])).mean().backward().unwrap();
        for var in [e, w] {
            let slope = gradients.of(var).unwrap().to_f64s();
            assert!(slope.iter().all(|x| x.is_finite()), "{slope:?}");
        }
    }
}

#[test]
fn class_vectors_in_columns_and_labels_that_are_no_class_are_refused() {
    let losses: [(&str, OfClasses); 8] = [
        ("arc_face", |e, w, y| arc_face(e, w, y, 0.5)),
        ("cos_face", |e, w, y| cos_face(e, w, y, 0.35)),
        ("norm_softmax", |e, w, y| norm_softmax(e, w, y, 0.05)),
        ("sphere_face", |e, w, y| sphere_face(e, w, y, 4)),
        ("large_margin_softmax", |e, w, y| large_margin_softmax(e, w, y, 4)),
        ("soft_triple", |e, w, y| soft_triple(e, w, y, 1)),
        ("proxy_nca", |e, w, y| proxy_nca(e, w, y, 1.0)),
        ("center", center),
    ];
    let tape = Tape::f64();
    let e = tape.constant([[1.0, 2.0]]);
    let columns = tape.constant([[1.0; 3]; 2]);
    let rows = tape.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    for (name, loss) in losses {
        let error = loss(e, columns, tape.labels(&[0])).mean().item().unwrap_err();
        assert!(error.to_string().starts_with(&format!("{name}: embeddings [1, 2]")), "{error}");
        assert!(format!("{error:?}").contains("perhaps: vectors.t()"), "{error:?}");
        let error = loss(e, rows, tape.labels(&[3])).mean().item().unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
        assert!(error.to_string().contains("label 3"), "{error}");
    }
}

#[test]
fn labels_that_are_not_one_for_each_embedding_are_refused_at_the_callers_line() {
    let tape = Tape::f64();
    let e = tape.constant([[1.0, 2.0], [3.0, 4.0]]);
    for (name, loss) in OF_BATCHES {
        assert!(loss(e, tape.labels(&[0])).item().is_err(), "{name}");
    }
    let line = line!() + 1;
    let error = nt_xent(e, tape.labels(&[0]), 0.5).mean().item().unwrap_err();
    assert!(error.location().unwrap().ends_with(&format!("embedding.rs:{line}")), "{error}");
}

#[test]
fn examples_to_ignore_have_no_slope_in_losses_with_class_vectors() {
    let tape = Tape::f64();
    let e = tape.variable([[1.0, 2.0], [3.0, 1.0]]);
    let w = tape.constant([[1.0, 0.0], [0.0, 1.0]]);
    let terms = cos_face(e, w, tape.constant([-100_i64, 1]), 0.35);
    let alone = cos_face(e.slice(0, 1..), w, tape.labels(&[1]), 0.35);
    assert_eq!(terms.mean().item().unwrap(), alone.mean().item().unwrap());
    let gradients = terms.mean().backward().unwrap();
    assert_eq!(gradients.of(e).unwrap().to_f64s()[..2], [0.0, 0.0]);
}

#[test]
fn temperatures_and_scales_that_are_not_above_0_are_refused() {
    let tape = Tape::f64();
    let e = tape.constant([[1.0, 2.0], [3.0, 4.0]]);
    let y = tape.labels(&[0, 0]);
    for bad in [0.0, -1.0, f64::NAN] {
        for terms in [
            nt_xent(e, y, bad),
            sup_con(e, y, bad),
            nca(e, y, bad),
            smooth_ap(e, y, bad),
            pnp(e, y, bad),
            instance(e, y, bad),
            info_nce(e, e, bad),
            nt_xent_simclr(e, e, bad),
            norm_softmax(e, e, y, bad),
        ] {
            assert!(terms.mean().item().is_err(), "{bad}");
        }
    }
}
