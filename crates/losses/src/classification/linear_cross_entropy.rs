//! Cross-entropy of more classes than there is memory for logits.

use std::ops::Range;

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::Shape;

use super::FAMILY;
use super::cross_entropy::smooth_labels;
use crate::catalogue::{
    C, Domain, Invariance, Loss, N, POSITIVE, Task, WIDE, count, input, integer, number, option,
};
use crate::check::{demand, floats};
use crate::labels::{IGNORED, Labels, SECOND, no_class_numbers};
use crate::rows::{finite, infinite, times};
use crate::terms::{Terms, scaled};

/// The last linear layer and its cross-entropy in one, block by block of the classes.
///
/// ```text
/// z = x Wᵀ + b                           the matrix W, a row a class
/// L = cross_entropy(z, target)
///   = Σ_c q_c (ln Σ_k e^z_k − z_c),   q_c = w[c] · target[c]
/// ```
///
/// Only one block of the logits `z` is ever there, both in the value and in the gradient. The value
/// takes the logarithm of each block's sum and adds them up, `ln(eᵃ + eᵇ)`; the gradient computes
/// each block again, which costs one product of matrices more. Otherwise it is
/// [`CrossEntropy`](crate::CrossEntropy) of `x.linear(W, b)`, with its options, its mean and its
/// derivatives of every order.
///
/// | | |
/// |---|---|
/// | shapes | features: `[…, feature]`; matrix: `[class, feature]`; labels: `[…]`, or probabilities `[…, class]`; terms: `[…]` |
/// | several predictions a row | features: `[batch, feature]`; matrix: `[class, …, feature]`, bias `[class, …]`; labels: `[batch, …]`, or probabilities `[batch, class, …]`; terms: `[batch, …]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::linear_cross_entropy;
/// let tape = Tape::f64();
/// let x = tape.variable([[3.0_f64.ln()]]);
/// let matrix = tape.constant([[0.0], [1.0]]); // logits 0 and ln 3, softmax ¼ and ¾
/// let gradients = linear_cross_entropy(x, matrix, tape.labels(&[0])).mean().backward()?;
/// assert!((gradients.loss() - 4.0_f64.ln()).abs() < 1e-15);
/// assert!((gradients.of(x).unwrap().item()? - 0.75).abs() < 1e-15); // Wᵀ (softmax − one_hot)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As for [`CrossEntropy`](crate::CrossEntropy); features and matrix, or bias and matrix, that do
/// not fit.
///
/// # Source
/// PyTorch's `linear_cross_entropy`; the running sum: Milakov and Gimelshein, Online Normalizer
/// Calculation for Softmax, 2018.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "LinearCrossEntropyLoss")]
pub struct LinearCrossEntropy<'t> {
    /// The bias of the layer, one number for each logit: `[class]`, or `[class, …]` of several
    /// predictions a row.
    pub bias: Option<Var<'t>>,
    /// A weight for each class.
    pub weight: Option<Var<'t>>,
    /// The label of examples that do not count.
    pub ignore_index: i64,
    /// How much of each target is spread over all classes, 0 to 1.
    pub label_smoothing: f64,
    /// How many logits there may be at a time; those of one class, at least.
    pub block: usize,
}

impl Default for LinearCrossEntropy<'_> {
    fn default() -> Self {
        LinearCrossEntropy {
            bias: None,
            weight: None,
            ignore_index: IGNORED,
            label_smoothing: 0.0,
            block: 1 << 20,
        }
    }
}

/// [`LinearCrossEntropy`] with its defaults.
#[track_caller]
pub fn linear_cross_entropy<'t>(features: Var<'t>, matrix: Var<'t>, target: Var<'t>) -> Terms<'t> {
    LinearCrossEntropy::default().forward(features, matrix, target)
}

impl<'t> LinearCrossEntropy<'t> {
    /// The terms. The target is class numbers if it holds integers, else probabilities.
    #[track_caller]
    pub fn forward(&self, features: Var<'t>, matrix: Var<'t>, target: Var<'t>) -> Terms<'t> {
        features.tape().named_call(NAME, || {
            let features = self.checked(features, matrix, target);
            if features.is_faulty() {
                return Terms::new(features);
            }
            let mut terms = features.shape()[..features.rank() - 1].to_vec();
            let rows = features.reshape([terms.iter().product(), features.dim(-1)]);
            let predictions = Shape::from(&matrix.shape()[1..matrix.rank() - 1]);
            terms.extend_from_slice(&predictions);
            let each = match (predictions.rank(), predictions.numel()) {
                (0, _) => self.of_one(rows, matrix, target),
                (_, 0) => Terms::new(rows.tape().fill(&terms[..], 0.0)),
                (_, count) => self.of_several(rows, matrix, target, count),
            };
            each.reshaped(Shape::from(terms))
        })
    }

    /// One prediction for each row.
    fn of_one(&self, rows: Var<'t>, matrix: Var<'t>, target: Var<'t>) -> Terms<'t> {
        match target.dtype().is_float() {
            true => {
                let target = target.reshape([rows.dim(0), matrix.dim(0)]);
                self.of_probabilities(rows, matrix, target)
            }
            false => self.of_labels(rows, matrix, target.flatten(..)),
        }
    }

    /// So many predictions for each row, one after another.
    fn of_several(
        &self,
        rows: Var<'t>,
        matrix: Var<'t>,
        target: Var<'t>,
        count: usize,
    ) -> Terms<'t> {
        let classes = matrix.dim(0);
        let matrix = matrix.reshape([classes, count, rows.dim(1)]);
        let bias = self.bias.map(|bias| bias.reshape([classes, count]));
        let target = match target.dtype().is_float() {
            true => target.reshape([rows.dim(0), classes, count]),
            false => target.reshape([rows.dim(0), count]),
        };
        let of = |i: usize| {
            let bias = bias.map(|bias| bias.index(1, i));
            let one = LinearCrossEntropy { bias, ..*self };
            one.of_one(rows, matrix.index(1, i), target.index(-1, i))
        };
        Terms::beside(&(0..count).map(of).collect::<Vec<_>>())
    }

    fn of_labels(&self, rows: Var<'t>, matrix: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        let (smoothing, classes) = (self.label_smoothing, matrix.dim(0));
        let labels = match Labels::among(
            classes,
            NAME,
            SECOND,
            ("features", rows),
            labels,
            self.ignore_index,
        ) {
            Ok(labels) => labels,
            Err(fault) => return Terms::new(fault),
        };
        let spread = smoothing / classes as f64;
        let of_label = labels.class_weight(self.weight);
        let total = of_label
            .zip(self.weight)
            .map(|(of_label, weight)| of_label * (1.0 - smoothing) + weight.sum(..) * spread);
        let each = self.blockwise(labels.counted_scores(rows), matrix, total, |z, block| {
            let sharp = scaled(labels.pick_among(z, block.start as usize), of_label);
            if smoothing == 0.0 {
                return sharp;
            }
            let even = scaled(z, self.weight.map(|weight| weight.slice(0, block))).sum(1);
            sharp * (1.0 - smoothing) + even * spread
        });
        Terms::new(labels.counted(each)).with_weights(labels.weigh(of_label))
    }

    fn of_probabilities(&self, rows: Var<'t>, matrix: Var<'t>, target: Var<'t>) -> Terms<'t> {
        let target = match self.label_smoothing {
            0.0 => target,
            smoothing => smooth_labels(target, smoothing),
        };
        let target = scaled(target, self.weight);
        let part = |z, block| times(target.slice(1, block), z).sum(1);
        Terms::new(self.blockwise(rows, matrix, Some(target.sum(1)), part))
    }

    /// `total · log_sum_exp(z) − Σ_c q_c z_c`, where `part` gives that sum over a block of the
    /// logits `z`, and `total` is `Σ_c q_c`, 1 by default.
    fn blockwise(
        &self,
        rows: Var<'t>,
        matrix: Var<'t>,
        total: Option<Var<'t>>,
        part: impl Fn(Var<'t>, Range<isize>) -> Var<'t>,
    ) -> Var<'t> {
        let classes = matrix.dim(0) as isize;
        let width = (self.block / rows.dim(0).max(1)).clamp(1, matrix.dim(0).max(1));
        let sums = |rows: Var<'t>, first: isize| {
            let block = first..classes.min(first + width as isize);
            rows.tape().remat(|| {
                let bias = self.bias.map(|bias| bias.slice(0, block.clone()));
                // All classes of a block may be impossible, and any infinitely likely.
                let z = finite(rows.linear(matrix.slice(0, block.clone()), bias));
                [z.log_sum_exp(1), part(z, block)]
            })
        };
        let others = (0..classes).step_by(width).skip(1);
        // A block is summed up before the next one is made.
        let [log_sum, sum] = others.fold(sums(rows, 0), |[log_sum, sum], first| {
            let [more_log_sum, more] = sums(rows.after(log_sum), first);
            [log_sum.log_add_exp(more_log_sum), sum + more]
        });
        infinite(scaled(log_sum, total) - sum)
    }

    /// The features, if everything fits them.
    fn checked(&self, features: Var<'t>, matrix: Var<'t>, target: Var<'t>) -> Var<'t> {
        let given = [Some(features), Some(matrix), Some(target), self.bias, self.weight];
        if let Some(&faulty) = given.iter().flatten().find(|var| var.is_faulty()) {
            return faulty;
        }
        let named = [("features", Some(features)), ("matrix", Some(matrix))];
        let named = named.into_iter().chain([("bias", self.bias), ("weight", self.weight)]);
        let mut checked = named.filter_map(|(name, var)| Some(floats(NAME, name, var?)));
        if let Some(fault) = checked.find(|var| var.is_faulty()) {
            return fault;
        }
        let smoothing = self.label_smoothing;
        let name = if target.dtype().is_float() { "probabilities" } else { "labels" };
        let refuse = |why: &str| {
            let fault = Fault::new(NAME, why).operand("features", features);
            let fault = fault.operand("matrix", matrix).operand(name, target);
            features.tape().fault(fault)
        };
        let shape = features.shape();
        let Some((&inner, examples)) = shape.split_last() else {
            return refuse("the features have an axis");
        };
        if matrix.rank() < 2 || matrix.dim(-1) != inner || matrix.dim(0) == 0 {
            return refuse("the matrix is [class, …, feature], with the features' last axis");
        }
        let classes = matrix.dim(0);
        let matrix_shape = matrix.shape();
        let predictions = &matrix_shape[1..matrix.rank() - 1];
        if !predictions.is_empty() && examples.len() != 1 {
            return refuse(
                "where the matrix has several predictions, features are [batch, feature]",
            );
        }
        let mut expected = examples.to_vec();
        expected.extend(target.dtype().is_float().then_some(classes));
        expected.extend_from_slice(predictions);
        let labels = [examples, predictions].concat();
        if target.dtype().is_float() && target.shape()[..] == labels[..] {
            return no_class_numbers(NAME, ("features", features), target);
        }
        if target.shape()[..] != expected[..] {
            return refuse(
                "labels are as the features without their last axis, and as the predictions of a row, probabilities with one number a class between them",
            );
        }
        if self.weight.is_some_and(|weight| weight.shape()[..] != [classes])
            || self.bias.is_some_and(|bias| bias.shape()[..] != matrix_shape[..matrix.rank() - 1])
        {
            return refuse("the weight is one number a class, and the bias one for each logit");
        }
        if target.dtype().is_float() && self.ignore_index >= 0 {
            return refuse("an ignore_index is for class numbers, given probabilities");
        }
        let fits = (0.0..=1.0).contains(&smoothing);
        let why = || format!("label_smoothing is {smoothing}, expected 0 to 1");
        let features = demand(NAME, fits, why, features);
        demand(NAME, self.block > 0, || "a block has at least one logit".to_owned(), features)
    }
}

const NAME: &str = "linear_cross_entropy";

pub(crate) static ROW: Loss = Loss {
    name: NAME,
    aliases: &["LinearCrossEntropyLoss", "fused_linear_cross_entropy"],
    summary: "The last linear layer and its cross-entropy in one, block by block.",
    formula: "w[label] (ln Σ_k e^z_k − z[label]), with z = x Wᵀ + b",
    latex: r"w_{y} \left( \log \sum_c e^{z_c} - z_{y} \right) \quad z = W x + b",
    shapes: "features: […, feature]; matrix: [class, feature]; labels, terms: […]; or probabilities: […, class]; of several predictions a row, matrix: [class, …, feature]",
    unit: "nats",
    range: "[0, ∞)",
    source: "PyTorch linear_cross_entropy; Milakov and Gimelshein, 2018",
    tasks: &[Task::Classes.fit(), Task::Distributions.set("probabilities")],
    over: "label_smoothing=0,0.1,0.3",
    inputs: &[
        input("features", &[N, D], WIDE),
        input("matrix", &[C, D], WIDE).learned(|x| vec![x.classes, x.features]),
        input("labels", &[N], Domain::Labels(C)),
        option(
            "probabilities",
            &[N, C],
            Domain::Probabilities,
            "probabilities as the target, instead of labels",
        ),
        option("bias", &[C], WIDE, "the bias of the layer"),
        option("weight", &[C], POSITIVE, "a weight for each class"),
    ],
    options: &[
        integer("ignore_index", -100, "the label of examples that do not count"),
        number("label_smoothing", 0.0, "how much of each target is spread over all classes"),
        count("block", 1 << 20, "how many logits there may be at a time"),
    ],
    grid: &[
        "",
        "block=8",
        "weight",
        "bias weight label_smoothing=0.2 ignore_index=1 block=8",
        "probabilities bias block=4",
        "probabilities weight label_smoothing=0.2",
    ],
    invariances: &[Invariance::Order(&["features", "labels", "probabilities"])],
    run: |x| {
        let loss = LinearCrossEntropy {
            bias: x.maybe("bias"),
            weight: x.maybe("weight"),
            ignore_index: x.integer("ignore_index"),
            label_smoothing: x.number("label_smoothing"),
            block: x.count("block"),
        };
        let target = x.maybe("probabilities").unwrap_or_else(|| x.var("labels"));
        loss.forward(x.var("features"), x.var("matrix"), target)
    },
    naive: |x| {
        let (features, matrix) = (x.rows("features"), x.rows("matrix"));
        let smoothing = x.number("label_smoothing");
        let z = |i: usize, c: usize| -> f64 {
            let bias = x.maybe("bias").map_or(0.0, |bias| bias[c]);
            (0..D).map(|k| features[i][k] * matrix[c][k]).sum::<f64>() + bias
        };
        let log_p = |i: usize, c: usize| z(i, c) - (0..C).map(|k| z(i, k).exp()).sum::<f64>().ln();
        let term = |i: usize, sharp: &dyn Fn(usize) -> f64| -> f64 {
            let target = |c: usize| (1.0 - smoothing) * sharp(c) + smoothing / C as f64;
            (0..C).map(|c| -x.weight("weight", c) * target(c) * log_p(i, c)).sum()
        };
        match x.maybe("probabilities") {
            Some(t) => (0..N).map(|i| term(i, &|c| t[i * C + c])).collect(),
            None => x.labeled(|i, label| term(i, &|c| f64::from(u8::from(c == label)))),
        }
    },
    edges: &[("+∞ | −∞", "sums of products with infinite features are ∞ − ∞")],
    ..FAMILY
};

/// Features of the samples.
const D: usize = 2;
