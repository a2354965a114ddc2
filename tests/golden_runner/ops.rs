//! The files of the folder `ops`, as our ops compute them, with PyTorch's options.
//!
//! Where PyTorch has one function and we have a formula of two or three ops, the formula stands
//! here. A file that is not in the table is unsupported.

use lossgraph_autograd::{Conv, Fault, Pool, Var, concat, keep, stack};
use lossgraph_tensor::{Slice, Tensor, Window};

use super::case::{Adapter, Inputs, Reply};

/// Every file that our ops can express.
#[rustfmt::skip]
pub const OPS: &[(&str, Adapter)] = &[
    // Functions of one tensor.
    ("abs", |x| input(x).abs().into()),
    ("acos", |x| input(x).acos().into()),
    ("asin", |x| input(x).asin().into()),
    ("atan", |x| input(x).atan().into()),
    ("celu", |x| celu(input(x), x.number("alpha").unwrap_or(1.0)).into()),
    ("clamp", clamp),
    ("cos", |x| input(x).cos().into()),
    ("cosh", |x| input(x).cosh().into()),
    ("elu", |x| input(x).elu(x.number("alpha").unwrap_or(1.0)).into()),
    ("erf", |x| input(x).erf().into()),
    ("erfc", |x| input(x).erfc().into()),
    ("exp", |x| input(x).exp().into()),
    ("expm1", |x| input(x).exp_m1().into()),
    ("gelu", gelu),
    ("hardsigmoid", |x| hard_sigmoid(input(x)).into()),
    ("hardswish", |x| (input(x) * hard_sigmoid(input(x))).into()),
    ("hardtanh", hardtanh),
    ("leaky_relu", |x| input(x).leaky_relu(x.number("negative_slope").unwrap_or(0.01)).into()),
    ("log", |x| input(x).ln().into()),
    ("log1p", |x| input(x).ln_1p().into()),
    ("log2", |x| input(x).log2().into()),
    ("log_sigmoid", |x| input(x).log_sigmoid().into()),
    ("mish", |x| (input(x) * input(x).softplus().tanh()).into()),
    ("neg", |x| (-input(x)).into()),
    ("reciprocal", |x| input(x).recip().into()),
    ("relu", |x| input(x).relu().into()),
    ("relu6", |x| input(x).clamp(0.0, 6.0).into()),
    ("rsqrt", |x| input(x).rsqrt().into()),
    ("selu", |x| (input(x).elu(1.6732632423543772) * 1.0507009873554805).into()),
    ("sigmoid", |x| input(x).sigmoid().into()),
    ("sign", |x| input(x).signum().into()),
    ("silu", |x| input(x).silu().into()),
    ("sin", |x| input(x).sin().into()),
    ("sinh", |x| input(x).sinh().into()),
    ("softplus", softplus),
    ("softsign", |x| (input(x) / (input(x).abs() + 1.0)).into()),
    ("sqrt", |x| input(x).sqrt().into()),
    ("square", |x| input(x).square().into()),
    ("tan", |x| input(x).tan().into()),
    ("tanh", |x| input(x).tanh().into()),
    // Functions of two and three.
    ("add", |x| (input(x) + scaled(x)).into()),
    ("sub", |x| (input(x) - scaled(x)).into()),
    ("mul", |x| (input(x) * other(x)).into()),
    ("div", div),
    ("pow", pow),
    ("atan2", |x| input(x).atan2(other(x)).into()),
    ("maximum", |x| input(x).maximum(other(x)).into()),
    ("minimum", |x| input(x).minimum(other(x)).into()),
    ("logaddexp", logaddexp),
    ("where", |x| x.var("condition").select(input(x), other(x)).into()),
    ("masked_fill", masked_fill),
    // Folds.
    ("sum", |x| input(x).sum(x.axes()).into()),
    ("mean", |x| input(x).mean(x.axes()).into()),
    ("prod", |x| input(x).prod(x.axes()).into()),
    ("amax", |x| input(x).max(x.axes()).into()),
    ("amin", |x| input(x).min(x.axes()).into()),
    ("max", |x| extreme(x, |v, axis| v.argmax(axis), |v| v.max(x.axes()))),
    ("min", |x| extreme(x, |v, axis| v.argmin(axis), |v| v.min(x.axes()))),
    ("argmax", |x| places(x, |v, axis| v.argmax(axis)).into()),
    ("argmin", |x| places(x, |v, axis| v.argmin(axis)).into()),
    ("var", |x| input(x).var(x.axes(), x.number("correction").unwrap_or(1.0)).into()),
    ("std", |x| input(x).std(x.axes(), x.number("correction").unwrap_or(1.0)).into()),
    ("norm", |x| input(x).norm(order(x), x.axes()).into()),
    ("logsumexp", |x| input(x).log_sum_exp(x.axes()).into()),
    ("softmax", |x| input(x).softmax(axis(x, -1)).into()),
    ("log_softmax", |x| input(x).log_softmax(axis(x, -1)).into()),
    ("cumsum", |x| input(x).cumsum(axis(x, -1)).into()),
    ("cumprod", cumprod),
    // Distances and normalisation.
    ("cdist", cdist),
    ("pairwise_distance", pairwise_distance),
    ("cosine_similarity", cosine_similarity),
    ("normalize", |x| input(x).normalize(order(x), axis(x, 1), eps(x, 1e-12)).into()),
    ("layer_norm", layer_norm),
    ("group_norm", group_norm),
    ("batch_norm", batch_norm),
    // Products and windows.
    ("matmul", |x| input(x).matmul(other(x)).into()),
    ("linear", |x| input(x).linear(x.var("weight"), x.maybe("bias")).into()),
    ("conv1d", |x| convolve::<1>(x, |x, w, b, o| x.conv1d(w, b, o))),
    ("conv2d", |x| convolve::<2>(x, |x, w, b, o| x.conv2d(w, b, o))),
    ("avg_pool2d", avg_pool2d),
    ("max_pool2d", max_pool2d),
    // The same numbers at other places.
    ("cat", |x| concat(&x.series("input"), axis(x, 0)).into()),
    ("stack", |x| stack(&x.series("input"), axis(x, 0)).into()),
    ("split", split),
    ("slice", slice),
    ("pad", pad),
    ("expand", expand),
    ("reshape", reshape),
    ("permute", |x| input(x).permute(&x.integers("dims").unwrap_or_default()).into()),
    ("transpose", transpose),
    ("squeeze", squeeze),
    ("unsqueeze", |x| input(x).unsqueeze(axis(x, 0)).into()),
    ("flip", flip),
    ("roll", roll),
    ("repeat", repeat),
    ("tril", |x| triangle(x, |row, column, diagonal| column - row <= diagonal)),
    ("triu", |x| triangle(x, |row, column, diagonal| column - row >= diagonal)),
    // Places that are data.
    ("gather", |x| input(x).gather(axis(x, 0), x.var("index")).into()),
    ("index_select", index_select),
    ("scatter", scatter),
    ("scatter_add", |x| input(x).scatter_add(axis(x, 0), x.var("index"), x.var("src")).into()),
    ("embedding", embedding),
    ("one_hot", one_hot),
];

fn input<'t>(x: &Inputs<'t>) -> Var<'t> {
    x.var("input")
}

fn other<'t>(x: &Inputs<'t>) -> Var<'t> {
    x.var("other")
}

/// `alpha · other`.
fn scaled<'t>(x: &Inputs<'t>) -> Var<'t> {
    match x.number("alpha") {
        None | Some(1.0) => other(x),
        Some(alpha) => other(x) * alpha,
    }
}

fn axis(x: &Inputs<'_>, default: isize) -> isize {
    x.integer("dim").unwrap_or(default)
}

fn order(x: &Inputs<'_>) -> f64 {
    x.number("p").unwrap_or(2.0)
}

fn eps(x: &Inputs<'_>, default: f64) -> f64 {
    x.number("eps").unwrap_or(default)
}

/// What PyTorch's signature refuses and ours cannot even say.
fn refuse<'t>(x: &Inputs<'t>, operation: &str, why: &str) -> Reply<'t> {
    x.tape().fault(Fault::new(operation, why)).into()
}

// Functions of one tensor.

fn celu(x: Var<'_>, alpha: f64) -> Var<'_> {
    (x / alpha).elu(1.0) * alpha
}

fn hard_sigmoid(x: Var<'_>) -> Var<'_> {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

fn hardtanh<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let bound = |name, default| x.number(name).unwrap_or(default);
    input(x).clamp(bound("min_val", -1.0), bound("max_val", 1.0)).into()
}

fn clamp<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (low, high) = (x.number("min"), x.number("max"));
    if low.is_none() && high.is_none() {
        return refuse(x, "clamp", "a bound is needed");
    }
    input(x).clamp(low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)).into()
}

fn gelu<'t>(x: &Inputs<'t>) -> Reply<'t> {
    match x.text("approximate") {
        None | Some("none") => input(x).gelu().into(),
        Some("tanh") => input(x).gelu_tanh().into(),
        Some(_) => refuse(x, "gelu", "there is no such approximation"),
    }
}

fn softplus<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let beta = x.number("beta").unwrap_or(1.0);
    let scaled = input(x) * beta;
    let linear = scaled.gt(x.number("threshold").unwrap_or(20.0));
    linear.select(input(x), scaled.softplus() / beta).into()
}

// Functions of two and three.

fn div<'t>(x: &Inputs<'t>) -> Reply<'t> {
    match x.text("rounding_mode") {
        None => (input(x) / other(x)).into(),
        Some(mode) => Reply::Unsupported(format!("rounding_mode {mode}")),
    }
}

fn pow<'t>(x: &Inputs<'t>) -> Reply<'t> {
    match (x.number("self"), x.number("exponent")) {
        (Some(base), _) => x.tape().fill(other(x).shape(), base).pow(other(x)).into(),
        (None, Some(exponent)) => input(x).powf(exponent).into(),
        (None, None) => input(x).pow(other(x)).into(),
    }
}

fn logaddexp<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (a, b) = (input(x), other(x));
    let common = a + b;
    if common.is_faulty() {
        return common.into();
    }
    stack(&[a.expand(common.shape()), b.expand(common.shape())], 0).log_sum_exp(0).into()
}

fn masked_fill<'t>(x: &Inputs<'t>) -> Reply<'t> {
    match (x.tensor("value"), x.number("value")) {
        (Some(value), _) => x.var("mask").select(value, input(x)).into(),
        (None, Some(value)) => x.var("mask").select(value, input(x)).into(),
        (None, None) => refuse(x, "masked_fill", "a value is needed"),
    }
}

// Folds.

type Places = for<'t> fn(Var<'t>, isize) -> Var<'t>;

/// The largest or smallest: over all, ties share; along an axis, the first has the slope.
fn extreme<'t>(x: &Inputs<'t>, find: Places, all: impl Fn(Var<'t>) -> Var<'t>) -> Reply<'t> {
    let Some(axis) = x.integer("dim") else {
        return all(input(x)).into();
    };
    let scalar = input(x).rank() == 0;
    let from = if scalar { input(x).reshape([1]) } else { input(x) };
    let indices = find(from, axis).unsqueeze(axis);
    let output = from.gather(axis, indices);
    let settle = |v: Var<'t>| if x.flag("keepdim") && !scalar { v } else { v.squeeze(axis) };
    if indices.is_faulty() {
        return indices.into();
    }
    [("output", settle(output)), ("indices", settle(indices))].into()
}

fn places<'t>(x: &Inputs<'t>, find: Places) -> Var<'t> {
    let from = input(x);
    match x.integer("dim") {
        Some(axis) if from.rank() > 0 => {
            let found = find(from, axis);
            if x.flag("keepdim") && !found.is_faulty() { found.unsqueeze(axis) } else { found }
        }
        Some(axis) => find(from.reshape([1]), axis),
        None => {
            let found = find(from.flatten(), 0);
            let kept = x.flag("keepdim") && !found.is_faulty();
            if kept { found.reshape(vec![1; from.rank()]) } else { found }
        }
    }
}

/// `yᵢ = yᵢ₋₁ · xᵢ`.
fn cumprod<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, axis) = (input(x), axis(x, -1));
    if from.shape().axis(axis).is_none() {
        return refuse(x, "cumprod", "there is no such axis");
    }
    let factors = (0..from.extent(axis) as isize).map(|i| from.slice(axis, i..i + 1));
    let products: Vec<Var<'t>> = factors
        .scan(None, |product: &mut Option<Var<'t>>, factor| {
            *product = Some(product.map_or(factor, |product| product * factor));
            *product
        })
        .collect();
    if products.is_empty() { from.into() } else { concat(&products, axis).into() }
}

// Distances and normalisation.

fn cdist<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (a, b) = (x.var("x1"), x.var("x2"));
    if a.rank() < 2 || b.rank() < 2 || a.extent(-1) != b.extent(-1) {
        return refuse(x, "cdist", "rows of equal length are needed");
    }
    (a.unsqueeze(-2) - b.unsqueeze(-3)).norm(order(x), -1).into()
}

fn pairwise_distance<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let difference = x.var("x1") - x.var("x2") + eps(x, 1e-6);
    match x.flag("keepdim") {
        true => difference.norm(order(x), keep(-1)).into(),
        false => difference.norm(order(x), -1).into(),
    }
}

/// `a · b / (max(‖a‖, ε) max(‖b‖, ε))`; the slope passes through the clamps.
fn cosine_similarity<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (a, b, axis, eps) = (x.var("x1"), x.var("x2"), axis(x, 1), eps(x, 1e-8));
    let product = a * b;
    let length = |v: Var<'t>| {
        let norm = v.expand(product.shape()).norm(2.0, axis);
        norm + (norm.clamp(eps, f64::INFINITY) - norm).detach()
    };
    (product.sum(axis) / (length(a) * length(b))).into()
}

fn layer_norm<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let shape = x.integers("normalized_shape").unwrap_or_default();
    let shape: Vec<usize> = shape.iter().map(|&extent| extent as usize).collect();
    input(x).layer_norm(&shape, x.maybe("weight"), x.maybe("bias"), eps(x, 1e-5)).into()
}

fn group_norm<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, groups) = (input(x), x.integer("num_groups").unwrap_or(0) as usize);
    if from.rank() < 2 || groups == 0 || from.extent(1) % groups != 0 {
        return refuse(x, "group_norm", "the groups do not divide the channels");
    }
    if from.len() == groups {
        return refuse(x, "group_norm", "one value a group has no variance");
    }
    let each = from.len() / (from.extent(0) * groups).max(1);
    let y = from.reshape([from.extent(0), groups, each]).standardize(-1, eps(x, 1e-5));
    let mut channels = vec![1; from.rank()];
    channels[1] = from.extent(1);
    let mut y = y.reshape(from.shape());
    if let Some(weight) = x.maybe("weight") {
        y = y * weight.reshape(channels.clone());
    }
    if let Some(bias) = x.maybe("bias") {
        y = y + bias.reshape(channels);
    }
    y.into()
}

fn batch_norm<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, weight, bias, eps) = (input(x), x.maybe("weight"), x.maybe("bias"), eps(x, 1e-5));
    let running = x.maybe("running_mean").zip(x.maybe("running_var"));
    if !x.flag("training") {
        let Some((mean, var)) = running else {
            return refuse(x, "batch_norm", "evaluation needs running statistics");
        };
        let y = from.batch_norm_with(mean, var, weight, bias, eps);
        return [("output", y), ("running_mean", mean), ("running_var", var)].into();
    }
    let y = from.batch_norm(weight, bias, eps);
    let Some((mean, var)) = running.filter(|_| !y.is_faulty()) else {
        return y.into();
    };
    let momentum = x.number("momentum").unwrap_or(0.1);
    let axes: Vec<isize> = (0..from.rank() as isize).filter(|&axis| axis != 1).collect();
    let moved = |old: Var<'t>, new: Var<'t>| old * (1.0 - momentum) + new * momentum;
    [
        ("output", y),
        ("running_mean", moved(mean, from.mean(&axes[..]))),
        ("running_var", moved(var, from.var(&axes[..], 1.0))),
    ]
    .into()
}

// Products and windows.

/// An option that is one number for every axis, or a list of one for each.
fn each_axis<const N: usize>(x: &Inputs<'_>, name: &str) -> Option<[usize; N]> {
    let list = x.integers(name)?;
    let at = |i: usize| list.get(if list.len() == 1 { 0 } else { i }).copied();
    let numbers: Vec<usize> =
        (0..N).map_while(at).filter_map(|number| usize::try_from(number).ok()).collect();
    numbers.try_into().ok()
}

type Convolve<const N: usize> =
    for<'t> fn(Var<'t>, Var<'t>, Option<Var<'t>>, Conv<N>) -> Var<'t>;

fn convolve<'t, const N: usize>(x: &Inputs<'t>, convolve: Convolve<N>) -> Reply<'t> {
    let (mut from, weight) = (input(x), x.var("weight"));
    let given = |name: &str, default: usize| match x.option(name) {
        None => Some([default; N]),
        Some(_) => each_axis::<N>(x, name),
    };
    let (Some(stride), Some(dilation)) = (given("stride", 1), given("dilation", 1)) else {
        return refuse(x, "conv", "strides and dilations are one number, or one for each axis");
    };
    let mut padding = [0; N];
    match x.text("padding") {
        Some("valid") => {}
        Some("same") if stride == [1; N] && from.rank() > N && weight.rank() == N + 2 => {
            let mut around = vec![(0, 0); from.rank()];
            for i in 0..N {
                let total = dilation[i] * (weight.extent(i as isize + 2).max(1) - 1);
                around[from.rank() - N + i] = (total / 2, total - total / 2);
            }
            from = from.pad(&around, 0.0);
        }
        Some(_) => return refuse(x, "conv", "there is no such padding with these strides"),
        None => match given("padding", 0) {
            Some(given) => padding = given,
            None => return refuse(x, "conv", "the padding is one number, or one for each axis"),
        },
    }
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
    let count_padding = x.option("count_include_pad").is_none_or(|count| count == true);
    Some(Pool { size, stride, padding, count_padding })
}

fn avg_pool2d<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let Some(pool) = pool(x) else {
        return refuse(x, "avg_pool2d", "the window is one number, or one for each axis");
    };
    if x.flag("ceil_mode") {
        return Reply::Unsupported("ceil_mode".into());
    }
    match x.number("divisor_override") {
        None => input(x).avg_pool2d(pool).into(),
        Some(divisor) => {
            let means = input(x).avg_pool2d(Pool { count_padding: true, ..pool });
            (means * ((pool.size[0] * pool.size[1]) as f64 / divisor)).into()
        }
    }
}

fn max_pool2d<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let Some(pool) = pool(x) else {
        return refuse(x, "max_pool2d", "the window is one number, or one for each axis");
    };
    if x.flag("ceil_mode") || x.integers("dilation").is_some_and(|d| d.iter().any(|&d| d != 1)) {
        return Reply::Unsupported("ceil_mode or dilation".into());
    }
    let from = input(x);
    let output = from.max_pool2d(pool);
    if output.is_faulty() {
        return output.into();
    }
    let (rank, plane) = (from.rank(), [from.extent(-2), from.extent(-1)]);
    let windows = |v: Var<'t>, value: f64| {
        let mut around = vec![(0, 0); rank];
        around[rank - 2..].copy_from_slice(&pool.padding.map(|padding| (padding, padding)));
        let mut v = v.pad(&around, value);
        for i in 0..2 {
            let window = Window { size: pool.size[i], stride: pool.stride[i], dilation: 1 };
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

// The same numbers at other places.

fn split<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, axis) = (input(x), axis(x, 0));
    let extent = from.extent(axis) as isize;
    let whole = x.integer("split_size_or_sections");
    let sections = match whole {
        Some(size) if size > 0 => {
            (0..(extent + size - 1) / size).map(|i| size.min(extent - i * size)).collect()
        }
        Some(_) => return refuse(x, "split", "a section has at least one element"),
        None => x.integers("split_size_or_sections").unwrap_or_default(),
    };
    let fits = sections.iter().all(|&section| section >= 0);
    if from.shape().axis(axis).is_none() || !fits || sections.iter().sum::<isize>() != extent {
        return refuse(x, "split", "the sections do not add up to the axis");
    }
    let mut start = 0;
    let pieces = sections.iter().enumerate().map(|(i, section)| {
        let piece = from.slice(axis, start..start + section);
        start += section;
        (format!("output{i}"), piece)
    });
    Reply::Many(pieces.collect())
}

fn slice<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x);
    let entries = x.option("slices").and_then(|list| list.as_array()).cloned().unwrap_or_default();
    let mut slices = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        let extent = from.extent(i as isize);
        let end = |at: usize| entry.get(at).and_then(|end| end.as_i64()).map(|end| end as isize);
        match entry.is_array() {
            false => slices.push(Slice::all(extent)),
            true => match Slice::resolve(end(0), end(1), end(2).unwrap_or(1), extent) {
                Some(slice) => slices.push(slice),
                None => return refuse(x, "slice", "a step is not 0"),
            },
        }
    }
    // From the last, since each index drops its axis.
    let indices = entries.iter().enumerate().rev().filter_map(|(i, e)| Some((i, e.as_i64()?)));
    let sliced = from.slices(&slices);
    indices.fold(sliced, |v, (axis, at)| v.index(axis as isize, at as isize)).into()
}

fn pad<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x);
    let list = x.integers("pad").unwrap_or_default();
    if list.len() % 2 != 0 || list.len() > 2 * from.rank() {
        return refuse(x, "pad", "a pair for each of the last axes is needed");
    }
    // Pairs come from the last axis to the first.
    let pairs = list.chunks(2).enumerate().map(|(i, pair)| (from.rank() - 1 - i, pair[0], pair[1]));
    let mut y = from;
    for (axis, before, after) in pairs {
        let extent = from.extent(axis as isize) as isize;
        let mode = x.text("mode").unwrap_or("constant");
        let fits = match mode {
            "constant" => before + extent + after >= 0,
            "reflect" => before.max(after) < extent,
            "circular" => before.max(after) <= extent,
            "replicate" => extent > 0,
            _ => return refuse(x, "pad", "there is no such mode"),
        };
        if !fits {
            return refuse(x, "pad", "the axis is too short");
        }
        if mode == "constant" {
            let cropped = y.slice(axis as isize, (-before).max(0)..extent - (-after).max(0));
            let mut around = vec![(0, 0); from.rank()];
            around[axis] = (before.max(0) as usize, after.max(0) as usize);
            y = cropped.pad(&around, x.number("value").unwrap_or(0.0));
            continue;
        }
        let source = |i: isize| match mode {
            "circular" => i.rem_euclid(extent),
            "replicate" => i.clamp(0, extent - 1),
            // Mirrored at the first and at the last element.
            _ if i >= extent => 2 * (extent - 1) - i,
            _ => i.abs(),
        };
        let places: Vec<i64> = (-before..extent + after).map(|i| source(i) as i64).collect();
        y = y.index_select(axis as isize, x.tape().constant(places));
    }
    y.into()
}

/// The lengths of option `shape`, with −1 given by `inferred` from the place of the axis.
fn lengths(x: &Inputs<'_>, inferred: impl Fn(usize) -> Option<usize>) -> Option<Vec<usize>> {
    let list = x.integers("shape").unwrap_or_default();
    let length = |(i, &length): (usize, &isize)| match length {
        -1 => inferred(i),
        _ => usize::try_from(length).ok(),
    };
    list.iter().enumerate().map(length).collect()
}

fn expand<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x).shape();
    let rank = x.integers("shape").unwrap_or_default().len();
    // −1 keeps the length of an axis that is there.
    let kept = |i: usize| from.get((i + from.rank()).checked_sub(rank)?).copied();
    match lengths(x, kept) {
        Some(shape) => input(x).expand(shape).into(),
        None => refuse(x, "expand", "a new axis needs a length"),
    }
}

fn reshape<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let list = x.integers("shape").unwrap_or_default();
    let known: usize = list.iter().filter(|&&l| l >= 0).map(|&l| l as usize).product();
    let unknown = list.iter().filter(|&&length| length < 0).count();
    let fits = unknown <= 1 && known > 0 && input(x).len() % known == 0;
    let shape = lengths(x, |_| fits.then(|| input(x).len() / known));
    match shape {
        Some(shape) => input(x).reshape(shape).into(),
        None => refuse(x, "reshape", "one length can be inferred, from a whole quotient"),
    }
}

fn transpose<'t>(x: &Inputs<'t>) -> Reply<'t> {
    input(x).transpose(x.integer("dim0").unwrap_or(0), x.integer("dim1").unwrap_or(1)).into()
}

/// Drops the named axes, or all, where they have length 1.
fn squeeze<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let from = input(x);
    let named = x.integers("dim");
    let mut drop = vec![named.is_none(); from.rank()];
    for axis in named.into_iter().flatten() {
        match from.shape().axis(axis) {
            Some(axis) => drop[axis] = true,
            None if from.rank() == 0 && (axis == 0 || axis == -1) => {}
            None => return refuse(x, "squeeze", "there is no such axis"),
        }
    }
    let last_first = (0..from.rank()).rev().filter(|&axis| drop[axis] && from.shape()[axis] == 1);
    last_first.fold(from, |v, axis| v.squeeze(axis as isize)).into()
}

fn flip<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let axes = x.integers("dims").unwrap_or_default();
    axes.into_iter().fold(input(x), |v, axis| v.flip(axis)).into()
}

/// Moves elements along axes; what leaves at one end comes in at the other.
fn roll<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let shifts = x.integers("shifts").unwrap_or_default();
    let along = |v: Var<'t>, shift: isize, axis: isize| match v.extent(axis) as isize {
        0 => v,
        extent => {
            let start = (-shift).rem_euclid(extent);
            concat(&[v.slice(axis, start..), v.slice(axis, ..start)], axis)
        }
    };
    match x.integers("dims").filter(|dims| !dims.is_empty()) {
        Some(dims) if dims.len() == shifts.len() => {
            let moves = dims.into_iter().zip(shifts);
            moves.fold(input(x), |v, (axis, shift)| along(v, shift, axis)).into()
        }
        None if shifts.len() == 1 => {
            along(input(x).flatten(), shifts[0], 0).reshape(input(x).shape()).into()
        }
        _ => refuse(x, "roll", "a shift for each axis is needed"),
    }
}

fn repeat<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, repeats) = (input(x), x.integers("repeats").unwrap_or_default());
    let Some(added) = repeats.len().checked_sub(from.rank()) else {
        return refuse(x, "repeat", "a number for each axis is needed");
    };
    let extents = vec![1; added].into_iter().chain(from.shape().to_vec());
    let (mut apart, mut wide, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    for (extent, &times) in extents.zip(&repeats) {
        apart.extend([1, extent]);
        wide.extend([times as usize, extent]);
        shape.push(times as usize * extent);
    }
    from.reshape(apart).expand(wide).reshape(shape).into()
}

fn triangle<'t>(x: &Inputs<'t>, inside: fn(isize, isize, isize) -> bool) -> Reply<'t> {
    let from = input(x);
    if from.rank() < 2 {
        return refuse(x, "tril", "a matrix is needed");
    }
    let (rows, columns) = (from.extent(-2) as isize, from.extent(-1) as isize);
    let diagonal = x.integer("diagonal").unwrap_or(0);
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let mask = places.map(|(row, column)| f64::from(inside(row, column, diagonal)));
    let mask = x.tape().constant(mask.collect::<Vec<f64>>());
    mask.reshape([rows as usize, columns as usize]).select(from, 0.0).into()
}

// Places that are data.

fn index_select<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let index = x.var("index");
    match index.rank() {
        0 => input(x).index_select(axis(x, 0), index.reshape([1])).into(),
        1 => input(x).index_select(axis(x, 0), index).into(),
        _ => refuse(x, "index_select", "the index is a vector"),
    }
}

/// Writes `src` at places along an axis; which of several at one place wins is nowhere said.
fn scatter<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, index, axis) = (input(x), x.var("index"), axis(x, 0));
    let source = match x.number("src").or(x.number("value")) {
        Some(value) => x.tape().fill(index.shape(), value),
        None => x.var("src"),
    };
    let nothing = x.tape().fill(from.shape(), 0.0);
    let written = nothing.scatter_add(axis, index, x.tape().fill(index.shape(), 1.0)).ne(0.0);
    written.select(nothing.scatter_add(axis, index, source), from).into()
}

/// Rows of a table; the row `padding_idx` is one that is never trained.
fn embedding<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (table, index) = (x.var("weight"), input(x));
    let Some(row) = x.integer("padding_idx") else {
        return table.embedding(index).into();
    };
    let rows = table.extent(0) as isize;
    let row = if row < 0 { row + rows } else { row };
    if !(0..rows).contains(&row) {
        return refuse(x, "embedding", "padding_idx is outside of the table");
    }
    let fixed: Vec<f64> = (0..rows).map(|i| f64::from(i == row)).collect();
    let fixed = x.tape().constant(fixed).reshape([rows as usize, 1]);
    fixed.select(table.detach(), table).embedding(index).into()
}

fn one_hot<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let classes = match x.integer("num_classes").unwrap_or(-1) {
        -1 => {
            let index = input(x).data().map(|index: Tensor| index.to_f64s()).unwrap_or_default();
            index.into_iter().reduce(f64::max).map(|largest| largest as isize + 1)
        }
        classes => Some(classes),
    };
    match classes.and_then(|classes| usize::try_from(classes).ok()).filter(|&n| n > 0) {
        Some(classes) => input(x).one_hot(classes).into(),
        None => refuse(x, "one_hot", "the number of classes is not known"),
    }
}
