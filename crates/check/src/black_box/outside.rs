//! A black box, and its slope along a direction, as functions that can be checked.

use std::panic::Location;
use std::sync::OnceLock;

use lossgraph_autograd::{Error, Fault, Result};
use lossgraph_tensor::Tensor;

use super::{Answer, BlackBox, Evaluation, Products};
use crate::check::Check;
use crate::differentiable::{Differentiable, Steps, moving};
use crate::function::{Function, moved, tensor};
use crate::progress::Progress;

/// A black box at a point.
pub(super) struct Outside<'a> {
    check: &'a Check,
    pub black_box: &'a dyn BlackBox,
    pub inputs: &'a [Tensor],
    pub progress: &'a Progress,
    pub location: &'static Location<'static>,
    here: OnceLock<Evaluation>,
}

impl<'a> Outside<'a> {
    pub fn new(
        check: &'a Check,
        black_box: &'a dyn BlackBox,
        inputs: &'a [Tensor],
        progress: &'a Progress,
        location: &'static Location<'static>,
    ) -> Outside<'a> {
        Outside { check, black_box, inputs, progress, location, here: OnceLock::new() }
    }

    /// The same at other inputs.
    pub fn at<'b>(&self, inputs: &'b [Tensor]) -> Outside<'b>
    where
        'a: 'b,
    {
        Outside::new(self.check, self.black_box, inputs, self.progress, self.location)
    }

    /// The gradient in one input.
    pub fn gradient(&self, which: usize) -> Result<Vec<f64>> {
        self.one_of(&self.evaluation()?.gradients, which)
    }

    pub fn refuse(&self, why: impl Into<String>) -> Error {
        Fault::new(self.check.title.clone(), why).at(self.location).into()
    }

    /// An answer of the black box, or its error as one of the check.
    fn answer<T>(&self, answer: Answer<T>) -> Result<T> {
        self.progress.run();
        answer.map_err(|error| self.refuse(error.to_string()))
    }

    pub fn evaluation(&self) -> Result<&Evaluation> {
        if let Some(evaluation) = self.here.get() {
            return Ok(evaluation);
        }
        let evaluation = self.answer(self.black_box.evaluate(self.inputs))?;
        Ok(self.here.get_or_init(|| evaluation))
    }

    /// `Ok` if the value at the same inputs is the same again, up to a part of it. Where it is not, steps
    /// show what the function does not have.
    pub fn check_repeatable(&self, before: f64, tolerance: f64) -> Result<()> {
        let again = self.answer(self.black_box.evaluate(self.inputs))?.value;
        if (again - before).abs() <= tolerance * before.abs() {
            return Ok(());
        }
        Err(self.refuse(format!(
            "the value is {before:?} at these inputs, and {again:?} when it is asked for again: let each \
             evaluation begin anew with what it draws, counts or averages"
        )))
    }

    /// One of the gradients of an answer; zeros where there is none.
    fn one_of(&self, gradients: &[Option<Tensor>], which: usize) -> Result<Vec<f64>> {
        let x = &self.inputs[which];
        if gradients.len() != self.inputs.len() {
            return Err(self.refuse(format!(
                "the function gives {} gradients, expected {}: one for each input, also for those of \
                 integers",
                gradients.len(),
                self.inputs.len()
            )));
        }
        match &gradients[which] {
            None => Ok(vec![0.0; x.len()]),
            Some(gradient) if gradient.shape() == x.shape() => Ok(gradient.to_f64s()),
            Some(gradient) => Err(self.refuse(format!(
                "the gradient in {} has shape {}, expected {}, that of the input",
                self.check.name(which),
                gradient.shape(),
                x.shape()
            ))),
        }
    }
}

impl Differentiable for Outside<'_> {
    fn inputs(&self) -> &[Tensor] {
        self.inputs
    }

    fn values(&self, steps: &Steps<'_>, multiples: &[f64]) -> Result<Vec<f64>> {
        let mut shaped = vec![None; self.inputs.len()];
        for &(which, step) in steps {
            shaped[which] = Some(tensor(&self.inputs[which], step.to_vec())?);
        }
        let values = self.answer(self.black_box.values(self.inputs, &shaped, multiples))?;
        match values.len() == multiples.len() {
            true => Ok(values),
            false => Err(self.refuse(format!(
                "the function gives {} values at {} points",
                values.len(),
                multiples.len()
            ))),
        }
    }

    fn gradients(&self, which: &[usize]) -> Result<Vec<Vec<f64>>> {
        let gradients = &self.evaluation()?.gradients;
        which.iter().map(|&which| self.one_of(gradients, which)).collect()
    }

    fn gradients_moved(&self, steps: &Steps<'_>, multiple: f64) -> Result<Vec<Vec<f64>>> {
        let inputs = moved(self.inputs, steps, multiple)?;
        let gradients = self.answer(self.black_box.evaluate(&inputs))?.gradients;
        moving(steps).into_iter().map(|which| self.one_of(&gradients, which)).collect()
    }

    fn program(&self) -> Option<&Function<'_>> {
        None
    }
}

/// The slope of a black box along a direction of one input, as a function itself.
pub(super) struct SlopeOutside<'a> {
    outside: &'a Outside<'a>,
    which: usize,
    pub direction: Tensor,
    products: OnceLock<Products>,
}

impl<'a> SlopeOutside<'a> {
    pub fn new(outside: &'a Outside<'a>, which: usize, direction: Tensor) -> SlopeOutside<'a> {
        SlopeOutside { outside, which, direction, products: OnceLock::new() }
    }

    fn at(&self, inputs: &[Tensor]) -> Result<f64> {
        let evaluation = self.outside.answer(self.outside.black_box.evaluate(inputs))?;
        self.along(&self.outside.one_of(&evaluation.gradients, self.which)?)
    }

    fn along(&self, gradient: &[f64]) -> Result<f64> {
        let parts = gradient.iter().zip(self.direction.to_f64s());
        Ok(parts.map(|(g, d)| g * d).sum())
    }

    pub fn value(&self) -> Result<f64> {
        self.along(&self.outside.gradient(self.which)?)
    }

    /// What the black box says are the gradients of this slope.
    pub fn products(&self) -> Result<&Products> {
        if let Some(products) = self.products.get() {
            return Ok(products);
        }
        let products = self.products_at(self.outside.inputs)?;
        Ok(self.products.get_or_init(|| products))
    }

    fn products_at(&self, inputs: &[Tensor]) -> Result<Products> {
        let black_box = self.outside.black_box;
        self.outside.answer(black_box.products(inputs, self.which, &self.direction))
    }

    fn one_of(&self, products: &Products, which: usize) -> Result<Vec<f64>> {
        match products {
            Products::Gradients(gradients) => self.outside.one_of(gradients, which),
            // Where there are none, they are compared with 0.
            Products::Missing(_) if matches!(self.products()?, Products::Missing(_)) => {
                Ok(vec![0.0; self.outside.inputs[which].len()])
            }
            // It has products at one point and none at another.
            Products::ByDifferences | Products::Missing(_) => {
                Ok(vec![f64::NAN; self.outside.inputs[which].len()])
            }
        }
    }
}

impl Differentiable for SlopeOutside<'_> {
    fn inputs(&self) -> &[Tensor] {
        self.outside.inputs
    }

    fn values(&self, steps: &Steps<'_>, multiples: &[f64]) -> Result<Vec<f64>> {
        let value = |&t: &f64| self.at(&moved(self.outside.inputs, steps, t)?);
        multiples.iter().map(value).collect()
    }

    fn gradients(&self, which: &[usize]) -> Result<Vec<Vec<f64>>> {
        let products = self.products()?;
        which.iter().map(|&which| self.one_of(products, which)).collect()
    }

    fn gradients_moved(&self, steps: &Steps<'_>, multiple: f64) -> Result<Vec<Vec<f64>>> {
        let products = self.products_at(&moved(self.outside.inputs, steps, multiple)?)?;
        moving(steps).into_iter().map(|which| self.one_of(&products, which)).collect()
    }

    fn program(&self) -> Option<&Function<'_>> {
        None
    }
}
