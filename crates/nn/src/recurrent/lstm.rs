//! Long short-term memory.

use lossgraph_autograd::Var;
use rand::Rng;
use smallvec::smallvec;

use super::Recurrent;
use super::stack::{Kind, Stack, layer};
use crate::error::Result;
use crate::layer::Mode;

/// Long short-term memory: beside its state, a cell that gates write to, forget and read.
///
/// ```text
/// i  = σ(W_ii x + b_ii + W_hi h + b_hi)       input
/// f  = σ(W_if x + b_if + W_hf h + b_hf)       forget
/// g  = tanh(W_ig x + b_ig + W_hg h + b_hg)    cell
/// o  = σ(W_io x + b_io + W_ho h + b_ho)       output
/// c' = f · c + i · g
/// h' = o · tanh c'
/// ```
///
/// | what | shape |
/// |---|---|
/// | input | `[batch, time, inputs]`, or `[time, inputs]` |
/// | output | `[batch, time, hidden]`: the state after every step |
/// | state and cell | `[layers, batch, hidden]` each, or `[layers, hidden]` |
/// | `weight_ih_l0`, `weight_hh_l0` | `[4 · hidden, inputs]`, `[4 · hidden, hidden]`: input, forget, cell, output |
/// | `bias_ih_l0`, `bias_hh_l0` | `[4 · hidden]` |
///
/// With two directions, the output has twice as many features, and the state twice as many layers.
/// All parameters begin uniform in ±1/√hidden. Names, shapes and beginning are those of PyTorch's
/// `nn.LSTM` with `batch_first=True`.
///
/// # Source
/// Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; with the forget gate of Gers et al., 2000.
#[doc(alias = "LSTM")]
#[derive(Clone)]
pub struct Lstm {
    stack: Stack,
}

static LSTM: Kind = Kind {
    name: "lstm",
    gates: 4,
    states: &["initial state", "initial cell"],
    step: |x, h, state| {
        let gates = (x + h).chunk(4, -1);
        let [input, forget, output] = [0, 1, 3].map(|i: usize| gates[i].sigmoid());
        let cell = forget * state[1] + input * gates[2].tanh();
        smallvec![output * cell.tanh(), cell]
    },
};

impl Lstm {
    /// One layer with biases, forwards.
    ///
    /// # Errors
    /// A state without features.
    pub fn new(inputs: usize, hidden: usize, rng: &mut impl Rng) -> Result<Lstm> {
        Lstm::with(inputs, hidden, Recurrent::default(), rng)
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
    ) -> Result<Lstm> {
        Ok(Lstm { stack: Stack::new(&LSTM, inputs, hidden, options, rng)? })
    }

    /// The output, and the last state and cell, from initial ones; from zeros without.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    /// use lossgraph_nn::{Lstm, Mode};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let lstm = Lstm::new(1, 4, &mut ChaCha8Rng::seed_from_u64(0))?;
    /// let tape = Tape::new();
    /// let x = tape.constant([[[0.5], [1.0], [-2.0]]]);
    /// let (output, [state, cell]) = lstm.forward_from(x, None, Mode::Evaluate);
    /// assert_eq!(state.index(0, 0).value()?, output.index(1, -1).value()?);
    /// let (next, _) = lstm.forward_from(x, Some([state, cell]), Mode::Evaluate);
    /// assert_eq!(next.shape()[..], [1, 3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as faults: an input or a state of another shape, and a sequence without steps.
    #[track_caller]
    pub fn forward_from<'t>(
        &self,
        x: Var<'t>,
        initial: Option<[Var<'t>; 2]>,
        mode: Mode,
    ) -> (Var<'t>, [Var<'t>; 2]) {
        let (output, last) = self.stack.unroll(x, initial, mode);
        (output, [last[0], last[1]])
    }
}

layer!(Lstm);
