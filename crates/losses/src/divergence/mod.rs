//! Losses between distributions.

mod jensen_shannon;
mod kl_div;

pub use jensen_shannon::{JensenShannon, jensen_shannon};
pub use kl_div::{KlDiv, kl_div};

use crate::catalogue::{Loss, Task};

/// What the rows of this family have in common.
const FAMILY: Loss = Loss {
    family: "divergence",
    tasks: &[Task::Distributions.fit(), Task::Classes.fit()],
    ..Loss::BASE
};

pub(crate) const ROWS: &[&Loss] = &[&kl_div::ROW, &jensen_shannon::ROW];
