//! Draws: noise for what is reparametrized, numbers for what is not.

use std::panic::Location;

use lossgraph_autograd::{Fault, Result, Var};
use lossgraph_tensor::{Shape, Tensor};
use rand::Rng;

/// The axes of some shapes, one after another.
pub(crate) fn joined<const N: usize>(parts: [&Shape; N]) -> Shape {
    parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<usize>>().into()
}

/// Draws that do not depend on parameters, as a constant beside `parameter`: `[shape…, batch…]`.
#[track_caller]
pub(crate) fn noise<'t, R: Rng>(
    distribution: &str,
    parameter: Var<'t>,
    shape: impl Into<Shape>,
    rng: &mut R,
    draw: impl Fn(&mut R) -> f64,
) -> Var<'t> {
    if parameter.is_faulty() {
        return parameter;
    }
    let shape = joined([&shape.into(), &parameter.shape()]);
    match tensor(shape, |_| Ok(draw(rng))) {
        Ok(noise) => parameter.tape().constant(noise),
        Err(why) => parameter.tape().fault(Fault::new(distribution, why)),
    }
}

/// Draws of each distribution of a batch, `shape` times over: `[shape…, batch…]`. A draw that fails says
/// of which parameters there is no distribution.
#[track_caller]
pub(crate) fn draws<const N: usize>(
    distribution: &str,
    parameters: [Var<'_>; N],
    shape: impl Into<Shape>,
    mut draw: impl FnMut([f64; N]) -> std::result::Result<f64, String>,
) -> Result<Tensor> {
    let values = parameters[0].tape().eval(&parameters)?;
    let shape = joined([&shape.into(), values[0].shape()]);
    let batch = values[0].len();
    let values: Vec<Vec<f64>> = values.iter().map(Tensor::to_f64s).collect();
    match tensor(shape, |i| draw(std::array::from_fn(|p| values[p][i % batch]))) {
        Ok(drawn) => Ok(drawn.to_dtype(parameters[0].tape().dtype())),
        Err(why) => Err(refused(distribution, why)),
    }
}

/// A tensor of numbers that are drawn one after another.
pub(crate) fn tensor(
    shape: Shape,
    draw: impl FnMut(usize) -> std::result::Result<f64, String>,
) -> std::result::Result<Tensor, String> {
    let mut numbers = Vec::new();
    if !shape.is_addressable() || numbers.try_reserve_exact(shape.numel()).is_err() {
        return Err(format!("shape {shape} has more elements than there is memory for"));
    }
    for number in (0..shape.numel()).map(draw) {
        numbers.push(number?);
    }
    Tensor::new(shape, numbers).map_err(String::from)
}

/// An error of drawing, at the caller's line.
#[track_caller]
pub(crate) fn refused(distribution: &str, why: impl Into<String>) -> lossgraph_autograd::Error {
    Fault::new(distribution, why).at(Location::caller()).into()
}
