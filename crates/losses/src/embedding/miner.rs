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
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{Distance, Miner, Pairs};
/// let tape = Tape::f64();
/// let points = tape.variable([[0.0], [1.0], [4.0], [2.0], [9.0]]);
/// let pairs = Pairs::of(points, tape.labels(&[0, 0, 0, 1, 1]));
/// let mined = Miner::Hard.triplets(pairs, Distance::SquaredEuclidean);
/// // From 0, the farthest of its class is 4, and the nearest of another is 2.
/// assert_eq!(mined.places[0], [0, 2, 3]);
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
        let far = match Far::measured(pairs, distance) {
            Ok(far) => far,
            Err(fault) => return Triplets::of(Pairs::faulty(fault)),
        };
        let all = Triplets::of(pairs);
        let places = match self {
            Miner::All => return all,
            Miner::MultiSimilarity { epsilon } => {
                return Triplets::of(far.informative(pairs, epsilon));
            }
            Miner::Hard => far.hardest(pairs),
            Miner::SemiHard { margin } => {
                let farther = |&[i, j, k]: &[usize; 3]| far.at(i, k) - far.at(i, j);
                let chosen = |each: &[usize; 3]| farther(each) > 0.0 && farther(each) <= margin;
                all.places.into_iter().filter(chosen).collect()
            }
            Miner::DistanceWeighted { nearest, farthest, seed } => {
                let features = pairs.embeddings.extent(1) as f64;
                let weight =
                    |d: f64| if d < farthest { rarity(d.max(nearest), features) } else { 0.0 };
                far.drawn(pairs, weight, seed)
            }
        };
        Triplets { places, ..all }
    }

    /// The pairs that are chosen: those of the triplets, for a miner that chooses triplets.
    ///
    /// # Errors
    /// As for [`triplets`](Miner::triplets).
    #[track_caller]
    pub fn pairs<'t>(self, pairs: Pairs<'t>, distance: Distance) -> Pairs<'t> {
        match (self, Far::measured(pairs, distance)) {
            (_, Err(fault)) => Pairs::faulty(fault),
            (Miner::All, _) => pairs,
            (Miner::MultiSimilarity { epsilon }, Ok(far)) => far.informative(pairs, epsilon),
            _ => self.triplets(pairs, distance).pairs(),
        }
    }
}

/// How far all pairs are apart: distances, or similarities with their signs changed.
struct Far {
    columns: usize,
    numbers: Vec<f64>,
}

impl Far {
    #[track_caller]
    fn measured<'t>(pairs: Pairs<'t>, distance: Distance) -> Result<Far, Var<'t>> {
        let far = pairs.distances(distance) * distance.sign();
        match far.value() {
            Ok(value) => Ok(Far { columns: far.extent(1), numbers: value.to_f64s() }),
            Err(_) if far.is_faulty() => Err(far),
            Err(error) => Err(far.tape().fault(Fault::new("miner", error.to_string()))),
        }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.numbers[i * self.columns + j]
    }

    /// The farthest positive and the nearest negative of each anchor that has both.
    fn hardest(&self, pairs: Pairs<'_>) -> Vec<[usize; 3]> {
        let farther = |[i, j]: [usize; 2], [_, k]: [usize; 2]| self.at(i, k) > self.at(i, j);
        let positive = best_of_rows(pairs.positive_places(), farther);
        let negative = best_of_rows(pairs.negative_places(), |old, new| farther(new, old));
        let of_anchor =
            |[i, j]: [usize; 2]| negative.iter().find(|pair| pair[0] == i).map(|&[_, k]| [i, j, k]);
        positive.into_iter().filter_map(of_anchor).collect()
    }

    fn informative<'t>(&self, pairs: Pairs<'t>, epsilon: f64) -> Pairs<'t> {
        let (positive, negative) = (pairs.positive_places(), pairs.negative_places());
        let of = |list: &[[usize; 2]], anchor: usize, from: f64, pick: fn(f64, f64) -> f64| {
            let row = list.iter().filter(|pair| pair[0] == anchor);
            row.map(|&[i, j]| self.at(i, j)).fold(from, pick)
        };
        let (mut near, mut far) = (positive.clone(), negative.clone());
        near.retain(|&[i, j]| self.at(i, j) + epsilon > of(&negative, i, f64::INFINITY, f64::min));
        far.retain(|&[i, j]| {
            self.at(i, j) - epsilon < of(&positive, i, f64::NEG_INFINITY, f64::max)
        });
        Pairs::listed(pairs.embeddings, pairs.references, &near, &far)
    }

    /// For each positive pair a negative one of its anchor, drawn with the weight of its distance.
    fn drawn(&self, pairs: Pairs<'_>, weight: impl Fn(f64) -> f64, seed: u64) -> Vec<[usize; 3]> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let negative = pairs.negative_places();
        let draw = |[i, j]: [usize; 2]| {
            let row = negative.iter().filter(|pair| pair[0] == i);
            let weighted: Vec<(usize, f64)> =
                row.map(|&[_, k]| (k, weight(self.at(i, k)))).collect();
            let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
            let mut left = rng.random::<f64>() * total;
            let found = weighted.iter().filter(|(_, weight)| *weight > 0.0).find(|(_, weight)| {
                left -= weight;
                left < 0.0
            });
            found.map(|&(k, _)| [i, j, k])
        };
        pairs.positive_places().into_iter().filter_map(draw).collect()
    }
}

/// The first pair of each row than which no other of it is better.
fn best_of_rows(
    pairs: Vec<[usize; 2]>,
    better: impl Fn([usize; 2], [usize; 2]) -> bool,
) -> Vec<[usize; 2]> {
    let mut best: Vec<[usize; 2]> = Vec::new();
    for pair in pairs {
        match best.last_mut() {
            Some(last) if last[0] == pair[0] => {
                if better(*last, pair) {
                    *last = pair;
                }
            }
            _ => best.push(pair),
        }
    }
    best
}

/// The inverse of how dense the distances `d` of uniform points on a sphere in `n` dimensions lie:
/// `d^(2−n) (1 − d²/4)^((3−n)/2)`.
fn rarity(d: f64, n: f64) -> f64 {
    d.powf(2.0 - n) * (1.0 - d * d / 4.0).powf((3.0 - n) / 2.0)
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
        assert_eq!(mined.places, [[0, 2, 3], [1, 2, 3], [2, 0, 3], [3, 4, 1], [4, 3, 2]]);
    }

    #[test]
    fn similarities_are_mined_the_other_way_round() {
        let tape = Tape::f64();
        let vectors = tape.variable([[1.0, 0.0], [1.0, 0.1], [0.5, 1.0], [1.0, 0.5]]);
        let pairs = Pairs::of(vectors, tape.labels(&[0, 0, 0, 1]));
        let mined = Miner::Hard.triplets(pairs, Distance::CosineSimilarity);
        assert_eq!(mined.places[..2], [[0, 2, 3], [1, 2, 3]]);
    }

    #[test]
    fn a_semi_hard_negative_is_farther_than_the_positive_within_the_margin() {
        let tape = Tape::f64();
        let mined = Miner::SemiHard { margin: 1.0 }.triplets(points(&tape), LINE);
        // From 1, 0 is 1 away and 3 half as much more; from 2, 0 is 4 away and 4 is 5.
        assert_eq!(mined.places, [[1, 0, 3], [2, 0, 4]]);
    }

    #[test]
    fn multi_similarity_keeps_what_overlaps() {
        let tape = Tape::f64();
        let mined = Miner::MultiSimilarity { epsilon: 0.0 }.pairs(points(&tape), LINE);
        // From 0 to its farthest positive 4: the negative at 2.5 is nearer, that at 9 is not.
        let of_first = |list: Vec<[usize; 2]>| {
            list.into_iter().filter(|pair| pair[0] == 0).collect::<Vec<_>>()
        };
        assert_eq!(of_first(mined.positive_places()), [[0, 2]]);
        assert_eq!(of_first(mined.negative_places()), [[0, 3]]);
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
                .places
        };
        assert_eq!(drawn(1), drawn(1));
        assert!((0..20).any(|seed| drawn(seed) != drawn(1)));
        // The opposite of an anchor lies beyond the farthest.
        assert!((0..20).all(|seed| !drawn(seed).contains(&[0, 1, 4])));
    }
}
