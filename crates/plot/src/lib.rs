//! Pictures of a program over its inputs: curves with their slopes, and lines of equal value, as SVG
//! and as text.
//!
//! ```
//! use lossgraph_explain::{Sweep, curve};
//! use lossgraph_plot::Picture;
//! use lossgraph_tensor::Tensor;
//!
//! let sweep = Sweep { input: 0, element: 0, range: -3.0..3.0 };
//! let curve = curve(|_, x| x[0].cosh().ln().sum(..), &[Tensor::from([0.5])], &sweep)?;
//! let svg = Picture::of(curve, &sweep).title("ln cosh").axis("x").svg();
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), lossgraph_autograd::Error>(())
//! ```
//!
//! [`curve`](lossgraph_explain::curve) and [`surface`](lossgraph_explain::surface) compute what is
//! drawn; here, nothing is computed. The same picture gives the same bytes.

mod axis;
mod braille;
mod contours;
mod landscape;
mod picture;
mod svg;

pub use braille::Ink;
pub use landscape::{Landscape, Path};
pub use picture::{Member, Picture};
pub use svg::{DISTINCT, framed};
