//! Layers one after another.

use std::sync::Arc;

use lossgraph_autograd::Var;
use rand::Rng;

use crate::activation::{Activation, Dropout};
use crate::error::Result;
use crate::layer::{Layer, Mode};
use crate::linear::Linear;
use crate::module::Module;

/// Layers one after another.
#[derive(Clone, Default)]
pub struct Sequential {
    layers: Vec<Arc<dyn Layer>>,
}

impl Sequential {
    /// No layer yet: the identity.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// With one more layer at the end.
    #[must_use = "it gives the layers back"]
    pub fn then(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers.push(Arc::new(layer));
        self
    }

    /// The layers, in the order in which they are recorded.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &dyn Layer> {
        self.layers.iter().map(|layer| &**layer)
    }
}

impl Module for Sequential {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        self.layers.children()
    }
}

impl Layer for Sequential {
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        self.layers.iter().fold(x, |x, layer| layer.record(x, mode))
    }
}

/// A multi-layer perceptron: linear layers with an activation between them.
#[derive(Clone)]
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

    /// Its layers: linear ones, with activations and dropout between them.
    pub fn layers(&self) -> &Sequential {
        &self.layers
    }
}

impl Module for Mlp {
    fn children(&self) -> Vec<(String, &dyn Module)> {
        self.layers.children()
    }
}

impl Layer for Mlp {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        x.tape().named_call("mlp", || self.layers.record(x, mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn parameters_are_named_by_the_index_of_their_layer() {
        let model = Mlp::new(&[4, 3, 2], &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let names: Vec<String> = model.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
        assert_eq!(model.layers().layers().len(), 3);
    }
}
