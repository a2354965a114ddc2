//! Average precision from histograms of distances.

use lossgraph_autograd::{Var, keep};
use lossgraph_tensor::Tensor;

use super::FAMILY;
use super::distance::Distance;
use super::pairs::Pairs;
use super::sample::{self, BATCH, MEAN, ORDER};
use crate::catalogue::figure::{Bin, Chart, Figure, Histogram, Panel, rounded};
use crate::catalogue::{Invariance, Loss, Numbers, count, number};
use crate::terms::Terms;

/// One minus the average precision of each anchor's neighbors, from soft histograms of distances.
///
/// ```text
/// h[b] = Σⱼ max(0, 1 − |dᵢⱼ − c[b]| / Δ)      the weight of distances near the center c[b]
/// Lᵢ = 1 − 1/|P(i)| Σ_b h₊[b] H₊[b] / H[b]    H the running sums of h, h₊ those of positives
/// ```
///
/// The average precision of a ranking has no slope: ranks are whole numbers. With histograms
/// whose bins share each distance between neighboring centers, it has one. Anchors without a
/// positive do not count.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{FastAp, Pairs, Reduction};
/// let tape = Tape::f64();
/// // Squared distances to the first: 2 for its positive, 4 for the negative.
/// let e = tape.variable([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]);
/// let loss = FastAp { bins: 2, ..FastAp::default() };
/// let each = loss.forward(Pairs::of(e, tape.labels(&[0, 0, 1]))).unreduced();
/// assert_eq!(each.index(0, 0).item()?, 0.0);
/// // The second is as far from both: one of two is a positive, 1/2.
/// let gradients = each.index(0, 1).backward()?;
/// assert!((gradients.loss() - 0.5).abs() < 1e-12);
/// assert_eq!(gradients.of(e).unwrap().shape()[..], [3, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; no bins; a range that is not above 0.
///
/// # Source
/// Cakir et al., Deep Metric Learning to Rank, 2019. pytorch-metric-learning's `FastAPLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "FastAPLoss")]
pub struct FastAp {
    /// How many bins the range is cut into; there is a center at each of their ends.
    pub bins: usize,
    /// The largest distance that there can be.
    pub range: f64,
    /// The distance.
    pub distance: Distance,
}

impl Default for FastAp {
    fn default() -> FastAp {
        FastAp { bins: 10, range: 4.0, distance: Distance::UNIT_SQUARED }
    }
}

/// [`FastAp`] of a batch, with its defaults.
#[track_caller]
pub fn fast_ap<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    FastAp::default().forward(Pairs::of(embeddings, labels))
}

/// The most bins: each pair of the batch has a number for each of them.
const MOST: usize = 1 << 16;

impl FastAp {
    /// The terms of the anchors; those without a positive do not count.
    #[track_caller]
    pub fn forward<'t>(&self, pairs: Pairs<'t>) -> Terms<'t> {
        pairs.embeddings.tape().named_call("fast_ap", || {
            let FastAp { bins, range, distance } = *self;
            let why = || format!("bins is {bins}, expected 1 to {MOST}");
            let pairs = pairs.demand("fast_ap", (1..=MOST).contains(&bins), why);
            let pairs = pairs.above_zero("fast_ap", "range", range).once();
            if pairs.embeddings.is_faulty() {
                return Terms::new(pairs.embeddings);
            }
            let tape = pairs.embeddings.tape();
            let width = range / bins as f64;
            let centers: Vec<f64> = (0..=bins).map(|bin| bin as f64 * width).collect();
            let centers = tape.constant(Tensor::from(centers));
            let d = pairs.distances(distance).unsqueeze(-1);
            let pulse = (1.0 - (d - centers).abs() / width).relu();
            let histogram = |of: Var<'t>| (of.unsqueeze(-1) * pulse).sum(1);
            let positive = histogram(pairs.positive);
            let all = (positive + histogram(pairs.negative)).cumsum(-1);
            let precision = positive.cumsum(-1) / all.eq(0.0).select(1.0, all);
            let count = pairs.positive.sum(keep(-1)).squeeze(-1);
            let counts = count.gt(0.0);
            let average = (positive * precision).sum(-1) / counts.select(count, 1.0);
            Terms::new(1.0 - average).masked(counts)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "fast_ap",
    aliases: &["FastAPLoss"],
    summary: "One minus the average precision, from soft histograms of distances.",
    formula: "1 − 1/|P| Σ h₊ H₊ / H over bins of distances",
    latex: r"1 - \frac{1}{|P|} \sum_b \frac{h^+_b H^+_b}{H_b}",
    letters: &[
        ("h, H", "how many distances lie in bin b, and up to it; ⁺: those of positives"),
        ("P", "the positives of an anchor"),
    ],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    range: "[0, 1]",
    source: "Cakir et al., 2019; pytorch-metric-learning FastAPLoss",
    inputs: &BATCH,
    options: &[
        count("bins", 10, "how many bins the range is cut into"),
        number("range", 4.0, "the largest distance that there can be"),
        MEAN,
    ],
    grid: &["", "bins=4 reduction=sum", "bins=3 range=5"],
    invariances: &[ORDER, Invariance::Scale("embeddings")],
    run: |x| {
        let bins = x.count("bins");
        let loss = FastAp { bins, range: x.number("range"), ..FastAp::default() };
        sample::reduced(x, loss.forward(sample::pairs(x)))
    },
    naive: |x| {
        let anchors = (0..6).filter(|&i| !x.positives(i).is_empty());
        let term = |i: usize| 1.0 - average_precision(x, i, &bins(x, i));
        vec![x.reduced(&anchors.map(term).collect::<Vec<_>>())]
    },
    figure: Some(figure),
    edges: &[
        ("+∞ | −∞", "an infinite vector has no direction, and infinite distances no difference"),
        ("all times 1e-20", "distances lie on the edge of a bin: a kink"),
    ],
    ..FAMILY
};

/// The histogram of an anchor: each distance is shared between the two centers beside it.
fn bins(x: &Numbers<'_>, i: usize) -> Vec<Bin> {
    let bins = x.count("bins");
    let width = x.number("range") / bins as f64;
    let (positives, negatives) = (x.positives(i), x.negatives(i));
    let weight = |others: &[usize], center: f64| -> f64 {
        let pulse = |&j: &usize| (1.0 - (x.distance(i, j).powi(2) - center).abs() / width).max(0.0);
        others.iter().map(pulse).sum()
    };
    let (mut near, mut all) = (0.0, 0.0);
    let bin = |at: usize| {
        let center = at as f64 * width;
        let (positives, negatives) = (weight(&positives, center), weight(&negatives, center));
        near += positives;
        all += positives + negatives;
        let precision = if all > 0.0 { near / all } else { 0.0 };
        Bin { center, positives, negatives, precision }
    };
    (0..=bins).map(bin).collect()
}

/// The mean of the precision over the positives of an anchor.
fn average_precision(x: &Numbers<'_>, i: usize, bins: &[Bin]) -> f64 {
    let sum: f64 = bins.iter().map(|bin| bin.positives * bin.precision).sum();
    sum / x.positives(i).len() as f64
}

/// The most bins of a figure.
const MOST_DRAWN: usize = 64;

/// The histograms of the anchors that have a positive.
fn figure(x: &Numbers<'_>) -> Option<Figure> {
    let count = x.of("labels").len();
    let fits = x.shape("embeddings").len() == 2 && x.shape("embeddings")[0] == count;
    (fits && (1..=MOST_DRAWN).contains(&x.count("bins"))).then_some(())?;
    let anchor = |i: usize| {
        let bins = bins(x, i);
        let average = rounded(average_precision(x, i, &bins));
        let caption = format!("anchor {i}: average precision {average}");
        let title = "blue: of its class, orange: of others; line: precision".to_owned();
        let histogram = Histogram { title, axis: "squared distance", bins };
        Panel { caption, charts: vec![Chart::Histogram(histogram)] }
    };
    let anchors = (0..count).filter(|&i| !x.positives(i).is_empty());
    Some(Figure {
        title: "The distances",
        about: "Blue: those of the same class, orange: the others. The line is the precision: the part of \
                positives among all that are as near or nearer. The loss is one less its mean over the \
                positives.",
        panels: anchors.map(anchor).collect(),
    })
}
