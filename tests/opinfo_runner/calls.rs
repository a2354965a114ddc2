//! Calls that take more than a line, and what their lines need.

use lossgraph_autograd::{
    Attention, AttentionMask, ConvTranspose, IncludeSelf, Indexing, Interpolate, Interpolation,
    PadMode, Pool, QuantileInterpolation, Quantiles, Resize, ScatterReduce, Triangular, Unfold,
    Var, concat, meshgrid as grid,
};
use lossgraph_losses::{Ctc, PoissonNll, Reduction, Terms};
use lossgraph_tensor::{Axes, IntoAxes, Tensor, keep};

use crate::golden_runner::case::{Inputs, Reply};

pub fn input<'t>(x: &Inputs<'t>) -> Var<'t> {
    x.var("input")
}

/// An operand: a tensor, or a number.
pub fn operand<'t>(x: &Inputs<'t>, name: &str) -> Var<'t> {
    let flag = || x.option(name).and_then(|value| value.as_bool()).map(f64::from);
    match x.number(name).or_else(flag) {
        None => x.var(name),
        Some(number) => x.tape().fill([], number),
    }
}

/// The second operand; beside a number PyTorch hides its name.
pub fn other<'t>(x: &Inputs<'t>) -> Var<'t> {
    bound(x, "other").unwrap_or_else(|| operand(x, "arg1"))
}

/// `scale · var`, without a scale that is not given.
pub fn scaled<'t>(x: &Inputs<'t>, var: Var<'t>, name: &str) -> Var<'t> {
    match x.number(name) {
        None | Some(1.0) => var,
        Some(scale) => var * scale,
    }
}

pub fn alpha(x: &Inputs<'_>) -> f64 {
    x.number("alpha").unwrap_or(1.0)
}

pub fn beta(x: &Inputs<'_>) -> f64 {
    x.number("beta").unwrap_or(1.0)
}

pub fn eps(x: &Inputs<'_>, default: f64) -> f64 {
    x.number("eps").unwrap_or(default)
}

/// A bound of a clamp, if it is given.
pub fn bound<'t>(x: &Inputs<'t>, name: &str) -> Option<Var<'t>> {
    let is_there = x.maybe(name).is_some() || x.option(name).is_some();
    is_there.then(|| operand(x, name))
}

/// A whole number among the options, an axis for one.
pub fn axis(x: &Inputs<'_>, name: &str, default: isize) -> isize {
    x.integer(name).unwrap_or(default)
}

/// The axis `dim`, kept with `keepdim`.
pub fn along(x: &Inputs<'_>, default: isize) -> Axes {
    let axis = axis(x, "dim", default);
    if x.flag("keepdim") { keep(axis) } else { axis.into_axes() }
}

/// A list of lengths.
pub fn lengths(x: &Inputs<'_>, name: &str) -> Vec<usize> {
    x.integers(name).unwrap_or_default().into_iter().map(|length| length.max(0) as usize).collect()
}

/// A number for each of the last axes: one for all, or a list.
fn each<const N: usize>(x: &Inputs<'_>, name: &str) -> Option<[usize; N]> {
    let list = lengths(x, name);
    let at = |i: usize| list.get(if list.len() == 1 { 0 } else { i }).copied();
    let numbers: Option<Vec<usize>> = (0..N).map(at).collect();
    numbers?.try_into().ok()
}

/// Results one after another: `output` if there is one, or `output0`, `output1`…
pub fn all_of<'t>(vars: Vec<Var<'t>>) -> Reply<'t> {
    let first = vars.first().map(|var| ("output".to_owned(), *var));
    let numbered = vars.iter().enumerate().map(|(i, var)| (format!("output{i}"), *var));
    Reply::Many(first.into_iter().chain(numbered).collect())
}

/// Elements and their indices.
pub fn found<'t>((output, indices): (Var<'t>, Var<'t>)) -> Reply<'t> {
    [("output", output), ("indices", indices)].into()
}

/// The tensors of a list: `input0`, `input1`…, or `input`, `arg1`…
pub fn list<'t>(x: &Inputs<'t>) -> Vec<Var<'t>> {
    match x.maybe("input") {
        None => x.series("input"),
        Some(first) => {
            let rest = (1..).map_while(|i| x.maybe(&format!("arg{i}")));
            std::iter::once(first).chain(rest).collect()
        }
    }
}

/// The divisor of a variance: `correction`, or 1 if `unbiased`.
pub fn correction(x: &Inputs<'_>) -> f64 {
    match (x.number("correction"), x.option("unbiased")) {
        (Some(correction), _) => correction,
        (None, Some(unbiased)) => f64::from(unbiased == true),
        (None, None) => 1.0,
    }
}

/// Axes that a scalar has one of.
pub fn line<'t>(from: Var<'t>) -> Var<'t> {
    if from.rank() == 0 { from.reshape([1]) } else { from }
}

/// The largest or smallest along an axis, with its index, which has the slope.
pub fn chosen<'t>(x: &Inputs<'t>, indices: fn(Var<'t>, isize) -> Var<'t>) -> Reply<'t> {
    let (from, axis) = (line(input(x)), axis(x, "dim", -1));
    let indices = indices(from, axis).unsqueeze(axis);
    let settle = |v: Var<'t>| match input(x).rank() {
        0 => v.reshape(Vec::<usize>::new()),
        _ if x.flag("keepdim") => v,
        _ => v.squeeze(axis),
    };
    found((settle(from.gather(axis, indices)), settle(indices)))
}

pub fn polygamma<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let order = x.integer("n").or(x.integer("arg1")).unwrap_or(0);
    input(x).polygamma(order.max(0) as u32).into()
}

type Quantile<'t> = fn(Var<'t>, Quantiles, Axes, QuantileInterpolation) -> Var<'t>;

pub fn quantile<'t>(x: &Inputs<'t>, call: Quantile<'t>) -> Reply<'t> {
    let interpolation = match x.text("interpolation") {
        Some("lower") => QuantileInterpolation::Lower,
        Some("higher") => QuantileInterpolation::Higher,
        Some("midpoint") => QuantileInterpolation::Midpoint,
        Some("nearest") => QuantileInterpolation::Nearest,
        _ => QuantileInterpolation::Linear,
    };
    let axes = x.axes();
    match x.number("q") {
        Some(q) => call(input(x), Quantiles::One(q), axes, interpolation).into(),
        None => {
            let q = x.var("q").value().expect("quantiles are data").to_f64s();
            call(input(x), Quantiles::Several(q), axes, interpolation).into()
        }
    }
}

// Normalization.

pub fn group_norm<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let groups = axis(x, "num_groups", 1) as usize;
    input(x).group_norm(groups, x.maybe("weight"), x.maybe("bias"), eps(x, 1e-5)).into()
}

pub fn instance_norm<'t>(x: &Inputs<'t>) -> Reply<'t> {
    if x.option("use_input_stats").is_some_and(|given| given == false) {
        let (mean, var) = (x.var("running_mean"), x.var("running_var"));
        let (weight, bias) = (x.maybe("weight"), x.maybe("bias"));
        return input(x).batch_norm_with(mean, var, weight, bias, eps(x, 1e-5)).into();
    }
    input(x).instance_norm(x.maybe("weight"), x.maybe("bias"), eps(x, 1e-5)).into()
}

/// The layer over `axes` axes takes an example without a batch as well.
pub fn instance_norm_layer<'t>(x: &Inputs<'t>, axes: usize) -> Reply<'t> {
    let (from, weight, bias) = (input(x), x.maybe("weight"), x.maybe("bias"));
    match from.rank() == axes + 1 {
        true => from.unsqueeze(0).instance_norm(weight, bias, eps(x, 1e-5)).squeeze(0).into(),
        false => from.instance_norm(weight, bias, eps(x, 1e-5)).into(),
    }
}

pub fn rms_norm<'t>(x: &Inputs<'t>, from: Var<'t>) -> Reply<'t> {
    let shape = lengths(x, "normalized_shape");
    from.rms_norm(&shape, x.maybe("weight"), x.number("eps")).into()
}

pub fn local_response_norm<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let size = axis(x, "size", 1) as usize;
    let [alpha, beta, k] = [("alpha", 1e-4), ("beta", 0.75), ("k", 1.0)]
        .map(|(name, default)| x.number(name).unwrap_or(default));
    input(x).local_response_norm(size, alpha, beta, k).into()
}

// Products and windows.

pub fn tensordot<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (a, b) = (input(x), x.var("b"));
    let dims = x.option("dims").cloned().unwrap_or_default();
    let axes = |i: usize| -> Vec<isize> {
        let list = dims[i].as_array().into_iter().flatten();
        list.filter_map(|axis| axis.as_i64()).map(|axis| axis as isize).collect()
    };
    let [of_a, of_b]: [Vec<isize>; 2] = match dims.as_i64() {
        Some(count) => [(-count as isize..0).collect(), (0..count as isize).collect()],
        None => [axes(0), axes(1)],
    };
    a.tensordot(b, &of_a[..], &of_b[..]).into()
}

/// A right side that is a vector, by PyTorch's rule.
pub fn solve<'t>(x: &Inputs<'t>) -> Reply<'t> {
    x.var("A").solve(x.var("B")).into()
}

pub fn solve_triangular<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let left = x.option("left").is_none_or(|left| left == true);
    let options =
        Triangular { upper: x.flag("upper"), left, unitriangular: x.flag("unitriangular") };
    input(x).solve_triangular(x.var("B"), options).into()
}

type Transposed<'t, const N: usize> =
    fn(Var<'t>, Var<'t>, Option<Var<'t>>, ConvTranspose<N>) -> Var<'t>;

pub fn conv_transpose<'t, const N: usize>(x: &Inputs<'t>, call: Transposed<'t, N>) -> Reply<'t> {
    let options = ConvTranspose {
        stride: each(x, "stride").unwrap_or([1; N]),
        padding: each(x, "padding").unwrap_or([0; N]),
        output_padding: each(x, "output_padding").unwrap_or([0; N]),
        dilation: each(x, "dilation").unwrap_or([1; N]),
        groups: axis(x, "groups", 1) as usize,
    };
    call(input(x), x.var("weight"), x.maybe("bias"), options).into()
}

pub fn unfold<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let options = Unfold {
        size: each(x, "kernel_size").unwrap_or([1; 2]),
        dilation: each(x, "dilation").unwrap_or([1; 2]),
        padding: each(x, "padding").unwrap_or([0; 2]),
        stride: each(x, "stride").unwrap_or([1; 2]),
    };
    input(x).unfold(options).into()
}

pub fn pool<const N: usize>(x: &Inputs<'_>) -> Pool<N> {
    let size = each(x, "kernel_size").unwrap_or([1; N]);
    Pool {
        size,
        stride: each(x, "stride").unwrap_or(size),
        padding: each(x, "padding").unwrap_or([0; N]),
        dilation: each(x, "dilation").unwrap_or([1; N]),
        partial: x.flag("ceil_mode"),
        count_padding: x.option("count_include_pad").is_none_or(|count| count == true),
        divisor: x.integer("divisor_override"),
    }
}

/// A maximum, and its indices if they are asked for.
pub fn with_indices<'t>((values, indices): (Var<'t>, Var<'t>)) -> Reply<'t> {
    all_of(vec![values, indices])
}

/// The size of an adaptive pool over one axis, in a list or by itself.
pub fn count(x: &Inputs<'_>) -> usize {
    lengths(x, "output_size").first().copied().unwrap_or(1)
}

/// The size of an adaptive pool over two axes, whose null keeps that of the input.
pub fn plane(x: &Inputs<'_>) -> [usize; 2] {
    let from = input(x);
    let given = x.option("output_size").cloned().unwrap_or_default();
    [0, 1].map(|i| {
        let length = given.as_i64().or_else(|| given[i].as_i64());
        length.map_or(from.dim(i as isize - 2), |length| length as usize)
    })
}

pub fn interpolate<'t>(x: &Inputs<'t>) -> Reply<'t> {
    interpolated(x, x.text("mode").unwrap_or("nearest"), x.flag("align_corners"))
}

pub fn interpolated<'t>(x: &Inputs<'t>, mode: &str, align_corners: bool) -> Reply<'t> {
    let call = match input(x).rank() {
        3 => resized::<1>,
        4 => resized::<2>,
        _ => resized::<3>,
    };
    let mode = match mode {
        "nearest" => Interpolation::Nearest,
        "nearest-exact" => Interpolation::NearestExact,
        "bicubic" => Interpolation::Cubic,
        _ => Interpolation::Linear,
    };
    call(x, mode, align_corners).into()
}

fn resized<'t, const N: usize>(
    x: &Inputs<'t>,
    mode: Interpolation,
    align_corners: bool,
) -> Var<'t> {
    let from = input(x);
    let to = match (each::<N>(x, "size"), x.number("scale_factor")) {
        (Some(size), _) => Resize::Size(size),
        (None, Some(factor)) if x.flag("recompute_scale_factor") => {
            // The size that the factor gives is all that is known of it then.
            let length = |i: usize| (from.dim(2 + i as isize) as f64 * factor) as usize;
            Resize::Size(std::array::from_fn(length))
        }
        (None, factor) => {
            let list = x.option("scale_factor").and_then(|list| list.as_array().cloned());
            let at = |i: usize| list.as_ref().and_then(|list| list.get(i)?.as_f64());
            Resize::Scale(std::array::from_fn(|i| at(i).or(factor).unwrap_or(1.0)))
        }
    };
    from.interpolate(Interpolate { to, mode, align_corners })
}

pub fn attention<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (queries, keys, values) = (input(x), x.var("arg1"), x.var("arg2"));
    let mask = match x.maybe("attn_mask") {
        Some(mask) if mask.dtype().is_float() => AttentionMask::Add(mask),
        Some(mask) => AttentionMask::Keep(mask),
        None if x.flag("is_causal") => AttentionMask::Causal,
        None => AttentionMask::None,
    };
    let (scale, grouped) = (x.number("scale"), x.flag("enable_gqa"));
    let options = Attention { mask, scale, grouped, ..Attention::default() };
    queries.scaled_dot_product_attention(keys, values, options).into()
}

/// Along the first axis of length 3, if none is said.
pub fn cross<'t>(x: &Inputs<'t>, from: Var<'t>) -> Reply<'t> {
    let first = from.shape().iter().position(|&len| len == 3).unwrap_or(0);
    from.cross(other(x), axis(x, "dim", first as isize)).into()
}

pub fn bilinear<'t>(x: &Inputs<'t>) -> Reply<'t> {
    x.var("input1").bilinear(x.var("input2"), x.var("weight"), x.maybe("bias")).into()
}

/// Differences, of what is put before and after as well.
pub fn diff<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, along) = (input(x), axis(x, "dim", -1));
    let all = [x.maybe("prepend"), Some(from), x.maybe("append")];
    let all: Vec<Var<'t>> = all.into_iter().flatten().collect();
    let n = axis(x, "n", 1) as usize;
    // No difference at all is taken of the input alone.
    let joined = if n == 0 || all.len() == 1 { from } else { concat(&all, along) };
    joined.diff(n, along).into()
}

// Views.

pub fn split<'t>(x: &Inputs<'t>, name: &str) -> Reply<'t> {
    let axis = axis(x, "dim", 0);
    match x.integer(name) {
        Some(size) => all_of(input(x).split(size.max(0) as usize, axis)),
        None => all_of(input(x).split(&lengths(x, name)[..], axis)),
    }
}

pub fn roll<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (shifts, axes) = (x.integers("shifts").unwrap_or_default(), x.integers("dims"));
    let from = input(x);
    match axes.filter(|axes| !axes.is_empty()) {
        Some(axes) => from.roll(&shifts[..], &axes[..]).into(),
        // Of all elements in one line.
        None => from.flatten(..).roll(&shifts[..], 0).reshape(from.shape().to_vec()).into(),
    }
}

pub fn repeat_interleave<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let times = match x.maybe("repeats") {
        None => lengths(x, "repeats"),
        Some(times) => {
            let times = times.value().expect("repeats are data").to_f64s();
            times.into_iter().map(|n| n as usize).collect()
        }
    };
    match x.integer("dim") {
        Some(axis) => input(x).repeat_interleave(&times[..], axis).into(),
        None => input(x).flatten(..).repeat_interleave(&times[..], 0).into(),
    }
}

pub fn meshgrid<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let indexing = if x.text("indexing") == Some("xy") { Indexing::Xy } else { Indexing::Ij };
    all_of(grid(&list(x), indexing))
}

/// A border, from the last axis to the first.
fn bordered<'t>(from: Var<'t>, widths: &[isize], mode: PadMode) -> Reply<'t> {
    let mut around = vec![(0, 0); from.rank()];
    for (i, pair) in widths.chunks(2).enumerate() {
        around[from.rank() - 1 - i] = (pair[0], pair[1]);
    }
    from.pad(&around, mode).into()
}

pub fn pad_mode<'t>(x: &Inputs<'t>, name: &str) -> Reply<'t> {
    let mode = match x.text("mode") {
        Some("reflect") => PadMode::Reflect,
        Some("replicate") => PadMode::Replicate,
        Some("circular") => PadMode::Circular,
        _ => PadMode::Constant(x.number("value").unwrap_or(0.0)),
    };
    bordered(input(x), &x.integers(name).unwrap_or_default(), mode)
}

/// The border of a layer over `axes` axes: one width for all sides, or a list.
pub fn border<'t>(x: &Inputs<'t>, axes: usize, mode: PadMode) -> Reply<'t> {
    let list = x.integers("padding").unwrap_or_default();
    let widths = if list.len() == 1 { vec![list[0]; 2 * axes] } else { list };
    bordered(input(x), &widths, mode)
}

// Indices that are data.

pub fn scatter_reduce<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let reduce = match x.text("reduce") {
        Some("prod") => ScatterReduce::Prod,
        Some("mean") => ScatterReduce::Mean,
        Some("amin") => ScatterReduce::Amin,
        Some("amax") => ScatterReduce::Amax,
        _ => ScatterReduce::Sum,
    };
    let included = x.option("include_self").is_none_or(|include| include == true);
    let include_self = if included { IncludeSelf::Yes } else { IncludeSelf::No };
    let (axis, index) = (axis(x, "dim", 0), x.var("index"));
    input(x).scatter_reduce(axis, index, x.var("src"), reduce, include_self).into()
}

// Losses.

fn reduced<'t>(x: &Inputs<'t>, terms: Terms<'t>) -> Reply<'t> {
    let reduction = x.text("reduction").unwrap_or("mean");
    terms.reduce(reduction.parse().unwrap_or(Reduction::Mean)).into()
}

pub fn poisson_nll<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let log_input = x.option("log_input_option").is_none_or(|log| log == true);
    let loss =
        PoissonNll { log_input, full: x.flag("full"), eps: eps(x, 1e-8), ..PoissonNll::default() };
    reduced(x, loss.forward(x.var("log_input"), x.var("target")))
}

/// Lengths are data, in a tensor or a list.
pub fn ctc<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let of = |name: &str| {
        x.maybe(name).unwrap_or_else(|| {
            let list = x.integers(name).unwrap_or_default();
            let list: Vec<i64> = list.into_iter().map(|length| length as i64).collect();
            x.tape().constant(Tensor::from(list))
        })
    };
    let blank = axis(x, "blank", 0).max(0) as usize;
    let loss = Ctc { blank, zero_infinity: x.flag("zero_infinity") };
    let [inputs, counts] = ["input_lengths", "target_lengths"].map(of);
    reduced(x, loss.of_logits(x.var("log_probs"), x.var("targets"), inputs, counts))
}
