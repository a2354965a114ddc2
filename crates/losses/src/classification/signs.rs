//! Targets of −1 and 1.

use lossgraph_autograd::{Fault, Var};

use crate::catalogue::{C, Domain, N, Sample, input};
use crate::check::{Unequal, named_pair, signs};

/// What losses of signs take.
pub(super) const SIGNED: [Sample; 2] =
    [input("prediction", &[N, C], Domain::Logits), input("target", &[N, C], Domain::Signs)];

/// How far each prediction lies on the side of its target, `t p`; the margin of an example in the
/// literature. A target of 0, which would teach nothing, is a class number taken for a sign: it is
/// refused where the target is data.
#[track_caller]
pub(super) fn agreement<'t>(
    loss: &str,
    (name, prediction): (&str, Var<'t>),
    (other, target): (&str, Var<'t>),
    unequal: Unequal,
) -> Var<'t> {
    let signs = signs(loss, other, target);
    let (p, t) = named_pair(loss, (name, prediction), (other, signs), unequal);
    let unsigned = target.data().is_some_and(|data| data.find(|x| x == 0.0).is_some());
    if unsigned && !p.is_faulty() {
        let fault = Fault::new(loss, format!("{other} holds 0, expected signs, −1 or 1"));
        let fault = fault.operand(name, p).operand(other, target);
        return p.tape().fault(fault.cure(format!("for 0 and 1: {other} * 2.0 - 1.0")));
    }
    t * p
}
