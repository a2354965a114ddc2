//! Deviances of amounts and counts.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, C, Invariance, Loss, N, POSITIVE, flag, input, number};
use crate::check::{Unequal, demand, holds, pair};
use crate::terms::Terms;

/// The deviance of a target whose variance grows as a power `k` of its mean `μ`, the prediction:
/// twice what the log-likelihood lacks to that of a perfect prediction.
///
/// ```text
/// Lᵢ = 2 (tᵢ^(2−k) / ((1−k)(2−k)) − tᵢ μᵢ^(1−k) / (1−k) + μᵢ^(2−k) / (2−k))
/// Lᵢ = (tᵢ − μᵢ)²                        k = 0: normal
/// Lᵢ = 2 (tᵢ ln(tᵢ/μᵢ) − tᵢ + μᵢ)        k = 1: Poisson
/// Lᵢ = 2 (ln(μᵢ/tᵢ) + tᵢ/μᵢ − 1)         k = 2: gamma
/// ∂Lᵢ/∂μᵢ = 2 (μᵢ − tᵢ) / μᵢ^k
/// ```
///
/// Between 1 and 2 lie sums of a random number of amounts, with a chance of exactly 0, such as
/// claims or rainfall; 3 is the inverse Gaussian; below 0 are extreme stable distributions, whose
/// targets may be negative (those count as 0 in the first summand). With `log_input` the prediction
/// is `ln μ`, so that a model may give any number.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | the target's to the power `2 − k` |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::tweedie;
/// let tape = Tape::f64();
/// let mean = tape.variable([4.0, 1.0]);
/// let gradients = tweedie(mean, tape.constant([0.0, 1.0]), 1.5).sum().backward()?;
/// assert_eq!(gradients.loss(), 8.0); // 2 √4 / ½
/// assert_eq!(gradients.of(mean).unwrap().to_f64s(), [1.0, 0.0]); // 2 · 4 / 8
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](Tweedie::broadcast); a power between 0 and 1, for which
/// there is no distribution; data outside of the domain: means not above 0 (for a power other than
/// 0), targets below 0 (power 1 and above) or equal to 0 (2 and above).
///
/// # Source
/// Tweedie, An Index which Distinguishes between Some Important Exponential Families, 1984;
/// Jørgensen, Exponential Dispersion Models, 1987. scikit-learn's `mean_tweedie_deviance`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "TweedieLoss")]
pub struct Tweedie {
    /// The power of the mean that the variance grows with.
    pub power: f64,
    /// The prediction is the logarithm of the mean.
    pub log_input: bool,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for Tweedie {
    fn default() -> Tweedie {
        Tweedie { power: 1.5, log_input: false, broadcast: false }
    }
}

/// [`Tweedie`] of means, with a power.
#[doc(alias = "tweedie_deviance")]
#[track_caller]
pub fn tweedie<'t>(prediction: Var<'t>, target: Var<'t>, power: f64) -> Terms<'t> {
    Tweedie { power, ..Tweedie::default() }.forward(prediction, target)
}

impl Tweedie {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("tweedie", || {
            let Tweedie { power: k, log_input, broadcast } = *self;
            let mean = |mean: f64| log_input || k == 0.0 || mean > 0.0;
            let prediction = holds("tweedie", "prediction", "means above 0", mean, prediction);
            let target = match k {
                _ if k < 1.0 => target,
                _ if k < 2.0 => holds("tweedie", "target", "numbers from 0", |t| t >= 0.0, target),
                _ => holds("tweedie", "target", "numbers above 0", |t| t > 0.0, target),
            };
            let (p, t) = pair("tweedie", prediction, target, Unequal::broadcast_if(broadcast));
            let known = k.is_finite() && !(0.0 < k && k < 1.0);
            let why = || format!("power is {k}, expected a number not between 0 and 1");
            let p = demand("tweedie", known, why, p);
            let mean_to = |q: f64| if log_input { (p * q).exp() } else { p.powf(q) };
            // Far above, the mean is infinite, and so is the deviance.
            let ln_mean = || if log_input { p.clamp(f64::NEG_INFINITY, 1e5) } else { p.ln() };
            let half = if k == 0.0 {
                (t - mean_to(1.0)).square() * 0.5
            } else if k == 1.0 {
                // 0 · ln 0 = 0
                t * (t.eq(0.0).select(1.0, t).ln() - ln_mean()) - t + mean_to(1.0)
            } else if k == 2.0 {
                ln_mean() - t.ln() + t * mean_to(-1.0) - 1.0
            } else {
                // The root has slope 0 where the target is 0, and its power an infinite one.
                let own = if k < 2.0 { t.relu().root(2.0 - k) } else { t.powf(2.0 - k) };
                own / ((1.0 - k) * (2.0 - k)) - t * mean_to(1.0 - k) / (1.0 - k)
                    + mean_to(2.0 - k) / (2.0 - k)
            };
            Terms::new(half * 2.0)
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "tweedie",
    aliases: &["TweedieLoss", "tweedie_loss", "mean_tweedie_deviance", "TweedieDevianceScore"],
    summary: "The deviance of amounts and counts whose variance grows as a power of the mean.",
    formula: "2 (t^(2−k)/((1−k)(2−k)) − t p^(1−k)/(1−k) + p^(2−k)/(2−k)), with the limits at k = 1 and 2",
    latex: r"2 \left( \frac{t^{2-k}}{(1-k)(2-k)} - \frac{t\, p^{1-k}}{1-k} + \frac{p^{2-k}}{2-k} \right)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "the target's to the power 2 − k",
    range: "[0, ∞)",
    source: "Tweedie, 1984; Jørgensen, 1987; scikit-learn mean_tweedie_deviance",
    over: "power=0,1,1.5,2",
    inputs: &[input("prediction", &[N, C], POSITIVE), input("target", &[N, C], POSITIVE)],
    options: &[
        number("power", 1.5, "the power of the mean that the variance grows with"),
        flag("log_input", "the prediction is the logarithm of the mean"),
        BROADCAST,
    ],
    grid: &[
        "",
        "power=0",
        "power=1",
        "power=2",
        "power=3",
        "power=-0.5 broadcast",
        "log_input",
        "log_input power=1",
        "log_input power=2",
    ],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        let (power, log_input) = (x.number("power"), x.flag("log_input"));
        Tweedie { power, log_input, broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let k = x.number("power");
        let term = |(p, t): (&f64, &f64)| {
            let mean = if x.flag("log_input") { p.exp() } else { *p };
            // The deviance is twice the integral of (t − m) / m^k over means m, from the
            // prediction to the target.
            let antiderivative = |m: f64| {
                let power = |q: f64| if q == 0.0 { m.ln() } else { m.powf(q) / q };
                t * power(1.0 - k) - power(2.0 - k)
            };
            2.0 * (antiderivative(*t) - antiderivative(mean))
        };
        x.of("prediction").iter().zip(x.of("target")).map(term).collect()
    },
    edges: &[
        ("+∞ | −∞", "an infinite error has ∞/∞ or ∞ − ∞ for a slope"),
        ("all times 1e-10", "powers of it are beyond the range of f32"),
        ("all times 1e-20", "powers of it are beyond the range of f32"),
    ],
    ..FAMILY
};
