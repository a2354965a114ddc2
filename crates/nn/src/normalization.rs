//! Normalization layers.

use std::sync::{Arc, Mutex};

use lossgraph_autograd::{Parameter, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::error::{Error, Result};
use crate::layer::{Layer, Mode};

/// Normalizes each example over its last axes, then scales and shifts.
///
/// # Source
/// Ba, Kiros and Hinton, Layer Normalization, 2016.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    shape: Vec<usize>,
    weight: Parameter,
    bias: Parameter,
    eps: f64,
}

crate::module!(LayerNorm { weight, bias, .. });

impl LayerNorm {
    /// Over the last axes, which have the lengths of `shape`, with PyTorch's eps of 1e-5.
    pub fn new(shape: &[usize]) -> Result<LayerNorm> {
        Ok(LayerNorm {
            shape: shape.to_vec(),
            weight: Parameter::new("weight", Tensor::ones(shape, DType::F32)?),
            bias: Parameter::new("bias", Tensor::zeros(shape, DType::F32)?),
            eps: 1e-5,
        })
    }

    /// With another number added to the variance.
    ///
    /// # Errors
    /// One that is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<LayerNorm> {
        Ok(LayerNorm { eps: valid_eps("layer_norm", eps)?, ..self })
    }

    /// The scale, of the shape that is normalized over.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }

    /// The shift, of the shape that is normalized over.
    pub fn bias(&self) -> &Parameter {
        &self.bias
    }
}

fn valid_eps(subject: &'static str, eps: f64) -> Result<f64> {
    match eps >= 0.0 && eps.is_finite() {
        true => Ok(eps),
        false => {
            let expected = "0 or more, and finite";
            Err(Error::Option { subject, name: "eps", given: eps, expected })
        }
    }
}

impl Layer for LayerNorm {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("layer_norm", || {
            let (weight, bias) = (tape.parameter(&self.weight), tape.parameter(&self.bias));
            x.layer_norm(&self.shape, Some(weight), Some(bias), self.eps)
        })
    }
}

/// Normalizes each channel (axis 1) over the batch; in evaluation, by running statistics.
///
/// # Source
/// Ioffe and Szegedy, Batch Normalization, 2015.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    weight: Parameter,
    bias: Parameter,
    running_mean: Parameter,
    running_var: Parameter,
    momentum: f64,
    eps: f64,
    /// Two threads must not mix their updates of the statistics.
    updating: Arc<Mutex<()>>,
}

crate::module!(BatchNorm { weight, bias, .. } buffers { running_mean, running_var });

impl BatchNorm {
    /// Over `channels` channels, with PyTorch's momentum of 0.1 and eps of 1e-5.
    pub fn new(channels: usize) -> Result<BatchNorm> {
        let vector = |name: &str, value: f64| -> Result<Parameter> {
            Ok(Parameter::new(name, Tensor::full([channels], value, DType::F32)?))
        };
        Ok(BatchNorm {
            weight: vector("weight", 1.0)?,
            bias: vector("bias", 0.0)?,
            running_mean: vector("running_mean", 0.0)?,
            running_var: vector("running_var", 1.0)?,
            momentum: 0.1,
            eps: 1e-5,
            updating: Arc::default(),
        })
    }

    /// With another number added to the variance.
    ///
    /// # Errors
    /// One that is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<BatchNorm> {
        Ok(BatchNorm { eps: valid_eps("batch_norm", eps)?, ..self })
    }

    /// With another momentum, the weight of a batch in the running statistics.
    ///
    /// # Errors
    /// One that is not between 0 and 1.
    pub fn with_momentum(self, momentum: f64) -> Result<BatchNorm> {
        if !(0.0..=1.0).contains(&momentum) {
            let (subject, name, expected) = ("batch_norm", "momentum", "between 0 and 1");
            return Err(Error::Option { subject, name, given: momentum, expected });
        }
        Ok(BatchNorm { momentum, ..self })
    }

    /// The scale of each channel.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }

    /// The shift of each channel.
    pub fn bias(&self) -> &Parameter {
        &self.bias
    }

    /// The mean of each channel that evaluation uses.
    pub fn running_mean(&self) -> &Parameter {
        &self.running_mean
    }

    /// The variance of each channel that evaluation uses.
    pub fn running_var(&self) -> &Parameter {
        &self.running_var
    }

    /// Moves the running statistics towards those of the batch. They are computed here and now, since
    /// the tape may never be evaluated; an error in `x` is reported when it is.
    fn update(&self, x: Var<'_>) {
        let _guard = self.updating.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Ok((mean, var)) = x.channel_statistics() else { return };
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, var)] {
            let old = running.value();
            let mixed = old.to_f64s().into_iter().zip(batch.to_f64s());
            let mixed = mixed.map(|(old, new)| (1.0 - self.momentum) * old + self.momentum * new);
            if let Ok(new) = Tensor::new(old.shape().clone(), mixed.collect::<Vec<f64>>()) {
                running.update(|value| *value = new.to_dtype(old.dtype()));
            }
        }
    }
}

impl Layer for BatchNorm {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("batch_norm", || {
            let (weight, bias) = (tape.parameter(&self.weight), tape.parameter(&self.bias));
            if mode == Mode::Train {
                let y = x.batch_norm(Some(weight), Some(bias), self.eps);
                if !y.is_faulty() {
                    self.update(x);
                }
                return y;
            }
            let [mean, var] =
                [&self.running_mean, &self.running_var].map(|p| tape.constant(p.value()));
            x.batch_norm_with(mean, var, Some(weight), Some(bias), self.eps)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Tape;

    #[test]
    fn running_statistics_move_towards_those_of_the_batch() {
        let layer = BatchNorm::new(2).unwrap();
        let tape = Tape::f64();
        let x = tape.constant([[1.0, 10.0], [3.0, 30.0]]);
        let y = layer.forward_train(x).value().unwrap();
        assert!((y.get([0, 0]).unwrap() + 1.0).abs() < 1e-4);
        let [mean, var] = [&layer.running_mean, &layer.running_var].map(|p| p.value());
        assert!(mean.allclose(&Tensor::from([0.2_f32, 2.0]), 1e-6, 0.0));
        assert!(var.allclose(&Tensor::from([1.1_f32, 20.9]), 1e-6, 0.0));
        let used = layer.forward(x).value().unwrap();
        assert!((used.get([0, 0]).unwrap() - 0.8 / 1.1_f64.sqrt()).abs() < 1e-4);
    }

    #[test]
    fn eps_and_momentum_are_what_they_were_set_to() {
        let layer = BatchNorm::new(1).unwrap().with_eps(3.0).unwrap().with_momentum(1.0).unwrap();
        let tape = Tape::f64();
        let x = tape.constant([[1.0], [3.0]]);
        // The variance of 1 and 3 is 1, and (1 − 2)/√(1 + 3) is −½; unbiased, it is 2.
        assert_eq!(layer.forward_train(x).value().unwrap().to_f64s(), [-0.5, 0.5]);
        assert_eq!(layer.running_mean().value().to_f64s(), [2.0]);
        assert_eq!(layer.running_var().value().to_f64s(), [2.0]);
        let norm = LayerNorm::new(&[2]).unwrap().with_eps(3.0).unwrap();
        let y = norm.forward(tape.constant([1.0, 3.0]));
        assert_eq!(y.value().unwrap().to_f64s(), [-0.5, 0.5]);
        assert!(norm.with_eps(-1.0).is_err() && layer.clone().with_eps(f64::NAN).is_err());
        assert!(layer.with_momentum(1.5).is_err());
    }

    #[test]
    fn one_example_has_no_variance() {
        let tape = Tape::f64();
        let y = BatchNorm::new(2).unwrap().forward_train(tape.constant([[1.0, 2.0]]));
        assert!(y.value().is_err());
    }
}
