//! Pooling: the mean or the maximum of each window over the last axis, or over the last two.

use lossgraph_tensor::{DType, Shape, Window};

use super::table::{AROUND, Row, Sample::Floats, op};
use crate::ops::index::Index;
use crate::ops::op::Op;
use crate::record::fault::Fault;
use crate::record::var::Var;

/// The options of a pooling over `N` axes.
///
/// Along each axis, windows are counted as PyTorch does:
///
/// ```text
/// reach  = dilation·(size − 1) + 1
/// length = ⌊(length + 2·padding − reach) / stride⌋ + 1
/// ```
///
/// With `partial`, one more if it begins before the padding behind the axis, and something is left
/// for it: `⌈…⌉` instead of `⌊…⌋`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool<const N: usize> {
    /// The size of the window.
    pub size: [usize; N],
    /// How far the window moves.
    pub stride: [usize; N],
    /// Padding on both sides of each axis, at most half of the reach: zeros for a mean, no elements
    /// for a maximum.
    pub padding: [usize; N],
    /// The distance of neighbours in the window.
    pub dilation: [usize; N],
    /// Whether a last window may stand out behind the axis and its padding; what lies there is no
    /// element.
    #[doc(alias = "ceil_mode")]
    pub partial: bool,
    /// For a mean: whether the padding counts as elements.
    #[doc(alias = "count_include_pad")]
    pub count_padding: bool,
    /// For a mean: what the sum of each window is divided by, however much of it is on the axes.
    #[doc(alias = "divisor_override")]
    pub divisor: Option<isize>,
}

impl<const N: usize> Pool<N> {
    /// Windows of `size` side by side.
    pub fn new(size: [usize; N]) -> Pool<N> {
        Pool {
            size,
            stride: size,
            padding: [0; N],
            dilation: [1; N],
            partial: false,
            count_padding: true,
            divisor: None,
        }
    }
}

/// The windows along one axis.
#[derive(Clone, Copy)]
struct Along {
    window: Window,
    padding: usize,
    positions: usize,
    /// By how much the last window stands out behind the padding.
    over: usize,
}

impl<'t> Var<'t> {
    /// The mean of each window along the last axis: [`Var::avg_pool2d`] with one axis less.
    ///
    /// # Errors
    /// As for [`Var::avg_pool2d`].
    #[track_caller]
    pub fn avg_pool1d(self, options: Pool<1>) -> Var<'t> {
        let _call = self.tape().call("avg_pool1d");
        self.avg_pool("avg_pool1d", options)
    }

    /// The mean of each window over the last two axes, `[…, height, width]` to `[…, height, width]`.
    ///
    /// ```text
    /// y[p] = 1/n Σ x[stride·p + dilation·k − padding]    over the elements k of the window
    /// ∂y[p]/∂x[q] = 1/n                                  for each q in the window
    /// ```
    ///
    /// `n` counts the elements of the window that are on the axes, or, with `count_padding`, on them
    /// or their padding; or it is the `divisor`. The mean of integers is a float.
    ///
    /// # Errors
    /// Too few axes, a 0 among the sizes, strides and dilations or as the divisor, a padding of more
    /// than half of the window, or a window that sees nothing of the input, are a fault.
    #[track_caller]
    pub fn avg_pool2d(self, options: Pool<2>) -> Var<'t> {
        let _call = self.tape().call("avg_pool2d");
        self.avg_pool("avg_pool2d", options)
    }

    #[track_caller]
    fn avg_pool<const N: usize>(self, name: &str, options: Pool<N>) -> Var<'t> {
        let along = match self.pooled(name, options) {
            Ok(along) => along,
            Err(fault) => return fault,
        };
        let x = if N == 1 { self.unsqueeze(-2) } else { self };
        let sums = x.window_sums(along, 0.0);
        let whole = |axis: &Along| axis.over == 0 && (options.count_padding || axis.padding == 0);
        let means = if let Some(divisor) = options.divisor {
            sums / divisor as f64
        } else if along.iter().all(whole) {
            sums / (along[0].window.size * along[1].window.size) as f64
        } else {
            let ones = self.tape().fill(x.shape()[x.rank() - 2..].to_vec(), 1.0);
            sums / ones.window_sums(along, if options.count_padding { 1.0 } else { 0.0 })
        };
        if N == 1 { means.squeeze(-2) } else { means }
    }

    /// The largest of each window along the last axis: [`Var::max_pool2d`] with one axis less.
    ///
    /// # Errors
    /// As for [`Var::avg_pool2d`].
    #[track_caller]
    pub fn max_pool1d(self, options: Pool<1>) -> Var<'t> {
        let _call = self.tape().call("max_pool1d");
        self.max_pool("max_pool1d", options).0
    }

    /// [`max_pool1d`](Var::max_pool1d), and for each window the index along the axis that its value
    /// comes from.
    ///
    /// # Errors
    /// As for [`Var::avg_pool2d`].
    #[doc(alias = "return_indices")]
    #[track_caller]
    pub fn max_pool1d_with_indices(self, options: Pool<1>) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("max_pool1d_with_indices");
        self.max_pool("max_pool1d_with_indices", options)
    }

    /// The largest of each window over the last two axes, `[…, height, width]` to
    /// `[…, height, width]`.
    ///
    /// ```text
    /// y[p] = max x[stride·p + dilation·k − padding]    over the elements k of the window
    /// ∂y[p]/∂x[q] = 1                                  for the first largest, 0 for all others
    /// ```
    ///
    /// Unlike [`Var::max`], it gives the slope of a tie to the first element alone, as PyTorch does.
    /// NaN counts as the largest. Of integers, it is one of them.
    ///
    /// # Errors
    /// As for [`Var::avg_pool2d`].
    #[track_caller]
    pub fn max_pool2d(self, options: Pool<2>) -> Var<'t> {
        let _call = self.tape().call("max_pool2d");
        self.max_pool("max_pool2d", options).0
    }

    /// [`max_pool2d`](Var::max_pool2d), and for each window the index in its plane, row by row, that its
    /// value comes from.
    ///
    /// # Errors
    /// As for [`Var::avg_pool2d`].
    #[doc(alias = "return_indices")]
    #[track_caller]
    pub fn max_pool2d_with_indices(self, options: Pool<2>) -> (Var<'t>, Var<'t>) {
        let _call = self.tape().call("max_pool2d_with_indices");
        self.max_pool("max_pool2d_with_indices", options)
    }

    #[track_caller]
    fn max_pool<const N: usize>(self, name: &str, options: Pool<N>) -> (Var<'t>, Var<'t>) {
        let along = match self.pooled(name, options) {
            Ok(along) => along,
            Err(fault) => return (fault, fault),
        };
        let x = if N == 1 { self.unsqueeze(-2) } else { self };
        let mut dims = x.shape().to_vec();
        let area: usize = dims[dims.len() - 2..].iter().product();
        dims.truncate(dims.len() - 2);
        let with = |tail: &[usize]| Shape::from([&dims[..], tail].concat());
        let [up, across] = along.map(|axis| axis.positions);
        let argmax =
            Index::WindowArgmax(along.map(|axis| axis.window), along.map(|axis| axis.padding));
        let positions =
            self.tape().record(Op::Index(argmax), &[x], with(&[up, across]), DType::I64);
        let largest = x
            .reshape(with(&[area]))
            .gather(-1, positions.reshape(with(&[up * across])))
            .reshape(with(&[up, across]));
        match N {
            1 => (largest.squeeze(-2), positions.squeeze(-2)),
            _ => (largest, positions),
        }
    }

    /// The windows along the last axes, or what is wrong with them. One axis is the second of two, the
    /// first of which has length 1.
    #[track_caller]
    fn pooled<const N: usize>(self, name: &str, options: Pool<N>) -> Result<[Along; 2], Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        let refuse = |why: &str, cure: &str| {
            Err(self.tape().fault(Fault::new(name, why).operand("input", self).cure(cure)))
        };
        if self.rank() < N {
            return match N {
                1 => refuse(
                    "an axis to pool over is needed",
                    "an input of [batch, channels, length]",
                ),
                _ => {
                    let why = "two axes to pool over are needed";
                    refuse(why, "an input of [batch, channels, height, width]")
                }
            };
        }
        let Pool { size, stride, padding, dilation, partial, divisor, .. } = options;
        if [size, stride, dilation].iter().any(|each| each.contains(&0)) {
            return refuse("a size, a stride or a dilation is 0", "1 or more of each");
        }
        if divisor == Some(0) {
            return refuse("the divisor is 0", "a number other than 0");
        }
        let single = Window { size: 1, stride: 1, dilation: 1 };
        let mut along = [Along { window: single, padding: 0, positions: 1, over: 0 }; 2];
        for axis in 0..N {
            let window =
                Window { size: size[axis], stride: stride[axis], dilation: dilation[axis] };
            let (padding, extent) = (padding[axis], self.dim(axis as isize - N as isize));
            let reach = (window.size - 1).saturating_mul(window.dilation).saturating_add(1);
            if padding > reach / 2 {
                let cure = format!("a padding of at most {}", reach / 2);
                return refuse("the padding is more than half of the window", &cure);
            }
            let padded = extent.saturating_add(2 * padding);
            let positions = match padded.checked_sub(reach) {
                // What begins behind the axis and its padding is no window.
                Some(rest) if partial => {
                    let last = rest.div_ceil(window.stride);
                    last + usize::from(last * window.stride < extent + padding)
                }
                Some(rest) => rest / window.stride + 1,
                None => usize::from(partial && reach - padded < window.stride),
            };
            if positions == 0 {
                let why = "the window is larger than the padded input";
                return refuse(why, "a smaller window, or more padding");
            }
            let sees = |position: usize| {
                let start = position * window.stride;
                let first = padding.saturating_sub(start).div_ceil(window.dilation);
                let at = first.checked_mul(window.dilation).and_then(|k| k.checked_add(start));
                first < window.size && at.is_some_and(|at| at < padding + extent)
            };
            if !(0..positions).all(sees) {
                let why = "a window sees nothing but padding";
                return refuse(why, "less padding, or a smaller dilation");
            }
            let over = ((positions - 1) * window.stride).saturating_add(reach);
            let over = over.saturating_sub(padded);
            along[2 - N + axis] = Along { window, padding, positions, over };
        }
        Ok(along)
    }

    /// The sum of each window, where padding counts as `value`.
    #[track_caller]
    fn window_sums(self, along: [Along; 2], value: f64) -> Var<'t> {
        let first = self.rank() - 2;
        let pad = |x: Var<'t>, widths: [(usize, usize); 2], value: f64| {
            let mut around = vec![(0, 0); first];
            around.extend(widths);
            if widths == [(0, 0); 2] { x } else { x.pad(&around, value) }
        };
        let padded = pad(self, along.map(|axis| (axis.padding, axis.padding)), value);
        let mut windows = pad(padded, along.map(|axis| (0, axis.over)), 0.0);
        for (i, axis) in along.iter().enumerate() {
            windows = windows.windows((first + i) as isize, axis.window);
        }
        windows.float_sum([-2, -1])
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    op("max_pool2d", "composed", "max of a window", &[Floats(&[1, 2, 4, 5], AROUND)], |x| {
        x[0].max_pool2d(Pool { dilation: [1, 2], padding: [1, 1], ..Pool::new([2, 2]) })
    }),
    op("avg_pool2d", "composed", "mean of a window", &[Floats(&[1, 2, 4, 5], AROUND)], |x| {
        let pool = Pool { padding: [1, 0], partial: true, ..Pool::new([2, 2]) };
        x[0].avg_pool2d(Pool { count_padding: false, ..pool })
    }),
    op("max_pool1d", "composed", "max of a window", &[Floats(&[2, 3, 5], AROUND)], |x| {
        x[0].max_pool1d(Pool { stride: [2], partial: true, ..Pool::new([2]) })
    }),
    op("avg_pool1d", "composed", "mean of a window", &[Floats(&[2, 3, 5], AROUND)], |x| {
        x[0].avg_pool1d(Pool { padding: [1], divisor: Some(3), ..Pool::new([2]) })
    }),
    op(
        "max_pool1d_with_indices",
        "composed",
        "max of a window, and where",
        &[Floats(&[2, 3, 5], AROUND)],
        |x| {
            let (values, indices) = x[0].max_pool1d_with_indices(Pool::new([2]));
            values * indices.to_float()
        },
    ),
    op(
        "max_pool2d_with_indices",
        "composed",
        "max of a window, and where",
        &[Floats(&[1, 2, 4, 5], AROUND)],
        |x| {
            let (values, indices) = x[0].max_pool2d_with_indices(Pool::new([2, 3]));
            values * indices.to_float()
        },
    ),
];
