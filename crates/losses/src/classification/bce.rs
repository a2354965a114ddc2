//! Cross-entropy of two classes, from probabilities.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{C, INNER, Invariance, Loss, N, POSITIVE, input, option};
use crate::check::{Unequal, bits, pair, probability, repeats};
use crate::terms::{Terms, scaled};

/// Binary cross-entropy of probabilities.
///
/// ```text
/// Lᵢ = −wᵢ (tᵢ ln pᵢ + (1 − tᵢ) ln(1 − pᵢ))     each logarithm at least −100
/// ∂Lᵢ/∂pᵢ = wᵢ (pᵢ − tᵢ) / max(pᵢ (1 − pᵢ), 10⁻¹²)
/// ```
///
/// The bounds are PyTorch's: they keep a certain and wrong prediction finite. Here they hold for
/// the slope in the target too, where PyTorch's is infinite. For logits,
/// [`BceWithLogits`](crate::BceWithLogits) needs no bounds. A prediction that is computed and lies
/// outside of 0 to 1 gives NaN.
///
/// | | |
/// |---|---|
/// | shapes | prediction and target alike; terms have that shape |
/// | unit | nats |
/// | range | 0 to 100 · weight |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::bce;
/// let tape = Tape::f64();
/// let p = tape.variable([0.5, 0.25]);
/// let gradients = bce(p, tape.constant([1.0, 0.0])).sum().backward()?;
/// assert!((gradients.loss() - (8.0_f64 / 3.0).ln()).abs() < 1e-15); // ln 2 + ln 4/3
/// assert!(gradients.of(p).unwrap().allclose(&[-2.0, 4.0 / 3.0].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; numbers outside of 0 to 1, where they are data; a weight that does not
/// broadcast.
///
/// # Source
/// PyTorch's `BCELoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "BCELoss")]
pub struct Bce<'t> {
    /// A weight that broadcasts to the prediction. The mean divides by the number of elements.
    pub weight: Option<Var<'t>>,
}

/// [`Bce`] with its defaults.
#[doc(alias = "binary_cross_entropy")]
#[track_caller]
pub fn bce<'t>(prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
    Bce::default().forward(prediction, target)
}

impl<'t> Bce<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, prediction: Var<'t>, target: Var<'t>) -> Terms<'t> {
        prediction.tape().named_call("bce", || {
            let (p, t) = pair("bce", prediction, bits("bce", target), Unequal::Refuse);
            let p = probability("bce", "prediction", p);
            let t = probability("bce", "target", t);
            let weight =
                self.weight.map(|weight| repeats("bce", "weight", weight, ("prediction", p)));
            let (ln_p, ln_q) = bounded_logarithms(p);
            Terms::new(scaled(-(t * ln_p + (1.0 - t) * ln_q), weight))
        })
    }
}

/// `ln p` and `ln(1 − p)`, at least −100, with the slopes `(1 − p)/v` and `−p/v` for
/// `v = max(p (1 − p), 10⁻¹²)`: those of the logarithms, but bounded at 0 and 1.
#[track_caller]
fn bounded_logarithms(p: Var<'_>) -> (Var<'_>, Var<'_>) {
    let inside = (p * (1.0 - p)).gt(1e-12);
    let safe = inside.select(p, 0.5);
    let fixed = p.detach();
    // Outside, the value is fixed, and a line through it has the slope.
    let step = (p - fixed) * 1e12;
    let ln_p = fixed.ln().clamp(-100.0, f64::INFINITY) + step * (1.0 - fixed);
    let ln_q = (1.0 - fixed).ln().clamp(-100.0, f64::INFINITY) - step * fixed;
    (inside.select(safe.ln(), ln_p), inside.select((-safe).ln_1p(), ln_q))
}

pub(crate) static ROW: Loss = Loss {
    name: "bce",
    aliases: &["BCELoss", "binary_cross_entropy", "BinaryCrossentropy"],
    summary: "Binary cross-entropy of probabilities.",
    formula: "−w (t ln p + (1 − t) ln(1 − p))",
    latex: r"-w \left( t \log p + (1 - t) \log (1 - p) \right)",
    shapes: "prediction, target: alike; terms: alike",
    unit: "nats",
    range: "[0, 100 w]",
    source: "PyTorch BCELoss",
    tasks: super::EACH_CLASS,
    inputs: &[
        input("prediction", &[N, C], INNER),
        input("target", &[N, C], INNER),
        option("weight", &[C], POSITIVE, "a weight for each column"),
    ],
    grid: &["", "weight"],
    invariances: &[Invariance::Order(&["prediction", "target"])],
    run: |x| Bce { weight: x.maybe("weight") }.forward(x.var("prediction"), x.var("target")),
    naive: |x| {
        let (p, t) = (x.of("prediction"), x.of("target"));
        let term = |i: usize| t[i] * p[i].ln() + (1.0 - t[i]) * (1.0 - p[i]).ln();
        (0..N * C).map(|i| -x.weight("weight", i) * term(i)).collect()
    },
    ..FAMILY
};
