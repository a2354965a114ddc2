//! Metrics: how good predictions are. Definitions are those of scikit-learn, where it has them.
//!
//! | what | metrics |
//! |---|---|
//! | classes | [`accuracy`], [`top_k_accuracy`], [`roc_auc`]; of a [`ConfusionMatrix`] precision, recall and F1 |
//! | masks | [`ConfusionMatrix::intersection_over_union`], of the classes of pixels |
//! | boxes | [`box_iou`] |
//! | embeddings | [`recall_at_k`], [`mean_average_precision_at_r`] |
//! | clusters | [`normalized_mutual_information`] |
//! | rankings | [`ndcg`] |
//! | sequences | [`edit_distance`] |

mod classification;
mod clustering;
mod detection;
mod retrieval;
mod sequence;

pub use classification::{Averaging, ConfusionMatrix, accuracy, roc_auc, top_k_accuracy};
pub use clustering::normalized_mutual_information;
pub use detection::box_iou;
pub use retrieval::{mean_average_precision_at_r, ndcg, recall_at_k};
pub use sequence::edit_distance;

use crate::error::{Error, Result};

/// The error of a metric.
fn invalid<T>(subject: &'static str, why: impl Into<String>) -> Result<T> {
    Err(Error::Metric { subject, why: why.into() })
}
