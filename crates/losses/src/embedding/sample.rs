//! Samples for the rows of this family, and what their naive formulas share.

use super::pairs::Pairs;
use super::parts::Parts;
use crate::catalogue::{Args, Choice, Domain, Invariance, Numbers, Sample, WIDE, input, word};
use crate::terms::Terms;

/// A batch with two classes of several examples and one of a single example.
pub(super) const BATCH: [Sample; 2] = [
    input("embeddings", &[6, 3], WIDE),
    input("labels", &[6], Domain::Integers(&[0, 0, 1, 1, 0, 2])),
];

/// Examples and a vector for each of four classes.
pub(super) const CLASSES: [Sample; 3] = [
    input("embeddings", &[5, 3], WIDE),
    input("vectors", &[4, 3], WIDE).learned(|x| vec![x.classes, x.features]),
    input("labels", &[5], Domain::Labels(4)),
];

/// Examples and eight vectors: two for each of four classes, or one for each of eight.
pub(super) const CENTERS: [Sample; 3] = [
    CLASSES[0],
    input("vectors", &[8, 3], WIDE).learned(|x| {
        vec![x.classes * x.setting.count("centers").max(x.setting.count("sub_centers")), x.features]
    }),
    CLASSES[2],
];

pub(super) const ORDER: Invariance = Invariance::Order(&["embeddings", "labels"]);

pub(super) const MEAN: Choice =
    word("reduction", &["mean_or_zero", "non_zero_mean", "sum"], "how the terms become one number");

pub(super) const NON_ZERO_MEAN: Choice =
    word("reduction", &["non_zero_mean", "mean_or_zero", "sum"], "how the terms become one number");

pub(super) const DIVISOR: Choice = word(
    "reduction",
    &["divisor", "mean_or_zero", "non_zero_mean", "sum"],
    "how the terms become one number",
);

pub(super) fn pairs<'t>(x: &Args<'t>) -> Pairs<'t> {
    Pairs::of(x.var("embeddings"), x.var("labels"))
}

/// The parts as one term, since terms of pairs have no order that a batch could keep.
pub(super) fn reduced<'t>(x: &Args<'t>, parts: impl Into<Parts<'t>>) -> Terms<'t> {
    // A setting has none but the words of its option, each of which is a reduction.
    parts.into().term(x.word("reduction").parse().unwrap_or_default())
}

/// What naive formulas ask of a batch.
impl Numbers<'_> {
    pub(super) fn label(&self, i: usize) -> usize {
        self.of("labels")[i] as usize
    }

    /// The others of the class of an example.
    pub(super) fn positives(&self, i: usize) -> Vec<usize> {
        let all = 0..self.of("labels").len();
        all.filter(|&j| j != i && self.label(i) == self.label(j)).collect()
    }

    /// The examples of other classes.
    pub(super) fn negatives(&self, i: usize) -> Vec<usize> {
        let all = 0..self.of("labels").len();
        all.filter(|&j| self.label(i) != self.label(j)).collect()
    }

    /// The pairs of one class, in both orders.
    pub(super) fn positive_pairs(&self) -> Vec<(usize, usize)> {
        let all = 0..self.of("labels").len();
        all.flat_map(|i| self.positives(i).into_iter().map(move |j| (i, j))).collect()
    }

    /// The pairs of two classes, in both orders.
    pub(super) fn negative_pairs(&self) -> Vec<(usize, usize)> {
        let all = 0..self.of("labels").len();
        all.flat_map(|i| self.negatives(i).into_iter().map(move |j| (i, j))).collect()
    }

    /// An embedding brought to length 1.
    pub(super) fn unit(&self, i: usize) -> Vec<f64> {
        unit(self.rows("embeddings")[i])
    }

    /// The cosine of two embeddings.
    pub(super) fn cosine(&self, i: usize, j: usize) -> f64 {
        dot(&self.unit(i), &self.unit(j))
    }

    /// The distance of two embeddings brought to length 1.
    pub(super) fn distance(&self, i: usize, j: usize) -> f64 {
        squared_distance(&self.unit(i), &self.unit(j)).sqrt()
    }

    /// The cosine of an embedding and a class vector.
    pub(super) fn class_cosine(&self, i: usize, class: usize) -> f64 {
        dot(&self.unit(i), &unit(self.rows("vectors")[class]))
    }

    /// The losses of pairs as the option `reduction` has them.
    pub(super) fn reduced(&self, terms: &[f64]) -> f64 {
        let sum: f64 = terms.iter().sum();
        let count = match self.word("reduction") {
            "sum" => 1,
            "non_zero_mean" => terms.iter().filter(|term| **term > 0.0).count(),
            _ => terms.len(),
        };
        if count == 0 { 0.0 } else { sum / count as f64 }
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn unit(a: &[f64]) -> Vec<f64> {
    let length = dot(a, a).sqrt();
    a.iter().map(|a| a / length).collect()
}

pub(super) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// `ln Σ eˣ`.
pub(super) fn log_sum_exp(x: &[f64]) -> f64 {
    x.iter().map(|x| x.exp()).sum::<f64>().ln()
}

/// The cross-entropy of scores against a class.
pub(super) fn cross_entropy(scores: &[f64], label: usize) -> f64 {
    log_sum_exp(scores) - scores[label]
}
