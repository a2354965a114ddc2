//! Shapes: what is constant along an axis stays narrow, views of views become one view.

use lossgraph_tensor::Shape;
use lossgraph_tensor::program::NARROW;
use smallvec::SmallVec;

use super::super::space::{Broadcast, repeats};
use super::{Dag, Dims, Readers};
use crate::ops::matmul::MatMul;
use crate::ops::op::Op;
use crate::ops::view::View;
use crate::record::node::{Id, Inputs};

impl Dag {
    /// Whether a value is constant along some axis of its shape.
    pub(super) fn is_broadcast(&self, id: Id) -> bool {
        self.as_fill(id).is_some() || self.as_expand(id).is_some()
    }

    /// A broadcast value in the smallest shape that it needs, of the same rank; fills need one
    /// element.
    pub(super) fn narrowest(&self, id: Id) -> Dims {
        match self.as_expand(id) {
            Some(base) => self.shape(base).iter().copied().collect(),
            None if self.as_fill(id).is_some() => SmallVec::from_elem(1, self.shape(id).rank()),
            None => self.shape(id).iter().copied().collect(),
        }
    }

    /// The smallest shape that a function of these broadcast values needs, if it is smaller than
    /// theirs.
    pub(super) fn narrowed(&self, operands: &[Id]) -> Option<Shape> {
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
    pub(super) fn narrow(&mut self, id: Id, shape: &Shape) -> Id {
        match (self.as_fill(id), self.as_expand(id)) {
            (Some(value), _) => self.fill(value, shape),
            (None, Some(base)) => self.expand(base, shape),
            _ => id,
        }
    }

    pub(super) fn expand(&mut self, x: Id, shape: &Shape) -> Id {
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
        let mut x = self.reshape(x, &Shape::from(&dims[..]));
        if self.shape(x) == *shape {
            return x;
        }
        let dtype = self.node(x).dtype;
        // First to an element for each row, then along the rows, which a kernel does as it reads if they
        // are long.
        if repeats(&self.shape(x), shape) == Broadcast::Other {
            let end = dims.iter().rposition(|&dim| dim != 1).map_or(0, |axis| axis + 1);
            let columns: usize = shape[end..].iter().product();
            if columns >= NARROW {
                dims[..end].copy_from_slice(&shape[..end]);
                let rows = Shape::from(&dims[..]);
                x = self.push(Op::View(View::Expand), Inputs::from_slice(&[x]), &rows, dtype);
            }
        }
        self.push(Op::View(View::Expand), Inputs::from_slice(&[x]), shape, dtype)
    }

    pub(super) fn reshape(&mut self, x: Id, shape: &Shape) -> Id {
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

    pub(super) fn view(&mut self, view: &View, x: Id, shape: &Shape, readers: Readers) -> Id {
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
                if let Op::View(View::Permute(inner)) = &self.node(x).op {
                    let order = order.iter().map(|&axis| inner[axis as usize]).collect();
                    let below = self.node(x).inputs[0];
                    return self.view(&View::Permute(order), below, shape, Readers::Many);
                }
                if let Some(base) = self.as_expand(x) {
                    let narrow = self.shape(base);
                    let dims: Dims = order.iter().map(|&axis| narrow[axis as usize]).collect();
                    let base = self.view(view, base, &Shape::from(&dims[..]), Readers::Many);
                    return self.expand(base, shape);
                }
                // A transposed product that nothing else reads: `(A B)ᵀ = Bᵀ Aᵀ` writes it as it
                // is read. So the gradient of a weight comes out contiguous.
                let swap = order.len() >= 2
                    && order[..order.len() - 2].iter().enumerate().all(|(i, &a)| i as isize == a);
                if swap && readers == Readers::One && matches!(self.node(x).op, Op::MatMul(_)) {
                    let factors = self.node(x).inputs.clone();
                    let flipped: Inputs = factors
                        .iter()
                        .rev()
                        .map(|&factor| {
                            let mut dims: Dims = self.shape(factor).iter().copied().collect();
                            let rank = dims.len();
                            dims.swap(rank - 2, rank - 1);
                            self.view(view, factor, &Shape::from(&dims[..]), Readers::Many)
                        })
                        .collect();
                    return self.push(Op::MatMul(MatMul), flipped, shape, dtype);
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
}
