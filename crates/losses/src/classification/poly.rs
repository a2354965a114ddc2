//! Cross-entropy with its first polynomial term changed.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::softmax_of;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, Task, input, integer, number, option,
};
use crate::check::{Unequal, demand, named_pair};
use crate::labels::{IGNORED, Labels, SECOND, are_class_numbers, on_class_axis};
use crate::rows::{capped, infinite, times};
use crate::terms::Terms;

/// Cross-entropy of the softmax of logits plus `epsilon` times the probability of being wrong.
///
/// ```text
/// sᵢ = −ln softmax(zᵢ)[labelᵢ],  pᵢ = e^(−sᵢ)
/// Lᵢ = sᵢ + ε (1 − pᵢ)                                             class numbers
/// Lᵢ = Σ_c t[i, c] (−ln p[i, c] + ε (1 − p[i, c]))                 class probabilities t
/// ∂Lᵢ/∂zᵢ = (1 + ε pᵢ) (softmax(zᵢ) − one_hot(labelᵢ))             class numbers
/// ```
///
/// Cross-entropy is `Σⱼ (1 − p)ʲ/j`; this changes the coefficient of its first term from 1 to
/// `1 + ε`, which keeps a slope where the prediction is nearly right. An `epsilon` below −1 rewards
/// being wrong there.
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis, or probabilities of the logits' shape; terms as the labels |
/// | unit | nats |
/// | range | 0 and above, for `epsilon` of −1 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::poly;
/// let tape = Tape::f64();
/// let z = tape.variable([[0.0, 0.0]]); // softmax: ½, ½
/// let gradients = poly(z, tape.labels(&[0]), 2.0).mean().backward()?;
/// assert!((gradients.loss() - (2.0_f64.ln() + 1.0)).abs() < 1e-15);
/// assert!(gradients.of(z).unwrap().allclose(&[[-1.0, 1.0]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels as for [`Nll`](crate::Nll); probabilities of another shape than the logits; an `epsilon`
/// that is not finite.
///
/// # Source
/// Leng et al., PolyLoss, 2022. optax's `poly_loss_cross_entropy`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "PolyLoss")]
pub struct Poly {
    /// What is added to the coefficient of the first term.
    pub epsilon: f64,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for Poly {
    fn default() -> Self {
        Poly { epsilon: 2.0, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`Poly`] with an `epsilon`.
#[doc(alias = "poly1_cross_entropy")]
#[track_caller]
pub fn poly<'t>(logits: Var<'t>, target: Var<'t>, epsilon: f64) -> Terms<'t> {
    Poly { epsilon, ..Poly::default() }.forward(logits, target)
}

impl Poly {
    /// The terms. The target is class numbers if it holds integers, else probabilities.
    #[track_caller]
    pub fn forward<'t>(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("poly", || {
            let Poly { epsilon, ignore_index, .. } = *self;
            let why = || format!("epsilon is {epsilon}, expected a number");
            let logits = demand("poly", epsilon.is_finite(), why, logits);
            if are_class_numbers(self.axis, logits, target) {
                return Labels::terms(
                    "poly",
                    self.axis,
                    ("logits", logits),
                    target,
                    ignore_index,
                    |labels, z| {
                        let s = labels.nll(z);
                        s - (-s).exp_m1() * epsilon
                    },
                );
            }
            let (z, t) =
                named_pair("poly", ("logits", logits), ("probabilities", target), Unequal::Refuse);
            let (z, axis) = on_class_axis("poly", self.axis, ("logits", z));
            let log_p = capped(z).log_softmax(axis);
            Terms::new(infinite((times(t, -log_p) - t * log_p.exp_m1() * epsilon).sum(axis)))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "poly",
    aliases: &["PolyLoss", "poly_loss", "poly1_cross_entropy", "poly_loss_cross_entropy"],
    summary: "Cross-entropy plus epsilon times the probability of being wrong.",
    formula: "−ln p + ε (1 − p), with p = softmax(z)[label]",
    latex: r"-\log p_y + \epsilon (1 - p_y)",
    letters: &[("p", "the softmax of the logits")],
    shapes: "logits: [batch, class, …] or [class]; labels and terms: without the class axis; or probabilities like the logits",
    unit: "nats",
    range: "[0, ∞) for epsilon ≥ −1",
    source: "Leng et al., 2022; optax poly_loss_cross_entropy",
    tasks: &[Task::Classes.fit(), Task::Distributions.set("probabilities")],
    over: "epsilon=-1,0,2",
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("labels", &[N], Domain::Labels(C)),
        option(
            "probabilities",
            &[N, C],
            Domain::Probabilities,
            "probabilities as the target, instead of labels",
        ),
    ],
    options: &[
        number("epsilon", 2.0, "what is added to the coefficient of the first term"),
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "epsilon=-1 ignore_index=1", "probabilities"],
    invariances: &[
        Invariance::Shift("logits"),
        Invariance::Order(&["logits", "labels", "probabilities"]),
    ],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        Poly { epsilon: x.number("epsilon"), ignore_index, axis: x.axis() }
            .forward(x.var("logits"), x.maybe("probabilities").unwrap_or_else(|| x.var("labels")))
    },
    naive: |x| {
        let p: Vec<Vec<f64>> = x.rows("logits").into_iter().map(softmax_of).collect();
        let class = |i: usize, c: usize| -p[i][c].ln() + x.number("epsilon") * (1.0 - p[i][c]);
        match x.maybe("probabilities") {
            Some(t) => (0..N).map(|i| (0..C).map(|c| t[i * C + c] * class(i, c)).sum()).collect(),
            None => x.labeled(class),
        }
    },
    ..FAMILY
};
