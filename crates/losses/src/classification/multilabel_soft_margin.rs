//! Cross-entropy of several labels an example.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{
    BROADCAST, C, Domain, INNER, Invariance, LAST_AXIS, Loss, N, POSITIVE, input, option,
};
use crate::check::{Unequal, bits, named_pair, repeats};
use crate::labels::{along, on_class_axis};
use crate::rows::{finite, infinite};
use crate::terms::{Terms, scaled};

/// Binary cross-entropy of logits, in the mean over the classes of an example.
///
/// ```text
/// Lᵢ = 1/C Σ_c w[c] (softplus(z[i, c]) − t[i, c] z[i, c])
///    = −1/C Σ_c w[c] (t[i, c] ln σ(z[i, c]) + (1 − t[i, c]) ln σ(−z[i, c]))
/// ∂Lᵢ/∂z[i, c] = w[c]/C (σ(z[i, c]) − t[i, c])
/// ```
///
/// It is [`BceWithLogits`](crate::BceWithLogits) with a term for each example. The mean divides by
/// the number of examples, not by weights. The target has a gradient.
///
/// | | |
/// |---|---|
/// | shapes | logits and target alike, `[…, class]`; terms: without the class axis |
/// | unit | nats |
/// | range | 0 and above, for targets from 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::multilabel_soft_margin;
/// let tape = Tape::f64();
/// let z = tape.variable([[0.0, 3.0_f64.ln()]]); // σ: ½, ¾
/// let gradients = multilabel_soft_margin(z, tape.constant([[1.0, 0.0]])).mean().backward()?;
/// assert!((gradients.loss() - 8.0_f64.ln() / 2.0).abs() < 1e-15); // (ln 2 + ln 4) / 2
/// assert!(gradients.of(z).unwrap().allclose(&[[-0.25, 0.375]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](MultilabelSoftMargin::broadcast); a weight that does not
/// broadcast to the logits; class numbers.
///
/// # Source
/// PyTorch's `MultiLabelSoftMarginLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "MultiLabelSoftMarginLoss")]
pub struct MultilabelSoftMargin<'t> {
    /// A weight for each class, or one that broadcasts to the logits.
    pub weight: Option<Var<'t>>,
    /// The axis that counts classes; from the end, if negative.
    pub axis: isize,
    /// Lets logits and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for MultilabelSoftMargin<'_> {
    fn default() -> Self {
        MultilabelSoftMargin { weight: None, axis: -1, broadcast: false }
    }
}

/// [`MultilabelSoftMargin`] with its defaults.
#[doc(alias = "multilabel_soft_margin_loss")]
#[track_caller]
pub fn multilabel_soft_margin<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    MultilabelSoftMargin::default().forward(logits, target)
}

impl<'t> MultilabelSoftMargin<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("multilabel_soft_margin", || {
            let unequal = Unequal::broadcast_if(self.broadcast);
            let target = bits("multilabel_soft_margin", target);
            let (z, t) = named_pair(
                "multilabel_soft_margin",
                ("logits", logits),
                ("target", target),
                unequal,
            );
            let (z, axis) = on_class_axis("multilabel_soft_margin", self.axis, ("logits", z));
            let of_classes = |weight: Var<'t>| match weight.rank() {
                1 => along(weight, axis, z),
                _ => weight,
            };
            let weight = self.weight.map(of_classes);
            let weight = weight
                .map(|weight| repeats("multilabel_soft_margin", "weight", weight, ("logits", z)));
            let z = finite(z);
            Terms::new(scaled(infinite(z.softplus() - t * z), weight).mean(axis))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "multilabel_soft_margin",
    aliases: &["MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss"],
    summary: "Binary cross-entropy of logits, in the mean over the classes of an example.",
    formula: "1/C Σ_c w[c] (softplus(z[c]) − t[c] z[c])",
    latex: r"-\frac{1}{C} \sum_c w_c \left( t_c \log \sigma(z_c) + (1 - t_c) \log \sigma(-z_c) \right)",
    letters: &[("C", "the number of classes"), ("σ", "the logistic function")],
    shapes: "logits, target: alike, […, class]; terms: without the class axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "PyTorch MultiLabelSoftMarginLoss",
    tasks: super::EACH_CLASS,
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("target", &[N, C], INNER),
        option("weight", &[C], POSITIVE, "a weight for each class"),
    ],
    options: &[LAST_AXIS, BROADCAST],
    grid: &["", "weight"],
    invariances: &[Invariance::Order(&["logits", "target"])],
    run: |x| {
        let (weight, axis, broadcast) = (x.maybe("weight"), x.axis(), x.flag("broadcast"));
        MultilabelSoftMargin { weight, axis, broadcast }.forward(x.var("logits"), x.var("target"))
    },
    naive: |x| {
        let term = |(z, t): (&[f64], &[f64])| {
            let class = |c: usize| {
                let p = 1.0 / (1.0 + (-z[c]).exp());
                x.weight("weight", c) * (t[c] * p.ln() + (1.0 - t[c]) * (1.0 - p).ln())
            };
            -(0..C).map(class).sum::<f64>() / C as f64
        };
        x.rows("logits").into_iter().zip(x.rows("target")).map(term).collect()
    },
    ..FAMILY
};
