//! The loss of sparsemax for two classes.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{C, Domain, INNER, Invariance, Loss, N, input};
use crate::check::{Unequal, bits, named_pair};
use crate::rows::{finite, infinite};
use crate::terms::Terms;

/// The loss of sparsemax of two classes: logistic loss, but 0 where the logit is right by 1.
///
/// ```text
/// s(z) = 0 if z ≤ −1, (z + 1)²/4 if |z| < 1, z if z ≥ 1             the sparse softplus
/// Lᵢ = s(zᵢ) − tᵢ zᵢ − tᵢ (1 − tᵢ)
///    = s(−zᵢ) for tᵢ = 1, s(zᵢ) for tᵢ = 0
/// ∂Lᵢ/∂zᵢ = (zᵢ + 1)/2 held within 0 and 1, less tᵢ
/// ```
///
/// The last part is 0 for targets of 0 and 1. It makes the loss 0 at its minimum for those between,
/// which optax' does not take. The target has a gradient.
///
/// | | |
/// |---|---|
/// | shapes | logits and target alike; terms have that shape |
/// | unit | the logits', squared |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::binary_sparsemax;
/// let tape = Tape::f64();
/// let z = tape.variable([0.0, 3.0, 3.0]);
/// let gradients = binary_sparsemax(z, tape.constant([1.0, 0.0, 1.0])).sum().backward()?;
/// assert_eq!(gradients.loss(), 3.25); // ¼ + 3 + 0
/// assert_eq!(gradients.of(z).unwrap().to_f64s(), [-0.5, 1.0, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes.
///
/// # Source
/// Martins and Astudillo, From Softmax to Sparsemax, 2016; the pieces are those of the modified
/// Huber loss. optax's `sparsemax_loss`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "sparsemax_loss")]
pub struct BinarySparsemax {}

/// [`BinarySparsemax`], which has no options.
#[track_caller]
pub fn binary_sparsemax<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    BinarySparsemax {}.forward(logits, target)
}

impl BinarySparsemax {
    /// The terms. Integers serve as targets, too.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("binary_sparsemax", || {
            let (z, t) = named_pair(
                "binary_sparsemax",
                ("logits", logits),
                ("target", bits("binary_sparsemax", target)),
                Unequal::Refuse,
            );
            let z = finite(z);
            let near = z.abs().lt(1.0);
            let square = (near.select(z, 0.0) + 1.0).square() * 0.25;
            Terms::new(infinite(near.select(square, z.relu()) - t * z - t * (1.0 - t)))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "binary_sparsemax",
    aliases: &["binary_sparsemax_loss", "sparse_plus"],
    summary: "The loss of sparsemax of two classes: 0 where the logit is right by 1.",
    formula: "s(z) − t z − t (1 − t), with s(z) = (z + 1)²/4 between −1 and 1, max(0, z) outside",
    latex: r"s(z) - t z - t (1 - t), \quad s(z) = \begin{cases} \frac{(z + 1)^2}{4} & \lvert z \rvert < 1 \\ \max(0, z) & \text{else} \end{cases}",
    shapes: "logits, target: alike; terms: alike",
    unit: "the logits', squared",
    range: "[0, ∞)",
    source: "Martins and Astudillo, 2016; optax sparsemax_loss",
    tasks: super::EACH_CLASS,
    inputs: &[input("logits", &[N, C], Domain::Logits), input("target", &[N, C], INNER)],
    invariances: &[Invariance::Order(&["logits", "target"])],
    run: |x| BinarySparsemax {}.forward(x.var("logits"), x.var("target")),
    naive: |x| {
        // ½ (‖(t, 1−t) − (z/2, −z/2)‖² − ‖(p, 1−p) − (z/2, −z/2)‖²), as for two classes.
        let term = |(z, t): (&f64, &f64)| {
            let square = |p: f64| (p - z / 2.0).powi(2) + (1.0 - p + z / 2.0).powi(2);
            let p = ((z + 1.0) / 2.0).clamp(0.0, 1.0);
            0.5 * (square(*t) - square(p))
        };
        x.of("logits").iter().zip(x.of("target")).map(term).collect()
    },
    ..FAMILY
};
