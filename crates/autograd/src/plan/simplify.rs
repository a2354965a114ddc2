//! Algebra: rewrites a program, as it is copied for a plan, into one that costs less.
//!
//! Each rule is local and moves towards a normal form: constants are folded, broadcasts and
//! factors that are constant along an axis move outward, reading at an index moves inward, equal
//! nodes become one. Rules only ever make nodes smaller, fewer, or move one of these things in its
//! direction, so that rewriting ends.
//!
//! Two rules change results by rounding: a division by what is constant along an axis becomes a
//! product with its reciprocal, and such a factor leaves a sum. Both cost an ulp or two. Some turn
//! the sign of a zero: `x + 0` becomes x, and `−(a − b)` becomes `b − a`.

use std::collections::HashMap;

use lossgraph_tensor::{AxisSet, DType, Shape, Tensor};
use smallvec::SmallVec;

use super::Request;
use crate::graph::{Id, Inputs, Node};
use crate::op::{Folding, Leaf, Number, Op, Static};
use crate::ops::binary::{ADD, Binary, DIV, MUL, SUB};
use crate::ops::index::Index;
use crate::ops::unary::{NEG, RECIP, Unary};
use crate::ops::view::View;

/// A program that is being rewritten, or ready to be planned.
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    /// For each node, the node on the asker's tape that an error in it is about.
    pub origins: Vec<Id>,
    /// For each leaf and known value, the node on the asker's tape.
    pub sources: Vec<Option<Id>>,
    pub roots: Vec<Id>,
    numbers: HashMap<u64, SmallVec<[Id; 1]>>,
    /// The origin of what is being copied.
    origin: Id,
    /// The float type of the program.
    float: DType,
}

/// Dimensions, while they are worked on.
type Dims = SmallVec<[usize; 6]>;

impl Graph {
    /// Copies what is needed of a request, rewritten by the rules.
    pub fn simplified(request: &Request<'_>) -> Graph {
        Graph::copied(request, |graph, node, inputs, lone| match &node.op {
            Op::Fill(value) => graph.fill(value.0, &node.shape),
            Op::Unary(row, p) => graph.unary(row.0, *p, inputs[0]),
            Op::Binary(row) => graph.binary(row.0, inputs[0], inputs[1]),
            Op::Select => graph.select([inputs[0], inputs[1], inputs[2]]),
            Op::Fold(folding, axes) => graph.fold(*folding, *axes, inputs[0]),
            Op::View(View::After) => graph.push(node.op.clone(), inputs, &node.shape, node.dtype),
            Op::View(view) => graph.view(view, inputs[0], &node.shape, lone),
            Op::Index(Index::Gather { axis }) => graph.gather(inputs[0], *axis, inputs[1]),
            _ => graph.push(node.op.clone(), inputs, &node.shape, node.dtype),
        })
    }

    /// Copies what is needed of a request as it is: for the reference interpreter.
    pub fn verbatim(request: &Request<'_>) -> Graph {
        Graph::copied(request, |graph, node, inputs, _| {
            graph.push(node.op.clone(), inputs, &node.shape, node.dtype)
        })
    }

    fn copied(
        request: &Request<'_>,
        copy: impl Fn(&mut Graph, &Node, Inputs, bool) -> Id,
    ) -> Graph {
        let readers = request.readers();
        let mut graph = Graph {
            nodes: vec![],
            origins: vec![],
            sources: vec![],
            roots: vec![],
            numbers: HashMap::new(),
            origin: 0,
            float: request.float,
        };
        let mut copies = vec![Id::MAX; request.nodes.len()];
        for (id, node) in request.nodes.iter().enumerate() {
            if readers[id] == 0 {
                continue;
            }
            graph.origin = request.origins[id];
            copies[id] = if request.is_input(id as Id) {
                graph.leaf(id as Id, node)
            } else {
                let inputs: Inputs = node.inputs.iter().map(|&i| copies[i as usize]).collect();
                match node.op {
                    Op::Detach => inputs[0],
                    _ => {
                        let lone = node.inputs.iter().all(|&input| readers[input as usize] == 1);
                        copy(&mut graph, node, inputs, lone)
                    }
                }
            };
        }
        graph.roots = request.roots.iter().map(|&root| copies[root as usize]).collect();
        graph
    }

    fn leaf(&mut self, source: Id, node: &Node) -> Id {
        let node = Node { op: Op::Leaf(Leaf::Constant), inputs: Inputs::new(), ..node.clone() };
        self.add(node, Some(source))
    }

    fn add(&mut self, node: Node, source: Option<Id>) -> Id {
        self.nodes.push(node);
        self.origins.push(self.origin);
        self.sources.push(source);
        self.nodes.len() as Id - 1
    }

    /// The node that does this, an equal one if there is one already.
    fn push(&mut self, op: Op, inputs: Inputs, shape: &Shape, dtype: DType) -> Id {
        let node = Node { op, inputs, shape: shape.clone(), dtype };
        let hash = node.hash_after(0);
        let equal = |id: &&Id| self.nodes[**id as usize] == node;
        if let Some(&id) = self.numbers.get(&hash).and_then(|ids| ids.iter().find(equal)) {
            return id;
        }
        let id = self.add(node, None);
        self.numbers.entry(hash).or_default().push(id);
        id
    }

    fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    fn shape(&self, id: Id) -> Shape {
        self.node(id).shape.clone()
    }

    fn fill(&mut self, value: f64, shape: &Shape) -> Id {
        self.push(Op::Fill(Number(value)), Inputs::new(), shape, self.float)
    }

    fn as_fill(&self, id: Id) -> Option<f64> {
        match self.node(id).op {
            Op::Fill(value) => Some(value.0),
            _ => None,
        }
    }

    /// What a node expands, if it does.
    fn as_expand(&self, id: Id) -> Option<Id> {
        match self.node(id).op {
            Op::View(View::Expand) => Some(self.node(id).inputs[0]),
            _ => None,
        }
    }

    fn as_unary(&self, id: Id, row: &Unary) -> Option<Id> {
        match &self.node(id).op {
            Op::Unary(of, _) if std::ptr::eq(of.0, row) => Some(self.node(id).inputs[0]),
            _ => None,
        }
    }

    fn as_binary(&self, id: Id, row: &Binary) -> Option<[Id; 2]> {
        match &self.node(id).op {
            Op::Binary(of) if std::ptr::eq(of.0, row) => {
                Some([self.node(id).inputs[0], self.node(id).inputs[1]])
            }
            _ => None,
        }
    }

    /// What a node is the negative of, if it is one, expanded or not.
    fn as_negative(&mut self, id: Id) -> Option<Id> {
        if let Some(base) = self.as_expand(id) {
            let inner = self.as_unary(base, &NEG)?;
            let shape = self.shape(id);
            return Some(self.expand(inner, &shape));
        }
        self.as_unary(id, &NEG)
    }

    /// Whether a value is constant along some axis of its shape.
    fn is_broadcast(&self, id: Id) -> bool {
        self.as_fill(id).is_some() || self.as_expand(id).is_some()
    }

    /// A broadcast value in the smallest shape that it needs, of the same rank; fills need one
    /// element.
    fn narrowest(&self, id: Id) -> Dims {
        match self.as_expand(id) {
            Some(base) => self.shape(base).iter().copied().collect(),
            None if self.as_fill(id).is_some() => SmallVec::from_elem(1, self.shape(id).rank()),
            None => self.shape(id).iter().copied().collect(),
        }
    }

    /// The smallest shape that a function of these broadcast values needs, if it is smaller than
    /// theirs.
    fn narrowed(&self, operands: &[Id]) -> Option<Shape> {
        let shape = self.shape(operands[0]);
        let mut dims: Dims = SmallVec::from_elem(1, shape.rank());
        for &operand in operands {
            for (dim, other) in dims.iter_mut().zip(self.narrowest(operand)) {
                *dim = (*dim).max(other);
            }
        }
        let narrow = Shape::from(&dims[..]);
        (!shape.contains(&0) && narrow != shape).then_some(narrow)
    }

    /// A broadcast value in a smaller shape.
    fn narrow(&mut self, id: Id, shape: &Shape) -> Id {
        match (self.as_fill(id), self.as_expand(id)) {
            (Some(value), _) => self.fill(value, shape),
            (None, Some(base)) => self.expand(base, shape),
            _ => id,
        }
    }

    fn expand(&mut self, x: Id, shape: &Shape) -> Id {
        let from = self.shape(x);
        if from == *shape {
            return x;
        }
        if let Some(value) = self.as_fill(x) {
            return self.fill(value, shape);
        }
        if let Some(base) = self.as_expand(x) {
            return self.expand(base, shape);
        }
        // Both have the same rank from here on, so that axes need no counting from the end.
        let mut dims: Dims = SmallVec::from_elem(1, shape.rank() - from.rank());
        dims.extend(from.iter().copied());
        let x = self.reshape(x, &Shape::from(&dims[..]));
        if self.shape(x) == *shape {
            return x;
        }
        let dtype = self.node(x).dtype;
        self.push(Op::View(View::Expand), Inputs::from_slice(&[x]), shape, dtype)
    }

    fn reshape(&mut self, x: Id, shape: &Shape) -> Id {
        let from = self.shape(x);
        if from == *shape {
            return x;
        }
        if let Some(value) = self.as_fill(x) {
            return self.fill(value, shape);
        }
        let node = self.node(x);
        if node.op == Op::View(View::Reshape) {
            let below = node.inputs[0];
            return self.reshape(below, shape);
        }
        if let Some(base) = self.as_expand(x) {
            // Where only axes of length 1 come and go, the expansion can follow.
            let long = |shape: &Shape| -> Dims {
                (0..shape.rank()).filter(|&axis| shape[axis] != 1).collect()
            };
            let (axes, targets) = (long(&from), long(shape));
            let same = axes.len() == targets.len()
                && axes.iter().zip(&targets).all(|(&a, &t)| from[a] == shape[t]);
            if same {
                let narrow = self.shape(base);
                let mut dims: Dims = SmallVec::from_elem(1, shape.rank());
                for (&axis, &target) in axes.iter().zip(&targets) {
                    dims[target] = narrow[axis];
                }
                let base = self.reshape(base, &Shape::from(&dims[..]));
                return self.expand(base, shape);
            }
        }
        let dtype = self.node(x).dtype;
        self.push(Op::View(View::Reshape), Inputs::from_slice(&[x]), shape, dtype)
    }

    fn view(&mut self, view: &View, x: Id, shape: &Shape, lone: bool) -> Id {
        let dtype = self.node(x).dtype;
        if let Some(value) = self.as_fill(x) {
            return self.fill(value, shape);
        }
        let from = self.shape(x);
        match view {
            View::Reshape => return self.reshape(x, shape),
            View::Expand => return self.expand(x, shape),
            View::Permute(order) => {
                let long = order.iter().filter(|&&axis| from[axis as usize] != 1);
                if long.is_sorted() {
                    return self.reshape(x, shape);
                }
                if let Some(base) = self.as_expand(x) {
                    let narrow = self.shape(base);
                    let dims: Dims = order.iter().map(|&axis| narrow[axis as usize]).collect();
                    let base = self.view(view, base, &Shape::from(&dims[..]), false);
                    return self.expand(base, shape);
                }
                // A transposed product that nothing else reads: `(A B)ᵀ = Bᵀ Aᵀ` writes it as it
                // is read. So the gradient of a weight comes out contiguous.
                let swap = order.len() >= 2
                    && order[..order.len() - 2].iter().enumerate().all(|(i, &a)| i as isize == a);
                if swap && lone && self.node(x).op == Op::MatMul {
                    let factors = self.node(x).inputs.clone();
                    let flipped: Inputs = factors
                        .iter()
                        .rev()
                        .map(|&factor| {
                            let mut dims: Dims = self.shape(factor).iter().copied().collect();
                            let rank = dims.len();
                            dims.swap(rank - 2, rank - 1);
                            self.view(view, factor, &Shape::from(&dims[..]), false)
                        })
                        .collect();
                    return self.push(Op::MatMul, flipped, shape, dtype);
                }
            }
            View::Slice(_) if from == *shape => {
                let View::Slice(slices) = view else { unreachable!("it is a slice") };
                if slices.iter().all(|slice| slice.step > 0) {
                    return x;
                }
            }
            View::Slice(_) | View::Windows { .. } | View::After => {}
        }
        self.push(Op::View(view.clone()), Inputs::from_slice(&[x]), shape, dtype)
    }

    fn unary(&mut self, row: &'static Unary, p: [Number; 2], x: Id) -> Id {
        let (shape, dtype) = (self.shape(x), self.node(x).dtype);
        let op = Op::Unary(Static(row), p);
        if let Some(value) = self.as_fill(x).and_then(|x| evaluate(&op, &[x], dtype)) {
            return self.fill(value, &shape);
        }
        if let Some(base) = self.as_expand(x) {
            let narrow = self.unary(row, p, base);
            return self.expand(narrow, &shape);
        }
        if std::ptr::eq(row, &NEG) {
            if let Some(inner) = self.as_unary(x, &NEG) {
                return inner;
            }
            if let Some([a, b]) = self.as_binary(x, &SUB) {
                return self.binary(&SUB, b, a);
            }
            if let Some([a, factor]) = self.as_binary(x, &MUL)
                && self.is_broadcast(factor)
            {
                let factor = self.neg(factor);
                return self.mul(a, factor);
            }
        }
        self.push(op, Inputs::from_slice(&[x]), &shape, dtype)
    }

    fn neg(&mut self, x: Id) -> Id {
        self.unary(&NEG, [Number(0.0); 2], x)
    }

    fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(&MUL, a, b)
    }

    fn binary(&mut self, row: &'static Binary, a: Id, b: Id) -> Id {
        let (shape, dtype) = (self.shape(a), self.node(a).dtype);
        let op = Op::Binary(Static(row));
        let fills = self.as_fill(a).zip(self.as_fill(b));
        if let Some(value) = fills.and_then(|(a, b)| evaluate(&op, &[a, b], dtype)) {
            return self.fill(value, &shape);
        }
        if self.is_broadcast(a)
            && self.is_broadcast(b)
            && let Some(narrow) = self.narrowed(&[a, b])
        {
            let (a, b) = (self.narrow(a, &narrow), self.narrow(b, &narrow));
            let result = self.binary(row, a, b);
            return self.expand(result, &shape);
        }
        let rewritten = if std::ptr::eq(row, &ADD) {
            self.sum_of(a, b)
        } else if std::ptr::eq(row, &SUB) {
            self.difference_of(a, b)
        } else if std::ptr::eq(row, &MUL) {
            self.product_of(a, b)
        } else if std::ptr::eq(row, &DIV) {
            self.quotient_of(a, b)
        } else {
            None
        };
        rewritten.unwrap_or_else(|| {
            // One order for both, so that equal products and sums are found to be equal.
            let commutes = std::ptr::eq(row, &ADD) || std::ptr::eq(row, &MUL);
            let turned = commutes && (self.is_broadcast(a), a) > (self.is_broadcast(b), b);
            let operands = if turned { [b, a] } else { [a, b] };
            self.push(op, Inputs::from_slice(&operands), &shape, dtype)
        })
    }

    fn sum_of(&mut self, a: Id, b: Id) -> Option<Id> {
        if self.as_fill(b) == Some(0.0) {
            return Some(a);
        }
        if self.as_fill(a) == Some(0.0) {
            return Some(b);
        }
        if let Some(b) = self.as_negative(b) {
            return Some(self.binary(&SUB, a, b));
        }
        if let Some(a) = self.as_negative(a) {
            return Some(self.binary(&SUB, b, a));
        }
        None
    }

    fn difference_of(&mut self, a: Id, b: Id) -> Option<Id> {
        if self.as_fill(b) == Some(0.0) {
            return Some(a);
        }
        if self.as_fill(a) == Some(0.0) {
            return Some(self.neg(b));
        }
        let b = self.as_negative(b)?;
        Some(self.binary(&ADD, a, b))
    }

    fn product_of(&mut self, a: Id, b: Id) -> Option<Id> {
        // What is broadcast stands on the right from here on.
        let (a, b) = if self.is_broadcast(a) { (b, a) } else { (a, b) };
        if self.as_fill(b) == Some(1.0) {
            return Some(a);
        }
        if self.as_fill(b) == Some(-1.0) {
            return Some(self.neg(a));
        }
        // A negation goes where it costs least: into a broadcast factor, else out of the product.
        match [self.is_broadcast(a), self.is_broadcast(b)] {
            [false, true] => {
                if let Some(a) = self.as_negative(a) {
                    let b = self.neg(b);
                    return Some(self.mul(a, b));
                }
            }
            [false, false] => {
                for [x, other] in [[a, b], [b, a]] {
                    if let Some(x) = self.as_negative(x) {
                        let product = self.mul(x, other);
                        return Some(self.neg(product));
                    }
                }
            }
            _ => {}
        }
        if self.is_broadcast(b) {
            // (x · s) · t = x · (s · t), where s · t is the smaller product.
            let [x, inner] = self.as_binary(a, &MUL)?;
            if !self.is_broadcast(inner) {
                return None;
            }
            let factor = self.mul(inner, b);
            return self.is_broadcast(factor).then(|| self.mul(x, factor));
        }
        // (x or 0) · (y or 0) = (x · y or 0), where one mask chooses in both.
        if let Some((mask, [x, y])) = self
            .masked(a)
            .zip(self.masked(b))
            .and_then(|(a, b)| (a.0 == b.0).then_some((a.0, [a.1, b.1])))
        {
            let product = self.mul(x, y);
            let zero = self.fill(0.0, &self.shape(product));
            return Some(self.select([mask, product, zero]));
        }
        // (x · s) · y = (x · y) · s for a number s.
        for [scaled, other] in [[a, b], [b, a]] {
            if let Some([x, factor]) = self.as_binary(scaled, &MUL)
                && self.is_number(factor)
            {
                let product = self.mul(x, other);
                return Some(self.mul(product, factor));
            }
        }
        None
    }

    /// The mask and the value of a choice between a value and 0.
    fn masked(&self, id: Id) -> Option<(Id, Id)> {
        let node = self.node(id);
        let zero = node.op == Op::Select && self.as_fill(node.inputs[2]) == Some(0.0);
        zero.then(|| (node.inputs[0], node.inputs[1]))
    }

    /// Whether a value is one number, known or not, everywhere.
    fn is_number(&self, id: Id) -> bool {
        self.is_broadcast(id) && self.narrowest(id).iter().all(|&dim| dim == 1)
    }

    fn quotient_of(&mut self, a: Id, b: Id) -> Option<Id> {
        if self.as_fill(b) == Some(1.0) {
            return Some(a);
        }
        if self.as_fill(a) == Some(1.0) {
            return Some(self.unary(&RECIP, [Number(0.0); 2], b));
        }
        if let Some(a) = self.as_negative(a) {
            let quotient = self.binary(&DIV, a, b);
            return Some(self.neg(quotient));
        }
        // A single division stays as exact as it was written.
        if self.is_broadcast(b) && self.shape(a).len() > 1 {
            let reciprocal = self.unary(&RECIP, [Number(0.0); 2], b);
            return Some(self.mul(a, reciprocal));
        }
        None
    }

    fn select(&mut self, [mask, a, b]: [Id; 3]) -> Id {
        let (shape, dtype) = (self.shape(a), self.node(a).dtype);
        if a == b {
            return a;
        }
        if let Some(mask) = self.as_fill(mask) {
            return if mask != 0.0 { a } else { b };
        }
        // A choice inside of a choice by the same mask is made already.
        let chosen = |x: Id, side: usize| match self.node(x) {
            Node { op: Op::Select, inputs, .. } if inputs[0] == mask => inputs[side],
            _ => x,
        };
        let (a, b) = (chosen(a, 1), chosen(b, 2));
        let operands = [mask, a, b];
        if operands.iter().all(|&x| self.is_broadcast(x))
            && let Some(narrow) = self.narrowed(&operands)
        {
            let operands = operands.map(|x| self.narrow(x, &narrow));
            let result = self.select(operands);
            return self.expand(result, &shape);
        }
        self.push(Op::Select, Inputs::from_slice(&operands), &shape, dtype)
    }

    fn fold(&mut self, folding: Folding, axes: AxisSet, x: Id) -> Id {
        let (from, dtype) = (self.shape(x), self.node(x).dtype);
        let axes: AxisSet = axes.iter().filter(|&axis| from[axis] != 1).collect();
        if axes.is_empty() {
            return x;
        }
        let folded = |shape: &Shape, axes: AxisSet| {
            let keep = |axis: usize| if axes.contains(axis) { 1 } else { shape[axis] };
            Shape::from(&(0..shape.rank()).map(keep).collect::<Dims>()[..])
        };
        let shape = folded(&from, axes);
        let count: f64 = axes.iter().map(|axis| from[axis] as f64).product();
        if let Some(value) = self.as_fill(x) {
            let of_none = from.contains(&0);
            return match folding {
                Folding::Sum => self.fill(if of_none { 0.0 } else { value * count }, &shape),
                _ => self.fill(value, &shape),
            };
        }
        if let Some(base) = self.as_expand(x).filter(|_| !from.contains(&0)) {
            // Along axes where all elements are equal there is nothing to fold but to count them.
            let narrow = self.shape(base);
            let (equal, rest): (Vec<usize>, Vec<usize>) =
                axes.iter().partition(|&axis| narrow[axis] == 1);
            if !equal.is_empty() {
                let mut y = self.fold(folding, rest.into_iter().collect(), base);
                if folding == Folding::Sum {
                    let times: f64 = equal.iter().map(|&axis| from[axis] as f64).product();
                    let shape = self.shape(y);
                    let times = self.fill(times, &shape);
                    y = self.mul(y, times);
                }
                return self.expand(y, &shape);
            }
        }
        if folding == Folding::Sum {
            if let Some(x) = self.as_unary(x, &NEG) {
                let sum = self.fold(folding, axes, x);
                return self.neg(sum);
            }
            // A factor that is constant along the folded axes leaves the sum.
            if let Some([x, factor]) = self.as_binary(x, &MUL).filter(|_| !from.contains(&0)) {
                let narrow = self.narrowest(factor);
                if self.is_broadcast(factor) && axes.iter().all(|axis| narrow[axis] == 1) {
                    let sum = self.fold(folding, axes, x);
                    let factor = self.narrow(factor, &shape);
                    return self.mul(sum, factor);
                }
            }
        }
        self.push(Op::Fold(folding, axes), Inputs::from_slice(&[x]), &shape, dtype)
    }

    /// Reading at an index moves inward, to where there is least to compute: to the leaves.
    fn gather(&mut self, x: Id, axis: usize, index: Id) -> Id {
        let (shape, dtype) = (self.shape(index), self.node(x).dtype);
        let node = self.node(x);
        let elementwise = matches!(node.op, Op::Unary(..) | Op::Binary(_) | Op::Select);
        // The index keeps what else there is, and takes one place along its axis.
        let one = shape[axis] == 1
            && (0..shape.rank()).all(|a| a == axis || shape[a] == node.shape[a])
            && node.shape[axis] > 1;
        if !(one && elementwise) {
            let op = Op::Index(Index::Gather { axis });
            return self.push(op, Inputs::from_slice(&[x, index]), &shape, dtype);
        }
        let (op, inputs) = (node.op.clone(), node.inputs.clone());
        // What does not depend on the axis needs no reading, but somebody has to look at the
        // index, so that one that is out of bounds stays an error. One operand always does: of
        // operands that are all broadcast, one is not constant along the axis.
        let operands: Inputs = inputs
            .iter()
            .map(|&input| match (self.as_fill(input), self.as_expand(input)) {
                (Some(value), _) => self.fill(value, &shape),
                (None, Some(base)) if self.shape(base)[axis] == 1 => self.expand(base, &shape),
                _ => self.gather(input, axis, index),
            })
            .collect();
        match &op {
            Op::Unary(row, p) => self.unary(row.0, *p, operands[0]),
            Op::Binary(row) => self.binary(row.0, operands[0], operands[1]),
            _ => self.select([operands[0], operands[1], operands[2]]),
        }
    }
}

/// What an element-wise op makes of numbers, in its own precision.
fn evaluate(op: &Op, inputs: &[f64], dtype: DType) -> Option<f64> {
    let scalar = |x: f64| Tensor::full((), x, dtype).ok();
    let inputs: Vec<Tensor> = inputs.iter().filter_map(|&x| scalar(x)).collect();
    let mut out = scalar(0.0)?;
    op.compute(&inputs.iter().collect::<Vec<_>>(), &mut out).ok()?;
    out.item().ok()
}
