//! Losses of class scores.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::check::{Unequal, demand, pair, probability, repeats};
use crate::regression::times;
use crate::terms::Terms;

/// The class number that PyTorch ignores by default.
const IGNORED: i64 = -100;

/// The negative log-likelihood of class numbers.
///
/// ```text
/// Lᵢ = −w[labelᵢ] · log_p[i, labelᵢ]
/// ∂Lᵢ/∂log_p[i, c] = −w[c] if c = labelᵢ, else 0
/// ```
///
/// The input is log-probabilities, as [`log_softmax`](Var::log_softmax) gives; for logits there is
/// [`CrossEntropy`]. The mean divides by the sum of the weights of the labels, `Σ w[labelᵢ]`, not
/// by the number of examples, and ignored examples count in neither sum: if all are ignored, the
/// mean is NaN and its gradient 0.
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
}

impl Default for Nll<'_> {
    fn default() -> Self {
        Nll { weight: None, ignore_index: IGNORED }
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
        let labels = match Labels::new("nll", log_p, labels, self.ignore_index) {
            Ok(labels) => labels,
            Err(fault) => return Terms::new(fault),
        };
        let weight = self.weight.map(|weight| class_weight("nll", weight, log_p));
        log_p.tape().scope("nll", || {
            let weight = labels.weight(weight);
            let each = times(-labels.pick(labels.counted(log_p)), weight);
            Terms::new(each).weighted(weight)
        })
    }
}

/// Cross-entropy of the softmax of logits against class numbers or class probabilities.
///
/// ```text
/// Lᵢ = w[labelᵢ] (log_sum_exp(logitsᵢ) − logits[i, labelᵢ])      class numbers
/// Lᵢ = −Σ_c w[c] · t[i, c] · log_softmax(logitsᵢ)[c]             class probabilities t
/// ∂Lᵢ/∂logitsᵢ = w[labelᵢ] (softmax(logitsᵢ) − one_hot(labelᵢ))
/// ```
///
/// With smoothing `ε` over `C` classes, a part of each target goes to all classes evenly:
/// `(1−ε) w[labelᵢ] nllᵢ + ε/C Σ_c w[c] (−log_softmax(logitsᵢ)[c])`.
///
/// The mean divides as that of [`Nll`] for class numbers, and by the number of examples, never by
/// weights, for probabilities. Ignored examples have gradient 0 even where their logits are NaN. A
/// class of probability 0 counts 0 even where its logit is −∞.
///
/// | | |
/// |---|---|
/// | shapes | logits: `[batch, class]`, `[batch, class, …]` or `[class]`; labels: without the class axis, or probabilities of the logits' shape; terms as the labels |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::cross_entropy;
/// let tape = Tape::f64();
/// let logits = tape.variable([[0.0, 3.0_f64.ln()]]); // softmax: ¼, ¾
/// let gradients = cross_entropy(logits, tape.labels(&[0])).mean().backward()?;
/// assert!((gradients.loss() - 4.0_f64.ln()).abs() < 1e-15);
/// let slope = gradients.of(logits).unwrap();
/// assert!(slope.allclose(&[[-0.75, 0.75]].into(), 1e-15, 0.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Nll`]; smoothing outside of 0 to 1; probabilities with an `ignore_index` of a class.
///
/// # Source
/// PyTorch's `CrossEntropyLoss`; smoothing: Szegedy et al., Rethinking the Inception Architecture,
/// 2016.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "CrossEntropyLoss")]
pub struct CrossEntropy<'t> {
    /// A weight for each class.
    pub weight: Option<Var<'t>>,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// How much of each target is spread over all classes, 0 to 1.
    pub label_smoothing: f64,
}

impl Default for CrossEntropy<'_> {
    fn default() -> Self {
        CrossEntropy { weight: None, ignore_index: IGNORED, label_smoothing: 0.0 }
    }
}

/// [`CrossEntropy`] with its defaults.
#[track_caller]
pub fn cross_entropy<'t>(logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
    CrossEntropy::default().forward(logits, target)
}

impl<'t> CrossEntropy<'t> {
    /// The terms. The target is class numbers if it holds integers, else probabilities.
    #[track_caller]
    pub fn forward(&self, logits: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let smoothing = self.label_smoothing;
        let logits = demand(
            "cross_entropy",
            (0.0..=1.0).contains(&smoothing),
            || format!("label_smoothing is {smoothing}, expected 0 to 1"),
            logits,
        );
        let weight = self.weight.map(|weight| class_weight("cross_entropy", weight, logits));
        if target.dtype().is_float() {
            self.of_probabilities(logits, target, weight)
        } else {
            self.of_labels(logits, target, weight)
        }
    }

    #[track_caller]
    fn of_labels(&self, logits: Var<'t>, labels: Var<'t>, weight: Option<Var<'t>>) -> Terms<'t> {
        let labels = match Labels::new("cross_entropy", logits, labels, self.ignore_index) {
            Ok(labels) => labels,
            Err(fault) => return Terms::new(fault),
        };
        let (axis, smoothing) = (labels.axis, self.label_smoothing);
        logits.tape().scope("cross_entropy", || {
            let z = labels.counted(logits);
            let of_label = labels.weight(weight);
            if smoothing == 0.0 {
                let each = times(z.log_sum_exp(axis) - labels.pick(z), of_label);
                return Terms::new(each).weighted(of_label);
            }
            let log_p = z.log_softmax(axis);
            let sharp = times(-labels.pick(log_p), of_label);
            let weighted = times(log_p, weight.map(|weight| along(weight, axis, z)));
            let spread = labels.counted_terms(-weighted.sum(axis));
            let part = smoothing / z.extent(axis) as f64;
            Terms::new(sharp * (1.0 - smoothing) + spread * part).weighted(of_label)
        })
    }

    #[track_caller]
    fn of_probabilities(
        &self,
        logits: Var<'t>,
        target: Var<'t>,
        weight: Option<Var<'t>>,
    ) -> Terms<'t> {
        let (ignore, smoothing) = (self.ignore_index, self.label_smoothing);
        let (z, t) = pair("cross_entropy", logits, target, Unequal::Refuse);
        let why = || format!("ignore_index {ignore} is for class numbers, given probabilities");
        let z = demand("cross_entropy", ignore < 0, why, z);
        let z = demand("cross_entropy", z.rank() > 0, || "logits have a class axis".to_owned(), z);
        let axis = class_axis(z);
        z.tape().scope("cross_entropy", || {
            let t = match smoothing {
                0.0 => t,
                _ => t * (1.0 - smoothing) + smoothing / z.extent(axis) as f64,
            };
            let each_class = t.eq(0.0).select(0.0, t * z.log_softmax(axis));
            let weighted = times(each_class, weight.map(|weight| along(weight, axis, z)));
            Terms::new(-weighted.sum(axis))
        })
    }
}

/// Class numbers, checked against the scores that they belong to.
struct Labels<'t> {
    /// The axis of the scores that counts classes.
    axis: isize,
    /// The labels; those to ignore replaced by class 0.
    labels: Var<'t>,
    /// 1 for labels that count, 0 for others; `None` if all count.
    counted: Option<Var<'t>>,
}

impl<'t> Labels<'t> {
    #[track_caller]
    fn new(
        loss: &str,
        scores: Var<'t>,
        labels: Var<'t>,
        ignore_index: i64,
    ) -> Result<Labels<'t>, Var<'t>> {
        let tape = scores.tape();
        if let Some(&faulty) = [scores, labels].iter().find(|var| var.is_faulty()) {
            return Err(faulty);
        }
        let refuse = |why: String| {
            let fault = Fault::new(loss, why).operand("scores", scores).operand("labels", labels);
            Err(tape.fault(fault))
        };
        if labels.dtype() != DType::I64 {
            return refuse("labels are integers".to_owned());
        }
        let axis = class_axis(scores);
        let mut expected = scores.shape().to_vec();
        if expected.is_empty() {
            return refuse("the scores have a class axis".to_owned());
        }
        let classes = expected.remove(axis as usize);
        if labels.shape()[..] != expected[..] {
            return refuse(format!("expected labels {expected:?}, the scores without their classes"));
        }
        // Labels that are computed are checked when they are: an index outside is an error then.
        let Some(data) = labels.data() else {
            return match (0..classes as i64).contains(&ignore_index) {
                true => refuse("ignore_index needs labels that are data".to_owned()),
                false => Ok(Labels { axis, labels, counted: None }),
            };
        };
        let numbers = data.to_vec::<i64>().unwrap_or_default();
        let valid = |label: i64| label == ignore_index || (0..classes as i64).contains(&label);
        if let Some(at) = numbers.iter().position(|&label| !valid(label)) {
            let label = numbers[at];
            return refuse(format!("label {label}, at {at}, is none of the classes 0..{classes}"));
        }
        if !numbers.contains(&ignore_index) {
            return Ok(Labels { axis, labels, counted: None });
        }
        let replaced = numbers.iter().map(|&label| if label == ignore_index { 0 } else { label });
        let counts = numbers.iter().map(|&label| f64::from(u8::from(label != ignore_index)));
        let leaf = |data: Result<Tensor, lossgraph_tensor::Error>| match data {
            Ok(data) => tape.constant(data),
            Err(error) => tape.fault(Fault::new(loss, error.to_string())),
        };
        Ok(Labels {
            axis,
            labels: leaf(Tensor::new(labels.shape(), replaced.collect::<Vec<i64>>())),
            counted: Some(leaf(Tensor::new(labels.shape(), counts.collect::<Vec<f64>>()))),
        })
    }

    /// The scores of the labels.
    #[track_caller]
    fn pick(&self, scores: Var<'t>) -> Var<'t> {
        scores.gather(self.axis, self.labels.unsqueeze(self.axis)).squeeze(self.axis)
    }

    /// The scores, with zeros for examples that are ignored, so that nothing they hold is seen.
    #[track_caller]
    fn counted(&self, scores: Var<'t>) -> Var<'t> {
        self.counted.map_or(scores, |counted| counted.unsqueeze(self.axis).select(scores, 0.0))
    }

    /// The terms, 0 for examples that are ignored.
    #[track_caller]
    fn counted_terms(&self, each: Var<'t>) -> Var<'t> {
        self.counted.map_or(each, |counted| counted * each)
    }

    /// The weight of each example: that of its class, and 0 for those that are ignored.
    #[track_caller]
    fn weight(&self, of_class: Option<Var<'t>>) -> Option<Var<'t>> {
        let of_label = of_class.map(|weight| weight.index_select(0, self.labels));
        match (of_label, self.counted) {
            (Some(weight), Some(counted)) => Some(weight * counted),
            (weight, counted) => weight.or(counted),
        }
    }
}

/// The axis that counts classes: the second, or the only one.
fn class_axis(scores: Var<'_>) -> isize {
    if scores.rank() > 1 { 1 } else { 0 }
}

/// `weight` if it is one number for each class of `scores`, else a fault.
#[track_caller]
fn class_weight<'t>(loss: &str, weight: Var<'t>, scores: Var<'t>) -> Var<'t> {
    let classes = scores.extent(class_axis(scores));
    if weight.shape()[..] == [classes] || weight.is_faulty() || scores.is_faulty() {
        return weight;
    }
    weight.tape().fault(
        Fault::new(loss, format!("one weight for each of the {classes} classes"))
            .operand("scores", scores)
            .operand("weight", weight),
    )
}

/// A vector laid along an axis of `like`.
#[track_caller]
fn along<'t>(vector: Var<'t>, axis: isize, like: Var<'t>) -> Var<'t> {
    let mut dims = vec![1; like.rank()];
    if let Some(dim) = dims.get_mut(axis as usize) {
        *dim = vector.len();
    }
    vector.reshape(dims)
}

/// Binary cross-entropy of probabilities.
///
/// ```text
/// Lᵢ = −wᵢ (tᵢ ln pᵢ + (1 − tᵢ) ln(1 − pᵢ))     each logarithm at least −100
/// ∂Lᵢ/∂pᵢ = wᵢ (pᵢ − tᵢ) / max(pᵢ (1 − pᵢ), 10⁻¹²)
/// ```
///
/// The bounds are PyTorch's: they keep a certain and wrong prediction finite. For logits,
/// [`BceWithLogits`] needs none.
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
        let (p, t) = pair("bce", prediction, target, Unequal::Refuse);
        let p = probability("bce", "prediction", p);
        let t = probability("bce", "target", t);
        let weight = self.weight.map(|weight| repeats("bce", "weight", weight, p));
        p.tape().scope("bce", || {
            let (ln_p, ln_q) = bounded_logarithms(p);
            Terms::new(times(-(t * ln_p + (1.0 - t) * ln_q), weight))
        })
    }
}

/// `ln p` and `ln(1 − p)`, at least −100, with the slopes `(1 − p)/v` and `−p/v` for
/// `v = max(p (1 − p), 10⁻¹²)`: those of the logarithms, but bounded at 0 and 1.
#[track_caller]
fn bounded_logarithms(p: Var<'_>) -> (Var<'_>, Var<'_>) {
    let q = 1.0 - p;
    let inside = (p * q).gt(1e-12);
    let safe = inside.select(p, 0.5);
    let fixed = p.detach();
    // Outside, the value is fixed, and a line through it has the slope.
    let step = (p - fixed) * 1e12;
    let ln_p = fixed.ln().clamp(-100.0, f64::INFINITY) + step * (1.0 - fixed);
    let ln_q = (1.0 - fixed).ln().clamp(-100.0, f64::INFINITY) - step * fixed;
    (inside.select(safe.ln(), ln_p), inside.select((1.0 - safe).ln(), ln_q))
}

/// Binary cross-entropy of the sigmoid of logits.
///
/// ```text
/// Lᵢ = −wᵢ (c tᵢ ln σ(zᵢ) + (1 − tᵢ) ln σ(−zᵢ))        c: pos_weight
///    = wᵢ ((1 − tᵢ) zᵢ + (1 + (c − 1) tᵢ) softplus(−zᵢ))
/// ∂Lᵢ/∂zᵢ = wᵢ (σ(zᵢ) − tᵢ)                             for c = 1
/// ```
///
/// The second form takes no logarithm of a number that may round to 0: it is finite for every
/// finite logit. The target may be any float, and has a gradient.
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
        let (z, t) = pair("bce_with_logits", logits, target, Unequal::Refuse);
        let [weight, pos_weight] = [("weight", self.weight), ("pos_weight", self.pos_weight)]
            .map(|(name, var)| var.map(|var| repeats("bce_with_logits", name, var, z)));
        z.tape().scope("bce_with_logits", || {
            let towards = (-z).softplus();
            let positive = pos_weight.map_or(towards, |c| (1.0 + (c - 1.0) * t) * towards);
            Terms::new(times((1.0 - t) * z + positive, weight))
        })
    }
}
