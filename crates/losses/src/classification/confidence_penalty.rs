//! A penalty on being too sure.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::softmax_of;
use crate::catalogue::{C, CLASS_AXIS, Domain, Invariance, Loss, N, Task, input, number};
use crate::check::{demand, floats};
use crate::labels::{SECOND, on_class_axis};
use crate::rows::{capped, times};
use crate::terms::Terms;

/// A penalty on predictions of low entropy, to be added to a loss with a weight of its own.
///
/// ```text
/// H = −Σ_c p[c] ln p[c],  p = softmax(zᵢ)
/// Lᵢ = −H                          without a threshold
/// Lᵢ = max(0, Γ − H)               with the threshold Γ
/// ∂Lᵢ/∂z[i, c] = p[c] (ln p[c] + H)        where H < Γ
/// ```
///
/// It needs no labels: `cross_entropy(z, labels).mean() + confidence_penalty(z).mean() * 0.1`. With a
/// threshold, what is unsure enough is left alone, so that the penalty does not hinder the beginning
/// of a training.
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, class]`, `[batch, class, …]` or `[class]`; terms: without the class axis |
/// | unit | nats |
/// | range | −ln C to 0; 0 to Γ with a threshold |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::confidence_penalty;
/// let tape = Tape::f64();
/// let ln_3 = 3.0_f64.ln();
/// let z = tape.variable([[0.0, ln_3]]); // softmax: ¼, ¾
/// let gradients = confidence_penalty(z).mean().backward()?;
/// assert!((gradients.loss() - (0.75 * ln_3 - 4.0_f64.ln())).abs() < 1e-15);
/// let slope = 3.0 / 16.0 * ln_3;
/// assert!(gradients.of(z).unwrap().allclose(&[[-slope, slope]].into(), 1e-15, 1e-16));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Logits without a class axis; a threshold that is NaN.
///
/// # Source
/// Pereyra et al., Regularizing Neural Networks by Penalizing Confident Output Distributions, 2017.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "entropy")]
pub struct ConfidencePenalty {
    /// The entropy from which on a prediction is unsure enough, in nats.
    pub threshold: Option<f64>,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for ConfidencePenalty {
    fn default() -> ConfidencePenalty {
        ConfidencePenalty { threshold: None, axis: SECOND }
    }
}

/// [`ConfidencePenalty`] without a threshold.
#[track_caller]
pub fn confidence_penalty(logits: Var<'_>) -> Terms<'_> {
    ConfidencePenalty::default().forward(logits)
}

impl ConfidencePenalty {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("confidence_penalty", || {
            let z = floats("confidence_penalty", "logits", logits);
            let (z, axis) = on_class_axis("confidence_penalty", self.axis, ("logits", z));
            let fits = self.threshold.is_none_or(|threshold| !threshold.is_nan());
            let z = demand("confidence_penalty", fits, || "threshold is NaN".to_owned(), z);
            let log_p = capped(z).log_softmax(axis);
            let minus_h = times(log_p.exp(), log_p).sum(axis);
            Terms::new(match self.threshold {
                Some(threshold) => (minus_h + threshold).relu(),
                None => minus_h,
            })
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "confidence_penalty",
    aliases: &["entropy_penalty", "negative_entropy", "entropy_regularization"],
    summary: "A penalty on predictions of low entropy, to be added to a loss.",
    formula: "Σ_c p[c] ln p[c], with p = softmax(z); max(0, Γ + that) with a threshold Γ",
    latex: r"\sum_c p_c \log p_c",
    letters: &[("p", "the softmax of the logits")],
    shapes: "logits: [batch, class, …] or [class]; terms: without the class axis",
    unit: "nats",
    range: "[−ln C, 0]",
    source: "Pereyra et al., 2017",
    tasks: &[Task::Classes.fit().penalty(0.1)],
    over: "threshold=0.5,0.8,inf",
    inputs: &[input("logits", &[N, C], Domain::Logits)],
    options: &[
        number("threshold", f64::INFINITY, "the entropy that is enough; inf for none"),
        CLASS_AXIS,
    ],
    grid: &["", "threshold=0.5"],
    invariances: &[Invariance::Shift("logits"), Invariance::Order(&["logits"])],
    run: |x| {
        let threshold = Some(x.number("threshold")).filter(|threshold| threshold.is_finite());
        ConfidencePenalty { threshold, axis: x.axis() }.forward(x.var("logits"))
    },
    naive: |x| {
        let entropy = |z| -> f64 { softmax_of(z).into_iter().map(|p| -p * p.ln()).sum() };
        let entropies = x.rows("logits").into_iter().map(entropy);
        match x.number("threshold") {
            f64::INFINITY => entropies.map(|h| -h).collect(),
            threshold => entropies.map(|h| (threshold - h).max(0.0)).collect(),
        }
    },
    ..FAMILY
};
