//! The ops: one section each with everything about it, with its rows of the table of [`all`].
//!
//! Element-wise ops are rows ([`Unary`], [`Binary`]) of name, formula, kernel, rule and kinks, so
//! that an op of one's own is one more row. The other primitives are small families; everything
//! else is composed of them and has no rule of its own.

pub mod activation;
pub mod adaptive;
pub mod arithmetic;
pub mod attention;
pub mod binary;
pub mod clamp;
pub mod combination;
pub mod combine;
pub mod conv_transpose;
pub mod convolution;
pub mod custom;
pub mod diagonal;
pub mod distance;
pub mod einsum;
pub mod elementary;
pub mod facts;
pub(crate) mod family;
pub mod fold;
pub mod index;
pub mod interpolate;
pub mod linalg;
pub mod mask;
pub(crate) mod matmul;
pub mod normalization;
pub(crate) mod op;
pub mod order;
pub mod padding;
pub mod pieces;
pub mod pooling;
pub mod quantile;
pub mod rearrange;
pub(crate) mod reduce;
pub mod rounding;
pub mod scan;
pub mod scatter;
pub mod select;
pub mod slices;
pub mod special;
pub mod statistics;
pub mod table;
pub mod tensordot;
pub mod unary;
pub mod view;

pub use attention::{Attention, AttentionMask};
pub use binary::Binary;
pub use conv_transpose::ConvTranspose;
pub use convolution::{Conv, Padding};
pub use custom::Function;
pub use fold::Unfold;
pub use interpolate::{Interpolate, Interpolation, Resize};
pub use linalg::Triangular;
pub use op::Leaf;
pub use padding::PadMode;
pub use pieces::Indexing;
pub use pooling::Pool;
pub use quantile::{IntoQuantiles, QuantileInterpolation, Quantiles};
pub use rearrange::IntoSpan;
pub use scatter::{IncludeSelf, ScatterReduce};
pub use table::{Row, all};
pub use unary::Unary;

/// A point where an op has no derivative, and the slope that it gives there.
#[derive(Clone, Copy, Debug)]
pub struct Kink {
    /// Where, in words or as a formula: `x = 0`.
    pub at: &'static str,
    /// Whether some inputs sit at it, given the op's parameters: for a binary op both inputs, for a
    /// reduction an element and the extreme that it may tie with.
    pub here: fn([f64; 2], [f64; 2]) -> bool,
    /// The input that shows it; for a binary op both inputs.
    pub input: [f64; 2],
    /// The slope given there, with respect to each input.
    pub slope: [f64; 2],
    /// Why this one.
    pub because: &'static str,
}
