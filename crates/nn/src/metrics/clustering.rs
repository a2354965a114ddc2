//! How well clusters fit classes.

use std::collections::HashMap;

use super::invalid;
use crate::error::Result;

/// The normalized mutual information of two ways to divide examples, such as clusters and classes: from
/// 0, where one says nothing of the other, to 1, where they are the same but for names.
///
/// ```text
/// NMI = I(a, b) / (½ (H(a) + H(b)))
/// ```
///
/// ```
/// use lossgraph_nn::metrics::normalized_mutual_information;
///
/// assert_eq!(normalized_mutual_information(&[0, 0, 1, 1], &[1, 1, 0, 0])?, 1.0);
/// assert_eq!(normalized_mutual_information(&[0, 0, 0, 0], &[0, 1, 2, 3])?, 0.0);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Errors
/// Numbers of examples that differ.
///
/// # Source
/// scikit-learn's `normalized_mutual_info_score`.
#[doc(alias = "normalized_mutual_info_score")]
#[doc(alias = "nmi")]
pub fn normalized_mutual_information(a: &[usize], b: &[usize]) -> Result<f64> {
    if a.len() != b.len() {
        let why = format!("{} examples in one and {} in the other", a.len(), b.len());
        return invalid("normalized mutual information", why);
    }
    let n = a.len() as f64;
    let (of_a, of_b) = (counts(a.iter()), counts(b.iter()));
    // All examples together in both, or no example at all: the same way.
    if of_a.len() <= 1 && of_b.len() <= 1 {
        return Ok(1.0);
    }
    let both = counts(a.iter().zip(b));
    let information: f64 = both
        .iter()
        .map(|(&(a, b), &count)| count / n * (count * n / (of_a[a] * of_b[b])).ln())
        .sum();
    let entropy = |counts: Vec<f64>| -> f64 {
        counts.into_iter().map(|count| -count / n * (count / n).ln()).sum()
    };
    let entropies =
        entropy(of_a.values().copied().collect()) + entropy(of_b.values().copied().collect());
    Ok((information / (entropies / 2.0)).clamp(0.0, 1.0))
}

/// How often each value comes, in the order of the values, so that sums have the same bits each time.
fn counts<T: std::hash::Hash + Eq + Ord>(
    values: impl Iterator<Item = T>,
) -> std::collections::BTreeMap<T, f64> {
    let mut counts: HashMap<T, usize> = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().map(|(value, count)| (value, count as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_that_is_shared_in_part_is_between() {
        // I = ln 2 · ½ of the examples … by hand: H(a) = ln 2, H(b) = 1.5 ln 2, I = ln 2.
        let got = normalized_mutual_information(&[0, 0, 1, 1], &[0, 0, 1, 2]).unwrap();
        assert!((got - 0.8).abs() < 1e-12, "{got}");
        assert_eq!(normalized_mutual_information(&[], &[]).unwrap(), 1.0);
        assert_eq!(normalized_mutual_information(&[3, 3], &[0, 0]).unwrap(), 1.0);
        assert_eq!(normalized_mutual_information(&[0, 0, 1, 1], &[0, 1, 0, 1]).unwrap(), 0.0);
        assert!(normalized_mutual_information(&[0], &[]).is_err());
    }
}
