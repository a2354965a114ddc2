//! How good classifiers are.

use std::fmt;

use lossgraph_tensor::Tensor;

use super::invalid;
use crate::error::Result;

/// The rows of scores `[examples, classes]`, one for each label.
fn rows_of(subject: &'static str, scores: &Tensor, labels: &[usize]) -> Result<(Vec<f64>, usize)> {
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
    Ok((scores, classes))
}

/// The argmax of each row of scores `[examples, classes]`; the first of equals.
fn classes_of(subject: &'static str, scores: &Tensor, labels: &[usize]) -> Result<Vec<usize>> {
    let (scores, classes) = rows_of(subject, scores, labels)?;
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

/// The share of examples whose label is among the `k` classes with the largest scores, of
/// `[examples, classes]`; of equal scores, the first counts as the larger.
///
/// # Errors
/// As for [`accuracy`]; `k` that is 0.
///
/// # Source
/// scikit-learn's `top_k_accuracy_score`.
#[doc(alias = "top_k_accuracy_score")]
pub fn top_k_accuracy(scores: &Tensor, labels: &[usize], k: usize) -> Result<f64> {
    let subject = "top-k accuracy";
    let (scores, classes) = rows_of(subject, scores, labels)?;
    if k == 0 {
        return invalid(subject, "k is 0, expected 1 or more");
    }
    let hit = |&(row, &label): &(&[f64], &usize)| {
        let before = |class: &usize| {
            row[*class] > row[label] || (row[*class] == row[label] && *class < label)
        };
        (0..classes).filter(before).count() < k
    };
    let hits = scores.chunks(classes).zip(labels).filter(hit).count();
    Ok(hits as f64 / labels.len() as f64)
}

/// The area under the curve of true positives by false positives: the chance that an example of the
/// class has a larger score than another one, with ties counted half.
///
/// Scores are `[examples]`, for labels 0 and 1, or `[examples, classes]`: then it is the mean over the
/// classes of each against the rest.
///
/// ```
/// use lossgraph_nn::metrics::roc_auc;
/// use lossgraph_tensor::Tensor;
///
/// assert_eq!(roc_auc(&Tensor::from([0.1, 0.4, 0.35, 0.8]), &[0, 0, 1, 1])?, 0.75);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Errors
/// As for [`accuracy`]; a class without examples, or with all of them.
///
/// # Source
/// scikit-learn's `roc_auc_score`, with `multi_class="ovr"`.
#[doc(alias = "roc_auc_score")]
pub fn roc_auc(scores: &Tensor, labels: &[usize]) -> Result<f64> {
    let subject = "ROC-AUC";
    if scores.rank() == 1 {
        // The score of class 0 decides nothing, so that any number stands for it.
        let columns = scores.unsqueeze(1)?.expand([scores.len(), 2])?;
        let (rows, _) = rows_of(subject, &columns, labels)?;
        return area(subject, &rows.chunks(2).map(|row| row[1]).collect::<Vec<f64>>(), labels, 1);
    }
    let (rows, classes) = rows_of(subject, scores, labels)?;
    let of = |class: usize| {
        let column: Vec<f64> = rows.chunks(classes).map(|row| row[class]).collect();
        area(subject, &column, labels, class)
    };
    Ok((0..classes).map(of).sum::<Result<f64>>()? / classes as f64)
}

/// The area for a class against the rest, by the ranks of its examples (Mann and Whitney).
fn area(subject: &'static str, scores: &[f64], labels: &[usize], class: usize) -> Result<f64> {
    let positive = labels.iter().filter(|&&label| label == class).count();
    let negative = labels.len() - positive;
    if positive == 0 || negative == 0 {
        return invalid(
            subject,
            format!(
                "{positive} of {} examples are of class {class}, expected some of it and some of \
                 others",
                labels.len()
            ),
        );
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut wins) = (0.0, 0.0);
    for ties in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let won = ties.iter().filter(|&&i| labels[i] == class).count() as f64;
        let lost = ties.len() as f64 - won;
        wins += won * (below + lost / 2.0);
        below += lost;
    }
    Ok(wins / (positive as f64 * negative as f64))
}

/// How figures of classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Averaging {
    /// The mean over the classes that have an example or a prediction.
    Macro,
    /// That of all examples together: each counts once.
    Micro,
    /// The mean over the classes, by their numbers of examples.
    Weighted,
}

/// How many examples of each class were predicted as each class. Prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// By label, then by prediction.
    counts: Vec<Vec<usize>>,
    /// What the classes are called, where that is more than their numbers.
    names: Vec<String>,
}

impl ConfusionMatrix {
    /// Counts the largest scores of `[examples, classes]`.
    ///
    /// # Errors
    /// As for [`accuracy`].
    pub fn new(scores: &Tensor, labels: &[usize]) -> Result<ConfusionMatrix> {
        let predicted = classes_of("confusion matrix", scores, labels)?;
        ConfusionMatrix::of_classes(&predicted, labels, scores.shape()[1])
    }

    /// Counts predicted classes: of examples, or of the pixels of masks.
    ///
    /// # Errors
    /// Numbers of predictions and labels that differ; a class out of range.
    pub fn of_classes(predicted: &[usize], labels: &[usize], classes: usize) -> Result<Self> {
        let subject = "confusion matrix";
        if predicted.len() != labels.len() {
            let (given, expected) = (predicted.len(), labels.len());
            return invalid(subject, format!("{given} predictions for {expected} labels"));
        }
        let mut counts = vec![vec![0; classes]; classes];
        for (&label, &prediction) in labels.iter().zip(predicted) {
            let (label, prediction) = match (label < classes, prediction < classes) {
                (true, true) => (label, prediction),
                (false, _) => {
                    let why = format!("label {label} is out of range for {classes} classes");
                    return invalid(subject, why);
                }
                _ => {
                    let why = format!("class {prediction} is out of range for {classes} classes");
                    return invalid(subject, why);
                }
            };
            counts[label][prediction] += 1;
        }
        Ok(ConfusionMatrix { counts, names: Vec::new() })
    }

    /// The same with names for its classes, in order, as it prints them.
    ///
    /// ```
    /// use lossgraph_nn::ConfusionMatrix;
    ///
    /// let matrix = ConfusionMatrix::of_classes(&[0, 1, 1], &[0, 1, 0], 2)?;
    /// let table = matrix.with_names(&["cat", "dog"]).to_string();
    /// assert!(table.contains("  cat   1   1    50.0 %"), "{table}");
    /// # Ok::<(), lossgraph_nn::Error>(())
    /// ```
    pub fn with_names(self, names: &[impl AsRef<str>]) -> ConfusionMatrix {
        ConfusionMatrix {
            names: names.iter().map(|name| name.as_ref().to_owned()).collect(),
            ..self
        }
    }

    /// The name of a class: its number, if it has no other.
    fn name(&self, class: usize) -> String {
        // Longer names would leave no room for the numbers.
        const MOST: usize = 16;
        match self.names.get(class) {
            Some(name) if name.chars().count() > MOST => {
                name.chars().take(MOST - 1).chain(['…']).collect()
            }
            Some(name) => name.clone(),
            None => class.to_string(),
        }
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

    /// True positives, false positives and false negatives of a class.
    fn hits(&self, class: usize) -> [f64; 3] {
        let right = self.counts[class][class];
        let of_class: usize = self.counts[class].iter().sum();
        let as_class: usize = self.counts.iter().map(|row| row[class]).sum();
        [right, as_class - right, of_class - right].map(|count| count as f64)
    }

    /// A figure of hits, averaged. Where it is 0/0, it is 0.
    fn averaged(&self, averaging: Averaging, figure: fn([f64; 3]) -> f64) -> f64 {
        let defined = |hits: [f64; 3]| {
            let figure = figure(hits);
            if figure.is_nan() { 0.0 } else { figure }
        };
        let all = || (0..self.counts.len()).map(|class| self.hits(class));
        let mean = |weight: fn([f64; 3]) -> f64| {
            let sum: f64 = all().map(|hits| weight(hits) * defined(hits)).sum();
            sum / all().map(weight).sum::<f64>()
        };
        match averaging {
            Averaging::Micro => defined(all().fold([0.0; 3], |sum, hits| {
                [sum[0] + hits[0], sum[1] + hits[1], sum[2] + hits[2]]
            })),
            Averaging::Macro => mean(|hits| f64::from(hits.iter().any(|&count| count > 0.0))),
            Averaging::Weighted => mean(|[right, _, missed]| right + missed),
        }
    }

    /// Of the examples that were predicted as a class, the share that are of it. A class that was never
    /// predicted has 0.
    ///
    /// # Source
    /// scikit-learn's `precision_score`.
    #[doc(alias = "precision_score")]
    pub fn precision(&self, averaging: Averaging) -> f64 {
        self.averaged(averaging, |[right, wrong, _]| right / (right + wrong))
    }

    /// Of the examples of a class, the share that were predicted as it. A class without examples has 0.
    ///
    /// # Source
    /// scikit-learn's `recall_score`.
    #[doc(alias = "recall_score")]
    pub fn averaged_recall(&self, averaging: Averaging) -> f64 {
        self.averaged(averaging, |[right, _, missed]| right / (right + missed))
    }

    /// The harmonic mean of precision and recall.
    ///
    /// # Source
    /// scikit-learn's `f1_score`.
    #[doc(alias = "f1_score")]
    pub fn f1(&self, averaging: Averaging) -> f64 {
        self.averaged(averaging, |[right, wrong, missed]| {
            2.0 * right / (2.0 * right + wrong + missed)
        })
    }

    /// The intersection of what is of a class and what was predicted as it, over their union: of the
    /// pixels of masks.
    ///
    /// # Source
    /// scikit-learn's `jaccard_score`.
    #[doc(alias = "jaccard_score")]
    pub fn intersection_over_union(&self, averaging: Averaging) -> f64 {
        self.averaged(averaging, |[right, wrong, missed]| right / (right + wrong + missed))
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
        let narrow = largest.max(self.counts.len()).to_string().len().max(2) + 1;
        let names: Vec<String> = (0..self.counts.len()).map(|class| self.name(class)).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let first = longest.max(5);
        // Names stand above the columns if a line of a terminal has room for them.
        let is_wide = first + names.len() * (longest + 1) + 9 <= 80;
        let width = if is_wide { narrow.max(longest + 1) } else { narrow };
        write!(f, "label \\ predicted")?;
        writeln!(f)?;
        write!(f, "{:first$}", "")?;
        for (class, name) in names.iter().enumerate() {
            match is_wide {
                true => write!(f, "{name:>width$}")?,
                false => write!(f, "{class:>width$}")?,
            }
        }
        writeln!(f, "   recall")?;
        for ((name, row), recall) in names.iter().zip(&self.counts).zip(self.recall()) {
            write!(f, "{name:>first$}")?;
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
    fn the_label_is_among_the_k_largest_scores_and_ties_go_to_the_first() {
        let scores =
            Tensor::from([[0.5, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]]);
        assert_eq!(top_k_accuracy(&scores, &[0, 1, 2, 2], 2).unwrap(), 0.75);
        assert_eq!(top_k_accuracy(&scores, &[1, 1, 2, 2], 2).unwrap(), 0.75);
        assert_eq!(top_k_accuracy(&scores, &[2, 1, 2, 2], 2).unwrap(), 0.5);
        for labels in [[0, 1, 2, 2], [2, 2, 1, 0]] {
            let first = top_k_accuracy(&scores, &labels, 1).unwrap();
            assert_eq!(first, accuracy(&scores, &labels).unwrap());
            assert_eq!(top_k_accuracy(&scores, &labels, 3).unwrap(), 1.0);
        }
        assert!(top_k_accuracy(&scores, &[0, 1, 2, 2], 0).is_err());
    }

    /// Labels 0 1 2 0 1 2 with predictions 0 2 1 0 0 1, as in scikit-learn's documentation.
    fn documented() -> ConfusionMatrix {
        ConfusionMatrix::of_classes(&[0, 2, 1, 0, 0, 1], &[0, 1, 2, 0, 1, 2], 4).unwrap()
    }

    #[test]
    fn precision_recall_and_f1_are_averaged_as_in_scikit_learn() {
        let matrix = documented();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} and {b}");
        near(matrix.precision(Averaging::Macro), 2.0 / 9.0);
        near(matrix.precision(Averaging::Micro), 1.0 / 3.0);
        near(matrix.precision(Averaging::Weighted), 2.0 / 9.0);
        near(matrix.averaged_recall(Averaging::Macro), 1.0 / 3.0);
        near(matrix.f1(Averaging::Macro), 0.8 / 3.0);
        near(matrix.f1(Averaging::Micro), 1.0 / 3.0);
        near(matrix.intersection_over_union(Averaging::Macro), 2.0 / 9.0);
        near(matrix.intersection_over_union(Averaging::Micro), 0.2);
    }

    #[test]
    fn the_area_counts_pairs_in_order_and_ties_half() {
        let scores = Tensor::from([0.5, 0.5, 0.9, 0.1]);
        // Of four pairs: 0.5 against 0.5 ½, 0.5 against 0.1 1, 0.9 against both 2.
        assert_eq!(roc_auc(&scores, &[1, 0, 1, 0]).unwrap(), 0.875);
        let three =
            Tensor::from([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.2, 0.5, 0.3], [0.4, 0.1, 0.5]]);
        // Class 0: 3 of 3 pairs; class 1: the scores 0.4 and 0.5 against 0.1 and 0.1; class 2: 3 of 3.
        assert_eq!(roc_auc(&three, &[0, 1, 1, 2]).unwrap(), 1.0);
        let error = roc_auc(&scores, &[1, 1, 1, 1]).unwrap_err().to_string();
        assert!(error.starts_with("ROC-AUC: 4 of 4 examples are of class 1"), "{error}");
        assert!(roc_auc(&scores, &[0, 1, 2, 1]).is_err());
    }
}
