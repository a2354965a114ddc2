//! Writing over whole slices: at indices that are data, at one index, over a range, where a mask is.

use lossgraph_tensor::kernels::{self, Scattered};
use lossgraph_tensor::{IntoAxis, IntoRange, Shape, Slice};

use super::combine::concat;
use super::index::Index;
use super::scatter::{Operands, record};
use super::table::{
    AROUND, CUBE, Row,
    Sample::{Floats, Integers},
    op,
};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::operand::Operand;
use crate::record::var::Var;

impl<'t> Var<'t> {
    /// A copy to which slices of `source`, times `alpha`, are added at indices along an axis. The
    /// source has as many slices along it as there are indices.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, shapes that do not fit, an index of floats.
    #[track_caller]
    pub fn index_add(
        self,
        axis: impl IntoAxis,
        index: Var<'t>,
        source: Var<'t>,
        alpha: f64,
    ) -> Var<'t> {
        let _call = self.tape().call("index_add");
        let Operands { base, axis, index, source } =
            match self.to_index("index_add", axis, index, source) {
                Ok(operands) => operands,
                Err(fault) => return fault,
            };
        let source = match source.dtype().is_float() || !kernels::is_integer(alpha) {
            _ if alpha == 1.0 => source,
            true => source * alpha,
            false => source * alpha as i64,
        };
        let base = if source.dtype().is_float() { base.to_float() } else { base };
        let op = Op::Index(Index::Add { axis });
        let added = [source, index, base];
        self.tape().record(op, &added, base.shape(), base.dtype()).reshape(self.shape())
    }

    /// A copy whose slices at indices along an axis are those of `source`.
    ///
    /// Of several slices for one index the last is written, and it alone has a slope. PyTorch leaves
    /// open which of them is written, and gives all of them the slope.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, shapes that do not fit, an index of floats.
    #[track_caller]
    pub fn index_copy(self, axis: impl IntoAxis, index: Var<'t>, source: Var<'t>) -> Var<'t> {
        let _call = self.tape().call("index_copy");
        let Operands { base, axis, index, source } =
            match self.to_index("index_copy", axis, index, source) {
                Ok(operands) => operands,
                Err(fault) => return fault,
            };
        if index.len() == 0 {
            return self;
        }
        // The last source for each slice, and whether there is one.
        let tape = self.tape();
        let number = tape.integers(index.shape(), 1).cumsum(0) - 1;
        let last = record(0, Scattered::Last, tape.integers([base.dim(axis)], 0), number, index);
        let copied = source.index_select(axis, last);
        base.marked(axis, index).select(copied, base).reshape(self.shape())
    }

    /// A copy whose slices at indices along an axis are filled with one number.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, a value of more than one element, an index of floats.
    #[track_caller]
    pub fn index_fill(
        self,
        axis: impl IntoAxis,
        index: Var<'t>,
        value: impl Operand<'t>,
    ) -> Var<'t> {
        let _call = self.tape().call("index_fill");
        let (base, value) = match self.with_source("index_fill", Shape::from(()), value) {
            Ok(operands) => operands,
            Err(fault) => return fault,
        };
        if value.rank() > 0 {
            let fault = Fault::new("index_fill", "the value is not one number");
            return self.tape().fault(fault.operand("value", value).cure("index_copy"));
        }
        let base = if base.rank() == 0 { base.reshape([1]) } else { base };
        let axis = match base.index_axis("index_fill", axis.into_axis(), index) {
            Ok(axis) => axis,
            Err(fault) => return fault,
        };
        base.marked(axis, index.flatten(..)).select(value, base).reshape(self.shape())
    }

    /// 1 at some indices of an axis, else 0; other axes have length 1.
    #[track_caller]
    fn marked(self, axis: usize, index: Var<'t>) -> Var<'t> {
        let tape = self.tape();
        let (others, here) = (tape.fill([self.dim(axis)], 0.0), tape.fill(index.shape(), 1.0));
        let mut dims = vec![1; self.rank()];
        dims[axis] = self.dim(axis);
        record(0, Scattered::Last, others, here, index).reshape(dims)
    }

    /// A copy with `value` where the mask is not 0; the mask broadcasts. The same as
    /// `mask.select(value, x)`.
    #[track_caller]
    pub fn masked_fill(self, mask: Var<'t>, value: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape().call("masked_fill");
        self.admit("masked_fill", mask).select(value, self)
    }

    /// A copy in which a range of an axis is `source`. The range is that of [`slice`](Var::slice).
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or a source that has not the shape of the slice.
    #[track_caller]
    pub fn slice_scatter(
        self,
        axis: impl IntoAxis,
        range: impl IntoRange,
        source: Var<'t>,
    ) -> Var<'t> {
        let _call = self.tape().call("slice_scatter");
        let axis = axis.into_axis();
        let Some(at) = self.shape().axis(axis) else {
            return self.no_axis("slice_scatter", axis);
        };
        let (start, stop) = range.into_range();
        let dim = self.dim(at);
        let slice = Slice::resolve(start, stop, 1, dim).unwrap_or(Slice::all(dim));
        self.with_slice("slice_scatter", at, slice, source)
    }

    /// A copy in which one index of an axis is `source`, which has no such axis. Negative indices
    /// count from the end.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis or index, or a source that has not the shape of the slice.
    #[track_caller]
    pub fn select_scatter(
        self,
        axis: impl IntoAxis,
        index: impl IntoAxis,
        source: Var<'t>,
    ) -> Var<'t> {
        let _call = self.tape().call("select_scatter");
        let (axis, index) = (axis.into_axis(), index.into_axis());
        let one = self.index(axis, index);
        let source = self.admit("select_scatter", source);
        if one.is_faulty() || source.is_faulty() {
            return if one.is_faulty() { one } else { source };
        }
        let at = axis.rem_euclid(self.rank() as isize);
        let start = index.rem_euclid(self.dim(axis) as isize) as usize;
        if source.shape() != one.shape() {
            return self.shape_mismatch("select_scatter", source, &one.shape());
        }
        let slice = Slice { start, len: 1, step: 1 };
        self.with_slice("select_scatter", at as usize, slice, source.unsqueeze(at))
    }

    /// A copy in which a diagonal of two axes is `source`, of the shape that
    /// [`diagonal`](Var::diagonal) of the same three numbers has.
    ///
    /// # Errors
    /// Recorded as a fault: no such axes, or a source that has not the shape of the diagonal.
    #[track_caller]
    pub fn diagonal_scatter(
        self,
        source: Var<'t>,
        offset: isize,
        a: impl IntoAxis,
        b: impl IntoAxis,
    ) -> Var<'t> {
        const NAME: &str = "diagonal_scatter";
        let _call = self.tape().call(NAME);
        let (a, b) = (a.into_axis(), b.into_axis());
        let diagonal = self.diagonal(offset, a, b);
        if diagonal.is_faulty() {
            return diagonal;
        }
        let (x, source) = match self.with_source(NAME, Shape::from(()), source) {
            Ok(both) => both,
            Err(fault) => return fault,
        };
        if source.shape() != diagonal.shape() {
            return self.shape_mismatch(NAME, source, &diagonal.shape());
        }
        if source.len() == 0 {
            return x;
        }
        // The numbers of all elements, laid out like the input: those of the diagonal are replaced.
        let tape = self.tape();
        let number = tape.integers([x.len()], 1).cumsum(0).reshape(x.shape()) - 1;
        let index = number.diagonal(offset, a, b).flatten(..);
        x.flatten(..).scatter(0, index, source.flatten(..)).reshape(x.shape())
    }

    #[track_caller]
    fn with_slice(self, name: &str, axis: usize, slice: Slice, source: Var<'t>) -> Var<'t> {
        let (x, source) = match self.with_source(name, Shape::from(()), source) {
            Ok(both) => both,
            Err(fault) => return fault,
        };
        let mut dims = x.shape().to_vec();
        dims[axis] = slice.len;
        if source.shape()[..] != dims[..] {
            return self.shape_mismatch(name, source, &Shape::from(dims));
        }
        if slice.len == 0 {
            return x;
        }
        let (before, after) =
            (x.slice(axis, ..slice.start), x.slice(axis, slice.start + slice.len..));
        concat(&[before, source, after], axis)
    }

    #[track_caller]
    fn shape_mismatch(self, name: &str, source: Var<'t>, expected: &Shape) -> Var<'t> {
        let fault =
            Fault::new(name, format!("the source has not the shape {expected} of the slice"));
        self.tape().fault(fault.operand("input", self).operand("source", source))
    }

    /// The operands of what writes whole slices by an index of one axis, or what is wrong with them.
    #[track_caller]
    fn to_index(
        self,
        name: &str,
        axis: impl IntoAxis,
        index: Var<'t>,
        source: Var<'t>,
    ) -> Result<Operands<'t>, Var<'t>> {
        let one = |x: Var<'t>| if x.rank() == 0 && !x.is_faulty() { x.reshape([1]) } else { x };
        let (base, index) = (one(self), one(self.admit(name, index)));
        let axis = base.index_axis(name, axis.into_axis(), index)?;
        let (base, source) = base.with_source(name, Shape::from(()), source)?;
        if index.rank() > 1 {
            let fault = Fault::new(name, "the index has more than one axis");
            let cure = "index.flatten(..), or scatter, whose index has the axes of the source";
            return Err(self.tape().fault(fault.operand("index", index).cure(cure)));
        }
        let source = if self.rank() == 0 { one(source) } else { source };
        let mut dims = base.shape().to_vec();
        dims[axis] = index.len();
        if source.shape()[..] != dims[..] {
            let why = format!("the source has not the shape {}", Shape::from(dims));
            let fault = Fault::new(name, why).operand("input", self);
            return Err(self.tape().fault(fault.operand("index", index).operand("source", source)));
        }
        Ok(Operands { base, axis, index, source })
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "index_add",
        "index",
        "y[kᵢ] += α sᵢ",
        &[CUBE, Integers(&[5], 3), Floats(&[2, 5, 4], AROUND)],
        |x| x[0].index_add(1, x[1], x[2], -0.5),
    ),
    op(
        "index_copy",
        "index",
        "y[kᵢ] = sᵢ",
        &[CUBE, Integers(&[2], 3), Floats(&[2, 2, 4], AROUND)],
        |x| x[0].index_copy(1, x[1], x[2]),
    ),
    op(
        "index_fill",
        "index",
        "y[kᵢ] = a",
        &[CUBE, Integers(&[2], 4), Floats(&[1], AROUND)],
        |x| x[0].index_fill(2, x[1], x[2].reshape(())),
    ),
    op(
        "masked_fill",
        "composed",
        "a where the mask is not 0, else x",
        &[CUBE, Integers(&[3, 4], 2), Floats(&[1], AROUND)],
        |x| x[0].masked_fill(x[1], x[2]),
    ),
    op(
        "slice_scatter",
        "composed",
        "s in a range of an axis, else x",
        &[CUBE, Floats(&[2, 2, 4], AROUND)],
        |x| x[0].slice_scatter(1, 1.., x[1]),
    ),
    op(
        "select_scatter",
        "composed",
        "s at an index of an axis, else x",
        &[CUBE, Floats(&[2, 4], AROUND)],
        |x| x[0].select_scatter(1, -2, x[1]),
    ),
    op(
        "diagonal_scatter",
        "composed",
        "s on a diagonal, else x",
        &[CUBE, Floats(&[2, 3], AROUND)],
        |x| x[0].diagonal_scatter(x[1], 1, 1, 2),
    ),
];
