//! How good embeddings and rankings are.

use lossgraph_tensor::Tensor;

use super::invalid;
use crate::error::Result;

/// Embeddings `[examples, features]` with a label for each.
struct Labeled<'a> {
    rows: Vec<f64>,
    features: usize,
    labels: &'a [usize],
}

impl<'a> Labeled<'a> {
    fn new(subject: &'static str, embeddings: &Tensor, labels: &'a [usize]) -> Result<Labeled<'a>> {
        let [examples, features] = embeddings.shape()[..] else {
            let shape = embeddings.shape();
            return invalid(
                subject,
                format!("embeddings are {shape}, expected [examples, features]"),
            );
        };
        if examples != labels.len() {
            let given = labels.len();
            let why = format!("expected a label for each of {examples} examples, given {given}");
            return invalid(subject, why);
        }
        if examples < 2 {
            return invalid(subject, format!("{examples} examples, expected at least 2"));
        }
        let rows = embeddings.to_f64s();
        if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
            return invalid(
                subject,
                format!(
                    "the embedding of example {} is not finite: `tape.find_nan` names the op that \
                     made it",
                    at / features
                ),
            );
        }
        Ok(Labeled { rows, features, labels })
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.features..(i + 1) * self.features]
    }

    /// The `count` nearest others of an example, the nearest first; of equally near ones, the first.
    fn nearest(&self, i: usize, count: usize) -> Vec<usize> {
        let distance = |j: usize| -> f64 {
            self.row(i).iter().zip(self.row(j)).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let mut others: Vec<(f64, usize)> =
            (0..self.labels.len()).filter(|&j| j != i).map(|j| (distance(j), j)).collect();
        let count = count.min(others.len());
        if count == 0 {
            return Vec::new();
        }
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        others.select_nth_unstable_by(count - 1, order);
        others.truncate(count);
        others.sort_unstable_by(order);
        others.into_iter().map(|(_, j)| j).collect()
    }
}

/// The share of examples that have another one of their class among their `k` nearest, by the
/// Euclidean distance of embeddings `[examples, features]`.
///
/// # Errors
/// Fewer than two examples; numbers of examples and labels that differ; `k` that is 0.
pub fn recall_at_k(embeddings: &Tensor, labels: &[usize], k: usize) -> Result<f64> {
    let subject = "recall@k";
    let all = Labeled::new(subject, embeddings, labels)?;
    if k == 0 {
        return invalid(subject, "k is 0, expected 1 or more");
    }
    let hit = |&i: &usize| all.nearest(i, k).into_iter().any(|j| labels[j] == labels[i]);
    Ok((0..labels.len()).filter(hit).count() as f64 / labels.len() as f64)
}

/// The mean average precision at R: how far the others of an example's class, R of them, are among its R
/// nearest, and how early.
///
/// ```text
/// MAP@R = mean over examples of 1/R Σ over i ≤ R of P(i)      P(i): the share of hits among the first
///                                                             i if the i-th is one, else 0
/// ```
///
/// An example that is alone in its class does not count.
///
/// # Errors
/// As for [`recall_at_k`]; classes of one example each.
///
/// # Source
/// Musgrave, Belongie and Lim, A Metric Learning Reality Check, 2020.
#[doc(alias = "map_at_r")]
pub fn mean_average_precision_at_r(embeddings: &Tensor, labels: &[usize]) -> Result<f64> {
    let subject = "MAP@R";
    let all = Labeled::new(subject, embeddings, labels)?;
    let (mut sum, mut count) = (0.0, 0);
    for (i, own) in labels.iter().enumerate() {
        let relatives = labels.iter().filter(|&label| label == own).count() - 1;
        if relatives == 0 {
            continue;
        }
        let (mut hits, mut precision) = (0, 0.0);
        for (before, j) in all.nearest(i, relatives).into_iter().enumerate() {
            if labels[j] == *own {
                hits += 1;
                precision += f64::from(hits) / (before + 1) as f64;
            }
        }
        sum += precision / relatives as f64;
        count += 1;
    }
    if count == 0 {
        return invalid(subject, "no class has two examples");
    }
    Ok(sum / f64::from(count))
}

/// The normalized discounted cumulative gain of rankings: how much relevance comes early, over what the
/// best order would have.
///
/// ```text
/// DCG = Σ over ranks i from 1 on, to k, of relevance / log₂(i + 1);   NDCG = DCG / DCG of the best order
/// ```
///
/// Scores and relevances are `[documents]`, or `[queries, documents]`: then it is the mean over the
/// queries. Documents with equal scores have the mean of their relevances. A query without a relevant
/// document has 0.
///
/// ```
/// use lossgraph_nn::metrics::ndcg;
/// use lossgraph_tensor::Tensor;
///
/// let scores = Tensor::from([0.1, 0.2, 0.3, 4.0, 70.0]);
/// let relevance = Tensor::from([10.0, 0.0, 0.0, 1.0, 5.0]);
/// assert!((ndcg(&scores, &relevance, None)? - 0.6956940443813076).abs() < 1e-15);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Errors
/// Shapes that differ, or without a document; a relevance that is negative, a score that is NaN; a `k`
/// of 0.
///
/// # Source
/// Järvelin and Kekäläinen, 2002. scikit-learn's `ndcg_score`.
#[doc(alias = "ndcg_score")]
pub fn ndcg(scores: &Tensor, relevance: &Tensor, k: Option<usize>) -> Result<f64> {
    let subject = "NDCG";
    if scores.shape() != relevance.shape() || scores.is_empty() || scores.rank() == 0 {
        let (scores, relevance) = (scores.shape(), relevance.shape());
        let why = format!("scores are {scores} and relevances {relevance}, expected equal shapes");
        return invalid(subject, why);
    }
    if k == Some(0) {
        return invalid(subject, "k is 0, expected 1 or more");
    }
    let documents = scores.shape().last().copied().unwrap_or(1);
    let (scores, relevance) = (scores.to_f64s(), relevance.to_f64s());
    if let Some(at) = scores.iter().position(|score| score.is_nan()) {
        return invalid(subject, format!("the score of document {} is NaN", at % documents));
    }
    if let Some(bad) = relevance.iter().find(|&&gain| !(gain >= 0.0 && gain.is_finite())) {
        return invalid(subject, format!("a relevance is {bad}, expected 0 or more, and finite"));
    }
    let ranks = k.unwrap_or(documents).min(documents);
    let discount = |rank: usize| if rank < ranks { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 };
    let gain = |scores: &[f64], relevance: &[f64]| -> f64 {
        let mut order: Vec<usize> = (0..documents).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let (mut rank, mut sum) = (0, 0.0);
        for ties in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            let mean = ties.iter().map(|&i| relevance[i]).sum::<f64>() / ties.len() as f64;
            sum += mean * (rank..rank + ties.len()).map(discount).sum::<f64>();
            rank += ties.len();
        }
        sum
    };
    let queries = scores.chunks(documents).zip(relevance.chunks(documents));
    let shares = queries.map(|(scores, relevance)| {
        let best = gain(relevance, relevance);
        if best > 0.0 { gain(scores, relevance) / best } else { 0.0 }
    });
    let count = scores.len() / documents;
    Ok(shares.sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_looks_for_a_relative_among_the_nearest() {
        let points = Tensor::from([[0.0], [1.0], [1.4], [10.0]]);
        assert_eq!(recall_at_k(&points, &[0, 0, 1, 1], 1).unwrap(), 0.5);
        assert_eq!(recall_at_k(&points, &[0, 0, 1, 1], 2).unwrap(), 0.75);
        assert!(recall_at_k(&points, &[0, 0, 1, 1], 0).is_err());
        let far = Tensor::from([[0.0], [f64::INFINITY], [f64::NEG_INFINITY], [1.0]]);
        assert!(recall_at_k(&far, &[0, 0, 1, 1], 1).is_err());
    }

    #[test]
    fn average_precision_wants_relatives_first() {
        // The nearest two of each: 0 has 1, 2; 1 has 0 or 2; the others by the line.
        let points = Tensor::from([[0.0], [1.0], [3.0], [3.5]]);
        // Class 0 has 0, 1 and 3: 0 finds 1 and then 2, 1 finds 0 and then 2, 3 finds 2 and then 1.
        let expected = (0.5 + 0.5 + 0.25) / 3.0;
        let got = mean_average_precision_at_r(&points, &[0, 0, 1, 0]).unwrap();
        assert!((got - expected).abs() < 1e-12, "{got}");
        assert!(mean_average_precision_at_r(&points, &[0, 1, 2, 3]).is_err());
    }

    #[test]
    fn documents_with_equal_scores_share_their_relevance() {
        let relevance = Tensor::from([[10.0, 0.0, 0.0, 1.0, 5.0]]);
        let at = |scores: [f64; 5], k| ndcg(&Tensor::from([scores]), &relevance, k).unwrap();
        assert!((at([0.05, 1.1, 1.0, 0.5, 0.0], None) - 0.493_680_191_377).abs() < 1e-12);
        assert!((at([0.05, 1.1, 1.0, 0.5, 0.0], Some(4)) - 0.352_024_110_063).abs() < 1e-12);
        assert_eq!(at([10.0, 0.0, 0.0, 1.0, 5.0], Some(4)), 1.0);
        // The first two share 10 and 0.
        let best = 10.0 + 5.0 / 3.0_f64.log2();
        let got = at([1.0, 1.0, 0.0, 0.0, 0.0], Some(1));
        assert!((got - 5.0 / 10.0).abs() < 1e-12, "{got} and {best}");
        assert_eq!(ndcg(&Tensor::from([1.0, 2.0]), &Tensor::from([0.0, 0.0]), None).unwrap(), 0.0);
        assert!(ndcg(&Tensor::from([1.0]), &Tensor::from([-1.0]), None).is_err());
    }
}
