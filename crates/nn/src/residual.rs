//! Residual connections.

use std::fmt;
use std::sync::Arc;

use lossgraph_autograd::{Fault, Var};

use crate::layer::{Layer, Mode};
use crate::module::Module;

/// What a layer makes of its input, added to the input: `x + inner(x)`; with a shortcut,
/// `shortcut(x) + inner(x)`.
///
/// ```
/// use lossgraph_autograd::{Conv, Padding, Tape};
/// use lossgraph_nn::{Activation, BatchNorm, Conv2d, Layer, Residual, Sequential};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(0);
/// let same = Conv { padding: Padding::Same, ..Conv::default() };
/// let inner = Sequential::new()
///     .then(Conv2d::with(4, 8, [3, 3], same, &mut rng)?.without_bias())
///     .then(BatchNorm::new(8)?)
///     .then(Activation::Relu);
/// // More channels come out than go in, so the input needs a layer, too.
/// let block = Residual::new(inner).with_shortcut(Conv2d::new(4, 8, 1, &mut rng)?);
/// let tape = Tape::new();
/// assert_eq!(block.forward_train(tape.fill([2, 4, 6, 6], 1.0)).shape()[..], [2, 8, 6, 6]);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
///
/// # Source
/// He et al., Deep Residual Learning for Image Recognition, 2016.
#[doc(alias = "skip connection")]
#[derive(Clone)]
pub struct Residual {
    inner: Arc<dyn Layer>,
    shortcut: Option<Arc<dyn Layer>>,
}

crate::module!(Residual { inner, shortcut });

impl Residual {
    /// Around a layer whose output has the shape of its input.
    pub fn new(inner: impl Layer + 'static) -> Residual {
        Residual { inner: Arc::new(inner), shortcut: None }
    }

    /// With a layer on the other way, for an inner one that changes the shape.
    #[doc(alias = "downsample")]
    #[must_use = "it gives the layer back"]
    pub fn with_shortcut(self, shortcut: impl Layer + 'static) -> Residual {
        Residual { shortcut: Some(Arc::new(shortcut)), ..self }
    }
}

impl Layer for Residual {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        let tape = x.tape();
        let (inner, around, sum) = tape.scope("residual", || {
            let inner = self.inner.record(x, mode);
            let around = self.shortcut.as_ref().map_or(x, |layer| layer.record(x, mode));
            // A sum would broadcast.
            let fits = inner.shape() == around.shape();
            // The sum alone is ours: what the layers record has lines of its own.
            (inner, around, fits.then(|| tape.unnamed_call(|| around + inner)))
        });
        if let Some(&faulty) = [inner, around].iter().find(|var| var.is_faulty()) {
            return faulty;
        }
        sum.unwrap_or_else(|| {
            let why = "the shapes of both ways differ";
            let fault = Fault::new("residual", why).operand("inner", inner);
            let cure = "a shortcut that gives the shape of the inner layer's output";
            let fault = fault.operand("shortcut", around).cure(cure);
            tape.unnamed_call(|| tape.fault(fault))
        })
    }
}

/// Shows the parameters, by name, with their shapes.
impl fmt::Debug for Residual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Residual ")?;
        let parameters = self.parameters().into_iter();
        f.debug_map().entries(parameters.map(|(name, p)| (name, p.shape()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, Linear};
    use lossgraph_autograd::Tape;
    use lossgraph_tensor::Tensor;

    fn linear(weight: &[[f64; 2]]) -> Linear {
        Linear::of(Tensor::from(weight.to_vec()), None)
    }

    #[test]
    fn the_input_is_added_to_what_the_inner_layer_makes_of_it() {
        let tape = Tape::f64();
        let x = tape.constant([[1.0, -2.0]]);
        let y = Residual::new(Activation::Relu).forward(x);
        assert_eq!(y.value().unwrap().to_f64s(), [2.0, -2.0]);
        let shortcut = linear(&[[1.0, 1.0]]);
        let block = Residual::new(linear(&[[2.0, 0.0]])).with_shortcut(shortcut);
        assert_eq!(block.forward(x).value().unwrap().to_f64s(), [1.0]);
        let names: Vec<String> = block.parameters().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["inner.weight", "shortcut.weight"]);
        let shown = "Residual {\"inner.weight\": [1, 2], \"shortcut.weight\": [1, 2]}";
        assert_eq!(format!("{block:?}"), shown);
    }

    #[test]
    fn an_inner_layer_that_changes_the_shape_is_refused_even_where_a_sum_would_broadcast() {
        let tape = Tape::f64();
        let block = Residual::new(linear(&[[2.0, 0.0]]));
        let error = block.forward(tape.constant([[1.0, -2.0]])).value().unwrap_err().to_string();
        let expected = "residual: inner [1, 1] and shortcut [1, 2]: the shapes of both ways differ";
        assert!(error.starts_with(expected), "{error}");
    }
}
