//! Errors of heat maps, of which those on the peaks count more.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{BROADCAST, C, INNER, Invariance, Loss, N, WIDE, input, number};
use crate::check::{Unequal, above_zero, holds, pair};
use crate::terms::Terms;

/// As [`Wing`](crate::Wing), for heat maps: sharp where the target is near 1, on the peaks of
/// landmarks, and round where it is 0, in the background.
///
/// ```text
/// aᵢ = |pᵢ − tᵢ|, eᵢ = α − tᵢ, rᵢ = (θ/ε)^eᵢ
/// Lᵢ = ω ln(1 + (aᵢ/ε)^eᵢ)           if aᵢ < θ
///      Aᵢ (aᵢ − θ) + ω ln(1 + rᵢ)    else, with Aᵢ = ω eᵢ rᵢ / (θ (1 + rᵢ))
/// ∂Lᵢ/∂pᵢ = ±ω eᵢ (aᵢ/ε)^eᵢ / (aᵢ (1 + (aᵢ/ε)^eᵢ)) if aᵢ < θ, else ±Aᵢ
/// ```
///
/// The branches meet in value and slope. With an exponent `e` above 1, as for targets from 0 to 1
/// and the default `α`, there is no kink at 0; for `e` below 2 the second derivative is infinite
/// there, and given as 0. (The paper writes the second branch as `A a − C`, which is the same.)
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | none |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::AdaptiveWing;
/// let tape = Tape::f64();
/// let p = tape.variable([1.0, 4.0]);
/// let loss = AdaptiveWing { omega: 1.0, theta: 2.0, epsilon: 1.0, alpha: 2.0, ..Default::default() };
/// let terms = loss.forward(p, tape.constant([0.0, 0.0])); // e = 2, r = 4, A = 8/10
/// let expected = [2.0_f64.ln(), 1.6 + 5.0_f64.ln()];
/// assert!(terms.unreduced().value()?.allclose(&expected.into(), 1e-14, 0.0));
/// let slope = terms.sum().backward()?.of(p).unwrap().clone();
/// assert!(slope.allclose(&[1.0, 0.8].into(), 1e-14, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes, unless [`broadcast`](AdaptiveWing::broadcast); an option that is not above 0; a
/// target that is not below `alpha`, which leaves no exponent above 0.
///
/// # Source
/// Wang et al., Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression, 2019.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "AdaptiveWingLoss")]
pub struct AdaptiveWing {
    /// The scale of the loss.
    pub omega: f64,
    /// Where the branches meet, in the target's unit.
    pub theta: f64,
    /// How sharp the logarithm bends, in the target's unit.
    pub epsilon: f64,
    /// The exponent where the target is 0.
    pub alpha: f64,
    /// Lets prediction and target broadcast to a common shape.
    pub broadcast: bool,
}

impl Default for AdaptiveWing {
    fn default() -> AdaptiveWing {
        AdaptiveWing { omega: 14.0, theta: 0.5, epsilon: 1.0, alpha: 2.1, broadcast: false }
    }
}

/// [`AdaptiveWing`] with its defaults.
#[doc(alias = "adaptive_wing_loss")]
#[track_caller]
pub fn adaptive_wing<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    AdaptiveWing::default().forward(prediction, target)
}

impl AdaptiveWing {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("adaptive_wing", || {
            let AdaptiveWing { omega, theta, epsilon, alpha, .. } = *self;
            let target = holds("adaptive_wing", "target", "less than alpha", |t| t < alpha, target);
            let unequal = Unequal::broadcast_if(self.broadcast);
            let (p, t) = pair("adaptive_wing", prediction, target, unequal);
            let options =
                [("omega", omega), ("theta", theta), ("epsilon", epsilon), ("alpha", alpha)];
            let p = options
                .into_iter()
                .fold(p, |p, (name, value)| above_zero("adaptive_wing", name, value, p));
            let a = (p - t).abs();
            let e = alpha - t;
            let near = a.lt(theta);
            // A power below 2 has an infinite second derivative at 0: there the loss is flat.
            let bent = near * a.gt(0.0);
            let power = (bent.select(a, theta) / epsilon).pow(e);
            let k = e * (theta / epsilon).ln();
            let slope = e * k.sigmoid() * (omega / theta);
            let straight = slope * (a - theta) + k.softplus() * omega;
            Terms::new(near.select(bent.select(power.ln_1p() * omega, 0.0), straight))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "adaptive_wing",
    aliases: &["AdaptiveWingLoss", "adaptive_wing_loss", "awing"],
    summary: "Wing for heat maps: sharp on the peaks, round in the background.",
    formula: "ω ln(1 + (|p − t|/ε)^(α − t)) if |p − t| < θ, else the line that goes on from there",
    latex: r"\begin{cases} \omega \log \left( 1 + \left( \frac{\lvert p - t \rvert}{\varepsilon} \right)^{\alpha - t} \right) & \lvert p - t \rvert < \theta \\ A \lvert p - t \rvert - C & \text{else} \end{cases}",
    letters: &[("A, C", "what joins the pieces at θ without a jump of value or slope")],
    shapes: "prediction, target: alike; terms: alike",
    range: "[0, ∞)",
    source: "Wang et al., 2019",
    over: "epsilon=0.5,1,2",
    inputs: &[input("prediction", &[N, C], WIDE), input("target", &[N, C], INNER)],
    options: &[
        number("omega", 14.0, "the scale of the loss"),
        number("theta", 0.5, "where the branches meet"),
        number("epsilon", 1.0, "how sharp the logarithm bends"),
        number("alpha", 2.1, "the exponent where the target is 0"),
        BROADCAST,
    ],
    grid: &["", "theta=3 omega=2", "epsilon=0.5 theta=2 alpha=3 broadcast"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| {
        let [omega, theta] = ["omega", "theta"].map(|name| x.number(name));
        let [epsilon, alpha] = ["epsilon", "alpha"].map(|name| x.number(name));
        AdaptiveWing { omega, theta, epsilon, alpha, broadcast: x.flag("broadcast") }
            .forward(x.var("prediction"), x.var("target"))
    },
    naive: |x| {
        let [omega, theta] = ["omega", "theta"].map(|name| x.number(name));
        let [epsilon, alpha] = ["epsilon", "alpha"].map(|name| x.number(name));
        let term = |(p, t): (&f64, &f64)| {
            let (d, e) = ((p - t).abs(), alpha - t);
            let bent = |d: f64| omega * (1.0 + (d / epsilon).powf(e)).ln();
            // The paper's A and C.
            let a = omega / (1.0 + (theta / epsilon).powf(e)) * e / epsilon
                * (theta / epsilon).powf(e - 1.0);
            if d < theta { bent(d) } else { a * d - (theta * a - bent(theta)) }
        };
        x.of("prediction").iter().zip(x.of("target")).map(term).collect()
    },
    ..FAMILY
};
