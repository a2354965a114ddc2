//! Arithmetic: constants are folded, broadcasts move outward, and the rewrites of the
//! [`table`](super::table) are tried.

use lossgraph_tensor::{DType, Tensor};

use super::Dag;
use super::table::{BINARY, UNARY};
use crate::ops::binary::{Binary, BinaryOp};
use crate::ops::op::{Op, RowRef};
use crate::ops::unary::{Unary, UnaryOp};
use crate::record::node::{Id, Inputs};

impl Dag {
    pub(super) fn unary(&mut self, row: &'static Unary, p: [f64; 2], x: Id) -> Id {
        let (shape, dtype) = (self.shape(x), self.node(x).dtype);
        let op = Op::Unary(UnaryOp::new(row, p));
        if let Some(value) = self.as_fill(x).and_then(|x| evaluate(&op, &[x], dtype)) {
            return self.fill(value, &shape);
        }
        if let Some(base) = self.as_expand(x) {
            let narrow = self.unary(row, p, base);
            return self.expand(narrow, &shape);
        }
        let mut rewrites = UNARY.iter().filter(|rewrite| RowRef(rewrite.of) == RowRef(row));
        rewrites
            .find_map(|rewrite| rewrite.applied(self, x))
            .unwrap_or_else(|| self.push(op, Inputs::from_slice(&[x]), &shape, dtype))
    }

    pub(super) fn binary(&mut self, row: &'static Binary, a: Id, b: Id) -> Id {
        let (shape, dtype) = (self.shape(a), self.node(a).dtype);
        let op = Op::Binary(BinaryOp(RowRef(row)));
        let fills = self.as_fill(a).zip(self.as_fill(b));
        if let Some(value) = fills.and_then(|(a, b)| evaluate(&op, &[a, b], dtype)) {
            return self.fill(value, &shape);
        }
        if self.is_broadcast(a)
            && self.is_broadcast(b)
            && let Some(narrow) = self.narrowed(&[a, b])
        {
            let (a, b) = (self.narrow(a, &narrow), self.narrow(b, &narrow));
            let result = self.binary(row, a, b);
            return self.expand(result, &shape);
        }
        let mut rewrites = BINARY.iter().filter(|rewrite| RowRef(rewrite.of) == RowRef(row));
        rewrites.find_map(|rewrite| rewrite.applied(self, [a, b])).unwrap_or_else(|| {
            // One order for both, so that equal products and sums are found to be equal.
            let swap = row.commutes && (self.is_broadcast(a), a) > (self.is_broadcast(b), b);
            let operands = if swap { [b, a] } else { [a, b] };
            self.push(op, Inputs::from_slice(&operands), &shape, dtype)
        })
    }
}

/// What an element-wise op makes of numbers, in its own precision.
fn evaluate(op: &Op, inputs: &[f64], dtype: DType) -> Option<f64> {
    let scalar = |x: f64| Tensor::full((), x, dtype).ok();
    let inputs: Vec<Tensor> = inputs.iter().filter_map(|&x| scalar(x)).collect();
    let mut out = scalar(0.0)?;
    op.compute(&inputs.iter().collect::<Vec<_>>(), &mut out).ok()?;
    out.item().ok()
}
