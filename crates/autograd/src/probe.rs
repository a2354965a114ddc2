//! What a checker of rules needs: an op by itself, and rules that are wrong on purpose.

use std::fmt;
use std::sync::Arc;

use lossgraph_tensor::Shape;

use crate::fault::Fault;
use crate::graph::Node;
use crate::tape::Tape;
use crate::var::Var;

/// Changes the cotangents that rules give, so that they are wrong: what a checker of gradients is
/// itself checked with. See [`Tape::tampered`].
#[derive(Clone)]
pub struct Tamper(Arc<Change>);

/// From the name of an op, the number of an input, the cotangent of the output, and the one that the
/// rule gives for the input: another one.
type Change = dyn for<'t> Fn(&str, usize, Var<'t>, Var<'t>) -> Var<'t> + Send + Sync;

impl Tamper {
    /// Wrong rules: `change` is given the name of an op, the number of an input, the cotangent of the
    /// op's output, and the one that its rule gives for the input.
    pub fn new(
        change: impl for<'t> Fn(&str, usize, Var<'t>, Var<'t>) -> Var<'t> + Send + Sync + 'static,
    ) -> Tamper {
        Tamper(Arc::new(change))
    }

    pub(crate) fn change<'t>(&self, op: &str, i: usize, g: Var<'t>, cotangent: Var<'t>) -> Var<'t> {
        (self.0)(op, i, g, cotangent)
    }
}

impl fmt::Debug for Tamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tamper")
    }
}

impl Tape {
    /// This tape, with rules that are wrong.
    ///
    /// ```
    /// use lossgraph_autograd::{Tamper, Tape};
    ///
    /// let wrong = Tamper::new(|op, _, _, g| if op == "exp" { g * 2.0 } else { g });
    /// let tape = Tape::f64().tampered(wrong);
    /// let x = tape.variable(0.0);
    /// assert_eq!(tape.grad(x.exp(), &[x])[0].item()?, 2.0);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn tampered(mut self, tamper: Tamper) -> Tape {
        self.tamper = Some(tamper);
        self
    }

    /// The op of node `id` by itself, apart from the program that it is part of; `None` for a leaf
    /// and whatever else has no inputs.
    pub fn isolated(&self, id: usize) -> Option<Isolated> {
        let recording = self.recording();
        let node = recording.nodes.get(id).filter(|node| !node.inputs.is_empty())?;
        let shapes = node.inputs.iter().map(|&input| recording.nodes[input as usize].shape.clone());
        Some(Isolated { node: node.clone(), shapes: shapes.collect() })
    }
}

/// An op by itself, to be recorded on other inputs: see [`Tape::isolated`].
#[derive(Clone, Debug)]
pub struct Isolated {
    node: Node,
    /// The shapes of its inputs.
    shapes: Vec<Shape>,
}

impl Isolated {
    /// Records the op on inputs, perhaps of another tape.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    ///
    /// let program = Tape::f64();
    /// let y = program.variable([1.0, 2.0]).square();
    /// let square = program.isolated(y.number()).unwrap();
    /// let alone = Tape::f64();
    /// let y = square.record(&alone, &[alone.variable([3.0, 4.0])]);
    /// assert_eq!(y.value()?.to_f64s(), [9.0, 16.0]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// Recorded as a fault: inputs of other shapes than the op had.
    #[track_caller]
    pub fn record<'t>(&self, tape: &'t Tape, inputs: &[Var<'t>]) -> Var<'t> {
        let fits = inputs.len() == self.shapes.len()
            && inputs.iter().zip(&self.shapes).all(|(input, shape)| input.shape() == *shape);
        if !fits {
            let why = "the inputs have other shapes than the op's";
            return tape.fault(Fault::new(self.node.op.name(), why));
        }
        tape.record(self.node.op.clone(), inputs, self.node.shape.clone(), self.node.dtype)
    }

    /// The shape of what the op gives.
    pub fn shape(&self) -> &Shape {
        &self.node.shape
    }
}
