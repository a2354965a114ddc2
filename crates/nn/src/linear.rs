//! Linear layers.

use lossgraph_autograd::{Parameter, Var};
use lossgraph_tensor::{DType, Tensor};
use rand::Rng;

use crate::error::Result;
use crate::init::Init;
use crate::layer::{Layer, Mode};

/// `y = x Wᵀ + b`, from `[…, inputs]` to `[…, outputs]`.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Parameter,
    bias: Option<Parameter>,
}

crate::module!(Linear { weight, bias });

impl Linear {
    /// A layer with PyTorch's initialization: weight and bias uniform in ±1/√inputs. Without inputs, it
    /// gives the bias.
    pub fn new(inputs: usize, outputs: usize, rng: &mut impl Rng) -> Result<Linear> {
        Linear::with(inputs, outputs, Init::FanIn, rng)
    }

    /// A layer whose weight is drawn as `init` says; the bias is uniform in ±1/√inputs.
    pub fn with(inputs: usize, outputs: usize, init: Init, rng: &mut impl Rng) -> Result<Linear> {
        let weight = init.draw(&[outputs, inputs], DType::F64, rng)?;
        let bound = 1.0 / (inputs.max(1) as f64).sqrt();
        let bias = Init::Uniform(-bound, bound).draw(&[outputs], DType::F64, rng)?;
        Ok(Linear {
            weight: Parameter::drawn("weight", weight),
            bias: Some(Parameter::drawn("bias", bias)),
        })
    }

    /// A layer with a given weight `[outputs, inputs]` and bias `[outputs]`.
    pub fn of(weight: Tensor, bias: Option<Tensor>) -> Linear {
        Linear {
            weight: Parameter::new("weight", weight),
            bias: bias.map(|bias| Parameter::new("bias", bias)),
        }
    }

    /// `y = x Wᵀ`.
    #[must_use = "it gives the layer back"]
    pub fn without_bias(self) -> Linear {
        Linear { bias: None, ..self }
    }

    /// With another bias.
    pub(crate) fn with_bias(self, bias: Parameter) -> Linear {
        Linear { bias: Some(bias), ..self }
    }

    /// The weight, `[outputs, inputs]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }

    /// The bias, `[outputs]`, if there is one.
    pub fn bias(&self) -> Option<&Parameter> {
        self.bias.as_ref()
    }
}

impl Layer for Linear {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("linear", || {
            let weight = tape.parameter(&self.weight);
            let bias = self.bias.as_ref().map(|bias| tape.parameter(bias));
            x.linear(weight, bias)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_linear_layer_multiplies_and_adds() {
        let weight = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let layer = Linear::of(weight, Some(Tensor::from([0.5_f32, 0.0, -1.0])));
        let tape = Tape::new();
        let x = tape.constant([[1.0, 10.0]]);
        assert_eq!(layer.forward(x).value().unwrap().to_f64s(), [21.5, 43.0, 64.0]);
        let layer = layer.without_bias();
        assert_eq!(layer.forward(x).value().unwrap().to_f64s(), [21.0, 43.0, 65.0]);
    }

    #[test]
    fn the_same_seed_makes_the_same_layer() {
        let make = || Linear::new(5, 4, &mut ChaCha8Rng::seed_from_u64(9)).unwrap();
        assert_eq!(make().weight().value(), make().weight().value());
        assert_eq!(make().bias().unwrap().value(), make().bias().unwrap().value());
    }

    #[test]
    fn a_clone_trains_with_its_original() {
        let layer = Linear::new(1, 1, &mut ChaCha8Rng::seed_from_u64(9)).unwrap();
        let clone = layer.clone();
        layer.weight().set(Tensor::from([[7.0_f32]])).unwrap();
        assert_eq!(clone.weight().value().to_f64s(), [7.0]);
        assert_eq!(clone.weight().id(), layer.weight().id());
    }
}
