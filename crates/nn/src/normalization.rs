//! Normalization layers.

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

/// Normalizes groups of neighboring channels (axis 1) of each example, then scales and shifts.
///
/// # Source
/// Wu and He, Group Normalization, 2018.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    groups: usize,
    weight: Parameter,
    bias: Parameter,
    eps: f64,
}

crate::module!(GroupNorm { weight, bias, .. });

impl GroupNorm {
    /// Over `groups` groups of `channels` channels, with PyTorch's eps of 1e-5.
    ///
    /// # Errors
    /// Groups that do not divide the channels.
    pub fn new(groups: usize, channels: usize) -> Result<GroupNorm> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let (subject, expected) = ("group_norm", "a divisor of the channels");
            let given = groups as f64;
            return Err(Error::Option { subject, name: "groups", given, expected });
        }
        Ok(GroupNorm {
            groups,
            weight: Parameter::new("weight", Tensor::ones([channels], DType::F32)?),
            bias: Parameter::new("bias", Tensor::zeros([channels], DType::F32)?),
            eps: 1e-5,
        })
    }

    /// With another number added to the variance.
    ///
    /// # Errors
    /// One that is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<GroupNorm> {
        Ok(GroupNorm { eps: valid_eps("group_norm", eps)?, ..self })
    }
}

impl Layer for GroupNorm {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("group_norm", || {
            let (weight, bias) = (tape.parameter(&self.weight), tape.parameter(&self.bias));
            x.group_norm(self.groups, Some(weight), Some(bias), self.eps)
        })
    }
}

/// Divides each example by its root mean square over the last axes, then scales.
///
/// # Source
/// Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    shape: Vec<usize>,
    weight: Parameter,
    eps: Option<f64>,
}

crate::module!(RmsNorm { weight, .. });

impl RmsNorm {
    /// Over the last axes, which have the lengths of `shape`, with the machine epsilon as eps.
    pub fn new(shape: &[usize]) -> Result<RmsNorm> {
        let weight = Parameter::new("weight", Tensor::ones(shape, DType::F32)?);
        Ok(RmsNorm { shape: shape.to_vec(), weight, eps: None })
    }

    /// With another number added to the mean square.
    ///
    /// # Errors
    /// One that is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<RmsNorm> {
        Ok(RmsNorm { eps: Some(valid_eps("rms_norm", eps)?), ..self })
    }
}

impl Layer for RmsNorm {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.named_call("rms_norm", || {
            x.rms_norm(&self.shape, Some(tape.parameter(&self.weight)), self.eps)
        })
    }
}

/// Normalizes each channel (axis 1) over the batch; in evaluation, by running statistics.
///
/// A training pass records what the running statistics become; they move when an optimizer's step,
/// or [`Gradients::commit`](lossgraph_autograd::Gradients::commit), has found all numbers finite. On
/// the same tape, an evaluation after it uses what they become.
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

    /// Records that the running statistics move towards those of the batch.
    fn move_statistics(&self, x: Var<'_>) {
        let tape = x.tape();
        for (running, batch) in self.running().into_iter().zip(x.channel_statistics()) {
            let old = tape.state(running);
            tape.assign(running, (1.0 - self.momentum) * old + self.momentum * batch);
        }
    }

    fn running(&self) -> [&Parameter; 2] {
        [&self.running_mean, &self.running_var]
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
                    self.move_statistics(x);
                }
                return y;
            }
            let [mean, var] = self.running().map(|running| tape.state(running));
            x.batch_norm_with(mean, var, Some(weight), Some(bias), self.eps)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::{Sgd, UpdateRule};
    use lossgraph_autograd::{Gradients, Tape};

    /// What a training pass makes of a layer's running statistics.
    fn trained(layer: &BatchNorm, batches: &[[[f64; 2]; 2]]) -> Gradients {
        let tape = Tape::f64();
        let outputs = batches.iter().map(|&batch| layer.forward_train(tape.constant(batch)));
        outputs.map(|y| y.square().sum(..)).sum::<Var<'_>>().backward().unwrap()
    }

    fn statistics(layer: &BatchNorm) -> [Vec<f64>; 2] {
        [layer.running_mean(), layer.running_var()].map(|running| running.value().to_f64s())
    }

    const BATCH: [[f64; 2]; 2] = [[1.0, 10.0], [3.0, 30.0]];

    #[test]
    fn running_statistics_move_towards_those_of_the_batch() {
        let layer = BatchNorm::new(2).unwrap();
        let tape = Tape::f64();
        let x = tape.constant(BATCH);
        let y = layer.forward_train(x);
        assert!((y.value().unwrap().get([0, 0]).unwrap() + 1.0).abs() < 1e-4);
        // On the same tape, the moved statistics are used before they are written.
        let used = layer.forward(x).value().unwrap();
        assert!((used.get([0, 0]).unwrap() - 0.8 / 1.1_f64.sqrt()).abs() < 1e-4);
        y.square().sum(..).backward().unwrap().commit().unwrap();
        let [mean, var] = [&layer.running_mean, &layer.running_var].map(|p| p.value());
        assert!(mean.allclose(&Tensor::from([0.2_f32, 2.0]), 1e-6, 0.0));
        assert!(var.allclose(&Tensor::from([1.1_f32, 20.9]), 1e-6, 0.0));
    }

    #[test]
    fn a_program_that_is_evaluated_moves_no_statistics() {
        let layer = BatchNorm::new(2).unwrap();
        let tape = Tape::f64();
        layer.forward_train(tape.constant(BATCH)).value().unwrap();
        assert_eq!(statistics(&layer), [[0.0, 0.0], [1.0, 1.0]]);
    }

    #[test]
    fn a_refused_step_moves_no_statistics() {
        let layer = BatchNorm::new(2).unwrap();
        let mut sgd = Sgd::default().over(&layer).unwrap();
        for bad in [f64::NAN, f64::INFINITY, 1e200] {
            let gradients = trained(&layer, &[[[1.0, 2.0], [bad, 3.0]]]);
            assert!(sgd.step(&gradients).is_err() && gradients.commit().is_err());
            assert_eq!(statistics(&layer), [[0.0, 0.0], [1.0, 1.0]]);
            assert_eq!(layer.weight().value().to_f64s(), [1.0, 1.0]);
        }
    }

    #[test]
    fn statistics_that_are_not_finite_are_refused_though_no_gradient_shows_them() {
        let layer = BatchNorm::new(2).unwrap();
        let w = Parameter::new("w", 1.0);
        let mut sgd = Sgd::default().over(&w).unwrap();
        let tape = Tape::f64();
        let _ = layer.forward_train(tape.constant([[f64::NAN, 2.0], [1.0, 3.0]]));
        let error = sgd.step(&tape.parameter(&w).square().backward().unwrap()).unwrap_err();
        let expected = "the state `running_mean` would not be finite";
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(w.value().item().unwrap(), 1.0);
    }

    #[test]
    fn a_layer_that_is_used_twice_in_a_program_moves_its_statistics_twice() {
        let [twice, one_by_one] = [(); 2].map(|()| BatchNorm::new(2).unwrap());
        let other = [[5.0, 0.0], [7.0, 1.0]];
        trained(&twice, &[BATCH, other]).commit().unwrap();
        trained(&one_by_one, &[BATCH]).commit().unwrap();
        trained(&one_by_one, &[other]).commit().unwrap();
        for (a, b) in statistics(&twice).iter().zip(statistics(&one_by_one)) {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        assert!((statistics(&twice)[0][0] - (0.9 * 0.2 + 0.1 * 6.0)).abs() < 1e-6);
    }

    #[test]
    fn statistics_of_micro_batches_are_averaged_and_written_once() {
        let layer = BatchNorm::new(2).unwrap();
        let mut sum = trained(&layer, &[BATCH]);
        for batch in [[[5.0, 0.0], [7.0, 0.0]], [[8.0, 4.0], [10.0, 4.0]]] {
            sum.accumulate(&trained(&layer, &[batch])).unwrap();
        }
        for _ in 0..2 {
            sum.commit().unwrap();
            let mean = layer.running_mean().value();
            assert!(mean.allclose(&Tensor::from([1.7 / 3.0, 0.8]).to_dtype(DType::F32), 1e-6, 0.0));
        }
    }

    #[test]
    fn eps_and_momentum_are_what_they_were_set_to() {
        let layer = BatchNorm::new(1).unwrap().with_eps(3.0).unwrap().with_momentum(1.0).unwrap();
        let tape = Tape::f64();
        let x = tape.constant([[1.0], [3.0]]);
        // The variance of 1 and 3 is 1, and (1 − 2)/√(1 + 3) is −½; unbiased, it is 2.
        let y = layer.forward_train(x);
        assert_eq!(y.value().unwrap().to_f64s(), [-0.5, 0.5]);
        y.square().sum(..).backward().unwrap().commit().unwrap();
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
