//! Data: sets that come with the program, files of one's own, splits, batches that are shuffled,
//! balanced or augmented, and triplets.
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
//!
//! | data | function |
//! |---|---|
//! | handwritten digits | [`digits`] |
//! | clothes | [`fashion_mnist_2000`], [`fashion_mnist`] |
//! | penguins, a table with missing values | [`penguins`] |
//! | a CSV file | [`Table::read`], [`TableEncoder`] |
//! | files of MNIST's kind | [`mnist`], [`read_idx`] |
//! | PNG files and folders of them, a photograph | `read_png`, `png_folder`, `camera`, with the feature `png` |
//! | text, character by character | [`Text`] |
//! | points and curves that are drawn | [`generate`] |
//! | tensors of one's own | [`Dataset::new`], [`Dataset::pairs`] |

mod augment;
mod balanced;
mod dataset;
mod digits;
mod error;
mod file;
pub mod generate;
mod idx;
mod loader;
mod mnist;
#[cfg(feature = "png")]
mod png;
mod rows;
mod sampler;
mod table;
mod text;
mod triplets;

pub use augment::Augmentation;
pub use balanced::Balanced;
pub use dataset::{Batch, Batches, Dataset};
pub use digits::digits;
pub use error::{Error, Result};
pub use idx::read_idx;
pub use loader::{Epoch, Loader};
pub use mnist::{
    FASHION_MNIST_CLASSES, FASHION_MNIST_FOLDER, fashion_mnist, fashion_mnist_2000, mnist,
};
#[cfg(feature = "png")]
pub use png::{camera, encode_png, png_files, png_folder, read_png};
pub use rows::Rows;
pub use sampler::Sampler;
pub use table::{
    Column, Columns, Encoding, Feature, Missing, Table, TableEncoder, Target, TargetKind, Values,
    penguins,
};
pub use text::Text;
pub use triplets::{Triplets, triplets};
