//! The files of the folder `ops`, as our ops compute them, with PyTorch's options.
//!
//! Where PyTorch has one function and we have a formula of two or three ops, the formula stands
//! here. A file that is not in the table is unsupported.

mod index;
mod view;
mod window;

use lossgraph_autograd::{Fault, Var, concat, keep, stack};

use super::case::{Adapter, Inputs, Reply};

/// How the library computes the op of a file.
pub fn find(stem: &str) -> Option<Adapter> {
    OPS.iter().find(|(name, _)| *name == stem).map(|(_, adapter)| *adapter)
}

/// Every file that our ops can express.
#[rustfmt::skip]
const OPS: &[(&str, Adapter)] = &[
    // Functions of one tensor.
    ("abs", |x| input(x).abs().into()),
    ("acos", |x| input(x).acos().into()),
    ("asin", |x| input(x).asin().into()),
    ("atan", |x| input(x).atan().into()),
    ("celu", celu),
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
    ("logaddexp", |x| input(x).log_add_exp(other(x)).into()),
    ("where", |x| x.var("condition").select(input(x), other(x)).into()),
    ("masked_fill", masked_fill),
    // Reductions.
    ("sum", |x| input(x).sum(x.axes()).into()),
    ("mean", |x| input(x).mean(x.axes()).into()),
    ("prod", |x| input(x).prod(x.axes()).into()),
    ("amax", |x| input(x).max(x.axes()).into()),
    ("amin", |x| input(x).min(x.axes()).into()),
    ("max", |x| extreme(x, |v, axis| v.argmax(axis), |v| v.max(x.axes()))),
    ("min", |x| extreme(x, |v, axis| v.argmin(axis), |v| v.min(x.axes()))),
    ("argmax", |x| indices(x, |v, axis| v.argmax(axis)).into()),
    ("argmin", |x| indices(x, |v, axis| v.argmin(axis)).into()),
    ("var", |x| input(x).var(x.axes(), x.number("correction").unwrap_or(1.0)).into()),
    ("std", |x| input(x).std(x.axes(), x.number("correction").unwrap_or(1.0)).into()),
    ("norm", |x| input(x).norm(order(x), x.axes()).into()),
    ("logsumexp", |x| input(x).log_sum_exp(x.axes()).into()),
    ("softmax", |x| input(x).softmax(axis(x, -1)).into()),
    ("log_softmax", |x| input(x).log_softmax(axis(x, -1)).into()),
    ("cumsum", |x| input(x).cumsum(axis(x, -1)).into()),
    ("cumprod", cumprod),
    // Distances and normalization.
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
    ("conv1d", |x| window::convolve::<1>(x, |x, w, b, o| x.conv1d(w, b, o))),
    ("conv2d", |x| window::convolve::<2>(x, |x, w, b, o| x.conv2d(w, b, o))),
    ("avg_pool2d", window::avg_pool2d),
    ("max_pool2d", window::max_pool2d),
    // Views.
    ("cat", view::cat),
    ("stack", |x| stack(&x.series("input"), axis(x, 0)).into()),
    ("split", view::split),
    ("slice", view::slice),
    ("pad", view::pad),
    ("expand", view::expand),
    ("reshape", view::reshape),
    ("permute", |x| input(x).permute(&x.integers("dims").unwrap_or_default()).into()),
    ("transpose", view::transpose),
    ("squeeze", view::squeeze),
    ("unsqueeze", |x| input(x).unsqueeze(axis(x, 0)).into()),
    ("flip", view::flip),
    ("roll", view::roll),
    ("repeat", view::repeat),
    ("tril", |x| view::triangle(x, |row, column, diagonal| column - row <= diagonal)),
    ("triu", |x| view::triangle(x, |row, column, diagonal| column - row >= diagonal)),
    // Indices that are data.
    ("gather", |x| input(x).gather(axis(x, 0), x.var("index")).into()),
    ("index_select", index::index_select),
    ("scatter", index::scatter),
    ("scatter_add", |x| input(x).scatter_add(axis(x, 0), x.var("index"), x.var("src")).into()),
    ("embedding", index::embedding),
    ("one_hot", index::one_hot),
    ("sort", index::sort),
    ("topk", index::topk),
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

/// `x` above 0, else `α (e^(x/α) − 1)`: smooth at 0, for an `α` of either sign.
fn celu<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, alpha) = (input(x), x.number("alpha").unwrap_or(1.0));
    if alpha == 0.0 {
        return refuse(x, "celu", "alpha is 0");
    }
    let above = from.gt(0.0);
    // The exponential sees no large number, which would make 0 · ∞ of the slope.
    above.select(from, (above.select(0.0, from) / alpha).exp_m1() * alpha).into()
}

fn hard_sigmoid(x: Var<'_>) -> Var<'_> {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

fn hardtanh<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let bound = |name, default| x.number(name).unwrap_or(default);
    let (low, high) = (bound("min_val", -1.0), bound("max_val", 1.0));
    if low > high {
        return refuse(x, "hardtanh", "the bounds cross");
    }
    input(x).clamp(low, high).into()
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

fn indices<'t>(x: &Inputs<'t>, find: Places) -> Var<'t> {
    let from = input(x);
    match x.integer("dim") {
        Some(axis) if from.rank() > 0 => {
            let found = find(from, axis);
            if x.flag("keepdim") && !found.is_faulty() { found.unsqueeze(axis) } else { found }
        }
        Some(axis) => find(from.reshape([1]), axis),
        None => {
            let found = find(from.flatten(..), 0);
            let kept = x.flag("keepdim") && !found.is_faulty();
            if kept { found.reshape(vec![1; from.rank()]) } else { found }
        }
    }
}

/// `yᵢ = yᵢ₋₁ · xᵢ`.
fn cumprod<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (from, axis) = (input(x), axis(x, -1));
    if from.rank() == 0 && (axis == 0 || axis == -1) {
        return from.into();
    }
    if from.shape().axis(axis).is_none() {
        return refuse(x, "cumprod", "there is no such axis");
    }
    let factors = (0..from.dim(axis) as isize).map(|i| from.slice(axis, i..i + 1));
    let products: Vec<Var<'t>> = factors
        .scan(None, |product: &mut Option<Var<'t>>, factor| {
            *product = Some(product.map_or(factor, |product| product * factor));
            *product
        })
        .collect();
    if products.is_empty() { from.into() } else { concat(&products, axis).into() }
}

// Distances and normalization.

fn cdist<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let (a, b) = (x.var("x1"), x.var("x2"));
    if a.rank() < 2 || b.rank() < 2 || a.dim(-1) != b.dim(-1) {
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
    let shape: Vec<usize> = shape.iter().map(|&dim| dim as usize).collect();
    input(x).layer_norm(&shape, x.maybe("weight"), x.maybe("bias"), eps(x, 1e-5)).into()
}

fn group_norm<'t>(x: &Inputs<'t>) -> Reply<'t> {
    let groups = x.integer("num_groups").unwrap_or(0) as usize;
    input(x).group_norm(groups, x.maybe("weight"), x.maybe("bias"), eps(x, 1e-5)).into()
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
