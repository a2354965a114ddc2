//! Normalization layers.

use std::sync::Mutex;

use lossgraph_autograd::{Parameter, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::error::Result;
use crate::layer::{Layer, Mode, named};

/// Normalizes each example over its last axes, then scales and shifts.
///
/// # Source
/// Ba, Kiros and Hinton, Layer Normalization, 2016.
#[derive(Debug)]
pub struct LayerNorm {
    shape: Vec<usize>,
    weight: Parameter,
    bias: Parameter,
    eps: f64,
}

impl LayerNorm {
    /// Over the last axes, which have the lengths of `shape`.
    pub fn new(shape: &[usize]) -> Result<LayerNorm> {
        Ok(LayerNorm {
            shape: shape.to_vec(),
            weight: Parameter::new("weight", Tensor::ones(shape, DType::F32)?),
            bias: Parameter::new("bias", Tensor::zeros(shape, DType::F32)?),
            eps: 1e-5,
        })
    }
}

impl Layer for LayerNorm {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.scope("layer_norm", || {
            let (weight, bias) = (tape.parameter(&self.weight), tape.parameter(&self.bias));
            x.layer_norm(&self.shape, Some(weight), Some(bias), self.eps)
        })
    }

    fn parameters(&self) -> Vec<(String, Parameter)> {
        named([&self.weight, &self.bias].into_iter())
    }
}

/// Normalizes each channel (axis 1) over the batch; in evaluation, by running statistics.
///
/// # Source
/// Ioffe and Szegedy, Batch Normalization, 2015.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Parameter,
    bias: Parameter,
    running_mean: Parameter,
    running_var: Parameter,
    momentum: f64,
    eps: f64,
    /// Two threads must not mix their updates of the statistics.
    updating: Mutex<()>,
}

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
            updating: Mutex::new(()),
        })
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
    fn record<'t>(&self, x: Var<'t>, mode: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.scope("batch_norm", || {
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

    fn parameters(&self) -> Vec<(String, Parameter)> {
        named([&self.weight, &self.bias].into_iter())
    }

    fn buffers(&self) -> Vec<(String, Parameter)> {
        named([&self.running_mean, &self.running_var].into_iter())
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
    fn one_example_has_no_variance() {
        let tape = Tape::f64();
        let y = BatchNorm::new(2).unwrap().forward_train(tape.constant([[1.0, 2.0]]));
        assert!(y.value().is_err());
    }
}
