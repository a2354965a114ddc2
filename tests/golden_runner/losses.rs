//! The losses of the folders `losses` and `losses_more`, as the catalogue computes them.

use super::case::Adapter;

/// Every file that the catalogue has a loss for.
pub const LOSSES: &[(&str, Adapter)] = &[];
