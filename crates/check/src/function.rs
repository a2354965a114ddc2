//! A program as a function of its inputs: recorded again for each point at which it is evaluated.

use lossgraph_autograd::{Fault, FaultInjector, Result, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

/// A program to check: it records a number, or several that are weighted and summed, from its
/// inputs.
pub(crate) type Program<'a> = dyn for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + Sync + 'a;

/// A program with the point at which it is checked.
#[derive(Clone, Copy)]
pub(crate) struct Function<'a> {
    pub program: &'a Program<'a>,
    pub inputs: &'a [Tensor],
    pub injector: Option<&'a FaultInjector>,
    /// The weights of what the program gives; `None` for a program that gives one number. The
    /// weighted sum is not recorded, so that no rule but the program's own is checked.
    pub weights: Option<&'a Tensor>,
}

impl Function<'_> {
    /// A tape with the rules that are checked.
    pub fn tape(&self) -> Tape {
        match self.injector {
            Some(injector) => Tape::f64().with_faults(injector.clone()),
            None => Tape::f64(),
        }
    }

    /// Records the program at the point.
    pub fn record<'t>(&self, tape: &'t Tape) -> (Vec<Var<'t>>, Var<'t>) {
        let vars: Vec<Var<'t>> = self.inputs.iter().map(|data| tape.variable(data)).collect();
        let y = (self.program)(tape, &vars);
        (vars, y)
    }

    /// The value with input `which` moved `t` along `direction`.
    pub fn moved(&self, which: usize, direction: &[f64], t: f64) -> Result<f64> {
        let tape = self.tape();
        let vars = self.inputs.iter().enumerate().map(|(i, data)| {
            Ok(tape.variable(if i == which { along(data, direction, t)? } else { data.clone() }))
        });
        let vars = vars.collect::<Result<Vec<_>>>()?;
        self.total((self.program)(&tape, &vars))
    }

    /// The number that is checked.
    pub fn total(&self, y: Var<'_>) -> Result<f64> {
        match self.weights {
            None => y.item(),
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

    /// Records the gradient of what the program gives with respect to one of its inputs.
    pub fn slope<'t>(&self, tape: &'t Tape, y: Var<'t>, x: Var<'t>) -> Var<'t> {
        match self.weights {
            None => tape.grad(y, &[x])[0],
            Some(weights) => tape.vjp(y, tape.constant(weights), &[x])[0],
        }
    }

    /// The gradient with respect to input `which`.
    pub fn gradient(&self, which: usize) -> Result<Vec<f64>> {
        let tape = self.tape();
        let (vars, y) = self.record(&tape);
        Ok(self.slope(&tape, y, vars[which]).value()?.to_f64s())
    }
}

/// `x + t·direction`, in the shape of `x`.
fn along(x: &Tensor, direction: &[f64], t: f64) -> Result<Tensor> {
    let x_plain = x.contiguous();
    let numbers = x_plain.as_slice::<f64>().unwrap_or_default();
    tensor(x, numbers.iter().zip(direction).map(|(x, d)| x + t * d).collect())
}

/// Numbers in the shape of `like`, as `f64`.
pub(crate) fn tensor(like: &Tensor, numbers: Vec<f64>) -> Result<Tensor> {
    Tensor::new(like.shape().clone(), numbers)
        .map_err(|error| Fault::new("check", error.to_string()).into())
}

/// Inputs as a tape in `f64` has them: floats in double precision, integers as they are.
pub(crate) fn doubled(inputs: &[Tensor]) -> Vec<Tensor> {
    let double = |x: &Tensor| if x.dtype().is_float() { x.to_dtype(DType::F64) } else { x.clone() };
    inputs.iter().map(double).collect()
}
