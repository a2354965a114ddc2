//! Losses of the order of scores.

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[];
