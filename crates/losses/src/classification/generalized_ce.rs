//! Between cross-entropy and the probability of being wrong, for labels that may be wrong.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::softmax_of;
use crate::catalogue::{C, CLASS_AXIS, Domain, Invariance, Loss, N, input, integer, number};
use crate::check::demand;
use crate::labels::{IGNORED, Labels, SECOND};
use crate::terms::Terms;

/// A loss that wrong labels cannot dominate: cross-entropy for small `q`, the probability of being
/// wrong for `q` of 1.
///
/// ```text
/// pᵢ = softmax(zᵢ)[labelᵢ]
/// Lᵢ = (1 − pᵢ^q) / q
/// ∂Lᵢ/∂zᵢ = pᵢ^q (softmax(zᵢ) − one_hot(labelᵢ))
/// ```
///
/// Its slope is that of cross-entropy times `p^q`: what the model holds for impossible pulls
/// little. It is computed as `−(e^(q ln p) − 1)/q`, which is exact for small `q` too.
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis; terms as the labels |
/// | unit | nats for small `q`; a probability for `q` of 1 |
/// | range | 0 to 1/q |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::generalized_ce;
/// let tape = Tape::f64();
/// let z = tape.variable([[0.0, 3.0_f64.ln()]]); // softmax: ¼, ¾
/// let gradients = generalized_ce(z, tape.labels(&[0]), 0.5).mean().backward()?;
/// assert!((gradients.loss() - 1.0).abs() < 1e-15); // (1 − ½) / ½
/// assert!(gradients.of(z).unwrap().allclose(&[[-0.375, 0.375]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels as for [`Nll`](crate::Nll); a `q` that is not above 0 and at most 1.
///
/// # Source
/// Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
/// Labels, 2018.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "GeneralizedCrossEntropy")]
pub struct GeneralizedCe {
    /// How far from cross-entropy, above 0 and at most 1.
    pub q: f64,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for GeneralizedCe {
    fn default() -> Self {
        GeneralizedCe { q: 0.7, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`GeneralizedCe`] with a `q`.
#[doc(alias = "generalized_cross_entropy")]
#[doc(alias = "generalised_ce")]
#[track_caller]
pub fn generalized_ce<'t>(logits: Var<'t>, labels: Var<'t>, q: f64) -> Terms<'t> {
    GeneralizedCe { q, ..GeneralizedCe::default() }.forward(logits, labels)
}

impl GeneralizedCe {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("generalized_ce", || {
            let GeneralizedCe { q, ignore_index, .. } = *self;
            let why = || format!("q is {q}, expected a number above 0 and at most 1");
            let logits = demand("generalized_ce", q > 0.0 && q <= 1.0, why, logits);
            Labels::terms(
                "generalized_ce",
                self.axis,
                ("logits", logits),
                labels,
                ignore_index,
                |labels, z| -(labels.nll(z) * -q).exp_m1() / q,
            )
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "generalized_ce",
    aliases: &[
        "generalised_ce",
        "generalized_cross_entropy",
        "generalised_cross_entropy",
        "GCELoss",
    ],
    summary: "Between cross-entropy and the probability of being wrong, for noisy labels.",
    formula: "(1 − p^q)/q, with p = softmax(z)[label]",
    latex: r"\frac{1 - p_y^q}{q}",
    letters: &[("p", "the softmax of the logits")],
    shapes: "logits: [batch, class, …] or [class]; labels and terms: without the class axis",
    unit: "nats for small q",
    range: "[0, 1/q]",
    source: "Zhang and Sabuncu, 2018",
    over: "q=0.2,0.7,1",
    inputs: &[input("logits", &[N, C], Domain::Logits), input("labels", &[N], Domain::Labels(C))],
    options: &[
        number("q", 0.7, "how far from cross-entropy, above 0 and at most 1"),
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "q=0.2 ignore_index=1", "q=1"],
    invariances: &[Invariance::Shift("logits"), Invariance::Order(&["logits", "labels"])],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        GeneralizedCe { q: x.number("q"), ignore_index, axis: x.axis() }
            .forward(x.var("logits"), x.var("labels"))
    },
    naive: |x| {
        let (rows, q) = (x.rows("logits"), x.number("q"));
        x.labeled(|i, label| (1.0 - softmax_of(rows[i])[label].powf(q)) / q)
    },
    ..FAMILY
};
