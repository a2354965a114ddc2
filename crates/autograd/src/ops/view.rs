//! The same numbers at other indices: views, which copy nothing, and their transposes.

use std::sync::Arc;

use lossgraph_tensor::{
    Axes, AxisSet, IntoAxis, IntoDims, IntoRange, Shape, Slice, Tensor, Window, kernels,
};
use smallvec::SmallVec;

use super::combine::{OverlapAdd, pad_at};
use super::facts::Precedence::{Atom, Power};
use super::facts::{Element, Facts, Notation};
use super::family::{At, Cotangents, Family, Rule, one};
use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::ops::op::{Op, listed};
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The family of views. The target shape of a reshape and of an expand is that of the node.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(crate) enum View {
    Reshape,
    Permute(SmallVec<[isize; 4]>),
    Expand,
    Slice(Arc<[Slice]>),
    Windows {
        axis: usize,
        window: Window,
    },
    /// The first input, to be read when the second has been computed.
    After,
}

impl Family for View {
    fn name(&self) -> &'static str {
        match self {
            View::Reshape => "reshape",
            View::Permute(_) => "permute",
            View::Expand => "expand",
            View::Slice(_) => "slice",
            View::Windows { .. } => "windows",
            View::After => "after",
        }
    }

    fn attributes(&self) -> String {
        match self {
            View::Permute(order) => format!("axes {}", listed(order)),
            View::Slice(slices) => listed(slices.iter().map(|slice| {
                let Slice { start, len, step } = slice;
                let by = if *step == 1 { String::new() } else { format!(" by {step}") };
                format!("{len} from {start}{by}")
            })),
            View::Windows { axis, window } => {
                let Window { size, stride, dilation } = window;
                format!("axis {axis}, size {size}, stride {stride}, dilation {dilation}")
            }
            View::Reshape | View::Expand | View::After => String::new(),
        }
    }

    fn is_differentiable_in(&self, input: usize) -> bool {
        input == 0
    }

    /// Each view's transpose.
    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let (g, x) = (rule.g, rule.inputs[0]);
        one(match self {
            View::Reshape => g.reshape(x.shape()),
            View::Permute(axes) => g.permute(&inverse(axes)[..]),
            View::Expand => g.sum_to(x.shape()),
            View::Slice(slices) => pad_at(g, slices.clone(), x.shape(), 0.0),
            View::Windows { axis, window } => {
                let op = Op::OverlapAdd(OverlapAdd { axis: *axis, window: *window });
                g.tape().record(op, &[g], x.shape(), g.dtype())
            }
            View::After => g,
        })
    }

    /// A copy of what the view shows; plans make views without one, see [`View::of`].
    fn compute(&self, inputs: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        kernels::copy(inputs[0], out)
    }

    fn facts(&self) -> Facts {
        match self {
            View::Reshape | View::Expand | View::After => Facts::MOVES.written(Notation::Operand),
            View::Permute(_) => Facts::MOVES.written(Notation::unary("aᵀ", Power, Atom)),
            View::Slice(_) | View::Windows { .. } => Facts::MOVES.zero_slope(&[NOT_READ]),
        }
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        let operand = at.operands.first()?;
        let index = match self {
            View::Reshape => operand.unravel_index(at.shape.ravel_index(at.index)),
            View::Expand => {
                let aligned = &at.index[at.index.len().checked_sub(operand.rank())?..];
                operand.iter().zip(aligned).map(|(&len, &i)| if len == 1 { 0 } else { i }).collect()
            }
            View::Permute(order) => {
                let mut index = vec![0; at.index.len()];
                for (&i, &axis) in at.index.iter().zip(order) {
                    *index.get_mut(axis as usize)? = i;
                }
                index
            }
            View::Slice(slices) => {
                let from = |(&i, slice): (&usize, &Slice)| {
                    usize::try_from(slice.start as isize + slice.step * i as isize).ok()
                };
                at.index.iter().zip(slices.iter()).map(from).collect::<Option<_>>()?
            }
            View::Windows { .. } => return None,
            View::After => at.index.to_vec(),
        };
        at.copy(0, index)
    }
}

/// Why no slope comes back to an element that a view or an index leaves out.
pub(crate) const NOT_READ: &str = "this element is not read";

impl View {
    /// The view itself; a reshape that the strides do not allow copies.
    pub fn of(&self, x: &Tensor, shape: &Shape) -> lossgraph_tensor::Result<Tensor> {
        match self {
            View::Reshape => x.reshape(shape.clone()),
            View::Permute(axes) => x.permute(&axes[..]),
            View::Expand => x.expand(shape.clone()),
            View::Slice(slices) => x.slices(slices),
            View::Windows { axis, window } => x.windows(*axis as isize, *window),
            View::After => Ok(x.clone()),
        }
    }
}

fn inverse(axes: &[isize]) -> SmallVec<[isize; 4]> {
    let mut inverse: SmallVec<[isize; 4]> = axes.into();
    for (to, &from) in axes.iter().enumerate() {
        inverse[from as usize] = to as isize;
    }
    inverse
}

impl<'t> Var<'t> {
    #[track_caller]
    fn view(self, view: View, shape: Shape) -> Var<'t> {
        self.tape().record(Op::View(view), &[self], shape, self.dtype())
    }

    #[track_caller]
    pub(crate) fn no_axis(self, operation: &str, axis: isize) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        let why = format!("there is no axis {axis}");
        self.tape().fault(Fault::new(operation, why).operand("input", self))
    }

    /// Whether it is a scalar and this one of its axes: as in PyTorch, it counts as a tensor of one
    /// element where an axis is named.
    pub(crate) fn is_axis_of_scalar(self, axis: isize) -> bool {
        self.rank() == 0 && !self.is_faulty() && (axis == 0 || axis == -1)
    }

    /// A scalar as a tensor of one element.
    #[track_caller]
    pub(crate) fn with_an_axis(self) -> Var<'t> {
        if self.rank() == 0 { self.unsqueeze(0) } else { self }
    }

    /// This and the number of an axis of it. A scalar counts as a tensor of one element, as in PyTorch.
    #[track_caller]
    pub(crate) fn with_axis(
        self,
        operation: &str,
        axis: isize,
    ) -> Result<(Var<'t>, usize), Var<'t>> {
        let x = if self.rank() == 0 && !self.is_faulty() { self.reshape([1]) } else { self };
        match x.shape().axis(axis) {
            Some(at) => Ok((x, at)),
            None => Err(self.no_axis(operation, axis)),
        }
    }

    /// The same elements in the same order, in another shape of as many elements; a length of −1 is
    /// as long as they ask for: `reshape([-1, 3])`, `reshape((n, 2))`.
    #[doc(alias = "view")]
    #[track_caller]
    pub fn reshape(self, shape: impl IntoDims) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        self.reshaped(Shape::resolve(shape, self.shape().numel()))
    }

    #[track_caller]
    fn reshaped(self, shape: Result<Shape, String>) -> Var<'t> {
        match shape {
            Ok(to) if self.shape() == to => self,
            Ok(to) => self.view(View::Reshape, to),
            Err(why) => self.tape().fault(Fault::new("reshape", why).operand("input", self)),
        }
    }

    /// The same value, to be read when `other` has been computed: so a program that goes through
    /// large values says that one is used up before the next is made: a control dependency. No slope
    /// flows to `other`.
    #[doc(alias = "optimization_barrier")]
    #[track_caller]
    pub fn after(self, other: Var<'t>) -> Var<'t> {
        self.tape().record(Op::View(View::After), &[self, other], self.shape(), self.dtype())
    }

    /// Repeats axes of length 1, and adds axes in front, to reach `shape`.
    #[doc(alias = "broadcast_to")]
    #[doc(alias = "expand_as")]
    #[track_caller]
    pub fn expand(self, shape: impl Into<Shape>) -> Var<'t> {
        let (from, to) = (self.shape(), shape.into());
        if from == to || self.is_faulty() {
            return self;
        }
        if from.broadcast(&to).as_ref() != Some(&to) {
            let why = format!("it does not broadcast to {to}");
            return self.tape().fault(Fault::new("expand", why).operand("input", self));
        }
        self.view(View::Expand, to)
    }

    /// The transpose of [`expand`](Var::expand): sums until `shape` is left.
    #[track_caller]
    pub fn sum_to(self, shape: impl Into<Shape>) -> Var<'t> {
        let _call = self.tape().call("sum_to");
        let (from, to) = (self.shape(), shape.into());
        if from == to || self.is_faulty() {
            return self;
        }
        if to.broadcast(&from).as_ref() != Some(&from) {
            let why = format!("{to} does not broadcast to it");
            return self.tape().fault(Fault::new("sum_to", why).operand("input", self));
        }
        let added = from.rank() - to.rank();
        let repeated = |&axis: &usize| axis < added || (to[axis - added] == 1 && from[axis] != 1);
        let axes: SmallVec<[isize; 4]> =
            (0..from.rank()).filter(repeated).map(|axis| axis as isize).collect();
        self.sum(crate::keep(&axes[..])).reshape(to)
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]`.
    #[track_caller]
    pub fn permute(self, axes: impl IntoDims) -> Var<'t> {
        let _call = self.tape().call("permute");
        let axes = axes.into_dims();
        if self.is_faulty() {
            return self;
        }
        let shape = self.shape();
        let order: SmallVec<[isize; 4]> =
            axes.iter().filter_map(|&axis| Some(shape.axis(axis)? as isize)).collect();
        let set: AxisSet = order.iter().map(|&axis| axis as usize).collect();
        if order.len() != shape.rank() || axes.len() != shape.rank() || set.len() != shape.rank() {
            let why = format!("{:?} is no order of its {} axes", &axes[..], shape.rank());
            return self.tape().fault(Fault::new("permute", why).operand("input", self));
        }
        let dims: Vec<usize> = order.iter().map(|&axis| shape[axis as usize]).collect();
        self.view(View::Permute(order), Shape::from(dims))
    }

    /// Two axes exchanged.
    #[doc(alias = "swapaxes")]
    #[doc(alias = "swapdims")]
    #[track_caller]
    pub fn transpose(self, a: impl IntoAxis, b: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("transpose");
        let a = a.into_axis();
        let b = b.into_axis();
        if self.is_axis_of_scalar(a) && self.is_axis_of_scalar(b) {
            return self;
        }
        let shape = self.shape();
        let (Some(i), Some(j)) = (shape.axis(a), shape.axis(b)) else {
            return self.no_axis("transpose", if shape.axis(a).is_none() { a } else { b });
        };
        let mut order: SmallVec<[isize; 4]> = (0..shape.rank() as isize).collect();
        order.swap(i, j);
        self.permute(&order[..])
    }

    /// The last two axes exchanged: the transposed matrix.
    #[track_caller]
    pub fn t(self) -> Var<'t> {
        let _call = self.tape().call("t");
        self.transpose(-2, -1)
    }

    /// Drops an axis of length 1.
    #[track_caller]
    pub fn squeeze(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("squeeze");
        let axis = axis.into_axis();
        let shape = self.shape();
        match shape.axis(axis) {
            Some(at) if shape[at] == 1 => {
                let mut dims = shape.to_vec();
                dims.remove(at);
                self.reshape(dims)
            }
            Some(at) => {
                let why = format!("axis {axis} has length {}, not 1", shape[at]);
                self.tape().fault(Fault::new("squeeze", why).operand("input", self))
            }
            None if self.is_axis_of_scalar(axis) => self,
            None => self.no_axis("squeeze", axis),
        }
    }

    /// Adds an axis of length 1, which becomes axis `axis` of the result.
    #[track_caller]
    pub fn unsqueeze(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("unsqueeze");
        let axis = axis.into_axis();
        let mut dims = self.shape().to_vec();
        let at = if axis < 0 { axis + dims.len() as isize + 1 } else { axis };
        if !(0..=dims.len() as isize).contains(&at) {
            return self.no_axis("unsqueeze", axis);
        }
        dims.insert(at as usize, 1);
        self.reshape(dims)
    }

    /// A range of an axis: `1..3`, `..-1`, `-2..`. Negative ends count from the end, and ends
    /// beyond the axis are clamped, as in Python. A scalar has no range, as in PyTorch.
    #[track_caller]
    pub fn slice(self, axis: impl IntoAxis, range: impl IntoRange) -> Var<'t> {
        let _call = self.tape().call("slice");
        let axis = axis.into_axis();
        let (start, stop) = range.into_range();
        let shape = self.shape();
        let Some(at) = shape.axis(axis) else {
            return self.no_axis("slice", axis);
        };
        match Slice::resolve(start, stop, 1, shape[at]) {
            Some(slice) => self.slice_axis(at, slice),
            None => self,
        }
    }

    #[track_caller]
    fn slice_axis(self, axis: usize, slice: Slice) -> Var<'t> {
        let shape = self.shape();
        let slices: SmallVec<[Slice; 4]> = (0..shape.rank())
            .map(|other| if other == axis { slice } else { Slice::all(shape[other]) })
            .collect();
        self.slices(&slices)
    }

    /// A slice of each of the leading axes; steps may be negative.
    #[track_caller]
    pub fn slices(self, slices: &[Slice]) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        let shape = self.shape();
        if slices.len() > shape.rank() {
            let why = format!("{} slices for {} axes", slices.len(), shape.rank());
            return self.tape().fault(Fault::new("slices", why).operand("input", self));
        }
        let all = shape.iter().enumerate().map(|(axis, &extent)| match slices.get(axis) {
            Some(&slice) => (slice, slice.fits(extent)),
            None => (Slice::all(extent), true),
        });
        if let Some(axis) = all.clone().position(|(_, fits)| !fits) {
            let why = format!("{:?} leaves axis {axis}", slices[axis]);
            return self.tape().fault(Fault::new("slices", why).operand("input", self));
        }
        self.slices_shared(all.map(|(slice, _)| slice).collect())
    }

    /// As [`slices`](Var::slices), for slices of all axes that are known to fit.
    #[track_caller]
    pub(crate) fn slices_shared(self, slices: Arc<[Slice]>) -> Var<'t> {
        let shape = self.shape();
        if slices.iter().zip(shape.iter()).all(|(slice, &extent)| *slice == Slice::all(extent)) {
            return self;
        }
        let dims: SmallVec<[usize; 4]> = slices.iter().map(|slice| slice.len).collect();
        self.view(View::Slice(slices), Shape::from(&dims[..]))
    }

    /// One index of an axis, which is dropped. Negative indices count from the end.
    #[doc(alias = "select")]
    #[track_caller]
    pub fn index(self, axis: impl IntoAxis, index: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("index");
        let axis = axis.into_axis();
        let index = index.into_axis();
        let shape = self.shape();
        let Some(at) = shape.axis(axis) else {
            return self.no_axis("index", axis);
        };
        let extent = shape[at] as isize;
        if !(-extent..extent).contains(&index) {
            let why =
                format!("index {index} is out of range for axis {axis}, which has length {extent}");
            return self.tape().fault(Fault::new("index", why).operand("input", self));
        }
        let start = index.rem_euclid(extent) as usize;
        self.slice_axis(at, Slice { start, len: 1, step: 1 }).squeeze(at as isize)
    }

    /// An axis from its end to its start.
    #[track_caller]
    pub fn flip(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("flip");
        let axis = axis.into_axis();
        let shape = self.shape();
        if self.is_axis_of_scalar(axis) {
            return self;
        }
        let Some(at) = shape.axis(axis) else {
            return self.no_axis("flip", axis);
        };
        match shape[at] {
            0 => self,
            len => self.slice_axis(at, Slice { start: len - 1, len, step: -1 }),
        }
    }

    /// Sliding windows along an axis: its length becomes the number of windows, and the elements
    /// of each window come last, along a new axis.
    #[track_caller]
    pub fn windows(self, axis: impl IntoAxis, window: Window) -> Var<'t> {
        let _call = self.tape().call("windows");
        let axis = axis.into_axis();
        if self.is_axis_of_scalar(axis) {
            return self.with_an_axis().windows(0, window).squeeze(0);
        }
        let mut dims = self.shape().to_vec();
        let Some(at) = self.shape().axis(axis) else {
            return self.no_axis("windows", axis);
        };
        let Some(count) = window.count(dims[at]) else {
            let why = format!("no {window:?} fits into axis {axis}");
            return self.tape().fault(Fault::new("windows", why).operand("input", self));
        };
        dims[at] = count;
        dims.push(window.size);
        self.view(View::Windows { axis: at, window }, Shape::from(dims))
    }

    /// The length of all `axes` together: how many elements a reduction of them reduces.
    pub(crate) fn reduced_len(self, axes: &Axes) -> usize {
        let shape = self.shape();
        axes.of(&shape).map_or(1, |set| set.iter().map(|axis| shape[axis]).product())
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("reshape", "view", "the same elements in another shape", &[CUBE], |x| {
        x[0].t().reshape([6, 4])
    })
    .torch("reshape, reshape_as, view, view_as"),
    op("expand", "view", "repeats axes of length 1", &[Floats(&[3, 1], AROUND)], |x| {
        x[0].expand([2, 3, 4])
    })
    .torch("expand, expand_as, broadcast_to"),
    op("permute", "view", "the axes in another order", &[CUBE], |x| x[0].permute([2, 0, 1])),
    op("slice", "view", "some indices of an axis", &[CUBE], |x| {
        x[0].slice(1, 1..).slices(&[Slice { start: 1, len: 2, step: -1 }])
    })
    .torch("narrow, x[a:b:c]"),
    op("windows", "view", "sliding windows", &[CUBE], |x| {
        x[0].windows(2, Window { size: 2, stride: 1, dilation: 2 })
    })
    .torch("Tensor.unfold"),
    op("flip", "view", "an axis backwards", &[CUBE], |x| x[0].flip(1)),
    op("sum_to", "view", "the transpose of expand", &[CUBE], |x| x[0].sum_to([3, 1]))
        .torch("sum_to_size"),
    op("after", "view", "x, once y is there", &[CUBE, Floats(&[2], AROUND)], |x| x[0].after(x[1]))
        .ours("an order of large computations"),
    op("transpose", "composed", "two axes exchanged", &[CUBE], |x| x[0].transpose(0, 2))
        .torch("transpose, swapaxes, swapdims"),
    op("t", "composed", "the last two axes exchanged", &[CUBE], |x| x[0].t()).torch("t, mT"),
    op("squeeze", "composed", "without an axis of length 1", &[Floats(&[2, 1, 3], AROUND)], |x| {
        x[0].squeeze(1)
    }),
    op("unsqueeze", "composed", "with an axis of length 1", &[CUBE], |x| x[0].unsqueeze(-2)),
    op("index", "composed", "one index of an axis", &[CUBE], |x| x[0].index(1, -1)).torch("select"),
];
