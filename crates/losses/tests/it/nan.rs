//! A NaN that goes into a loss comes out of it: no reduction, mask, margin or miner drops it.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::*;
use lossgraph_tensor::Tensor;

const NAN: f64 = f64::NAN;

const REDUCTIONS: [Reduction; 6] = [
    Reduction::Mean,
    Reduction::MeanOrZero,
    Reduction::NonZeroMean,
    Reduction::Sum,
    Reduction::BatchMean,
    Reduction::Divisor,
];

/// A tensor with another number at an index of its elements.
fn with(x: &Tensor, at: usize, number: f64) -> Tensor {
    let mut numbers = x.to_f64s();
    numbers[at] = number;
    Tensor::new(x.shape().clone(), numbers).unwrap()
}

/// Every setting of the grid, and the first with each flag and each word.
fn settings(loss: &'static Loss) -> Vec<Case> {
    let mut cases = Case::grid(loss, 0).unwrap();
    let first = cases[0].clone();
    let values = |choice: &Choice| match choice.kind {
        OptionKind::Flag => vec![choice.name.to_owned()],
        OptionKind::Word(words) => {
            words.iter().map(|word| format!("{}={word}", choice.name)).collect()
        }
        _ => Vec::new(),
    };
    let more = loss.options.iter().flat_map(values);
    cases.extend(more.map(|set| first.in_setting(&format!("{} {set}", first.setting))));
    cases
}

/// The loss as a number; `None` if it is refused.
fn reduced(case: &Case, inputs: &[Tensor], reduction: Reduction) -> Option<f64> {
    let tape = Tape::f64();
    let vars: Vec<Var<'_>> = inputs.iter().map(|input| tape.constant(input)).collect();
    case.record(&tape, &vars).reduce(reduction).item().ok()
}

#[test]
fn a_nan_in_what_a_loss_depends_on_is_its_value_under_every_reduction() {
    let mut dropped = Vec::new();
    let mut count = 0;
    for case in ALL.iter().flat_map(|loss| settings(loss)) {
        let before = reduced(&case, &case.inputs, Reduction::Sum);
        for (i, input) in case.inputs.iter().enumerate().filter(|(_, x)| x.dtype().is_float()) {
            for at in 0..input.len() {
                let sum = |number: f64, reduction| {
                    let mut inputs = case.inputs.clone();
                    inputs[i] = with(input, at, number);
                    reduced(&case, &inputs, reduction)
                };
                let x = input.to_f64s()[at];
                let moved = [x + 0.01, x - 0.01, -x, x + 5.0, x - 5.0];
                let counts = moved
                    .into_iter()
                    .any(|x| sum(x, Reduction::Sum).is_some_and(|value| Some(value) != before));
                if !counts {
                    continue;
                }
                count += 1;
                let is_lost = |&reduction: &Reduction| {
                    sum(NAN, reduction).is_some_and(|value| !value.is_nan())
                };
                let lost: Vec<Reduction> = REDUCTIONS.into_iter().filter(is_lost).collect();
                if !lost.is_empty() {
                    let name = case.samples[i].name;
                    dropped.push(format!("{}: {name}, element {at}: {lost:?}", case.title()));
                }
            }
        }
    }
    assert!(dropped.is_empty(), "{} of {count}:\n{}", dropped.len(), dropped.join("\n"));
    assert!(count > 3000, "{count}");
}

const DISTANCES: [Distance; 11] = [
    Distance::Lp { p: 2.0, eps: 1e-6 },
    Distance::Lp { p: f64::INFINITY, eps: 0.0 },
    Distance::Smoothed { p: 2.0, eps: 1e-6 },
    Distance::Norm { p: 3.0, power: 2.0, normalize: false },
    Distance::UNIT,
    Distance::Cosine,
    Distance::Chebyshev,
    Distance::Canberra,
    Distance::CosineSimilarity,
    Distance::DotProduct,
    Distance::Snr,
];

const MINERS: [Miner; 6] = [
    Miner::All,
    Miner::Hard,
    Miner::SemiHard { margin: 0.2 },
    Miner::DistanceWeighted { nearest: 0.5, farthest: 1.4, seed: 0 },
    // Of which nothing is drawn, but what is NaN.
    Miner::DistanceWeighted { nearest: 0.0, farthest: 0.0, seed: 0 },
    Miner::MultiSimilarity { epsilon: 0.1 },
];

/// Losses of pairs, with parts of their own reduced alike.
type OfPairs = for<'t> fn(Pairs<'t>, Reduction) -> Var<'t>;

const OF_PAIRS: [(&str, OfPairs); 9] = [
    ("contrastive", |pairs, by| Contrastive::default().forward(pairs).reduce(by)),
    ("nt_xent", |pairs, by| NtXent::default().forward(pairs).reduce(by)),
    ("sup_con", |pairs, by| SupCon::default().forward(pairs).reduce(by)),
    ("multi_similarity", |pairs, by| MultiSimilarity::default().forward(pairs).reduce(by)),
    ("circle", |pairs, by| Circle::default().forward(pairs).reduce(by)),
    ("lifted_structure", |pairs, by| LiftedStructure::default().forward(pairs).reduce(by)),
    ("nca", |pairs, by| Nca::default().forward(pairs).reduce(by)),
    ("intra_pair_variance", |pairs, by| IntraPairVariance::default().forward(pairs).reduce(by)),
    ("threshold_consistent_margin", |pairs, by| {
        ThresholdConsistentMargin::default().forward(pairs).reduce(by)
    }),
];

/// Six points of three classes, with a NaN in one of them.
fn points(nan: usize) -> Tensor {
    let each = |i: usize| (i as f64 * 1.7 + 0.3).sin();
    let numbers = (0..18).map(|i| if i == nan { NAN } else { each(i) }).collect();
    Tensor::new([6, 3], numbers).unwrap()
}

const LABELS: [usize; 6] = [0, 0, 1, 1, 0, 2];

#[test]
fn a_miner_chooses_what_is_nan() {
    for (distance, miner) in DISTANCES.into_iter().flat_map(|d| MINERS.map(|miner| (d, miner))) {
        for nan in 0..18 {
            let tape = Tape::f64();
            let pairs = Pairs::of(tape.variable(points(nan)), tape.labels(&LABELS));
            let what = format!("{miner:?}, {distance:?}, point {}", nan / 3);
            let triplets = miner.triplets(pairs, distance);
            assert!(triplets.indices.iter().flatten().any(|&i| i == nan / 3), "{what}");
            let mined = miner.pairs(pairs, distance);
            let listed = [mined.positive_indices(), mined.negative_indices()].concat();
            assert!(listed.iter().flatten().any(|&i| i == nan / 3), "{what}");
        }
    }
}

#[test]
fn a_reference_that_is_nan_is_chosen_where_an_anchor_has_it() {
    for miner in MINERS {
        for nan in 0..12 {
            let tape = Tape::f64();
            let (anchors, labels) = (tape.variable([[1.0, 0.2, 0.0]]), tape.labels(&[0]));
            let references = tape.variable(points(nan));
            let theirs = tape.labels(&LABELS);
            let pairs = Pairs::with_references(anchors, labels, references, theirs);
            let triplets = miner.triplets(pairs, Distance::UNIT);
            let seen = triplets.indices.iter().any(|[_, j, k]| [j, k].contains(&&(nan / 3)));
            assert!(seen, "{miner:?}: reference {}: {:?}", nan / 3, triplets.indices);
        }
    }
}

#[test]
fn a_loss_of_mined_pairs_with_a_nan_is_nan() {
    for (miner, nan) in MINERS.into_iter().flat_map(|miner| (0..15).map(move |nan| (miner, nan))) {
        let tape = Tape::f64();
        let pairs = Pairs::of(tape.variable(points(nan)), tape.labels(&LABELS));
        let mined = miner.pairs(pairs, Distance::CosineSimilarity);
        let triplets = miner.triplets(pairs, Distance::UNIT);
        for by in REDUCTIONS {
            let what = format!("{miner:?}, {by:?}, element {nan}");
            for (name, loss) in OF_PAIRS {
                assert!(loss(mined, by).item().unwrap().is_nan(), "{name}: {what}");
            }
            let loss = TripletMargin { distance: Distance::UNIT, swap: true, ..Default::default() };
            assert!(loss.over(&triplets).reduce(by).item().unwrap().is_nan(), "{what}");
            let loss = Margin::default().forward(&triplets, tape.scalar(1.2));
            assert!(loss.reduce(by).item().unwrap().is_nan(), "margin: {what}");
        }
    }
}

#[test]
fn contrastive_of_nan_is_nan() {
    let tape = Tape::f64();
    let e = tape.variable([[NAN, 1.0], [1.0, 0.0], [0.0, 1.0]]);
    let loss = contrastive(e, tape.labels(&[0, 0, 1]), 1.0).mean();
    assert!(loss.item().unwrap().is_nan());
}

#[test]
fn a_mean_of_what_is_not_0_counts_a_nan_and_no_negative_term() {
    let tape = Tape::f64();
    let by = |terms: [f64; 4]| {
        Terms::new(tape.constant(terms)).reduce(Reduction::NonZeroMean).item().unwrap()
    };
    assert!(by([0.0, NAN, 2.0, 4.0]).is_nan());
    assert_eq!(by([0.0, -5.0, 2.0, 4.0]), 3.0);
}

#[test]
fn a_nan_that_a_mask_leaves_out_is_not_seen() {
    let tape = Tape::f64();
    let x = tape.variable([NAN, 3.0]);
    let terms = Terms::new(x).masked(tape.constant([0.0, 1.0]));
    for by in REDUCTIONS {
        assert!(!terms.reduce(by).item().unwrap().is_nan(), "{by:?}");
        assert_eq!(tape.grad(terms.reduce(by), &[x])[0].value().unwrap().to_f64s()[0], 0.0);
    }
}
