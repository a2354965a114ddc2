//! The matrix product, for every combination of ranks.

use lossgraph_tensor::Shape;
use smallvec::smallvec;

use crate::fault::Fault;
use crate::op::{Cotangents, Op};
use crate::var::Var;

/// `∂L/∂A = G Bᵀ`, `∂L/∂B = Aᵀ G`.
pub(crate) fn vjp<'t>(
    g: Var<'t>,
    inputs: &[Var<'t>],
    wanted: impl Fn(usize) -> bool,
) -> Cotangents<'t> {
    let [a, b] = [inputs[0], inputs[1]];
    smallvec![
        wanted(0).then(|| product(g, b.transpose(-2, -1))),
        wanted(1).then(|| product(a.transpose(-2, -1), g))
    ]
}

/// Records `[B…, m, k] × [B…, k, n]`, with equal `B…`.
#[track_caller]
fn product<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
    let mut dims = a.shape().to_vec();
    if let Some(columns) = dims.last_mut() {
        *columns = b.dim(-1);
    }
    a.tape().record(Op::MatMul, &[a, b], Shape::from(dims), a.tape().dtype())
}

impl<'t> Var<'t> {
    /// The matrix product of the last two axes; axes before them are a batch, and broadcast.
    ///
    /// A vector on the left is one row, on the right one column, and that axis is dropped again:
    /// `[k] · [k]` is a number, `[m, k] · [k]` a vector, `[b, m, k] · [k, n]` is `[b, m, n]`.
    ///
    /// # Errors
    /// Recorded as faults: inner lengths that differ, batches that do not broadcast, a scalar.
    #[track_caller]
    pub fn matmul(self, other: Var<'t>) -> Var<'t> {
        let tape = self.tape();
        if self.is_faulty() || other.is_faulty() {
            return tape.record(Op::MatMul, &[self, other], Shape::from(()), tape.dtype());
        }
        let misfit = |why: &str| {
            tape.fault(Fault::new("matmul", why).operand("left", self).operand("right", other))
        };
        if self.rank() == 0 || other.rank() == 0 {
            return misfit("a scalar has no rows");
        }
        let [x, y] = [self.to_float(), other.to_float()];
        let a = if self.rank() == 1 { x.unsqueeze(0) } else { x };
        let b = if other.rank() == 1 { y.unsqueeze(1) } else { y };
        if a.dim(-1) != b.dim(-2) {
            return misfit("the inner lengths differ");
        }
        let (rows, columns) = (a.dim(-2), b.dim(-1));
        let batch = |x: Var<'t>| Shape::from(&x.shape()[..x.rank() - 2]);
        let Some(common) = batch(a).broadcast(&batch(b)) else {
            return misfit("the batch axes do not broadcast");
        };
        let with_batch = |m: usize, n: usize| {
            let mut dims = common.to_vec();
            dims.extend([m, n]);
            Shape::from(dims)
        };
        let inner = a.dim(-1);
        let result = if b.rank() == 2 && a.rank() > 2 {
            // One matrix on the right: the batch is just more rows.
            let flat = a.reshape([common.len() * rows, inner]);
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
