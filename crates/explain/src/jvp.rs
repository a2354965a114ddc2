//! Forward-mode derivatives of single ops.

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::Tensor;

use crate::graph::Graph;

impl Graph {
    /// The Jacobian-vector product of a node's op: how its value changes if one of its inputs
    /// changes by a tangent. `None` for what has no derivative: a `detach`, or a tensor of integers.
    pub(crate) fn jvp(&self, at: usize, slot: usize, tangent: &Tensor) -> Result<Option<Tensor>> {
        let node = &self.nodes[at];
        let operand = |slot: usize| &self.nodes[node.inputs[slot].node].value;
        let floats = node.value.dtype().is_float() && operand(slot).dtype().is_float();
        if !floats || node.operation.stops_gradient() {
            return Ok(None);
        }
        let tape = Tape::f64();
        let inputs: Vec<Var<'_>> = (0..node.inputs.len()).map(|i| tape.input(operand(i))).collect();
        let Some(y) = node.operation.record(&tape, &inputs) else { return Ok(None) };
        tape.jvp(y, &[inputs[slot]], &[tape.constant(tangent)]).value().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tangent_goes_through_an_op_by_its_jacobian() {
        let tape = Tape::f64();
        let [a, b] = [tape.variable([1.0, 2.0, 3.0]), tape.variable([4.0, 5.0, 6.0])];
        let graph = Graph::of((a * b).sum(..)).unwrap();
        let tangent = Tensor::from([0.0, 1.0, 0.0]);
        assert_eq!(graph.jvp(2, 0, &tangent).unwrap().unwrap().to_f64s(), [0.0, 5.0, 0.0]);
        assert_eq!(graph.jvp(3, 0, &tangent).unwrap().unwrap().to_f64s(), [1.0]);
    }
}
