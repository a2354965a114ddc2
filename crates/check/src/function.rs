//! A program as a function of its inputs: recorded again for each point at which it is evaluated.

use std::panic::Location;

use lossgraph_autograd::{Fault, FaultInjector, Result, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::differentiable::{Differentiable, Steps, moving};

/// A program to check: it records a number, or several that are weighted and summed, from its
/// inputs.
pub(crate) type Program<'a> = dyn for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + Sync + 'a;

/// A program with the point at which it is checked.
#[derive(Clone, Copy)]
pub(crate) struct Function<'a> {
    pub program: &'a Program<'a>,
    pub inputs: &'a [Tensor],
    pub injector: Option<&'a FaultInjector>,
    /// The type of the tapes that it is recorded on.
    pub dtype: DType,
    /// The weights of what the program gives; `None` for a program that gives one number. The
    /// weighted sum is not recorded, so that no rule but the program's own is checked.
    pub weights: Option<&'a Tensor>,
    /// The line that called the check.
    pub location: &'static Location<'static>,
}

impl Function<'_> {
    /// A tape with the rules that are checked.
    pub fn tape(&self) -> Tape {
        let tape = if self.dtype == DType::F32 { Tape::new() } else { Tape::f64() };
        match self.injector {
            Some(injector) => tape.with_faults(injector.clone()),
            None => tape,
        }
    }

    /// Records the program at the point.
    pub fn record<'t>(&self, tape: &'t Tape) -> (Vec<Var<'t>>, Var<'t>) {
        let vars: Vec<Var<'t>> = self.inputs.iter().map(|data| tape.input(data)).collect();
        let y = (self.program)(tape, &vars);
        (vars, y)
    }

    /// The number that is checked.
    pub fn total(&self, y: Var<'_>) -> Result<f64> {
        match self.weights {
            None => y.tape().attributed_to(self.location, || y.item()),
            Some(weights) => {
                let (y, weights) = (y.value()?.to_f64s(), weights.to_f64s());
                Ok(y.iter().zip(&weights).map(|(y, weight)| y * weight).sum())
            }
        }
    }

    /// The value at the point.
    pub fn value(&self) -> Result<f64> {
        let tape = self.tape();
        self.total(self.record(&tape).1)
    }

    /// The gradient in one input.
    pub fn gradient(&self, which: usize) -> Result<Vec<f64>> {
        Ok(self.gradients(&[which])?.concat())
    }

    /// Records the gradients of what the program gives with respect to nodes that it is made of.
    pub fn slopes<'t>(&self, tape: &'t Tape, y: Var<'t>, xs: &[Var<'t>]) -> Vec<Var<'t>> {
        tape.attributed_to(self.location, || match self.weights {
            None => tape.grad(y, xs),
            Some(weights) => tape.vjp(y, tape.constant(weights), xs),
        })
    }

    /// Records the gradient with respect to one of the inputs.
    pub fn slope<'t>(&self, tape: &'t Tape, y: Var<'t>, x: Var<'t>) -> Var<'t> {
        self.slopes(tape, y, &[x])[0]
    }
}

impl Differentiable for Function<'_> {
    fn inputs(&self) -> &[Tensor] {
        self.inputs
    }

    fn values(&self, steps: &Steps<'_>, multiples: &[f64]) -> Result<Vec<f64>> {
        let value = |&t: &f64| Function { inputs: &moved(self.inputs, steps, t)?, ..*self }.value();
        multiples.iter().map(value).collect()
    }

    fn gradients(&self, which: &[usize]) -> Result<Vec<Vec<f64>>> {
        let tape = self.tape();
        let (vars, y) = self.record(&tape);
        let wanted: Vec<Var<'_>> = which.iter().map(|&which| vars[which]).collect();
        let gradients = tape.eval(&self.slopes(&tape, y, &wanted))?;
        Ok(gradients.iter().map(Tensor::to_f64s).collect())
    }

    fn gradients_moved(&self, steps: &Steps<'_>, multiple: f64) -> Result<Vec<Vec<f64>>> {
        let inputs = moved(self.inputs, steps, multiple)?;
        Function { inputs: &inputs, ..*self }.gradients(&moving(steps))
    }

    fn program(&self) -> Option<&Function<'_>> {
        Some(self)
    }
}

/// Inputs, moved by a multiple of their steps.
pub(crate) fn moved(inputs: &[Tensor], steps: &Steps<'_>, multiple: f64) -> Result<Vec<Tensor>> {
    let mut inputs = inputs.to_vec();
    for &(which, step) in steps {
        let x = inputs[which].contiguous();
        let numbers = x.as_slice::<f64>().unwrap_or_default().iter();
        inputs[which] = tensor(&x, numbers.zip(step).map(|(x, s)| x + multiple * s).collect())?;
    }
    Ok(inputs)
}

/// Numbers in the shape of `like`, as `f64`.
pub(crate) fn tensor(like: &Tensor, numbers: Vec<f64>) -> Result<Tensor> {
    Tensor::new(like.shape().clone(), numbers)
        .map_err(|error| Fault::new("check", error.to_string()).into())
}

/// Inputs as a tape of a type has them: floats of that type, integers as they are.
pub(crate) fn converted(inputs: &[Tensor], dtype: DType) -> Vec<Tensor> {
    let convert = |x: &Tensor| if x.dtype().is_float() { x.to_dtype(dtype) } else { x.clone() };
    inputs.iter().map(convert).collect()
}
