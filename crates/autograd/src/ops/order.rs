//! Order: medians, the k-th and the k largest elements. Their slopes go to the elements
//! that are chosen. None is found by sorting the whole axis.

use std::sync::Arc;

use lossgraph_tensor::kernels::{self, Extreme, Order, Ranks};
use lossgraph_tensor::{Axes, DType, IntoAxes, IntoAxis, Shape, Tensor, keep};

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule, none};
use super::table::{CUBE, Row, op};
use crate::ops::op::{Op, listed};
use crate::ops::scan::GAP;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The family of indices that are found by comparing the elements along an axis.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ArgOrder {
    /// Of the largest or smallest element so far.
    Cumulative { axis: usize, extreme: Extreme },
    /// Of the elements at some ranks, from the smallest on.
    Ranks { axis: usize, ranks: Arc<[usize]>, nan: Nan },
    /// Of the first `k` in an order.
    Top { axis: usize, order: Order, k: usize },
    /// Of the middle one of the elements that are not NaN.
    NanMedian { axis: usize },
}

/// What a NaN is when elements are put in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Nan {
    /// The largest number.
    Largest,
    /// What is found at every rank.
    Everywhere,
}

impl Family for ArgOrder {
    fn name(&self) -> &'static str {
        match self {
            ArgOrder::Cumulative { extreme: Extreme::Max, .. } => "argcummax",
            ArgOrder::Cumulative { extreme: Extreme::Min, .. } => "argcummin",
            ArgOrder::Ranks { .. } => "argranks",
            ArgOrder::Top { .. } => "argtopk",
            ArgOrder::NanMedian { .. } => "nanargmedian",
        }
    }

    fn attributes(&self) -> String {
        match self {
            ArgOrder::Ranks { axis, ranks, .. } if ranks.len() > 4 => {
                format!("axis {axis}, {} ranks", ranks.len())
            }
            ArgOrder::Ranks { axis, ranks, .. } => {
                format!("axis {axis}, ranks {}", listed(ranks.iter()))
            }
            ArgOrder::Top { axis, k, .. } => format!("axis {axis}, {k} elements"),
            ArgOrder::Cumulative { axis, .. } | ArgOrder::NanMedian { axis } => {
                format!("axis {axis}")
            }
        }
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        false
    }

    fn vjp<'t>(&self, _: &Rule<'_, 't>) -> Cotangents<'t> {
        none()
    }

    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        let x = inputs[0];
        match self {
            ArgOrder::Cumulative { axis, extreme } => {
                kernels::arg_cumulative(*extreme, x, *axis, out)
            }
            ArgOrder::Ranks { axis, ranks, nan } => {
                let ranks = match nan {
                    Nan::Largest => Ranks::At(ranks),
                    Nan::Everywhere => Ranks::AtUnlessNan(ranks),
                };
                kernels::arg_ranks(x, *axis, Order::Ascending, ranks, out)
            }
            ArgOrder::Top { axis, order, k } => {
                let ranks: Vec<usize> = (0..*k).collect();
                kernels::arg_ranks(x, *axis, *order, Ranks::At(&ranks), out)
            }
            ArgOrder::NanMedian { axis } => {
                kernels::arg_ranks(x, *axis, Order::Ascending, Ranks::MiddleOfNumbers, out)
            }
        }
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

/// A line of elements to be put in order, and what becomes of the shape.
pub(super) struct Line<'t> {
    pub x: Var<'t>,
    pub axis: usize,
    /// The shape with one element along the axis.
    pub one: Shape,
}

impl<'t> Line<'t> {
    pub fn len(&self) -> usize {
        self.x.dim(self.axis)
    }

    /// The elements at some ranks, and their indices.
    #[track_caller]
    pub fn ranked(&self, ranks: Vec<usize>, nan: Nan) -> (Var<'t>, Var<'t>) {
        let (x, axis) = (self.x, self.axis);
        let mut dims = x.shape().to_vec();
        dims[axis] = ranks.len();
        let op = ArgOrder::Ranks { axis, ranks: ranks.into(), nan };
        let index = x.arg_order(op, Shape::from(dims));
        (x.gather(axis, index), index)
    }
}

impl<'t> Var<'t> {
    #[track_caller]
    pub(super) fn arg_order(self, op: ArgOrder, shape: Shape) -> Var<'t> {
        self.tape().record(Op::ArgOrder(op), &[self], shape, DType::I64)
    }

    /// The line along an axis, or along all axes where `..` says so.
    #[track_caller]
    pub(super) fn line(self, name: &str, axes: &Axes, all: bool) -> Result<Line<'t>, Var<'t>> {
        let set = self.axes(name, axes)?;
        let (rank, shape) = (self.rank(), self.shape());
        if rank == 0 || (all && set.len() == rank && rank > 1) {
            let one = if axes.are_kept() { vec![1; rank] } else { Vec::new() };
            return Ok(Line { x: self.flatten(..), axis: 0, one: Shape::from(one) });
        }
        let Some(axis) = set.iter().next().filter(|_| set.len() == 1) else {
            let fault = Fault::new(name, "elements are put in order along one axis");
            return Err(self.tape().fault(fault.operand("input", self).cure("x.flatten(..)")));
        };
        let mut dims = shape.to_vec();
        match axes.are_kept() {
            true => dims[axis] = 1,
            false => drop(dims.remove(axis)),
        }
        Ok(Line { x: self, axis, one: Shape::from(dims) })
    }

    #[track_caller]
    pub(super) fn has_no_elements(self, name: &str) -> Var<'t> {
        let fault = Fault::new(name, "nothing to choose from along an empty axis");
        self.tape().fault(fault.operand("input", self))
    }

    /// The `k`-th smallest element along an axis, `k` counted from 1, and its index. Of equal
    /// elements, the first ones come first; NaN counts as the largest.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or a `k` that is 0 or larger than it is long.
    #[track_caller]
    pub fn kthvalue(self, k: usize, axis: impl IntoAxes) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("kthvalue");
        let line = match self.line("kthvalue", &axis.into_axes(), false) {
            Ok(line) => line,
            Err(fault) => return (fault, fault),
        };
        if k == 0 || k > line.len() {
            let why = format!("k is {k}, and the axis has length {}", line.len());
            let fault = Fault::new("kthvalue", why).operand("input", self);
            let fault = self.tape().fault(fault.cure("1 for the smallest element"));
            return (fault, fault);
        }
        let (value, index) = line.ranked(vec![k - 1], Nan::Largest);
        (value.reshape(&line.one), index.reshape(&line.one))
    }

    /// The `k` largest elements along an axis, the largest first, and their indices; or the smallest
    /// for [`Order::Ascending`]. Of equal elements, the first ones come first; NaN counts as the
    /// largest.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or a `k` that is larger than it is long.
    #[track_caller]
    pub fn topk(self, k: usize, axis: impl IntoAxis, order: Order) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("topk");
        let (x, axis) = match self.with_axis("topk", axis.into_axis()) {
            Ok(found) => found,
            Err(fault) => return (fault, fault),
        };
        if k > x.dim(axis) {
            let why = format!("k is {k}, and the axis has length {}", x.dim(axis));
            let fault = self.tape().fault(Fault::new("topk", why).operand("input", self));
            return (fault, fault);
        }
        let mut dims = x.shape().to_vec();
        dims[axis] = k;
        let indices = x.arg_order(ArgOrder::Top { axis, order, k }, Shape::from(dims));
        let values = x.gather(axis, indices);
        match self.rank() == 0 && k == 1 {
            true => (values.reshape(()), indices.reshape(())),
            false => (values, indices),
        }
    }

    /// The median along an axis, or of all elements with `..`: the lower one of two in the middle, and
    /// NaN if there is one.
    ///
    /// Along an axis the slope goes to the element that [`argmedian`](Var::argmedian) tells; of all,
    /// equal elements share it evenly. The median of nothing is NaN.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or nothing along it.
    #[track_caller]
    pub fn median(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("median");
        self.middle("median", &axes.into_axes(), middle_rank)
    }

    /// The index of the [`median`](Var::median) along an axis; of equal elements, that of the first.
    ///
    /// # Errors
    /// As for [`median`](Var::median).
    #[track_caller]
    pub fn argmedian(self, axis: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("argmedian");
        self.middle_along("argmedian", &axis.into_axes(), middle_rank).1
    }

    /// The [`median`](Var::median) of what is not NaN; NaN if there is none.
    ///
    /// # Errors
    /// As for [`median`](Var::median).
    #[track_caller]
    pub fn nanmedian(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("nanmedian");
        self.middle("nanmedian", &axes.into_axes(), |axis, _| ArgOrder::NanMedian { axis })
    }

    /// The index of the [`nanmedian`](Var::nanmedian) along an axis.
    ///
    /// # Errors
    /// As for [`median`](Var::median).
    #[track_caller]
    pub fn nanargmedian(self, axis: impl IntoAxes) -> Var<'t> {
        let _call = self.tape().call("nanargmedian");
        let op = |axis, _| ArgOrder::NanMedian { axis };
        self.middle_along("nanargmedian", &axis.into_axes(), op).1
    }

    /// The element that `op` finds, given an axis and its length.
    #[track_caller]
    fn middle(self, name: &str, axes: &Axes, op: fn(usize, usize) -> ArgOrder) -> Var<'t> {
        if !axes.are_all() {
            return self.middle_along(name, axes, op).0;
        }
        let one = if axes.are_kept() { vec![1; self.rank()] } else { Vec::new() };
        self.flatten(..).shared(name, op).reshape(one)
    }

    /// The element of a line that `op` finds; equal elements share the slope.
    #[track_caller]
    fn shared(self, name: &str, op: fn(usize, usize) -> ArgOrder) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        match (self.len(), self.dtype().is_float()) {
            (0, true) => return self.tape().fill((), f64::NAN),
            (0, false) => return self.has_no_elements(name),
            _ => {}
        }
        let index = self.arg_order(op(0, self.len()), Shape::from([1]));
        if !self.dtype().is_float() {
            return self.gather(0, index).reshape(());
        }
        // Differences of what is equal: 0, but for their slopes.
        let value = self.detach().gather(0, index);
        let equal = self.eq(value);
        let shares = equal.select(self.binary(&GAP, self.detach()), 0.0).sum(..) / equal.sum(..);
        value.reshape(()) + shares
    }

    #[track_caller]
    fn middle_along(
        self,
        name: &str,
        axes: &Axes,
        op: fn(usize, usize) -> ArgOrder,
    ) -> (Var<'t>, Var<'t>) {
        let line = match self.line(name, axes, false) {
            Ok(line) if line.len() == 0 => Err(self.has_no_elements(name)),
            line => line,
        };
        let line = match line {
            Ok(line) => line,
            Err(fault) => return (fault, fault),
        };
        let (x, axis) = (line.x, line.axis);
        let mut dims = x.shape().to_vec();
        dims[axis] = 1;
        let index = x.arg_order(op(axis, line.len()), Shape::from(dims));
        (x.gather(axis, index).reshape(&line.one), index.reshape(&line.one))
    }
}

/// What finds the lower one of two in the middle, or a NaN.
fn middle_rank(axis: usize, len: usize) -> ArgOrder {
    ArgOrder::Ranks { axis, ranks: [len.saturating_sub(1) / 2].into(), nan: Nan::Everywhere }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("kthvalue", "index", "the k-th smallest", &[CUBE], |x| x[0].kthvalue(2, keep(1)).0),
    op("topk", "index", "the k largest", &[CUBE], |x| x[0].topk(2, 2, Order::Descending).0)
        .differs("axis and `Order` are always said"),
    op("median", "index", "the middle", &[CUBE], |x| x[0].median(1) * x[0].median(..))
        .differs("indices come from `argmedian`"),
    op("nanmedian", "index", "the middle of what is not NaN", &[CUBE], |x| {
        x[0].nanmedian(keep(2)) * x[0].nanmedian(..)
    })
    .differs("indices come from `nanargmedian`"),
    op("argmedian", "index", "the index of the middle", &[CUBE], |x| x[0].argmedian(1).to_float())
        .ours("the indices of `median(dim)`"),
    op("nanargmedian", "index", "the index of the middle of what is not NaN", &[CUBE], |x| {
        x[0].nanargmedian(1).to_float()
    })
    .ours("the indices of `nanmedian(dim)`"),
];
