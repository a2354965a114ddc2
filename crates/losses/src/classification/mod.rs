//! Losses of class scores.

mod bce;
mod bce_with_logits;
mod cross_entropy;
mod linear_cross_entropy;
mod nll;

pub use bce::{Bce, bce};
pub use bce_with_logits::{BceWithLogits, bce_with_logits};
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use linear_cross_entropy::{LinearCrossEntropy, linear_cross_entropy};
pub use nll::{Nll, nll};

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] =
    &[&nll::ROW, &cross_entropy::ROW, &bce::ROW, &bce_with_logits::ROW, &linear_cross_entropy::ROW];
