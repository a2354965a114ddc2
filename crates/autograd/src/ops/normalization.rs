//! Normalisation by mean and variance, or by a norm: composed.

use lossgraph_tensor::{IntoAxes, IntoAxis, keep};

use crate::record::fault::Fault;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// `(x − mean) / √(var + eps)` along `axes`, with the mean squared deviation as variance.
    #[track_caller]
    pub fn standardize(self, axes: impl IntoAxes, eps: f64) -> Var<'t> {
        let _call = self.tape().call("standardize");
        let axes = axes.into_axes();
        let deviation = self.centered(axes.clone());
        deviation * (deviation.square().mean(keep(axes)) + eps).rsqrt()
    }

    /// Layer normalisation over the last axes, those of `shape`: standardises each example, then
    /// scales and shifts by `weight` and `bias` of that shape.
    ///
    /// # Source
    /// Ba, Kiros and Hinton, Layer Normalization, 2016.
    #[track_caller]
    pub fn layer_norm(
        self,
        shape: &[usize],
        weight: Option<Var<'t>>,
        bias: Option<Var<'t>>,
        eps: f64,
    ) -> Var<'t> {
        let _call = self.tape().call("layer_norm");
        if self.is_faulty() {
            return self;
        }
        let [weight, bias] = [weight, bias].map(|of| of.map(|var| self.admit("layer_norm", var)));
        let fits = |var: Var<'t>| var.is_faulty() || var.shape()[..] == *shape;
        if shape.is_empty()
            || !self.shape().ends_with(shape)
            || ![weight, bias].iter().flatten().all(|&v| fits(v))
        {
            let mut fault =
                Fault::new("layer_norm", format!("it normalises trailing axes {shape:?}"))
                    .operand("input", self);
            for (name, var) in [("weight", weight), ("bias", bias)] {
                fault = if let Some(var) = var { fault.operand(name, var) } else { fault };
            }
            return self.tape().fault(fault);
        }
        let axes: Vec<isize> = (1..=shape.len() as isize).map(|axis| -axis).collect();
        let mut y = self.standardize(&axes[..], eps);
        y = weight.map_or(y, |weight| y * weight);
        bias.map_or(y, |bias| y + bias)
    }

    /// `x / max(‖x‖ₚ, eps)` along an axis. Where the norm is below `eps`, it passes no slope.
    #[track_caller]
    pub fn normalize(self, p: f64, axis: impl IntoAxis, eps: f64) -> Var<'t> {
        let _call = self.tape().call("normalize");
        let axis = axis.into_axis();
        self / self.norm(p, keep(axis)).clamp(eps, f64::INFINITY)
    }

    /// Batch normalisation with the statistics of the batch: standardises each channel (axis 1)
    /// over all other axes, then scales and shifts by `weight` and `bias`, one number a channel.
    ///
    /// # Source
    /// Ioffe and Szegedy, Batch Normalization, 2015.
    #[track_caller]
    pub fn batch_norm(self, weight: Option<Var<'t>>, bias: Option<Var<'t>>, eps: f64) -> Var<'t> {
        let _call = self.tape().call("batch_norm");
        match self.check_channels(&[weight, bias]) {
            Err(fault) => fault,
            Ok(()) if self.len() / self.dim(1).max(1) == 1 => self.tape().fault(
                Fault::new("batch_norm", "one value a channel has no variance")
                    .operand("input", self)
                    .cure("train with more than one example, or evaluate with running statistics"),
            ),
            Ok(()) => {
                let axes = self.all_but_channels();
                self.standardize(&axes[..], eps).scale_channels(weight, bias)
            }
        }
    }

    /// Batch normalisation in evaluation: with a given mean and variance a channel.
    #[track_caller]
    pub fn batch_norm_with(
        self,
        mean: Var<'t>,
        var: Var<'t>,
        weight: Option<Var<'t>>,
        bias: Option<Var<'t>>,
        eps: f64,
    ) -> Var<'t> {
        let _call = self.tape().call("batch_norm_with");
        match self.check_channels(&[Some(mean), Some(var), weight, bias]) {
            Ok(()) => {
                let scale = (var + eps).rsqrt();
                let y = (self - mean.as_channels(self)) * scale.as_channels(self);
                y.scale_channels(weight, bias)
            }
            Err(fault) => fault,
        }
    }

    /// The mean and the unbiased variance of each channel (axis 1), as running statistics are fed
    /// with. The plan computes them once for these and for [`batch_norm`](Var::batch_norm).
    #[track_caller]
    pub fn channel_statistics(self) -> [Var<'t>; 2] {
        let _call = self.tape().call("channel_statistics");
        match self.check_channels(&[]) {
            Err(fault) => [fault; 2],
            Ok(()) => {
                let axes = self.all_but_channels();
                [self.mean(&axes[..]), self.var(&axes[..], 1.0)]
            }
        }
    }

    #[track_caller]
    fn check_channels(self, vectors: &[Option<Var<'t>>]) -> Result<(), Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        let mut admitted = vectors.iter().flatten().map(|&v| self.admit("batch_norm", v));
        if let Some(faulty) = admitted.find(|v| v.is_faulty()) {
            return Err(faulty);
        }
        let given = vectors.iter().flatten();
        let odd = given.clone().find(|v| !v.is_faulty() && v.shape()[..] != [self.dim(1)]);
        match odd {
            _ if self.rank() < 2 => Err(self.tape().fault(
                Fault::new("batch_norm", "the input is [batch, channels, …]")
                    .operand("input", self),
            )),
            Some(&odd) => Err(self.tape().fault(
                Fault::new("batch_norm", "one number for each channel (axis 1)")
                    .operand("input", self)
                    .operand("given", odd),
            )),
            None => Ok(()),
        }
    }

    fn all_but_channels(self) -> Vec<isize> {
        (0..self.rank() as isize).filter(|&axis| axis != 1).collect()
    }

    /// A vector with one number a channel, shaped to broadcast against `like`.
    #[track_caller]
    fn as_channels(self, like: Var<'t>) -> Var<'t> {
        let mut dims = vec![1; like.rank()];
        dims[1] = self.len();
        self.reshape(dims)
    }

    #[track_caller]
    fn scale_channels(self, weight: Option<Var<'t>>, bias: Option<Var<'t>>) -> Var<'t> {
        let y = weight.map_or(self, |weight| self * weight.as_channels(self));
        bias.map_or(y, |bias| y + bias.as_channels(self))
    }
}
