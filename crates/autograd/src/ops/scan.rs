//! Running sums.

use crate::fault::Fault;
use crate::op::Op;
use crate::var::Var;

/// The running sum along `axis`; its transpose runs from the other end.
#[track_caller]
pub(crate) fn cumsum(x: Var<'_>, axis: usize, reverse: bool) -> Var<'_> {
    x.tape().record(Op::CumSum { axis, reverse }, &[x], x.shape(), x.tape().dtype())
}

impl<'t> Var<'t> {
    /// The running sum along an axis: `yᵢ = x₀ + … + xᵢ`.
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Var<'t> {
        match self.shape().axis(axis) {
            Some(axis) => cumsum(self.to_float(), axis, false),
            None if self.is_faulty() || (self.rank() == 0 && (axis == 0 || axis == -1)) => self,
            None => self.tape().fault(
                Fault::new("cumsum", format!("there is no axis {axis}")).operand("input", self),
            ),
        }
    }
}
