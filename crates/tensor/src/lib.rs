//! Numbers in memory: shapes, strides, tensors, and the kernels that compute on them.
//!
//! A [`Tensor`] is a shared buffer and a [`Layout`]: shape, strides and offset. Views copy
//! nothing; writing copies when the buffer is shared. The element type is known at run time
//! ([`DType`]); kernels are generic below one dispatch, and nothing above them has a type
//! parameter.
//!
//! ```
//! use lossgraph_tensor::Tensor;
//!
//! let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
//! let columns = x.transpose(0, 1)?;
//! assert!(columns.shares_storage_with(&x));
//! assert_eq!(columns.to_string(), "[[1, 4],\n [2, 5],\n [3, 6]]");
//! # Ok::<(), lossgraph_tensor::Error>(())
//! ```
//!
//! Tensors are made of numbers, arrays and vectors, nested ones with `try_from`, since their rows
//! may differ in length; integers and `bool` become [`I64`](DType::I64). `+ - * /` broadcast and
//! give a [`Result`]. Axes, indices and ranges may be of any integer type, and negative.
//!
//! ```
//! use lossgraph_tensor::{DType, Tensor};
//!
//! let rows = vec![vec![1.0, 2.0], vec![3.0, 4.0]];
//! let x = Tensor::try_from(&rows)?;
//! let y = ((&x * 2)? + Tensor::eye(2, DType::F64))?;
//! assert_eq!(y, Tensor::from([[3.0, 4.0], [6.0, 9.0]]));
//! assert_eq!(y.get([0, -1])?, 4.0);
//! assert_eq!(y.rows().map(|row| row.iter_f64().sum::<f64>()).sum::<f64>(), 22.0);
//! # Ok::<(), lossgraph_tensor::Error>(())
//! ```
//!
//! # Features
//! `ndarray`, off by default: `From` and `TryFrom` between tensors and arrays of that crate.

mod arithmetic;
mod axes;
mod combine;
mod convert;
mod create;
mod dtype;
mod error;
mod float;
mod indexing;
mod iterate;
// Unstable, for the crates of lossgraph: shown are what own ops and threads need.
pub mod kernels;
mod layout;
mod math;
mod print;
mod product;
// Unstable, for the planner of lossgraph-autograd: it may change with any version.
#[doc(hidden)]
pub mod program;
mod random;
mod reduce;
mod search;
mod shape;
mod tensor;
mod triangle;
mod views;

pub use arithmetic::TensorOperand;
pub use axes::{Axes, IntoAxes, keep};
pub use combine::Comparison;
pub use convert::Nested;
pub use dtype::{DType, Elem, Number};
pub use error::{Error, Result};
pub use float::Float;
pub use indexing::{IntoAxis, IntoDims, IntoRange, IntoSections, Sections};
pub use layout::{Layout, Slice, Window};
pub use search::{Side, Unique};
pub use shape::{AxisSet, Dims, Shape};
pub use tensor::Tensor;
