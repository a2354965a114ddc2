//! Convolution and pooling, with PyTorch's ways to say a window.

use lossgraph_autograd::{Conv, Padding, Pool, Var};
use lossgraph_tensor::Window;

use super::{Inputs, Reply, input, refuse};

/// An option that is one number for every axis, or a list of one for each.
fn each_axis<const N: usize>(x: &Inputs<'_>, name: &str) -> Option<[usize; N]> {
    let list = x.integers(name)?;
    let at = |i: usize| list.get(if list.len() == 1 { 0 } else { i }).copied();
    let numbers: Vec<usize> =
        (0..N).map_while(at).filter_map(|number| usize::try_from(number).ok()).collect();
    numbers.try_into().ok()
}

type Convolve<const N: usize> = for<'t> fn(Var<'t>, Var<'t>, Option<Var<'t>>, Conv<N>) -> Var<'t>;

pub fn convolve<'t, const N: usize>(x: &Inputs<'t>, convolve: Convolve<N>) -> Reply<'t> {
    let (from, weight) = (input(x), x.var("weight"));
    let given = |name: &str, default: usize| match x.option(name) {
        None => Some([default; N]),
        Some(_) => each_axis::<N>(x, name),
    };
    let (Some(stride), Some(dilation)) = (given("stride", 1), given("dilation", 1)) else {
        return refuse(x, "conv", "strides and dilations are one number, or one for each axis");
    };
    let padding = match x.text("padding") {
        Some("valid") => Padding::Each([0; N]),
        Some("same") => Padding::Same,
        Some(_) => return refuse(x, "conv", "there is no such padding"),
        None => match given("padding", 0) {
            Some(given) => Padding::Each(given),
            None => return refuse(x, "conv", "the padding is one number, or one for each axis"),
        },
    };
    let groups = x.integer("groups").unwrap_or(1) as usize;
    convolve(from, weight, x.maybe("bias"), Conv { stride, padding, dilation, groups }).into()
}

fn pool(x: &Inputs<'_>) -> Option<Pool<2>> {
    let size = each_axis(x, "kernel_size")?;
    let stride = match x.option("stride") {
        None => size,
        Some(_) => each_axis(x, "stride")?,
    };
    let padding = match x.option("padding") {
        None => [0; 2],
        Some(_) => each_axis(x, "padding")?,
    };
    let dilation = match x.option("dilation") {
        None => [1; 2],
        Some(_) => each_axis(x, "dilation")?,
    };
    let count_padding = x.option("count_include_pad").is_none_or(|count| count == true);
    let partial = x.flag("ceil_mode");
    let divisor = x.integer("divisor_override");
    Some(Pool { size, stride, padding, dilation, partial, count_padding, divisor })
}

pub fn avg_pool2d<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let Some(pool) = pool(x) else {
        return refuse(x, "avg_pool2d", "the window is one number, or one for each axis");
    };
    input(x).avg_pool2d(pool).into()
}

pub fn max_pool2d<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let Some(pool) = pool(x) else {
        return refuse(x, "max_pool2d", "the window is one number, or one for each axis");
    };
    let from = input(x);
    let output = from.max_pool2d(pool);
    if output.is_faulty() {
        return output.into();
    }
    let (rank, plane) = (from.rank(), [from.dim(-2), from.dim(-1)]);
    let windows = |v: Var<'t>, value: f64| {
        let mut around = vec![(0, 0); rank];
        let each = [0, 1].map(|i| {
            let (size, stride, dilation) = (pool.size[i], pool.stride[i], pool.dilation[i]);
            let windows = output.dim(i as isize - 2);
            let end = (windows - 1) * stride + (size - 1) * dilation + 1;
            let behind = end.saturating_sub(plane[i] + pool.padding[i]).max(pool.padding[i]);
            around[rank - 2 + i] = (pool.padding[i], behind);
            Window { size, stride, dilation }
        });
        let mut v = v.pad(&around, value);
        for (i, window) in each.into_iter().enumerate() {
            v = v.windows((rank - 2 + i) as isize, window);
        }
        let mut dims = output.shape().to_vec();
        dims.push(pool.size[0] * pool.size[1]);
        v.reshape(dims)
    };
    let numbers: Vec<f64> = (0..plane[0] * plane[1]).map(|i| i as f64).collect();
    let numbers = x.tape().constant(numbers).reshape(plane).expand(from.shape());
    let chosen = windows(from, f64::NEG_INFINITY).argmax(-1).unsqueeze(-1);
    let indices = windows(numbers, -1.0).gather(-1, chosen).squeeze(-1);
    [("output", output), ("indices", indices)].into()
}
