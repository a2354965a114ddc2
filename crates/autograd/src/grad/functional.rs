//! Derivatives of programs, with JAX's names: `jvp`, `hvp`, `jacobian`, `hessian`.

use lossgraph_tensor::{DType, Shape, Tensor};

use crate::record::fault::{Fault, Result};
use crate::record::tape::Tape;
use crate::record::var::Var;

impl Tape {
    /// Records the Jacobian-vector product `Σᵢ ∂y/∂xᵢ · tangentᵢ`: how `y` moves when the `xs` move.
    ///
    /// It is the derivative of `vjp` by its cotangent, in which `vjp` is linear.
    ///
    /// # Errors
    /// As for [`Tape::vjp`]; also another number of tangents than of xs, or another shape.
    #[track_caller]
    pub fn jvp<'t>(&'t self, y: Var<'t>, xs: &[Var<'t>], tangents: &[Var<'t>]) -> Var<'t> {
        let _call = self.call("jvp");
        if tangents.len() != xs.len() {
            let why = format!("{} tangents for {} variables", tangents.len(), xs.len());
            return self.fault(Fault::new("jvp", why));
        }
        let unfit = xs.iter().zip(tangents).find(|(x, tangent)| {
            !x.is_faulty() && !tangent.is_faulty() && x.shape() != tangent.shape()
        });
        if let Some((&x, &tangent)) = unfit {
            let fault = Fault::new("jvp", "the tangent has another shape than the variable");
            return self.fault(fault.operand("variable", x).operand("tangent", tangent));
        }
        // Any cotangent will do, since it drops out.
        let cotangent = self.constant(zeros(&y.shape(), self.dtype()));
        let flows = self.vjp(y, cotangent, xs);
        let products = flows.iter().zip(tangents).map(|(&flow, &tangent)| (flow * tangent).sum(..));
        match products.reduce(|sum, product| sum + product) {
            Some(product) => self.grad(product, &[cotangent])[0],
            None => self.fill(y.shape(), 0.0),
        }
    }

    /// Records the products of the Hessian of `y`, which has one element, with vectors: for each
    /// `x` of `xs` the sum `Σⱼ ∂²y/∂x∂xⱼ · vectorⱼ`.
    ///
    /// # Errors
    /// As for [`Tape::grad`]; also another number of vectors than of xs, or another shape.
    #[track_caller]
    pub fn hvp<'t>(&'t self, y: Var<'t>, xs: &[Var<'t>], vectors: &[Var<'t>]) -> Vec<Var<'t>> {
        let _call = self.call("hvp");
        let refuse = |fault: Fault| vec![self.fault(fault); xs.len()];
        if vectors.len() != xs.len() {
            let why = format!("{} vectors for {} variables", vectors.len(), xs.len());
            return refuse(Fault::new("hvp", why));
        }
        let unfit = xs.iter().zip(vectors).find(|(x, vector)| {
            !x.is_faulty() && !vector.is_faulty() && x.shape() != vector.shape()
        });
        if let Some((&x, &vector)) = unfit {
            let fault = Fault::new("hvp", "the vector has another shape than the variable");
            return refuse(fault.operand("variable", x).operand("vector", vector));
        }
        let slopes = self.grad(y, xs);
        let products = slopes.iter().zip(vectors).map(|(&slope, &vector)| (slope * vector).sum(..));
        match products.reduce(|sum, product| sum + product) {
            Some(product) => self.grad(product, xs),
            None => Vec::new(),
        }
    }

    /// Records the Jacobian of `y` by `x`, of the shape of `y` followed by that of `x`: one
    /// vector-Jacobian product for each element of `y`.
    ///
    /// # Errors
    /// As for [`Tape::vjp`].
    #[track_caller]
    pub fn jacobian<'t>(&'t self, y: Var<'t>, x: Var<'t>) -> Var<'t> {
        let _call = self.call("jacobian");
        if let Some(&faulty) = [y, x].iter().find(|var| var.is_faulty()) {
            return faulty;
        }
        let shape: Vec<usize> = y.shape().iter().chain(x.shape().iter()).copied().collect();
        let flat = y.flatten();
        let row = |i: usize| self.grad(flat.index(0, i).sum(..), &[x])[0].flatten();
        let rows: Vec<Var<'t>> = (0..y.len()).map(row).collect();
        if rows.is_empty() || x.len() == 0 {
            return self.fill(Shape::from(shape), 0.0);
        }
        crate::stack(&rows, 0).reshape(shape)
    }

    /// Records the Hessian of `y`, which has one element, by `x`: of the shape of `x`, twice.
    ///
    /// # Errors
    /// As for [`Tape::grad`].
    #[track_caller]
    pub fn hessian<'t>(&'t self, y: Var<'t>, x: Var<'t>) -> Var<'t> {
        let _call = self.call("hessian");
        self.jacobian(self.grad(y, &[x])[0], x)
    }
}

fn zeros(shape: &Shape, dtype: DType) -> Tensor {
    // A shape that is too large is refused when the program is planned.
    Tensor::zeros(shape.clone(), dtype).unwrap_or_else(|_| Tensor::from(0.0))
}

/// The float type of a program on these inputs: `f64` if one of them is.
fn tape_for(inputs: &[Tensor]) -> Tape {
    let double = inputs.iter().any(|input| input.dtype() == DType::F64);
    if double { Tape::f64() } else { Tape::new() }
}

/// The value of a program, and how it moves when the inputs move along `tangents`.
///
/// ```
/// use lossgraph_autograd::jvp;
/// use lossgraph_tensor::Tensor;
///
/// let x = [Tensor::from([1.0, 2.0])];
/// let (y, moved) = jvp(|_, x| x[0].square(), &x, &[Tensor::from([1.0, 10.0])])?;
/// assert_eq!((y.to_f64s(), moved.to_f64s()), (vec![1.0, 4.0], vec![2.0, 40.0]));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Tape::jvp`], and what the program itself gives.
pub fn jvp(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
    tangents: &[Tensor],
) -> Result<(Tensor, Tensor)> {
    let tape = tape_for(inputs);
    let xs: Vec<Var<'_>> = inputs.iter().map(|input| tape.variable(input)).collect();
    let tangents: Vec<Var<'_>> = tangents.iter().map(|tangent| tape.constant(tangent)).collect();
    let y = program(&tape, &xs);
    let moved = tape.jvp(y, &xs, &tangents);
    let [y, moved] = pair(tape.eval(&[y, moved])?);
    Ok((y, moved))
}

/// The value of a program with one number as its result, and the product of its Hessian with
/// `vectors`, one for each input.
///
/// ```
/// use lossgraph_autograd::hvp;
/// use lossgraph_tensor::Tensor;
///
/// let x = [Tensor::from([1.0, 2.0])];
/// let product = hvp(|_, x| x[0].powi(3).sum(..), &x, &[Tensor::from([1.0, 1.0])])?;
/// assert_eq!(product[0].to_f64s(), [6.0, 12.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Tape::hvp`], and what the program itself gives.
pub fn hvp(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
    vectors: &[Tensor],
) -> Result<Vec<Tensor>> {
    let tape = tape_for(inputs);
    let xs: Vec<Var<'_>> = inputs.iter().map(|input| tape.variable(input)).collect();
    let vectors: Vec<Var<'_>> = vectors.iter().map(|vector| tape.constant(vector)).collect();
    tape.eval(&tape.hvp(program(&tape, &xs), &xs, &vectors))
}

/// The Jacobian of a program by each input: the shape of the result, then that of the input.
///
/// ```
/// use lossgraph_autograd::jacobian;
/// use lossgraph_tensor::Tensor;
///
/// let x = [Tensor::from([2.0, 3.0])];
/// let of = jacobian(|_, x| x[0] * x[0].index(0, 0), &x)?;
/// assert_eq!(of[0].to_f64s(), [4.0, 0.0, 3.0, 2.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Tape::jacobian`], and what the program itself gives.
pub fn jacobian(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
) -> Result<Vec<Tensor>> {
    let tape = tape_for(inputs);
    let xs: Vec<Var<'_>> = inputs.iter().map(|input| tape.variable(input)).collect();
    let y = program(&tape, &xs);
    let all: Vec<Var<'_>> = xs.iter().map(|&x| tape.jacobian(y, x)).collect();
    tape.eval(&all)
}

/// The Hessian of a program with one number as its result, by each input alone: the shape of the
/// input, twice.
///
/// ```
/// use lossgraph_autograd::hessian;
/// use lossgraph_tensor::Tensor;
///
/// let x = [Tensor::from([2.0, 3.0])];
/// let of = hessian(|_, x| x[0].prod(..), &x)?;
/// assert_eq!(of[0].to_f64s(), [0.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// As for [`Tape::hessian`], and what the program itself gives.
pub fn hessian(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
) -> Result<Vec<Tensor>> {
    let tape = tape_for(inputs);
    let xs: Vec<Var<'_>> = inputs.iter().map(|input| tape.variable(input)).collect();
    let y = program(&tape, &xs);
    let all: Vec<Var<'_>> = xs.iter().map(|&x| tape.hessian(y, x)).collect();
    tape.eval(&all)
}

/// Two values that were requested together.
fn pair(values: Vec<Tensor>) -> [Tensor; 2] {
    values.try_into().unwrap_or_else(|_| unreachable!("two values were requested"))
}
