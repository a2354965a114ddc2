//! Losses of sequences without an alignment.

mod ctc;
mod lattice;
mod lengths;
mod rnn_t;

pub use ctc::{Ctc, ctc};
pub use rnn_t::{RnnT, rnn_t};

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss { family: "sequence", tasks: &[Task::Sequences.fit()], ..Loss::BASE };

pub(crate) const ROWS: &[&Loss] = &[&ctc::ROW, &rnn_t::ROW];

/// The logarithm of the probability of what cannot be.
const NEVER: f64 = f64::NEG_INFINITY;
