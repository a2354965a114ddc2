//! Losses of boxes.

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[];
