//! Functions of one's own on whole tensors, with a forward and a backward of their own: what
//! `torch.autograd.Function` and `jax.custom_vjp` are.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use lossgraph_tensor::{Error, Shape, Tensor, kernels};

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::tape::Tape;
use crate::record::var::Var;

/// A function of tensors with one tensor as its result, recorded by [`Tape::apply`].
///
/// `forward` computes with tensors, in any way. `vjp` records: it writes the cotangents of the
/// inputs with `Var`s, so that they can be differentiated, fused and explained; where they have to
/// be computed, too, it applies another function of one's own.
///
/// ```
/// use std::sync::Arc;
///
/// use lossgraph_autograd::{Function, Tape, Var};
/// use lossgraph_tensor::{Shape, Tensor};
///
/// /// The cube of each element.
/// struct Cube;
///
/// impl Function for Cube {
///     fn name(&self) -> &'static str {
///         "cube"
///     }
///
///     fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
///         Ok(inputs[0].clone())
///     }
///
///     fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor, String> {
///         let cubes = inputs[0].to_f64s().iter().map(|x| x * x * x).collect::<Vec<_>>();
///         Ok(Tensor::new(inputs[0].shape().clone(), cubes)?)
///     }
///
///     fn vjp<'t>(&self, g: Var<'t>, inputs: &[Var<'t>], _: Var<'t>) -> Vec<Option<Var<'t>>> {
///         vec![Some(g * inputs[0].square() * 3)]
///     }
/// }
///
/// let cube: Arc<dyn Function> = Arc::new(Cube);
/// let tape = Tape::f64();
/// let x = tape.variable([1.0, 2.0]);
/// let y = tape.apply(&cube, &[x]);
/// assert_eq!(y.value()?.to_f64s(), [1.0, 8.0]);
/// let slope = tape.grad(y.sum(..), &[x])[0];
/// assert_eq!(slope.value()?.to_f64s(), [3.0, 12.0]);
/// assert_eq!(tape.grad(slope.sum(..), &[x])[0].value()?.to_f64s(), [6.0, 12.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
pub trait Function: Send + Sync {
    /// The name in listings and errors.
    fn name(&self) -> &'static str;

    /// The shape of the result; or what is wrong with the inputs', in a clause.
    ///
    /// # Errors
    /// Shapes, or a number of inputs, that the function does not take.
    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String>;

    /// The result, in the promised shape. Floats of any type are converted to that of the tape.
    ///
    /// # Errors
    /// Numbers that the function does not take, in a clause.
    fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor, String>;

    /// Records the cotangent of each input, from that of the output, the inputs, and the output;
    /// `None` for an input through which none flows.
    fn vjp<'t>(&self, g: Var<'t>, inputs: &[Var<'t>], output: Var<'t>) -> Vec<Option<Var<'t>>>;

    /// Whether a cotangent flows to an input; to all of them, unless it says otherwise.
    fn is_differentiable_in(&self, _input: usize) -> bool {
        true
    }
}

/// A function in a program: equal when it is the same one.
#[derive(Clone)]
pub(crate) struct Custom(Arc<dyn Function>);

impl Custom {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Custom) -> bool {
        self.address() == other.address() && self.0.name() == other.0.name()
    }
}

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Family for Custom {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is_differentiable_in(&self, input: usize) -> bool {
        self.0.is_differentiable_in(input)
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, name) = (rule.g, self.0.name());
        let given = self.0.vjp(g, rule.inputs, rule.y);
        let fits = |(input, cotangent): (&Var<'t>, Option<Var<'t>>)| {
            cotangent.map(|cotangent| {
                if cotangent.is_faulty() || cotangent.shape() == input.shape() {
                    return cotangent;
                }
                let why = format!("the vjp of `{name}` gives a cotangent of another shape");
                let fault = Fault::new(name, why).operand("input", *input);
                g.tape().fault(fault.operand("cotangent", cotangent))
            })
        };
        if given.len() != rule.inputs.len() {
            let (given, inputs) = (given.len(), rule.inputs.len());
            let why = format!("the vjp of `{name}` gives {given} cotangents for {inputs} inputs");
            let fault = Fault::new(name, why).cure("one for each input, `None` where none flows");
            let fault = g.tape().fault(fault);
            return rule.inputs.iter().map(|_| Some(fault)).collect();
        }
        rule.inputs.iter().zip(given).map(fits).collect()
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        let refuse = |why| Error::Function { operation: self.0.name(), why };
        let result = self.0.forward(inputs).map_err(refuse)?;
        if result.shape() != out.shape() {
            let why = format!("it gives {}, and promised {}", result.shape(), out.shape());
            return Err(refuse(why));
        }
        kernels::copy(&result.to_dtype(out.dtype()), out)
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

impl Tape {
    /// Records a function of one's own on some inputs. Plans are kept for the function that they
    /// were made for: make it once, not once a step.
    ///
    /// # Errors
    /// Recorded as a fault: inputs that the function's [`shape`](Function::shape) refuses.
    #[track_caller]
    pub fn apply<'t>(&'t self, function: &Arc<dyn Function>, inputs: &[Var<'t>]) -> Var<'t> {
        let _call = self.call(function.name());
        let named: Vec<(&str, Var<'_>)> = inputs.iter().map(|&input| ("input", input)).collect();
        if let Some(fault) = self.admit(function.name(), &named) {
            return fault;
        }
        if let Some(&faulty) = inputs.iter().find(|input| input.is_faulty()) {
            return faulty;
        }
        let shapes: Vec<Shape> = inputs.iter().map(|input| input.shape()).collect();
        match function.shape(&shapes) {
            Ok(shape) => {
                let op = Op::Custom(Custom(Arc::clone(function)));
                self.record(op, inputs, shape, self.dtype())
            }
            Err(why) => {
                let operands = inputs.iter().enumerate();
                let fault = operands
                    .fold(Fault::new(function.name(), why), |fault, (i, &input)| {
                        fault.operand(format!("input {i}"), input)
                    });
                self.fault(fault)
            }
        }
    }
}
