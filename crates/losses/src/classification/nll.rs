//! The likelihood of class numbers.

use lossgraph_autograd::Var;

use super::FAMILY;
use crate::catalogue::{
    C, CLASS_AXIS, Domain, Invariance, Loss, N, POSITIVE, input, integer, option,
};
use crate::labels::{IGNORED, Labels, SECOND, class_weight};
use crate::terms::{Terms, scaled};

/// The negative log-likelihood of class numbers.
///
/// ```text
/// Lᵢ = −w[labelᵢ] · log_p[i, labelᵢ]
/// ∂Lᵢ/∂log_p[i, c] = −w[c] if c = labelᵢ, else 0
/// ```
///
/// The input is log-probabilities, as [`log_softmax`](Var::log_softmax) gives; for logits there is
/// [`CrossEntropy`](crate::CrossEntropy). The mean divides by the sum of the weights of the labels,
/// `Σ w[labelᵢ]`, not by the number of examples, and ignored examples count in neither sum: if all
/// are ignored, the mean is NaN and its gradient 0.
///
/// | | |
/// |---|---|
/// | shapes | log_p: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis; terms as the labels |
/// | unit | nats |
/// | range | 0 and above, for probabilities |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::nll;
/// let tape = Tape::f64();
/// let log_p = tape.variable([[-1.0, -2.0], [-3.0, -4.0]]);
/// let gradients = nll(log_p, tape.labels(&[0, 1])).mean().backward()?;
/// assert_eq!(gradients.loss(), 2.5); // (1 + 4) / 2
/// assert_eq!(gradients.of(log_p).unwrap().to_f64s(), [-0.5, 0.0, 0.0, -0.5]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Labels that are not integers, not of the input's shape without its class axis, or no classes
/// (told with their position); a weight that is not one number a class.
///
/// # Source
/// PyTorch's `NLLLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "NLLLoss")]
pub struct Nll<'t> {
    /// A weight for each class.
    pub weight: Option<Var<'t>>,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// The axis of the scores that counts classes; from the end, if negative. For scores of one axis,
    /// 1 means that.
    pub axis: isize,
}

impl Default for Nll<'_> {
    fn default() -> Self {
        Nll { weight: None, ignore_index: IGNORED, axis: SECOND }
    }
}

/// [`Nll`] with its defaults.
#[doc(alias = "nll_loss")]
#[track_caller]
pub fn nll<'t>(log_p: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    Nll::default().forward(log_p, labels)
}

impl<'t> Nll<'t> {
    /// The terms.
    #[track_caller]
    pub fn forward(&self, log_p: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        log_p.tape().named_call("nll", || {
            let labels =
                match Labels::new("nll", self.axis, ("log_p", log_p), labels, self.ignore_index) {
                    Ok(labels) => labels,
                    Err(fault) => return Terms::new(fault),
                };
            let weight = self
                .weight
                .map(|weight| class_weight("nll", ("weight", weight), self.axis, ("log_p", log_p)));
            let weight = labels.class_weight(weight);
            let each = scaled(-labels.counted(labels.pick(log_p)), weight);
            Terms::new(each).with_weights(labels.weigh(weight))
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "nll",
    aliases: &["NLLLoss", "nll_loss", "negative_log_likelihood"],
    summary: "The negative log-likelihood of class numbers.",
    formula: "−w[label] · log_p[label]",
    latex: r"-w_{y} \ell_{y}",
    shapes: "log_p: [batch, class, …] or [class]; labels and terms: without the class axis",
    unit: "nats",
    range: "[0, ∞)",
    source: "PyTorch NLLLoss",
    inputs: &[
        input("log_p", &[N, C], Domain::LogProbabilities),
        input("labels", &[N], Domain::Labels(C)),
        option("weight", &[C], POSITIVE, "a weight for each class"),
    ],
    options: &[
        integer("ignore_index", -100, "the label of examples that do not count"),
        CLASS_AXIS,
    ],
    grid: &["", "weight", "weight ignore_index=1"],
    invariances: &[Invariance::Order(&["log_p", "labels"])],
    run: |x| {
        let ignore_index = x.integer("ignore_index");
        Nll { weight: x.maybe("weight"), ignore_index, axis: x.axis() }
            .forward(x.var("log_p"), x.var("labels"))
    },
    naive: |x| x.labeled(|i, label| -x.weight("weight", label) * x.of("log_p")[i * C + label]),
    edges: &[
        ("NaN", "only the label is looked at"),
        ("the label impossible with weight", "the slope in the weight is ∞ − ∞"),
        ("sure and wrong with weight", "the slope in the weight is ∞ − ∞"),
    ],
    ..FAMILY
};
