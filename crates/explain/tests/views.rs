//! The views of small programs, compared with snapshots, which `LOSSGRAPH_BLESS=1` rewrites.

#[path = "../../../tests/support/snapshot.rs"]
mod snapshot;

use std::path::Path;

use lossgraph_autograd::Tape;
use lossgraph_explain::Graph;
use snapshot::assert_snapshot;

/// Compares a view with its snapshot.
fn compare(name: &str, view: &str) {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    assert_snapshot(&snapshots.join(name), view);
}

/// Groups in groups, a fan-out, a detach, labels, and numbers that are not finite.
fn programs() -> Vec<(&'static str, Graph)> {
    let length = || {
        let tape = Tape::f64();
        let x = tape.variable([3.0, 4.0]);
        Graph::of(tape.scope("length", || x.square().sum(..).sqrt()))
            .map(|graph| graph.name(x, "x"))
    };
    let softmax = || {
        let tape = Tape::new();
        let z = tape.variable([[2.0, 1.0, 0.0], [0.5, 0.5, 8.0]]);
        let loss = tape.scope("cross_entropy", || {
            let log_p = tape.scope("log_softmax", || z.log_softmax(1));
            let picked = log_p.gather(1, tape.constant([[0_i64], [1]]));
            -picked.mean(..)
        });
        Graph::of(loss).map(|graph| graph.name(z, "logits"))
    };
    let broken = || {
        let tape = Tape::f64();
        let x = tape.variable([0.0, 1.0]);
        Graph::of((x.ln() * x).sum(..))
    };
    [("length", length()), ("softmax", softmax()), ("broken", broken())]
        .into_iter()
        .map(|(name, graph)| (name, graph.unwrap()))
        .collect()
}

#[test]
fn listings_are_as_they_were() {
    for (name, graph) in programs() {
        compare(&format!("{name}.txt"), &graph.listing().with_locations().to_string());
    }
}

#[test]
fn diagrams_are_as_they_were() {
    for (name, graph) in programs() {
        for depth in [0, 1, 2] {
            compare(&format!("{name}.{depth}.dot"), &graph.dot(depth));
            compare(&format!("{name}.{depth}.mmd"), &graph.mermaid(depth));
        }
    }
}

#[test]
fn pictures_are_as_they_were() {
    for (name, graph) in programs() {
        for depth in [0, 1, 2] {
            compare(&format!("{name}.{depth}.svg"), &graph.svg(depth));
        }
    }
}

#[test]
fn json_is_as_it_was() {
    for (name, graph) in programs() {
        compare(&format!("{name}.json"), &format!("{:#}\n", graph.json(1)));
    }
}
