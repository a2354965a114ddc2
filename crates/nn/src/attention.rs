//! Attention with several heads.

use lossgraph_autograd::{Attention, AttentionMask, Fault, Parameter, Var};
use lossgraph_tensor::{DType, Tensor};
use rand::Rng;

use crate::activation::Dropout;
use crate::error::{Error, Result};
use crate::init::Init;
use crate::layer::{Layer, Mode};
use crate::linear::Linear;
use crate::module::Module;

/// The options of a [`MultiHeadAttention`]; by default PyTorch's: with biases, no dropout, all keys.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct MultiHead {
    /// Whether the projections have biases.
    pub bias: bool,
    /// The probability with which training drops a weight of attention.
    pub dropout: f64,
    /// Whether a query attends only to keys that do not come after it.
    #[doc(alias = "is_causal")]
    pub causal: bool,
    /// The features of keys, if they are others than those of queries.
    #[doc(alias = "kdim")]
    pub keys: Option<usize>,
    /// The features of values, if they are others than those of queries.
    #[doc(alias = "vdim")]
    pub values: Option<usize>,
}

impl Default for MultiHead {
    fn default() -> MultiHead {
        MultiHead { bias: true, dropout: 0.0, causal: false, keys: None, values: None }
    }
}

/// Which keys the queries of a call attend to.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttentionMasks<'t> {
    /// Which keys a query attends to. Its tensor is `[queries, keys]` for all heads and examples, or
    /// broadcasts to `[batch, heads, queries, keys]`. PyTorch's layer has the opposite sense for
    /// booleans, its function the same.
    pub attention: AttentionMask<'t>,
    /// Where a key is padding, this is not 0, and no query attends to it: `[batch, keys]`, or
    /// `[keys]` without a batch.
    #[doc(alias = "key_padding_mask")]
    pub padding: Option<Var<'t>>,
}

impl<'t> From<AttentionMask<'t>> for AttentionMasks<'t> {
    fn from(attention: AttentionMask<'t>) -> AttentionMasks<'t> {
        AttentionMasks { attention, padding: None }
    }
}

/// Attention with several heads: each has a part of the features of queries, keys and values, as
/// projections make them, and a last projection mixes what the heads give.
///
/// ```text
/// headᵢ = softmax(Qᵢ Kᵢᵀ / √(width/heads) + mask) Vᵢ    Q, K, V = projections of query, key, value
/// y     = [head₁ … headₙ] W_outᵀ + b_out
/// ```
///
/// | what | shape |
/// |---|---|
/// | query, output | `[batch, queries, width]`, or `[queries, width]` |
/// | key, value | `[batch, keys, …]`, or `[keys, …]`, with as many features as the query or as the options say |
/// | `in_proj_weight`, `in_proj_bias` | `[3 · width, width]`, `[3 · width]`: query, key, value |
/// | `q_proj_weight`, `k_proj_weight`, `v_proj_weight` | in its place, if keys or values have other features |
/// | `out_proj.weight`, `out_proj.bias` | `[width, width]`, `[width]` |
///
/// Projections of queries, keys and values begin as by Xavier, uniform, that of the output uniform in
/// ±1/√width, biases with zeros. Names, shapes and beginning are those of PyTorch's
/// `nn.MultiheadAttention` with `batch_first=True`.
///
/// As a layer, it attends to its input: self-attention. A query that is left no key gets the bias of
/// the output alone, as in PyTorch.
///
/// ```
/// use lossgraph_autograd::{AttentionMask, Tape};
/// use lossgraph_nn::{AttentionMasks, Layer, Mode, MultiHeadAttention};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let layer = MultiHeadAttention::new(8, 2, &mut ChaCha8Rng::seed_from_u64(0))?;
/// let tape = Tape::new();
/// let (x, memory) = (tape.fill([3, 5, 8], 0.5), tape.fill([3, 4, 8], 1.0));
/// assert_eq!(layer.forward(x).shape()[..], [3, 5, 8]);
/// let padding = Some(tape.constant([[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1]]));
/// let masks = AttentionMasks { attention: AttentionMask::None, padding };
/// let y = layer.attend(x, memory, memory, masks, Mode::Evaluate);
/// assert_eq!(y.shape()[..], [3, 5, 8]);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Source
/// Vaswani et al., Attention Is All You Need, 2017.
#[doc(alias = "MultiheadAttention")]
#[derive(Clone, Debug)]
pub struct MultiHeadAttention {
    projections: Projections,
    bias: Option<Parameter>,
    out_proj: Linear,
    /// The features of queries, keys and values.
    features: [usize; 3],
    heads: usize,
    causal: bool,
    dropout: Dropout,
}

/// The weights of queries, keys and values.
#[derive(Clone, Debug)]
enum Projections {
    /// One below the other.
    Joint(Parameter),
    Apart([Parameter; 3]),
}

const NAME: &str = "multi_head_attention";

impl MultiHeadAttention {
    /// With as many features of keys and values as of queries, with biases.
    ///
    /// # Errors
    /// Heads that do not divide the width.
    pub fn new(width: usize, heads: usize, rng: &mut impl Rng) -> Result<MultiHeadAttention> {
        MultiHeadAttention::with(width, heads, MultiHead::default(), rng)
    }

    /// With options.
    ///
    /// # Errors
    /// Heads that do not divide the width; a probability out of its range.
    pub fn with(
        width: usize,
        heads: usize,
        options: MultiHead,
        rng: &mut impl Rng,
    ) -> Result<MultiHeadAttention> {
        if heads == 0 || !width.is_multiple_of(heads) {
            let (given, expected) = (heads as f64, "a divisor of the width");
            return Err(Error::Option { subject: NAME, name: "heads", given, expected });
        }
        let features = [width, options.keys.unwrap_or(width), options.values.unwrap_or(width)];
        let mut drawn = |name: &str, rows: usize, columns: usize| -> Result<Parameter> {
            let weight = Init::XavierUniform.draw(&[rows, columns], DType::F64, rng)?;
            Ok(Parameter::drawn(name, weight))
        };
        let projections = match features == [width; 3] {
            true => Projections::Joint(drawn("in_proj_weight", 3 * width, width)?),
            false => Projections::Apart([
                drawn("q_proj_weight", width, features[0])?,
                drawn("k_proj_weight", width, features[1])?,
                drawn("v_proj_weight", width, features[2])?,
            ]),
        };
        let zeros = |name: &str, len: usize| -> Result<Parameter> {
            Ok(Parameter::new(name, Tensor::zeros([len], DType::F32)?))
        };
        let bias = options.bias.then(|| zeros("in_proj_bias", 3 * width)).transpose()?;
        let out_proj = Linear::new(width, width, rng)?.without_bias();
        let out_proj = match options.bias {
            true => out_proj.with_bias(zeros("bias", width)?),
            false => out_proj,
        };
        let dropout = Dropout::within(NAME, options.dropout, rng.next_u64())?;
        let causal = options.causal;
        Ok(MultiHeadAttention { projections, bias, out_proj, features, heads, causal, dropout })
    }

    /// The attention of queries to keys with their values, where masks allow it.
    ///
    /// # Errors
    /// Recorded as faults: other features, as many values as there are no keys, and masks that do not
    /// fit.
    #[track_caller]
    pub fn attend<'t>(
        &self,
        query: Var<'t>,
        key: Var<'t>,
        value: Var<'t>,
        masks: impl Into<AttentionMasks<'t>>,
        mode: Mode,
    ) -> Var<'t> {
        let masks = masks.into();
        query.tape().named_call(NAME, || match self.refusal(query, key, value, masks) {
            Some(fault) => fault,
            None => self.attended([query, key, value], masks, mode),
        })
    }

    /// What is wrong with the operands.
    fn refusal<'t>(
        &self,
        query: Var<'t>,
        key: Var<'t>,
        value: Var<'t>,
        masks: AttentionMasks<'t>,
    ) -> Option<Var<'t>> {
        let mask = tensor_of(masks.attention);
        let given = [("query", Some(query)), ("key", Some(key)), ("value", Some(value))];
        let given = given.into_iter().chain([("mask", mask), ("padding", masks.padding)]);
        let given: Vec<(&str, Var<'t>)> =
            given.filter_map(|(name, var)| Some((name, var?))).collect();
        if let Some(&(_, faulty)) = given.iter().find(|(_, var)| var.is_faulty()) {
            return Some(faulty);
        }
        let refuse = |why: String, cure: &str| {
            let fault = given
                .iter()
                .fold(Fault::new(NAME, why), |fault, &(name, var)| fault.operand(name, var));
            Some(query.tape().fault(fault.cure(cure)))
        };
        let rank = query.rank();
        for (&(name, x), features) in given.iter().zip(self.features) {
            if !(2..=3).contains(&x.rank()) || x.rank() != rank || x.dim(-1) != features {
                let why =
                    format!("the {name} is [batch, places, {features}], or [places, {features}]");
                return refuse(why, "all three with a batch, or none");
            }
        }
        let (keys, batch) = (key.dim(-2), key.shape()[..rank - 2].to_vec());
        if value.dim(-2) != keys
            || batch != value.shape()[..rank - 2]
            || batch != query.shape()[..rank - 2]
        {
            let why = "the batches differ, or there is not one value for each key".to_owned();
            return refuse(
                why,
                "as many examples of all three, and as many places of key and value",
            );
        }
        if mask.is_some_and(|mask| mask.rank() == 3 && rank == 3) {
            let why = "the first axis of the mask may be the batch or the heads".to_owned();
            return refuse(
                why,
                "mask.unsqueeze(1) for a mask of the batch, mask.unsqueeze(0) for one of heads",
            );
        }
        if masks.padding.is_some_and(|padding| padding.shape()[..] != key.shape()[..rank - 1]) {
            let expected = &key.shape()[..rank - 1];
            return refuse(
                format!("the padding has to be {expected:?}"),
                "one number for each key",
            );
        }
        None
    }

    fn attended<'t>(&self, x: [Var<'t>; 3], masks: AttentionMasks<'t>, mode: Mode) -> Var<'t> {
        let tape = x[0].tape();
        let [query, key, value] = self.projected(x).map(|x| self.in_heads(x));
        if let Some(&faulty) = [query, key, value].iter().find(|x| x.is_faulty()) {
            return faulty;
        }
        let dropout = (mode == Mode::Train && self.dropout.probability() > 0.0).then(|| {
            let mut weights = query.shape().to_vec();
            weights.pop();
            weights.push(key.dim(-2));
            self.dropout.forward_in(tape.fill(weights, 1.0), mode)
        });
        let mask = self.mask(masks, query.dim(-2), key.dim(-2));
        let options = Attention { mask, dropout, ..Attention::default() };
        let heads = query.scaled_dot_product_attention(key, value, options);
        if heads.is_faulty() {
            return heads;
        }
        let mixed = heads.transpose(-3, -2).reshape(x[0].shape());
        self.out_proj.forward_in(mixed, mode)
    }

    /// Queries, keys and values as the projections make them.
    fn projected<'t>(&self, x: [Var<'t>; 3]) -> [Var<'t>; 3] {
        let tape = x[0].tape();
        let bias = self.bias.as_ref().map(|bias| tape.parameter(bias));
        let thirds = |of: Var<'t>, axis: isize| match of.chunk(3, axis)[..] {
            [query, key, value] => [query, key, value],
            _ => [of; 3],
        };
        let weights = match &self.projections {
            // What attends to itself is multiplied once.
            Projections::Joint(weight) if x.iter().all(|&each| is_same(each, x[0])) => {
                return thirds(x[0].linear(tape.parameter(weight), bias), -1);
            }
            Projections::Joint(weight) => thirds(tape.parameter(weight), 0),
            Projections::Apart(weights) => weights.each_ref().map(|weight| tape.parameter(weight)),
        };
        let biases = bias.map(|bias| thirds(bias, 0));
        [0, 1, 2].map(|i: usize| x[i].linear(weights[i], biases.map(|biases| biases[i])))
    }

    /// `[…, places, width]` as `[…, heads, places, width / heads]`.
    fn in_heads<'t>(&self, x: Var<'t>) -> Var<'t> {
        x.unflatten(-1, [self.heads, self.features[0] / self.heads]).transpose(-3, -2)
    }

    /// All masks as one.
    fn mask<'t>(
        &self,
        masks: AttentionMasks<'t>,
        queries: usize,
        keys: usize,
    ) -> AttentionMask<'t> {
        let before = |like: Var<'t>| like.tape().fill([queries, keys], 1.0).tril(0);
        let attention = match masks.attention {
            mask if !self.causal => mask,
            AttentionMask::None | AttentionMask::Causal => AttentionMask::Causal,
            AttentionMask::Keep(mask) => AttentionMask::Keep(before(mask) * mask.ne(0.0)),
            AttentionMask::Add(mask) => {
                AttentionMask::Add(before(mask).select(mask, f64::NEG_INFINITY))
            }
        };
        let Some(padding) = masks.padding else { return attention };
        let real = padding.eq(0.0).unsqueeze(-2).unsqueeze(-3);
        match attention {
            AttentionMask::None => AttentionMask::Keep(real),
            AttentionMask::Causal => AttentionMask::Keep(before(real) * real),
            AttentionMask::Keep(mask) => AttentionMask::Keep(mask.ne(0.0) * real),
            AttentionMask::Add(mask) => AttentionMask::Add(real.select(mask, f64::NEG_INFINITY)),
        }
    }
}

/// Whether two are one node.
fn is_same(a: Var<'_>, b: Var<'_>) -> bool {
    (a.tape().id(), a.number()) == (b.tape().id(), b.number())
}

/// The tensor of a mask that has one.
fn tensor_of(mask: AttentionMask<'_>) -> Option<Var<'_>> {
    match mask {
        AttentionMask::Keep(mask) | AttentionMask::Add(mask) => Some(mask),
        AttentionMask::None | AttentionMask::Causal => None,
    }
}

impl Module for MultiHeadAttention {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        let weights = match &self.projections {
            Projections::Joint(weight) => std::slice::from_ref(weight),
            Projections::Apart(weights) => &weights[..],
        };
        let parameters = weights.iter().chain(&self.bias);
        let mut all: Vec<(String, &dyn Module)> =
            parameters.map(|p| (p.name().to_owned(), p as &dyn Module)).collect();
        all.push(("out_proj".to_owned(), &self.out_proj));
        all.push(("dropout".to_owned(), &self.dropout));
        all
    }
}

/// Self-attention.
impl Layer for MultiHeadAttention {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        self.attend(x, x, x, AttentionMask::None, mode)
    }
}
