//! Layers: functions with parameters, recorded in a scope of their own.

use std::sync::Mutex;

use lossgraph_autograd::{Conv, Fault, Parameter, Pool, Var};
use lossgraph_tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};

use crate::error::{Error, Result};
use crate::init::Init;

/// Whether a layer records its training or its evaluation behavior. It is an argument of each call,
/// so that a layer cannot be left in the wrong mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout drops, batch normalization uses the batch.
    Train,
    /// The same input gives the same output.
    Evaluate,
}

/// A function with parameters.
pub trait Layer {
    /// Records the forward pass in a mode.
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t>;

    /// The parameters, with names that say where they are: `0.weight`.
    fn parameters(&self) -> Vec<(String, Parameter)> {
        Vec::new()
    }

    /// State that is saved but not trained, such as running statistics.
    fn buffers(&self) -> Vec<(String, Parameter)> {
        Vec::new()
    }

    /// Records the forward pass of evaluation.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.record(x, Mode::Evaluate)
    }

    /// Records the forward pass of training.
    #[track_caller]
    fn forward_train<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.record(x, Mode::Train)
    }
}

/// `y = x Wᵀ + b`, from `[…, inputs]` to `[…, outputs]`.
#[derive(Debug)]
pub struct Linear {
    weight: Parameter,
    bias: Option<Parameter>,
}

impl Linear {
    /// A layer with PyTorch's initialization: weight and bias uniform in ±1/√inputs.
    pub fn new(inputs: usize, outputs: usize, rng: &mut impl Rng) -> Result<Linear> {
        Linear::with(inputs, outputs, Init::FanIn, rng)
    }

    /// A layer whose weight is drawn as `init` says; the bias is uniform in ±1/√inputs.
    pub fn with(inputs: usize, outputs: usize, init: Init, rng: &mut impl Rng) -> Result<Linear> {
        let weight = init.draw(&[outputs, inputs], rng)?;
        let bound = 1.0 / (inputs.max(1) as f64).sqrt();
        let bias = Init::Uniform(-bound, bound).draw(&[outputs], rng)?;
        Ok(Linear::of(weight, Some(bias)))
    }

    /// A layer with a given weight `[outputs, inputs]` and bias `[outputs]`.
    pub fn of(weight: Tensor, bias: Option<Tensor>) -> Linear {
        Linear {
            weight: Parameter::new("weight", weight),
            bias: bias.map(|bias| Parameter::new("bias", bias)),
        }
    }
}

impl Layer for Linear {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.scope("linear", || {
            let weight = tape.parameter(&self.weight);
            x.linear(weight, self.bias.as_ref().map(|bias| tape.parameter(bias)))
        })
    }

    fn parameters(&self) -> Vec<(String, Parameter)> {
        named(std::iter::once(&self.weight).chain(&self.bias))
    }
}

pub(crate) fn named<'a>(
    parameters: impl Iterator<Item = &'a Parameter>,
) -> Vec<(String, Parameter)> {
    parameters.map(|parameter| (parameter.name().to_owned(), parameter.clone())).collect()
}

/// Cross-correlation over images: `[batch, inputs, height, width]` to `[batch, outputs, …]`.
#[derive(Debug)]
pub struct Conv2d {
    weight: Parameter,
    bias: Option<Parameter>,
    options: Conv<2>,
}

impl Conv2d {
    /// A layer with square windows and PyTorch's initialization.
    pub fn new(inputs: usize, outputs: usize, window: usize, rng: &mut impl Rng) -> Result<Conv2d> {
        let weight = Init::FanIn.draw(&[outputs, inputs, window, window], rng)?;
        let bound = 1.0 / ((inputs * window * window).max(1) as f64).sqrt();
        let bias = Init::Uniform(-bound, bound).draw(&[outputs], rng)?;
        Ok(Conv2d::of(weight, Some(bias), Conv::default()))
    }

    /// A layer with a given weight `[outputs, inputs / groups, window, window]` and options.
    pub fn of(weight: Tensor, bias: Option<Tensor>, options: Conv<2>) -> Conv2d {
        Conv2d {
            weight: Parameter::new("weight", weight),
            bias: bias.map(|bias| Parameter::new("bias", bias)),
            options,
        }
    }
}

impl Layer for Conv2d {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.scope("conv2d", || {
            let weight = tape.parameter(&self.weight);
            x.conv2d(weight, self.bias.as_ref().map(|bias| tape.parameter(bias)), self.options)
        })
    }

    fn parameters(&self) -> Vec<(String, Parameter)> {
        named(std::iter::once(&self.weight).chain(&self.bias))
    }
}

/// The largest of each window.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d(pub Pool<2>);

impl Layer for MaxPool2d {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().scope("max_pool2d", || x.max_pool2d(self.0))
    }
}

/// The mean of each window.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d(pub Pool<2>);

impl Layer for AvgPool2d {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().scope("avg_pool2d", || x.avg_pool2d(self.0))
    }
}

/// All axes but the batch as one.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

impl Layer for Flatten {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let batch = if x.rank() == 0 { 1 } else { x.dim(0) };
        x.reshape([batch, x.len() / batch.max(1)])
    }
}

/// A function without parameters, element by element.
#[derive(Clone, Copy, Debug, PartialEq)]
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

impl Layer for Activation {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        match *self {
            Activation::Relu => x.relu(),
            Activation::LeakyRelu(slope) => x.leaky_relu(slope),
            Activation::Elu(alpha) => x.elu(alpha),
            Activation::Gelu => x.gelu(),
            Activation::Silu => x.silu(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Softplus => x.softplus(),
        }
    }
}

/// In training, sets each element to 0 with a probability, and scales up the others so that the
/// expectation stays; in evaluation, the identity.
///
/// # Source
/// Srivastava et al., Dropout, 2014.
#[derive(Debug)]
pub struct Dropout {
    probability: f64,
    rng: Mutex<ChaCha8Rng>,
}

impl Dropout {
    /// Drops with `probability`, 0 or more and below 1, as drawn from `seed`.
    pub fn new(probability: f64, seed: u64) -> Result<Dropout> {
        if !(0.0..1.0).contains(&probability) {
            let (subject, name, expected) = ("dropout", "probability", "0 or more, and below 1");
            return Err(Error::Option { subject, name, given: probability, expected });
        }
        Ok(Dropout { probability, rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)) })
    }
}

impl Layer for Dropout {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        if mode == Mode::Evaluate || self.probability == 0.0 {
            return x;
        }
        let scale = 1.0 / (1.0 - self.probability);
        let mut rng = self.rng.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mask = match Uniform::new(0.0, 1.0) {
            Ok(uniform) => {
                let draw =
                    |_| if uniform.sample(&mut *rng) < self.probability { 0.0 } else { scale };
                Tensor::new(x.shape(), (0..x.len()).map(draw).collect::<Vec<f64>>())
            }
            Err(_) => Tensor::ones(x.shape(), x.dtype()),
        };
        x.tape().scope("dropout", || match mask {
            Ok(mask) => x * x.tape().constant(mask),
            Err(error) => x.tape().fault(Fault::new("dropout", error.to_string())),
        })
    }
}

/// Layers one after another.
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
}

impl Sequential {
    /// No layer yet: the identity.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// With one more layer at the end.
    pub fn then(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    fn all(&self, of: impl Fn(&dyn Layer) -> Vec<(String, Parameter)>) -> Vec<(String, Parameter)> {
        let mut all = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            let prefixed = of(&**layer).into_iter().map(|(name, p)| (format!("{i}.{name}"), p));
            all.extend(prefixed);
        }
        all
    }
}

impl Layer for Sequential {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        self.layers.iter().fold(x, |x, layer| layer.record(x, mode))
    }

    fn parameters(&self) -> Vec<(String, Parameter)> {
        self.all(|layer| layer.parameters())
    }

    fn buffers(&self) -> Vec<(String, Parameter)> {
        self.all(|layer| layer.buffers())
    }
}

/// A multi-layer perceptron: linear layers with an activation between them.
pub struct Mlp {
    layers: Sequential,
}

impl Mlp {
    /// From `sizes[0]` inputs to the last size, with relu between layers.
    pub fn new(sizes: &[usize], rng: &mut impl Rng) -> Result<Mlp> {
        Mlp::with(sizes, Activation::Relu, None, rng)
    }

    /// With an activation, and with dropout behind each, where a probability is given.
    pub fn with(
        sizes: &[usize],
        activation: Activation,
        dropout: Option<f64>,
        rng: &mut impl Rng,
    ) -> Result<Mlp> {
        let mut layers = Sequential::new();
        for (i, pair) in sizes.windows(2).enumerate() {
            if i > 0 {
                layers = layers.then(activation);
                if let Some(probability) = dropout {
                    layers = layers.then(Dropout::new(probability, rng.next_u64())?);
                }
            }
            layers = layers.then(Linear::new(pair[0], pair[1], rng)?);
        }
        Ok(Mlp { layers })
    }
}

impl Layer for Mlp {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        x.tape().scope("mlp", || self.layers.record(x, mode))
    }

    fn parameters(&self) -> Vec<(String, Parameter)> {
        self.layers.parameters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    #[test]
    fn a_linear_layer_multiplies_and_adds() {
        let weight = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let layer = Linear::of(weight, Some(Tensor::from([0.5_f32, 0.0, -1.0])));
        let tape = Tape::new();
        let y = layer.forward(tape.constant([[1.0, 10.0]]));
        assert_eq!(y.value().unwrap().to_f64s(), [21.5, 43.0, 64.0]);
    }

    #[test]
    fn parameters_are_named_by_the_index_of_their_layer() {
        let model = Mlp::new(&[4, 3, 2], &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let names: Vec<String> = model.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
    }

    #[test]
    fn dropout_keeps_the_mean_in_training_and_everything_in_evaluation() {
        let tape = Tape::f64();
        let layer = Dropout::new(0.25, 3).unwrap();
        let ones = tape.fill([10_000], 1.0);
        assert!((layer.forward_train(ones).mean(..).item().unwrap() - 1.0).abs() < 0.02);
        assert_eq!(layer.forward(ones).mean(..).item().unwrap(), 1.0);
        assert!(Dropout::new(1.0, 0).is_err() && Dropout::new(f64::NAN, 0).is_err());
    }

    #[test]
    fn the_same_seed_makes_the_same_layer() {
        let make = || Linear::new(5, 4, &mut ChaCha8Rng::seed_from_u64(9)).unwrap();
        assert_eq!(make().weight.value(), make().weight.value());
    }
}
