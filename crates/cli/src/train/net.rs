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
    /// Whether it has hidden layers.
    pub is_deep: bool,
    /// Whether an example has to be a picture.
    pub takes_pictures: bool,
}

/// The net where nobody says another one, and the size of its hidden layer.
pub const DEFAULT: &str = "mlp";
pub const HIDDEN: usize = 128;

pub static ALL: &[Row] = &[
    Row {
        name: DEFAULT,
        aliases: &["dense"],
        about: "linear layers with relu between them",
        is_deep: true,
        takes_pictures: false,
    },
    Row {
        name: "linear",
        aliases: &["affine"],
        about: "one linear layer",
        is_deep: false,
        takes_pictures: false,
    },
    Row {
        name: "cnn",
        aliases: &["convnet", "conv"],
        about: "two convolutions of 3 × 3, each with relu and a maximum of 2 × 2, and a perceptron",
        is_deep: true,
        takes_pictures: true,
    },
];

/// A kind of net by its name.
pub fn kind(name: &str) -> Result<&'static Row> {
    let names = |row: &'static Row| [&[row.name], row.aliases].concat();
    Ok(named("net", name, ALL, names)?)
}

/// The channels of the convolutions.
const CHANNELS: [usize; 2] = [16, 32];

impl Net {
    /// How many numbers an example has, if memory has room for them.
    pub fn pixels(&self) -> Option<usize> {
        self.input.iter().try_fold(1_usize, |product, &length| product.checked_mul(length))
    }

    /// How many weights its layers have, if memory has room for them: a net that a file
    /// describes may be of any size.
    pub fn weights(&self) -> Option<usize> {
        let [first, second] = CHANNELS;
        let (flat, before) = match (&self.kind[..], &self.input[..]) {
            ("cnn", &[channels, height, width]) => (
                second.checked_mul(height / 4)?.checked_mul(width / 4)?,
                channels.checked_add(second)?.checked_mul(first * 9)?,
            ),
            _ => (self.pixels()?, 0),
        };
        let hidden = if self.kind == "linear" { &[][..] } else { &self.hidden };
        let sizes = [&[flat], hidden, &[self.outputs]].concat();
        sizes
            .windows(2)
            .try_fold(before, |sum, pair| sum.checked_add(pair[0].checked_mul(pair[1])?))
    }

    /// The net, with parameters that are drawn.
    pub fn build(&self, rng: &mut impl Rng) -> Result<Box<dyn Layer>> {
        let Some(flat) = self.pixels() else {
            return Err(
                format!("an example of {:?} has more numbers than memory", self.input).into()
            );
        };
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
