//! Convolution and pooling: windows, then a product or a fold.

use lossgraph_tensor::Window;

use super::combine::concat;
use crate::axes::keep;
use crate::fault::Fault;
use crate::var::Var;

/// The options of a convolution over `N` axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv<const N: usize> {
    /// How far the window moves.
    pub stride: [usize; N],
    /// Zeros on both sides of each axis.
    pub padding: [usize; N],
    /// The distance of neighbours in the window.
    pub dilation: [usize; N],
    /// Groups of channels that do not mix.
    pub groups: usize,
}

impl<const N: usize> Default for Conv<N> {
    fn default() -> Conv<N> {
        Conv { stride: [1; N], padding: [0; N], dilation: [1; N], groups: 1 }
    }
}

/// The options of a pooling over `N` axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool<const N: usize> {
    /// The size of the window.
    pub size: [usize; N],
    /// How far the window moves.
    pub stride: [usize; N],
    /// Padding on both sides of each axis: zeros for a mean, nothing for a maximum.
    pub padding: [usize; N],
    /// For a mean: whether the padding counts as elements.
    pub count_padding: bool,
}

impl<const N: usize> Pool<N> {
    /// Windows of `size` side by side.
    pub fn new(size: [usize; N]) -> Pool<N> {
        Pool { size, stride: size, padding: [0; N], count_padding: true }
    }
}

impl<'t> Var<'t> {
    /// `x Wᵀ + b`: `x` is `[…, in]`, the weight `[out, in]`, the bias `[out]`.
    #[track_caller]
    pub fn linear(self, weight: Var<'t>, bias: Option<Var<'t>>) -> Var<'t> {
        let product =
            if weight.rank() == 2 { self.matmul(weight.t()) } else { self.matmul(weight) };
        bias.map_or(product, |bias| product + bias)
    }

    /// Cross-correlation along one axis: `x` is `[batch, in, length]` (or without batch), the
    /// weight `[out, in / groups, window]`, the bias `[out]`.
    #[track_caller]
    pub fn conv1d(self, weight: Var<'t>, bias: Option<Var<'t>>, options: Conv<1>) -> Var<'t> {
        self.conv("conv1d", weight, bias, options)
    }

    /// Cross-correlation along two axes: `x` is `[batch, in, height, width]` (or without batch),
    /// the weight `[out, in / groups, window, window]`, the bias `[out]`.
    #[track_caller]
    pub fn conv2d(self, weight: Var<'t>, bias: Option<Var<'t>>, options: Conv<2>) -> Var<'t> {
        self.conv("conv2d", weight, bias, options)
    }

    #[track_caller]
    fn conv<const N: usize>(
        self,
        name: &str,
        weight: Var<'t>,
        bias: Option<Var<'t>>,
        options: Conv<N>,
    ) -> Var<'t> {
        if self.is_faulty() || weight.is_faulty() {
            return self.matmul(weight);
        }
        let refuse = |why: &str| {
            self.tape()
                .fault(Fault::new(name, why).operand("input", self).operand("weight", weight))
        };
        if self.rank() == N + 1 {
            return self.unsqueeze(0).conv(name, weight, bias, options).squeeze(0);
        }
        if self.rank() != N + 2 || weight.rank() != N + 2 {
            return refuse("the ranks do not fit");
        }
        let groups = options.groups;
        let [batch, channels] = [self.extent(0), self.extent(1)];
        let [out, each] = [weight.extent(0), weight.extent(1)];
        if groups == 0 || out % groups != 0 || each * groups != channels {
            return refuse(&format!("{groups} groups do not divide the channels"));
        }
        if options.stride.contains(&0) || options.dilation.contains(&0) {
            return refuse("a stride or a dilation is 0");
        }
        if let Some(bias) = bias.filter(|bias| bias.shape()[..] != [out] && !bias.is_faulty()) {
            let why = format!("one bias for each of the {out} channels");
            return self.tape().fault(Fault::new(name, why).operand("bias", bias));
        }
        let mut around = vec![(0, 0); 2];
        around.extend(options.padding.map(|padding| (padding, padding)));
        let mut windows = if options.padding == [0; N] { self } else { self.pad(&around, 0.0) };
        for axis in 0..N {
            let window = Window {
                size: weight.extent(axis as isize + 2),
                stride: options.stride[axis],
                dilation: options.dilation[axis],
            };
            if window.count(windows.extent(axis as isize + 2)).is_none() {
                return refuse("the window is larger than the padded input");
            }
            windows = windows.windows(axis as isize + 2, window);
        }
        // [batch, channels, places…, window…] → [groups, batch · places, channels/group · window].
        let places: Vec<usize> = (0..N).map(|axis| windows.extent(axis as isize + 2)).collect();
        let mut dims = vec![batch, groups, each];
        dims.extend(&windows.shape()[2..]);
        let (n, order) = (N as isize, [1, 0]);
        let order: Vec<isize> =
            order.into_iter().chain(3..3 + n).chain([2]).chain(3 + n..3 + 2 * n).collect();
        let rows = batch * places.iter().product::<usize>();
        let columns = each * weight.shape()[2..].iter().product::<usize>();
        let mut patches = windows.reshape(dims).permute(&order).reshape([groups, rows, columns]);
        let mut kernels = weight.reshape([groups, out / groups, columns]);
        if let Some(bias) = bias {
            // The bias is the weight of one more element, which is 1, and the first summand, as in
            // PyTorch: so windows that tie there, and share a maximum's slope, tie here.
            let one = self.tape().fill([groups, rows, 1], 1.0);
            patches = concat(&[one, patches], -1);
            kernels = concat(&[bias.reshape([groups, out / groups, 1]), kernels], -1);
        }
        let columns = patches.extent(-1);
        // → [groups, batch, places…, out/group] → [batch, out, places…]
        let mut dims = vec![groups, batch];
        dims.extend(&places);
        dims.push(out / groups);
        let order: Vec<isize> = [1, 0, 2 + n].into_iter().chain(2..2 + n).collect();
        let mut shape = vec![batch, out];
        shape.extend(&places);
        let y = if groups == 1 {
            patches.reshape([rows, columns]).matmul(kernels.reshape([out, columns]).t())
        } else {
            patches.matmul(kernels.t())
        };
        y.reshape(dims).permute(&order).reshape(shape)
    }

    /// The mean of each window over the last two axes.
    #[track_caller]
    pub fn avg_pool2d(self, options: Pool<2>) -> Var<'t> {
        let windows = match self.pool_windows("avg_pool2d", options, 0.0) {
            Ok(windows) => windows,
            Err(fault) => return fault,
        };
        let sums = windows.sum(-1);
        if options.count_padding || options.padding == [0, 0] {
            return sums / (options.size[0] * options.size[1]) as f64;
        }
        let shape = self.shape();
        let ones = self.tape().fill(&shape[shape.rank() - 2..], 1.0);
        match ones.pool_windows("avg_pool2d", options, 0.0) {
            Ok(counted) => sums / counted.sum(-1),
            Err(fault) => fault,
        }
    }

    /// The largest of each window over the last two axes; of equals, the first has the slope.
    #[track_caller]
    pub fn max_pool2d(self, options: Pool<2>) -> Var<'t> {
        match self.pool_windows("max_pool2d", options, f64::NEG_INFINITY) {
            Ok(windows) => windows.gather(-1, windows.argmax(-1).unsqueeze(-1)).squeeze(-1),
            Err(fault) => fault,
        }
    }

    /// `[…, h, w]` to `[…, places, places, window · window]`.
    #[track_caller]
    fn pool_windows(self, name: &str, options: Pool<2>, value: f64) -> Result<Var<'t>, Var<'t>> {
        if self.is_faulty() {
            return Err(self);
        }
        let refuse =
            |why: &str| Err(self.tape().fault(Fault::new(name, why).operand("input", self)));
        if self.rank() < 2 {
            return refuse("two axes to pool over are needed");
        }
        if options.stride.contains(&0) || options.size.contains(&0) {
            return refuse("a size or a stride is 0");
        }
        if (0..2).any(|axis| 2 * options.padding[axis] > options.size[axis]) {
            return refuse("the padding is more than half of the window");
        }
        let mut windows = self;
        if options.padding != [0, 0] {
            let mut around = vec![(0, 0); self.rank()];
            for axis in 0..2 {
                around[self.rank() - 2 + axis] = (options.padding[axis], options.padding[axis]);
            }
            windows = self.pad(&around, value);
        }
        for axis in 0..2 {
            let along = (self.rank() - 2 + axis) as isize;
            let window =
                Window { size: options.size[axis], stride: options.stride[axis], dilation: 1 };
            if window.count(windows.extent(along)).is_none() {
                return refuse("the window is larger than the padded input");
            }
            windows = windows.windows(along, window);
        }
        let mut dims = windows.shape().to_vec();
        dims.truncate(self.rank());
        dims.push(options.size[0] * options.size[1]);
        Ok(windows.reshape(dims))
    }

    /// `x / max(‖x‖ₚ, eps)` along an axis. Where the norm is below `eps`, it passes no slope.
    #[track_caller]
    pub fn normalize(self, p: f64, axis: isize, eps: f64) -> Var<'t> {
        self / self.norm(p, keep(axis)).clamp(eps, f64::INFINITY)
    }
}
