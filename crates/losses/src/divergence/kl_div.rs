//! The divergence of distributions.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{
    BROADCAST, C, Domain, Invariance, LAST_AXIS, Loss, N, Slope, Task, flag, input, option,
};
use crate::check::{Unequal, floats, pair};
use crate::labels::on_class_axis;
use crate::terms::{Reduction, Terms};

/// The terms of the Kullback-Leibler divergence of `target` from a prediction, in nats.
///
/// ```text
/// Lᵢ = tᵢ (ln tᵢ − pᵢ)               p: log-probabilities, t: probabilities
/// Lᵢ = e^(tᵢ) (tᵢ − pᵢ)              with log_target
///    … + e^(pᵢ) − tᵢ                generalized
/// ∂Lᵢ/∂pᵢ = −tᵢ                      e^(pᵢ) − tᵢ if generalized
/// ```
///
/// The prediction is a logarithm, as PyTorch has it. The divergence of one example is the sum of
/// its terms, so the number to minimise is [`Terms::batch_mean`]; the plain mean divides by the
/// classes as well, and is not the divergence. With [`per_row`](KlDiv::per_row) a term is the
/// divergence of a distribution, so that means, weights and masks are those of examples. What is
/// generalized is a divergence also where the numbers do not sum to 1.
///
/// A target of 0 gives 0 (or `e^(pᵢ)`) with slopes of 0 in what it is multiplied with, whatever the
/// prediction. PyTorch gives NaN where that is −∞, and for the slope in the target.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, …]`; terms have that shape, without the axis of its classes if `per_row` |
/// | unit | nats |
/// | range | the divergence is 0 and above; a term of an element may be negative, unless generalized |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::kl_div;
/// let tape = Tape::f64();
/// let p = tape.variable([[0.5_f64.ln(), 0.5_f64.ln()]]);
/// let gradients = kl_div(p, tape.constant([[1.0, 0.0]])).batch_mean().backward()?;
/// assert_eq!(gradients.loss(), 2.0_f64.ln());
/// assert_eq!(gradients.of(p).unwrap().to_f64s(), [-1.0, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](KlDiv::broadcast); `per_row` of single numbers.
///
/// # Source
/// Kullback and Leibler, On Information and Sufficiency, 1951. PyTorch's `KLDivLoss`; optax's
/// `kl_divergence`, `kl_divergence_with_log_targets` and `generalized_kl_divergence`, which are
/// `per_row`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "KLDivLoss")]
pub struct KlDiv {
    /// The target holds log-probabilities too.
    pub log_target: bool,
    /// Adds what the prediction sums to and takes away what the target does.
    #[doc(alias = "generalised")]
    pub generalized: bool,
    /// One term for each distribution: the sum along [`axis`](KlDiv::axis).
    pub per_row: bool,
    /// The axis that counts classes, along which `per_row` adds; from the end, if negative.
    pub axis: isize,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for KlDiv {
    fn default() -> KlDiv {
        KlDiv { log_target: false, generalized: false, per_row: false, axis: -1, broadcast: false }
    }
}

/// [`KlDiv`] of a target of probabilities.
#[track_caller]
pub fn kl_div<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    KlDiv::default().forward(prediction, target)
}

impl KlDiv {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("kl_div", || {
            let batch = if prediction.rank() == 0 { 1 } else { prediction.dim(0) };
            let unequal = Unequal::broadcast_if(self.broadcast);
            let target = floats("kl_div", "target", target);
            let (p, t) = pair("kl_div", prediction, target, unequal);
            let (p, axis) = match self.per_row {
                true => on_class_axis("kl_div", self.axis, ("prediction", p)),
                false => (p, 0),
            };
            // What never happens is left out before the product, so that neither its logarithm nor
            // an infinite prediction can reach a slope.
            let never = t.eq(if self.log_target { f64::NEG_INFINITY } else { 0.0 });
            let met = never.select(0.0, p);
            let mut each = if self.log_target {
                let t = never.select(0.0, t);
                t.exp() * (t - met)
            } else {
                let t = never.select(1.0, t);
                t * (t.ln() - met)
            };
            if self.generalized {
                each = each + p.exp() - if self.log_target { t.exp() } else { t };
            }
            match self.per_row {
                true => Terms::new(each.sum(axis)),
                false => Terms::new(each).of_batch(batch),
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "kl_div",
    aliases: &[
        "KLDivLoss",
        "kl_divergence",
        "kl_divergence_with_log_targets",
        "generalized_kl_divergence",
        "convex_kl_divergence",
        "kullback_leibler",
        "KLDivergence",
    ],
    summary: "The terms of the Kullback-Leibler divergence of a target from a prediction.",
    formula: "t (ln t − p), with log-probabilities p; generalized: … + e^p − t",
    latex: r"t \left( \log t - \ell \right)",
    shapes: "prediction, target: alike, [batch, …]; terms: alike, or without the class axis if per_row",
    unit: "nats",
    range: "(−∞, ∞); the sum of an example's terms is in [0, ∞)",
    source: "Kullback and Leibler, 1951; PyTorch KLDivLoss",
    tasks: &[
        Task::Distributions.fit().by_default(),
        Task::Classes.fit().reduced(Reduction::BatchMean),
    ],
    inputs: &[
        input("prediction", &[N, C], Domain::LogProbabilities),
        input("target", &[N, C], Domain::Probabilities),
        option("log_target", &[N, C], Domain::LogProbabilities, "log-probabilities as the target"),
    ],
    options: &[
        flag("generalized", "adds what the prediction sums to less what the target does"),
        flag("per_row", "one term for each distribution"),
        LAST_AXIS,
        BROADCAST,
    ],
    grid: &["", "log_target", "generalized", "per_row", "log_target generalized per_row"],
    invariances: &[Invariance::Order(&["prediction", "target", "log_target"])],
    run: |x| {
        let log_target = x.maybe("log_target");
        KlDiv {
            log_target: log_target.is_some(),
            generalized: x.flag("generalized"),
            per_row: x.flag("per_row"),
            axis: x.axis(),
            broadcast: x.flag("broadcast"),
        }
        .forward(x.var("prediction"), log_target.unwrap_or_else(|| x.var("target")))
    },
    naive: |x| {
        let p = x.of("prediction");
        let t: Vec<f64> = match x.maybe("log_target") {
            Some(log) => log.iter().map(|t| t.exp()).collect(),
            None => x.of("target").to_vec(),
        };
        let element = |i: usize| {
            let excess = if x.flag("generalized") { p[i].exp() - t[i] } else { 0.0 };
            t[i] * (t[i].ln() - p[i]) + excess
        };
        let each: Vec<f64> = (0..N * C).map(element).collect();
        match x.flag("per_row") {
            true => each.chunks(C).map(|row| row.iter().sum()).collect(),
            false => each,
        }
    },
    edges: &[("+∞", "it is no logarithm of a probability")],
    slope: Some(Slope {
        input: "prediction",
        formula: "−t / n",
        options: &[],
        naive: |x| x.of("target").iter().map(|t| -t / x.of("target").len() as f64).collect(),
    }),
    ..FAMILY
};
