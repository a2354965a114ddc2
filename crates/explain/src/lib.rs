//! Views of what a tape holds: one graph, many ways to look at it.

mod curve;
mod listing;
mod moved;
mod surface;

pub use curve::{Curve, Kink, Point, curve, window};
pub use listing::{Listing, listing};
pub use moved::Along;
pub use surface::{Surface, surface};
