//! The divergence of distributions.

use lossgraph_autograd::Var;

use crate::catalogue::{BROADCAST, C, Domain, Invariance, Loss, N, input, option};
use crate::check::{Unequal, pair};
use crate::terms::Terms;

/// The terms of the Kullback-Leibler divergence of `target` from a prediction, in nats.
///
/// ```text
/// Lᵢ = tᵢ (ln tᵢ − pᵢ)               p: log-probabilities, t: probabilities
/// Lᵢ = e^(tᵢ) (tᵢ − pᵢ)              with log_target
/// ∂Lᵢ/∂pᵢ = −tᵢ
/// ```
///
/// The prediction is a logarithm, as PyTorch has it. The divergence of one example is the sum of
/// its terms, so the number to minimise is [`Terms::batch_mean`]; the plain mean divides by the
/// classes as well, and is not the divergence. A target of 0 gives 0 with
/// slopes of 0, whatever the prediction (PyTorch gives NaN where that is −∞, and for the slope in
/// the target).
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike, `[batch, …]`; terms have that shape |
/// | unit | nats |
/// | range | the divergence is 0 and above; a term may be negative |
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
/// Unequal shapes, unless [`broadcast`](KlDiv::broadcast).
///
/// # Source
/// Kullback and Leibler, On Information and Sufficiency, 1951. PyTorch's `KLDivLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "KLDivLoss")]
pub struct KlDiv {
    /// The target holds log-probabilities too.
    pub log_target: bool,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
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
        let batch = if prediction.rank() == 0 { 1 } else { prediction.extent(0) };
        let unequal = Unequal::broadcast_if(self.broadcast);
        let (p, t) = pair("kl_div", prediction, target, unequal);
        p.tape().scope("kl_div", || {
            // What never happens is left out before the product, so that neither its logarithm nor
            // an infinite prediction can reach a slope.
            let never = t.eq(if self.log_target { f64::NEG_INFINITY } else { 0.0 });
            let p = never.select(0.0, p);
            let each = if self.log_target {
                let t = never.select(0.0, t);
                t.exp() * (t - p)
            } else {
                let t = never.select(1.0, t);
                t * (t.ln() - p)
            };
            Terms::new(each).of_batch(batch)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "kl_div",
    aliases: &["KLDivLoss", "kl_divergence", "kullback_leibler"],
    family: "divergence",
    summary: "The terms of the Kullback-Leibler divergence of a target from a prediction.",
    formula: "t (ln t − p), with log-probabilities p",
    latex: r"t \left( \log t - \log p \right)",
    shapes: "prediction, target: alike, [batch, …]; terms: alike",
    unit: "nats",
    range: "(−∞, ∞); the sum of an example's terms is in [0, ∞)",
    source: "Kullback and Leibler, 1951; PyTorch KLDivLoss",
    inputs: &[
        input("prediction", &[N, C], Domain::LogProbabilities),
        input("target", &[N, C], Domain::Probabilities),
        option("log_target", &[N, C], Domain::LogProbabilities),
    ],
    options: &[BROADCAST],
    grid: &["", "log_target"],
    invariances: &[Invariance::Order(&["prediction", "target", "log_target"])],
    run: |x| {
        let log_target = x.maybe("log_target");
        KlDiv { log_target: log_target.is_some(), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), log_target.unwrap_or_else(|| x.var("target")))
    },
    naive: |x| {
        let p = x.of("prediction");
        let t: Vec<f64> = match x.maybe("log_target") {
            Some(log) => log.iter().map(|t| t.exp()).collect(),
            None => x.of("target").to_vec(),
        };
        (0..N * C).map(|i| t[i] * (t[i].ln() - p[i])).collect()
    },
};
