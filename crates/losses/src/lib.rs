//! Every loss a composition of primitive ops: gradients of any order come for free.
//!
//! A loss is a struct of options with a `forward` that gives [`Terms`], and a function of the same
//! name in snake case for the options that people leave alone. `Terms` holds one number for each
//! element or example; the caller reduces them, so that the 1/N is a node that can be seen.
//!
//! ```
//! use lossgraph_autograd::Tape;
//! use lossgraph_losses::cross_entropy;
//!
//! let tape = Tape::f64();
//! let logits = tape.variable([[0.0, 0.0], [0.0, 0.0]]);
//! let loss = cross_entropy(logits, tape.labels(&[0, 1])).mean();
//! let gradients = loss.backward()?;
//! assert_eq!(gradients.loss(), 2.0_f64.ln());
//! assert_eq!(gradients.of(logits).unwrap().to_f64s(), [-0.25, 0.25, 0.25, -0.25]);
//! # Ok::<(), lossgraph_autograd::Error>(())
//! ```
//!
//! One table, [`ALL`], lists every loss with its formula, options, samples, and the formula once
//! more as a plain function on numbers; tests, docs and the `lossgraph` program come from it.

mod catalogue;
mod check;
mod classification;
mod detection;
mod divergence;
mod embedding;
mod labels;
mod pictures;
mod ranking;
mod regression;
mod rows;
mod segmentation;
mod self_supervised;
mod sequence;
mod size;
mod terms;

pub use catalogue::{
    ALL, Args, BadSetting, Case, Choice, Configured, Domain, Fit, Invariance, Loss, Numbers,
    OptionKind, Plain, Sample, Setting, Sizes, Task, UnknownLoss, figure, find,
};
pub use classification::*;
pub use detection::*;
pub use divergence::*;
pub use embedding::center::{Center, center};
pub use embedding::*;
pub use pictures::*;
pub use ranking::*;
pub use regression::*;
pub use segmentation::*;
pub use self_supervised::*;
pub use sequence::*;
pub use terms::{Reduction, Terms, UnknownReduction};

/// The losses and what they are made of, without the catalogue. [`center`] is left out, whose name
/// says too little where nothing else says that it is a loss.
pub mod prelude {
    pub use crate::classification::*;
    pub use crate::detection::*;
    pub use crate::divergence::*;
    pub use crate::embedding::*;
    pub use crate::pictures::*;
    pub use crate::ranking::*;
    pub use crate::regression::*;
    pub use crate::segmentation::*;
    pub use crate::self_supervised::*;
    pub use crate::sequence::*;
    pub use crate::terms::{Reduction, Terms};
}
