//! A small autodiff tensor framework in which a loss is a node of the graph.
//!
//! Three things to do with it, each in a few lines: *train* a model, *check* the gradient of a
//! loss, and *look* at how a loss backpropagates. The [`prelude`] has what they need.
//!
//! ```
//! use lossgraph::prelude::*;
//!
//! // Define: a program is recorded, nothing is computed yet.
//! let tape = Tape::f64();
//! let logits = tape.variable([[2.0, 1.0, 0.0]]);
//! let loss = cross_entropy(logits, tape.labels(&[0])).mean();
//!
//! // Differentiate: value and gradient in one run.
//! let gradients = loss.backward()?;
//! assert!((gradients.loss() - 0.4076).abs() < 1e-4);
//!
//! // Compare with finite differences.
//! let numeric = numeric_gradient(
//!     |tape, x| cross_entropy(x[0], tape.labels(&[0])).mean(),
//!     &[logits.value()?],
//! )?;
//! assert!(gradients.of(logits).unwrap().allclose(&numeric[0], 1e-9, 1e-12));
//!
//! // Look: every op of the loss with its value and its gradient.
//! println!("{}", listing(loss)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crates behind it: [`tensor`] (numbers in memory), [`autograd`] (tape, gradients, plans),
//! [`losses`], [`nn`] (layers, optimizers, checkpoints), [`distributions`], [`data`], [`check`](mod@check) (derivatives
//! against differences), [`explain`] and [`plot`]. The losses are drawn in
//! [docs/losses](https://github.com/lossgraph/lossgraph/blob/main/docs/losses/README.md).

pub use lossgraph_autograd as autograd;
pub use lossgraph_autograd::plans;
pub use lossgraph_check as check;
pub use lossgraph_data as data;
pub use lossgraph_distributions as distributions;
pub use lossgraph_explain as explain;
pub use lossgraph_losses as losses;
pub use lossgraph_nn as nn;
pub use lossgraph_plot as plot;
pub use lossgraph_tensor as tensor;
pub use lossgraph_tensor::kernels::threads;
pub use rand;
pub use rand_chacha::ChaCha8Rng;

use rand_chacha::rand_core::SeedableRng;

/// The generator that parameters are drawn from in the examples: the same numbers for the same seed,
/// on every machine. Whatever takes a generator takes any other of the crate [`rand`] as well.
///
/// With the [`prelude`], it draws numbers for one's own code, too; the rest of `rand` is in
/// `lossgraph::rand`.
///
/// ```
/// use lossgraph::prelude::*;
///
/// let mut rng = lossgraph::rng(7);
/// let epsilon: f64 = rng.random();
/// let action = rng.random_range(0..4);
/// assert!((0.0..1.0).contains(&epsilon) && action < 4);
///
/// // The same seed, the same parameters.
/// let [a, b] = [(); 2].map(|()| Linear::new(2, 3, &mut lossgraph::rng(7)));
/// let x = Tensor::from([[1.0, 2.0]]);
/// let tape = Tape::new();
/// assert_eq!(a?.forward(tape.constant(&x)).value()?, b?.forward(tape.constant(&x)).value()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "manual_seed")]
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// What a program of a page needs that trains, checks or explains. The rest is in the modules, such
/// as [`nn`] and [`explain`]; the table of all losses is in
/// [`losses`].
pub mod prelude {
    pub use lossgraph_autograd::{
        Attention, AttentionMask, Binary, BinaryRule, Conv, ConvTranspose, Fault, Gradients,
        IncludeSelf, Indexing, Interpolate, Interpolation, PadMode, Padding, Parameter, Pool,
        QuantileInterpolation, Resize, ScatterReduce, Tape, Triangular, Unary, UnaryRule, Unfold,
        Var, concat, einsum, hstack, keep, meshgrid, numeric_gradient, stack, vstack,
    };
    pub use lossgraph_check::{Check, assert_gradients, check, check_function, check_model};
    // Their methods, without the names.
    pub use lossgraph_distributions::{
        Cdf as _, Distribution as _, Entropy as _, KlDivergence as _, Reparametrized as _,
    };
    pub use lossgraph_explain::{FindNan, Graph, listing, why};
    pub use lossgraph_losses::prelude::*;
    pub use lossgraph_nn::optimizer::{Adagrad, RmsProp};
    pub use lossgraph_nn::{
        Activation, Adam, AdamW, BatchNorm, ConfusionMatrix, Conv2d, ConvTranspose2d, Dropout,
        Flatten, GroupNorm, Init, Layer, LayerNorm, Linear, MaxPool2d, Mlp, Mode, Module,
        Optimizer, RmsNorm, Sequential, Sgd, UpdateRule, accuracy, clip_grad_norm, clip_grad_value,
        copy_parameters, functional_call, load, module, recall_at_k, save,
    };
    pub use lossgraph_tensor::kernels::Order;
    pub use lossgraph_tensor::{DType, Shape, Side, Slice, Tensor, Window, map1, map2};
    // The methods of generators, without the name.
    pub use rand::RngExt as _;
}

/// The pages of `docs/`, so that their examples are tests.
pub mod guide {
    #[doc = include_str!("../../docs/conventions.md")]
    pub mod conventions {}

    #[doc = include_str!("../../docs/for-pytorch-users.md")]
    pub mod for_pytorch_users {}

    #[doc = include_str!("../../docs/guide.md")]
    pub mod recipes {}

    #[doc = include_str!("../../docs/training.md")]
    pub mod training {}

    #[doc = include_str!("../../docs/checking.md")]
    pub mod checking {}

    #[doc = include_str!("../../docs/protocol.md")]
    pub mod protocol {}

    #[doc = include_str!("../../docs/explaining.md")]
    pub mod explaining {}

    #[doc = include_str!("../../docs/design.md")]
    pub mod design {}

    #[doc = include_str!("../../docs/numerics.md")]
    pub mod numerics {}

    #[doc = include_str!("../../docs/cluster.md")]
    pub mod cluster {}

    #[doc = include_str!("../../docs/performance.md")]
    pub mod performance {}
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
