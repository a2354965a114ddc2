//! Inputs of which single elements move, and all else stays.

use std::ops::Range;

use lossgraph_autograd::{Fault, Result, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

/// What moves: an element of an input, and from where to where.
#[derive(Clone, Debug, PartialEq)]
pub struct Along {
    /// The number of the input.
    pub input: usize,
    /// The number of the element in it, row by row.
    pub element: usize,
    /// From where to where it moves.
    pub range: Range<f64>,
}

impl Along {
    /// Numbers that cut the range into equal parts, its ends included.
    pub(crate) fn cut(&self, parts: usize) -> impl Iterator<Item = f64> + use<> {
        let Range { start, end } = self.range;
        // Multiplied first, so that whole numbers of a range such as −3 to 3 are met exactly.
        (0..=parts).map(move |i| start + (end - start) * i as f64 / parts as f64)
    }

    /// What the element is in some inputs.
    ///
    /// # Errors
    /// A fault of `operation`: no such input or element, integers, or a range that cannot be.
    pub(crate) fn current(&self, operation: &str, inputs: &[Tensor]) -> Result<f64> {
        let refuse = |why: String| Err(Fault::new(operation, why).into());
        let Along { input, element, range: Range { start, end } } = self;
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
            return refuse(format!("input {input} holds integers, which cannot move"));
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

/// Records inputs with some elements put to numbers of their own: those inputs as variables, the
/// others as constants.
pub(crate) fn record<'t>(
    tape: &'t Tape,
    inputs: &[Tensor],
    moves: &[(&Along, f64)],
) -> Result<Vec<Var<'t>>> {
    let var = |(number, tensor): (usize, &Tensor)| {
        let mut here = moves.iter().filter(|(along, _)| along.input == number).peekable();
        if here.peek().is_none() {
            return Ok(tape.constant(tensor.clone()));
        }
        let mut numbers = tensor.to_f64s();
        here.for_each(|(along, x)| numbers[along.element] = *x);
        let moved = Tensor::new(tensor.shape().clone(), numbers)
            .map_err(|error| Fault::new("record", error.to_string()))?;
        Ok(tape.variable(moved.to_dtype(DType::F64)))
    };
    inputs.iter().enumerate().map(var).collect()
}
