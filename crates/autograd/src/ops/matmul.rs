//! The matrix product, for every combination of ranks.

use lossgraph_tensor::{Shape, Tensor, kernels};
use smallvec::smallvec;

use super::facts::Precedence::{Power, Product};
use super::facts::{Element, Facts, Notation};
use super::family::{At, Cotangents, Family, Rule};
use super::table::{AROUND, Row, Sample::Floats, op};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The matrix product of the last two axes, of operands with equal batches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct MatMul;

impl Family for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    /// `∂L/∂A = G Bᵀ`, `∂L/∂B = Aᵀ G`.
    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, [a, b]) = (rule.g, [rule.inputs[0], rule.inputs[1]]);
        smallvec![
            rule.when(0, || product(g, b.transpose(-2, -1))),
            rule.when(1, || product(a.transpose(-2, -1), g))
        ]
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::matmul(inputs[0], inputs[1], out)
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT.written(Notation::binary("a b", Product, Power, Power))
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        let [row, column] = [at.shape.rank().checked_sub(2)?, at.shape.rank() - 1];
        let inner = *at.operands.first()?.get(column)?;
        let term = |k| vec![(0, at.with(column, k)), (1, at.with(row, k))];
        Some(Element::SumOfProducts((0..inner).map(term).collect()))
    }
}

/// Records `[B…, m, k] × [B…, k, n]`, with equal `B…`.
#[track_caller]
fn product<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
    let mut dims = a.shape().to_vec();
    if let Some(columns) = dims.last_mut() {
        *columns = b.dim(-1);
    }
    a.tape().record(Op::MatMul(MatMul), &[a, b], Shape::from(dims), a.dtype())
}

impl<'t> Var<'t> {
    /// The matrix product of the last two axes; axes before them are a batch, and broadcast.
    ///
    /// A vector on the left is one row, on the right one column, and that axis is dropped again:
    /// `[k] · [k]` is a number, `[m, k] · [k]` a vector, `[b, m, k] · [k, n]` is `[b, m, n]`.
    ///
    /// # Errors
    /// Recorded as faults: inner lengths that differ, batches that do not broadcast, a scalar.
    #[doc(alias = "mm")]
    #[doc(alias = "bmm")]
    #[doc(alias = "mv")]
    #[track_caller]
    pub fn matmul(self, other: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("matmul");
        let (tape, other) = (self.tape(), self.admit("matmul", other));
        if self.is_faulty() || other.is_faulty() {
            return tape.record(Op::MatMul(MatMul), &[self, other], Shape::from(()), tape.dtype());
        }
        let refuse = |why: &str| {
            tape.fault(Fault::new("matmul", why).operand("left", self).operand("right", other))
        };
        if self.rank() == 0 || other.rank() == 0 {
            return refuse("a scalar has no rows");
        }
        let [x, y] = match self.dtype() == other.dtype() {
            true => [self, other],
            false => [self.to_float(), other.to_float()],
        };
        let a = if self.rank() == 1 { x.unsqueeze(0) } else { x };
        let b = if other.rank() == 1 { y.unsqueeze(1) } else { y };
        if a.dim(-1) != b.dim(-2) {
            return refuse("the inner lengths differ");
        }
        let (rows, columns) = (a.dim(-2), b.dim(-1));
        let batch = |x: Var<'t>| Shape::from(&x.shape()[..x.rank() - 2]);
        let Some(common) = batch(a).broadcast(&batch(b)) else {
            return refuse("the batch axes do not broadcast");
        };
        let with_batch = |m: usize, n: usize| {
            let mut dims = common.to_vec();
            dims.extend([m, n]);
            Shape::from(dims)
        };
        let inner = a.dim(-1);
        let result = if b.rank() == 2 && a.rank() > 2 {
            // One matrix on the right: the batch is just more rows.
            let flat = a.reshape([common.numel() * rows, inner]);
            product(flat, b).reshape(with_batch(rows, columns))
        } else {
            product(a.expand(with_batch(rows, inner)), b.expand(with_batch(inner, columns)))
        };
        let mut dims = common.to_vec();
        dims.extend((self.rank() > 1).then_some(rows));
        dims.extend((other.rank() > 1).then_some(columns));
        result.reshape(dims)
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] =
    &[op("matmul", "matmul", "A B", &[Floats(&[2, 3, 4], AROUND), Floats(&[4, 2], AROUND)], |x| {
        x[0].matmul(x[1])
    })
    .torch("matmul, mm, bmm, mv")];
