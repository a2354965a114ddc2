//! The views of losses, compared with snapshots, which `LOSSGRAPH_BLESS=1` rewrites.

#[path = "support/snapshot.rs"]
mod snapshot;

use std::path::Path;

use lossgraph::explain::{Graph, Level};
use lossgraph::losses::{ALL, Case};
use lossgraph::prelude::*;
use snapshot::assert_snapshot;

/// Compares a view with its snapshot.
fn compare(name: &str, view: &str) {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    assert_snapshot(&snapshots.join(name), view);
}

fn cross_entropy_graph() -> Graph {
    let tape = Tape::f64();
    let logits = tape.variable([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]]);
    let labels = tape.labels(&[0, 2]);
    Graph::of(cross_entropy(logits, labels).mean())
        .unwrap()
        .name(logits, "logits")
        .name(labels, "labels")
}

fn huber_graph() -> Graph {
    let tape = Tape::f64();
    let prediction = tape.variable([0.5, 3.0, -1.0]);
    let target = tape.constant([0.0, 0.0, 0.0]);
    Graph::of(huber(prediction, target, 1.0).mean())
        .unwrap()
        .name(prediction, "prediction")
        .name(target, "target")
}

fn triplet_graph() -> Graph {
    let tape = Tape::f64();
    let [anchor, positive, negative] = [
        tape.variable([[1.0, 0.0], [0.0, 1.0]]),
        tape.variable([[0.8, 0.1], [0.5, 0.5]]),
        tape.variable([[-1.0, 0.3], [0.1, 0.9]]),
    ];
    Graph::of(triplet_margin(anchor, positive, negative, 1.0).mean())
        .unwrap()
        .name(anchor, "anchor")
        .name(positive, "positive")
        .name(negative, "negative")
}

fn mlp_graph() -> Graph {
    let tape = Tape::f64();
    let model = Mlp::new(&[4, 8, 3], &mut lossgraph::rng(1)).unwrap();
    let x = tape.constant([[0.1, -0.4, 1.0, 0.3], [1.2, 0.7, -0.2, 0.0]]);
    let logits = model.forward(x);
    Graph::of(cross_entropy(logits, tape.labels(&[1, 2])).mean()).unwrap().name(x, "x")
}

/// Every loss of the catalogue in every setting, as a graph and as what `grad` says of its nodes.
fn catalogue(look: impl Fn(&str, &Graph, &[Option<Tensor>])) {
    for loss in ALL {
        for case in Case::grid(loss, 3).unwrap() {
            let tape = Tape::f64();
            let inputs: Vec<Var<'_>> = case.inputs.iter().map(|x| tape.input(x)).collect();
            let mean = case.record(&tape, &inputs).mean();
            let graph = Graph::of(mean).unwrap();
            let vars: Vec<Option<Var<'_>>> = graph
                .nodes
                .iter()
                .map(|node| tape.var(node.number).filter(|var| var.dtype().is_float()))
                .collect();
            let floats: Vec<Var<'_>> = vars.iter().flatten().copied().collect();
            let mut found = tape.grad(mean, &floats).into_iter();
            let gradients: Vec<Option<Tensor>> = vars
                .iter()
                .map(|var| var.and_then(|_| found.next()).and_then(|g| g.value().ok()))
                .collect();
            look(&case.title(), &graph, &gradients);
        }
    }
}

/// Equal but for the rounding of a sum in another order, whose terms are as large as the largest
/// gradient of the program.
fn assert_near(graph: &Graph, a: &Tensor, b: &Tensor, title: &str) {
    let gradients = graph.nodes.iter().filter_map(|node| node.gradient.as_ref());
    let largest = gradients.flat_map(|g| g.to_f64s()).map(f64::abs).fold(0.0, f64::max);
    assert!(a.allclose(b, 1e-12, 1e-13 * largest), "{title}: {a:?} {b:?}");
}

#[test]
fn the_gradient_shown_at_every_node_is_that_of_grad() {
    catalogue(|title, graph, gradients| {
        for (node, expected) in graph.nodes.iter().zip(gradients) {
            match (&node.gradient, expected) {
                (Some(shown), Some(expected)) => {
                    assert_near(graph, shown, expected, &format!("{title}: {}", node.op));
                }
                (None, None) => {}
                (shown, _) => panic!("{title}: {} shows {shown:?}", node.op),
            }
        }
    });
}

#[test]
fn what_flows_back_adds_up_to_the_gradient_of_every_node() {
    catalogue(|title, graph, _| {
        for (at, node) in graph.nodes.iter().enumerate().take(graph.nodes.len() - 1) {
            let Some(gradient) = &node.gradient else { continue };
            let mut total = vec![0.0; gradient.len()];
            for (reader, slot) in graph.readers(at) {
                if let Some(flow) = &graph.nodes[reader].inputs[slot].flow {
                    total.iter_mut().zip(flow.value.to_f64s()).for_each(|(sum, x)| *sum += x);
                }
            }
            let total = Tensor::new(gradient.shape().clone(), total).unwrap();
            assert_near(
                graph,
                &total,
                gradient,
                &format!("{title}: {} of {}", node.op, node.number),
            );
        }
    });
}

#[test]
fn every_picture_of_the_catalogue_keeps_its_boxes_apart() {
    fn check(title: &str, level: &Level) {
        for (i, a) in level.boxes.iter().enumerate() {
            assert!(a.x > -0.01 && a.x + a.width < level.width + 0.01, "{title}: {a:?}");
            assert!(a.y > -0.01 && a.y + a.height < level.height + 0.01, "{title}: {a:?}");
            for b in &level.boxes[i + 1..] {
                let beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
                let apart = beside || a.y + a.height <= b.y || b.y + b.height <= a.y;
                assert!(apart, "{title}: {a:?} {b:?}");
            }
        }
        level.boxes.iter().filter_map(|shown| shown.inside.as_ref()).for_each(|l| check(title, l));
    }
    catalogue(|title, graph, _| check(title, &graph.level(None, usize::MAX)));
}

/// The names of the groups of the teaching view of a loss.
fn taught(loss: Var<'_>) -> Vec<String> {
    let data = lossgraph::explain::page(loss.tape(), loss).data().unwrap();
    let data = serde_json::to_value(data).unwrap();
    let groups = data["views"]["teaching"]["groups"].as_array().unwrap();
    groups.iter().map(|group| group["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_net_of_twelve_equal_layers_is_taught_as_one_box() {
    let widths: Vec<usize> = std::iter::once(2).chain([8; 13]).chain([3]).collect();
    let net = Mlp::new(&widths, &mut lossgraph::rng(0)).unwrap();
    let tape = Tape::f64();
    let logits = net.forward(tape.constant([[0.5, -1.0], [1.0, 2.0]]));
    let groups = taught(cross_entropy(logits, tape.labels(&[0, 1])).mean());
    let boxes: Vec<&String> = groups.iter().filter(|name| name.contains(" × 12")).collect();
    assert_eq!(boxes.len(), 1, "{groups:?}");
}

#[test]
fn a_layer_recorded_in_a_loop_is_taught_as_one_box() {
    let layer = Linear::new(4, 4, &mut lossgraph::rng(0)).unwrap();
    let tape = Tape::f64();
    let x = tape.variable([[0.1, 0.2, 0.3, 0.4]]);
    let y = (0..12).fold(x, |x, _| layer.forward(x).relu());
    let groups = taught(y.square().mean(..));
    assert!(groups.iter().any(|name| name.ends_with(" × 12")), "{groups:?}");
}

#[test]
fn the_steps_of_a_recurrent_net_are_taught_as_one_box() {
    let net = lossgraph::nn::Rnn::new(2, 3, &mut lossgraph::rng(0)).unwrap();
    let tape = Tape::f64();
    let x = tape.variable(
        Tensor::new([1, 6, 2], (0..12).map(|i| 0.1 * f64::from(i)).collect::<Vec<_>>()).unwrap(),
    );
    let (output, _) = net.forward_from(x, None, Mode::Evaluate);
    let groups = taught(output.square().mean(..));
    assert!(groups.contains(&"step × 6".to_owned()), "{groups:?}");
    assert!(groups.contains(&"step 5".to_owned()), "{groups:?}");
}

#[test]
fn listings_and_diagrams_are_as_they_were() {
    for (name, graph) in [
        ("cross_entropy", cross_entropy_graph()),
        ("huber", huber_graph()),
        ("triplet_margin", triplet_graph()),
    ] {
        compare(&format!("{name}.txt"), &graph.listing().to_string());
        compare(&format!("{name}.dot"), &graph.dot(1));
        compare(&format!("{name}.mmd"), &graph.mermaid(1));
    }
}

#[test]
fn pictures_are_as_they_were() {
    compare("../../docs/cross_entropy.svg", &cross_entropy_graph().svg(1));
    compare("huber.0.svg", &huber_graph().svg(0));
    compare("huber.1.svg", &huber_graph().svg(1));
    compare("triplet_margin.1.svg", &triplet_graph().svg(1));
    for depth in 0..=2 {
        compare(&format!("mlp.{depth}.svg"), &mlp_graph().svg(depth));
    }
}
