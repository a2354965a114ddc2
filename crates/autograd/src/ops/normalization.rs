//! Normalisation by mean and variance, or by a norm: composed.

use lossgraph_tensor::{DType, IntoAxes, IntoAxis, Window, keep};

use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
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
        let axes = match self.trailing("layer_norm", shape, &[("weight", weight), ("bias", bias)]) {
            Ok(axes) => axes,
            Err(fault) => return fault,
        };
        let mut y = self.standardize(&axes[..], eps);
        y = weight.map_or(y, |weight| y * weight);
        bias.map_or(y, |bias| y + bias)
    }

    /// The axes of trailing lengths `shape`, which the other operands have as well, or what is wrong.
    #[track_caller]
    fn trailing(
        self,
        name: &str,
        shape: &[usize],
        others: &[(&str, Option<Var<'t>>)],
    ) -> Result<Vec<isize>, Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        let given = others.iter().filter_map(|&(name, other)| Some((name, other?)));
        let mut fits = !shape.is_empty() && self.shape().ends_with(shape);
        for (_, other) in given.clone() {
            let other = self.admit(name, other);
            if other.is_faulty() {
                return Err(other);
            }
            fits &= other.shape()[..] == *shape;
        }
        if fits {
            return Ok((1..=shape.len() as isize).map(|axis| -axis).collect());
        }
        let why = format!("it normalises trailing axes {shape:?}");
        let fault = given
            .fold(Fault::new(name, why).operand("input", self), |fault, (name, var)| {
                fault.operand(name, var)
            });
        Err(self.tape().fault(fault))
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
        match self.check_channels("batch_norm", &[weight, bias]) {
            Err(fault) => fault,
            Ok(()) if self.len() / self.dim(1).max(1) == 1 => {
                let cure = "train with more than one example, or evaluate with running statistics";
                self.one_value("batch_norm", "channel", cure)
            }
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
        match self.check_channels("batch_norm", &[Some(mean), Some(var), weight, bias]) {
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
        match self.check_channels("batch_norm", &[]) {
            Err(fault) => [fault; 2],
            Ok(()) => {
                let axes = self.all_but_channels();
                [self.mean(&axes[..]), self.var(&axes[..], 1.0)]
            }
        }
    }

    /// Group normalisation: standardises groups of neighbouring channels (axis 1) of each example, then
    /// scales and shifts by `weight` and `bias`, one number a channel.
    ///
    /// # Errors
    /// Recorded as faults: no channels, groups that do not divide them, another number of weights, or
    /// one value a group in all.
    ///
    /// # Source
    /// Wu and He, Group Normalization, 2018.
    #[track_caller]
    pub fn group_norm(
        self,
        groups: usize,
        weight: Option<Var<'t>>,
        bias: Option<Var<'t>>,
        eps: f64,
    ) -> Var<'t> {
        let _call = self.tape().call("group_norm");
        if let Err(fault) = self.check_channels("group_norm", &[weight, bias]) {
            return fault;
        }
        let channels = self.dim(1);
        if groups == 0 || !channels.is_multiple_of(groups) {
            let why = format!("{groups} groups do not divide the channels (axis 1)");
            let fault = Fault::new("group_norm", why).operand("input", self);
            return self.tape().fault(fault.cure(format!("a divisor of {channels}")));
        }
        if self.len() == groups {
            return self.one_value("group_norm", "group", "more channels in a group");
        }
        let rest: usize = self.shape()[2..].iter().product();
        let each = channels / groups * rest;
        let y = self.reshape([self.dim(0), groups, each]).standardize(-1, eps);
        y.reshape(self.shape()).scale_channels(weight, bias)
    }

    /// Instance normalisation: standardises each channel (axis 1) of each example, then scales and
    /// shifts by `weight` and `bias`, one number a channel.
    ///
    /// # Errors
    /// Recorded as faults: fewer than three axes, another number of weights, or one value a channel.
    ///
    /// # Source
    /// Ulyanov, Vedaldi and Lempitsky, Instance Normalization, 2016.
    #[track_caller]
    pub fn instance_norm(
        self,
        weight: Option<Var<'t>>,
        bias: Option<Var<'t>>,
        eps: f64,
    ) -> Var<'t> {
        let _call = self.tape().call("instance_norm");
        if let Err(fault) = self.check_channels("instance_norm", &[weight, bias]) {
            return fault;
        }
        if self.shape()[2..].iter().product::<usize>() == 1 {
            return self.one_value(
                "instance_norm",
                "channel",
                "an input of [batch, channels, length]",
            );
        }
        let axes: Vec<isize> = (2..self.rank() as isize).collect();
        self.standardize(&axes[..], eps).scale_channels(weight, bias)
    }

    /// Normalisation by the root of the mean square over the last axes, those of `shape`, then scaled by
    /// `weight` of that shape.
    ///
    /// ```text
    /// x / √(mean x² + eps) · w
    /// ```
    ///
    /// Without an `eps`, it is the machine epsilon of the tape's type, as in PyTorch.
    ///
    /// # Errors
    /// Recorded as faults: trailing axes or a weight of another shape.
    ///
    /// # Source
    /// Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
    #[track_caller]
    pub fn rms_norm(
        self,
        shape: &[usize],
        weight: Option<Var<'t>>,
        eps: impl Into<Option<f64>>,
    ) -> Var<'t> {
        let _call = self.tape().call("rms_norm");
        let axes = match self.trailing("rms_norm", shape, &[("weight", weight)]) {
            Ok(axes) => axes,
            Err(fault) => return fault,
        };
        let epsilon = match self.tape().dtype() {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        let x = self.to_float();
        let y = x * (x.square().mean(keep(&axes[..])) + eps.into().unwrap_or(epsilon)).rsqrt();
        weight.map_or(y, |weight| y * weight)
    }

    /// Normalisation by the squares of `size` neighbouring channels (axis 1).
    ///
    /// ```text
    /// x / (k + α/size · Σ x²)^β    over the channels from c − ⌊size/2⌋ on
    /// ```
    ///
    /// What lies beside the channels is 0. PyTorch's defaults are α = 1e-4, β = 0.75 and k = 1.
    ///
    /// # Errors
    /// Recorded as faults: fewer than three axes, or a size of 0.
    ///
    /// # Source
    /// Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural
    /// Networks, 2012.
    #[track_caller]
    pub fn local_response_norm(self, size: usize, alpha: f64, beta: f64, k: f64) -> Var<'t> {
        let _call = self.tape().call("local_response_norm");
        if self.is_faulty() {
            return self;
        }
        if self.rank() < 3 || size == 0 {
            let why = "it takes channels (axis 1) of at least one axis, and a size of 1 or more";
            let fault = Fault::new("local_response_norm", why).operand("input", self);
            return self.tape().fault(fault.cure("an input of [batch, channels, length]"));
        }
        let x = self.to_float();
        let mut around = vec![(0, 0); x.rank()];
        around[1] = (size / 2, (size - 1) / 2);
        let window = Window { size, stride: 1, dilation: 1 };
        let squares = x.square().pad(&around, 0.0).windows(1, window).sum(-1);
        x / (squares * (alpha / size as f64) + k).powf(beta)
    }

    /// The fault of standardising a single value.
    #[track_caller]
    fn one_value(self, name: &str, of: &str, cure: &str) -> Var<'t> {
        let fault = Fault::new(name, format!("one value a {of} has no variance"));
        self.tape().fault(fault.operand("input", self).cure(cure))
    }

    #[track_caller]
    fn check_channels(self, name: &str, vectors: &[Option<Var<'t>>]) -> Result<(), Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        let mut admitted = vectors.iter().flatten().map(|&v| self.admit(name, v));
        if let Some(faulty) = admitted.find(|v| v.is_faulty()) {
            return Err(faulty);
        }
        let given = vectors.iter().flatten();
        let odd = given.clone().find(|v| !v.is_faulty() && v.shape()[..] != [self.dim(1)]);
        match odd {
            _ if self.rank() < 2 => Err(self.tape().fault(
                Fault::new(name, "the input is [batch, channels, …]").operand("input", self),
            )),
            Some(&odd) => Err(self.tape().fault(
                Fault::new(name, "one number for each channel (axis 1)")
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

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("normalize", "composed", "x / max(‖x‖ₚ, ε)", &[CUBE], |x| {
        x[0].normalize(2.0, 1, 1e-12)
    }),
    op(
        "group_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[Floats(&[2, 4, 3], AROUND), Floats(&[4], AROUND), Floats(&[4], AROUND)],
        |x| x[0].group_norm(2, Some(x[1]), Some(x[2]), 1e-5),
    ),
    op(
        "instance_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[CUBE, Floats(&[3], AROUND), Floats(&[3], AROUND)],
        |x| x[0].instance_norm(Some(x[1]), Some(x[2]), 1e-5),
    ),
    op("rms_norm", "composed", "x/√(mean x² + ε) · w", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].rms_norm(&[4], Some(x[1]), None)
    }),
    op("local_response_norm", "composed", "x/(k + α mean x²)^β", &[CUBE], |x| {
        x[0].local_response_norm(2, 0.5, 0.75, 1.0)
    }),
    op(
        "layer_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[CUBE, Floats(&[4], AROUND), Floats(&[4], AROUND)],
        |x| x[0].layer_norm(&[4], Some(x[1]), Some(x[2]), 1e-5),
    ),
    op(
        "batch_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[CUBE, Floats(&[3], AROUND), Floats(&[3], AROUND)],
        |x| x[0].batch_norm(Some(x[1]), Some(x[2]), 1e-5),
    ),
];
