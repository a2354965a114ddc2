//! Views of what a tape holds: one graph, many ways to look at it.
//!
//! [`Graph`] computes what is to be seen of a loss; every view is made from it, and none computes by
//! itself.

mod caption;
mod expression;
mod graph;
mod layout;
mod level;
mod listing;
mod number;
mod page;
mod paths;
mod places;
mod svg;

pub use caption::Caption;
pub use expression::{Expression, Role};
pub use graph::{Flow, Graph, Group, Input, Node};
pub use level::{Block, Edge, Level, Shows};
pub use listing::{Listing, listing};
pub use page::{Page, PageError, page};
pub use paths::{Path, Paths};
