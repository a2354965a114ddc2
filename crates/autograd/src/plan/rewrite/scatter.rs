//! A mask of what is scattered comes before it, where there are fewer elements.

use lossgraph_tensor::kernels::Scattered;
use lossgraph_tensor::{Shape, Window};

use super::Dag;
use crate::ops::binary::BinaryOp;
use crate::ops::index::Index;
use crate::ops::op::Op;
use crate::ops::pooling::Pool;
use crate::ops::scatter::Scatter;
use crate::ops::view::View;
use crate::record::node::{Id, Inputs};
use crate::record::var::Var;

impl Dag {
    /// `scatter(g, i) · (x ≠ 0) = scatter(g · (x[i] ≠ 0), i)`, if no two elements are scattered to one
    /// place: there a sum is 0 + g, so that what is scattered is that, masked, and replaces a 0.
    pub(super) fn masked_scatter(&mut self, [a, b]: [Id; 2]) -> Option<Id> {
        let (product, mask, x) = [(a, b), (b, a)].into_iter().find_map(|(product, mask)| {
            let (x, _) = self.compared_with_zero(mask)?;
            Some((product, mask, x))
        })?;
        let &Op::Binary(BinaryOp(comparison)) = &self.node(mask).op else { return None };
        let shape = self.shape(product);
        let sum = self.node(self.below_reshape(product)).clone();
        let (Op::Index(Index::ScatterAdd { axis }), &[g, index]) = (&sum.op, &sum.inputs[..])
        else {
            return None;
        };
        let read = self.shape(index);
        let is_less = read.numel() < sum.shape.numel();
        if *axis + 1 != sum.shape.rank() || !is_less || !self.are_distinct(index, &sum.shape) {
            return None;
        }
        let x = self.reshape(x, &sum.shape);
        let x = self.gather(x, *axis, index);
        let zero = self.fill(0.0, &read);
        let mask = self.binary(comparison.0, x, zero);
        let g = self.sum(g, zero);
        let g = self.mul(g, mask);
        let base = self.fill(0.0, &sum.shape);
        let op = Op::Scatter(Scatter { axis: *axis, how: Scattered::Last });
        let scattered = self.push(op, Inputs::from_slice(&[base, g, index]), &sum.shape, sum.dtype);
        Some(self.reshape(scattered, &shape))
    }

    /// Whether no index into rows of a shape is twice in a row: such are those of windows of a plane that do
    /// not overlap, in a plane of that size.
    fn are_distinct(&self, index: Id, into: &Shape) -> bool {
        let of = self.node(self.below_reshape(index));
        let Op::Index(Index::WindowArgmax(windows, _)) = of.op else { return false };
        let last_two = |shape: &Shape| -> usize { shape.iter().rev().take(2).product() };
        let apart = |Window { size, stride, dilation }: &Window| {
            size.saturating_sub(1).saturating_mul(*dilation) < *stride
        };
        let plane = last_two(&self.node(of.inputs[0]).shape);
        windows.iter().all(apart)
            && self.shape(index).last() == Some(&last_two(&of.shape))
            && into.last() == Some(&plane)
    }

    fn below_reshape(&self, id: Id) -> Id {
        match self.node(id).op {
            Op::View(View::Reshape) => self.node(id).inputs[0],
            _ => id,
        }
    }
}

/// What goes back into x of a slope g of its max pooling, where x is not 0.
pub(super) fn pooled_slope<'t>(x: Var<'t>, g: Var<'t>) -> Var<'t> {
    let (_, at) = x.max_pool2d_with_indices(Pool::new([2, 1]));
    let (g, at) = (g.narrow(0, 0, x.dim(0) / 2).flatten(..), at.flatten(..));
    let scatter = Op::Index(Index::ScatterAdd { axis: 0 });
    let slope = x.tape().record(scatter, &[g, at], x.flatten(..).shape(), x.dtype());
    slope.reshape(x.shape()) * x.ne(0.0)
}
