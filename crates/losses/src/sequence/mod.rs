//! Losses of sequences without an alignment.

mod ctc;
mod lengths;

pub use ctc::{Ctc, ctc};

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[&ctc::ROW];
