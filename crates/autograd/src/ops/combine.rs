//! Joining tensors, and padding one.

use std::sync::Arc;

use lossgraph_tensor::{Shape, Slice};
use smallvec::SmallVec;

use crate::fault::Fault;
use crate::op::{Cotangents, Number, Op};
use crate::var::Var;

/// The tensors one after another along an axis. Other axes agree in length.
///
/// # Errors
/// Recorded as faults: shapes that disagree elsewhere, or no such axis.
///
/// # Panics
/// Without any tensor, since there is no tape to record on.
#[doc(alias = "cat")]
#[track_caller]
pub fn concat<'t>(vars: &[Var<'t>], axis: isize) -> Var<'t> {
    let first = *vars.first().expect("concat takes at least one tensor");
    if let Some(&faulty) = vars.iter().find(|var| var.is_faulty()) {
        return faulty;
    }
    let shape = first.shape();
    let misfit = |why: String| {
        let operands = vars.iter().take(4).enumerate();
        let fault = operands.fold(Fault::new("concat", why), |fault, (i, &var)| {
            fault.operand(format!("input {i}"), var)
        });
        first.tape().fault(fault)
    };
    let Some(along) = shape.axis(axis) else {
        return misfit(format!("there is no axis {axis}"));
    };
    let mut total = 0;
    for var in vars {
        let other = var.shape();
        let agrees = other.rank() == shape.rank()
            && (0..shape.rank()).all(|axis| axis == along || other[axis] == shape[axis]);
        if !agrees {
            return misfit(format!("the shapes differ elsewhere than along axis {along}"));
        }
        if var.dtype() != first.dtype() {
            return misfit("integers and floats do not mix".into());
        }
        total += other[along];
    }
    let mut dims = shape.to_vec();
    dims[along] = total;
    first.tape().record(Op::Concat { axis: along }, vars, Shape::from(dims), first.dtype())
}

/// The tensors, of equal shapes, side by side along a new axis.
///
/// # Panics
/// Without any tensor, since there is no tape to record on.
#[track_caller]
pub fn stack<'t>(vars: &[Var<'t>], axis: isize) -> Var<'t> {
    let rows: SmallVec<[Var<'t>; 8]> = vars.iter().map(|var| var.unsqueeze(axis)).collect();
    concat(&rows, axis)
}

pub(crate) fn concat_vjp<'t>(
    g: Var<'t>,
    axis: usize,
    inputs: &[Var<'t>],
    wanted: impl Fn(usize) -> bool,
) -> Cotangents<'t> {
    let mut start = 0;
    let pieces = inputs.iter().enumerate().map(|(i, input)| {
        let end = start + input.extent(axis as isize) as isize;
        let piece = wanted(i).then(|| g.slice(axis as isize, start..end));
        start = end;
        piece
    });
    pieces.collect()
}

/// Writes `x` at `slices` of a tensor of `shape` that is `value` elsewhere.
#[track_caller]
pub(crate) fn place<'t>(x: Var<'t>, slices: Arc<[Slice]>, shape: Shape, value: f64) -> Var<'t> {
    x.tape().record(Op::Pad(slices, Number(value)), &[x], shape, x.dtype())
}

impl<'t> Var<'t> {
    /// Puts `before` and `after` elements of `value` around each axis, one pair an axis.
    #[track_caller]
    pub fn pad(self, around: &[(usize, usize)], value: f64) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        let shape = self.shape();
        if around.len() != shape.rank() {
            let why = format!("{} pairs for {} axes", around.len(), shape.rank());
            return self.tape().fault(Fault::new("pad", why).operand("input", self));
        }
        let pairs = shape.iter().zip(around);
        let slices = pairs.clone().map(|(&len, pair)| Slice { start: pair.0, len, step: 1 });
        let padded: Vec<usize> = pairs.clone().map(|(&len, pair)| pair.0 + len + pair.1).collect();
        place(self, slices.collect(), Shape::from(padded), value)
    }
}
