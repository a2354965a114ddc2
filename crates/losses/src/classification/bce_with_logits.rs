//! Cross-entropy of two classes, from logits.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{
    C, Domain, INNER, Invariance, Loss, N, POSITIVE, Slope, Task, input, option,
};
use crate::check::{Unequal, bits, named_pair, repeats};
use crate::rows::{finite, infinite};
use crate::terms::{Terms, scaled};

/// Binary cross-entropy of the sigmoid of logits.
///
/// ```text
/// Lᵢ = −wᵢ (c tᵢ ln σ(zᵢ) + (1 − tᵢ) ln σ(−zᵢ))        c: pos_weight
///    = wᵢ ((1 − tᵢ) zᵢ + (1 + (c − 1) tᵢ) softplus(−zᵢ))
///    = wᵢ (softplus(zᵢ) − tᵢ zᵢ)                      for c = 1
/// ∂Lᵢ/∂zᵢ = wᵢ (σ(zᵢ) − tᵢ)                             for c = 1
/// ```
///
/// The forms below the first take no logarithm of a number that may round to 0: they are finite
/// for every finite logit. An infinite logit counts as ±3·10³⁸: 0 where it is right, huge where it
/// is wrong, with the slope of the limit (PyTorch gives NaN). The target may be any float, and has
/// a gradient.
///
/// | | |
/// |---|---|
/// | shapes | logits and target alike; terms have that shape |
/// | unit | nats |
/// | range | 0 and above, for targets from 0 to 1 |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::bce_with_logits;
/// let tape = Tape::f64();
/// let z = tape.variable([0.0, 3.0_f64.ln()]); // σ: ½, ¾
/// let gradients = bce_with_logits(z, tape.constant([1.0, 0.0])).sum().backward()?;
/// assert!((gradients.loss() - 8.0_f64.ln()).abs() < 1e-15); // ln 2 + ln 4
/// assert!(gradients.of(z).unwrap().allclose(&[-0.5, 0.75].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a weight or pos_weight that does not broadcast to the logits.
///
/// # Source
/// PyTorch's `BCEWithLogitsLoss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "BCEWithLogitsLoss")]
pub struct BceWithLogits<'t> {
    /// A weight that broadcasts to the logits. The mean divides by the number of elements.
    pub weight: Option<Var<'t>>,
    /// How much more a positive counts than a negative; broadcasts to the logits.
    pub pos_weight: Option<Var<'t>>,
}

/// [`BceWithLogits`] with its defaults.
#[doc(alias = "binary_cross_entropy_with_logits")]
#[track_caller]
pub fn bce_with_logits<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    BceWithLogits::default().forward(logits, target)
}

impl<'t> BceWithLogits<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("bce_with_logits", || {
            let (z, t) = named_pair(
                "bce_with_logits",
                ("logits", logits),
                ("target", bits("bce_with_logits", target)),
                Unequal::Refuse,
            );
            let [weight, pos_weight] = [("weight", self.weight), ("pos_weight", self.pos_weight)]
                .map(|(name, var)| {
                    var.map(|var| repeats("bce_with_logits", name, var, ("logits", z)))
                });
            let z = finite(z);
            let each = match pos_weight {
                None => z.softplus() - t * z,
                Some(c) => (1.0 - t) * z + (1.0 + (c - 1.0) * t) * (-z).softplus(),
            };
            Terms::new(scaled(infinite(each), weight))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "bce_with_logits",
    aliases: &[
        "BCEWithLogitsLoss",
        "binary_cross_entropy_with_logits",
        "sigmoid_binary_cross_entropy",
    ],
    summary: "Binary cross-entropy of the sigmoid of logits.",
    formula: "w ((1 − t) z + (1 + (c − 1) t) softplus(−z))",
    latex: r"-w \left( c\, t \log \sigma(z) + (1 - t) \log \sigma(-z) \right)",
    letters: &[("σ", "the logistic function")],
    shapes: "logits, target: alike; terms: alike",
    unit: "nats",
    range: "[0, ∞)",
    source: "PyTorch BCEWithLogitsLoss",
    tasks: &[Task::MultiLabel.fit().by_default(), Task::Classes.fit()],
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("target", &[N, C], INNER),
        option("weight", &[C], POSITIVE, "a weight for each column"),
        option("pos_weight", &[C], POSITIVE, "how much more a positive counts than a negative"),
    ],
    grid: &["", "weight", "pos_weight", "weight pos_weight"],
    invariances: &[Invariance::Order(&["logits", "target"])],
    run: |x| {
        BceWithLogits { weight: x.maybe("weight"), pos_weight: x.maybe("pos_weight") }
            .forward(x.var("logits"), x.var("target"))
    },
    naive: |x| {
        let (z, t) = (x.of("logits"), x.of("target"));
        let term = |i: usize| {
            let p = 1.0 / (1.0 + (-z[i]).exp());
            x.weight("pos_weight", i) * t[i] * p.ln() + (1.0 - t[i]) * (1.0 - p).ln()
        };
        (0..N * C).map(|i| -x.weight("weight", i) * term(i)).collect()
    },
    slope: Some(Slope {
        input: "logits",
        formula: "(σ(z) − t) / n",
        options: &[],
        naive: |x| {
            let (z, t) = (x.of("logits"), x.of("target"));
            let n = z.len() as f64;
            z.iter().zip(t).map(|(z, t)| (1.0 / (1.0 + (-z).exp()) - t) / n).collect()
        },
    }),
    ..FAMILY
};
