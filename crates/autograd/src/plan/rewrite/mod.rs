//! Algebra: rewrites a program, as it is copied for a plan, into one that costs less.
//!
//! Each rule is local and moves towards a normal form: constants are folded, broadcasts move
//! outward, reading at an index moves inward, equal nodes become one. Rules only ever make nodes
//! smaller, fewer, or move one of these things in its direction, so that rewriting ends. What two
//! functions have in common is split off from both.
//!
//! **The rule**: a rewrite gives, bit for bit, what the program as written gives, for all numbers:
//! infinities, NaN, zeros of both signs and what overflows or underflows on the way. So nothing is
//! multiplied in another order, and nothing is divided by multiplying with a rounded reciprocal.
//! One thing is rounded otherwise: the sum of n equal terms is the term times n.
//!
//! Rewrites of single ops are rows of the [`table`]; those of shapes, choices and reductions stand
//! in [`shapes`], [`select`], [`reductions`] and [`scatter`]; [`signs`] knows which values are never −0.

mod arithmetic;
mod reductions;
mod scatter;
mod select;
mod shapes;
mod signs;
mod table;

use lossgraph_tensor::{DType, Shape};
use smallvec::SmallVec;

use super::request::PlanRequest;
use crate::ops::binary::{Binary, BinaryOp};
use crate::ops::index::Index;
use crate::ops::op::{Fill, Leaf, Number, Op, RowRef};
use crate::ops::reduce::Reduce;
use crate::ops::unary::{Unary, UnaryOp};
use crate::ops::view::View;
use crate::record::node::{FxHashMap, Id, Inputs, Node};
use signs::Signs;
pub use table::Equation;
pub(crate) use table::equations;

/// A program that is being rewritten, or ready to be planned.
pub(in crate::plan) struct Dag {
    pub nodes: Vec<Node>,
    /// For each node, the node on the requesting tape that an error in it is about.
    pub origins: Vec<Id>,
    /// For each leaf and known value, the node on the requesting tape.
    pub sources: Vec<Option<Id>>,
    pub roots: Vec<Id>,
    /// What is known of the signs of each node.
    signs: Vec<Signs>,
    numbers: FxHashMap<u64, SmallVec<[Id; 1]>>,
    /// What was read, along which axis, at which index; and what that is.
    gathered: FxHashMap<(Id, usize, Id), Id>,
    /// What products of two values under equal masks are.
    masked_products: FxHashMap<(Id, Id), Id>,
    /// How many more nodes may be copied to be read at an index: all that n indices read of a
    /// chain of n nodes would be n² nodes.
    inward_moves: usize,
    /// The origin of what is being copied.
    origin: Id,
    /// The float type of the program.
    float: DType,
    /// The equations of the table that were applied, each once.
    pub applied: Vec<&'static str>,
}

/// How many nodes read the operands of a node that is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    /// This node alone.
    One,
    Many,
}

/// How many nodes may be copied to be read at an index, for each node of a program: more than
/// programs need that do not read a chain of nodes at ever other indices.
const INWARD_MOVES: usize = 4;

/// Dimensions, while they are worked on.
type Dims = SmallVec<[usize; 6]>;

impl Dag {
    /// Copies what is needed of a request, rewritten by the rules.
    pub fn simplified(request: &PlanRequest<'_>) -> Dag {
        Dag::copied(request, |dag, node, inputs, readers| match &node.op {
            // The rules are those of real numbers, which integers that wrap are not.
            Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Reduce(_)
                if dag.any_integers(&inputs) =>
            {
                dag.push(node.op.clone(), inputs, &node.shape, node.dtype)
            }
            Op::Fill(Fill::Float(value)) => dag.fill(value.0, &node.shape),
            Op::Unary(UnaryOp { row, p }) => dag.unary(row.0, p.map(|p| p.0), inputs[0]),
            Op::Binary(BinaryOp(row)) => dag.binary(row.0, inputs[0], inputs[1]),
            Op::Select(_) => dag.select([inputs[0], inputs[1], inputs[2]]),
            Op::Reduce(Reduce { op, axes }) => dag.reduce(*op, *axes, inputs[0]),
            Op::View(View::After) => dag.push(node.op.clone(), inputs, &node.shape, node.dtype),
            Op::View(view) => dag.view(view, inputs[0], &node.shape, readers),
            Op::Index(Index::Gather { axis }) => dag.gather(inputs[0], *axis, inputs[1]),
            _ => dag.push(node.op.clone(), inputs, &node.shape, node.dtype),
        })
    }

    /// Copies what is needed of a request as it is: for the reference interpreter.
    pub fn verbatim(request: &PlanRequest<'_>) -> Dag {
        Dag::copied(request, |dag, node, inputs, _| {
            dag.push(node.op.clone(), inputs, &node.shape, node.dtype)
        })
    }

    fn copied(
        request: &PlanRequest<'_>,
        copy: impl Fn(&mut Dag, &Node, Inputs, Readers) -> Id,
    ) -> Dag {
        let readers = request.readers();
        let mut dag = Dag {
            nodes: vec![],
            origins: vec![],
            sources: vec![],
            roots: vec![],
            signs: vec![],
            numbers: FxHashMap::default(),
            gathered: FxHashMap::default(),
            masked_products: FxHashMap::default(),
            inward_moves: INWARD_MOVES * request.nodes.len(),
            origin: 0,
            float: request.float,
            applied: vec![],
        };
        let mut copies = vec![Id::MAX; request.nodes.len()];
        for (id, node) in request.nodes.iter().enumerate() {
            if readers[id] == 0 {
                continue;
            }
            dag.origin = request.origins[id];
            copies[id] = if request.is_input(id as Id) {
                dag.leaf(id as Id, node)
            } else if request.is_argument(id as Id) {
                dag.argument(id as Id, node)
            } else {
                let inputs: Inputs = node.inputs.iter().map(|&i| copies[i as usize]).collect();
                match node.op {
                    Op::Detach(_) => inputs[0],
                    _ => {
                        let alone = node.inputs.iter().all(|&input| readers[input as usize] == 1);
                        let readers = if alone { Readers::One } else { Readers::Many };
                        copy(&mut dag, node, inputs, readers)
                    }
                }
            };
        }
        dag.roots = request.roots.iter().map(|&root| copies[root as usize]).collect();
        dag
    }

    fn leaf(&mut self, source: Id, node: &Node) -> Id {
        let node = Node { op: Op::Leaf(Leaf::Constant), inputs: Inputs::new(), ..node.clone() };
        self.add(node, Some(source))
    }

    /// A number that a run is given, as often as the shape says.
    fn argument(&mut self, source: Id, node: &Node) -> Id {
        let dims: Dims = SmallVec::from_elem(1, node.shape.rank());
        let one = self.leaf(source, &Node { shape: Shape::from(&dims[..]), ..node.clone() });
        match node.shape.numel() {
            1 => one,
            _ => {
                let (op, input) = (Op::View(View::Expand), Inputs::from_slice(&[one]));
                self.push(op, input, &node.shape, node.dtype)
            }
        }
    }

    fn add(&mut self, node: Node, source: Option<Id>) -> Id {
        self.signs.push(self.signs_of(&node));
        self.nodes.push(node);
        self.origins.push(self.origin);
        self.sources.push(source);
        self.nodes.len() as Id - 1
    }

    /// The node that does this, an equal one if there is one already.
    fn push(&mut self, op: Op, inputs: Inputs, shape: &Shape, dtype: DType) -> Id {
        let node = Node { op, inputs, shape: shape.clone(), dtype };
        let hash = node.hash_after(node.number().map_or(0, f64::to_bits));
        let equal = |id: &&Id| self.nodes[**id as usize] == node;
        if let Some(&id) = self.numbers.get(&hash).and_then(|ids| ids.iter().find(equal)) {
            return id;
        }
        let id = self.add(node, None);
        self.numbers.entry(hash).or_default().push(id);
        id
    }

    /// Whether some input of a node holds integers.
    pub(in crate::plan) fn reads_integers(&self, node: &Node) -> bool {
        self.any_integers(&node.inputs)
    }

    fn any_integers(&self, inputs: &[Id]) -> bool {
        inputs.iter().any(|&input| !self.node(input).dtype.is_float())
    }

    fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    fn shape(&self, id: Id) -> Shape {
        self.node(id).shape.clone()
    }

    /// A constant, rounded to the float type of the program, as its kernels read it.
    fn fill(&mut self, value: f64, shape: &Shape) -> Id {
        let value = if self.float == DType::F32 { f64::from(value as f32) } else { value };
        self.push(Op::Fill(Fill::Float(Number(value))), Inputs::new(), shape, self.float)
    }

    fn as_fill(&self, id: Id) -> Option<f64> {
        match self.node(id).op {
            Op::Fill(Fill::Float(value)) => Some(value.0),
            _ => None,
        }
    }

    /// Whether a value is this number everywhere; 0 is not −0.
    fn is_fill_of(&self, id: Id, value: f64) -> bool {
        self.as_fill(id).is_some_and(|number| number.to_bits() == value.to_bits())
    }

    /// What a node expands, if it does.
    fn as_expand(&self, id: Id) -> Option<Id> {
        let narrow = |id: Id| match self.node(id).op {
            Op::View(View::Expand) => Some(self.node(id).inputs[0]),
            _ => None,
        };
        // There are two of them at most, of which one goes along rows.
        let below = narrow(id)?;
        Some(narrow(below).unwrap_or(below))
    }

    fn as_unary(&self, id: Id, row: &'static Unary) -> Option<Id> {
        match &self.node(id).op {
            Op::Unary(op) if op.row == RowRef(row) => Some(self.node(id).inputs[0]),
            _ => None,
        }
    }

    /// The parameters of a function of one value.
    fn parameters(&self, id: Id) -> Option<[f64; 2]> {
        match &self.node(id).op {
            Op::Unary(op) => Some(op.p.map(|p| p.0)),
            _ => None,
        }
    }

    fn as_binary(&self, id: Id, row: &'static Binary) -> Option<[Id; 2]> {
        match &self.node(id).op {
            Op::Binary(BinaryOp(of)) if *of == RowRef(row) => {
                Some([self.node(id).inputs[0], self.node(id).inputs[1]])
            }
            _ => None,
        }
    }
}
