//! Losses of class scores.

mod adaptive_log_softmax;
mod asymmetric;
mod bce;
mod bce_with_logits;
mod binary_sparsemax;
mod categorical_hinge;
mod class_clusters;
mod confidence_penalty;
mod cross_entropy;
mod distillation;
mod fenchel_young;
mod generalized_ce;
mod hinge;
mod linear_cross_entropy;
mod modified_huber;
mod multi_margin;
mod multilabel_margin;
mod multilabel_soft_margin;
mod nll;
mod ordinal;
mod perceptron;
mod poly;
mod power;
mod sigmoid_focal;
mod signs;
mod smooth_hinge;
mod soft_margin;
mod softmax_focal;
mod sparsemax;
mod squared_hinge;
mod symmetric_ce;

pub use adaptive_log_softmax::AdaptiveLogSoftmax;
pub use asymmetric::{Asymmetric, asymmetric};
pub use bce::{Bce, bce};
pub use bce_with_logits::{BceWithLogits, bce_with_logits};
pub use binary_sparsemax::{BinarySparsemax, binary_sparsemax};
pub use categorical_hinge::{CategoricalHinge, categorical_hinge};
pub use class_clusters::ClassClusters;
pub use confidence_penalty::{ConfidencePenalty, confidence_penalty};
pub use cross_entropy::{CrossEntropy, cross_entropy, smooth_labels};
pub use distillation::{Distillation, distillation};
pub use fenchel_young::{FenchelYoung, fenchel_young};
pub use generalized_ce::{GeneralizedCe, generalized_ce};
pub use hinge::{Hinge, hinge};
pub use linear_cross_entropy::{LinearCrossEntropy, linear_cross_entropy};
pub use modified_huber::{ModifiedHuber, modified_huber};
pub use multi_margin::{MultiMargin, multi_margin};
pub use multilabel_margin::{MultilabelMargin, multilabel_margin};
pub use multilabel_soft_margin::{MultilabelSoftMargin, multilabel_soft_margin};
pub use nll::{Nll, nll};
pub use ordinal::{Ordinal, ordinal};
pub use perceptron::{Perceptron, perceptron};
pub use poly::{Poly, poly};
pub use sigmoid_focal::{SigmoidFocal, sigmoid_focal};
pub use smooth_hinge::{SmoothHinge, smooth_hinge};
pub use soft_margin::{SoftMargin, soft_margin};
pub use softmax_focal::{SoftmaxFocal, softmax_focal};
pub(crate) use sparsemax::projected;
pub use sparsemax::{Sparsemax, sparsemax};
pub use squared_hinge::{SquaredHinge, squared_hinge};
pub use symmetric_ce::{SymmetricCe, symmetric_ce};

use crate::catalogue::{Fit, Loss, Task};

/// Losses that see each class by itself, of which several may be right.
const EACH_CLASS: &[Fit] = &[Task::MultiLabel.fit(), Task::Classes.fit()];

/// What the rows of this family have in common.
const FAMILY: Loss = Loss { family: "classification", tasks: &[Task::Classes.fit()], ..Loss::BASE };

pub(crate) const ROWS: &[&Loss] = &[
    &nll::ROW,
    &cross_entropy::ROW,
    &linear_cross_entropy::ROW,
    &adaptive_log_softmax::ROW,
    &bce::ROW,
    &bce_with_logits::ROW,
    &soft_margin::ROW,
    &hinge::ROW,
    &squared_hinge::ROW,
    &smooth_hinge::ROW,
    &modified_huber::ROW,
    &perceptron::ROW,
    &categorical_hinge::ROW,
    &multi_margin::ROW,
    &multilabel_margin::ROW,
    &multilabel_soft_margin::ROW,
    &sigmoid_focal::ROW,
    &softmax_focal::ROW,
    &asymmetric::ROW,
    &poly::ROW,
    &generalized_ce::ROW,
    &symmetric_ce::ROW,
    &sparsemax::ROW,
    &binary_sparsemax::ROW,
    &fenchel_young::ROW,
    &confidence_penalty::ROW,
    &distillation::ROW,
    &ordinal::ROW,
];

/// The softmax of plain numbers, for formulas said once more.
fn softmax_of(scores: &[f64]) -> Vec<f64> {
    let sum: f64 = scores.iter().map(|z| z.exp()).sum();
    scores.iter().map(|z| z.exp() / sum).collect()
}
