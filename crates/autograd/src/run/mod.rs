//! Running: the plan of an equal program is looked up or made, and its steps are executed.

mod arena;
pub(crate) mod cache;
pub(crate) mod executor;
pub mod plans;
