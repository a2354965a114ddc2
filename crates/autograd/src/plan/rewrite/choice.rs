//! Choices by a mask.

use super::Dag;
use crate::graph::{Id, Inputs, Node};
use crate::op::{Number, Op};
use crate::ops::binary::{GT, LT, MUL, SUB};
use crate::ops::unary::CLAMP;

impl Dag {
    pub(super) fn select(&mut self, [mask, a, b]: [Id; 3]) -> Id {
        let (shape, dtype) = (self.shape(a), self.node(a).dtype);
        if a == b {
            return a;
        }
        if let Some(mask) = self.as_fill(mask) {
            return if mask != 0.0 { a } else { b };
        }
        // A choice inside of a choice by the same mask is made already.
        let chosen = |x: Id, side: usize| match self.node(x) {
            Node { op: Op::Select, inputs, .. } if inputs[0] == mask => inputs[side],
            _ => x,
        };
        let (mut a, b) = (chosen(a, 1), chosen(b, 2));
        if self.cancels(mask, a) {
            a = self.fill(0.0, &shape);
            return self.select([mask, a, b]);
        }
        let operands = [mask, a, b];
        if operands.iter().all(|&x| self.is_broadcast(x))
            && let Some(narrow) = self.narrowed(&operands)
        {
            let operands = operands.map(|x| self.narrow(x, &narrow));
            let result = self.select(operands);
            return self.expand(result, &shape);
        }
        self.push(Op::Select, Inputs::from_slice(&operands), &shape, dtype)
    }

    /// The mask and the value of a choice between a value and 0.
    pub(super) fn masked(&self, id: Id) -> Option<(Id, Id)> {
        let node = self.node(id);
        let zero = node.op == Op::Select && self.as_fill(node.inputs[2]) == Some(0.0);
        zero.then(|| (node.inputs[0], node.inputs[1]))
    }

    /// Whether `f(x) − f(clamp(x))` is what the mask of this clamp chooses: between the bounds both
    /// are the same. It is what the slope of a bound leaves over where the bound is the best one,
    /// as in Huber's loss, which is the largest `c · x − c²/2` of all c within the bounds.
    fn cancels(&self, mask: Id, x: Id) -> bool {
        let Some(clamp) = self.as_between(mask) else { return false };
        let Some([mut a, mut b]) = self.as_binary(x, &SUB) else { return false };
        while !(self.is_clamp(a, b, clamp) || self.is_clamp(b, a, clamp)) {
            // Products are compared without the factors that they share.
            let factors = self.as_binary(a, &MUL).zip(self.as_binary(b, &MUL));
            (a, b) = match factors {
                Some(([p, q], [r, s])) if p == r => (q, s),
                Some(([p, q], [r, s])) if p == s => (q, r),
                Some(([p, q], [r, s])) if q == r => (p, s),
                Some(([p, q], [r, s])) if q == s => (p, r),
                _ => return false,
            };
        }
        true
    }

    /// The x and the bounds of a mask `(x > low) · (x < high)`, which is the slope of a clamp.
    fn as_between(&self, mask: Id) -> Option<(Id, [Number; 2])> {
        let [a, b] = self.as_binary(mask, &MUL)?;
        [[a, b], [b, a]].into_iter().find_map(|[above, below]| {
            let ([x, low], [y, high]) =
                self.as_binary(above, &GT).zip(self.as_binary(below, &LT))?;
            let bounds = [low, high].map(|bound| self.as_fill(bound).map(Number));
            let [Some(low), Some(high)] = bounds else { return None };
            (x == y).then_some((x, [low, high]))
        })
    }

    fn is_clamp(&self, id: Id, of: Id, (x, bounds): (Id, [Number; 2])) -> bool {
        matches!(self.node(id).op, Op::Unary(row, p) if std::ptr::eq(row.0, &CLAMP) && p == bounds)
            && of == x
            && self.node(id).inputs[0] == x
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_tensor::Tensor;

    use crate::tape::Tape;
    use crate::var::Var;

    /// The plan of a formula of an x and a factor, and whether it gives what the reference gives.
    fn plan(formula: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>) -> (String, bool) {
        let run = |tape: Tape| {
            let x = tape.constant([-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.5]);
            let factor = tape.constant(Tensor::from([0.5, 2.0, 3.0, -1.0, 7.0, 0.25, 1.5]));
            let y = formula(x, factor);
            (tape.plan(&[y]).unwrap().to_string(), y.value().unwrap())
        };
        let ((fused, value), (_, reference)) = (run(Tape::f64()), run(Tape::f64().unfused()));
        (fused, value == reference)
    }

    #[test]
    fn between_its_bounds_a_clamp_differs_from_its_argument_by_nothing() {
        let (plan, right) = plan(|x, factor| {
            let (c, inside) = (x.clamp(-1.0, 1.0), x.gt(-1.0) * x.lt(1.0));
            factor + inside.select(factor * x * 0.5 - factor * c * 0.5, 0.0)
        });
        assert!(right && !plan.contains("clamp") && !plan.contains("select"), "{plan}");
    }

    #[test]
    fn between_other_bounds_it_does_differ() {
        let (plan, right) = plan(|x, factor| {
            let (c, inside) = (x.clamp(-0.3, 0.3), x.gt(-1.0) * x.lt(1.0));
            factor + inside.select(factor * x - factor * c, 0.0)
        });
        assert!(right && plan.contains("clamp") && plan.contains("select"), "{plan}");
    }
}
