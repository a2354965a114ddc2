//! The hinge loss of several labels an example.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::{DType, Tensor};

use super::FAMILY;
use crate::catalogue::{C, Domain, Invariance, LAST_AXIS, Loss, N, Task, input};
use crate::check::floats;
use crate::labels::{moved, no_class_numbers, on_class_axis};
use crate::terms::Terms;

/// How far the scores of the labels of an example fail to exceed those of all other classes by 1.
///
/// ```text
/// Lₙ = 1/C Σ_(j among the labels) Σ_(i not among them) max(0, 1 − z[n, j] + z[n, i])
/// ∂Lₙ/∂z[n, i] = 1/C, once for each label j whose difference to i is below 1
/// ∂Lₙ/∂z[n, j] = −1/C, once for each class i whose difference to j is below 1
/// ```
///
/// The labels of an example are a list that −1 ends; what follows the first −1 is not read. `i` runs
/// over the classes that are no labels (not merely over `i ≠ j`, as some texts say), and the divisor
/// `C` is the number of classes, not that of pairs. A label that is listed twice counts twice. An
/// example without labels has loss 0. At a difference of exactly 1 the slope is 0.
///
/// | | |
/// |---|---|
/// | shapes | scores: `[batch, class]`, `[class]`, or `[]` of one class; labels: integers of that shape; terms: `[batch]` or `[]` |
/// | unit | the scores' |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::multilabel_margin;
/// let tape = Tape::f64();
/// let scores = tape.variable([[0.5, 1.5, -2.0, 2.0]]);
/// let labels = tape.constant([[3_i64, 0, -1, -1]]);
/// let gradients = multilabel_margin(scores, labels).mean().backward()?;
/// assert_eq!(gradients.loss(), 0.625); // class 1 is too near to 3 by ½, and to 0 by 2
/// assert_eq!(gradients.of(scores).unwrap().to_f64s(), [-0.25, 0.5, 0.0, -0.25]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// Scores of more than two axes; labels that are not integers, not of the shape of the scores, or
/// neither classes nor −1 (told with their position).
///
/// # Source
/// PyTorch's `MultiLabelMarginLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "MultiLabelMarginLoss")]
pub struct MultilabelMargin {
    /// The axis that counts classes, and along which labels are listed; from the end, if negative.
    pub axis: isize,
}

impl Default for MultilabelMargin {
    fn default() -> MultilabelMargin {
        MultilabelMargin { axis: -1 }
    }
}

/// [`MultilabelMargin`] with its defaults.
#[doc(alias = "multilabel_margin_loss")]
#[track_caller]
pub fn multilabel_margin<'t>(scores: Var<'t>, labels: Var<'t>) -> Terms<'t> {
    MultilabelMargin::default().forward(scores, labels)
}

impl MultilabelMargin {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, scores: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        scores.tape().named_call("multilabel_margin", || {
            match Lists::new(scores, labels, self.axis) {
                Err(fault) => Terms::new(fault),
                Ok(Lists { scores, indices, listed, others }) => {
                    // [batch, label, class]: each label against each class.
                    let of_labels = scores.gather(-1, indices).unsqueeze(-1);
                    let h = (1.0 - of_labels + scores.unsqueeze(-2)).relu();
                    let pairs = listed.unsqueeze(-1) * others.unsqueeze(-2);
                    // Chosen, not multiplied: a label's lead of itself may be ∞ − ∞.
                    Terms::new(pairs.select(h, 0.0).sum([-2, -1]) / scores.dim(-1) as f64)
                }
            }
        })
    }
}

/// Lists of labels, read.
struct Lists<'t> {
    /// The scores, their classes along the last axis.
    scores: Var<'t>,
    /// The labels, `[…, longest list]`; class 0 beyond the end of a list.
    indices: Var<'t>,
    /// 1 where `indices` holds a label.
    listed: Var<'t>,
    /// 1 for the classes that are no labels, `[…, class]`.
    others: Var<'t>,
}

impl<'t> Lists<'t> {
    fn new(scores: Var<'t>, labels: Var<'t>, axis: isize) -> Result<Lists<'t>, Var<'t>> {
        let tape = scores.tape();
        if let Some(&faulty) = [scores, labels].iter().find(|var| var.is_faulty()) {
            return Err(faulty);
        }
        let refuse = |why: String| {
            let fault = Fault::new("multilabel_margin", why);
            Err(tape.fault(fault.operand("scores", scores).operand("labels", labels)))
        };
        if labels.dtype() != DType::I64 {
            return Err(no_class_numbers("multilabel_margin", ("scores", scores), labels));
        }
        // As in PyTorch, a scalar is the score of one class.
        let listed = |x: Var<'t>| if x.rank() == 0 { x.reshape([1]) } else { x };
        let [scores, labels] = [scores, labels].map(listed);
        if labels.shape() != scores.shape() {
            return refuse("the labels are integers in the shape of the scores".to_owned());
        }
        if !(1..=2).contains(&scores.rank()) {
            return refuse("the scores are [batch, class] or [class]".to_owned());
        }
        let (on_axis, axis) = on_class_axis("multilabel_margin", axis, ("scores", scores));
        let on_axis = floats("multilabel_margin", "scores", on_axis);
        if on_axis.is_faulty() {
            return Err(on_axis);
        }
        let [scores, labels] = [scores, labels].map(|x| moved(x, axis, x.rank() as isize - 1));
        // As for other labels, what is computed is computed now.
        let data = match labels.data().map_or_else(|| labels.value(), Ok) {
            Ok(data) => data,
            Err(error) => return refuse(format!("the labels have no value: {error}")),
        };
        let numbers = data.to_vec::<i64>().unwrap_or_default();
        let classes = scores.dim(-1);
        if let Some(at) = numbers.iter().position(|&label| !(-1..classes as i64).contains(&label)) {
            let label = numbers[at];
            return refuse(format!(
                "label {label}, at {at}, is neither one of the classes 0..{classes} nor −1"
            ));
        }
        let lists: Vec<&[i64]> = match classes {
            0 => Vec::new(),
            _ => numbers.chunks(classes).map(until_end).collect(),
        };
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
        let padded = |list: &[i64]| (0..longest).map(|i| list.get(i).copied()).collect::<Vec<_>>();
        let padded: Vec<Option<i64>> = lists.iter().flat_map(|list| padded(list)).collect();
        let indices: Vec<i64> = padded.iter().map(|label| label.unwrap_or(0)).collect();
        let listed = padded.iter().map(|label| f64::from(u8::from(label.is_some()))).collect();
        let is_other = |list: &&[i64], class| f64::from(u8::from(!list.contains(&(class as i64))));
        let others =
            lists.iter().flat_map(|list| (0..classes).map(move |c| is_other(list, c))).collect();
        let mut shape = scores.shape().to_vec();
        let all = shape.clone();
        shape[all.len() - 1] = longest;
        let constants = || -> lossgraph_tensor::Result<Lists<'t>> {
            Ok(Lists {
                scores,
                indices: tape.constant(Tensor::new(shape.clone(), indices)?),
                listed: tape.constant(Tensor::new(shape, listed)?),
                others: tape.constant(Tensor::new(all, others)?),
            })
        };
        constants().or_else(|error| refuse(error.to_string()))
    }
}

/// A list up to the first −1.
fn until_end(list: &[i64]) -> &[i64] {
    list.split(|&label| label == -1).next().unwrap_or(&[])
}

/// The labels of the samples: one, two, three and none, one of them twice.
const LISTS: [i64; N * C] = [2, -1, 1, 0, 1, -1, 1, 1, -1, -1, 0, 2];

pub(crate) static ROW: Loss = Loss {
    name: "multilabel_margin",
    aliases: &["MultiLabelMarginLoss", "multilabel_margin_loss"],
    summary: "How far the scores of an example's labels fail to exceed those of the others by 1.",
    formula: "1/C Σ_(j label) Σ_(i no label) max(0, 1 − z[j] + z[i])",
    latex: r"\frac{1}{C} \sum_{j \in Y} \sum_{i \notin Y} \max(0, 1 - z_j + z_i)",
    letters: &[("C", "the number of classes"), ("Y", "the classes of the example")],
    shapes: "scores, labels (lists ended by −1): [batch, class], [class] or []; terms: [batch] or []",
    unit: "the scores'",
    range: "[0, ∞)",
    source: "PyTorch MultiLabelMarginLoss",
    tasks: &[Task::MultiLabel.fit()],
    inputs: &[
        input("scores", &[N, C], Domain::Logits),
        input("labels", &[N, C], Domain::Integers(&LISTS)),
    ],
    options: &[LAST_AXIS],
    invariances: &[Invariance::Shift("scores"), Invariance::Order(&["scores", "labels"])],
    run: |x| MultilabelMargin { axis: x.axis() }.forward(x.var("scores"), x.var("labels")),
    naive: |x| {
        let term = |(z, labels): (&[f64], &[f64])| {
            let mut sum = 0.0;
            for &j in labels.iter().take_while(|&&label| label != -1.0) {
                for i in 0..C {
                    let before_end = labels.iter().take_while(|&&label| label != -1.0);
                    if !before_end.into_iter().any(|&label| label == i as f64) {
                        sum += (1.0 - z[j as usize] + z[i]).max(0.0);
                    }
                }
            }
            sum / C as f64
        };
        x.rows("scores").into_iter().zip(x.rows("labels")).map(term).collect()
    },
    edges: &[("all others impossible", "labels that are impossible lead no others: ∞ − ∞")],
    ..FAMILY
};
