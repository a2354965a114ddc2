//! Convolutions over sequences and images.

use std::fmt;

use lossgraph_autograd::{Conv, ConvTranspose, Parameter, Tape, Var};
use lossgraph_tensor::{DType, Tensor};
use rand::Rng;

use crate::error::{Error, Result};
use crate::init::Init;
use crate::layer::{Layer, Mode};

/// Cross-correlation with windows of `N` axes: [`Conv1d`] over sequences and [`Conv2d`] over images.
#[derive(Clone)]
pub struct ConvNd<const N: usize> {
    weight: Parameter,
    bias: Option<Parameter>,
    options: Conv<N>,
}

/// Cross-correlation over sequences: `[batch, inputs, length]` to `[batch, outputs, …]`.
pub type Conv1d = ConvNd<1>;

/// Cross-correlation over images: `[batch, inputs, height, width]` to `[batch, outputs, …]`.
pub type Conv2d = ConvNd<2>;

impl<const N: usize> fmt::Debug for ConvNd<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(if N == 1 { "Conv1d" } else { "Conv2d" })
            .field("weight", &self.weight)
            .field("bias", &self.bias)
            .field("options", &self.options)
            .finish()
    }
}

crate::module!(Conv1d { weight, bias, .. });
crate::module!(Conv2d { weight, bias, .. });

impl<const N: usize> ConvNd<N> {
    const NAME: &'static str = if N == 1 { "conv1d" } else { "conv2d" };

    /// A layer with windows that are equally long along all axes, PyTorch's initialization, a stride
    /// of 1 and no padding.
    pub fn new(
        inputs: usize,
        outputs: usize,
        window: usize,
        rng: &mut impl Rng,
    ) -> Result<ConvNd<N>> {
        ConvNd::with(inputs, outputs, [window; N], Conv::default(), rng)
    }

    /// A layer with a stride, padding, dilation and groups.
    ///
    /// ```
    /// use lossgraph_autograd::{Conv, Padding, Tape};
    /// use lossgraph_nn::{Conv2d, Layer};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(0);
    /// let options =
    ///     Conv { stride: [2, 2], padding: Padding::Each([1, 1]), groups: 2, ..Conv::default() };
    /// let layer = Conv2d::with(4, 6, [3, 3], options, &mut rng)?.without_bias();
    /// let tape = Tape::new();
    /// assert_eq!(layer.forward(tape.fill([1, 4, 8, 8], 1.0)).shape()[..], [1, 6, 4, 4]);
    /// # Ok::<(), lossgraph_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Groups that do not divide the inputs and the outputs. What depends on the input is an error of
    /// the program that uses the layer.
    pub fn with(
        inputs: usize,
        outputs: usize,
        window: [usize; N],
        options: Conv<N>,
        rng: &mut impl Rng,
    ) -> Result<ConvNd<N>> {
        let groups = options.groups;
        divides(Self::NAME, groups, inputs, outputs)?;
        let shape = [&[outputs, inputs / groups][..], &window].concat();
        let (weight, bias) = drawn(&shape, outputs, rng)?;
        Ok(ConvNd { weight, bias: Some(bias), options })
    }

    /// A layer with a given weight `[outputs, inputs / groups, window…]` and options.
    pub fn of(weight: Tensor, bias: Option<Tensor>, options: Conv<N>) -> ConvNd<N> {
        ConvNd {
            weight: Parameter::new("weight", weight),
            bias: bias.map(|bias| Parameter::new("bias", bias)),
            options,
        }
    }

    /// A layer that adds nothing to the sums.
    #[must_use = "it gives the layer back"]
    pub fn without_bias(self) -> ConvNd<N> {
        ConvNd { bias: None, ..self }
    }

    /// The weight, `[outputs, inputs / groups, window…]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }

    /// The bias, `[outputs]`, if there is one.
    pub fn bias(&self) -> Option<&Parameter> {
        self.bias.as_ref()
    }

    /// Stride, padding, dilation and groups.
    pub fn options(&self) -> Conv<N> {
        self.options
    }

    /// Weight and bias on a tape.
    fn on<'t>(&self, tape: &'t Tape) -> (Var<'t>, Option<Var<'t>>) {
        (tape.parameter(&self.weight), self.bias.as_ref().map(|bias| tape.parameter(bias)))
    }
}

impl Layer for Conv1d {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().named_call(Self::NAME, || {
            let (weight, bias) = self.on(x.tape());
            x.conv1d(weight, bias, self.options)
        })
    }
}

impl Layer for Conv2d {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().named_call(Self::NAME, || {
            let (weight, bias) = self.on(x.tape());
            x.conv2d(weight, bias, self.options)
        })
    }
}

/// The transpose of a convolution with windows of `N` axes: [`ConvTranspose1d`] over sequences and
/// [`ConvTranspose2d`] over images.
#[derive(Clone)]
pub struct ConvTransposeNd<const N: usize> {
    weight: Parameter,
    bias: Option<Parameter>,
    options: ConvTranspose<N>,
}

/// The transpose of a convolution over sequences: `[batch, inputs, length]` to `[batch, outputs, …]`.
///
/// ```text
/// length = (inputs − 1) stride − 2 padding + dilation (window − 1) + output_padding + 1
/// ```
///
/// ```
/// use lossgraph_autograd::{ConvTranspose, Tape};
/// use lossgraph_nn::{ConvTranspose1d, Layer};
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let options = ConvTranspose { stride: [2], padding: [1], ..ConvTranspose::default() };
/// # let mut rng = ChaCha8Rng::seed_from_u64(0);
/// let layer = ConvTranspose1d::with(4, 6, [4], options, &mut rng)?;
/// let tape = Tape::new();
/// assert_eq!(layer.forward(tape.fill([1, 4, 5], 1.0)).shape()[..], [1, 6, 10]);
/// # Ok::<(), lossgraph_nn::Error>(())
/// ```
pub type ConvTranspose1d = ConvTransposeNd<1>;

/// The transpose of a convolution over images: `[batch, inputs, height, width]` to
/// `[batch, outputs, …]`.
pub type ConvTranspose2d = ConvTransposeNd<2>;

impl<const N: usize> fmt::Debug for ConvTransposeNd<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(if N == 1 { "ConvTranspose1d" } else { "ConvTranspose2d" })
            .field("weight", &self.weight)
            .field("bias", &self.bias)
            .field("options", &self.options)
            .finish()
    }
}

crate::module!(ConvTranspose1d { weight, bias, .. });
crate::module!(ConvTranspose2d { weight, bias, .. });

impl<const N: usize> ConvTransposeNd<N> {
    const NAME: &'static str = if N == 1 { "conv_transpose1d" } else { "conv_transpose2d" };

    /// A layer with PyTorch's initialization.
    ///
    /// # Errors
    /// Groups that do not divide the inputs and the outputs. What depends on the input is an error of
    /// the program that uses the layer.
    pub fn with(
        inputs: usize,
        outputs: usize,
        window: [usize; N],
        options: ConvTranspose<N>,
        rng: &mut impl Rng,
    ) -> Result<ConvTransposeNd<N>> {
        let groups = options.groups;
        divides(Self::NAME, groups, inputs, outputs)?;
        let shape = [&[inputs, outputs / groups][..], &window].concat();
        let (weight, bias) = drawn(&shape, outputs, rng)?;
        Ok(ConvTransposeNd { weight, bias: Some(bias), options })
    }

    /// A layer with a given weight `[inputs, outputs / groups, window…]` and options.
    pub fn of(
        weight: Tensor,
        bias: Option<Tensor>,
        options: ConvTranspose<N>,
    ) -> ConvTransposeNd<N> {
        ConvTransposeNd {
            weight: Parameter::new("weight", weight),
            bias: bias.map(|bias| Parameter::new("bias", bias)),
            options,
        }
    }

    /// A layer that adds nothing to the sums.
    #[must_use = "it gives the layer back"]
    pub fn without_bias(self) -> ConvTransposeNd<N> {
        ConvTransposeNd { bias: None, ..self }
    }

    /// The weight, `[inputs, outputs / groups, window…]`.
    pub fn weight(&self) -> &Parameter {
        &self.weight
    }

    /// The bias, `[outputs]`, if there is one.
    pub fn bias(&self) -> Option<&Parameter> {
        self.bias.as_ref()
    }

    /// Weight and bias on a tape.
    fn on<'t>(&self, tape: &'t Tape) -> (Var<'t>, Option<Var<'t>>) {
        (tape.parameter(&self.weight), self.bias.as_ref().map(|bias| tape.parameter(bias)))
    }
}

impl Layer for ConvTranspose1d {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().named_call(Self::NAME, || {
            let (weight, bias) = self.on(x.tape());
            x.conv_transpose1d(weight, bias, self.options)
        })
    }
}

impl Layer for ConvTranspose2d {
    #[track_caller]
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.tape().named_call(Self::NAME, || {
            let (weight, bias) = self.on(x.tape());
            x.conv_transpose2d(weight, bias, self.options)
        })
    }
}

/// Whether groups divide the channels on both sides.
fn divides(subject: &'static str, groups: usize, inputs: usize, outputs: usize) -> Result<()> {
    if groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups) {
        return Ok(());
    }
    let expected = "a divisor of the inputs and of the outputs";
    Err(Error::Option { subject, name: "groups", given: groups as f64, expected })
}

/// Weight and bias as PyTorch draws them.
fn drawn(shape: &[usize], outputs: usize, rng: &mut impl Rng) -> Result<(Parameter, Parameter)> {
    let weight = Init::FanIn.draw(shape, DType::F64, rng)?;
    let fan_in: f64 = shape[1..].iter().map(|&dim| dim as f64).product();
    let bound = 1.0 / fan_in.max(1.0).sqrt();
    let bias = Init::Uniform(-bound, bound).draw(&[outputs], DType::F64, rng)?;
    Ok((Parameter::drawn("weight", weight), Parameter::drawn("bias", bias)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lossgraph_autograd::Padding;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_layer_with_options_convolves_as_the_op_does() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let options =
            Conv { stride: [2, 1], padding: Padding::Each([1, 2]), dilation: [1, 2], groups: 2 };
        let layer = Conv2d::with(4, 6, [3, 2], options, &mut rng).unwrap();
        let tape = Tape::new();
        let x = tape.constant(
            Tensor::arange(4 * 5 * 7, DType::F32).unwrap().reshape([1, 4, 5, 7]).unwrap(),
        );
        let [weight, bias] = [layer.weight(), layer.bias().unwrap()].map(|p| tape.parameter(p));
        let expected = x.conv2d(weight, Some(bias), options);
        assert_eq!(layer.forward(x).value().unwrap(), expected.value().unwrap());
        let expected = x.conv2d(weight, None, options);
        assert_eq!(layer.without_bias().forward(x).value().unwrap(), expected.value().unwrap());
    }

    #[test]
    fn a_transposed_layer_leads_back_to_the_size_of_the_image() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let options = ConvTranspose { stride: [2, 2], padding: [1, 1], ..ConvTranspose::default() };
        let layer = ConvTranspose2d::with(4, 6, [4, 4], options, &mut rng).unwrap();
        let tape = Tape::new();
        let x = tape.fill([1, 4, 5, 7], 0.5);
        let [weight, bias] = [layer.weight(), layer.bias().unwrap()].map(|p| tape.parameter(p));
        let y = layer.forward(x);
        assert_eq!(y.shape()[..], [1, 6, 10, 14]);
        let expected = x.conv_transpose2d(weight, Some(bias), options);
        assert_eq!(y.value().unwrap(), expected.value().unwrap());
        assert_eq!(layer.without_bias().forward(x).shape()[..], [1, 6, 10, 14]);
        let odd = ConvTranspose { groups: 3, ..options };
        assert!(ConvTranspose2d::with(4, 6, [4, 4], odd, &mut rng).is_err());
    }

    #[test]
    fn a_transposed_layer_of_sequences_spreads_each_element_over_its_window() {
        // y[2 i + k] = Σ x[i] w[k], by hand.
        let weight = Tensor::from([[[1.0_f32, 10.0, 100.0]]]);
        let options = ConvTranspose { stride: [2], ..ConvTranspose::default() };
        let layer = ConvTranspose1d::of(weight, Some(Tensor::from([0.5_f32])), options);
        let tape = Tape::new();
        let y = layer.forward(tape.constant([[[1.0, 2.0]]])).value().unwrap();
        assert_eq!(y.shape()[..], [1, 1, 5]);
        assert_eq!(y.to_f64s(), [1.5, 10.5, 102.5, 20.5, 200.5]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let odd = ConvTranspose { groups: 3, ..options };
        let error = ConvTranspose1d::with(4, 6, [4], odd, &mut rng).unwrap_err().to_string();
        assert!(error.starts_with("conv_transpose1d: groups is 3"), "{error}");
    }

    #[test]
    fn groups_that_do_not_divide_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for groups in [0, 3, 4] {
            let options = Conv { groups, ..Conv::default() };
            let error = Conv2d::with(4, 6, [3, 3], options, &mut rng).unwrap_err().to_string();
            assert!(error.starts_with(&format!("conv2d: groups is {groups}, expected")), "{error}");
            let options = Conv { groups, ..Conv::default() };
            let error = Conv1d::with(4, 6, [3], options, &mut rng).unwrap_err().to_string();
            assert!(error.starts_with(&format!("conv1d: groups is {groups}, expected")), "{error}");
        }
    }
}
