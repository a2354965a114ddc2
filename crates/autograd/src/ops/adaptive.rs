//! Adaptive pooling: windows of uneven lengths, as many as wanted.

use lossgraph_tensor::kernels::{self, AdaptiveWindows};
use lossgraph_tensor::{DType, Tensor};

use super::facts::{Element, Facts};
use super::family::{At, Cotangents, Family, Rule, none, one};
use super::pooling::Pool;
use super::table::{AROUND, Row, Sample::Floats, op};
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The family of adaptive windows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Adaptive {
    /// The sum of each window along an axis.
    Sum(usize, AdaptiveWindows),
    /// Its transpose: at each position, the sum over the windows that read it.
    Spread(usize, AdaptiveWindows),
    /// The index of the first largest element of each window over the last two axes, in its plane.
    Argmax([AdaptiveWindows; 2]),
}

impl Family for Adaptive {
    fn name(&self) -> &'static str {
        match self {
            Adaptive::Sum(..) => "adaptive_sum",
            Adaptive::Spread(..) => "adaptive_spread",
            Adaptive::Argmax(_) => "adaptive_argmax",
        }
    }

    fn attributes(&self) -> String {
        match self {
            Adaptive::Sum(axis, _) | Adaptive::Spread(axis, _) => format!("axis {axis}"),
            Adaptive::Argmax(_) => String::new(),
        }
    }

    fn is_differentiable_in(&self, _: usize) -> bool {
        !matches!(self, Adaptive::Argmax(_))
    }

    fn vjp<'t>(&self, rule: &Rule<'_, 't>) -> Cotangents<'t> {
        match *self {
            Adaptive::Sum(axis, windows) => one(rule.g.adaptive(Adaptive::Spread(axis, windows))),
            Adaptive::Spread(axis, windows) => one(rule.g.adaptive(Adaptive::Sum(axis, windows))),
            Adaptive::Argmax(_) => none(),
        }
    }

    fn compute(&self, x: &[&Tensor], out: &mut Tensor) -> lossgraph_tensor::Result<()> {
        match *self {
            Adaptive::Sum(axis, windows) => kernels::adaptive_sum(x[0], axis, windows, out),
            Adaptive::Spread(axis, windows) => kernels::adaptive_spread(x[0], axis, windows, out),
            Adaptive::Argmax(windows) => kernels::adaptive_argmax(x[0], windows, out),
        }
    }

    fn facts(&self) -> Facts {
        Facts::DEFAULT
    }

    fn element(&self, _: &At<'_>) -> Option<Element> {
        None
    }
}

impl<'t> Var<'t> {
    /// The means of `count` windows along the last axis, `[…, length]` to `[…, count]`: those of
    /// [`Var::adaptive_avg_pool2d`], along one axis.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[track_caller]
    pub fn adaptive_avg_pool1d(self, count: usize) -> Var<'t> {
        let _call = self.tape().call("adaptive_avg_pool1d");
        self.adaptive_avg_pool("adaptive_avg_pool1d", [count])
    }

    /// The means of so many windows along the last two axes, `[…, height, width]` to `[…, up, across]`.
    ///
    /// ```text
    /// y[i, j] = mean of x over the windows i and j    window i: ⌊i·length/count⌋ .. ⌈(i + 1)·length/count⌉
    /// ```
    ///
    /// Where the count does not divide the length, windows overlap. With `[1, 1]`, it is the mean of
    /// each plane: global pooling.
    ///
    /// # Errors
    /// Recorded as a fault: too few axes, an empty one, or more windows than memory has room for.
    #[doc(alias = "global_avg_pool2d")]
    #[track_caller]
    pub fn adaptive_avg_pool2d(self, counts: [usize; 2]) -> Var<'t> {
        let _call = self.tape().call("adaptive_avg_pool2d");
        self.adaptive_avg_pool("adaptive_avg_pool2d", counts)
    }

    /// The largest of `count` windows along the last axis, `[…, length]` to `[…, count]`: those of
    /// [`Var::adaptive_max_pool2d`], along one axis.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[track_caller]
    pub fn adaptive_max_pool1d(self, count: usize) -> Var<'t> {
        let _call = self.tape().call("adaptive_max_pool1d");
        self.adaptive_max_pool_of_line("adaptive_max_pool1d", count).0
    }

    /// [`adaptive_max_pool1d`](Var::adaptive_max_pool1d), and for each window the index along the axis
    /// that its value comes from.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[doc(alias = "return_indices")]
    #[track_caller]
    pub fn adaptive_max_pool1d_with_indices(self, count: usize) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("adaptive_max_pool1d_with_indices");
        self.adaptive_max_pool_of_line("adaptive_max_pool1d_with_indices", count)
    }

    /// The largest of so many windows along the last two axes, `[…, height, width]` to
    /// `[…, up, across]`; windows are those of [`Var::adaptive_avg_pool2d`]. As in
    /// [`Var::max_pool2d`], the first largest has the slope, and NaN counts as the largest.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[doc(alias = "global_max_pool2d")]
    #[track_caller]
    pub fn adaptive_max_pool2d(self, counts: [usize; 2]) -> Var<'t> {
        let _call = self.tape().call("adaptive_max_pool2d");
        self.adaptive_max_pool("adaptive_max_pool2d", counts).0
    }

    /// [`adaptive_max_pool2d`](Var::adaptive_max_pool2d), and for each window the index in its plane,
    /// row by row, that its value comes from.
    ///
    /// # Errors
    /// As for [`Var::adaptive_avg_pool2d`].
    #[doc(alias = "return_indices")]
    #[track_caller]
    pub fn adaptive_max_pool2d_with_indices(self, counts: [usize; 2]) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("adaptive_max_pool2d_with_indices");
        self.adaptive_max_pool("adaptive_max_pool2d_with_indices", counts)
    }

    /// What a pooling gives for an input that it is not for.
    #[track_caller]
    fn not_pooled(self, name: &str, axes: usize) -> Var<'t> {
        if self.is_faulty() {
            return self;
        }
        let why = format!("it pools over the last {axes} axes, none of them empty");
        let lengths = if axes == 1 { "length" } else { "height, width" };
        let fault = Fault::new(name, why).operand("input", self);
        self.tape().fault(fault.cure(format!("an input of [batch, channels, {lengths}]")))
    }

    /// Whether there are so many last axes, none of them empty.
    fn has_planes(self, axes: usize) -> bool {
        !self.is_faulty() && self.rank() >= axes && !self.shape()[self.rank() - axes..].contains(&0)
    }

    #[track_caller]
    fn adaptive_avg_pool<const N: usize>(self, name: &str, counts: [usize; N]) -> Var<'t> {
        if !self.has_planes(N) {
            return self.not_pooled(name, N);
        }
        let mut sums = self.to_float();
        let mut total = self.tape().fill((), 1.0);
        for (i, &count) in counts.iter().enumerate() {
            let axis = self.rank() - N + i;
            let windows = match self.adaptive_windows(name, axis, count) {
                Ok(windows) => windows,
                Err(fault) => return fault,
            };
            sums = sums.adaptive(Adaptive::Sum(axis, windows));
            let lengths = (0..count).map(|i| windows.window(i).len() as f64);
            let mut dims = vec![1; N - i];
            dims[0] = count;
            total *= self.tape().constant(lengths.collect::<Vec<f64>>()).reshape(dims);
        }
        sums / total
    }

    /// So many windows along an axis, or that memory has no room for them.
    #[track_caller]
    fn adaptive_windows(
        self,
        name: &str,
        axis: usize,
        count: usize,
    ) -> Result<AdaptiveWindows, Var<'t>> {
        // That many integers are room enough for what is made of the windows.
        if Tensor::zeros([count], DType::I64).is_ok() {
            return Ok(AdaptiveWindows { length: self.dim(axis as isize), count });
        }
        let why = format!("memory has no room for {count} windows along axis {axis}");
        Err(self.tape().fault(Fault::new(name, why).operand("input", self)))
    }

    #[track_caller]
    fn adaptive(self, op: Adaptive) -> Var<'t> {
        let mut shape = self.shape().to_vec();
        let mut dtype = self.dtype();
        match op {
            Adaptive::Sum(axis, windows) => shape[axis] = windows.count,
            Adaptive::Spread(axis, windows) => shape[axis] = windows.length,
            Adaptive::Argmax([up, across]) => {
                let planes = shape.len() - 2;
                shape.splice(planes.., [up.count, across.count]);
                dtype = DType::I64;
            }
        }
        self.tape().record(Op::Adaptive(op), &[self], shape.into(), dtype)
    }

    #[track_caller]
    fn adaptive_max_pool_of_line(self, name: &str, count: usize) -> (Var<'t>, Var<'t>) {
        if !self.has_planes(1) {
            let fault = self.not_pooled(name, 1);
            return (fault, fault);
        }
        let (largest, places) = self.unsqueeze(-2).adaptive_max_pool(name, [1, count]);
        (largest.squeeze(-2), places.squeeze(-2))
    }

    /// The largest of each window, and its place in its plane.
    #[track_caller]
    fn adaptive_max_pool(self, name: &str, [up, across]: [usize; 2]) -> (Var<'t>, Var<'t>) {
        if !self.has_planes(2) {
            let fault = self.not_pooled(name, 2);
            return (fault, fault);
        }
        let [height, width] = [self.dim(-2), self.dim(-1)];
        if up > 0 && across > 0 && height % up == 0 && width % across == 0 {
            return self.max_pool2d_with_indices(Pool::new([height / up, width / across]));
        }
        let before = self.shape()[..self.rank() - 2].to_vec();
        let with = |tail: &[usize]| [&before[..], tail].concat();
        let tape = self.tape();
        if up == 0 || across == 0 {
            let nothing = with(&[up, across]);
            return (self.slice(-1, ..0).reshape(&nothing[..]), tape.integers(nothing, 0));
        }
        let planes = self.rank() - 2;
        let windows = [(planes, up), (planes + 1, across)]
            .map(|(axis, count)| self.adaptive_windows(name, axis, count));
        let windows = match windows {
            [Ok(rows), Ok(columns)] => [rows, columns],
            [Err(fault), _] | [_, Err(fault)] => return (fault, fault),
        };
        let places = self.adaptive(Adaptive::Argmax(windows));
        let flat = places.reshape(with(&[up * across]));
        let largest = self.reshape(with(&[height * width])).gather(-1, flat);
        (largest.reshape(with(&[up, across])), places)
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op(
        "adaptive_avg_pool1d",
        "composed",
        "means of so many windows",
        &[Floats(&[2, 3, 5], AROUND)],
        |x| x[0].adaptive_avg_pool1d(3),
    ),
    op(
        "adaptive_avg_pool2d",
        "composed",
        "means of so many windows",
        &[Floats(&[1, 2, 4, 5], AROUND)],
        |x| x[0].adaptive_avg_pool2d([2, 3]),
    ),
    op(
        "adaptive_max_pool1d",
        "composed",
        "the largest of so many windows",
        &[Floats(&[2, 3, 5], AROUND)],
        |x| x[0].adaptive_max_pool1d(3),
    ),
    op(
        "adaptive_max_pool2d",
        "composed",
        "the largest of so many windows",
        &[Floats(&[1, 2, 4, 5], AROUND)],
        |x| x[0].adaptive_max_pool2d([3, 2]),
    ),
    op(
        "adaptive_max_pool1d_with_indices",
        "composed",
        "the largest of so many windows, and where",
        &[Floats(&[2, 3, 5], AROUND)],
        |x| {
            let (values, indices) = x[0].adaptive_max_pool1d_with_indices(3);
            values * indices.to_float()
        },
    ),
    op(
        "adaptive_max_pool2d_with_indices",
        "composed",
        "the largest of so many windows, and where",
        &[Floats(&[1, 2, 4, 5], AROUND)],
        |x| {
            let (values, indices) = x[0].adaptive_max_pool2d_with_indices([3, 2]);
            values * indices.to_float()
        },
    ),
];
