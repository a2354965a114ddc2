//! Views of what a tape holds: one graph, many ways to look at it.
//!
//! [`Graph`] computes what is to be seen of a loss; every view of it is made from that, and none
//! computes by itself. [`curve`] and [`surface`] follow a loss over its inputs.

mod caption;
mod curve;
mod diagram;
mod expression;
mod graph;
mod hazard;
mod json;
mod layout;
mod level;
mod listing;
mod moved;
mod nan;
mod number;
mod page;
mod paths;
mod places;
mod replay;
mod surface;
mod svg;
mod why;

pub use caption::Caption;
pub use curve::{Curve, Jump, Point, curve, window};
pub use expression::{Expression, Role};
pub use graph::{Flow, Graph, Group, Input, Node};
pub use hazard::{Hazard, Mark};
pub use level::{Block, Edge, Level, Shows};
pub use listing::{Listing, listing};
pub use moved::Along;
pub use nan::{FindNan, NotFinite, Pass};
pub use page::{Page, PageError, page};
pub use paths::{Path, Paths};
pub use replay::Measured;
pub use surface::{Surface, surface};
pub use why::{Answer, Cause, Why, why};
