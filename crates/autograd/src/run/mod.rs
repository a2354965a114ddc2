//! Running: the plan of an equal program is looked up or made, and its steps are executed.

pub(crate) mod cache;
pub(crate) mod executor;
