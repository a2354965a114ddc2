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

#[cfg(test)]
mod tests {
    use lossgraph_tensor::{DType, Shape, Tensor};

    use super::*;
    use crate::ops::activation::EXP_NEG_ABS;
    use crate::ops::binary::{SIGMOID_BY, SOFTPLUS_BY};
    use crate::ops::table::{Sample, all};
    use crate::plan::request::PlanRequest;
    use crate::plan::rewrite::extremes;
    use crate::record::tape::Tape;
    use crate::record::var::Var;

    /// Holds what is known of the signs of all nodes of a tape against their values.
    fn check(tape: &Tape, of: &str) {
        let vars: Vec<Var<'_>> = (0..tape.len()).filter_map(|id| tape.var(id)).collect();
        let roots: Vec<Id> = vars.iter().map(|var| var.id()).collect();
        let recording = tape.recording();
        let (nodes, float) = (recording.nodes.clone(), tape.dtype());
        drop(recording);
        let request = PlanRequest {
            nodes: &nodes,
            origins: &roots,
            roots: &roots,
            known: &[],
            arguments: &[],
            float,
        };
        let dag = Dag::verbatim(&request);
        for var in &vars {
            // A matrix of such numbers may have no factor.
            let Ok(value) = var.value() else { continue };
            let Signs { positive, no_negative_zero } =
                dag.signs[dag.roots[var.id() as usize] as usize];
            if !value.dtype().is_float() {
                continue;
            }
            for x in value.to_f64s() {
                let negative = x.is_sign_negative() && !x.is_nan();
                assert!(!(positive && negative), "{of}: {x:e} is not positive");
                assert!(!(no_negative_zero && negative && x == 0.0), "{of} may be −0");
            }
        }
    }

    fn numbers(dtype: DType) -> Vec<f64> {
        extremes(dtype).into_iter().chain([-90.0, 800.0, -800.0]).collect()
    }

    #[test]
    fn what_is_known_of_signs_holds_for_every_op_on_extreme_numbers() {
        for dtype in [DType::F32, DType::F64] {
            let numbers = numbers(dtype);
            let count = numbers.len();
            for (row, start) in all().flat_map(|row| (0..count).map(move |n| (row, n))) {
                for positive in [false, true] {
                    let tape = Tape::with_dtype(dtype).unfused();
                    let input = |(i, sample): (usize, &Sample)| match *sample {
                        Sample::Floats(shape, _) => {
                            let len = Shape::from(shape).numel();
                            let at = |n: usize| numbers[(start + n * (i + 1)) % count];
                            let x = tape
                                .constant(Tensor::new(shape, (0..len).map(at).collect()).unwrap());
                            if positive { x.abs() } else { x }
                        }
                        Sample::Integers(shape, bound) => {
                            let len = Shape::from(shape).numel();
                            let data: Vec<i64> = (0..len).map(|n| (n % bound) as i64).collect();
                            tape.constant(Tensor::new(shape, data).unwrap())
                        }
                    };
                    let inputs: Vec<Var<'_>> = row.inputs.iter().enumerate().map(input).collect();
                    if !(row.record)(&inputs).is_faulty() {
                        check(&tape, row.name);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_known_of_signs_holds_for_the_ops_that_plans_alone_make() {
        for tape in [Tape::new().unfused(), Tape::f64().unfused()] {
            let x = tape.constant(numbers(tape.dtype()));
            let e = x.unary(&EXP_NEG_ABS, [0.0; 2]);
            let _both = [x.binary(&SIGMOID_BY, e), x.binary(&SOFTPLUS_BY, e)];
            check(&tape, "by e^(−|x|)");
        }
    }
}
