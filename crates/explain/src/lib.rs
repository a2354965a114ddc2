//! Views of what a tape holds: one graph, many ways to look at it.
//!
//! [`Graph`] computes what is to be seen of a loss; every view of it is made from that, and none
//! computes by itself. [`curve`] and [`surface`] follow a loss over its inputs.

mod curve;
mod expression;
mod graph;
mod listing;
mod moved;
mod number;
mod surface;

pub use curve::{Curve, Kink, Point, curve, window};
pub use expression::{Expression, Role};
pub use graph::{Flow, Graph, Group, Input, Node};
pub use listing::{Listing, listing};
pub use moved::Along;
pub use surface::{Surface, surface};
