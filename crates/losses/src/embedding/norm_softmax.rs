//! A softmax over directions.

use lossgraph_autograd::Var;

use super::FAMILY;
use super::classes::{Scores, checked, similarities};
use super::distance::{Distance, normalized};
use super::sample::{CLASSES, ORDER, cross_entropy, dot};
use crate::catalogue::{Invariance, Loss, number, word};
use crate::check::above_zero;
use crate::terms::Terms;

/// Cross-entropy of the cosines to class vectors over a temperature.
///
/// ```text
/// z[c] = cos(x, w[c]) / T
/// L = log_sum_exp(z) − z[label]
/// ∂L/∂z = softmax(z) − one_hot(label)
/// ```
///
/// Since cosines end at ±1, a temperature of 1 leaves the right class at most `e²` times as likely
/// as another: it has to be small.
///
/// | | |
/// |---|---|
/// | shapes | embeddings `[batch, features]`, vectors `[classes, features]`, labels `[batch]`; terms are `[batch]` |
/// | unit | nats |
/// | range | 0 and above |
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_losses::norm_softmax;
/// let tape = Tape::f64();
/// let x = tape.variable([[1.0, 0.0]]);
/// let w = tape.constant([[1.0, 0.0], [0.0, 1.0]]);
/// let gradients = norm_softmax(x, w, tape.labels(&[0]), 1.0).mean().backward()?;
/// assert!((gradients.loss() - (-1.0_f64).exp().ln_1p()).abs() < 1e-15); // 1 against 0
/// let push = 1.0 / (1.0 + 1.0_f64.exp());
/// assert!((gradients.of(x).unwrap().get(&[0, 1])? - push).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Shapes other than the table's; labels that are no class; a temperature that is not above 0.
///
/// # Source
/// Zhai and Wu, Classification is a Strong Baseline for Deep Metric Learning, 2019.
/// pytorch-metric-learning's `NormalizedSoftmaxLoss`.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "NormalizedSoftmaxLoss")]
pub struct NormSoftmax {
    /// What the similarities are divided by.
    pub temperature: f64,
    /// The similarity of unit vectors.
    pub distance: Distance,
    /// Brings the embeddings to length 1. If not, their length says how sure they are, and the
    /// scores are `x · w/‖w‖ / T`, whatever the similarity.
    pub normalize_embeddings: bool,
}

impl Default for NormSoftmax {
    fn default() -> NormSoftmax {
        NormSoftmax {
            temperature: 0.05,
            distance: Distance::CosineSimilarity,
            normalize_embeddings: true,
        }
    }
}

/// [`NormSoftmax`] with a temperature.
#[track_caller]
pub fn norm_softmax<'t>(
    embeddings: Var<'t>,
    vectors: Var<'t>,
    labels: Var<'t>,
    temperature: f64,
) -> Terms<'t> {
    NormSoftmax { temperature, ..NormSoftmax::default() }.forward(embeddings, vectors, labels)
}

impl NormSoftmax {
    /// The terms.
    #[track_caller]
    pub fn forward<'t>(&self, embeddings: Var<'t>, vectors: Var<'t>, labels: Var<'t>) -> Terms<'t> {
        embeddings.tape().named_call("norm_softmax", || {
            let NormSoftmax { temperature, distance, normalize_embeddings } = *self;
            let x = above_zero("norm_softmax", "temperature", temperature, embeddings);
            let s = match normalize_embeddings {
                true => similarities("norm_softmax", distance, x, vectors) * -distance.sign(),
                false => match checked("norm_softmax", x, vectors) {
                    Some(fault) => fault,
                    None => Distance::DotProduct.between_all(x, normalized(vectors, 2.0)),
                },
            };
            match Scores::new("norm_softmax", s, labels) {
                Ok(scores) => scores.cross_entropy(s / temperature),
                Err(fault) => fault,
            }
        })
    }
}

pub(crate) static ROW: Loss = Loss {
    name: "norm_softmax",
    aliases: &["NormalizedSoftmaxLoss", "normalized_softmax"],
    summary: "Cross-entropy of the cosines to class vectors over a temperature.",
    formula: "log_sum_exp(cos(x, w)/T) − cos(x, w[label])/T",
    latex: r"-\log \frac{e^{\cos \theta_y / T}}{\sum_c e^{\cos \theta_c / T}}",
    letters: &[("θ", "the angle between an embedding and the vector of a class")],
    shapes: "embeddings: [batch, features]; vectors: [classes, features]; labels and terms: [batch]",
    unit: "nats",
    range: "[0, ∞)",
    source: "Zhai and Wu, 2019; pytorch-metric-learning NormalizedSoftmaxLoss",
    over: "temperature=0.1,0.2,0.5",
    inputs: &CLASSES,
    options: &[
        number("temperature", 0.05, "what the similarities are divided by"),
        word("normalize_embeddings", &["true", "false"], "brings the embeddings to length 1"),
    ],
    grid: &["", "temperature=0.5", "normalize_embeddings=false"],
    invariances: &[ORDER, Invariance::Scale("vectors")],
    run: |x| {
        NormSoftmax {
            temperature: x.number("temperature"),
            normalize_embeddings: x.word("normalize_embeddings") == "true",
            ..NormSoftmax::default()
        }
        .forward(x.var("embeddings"), x.var("vectors"), x.var("labels"))
    },
    naive: |x| {
        let term = |i: usize| {
            let length = match x.word("normalize_embeddings") {
                "true" => 1.0,
                _ => dot(x.rows("embeddings")[i], x.rows("embeddings")[i]).sqrt(),
            };
            let score = |class: usize| length * x.class_cosine(i, class) / x.number("temperature");
            cross_entropy(&(0..4).map(score).collect::<Vec<_>>(), x.label(i))
        };
        (0..5).map(term).collect()
    },
    ..FAMILY
};
