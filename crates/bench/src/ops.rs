//! Single ops beside PyTorch's, value and gradient: `lossgraph-bench ops [PART_OF_A_NAME ...]`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lossgraph_autograd::{
    AttentionMask, ConvTranspose, IncludeSelf, Interpolate, Interpolation, PadMode,
    QuantileInterpolation, Resize, ScatterReduce, Tape, Unfold, Var,
};
use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{Shape, Tensor};

use crate::op::uniform;

/// An op on both sides.
struct Op {
    name: &'static str,
    /// The same in PyTorch, of the list `x` of inputs; an `i` is a list of random indices below 100.
    torch: &'static str,
    /// The shapes of the inputs, drawn from an interval.
    inputs: &'static [&'static [usize]],
    interval: [f64; 2],
    record: for<'t> fn(&[Var<'t>]) -> Var<'t>,
}

type Record = for<'t> fn(&[Var<'t>]) -> Var<'t>;

const fn op(
    name: &'static str,
    torch: &'static str,
    inputs: &'static [&'static [usize]],
    record: Record,
) -> Op {
    Op { name, torch, inputs, interval: [-2.0, 2.0], record }
}

impl Op {
    const fn between(self, low: f64, high: f64) -> Op {
        Op { interval: [low, high], ..self }
    }
}

const FLAT: &[&[usize]] = &[&[1_000_000]];
const FLATS: &[&[usize]] = &[&[1_000_000], &[1_000_000]];
const ROWS: &[&[usize]] = &[&[1000, 1000]];
const PICTURES: &[&[usize]] = &[&[32, 16, 32, 32]];
const MATRICES: &[&[usize]] = &[&[500, 16, 16]];

const OPS: &[Op] = &[
    op("lgamma", "x[0].lgamma()", FLAT, |x| x[0].lgamma()).between(0.3, 6.0),
    op("digamma", "x[0].digamma()", FLAT, |x| x[0].digamma()).between(0.3, 6.0),
    op("erfinv", "x[0].erfinv()", FLAT, |x| x[0].erfinv()).between(-0.9, 0.9),
    op("log_ndtr", "torch.special.log_ndtr(x[0])", FLAT, |x| x[0].log_ndtr()),
    op("asinh", "x[0].asinh()", FLAT, |x| x[0].asinh()),
    op("atanh", "x[0].atanh()", FLAT, |x| x[0].atanh()).between(-0.9, 0.9),
    op("exp2", "x[0].exp2()", FLAT, |x| x[0].exp2()),
    op("log10", "x[0].log10()", FLAT, |x| x[0].log10()).between(0.1, 4.0),
    op("ceil", "x[0].ceil()", FLAT, |x| x[0].ceil()),
    op("round", "x[0].round()", FLAT, |x| x[0].round()),
    op("frac", "x[0].frac()", FLAT, |x| x[0].frac()),
    op("hypot", "torch.hypot(x[0], x[1])", FLATS, |x| x[0].hypot(x[1])),
    op("fmod", "torch.fmod(x[0], 0.7)", FLAT, |x| x[0].fmod(0.7)),
    op("remainder", "torch.remainder(x[0], 0.7)", FLAT, |x| x[0].remainder(0.7)),
    op("xlogy", "torch.xlogy(x[0], x[1])", FLATS, |x| x[0].xlogy(x[1])).between(0.1, 2.0),
    op("lerp", "torch.lerp(x[0], x[1], 0.3)", FLATS, |x| x[0].lerp(x[1], 0.3)),
    op("addcmul", "torch.addcmul(x[0], x[0], x[1])", FLATS, |x| x[0].addcmul(x[0], x[1], 1.0)),
    op("nan_to_num", "x[0].nan_to_num()", FLAT, |x| x[0].nan_to_num(0.0, None, None)),
    op("mish", "F.mish(x[0])", FLAT, |x| x[0].mish()),
    op("hardswish", "F.hardswish(x[0])", FLAT, |x| x[0].hardswish()),
    op("softshrink", "F.softshrink(x[0])", FLAT, |x| x[0].softshrink(0.5)),
    op("cumprod", "x[0].cumprod(1)", ROWS, |x| x[0].cumprod(1)).between(0.9, 1.1),
    op("cumprod, axis 0", "x[0].cumprod(0)", ROWS, |x| x[0].cumprod(0)).between(0.9, 1.1),
    op("cumsum", "x[0].cumsum(1)", ROWS, |x| x[0].cumsum(1)),
    op("cummax", "x[0].cummax(1).values", ROWS, |x| x[0].cummax(1).0),
    op("logcumsumexp", "x[0].logcumsumexp(1)", ROWS, |x| x[0].logcumsumexp(1)),
    op("sort", "x[0].sort(1).values", ROWS, |x| x[0].sort(1, Order::Ascending)),
    op("topk", "x[0].topk(10, 1).values", ROWS, |x| x[0].topk(10, 1, Order::Descending).0),
    op("median", "x[0].median(1).values", ROWS, |x| x[0].median(1)),
    op("quantile", "x[0].quantile(0.3, 1)", ROWS, |x| {
        x[0].quantile(0.3, 1, QuantileInterpolation::Linear)
    }),
    op("index_select", "x[0].index_select(1, i)", ROWS, |x| {
        x[0].index_select(1, indices(x[0].tape()))
    }),
    op("index_add", "x[0].index_add(1, i, x[1])", &[&[1000, 1000], &[1000, 100]], |x| {
        x[0].index_add(1, indices(x[0].tape()), x[1], 1.0)
    }),
    op(
        "scatter_reduce amax",
        "x[0].scatter_reduce(1, i.expand(1000, 100), x[1], 'amax')",
        &[&[1000, 1000], &[1000, 100]],
        |x| {
            let index = indices(x[0].tape()).expand([1000, 100]);
            x[0].scatter_reduce(1, index, x[1], ScatterReduce::Amax, IncludeSelf::Yes)
        },
    ),
    op("roll", "x[0].roll(3, 1)", ROWS, |x| x[0].roll(3, 1)),
    op("repeat", "x[0].repeat(2, 1)", ROWS, |x| x[0].repeat([2, 1])),
    op("tril", "x[0].tril()", ROWS, |x| x[0].tril(0)),
    op("pad reflect", "F.pad(x[0], (2, 2, 2, 2), mode='reflect')", PICTURES, |x| {
        x[0].pad(&[(0, 0), (0, 0), (2, 2), (2, 2)], PadMode::Reflect)
    }),
    op(
        "einsum",
        "torch.einsum('bij,bkj->bik', x[0], x[1])",
        &[&[64, 64, 64], &[64, 64, 64]],
        |x| lossgraph_autograd::einsum("bij,bkj->bik", &[x[0], x[1]]),
    ),
    op("cdist", "torch.cdist(x[0], x[1])", &[&[300, 64], &[300, 64]], |x| x[0].cdist(x[1], 2.0)),
    op(
        "cosine_similarity",
        "F.cosine_similarity(x[0], x[1])",
        &[&[4096, 256], &[4096, 256]],
        |x| x[0].cosine_similarity(x[1], 1, 1e-8),
    ),
    op(
        "conv_transpose2d",
        "F.conv_transpose2d(x[0], x[1], stride=2)",
        &[&[16, 16, 16, 16], &[16, 8, 3, 3]],
        |x| {
            x[0].conv_transpose2d(
                x[1],
                None,
                ConvTranspose { stride: [2, 2], ..ConvTranspose::default() },
            )
        },
    ),
    op("unfold", "F.unfold(x[0], 3)", PICTURES, |x| x[0].unfold(Unfold::new([3, 3]))),
    op("adaptive_avg_pool2d", "F.adaptive_avg_pool2d(x[0], 7)", PICTURES, |x| {
        x[0].adaptive_avg_pool2d([7, 7])
    }),
    op("adaptive_max_pool2d", "F.adaptive_max_pool2d(x[0], 7)", PICTURES, |x| {
        x[0].adaptive_max_pool2d([7, 7])
    }),
    op("interpolate nearest", "F.interpolate(x[0], scale_factor=2)", PICTURES, |x| {
        x[0].interpolate(Interpolate {
            to: Resize::Scale([2.0, 2.0]),
            mode: Interpolation::Nearest,
            align_corners: false,
        })
    }),
    op(
        "interpolate bilinear",
        "F.interpolate(x[0], scale_factor=2, mode='bilinear')",
        PICTURES,
        |x| {
            x[0].interpolate(Interpolate {
                to: Resize::Scale([2.0, 2.0]),
                mode: Interpolation::Linear,
                align_corners: false,
            })
        },
    ),
    op("group_norm", "F.group_norm(x[0], 4)", PICTURES, |x| x[0].group_norm(4, None, None, 1e-5)),
    op("rms_norm", "F.rms_norm(x[0], (1000,))", ROWS, |x| x[0].rms_norm(&[1000], None, None)),
    op(
        "attention",
        "F.scaled_dot_product_attention(x[0], x[1], x[2], is_causal=True)",
        &[&[32, 64, 32], &[32, 64, 32], &[32, 64, 32]],
        |x| x[0].scaled_dot_product_attention(x[1], x[2], AttentionMask::Causal),
    ),
    op("inverse", "torch.linalg.inv(x[0] + 9 * torch.eye(16))", MATRICES, |x| {
        (x[0] + x[0].tape().constant(Tensor::eye(16, x[0].dtype()).unwrap()) * 9.0).inverse()
    }),
    op("slogdet", "torch.linalg.slogdet(x[0] + 9 * torch.eye(16)).logabsdet", MATRICES, |x| {
        (x[0] + x[0].tape().constant(Tensor::eye(16, x[0].dtype()).unwrap()) * 9.0).slogdet()[1]
    }),
];

/// A hundred indices below 100.
fn indices(tape: &Tape) -> Var<'_> {
    tape.constant((0..100).map(|i| i * 37 % 100).collect::<Vec<i64>>())
}

/// Times each op here and in PyTorch, in turns, and prints the least times and their ratio.
pub fn print() -> std::io::Result<()> {
    let wanted: Vec<String> = std::env::args().skip(2).collect();
    let python = std::env::var("LOSSGRAPH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut torch = Command::new(python)
        .arg("tests/peers/ops.py")
        .arg(lossgraph_tensor::kernels::threads::count().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (mut ask, answers) = (torch.stdin.take().unwrap(), torch.stdout.take().unwrap());
    let mut answers = BufReader::new(answers).lines();
    println!("{:<22} {:>10} {:>10} {:>6}", "value and gradient", "torch, µs", "ours, µs", "ratio");
    for op in OPS {
        if !wanted.is_empty() && !wanted.iter().any(|part| op.name.contains(part.as_str())) {
            continue;
        }
        let shapes: Vec<String> = op.inputs.iter().map(|shape| format!("{shape:?}")).collect();
        let ([low, high], shapes) = (op.interval, shapes.join(", "));
        writeln!(ask, "{}\t[{shapes}]\t{low}\t{high}", op.torch)?;
        let theirs = answers.next().transpose()?.unwrap_or_default();
        let ours = time(op);
        match theirs.parse::<f64>() {
            Ok(theirs) => {
                println!("{:<22} {theirs:>10.0} {ours:>10.0} {:>6.2}", op.name, theirs / ours);
            }
            Err(_) => println!("{:<22} {:>10} {ours:>10.0}  {theirs}", op.name, "-"),
        }
    }
    drop(ask);
    torch.wait()?;
    Ok(())
}

/// The least time of a value and its gradients, in microseconds.
fn time(op: &Op) -> f64 {
    let [low, high] = op.interval;
    let inputs: Vec<Tensor> = (1..)
        .zip(op.inputs)
        .map(|(seed, shape)| {
            // From −1 to 1.
            let unit = uniform(seed, Shape::from(*shape), 1.0);
            let (middle, half) = (f64::midpoint(low, high), (high - low) / 2.0);
            (unit * half).and_then(|x| x + middle).expect("floats")
        })
        .collect();
    let step = || {
        let tape = Tape::new();
        let x: Vec<Var<'_>> = inputs.iter().map(|input| tape.variable(input)).collect();
        let loss = (op.record)(&x).sum(..);
        loss.backward().unwrap_or_else(|error| panic!("{}: {error}", op.name));
    };
    (0..3).for_each(|_| step());
    let (start, mut least) = (Instant::now(), f64::INFINITY);
    while start.elapsed() < Duration::from_millis(150) {
        let start = Instant::now();
        step();
        least = least.min(start.elapsed().as_secs_f64() * 1e6);
    }
    least
}
