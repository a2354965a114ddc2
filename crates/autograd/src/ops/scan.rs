//! Running sums.

use lossgraph_tensor::kernels::{self, Direction};
use lossgraph_tensor::{IntoAxis, Tensor};

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule, one};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The running sum along an axis, from its start or from its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CumSum {
    axis: usize,
    direction: Direction,
}

impl Family for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn attributes(&self) -> String {
        match self.direction {
            Direction::Forward => format!("axis {}", self.axis),
            Direction::Reverse => format!("axis {}, from its end", self.axis),
        }
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        true
    }

    /// The transpose runs from the other end.
    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        one(record(CumSum { direction: self.direction.reversed(), ..*self }, rule.g))
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::cumsum(inputs[0], self.axis, self.direction, out)
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

#[track_caller]
fn record(op: CumSum, x: Var<'_>) -> Var<'_> {
    x.tape().record(Op::CumSum(op), &[x], x.shape(), x.dtype())
}

impl<'t> Var<'t> {
    /// The running sum along an axis: `yᵢ = x₀ + … + xᵢ`. Its error does not grow along the axis;
    /// that of integers wraps.
    #[track_caller]
    pub fn cumsum(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("cumsum");
        let axis = axis.into_axis();
        match self.shape().axis(axis) {
            Some(axis) => record(CumSum { axis, direction: Direction::Forward }, self),
            None if self.is_faulty() || (self.rank() == 0 && (axis == 0 || axis == -1)) => self,
            None => self.tape().fault(
                Fault::new("cumsum", format!("there is no axis {axis}")).operand("input", self),
            ),
        }
    }
}
