//! Choosing the pairs and triplets that teach most.

use lossgraph_autograd::{Fault, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::distance::Distance;
use super::pairs::Pairs;
use super::triplets::Triplets;

/// How pairs or triplets are chosen, by the values that embeddings have now. A choice has no
/// gradient. It runs the tape up to the distances; what it chose is data of the program.
///
/// A distance that is NaN is chosen before all others, so that it shows in the loss.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Distance, Miner, Pairs};
/// let tape = Tape::f64();
/// let points = tape.variable([[0.0], [1.0], [4.0], [2.0], [9.0]]);
/// let pairs = Pairs::of(points, tape.labels(&[0, 0, 0, 1, 1]));
/// let mined = Miner::Hard.triplets(pairs, Distance::SquaredEuclidean);
/// // From 0, the farthest of its class is 4, and the nearest of another is 2.
/// assert_eq!(mined.indices[0], [0, 2, 3]);
/// ```
///
/// # Source
/// Hermans et al., In Defense of the Triplet Loss, 2017 (hard); Schroff et al., FaceNet, 2015
/// (semi-hard); Wu et al., Sampling Matters, 2017 (distance-weighted); Wang et al.,
/// Multi-Similarity Loss, 2019.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Miner {
    /// All of them.
    All,
    /// For each anchor, the farthest positive and the nearest negative. The first of equals.
    #[doc(alias = "BatchHardMiner")]
    Hard,
    /// Triplets whose negative is farther than the positive, but by no more than a margin.
    #[doc(alias = "TripletMarginMiner")]
    SemiHard {
        /// How much farther, in the distance's unit.
        margin: f64,
    },
    /// For each positive pair a negative that is drawn by the inverse of how common its distance
    /// is on a sphere, so that all distances are seen alike. Takes distances of unit vectors.
    #[doc(alias = "DistanceWeightedMiner")]
    DistanceWeighted {
        /// Distances below it count as it, since the nearest negatives are mostly noise.
        nearest: f64,
        /// Negatives from here on are not drawn.
        farthest: f64,
        /// Decides what is drawn.
        seed: u64,
    },
    /// Positive pairs that are farther than the nearest negative, and negative pairs that are
    /// nearer than the farthest positive, or nearly so.
    #[doc(alias = "MultiSimilarityMiner")]
    MultiSimilarity {
        /// How nearly, in the distance's unit.
        epsilon: f64,
    },
}

impl Miner {
    /// The triplets that are chosen.
    ///
    /// # Errors
    /// Recorded as a fault: distances that have no value.
    #[track_caller]
    pub fn triplets<'t>(self, pairs: Pairs<'t>, distance: Distance) -> Triplets<'t> {
        let mined = |chosen: &dyn Fn(Far) -> Vec<[usize; 3]>| match Far::measured(pairs, distance) {
            Ok(far) => Triplets {
                embeddings: pairs.embeddings,
                references: pairs.references,
                indices: chosen(far),
            },
            Err(fault) => Triplets::of(Pairs::faulty(fault)),
        };
        match self {
            Miner::All => Triplets::of(pairs),
            Miner::Hard => mined(&|far| far.hardest()),
            Miner::SemiHard { margin } => mined(&|far| far.semi_hard(margin)),
            Miner::DistanceWeighted { nearest, farthest, seed } => {
                let features = pairs.embeddings.dim(1) as f64;
                let rarity = |d: f64| (d < farthest).then(|| ln_rarity(d.max(nearest), features));
                mined(&|far| far.drawn(rarity, seed))
            }
            Miner::MultiSimilarity { .. } => Triplets::of(self.pairs(pairs, distance)),
        }
    }

    /// The pairs that are chosen: those of the triplets, for a miner that chooses triplets.
    ///
    /// # Errors
    /// As for [`triplets`](Miner::triplets).
    #[track_caller]
    pub fn pairs<'t>(self, pairs: Pairs<'t>, distance: Distance) -> Pairs<'t> {
        match self {
            Miner::All => pairs,
            Miner::MultiSimilarity { epsilon } => match Far::measured(pairs, distance) {
                Ok(far) => {
                    let [positive, negative] = far.overlapping(epsilon);
                    Pairs::listed(pairs.embeddings, pairs.references, &positive, &negative)
                }
                Err(fault) => Pairs::faulty(fault),
            },
            _ => self.triplets(pairs, distance).pairs(),
        }
    }
}

/// The index of a reference, and how far it is from an anchor.
type Measured = (usize, f64);

/// How far the pairs of each anchor are apart: distances, or similarities with their signs changed.
struct Far {
    /// For each anchor the indices and distances of its positives.
    positive: Vec<Vec<Measured>>,
    /// The same of its negatives.
    negative: Vec<Vec<Measured>>,
}

impl Far {
    #[track_caller]
    fn measured<'t>(pairs: Pairs<'t>, distance: Distance) -> Result<Far, Var<'t>> {
        let far = pairs.distances(distance) * distance.sign();
        let value = match far.value() {
            Ok(value) => value.to_f64s(),
            Err(_) if far.is_faulty() => return Err(far),
            Err(error) => return Err(far.tape().fault(Fault::new("miner", error.to_string()))),
        };
        let (anchors, columns) = (far.dim(0), far.dim(1));
        let rows = |indices: Vec<[usize; 2]>| {
            let mut rows = vec![Vec::new(); anchors];
            indices.into_iter().for_each(|[i, j]| rows[i].push((j, value[i * columns + j])));
            rows
        };
        Ok(Far {
            positive: rows(pairs.positive_indices()),
            negative: rows(pairs.negative_indices()),
        })
    }

    /// Each anchor with its positives and negatives.
    fn anchors(&self) -> impl Iterator<Item = (usize, &[Measured], &[Measured])> {
        let rows = self.positive.iter().zip(&self.negative).enumerate();
        rows.map(|(i, (positive, negative))| (i, &positive[..], &negative[..]))
    }

    /// The farthest positive and the nearest negative of each anchor that has both.
    fn hardest(&self) -> Vec<[usize; 3]> {
        // The first of equals stays.
        let best = |row: &[Measured], sign: f64| {
            let all = row.iter().copied();
            let beats = |a: f64, b: f64| sign * a > sign * b || (a.is_nan() && !b.is_nan());
            all.reduce(|best, next| if beats(next.1, best.1) { next } else { best })
        };
        let of_anchor =
            |(i, positive, negative)| Some([i, best(positive, 1.0)?.0, best(negative, -1.0)?.0]);
        self.anchors().filter_map(of_anchor).collect()
    }

    fn semi_hard(&self, margin: f64) -> Vec<[usize; 3]> {
        let mut chosen = Vec::new();
        for (i, positive, negative) in self.anchors() {
            for (j, near) in positive {
                let beyond = |far: f64| far <= *near || far - near > margin;
                let farther = negative.iter().filter(|(_, far)| !beyond(*far));
                chosen.extend(farther.map(|(k, _)| [i, *j, *k]));
            }
        }
        chosen
    }

    /// Positives beyond the nearest negative, negatives within the farthest positive, by `epsilon`.
    fn overlapping(&self, epsilon: f64) -> [Vec<[usize; 2]>; 2] {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for (i, positive, negative) in self.anchors() {
            let nearest = negative.iter().map(|(_, d)| *d).fold(f64::INFINITY, f64::min);
            let farthest = positive.iter().map(|(_, d)| *d).fold(f64::NEG_INFINITY, f64::max);
            let hard = positive.iter().filter(|(_, d)| d.is_nan() || d + epsilon > nearest);
            near.extend(hard.map(|(j, _)| [i, *j]));
            let hard = negative.iter().filter(|(_, d)| d.is_nan() || d - epsilon < farthest);
            far.extend(hard.map(|(k, _)| [i, *k]));
        }
        [near, far]
    }

    /// For each positive pair a negative of its anchor, drawn with a weight by its distance, of
    /// which the logarithm is given; `None` is not drawn. Where a NaN is among the distances, the
    /// first pair that has it.
    fn drawn(&self, ln_weight: impl Fn(f64) -> Option<f64>, seed: u64) -> Vec<[usize; 3]> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut chosen = Vec::new();
        for (i, positive, negative) in self.anchors() {
            let weights = negative.iter().filter_map(|(k, d)| Some((*k, ln_weight(*d)?)));
            let weights: Vec<(usize, f64)> = weights.filter(|(_, ln)| ln.is_finite()).collect();
            // Only ratios matter; in many dimensions the weights themselves overflow.
            let largest = weights.iter().map(|(_, ln)| *ln).fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = weights.iter().map(|(_, ln)| (ln - largest).exp()).sum();
            for (j, near) in positive {
                if let Some((k, _)) = negative.iter().find(|(_, far)| (near + far).is_nan()) {
                    chosen.push([i, *j, *k]);
                    continue;
                }
                let mut left = rng.random::<f64>() * total;
                let found = weights.iter().find(|(_, ln)| {
                    left -= (ln - largest).exp();
                    left < 0.0
                });
                chosen.extend(found.map(|(k, _)| [i, *j, *k]));
            }
        }
        chosen
    }
}

/// The logarithm of the inverse of how dense the distances `d` of uniform points on a sphere in `n`
/// dimensions lie: `d^(2−n) (1 − d²/4)^((3−n)/2)`.
fn ln_rarity(d: f64, n: f64) -> f64 {
    (2.0 - n) * d.ln() + (3.0 - n) / 2.0 * (1.0 - d * d / 4.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    /// Five points on a line, of the classes 0 0 0 1 1.
    fn points(tape: &Tape) -> Pairs<'_> {
        let points = tape.variable([[0.0], [1.0], [4.0], [2.5], [9.0]]);
        Pairs::of(points, tape.labels(&[0, 0, 0, 1, 1]))
    }

    const LINE: Distance = Distance::Norm { p: 1.0, power: 1.0, normalize: false };

    #[test]
    fn the_hardest_triplet_has_the_farthest_positive_and_the_nearest_negative() {
        let tape = Tape::f64();
        let mined = Miner::Hard.triplets(points(&tape), LINE);
        assert_eq!(mined.indices, [[0, 2, 3], [1, 2, 3], [2, 0, 3], [3, 4, 1], [4, 3, 2]]);
    }

    #[test]
    fn similarities_are_mined_the_other_way_round() {
        let tape = Tape::f64();
        let vectors = tape.variable([[1.0, 0.0], [1.0, 0.1], [0.5, 1.0], [1.0, 0.5]]);
        let pairs = Pairs::of(vectors, tape.labels(&[0, 0, 0, 1]));
        let mined = Miner::Hard.triplets(pairs, Distance::CosineSimilarity);
        assert_eq!(mined.indices[..2], [[0, 2, 3], [1, 2, 3]]);
    }

    #[test]
    fn a_semi_hard_negative_is_farther_than_the_positive_within_the_margin() {
        let tape = Tape::f64();
        let mined = Miner::SemiHard { margin: 1.0 }.triplets(points(&tape), LINE);
        // From 1, 0 is 1 away and 3 half as much more; from 2, 0 is 4 away and 4 is 5.
        assert_eq!(mined.indices, [[1, 0, 3], [2, 0, 4]]);
    }

    #[test]
    fn multi_similarity_keeps_what_overlaps() {
        let tape = Tape::f64();
        let mined = Miner::MultiSimilarity { epsilon: 0.0 }.pairs(points(&tape), LINE);
        // From 0 to its farthest positive 4: the negative at 2.5 is nearer, that at 9 is not.
        let of_first = |list: Vec<[usize; 2]>| {
            list.into_iter().filter(|pair| pair[0] == 0).collect::<Vec<_>>()
        };
        assert_eq!(of_first(mined.positive_indices()), [[0, 2]]);
        assert_eq!(of_first(mined.negative_indices()), [[0, 3]]);
    }

    #[test]
    fn a_seed_says_which_negatives_are_drawn() {
        let tape = Tape::f64();
        let unit = tape.variable([
            [1.0, 0.0, 0.0],
            [0.8, 0.6, 0.0],
            [0.0, 1.0, 0.0],
            [0.6, 0.0, 0.8],
            [-1.0, 0.0, 0.0],
        ]);
        let pairs = Pairs::of(unit, tape.labels(&[0, 0, 1, 1, 1]));
        let drawn = |seed| {
            Miner::DistanceWeighted { nearest: 0.5, farthest: 1.5, seed }
                .triplets(pairs, Distance::UNIT)
                .indices
        };
        assert_eq!(drawn(1), drawn(1));
        assert!((0..20).any(|seed| drawn(seed) != drawn(1)));
        // The opposite of an anchor lies beyond the farthest.
        assert!((0..20).all(|seed| !drawn(seed).contains(&[0, 1, 4])));
    }
}
