//! Cross-entropy of several labels an example.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{C, Domain, INNER, Invariance, Loss, N, POSITIVE, input, option};
use crate::check::{Unequal, pair, repeats};
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
/// | shapes | logits and target alike, `[…, class]`; terms: without the class axis, which is the last |
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
/// Unequal shapes; a weight that does not broadcast to the logits.
///
/// # Source
/// PyTorch's `MultiLabelSoftMarginLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "MultiLabelSoftMarginLoss")]
pub struct MultilabelSoftMargin<'t> {
    /// A weight for each class; broadcasts to the logits.
    pub weight: Option<Var<'t>>,
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
            let (z, t) = pair("multilabel_soft_margin", logits, target, Unequal::Refuse);
            let weight =
                self.weight.map(|weight| repeats("multilabel_soft_margin", "weight", weight, z));
            Terms::new(scaled(z.softplus() - t * z, weight).mean(-1))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "multilabel_soft_margin",
    aliases: &["MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss"],
    summary: "Binary cross-entropy of logits, in the mean over the classes of an example.",
    formula: "1/C Σ_c w[c] (softplus(z[c]) − t[c] z[c])",
    latex: r"-\frac{1}{C} \sum_c w_c \left( t_c \log \sigma(z_c) + (1 - t_c) \log \sigma(-z_c) \right)",
    shapes: "logits, target: alike, […, class]; terms: without the class axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "PyTorch MultiLabelSoftMarginLoss",
    tasks: super::EACH_CLASS,
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("target", &[N, C], INNER),
        option("weight", &[C], POSITIVE),
    ],
    grid: &["", "weight"],
    invariances: &[Invariance::Order(&["logits", "target"])],
    run: |x| {
        MultilabelSoftMargin { weight: x.maybe("weight") }.forward(x.var("logits"), x.var("target"))
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
