//! The losses of the folders `losses` and `losses_more`, as the catalogue computes them: a file for
//! each family.

mod classification;
mod detection;
mod divergence;
mod embedding;
mod metric;
mod pictures;
mod ranking;
mod regression;
mod segmentation;
mod self_supervised;
mod sequence;

use lossgraph_autograd::{Fault, Var};
use lossgraph_losses::{CrossEntropy, Reduction, Terms};

use super::case::{Adapter, Inputs, Reply};

/// How the catalogue computes the loss of a file.
pub fn find(stem: &str) -> Option<Adapter> {
    let families = [
        classification::FILES,
        detection::FILES,
        divergence::FILES,
        embedding::FILES,
        pictures::FILES,
        ranking::FILES,
        regression::FILES,
        segmentation::FILES,
        self_supervised::FILES,
        sequence::FILES,
    ];
    let found = families.into_iter().flatten().find(|(name, _)| *name == stem);
    found.map(|(_, adapter)| *adapter)
}

/// Cross-entropy with the options of a case; trainings use it as well.
pub fn cross_entropy<'t>(x: &Inputs<'t>, input: &str, target: &str) -> Terms<'t> {
    let loss = CrossEntropy {
        weight: x.tensor("weight"),
        ignore_index: ignore_index(x),
        label_smoothing: x.number("label_smoothing").unwrap_or(0.0),
        ..CrossEntropy::default()
    };
    loss.forward(x.var(input), x.var(target))
}

fn ignore_index(x: &Inputs<'_>) -> i64 {
    x.integer("ignore_index").map_or(-100, |index| index as i64)
}

/// PyTorch broadcasts unequal shapes, with a warning; here that is an option.
fn broadcasts(x: &Inputs<'_>) -> bool {
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
