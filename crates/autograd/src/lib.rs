//! A tape that records programs on tensors, differentiates them by recording more, plans what is
//! requested, and runs the plan.
//!
//! ```text
//! record  →  grad  →  plan  →  run
//! ```
//!
//! A [`Var`] is a node of a [`Tape`]. Methods and operators on it record: they infer the shape,
//! note the caller's location and the scope, and compute nothing. [`Tape::grad`] records the
//! derivative as more nodes, so a gradient can be differentiated again. [`Var::value`] and
//! [`Var::backward`] plan what is requested and run it.
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

mod grad;
pub mod ops;
mod plan;
mod probe;
mod record;
mod run;

pub use grad::finite_difference::numeric_gradient;
pub use grad::functional::{hessian, hvp, jacobian, jvp};
pub use lossgraph_tensor::{Axes, IntoAxes, keep};
pub use ops::{
    Attention, AttentionMask, Binary, Conv, ConvTranspose, Function, IncludeSelf, Indexing,
    Interpolate, Interpolation, IntoQuantiles, IntoSpan, Kink, Leaf, PadMode, Padding, Pool,
    QuantileInterpolation, Quantiles, Resize, Row, ScatterReduce, Triangular, Unary, Unfold,
    binary::BinaryRule, clamp::Bound, clamp::IntoBound, combine::concat, combine::stack,
    einsum::einsum, pieces::hstack, pieces::meshgrid, pieces::vstack, unary::UnaryRule,
};
#[doc(hidden)]
pub use plan::Equation;
pub use plan::Plan;
pub use probe::{FaultInjector, OpInstance};
pub use record::fault::{Error, Fault, Result};
pub use record::labels::IntoLabels;
pub use record::module::Module;
pub use record::operand::Operand;
pub use record::parameter::{Gradients, Parameter};
pub use record::scope::ScopeInfo;
pub use record::tape::{NodeInfo, Tape};
pub use record::var::Var;
pub use run::plans;
