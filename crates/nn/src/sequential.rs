//! Layers one after another.

use std::fmt;
use std::sync::Arc;

use lossgraph_autograd::Var;
use rand::Rng;

use crate::activation::{Activation, Dropout};
use crate::error::{Error, Result};
use crate::layer::{Layer, Mode};
use crate::linear::Linear;
use crate::module::Module;

/// Layers one after another.
#[derive(Clone, Default)]
pub struct Sequential {
    layers: Vec<Arc<dyn Layer>>,
}

impl Sequential {
    /// No layer yet: the identity. [`then`](Sequential::then) adds one; layers of one type, such as
    /// `Box<dyn Layer>`, are collected.
    ///
    /// ```
    /// use lossgraph_nn::{Activation, Layer, Module, Sequential};
    ///
    /// let layers: Vec<Box<dyn Layer>> = vec![Box::new(Activation::Relu), Box::new(Activation::Tanh)];
    /// let model = Sequential::from(layers);
    /// assert_eq!((model.layers().len(), model.num_parameters()), (2, 0));
    /// ```
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

impl<L: Layer + 'static> FromIterator<L> for Sequential {
    fn from_iter<I: IntoIterator<Item = L>>(layers: I) -> Sequential {
        layers.into_iter().fold(Sequential::new(), Sequential::then)
    }
}

impl<L: Layer + 'static> From<Vec<L>> for Sequential {
    fn from(layers: Vec<L>) -> Sequential {
        layers.into_iter().collect()
    }
}

/// Shows the parameters, by name, with their shapes.
impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sequential ")?;
        let parameters = self.parameters().into_iter();
        f.debug_map().entries(parameters.map(|(name, p)| (name, p.shape()))).finish()
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
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Sequential,
}

impl Mlp {
    /// From `sizes[0]` inputs to the last size, with relu between layers.
    ///
    /// # Errors
    /// Fewer than two sizes.
    pub fn new(sizes: &[usize], rng: &mut impl Rng) -> Result<Mlp> {
        Mlp::with(sizes, Activation::Relu, None, rng)
    }

    /// With an activation, and with dropout behind each, where a probability is given.
    ///
    /// # Errors
    /// Fewer than two sizes; a probability out of range.
    pub fn with(
        sizes: &[usize],
        activation: Activation,
        dropout: Option<f64>,
        rng: &mut impl Rng,
    ) -> Result<Mlp> {
        if sizes.len() < 2 {
            let (subject, name, given) = ("mlp", "the number of sizes", sizes.len() as f64);
            let expected = "2 or more: that of the input, and that of each layer";
            return Err(Error::Option { subject, name, given, expected });
        }
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
        assert_eq!(model.num_parameters(), 4 * 3 + 3 + 3 * 2 + 2);
        assert!(format!("{model:?}").contains("Sequential {\"0.weight\": [3, 4], \"0.bias\": [3]"));
    }

    #[test]
    fn an_mlp_without_a_layer_is_refused() {
        for sizes in [&[][..], &[4]] {
            let error = Mlp::new(sizes, &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err().to_string();
            assert!(error.contains(&format!("mlp: the number of sizes is {}", sizes.len())));
        }
    }

    #[test]
    fn layers_of_one_type_are_collected_in_their_order() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let model: Sequential =
            [3, 2].map(|n| Linear::new(n, n - 1, &mut rng).unwrap()).into_iter().collect();
        assert_eq!(model.parameters()[2].1.shape()[..], [1, 2]);
    }
}
