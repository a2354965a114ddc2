//! Views of what a tape holds: one graph, many ways to look at it.

mod listing;

pub use listing::{Listing, listing};
