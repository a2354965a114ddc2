//! Cross-entropy of many classes.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, POSITIVE, Slope, Task, input, integer, number,
    option,
};
use crate::check::{Unequal, demand, named_pair};
use crate::labels::{
    IGNORED, Labels, SECOND, along, are_class_numbers, class_weight, on_class_axis,
};
use crate::rows::{capped, infinite, times};
use crate::terms::{Terms, scaled};

/// Cross-entropy of the softmax of logits against class numbers or class probabilities.
///
/// ```text
/// Lᵢ = w[labelᵢ] (log_sum_exp(logitsᵢ) − logits[i, labelᵢ])      class numbers
/// Lᵢ = −Σ_c w[c] · t[i, c] · log_softmax(logitsᵢ)[c]             class probabilities t
/// ∂Lᵢ/∂logitsᵢ = w[labelᵢ] (softmax(logitsᵢ) − one_hot(labelᵢ))
/// ```
///
/// With smoothing `ε` over `C` classes, a part of each target goes to all classes evenly:
/// `(1−ε) w[labelᵢ] nllᵢ + ε/C Σ_c w[c] (−log_softmax(logitsᵢ)[c])`. Where a text means by `ε` what
/// the label alone gives away, to the other classes, as fairseq does, it is this with a smoothing of
/// `ε C/(C−1)`.
///
/// The mean divides as that of [`Nll`](crate::Nll) for class numbers, and by the number of examples,
/// never by weights, for probabilities. Ignored examples have gradient 0 even where their logits are
/// NaN. A class of probability 0 counts 0 even where its logit is −∞.
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis, or probabilities of the logits' shape; terms as the labels |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::cross_entropy;
/// let tape = Tape::f64();
/// let logits = tape.variable([[0.0, 3.0_f64.ln()]]); // softmax: ¼, ¾
/// let gradients = cross_entropy(logits, tape.labels(&[0])).mean().backward()?;
/// assert!((gradients.loss() - 4.0_f64.ln()).abs() < 1e-15);
/// let slope = gradients.of(logits).unwrap();
/// assert!(slope.allclose(&[[-0.75, 0.75]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Nll`](crate::Nll); smoothing outside of 0 to 1; probabilities with an `ignore_index` of
/// a class.
///
/// # Source
/// PyTorch's `CrossEntropyLoss`; smoothing: Szegedy et al., Rethinking the Inception Architecture,
/// 2016.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CrossEntropyLoss")]
pub struct CrossEntropy<'t> {
    /// A weight for each class.
    pub weight: Option<Var<'t>>,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// How much of each target is spread over all classes, 0 to 1.
    pub label_smoothing: f64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for CrossEntropy<'_> {
    fn default() -> Self {
        CrossEntropy { weight: None, ignore_index: IGNORED, label_smoothing: 0.0, axis: SECOND }
    }
}

/// [`CrossEntropy`] with its defaults.
#[track_caller]
pub fn cross_entropy<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    CrossEntropy::default().forward(logits, target)
}

impl<'t> CrossEntropy<'t> {
    /// The terms. The target is class numbers if it holds integers, else probabilities.
    #[track_caller]
    pub fn forward(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("cross_entropy", || {
            let smoothing = self.label_smoothing;
            let fits = (0.0..=1.0).contains(&smoothing);
            let why = || format!("label_smoothing is {smoothing}, expected 0 to 1");
            let z = demand("cross_entropy", fits, why, logits);
            let weight = self.weight.map(|weight| {
                class_weight("cross_entropy", ("weight", weight), self.axis, ("logits", z))
            });
            match are_class_numbers(self.axis, z, target) {
                true => self.of_labels(z, target, weight),
                false => self.of_probabilities(z, target, weight),
            }
        })
    }

    fn of_labels(&self, logits: Var<'t>, labels: Var<'t>, weight: Option<Var<'t>>) -> Terms<'t> {
        let (axis, ignore_index) = (self.axis, self.ignore_index);
        let labels =
            match Labels::new("cross_entropy", axis, ("logits", logits), labels, ignore_index) {
                Ok(labels) => labels,
                Err(fault) => return Terms::new(fault),
            };
        let (axis, smoothing) = (labels.axis, self.label_smoothing);
        let z = capped(labels.counted_scores(logits));
        let of_label = labels.class_weight(weight);
        let each = if smoothing == 0.0 {
            scaled(z.log_sum_exp(axis) - labels.pick(z), of_label)
        } else {
            let log_p = z.log_softmax(axis);
            let sharp = scaled(-labels.pick(log_p), of_label);
            let spread = scaled(-log_p, weight.map(|weight| along(weight, axis, z))).mean(axis);
            sharp * (1.0 - smoothing) + spread * smoothing
        };
        Terms::new(labels.counted(infinite(each))).with_weights(labels.weigh(of_label))
    }

    fn of_probabilities(
        &self,
        logits: Var<'t>,
        target: Var<'t>,
        weight: Option<Var<'t>>,
    ) -> Terms<'t> {
        let (ignore, smoothing) = (self.ignore_index, self.label_smoothing);
        let (z, t) = named_pair(
            "cross_entropy",
            ("logits", logits),
            ("probabilities", target),
            Unequal::Refuse,
        );
        let why = || format!("ignore_index {ignore} is for class numbers, given probabilities");
        let z = demand("cross_entropy", ignore < 0, why, z);
        let (z, axis) = on_class_axis("cross_entropy", self.axis, ("logits", z));
        let t = if smoothing == 0.0 { t } else { smoothed(t, smoothing, axis) };
        let each_class = times(t, -capped(z).log_softmax(axis));
        let weighted = scaled(each_class, weight.map(|weight| along(weight, axis, z)));
        Terms::new(infinite(weighted.sum(axis)))
    }
}

/// Distributions along the last axis, of which a part `smoothing` goes to all classes evenly:
/// `(1 − ε) t + ε/C`. What [`label_smoothing`](CrossEntropy::label_smoothing) does, for other losses.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::smooth_labels;
/// let tape = Tape::f64();
/// let smooth = smooth_labels(tape.constant([[1.0, 0.0]]), 0.5);
/// assert_eq!(smooth.value()?.to_f64s(), [0.75, 0.25]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// A smoothing outside of 0 to 1; a single number, which has no class axis.
#[track_caller]
pub fn smooth_labels(target: Var<'_>, smoothing: f64) -> Var<'_> {
    let fits = (0.0..=1.0).contains(&smoothing);
    let why = || format!("smoothing is {smoothing}, expected 0 to 1");
    let t = demand("smooth_labels", fits, why, target.to_float());
    let why = || "distributions have a class axis".to_owned();
    smoothed(demand("smooth_labels", t.rank() > 0, why, t), smoothing, -1)
}

#[track_caller]
fn smoothed(t: Var<'_>, smoothing: f64, axis: isize) -> Var<'_> {
    t * (1.0 - smoothing) + smoothing / t.dim(axis) as f64
}

pub(crate) static ROW: Loss = Loss {
    name: "cross_entropy",
    aliases: &[
        "CrossEntropyLoss",
        "softmax_cross_entropy",
        "softmax_cross_entropy_with_integer_labels",
        "safe_softmax_cross_entropy",
        "label_smoothed_nll",
        "CategoricalCrossentropy",
        "SparseCategoricalCrossentropy",
    ],
    summary: "Cross-entropy of the softmax of logits against class numbers or probabilities.",
    formula: "w[label] (log_sum_exp(z) − z[label])",
    latex: r"w_{y} \left( \log \sum_c e^{z_c} - z_{y} \right)",
    shapes: "logits: [batch, class, …] or [class]; labels and terms: without the class axis; or probabilities like the logits",
    unit: "nats",
    range: "[0, ∞)",
    source: "PyTorch CrossEntropyLoss; smoothing: Szegedy et al., 2016",
    tasks: &[Task::Classes.fit().by_default(), Task::Distributions.set("probabilities")],
    over: "label_smoothing=0,0.1,0.3",
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("labels", &[N], Domain::Labels(C)),
        option(
            "probabilities",
            &[N, C],
            Domain::Probabilities,
            "probabilities as the target, instead of labels",
        ),
        option("weight", &[C], POSITIVE, "a weight for each class"),
    ],
    options: &[
        integer("ignore_index", -100, "the label of examples that do not count"),
        number("label_smoothing", 0.0, "how much of each target is spread over all classes"),
        CLASS_AXIS,
    ],
    grid: &[
        "",
        "weight",
        "label_smoothing=0.2",
        "weight label_smoothing=0.2 ignore_index=1",
        "probabilities",
        "probabilities weight label_smoothing=0.2",
    ],
    invariances: &[
        Invariance::Shift("logits"),
        Invariance::Order(&["logits", "labels", "probabilities"]),
    ],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        let label_smoothing = x.number("label_smoothing");
        CrossEntropy { weight: x.maybe("weight"), ignore_index, label_smoothing, axis: x.axis() }
            .forward(x.var("logits"), x.maybe("probabilities").unwrap_or_else(|| x.var("labels")))
    },
    naive: |x| {
        let z = x.of("logits");
        let smoothing = x.number("label_smoothing");
        let log_p = |i: usize, c: usize| {
            let sum: f64 = (0..C).map(|k| z[i * C + k].exp()).sum();
            z[i * C + c] - sum.ln()
        };
        let spread = |i: usize, sharp: &dyn Fn(usize) -> f64| -> f64 {
            let target = |c: usize| (1.0 - smoothing) * sharp(c) + smoothing / C as f64;
            (0..C).map(|c| -x.weight("weight", c) * target(c) * log_p(i, c)).sum()
        };
        match x.maybe("probabilities") {
            Some(t) => (0..N).map(|i| spread(i, &|c| t[i * C + c])).collect(),
            None => x.labeled(|i, label| spread(i, &|c| f64::from(u8::from(c == label)))),
        }
    },
    edges: &[
        ("the label impossible with weight", "the slope in the weight is ∞ − ∞"),
        ("sure and wrong with weight", "the slope in the weight is ∞ − ∞"),
        (
            "an impossible class with probabilities",
            "the loss is infinite where an impossible class is meant",
        ),
        (
            "all others impossible with probabilities",
            "the loss is infinite where an impossible class is meant",
        ),
        (
            "the label impossible with probabilities",
            "the loss is infinite where an impossible class is meant",
        ),
    ],
    softmax_nll: Some(["logits", "labels"]),
    slope: Some(Slope {
        input: "logits",
        formula: "(softmax(z) − one_hot(y)) / n",
        options: &[],
        naive: |x| {
            x.less_one_hot("logits", |z| {
                let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = z.iter().map(|z| (z - most).exp()).sum();
                z.iter().map(|z| (z - most).exp() / sum).collect()
            })
        },
    }),
    ..FAMILY
};
