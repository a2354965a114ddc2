//! Triplets of examples: an anchor, another one of its class, and one of another class.

use std::collections::BTreeMap;
use std::ops::Range;

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

/// Draws one triplet for each example as anchor; seed and epoch decide which. All other examples of
/// its class are equally likely as the positive one, and all of other classes as the negative one.
/// The time is that of sorting the labels by class, however unequal the classes are.
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
    // All examples class by class: those of other classes lie before and behind an anchor's own.
    let by_class: Vec<usize> = members.values().flatten().copied().collect();
    let starts = members.values().scan(0, |next, own| {
        let start = *next;
        *next += own.len();
        Some(start..*next)
    });
    let own_of: BTreeMap<usize, Range<usize>> = members.keys().copied().zip(starts).collect();
    let mut rng = rng_of(seed, epoch);
    let mut draw_outside = |from: Range<usize>, left_out: Range<usize>| {
        let drawn = rng.random_range(from.start..from.end - left_out.len());
        by_class[if drawn < left_out.start { drawn } else { drawn + left_out.len() }]
    };
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    let mut drawn = Triplets { anchors: Vec::new(), positives: Vec::new(), negatives: Vec::new() };
    for (anchor, label) in labels.iter().enumerate() {
        let own = own_of[label].clone();
        // The members of a class are in the order of the anchors.
        let position = seen.entry(*label).or_insert(own.start);
        drawn.anchors.push(anchor);
        drawn.positives.push(draw_outside(own.clone(), *position..*position + 1));
        drawn.negatives.push(draw_outside(0..labels.len(), own));
        *position += 1;
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
    fn each_other_example_is_equally_likely() {
        let labels = [3, 1, 3, 3, 7, 1, 7];
        let mut positives = vec![[0; 7]; 7];
        let mut negatives = vec![[0; 7]; 7];
        const EPOCHS: u64 = 6000;
        for epoch in 0..EPOCHS {
            let drawn = triplets(&labels, 5, epoch).unwrap();
            for i in 0..labels.len() {
                positives[i][drawn.positives[i]] += 1;
                negatives[i][drawn.negatives[i]] += 1;
            }
        }
        for (anchor, label) in labels.iter().enumerate() {
            let of = |same: bool| {
                let fits = |&i: &usize| i != anchor && (labels[i] == *label) == same;
                (0..labels.len()).filter(fits).collect::<Vec<usize>>()
            };
            for (counts, expected) in
                [(positives[anchor], of(true)), (negatives[anchor], of(false))]
            {
                assert_eq!(expected.iter().map(|&i| counts[i]).sum::<u64>(), EPOCHS);
                let share = EPOCHS as f64 / expected.len() as f64;
                for i in expected {
                    // Five standard deviations, at most.
                    assert!((counts[i] as f64 - share).abs() < 5.0 * share.sqrt(), "{counts:?}");
                }
            }
        }
    }

    #[test]
    fn a_class_of_nearly_all_examples_takes_no_longer_than_others() {
        // Drawing until an example is of another class would take 500,000 draws for each anchor.
        let mut labels = vec![0; 1_000_000];
        labels.extend([1, 1]);
        let drawn = triplets(&labels, 1, 0).unwrap();
        let others = |i: usize| (1_000_000..1_000_002).contains(&i);
        assert!(drawn.negatives[..1_000_000].iter().all(|&i| others(i)));
        assert_eq!(drawn.positives[1_000_000..], [1_000_001, 1_000_000]);
    }

    #[test]
    fn classes_of_one_are_refused() {
        assert!(triplets(&[0, 0, 1], 1, 0).is_err());
        assert!(triplets(&[0, 0], 1, 0).is_err());
        assert!(triplets(&[0, usize::MAX, 0, usize::MAX], 1, 0).is_ok());
    }
}
