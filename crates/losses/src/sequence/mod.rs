//! Losses of sequences without an alignment.

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[];
