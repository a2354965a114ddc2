//! Counts of events.

use std::f64::consts::PI;

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{
    BROADCAST, C, Domain, Invariance, Loss, N, POSITIVE, Task, flag, input, number, word,
};
use crate::check::{Unequal, demand, holds, pair};
use crate::rows::times;
use crate::terms::Terms;

/// The negative log-likelihood of counts, from the logarithm of their rate or the rate itself.
///
/// ```text
/// Lᵢ = e^pᵢ − tᵢ pᵢ              log_input: p is ln rate
/// Lᵢ = pᵢ − tᵢ ln(pᵢ + ε)        else
/// Lᵢ += tᵢ ln tᵢ − tᵢ + ½ ln(2π tᵢ)   with full, where tᵢ > 1
/// ∂Lᵢ/∂pᵢ = e^pᵢ − tᵢ,  or 1 − tᵢ/(pᵢ + ε)
/// ```
///
/// Left out is `ln t!`, which does not depend on the prediction; `full` adds Stirling's approximation
/// of it. A count of 0 costs nothing but the rate, even where the logarithm of the rate is −∞
/// (PyTorch gives NaN).
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | nats |
/// | range | any number; with `full` about 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::poisson_nll;
/// let tape = Tape::f64();
/// let ln_rate = tape.variable([0.0, 2.0_f64.ln()]);
/// let gradients = poisson_nll(ln_rate, tape.constant([3.0, 0.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 3.0); // (1 − 0) + (2 − 0)
/// assert_eq!(gradients.of(ln_rate).unwrap().to_f64s(), [-2.0, 2.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](PoissonNll::broadcast); an `eps` below 0; counts, or rates
/// that are data, below 0.
///
/// # Source
/// PyTorch's `PoissonNLLLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "PoissonNLLLoss")]
pub struct PoissonNll {
    /// The prediction is the logarithm of the rate, not the rate.
    pub log_input: bool,
    /// Adds Stirling's approximation of `ln t!`, for counts above 1.
    pub full: bool,
    /// What is added to a rate, so that the logarithm of 0 is finite.
    pub eps: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for PoissonNll {
    fn default() -> PoissonNll {
        PoissonNll { log_input: true, full: false, eps: 1e-8, broadcast: false }
    }
}

/// [`PoissonNll`] of logarithms of rates.
#[doc(alias = "poisson_nll_loss")]
#[track_caller]
pub fn poisson_nll<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    PoissonNll::default().forward(prediction, target)
}

impl PoissonNll {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("poisson_nll", || {
            let PoissonNll { log_input, full, eps, broadcast } = *self;
            let is_rate = |rate: f64| log_input || rate >= 0.0;
            let prediction =
                holds("poisson_nll", "prediction", "rates from 0", is_rate, prediction);
            let target = holds("poisson_nll", "target", "counts from 0", |t| t >= 0.0, target);
            let (p, t) = pair("poisson_nll", prediction, target, Unequal::broadcast_if(broadcast));
            let why = || format!("eps is {eps}, expected a number from 0");
            let p = demand("poisson_nll", eps >= 0.0 && eps.is_finite(), why, p);
            let (rate, ln_rate) = if log_input { (p.exp(), p) } else { (p, (p + eps).ln()) };
            // Far above, the rate is infinite, and so is the loss.
            let each = rate - times(t, ln_rate.clamp(f64::NEG_INFINITY, 1e5));
            Terms::new(if full { each + ln_factorial(t) } else { each })
        })
    }
}

/// Stirling's approximation of `ln t!` for `t` above 1, else 0.
#[track_caller]
fn ln_factorial(t: Var<'_>) -> Var<'_> {
    let large = t.gt(1.0);
    let t = large.select(t, 1.0);
    large.select(t * t.ln() - t + (t * (2.0 * PI)).ln() * 0.5, 0.0)
}

pub(crate) static ROW: Loss = Loss {
    name: "poisson_nll",
    aliases: &["PoissonNLLLoss", "poisson_nll_loss", "poisson"],
    summary: "The negative log-likelihood of counts.",
    formula: "eᵖ − t p, with p = ln rate",
    latex: r"e^{p} - t\, p",
    shapes: "prediction, target: alike; terms: alike",
    unit: "nats",
    range: "(−∞, ∞)",
    source: "PyTorch PoissonNLLLoss",
    tasks: &[Task::Numbers.set("log_input=false")],
    inputs: &[
        input("prediction", &[N, C], POSITIVE).pictured_over(-3.0, 3.0),
        input("target", &[N, C], COUNTS),
    ],
    options: &[
        word("log_input", &["true", "false"], "the prediction is the logarithm of the rate"),
        flag("full", "adds Stirling's approximation of ln t!"),
        number("eps", 1e-8, "what is added to a rate"),
        BROADCAST,
    ],
    grid: &["", "full", "log_input=false", "log_input=false full eps=0.1 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        let (log_input, full) = (x.word("log_input") == "true", x.flag("full"));
        PoissonNll { log_input, full, eps: x.number("eps"), broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let term = |(p, t): (&f64, &f64)| {
            let each = match x.word("log_input") {
                "true" => p.exp() - t * p,
                _ => p - t * (p + x.number("eps")).ln(),
            };
            match x.flag("full") && *t > 1.0 {
                true => each + t * t.ln() - t + (2.0 * PI * t).sqrt().ln(),
                false => each,
            }
        };
        x.of("prediction").iter().zip(x.of("target")).map(term).collect()
    },
    ..FAMILY
};

/// Counts on both sides of 1.
const COUNTS: Domain = Domain::Between(0.2, 6.0);
