//! Data: sets that come with the program, splits, batches that are shuffled or balanced, and
//! triplets.
//!
//! Everything random takes a seed, and the same seed gives the same result everywhere.
//!
//! ```
//! let digits = lossgraph_data::digits()?;
//! let (train, test) = digits.split(0.2, 7)?;
//! assert_eq!((train.len(), test.len()), (1438, 359));
//! let first = train.batches(32, 7, 0)?.next().unwrap();
//! assert_eq!(first.inputs.shape()[..], [32, 64]);
//! # Ok::<(), lossgraph_data::Error>(())
//! ```

mod balanced;
mod dataset;
mod digits;
mod error;
mod triplets;

pub use balanced::Balanced;
pub use dataset::{Batch, Batches, Dataset};
pub use digits::digits;
pub use error::{Error, Result};
pub use triplets::{Triplets, triplets};
