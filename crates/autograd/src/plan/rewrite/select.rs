//! Selects by a mask.

use super::Dag;
use super::table::ZERO_TESTS;
use crate::ops::op::Op;
use crate::ops::select::Select;
use crate::record::node::{Id, Inputs, Node};

impl Dag {
    pub(super) fn select(&mut self, [mut mask, mut a, mut b]: [Id; 3]) -> Id {
        let (shape, dtype) = (self.shape(a), self.node(a).dtype);
        if a == b {
            return a;
        }
        while let Some((x, is_zero)) = self.compared_with_zero(mask) {
            mask = x;
            if is_zero {
                (a, b) = (b, a);
            }
        }
        if let Some(mask) = self.as_fill(mask) {
            return if mask != 0.0 { a } else { b };
        }
        // A choice inside of a choice by the same mask is made already.
        let chosen = |x: Id, side: usize| match self.node(x) {
            Node { op: Op::Select(_), inputs, .. } if inputs[0] == mask => inputs[side],
            _ => x,
        };
        (a, b) = (chosen(a, 1), chosen(b, 2));
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
        self.push(Op::Select(Select), Inputs::from_slice(&operands), &shape, dtype)
    }

    /// What a mask compares with 0, and whether it is set where that is 0, not where it is not: such a
    /// number is a mask itself, or the opposite of one, also if it is NaN or −0.
    fn compared_with_zero(&self, mask: Id) -> Option<(Id, bool)> {
        ZERO_TESTS.iter().find_map(|&(row, is_zero)| {
            let [x, zero] = self.as_binary(mask, row)?;
            let float = self.node(x).dtype == self.node(mask).dtype;
            (float && self.as_fill(zero) == Some(0.0)).then_some((x, is_zero))
        })
    }

    /// The mask and the value of a choice between a value and 0.
    pub(super) fn masked(&self, id: Id) -> Option<(Id, Id)> {
        let node = self.node(id);
        let zero = matches!(node.op, Op::Select(_)) && self.is_fill_of(node.inputs[2], 0.0);
        zero.then(|| (node.inputs[0], node.inputs[1]))
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_tensor::Tensor;

    use crate::record::tape::Tape;
    use crate::record::var::Var;

    /// The plan of a formula of an x and a factor, and whether it gives what the reference gives.
    fn plan(formula: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>) -> (String, bool) {
        let run = |tape: Tape| {
            let x = tape.constant([-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.5]);
            let factor = tape.constant(Tensor::from([0.5, 2.0, 3.0, -1.0, 7.0, 0.25, 1.5]));
            let y = formula(x, factor);
            (tape.plan(&[y]).unwrap().to_string(), y.value().unwrap().to_f64s())
        };
        let ((fused, value), (_, reference)) = (run(Tape::f64()), run(Tape::f64().unfused()));
        let mut pairs = value.iter().zip(&reference);
        let same = pairs.all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
        (fused, same)
    }

    #[test]
    fn between_its_bounds_a_clamp_differs_from_its_argument_by_nothing() {
        let (plan, right) = plan(|x, factor| {
            let (c, inside) = (x.clamp(-1.0, 1.0), x.gt(-1.0) * x.lt(1.0));
            factor + inside.select(x * 3.0 * 0.5 - c * 3.0 * 0.5, 0.0)
        });
        assert!(right && !plan.contains("clamp") && !plan.contains("select"), "{plan}");
    }

    #[test]
    fn times_what_may_be_infinite_the_difference_may_be_nan() {
        for infinite in [f64::INFINITY, f64::NAN, 1.5e308] {
            let (written, right) = plan(|x, factor| {
                let (c, inside) = (x.clamp(-2.0, 2.0), x.gt(-2.0) * x.lt(2.0));
                let factor = factor.lt(1.0).select(infinite, factor);
                inside.select(factor * x - factor * c, 0.0)
            });
            assert!(right && written.contains("clamp"), "{written}");
            let (written, right) = plan(|x, factor| {
                let (c, inside) = (x.clamp(-2.0, 2.0), x.gt(-2.0) * x.lt(2.0));
                factor + inside.select(x * infinite - c * infinite, 0.0)
            });
            assert!(right && written.contains("clamp"), "{written}");
        }
    }

    #[test]
    fn a_comparison_with_zero_is_no_mask_of_its_own() {
        let extreme = [0.0, -0.0, f64::NAN, f64::INFINITY, 1e-320, -2.0, 1.0];
        for opposites in 0..3 {
            let (plan, right) = plan(|x, factor| {
                let mut mask = x.tape().constant(Tensor::from(extreme));
                for _ in 0..opposites {
                    mask = mask.eq(0.0);
                }
                mask.ne(0.0).select(x, factor) + mask.eq(0.0).select(factor, x * 2.0)
            });
            let compares = plan.contains("eq(") || plan.contains("ne(");
            assert!(right && !compares, "{plan}");
        }
        // Of integers it is one: programs of micro-ops compute in floats.
        let (_, right) = plan(|x, factor| {
            let mask = x.tape().constant(Tensor::from([0_i64, 1, -1, i64::MAX, 0, 2, 3]));
            mask.ne(0).select(x, factor)
        });
        assert!(right);
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
