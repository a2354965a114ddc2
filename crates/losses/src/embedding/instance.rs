//! Each example as a class of its own.

use lossgraph_autograd::Var;
use lossgraph_tensor::Tensor;

use super::FAMILY;
use super::classes::Scores;
use super::distance::Distance;
use super::pairs::class_numbers;
use super::sample::{self, BATCH, MEAN, cross_entropy};
use crate::catalogue::{Invariance, Loss, Task, number};
use crate::check::above_zero;
use crate::terms::Terms;

/// Cross-entropy of the cosines of an example with all of its batch, itself included.
///
/// ```text
/// Lᵢ = ln Σⱼ exp(gamma cos(i, j)) − gamma cos(i, rᵢ),  rᵢ the index of labelᵢ among all labels
/// ```
///
/// With labels that are all different and ascending, `rᵢ` is `i`: each example should be similar to
/// none but itself. Otherwise it is the index of the label in the sorted list of those that occur,
/// as pytorch-metric-learning has it: the first examples of the batch stand for the classes, in
/// their order. For examples that recur, [`norm_softmax`](crate::norm_softmax()) with a vector for
/// each of them is the paper's loss.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::instance;
/// let tape = Tape::f64();
/// let e = tape.variable([[1.0, 0.0], [0.0, 1.0]]);
/// let gradients = instance(e, tape.labels(&[0, 1]), 1.0).mean().backward()?;
/// assert!((gradients.loss() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15); // 1 against 0
/// let push = 1.0 / (1.0 + 1.0_f64.exp());
/// assert!((gradients.of(e).unwrap().get(&[0, 1])? - push).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Embeddings that are no matrix; labels that are not one integer for each; a `gamma` that is not
/// above 0.
///
/// # Source
/// Zheng et al., Dual-Path Convolutional Image-Text Embeddings with Instance Loss, 2020.
/// pytorch-metric-learning's `InstanceLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "InstanceLoss")]
pub struct Instance {
    /// What the cosines are multiplied by.
    pub gamma: f64,
}

impl Default for Instance {
    fn default() -> Instance {
        Instance { gamma: 64.0 }
    }
}

/// [`Instance`] with a `gamma`.
#[track_caller]
pub fn instance<'t>(embeddings: Var<'t>, labels: Var<'t>, gamma: f64) -> Terms<'t> {
    Instance { gamma }.forward(embeddings, labels)
}

impl Instance {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        let tape = embeddings.tape();
        tape.named_call("instance", || {
            let e = above_zero("instance", "gamma", self.gamma, embeddings);
            let classes = match class_numbers(e, labels) {
                Ok(classes) => classes,
                Err(fault) => return Terms::new(fault),
            };
            let mut sorted = classes.clone();
            sorted.sort_unstable();
            sorted.dedup();
            let index = |class: &i64| sorted.partition_point(|each| each < class) as i64;
            let indices: Vec<i64> = classes.iter().map(index).collect();
            let cosine = Distance::CosineSimilarity.between_all(e, e);
            match Scores::new("instance", cosine, tape.constant(Tensor::from(indices))) {
                Ok(scores) => scores.cross_entropy(cosine * self.gamma),
                Err(fault) => fault,
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "instance",
    aliases: &["InstanceLoss"],
    summary: "Cross-entropy of the cosines of an example with all of its batch.",
    formula: "ln Σ exp(γ cos(i, j)) − γ cos(i, r)",
    latex: r"\log \sum_j e^{\gamma \cos(i, j)} - \gamma \cos(i, r_i)",
    letters: &[("r", "another of the class of i")],
    shapes: "embeddings: [batch, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Zheng et al., 2020; pytorch-metric-learning InstanceLoss",
    over: "gamma=4,8,16",
    tasks: &[Task::Embeddings.fit().balanced()],
    inputs: &BATCH,
    options: &[number("gamma", 64.0, "what the cosines are multiplied by"), MEAN],
    grid: &["gamma=16", "gamma=4 reduction=sum"],
    invariances: &[Invariance::Scale("embeddings")],
    run: |x| {
        let loss = Instance { gamma: x.number("gamma") };
        sample::reduced(x, loss.forward(x.var("embeddings"), x.var("labels")))
    },
    naive: |x| {
        // The labels 0, 1 and 2 are their own indices among those that occur.
        let scores =
            |i: usize| (0..6).map(|j| x.number("gamma") * x.cosine(i, j)).collect::<Vec<_>>();
        vec![x.reduced(&(0..6).map(|i| cross_entropy(&scores(i), x.label(i))).collect::<Vec<_>>())]
    },
    ..FAMILY
};
