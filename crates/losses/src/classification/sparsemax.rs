//! Cross-entropy's counterpart for distributions with zeros.

use lossgraph_autograd::{Var, keep};

use super::FAMILY;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, Slope, Task, input, integer, option,
};
use crate::check::{Unequal, named_pair};
use crate::labels::{IGNORED, Labels, SECOND, are_class_numbers, on_class_axis};
use crate::rows::{finite, infinite};
use crate::terms::Terms;

/// The loss of sparsemax, which maps scores to the nearest distribution and so gives zeros to
/// classes that score far below the best.
///
/// ```text
/// p = sparsemax(z) = argmin over distributions p of ‖p − z‖²,   p[c] = max(0, z[c] − τ)
/// Lᵢ = (p·z − ½‖p‖²) − (z[labelᵢ] − ½)                          class numbers
/// Lᵢ = (p·z − ½‖p‖²) − (t·z − ½‖t‖²)                            a distribution t
/// ∂Lᵢ/∂zᵢ = p − one_hot(labelᵢ)
/// ```
///
/// The loss is 0, with slope 0, once the score of the label exceeds all others by 1, where
/// cross-entropy would go on for ever. The threshold `τ` makes the probabilities sum to 1. A class
/// `j` is above it where `Σ_c max(0, z[c] − z[j]) < 1`, which is how it is found: without sorting, in
/// time that grows with the square of the number of classes. The second derivative is that of the
/// classes above the threshold.
///
/// | | |
/// |---|---|
/// | shapes | scores: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis, or distributions of the scores' shape; terms as the labels |
/// | unit | the scores', squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::sparsemax;
/// let tape = Tape::f64();
/// let z = tape.variable([[0.5, 0.0, -2.0]]); // sparsemax: ¾, ¼, 0
/// let gradients = sparsemax(z, tape.labels(&[0])).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.0625); // (⅜ − 5/16) − (½ − ½)
/// assert_eq!(gradients.of(z).unwrap().to_f64s(), [-0.25, 0.25, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels as for [`Nll`](crate::Nll); distributions of another shape than the scores.
///
/// # Source
/// Martins and Astudillo, From Softmax to Sparsemax, 2016. optax's `multiclass_sparsemax_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SparsemaxLoss")]
pub struct Sparsemax {
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for Sparsemax {
    fn default() -> Self {
        Sparsemax { ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`Sparsemax`] with its defaults.
#[doc(alias = "multiclass_sparsemax_loss")]
#[track_caller]
pub fn sparsemax<'t>(scores: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Sparsemax::default().forward(scores, target)
}

impl Sparsemax {
    /// The terms. The target is class numbers if it holds integers, else distributions.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, target: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("sparsemax", || {
            if are_class_numbers(self.axis, scores, target) {
                return Labels::terms(
                    "sparsemax",
                    self.axis,
                    ("scores", scores),
                    target,
                    self.ignore_index,
                    |labels, z| {
                        let z = finite(z);
                        potential(z, labels.axis) - (labels.pick(z) - 0.5)
                    },
                );
            }
            let (z, t) = named_pair(
                "sparsemax",
                ("scores", scores),
                ("distribution", target),
                Unequal::Refuse,
            );
            let (z, axis) = on_class_axis("sparsemax", self.axis, ("scores", finite(z)));
            Terms::new(infinite(potential(z, axis) - (t * z - t.square() * 0.5).sum(axis)))
        })
    }
}

/// `p·z − ½‖p‖²` for `p = sparsemax(z)`, along an axis; its slope is `p`.
#[track_caller]
fn potential(z: Var<'_>, axis: isize) -> Var<'_> {
    let p = projected(z, axis);
    (p * z - p.square() * 0.5).sum(axis)
}

/// The distribution along an axis that is nearest to the scores.
#[track_caller]
pub(crate) fn projected(z: Var<'_>, axis: isize) -> Var<'_> {
    // Large scores would leave no digits for the 1.
    let z = z - z.detach().max(keep(axis));
    // At [j, c]: by how much class c exceeds class j.
    let excess = (z.unsqueeze(axis) - z.unsqueeze(axis + 1)).relu();
    let supported = excess.sum(axis + 1).lt(1.0);
    let inside = supported.select(z, 0.0);
    let tau = (inside.sum(keep(axis)) - 1.0) / supported.sum(keep(axis));
    supported.select(inside - tau, 0.0)
}

pub(crate) static ROW: Loss = Loss {
    name: "sparsemax",
    aliases: &["SparsemaxLoss", "multiclass_sparsemax_loss"],
    summary: "Cross-entropy's counterpart for distributions with zeros.",
    formula: "(p·z − ½‖p‖²) − (z[label] − ½), with p the distribution nearest to z",
    latex: r"p \cdot z - \frac{1}{2} \lVert p \rVert^2 - z_y + \frac{1}{2}, \quad p = \arg\min_{p \in \Delta} \lVert p - z \rVert^2",
    letters: &[("Δ", "all distributions over the classes")],
    shapes: "scores: [batch, class, …] or [class]; labels and terms: without the class axis; or distributions like the scores",
    unit: "the scores', squared",
    range: "[0, ∞)",
    source: "Martins and Astudillo, 2016; optax multiclass_sparsemax_loss",
    tasks: &[Task::Classes.fit(), Task::Distributions.set("distribution")],
    inputs: &[
        input("scores", &[N, C], Domain::Logits),
        input("labels", &[N], Domain::Labels(C)),
        option(
            "distribution",
            &[N, C],
            Domain::Probabilities,
            "a distribution as the target, instead of labels",
        ),
    ],
    options: &[
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "ignore_index=1", "distribution"],
    invariances: &[
        Invariance::Shift("scores"),
        Invariance::Order(&["scores", "labels", "distribution"]),
    ],
    run: |x| {
        Sparsemax { ignore_index: x.integer("ignore_index"), axis: x.axis() }
            .forward(x.var("scores"), x.maybe("distribution").unwrap_or_else(|| x.var("labels")))
    },
    naive: |x| {
        // L = ½ (‖t − z‖² − ‖p − z‖²)
        let square = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
        };
        let rows = x.rows("scores");
        let term =
            |i: usize, t: &[f64]| 0.5 * (square(t, rows[i]) - square(&project(rows[i]), rows[i]));
        match x.maybe("distribution") {
            Some(t) => t.chunks(C).enumerate().map(|(i, t)| term(i, t)).collect(),
            None => x.labeled(|i, label| {
                let mut one_hot = [0.0; C];
                one_hot[label] = 1.0;
                term(i, &one_hot)
            }),
        }
    },
    slope: Some(Slope {
        input: "scores",
        formula: "(p − one_hot(y)) / n",
        options: &[],
        naive: |x| x.less_one_hot("scores", project),
    }),
    ..FAMILY
};

/// The distribution nearest to scores, by algorithm 1 of the paper: the threshold from the sorted
/// scores.
fn project(z: &[f64]) -> Vec<f64> {
    let mut sorted = z.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut tau) = (0.0, 0.0);
    for (k, z) in sorted.iter().enumerate() {
        sum += z;
        if 1.0 + (k + 1) as f64 * z > sum {
            tau = (sum - 1.0) / (k + 1) as f64;
        }
    }
    z.iter().map(|z| (z - tau).max(0.0)).collect()
}
