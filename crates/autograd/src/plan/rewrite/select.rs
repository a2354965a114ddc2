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
    pub(super) fn compared_with_zero(&self, mask: Id) -> Option<(Id, bool)> {
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
