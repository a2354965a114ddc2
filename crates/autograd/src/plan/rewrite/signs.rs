//! Which values are never −0: to these, 0 can be added without a trace.

use super::Dag;
use crate::ops::facts::{Arithmetic, Sign};
use crate::ops::op::Op;
use crate::record::node::{Id, Node};

/// What is known of the elements of a node that are not NaN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Signs {
    /// None is negative, and none is −0.
    positive: bool,
    /// None is −0.
    no_negative_zero: bool,
}

impl Dag {
    /// Whether no element is −0.
    pub(in crate::plan) fn is_never_negative_zero(&self, id: Id) -> bool {
        self.signs[id as usize].no_negative_zero
    }

    /// What follows for a node from its operands.
    pub(super) fn signs_of(&self, node: &Node) -> Signs {
        let of = |i: usize| self.signs[node.inputs[i] as usize];
        let all_positive = || node.inputs.iter().all(|&i| self.signs[i as usize].positive);
        let positive = match &node.op {
            Op::Fill(fill) => fill.to_f64().is_sign_positive(),
            Op::View(_) | Op::Reduce(_) => all_positive(),
            Op::Select(_) => of(1).positive && of(2).positive,
            op => {
                let facts = op.family().facts();
                match (facts.sign, facts.arithmetic) {
                    (Sign::Positive, _) => true,
                    (Sign::PositiveOfPositive, _) => all_positive(),
                    (_, Some(Arithmetic::Sum | Arithmetic::Product | Arithmetic::Quotient)) => {
                        all_positive()
                    }
                    _ => false,
                }
            }
        };
        let no_negative_zero = match node.op.family().facts().arithmetic {
            // −0 is the sum of two −0 alone, and the difference of −0 and 0.
            Some(Arithmetic::Sum) => of(0).no_negative_zero || of(1).no_negative_zero,
            Some(Arithmetic::Difference) => of(0).no_negative_zero,
            _ => match &node.op {
                Op::Fill(fill) => fill.to_f64() != 0.0 || fill.to_f64().is_sign_positive(),
                Op::View(_) | Op::Reduce(_) => of(0).no_negative_zero,
                Op::Select(_) => of(1).no_negative_zero && of(2).no_negative_zero,
                _ => false,
            },
        };
        Signs { positive, no_negative_zero: positive || no_negative_zero }
    }
}
