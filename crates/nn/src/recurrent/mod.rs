//! Recurrent layers: a cell that goes through a sequence step by step.

mod gru;
mod lstm;
mod rnn;
mod stack;

pub use gru::Gru;
pub use lstm::Lstm;
pub use rnn::Rnn;

/// The options of a recurrent layer; by default PyTorch's: one layer, with biases, forwards.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Recurrent {
    /// How many layers; each reads what the one before gives at every step.
    #[doc(alias = "num_layers")]
    pub layers: usize,
    /// Whether there are biases: as in PyTorch two of them, one beside each weight.
    pub bias: bool,
    /// The probability with which training drops what a layer hands on to the next one.
    pub dropout: f64,
    /// Whether each layer has a second cell, which reads from the end to the start. At every step,
    /// the second's features stand behind the first's.
    pub bidirectional: bool,
}

impl Default for Recurrent {
    fn default() -> Recurrent {
        Recurrent { layers: 1, bias: true, dropout: 0.0, bidirectional: false }
    }
}
