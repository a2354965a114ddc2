//! A tape that records programs on tensors, differentiates them by recording more, plans what is
//! asked for, and runs the plan.
//!
//! ```text
//! record  →  grad  →  plan  →  run
//! ```
//!
//! A [`Var`] is a node of a [`Tape`]. Methods and operators on it record: they infer the shape,
//! note the caller's location and the scope, and compute nothing. [`Tape::grad`] records the
//! derivative as more nodes, so a gradient can be differentiated again. [`Var::value`] and
//! [`Var::backward`] plan what they are asked for and run it.
//!
//! ```
//! use lossgraph_autograd::Tape;
//!
//! let tape = Tape::f64();
//! let x = tape.variable([1.0, 2.0, 3.0]);
//! let loss = x.square().sum(..);
//! let gradients = loss.backward()?;
//! assert_eq!(loss.item()?, 14.0);
//! assert_eq!(gradients.of(x).unwrap().to_f64s(), [2.0, 4.0, 6.0]);
//! # Ok::<(), lossgraph_autograd::Error>(())
//! ```

mod axes;
mod cache;
mod fault;
mod grad;
mod graph;
mod numeric;
mod op;
mod operand;
pub mod ops;
mod parameter;
mod plan;
mod probe;
mod remat;
mod run;
mod scope;
mod tape;
mod var;

pub use axes::{Axes, IntoAxes, keep};
pub use fault::{Error, Fault, Result};
pub use numeric::numeric_gradient;
pub use operand::Operand;
pub use ops::{
    Binary, Conv, Kink, Padding, Pool, Row, Unary, binary::BinaryRule, combine::concat,
    combine::stack, unary::UnaryRule,
};
pub use parameter::{Gradients, Parameter};
pub use plan::Plan;
pub use probe::{FaultInjector, OpInstance};
pub use scope::ScopeInfo;
pub use tape::{NodeInfo, Tape};
pub use var::Var;
