//! Views of what a tape holds: one graph, many ways to look at it.
//!
//! [`Graph`] evaluates a loss with its gradients; every view is made from that, and none computes by
//! itself. [`curve`] and [`surface`] sample a loss over its inputs.

mod caption;
mod curve;
mod diagram;
mod expression;
mod graph;
mod guards;
mod hazard;
mod json;
mod jvp;
mod layout;
mod level;
mod listing;
mod masks;
mod nan;
mod number;
mod numeric;
mod operation;
mod page;
mod paths;
mod reference;
mod repeats;
mod surface;
mod svg;
mod sweep;
mod teaching;
mod why;

pub use caption::Caption;
pub use curve::{Curve, Jump, Point, curve, window};
pub use expression::{Expression, Role};
pub use graph::{Flow, Graph, Group, Input, Node};
pub use hazard::{Hazard, HazardKind};
pub use level::{Block, Content, Edge, Level};
pub use listing::{Listing, listing};
pub use nan::{FindNan, NonFinite, Pass};
pub use numeric::NumericGradient;
pub use page::{Engine, Opened, Page, PageError, Step, View, page};
pub use paths::{Path, Paths};
pub use surface::{Surface, surface};
pub use sweep::Sweep;
pub use why::{Answer, Cause, Why, why};
