//! The layer: a function with parameters, recorded in a scope of its own.

use std::panic::Location;
use std::sync::Arc;

use lossgraph_autograd::Var;
use lossgraph_tensor::{DType, Tensor};

use crate::error::Result;
use crate::module::Module;
use crate::summary::Summary;

/// Whether a layer records its training or its evaluation behavior. It is an argument of each call,
/// so that a layer cannot be left in the wrong mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout drops, batch normalization uses the batch.
    Train,
    /// The same input gives the same output.
    #[doc(alias = "Eval")]
    Evaluate,
}

/// A function with parameters, from one node to one node. It can be sent to threads and be used by
/// several at a time.
///
/// A clone of a layer shares its parameters, as that of a [`Parameter`] does: training one trains the
/// other. For a copy with parameters of its own, make a second layer, and
/// [`copy_parameters`](crate::copy_parameters) to it.
///
/// A layer of one's own implements [`record`](Layer::record), and calls others by
/// [`forward_in`](Layer::forward_in), which knows the line of the call: errors name it.
///
/// ```
/// use lossgraph_autograd::Var;
/// use lossgraph_nn::{Layer, Linear, Mode, Module, Sequential, module};
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// struct TanhBlock {
///     inner: Linear,
/// }
///
/// module!(TanhBlock { inner });
///
/// impl Layer for TanhBlock {
///     fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
///         x + self.inner.forward_in(x, mode).tanh()
///     }
/// }
///
/// # let mut rng = ChaCha8Rng::seed_from_u64(0);
/// let block = TanhBlock { inner: Linear::new(4, 4, &mut rng)? };
/// let model = Sequential::new().then(block).then(Linear::new(4, 2, &mut rng)?);
/// assert_eq!(model.parameters()[0].0, "0.inner.weight");
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// [`Parameter`]: lossgraph_autograd::Parameter
pub trait Layer: Module + Send + Sync {
    /// Records the forward pass in a mode: what a layer implements. What it records has its own lines,
    /// unless it says by [`Tape::named_call`](lossgraph_autograd::Tape::named_call) that the lines
    /// of its caller are the ones that help.
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t>;

    /// Records the forward pass in a mode; errors name the line of this call.
    #[track_caller]
    fn forward_in<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        x.tape().called_from(Location::caller(), || self.record(x, mode))
    }

    /// Records the forward pass of evaluation.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.forward_in(x, Mode::Evaluate)
    }

    /// Records the forward pass of training.
    #[track_caller]
    fn forward_train<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.forward_in(x, Mode::Train)
    }

    /// A table of the layers with the shapes of their outputs and their parameters, for an input of
    /// numbers of a shape, that of the batch included. [`Summary::of`] takes labels as well.
    ///
    /// ```
    /// use lossgraph_nn::{Layer, Mlp};
    /// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let model = Mlp::new(&[64, 32, 10], &mut ChaCha8Rng::seed_from_u64(0))?;
    /// let summary = model.summary(&[1, 64])?;
    /// assert_eq!(summary.parameters, 64 * 32 + 32 + 32 * 10 + 10);
    /// println!("{summary}");
    /// # Ok::<(), lossgraph_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// A shape that the model does not take.
    #[track_caller]
    fn summary(&self, input_shape: &[usize]) -> Result<Summary> {
        let first = self.parameters().into_iter().next();
        let dtype = first.map_or(DType::F32, |(_, parameter)| parameter.value().dtype());
        Summary::of(self, &Tensor::zeros(input_shape, dtype)?)
    }
}

impl<L: Layer + ?Sized> Layer for &L {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        (**self).record(x, mode)
    }
}

impl<L: Layer + ?Sized> Layer for Box<L> {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        (**self).record(x, mode)
    }
}

impl<L: Layer + ?Sized> Layer for Arc<L> {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        (**self).record(x, mode)
    }
}
