//! The loss of the perceptron.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::signs::agreement;
use crate::catalogue::{C, CLASS_AXIS, Domain, Invariance, Loss, N, Task, input, integer, option};
use crate::check::Unequal;
use crate::labels::{IGNORED, Labels, SECOND, are_class_numbers};
use crate::terms::Terms;

/// How far a prediction lies on the wrong side: that of the perceptron, of two classes or of many.
///
/// ```text
/// Lᵢ = max(0, −tᵢ zᵢ)                           signs t, −1 or 1
/// ∂Lᵢ/∂zᵢ = −tᵢ if tᵢ zᵢ < 0, else 0
/// Lᵢ = max_c z[i, c] − z[i, labelᵢ]             class numbers
/// ∂Lᵢ/∂zᵢ = one_hot(argmax zᵢ) − one_hot(labelᵢ)
/// ```
///
/// What is right costs nothing, however narrowly: without a margin, scores of 0 are perfect. Where
/// classes tie for the maximum they share its slope; a score of 0 against a sign has slope 0.
///
/// | | |
/// |---|---|
/// | shapes | scores and signs alike, terms have that shape; or scores `[batch, class]`, `[batch, class, …]` or `[class]` and labels without the class axis, terms as the labels |
/// | unit | the scores' |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::perceptron;
/// let tape = Tape::f64();
/// let scores = tape.variable([[2.0, 0.5], [3.0, -1.0]]);
/// let signs = tape.constant([[1.0, -1.0], [1.0, -1.0]]);
/// let gradients = perceptron(scores, signs).sum().backward()?;
/// assert_eq!(gradients.loss(), 0.5);
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [0.0, 1.0, 0.0, 0.0]);
/// let gradients = perceptron(scores, tape.labels(&[1, 0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 1.5); // 2 − ½, and 0
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [1.0, -1.0, 0.0, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Signs of another shape than the scores, or data that holds 0; labels as for
/// [`Nll`](crate::Nll).
///
/// # Source
/// Rosenblatt, The Perceptron, 1958; of many classes: Collins, Discriminative Training Methods for
/// Hidden Markov Models, 2002. optax's `perceptron_loss` and `multiclass_perceptron_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "perceptron_loss")]
pub struct Perceptron {
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for Perceptron {
    fn default() -> Self {
        Perceptron { ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`Perceptron`] with its defaults.
#[doc(alias = "multiclass_perceptron_loss")]
#[track_caller]
pub fn perceptron<'t>(scores: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Perceptron::default().forward(scores, target)
}

impl Perceptron {
    /// The terms. The target is class numbers if it holds integers, else signs.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, target: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("perceptron", || {
            match are_class_numbers(self.axis, scores, target) {
                false => Terms::new(
                    (-agreement(
                        "perceptron",
                        ("scores", scores),
                        ("signs", target),
                        Unequal::Refuse,
                    ))
                    .relu(),
                ),
                true => Labels::terms(
                    "perceptron",
                    self.axis,
                    ("scores", scores),
                    target,
                    self.ignore_index,
                    |labels, z| labels.lead(z, 0.0).max(labels.axis),
                ),
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "perceptron",
    aliases: &["perceptron_loss", "multiclass_perceptron_loss", "PerceptronLoss"],
    summary: "How far a prediction lies on the wrong side, of two classes or of many.",
    formula: "max(0, −t z) for signs, max_c z[c] − z[label] for class numbers",
    latex: r"\max(0, -t z) \quad \text{or} \quad \max_c z_c - z_y",
    shapes: "scores: [batch, class, …] or [class]; labels and terms: without the class axis; or signs and terms like the scores",
    unit: "the scores'",
    range: "[0, ∞)",
    source: "Rosenblatt, 1958; Collins, 2002; optax perceptron_loss",
    tasks: &[Task::Classes.fit(), Task::MultiLabel.set("signs")],
    inputs: &[
        input("scores", &[N, C], Domain::Logits),
        input("labels", &[N], Domain::Labels(C)),
        option("signs", &[N, C], Domain::Signs, "the sides, instead of labels"),
    ],
    options: &[
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "ignore_index=1", "signs"],
    invariances: &[Invariance::Order(&["scores", "labels", "signs"])],
    run: |x| {
        Perceptron { ignore_index: x.integer("ignore_index"), axis: x.axis() }
            .forward(x.var("scores"), x.maybe("signs").unwrap_or_else(|| x.var("labels")))
    },
    naive: |x| match x.maybe("signs") {
        Some(t) => x.of("scores").iter().zip(t).map(|(z, t)| (-t * z).max(0.0)).collect(),
        None => {
            let rows = x.rows("scores");
            x.labeled(|i, label| {
                rows[i].iter().fold(f64::NEG_INFINITY, |best, &z| best.max(z)) - rows[i][label]
            })
        }
    },
    ..FAMILY
};
