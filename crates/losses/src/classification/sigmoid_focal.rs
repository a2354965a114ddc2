//! Cross-entropy of two classes that looks away from what is easy.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::power::positive_power;
use crate::catalogue::{C, Domain, INNER, Invariance, Loss, N, input, number};
use crate::check::{Unequal, bits, demand, named_pair, probability};
use crate::rows::{finite, infinite};
use crate::terms::Terms;

/// Binary cross-entropy of logits, in which an example counts the less, the surer and righter its
/// prediction is.
///
/// ```text
/// qᵢ = tᵢ σ(−zᵢ) + (1 − tᵢ) σ(zᵢ)                  the probability of being wrong
/// aᵢ = tᵢ α + (1 − tᵢ) (1 − α)                     1 without alpha
/// Lᵢ = aᵢ qᵢ^γ (softplus(zᵢ) − tᵢ zᵢ)
/// ∂Lᵢ/∂zᵢ = −α q^γ (q − γ (1 − q) ln(1 − q))       for tᵢ = 1
/// ```
///
/// With `gamma` 0 and without `alpha` it is [`BceWithLogits`](crate::BceWithLogits). The probability
/// of being wrong is computed as itself, not as 1 minus the other, which would round to 0. The
/// target may lie between 0 and 1, and has a gradient. The paper divides the sum by the number of
/// positives, which is for the caller to do.
///
/// | | |
/// |---|---|
/// | shapes | logits and target alike; terms have that shape |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::sigmoid_focal;
/// let tape = Tape::f64();
/// let z = tape.variable([0.0]); // σ: ½
/// let gradients = sigmoid_focal(z, tape.constant([1.0]), 2.0).sum().backward()?;
/// let ln_2 = 2.0_f64.ln();
/// assert!((gradients.loss() - ln_2 / 16.0).abs() < 1e-16); // ¼ · ¼ · ln 2
/// assert!(gradients.of(z).unwrap().allclose(&[-(0.5 + ln_2) / 16.0].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a target of data outside of 0 to 1; a `gamma` that is negative or not finite; an
/// `alpha` outside of 0 to 1.
///
/// # Source
/// Lin et al., Focal Loss for Dense Object Detection, 2017. torchvision's `sigmoid_focal_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "sigmoid_focal_loss")]
pub struct SigmoidFocal {
    /// The weight of positives, 0 to 1; negatives have what is left to 1. `None` weighs all by 1.
    pub alpha: Option<f64>,
    /// How strongly what is easy is passed over; 0 passes over nothing.
    pub gamma: f64,
}

impl Default for SigmoidFocal {
    fn default() -> Self {
        SigmoidFocal { alpha: Some(0.25), gamma: 2.0 }
    }
}

/// [`SigmoidFocal`] with a `gamma`.
#[doc(alias = "FocalLoss")]
#[track_caller]
pub fn sigmoid_focal<'t>(logits: Var<'t>, target: Var<'t>, gamma: f64) -> Terms<'t> {
    SigmoidFocal { gamma, ..SigmoidFocal::default() }.forward(logits, target)
}

impl SigmoidFocal {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("sigmoid_focal", || {
            let SigmoidFocal { alpha, gamma } = *self;
            let (z, t) = named_pair(
                "sigmoid_focal",
                ("logits", logits),
                ("target", bits("sigmoid_focal", target)),
                Unequal::Refuse,
            );
            let t = probability("sigmoid_focal", "target", t);
            let fits = (0.0..f64::INFINITY).contains(&gamma);
            let why = || format!("gamma is {gamma}, expected a number of 0 and above");
            let z = demand("sigmoid_focal", fits, why, z);
            let fits = alpha.is_none_or(|alpha| (0.0..=1.0).contains(&alpha));
            let z = demand("sigmoid_focal", fits, || "alpha is not in 0 to 1".to_owned(), z);
            let z = finite(z);
            let wrong = t * (-z).sigmoid() + (1.0 - t) * z.sigmoid();
            let each = positive_power(wrong, gamma) * (z.softplus() - t * z);
            Terms::new(infinite(match alpha {
                Some(alpha) => (t * alpha + (1.0 - t) * (1.0 - alpha)) * each,
                None => each,
            }))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "sigmoid_focal",
    aliases: &["sigmoid_focal_loss", "focal", "FocalLoss", "BinaryFocalCrossentropy"],
    summary: "Binary cross-entropy of logits that passes over what is easy.",
    formula: "a q^γ (softplus(z) − t z), q = t σ(−z) + (1 − t) σ(z), a = t α + (1 − t) (1 − α)",
    latex: r"-\alpha_t (1 - p_t)^\gamma \log p_t",
    letters: &[
        ("p", "the probability of the target: the logistic function of the logit, or 1 less it"),
        ("αₜ", "alpha for a target of 1, else 1 − alpha"),
    ],
    shapes: "logits, target: alike; terms: alike",
    unit: "nats",
    range: "[0, ∞)",
    source: "Lin et al., 2017; torchvision sigmoid_focal_loss",
    tasks: super::EACH_CLASS,
    over: "gamma=0,1,2,5",
    inputs: &[input("logits", &[N, C], Domain::Logits), input("target", &[N, C], INNER)],
    options: &[
        number("alpha", 0.25, "the weight of positives, 1 − alpha that of negatives; −1 for none"),
        number("gamma", 2.0, "how strongly what is easy is passed over"),
    ],
    grid: &["", "alpha=-1", "alpha=0.6 gamma=0.5", "gamma=0"],
    invariances: &[Invariance::Order(&["logits", "target"])],
    run: |x| {
        let alpha = Some(x.number("alpha")).filter(|&alpha| alpha >= 0.0);
        SigmoidFocal { alpha, gamma: x.number("gamma") }.forward(x.var("logits"), x.var("target"))
    },
    naive: |x| {
        let (alpha, gamma) = (x.number("alpha"), x.number("gamma"));
        let term = |(z, t): (&f64, &f64)| {
            let p = 1.0 / (1.0 + (-z).exp());
            let p_t = p * t + (1.0 - p) * (1.0 - t);
            let a = if alpha < 0.0 { 1.0 } else { alpha * t + (1.0 - alpha) * (1.0 - t) };
            -a * (1.0 - p_t).powf(gamma) * (t * p.ln() + (1.0 - t) * (1.0 - p).ln())
        };
        x.of("logits").iter().zip(x.of("target")).map(term).collect()
    },
    edges: &[("sure and wrong", "the slope in the target is infinite, in parts of both signs")],
    ..FAMILY
};
