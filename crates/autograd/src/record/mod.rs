//! Recording: the tape and its nodes, and what formulas are written with. Nothing is computed here.

pub(crate) mod call;
pub(crate) mod fault;
pub(crate) mod labels;
pub(crate) mod module;
pub(crate) mod node;
pub(crate) mod operand;
pub(crate) mod parameter;
pub(crate) mod scope;
pub(crate) mod state;
pub(crate) mod substitution;
pub(crate) mod tape;
pub(crate) mod var;
