//! A loss with vectors for its classes, trained like any layer.

use lossgraph::prelude::*;

/// Twelve points in three bunches, and their classes.
fn bunches() -> (Tensor, Vec<usize>) {
    let middles = [[2.0, 0.0], [-1.0, 2.0], [-1.0, -2.0]];
    let labels: Vec<usize> = (0..12).map(|i| i % 3).collect();
    let points = (0..12).flat_map(|i| {
        let turn = i as f64;
        let [x, y] = middles[labels[i]];
        [x + 0.3 * turn.cos(), y + 0.3 * turn.sin()]
    });
    (Tensor::new([12, 2], points.collect::<Vec<f64>>()).unwrap(), labels)
}

/// Trains a linear embedding and proxies; gives the first loss, the last, and the share of points
/// whose nearest proxy is that of their class.
fn trained(loss: for<'t> fn(Var<'t>, Var<'t>, Var<'t>) -> Terms<'t>) -> (f64, f64, f64) {
    let mut rng = lossgraph::rng(1);
    let model = Linear::new(2, 4, &mut rng).unwrap();
    let proxies = ClassVectors::new(3, 4, &mut rng).unwrap();
    let rule = Adam { lr: 0.05, ..Adam::default() };
    let mut optimizer = rule.over(&model).unwrap().and(rule, proxies.parameters()).unwrap();
    let (points, labels) = bunches();
    let before = proxies.parameter().value();
    let mut losses = Vec::new();
    for _ in 0..100 {
        let tape = Tape::new();
        let embeddings = model.forward_train(tape.constant(&points));
        let gradients =
            loss(embeddings, proxies.on(&tape), tape.labels(&labels)).mean().backward().unwrap();
        losses.push(gradients.loss());
        optimizer.step(&gradients).unwrap();
    }
    assert!(!proxies.parameter().value().allclose(&before, 1e-3, 1e-3), "the proxies stayed");
    let tape = Tape::new();
    let embeddings = model.forward(tape.constant(&points));
    let scores = Distance::CosineSimilarity.between_all(embeddings, proxies.on(&tape));
    (losses[0], losses[99], accuracy(&scores.value().unwrap(), &labels).unwrap())
}

#[test]
fn proxies_are_trained_with_the_embedding_until_each_point_is_nearest_to_its_own() {
    let (first, last, right) = trained(proxy_anchor);
    assert!(last < first / 10.0, "{first} to {last}");
    assert_eq!(right, 1.0);
}

struct Model {
    encoder: Linear,
    proxies: ClassVectors,
}

module!(Model { encoder, proxies });

#[test]
fn proxies_are_a_part_of_a_model_that_is_trained_saved_and_loaded_with_it() {
    let model = |seed| {
        let mut rng = lossgraph::rng(seed);
        let encoder = Linear::new(2, 4, &mut rng).unwrap();
        Model { encoder, proxies: ClassVectors::new(3, 4, &mut rng).unwrap() }
    };
    let (trained, loaded) = (model(1), model(2));
    let names: Vec<String> = trained.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["encoder.weight", "encoder.bias", "proxies.class_vectors"]);
    let before = trained.proxies.parameter().value();
    let mut optimizer = Adam::default().over(&trained).unwrap();
    let tape = Tape::new();
    let (points, labels) = bunches();
    let embeddings = trained.encoder.forward_train(tape.constant(&points));
    let loss = proxy_anchor(embeddings, trained.proxies.on(&tape), tape.labels(&labels)).mean();
    optimizer.step(&loss.backward().unwrap()).unwrap();
    assert_ne!(trained.proxies.parameter().value(), before);
    let path = std::env::temp_dir().join(format!("lossgraph-proxies-{}", std::process::id()));
    save(&trained, &[], &path).unwrap();
    load(&loaded, &path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(loaded.proxies.parameter().value(), trained.proxies.parameter().value());
    // In doubles, they have all digits that were drawn.
    let drawn = model(3).with_dtype(DType::F64).proxies.parameter().value();
    assert_ne!(drawn, drawn.to_dtype(DType::F32).to_dtype(DType::F64));
}

#[test]
fn class_weights_are_trained_with_a_margin_on_their_angle() {
    let (first, last, right) = trained(|e, w, labels| arc_face(e, w, labels, 0.5));
    assert!(last < first / 10.0, "{first} to {last}");
    assert_eq!(right, 1.0);
}

#[test]
fn class_clusters_are_a_part_of_a_model_under_the_names_of_pytorch() {
    let rng = &mut lossgraph::rng(0);
    let clusters = ClassClusters::new(8, 20, &[4, 10], 2.0, rng).unwrap().with_head_bias();
    let module: &dyn Module = &clusters;
    let names: Vec<String> = module.parameters().into_iter().map(|(name, _)| name).collect();
    let expected = ["head.weight", "head.bias", "tail.0.0.weight", "tail.0.1.weight"];
    assert_eq!(names[..4], expected);
    assert_eq!(names[4..], ["tail.1.0.weight", "tail.1.1.weight"]);

    // A step moves the head and the cluster that a label fell into, and no other.
    let before = module.parameters().into_iter().map(|(_, p)| p.value()).collect::<Vec<Tensor>>();
    let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.over(module).unwrap();
    let tape = Tape::new();
    let features = tape.constant(Tensor::ones([1, 8], DType::F32).unwrap());
    let loss = clusters.on(&tape).forward(features, tape.labels(&[5])).mean();
    optimizer.step(&loss.backward().unwrap()).unwrap();
    let after = module.parameters().into_iter().map(|(_, p)| p.value());
    let moved: Vec<bool> = before.iter().zip(after).map(|(a, b)| *a != b).collect();
    assert_eq!(moved, [true, true, true, true, false, false]);
}
