//! Cross-entropy of many classes that looks away from what is easy.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::power::positive_power;
use super::softmax_of;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, POSITIVE, input, integer, number, option,
};
use crate::check::demand;
use crate::labels::{IGNORED, Labels, SECOND, class_weight};
use crate::rows::finite;
use crate::terms::{Terms, scaled};

/// Cross-entropy of the softmax of logits, in which an example counts the less, the surer and
/// righter its prediction is.
///
/// ```text
/// sᵢ = −ln softmax(zᵢ)[labelᵢ],  pᵢ = e^(−sᵢ)
/// Lᵢ = α[labelᵢ] (1 − pᵢ)^γ sᵢ
/// ∂Lᵢ/∂zᵢ = α[labelᵢ] (1 − pᵢ)^(γ−1) (1 − pᵢ + γ pᵢ sᵢ) (softmax(zᵢ) − one_hot(labelᵢ))
/// ```
///
/// The mean divides by the number of examples that count, not by the weights `α`, which have a
/// gradient. With `gamma` 0 and without `alpha` it is [`CrossEntropy`](crate::CrossEntropy).
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis; terms as the labels |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::softmax_focal;
/// let tape = Tape::f64();
/// let z = tape.variable([[0.0, 0.0]]); // softmax: ½, ½
/// let gradients = softmax_focal(z, tape.labels(&[0]), 2.0).mean().backward()?;
/// let ln_2 = 2.0_f64.ln();
/// assert!((gradients.loss() - ln_2 / 4.0).abs() < 1e-15);
/// let slope = (0.5 + ln_2) / 4.0;
/// assert!(gradients.of(z).unwrap().allclose(&[[-slope, slope]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels as for [`Nll`](crate::Nll); an `alpha` that is not one number a class; a `gamma` that is
/// negative or not finite.
///
/// # Source
/// Lin et al., Focal Loss for Dense Object Detection, 2017.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CategoricalFocalCrossentropy")]
pub struct SoftmaxFocal<'t> {
    /// A weight for each class.
    pub alpha: Option<Var<'t>>,
    /// How strongly what is easy is passed over; 0 passes over nothing.
    pub gamma: f64,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for SoftmaxFocal<'_> {
    fn default() -> Self {
        SoftmaxFocal { alpha: None, gamma: 2.0, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`SoftmaxFocal`] with a `gamma`.
#[track_caller]
pub fn softmax_focal<'t>(logits: Var<'t>, labels: Var<'t>, gamma: f64) -> Terms<'t> {
    SoftmaxFocal { gamma, ..SoftmaxFocal::default() }.forward(logits, labels)
}

impl<'t> SoftmaxFocal<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, logits: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        logits.tape().named_call("softmax_focal", || {
            let SoftmaxFocal { alpha, gamma, ignore_index, axis: _ } = *self;
            let fits = (0.0..f64::INFINITY).contains(&gamma);
            let why = || format!("gamma is {gamma}, expected a number of 0 and above");
            let logits = demand("softmax_focal", fits, why, logits);
            let alpha = alpha.map(|alpha| {
                class_weight("softmax_focal", ("alpha", alpha), self.axis, ("logits", logits))
            });
            Labels::terms(
                "softmax_focal",
                self.axis,
                ("logits", logits),
                labels,
                ignore_index,
                |labels, z| {
                    let s = finite(labels.nll(z));
                    let wrong = -(-s).exp_m1();
                    scaled(positive_power(wrong, gamma) * s, labels.class_weight(alpha))
                },
            )
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "softmax_focal",
    aliases: &["softmax_focal_loss", "CategoricalFocalCrossentropy", "multiclass_focal"],
    summary: "Cross-entropy of the softmax of logits that passes over what is easy.",
    formula: "−α[label] (1 − p)^γ ln p, with p = softmax(z)[label]",
    latex: r"-\alpha_y (1 - p_y)^\gamma \log p_y",
    letters: &[("p", "the softmax of the logits")],
    shapes: "logits: [batch, class, …] or [class]; labels and terms: without the class axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "Lin et al., 2017",
    over: "gamma=0,1,2,5",
    inputs: &[
        input("logits", &[N, C], Domain::Logits),
        input("labels", &[N], Domain::Labels(C)),
        option("alpha", &[C], POSITIVE, "a weight for each class"),
    ],
    options: &[
        number("gamma", 2.0, "how strongly what is easy is passed over"),
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "alpha gamma=1", "gamma=0.5 ignore_index=1", "gamma=0"],
    invariances: &[Invariance::Shift("logits"), Invariance::Order(&["logits", "labels"])],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        let (alpha, gamma, axis) = (x.maybe("alpha"), x.number("gamma"), x.axis());
        SoftmaxFocal { alpha, gamma, ignore_index, axis }.forward(x.var("logits"), x.var("labels"))
    },
    naive: |x| {
        let rows = x.rows("logits");
        x.labeled(|i, label| {
            let p = softmax_of(rows[i])[label];
            -x.weight("alpha", label) * (1.0 - p).powf(x.number("gamma")) * p.ln()
        })
    },
    ..FAMILY
};
