//! Choosing between two tensors by a mask, and integers as floats.

use lossgraph_tensor::kernels::Map3;
use lossgraph_tensor::map3;
use smallvec::smallvec;

use crate::fault::Fault;
use crate::op::{Cotangents, Op};
use crate::operand::Operand;
use crate::var::Var;

/// `select`: a if mask ≠ 0, else b.
pub static SELECT: Map3 = map3!(|mask, a, b| if mask != T::ZERO { a } else { b });

impl<'t> Var<'t> {
    /// `a` where this mask is not 0, else `b`. The side that is not chosen gets slope 0, even
    /// where its value is infinite or NaN.
    #[doc(alias = "where")]
    #[track_caller]
    pub fn select(self, a: impl Operand<'t>, b: impl Operand<'t>) -> Var<'t> {
        let tape = self.tape();
        let mask = if self.dtype().is_float() { self } else { self.to_float() };
        let (a, b) = (a.beside(mask), b.beside(mask));
        let shape = mask.shape().broadcast(&a.shape()).and_then(|s| s.broadcast(&b.shape()));
        match shape {
            Some(shape) => {
                let operands = [mask, a, b].map(|x| x.expand(shape.clone()));
                tape.record(Op::Select, &operands, shape, tape.dtype())
            }
            None => tape.fault(
                Fault::new("select", "the shapes do not broadcast")
                    .operand("mask", mask)
                    .operand("a", a)
                    .operand("b", b),
            ),
        }
    }

    /// Integers (labels, indices) as the tape's float type; floats as they are.
    #[track_caller]
    pub fn to_float(self) -> Var<'t> {
        if self.dtype().is_float() {
            return self;
        }
        self.tape().record(Op::Cast, &[self], self.shape(), self.tape().dtype())
    }
}

pub(crate) fn vjp<'t>(
    g: Var<'t>,
    inputs: &[Var<'t>],
    wanted: impl Fn(usize) -> bool,
) -> Cotangents<'t> {
    let mask = inputs[0];
    smallvec![None, wanted(1).then(|| mask.select(g, 0.0)), wanted(2).then(|| mask.select(0.0, g))]
}
