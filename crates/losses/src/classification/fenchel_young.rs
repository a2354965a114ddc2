//! The loss that a maximum generates.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::softmax_of;
use crate::catalogue::{C, Domain, Invariance, LAST_AXIS, Loss, N, Task, input};
use crate::check::{Unequal, floats, named_pair};
use crate::labels::{moved, on_class_axis};
use crate::rows::{capped, infinite, times};
use crate::terms::Terms;

/// The loss that a smooth maximum of scores generates: by how much it exceeds the score of the
/// target.
///
/// ```text
/// Lᵢ = max(zᵢ) − tᵢ·zᵢ                  max: any convex function, by default log_sum_exp
/// ∂Lᵢ/∂zᵢ = ∇max(zᵢ) − tᵢ               softmax(zᵢ) − tᵢ by default
/// ```
///
/// The slope of the maximum is the prediction that it stands for: softmax for `log_sum_exp`, the
/// best class for the maximum itself. The full loss of Fenchel and Young also has a part of the
/// target alone, `max*(t)`; it moves no gradient of the scores, is 0 for one-hot targets of
/// `log_sum_exp`, and is left out here as in optax. So the loss of a soft target has the target's
/// entropy as its minimum, as cross-entropy has, which it is by default.
///
/// | | |
/// |---|---|
/// | shapes | scores and target alike, `[…, class]`; terms: without the class axis, which is the last |
/// | unit | the scores' |
/// | range | 0 and above for `log_sum_exp` and distributions |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::{FenchelYoung, fenchel_young};
/// let tape = Tape::f64();
/// let z = tape.variable([[0.0, 0.0]]);
/// let t = tape.constant([[1.0, 0.0]]);
/// let gradients = fenchel_young(z, t).mean().backward()?;
/// assert!((gradients.loss() - 2.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(gradients.of(z).unwrap().to_f64s(), [-0.5, 0.5]);
/// let perceptron = FenchelYoung { maximum: |z| z.max(-1), ..FenchelYoung::default() };
/// assert_eq!(perceptron.forward(z, t).mean().item()?, 0.0);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Unequal shapes; a maximum that does not reduce the last axis.
///
/// # Source
/// Blondel, Martins and Niculae, Learning with Fenchel-Young Losses, 2020. optax's
/// `make_fenchel_young_loss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "make_fenchel_young_loss")]
pub struct FenchelYoung {
    /// The maximum of the scores along their last axis, which it drops.
    pub maximum: for<'t> fn(Var<'t>) -> Var<'t>,
    /// The axis that counts classes, which the maximum is given as the last; from the end, if
    /// negative.
    pub axis: isize,
}

impl Default for FenchelYoung {
    fn default() -> Self {
        FenchelYoung { maximum: |scores| scores.log_sum_exp(-1), axis: -1 }
    }
}

/// [`FenchelYoung`] of `log_sum_exp`.
#[track_caller]
pub fn fenchel_young<'t>(scores: Var<'t>, target: Var<'t>) -> Terms<'t> {
    FenchelYoung::default().forward(scores, target)
}

impl FenchelYoung {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, target: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("fenchel_young", || {
            let target = floats("fenchel_young", "target", target);
            let (z, t) = named_pair(
                "fenchel_young",
                ("scores", scores),
                ("target", target),
                Unequal::Refuse,
            );
            let (z, axis) = on_class_axis("fenchel_young", self.axis, ("scores", capped(z)));
            let [z, t] = [z, t].map(|x| moved(x, axis, x.rank() as isize - 1));
            Terms::new(infinite((self.maximum)(z) - times(t, z).sum(-1)))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "fenchel_young",
    aliases: &["FenchelYoungLoss", "make_fenchel_young_loss", "fenchel_young_logsumexp"],
    summary: "By how much a smooth maximum of the scores exceeds the score of the target.",
    formula: "log_sum_exp(z) − t·z",
    latex: r"\log \sum_c e^{z_c} - t \cdot z",
    shapes: "scores, target: alike, […, class]; terms: without the class axis",
    unit: "the scores'",
    range: "[0, ∞) for distributions",
    source: "Blondel, Martins and Niculae, 2020; optax make_fenchel_young_loss",
    tasks: &[Task::Distributions.fit(), Task::Classes.fit()],
    inputs: &[
        input("scores", &[N, C], Domain::Logits),
        input("target", &[N, C], Domain::Probabilities),
    ],
    options: &[LAST_AXIS],
    invariances: &[Invariance::Shift("scores"), Invariance::Order(&["scores", "target"])],
    run: |x| {
        FenchelYoung { axis: x.axis(), ..FenchelYoung::default() }
            .forward(x.var("scores"), x.var("target"))
    },
    naive: |x| {
        let pairs = x.rows("scores").into_iter().zip(x.rows("target"));
        pairs.map(|(z, t)| softmax_of(z).iter().zip(t).map(|(p, t)| -t * p.ln()).sum()).collect()
    },
    ..FAMILY
};
