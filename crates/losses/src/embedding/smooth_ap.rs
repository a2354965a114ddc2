//! Average precision from soft ranks.

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use super::distance::Distance;
use super::pairs::{Pairs, class_numbers};
use super::sample::{self, MEAN, dot, unit};
use crate::catalogue::{Domain, Invariance, Loss, Task, WIDE, input, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// One minus the average precision of each query, with a sigmoid for each comparison of its ranking.
///
/// ```text
/// rank(i, j) = 1 + Σ_{k ≠ j} σ((sᵢₖ − sᵢⱼ)/T)
/// Lᵢ = 1 − mean over j of the class of i of (rank within the class)(i, j) / rank(i, j)
/// ```
///
/// The class of `i` has `i` itself as a member, and its cosine with itself is 1. Classes have
/// equally many members, as samplers of the field draw them. The small default temperature makes
/// soft ranks exact, and slopes rare.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | none |
/// | range | 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::smooth_ap;
/// let tape = Tape::f64();
/// // From each, the rest is equally similar: σ = ½ for their comparisons, and 0 with itself.
/// let e = tape.variable([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
/// let gradients = smooth_ap(e, tape.labels(&[0, 1]), 0.01).mean().backward()?;
/// assert!(gradients.loss().abs() < 1e-12); // each finds itself first
/// assert!(gradients.of(e).unwrap().to_f64s().iter().all(|slope| slope.abs() < 1e-12));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`Pairs::of`]; classes of unequal numbers; a temperature that is not above 0.
///
/// # Source
/// Brown et al., Smooth-AP, 2020. pytorch-metric-learning's `SmoothAPLoss`, which takes the number of
/// classes for their size.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SmoothAPLoss")]
pub struct SmoothAp {
    /// What differences of cosines are divided by.
    pub temperature: f64,
}

impl Default for SmoothAp {
    fn default() -> SmoothAp {
        SmoothAp { temperature: 0.01 }
    }
}

/// [`SmoothAp`] with a temperature.
#[track_caller]
pub fn smooth_ap<'t>(embeddings: Var<'t>, labels: Var<'t>, temperature: f64) -> Terms<'t> {
    SmoothAp { temperature }.forward(embeddings, labels)
}

impl SmoothAp {
    /// The terms of the queries.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        let tape = embeddings.tape();
        tape.named_call("smooth_ap", || {
            let e = above_zero("smooth_ap", "temperature", self.temperature, embeddings);
            let pairs = Pairs::of(equal_classes(e, labels), labels);
            let class = 1.0 - pairs.negative;
            let before = comparisons(pairs, self.temperature);
            // Each comparison with itself is ½, in place of the 1 that a rank begins with.
            let rank = before.sum(-1) + 0.5;
            let within = (before * class.unsqueeze(1)).sum(-1) + 0.5;
            Terms::new(1.0 - (class * (within / rank)).sum(-1) / class.sum(-1))
        })
    }
}

/// How much `k` stands before `j` in the ranking of `i`: `σ((sᵢₖ − sᵢⱼ)/T)`, `[i, j, k]`.
pub(super) fn comparisons<'t>(pairs: Pairs<'t>, temperature: f64) -> Var<'t> {
    let s = pairs.similarities(Distance::CosineSimilarity);
    ((s.unsqueeze(1) - s.unsqueeze(2)) / temperature).sigmoid()
}

/// The embeddings, if all classes have equally many.
fn equal_classes<'t>(embeddings: Var<'t>, labels: Var<'t>) -> Var<'t> {
    let classes = match class_numbers(embeddings, labels) {
        Ok(classes) => classes,
        Err(fault) => return fault,
    };
    let size = |class: &i64| classes.iter().filter(|each| *each == class).count();
    match classes.iter().find(|class| size(class) != size(&classes[0])) {
        None => embeddings,
        Some(odd) => embeddings.tape().fault(
            Fault::new(
                "smooth_ap",
                format!(
                    "class {} has {} examples and class {odd} has {}, expected equally many",
                    classes[0],
                    size(&classes[0]),
                    size(odd)
                ),
            )
            .operand("labels", labels)
            .cure("fast_ap takes classes of any numbers"),
        ),
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "smooth_ap",
    aliases: &["SmoothAPLoss"],
    summary: "One minus the average precision, with a sigmoid for each comparison.",
    formula: "1 − mean of (1 + Σ₊ σ(Δs/T)) / (1 + Σ σ(Δs/T)) over the class",
    latex: r"1 - \frac{1}{|C|} \sum_{j \in C} \frac{1 + \sum_{k \in C} \sigma(\Delta_{jk} / T)}{1 + \sum_k \sigma(\Delta_{jk} / T)}",
    letters: &[
        ("C", "the others of the class of i"),
        ("Δ", "how much more similar k is than j"),
        ("σ", "the logistic function"),
    ],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    range: "[0, 1]",
    source: "Brown et al., 2020; pytorch-metric-learning SmoothAPLoss",
    over: "temperature=0.05,0.1,0.5",
    tasks: &[Task::Embeddings.fit().balanced()],
    inputs: &[
        input("embeddings", &[6, 3], WIDE),
        input("labels", &[6], Domain::Integers(&[0, 1, 2, 1, 2, 0])),
    ],
    options: &[number("temperature", 0.01, "what differences of cosines are divided by"), MEAN],
    grid: &["temperature=0.1", "temperature=0.5 reduction=sum"],
    invariances: &[Invariance::Order(&["embeddings", "labels"]), Invariance::Scale("embeddings")],
    run: |x| {
        let loss = SmoothAp { temperature: x.number("temperature") };
        sample::reduced(x, loss.forward(x.var("embeddings"), x.var("labels")))
    },
    naive: |x| {
        let rows: Vec<Vec<f64>> = x.rows("embeddings").into_iter().map(unit).collect();
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let term = |i: usize| {
            let s = |j: usize| dot(&rows[i], &rows[j]);
            let rank = |j: usize, among: &[usize]| -> f64 {
                let others = among.iter().filter(|&&k| k != j);
                1.0 + others.map(|&k| sigmoid((s(k) - s(j)) / x.number("temperature"))).sum::<f64>()
            };
            let all: Vec<usize> = (0..6).collect();
            let class: Vec<usize> = (0..6).filter(|&j| x.label(j) == x.label(i)).collect();
            let precision = class.iter().map(|&j| rank(j, &class) / rank(j, &all));
            1.0 - precision.sum::<f64>() / class.len() as f64
        };
        vec![x.reduced(&(0..6).map(term).collect::<Vec<_>>())]
    },
    ..FAMILY
};
