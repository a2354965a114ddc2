//! The gated recurrent unit.

use lossgraph_autograd::Var;
use rand::Rng;
use smallvec::smallvec;

use super::Recurrent;
use super::stack::{Kind, Stack, layer};
use crate::error::Result;
use crate::layer::Mode;

/// A gated recurrent unit: its state moves towards a new one as far as a gate lets it.
///
/// ```text
/// r  = σ(W_ir x + b_ir + W_hr h + b_hr)             reset
/// z  = σ(W_iz x + b_iz + W_hz h + b_hz)             update
/// n  = tanh(W_in x + b_in + r · (W_hn h + b_hn))    new
/// h' = (h − n) · z + n = (1 − z) · n + z · h
/// ```
///
/// | what | shape |
/// |---|---|
/// | input | `[batch, time, inputs]`, or `[time, inputs]` |
/// | output | `[batch, time, hidden]`: the state after every step |
/// | state | `[layers, batch, hidden]`, or `[layers, hidden]` |
/// | `weight_ih_l0`, `weight_hh_l0` | `[3 · hidden, inputs]`, `[3 · hidden, hidden]`: reset, update, new |
/// | `bias_ih_l0`, `bias_hh_l0` | `[3 · hidden]` |
///
/// With two directions, the output has twice as many features, and the state twice as many layers.
/// All parameters begin uniform in ±1/√hidden. Names, shapes and beginning are those of PyTorch's
/// `nn.GRU` with `batch_first=True`.
///
/// # Source
/// Cho et al., Learning Phrase Representations using RNN Encoder–Decoder, 2014; with the second bias
/// inside of the reset, as in PyTorch.
#[doc(alias = "GRU")]
#[derive(Clone)]
pub struct Gru {
    stack: Stack,
}

static GRU: Kind = Kind {
    name: "gru",
    gates: 3,
    states: &["initial state"],
    step: |x, h, state| {
        let (x, of_h) = (x.chunk(3, -1), h.chunk(3, -1));
        let reset = (x[0] + of_h[0]).sigmoid();
        let update = (x[1] + of_h[1]).sigmoid();
        let new = (x[2] + reset * of_h[2]).tanh();
        smallvec![(state[0] - new) * update + new]
    },
};

impl Gru {
    /// One layer with biases, forwards.
    ///
    /// # Errors
    /// A state without features.
    pub fn new(inputs: usize, hidden: usize, rng: &mut impl Rng) -> Result<Gru> {
        Gru::with(inputs, hidden, Recurrent::default(), rng)
    }

    /// With options.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    /// use lossgraph_nn::{Gru, Layer, Recurrent};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let options = Recurrent { layers: 2, bidirectional: true, ..Recurrent::default() };
    /// let gru = Gru::with(3, 4, options, &mut ChaCha8Rng::seed_from_u64(0))?;
    /// let tape = Tape::new();
    /// assert_eq!(gru.forward(tape.fill([5, 7, 3], 1.0)).shape()[..], [5, 7, 8]);
    /// # Ok::<(), lossgraph_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// A state without features, no layers, a probability out of its range.
    pub fn with(
        inputs: usize,
        hidden: usize,
        options: Recurrent,
        rng: &mut impl Rng,
    ) -> Result<Gru> {
        Ok(Gru { stack: Stack::new(&GRU, inputs, hidden, options, rng)? })
    }

    /// The output, and the last state, from an initial one; from zeros without. A sequence can be
    /// read piece by piece.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    /// use lossgraph_nn::{Gru, Layer, Mode};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let gru = Gru::new(1, 4, &mut ChaCha8Rng::seed_from_u64(0))?;
    /// let tape = Tape::new();
    /// let x = tape.constant([[[0.5], [1.0], [-2.0]]]);
    /// let (_, state) = gru.forward_from(x.slice(1, ..2), None, Mode::Evaluate);
    /// let (rest, last) = gru.forward_from(x.slice(1, 2..), Some(state), Mode::Evaluate);
    /// assert_eq!(rest.value()?, gru.forward(x).slice(1, 2..).value()?);
    /// assert_eq!(last.shape()[..], [1, 1, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as faults: an input or a state of another shape, and a sequence without steps.
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

layer!(Gru);
