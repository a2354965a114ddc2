//! Losses between distributions.

mod kl_div;

pub use kl_div::{KlDiv, kl_div};

use crate::catalogue::Loss;

pub(crate) const ROWS: &[&Loss] = &[&kl_div::ROW];
