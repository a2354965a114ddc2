//! Sweeps: one element of an input takes the values of a range, and all else is constant.

use std::ops::Range;
use std::panic::Location;

use lossgraph_autograd::{Fault, Result, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

/// One element of an input, and the range that it takes its values from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The number of the input.
    pub input: usize,
    /// The element in it, counted row by row.
    pub element: usize,
    /// The range of its values.
    pub range: Range<f64>,
}

impl Sweep {
    /// The ends of equal intervals of the range, both ends of it included.
    pub(crate) fn linspace(&self, intervals: usize) -> impl Iterator<Item = f64> + use<> {
        let Range { start, end } = self.range;
        // Multiplied first, so that whole numbers of a range such as −3 to 3 are met exactly.
        (0..=intervals).map(move |i| start + (end - start) * i as f64 / intervals as f64)
    }

    /// The value of the element in some inputs.
    ///
    /// # Errors
    /// A fault of `operation`: an input or element out of range, integers, or an empty range.
    #[track_caller]
    pub(crate) fn current(&self, operation: &str, inputs: &[Tensor]) -> Result<f64> {
        let location = Location::caller();
        let refuse = |why: String| Err(Fault::new(operation, why).at(location).into());
        let Sweep { input, element, range: Range { start, end } } = self;
        if !(start.is_finite() && end.is_finite() && start < end) {
            return refuse(format!(
                "the range is from {start} to {end}, expected two finite numbers, the smaller first"
            ));
        }
        let Some(tensor) = inputs.get(*input) else {
            return refuse(format!(
                "there is no input {input}, there are {} of them",
                inputs.len()
            ));
        };
        if !tensor.dtype().is_float() {
            return refuse(format!("input {input} holds integers, which cannot be swept"));
        }
        match tensor.to_f64s().get(*element) {
            Some(&current) => Ok(current),
            None => refuse(format!(
                "there is no element {element} in input {input}, which has {} of shape {}",
                tensor.len(),
                tensor.shape(),
            )),
        }
    }
}

/// Records inputs with some elements replaced: those inputs as variables, the others as constants.
pub(crate) fn record<'t>(
    tape: &'t Tape,
    inputs: &[Tensor],
    replaced: &[(&Sweep, f64)],
) -> Result<Vec<Var<'t>>> {
    let var = |(number, tensor): (usize, &Tensor)| {
        let mut here = replaced.iter().filter(|(sweep, _)| sweep.input == number).peekable();
        if here.peek().is_none() {
            return Ok(tape.constant(tensor.clone()));
        }
        let mut numbers = tensor.to_f64s();
        here.for_each(|(sweep, x)| numbers[sweep.element] = *x);
        let tensor = Tensor::new(tensor.shape().clone(), numbers)
            .map_err(|error| Fault::new("record", error.to_string()))?;
        Ok(tape.variable(tensor.to_dtype(DType::F64)))
    };
    inputs.iter().enumerate().map(var).collect()
}
