//! The hinge loss of many classes.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::power::positive_power;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, POSITIVE, input, integer, number, option,
};
use crate::check::demand;
use crate::labels::{IGNORED, Labels, SECOND, class_weight};
use crate::terms::{Terms, scaled};

/// How far the score of the label fails to exceed each other score by a margin, in the mean over
/// the classes.
///
/// ```text
/// h[i, c] = max(0, m − z[i, labelᵢ] + z[i, c])                  m: margin
/// Lᵢ = w[labelᵢ]/C Σ_(c ≠ labelᵢ) h[i, c]ᵖ
/// ∂Lᵢ/∂z[i, c] = w[labelᵢ]/C p h[i, c]ᵖ⁻¹      for c ≠ labelᵢ where h > 0; the label has minus their sum
/// ```
///
/// The sum has `C − 1` terms and is divided by `C`. The mean divides by the number of examples that
/// count, not by weights. At the margin the slope is 0. Second derivatives and the gradient in the
/// class weights exist; PyTorch has neither, takes `p` of 1 and 2 only, and gives whatever lies in
/// memory for an empty batch, where this gives the mean of nothing.
///
/// | | |
/// |---|---|
/// | shapes | scores: `[batch, class]`, `[batch, class, …]`, `[class]`, or `[]` of one class; labels: without the class axis, or `[1]` of one example; terms as the labels |
/// | unit | the scores', to the power `p` |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::multi_margin;
/// let tape = Tape::f64();
/// let scores = tape.variable([[0.5, 1.0, 3.0, -2.0]]);
/// let gradients = multi_margin(scores, tape.labels(&[1])).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.875); // (½ + 3 + 0) / 4
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [0.25, -0.5, 0.25, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels as for [`Nll`](crate::Nll); a weight that is not one number a class; a `p` below 1 or a
/// margin that is not finite.
///
/// # Source
/// Weston and Watkins, Multi-class Support Vector Machines, 1998. PyTorch's `MultiMarginLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "MultiMarginLoss")]
pub struct MultiMargin<'t> {
    /// The power of each distance, 1 or more.
    pub p: f64,
    /// By how much the score of the label shall exceed the others.
    pub margin: f64,
    /// A weight for each class.
    pub weight: Option<Var<'t>>,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for MultiMargin<'_> {
    fn default() -> Self {
        MultiMargin { p: 1.0, margin: 1.0, weight: None, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`MultiMargin`] with its defaults.
#[doc(alias = "multi_margin_loss")]
#[track_caller]
pub fn multi_margin<'t>(scores: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    MultiMargin::default().forward(scores, labels)
}

impl<'t> MultiMargin<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, scores: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("multi_margin", || {
            let MultiMargin { p, margin, weight, ignore_index, axis } = *self;
            // As in PyTorch, a scalar is the score of one class, and one example may have a list of
            // one label.
            let listed = scores.rank() < 2 && labels.shape()[..] == [1];
            let scores = if scores.rank() == 0 { scores.reshape([1]) } else { scores };
            let labels = if listed { labels.reshape(()) } else { labels };
            let fits = (1.0..f64::INFINITY).contains(&p) && margin.is_finite();
            let why = || format!("p is {p} and margin {margin}, expected p of 1 or more");
            let scores = demand("multi_margin", fits, why, scores);
            let weight = weight.map(|weight| {
                class_weight("multi_margin", ("weight", weight), axis, ("scores", scores))
            });
            let terms = Labels::terms(
                "multi_margin",
                axis,
                ("scores", scores),
                labels,
                ignore_index,
                |labels, z| {
                    let each = positive_power(labels.lead(z, margin), p).mean(labels.axis);
                    scaled(each, labels.class_weight(weight))
                },
            );
            if listed { terms.reshaped([1].into()) } else { terms }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "multi_margin",
    aliases: &["MultiMarginLoss", "multi_margin_loss"],
    summary: "How far the label's score fails to exceed each other score by a margin.",
    formula: "w[label]/C Σ_(c ≠ label) max(0, m − z[label] + z[c])ᵖ",
    latex: r"\frac{w_y}{C} \sum_{c \ne y} \max(0, m - z_y + z_c)^p",
    letters: &[("C", "the number of classes")],
    shapes: "scores: [batch, class, …], [class] or []; labels and terms: without the class axis",
    unit: "the scores', to the power p",
    range: "[0, ∞)",
    source: "Weston and Watkins, 1998; PyTorch MultiMarginLoss",
    over: "p=1,1.5,2",
    inputs: &[
        input("scores", &[N, C], Domain::Logits),
        input("labels", &[N], Domain::Labels(C)),
        option("weight", &[C], POSITIVE, "a weight for each class"),
    ],
    options: &[
        number("p", 1.0, "the power of each distance"),
        number("margin", 1.0, "by how much the score of the label shall exceed the others"),
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "p=2", "p=1.5 margin=0.5", "weight p=2 ignore_index=1", "weight"],
    invariances: &[Invariance::Shift("scores"), Invariance::Order(&["scores", "labels"])],
    run: |x| {
        MultiMargin {
            p: x.number("p"),
            margin: x.number("margin"),
            weight: x.maybe("weight"),
            ignore_index: x.integer("ignore_index"),
            axis: x.axis(),
        }
        .forward(x.var("scores"), x.var("labels"))
    },
    naive: |x| {
        let rows = x.rows("scores");
        x.labeled(|i, label| {
            let h = |c: usize| (x.number("margin") - rows[i][label] + rows[i][c]).max(0.0);
            let others = (0..C).filter(|&c| c != label);
            let sum: f64 = others.map(|c| h(c).powf(x.number("p"))).sum();
            x.weight("weight", label) * sum / C as f64
        })
    },
    edges: &[("the label impossible with p=2", "the slope is infinite")],
    ..FAMILY
};
