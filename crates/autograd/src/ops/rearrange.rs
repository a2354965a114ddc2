//! Rolling, repeating, and axes in other places: names of views.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use lossgraph_tensor::{IntoAxis, IntoDims, IntoRange, Shape, Tensor};

use super::combine::concat;
use super::table::{AROUND, CUBE, Row, Sample::Floats, op};
use crate::record::fault::Fault;
use crate::record::var::Var;

/// What can name axes that follow one another: `..`, a range of them, or the first of those to the last.
pub trait IntoSpan {
    /// The first one, and the one behind the last, where they are given.
    fn into_span(self) -> (Option<isize>, Option<isize>);
}

macro_rules! spans {
    (first: $($number:ty),*) => {
        $(impl IntoSpan for $number {
            fn into_span(self) -> (Option<isize>, Option<isize>) {
                (Some(self.into_axis()), None)
            }
        })*
    };
    (ranges: $($range:ident),*) => {
        $(impl<T: IntoAxis> IntoSpan for $range<T> {
            fn into_span(self) -> (Option<isize>, Option<isize>) {
                self.into_range()
            }
        })*
    };
}

spans!(first: i32, i64, isize, usize);
spans!(ranges: Range, RangeFrom, RangeInclusive, RangeTo, RangeToInclusive);

impl IntoSpan for RangeFull {
    fn into_span(self) -> (Option<isize>, Option<isize>) {
        (None, None)
    }
}

impl<'t> Var<'t> {
    /// The elements some indices further along axes; what leaves an axis comes in at its other end.
    /// One shift for each axis; without axes, `x.roll(2, ())`, along all elements in one line.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or another number of shifts.
    #[track_caller]
    pub fn roll(self, shifts: impl IntoDims, axes: impl IntoDims) -> Var<'t> {
        let _call = self.tape().call("roll");
        let (shifts, axes) = (shifts.into_dims(), axes.into_dims());
        if self.is_faulty() {
            return self;
        }
        if axes.is_empty() && shifts.len() == 1 {
            return self.flatten(..).roll(shifts[0], 0).reshape(self.shape());
        }
        if axes.len() != shifts.len() {
            let why = format!("{} shifts for {} axes", shifts.len(), axes.len());
            return self.tape().fault(Fault::new("roll", why).operand("input", self));
        }
        let mut y = self;
        for (&shift, &axis) in shifts.iter().zip(&axes) {
            let Some(at) = self.shape().axis(axis) else { return self.no_axis("roll", axis) };
            let dim = self.dim(at) as isize;
            let by = shift.checked_rem_euclid(dim).unwrap_or(0);
            if by > 0 {
                y = concat(&[y.slice(at, dim - by..), y.slice(at, ..dim - by)], at);
            }
        }
        y
    }

    /// The tensor as often along each axis as said. More numbers than axes add axes in front.
    ///
    /// # Errors
    /// Recorded as a fault: fewer numbers than axes, a negative one, or more elements than memory has
    /// addresses.
    #[track_caller]
    pub fn repeat(self, repeats: impl IntoDims) -> Var<'t> {
        let _call = self.tape().call("repeat");
        let repeats = repeats.into_dims();
        if self.is_faulty() {
            return self;
        }
        let rank = self.rank();
        let why = if repeats.len() < rank {
            format!("{} numbers for {rank} axes", repeats.len())
        } else if let Some(repeat) = repeats.iter().find(|&&repeat| repeat < 0) {
            format!("{repeat} times is no number of repetitions")
        } else {
            let added = repeats.len() - rank;
            let repeats = repeats.iter().map(|&repeat| repeat as usize);
            let lens = std::iter::repeat_n(1, added).chain(self.shape().to_vec());
            let pairs: Vec<(usize, usize)> = repeats.zip(lens).collect();
            let apart: Vec<usize> = pairs.iter().flat_map(|&(_, len)| [1, len]).collect();
            let repeated: Vec<usize> =
                pairs.iter().flat_map(|&(repeat, len)| [repeat, len]).collect();
            let joined: Vec<usize> =
                pairs.iter().map(|&(repeat, len)| repeat.saturating_mul(len)).collect();
            return self.reshape(apart).expand(repeated).reshape(joined);
        };
        let cure = "one number for each axis; tile takes fewer";
        self.tape().fault(Fault::new("repeat", why).operand("input", self).cure(cure))
    }

    /// The tensor as often along each of the last axes as said; other axes stay.
    ///
    /// # Errors
    /// As for [`repeat`](Var::repeat), but for too few numbers.
    #[track_caller]
    pub fn tile(self, repeats: impl IntoDims) -> Var<'t> {
        let _call = self.tape().call("tile");
        let repeats = repeats.into_dims();
        let stay = self.rank().saturating_sub(repeats.len());
        let all: Vec<isize> = std::iter::repeat_n(1, stay).chain(repeats).collect();
        self.repeat(all)
    }

    /// Each element along an axis as often as said, one after another: a number for all, or one for
    /// each index of the axis.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, a negative number, another count of them than the axis is
    /// long, or more elements than memory has room for.
    #[track_caller]
    pub fn repeat_interleave(self, repeats: impl IntoDims, axis: impl IntoAxis) -> Var<'t> {
        let _call = self.tape().call("repeat_interleave");
        let (repeats, axis) = (repeats.into_dims(), axis.into_axis());
        let Some(at) = self.shape().axis(axis) else {
            return self.no_axis("repeat_interleave", axis);
        };
        let dim = self.dim(at);
        let refuse = |why: String| {
            self.tape().fault(Fault::new("repeat_interleave", why).operand("input", self))
        };
        if let Some(repeat) = repeats.iter().find(|&&repeat| repeat < 0) {
            return refuse(format!("{repeat} times is no number of repetitions"));
        }
        if let [repeat] = repeats[..] {
            let mut dims = self.shape().to_vec();
            dims.insert(at + 1, repeat as usize);
            let repeated = self.unsqueeze(at + 1).expand(dims.clone());
            dims.remove(at + 1);
            dims[at] = dim.saturating_mul(repeat as usize);
            return repeated.reshape(dims);
        }
        if repeats.len() != dim {
            return refuse(format!("{} numbers for {dim} indices of axis {axis}", repeats.len()));
        }
        let sum = |total: usize, &repeat: &isize| total.checked_add(repeat as usize);
        let mut index: Vec<i64> = Vec::new();
        let total = repeats.iter().try_fold(0, sum);
        if total.is_none_or(|total| index.try_reserve_exact(total).is_err()) {
            return refuse("there is no memory for so many elements".into());
        }
        for (i, &repeat) in (0..).zip(&repeats) {
            index.extend(std::iter::repeat_n(i, repeat as usize));
        }
        self.index_select(at, self.tape().constant(Tensor::from(index)))
    }

    /// Some axes at other places, each of `from` to that of `to`; the others stay in their order.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, one that is named twice, or lists of different lengths.
    #[doc(alias = "moveaxis")]
    #[track_caller]
    pub fn movedim(self, from: impl IntoDims, to: impl IntoDims) -> Var<'t> {
        let _call = self.tape().call("movedim");
        let (from, to) = (from.into_dims(), to.into_dims());
        if self.is_faulty() {
            return self;
        }
        let shape = self.shape();
        // A scalar has no axis, yet 0 and -1 name it, as in PyTorch.
        if shape.rank() == 0 && from[..] == to[..] && matches!(from[..], [0] | [-1]) {
            return self;
        }
        if let Some(&axis) = from.iter().chain(&to).find(|&&axis| shape.axis(axis).is_none()) {
            return self.no_axis("movedim", axis);
        }
        let at = |axes: &[isize]| -> Vec<usize> {
            axes.iter().filter_map(|&axis| shape.axis(axis)).collect()
        };
        let (from, to) = (at(&from), at(&to));
        let twice = |axes: &[usize]| (1..axes.len()).any(|i| axes[..i].contains(&axes[i]));
        if from.len() != to.len() || twice(&from) || twice(&to) {
            let why = format!("{from:?} do not move to {to:?}, each axis to a place of its own");
            return self.tape().fault(Fault::new("movedim", why).operand("input", self));
        }
        let mut others = (0..shape.rank()).filter(|axis| !from.contains(axis));
        let order = (0..shape.rank()).map(|place| match to.iter().position(|&to| to == place) {
            Some(i) => Some(from[i]),
            None => others.next(),
        });
        self.permute(order.flatten().collect::<Vec<usize>>())
    }

    /// Some axes as one: all of them, `x.flatten(..)`; those from one on, `x.flatten(1)`, which keeps a
    /// batch; or a range of them, `x.flatten(1..=2)`, what PyTorch calls `x.flatten(1, 2)`.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or an end before the start.
    #[doc(alias = "ravel")]
    #[track_caller]
    pub fn flatten(self, axes: impl IntoSpan) -> Var<'t> {
        let _call = self.tape().call("flatten");
        if self.is_faulty() {
            return self;
        }
        let (start, stop) = axes.into_span();
        if (start, stop) == (None, None) {
            return self.reshape([self.len()]);
        }
        let x = self.with_an_axis();
        let shape = x.shape();
        let rank = shape.rank() as isize;
        let first = start.unwrap_or(0);
        let Some(from) = shape.axis(first) else { return self.no_axis("flatten", first) };
        // The last axis of the range.
        let last = stop.unwrap_or(rank).saturating_sub(1);
        let counted = if stop.is_some_and(|stop| stop < 0) { last + rank } else { last };
        if counted >= rank || counted < -1 {
            return self.no_axis("flatten", last);
        }
        if counted < from as isize {
            let why = format!("the range ends before axis {first}");
            return self.tape().fault(Fault::new("flatten", why).operand("input", self));
        }
        let to = counted as usize;
        let mut dims = shape[..from].to_vec();
        dims.push(shape[from..=to].iter().product());
        dims.extend_from_slice(&shape[to + 1..]);
        x.reshape(dims)
    }

    /// An axis as several, of these lengths; one of them may be −1: as long as the axis asks for.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or lengths that it does not fill.
    #[track_caller]
    pub fn unflatten(self, axis: impl IntoAxis, lengths: impl IntoDims) -> Var<'t> {
        let _call = self.tape().call("unflatten");
        let axis = axis.into_axis();
        let shape = self.shape();
        let Some(at) = shape.axis(axis) else { return self.no_axis("unflatten", axis) };
        match Shape::resolve(lengths, shape[at]) {
            Ok(lengths) => self.reshape([&shape[..at], &lengths[..], &shape[at + 1..]].concat()),
            Err(why) => {
                let why = format!("axis {axis}: {why}");
                self.tape().fault(Fault::new("unflatten", why).operand("input", self))
            }
        }
    }

    /// `len` indices of an axis, from `start` on; a negative start counts from the end.
    /// [`slice`](Var::slice) clamps what leaves the axis, and this refuses it.
    ///
    /// # Errors
    /// Recorded as a fault: no such axis, or indices out of range.
    #[track_caller]
    pub fn narrow(self, axis: impl IntoAxis, start: impl IntoAxis, len: usize) -> Var<'t> {
        let _call = self.tape().call("narrow");
        let (axis, start) = (axis.into_axis(), start.into_axis());
        let Some(at) = self.shape().axis(axis) else { return self.no_axis("narrow", axis) };
        let dim = self.dim(at);
        let first = if start < 0 { start.checked_add_unsigned(dim) } else { Some(start) };
        let first = first.and_then(|first| usize::try_from(first).ok());
        let fits = |&first: &usize| first.checked_add(len).is_some_and(|end| end <= dim);
        match first.filter(fits) {
            Some(first) => self.slice(at, first..first + len),
            None => {
                let why = format!(
                    "{len} indices from {start} on are out of range for axis {axis}, which has length {dim}"
                );
                let fault = Fault::new("narrow", why).operand("input", self);
                self.tape().fault(fault.cure("slice, which clamps"))
            }
        }
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("roll", "composed", "yᵢ = x[i − k], around the end", &[CUBE], |x| {
        x[0].roll([2, -1], [1, 2])
    }),
    op("repeat", "composed", "x several times", &[Floats(&[2, 3], AROUND)], |x| {
        x[0].repeat([2, 1, 3])
    }),
    op("tile", "composed", "x several times", &[Floats(&[2, 3], AROUND)], |x| x[0].tile([2])),
    op("repeat_interleave", "composed", "each element several times", &[CUBE], |x| {
        x[0].repeat_interleave([2, 0, 3], 1).repeat_interleave(2, -1)
    }),
    op("movedim", "composed", "axes at other places", &[CUBE], |x| x[0].movedim([0, 1], [2, 0]))
        .torch("movedim, moveaxis"),
    op("flatten", "composed", "some axes as one", &[CUBE], |x| x[0].flatten(1))
        .torch("flatten, ravel"),
    op("unflatten", "composed", "an axis as several", &[CUBE], |x| x[0].unflatten(2, [2, -1])),
    op("narrow", "composed", "some indices of an axis", &[CUBE], |x| x[0].narrow(1, -2, 2)),
];
