//! Metrics: how good predictions are.

use std::fmt;

use lossgraph_tensor::Tensor;

use crate::error::{Error, Result};

fn invalid<T>(subject: &'static str, why: impl Into<String>) -> Result<T> {
    Err(Error::Metric { subject, why: why.into() })
}

/// The argmax of each row of scores `[examples, classes]`; the first of equals.
fn classes_of(subject: &'static str, scores: &Tensor, labels: &[usize]) -> Result<Vec<usize>> {
    let [examples, classes] = scores.shape()[..] else {
        return invalid(
            subject,
            format!("scores are {}, expected [examples, classes]", scores.shape()),
        );
    };
    if examples != labels.len() {
        return invalid(
            subject,
            format!("expected a label for each of {examples} examples, given {}", labels.len()),
        );
    }
    if examples == 0 || classes == 0 {
        return invalid(
            subject,
            format!("scores are {}, expected at least one example and class", scores.shape()),
        );
    }
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        return invalid(subject, format!("label {label} is out of range for {classes} classes"));
    }
    let scores = scores.to_f64s();
    if let Some(at) = scores.iter().position(|score| score.is_nan()) {
        return invalid(
            subject,
            format!(
                "a score of example {} is NaN: `tape.find_nan` names the op that made it",
                at / classes
            ),
        );
    }
    let best = |row: &[f64]| {
        (0..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best })
    };
    Ok(scores.chunks(classes).map(best).collect())
}

/// The share of examples whose largest score, of `[examples, classes]`, is that of their label.
///
/// # Errors
/// No example; numbers of examples and labels that differ; a label out of range.
pub fn accuracy(scores: &Tensor, labels: &[usize]) -> Result<f64> {
    let predicted = classes_of("accuracy", scores, labels)?;
    let right = predicted.iter().zip(labels).filter(|(a, b)| a == b).count();
    Ok(right as f64 / labels.len() as f64)
}

/// How many examples of each class were predicted as each class. Prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// By label, then by prediction.
    counts: Vec<Vec<usize>>,
}

impl ConfusionMatrix {
    /// Counts the largest scores of `[examples, classes]`.
    ///
    /// # Errors
    /// As for [`accuracy`].
    pub fn new(scores: &Tensor, labels: &[usize]) -> Result<ConfusionMatrix> {
        let predicted = classes_of("confusion matrix", scores, labels)?;
        let classes = scores.shape()[1];
        let mut counts = vec![vec![0; classes]; classes];
        for (&label, prediction) in labels.iter().zip(predicted) {
            counts[label][prediction] += 1;
        }
        Ok(ConfusionMatrix { counts })
    }

    /// How many examples with a label were predicted as a class.
    pub fn count(&self, label: usize, prediction: usize) -> usize {
        self.counts.get(label).and_then(|row| row.get(prediction)).copied().unwrap_or(0)
    }

    /// The share of examples on the diagonal.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..self.counts.len()).map(|class| self.count(class, class)).sum();
        right as f64 / self.counts.iter().flatten().sum::<usize>() as f64
    }

    /// For each class, the share of its examples that were predicted as it; NaN without examples.
    pub fn recall(&self) -> Vec<f64> {
        let share = |(class, row): (usize, &Vec<usize>)| {
            row[class] as f64 / row.iter().sum::<usize>() as f64
        };
        self.counts.iter().enumerate().map(share).collect()
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.counts.iter().flatten().copied().max().unwrap_or(0);
        let width = largest.max(self.counts.len()).to_string().len().max(2) + 1;
        write!(f, "label \\ predicted")?;
        writeln!(f)?;
        write!(f, "     ")?;
        (0..self.counts.len()).try_for_each(|class| write!(f, "{class:>width$}"))?;
        writeln!(f, "   recall")?;
        for ((class, row), recall) in self.counts.iter().enumerate().zip(self.recall()) {
            write!(f, "{class:>5}")?;
            for &count in row {
                // Zeros would drown the mistakes.
                match count {
                    0 => write!(f, "{:>width$}", "·")?,
                    _ => write!(f, "{count:>width$}")?,
                }
            }
            match recall.is_nan() {
                true => writeln!(f, "       –")?,
                false => writeln!(f, "  {:>6.1} %", 100.0 * recall)?,
            }
        }
        Ok(())
    }
}

/// The share of examples that have another one of their class among their `k` nearest, by the
/// Euclidean distance of embeddings `[examples, features]`.
///
/// # Errors
/// Fewer than two examples; numbers of examples and labels that differ; `k` that is 0.
pub fn recall_at_k(embeddings: &Tensor, labels: &[usize], k: usize) -> Result<f64> {
    let subject = "recall@k";
    let [examples, features] = embeddings.shape()[..] else {
        let shape = embeddings.shape();
        return invalid(subject, format!("embeddings are {shape}, expected [examples, features]"));
    };
    if examples != labels.len() {
        return invalid(
            subject,
            format!("expected a label for each of {examples} examples, given {}", labels.len()),
        );
    }
    if examples < 2 || k == 0 {
        return invalid(
            subject,
            format!("{examples} examples and k = {k}, expected at least 2 and 1"),
        );
    }
    let data = embeddings.to_f64s();
    if let Some(at) = data.iter().position(|x| !x.is_finite()) {
        return invalid(
            subject,
            format!(
                "the embedding of example {} is not finite: `tape.find_nan` names the op that made it",
                at / features
            ),
        );
    }
    let row = |i: usize| &data[i * features..(i + 1) * features];
    let hit = |i: &usize| {
        let distance =
            |j: usize| -> f64 { row(*i).iter().zip(row(j)).map(|(a, b)| (a - b) * (a - b)).sum() };
        let mut others: Vec<(f64, usize)> =
            (0..examples).filter(|j| j != i).map(|j| (distance(j), j)).collect();
        let nearest = k.min(others.len());
        others.select_nth_unstable_by(nearest - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        others[..nearest].iter().any(|&(_, j)| labels[j] == labels[*i])
    };
    Ok((0..examples).filter(hit).count() as f64 / examples as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_counts_the_largest_scores() {
        let scores = Tensor::from([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]);
        assert_eq!(accuracy(&scores, &[1, 0, 0, 0]).unwrap(), 0.75);
        assert!(accuracy(&scores, &[1, 0]).is_err());
        assert!(accuracy(&scores, &[1, 0, 0, 2]).is_err());
        let error = accuracy(&Tensor::from([[0.1, 0.9], [f64::NAN, 0.2]]), &[1, 0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "accuracy: a score of example 1 is NaN: `tape.find_nan` names the op that made it"
        );
    }

    #[test]
    fn mistakes_stand_beside_the_diagonal() {
        let scores = Tensor::from([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]);
        let matrix = ConfusionMatrix::new(&scores, &[1, 0, 0]).unwrap();
        assert_eq!((matrix.count(0, 1), matrix.count(1, 0)), (1, 0));
        assert_eq!(matrix.recall(), [0.5, 1.0]);
        let table = "label \\ predicted\n       0  1   recall\n    0  1  1    50.0 %\n    1  ·  1   100.0 %\n";
        assert_eq!(matrix.to_string(), table);
    }

    #[test]
    fn recall_looks_for_a_relative_among_the_nearest() {
        let points = Tensor::from([[0.0], [1.0], [1.4], [10.0]]);
        assert_eq!(recall_at_k(&points, &[0, 0, 1, 1], 1).unwrap(), 0.5);
        assert_eq!(recall_at_k(&points, &[0, 0, 1, 1], 2).unwrap(), 0.75);
        assert!(recall_at_k(&points, &[0, 0, 1, 1], 0).is_err());
        let far = Tensor::from([[0.0], [f64::INFINITY], [f64::NEG_INFINITY], [1.0]]);
        assert!(recall_at_k(&far, &[0, 0, 1, 1], 1).is_err());
    }
}
