//! The hinge loss against the best wrong class.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{C, CLASS_AXIS, Domain, Invariance, Loss, N, input, integer, number};
use crate::check::demand;
use crate::labels::{IGNORED, Labels, SECOND};
use crate::terms::Terms;

/// How far the score of the label fails to exceed the best of the others by a margin.
///
/// ```text
/// Lᵢ = max_c (z[i, c] + m [c ≠ labelᵢ]) − z[i, labelᵢ]             m: margin
///    = max(0, m + max_(c ≠ labelᵢ) z[i, c] − z[i, labelᵢ])
/// ∂Lᵢ/∂zᵢ = one_hot(the c of the maximum) − one_hot(labelᵢ)
/// ```
///
/// Where classes tie for the maximum, the label at its margin included, they share the slope.
/// Keras' function of this name takes 0 for the label's score where it looks for the best of the
/// others, and so demands more where all of them are negative; this one does not depend on a number
/// that is added to all scores.
///
/// | | |
/// |---|---|
/// | shapes | scores: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis; terms as the labels |
/// | unit | the scores' |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::categorical_hinge;
/// let tape = Tape::f64();
/// let scores = tape.variable([[1.0, 0.5, -1.0]]);
/// let gradients = categorical_hinge(scores, tape.labels(&[1])).mean().backward()?;
/// assert_eq!(gradients.loss(), 1.5); // 1 + 1 − ½
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [1.0, -1.0, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels as for [`Nll`](crate::Nll); a margin that is negative or not finite.
///
/// # Source
/// Crammer and Singer, On the Algorithmic Implementation of Multiclass Kernel-based Vector
/// Machines, 2001. optax's `multiclass_hinge_loss`.
#[derive(Clone, Copy, Debug)]
pub struct CategoricalHinge {
    /// By how much the score of the label shall exceed the others.
    pub margin: f64,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for CategoricalHinge {
    fn default() -> Self {
        CategoricalHinge { margin: 1.0, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`CategoricalHinge`] with its defaults.
#[doc(alias = "multiclass_hinge_loss")]
#[track_caller]
pub fn categorical_hinge<'t>(scores: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    CategoricalHinge::default().forward(scores, labels)
}

impl CategoricalHinge {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("categorical_hinge", || {
            let CategoricalHinge { margin, ignore_index, .. } = *self;
            let fits = (0.0..f64::INFINITY).contains(&margin);
            let why = || format!("margin is {margin}, expected a number of 0 and above");
            let scores = demand("categorical_hinge", fits, why, scores);
            Labels::terms(
                "categorical_hinge",
                self.axis,
                ("scores", scores),
                labels,
                ignore_index,
                |labels, z| labels.lead(z, margin).max(labels.axis),
            )
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "categorical_hinge",
    aliases: &["CategoricalHinge", "multiclass_hinge_loss", "crammer_singer"],
    summary: "How far the label's score fails to exceed the best of the others by a margin.",
    formula: "max(0, m + max_(c ≠ label) z[c] − z[label])",
    latex: r"\max \left( 0,\, m + \max_{c \ne y} z_c - z_y \right)",
    shapes: "scores: [batch, class, …] or [class]; labels and terms: without the class axis",
    unit: "the scores'",
    range: "[0, ∞)",
    source: "Crammer and Singer, 2001; optax multiclass_hinge_loss",
    over: "margin=0.5,1,2",
    inputs: &[input("scores", &[N, C], Domain::Logits), input("labels", &[N], Domain::Labels(C))],
    options: &[
        number("margin", 1.0, "by how much the score of the label shall exceed the others"),
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "margin=0.4 ignore_index=1"],
    invariances: &[Invariance::Shift("scores"), Invariance::Order(&["scores", "labels"])],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        CategoricalHinge { margin: x.number("margin"), ignore_index, axis: x.axis() }
            .forward(x.var("scores"), x.var("labels"))
    },
    naive: |x| {
        let rows = x.rows("scores");
        x.labeled(|i, label| {
            let others = (0..C).filter(|&c| c != label).map(|c| rows[i][c]);
            let best = others.fold(f64::NEG_INFINITY, f64::max);
            (x.number("margin") + best - rows[i][label]).max(0.0)
        })
    },
    edges: &[("all times 1e-10", "the kink is one rounding away")],
    ..FAMILY
};
