//! Layers, initializers, optimizers, metrics and checkpoints.
//!
//! ```
//! use lossgraph_autograd::Tape;
//! use lossgraph_nn::{Layer, Mlp, Sgd, UpdateRule};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let model = Mlp::new(&[2, 8, 1], &mut ChaCha8Rng::seed_from_u64(0))?;
//! let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.over(&model)?;
//! let mut losses = Vec::new();
//! for _ in 0..50 {
//!     let tape = Tape::new();
//!     let x = tape.constant([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]);
//!     let y = tape.constant([[0.0], [1.0], [1.0]]);
//!     let loss = (model.forward_train(x) - y).square().mean(..);
//!     let gradients = loss.backward()?;
//!     optimizer.step(&gradients)?;
//!     losses.push(gradients.loss());
//! }
//! assert!(losses[49] < 0.1 * losses[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activation;
mod attention;
mod checkpoint;
mod clip;
mod convolution;
mod embedding;
mod error;
pub mod fit;
mod functional;
mod generator;
mod init;
mod layer;
mod linear;
pub mod metrics;
mod module;
mod normalization;
pub mod optimizer;
mod options;
pub mod parallel;
mod pooling;
mod recurrent;
mod residual;
pub mod schedule;
mod sequential;
mod summary;
mod transformer;

pub use activation::{Activation, Dropout, LogSoftmax, Prelu, Softmax};
pub use attention::{AttentionMasks, MultiHead, MultiHeadAttention};
pub use checkpoint::{
    Checkpoint, Matching, Stateful, Training, copy_parameters, load, load_matching, save,
};
pub use clip::{clip_grad_norm, clip_grad_value};
pub use convolution::{Conv1d, Conv2d, ConvNd, ConvTranspose1d, ConvTranspose2d, ConvTransposeNd};
pub use embedding::{Embedding, LearnedPositions, SinusoidalPositions};
pub use error::{Error, Result};
pub use functional::functional_call;
pub use generator::Generator;
pub use init::Init;
pub use layer::{Layer, Mode};
pub use linear::Linear;
pub use metrics::{ConfusionMatrix, accuracy, recall_at_k};
pub use module::Module;
pub use normalization::{BatchNorm, GroupNorm, LayerNorm, RmsNorm};
pub use optimizer::{Adam, AdamW, Optimizer, Sgd, UpdateRule};
pub use options::Options;
pub use pooling::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d,
    AvgPool2d, Flatten, GlobalAvgPool, GlobalMaxPool, MaxPool1d, MaxPool2d,
};
pub use recurrent::{Gru, Lstm, Recurrent, Rnn};
pub use residual::Residual;
pub use sequential::{Mlp, Sequential};
pub use summary::{Summary, SummaryRow};
pub use transformer::{NormOrder, Transformer, TransformerBlock};

/// What [`module!`] expands to.
#[doc(hidden)]
pub mod expansion {
    pub use crate::module::buffers_of;
    pub use lossgraph_autograd::Parameter;
}
