//! Classes in an order.

use lossgraph_autograd::{Fault, Var};

use super::FAMILY;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, POSITIVE, Task, input, integer, option,
};
use crate::labels::{IGNORED, Labels, SECOND, along, on_class_axis};
use crate::rows::{finite, infinite};
use crate::terms::{Terms, scaled};

/// Cross-entropy of the questions whether the class is above 0, above 1, and so on, for classes
/// that have an order.
///
/// ```text
/// t[i, k] = 1 if labelᵢ > k, else 0                    k = 0 … C − 2
/// Lᵢ = Σ_k w[k] (softplus(z[i, k]) − t[i, k] z[i, k])
/// ∂Lᵢ/∂z[i, k] = w[k] (σ(z[i, k]) − t[i, k])
/// ```
///
/// `C` classes have `C − 1` thresholds, and a logit for each. In CORAL all logits of an example are
/// one score plus a bias for each threshold, so that their order is never contradictory; that is a
/// matter of the last layer. The predicted class is the number of logits above 0.
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, classes − 1]`, `[batch, classes − 1, …]` or `[classes − 1]`; labels: without that axis; terms as the labels |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::ordinal;
/// let tape = Tape::f64();
/// let z = tape.variable([[0.0, 0.0]]); // three classes
/// let gradients = ordinal(z, tape.labels(&[1])).mean().backward()?;
/// assert!((gradients.loss() - 4.0_f64.ln()).abs() < 1e-15); // above 0: ln 2; not above 1: ln 2
/// assert_eq!(gradients.of(z).unwrap().to_f64s(), [-0.5, 0.5]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Logits of more than two axes; labels as for [`Nll`](crate::Nll), of one class more than there are
/// logits; a weight that is not one number a threshold.
///
/// # Source
/// Cao, Mirjalili and Raschka, Rank Consistent Ordinal Regression for Neural Networks with
/// Application to Age Estimation (CORAL), 2020.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CoralLoss")]
pub struct Ordinal<'t> {
    /// A weight for each threshold.
    pub weight: Option<Var<'t>>,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for Ordinal<'_> {
    fn default() -> Self {
        Ordinal { weight: None, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`Ordinal`] with its defaults.
#[doc(alias = "coral_loss")]
#[track_caller]
pub fn ordinal<'t>(logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    Ordinal::default().forward(logits, labels)
}

impl<'t> Ordinal<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("ordinal", || {
            let refuse = |why: String| {
                let fault = Fault::new("ordinal", why).operand("logits", logits);
                Terms::new(logits.tape().fault(fault.operand("labels", labels)))
            };
            let (z, axis) = on_class_axis("ordinal", self.axis, ("logits", logits));
            let thresholds = z.dim(axis);
            if let Some(weight) =
                self.weight.filter(|weight| !z.is_faulty() && weight.shape()[..] != [thresholds])
            {
                return refuse(format!(
                    "one weight for each of the {thresholds} thresholds, given {}",
                    weight.shape()
                ));
            }
            match Labels::among(
                thresholds + 1,
                "ordinal",
                axis,
                ("logits", z),
                labels,
                self.ignore_index,
            ) {
                Ok(labels) => {
                    let z = finite(labels.counted_scores(z));
                    let weight = self.weight.map(|weight| along(weight, axis, z));
                    let each = scaled(infinite(z.softplus() - labels.above(z) * z), weight);
                    Terms::new(labels.counted(each.sum(axis))).with_weights(labels.weigh(None))
                }
                Err(fault) => Terms::new(fault),
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "ordinal",
    aliases: &["CoralLoss", "coral", "coral_loss", "OrdinalLoss"],
    summary: "Cross-entropy of the questions whether the class is above each threshold.",
    formula: "Σ_k w[k] (softplus(z[k]) − [label > k] z[k])",
    latex: r"-\sum_k w_k \left( [y > k] \log \sigma(z_k) + [y \le k] \log \sigma(-z_k) \right)",
    letters: &[("σ", "the logistic function")],
    shapes: "logits: [batch, classes − 1, …] or [classes − 1]; labels and terms: without that axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Cao, Mirjalili and Raschka, 2020",
    tasks: &[Task::OrderedClasses.fit().by_default()],
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("labels", &[N], Domain::Labels(C + 1)),
        option("weight", &[C], POSITIVE, "a weight for each threshold"),
    ],
    options: &[
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "weight", "weight ignore_index=1"],
    invariances: &[Invariance::Order(&["logits", "labels"])],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        Ordinal { weight: x.maybe("weight"), ignore_index, axis: x.axis() }
            .forward(x.var("logits"), x.var("labels"))
    },
    naive: |x| {
        let rows = x.rows("logits");
        x.labeled(|i, label| {
            let threshold = |k: usize| {
                let above = 1.0 / (1.0 + (-rows[i][k]).exp());
                -x.weight("weight", k) * if label > k { above.ln() } else { (1.0 - above).ln() }
            };
            (0..C).map(threshold).sum()
        })
    },
    ..FAMILY
};
