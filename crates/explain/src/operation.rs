//! What a node does, and what it is known for: views ask the op, and no list here names ops.

use lossgraph_autograd::ops::facts::{Arithmetic, Cost, Facts, Notation};
use lossgraph_autograd::{Kink, Leaf, NodeInfo, OpInstance, Tape, Var};
use lossgraph_tensor::Tensor;
use lossgraph_tensor::kernels::ReduceOp;

/// What a node does.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// A number of the program, the same in all elements.
    Constant(f64),
    /// Data that gradients are taken of: a variable or a parameter.
    Variable,
    /// Other data.
    Data,
    /// An op on its inputs.
    Op(OpInstance),
}

impl Operation {
    pub fn of(tape: &Tape, info: &NodeInfo) -> Operation {
        match tape.op_instance(info.id) {
            Some(op) => Operation::Op(op),
            None => match (info.leaf, info.fill) {
                (Some(Leaf::Variable | Leaf::Parameter), _) => Operation::Variable,
                (_, Some(number)) => Operation::Constant(number),
                (Some(Leaf::Constant) | None, None) => Operation::Data,
            },
        }
    }

    /// The op; `None` for a leaf.
    pub fn op(&self) -> Option<&OpInstance> {
        match self {
            Operation::Op(op) => Some(op),
            Operation::Constant(_) | Operation::Variable | Operation::Data => None,
        }
    }

    /// The number of a constant of the program.
    pub fn constant(&self) -> Option<f64> {
        match self {
            Operation::Constant(number) => Some(*number),
            Operation::Variable | Operation::Data | Operation::Op(_) => None,
        }
    }

    /// Records the op on other inputs; `None` for a leaf.
    pub fn record<'t>(&self, tape: &'t Tape, inputs: &[Var<'t>]) -> Option<Var<'t>> {
        self.op().map(|op| op.record(tape, inputs))
    }

    /// The elements of the output at a point without a derivative, given the inputs' values.
    pub fn kinks(&self, inputs: &[Tensor]) -> Vec<(usize, &'static Kink)> {
        self.op().map_or_else(Vec::new, |op| op.kinks(inputs))
    }

    /// The facts of the op; those of a leaf are the defaults.
    pub fn facts(&self) -> Facts {
        self.op().map_or(Facts::DEFAULT, OpInstance::facts)
    }

    /// Whether it passes numbers on unchanged and lets no gradient through, like a `detach`.
    pub fn stops_gradient(&self) -> bool {
        self.op().is_some_and(|op| op.facts().exact && !op.is_differentiable_in(0))
    }

    /// Whether it is a view that formulas do not write.
    pub fn is_transparent(&self) -> bool {
        self.op().is_some_and(|op| op.facts().notation == Notation::Operand)
    }

    /// Whether it is a smooth element-wise function of one operand.
    pub fn is_smooth_map(&self) -> bool {
        self.op().is_some_and(OpInstance::is_smooth_map)
    }

    /// Whether it divides its first operand by its second.
    pub fn is_quotient(&self) -> bool {
        self.op().is_some_and(|op| op.facts().arithmetic == Some(Arithmetic::Quotient))
    }

    /// Whether it is a sum over axes.
    pub fn is_sum(&self) -> bool {
        self.op().is_some_and(|op| op.facts().reduces == Some(ReduceOp::Sum))
    }

    /// Whether it adds, subtracts, multiplies or divides.
    pub fn is_arithmetic(&self) -> bool {
        self.op().is_some_and(|op| op.facts().arithmetic.is_some())
    }

    /// Whether it is cheap and has a gradient in its second and third operand alone: a choice by a mask.
    pub fn is_choice(&self) -> bool {
        let has_gradients = |op: &OpInstance| [0, 1, 2].map(|input| op.is_differentiable_in(input));
        let is_cheap = |op: &OpInstance| op.facts().cost == Cost::Cheap;
        self.op().is_some_and(|op| is_cheap(op) && has_gradients(op) == [false, true, true])
    }

    /// Why its slope with respect to an input is 0 where that is `x`; `None` where the rule itself
    /// says it best.
    pub fn zero_slope(&self, input: usize, x: &str) -> Option<String> {
        Some(self.facts().zero_slope.get(input)?.replace("{x}", x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_detach_passes_numbers_on_and_stops_the_gradient() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0]]);
        let indices = tape.constant([[0_i64]]);
        let stops = |var: Var<'_>| {
            let info = tape.node(var.number()).unwrap();
            Operation::of(&tape, &info).stops_gradient()
        };
        assert!(stops(x.detach()));
        for var in [x, x.t(), -x, x.gather(1, indices), x.gt(1.0), indices.to_float()] {
            assert!(!stops(var), "{}", tape.node(var.number()).unwrap().op);
        }
    }

    #[test]
    fn leaves_are_told_apart() {
        let tape = Tape::f64();
        let of = |var: Var<'_>| Operation::of(&tape, &tape.node(var.number()).unwrap());
        assert!(matches!(of(tape.variable(1.0)), Operation::Variable));
        assert!(matches!(of(tape.constant([1.0, 2.0])), Operation::Data));
        assert_eq!(of(tape.fill([2], 3.0)).constant(), Some(3.0));
    }
}
