//! Linear layers and convolutions.
//!
//! A convolution is one of three products that take a sum with three factors apart: images `x`,
//! weights `w` and results `y`, at positions `p` and elements `k` of a window with stride `s` and
//! dilation `d`:
//!
//! ```text
//! T(x, w, y) = Σ x[n, i, s·p + d·k − padding] · w[o, i, k] · y[n, o, p]
//! ```
//!
//! `T` is linear in each factor, and a product of two is its slope by the third. So a cotangent of
//! a product stands in for the factor that the product stands for, and the family is closed
//! under differentiation.

use lossgraph_tensor::kernels::Convolution;
use lossgraph_tensor::{Shape, Tensor, Window};
use smallvec::smallvec;

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule};
use super::table::{AROUND, Row, Sample::Floats, op};
use crate::ops::op::{Op, listed};
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The family of convolutions: the product of two factors that has the shape of the third.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Convolve {
    pub gives: Factor,
    pub by: Convolution,
}

/// The factors, in the order in which they are inputs.
///
/// After images and weights may come a bias, with which the sum of each result begins. So it does in
/// PyTorch: windows that tie there, and share the slope of a maximum, tie here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Factor {
    Images,
    Weights,
    Results,
}

impl Family for Convolve {
    fn name(&self) -> &'static str {
        match self.gives {
            Factor::Images => "convolve_images",
            Factor::Weights => "convolve_weights",
            Factor::Results => "convolve",
        }
    }

    fn attributes(&self) -> String {
        let Convolution { windows, padding, groups } = self.by;
        let strides = windows.iter().map(|window| window.stride);
        format!("stride {}, padding {}, groups {groups}", listed(strides), listed(padding))
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    /// `∂L/∂a = ∂T/∂a` with the cotangent for what was given; `∂L/∂bias = Σ G`.
    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, inputs) = (rule.g, rule.inputs);
        let [a, b] = match self.gives {
            Factor::Images => [Factor::Weights, Factor::Results],
            Factor::Weights => [Factor::Images, Factor::Results],
            Factor::Results => [Factor::Images, Factor::Weights],
        };
        let slope = |factor: Factor, at: usize, other: (Factor, Var<'t>)| {
            let mut factors = [(self.gives, g), other];
            factors.sort_by_key(|&(factor, _)| factor);
            let op = Op::Convolve(Convolve { gives: factor, by: self.by });
            g.tape().record(op, &factors.map(|(_, x)| x), inputs[at].shape(), g.dtype())
        };
        let mut cotangents: Cotangents<'t> = smallvec![
            rule.when(0, || slope(a, 0, (b, inputs[1]))),
            rule.when(1, || slope(b, 1, (a, inputs[0]))),
        ];
        // The bias.
        cotangents.extend(inputs.get(2).map(|_| rule.when(2, || g.sum([0, 2, 3]))));
        cotangents
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        let [a, b] = [inputs[0], inputs[1]];
        match self.gives {
            Factor::Images => self.by.images(a, b, out),
            Factor::Weights => self.by.weights(a, b, out),
            Factor::Results => self.by.results(a, b, inputs.get(2).copied(), out),
        }
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

/// The options of a convolution over `N` axes: by default a stride of 1, no padding, a dilation of
/// 1, and one group.
///
/// Along each axis, the output has as many positions as windows fit:
///
/// ```text
/// reach  = dilation·(size − 1) + 1
/// length = ⌊(length + padding on both sides − reach) / stride⌋ + 1
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv<const N: usize> {
    /// How far the window moves.
    pub stride: [usize; N],
    /// Zeros around the input.
    pub padding: Padding<N>,
    /// The distance of neighbours in the window.
    pub dilation: [usize; N],
    /// Groups of channels that do not mix: the first of the output see the first of the input, and
    /// so on. With as many groups as channels, each channel is filtered by itself.
    #[doc(alias = "depthwise")]
    pub groups: usize,
}

/// How many zeros stand around the input of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const N: usize> {
    /// So many on both sides of each axis.
    Each([usize; N]),
    /// As many as make the output as long as the input, which takes a stride of 1: `reach − 1` in
    /// all. Of an odd number, the one more stands behind.
    Same,
}

impl<const N: usize> Default for Conv<N> {
    fn default() -> Conv<N> {
        let padding = Padding::Each([0; N]);
        Conv { stride: [1; N], padding, dilation: [1; N], groups: 1 }
    }
}

impl<'t> Var<'t> {
    /// `x Wᵀ + b`: `x` is `[…, in]`, the weight `[out, in]`, the bias `[out]`.
    ///
    /// # Errors
    /// Recorded as faults: a last axis of `x` that is not as long as the weight's, a bias that does
    /// not broadcast to the result.
    #[track_caller]
    pub fn linear(self, weight: Var<'t>, bias: Option<Var<'t>>) -> Var<'t> {
        let _call = self.tape().call("linear");
        let weight = self.admit("linear", weight);
        let faulty = self.is_faulty() || weight.is_faulty();
        if !faulty && weight.rank() == 2 && self.shape().last() != weight.shape().last() {
            let [outputs, inputs] = [weight.dim(0), weight.dim(1)];
            let why = format!("the input's last axis must have length {inputs}");
            let fault = Fault::new("linear", why).operand("input", self).operand("weight", weight);
            let features = self.len() / self.dim(0).max(1);
            return self.tape().fault(match self.shape().last() {
                _ if self.rank() > 2 && features == inputs => {
                    fault.cure(format!("x.reshape([{}, {inputs}]), or Flatten", self.dim(0)))
                }
                Some(last) => fault.cure(format!("a weight of [{outputs}, {last}]")),
                None => fault,
            });
        }
        let product =
            if weight.rank() == 2 { self.matmul(weight.t()) } else { self.matmul(weight) };
        bias.map_or(product, |bias| product + bias)
    }

    /// Cross-correlation along one axis: [`Var::conv2d`] with one axis less.
    ///
    /// `x` is `[batch, in, length]` (or without batch), the weight `[out, in / groups, size]`, the
    /// bias `[out]`, the result `[batch, out, length]` (or without batch).
    ///
    /// # Errors
    /// As for [`Var::conv2d`].
    #[track_caller]
    pub fn conv1d(self, weight: Var<'t>, bias: Option<Var<'t>>, options: Conv<1>) -> Var<'t> {
        let _call = self.tape().call("conv1d");
        self.conv("conv1d", weight, bias, options)
    }

    /// Cross-correlation along two axes, at positions `p` with elements `k` of a window.
    ///
    /// ```text
    /// y[n, o, p] = b[o] + Σ x[n, i, stride·p + dilation·k − padding] · w[o, i, k]
    /// ∂L/∂x[n, i, q] = Σ w[o, i, k] · ∂L/∂y[n, o, p]    over stride·p + dilation·k − padding = q
    /// ∂L/∂w[o, i, k] = Σ x[n, i, stride·p + dilation·k − padding] · ∂L/∂y[n, o, p]
    /// ∂L/∂b[o] = Σ ∂L/∂y[n, o, p]
    /// ```
    ///
    /// Only channels `i` and `o` of the same group meet, and beside the axes `x` is 0.
    ///
    /// `x` is `[batch, in, height, width]` (or without batch), the weight
    /// `[out, in / groups, size, size]`, the bias `[out]`, the result `[batch, out, height, width]`
    /// (or without batch).
    ///
    /// ```
    /// use lossgraph_autograd::{Conv, Padding, Tape};
    /// use lossgraph_tensor::Tensor;
    ///
    /// let tape = Tape::f64();
    /// let x = tape.variable([[[1.0, 2.0, 3.0]]]);
    /// let w = tape.variable(Tensor::from([10.0, 1.0]).reshape([1, 1, 1, 2])?);
    /// let y = x.conv2d(w, None, Conv { padding: Padding::Same, ..Conv::default() });
    /// assert_eq!(y.value()?.to_f64s(), [12.0, 23.0, 30.0]);
    /// let [dx, dw] = [x, w].map(|v| tape.grad(y.sum(..), &[v])[0]);
    /// assert_eq!(dx.value()?.to_f64s(), [10.0, 11.0, 11.0]);
    /// assert_eq!(dw.value()?.to_f64s(), [6.0, 5.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Ranks or a bias that do not fit, groups that do not divide the channels, a stride or a
    /// dilation of 0, a window larger than the padded input, or [`Padding::Same`] with another
    /// stride than 1, are a fault.
    #[track_caller]
    pub fn conv2d(self, weight: Var<'t>, bias: Option<Var<'t>>, options: Conv<2>) -> Var<'t> {
        let _call = self.tape().call("conv2d");
        self.conv("conv2d", weight, bias, options)
    }

    #[track_caller]
    fn conv<const N: usize>(
        self,
        name: &str,
        weight: Var<'t>,
        bias: Option<Var<'t>>,
        options: Conv<N>,
    ) -> Var<'t> {
        let weight = self.admit(name, weight);
        let bias = bias.map(|bias| self.admit(name, bias));
        if let Some(faulty) =
            [Some(self), Some(weight), bias].into_iter().flatten().find(|x| x.is_faulty())
        {
            return faulty;
        }
        let refuse = |why: &str, cure: &str| {
            let fault = Fault::new(name, why).operand("input", self).operand("weight", weight);
            self.tape().fault(fault.cure(cure))
        };
        if self.rank() == N + 1 {
            return self.unsqueeze(0).conv(name, weight, bias, options).squeeze(0);
        }
        if self.rank() != N + 2 || weight.rank() != N + 2 {
            let lengths = if N == 1 { "length" } else { "height, width" };
            let cure = format!(
                "an input of [batch, channels, {lengths}], a weight of [out, channels, {lengths}]"
            );
            return refuse("the ranks do not fit", &cure);
        }
        let Conv { stride, dilation, groups, .. } = options;
        let [channels, out, each] = [self.dim(1), weight.dim(0), weight.dim(1)];
        if groups == 0 || out % groups != 0 || channels % groups != 0 {
            let cure = format!("as many groups as divide both {channels} and {out}");
            return refuse(&format!("{groups} groups do not divide the channels"), &cure);
        }
        if each != channels / groups {
            let of =
                if groups == 1 { String::new() } else { format!(" in each of {groups} groups") };
            let (given, mut fitting) = (channels / groups, weight.shape().to_vec());
            fitting[1] = given;
            return refuse(
                &format!("the input has {given} channels{of}, and the weight takes {each}"),
                &format!("a weight of {fitting:?}; the channels are axis 1 of the input"),
            );
        }
        if stride.contains(&0) || dilation.contains(&0) {
            return refuse("a stride or a dilation is 0", "1, which leaves out nothing");
        }
        if let Some(bias) = bias.filter(|bias| bias.shape()[..] != [out]) {
            let why = format!("one bias for each of the {out} channels");
            let fault = Fault::new(name, why).operand("bias", bias);
            return self.tape().fault(fault.cure(format!("a bias of [{out}]")));
        }
        // One axis is the second of two, the first of which has length 1.
        let mut windows = [Window { size: 1, stride: 1, dilation: 1 }; 2];
        let mut padding = [0; 2];
        let mut dims = [self.dim(0), out, 1, 1];
        for axis in 0..N {
            let (at, length) = (2 - N + axis, self.dim(axis as isize + 2));
            let size = weight.dim(axis as isize + 2);
            windows[at] = Window { size, stride: stride[axis], dilation: dilation[axis] };
            let around = match options.padding {
                Padding::Each(padding) => [padding[axis]; 2],
                Padding::Same if stride[axis] == 1 => {
                    let around = size.saturating_sub(1).saturating_mul(dilation[axis]);
                    [around / 2, around.div_ceil(2)]
                }
                Padding::Same => {
                    let why = "the output is as long at a stride of 1 alone";
                    return refuse(why, "Padding::Each");
                }
            };
            let padded = length.saturating_add(around[0]).saturating_add(around[1]);
            let Some(len) = windows[at].count(padded) else {
                let why = "the window is larger than the padded input";
                return refuse(why, "a smaller window, or more padding");
            };
            (padding[at], dims[2 + at]) = (around[0], len);
        }
        let planes = |x: Var<'t>| if N == 1 { x.unsqueeze(2) } else { x };
        let by = Convolution { windows, padding, groups };
        let op = Op::Convolve(Convolve { gives: Factor::Results, by });
        let inputs: Vec<Var<'t>> =
            [planes(self), planes(weight)].into_iter().chain(bias).map(Var::to_float).collect();
        let y = self.tape().record(op, &inputs, Shape::from(&dims[..]), self.tape().dtype());
        if N == 1 { y.squeeze(2) } else { y }
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "linear",
        "composed",
        "x Wᵀ + b",
        &[Floats(&[2, 3], AROUND), Floats(&[4, 3], AROUND), Floats(&[4], AROUND)],
        |x| x[0].linear(x[1], Some(x[2])),
    ),
    op(
        "conv1d",
        "convolution",
        "Σ w · window + b",
        &[Floats(&[2, 4, 5], AROUND), Floats(&[2, 2, 3], AROUND), Floats(&[2], AROUND)],
        |x| {
            x[0].conv1d(
                x[1],
                Some(x[2]),
                Conv { stride: [2], padding: Padding::Each([1]), groups: 2, ..Conv::default() },
            )
        },
    ),
    op(
        "conv2d",
        "convolution",
        "Σ w · window + b",
        &[Floats(&[1, 2, 4, 5], AROUND), Floats(&[3, 2, 2, 2], AROUND), Floats(&[3], AROUND)],
        |x| {
            let options = Conv { padding: Padding::Same, dilation: [1, 2], ..Conv::default() };
            x[0].conv2d(x[1], Some(x[2]), options)
        },
    ),
];
