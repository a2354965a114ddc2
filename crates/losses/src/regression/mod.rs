//! Losses of a distance between numbers.

mod huber;
mod l1;
mod mse;
mod smooth_l1;

pub use huber::{Huber, huber};
pub use l1::{L1, l1};
pub use mse::{Mse, mse};
pub use smooth_l1::{SmoothL1, smooth_l1};

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[&mse::ROW, &l1::ROW, &smooth_l1::ROW, &huber::ROW];
