//! Pooling: the mean or the maximum of each window over the last two axes.

use lossgraph_tensor::{DType, Shape, Window};

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
    /// The mean of each window over the last two axes, `[…, height, width]` to `[…, height, width]`.
    ///
    /// ```text
    /// y[p] = 1/n Σ x[stride·p + dilation·k − padding]    over the elements k of the window
    /// ∂y[p]/∂x[q] = 1/n                                  for each q in the window
    /// ```
    ///
    /// `n` counts the elements of the window that are on the axes, or, with `count_padding`, on them
    /// or their padding.
    ///
    /// # Errors
    /// Fewer than two axes, a 0 among the sizes, strides and dilations, a padding of more than half
    /// of the window, or a window that sees nothing of the input, are a fault.
    #[track_caller]
    pub fn avg_pool2d(self, options: Pool<2>) -> Var<'t> {
        let _call = self.tape().call("avg_pool2d");
        let along = match self.pooled("avg_pool2d", options) {
            Ok(along) => along,
            Err(fault) => return fault,
        };
        let sums = self.window_sums(along, 0.0);
        if along.iter().all(|axis| axis.over == 0 && (options.count_padding || axis.padding == 0)) {
            return sums / (options.size[0] * options.size[1]) as f64;
        }
        let plane = self.shape()[self.rank() - 2..].to_vec();
        let ones = self.tape().fill(plane, 1.0);
        sums / ones.window_sums(along, if options.count_padding { 1.0 } else { 0.0 })
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
    /// NaN counts as the largest.
    ///
    /// # Errors
    /// As for [`Var::avg_pool2d`].
    #[track_caller]
    pub fn max_pool2d(self, options: Pool<2>) -> Var<'t> {
        let _call = self.tape().call("max_pool2d");
        let along = match self.pooled("max_pool2d", options) {
            Ok(along) => along,
            Err(fault) => return fault,
        };
        let mut dims = self.shape().to_vec();
        let area: usize = dims[dims.len() - 2..].iter().product();
        dims.truncate(dims.len() - 2);
        let with = |tail: &[usize]| Shape::from([&dims[..], tail].concat());
        let [up, across] = along.map(|axis| axis.positions);
        let argmax =
            Index::WindowArgmax(along.map(|axis| axis.window), along.map(|axis| axis.padding));
        let positions =
            self.tape().record(Op::Index(argmax), &[self], with(&[up, across]), DType::I64);
        self.reshape(with(&[area]))
            .gather(-1, positions.reshape(with(&[up * across])))
            .reshape(with(&[up, across]))
    }

    /// The windows along the last two axes, or what is wrong with them.
    #[track_caller]
    fn pooled(self, name: &str, options: Pool<2>) -> Result<[Along; 2], Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        let refuse = |why: &str, cure: &str| {
            Err(self.tape().fault(Fault::new(name, why).operand("input", self).cure(cure)))
        };
        if self.rank() < 2 {
            let why = "two axes to pool over are needed";
            return refuse(why, "an input of [batch, channels, height, width]");
        }
        let Pool { size, stride, padding, dilation, partial, .. } = options;
        if [size, stride, dilation].iter().any(|each| each.contains(&0)) {
            return refuse("a size, a stride or a dilation is 0", "1 or more of each");
        }
        let mut along = [0, 1].map(|axis| Along {
            window: Window { size: size[axis], stride: stride[axis], dilation: dilation[axis] },
            padding: padding[axis],
            positions: 0,
            over: 0,
        });
        for (axis, along) in along.iter_mut().enumerate() {
            let extent = self.dim(axis as isize - 2);
            let Along { window, padding, .. } = *along;
            let reach = (window.size - 1).saturating_mul(window.dilation).saturating_add(1);
            if padding > reach / 2 {
                let cure = format!("a padding of at most {}", reach / 2);
                return refuse("the padding is more than half of the window", &cure);
            }
            let padded = extent.saturating_add(2 * padding);
            let Some(whole) = window.count(padded) else {
                let why = "the window is larger than the padded input";
                return refuse(why, "a smaller window, or more padding");
            };
            along.positions = whole;
            let next = whole * window.stride;
            if partial && next < extent + padding && next + reach < padded + window.stride {
                along.positions += 1;
                along.over = next + reach - padded;
            }
            let on_axis = |position: usize, k: usize| {
                let at = position * window.stride + k * window.dilation;
                (padding..padding + extent).contains(&at)
            };
            let sees = |position: usize| (0..window.size).any(|k| on_axis(position, k));
            if !(0..along.positions).all(sees) {
                let why = "a window sees nothing but padding";
                return refuse(why, "less padding, or a smaller dilation");
            }
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
