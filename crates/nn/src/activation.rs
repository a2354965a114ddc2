//! Activations and dropout: activations and dropout.

use lossgraph_autograd::{Fault, Parameter, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::error::{Error, Result};
use crate::generator::Generator;
use crate::layer::{Layer, Mode};
use crate::module::Module;

/// A function without parameters, element by element.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `x` above 0, else `slope · x`
    LeakyRelu(f64),
    /// `x` above 0, else `alpha · (eˣ − 1)`
    Elu(f64),
    /// `max(x, 0)`, and 6 at most
    Relu6,
    /// `x Φ(x)`
    Gelu,
    /// `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))`, near `x Φ(x)`
    GeluTanh,
    /// `x tanh(ln(1 + eˣ))`
    Mish,
    /// Elu with the slope and the scale that keep mean 0 and variance 1
    Selu,
    /// `x` above 0, else `alpha · (e^(x/alpha) − 1)`
    Celu(f64),
    /// `x σ(x)`
    Silu,
    /// `tanh x`
    Tanh,
    /// `x/(1 + |x|)`
    Softsign,
    /// `x` between two numbers, else the nearer one
    Hardtanh(f64, f64),
    /// `1/(1 + e⁻ˣ)`
    Sigmoid,
    /// `ln(1/(1 + e⁻ˣ))`
    LogSigmoid,
    /// `x/6 + ½`, between 0 and 1
    Hardsigmoid,
    /// `x` times that
    Hardswish,
    /// `ln(1 + eˣ)`
    Softplus,
}

impl Module for Activation {}

impl Layer for Activation {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        // What is made of several ops is a layer of its name all the same.
        let tape = x.tape();
        tape.unnamed_call(|| match *self {
            Activation::Relu => x.relu(),
            Activation::LeakyRelu(slope) => x.leaky_relu(slope),
            Activation::Elu(alpha) => x.elu(alpha),
            Activation::Relu6 => tape.named_call("relu6", || x.relu6()),
            Activation::Gelu => tape.named_call("gelu", || x.gelu()),
            Activation::GeluTanh => tape.named_call("gelu_tanh", || x.gelu_tanh()),
            Activation::Mish => tape.named_call("mish", || x.mish()),
            Activation::Selu => tape.named_call("selu", || x.selu()),
            Activation::Celu(alpha) => tape.named_call("celu", || x.celu(alpha)),
            Activation::Silu => tape.named_call("silu", || x.silu()),
            Activation::Tanh => x.tanh(),
            Activation::Softsign => tape.named_call("softsign", || x.softsign()),
            Activation::Hardtanh(low, high) => {
                tape.named_call("hardtanh", || x.hardtanh(low, high))
            }
            Activation::Sigmoid => x.sigmoid(),
            Activation::LogSigmoid => tape.named_call("log_sigmoid", || x.log_sigmoid()),
            Activation::Hardsigmoid => tape.named_call("hardsigmoid", || x.hardsigmoid()),
            Activation::Hardswish => x.hardswish(),
            Activation::Softplus => x.softplus(),
        })
    }
}

/// The softmax along an axis, which −1 counts from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Softmax(pub isize);

/// The logarithm of the softmax along an axis, which −1 counts from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogSoftmax(pub isize);

impl Module for Softmax {}

impl Module for LogSoftmax {}

impl Layer for Softmax {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().unnamed_call(|| x.softmax(self.0))
    }
}

impl Layer for LogSoftmax {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().unnamed_call(|| x.log_softmax(self.0))
    }
}

/// `x` above 0, else `weight · x`, with a weight for everything or one for each channel (axis 1).
///
/// # Source
/// He et al., Delving Deep into Rectifiers, 2015.
#[doc(alias = "PReLU")]
#[derive(Clone, Debug)]
pub struct Prelu {
    weight: Parameter,
}

crate::module!(Prelu { weight });

impl Prelu {
    /// With `channels` weights, or a single one, that begin at 0.25 as in PyTorch.
    ///
    /// # Errors
    /// No channels.
    pub fn new(channels: usize) -> Result<Prelu> {
        if channels == 0 {
            let (subject, name, expected) = ("prelu", "channels", "1 or more");
            return Err(Error::Option { subject, name, given: 0.0, expected });
        }
        let weight = Tensor::full([channels], 0.25, DType::F32)?;
        Ok(Prelu { weight: Parameter::new("weight", weight) })
    }

    /// The slopes below 0.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }
}

impl Layer for Prelu {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("prelu", || x.prelu(tape.parameter(&self.weight)))
    }
}

/// In training, sets each element to 0 with a probability, and scales up the others so that the
/// expectation stays; in evaluation, the identity. Clones draw from one stream, which a
/// [`Training`](crate::Training) saves. Each element takes one word of it, so that a mask is the same
/// for any number of threads: see [`Tensor::bernoulli`].
///
/// # Source
/// Srivastava et al., Dropout, 2014.
#[derive(Clone, Debug)]
pub struct Dropout {
    probability: f64,
    generator: Generator,
}

impl Dropout {
    /// Drops with `probability`, 0 or more and below 1, as drawn from `seed`.
    pub fn new(probability: f64, seed: u64) -> Result<Dropout> {
        Dropout::named("dropout", "probability", probability, seed)
    }

    /// That of a layer which has dropout among its options.
    pub(crate) fn within(layer: &'static str, probability: f64, seed: u64) -> Result<Dropout> {
        Dropout::named(layer, "dropout", probability, seed)
    }

    pub(crate) fn probability(&self) -> f64 {
        self.probability
    }

    fn named(
        subject: &'static str,
        name: &'static str,
        probability: f64,
        seed: u64,
    ) -> Result<Dropout> {
        if !(0.0..1.0).contains(&probability) {
            let expected = "0 or more, and below 1";
            return Err(Error::Option { subject, name, given: probability, expected });
        }
        Ok(Dropout { probability, generator: Generator::new(seed) })
    }
}

crate::module!(Dropout { generator, .. });

impl Layer for Dropout {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        if mode == Mode::Evaluate || self.probability == 0.0 {
            return x;
        }
        let keep = 1.0 - self.probability;
        let mask = self.generator.draw(|rng| {
            Tensor::bernoulli(x.shape(), keep, [0.0, 1.0 / keep], x.tape().dtype(), rng)
        });
        x.tape().named_call("dropout", || match mask {
            Ok(mask) => x * x.tape().constant(mask),
            Err(error) => x.tape().fault(Fault::new("dropout", error.to_string())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    #[test]
    fn dropout_keeps_the_mean_in_training_and_everything_in_evaluation() {
        let tape = Tape::f64();
        let layer = Dropout::new(0.25, 3).unwrap();
        let ones = tape.fill([10_000], 1.0);
        assert!((layer.forward_train(ones).mean(..).item().unwrap() - 1.0).abs() < 0.02);
        assert_eq!(layer.forward(ones).mean(..).item().unwrap(), 1.0);
        assert!(Dropout::new(1.0, 0).is_err() && Dropout::new(f64::NAN, 0).is_err());
    }
}
