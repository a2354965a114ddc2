//! Transposed convolutions: the product of weights and results, as images.

use lossgraph_tensor::kernels::Convolution;
use lossgraph_tensor::{Shape, Window};

use super::convolution::{Convolve, Factor};
use super::table::{AROUND, Row, Sample::Floats, op};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The options of a transposed convolution over `N` axes: by default a stride of 1, no padding, a
/// dilation of 1, and one group.
///
/// Along each axis, the output is as long as the input of the convolution that it transposes:
///
/// ```text
/// reach  = dilation·(size − 1) + 1
/// length = stride·(length − 1) + reach − 2·padding + output_padding
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose<const N: usize> {
    /// How far the window moves over the output.
    pub stride: [usize; N],
    /// What is cut off on both sides of each axis.
    pub padding: [usize; N],
    /// What is added behind each axis: a convolution with a stride makes results of one length of
    /// images of several lengths. Less than the stride or the dilation.
    pub output_padding: [usize; N],
    /// The distance of neighbours in the window.
    pub dilation: [usize; N],
    /// Groups of channels that do not mix.
    pub groups: usize,
}

impl<const N: usize> Default for ConvTranspose<N> {
    fn default() -> ConvTranspose<N> {
        let (stride, dilation) = ([1; N], [1; N]);
        ConvTranspose { stride, padding: [0; N], output_padding: [0; N], dilation, groups: 1 }
    }
}

impl<'t> Var<'t> {
    /// The transpose of [`Var::conv1d`]: [`Var::conv_transpose2d`] with one axis less.
    ///
    /// `x` is `[batch, in, length]` (or without batch), the weight `[in, out / groups, size]`, the
    /// bias `[out]`, the result `[batch, out, length]` (or without batch).
    ///
    /// # Errors
    /// As for [`Var::conv_transpose2d`].
    #[track_caller]
    pub fn conv_transpose1d(
        self,
        weight: Var<'t>,
        bias: Option<Var<'t>>,
        options: ConvTranspose<1>,
    ) -> Var<'t> {
        let _call = self.tape().call("conv_transpose1d");
        self.conv_transpose("conv_transpose1d", weight, bias, options)
    }

    /// The transpose of [`Var::conv2d`]: each element of the input adds a window of weights to the
    /// output. Also called deconvolution.
    ///
    /// ```text
    /// y[n, o, q] = b[o] + Σ x[n, i, p] · w[i, o, k]    over stride·p + dilation·k − padding = q
    /// ```
    ///
    /// Slopes are those of the convolution: its output for `∂L/∂x`.
    ///
    /// `x` is `[batch, in, height, width]` (or without batch), the weight
    /// `[in, out / groups, size, size]`, the bias `[out]`, the result `[batch, out, height, width]`
    /// (or without batch).
    ///
    /// ```
    /// use lossgraph_autograd::{ConvTranspose, Tape};
    ///
    /// let tape = Tape::f64();
    /// let (x, w) = (tape.variable([[1.0, 2.0]]), tape.variable([[[10.0, 1.0]]]));
    /// let y = x.conv_transpose1d(w, None, ConvTranspose { stride: [2], ..ConvTranspose::default() });
    /// assert_eq!(y.value()?.to_f64s(), [10.0, 1.0, 20.0, 2.0]);
    /// let dw = tape.grad(y.sum(..), &[w])[0];
    /// assert_eq!(dw.value()?.to_f64s(), [3.0, 3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Ranks or a bias that do not fit, groups that do not divide the channels, a 0 among the sizes,
    /// strides and dilations, an output padding that is as large as stride and dilation, or an output
    /// of which nothing is left, are a fault.
    ///
    /// # Source
    /// Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016.
    #[doc(alias = "deconvolution")]
    #[track_caller]
    pub fn conv_transpose2d(
        self,
        weight: Var<'t>,
        bias: Option<Var<'t>>,
        options: ConvTranspose<2>,
    ) -> Var<'t> {
        let _call = self.tape().call("conv_transpose2d");
        self.conv_transpose("conv_transpose2d", weight, bias, options)
    }

    #[track_caller]
    fn conv_transpose<const N: usize>(
        self,
        name: &str,
        weight: Var<'t>,
        bias: Option<Var<'t>>,
        options: ConvTranspose<N>,
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
            return self.unsqueeze(0).conv_transpose(name, weight, bias, options).squeeze(0);
        }
        if self.rank() != N + 2 || weight.rank() != N + 2 {
            let lengths = if N == 1 { "length" } else { "height, width" };
            let cure = format!(
                "an input of [batch, channels, {lengths}], a weight of [channels, out, {lengths}]"
            );
            return refuse("the ranks do not fit", &cure);
        }
        let ConvTranspose { stride, padding, output_padding, dilation, groups } = options;
        let [channels, each] = [self.dim(1), weight.dim(1)];
        if groups == 0 || channels % groups != 0 {
            let cure = format!("as many groups as divide {channels}");
            return refuse(&format!("{groups} groups do not divide the channels"), &cure);
        }
        if weight.dim(0) != channels {
            let mut fitting = weight.shape().to_vec();
            fitting[0] = channels;
            let given = weight.dim(0);
            return refuse(
                &format!("the input has {channels} channels, and the weight takes {given}"),
                &format!("a weight of {fitting:?}: here, axis 0 is that of the input's channels"),
            );
        }
        let Some(out) = each.checked_mul(groups) else {
            return refuse("there are more channels than memory has addresses", "fewer groups");
        };
        if let Some(bias) = bias.filter(|bias| bias.shape()[..] != [out]) {
            let why = format!("one bias for each of the {out} channels");
            let fault = Fault::new(name, why).operand("bias", bias);
            return self.tape().fault(fault.cure(format!("a bias of [{out}]")));
        }
        // One axis is the second of two, the first of which has length 1.
        let mut windows = [Window { size: 1, stride: 1, dilation: 1 }; 2];
        let mut before = [0; 2];
        let mut dims = [self.dim(0), out, 1, 1];
        for axis in 0..N {
            let [length, size] = [self, weight].map(|x| x.dim(axis as isize + 2));
            let window = Window { size, stride: stride[axis], dilation: dilation[axis] };
            if [window.size, window.stride, window.dilation].contains(&0) {
                return refuse("a size, a stride or a dilation is 0", "1 or more of each");
            }
            if output_padding[axis] >= window.stride.max(window.dilation) {
                let why = "the output padding is as large as stride and dilation";
                return refuse(why, "a smaller output padding");
            }
            let Some(len) = transposed(length, window, padding[axis], output_padding[axis]) else {
                let why = "nothing is left of the output, or more than memory has addresses for";
                return refuse(why, "less padding, a smaller window or a smaller stride");
            };
            let at = 2 - N + axis;
            (windows[at], before[at], dims[2 + at]) = (window, padding[axis], len);
        }
        let planes = |x: Var<'t>| if N == 1 { x.unsqueeze(2) } else { x };
        let by = Convolution { windows, padding: before, groups };
        let op = Op::Convolve(Convolve { gives: Factor::Images, by });
        let inputs = [weight, self].map(|x| planes(x).to_float());
        let y = self.tape().record(op, &inputs, Shape::from(&dims[..]), self.tape().dtype());
        let y = bias.map_or(y, |bias| y + bias.reshape([out, 1, 1]));
        if N == 1 { y.squeeze(2) } else { y }
    }
}

/// How long the output is along an axis, if anything is left of it.
fn transposed(length: usize, window: Window, padding: usize, behind: usize) -> Option<usize> {
    let moved = length.checked_sub(1)?.checked_mul(window.stride)?;
    let reach = (window.size - 1).checked_mul(window.dilation)?;
    let whole = moved.checked_add(reach)?.checked_add(1)?.checked_add(behind)?;
    whole.checked_sub(padding.checked_mul(2)?).filter(|&left| left > 0)
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "conv_transpose1d",
        "convolution",
        "the transpose of conv1d",
        &[Floats(&[2, 4, 3], AROUND), Floats(&[4, 1, 3], AROUND), Floats(&[2], AROUND)],
        |x| {
            let options = ConvTranspose {
                stride: [2],
                padding: [1],
                output_padding: [1],
                groups: 2,
                ..ConvTranspose::default()
            };
            x[0].conv_transpose1d(x[1], Some(x[2]), options)
        },
    ),
    op(
        "conv_transpose2d",
        "convolution",
        "the transpose of conv2d",
        &[Floats(&[1, 2, 2, 3], AROUND), Floats(&[2, 3, 2, 2], AROUND), Floats(&[3], AROUND)],
        |x| {
            let options =
                ConvTranspose { stride: [1, 2], dilation: [2, 1], ..ConvTranspose::default() };
            x[0].conv_transpose2d(x[1], Some(x[2]), options)
        },
    ),
];
