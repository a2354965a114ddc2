//! Views of what a tape holds: one graph, many ways to look at it.
//!
//! [`Graph`] computes what is to be seen of a loss; every view is made from it, and none computes by
//! itself.

mod expression;
mod graph;
mod listing;
mod number;

pub use expression::{Expression, Role};
pub use graph::{Flow, Graph, Group, Input, Node};
pub use listing::{Listing, listing};
