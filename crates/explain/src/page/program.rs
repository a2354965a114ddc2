//! The program of a graph, to be run again on other inputs.

use lossgraph_autograd::{Tape, Var};
use lossgraph_tensor::{DType, Tensor};

use crate::graph::Graph;

/// A loss as a function of its leaves.
pub(super) struct Program<'a, 't> {
    graph: &'a Graph,
    loss: Var<'t>,
    /// The nodes that are leaves.
    leaves: Vec<usize>,
}

impl<'a, 't> Program<'a, 't> {
    pub fn new(graph: &'a Graph, loss: Var<'t>) -> Program<'a, 't> {
        let is_leaf = |&at: &usize| graph.nodes[at].inputs.is_empty();
        let leaves = (0..graph.nodes.len()).filter(is_leaf).collect();
        Program { graph, loss, leaves }
    }

    /// The float type that it computes in.
    pub fn dtype(&self) -> DType {
        self.loss.tape().dtype()
    }

    /// What the leaves hold.
    pub fn inputs(&self) -> Vec<Tensor> {
        self.leaves.iter().map(|&leaf| self.graph.nodes[leaf].value.clone()).collect()
    }

    /// Which of the inputs a node is.
    pub fn input(&self, node: usize) -> Option<usize> {
        self.leaves.binary_search(&node).ok()
    }

    /// Records the program once more, on what the leaves are to be.
    pub fn record<'n>(&self, tape: &'n Tape, inputs: &[Var<'n>]) -> Var<'n> {
        let mut vars: Vec<Var<'n>> = Vec::with_capacity(self.graph.nodes.len());
        for (at, node) in self.graph.nodes.iter().enumerate() {
            let of: Vec<Var<'n>> = node.inputs.iter().map(|input| vars[input.node]).collect();
            vars.push(match (self.input(at), self.loss.tape().isolated(node.number)) {
                (Some(leaf), _) => inputs[leaf],
                (None, Some(op)) => op.record(tape, &of),
                (None, None) => tape.constant(&node.value),
            });
        }
        vars[vars.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_itself_again_on_other_inputs() {
        let tape = Tape::f64();
        let x = tape.variable([1.0, 2.0]);
        let loss = (x.exp() * 3.0).sum(..);
        let graph = Graph::of(loss).unwrap();
        let program = Program::new(&graph, loss);
        let mut inputs = program.inputs();
        inputs[program.input(0).unwrap()] = Tensor::from([0.0, 0.0]);
        let other = Tape::f64();
        let vars: Vec<Var<'_>> = inputs.iter().map(|input| other.variable(input)).collect();
        assert_eq!(program.record(&other, &vars).item().unwrap(), 6.0);
    }
}
