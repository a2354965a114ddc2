//! Functions without parameters: activations and dropout.

use lossgraph_autograd::{Fault, Var};
use lossgraph_tensor::Tensor;

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
    /// `x Φ(x)`
    Gelu,
    /// `x σ(x)`
    Silu,
    /// `tanh x`
    Tanh,
    /// `1/(1 + e⁻ˣ)`
    Sigmoid,
    /// `ln(1 + eˣ)`
    Softplus,
}

impl Module for Activation {}

impl Layer for Activation {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().unnamed_call(|| match *self {
            Activation::Relu => x.relu(),
            Activation::LeakyRelu(slope) => x.leaky_relu(slope),
            Activation::Elu(alpha) => x.elu(alpha),
            Activation::Gelu => x.gelu(),
            Activation::Silu => x.silu(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Softplus => x.softplus(),
        })
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
        if !(0.0..1.0).contains(&probability) {
            let (subject, name, expected) = ("dropout", "probability", "0 or more, and below 1");
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
