//! Losses of class scores.

use lossgraph_autograd::Var;

use crate::check::{Unequal, demand, pair, probability, repeats};
use crate::labels::{Labels, along, class_axis, class_weight};
use crate::rows::{finite, times};
use crate::terms::{Terms, scaled};

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
        log_p.tape().scope("nll", || {
            let labels = match Labels::new("nll", log_p, labels, self.ignore_index) {
                Ok(labels) => labels,
                Err(fault) => return Terms::new(fault),
            };
            let weight = self.weight.map(|weight| class_weight("nll", weight, log_p));
            let weight = labels.class_weight(weight);
            let each = scaled(-labels.counted(labels.pick(log_p)), weight);
            Terms::new(each).that_weigh(labels.weigh(weight))
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
        logits.tape().scope("cross_entropy", || {
            let fits = (0.0..=1.0).contains(&smoothing);
            let why = || format!("label_smoothing is {smoothing}, expected 0 to 1");
            let z = demand("cross_entropy", fits, why, logits);
            let weight = self.weight.map(|weight| class_weight("cross_entropy", weight, z));
            match target.dtype().is_float() {
                true => self.of_probabilities(z, target, weight),
                false => self.of_labels(z, target, weight),
            }
        })
    }

    fn of_labels(&self, logits: Var<'t>, labels: Var<'t>, weight: Option<Var<'t>>) -> Terms<'t> {
        let labels = match Labels::new("cross_entropy", logits, labels, self.ignore_index) {
            Ok(labels) => labels,
            Err(fault) => return Terms::new(fault),
        };
        let (axis, smoothing) = (labels.axis, self.label_smoothing);
        let z = labels.counted_scores(logits);
        let of_label = labels.class_weight(weight);
        let each = if smoothing == 0.0 {
            scaled(z.log_sum_exp(axis) - labels.pick(z), of_label)
        } else {
            let log_p = z.log_softmax(axis);
            let sharp = scaled(-labels.pick(log_p), of_label);
            let spread = scaled(-log_p, weight.map(|weight| along(weight, axis, z))).mean(axis);
            sharp * (1.0 - smoothing) + spread * smoothing
        };
        Terms::new(labels.counted(each)).that_weigh(labels.weigh(of_label))
    }

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
        let t = match smoothing {
            0.0 => t,
            _ => t * (1.0 - smoothing) + smoothing / z.extent(axis) as f64,
        };
        let each_class = times(t, -z.log_softmax(axis));
        let weighted = scaled(each_class, weight.map(|weight| along(weight, axis, z)));
        Terms::new(weighted.sum(axis))
    }
}

/// Binary cross-entropy of probabilities.
///
/// ```text
/// Lᵢ = −wᵢ (tᵢ ln pᵢ + (1 − tᵢ) ln(1 − pᵢ))     each logarithm at least −100
/// ∂Lᵢ/∂pᵢ = wᵢ (pᵢ − tᵢ) / max(pᵢ (1 − pᵢ), 10⁻¹²)
/// ```
///
/// The bounds are PyTorch's: they keep a certain and wrong prediction finite. Here they hold for
/// the slope in the target too, where PyTorch's is infinite. For logits, [`BceWithLogits`] needs no
/// bounds. A prediction that is computed and lies outside of 0 to 1 gives NaN.
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
    (inside.select(safe.ln(), ln_p), inside.select((1.0 - safe).ln(), ln_q))
}

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
        let (z, t) = pair("bce_with_logits", logits, target, Unequal::Refuse);
        let [weight, pos_weight] = [("weight", self.weight), ("pos_weight", self.pos_weight)]
            .map(|(name, var)| var.map(|var| repeats("bce_with_logits", name, var, z)));
        z.tape().scope("bce_with_logits", || {
            let z = finite(z);
            let each = match pos_weight {
                None => z.softplus() - t * z,
                Some(c) => (1.0 - t) * z + (1.0 + (c - 1.0) * t) * (-z).softplus(),
            };
            Terms::new(scaled(each, weight))
        })
    }
}
