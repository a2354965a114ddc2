//! Cross-entropy for many labels of which few are present.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::power::positive_power;
use crate::catalogue::{C, Domain, INNER, Invariance, Loss, N, input, number};
use crate::check::{Unequal, bits, demand, named_pair, probability};
use crate::rows::{finite, infinite};
use crate::terms::Terms;

/// Binary cross-entropy of logits that passes over easy negatives more than over easy positives,
/// and over the easiest negatives altogether.
///
/// ```text
/// p = σ(z),  pₘ = max(0, p − c)                    c: clip
/// Lᵢ = −t (1 − p)^γ₊ ln p − (1 − t) pₘ^γ₋ ln(1 − pₘ)
/// ∂Lᵢ/∂zᵢ = −(1 − p)^γ₊ (1 − p − γ₊ p ln p)        for t = 1
/// ```
///
/// A negative whose probability is below `clip` counts 0. What is differentiated is the whole
/// formula; the authors' program can treat the powers as constants, which is not the slope of what
/// it prints. Between 0 and 1 the loss is linear in the target. Without clip and with both exponents
/// 0 it is [`BceWithLogits`](crate::BceWithLogits).
///
/// | | |
/// |---|---|
/// | shapes | logits and target alike; terms have that shape |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::Asymmetric;
/// let tape = Tape::f64();
/// let z = tape.variable([0.0, 0.0]); // σ: ½
/// let loss = Asymmetric { gamma_pos: 1.0, gamma_neg: 2.0, clip: 0.0 };
/// let gradients = loss.forward(z, tape.constant([1.0, 0.0])).sum().backward()?;
/// let ln_2 = 2.0_f64.ln();
/// assert!((gradients.loss() - 0.75 * ln_2).abs() < 1e-15); // ½ ln 2 + ¼ ln 2
/// let slope = [-(1.0 + ln_2) / 4.0, (0.5 + ln_2) / 4.0];
/// assert!(gradients.of(z).unwrap().allclose(&slope.into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a target of data outside of 0 to 1; exponents that are negative or not finite; a
/// clip that is not at least 0 and below 1.
///
/// # Source
/// Ridnik et al., Asymmetric Loss for Multi-Label Classification, 2021.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "AsymmetricLoss")]
#[doc(alias = "ASL")]
pub struct Asymmetric {
    /// How strongly easy positives are passed over.
    pub gamma_pos: f64,
    /// How strongly easy negatives are passed over.
    pub gamma_neg: f64,
    /// The probability up to which a negative counts nothing.
    pub clip: f64,
}

impl Default for Asymmetric {
    fn default() -> Self {
        Asymmetric { gamma_pos: 1.0, gamma_neg: 4.0, clip: 0.05 }
    }
}

/// [`Asymmetric`] with its defaults.
#[track_caller]
pub fn asymmetric<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Asymmetric::default().forward(logits, target)
}

impl Asymmetric {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("asymmetric", || {
            let Asymmetric { gamma_pos, gamma_neg, clip } = *self;
            let (z, t) = named_pair(
                "asymmetric",
                ("logits", logits),
                ("target", bits("asymmetric", target)),
                Unequal::Refuse,
            );
            let t = probability("asymmetric", "target", t);
            let fits = [gamma_pos, gamma_neg].iter().all(|g| (0.0..f64::INFINITY).contains(g));
            let why = || {
                format!("gamma_pos is {gamma_pos} and gamma_neg {gamma_neg}, expected 0 or more")
            };
            let z = demand("asymmetric", fits, why, z);
            let fits = (0.0..1.0).contains(&clip);
            let z = demand("asymmetric", fits, || format!("clip is {clip}, expected 0 to 1"), z);
            let z = finite(z);
            let positive = positive_power((-z).sigmoid(), gamma_pos) * (-z).softplus();
            let p_m = (z.sigmoid() - clip).relu();
            // With a clip, 1 − pₘ is at least the clip. Without one it can round to 0.
            let nll = if clip == 0.0 { z.softplus() } else { -(-p_m).ln_1p() };
            let negative = positive_power(p_m, gamma_neg) * nll;
            Terms::new(infinite(t * positive + (1.0 - t) * negative))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "asymmetric",
    aliases: &["AsymmetricLoss", "asymmetric_loss", "ASL"],
    summary: "Binary cross-entropy of logits that passes over easy negatives most of all.",
    formula: "−t (1 − p)^γ₊ ln p − (1 − t) pₘ^γ₋ ln(1 − pₘ), p = σ(z), pₘ = max(0, p − clip)",
    latex: r"-t (1 - p)^{\gamma_+} \log p - (1 - t)\, p_m^{\gamma_-} \log (1 - p_m), \quad p_m = \max(0, p - c)",
    letters: &[("p", "the logistic function of the logits"), ("γ₊, γ₋", "gamma_pos and gamma_neg")],
    shapes: "logits, target: alike; terms: alike",
    unit: "nats",
    range: "[0, ∞)",
    source: "Ridnik et al., 2021",
    tasks: super::EACH_CLASS,
    over: "gamma_neg=0,1,2,4",
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("target", &[N, C], INNER).pictured_at(0.0),
    ],
    options: &[
        number("gamma_pos", 1.0, "how strongly easy positives are passed over"),
        number("gamma_neg", 4.0, "how strongly easy negatives are passed over"),
        number("clip", 0.05, "the probability up to which a negative counts nothing"),
    ],
    grid: &[
        "",
        "gamma_pos=0 gamma_neg=2.5",
        "clip=0 gamma_neg=1",
        "gamma_pos=0 gamma_neg=0 clip=0",
    ],
    invariances: &[Invariance::Order(&["logits", "target"])],
    run: |x| {
        let (gamma_pos, gamma_neg) = (x.number("gamma_pos"), x.number("gamma_neg"));
        Asymmetric { gamma_pos, gamma_neg, clip: x.number("clip") }
            .forward(x.var("logits"), x.var("target"))
    },
    naive: |x| {
        let term = |(z, t): (&f64, &f64)| {
            let p = 1.0 / (1.0 + (-z).exp());
            let p_m = (p - x.number("clip")).max(0.0);
            let positive = (1.0 - p).powf(x.number("gamma_pos")) * p.ln();
            let negative = p_m.powf(x.number("gamma_neg")) * (1.0 - p_m).ln();
            -t * positive - (1.0 - t) * negative
        };
        x.of("logits").iter().zip(x.of("target")).map(term).collect()
    },
    ..FAMILY
};
