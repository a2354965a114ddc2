//! The block that transformers are made of.

use lossgraph_autograd::{AttentionMask, Var};
use rand::Rng;

use crate::activation::{Activation, Dropout};
use crate::attention::{AttentionMasks, MultiHead, MultiHeadAttention};
use crate::error::Result;
use crate::layer::{Layer, Mode};
use crate::linear::Linear;
use crate::normalization::LayerNorm;

/// Where the norms of a [`TransformerBlock`] stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NormOrder {
    /// Behind each sum: post-norm, as in the paper.
    #[default]
    After,
    /// Before each part, which leaves the sums alone: pre-norm, as in GPT-2. A norm of its own then
    /// follows the last block.
    #[doc(alias = "norm_first")]
    Before,
}

/// The options of a [`TransformerBlock`]; by default those of PyTorch's `nn.TransformerEncoderLayer`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Transformer {
    /// The features between the two linear layers; 2048 by default.
    #[doc(alias = "dim_feedforward")]
    pub hidden: usize,
    /// The probability of dropout in training: of weights of attention, and behind each part; 0.1 by
    /// default.
    pub dropout: f64,
    /// Between the two linear layers; relu by default.
    pub activation: Activation,
    /// Where the norms stand.
    pub norm: NormOrder,
    /// What is added to variances; 1e-5 by default.
    #[doc(alias = "layer_norm_eps")]
    pub eps: f64,
    /// Whether a place attends only to those that do not come after it.
    pub causal: bool,
}

impl Default for Transformer {
    fn default() -> Transformer {
        Transformer {
            hidden: 2048,
            dropout: 0.1,
            activation: Activation::Relu,
            norm: NormOrder::After,
            eps: 1e-5,
            causal: false,
        }
    }
}

/// A block of a transformer: self-attention, then two linear layers at each place, each of both added
/// to what it was given.
///
/// ```text
/// after:   x' = norm₁(x + attention(x))      y = norm₂(x' + feed_forward(x'))
/// before:  x' = x + attention(norm₁(x))      y = x' + feed_forward(norm₂(x'))
/// feed_forward(x) = linear₂(activation(linear₁(x)))
/// ```
///
/// Input and output are `[batch, places, width]`, or `[places, width]`. Names, shapes, defaults and
/// beginning are those of PyTorch's `nn.TransformerEncoderLayer` with `batch_first=True`:
/// `self_attn.in_proj_weight`, `linear1.weight`, `norm2.bias` and so on.
///
/// ```
/// use lossgraph_autograd::Tape;
/// use lossgraph_nn::{Activation, Layer, NormOrder, Transformer, TransformerBlock};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let options = Transformer {
///     hidden: 32,
///     dropout: 0.0,
///     activation: Activation::Gelu,
///     norm: NormOrder::Before,
///     causal: true,
///     ..Transformer::default()
/// };
/// let block = TransformerBlock::with(8, 2, options, &mut ChaCha8Rng::seed_from_u64(0))?;
/// let tape = Tape::new();
/// assert_eq!(block.forward_train(tape.fill([3, 5, 8], 0.5)).shape()[..], [3, 5, 8]);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Source
/// Vaswani et al., Attention Is All You Need, 2017. Xiong et al., On Layer Normalization in the
/// Transformer Architecture, 2020.
#[doc(alias = "TransformerEncoderLayer")]
#[derive(Clone, Debug)]
pub struct TransformerBlock {
    self_attn: MultiHeadAttention,
    linear1: Linear,
    dropout: Dropout,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    dropout1: Dropout,
    dropout2: Dropout,
    activation: Activation,
    norm: NormOrder,
}

crate::module!(TransformerBlock {
    self_attn,
    linear1,
    dropout,
    linear2,
    norm1,
    norm2,
    dropout1,
    dropout2,
    ..
});

const NAME: &str = "transformer_block";

impl TransformerBlock {
    /// With PyTorch's defaults: see [`Transformer`].
    ///
    /// # Errors
    /// Heads that do not divide the width.
    pub fn new(width: usize, heads: usize, rng: &mut impl Rng) -> Result<TransformerBlock> {
        TransformerBlock::with(width, heads, Transformer::default(), rng)
    }

    /// With options.
    ///
    /// # Errors
    /// Heads that do not divide the width; a probability or an eps out of its range.
    pub fn with(
        width: usize,
        heads: usize,
        options: Transformer,
        rng: &mut impl Rng,
    ) -> Result<TransformerBlock> {
        let Transformer { hidden, dropout, activation, norm, eps, causal } = options;
        let attention = MultiHead { dropout, causal, ..MultiHead::default() };
        let self_attn = MultiHeadAttention::with(width, heads, attention, rng)?;
        let (linear1, linear2) =
            (Linear::new(width, hidden, rng)?, Linear::new(hidden, width, rng)?);
        let [norm1, norm2] = [(); 2].map(|()| LayerNorm::new(&[width])?.with_eps(eps));
        let mut drops = || Dropout::within(NAME, dropout, rng.next_u64());
        Ok(TransformerBlock {
            self_attn,
            linear1,
            dropout: drops()?,
            linear2,
            norm1: norm1?,
            norm2: norm2?,
            dropout1: drops()?,
            dropout2: drops()?,
            activation,
            norm,
        })
    }

    /// As [`forward_in`](Layer::forward_in), where masks allow places to attend to one another.
    ///
    /// # Errors
    /// Recorded as faults: an input of other features, and masks that do not fit.
    #[track_caller]
    pub fn forward_masked<'t>(
        &self,
        x: Var<'t>,
        masks: impl Into<AttentionMasks<'t>>,
        mode: Mode,
    ) -> Var<'t> {
        let masks = masks.into();
        let attention = |x: Var<'t>| {
            self.dropout1.forward_in(self.self_attn.attend(x, x, x, masks, mode), mode)
        };
        let feed_forward = |x: Var<'t>| {
            let hidden = self.activation.forward_in(self.linear1.forward_in(x, mode), mode);
            let hidden = self.dropout.forward_in(hidden, mode);
            self.dropout2.forward_in(self.linear2.forward_in(hidden, mode), mode)
        };
        let (norm1, norm2) =
            (|x| self.norm1.forward_in(x, mode), |x| self.norm2.forward_in(x, mode));
        x.tape().named_call(NAME, || match self.norm {
            NormOrder::After => {
                let x = norm1(x + attention(x));
                norm2(x + feed_forward(x))
            }
            NormOrder::Before => {
                let x = x + attention(norm1(x));
                x + feed_forward(norm2(x))
            }
        })
    }
}

impl Layer for TransformerBlock {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        self.forward_masked(x, AttentionMask::None, mode)
    }
}
