//! Reading and writing at indices that are data. Indices are integer tensors; no slope flows into
//! them. An index out of range is an error, found when the plan runs.

use lossgraph_tensor::kernels::{self, Extreme, Order};
use lossgraph_tensor::{DType, IntoAxis, Shape, Tensor, Window, map1};
use smallvec::smallvec;

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule, none};
use super::table::{
    AROUND, CUBE, Row,
    Sample::{Floats, Integers},
    op,
};
use super::unary::Unary;
use super::view::NOT_READ;
use crate::ops::op::{Detach, Op, listed};
use crate::record::fault::Fault;
use crate::record::var::Var;

/// An index that counts from the end, if it is negative, as one from the start.
static FROM_START: Unary = Unary::new(
    "counted_from_start",
    "i, or i + n from −n to −1",
    map1!(|i, p| if i < T::ZERO && i >= -p[0] { i + p[0] } else { i }),
)
.integers(|i, p| if i < 0 && i >= -(p[0] as i64) { i + p[0] as i64 } else { i });

/// The family of indexed ops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Index {
    Gather {
        axis: usize,
    },
    ScatterAdd {
        axis: usize,
    },
    Select {
        axis: usize,
    },
    /// With a third input, that is what is added to.
    Add {
        axis: usize,
    },
    OneHot,
    ArgExtreme {
        axis: usize,
        extreme: Extreme,
    },
    ArgSort {
        axis: usize,
        order: Order,
    },
    /// The index of the first largest element of each window over the last two axes, among the
    /// elements of its plane, row by row. With the padding in front of each axis.
    WindowArgmax([Window; 2], [usize; 2]),
}

impl Family for Index {
    fn name(&self) -> &'static str {
        match self {
            Index::Gather { .. } => "gather",
            Index::ScatterAdd { .. } => "scatter_add",
            Index::Select { .. } => "index_select",
            Index::Add { .. } => "index_add",
            Index::OneHot => "one_hot",
            Index::ArgExtreme { extreme: Extreme::Max, .. } => "argmax",
            Index::ArgExtreme { extreme: Extreme::Min, .. } => "argmin",
            Index::ArgSort { .. } => "argsort",
            Index::WindowArgmax(..) => "window_argmax",
        }
    }

    fn attributes(&self) -> String {
        match self {
            Index::OneHot => String::new(),
            Index::WindowArgmax(windows, _) => {
                format!("size {}", listed(windows.iter().map(|window| window.size)))
            }
            Index::Gather { axis }
            | Index::ScatterAdd { axis }
            | Index::Select { axis }
            | Index::Add { axis }
            | Index::ArgExtreme { axis, .. }
            | Index::ArgSort { axis, .. } => format!("axis {axis}"),
        }
    }

    fn is_differentiable_in(&self, input: usize) -> bool {
        self.transpose().is_some() && input != 1
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        let Some(transpose) = self.transpose() else { return none() };
        let (g, x, index) = (rule.g, rule.inputs[0], rule.inputs[1]);
        let read = || g.tape().record(Op::Index(transpose), &[g, index], x.shape(), g.dtype());
        smallvec![rule.when(0, read), None, rule.inputs.get(2).map(|_| g)]
    }

    fn compute(&self, x: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        match *self {
            Index::Gather { axis } => kernels::gather(x[0], axis, x[1], out),
            Index::ScatterAdd { axis } => kernels::scatter_add(x[0], axis, x[1], out),
            Index::Select { axis } => kernels::index_select(x[0], axis, x[1], out),
            Index::Add { axis } => kernels::index_add(x[0], axis, x[1], x.get(2).copied(), out),
            Index::OneHot => kernels::one_hot(x[0], out),
            Index::ArgExtreme { axis, extreme } => kernels::arg_extreme(extreme, x[0], axis, out),
            Index::ArgSort { axis, order } => kernels::arg_sort(x[0], axis, order, out),
            Index::WindowArgmax(windows, padding) => {
                kernels::window_argmax(x[0], windows, padding, out)
            }
        }
    }

    fn facts(&self) -> Facts {
        match self {
            Index::Gather { .. } | Index::Select { .. } => Facts::MOVES.zero_slope(&[NOT_READ]),
            _ => Facts::DEFAULT,
        }
    }

    fn element(&self, at: &At<'_>) -> Option<Element> {
        match *self {
            Index::Gather { axis } => at.copy(0, at.with(axis, (at.integer)(1, at.index)?)),
            Index::Select { axis } => {
                at.copy(0, at.with(axis, (at.integer)(1, &[at.index[axis]])?))
            }
            // The transpose of reading, without a tensor to add to: all that is added here.
            Index::ScatterAdd { axis } => {
                let from = (0..*at.operands.first()?.get(axis)?).map(|i| at.with(axis, i));
                let here = from.filter(|from| (at.integer)(1, from) == Some(at.index[axis]));
                Some(Element::SumOfProducts(here.map(|from| vec![(0, from)]).collect()))
            }
            Index::Add { .. }
            | Index::OneHot
            | Index::ArgExtreme { .. }
            | Index::ArgSort { .. }
            | Index::WindowArgmax(..) => None,
        }
    }
}

impl Index {
    /// Reading and adding at the same indices are each other's transpose.
    fn transpose(self) -> Option<Index> {
        match self {
            Index::Gather { axis } => Some(Index::ScatterAdd { axis }),
            Index::ScatterAdd { axis } => Some(Index::Gather { axis }),
            Index::Select { axis } => Some(Index::Add { axis }),
            Index::Add { axis } => Some(Index::Select { axis }),
            Index::OneHot
            | Index::ArgExtreme { .. }
            | Index::ArgSort { .. }
            | Index::WindowArgmax(..) => None,
        }
    }
}

impl<'t> Var<'t> {
    #[track_caller]
    pub(super) fn indexed(self, index: Index, by: Var<'t>, shape: Shape) -> Var<'t> {
        self.tape().record(Op::Index(index), &[self, by], shape, self.dtype())
    }

    /// What is wrong with `index` for `operation` along `axis`, or the axis itself.
    #[track_caller]
    pub(super) fn index_axis(
        self,
        operation: &str,
        axis: isize,
        index: Var<'t>,
    ) -> Result<usize, Var<'t>> {
        let index = self.admit(operation, index);
        if self.is_faulty() || index.is_faulty() {
            return Err(self.tape().record(
                Op::Detach(Detach),
                &[self, index],
                Shape::from(()),
                self.dtype(),
            ));
        }
        let (why, cure) = if index.dtype() != DType::I64 {
            let cure = "tape.constant of integers, tape.labels, or what argmax and argsort give";
            ("the index holds floats".to_owned(), cure.to_owned())
        } else if let Some(axis) = self.shape().axis(axis) {
            return Ok(axis);
        } else {
            let cure = match self.rank() {
                0 => "an input of at least one axis".to_owned(),
                rank => format!("0 to {}, or -{rank} to -1 from the end", rank - 1),
            };
            (format!("there is no axis {axis}"), cure)
        };
        let fault = Fault::new(operation, why).operand("input", self).operand("index", index);
        Err(self.tape().fault(fault.cure(cure)))
    }

    /// Elements at indices along an axis: `y[i, j] = x[i, index[i, j]]` for axis 1.
    ///
    /// The index has as many axes as the input; other axes of it may be shorter. Indices count from 0
    /// on: those of [`take_along_dim`](Var::take_along_dim) may be negative.
    #[track_caller]
    pub fn gather(self, axis: impl IntoAxis, index: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("gather");
        let (axis, index) = (axis.into_axis(), self.admit("gather", index));
        if !index.is_faulty()
            && (self.is_axis_of_scalar(axis) || index.rank() == 0 && self.rank() == 1)
        {
            return self.with_an_axis().gather(axis, index.with_an_axis()).reshape(index.shape());
        }
        match self.index_axis("gather", axis, index) {
            Ok(at) if self.fits(at, index) => {
                self.indexed(Index::Gather { axis: at }, index, index.shape())
            }
            Ok(_) => self.unfit("gather", index),
            Err(fault) => fault,
        }
    }

    /// Elements at indices along an axis, as by [`gather`](Var::gather), with indices that may count
    /// from the end, and broadcast against the input along the other axes: what
    /// [`argsort`](Var::argsort), or [`argmax`](Var::argmax) and an axis of length 1, put in order.
    ///
    /// # Errors
    /// Recorded as faults: an index of floats, or with more or fewer axes than the input, or that does
    /// not broadcast.
    #[track_caller]
    pub fn take_along_dim(self, index: Var<'t>, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("take_along_dim");
        let (axis, index) = (axis.into_axis(), self.admit("take_along_dim", index));
        if !index.is_faulty() && self.is_axis_of_scalar(axis) && index.rank() == 0 {
            return self.with_an_axis().take_along_dim(index.with_an_axis(), 0).reshape(());
        }
        let at = match self.index_axis("take_along_dim", axis, index) {
            Ok(at) => at,
            Err(fault) => return fault,
        };
        if self.rank() != index.rank() {
            return self.unfit("take_along_dim", index);
        }
        // The shape of both, but along the axis.
        let [mut x, mut i] = [self.shape().to_vec(), index.shape().to_vec()];
        let (of_x, of_i) = (std::mem::replace(&mut x[at], 1), std::mem::replace(&mut i[at], 1));
        let Some(common) = Shape::from(x).broadcast(&Shape::from(i)) else {
            return self.unfit("take_along_dim", index);
        };
        let with = |len: usize| {
            let mut dims = common.to_vec();
            dims[at] = len;
            Shape::from(dims)
        };
        let index = index.counted_from_start(of_x);
        self.expand(with(of_x)).gather(at, index.expand(with(of_i)))
    }

    /// Elements at indices of all elements in one line, in the shape of the index. Negative indices
    /// count from the end.
    ///
    /// # Errors
    /// Recorded as a fault: an index of floats.
    #[track_caller]
    pub fn take(self, index: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("take");
        let line = self.flatten(..);
        match line.index_axis("take", 0, index) {
            Ok(_) => line.index_select(0, index.counted_from_start(line.len())),
            Err(fault) => fault,
        }
    }

    /// Indices of an axis of length `dim`, counted from its start.
    #[track_caller]
    fn counted_from_start(self, dim: usize) -> Var<'t> {
        self.unary(&FROM_START, [dim as f64, 0.0])
    }

    /// A copy to which `source` is added at indices along an axis:
    /// `y[i, index[i, j]] += source[i, j]` for axis 1.
    #[track_caller]
    pub fn scatter_add(self, axis: impl IntoAxis, index: Var<'t>, source: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("scatter_add");
        let (axis, source) = (axis.into_axis(), self.admit("scatter_add", source));
        if source.is_faulty() {
            return source;
        }
        let index = self.admit("scatter_add", index);
        if self.is_axis_of_scalar(axis) && !index.is_faulty() {
            let (index, source) = (index.with_an_axis(), source.with_an_axis());
            return self.with_an_axis().scatter_add(axis, index, source).reshape(());
        }
        let at = match self.index_axis("scatter_add", axis, index) {
            Ok(at) => at,
            Err(fault) => return fault,
        };
        if source.rank() != index.rank() || !self.fits(at, index) {
            return self.unfit("scatter_add", index);
        }
        let covered = source.shape().iter().zip(index.shape().iter()).all(|(s, i)| s >= i);
        if !covered {
            return self.unfit("scatter_add", index);
        }
        let slices: Vec<_> =
            index.shape().iter().map(|&len| lossgraph_tensor::Slice::all(len)).collect();
        let added =
            source.slices(&slices).indexed(Index::ScatterAdd { axis: at }, index, self.shape());
        self + added
    }

    /// Whether `index` has this rank, and no longer axes than this but along `axis`.
    pub(super) fn fits(self, axis: usize, index: Var<'t>) -> bool {
        let (x, i) = (self.shape(), index.shape());
        x.rank() == i.rank() && (0..x.rank()).all(|other| other == axis || i[other] <= x[other])
    }

    #[track_caller]
    pub(super) fn unfit(self, operation: &str, index: Var<'t>) -> Var<'t> {
        let cure = match self.rank() == index.rank() {
            true => "an index that is no longer than the input along the other axes",
            false => "index.unsqueeze(axis), so that both have as many axes",
        };
        let fault = Fault::new(operation, "input and index do not fit");
        self.tape().fault(fault.operand("input", self).operand("index", index).cure(cure))
    }

    /// Whole slices at indices along an axis. The axes of `index` replace that axis. As in PyTorch,
    /// indices count from the start alone, and a scalar is selected by a single one.
    #[track_caller]
    pub fn index_select(self, axis: impl IntoAxis, index: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("index_select");
        let (axis, index) = (axis.into_axis(), self.admit("index_select", index));
        if !index.is_faulty() && self.is_axis_of_scalar(axis) && index.len() == 1 {
            return self.with_an_axis().index_select(axis, index).reshape(());
        }
        match self.index_axis("index_select", axis, index) {
            Ok(at) => {
                let mut dims = self.shape()[..at].to_vec();
                dims.extend_from_slice(&index.shape());
                dims.extend_from_slice(&self.shape()[at + 1..]);
                self.indexed(Index::Select { axis: at }, index, Shape::from(dims))
            }
            Err(fault) => fault,
        }
    }

    /// Rows of this table, `[words, features]`, at the indices in `index`.
    ///
    /// # Errors
    /// Recorded as faults: a table of other axes, and an index of floats.
    #[track_caller]
    pub fn embedding(self, index: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("embedding");
        if !self.is_faulty() && self.rank() != 2 {
            let fault = Fault::new("embedding", "the table is [words, features]");
            let cure = "index_select(0, index), for slices of any shape";
            return self
                .tape()
                .fault(fault.operand("table", self).operand("index", index).cure(cure));
        }
        self.index_select(0, index)
    }

    /// For integers: a new last axis of `classes` zeros, with a one at the index that is the integer.
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Var<'t> {
        let _call = self.tape().call("one_hot");
        if !self.is_faulty() && self.dtype() != DType::I64 {
            let fault = Fault::new("one_hot", "class numbers are integers, given floats");
            return self.tape().fault(fault.operand("input", self));
        }
        let mut dims = self.shape().to_vec();
        dims.push(classes);
        self.tape().record(
            Op::Index(Index::OneHot),
            &[self],
            Shape::from(dims),
            self.tape().dtype(),
        )
    }

    /// The index of the first largest element along an axis, which is dropped.
    #[track_caller]
    pub fn argmax(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("argmax");
        let axis = axis.into_axis();
        self.arg_extreme("argmax", axis, Extreme::Max)
    }

    /// The index of the first smallest element along an axis, which is dropped.
    #[track_caller]
    pub fn argmin(self, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("argmin");
        let axis = axis.into_axis();
        self.arg_extreme("argmin", axis, Extreme::Min)
    }

    #[track_caller]
    fn arg_extreme(self, name: &str, axis: isize, extreme: Extreme) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        if self.is_axis_of_scalar(axis) {
            return self.with_an_axis().arg_extreme(name, 0, extreme);
        }
        let why = match self.shape().axis(axis) {
            None => format!("there is no axis {axis}"),
            Some(at) if self.shape()[at] == 0 => format!("axis {axis} is empty"),
            Some(at) => {
                let mut dims = self.shape().to_vec();
                dims[at] = 1;
                let op = Op::Index(Index::ArgExtreme { axis: at, extreme });
                let indices = self.tape().record(op, &[self], Shape::from(dims), DType::I64);
                return indices.squeeze(at as isize);
            }
        };
        self.tape().fault(Fault::new(name, why).operand("input", self))
    }

    /// The indices that put the elements along an axis in order: an index for
    /// [`gather`](Var::gather). Equal elements stay in the order in which they stand, and NaN
    /// counts as the largest.
    #[track_caller]
    pub fn argsort(self, axis: impl IntoAxis, order: Order) -> Var<'t> {
        let _call = self.tape().call("argsort");
        let axis = axis.into_axis();
        if self.is_faulty() {
            return self;
        }
        if self.is_axis_of_scalar(axis) {
            return self.with_an_axis().argsort(0, order).reshape(());
        }
        match self.shape().axis(axis) {
            Some(axis) => {
                let op = Op::Index(Index::ArgSort { axis, order });
                self.tape().record(op, &[self], self.shape(), DType::I64)
            }
            None => {
                let fault = Fault::new("argsort", format!("there is no axis {axis}"));
                self.tape().fault(fault.operand("input", self))
            }
        }
    }

    /// The elements along an axis, in their order. The slope of each goes back to the element that
    /// it came from; of equal elements, the first in the input is the first in the result.
    #[track_caller]
    pub fn sort(self, axis: impl IntoAxis, order: Order) -> Var<'t> {
        let _call = self.tape().call("sort");
        let axis = axis.into_axis();
        self.gather(axis, self.argsort(axis, order))
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "gather",
        "index",
        "yᵢⱼ = x[i, kᵢⱼ]",
        &[Floats(&[2, 3], AROUND), Integers(&[2, 4], 3)],
        |x| x[0].gather(1, x[1]),
    ),
    op(
        "scatter_add",
        "index",
        "y[i, kᵢⱼ] += sᵢⱼ",
        &[Floats(&[2, 3], AROUND), Integers(&[2, 4], 3), Floats(&[2, 4], AROUND)],
        |x| x[0].scatter_add(1, x[1], x[2]),
    ),
    op("index_select", "index", "slices at indices", &[CUBE, Integers(&[5], 3)], |x| {
        x[0].index_select(1, x[1])
    }),
    op(
        "embedding",
        "index",
        "rows at indices",
        &[Floats(&[4, 3], AROUND), Integers(&[2, 5], 4)],
        |x| x[0].embedding(x[1]),
    ),
    op("one_hot", "index", "1 at the class, 0 elsewhere", &[Integers(&[2, 3], 4)], |x| {
        x[0].one_hot(4)
    }),
    op("argmax", "index", "the index of the largest", &[CUBE], |x| x[0].argmax(1).to_float()),
    op("argmin", "index", "the index of the smallest", &[CUBE], |x| x[0].argmin(1).to_float()),
    op("argsort", "index", "the indices, in the order of the elements", &[CUBE], |x| {
        x[0].argsort(1, Order::Ascending).to_float()
    }),
    op("sort", "index", "the elements, in their order", &[CUBE], |x| {
        x[0].sort(1, Order::Descending)
    })
    .differs("indices come from `argsort`"),
    op(
        "take_along_dim",
        "composed",
        "yᵢⱼ = x[i, kᵢⱼ]",
        &[Floats(&[2, 3], AROUND), Integers(&[1, 4], 6)],
        |x| x[0].take_along_dim(x[1] - 3, 1),
    ),
    op("take", "composed", "elements of all in one line", &[CUBE, Integers(&[2, 5], 48)], |x| {
        x[0].take(x[1] - 24)
    }),
];
