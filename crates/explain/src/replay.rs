//! Parts of a loss once more, on other numbers: derivatives that are measured.

use lossgraph_autograd::{Fault, Result, Tape, Var, numeric_gradient};
use lossgraph_tensor::{DType, Tensor};

use crate::graph::Graph;

/// A gradient as it is measured, by central differences in `f64`.
#[derive(Clone, Debug)]
pub enum Measured {
    /// Element by element, in the shape of the node.
    Elements(Tensor),
    /// The slope along one direction, where there are too many elements.
    Along {
        /// The direction: 1 or −1 in each element.
        direction: Tensor,
        /// The slope that is measured.
        numeric: f64,
        /// The slope that the gradient says: its product with the direction.
        analytic: f64,
    },
}

/// What recording and starting an op costs, in numbers computed.
const OVERHEAD: usize = 100;
/// How often the loss is computed for one slope.
const POINTS: usize = 4;

impl Graph {
    /// Measures the gradient of the loss with respect to a node, by moving its value and computing
    /// what depends on it once more. What lies behind a `detach` stays as it is.
    ///
    /// `budget` says how many numbers may be computed for it (a million take some milliseconds): if
    /// it is too little for all elements, the slope along one direction is measured, and if it is
    /// too little for that, or no gradient flows to the node, the result is `None`.
    ///
    /// At a kink, what is measured is a mean of slopes: see [`Hazard::Kink`](crate::Hazard::Kink).
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::{Graph, Measured};
    /// let tape = Tape::f64();
    /// let x = tape.variable([1.0, 2.0]);
    /// let graph = Graph::of(x.exp().sum(..).ln())?;
    /// let Some(Measured::Elements(slopes)) = graph.measured(0, 1_000_000)? else { panic!() };
    /// assert!(slopes.allclose(graph.nodes[0].gradient.as_ref().unwrap(), 1e-9, 0.0));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the program gives on the moved numbers.
    pub fn measured(&self, node: usize, budget: usize) -> Result<Option<Measured>> {
        let Some(gradient) = self.nodes.get(node).and_then(|node| node.gradient.as_ref()) else {
            return Ok(None);
        };
        let value = &self.nodes[node].value;
        let moved = self.moved_by(node);
        let moving = moved.iter().zip(&self.nodes).filter(|(moved, _)| **moved);
        let once = POINTS * moving.map(|(_, node)| OVERHEAD + node.shape.len()).sum::<usize>();
        if once * value.len() <= budget {
            let slopes = numeric_gradient(
                |tape, x| self.replayed(tape, node, &moved, x[0]),
                std::slice::from_ref(value),
            )?;
            return Ok(slopes.into_iter().next().map(Measured::Elements));
        }
        if once > budget {
            return Ok(None);
        }
        let signs: Vec<f64> = (0..value.len()).map(sign).collect();
        let analytic = gradient.to_f64s().iter().zip(&signs).map(|(g, sign)| g * sign).sum();
        let direction = Tensor::new(value.shape().clone(), signs)
            .map_err(|error| Fault::new("measured", error.to_string()))?;
        let slopes = numeric_gradient(
            |tape, t| {
                let moved_value = tape.constant(value) + tape.constant(&direction) * t[0];
                self.replayed(tape, node, &moved, moved_value)
            },
            &[Tensor::from(0.0)],
        )?;
        let numeric = slopes.first().map_or(Ok(f64::NAN), Tensor::item).unwrap_or(f64::NAN);
        Ok(Some(Measured::Along { direction, numeric, analytic }))
    }

    /// Which nodes move with a node, itself included.
    pub(crate) fn moved_by(&self, node: usize) -> Vec<bool> {
        let mut moved = vec![false; self.nodes.len()];
        moved[node] = true;
        for (at, reader) in self.nodes.iter().enumerate().skip(node + 1) {
            moved[at] =
                reader.op != "detach" && reader.inputs.iter().any(|input| moved[input.node]);
        }
        moved
    }

    /// Records the loss with `var` in the place of a node, and all that does not move as it is.
    pub(crate) fn replayed<'t>(
        &self,
        tape: &'t Tape,
        node: usize,
        moved: &[bool],
        var: Var<'t>,
    ) -> Var<'t> {
        let mut vars: Vec<Option<Var<'t>>> = vec![None; self.nodes.len()];
        vars[node] = Some(var);
        for (at, info) in self.nodes.iter().enumerate().skip(node + 1).filter(|(at, _)| moved[*at])
        {
            let read = |input: usize| {
                vars[input].unwrap_or_else(|| tape.constant(&self.nodes[input].value))
            };
            let inputs: Vec<Var<'t>> = info.inputs.iter().map(|input| read(input.node)).collect();
            vars[at] = info.op_alone.as_ref().map(|op| op.record(tape, &inputs));
        }
        let loss = self.nodes.len() - 1;
        vars[loss].unwrap_or_else(|| tape.constant(&self.nodes[loss].value))
    }

    /// How an op's value moves if one of its inputs moves by a tangent: the product of the Jacobian
    /// with it. A rule is linear in the cotangent, so its own derivative with respect to that is the
    /// Jacobian. `None` for what has no derivative: a `detach`, or a tensor of integers.
    pub(crate) fn pushed_forward(
        &self,
        at: usize,
        slot: usize,
        tangent: &Tensor,
    ) -> Result<Option<Tensor>> {
        let node = &self.nodes[at];
        let read = |slot: usize| &self.nodes[node.inputs[slot].node].value;
        let floats = [node.value.dtype(), read(slot).dtype()].iter().all(|dtype| dtype.is_float());
        let (true, Some(op)) = (floats && node.op != "detach", &node.op_alone) else {
            return Ok(None);
        };
        let tape = Tape::f64();
        let inputs: Vec<Var<'_>> = (0..node.inputs.len()).map(|i| tape.variable(read(i))).collect();
        let y = op.record(&tape, &inputs);
        let cotangent = tape.variable(
            Tensor::zeros(node.shape.clone(), DType::F64)
                .map_err(|error| Fault::new("push", error.to_string()))?,
        );
        let product = tape.vjp(y, cotangent, &[inputs[slot]])[0] * tape.constant(tangent);
        tape.grad(product.sum(..), &[cotangent])[0].value().map(Some)
    }
}

/// A sign for each element, as irregular as a coin: the bits of multiples of the golden ratio.
fn sign(element: usize) -> f64 {
    let bits = (element as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if (bits >> 40).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_of_every_node_is_what_is_measured() {
        let tape = Tape::new();
        let x = tape.variable([[0.3, -1.2], [2.0, 0.7]]);
        let w = tape.variable([[1.0, 2.0], [-1.0, 0.5]]);
        let loss = (x.matmul(w).log_softmax(1) * x.tanh()).square().mean(..);
        let graph = Graph::of(loss).unwrap();
        for (at, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.gradient.is_some())
        {
            let Some(Measured::Elements(slopes)) = graph.measured(at, usize::MAX).unwrap() else {
                panic!("{} is not measured", node.op)
            };
            let gradient = node.gradient.as_ref().unwrap().to_dtype(DType::F64);
            assert!(slopes.allclose(&gradient, 1e-4, 1e-5), "{} {slopes:?} {gradient:?}", node.op);
        }
    }

    #[test]
    fn many_elements_are_measured_along_one_direction() {
        let tape = Tape::f64();
        let x = tape.variable(Tensor::arange(1000, DType::F64));
        let graph = Graph::of((x * 0.001).sin().sum(..)).unwrap();
        let measured = graph.measured(0, 100_000).unwrap();
        let Some(Measured::Along { numeric, analytic, .. }) = measured else { panic!() };
        assert!((numeric - analytic).abs() < 1e-9, "{numeric} {analytic}");
        assert!(graph.measured(0, 100).unwrap().is_none());
    }

    #[test]
    fn what_is_behind_a_detach_stays() {
        let tape = Tape::f64();
        let x = tape.variable(3.0);
        let graph = Graph::of(x * x.detach()).unwrap();
        let Some(Measured::Elements(slope)) = graph.measured(0, 10_000).unwrap() else { panic!() };
        assert!((slope.item().unwrap() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_tangent_goes_through_an_op_by_its_jacobian() {
        let tape = Tape::f64();
        let [a, b] = [tape.variable([1.0, 2.0, 3.0]), tape.variable([4.0, 5.0, 6.0])];
        let graph = Graph::of((a * b).sum(..)).unwrap();
        let tangent = Tensor::from([0.0, 1.0, 0.0]);
        assert_eq!(
            graph.pushed_forward(2, 0, &tangent).unwrap().unwrap().to_f64s(),
            [0.0, 5.0, 0.0]
        );
        assert_eq!(graph.pushed_forward(3, 0, &tangent).unwrap().unwrap().to_f64s(), [1.0]);
    }
}
