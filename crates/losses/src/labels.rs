//! Class numbers, checked against the scores that they belong to.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::check::floats;
use crate::rows::{capped, infinite};
use crate::terms::Terms;

/// The class number that PyTorch ignores by default.
pub(crate) const IGNORED: i64 = -100;

/// The axis that counts classes by default, after that of the batch.
pub(crate) const SECOND: isize = 1;

/// Class numbers of scores, with those to ignore set aside.
pub(crate) struct Labels<'t> {
    /// The axis of the scores that counts classes.
    pub axis: isize,
    /// The labels; those to ignore replaced by class 0.
    labels: Var<'t>,
    /// 1 for labels that count, 0 for others; `None` if all count.
    counted: Option<Var<'t>>,
}

impl<'t> Labels<'t> {
    /// Looks at the labels, so that a step without ignored ones records no mask. To be called
    /// inside of the scope of `loss`, so that a fault is reported at the caller's line.
    pub fn new(
        loss: &str,
        axis: isize,
        scores: (&str, Var<'t>),
        labels: Var<'t>,
        ignore_index: i64,
    ) -> Result<Labels<'t>, Var<'t>> {
        let classes = class_axis(axis, scores.1).map_or(0, |axis| scores.1.dim(axis));
        Labels::among(classes, loss, axis, scores, labels, ignore_index)
    }

    /// As [`new`](Labels::new), for scores that are not one for each of the `classes`.
    pub fn among(
        classes: usize,
        loss: &str,
        axis: isize,
        (name, scores): (&str, Var<'t>),
        labels: Var<'t>,
        ignore_index: i64,
    ) -> Result<Labels<'t>, Var<'t>> {
        let tape = scores.tape();
        if let Some(&faulty) = [scores, labels].iter().find(|var| var.is_faulty()) {
            return Err(faulty);
        }
        let refuse = |why: String| {
            let fault = Fault::new(loss, why).operand(name, scores).operand("labels", labels);
            Err(tape.fault(fault))
        };
        let floats = floats(loss, name, scores);
        if floats.is_faulty() {
            return Err(floats);
        }
        if labels.dtype() != DType::I64 {
            return Err(no_class_numbers(loss, (name, scores), labels));
        }
        let Some(axis) = class_axis(axis, scores) else {
            return Err(no_class_axis(loss, axis, (name, scores)));
        };
        let mut expected = scores.shape().to_vec();
        expected.remove(axis as usize);
        if labels.shape()[..] != expected[..] {
            return refuse(format!(
                "expected labels {expected:?}, the shape of {name} without its classes"
            ));
        }
        // Labels that are computed, if only by a reshape, are computed now: a plan keeps the value.
        let data = match labels.data().map_or_else(|| labels.value(), Ok) {
            Ok(data) => data,
            Err(error) => return refuse(format!("the labels have no value: {error}")),
        };
        // Looked at where they are; only those of another layout are copied.
        let data = data.contiguous();
        let numbers = data.as_slice::<i64>().unwrap_or_default();
        let valid = |label: i64| label == ignore_index || (0..classes as i64).contains(&label);
        if let Some(at) = numbers.iter().position(|&label| !valid(label)) {
            let label = numbers[at];
            return refuse(format!("label {label}, at {at}, is none of the classes 0..{classes}"));
        }
        if !numbers.contains(&ignore_index) {
            return Ok(Labels { axis, labels, counted: None });
        }
        let replaced = numbers.iter().map(|&label| if label == ignore_index { 0 } else { label });
        match Tensor::new(labels.shape(), replaced.collect::<Vec<i64>>()) {
            Err(error) => refuse(error.to_string()),
            Ok(replaced) => {
                let counted = Some(labels.ne(ignore_index as f64));
                Ok(Labels { axis, labels: tape.constant(replaced), counted })
            }
        }
    }

    /// Terms of a loss of scores and labels: `each`, of what counts, gives a number an example.
    /// Those that are ignored count 0, in what the mean divides by as well.
    pub fn terms(
        loss: &str,
        axis: isize,
        (name, scores): (&str, Var<'t>),
        labels: Var<'t>,
        ignore_index: i64,
        each: impl FnOnce(&Labels<'t>, Var<'t>) -> Var<'t>,
    ) -> Terms<'t> {
        match Labels::new(loss, axis, (name, scores), labels, ignore_index) {
            Ok(labels) => {
                let each = each(&labels, capped(labels.counted_scores(scores)));
                Terms::new(labels.counted(infinite(each))).with_weights(labels.counted)
            }
            Err(fault) => Terms::new(fault),
        }
    }

    /// The scores of the labels.
    pub fn pick(&self, scores: Var<'t>) -> Var<'t> {
        scores.gather(self.axis, self.labels.unsqueeze(self.axis)).squeeze(self.axis)
    }

    /// `−ln softmax(scores)[label]`, in nats.
    pub fn nll(&self, scores: Var<'t>) -> Var<'t> {
        -self.pick(scores.log_softmax(self.axis))
    }

    /// 1 for the classes of `scores` that are not the label, 0 for the label.
    pub fn others(&self, scores: Var<'t>) -> Var<'t> {
        let classes = Tensor::arange(scores.dim(self.axis), scores.dtype());
        let classes = along(scores.tape().constant(classes), self.axis, scores);
        self.labels.unsqueeze(self.axis).ne(classes)
    }

    /// By how much each class leads the label, plus a margin; 0 for the label itself, whose score may
    /// be infinite.
    pub fn lead(&self, scores: Var<'t>, margin: f64) -> Var<'t> {
        let lead = scores - self.pick(scores).unsqueeze(self.axis) + margin;
        self.others(scores).select(lead, 0.0)
    }

    /// 1 for each of the thresholds `0 … thresholds − 1`, along the axis of the scores, that the
    /// label is above.
    pub fn above(&self, scores: Var<'t>) -> Var<'t> {
        let thresholds = Tensor::arange(scores.dim(self.axis), scores.dtype());
        let thresholds = along(scores.tape().constant(thresholds), self.axis, scores);
        self.labels.unsqueeze(self.axis).gt(thresholds)
    }

    /// The scores of the labels that are among the classes from `first` on, of which `scores` has
    /// some, `[example, class]`; 0 for other labels.
    pub fn pick_among(&self, scores: Var<'t>, first: usize) -> Var<'t> {
        let (tape, first) = (scores.tape(), first as i64);
        let last = first + scores.dim(1) as i64 - 1;
        let data = self.labels.value();
        let numbers = || data.iter().flat_map(|data| data.iter_f64()).map(|number| number as i64);
        let indices: Vec<i64> = numbers().map(|n| n.clamp(first, last) - first).collect();
        let among: Vec<f64> =
            numbers().map(|n| f64::from(u8::from((first..=last).contains(&n)))).collect();
        let picked = scores.gather(1, tape.constant(indices).unsqueeze(1)).squeeze(1);
        tape.constant(among).select(picked, 0.0)
    }

    /// The scores, with zeros for examples that are ignored, so that nothing they hold is seen.
    pub fn counted_scores(&self, scores: Var<'t>) -> Var<'t> {
        self.counted.map_or(scores, |counted| counted.unsqueeze(self.axis).select(scores, 0.0))
    }

    /// A one at the class of each label along the class axis of the scores, only zeros for those
    /// that are ignored.
    pub fn one_hot(&self, scores: Var<'t>) -> Var<'t> {
        let last = scores.rank() as isize - 1;
        let one_hot = self.labels.one_hot(scores.dim(self.axis));
        self.counted_scores(moved(one_hot, last, self.axis))
    }

    /// One number an example, 0 for those that are ignored.
    ///
    /// Chosen, not multiplied: the mean of nothing has an infinite slope, and ∞ · 0 is NaN.
    pub fn counted(&self, each: Var<'t>) -> Var<'t> {
        self.counted.map_or(each, |counted| counted.select(each, 0.0))
    }

    /// The weight of each example, that of its class; for those that are ignored, whatever.
    pub fn class_weight(&self, of_class: Option<Var<'t>>) -> Option<Var<'t>> {
        of_class.map(|weight| weight.index_select(0, self.labels))
    }

    /// What each example counts in the mean: its weight or 1, and 0 for those that are ignored.
    pub fn weigh(&self, weight: Option<Var<'t>>) -> Option<Var<'t>> {
        match weight {
            Some(weight) => Some(self.counted(weight)),
            None => self.counted,
        }
    }
}

/// The numbers of an integer tensor, or a fault of `loss`.
#[track_caller]
pub(crate) fn integers<'t>(loss: &str, name: &str, var: Var<'t>) -> Result<Vec<i64>, Var<'t>> {
    if var.is_faulty() {
        return Err(var);
    }
    let refuse = |why: String| Err(var.tape().fault(Fault::new(loss, why).operand(name, var)));
    if var.dtype() != DType::I64 {
        let fault = Fault::new(loss, "expected integers, given floats");
        let fault = fault.operand(name, var).cure("a tensor of i64, such as tape.labels(&[…])");
        return Err(var.tape().fault(fault));
    }
    match var.value() {
        Ok(data) => Ok(data.to_vec().unwrap_or_default()),
        Err(error) => refuse(format!("{name} has no value: {error}")),
    }
}

/// Whether a target is meant as class numbers, where probabilities are possible: it holds integers,
/// or has their shape, one for each example. Floats of that shape [`Labels`] refuses.
pub(crate) fn are_class_numbers(axis: isize, scores: Var<'_>, target: Var<'_>) -> bool {
    if !target.dtype().is_float() {
        return true;
    }
    let Some(axis) = class_axis(axis, scores) else { return false };
    let mut expected = scores.shape().to_vec();
    expected.remove(axis as usize);
    !target.is_faulty() && target.shape()[..] == expected[..]
}

/// The fault of `loss` that floats stand where class numbers belong.
#[track_caller]
pub(crate) fn no_class_numbers<'t>(
    loss: &str,
    (name, scores): (&str, Var<'t>),
    labels: Var<'t>,
) -> Var<'t> {
    let fault = Fault::new(loss, "class numbers are integers, given floats")
        .operand(name, scores)
        .operand("labels", labels);
    scores.tape().fault(fault.cure("tape.labels(&[…]), or a tensor of i64: one class number each"))
}

/// The axis of scores that counts classes, from the front: `axis`, from the end if negative. Scores
/// of a single example have one axis alone, which axis 1 means, too. `None` if there is none.
pub(crate) fn class_axis(axis: isize, scores: Var<'_>) -> Option<isize> {
    match (axis, scores.rank()) {
        _ if scores.is_faulty() => None,
        (SECOND, 1) => Some(0),
        _ => scores.shape().axis(axis).map(|axis| axis as isize),
    }
}

/// The scores with their axis of classes, or a fault of `loss` if they have none.
#[track_caller]
pub(crate) fn on_class_axis<'t>(
    loss: &str,
    axis: isize,
    (name, scores): (&str, Var<'t>),
) -> (Var<'t>, isize) {
    match class_axis(axis, scores) {
        Some(axis) => (scores, axis),
        None => (no_class_axis(loss, axis, (name, scores)), 0),
    }
}

#[track_caller]
fn no_class_axis<'t>(loss: &str, axis: isize, (name, scores): (&str, Var<'t>)) -> Var<'t> {
    let why = match scores.rank() {
        _ if scores.is_faulty() => return scores,
        0 => format!("expected a class axis, given one number as {name}"),
        rank => format!("axis {axis} of the classes is none of {rank}: −{rank} to {}", rank - 1),
    };
    scores.tape().fault(Fault::new(loss, why).operand(name, scores))
}

/// One axis moved to another place; the others keep their order.
#[track_caller]
pub(crate) fn moved(x: Var<'_>, from: isize, to: isize) -> Var<'_> {
    let mut order: Vec<isize> = (0..x.rank() as isize).filter(|&axis| axis != from).collect();
    if from == to || order.len() < to as usize {
        return x;
    }
    order.insert(to as usize, from);
    x.permute(&order)
}

/// `weight` if it is one number for each class of `scores`, else a fault.
#[track_caller]
pub(crate) fn class_weight<'t>(
    loss: &str,
    (name, weight): (&str, Var<'t>),
    axis: isize,
    scores: (&str, Var<'t>),
) -> Var<'t> {
    let of = scores.0;
    let (scores, axis) = on_class_axis(loss, axis, scores);
    if scores.is_faulty() {
        return scores;
    }
    let classes = scores.dim(axis);
    if weight.shape()[..] == [classes] || weight.is_faulty() {
        return weight.to_float();
    }
    weight.tape().fault(
        Fault::new(loss, format!("one weight for each of the {classes} classes"))
            .operand(of, scores)
            .operand(name, weight),
    )
}

/// A vector laid along an axis of `like`.
#[track_caller]
pub(crate) fn along<'t>(vector: Var<'t>, axis: isize, like: Var<'t>) -> Var<'t> {
    let mut dims = vec![1; like.rank()];
    if let Some(dim) = dims.get_mut(axis as usize) {
        *dim = vector.len();
    }
    vector.reshape(dims)
}
