//! What a checker of rules needs: an op by itself, and rules that are wrong on purpose; and what a test of
//! the planner needs: its tables, and which rows of them were applied.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;

use lossgraph_tensor::{DType, Shape, Tensor};

use crate::ops::Kink;
use crate::ops::binary::{Binary, BinaryOp};
use crate::ops::facts::{Element, Facts};
use crate::ops::family::At;
use crate::ops::op::{Op, ReduceOp};
use crate::ops::reduce::Reduce;
use crate::ops::table::TIES;
use crate::ops::unary::UnaryOp;
use crate::plan::{Equation, PAIRS, Plan, equations};
use crate::record::fault::Fault;
use crate::record::node::{FxHasher, Node};
use crate::record::tape::Tape;
use crate::record::var::Var;

/// Changes the cotangents that rules give, so that they are wrong: what a checker of gradients is
/// itself checked with. See [`Tape::with_faults`].
#[derive(Clone)]
pub struct FaultInjector(Arc<Change>);

/// From the name of an op, the number of an input, the cotangent of the output, and the one that the
/// rule gives for the input: another one.
type Change = dyn for<'t> Fn(&str, usize, Var<'t>, Var<'t>) -> Var<'t> + Send + Sync;

impl FaultInjector {
    /// Wrong rules: `change` is given the name of an op, the number of an input, the cotangent of the
    /// op's output, and the one that its rule gives for the input.
    pub fn new(
        change: impl for<'t> Fn(&str, usize, Var<'t>, Var<'t>) -> Var<'t> + Send + Sync + 'static,
    ) -> FaultInjector {
        FaultInjector(Arc::new(change))
    }

    pub(crate) fn change<'t>(&self, op: &str, i: usize, g: Var<'t>, cotangent: Var<'t>) -> Var<'t> {
        (self.0)(op, i, g, cotangent)
    }
}

impl fmt::Debug for FaultInjector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultInjector")
    }
}

impl Tape {
    /// This tape, with rules that are wrong.
    ///
    /// ```
    /// use lossgraph_autograd::{FaultInjector, Tape};
    ///
    /// let wrong = FaultInjector::new(|op, _, _, g| if op == "exp" { g * 2.0 } else { g });
    /// let tape = Tape::f64().with_faults(wrong);
    /// let x = tape.variable(0.0);
    /// assert_eq!(tape.grad(x.exp(), &[x])[0].item()?, 2.0);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn with_faults(mut self, injector: FaultInjector) -> Tape {
        self.injector = Some(injector);
        self
    }

    /// The op of node `id` by itself, apart from the program that it is part of; `None` for a leaf
    /// and whatever else has no inputs.
    pub fn op_instance(&self, id: usize) -> Option<OpInstance> {
        let recording = self.recording();
        let node = recording.nodes.get(id).filter(|node| !node.inputs.is_empty())?;
        let shapes = node.inputs.iter().map(|&input| recording.nodes[input as usize].shape.clone());
        Some(OpInstance { node: node.clone(), shapes: shapes.collect() })
    }

    /// The hash by which tables find node `id`: that of an equal node, and of hardly any other.
    pub fn node_hash(&self, id: usize) -> Option<u64> {
        let recording = self.recording();
        let node = recording.nodes.get(id)?;
        Some(BuildHasherDefault::<FxHasher>::default().hash_one(node.hash_after(0)))
    }
}

impl Plan {
    /// The equations by which programs are rewritten, for a test of each.
    pub fn equations() -> impl Iterator<Item = Equation> {
        equations()
    }

    /// The equations that were applied to this program, each once.
    ///
    /// ```
    /// let tape = lossgraph_autograd::Tape::f64();
    /// let y = tape.variable([1.0, 2.0]) / 4.0;
    /// assert_eq!(tape.plan(&[y])?.rewrites(), ["x / 2ᵏ = x · 2⁻ᵏ"]);
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn rewrites(&self) -> &[&'static str] {
        &self.rewrites
    }

    /// The functions of two values of which one micro-op computes both, for a test of each: the inner
    /// one, the outer one, and the operand of the outer one that the inner one is, if it is not any.
    pub fn pairs() -> impl Iterator<Item = (&'static Binary, &'static Binary, Option<usize>)> {
        PAIRS.iter().map(|pair| (pair.inner, pair.outer, pair.side))
    }
}

/// An op by itself, to be recorded on other inputs: see [`Tape::op_instance`].
#[derive(Clone, Debug)]
pub struct OpInstance {
    node: Node,
    /// The shapes of its inputs.
    shapes: Vec<Shape>,
}

impl OpInstance {
    /// Records the op on inputs, perhaps of another tape.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    ///
    /// let program = Tape::f64();
    /// let y = program.variable([1.0, 2.0]).square();
    /// let square = program.op_instance(y.number()).unwrap();
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
        let named: Vec<(&str, Var<'_>)> = inputs.iter().map(|&input| ("input", input)).collect();
        if let Some(fault) = tape.admit(self.node.op.name(), &named) {
            return fault;
        }
        let fits = inputs.len() == self.shapes.len()
            && inputs.iter().zip(&self.shapes).all(|(input, shape)| input.shape() == *shape);
        if !fits {
            let why = "the inputs have other shapes than the op's";
            return tape.fault(Fault::new(self.node.op.name(), why));
        }
        // On a tape of the other float type, an op computes in that one.
        let dtype = if self.node.dtype.is_float() { tape.dtype() } else { self.node.dtype };
        tape.record(self.node.op.clone(), inputs, self.node.shape.clone(), dtype)
    }

    /// The elements of the output that sit at a point where the op has no derivative, given the
    /// values of its inputs; none for inputs of other shapes than the op had.
    ///
    /// ```
    /// use lossgraph_autograd::Tape;
    ///
    /// let tape = Tape::f64();
    /// let x = tape.variable([-1.0, 0.0, 2.0]);
    /// let relu = tape.op_instance(x.relu().number()).unwrap();
    /// let kinks = relu.kinks(&[x.value()?]);
    /// assert_eq!((kinks.len(), kinks[0].0, kinks[0].1.because), (1, 1, "the left slope"));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn kinks(&self, inputs: &[Tensor]) -> Vec<(usize, &'static Kink)> {
        let fits = inputs.len() == self.shapes.len()
            && inputs.iter().zip(&self.shapes).all(|(input, shape)| input.shape() == shape);
        if !fits {
            return Vec::new();
        }
        let inputs: Vec<Vec<f64>> = inputs.iter().map(Tensor::to_f64s).collect();
        let (kinks, parameters) = match &self.node.op {
            Op::Unary(UnaryOp { row, p }) => (row.0.kinks, p.map(|p| self.rounded(p.0))),
            Op::Binary(BinaryOp(row)) => (row.0.kinks, [0.0; 2]),
            Op::Reduce(Reduce { op, .. }) => return self.ties(*op, &inputs[0]),
            _ => return Vec::new(),
        };
        let at = |i: usize| [inputs[0][i], inputs.get(1).map_or(0.0, |second| second[i])];
        (0..if kinks.is_empty() { 0 } else { inputs[0].len() })
            .flat_map(|i| kinks.iter().map(move |kink| (i, kink)))
            .filter(|(i, kink)| (kink.here)(at(*i), parameters))
            .collect()
    }

    /// The elements of a reduction's output that several elements of its input tie for.
    fn ties(&self, op: ReduceOp, x: &[f64]) -> Vec<(usize, &'static Kink)> {
        let better: fn(f64, f64) -> bool = match op {
            ReduceOp::Max => |a, b| a > b,
            ReduceOp::Min => |a, b| a < b,
            ReduceOp::Sum => return Vec::new(),
        };
        // The extreme of each element of the output, and how many elements of the input share it.
        let mut best: Vec<Option<(f64, usize)>> = vec![None; self.node.shape.numel()];
        for (i, &x) in x.iter().enumerate() {
            let mut index = self.shapes[0].unravel_index(i);
            for (i, &kept) in index.iter_mut().zip(self.node.shape.iter()) {
                *i = if kept == 1 { 0 } else { *i };
            }
            let at = self.node.shape.ravel_index(&index);
            best[at] = match best[at] {
                Some((extreme, count)) if (TIES.here)([x, extreme], [0.0; 2]) => {
                    Some((extreme, count + 1))
                }
                Some((extreme, count)) if !better(x, extreme) => Some((extreme, count)),
                _ => Some((x, 1)),
            };
        }
        let tied = |best: &Option<(f64, usize)>| best.is_some_and(|(_, count)| count > 1);
        (0..best.len()).filter(|&at| tied(&best[at])).map(|at| (at, &TIES)).collect()
    }

    /// A parameter as the op's kernel takes it.
    fn rounded(&self, parameter: f64) -> f64 {
        if self.node.dtype == DType::F32 { f64::from(parameter as f32) } else { parameter }
    }

    /// The shape of what the op gives.
    pub fn shape(&self) -> &Shape {
        &self.node.shape
    }

    /// The op's name.
    pub fn name(&self) -> &'static str {
        self.node.op.name()
    }

    /// What else the op was told, as text: `axes 0, 2` of a reduction, `-1, 1` of a clamp; often
    /// empty.
    pub fn attributes(&self) -> String {
        self.node.op.family().attributes()
    }

    /// What is known of the op beside its value and its rule: how it is written, whether it rounds.
    pub fn facts(&self) -> Facts {
        self.node.op.family().facts()
    }

    /// Whether a gradient of the result gives one of an operand.
    pub fn is_differentiable_in(&self, operand: usize) -> bool {
        self.node.op.is_differentiable_in(operand)
    }

    /// Whether it is a smooth function of one number: element-wise, with a rule, without kinks.
    pub fn is_smooth_map(&self) -> bool {
        match &self.node.op {
            Op::Unary(op) => op.row.0.kinks.is_empty() && op.row.0.vjp.is_some(),
            _ => false,
        }
    }

    /// What the element of the result at an index is made of; `None` if that is not said element by
    /// element, as for a running sum. `integer` reads integer operands, which say where others are
    /// read.
    ///
    /// ```
    /// use lossgraph_autograd::{Tape, ops::facts::Element};
    ///
    /// let tape = Tape::f64();
    /// let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// let sum = tape.op_instance(x.sum(lossgraph_autograd::keep(0)).number()).unwrap();
    /// let of = sum.element(&[0, 2], &|_, _| None);
    /// assert_eq!(of, Some(Element::Reduce(vec![vec![0, 2], vec![1, 2]])));
    /// ```
    pub fn element(
        &self,
        index: &[usize],
        integer: &dyn Fn(usize, &[usize]) -> Option<usize>,
    ) -> Option<Element> {
        let (shape, operands) = (&self.node.shape, &self.shapes[..]);
        let inside =
            index.len() == shape.rank() && index.iter().zip(shape.iter()).all(|(i, n)| i < n);
        let at = At { index, shape, operands, integer };
        inside.then(|| self.node.op.family().element(&at)).flatten()
    }
}
