//! Reductions meet no more elements than they have to, and reading at an index is the first thing done.

use lossgraph_tensor::{AxisSet, Shape};

use super::{Dag, Dims};
use crate::ops::binary::BinaryOp;
use crate::ops::index::Index;
use crate::ops::op::{Op, ReduceOp};
use crate::ops::reduce::Reduce;
use crate::ops::unary::UnaryOp;
use crate::record::node::{Id, Inputs};

impl Dag {
    pub(super) fn reduce(&mut self, op: ReduceOp, axes: AxisSet, x: Id) -> Id {
        let (from, dtype) = (self.shape(x), self.node(x).dtype);
        let axes: AxisSet = axes.iter().filter(|&axis| from[axis] != 1).collect();
        if axes.is_empty() {
            return x;
        }
        let reduced = |shape: &Shape, axes: AxisSet| {
            let keep = |axis: usize| if axes.contains(axis) { 1 } else { shape[axis] };
            Shape::from(&(0..shape.rank()).map(keep).collect::<Dims>()[..])
        };
        let shape = reduced(&from, axes);
        let count: f64 = axes.iter().map(|axis| from[axis] as f64).product();
        if let Some(value) = self.as_fill(x) {
            let of_none = from.contains(&0);
            return match op {
                ReduceOp::Sum => self.fill(if of_none { 0.0 } else { value * count }, &shape),
                _ => self.fill(value, &shape),
            };
        }
        if let Some(base) = self.as_expand(x).filter(|_| !from.contains(&0)) {
            // Along axes where all elements are equal there is nothing to reduce but to count them.
            // A sum that goes on along others keeps its order: it decides on what overflows.
            let narrow = self.shape(base);
            let (equal, rest): (Vec<usize>, Vec<usize>) =
                axes.iter().partition(|&axis| narrow[axis] == 1);
            if rest.is_empty() || op != ReduceOp::Sum && !equal.is_empty() {
                let mut y = self.reduce(op, rest.into_iter().collect(), base);
                if op == ReduceOp::Sum {
                    let shape = self.shape(y);
                    let times = self.fill(count, &shape);
                    y = self.mul(y, times);
                }
                return self.expand(y, &shape);
            }
        }
        self.push(Op::Reduce(Reduce { op, axes }), Inputs::from_slice(&[x]), &shape, dtype)
    }

    /// Reading at an index moves inward, to where there is least to compute: to the leaves. Each
    /// node is read once at one index, however many paths lead to it, and what many indices read
    /// from is not copied for each of them without end.
    pub(super) fn gather(&mut self, x: Id, axis: usize, index: Id) -> Id {
        // Nodes to be read, and, for one whose inputs are read already, these.
        let mut open: Vec<(Id, Option<Inputs>)> = vec![(x, None)];
        while let Some((at, ready)) = open.pop() {
            if self.gathered.contains_key(&(at, axis, index)) {
                continue;
            }
            let (shape, dtype) = (self.shape(index), self.node(at).dtype);
            let read = match ready {
                Some(inputs) => self.gathered_map(at, &inputs, axis, index),
                None if self.is_read_inside(at, axis, &shape) => {
                    self.inward_moves -= 1;
                    let inputs = self.node(at).inputs.clone();
                    open.push((at, Some(inputs.clone())));
                    let inside = inputs.iter().rev().filter(|&&x| self.depends_on(x, axis));
                    open.extend(inside.map(|&input| (input, None)));
                    continue;
                }
                None => {
                    let op = Op::Index(Index::Gather { axis });
                    self.push(op, Inputs::from_slice(&[at, index]), &shape, dtype)
                }
            };
            self.gathered.insert((at, axis, index), read);
        }
        self.gathered[&(x, axis, index)]
    }

    /// Whether an element-wise node is read at an index by reading its inputs there: the index keeps
    /// what else there is, and takes one element along its axis.
    fn is_read_inside(&self, id: Id, axis: usize, index: &Shape) -> bool {
        let node = self.node(id);
        index[axis] == 1
            && (0..index.rank()).all(|a| a == axis || index[a] == node.shape[a])
            && node.shape[axis] > 1
            && node.op.is_elementwise()
            && !self.reads_integers(node)
            && self.inward_moves > 0
    }

    /// Whether a value may differ along an axis. What does not needs no reading, but somebody has
    /// to look at the index, so that one that is out of bounds stays an error. One operand always
    /// does: of operands that are all broadcast, one is not constant along the axis.
    fn depends_on(&self, id: Id, axis: usize) -> bool {
        let expands = self.as_expand(id).is_some_and(|base| self.shape(base)[axis] == 1);
        self.as_fill(id).is_none() && !expands
    }

    /// An element-wise node at an index at which its inputs have been read.
    fn gathered_map(&mut self, id: Id, inputs: &[Id], axis: usize, index: Id) -> Id {
        let shape = self.shape(index);
        let operands: Inputs = inputs
            .iter()
            .map(|&input| match (self.as_fill(input), self.as_expand(input)) {
                (Some(value), _) => self.fill(value, &shape),
                (None, Some(base)) if !self.depends_on(input, axis) => self.expand(base, &shape),
                _ => self.gathered[&(input, axis, index)],
            })
            .collect();
        match &self.node(id).op.clone() {
            Op::Unary(UnaryOp { row, p }) => self.unary(row.0, p.map(|p| p.0), operands[0]),
            Op::Binary(BinaryOp(row)) => self.binary(row.0, operands[0], operands[1]),
            _ => self.select([operands[0], operands[1], operands[2]]),
        }
    }
}
