//! Derivatives of programs, with JAX's names: `jvp`, `hvp`, `jacobian`, `hessian`.

use lossgraph_tensor::{DType, Tensor};

use crate::grad::named;
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
        if let Some(fault) = self.admit_with("jvp", y, xs, ("tangent", tangents)) {
            return fault;
        }
        if let Some(fault) = unfit("jvp", "tangent", xs, tangents) {
            return self.fault(fault);
        }
        // Any cotangent will do, since it drops out.
        let cotangent = self.fill(y.shape(), 0.0);
        match inner_product(&self.vjp(y, cotangent, xs), tangents) {
            Some(product) => self.grad(product, &[cotangent])[0],
            None => cotangent,
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
        if let Some(fault) = self.admit_with("hvp", y, xs, ("vector", vectors)) {
            return vec![fault; xs.len()];
        }
        if let Some(fault) = unfit("hvp", "vector", xs, vectors) {
            return vec![self.fault(fault); xs.len()];
        }
        match inner_product(&self.grad(y, xs), vectors) {
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
        if let Some(fault) = self.admit("jacobian", &[("y", y), ("x", x)]) {
            return fault;
        }
        if let Some(&faulty) = [y, x].iter().find(|var| var.is_faulty()) {
            return faulty;
        }
        let shape: Vec<usize> = y.shape().iter().chain(x.shape().iter()).copied().collect();
        let flat = y.flatten(..);
        let row = |i: usize| self.grad(flat.index(0, i).sum(..), &[x])[0].flatten(..);
        let rows: Vec<Var<'t>> = (0..y.len()).map(row).collect();
        if rows.is_empty() || x.len() == 0 {
            return self.fill(shape, 0.0);
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

impl Tape {
    /// A fault if a result, its variables or the vectors that go with them are on another tape.
    #[track_caller]
    fn admit_with<'t>(
        &'t self,
        operation: &str,
        y: Var<'t>,
        xs: &[Var<'t>],
        (name, vectors): (&str, &[Var<'t>]),
    ) -> Option<Var<'t>> {
        let mut vars = named("y", y, xs);
        vars.extend(vectors.iter().map(|&vector| (name, vector)));
        self.admit(operation, &vars)
    }
}

/// What is wrong with the vectors that go with some variables, one with each.
fn unfit(operation: &str, name: &str, xs: &[Var<'_>], vectors: &[Var<'_>]) -> Option<Fault> {
    if vectors.len() != xs.len() {
        let why = format!("{} {name}s for {} variables", vectors.len(), xs.len());
        return Some(Fault::new(operation, why));
    }
    let known = |(x, vector): &(&Var<'_>, &Var<'_>)| !x.is_faulty() && !vector.is_faulty();
    let mut pairs = xs.iter().zip(vectors).filter(known);
    let (&x, &vector) = pairs.find(|(x, vector)| x.shape() != vector.shape())?;
    let why = format!("the {name} has another shape than the variable");
    Some(Fault::new(operation, why).operand("variable", x).operand(name, vector))
}

/// `Σᵢ aᵢ · bᵢ` over all elements; `None` of nothing.
#[track_caller]
fn inner_product<'t>(a: &[Var<'t>], b: &[Var<'t>]) -> Option<Var<'t>> {
    let products = a.iter().zip(b).map(|(&a, &b)| (a * b).sum(..));
    products.reduce(|sum, product| sum + product)
}

/// A tape for a program on these inputs: in `f64` if one of them is.
fn tape_for(inputs: &[Tensor]) -> Tape {
    let double = inputs.iter().any(|input| input.dtype() == DType::F64);
    if double { Tape::f64() } else { Tape::new() }
}

fn variables<'t>(tape: &'t Tape, tensors: &[Tensor]) -> Vec<Var<'t>> {
    tensors.iter().map(|tensor| tape.input(tensor)).collect()
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
    let xs = variables(&tape, inputs);
    let y = program(&tape, &xs);
    let moved = tape.jvp(y, &xs, &variables(&tape, tangents));
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
    let xs = variables(&tape, inputs);
    tape.eval(&tape.hvp(program(&tape, &xs), &xs, &variables(&tape, vectors)))
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
    let xs = variables(&tape, inputs);
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
    let xs = variables(&tape, inputs);
    let y = program(&tape, &xs);
    let all: Vec<Var<'_>> = xs.iter().map(|&x| tape.hessian(y, x)).collect();
    tape.eval(&all)
}

/// Two values that were requested together.
fn pair(values: Vec<Tensor>) -> [Tensor; 2] {
    values.try_into().unwrap_or_else(|_| unreachable!("two values were requested"))
}
