//! Nets by name.

use lossgraph_autograd::{Conv, Padding, Pool};
use lossgraph_nn::{
    Activation, BatchNorm, Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d, Mlp, Sequential,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::names::named;

/// A net, and all that it takes to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Net {
    /// Its kind: the name of a row.
    pub kind: String,
    /// The shape of an example.
    pub input: Vec<usize>,
    /// How many numbers it gives for an example.
    pub outputs: usize,
    /// The sizes of its hidden layers.
    pub hidden: Vec<usize>,
    pub dropout: Option<f64>,
    pub batch_norm: bool,
}

/// What is known of a kind of net.
pub struct Row {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub about: &'static str,
}

pub const ALL: &[Row] = &[
    Row { name: "mlp", aliases: &["dense"], about: "linear layers with relu between them" },
    Row { name: "linear", aliases: &["affine"], about: "one linear layer" },
    Row {
        name: "cnn",
        aliases: &["convnet", "conv"],
        about: "two convolutions of 3 × 3, each with relu and a maximum of 2 × 2, and a perceptron",
    },
];

/// The name of a kind of net.
pub fn kind(name: &str) -> Result<String> {
    let names = |row: &'static Row| [&[row.name], row.aliases].concat();
    Ok(named("net", name, ALL, names)?.name.to_owned())
}

/// The channels of the convolutions.
const CHANNELS: [usize; 2] = [16, 32];

impl Net {
    /// The net, with parameters that are drawn.
    pub fn build(&self, rng: &mut impl Rng) -> Result<Box<dyn Layer>> {
        let flat: usize = self.input.iter().product();
        let is_flat = self.input.len() == 1;
        let sizes = |inputs: usize| [&[inputs], &self.hidden[..], &[self.outputs]].concat();
        let dense: Box<dyn Layer> = match &self.kind[..] {
            "linear" => Box::new(Linear::new(flat, self.outputs, rng)?),
            "cnn" => return self.convolutional(rng),
            _ if self.batch_norm => Box::new(self.normalized(&sizes(flat), rng)?),
            _ => Box::new(Mlp::with(&sizes(flat), Activation::Relu, self.dropout, rng)?),
        };
        Ok(match is_flat {
            true => dense,
            false => Box::new(Sequential::new().then(Flatten).then(dense)),
        })
    }

    /// A perceptron whose hidden layers are normalized; drawn as one without.
    fn normalized(&self, sizes: &[usize], rng: &mut impl Rng) -> Result<Sequential> {
        let mut layers = Sequential::new();
        for (i, pair) in sizes.windows(2).enumerate() {
            if i > 0 {
                layers = layers.then(BatchNorm::new(pair[0])?).then(Activation::Relu);
                if let Some(probability) = self.dropout {
                    layers = layers.then(Dropout::new(probability, rng.next_u64())?);
                }
            }
            layers = layers.then(Linear::new(pair[0], pair[1], rng)?);
        }
        Ok(layers)
    }

    fn convolutional(&self, rng: &mut impl Rng) -> Result<Box<dyn Layer>> {
        let [channels, height, width] = self.input[..] else {
            let shape = &self.input;
            return Err(format!("the net cnn takes pictures, and an example is {shape:?}").into());
        };
        let same = Conv { padding: Padding::Same, ..Conv::default() };
        let [first, second] = CHANNELS;
        let mut layers = Sequential::new();
        for (inputs, outputs) in [(channels, first), (first, second)] {
            layers = layers.then(Conv2d::with(inputs, outputs, [3, 3], same, rng)?);
            if self.batch_norm {
                layers = layers.then(BatchNorm::new(outputs)?);
            }
            layers = layers.then(Activation::Relu).then(MaxPool2d(Pool::new([2, 2])));
        }
        let flat = second * (height / 4) * (width / 4);
        let sizes = [&[flat], &self.hidden[..], &[self.outputs]].concat();
        let dense = Mlp::with(&sizes, Activation::Relu, self.dropout, rng)?;
        Ok(Box::new(layers.then(Flatten).then(dense)))
    }
}

/// In words: `mlp 64-128-10`.
impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let input = self.input.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        let hidden = if self.kind == "linear" { &[][..] } else { &self.hidden };
        let sizes = hidden.iter().chain([&self.outputs]).map(|size| format!("-{size}"));
        write!(f, "{} {input}{}", self.kind, sizes.collect::<String>())
    }
}
