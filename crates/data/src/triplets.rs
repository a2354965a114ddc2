//! Triplets of examples: an anchor, another one of its class, and one of another class.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::dataset::rng_of;
use crate::error::{Error, Result};

/// Indices of examples: `anchors[i]` and `positives[i]` are of one class, `negatives[i]` is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triplets {
    /// The anchors.
    pub anchors: Vec<usize>,
    /// Other examples of their classes.
    pub positives: Vec<usize>,
    /// Examples of other classes.
    pub negatives: Vec<usize>,
}

/// Draws one triplet for each example as anchor; seed and epoch decide which.
///
/// # Errors
/// A class with one example only; fewer than two classes.
pub fn triplets(labels: &[usize], seed: u64, epoch: u64) -> Result<Triplets> {
    let operation = "triplets";
    // By what occurs: labels may be any numbers.
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, &label) in labels.iter().enumerate() {
        members.entry(label).or_default().push(index);
    }
    let given = members.len();
    if given < 2 {
        return Err(Error::Classes { operation, given, expected: 2 });
    }
    if let Some((&class, _)) = members.iter().find(|(_, members)| members.len() == 1) {
        return Err(Error::TooFew { operation, class, given: 1, expected: 2 });
    }
    let mut rng = rng_of(seed, epoch);
    let mut drawn = Triplets { anchors: Vec::new(), positives: Vec::new(), negatives: Vec::new() };
    for (anchor, &label) in labels.iter().enumerate() {
        let own = &members[&label];
        let positive = loop {
            let index = own[rng.random_range(0..own.len())];
            if index != anchor {
                break index;
            }
        };
        let negative = loop {
            let index = rng.random_range(0..labels.len());
            if labels[index] != label {
                break index;
            }
        };
        drawn.anchors.push(anchor);
        drawn.positives.push(positive);
        drawn.negatives.push(negative);
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triplet_has_two_of_one_class_and_one_of_another() {
        let labels = [0, 1, 0, 1, 2, 2];
        let drawn = triplets(&labels, 1, 0).unwrap();
        for i in 0..labels.len() {
            let [a, p, n] = [drawn.anchors[i], drawn.positives[i], drawn.negatives[i]];
            assert!(a == i && p != a && labels[p] == labels[a] && labels[n] != labels[a]);
        }
        assert_eq!(drawn, triplets(&labels, 1, 0).unwrap());
        assert_ne!(drawn, triplets(&labels, 1, 1).unwrap());
    }

    #[test]
    fn classes_of_one_are_refused() {
        assert!(triplets(&[0, 0, 1], 1, 0).is_err());
        assert!(triplets(&[0, 0], 1, 0).is_err());
        assert!(triplets(&[0, usize::MAX, 0, usize::MAX], 1, 0).is_ok());
    }
}
