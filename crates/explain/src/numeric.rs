//! Numeric gradients: the loss re-evaluated with the value of one node perturbed.

use std::collections::{BTreeSet, HashMap};

use lossgraph_autograd::{Fault, Result, Tape, Var, numeric_gradient};
use lossgraph_tensor::Tensor;

use crate::graph::Graph;

/// A gradient by central finite differences in `f64`.
#[derive(Clone, Debug)]
pub enum NumericGradient {
    /// Element by element, in the shape of the node.
    Elements(Tensor),
    /// The directional derivative along one direction, where there are too many elements.
    Directional {
        /// The direction: 1 or −1 in each element.
        direction: Tensor,
        /// The derivative by finite differences.
        numeric: f64,
        /// The derivative by the gradient: its dot product with the direction.
        analytic: f64,
    },
}

/// The cost of recording and starting an op, in elements computed.
const OVERHEAD: usize = 100;
/// How many evaluations of the loss one derivative takes.
const EVALUATIONS: usize = 4;

impl Graph {
    /// The gradient of the loss with respect to a node by finite differences: its value is
    /// perturbed, and all that depends on it evaluated again. What lies behind a `detach` stays as
    /// it is.
    ///
    /// `budget` says how many elements may be computed for it (a million take some milliseconds): if
    /// it is too little for all elements, the result is a directional derivative, and if it is too
    /// little for that, or no gradient flows to the node, the result is `None`.
    ///
    /// At a kink, finite differences give a mean of both slopes: see
    /// [`HazardKind::Kink`](crate::HazardKind::Kink).
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::{Graph, NumericGradient};
    /// let tape = Tape::f64();
    /// let x = tape.variable([1.0, 2.0]);
    /// let graph = Graph::of(x.exp().sum(..).ln())?;
    /// let found = graph.numeric_gradient(0, 1_000_000)?;
    /// let Some(NumericGradient::Elements(slopes)) = found else { panic!() };
    /// assert!(slopes.allclose(graph.nodes[0].gradient.as_ref().unwrap(), 1e-9, 0.0));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the program gives on the perturbed values.
    pub fn numeric_gradient(&self, node: usize, budget: usize) -> Result<Option<NumericGradient>> {
        let Some(gradient) = self.nodes.get(node).and_then(|node| node.gradient.as_ref()) else {
            return Ok(None);
        };
        let value = &self.nodes[node].value;
        let Some((dependents, cost)) = self.dependents(node, budget / EVALUATIONS) else {
            return Ok(None);
        };
        if EVALUATIONS * cost * value.len() <= budget {
            let slopes = numeric_gradient(
                |tape, x| self.substituted(tape, &dependents, x[0]),
                std::slice::from_ref(value),
            )?;
            return Ok(slopes.into_iter().next().map(NumericGradient::Elements));
        }
        let signs: Vec<f64> = (0..value.len()).map(sign).collect();
        let analytic = gradient.to_f64s().iter().zip(&signs).map(|(g, sign)| g * sign).sum();
        let direction = Tensor::new(value.shape().clone(), signs)
            .map_err(|error| Fault::new("numeric_gradient", error.to_string()))?;
        let slopes = numeric_gradient(
            |tape, t| {
                let perturbed = tape.constant(value) + tape.constant(&direction) * t[0];
                self.substituted(tape, &dependents, perturbed)
            },
            &[Tensor::from(0.0)],
        )?;
        let numeric = slopes.first().map_or(Ok(f64::NAN), Tensor::item).unwrap_or(f64::NAN);
        Ok(Some(NumericGradient::Directional { direction, numeric, analytic }))
    }

    /// The nodes whose values depend on that of a node, itself first, in the order of recording, and
    /// what it takes to compute them, in elements. `None` if that is more than `most`: then only
    /// some of them were looked at.
    pub(crate) fn dependents(&self, node: usize, most: usize) -> Option<(Vec<usize>, usize)> {
        let mut open = BTreeSet::from([node]);
        let (mut dependents, mut cost) = (Vec::new(), 0);
        // Readers come after what they read: the first of those that are left is complete.
        while let Some(at) = open.pop_first() {
            cost += OVERHEAD + self.nodes[at].shape.numel();
            if cost > most {
                return None;
            }
            dependents.push(at);
            let readers = self.readers(at).map(|(reader, _)| reader);
            open.extend(readers.filter(|&reader| !self.nodes[reader].operation.stops_gradient()));
        }
        Some((dependents, cost))
    }

    /// Records the loss with `var` substituted for the first of some nodes, of which the others are
    /// the dependents; what does not depend on it is constant.
    pub(crate) fn substituted<'t>(
        &self,
        tape: &'t Tape,
        dependents: &[usize],
        var: Var<'t>,
    ) -> Var<'t> {
        let mut vars: HashMap<usize, Var<'t>> = HashMap::with_capacity(dependents.len());
        let constant = |node: usize| tape.constant(&self.nodes[node].value);
        for (nth, &at) in dependents.iter().enumerate() {
            let info = &self.nodes[at];
            let operand =
                |input: usize| vars.get(&input).copied().unwrap_or_else(|| constant(input));
            let inputs = || info.inputs.iter().map(|input| operand(input.node)).collect::<Vec<_>>();
            let recorded =
                if nth == 0 { Some(var) } else { info.operation.record(tape, &inputs()) };
            vars.extend(recorded.map(|recorded| (at, recorded)));
        }
        let loss = self.nodes.len() - 1;
        vars.get(&loss).copied().unwrap_or_else(|| constant(loss))
    }
}

/// A sign for each element, as irregular as a coin: the bits of multiples of the golden ratio.
fn sign(element: usize) -> f64 {
    let bits = (element as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if (bits >> 40).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use lossgraph_tensor::DType;

    use super::*;

    #[test]
    fn the_gradient_of_every_node_is_the_numeric_one() {
        let tape = Tape::new();
        let x = tape.variable([[0.3, -1.2], [2.0, 0.7]]);
        let w = tape.variable([[1.0, 2.0], [-1.0, 0.5]]);
        let loss = (x.matmul(w).log_softmax(1) * x.tanh()).square().mean(..);
        let graph = Graph::of(loss).unwrap();
        for (at, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.gradient.is_some())
        {
            let Some(NumericGradient::Elements(slopes)) =
                graph.numeric_gradient(at, usize::MAX).unwrap()
            else {
                panic!("{} has no numeric gradient", node.op)
            };
            let gradient = node.gradient.as_ref().unwrap().to_dtype(DType::F64);
            assert!(slopes.allclose(&gradient, 1e-4, 1e-5), "{} {slopes:?} {gradient:?}", node.op);
        }
    }

    #[test]
    fn many_elements_have_one_directional_derivative() {
        let tape = Tape::f64();
        let x = tape.variable(Tensor::arange(1000, DType::F64));
        let graph = Graph::of((x * 0.001).sin().sum(..)).unwrap();
        let found = graph.numeric_gradient(0, 100_000).unwrap();
        let Some(NumericGradient::Directional { numeric, analytic, .. }) = found else { panic!() };
        assert!((numeric - analytic).abs() < 1e-9, "{numeric} {analytic}");
        assert!(graph.numeric_gradient(0, 100).unwrap().is_none());
    }

    #[test]
    fn what_is_behind_a_detach_stays() {
        let tape = Tape::f64();
        let x = tape.variable(3.0);
        let graph = Graph::of(x * x.detach()).unwrap();
        let Some(NumericGradient::Elements(slope)) = graph.numeric_gradient(0, 10_000).unwrap()
        else {
            panic!()
        };
        assert!((slope.item().unwrap() - 3.0).abs() < 1e-9);
    }
}
