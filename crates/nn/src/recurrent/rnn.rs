//! The plain recurrent layer.

use lossgraph_autograd::Var;
use rand::Rng;
use smallvec::smallvec;

use super::Recurrent;
use super::stack::{Kind, Stack, layer};
use crate::error::Result;
use crate::layer::Mode;

/// A recurrent layer whose state goes through tanh, or relu, at every step.
///
/// ```text
/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
/// ```
///
/// | what | shape |
/// |---|---|
/// | input | `[batch, time, inputs]`, or `[time, inputs]` |
/// | output | `[batch, time, hidden]`: the state after every step |
/// | state | `[layers, batch, hidden]`, or `[layers, hidden]` |
/// | `weight_ih_l0`, `weight_hh_l0` | `[hidden, inputs]`, `[hidden, hidden]` |
/// | `bias_ih_l0`, `bias_hh_l0` | `[hidden]` |
///
/// With two directions, the output has twice as many features, and the state twice as many layers.
/// All parameters begin uniform in ±1/√hidden. Names, shapes and beginning are those of PyTorch's
/// `nn.RNN` with `batch_first=True`.
///
/// # Source
/// Elman, Finding Structure in Time, 1990.
#[doc(alias = "RNN")]
#[derive(Clone)]
pub struct Rnn {
    stack: Stack,
}

static TANH: Kind = Kind {
    name: "rnn",
    gates: 1,
    states: &["initial state"],
    step: |x, h, _| smallvec![(x + h).tanh()],
};

static RELU: Kind = Kind { step: |x, h, _| smallvec![(x + h).relu()], ..TANH };

impl Rnn {
    /// One layer with tanh, with biases, forwards.
    ///
    /// # Errors
    /// A state without features.
    pub fn new(inputs: usize, hidden: usize, rng: &mut impl Rng) -> Result<Rnn> {
        Rnn::with(inputs, hidden, Recurrent::default(), rng)
    }

    /// With options.
    ///
    /// # Errors
    /// A state without features, no layers, a probability out of its range.
    pub fn with(
        inputs: usize,
        hidden: usize,
        options: Recurrent,
        rng: &mut impl Rng,
    ) -> Result<Rnn> {
        Ok(Rnn { stack: Stack::new(&TANH, inputs, hidden, options, rng)? })
    }

    /// With relu in the place of tanh.
    #[doc(alias = "nonlinearity")]
    #[must_use = "it gives the layer back"]
    pub fn with_relu(self) -> Rnn {
        Rnn { stack: self.stack.of_kind(&RELU) }
    }

    /// The output, and the last state, from an initial one; from zeros without. See [`Gru::forward_from`]
    /// for an example.
    ///
    /// # Errors
    /// Recorded as faults: an input or a state of another shape, and a sequence without steps.
    ///
    /// [`Gru::forward_from`]: crate::Gru::forward_from
    #[track_caller]
    pub fn forward_from<'t>(
        &self,
        x: Var<'t>,
        initial: Option<Var<'t>>,
        mode: Mode,
    ) -> (Var<'t>, Var<'t>) {
        let (output, last) = self.stack.unroll(x, initial.map(|h| [h]), mode);
        (output, last[0])
    }
}

layer!(Rnn);
