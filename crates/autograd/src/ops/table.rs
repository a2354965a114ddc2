//! The table of all ops, from which tests and docs are made.

use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{Slice, Window, keep};

use super::attention::AttentionMask;
use super::binary::{self, Binary};
use super::conv_transpose::ConvTranspose;
use super::convolution::{Conv, Padding};
use super::fold::Unfold;
use super::interpolate::{Interpolate, Interpolation};
use super::linalg::Triangular;
use super::padding::PadMode;
use super::pieces::{self, Indexing};
use super::pooling::Pool;
use super::quantile::QuantileInterpolation;
use super::scatter::{IncludeSelf, ScatterReduce};
use super::unary::{self, Unary};
use super::{Kink, activation, combine, einsum, elementary, rounding, special};
use crate::record::var::Var;

/// An op as tests and docs see it: how to record one, on which inputs.
#[derive(Debug)]
pub struct Row {
    /// Its name: that of the method.
    pub name: &'static str,
    /// Which family it belongs to.
    pub family: &'static str,
    /// What it computes.
    pub formula: &'static str,
    /// The inputs of a sample.
    pub inputs: &'static [Sample],
    /// Records it on inputs like the sample's.
    pub record: for<'t> fn(&[Var<'t>]) -> Var<'t>,
    /// The points without a derivative.
    pub kinks: &'static [Kink],
    /// What PyTorch has in its place.
    pub torch: Counterpart,
    /// How it differs from that on purpose; empty if it does not.
    pub differs: &'static str,
}

/// What PyTorch has in the place of an op.
#[derive(Clone, Copy, Debug)]
pub enum Counterpart {
    /// A function of the same name.
    Same,
    /// A function, or several, of other names.
    Named(&'static str),
    /// Nothing; what it is then.
    None(&'static str),
}

/// An input of a sample.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// Floats of a shape, drawn from an interval.
    Floats(&'static [usize], [f64; 2]),
    /// Integers of a shape, from 0 up to, and without, a bound.
    Integers(&'static [usize], usize),
}

use Sample::{Floats, Integers};

const AROUND: [f64; 2] = [-2.0, 2.0];
const CUBE: Sample = Floats(&[2, 3, 4], AROUND);
const WIDE: Sample = Floats(&[2, 3, 4], [-5.0, 5.0]);

const MASK: &str = "a mask of 0 and 1 in the tape's type, not of booleans";

/// Every op: rows of the element-wise tables, then the other families, then what is composed.
pub static ALL: &[Row] = &[
    one(&unary::NEG, &[Floats(&[2, 3], unary::NEG.domain)], |x| -x[0]).torch("neg, negative"),
    one(&unary::RECIP, &[Floats(&[2, 3], unary::RECIP.domain)], |x| x[0].recip())
        .torch("reciprocal"),
    one(&unary::SQUARE, &[Floats(&[2, 3], unary::SQUARE.domain)], |x| x[0].square()),
    one(&unary::SQRT, &[Floats(&[2, 3], unary::SQRT.domain)], |x| x[0].sqrt()),
    one(&unary::RSQRT, &[Floats(&[2, 3], unary::RSQRT.domain)], |x| x[0].rsqrt()),
    one(&unary::POWF, &[Floats(&[2, 3], unary::POWF.domain)], |x| x[0].powf(2.5)).torch("pow"),
    one(&unary::ABS, &[Floats(&[2, 3], unary::ABS.domain)], |x| x[0].abs()).torch("abs, absolute"),
    one(&unary::SIGNUM, &[Floats(&[2, 3], unary::SIGNUM.domain)], |x| x[0].signum())
        .torch("sign, sgn"),
    one(&unary::FLOOR, &[Floats(&[2, 3], unary::FLOOR.domain)], |x| x[0].floor()),
    one(&unary::EXP, &[Floats(&[2, 3], unary::EXP.domain)], |x| x[0].exp()),
    one(&unary::EXP_M1, &[Floats(&[2, 3], unary::EXP_M1.domain)], |x| x[0].exp_m1()).torch("expm1"),
    one(&unary::LN, &[Floats(&[2, 3], unary::LN.domain)], |x| x[0].ln()).torch("log"),
    one(&unary::LN_1P, &[Floats(&[2, 3], unary::LN_1P.domain)], |x| x[0].ln_1p()).torch("log1p"),
    one(&unary::SIN, &[Floats(&[2, 3], unary::SIN.domain)], |x| x[0].sin()),
    one(&unary::COS, &[Floats(&[2, 3], unary::COS.domain)], |x| x[0].cos()),
    one(&unary::TAN, &[Floats(&[2, 3], unary::TAN.domain)], |x| x[0].tan()),
    one(&unary::ASIN, &[Floats(&[2, 3], unary::ASIN.domain)], |x| x[0].asin())
        .torch("asin, arcsin"),
    one(&unary::ACOS, &[Floats(&[2, 3], unary::ACOS.domain)], |x| x[0].acos())
        .torch("acos, arccos"),
    one(&unary::ATAN, &[Floats(&[2, 3], unary::ATAN.domain)], |x| x[0].atan())
        .torch("atan, arctan"),
    one(&unary::SINH, &[Floats(&[2, 3], unary::SINH.domain)], |x| x[0].sinh()),
    one(&unary::COSH, &[Floats(&[2, 3], unary::COSH.domain)], |x| x[0].cosh()),
    one(&unary::TANH, &[Floats(&[2, 3], unary::TANH.domain)], |x| x[0].tanh()),
    one(&unary::SIGMOID, &[Floats(&[2, 3], unary::SIGMOID.domain)], |x| x[0].sigmoid())
        .torch("sigmoid, special.expit"),
    one(&unary::SOFTPLUS, &[Floats(&[2, 3], unary::SOFTPLUS.domain)], |x| x[0].softplus()),
    one(&unary::RELU, &[Floats(&[2, 3], unary::RELU.domain)], |x| x[0].relu()),
    one(&unary::LEAKY_RELU, &[Floats(&[2, 3], unary::LEAKY_RELU.domain)], |x| x[0].leaky_relu(0.2)),
    one(&unary::ELU, &[Floats(&[2, 3], unary::ELU.domain)], |x| x[0].elu(0.7)),
    one(&unary::ERF, &[Floats(&[2, 3], unary::ERF.domain)], |x| x[0].erf()),
    one(&unary::ERFC, &[Floats(&[2, 3], unary::ERFC.domain)], |x| x[0].erfc()),
    one(&unary::CLAMP, &[Floats(&[2, 3], unary::CLAMP.domain)], |x| x[0].clamp(-1.0, 1.5))
        .torch("clamp, clip"),
    two(&binary::ADD, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] + x[1]),
    two(&binary::SUB, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] - x[1]).torch("sub, subtract"),
    two(&binary::MUL, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] * x[1]).torch("mul, multiply"),
    two(&binary::DIV, &[CUBE, Floats(&[3, 1], binary::DIV.domain)], |x| x[0] / x[1])
        .torch("div, divide, true_divide"),
    two(
        &binary::POW,
        &[Floats(&[2, 3], binary::POW.domain), Floats(&[3], binary::POW.domain)],
        |x| x[0].pow(x[1]),
    )
    .torch("pow"),
    two(&binary::ATAN2, &[Floats(&[2, 3], binary::ATAN2.domain), Floats(&[3], AROUND)], |x| {
        x[0].atan2(x[1])
    })
    .torch("atan2, arctan2"),
    two(&binary::MAXIMUM, &[CUBE, Floats(&[4], AROUND)], |x| x[0].maximum(x[1])),
    two(&binary::MINIMUM, &[CUBE, Floats(&[4], AROUND)], |x| x[0].minimum(x[1])),
    two(&binary::LOG_ADD_EXP, &[CUBE, Floats(&[4], AROUND)], |x| x[0].log_add_exp(x[1]))
        .torch("logaddexp"),
    two(&binary::EXP_SHARE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].exp_share(x[1]))
        .ours("the slope of `log_add_exp`"),
    two(&binary::LT, &[CUBE, Floats(&[4], AROUND)], |x| x[0].lt(x[1]))
        .torch("lt, less")
        .differs(MASK),
    two(&binary::LE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].le(x[1]))
        .torch("le, less_equal")
        .differs(MASK),
    two(&binary::GT, &[CUBE, Floats(&[4], AROUND)], |x| x[0].gt(x[1]))
        .torch("gt, greater")
        .differs(MASK),
    two(&binary::GE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].ge(x[1]))
        .torch("ge, greater_equal")
        .differs(MASK),
    two(&binary::EQ, &[CUBE, Floats(&[4], AROUND)], |x| x[0].eq(x[1])).differs(MASK),
    two(&binary::NE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].ne(x[1]))
        .torch("ne, not_equal")
        .differs(MASK),
    op(
        "select",
        "select",
        "a if mask ≠ 0, else b",
        &[Integers(&[2, 3, 4], 2), CUBE, Floats(&[3, 1], AROUND)],
        |x| x[0].select(x[1], x[2]),
    )
    .torch("where")
    .differs("`mask.select(a, b)`"),
    op("sum", "reduce", "Σ x", &[CUBE], |x| x[0].sum([0, 2])),
    kinked("max", "reduce", "max x", &[CUBE], |x| x[0].max(1), &[TIES])
        .torch("amax")
        .differs("indices come from `argmax`"),
    kinked("min", "reduce", "min x", &[CUBE], |x| x[0].min(..), &[TIES])
        .torch("amin")
        .differs("indices come from `argmin`"),
    op("prod", "reduce", "Π x", &[CUBE], |x| x[0].prod(keep(1))),
    op("cumsum", "scan", "yᵢ = x₀ + … + xᵢ", &[CUBE], |x| x[0].cumsum(1)),
    op("reshape", "view", "the same elements in another shape", &[CUBE], |x| {
        x[0].t().reshape([6, 4])
    })
    .torch("reshape, reshape_as, view, view_as"),
    op("expand", "view", "repeats axes of length 1", &[Floats(&[3, 1], AROUND)], |x| {
        x[0].expand([2, 3, 4])
    })
    .torch("expand, expand_as, broadcast_to"),
    op("permute", "view", "the axes in another order", &[CUBE], |x| x[0].permute([2, 0, 1])),
    op("slice", "view", "some indices of an axis", &[CUBE], |x| {
        x[0].slice(1, 1..).slices(&[Slice { start: 1, len: 2, step: -1 }])
    })
    .torch("narrow, x[a:b:c]"),
    op("windows", "view", "sliding windows", &[CUBE], |x| {
        x[0].windows(2, Window { size: 2, stride: 1, dilation: 2 })
    })
    .torch("Tensor.unfold"),
    op("flip", "view", "an axis backwards", &[CUBE], |x| x[0].flip(1)),
    op("diagonal", "composed", "x[i, i + k]", &[CUBE], |x| x[0].diagonal(1, 1, 2)),
    op("sum_to", "view", "the transpose of expand", &[CUBE], |x| x[0].sum_to([3, 1]))
        .torch("sum_to_size"),
    op("after", "view", "x, once y is there", &[CUBE, Floats(&[2], AROUND)], |x| x[0].after(x[1]))
        .ours("an order of large computations"),
    op("pad", "combine", "a border", &[CUBE], |x| {
        let around = [(1, -1), (2, 1), (0, 3)];
        let constant = x[0].pad(&[(1, 0), (-1, 2), (1, 1)], 0.5).sum(..);
        let replicated = x[0].pad(&around, PadMode::Replicate);
        let again = x[0].pad(&around, PadMode::Circular);
        again + replicated.sin() + x[0].pad(&around, PadMode::Reflect).cos() * constant
    }),
    op("concat", "combine", "one after another", &[CUBE, Floats(&[2, 2, 4], AROUND)], |x| {
        combine::concat(&[x[0], x[1]], 1)
    })
    .torch("cat, concat, concatenate"),
    op(
        "stack",
        "combine",
        "side by side along a new axis",
        &[Floats(&[2, 3], AROUND), Floats(&[2, 3], AROUND)],
        |x| combine::stack(&[x[0], x[1]], 1),
    ),
    op(
        "gather",
        "index",
        "yᵢⱼ = x[i, kᵢⱼ]",
        &[Floats(&[2, 3], AROUND), Integers(&[2, 4], 3)],
        |x| x[0].gather(1, x[1]),
    ),
    op(
        "scatter_add",
        "index",
        "y[i, kᵢⱼ] += sᵢⱼ",
        &[Floats(&[2, 3], AROUND), Integers(&[2, 4], 3), Floats(&[2, 4], AROUND)],
        |x| x[0].scatter_add(1, x[1], x[2]),
    ),
    op("index_select", "index", "slices at indices", &[CUBE, Integers(&[5], 3)], |x| {
        x[0].index_select(1, x[1])
    }),
    op(
        "embedding",
        "index",
        "rows at indices",
        &[Floats(&[4, 3], AROUND), Integers(&[2, 5], 4)],
        |x| x[0].embedding(x[1]),
    ),
    op("one_hot", "index", "1 at the class, 0 elsewhere", &[Integers(&[2, 3], 4)], |x| {
        x[0].one_hot(4)
    }),
    op("argmax", "index", "the index of the largest", &[CUBE], |x| x[0].argmax(1).to_float()),
    op("argmin", "index", "the index of the smallest", &[CUBE], |x| x[0].argmin(1).to_float()),
    op("argsort", "index", "the indices, in the order of the elements", &[CUBE], |x| {
        x[0].argsort(1, Order::Ascending).to_float()
    }),
    op("sort", "index", "the elements, in their order", &[CUBE], |x| {
        x[0].sort(1, Order::Descending)
    })
    .differs("indices come from `argsort`"),
    // Scans, order, writing at indices, and names of views.
    op("cumprod", "scan", "yᵢ = x₀ · … · xᵢ", &[CUBE], |x| x[0].cumprod(1)),
    op("diff", "composed", "xᵢ₊₁ − xᵢ", &[CUBE], |x| x[0].diff(2, 1)),
    op("linear_recurrence", "scan", "hᵢ = aᵢ hᵢ₋₁ + xᵢ", &[CUBE, CUBE], |x| {
        x[0].linear_recurrence(x[1], 1)
    })
    .ours("the slope of `cumprod`"),
    op("cummax", "index", "max(x₀, …, xᵢ)", &[CUBE], |x| x[0].cummax(1).0),
    op("cummin", "index", "min(x₀, …, xᵢ)", &[CUBE], |x| x[0].cummin(2).0),
    op("logcumsumexp", "composed", "ln(e^x₀ + … + e^xᵢ)", &[CUBE], |x| x[0].logcumsumexp(1)),
    op("kthvalue", "index", "the k-th smallest", &[CUBE], |x| x[0].kthvalue(2, keep(1)).0),
    op("topk", "index", "the k largest", &[CUBE], |x| x[0].topk(2, 2, Order::Descending).0),
    op("median", "index", "the middle", &[CUBE], |x| x[0].median(1) * x[0].median(..))
        .differs("indices come from `argmedian`"),
    op("nanmedian", "index", "the middle of what is not NaN", &[CUBE], |x| {
        x[0].nanmedian(keep(2)) * x[0].nanmedian(..)
    })
    .differs("indices come from `argnanmedian`"),
    op("argmedian", "index", "the index of the middle", &[CUBE], |x| x[0].argmedian(1).to_float())
        .ours("the indices of `median(dim)`"),
    op("argnanmedian", "index", "the index of the middle of what is not NaN", &[CUBE], |x| {
        x[0].argnanmedian(1).to_float()
    })
    .ours("the indices of `nanmedian(dim)`"),
    op("quantile", "index", "what a part q lies below", &[CUBE], |x| {
        x[0].quantile([0.2, 0.5, 0.9], 1, QuantileInterpolation::Linear)
    }),
    op("nanquantile", "composed", "what a part q of what is not NaN lies below", &[CUBE], |x| {
        let masked = x[0].gt(1.5).select(f64::NAN, x[0]);
        let all = masked.nanquantile([0.2, 0.5, 0.9], 1, QuantileInterpolation::Linear);
        all.nan_to_num(0.0, None, None)
    }),
    op(
        "scatter",
        "index",
        "y[i, kᵢⱼ] = sᵢⱼ",
        &[CUBE, Integers(&[2, 5, 3], 3), Floats(&[2, 5, 4], AROUND)],
        |x| x[0].scatter(1, x[1], x[2]),
    ),
    op(
        "scatter_reduce",
        "index",
        "y[i, kᵢⱼ] = reduce(…, sᵢⱼ)",
        &[CUBE, Integers(&[2, 5, 3], 3), Floats(&[2, 5, 4], AROUND)],
        |x| {
            let reduce = |reduce, own| x[0].scatter_reduce(1, x[1], x[2], reduce, own);
            let products = reduce(ScatterReduce::Prod, IncludeSelf::No);
            let extremes = reduce(ScatterReduce::Amax, IncludeSelf::Yes)
                - reduce(ScatterReduce::Amin, IncludeSelf::No);
            products + extremes * reduce(ScatterReduce::Mean, IncludeSelf::Yes)
        },
    ),
    op(
        "index_add",
        "index",
        "y[kᵢ] += α sᵢ",
        &[CUBE, Integers(&[5], 3), Floats(&[2, 5, 4], AROUND)],
        |x| x[0].index_add(1, x[1], x[2], -0.5),
    ),
    op(
        "index_copy",
        "index",
        "y[kᵢ] = sᵢ",
        &[CUBE, Integers(&[2], 3), Floats(&[2, 2, 4], AROUND)],
        |x| x[0].index_copy(1, x[1], x[2]),
    ),
    op(
        "index_fill",
        "index",
        "y[kᵢ] = a",
        &[CUBE, Integers(&[2], 4), Floats(&[1], AROUND)],
        |x| x[0].index_fill(2, x[1], x[2].reshape(())),
    ),
    op(
        "masked_fill",
        "composed",
        "a where the mask is not 0, else x",
        &[CUBE, Integers(&[3, 4], 2), Floats(&[1], AROUND)],
        |x| x[0].masked_fill(x[1], x[2]),
    ),
    op(
        "slice_scatter",
        "composed",
        "s in a range of an axis, else x",
        &[CUBE, Floats(&[2, 2, 4], AROUND)],
        |x| x[0].slice_scatter(1, 1.., x[1]),
    ),
    op(
        "select_scatter",
        "composed",
        "s at an index of an axis, else x",
        &[CUBE, Floats(&[2, 4], AROUND)],
        |x| x[0].select_scatter(1, -2, x[1]),
    ),
    op(
        "take_along_dim",
        "composed",
        "yᵢⱼ = x[i, kᵢⱼ]",
        &[Floats(&[2, 3], AROUND), Integers(&[1, 4], 6)],
        |x| x[0].take_along_dim(x[1] - 3, 1),
    ),
    op("take", "composed", "elements of all in one line", &[CUBE, Integers(&[2, 5], 48)], |x| {
        x[0].take(x[1] - 24)
    }),
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
    op("split", "composed", "pieces of an axis", &[CUBE], |x| {
        let pieces = x[0].split([1, 3], 2);
        pieces[0] * pieces[1]
    }),
    op("chunk", "composed", "some pieces of an axis", &[CUBE], |x| {
        let pieces = x[0].chunk(2, 2);
        pieces[0] * pieces[1]
    }),
    op("unbind", "composed", "the slices along an axis", &[CUBE], |x| {
        let slices = x[0].unbind(1);
        slices[0] * slices[2]
    }),
    op("movedim", "composed", "axes at other places", &[CUBE], |x| x[0].movedim([0, 1], [2, 0]))
        .torch("movedim, moveaxis"),
    op("flatten", "composed", "some axes as one", &[CUBE], |x| x[0].flatten(1))
        .torch("flatten, ravel"),
    op("transpose", "composed", "two axes exchanged", &[CUBE], |x| x[0].transpose(0, 2))
        .torch("transpose, swapaxes, swapdims"),
    op("t", "composed", "the last two axes exchanged", &[CUBE], |x| x[0].t()).torch("t, mT"),
    op("squeeze", "composed", "without an axis of length 1", &[Floats(&[2, 1, 3], AROUND)], |x| {
        x[0].squeeze(1)
    }),
    op("unsqueeze", "composed", "with an axis of length 1", &[CUBE], |x| x[0].unsqueeze(-2)),
    op("index", "composed", "one index of an axis", &[CUBE], |x| x[0].index(1, -1)).torch("select"),
    op("unflatten", "composed", "an axis as several", &[CUBE], |x| x[0].unflatten(2, [2, -1])),
    op("narrow", "composed", "some indices of an axis", &[CUBE], |x| x[0].narrow(1, -2, 2)),
    op(
        "meshgrid",
        "composed",
        "the coordinates of a grid",
        &[Floats(&[3], AROUND), Floats(&[2], AROUND)],
        |x| {
            let grid = pieces::meshgrid(&[x[0], x[1]], Indexing::Xy);
            grid[0] * grid[1].sin()
        },
    ),
    op(
        "hstack",
        "composed",
        "beside each other",
        &[Floats(&[2, 3], AROUND), Floats(&[2, 1], AROUND)],
        |x| pieces::hstack(&[x[0], x[1]]),
    ),
    op(
        "vstack",
        "composed",
        "below each other",
        &[Floats(&[2, 3], AROUND), Floats(&[3], AROUND)],
        |x| pieces::vstack(&[x[0], x[1]]),
    )
    .torch("vstack, row_stack"),
    op(
        "diagonal_scatter",
        "composed",
        "s on a diagonal, else x",
        &[CUBE, Floats(&[2, 3], AROUND)],
        |x| x[0].diagonal_scatter(x[1], 1, 1, 2),
    ),
    op("diag", "composed", "a diagonal, or a matrix of it", &[Floats(&[3, 4], AROUND)], |x| {
        x[0].diag(-1).diag(1)
    }),
    op("diag_embed", "composed", "matrices of diagonals", &[Floats(&[2, 3], AROUND)], |x| {
        x[0].diag_embed(-1, 0, 2)
    }),
    op("trace", "composed", "Σ xᵢᵢ", &[Floats(&[3, 4], AROUND)], |x| x[0].trace()),
    op("tril", "composed", "xᵢⱼ where j − i ≤ k, else 0", &[CUBE], |x| x[0].tril(1)),
    op("triu", "composed", "xᵢⱼ where j − i ≥ k, else 0", &[CUBE], |x| x[0].triu(-1)),
    op(
        "tensordot",
        "composed",
        "Σ a b, by pairs of axes",
        &[CUBE, Floats(&[4, 5, 2], AROUND)],
        |x| x[0].tensordot(x[1], [0, 2], [2, 0]),
    ),
    op(
        "kron",
        "composed",
        "each aᵢⱼ times all of b",
        &[Floats(&[2, 3], AROUND), Floats(&[2], AROUND)],
        |x| x[0].kron(x[1]),
    ),
    op("matmul", "matmul", "A B", &[Floats(&[2, 3, 4], AROUND), Floats(&[4, 2], AROUND)], |x| {
        x[0].matmul(x[1])
    })
    .torch("matmul, mm, bmm, mv"),
    op(
        "einsum",
        "composed",
        "Σ a b, by the names of axes",
        &[CUBE, Floats(&[4, 2], AROUND), Floats(&[2, 2], AROUND)],
        |x| einsum::einsum("bij,jk,bb->ki", &[x[0], x[1], x[2]]),
    ),
    op("shift", "composed", "yᵢ = x[i − k]", &[CUBE], |x| x[0].shift(1, 2, 0.5))
        .ours("`roll` with a number in what is left free"),
    op("powi", "composed", "xⁿ, for whole n", &[CUBE], |x| x[0].powi(3)).torch("pow"),
    op("mean", "composed", "Σ x / n", &[CUBE], |x| x[0].mean([0, 2])),
    op("centered", "composed", "x − mean", &[CUBE], |x| x[0].centered([0, 1]))
        .ours("`x - x.mean(axes)`, exact for constants"),
    op("var", "composed", "Σ (x − mean)² / (n − c)", &[CUBE], |x| x[0].var(1, 1.0))
        .differs("the correction is always said"),
    op("std", "composed", "√var", &[CUBE], |x| x[0].std([1, 2], 1.0))
        .differs("the correction is always said, and the slope at a constant is 0"),
    op("norm", "composed", "(Σ |x|ᵖ)^(1/p)", &[CUBE], |x| x[0].norm(3.0, 1))
        .torch("norm, linalg.vector_norm")
        .differs("slope 0 at 0, for every p"),
    op("root", "composed", "xᵖ, with slope 0 at 0", &[Floats(&[2, 3], [0.1, 4.0])], |x| {
        x[0].root(0.4)
    })
    .ours("`pow` with slope 0 at 0"),
    op("log_sum_exp", "composed", "ln Σ eˣ", &[CUBE], |x| x[0].log_sum_exp(1)).torch("logsumexp"),
    op("softmax", "composed", "eˣ / Σ eˣ", &[CUBE], |x| x[0].softmax(-1)),
    op("log_softmax", "composed", "x − ln Σ eˣ", &[CUBE], |x| x[0].log_softmax(1)),
    op("log_sigmoid", "composed", "ln σ(x)", &[CUBE], |x| x[0].log_sigmoid()).torch("logsigmoid"),
    op("silu", "composed", "x σ(x)", &[CUBE], |x| x[0].silu()),
    op("gelu", "composed", "x Φ(x)", &[CUBE], |x| x[0].gelu()),
    op("gelu_tanh", "composed", "½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))", &[CUBE], |x| {
        x[0].gelu_tanh()
    })
    .torch(r#"gelu(approximate="tanh")"#),
    op("mish", "composed", "x tanh(softplus x)", &[CUBE], |x| x[0].mish()),
    op("selu", "composed", "λ elu(x, α)", &[CUBE], |x| x[0].selu()),
    op("celu", "composed", "x, or α (e^(x/α) − 1) below 0", &[CUBE], |x| x[0].celu(0.7)),
    op("softsign", "composed", "x / (1 + |x|)", &[CUBE], |x| x[0].softsign()),
    op("tanhshrink", "composed", "x − tanh x", &[CUBE], |x| x[0].tanhshrink()),
    op("hardtanh", "composed", "x, held between two numbers", &[CUBE], |x| {
        x[0].hardtanh(-1.0, 1.5)
    }),
    op("relu6", "composed", "x, held between 0 and 6", &[Floats(&[2, 3], [-2.0, 8.0])], |x| {
        x[0].relu6()
    }),
    op("hardsigmoid", "composed", "x/6 + ½, held between 0 and 1", &[WIDE], |x| {
        x[0].hardsigmoid()
    }),
    one(&activation::HARDSWISH, &[WIDE], |x| x[0].hardswish()),
    op("hardshrink", "composed", "x, or 0 where |x| ≤ λ", &[CUBE], |x| x[0].hardshrink(0.5)),
    op("softshrink", "composed", "x − λ sign x, or 0 where |x| ≤ λ", &[CUBE], |x| {
        x[0].softshrink(0.5)
    }),
    op("threshold", "composed", "x above a number, else another", &[CUBE], |x| {
        x[0].threshold(0.3, -1.0)
    }),
    op("prelu", "composed", "x, or w x below 0", &[CUBE, Floats(&[3], AROUND)], |x| {
        x[0].prelu(x[1])
    }),
    op("glu", "composed", "a σ(b), of the halves a and b", &[CUBE], |x| x[0].glu(-1)),
    // Element-wise functions of `elementary.rs`, `rounding.rs` and `special.rs`.
    one(&elementary::LOG2, &[Floats(&[2, 3], elementary::LOG2.domain)], |x| x[0].log2()),
    one(&elementary::LOG10, &[Floats(&[2, 3], elementary::LOG10.domain)], |x| x[0].log10()),
    one(&elementary::EXP2, &[Floats(&[2, 3], elementary::EXP2.domain)], |x| x[0].exp2()),
    one(&elementary::ASINH, &[Floats(&[2, 3], elementary::ASINH.domain)], |x| x[0].asinh())
        .torch("asinh, arcsinh"),
    one(&elementary::ACOSH, &[Floats(&[2, 3], elementary::ACOSH.domain)], |x| x[0].acosh())
        .torch("acosh, arccosh"),
    one(&elementary::ATANH, &[Floats(&[2, 3], elementary::ATANH.domain)], |x| x[0].atanh())
        .torch("atanh, arctanh"),
    one(&rounding::CEIL, &[Floats(&[2, 3], rounding::CEIL.domain)], |x| x[0].ceil()),
    one(&rounding::TRUNC, &[Floats(&[2, 3], rounding::TRUNC.domain)], |x| x[0].trunc())
        .torch("trunc, fix"),
    one(&rounding::ROUND, &[Floats(&[2, 3], rounding::ROUND.domain)], |x| x[0].round()),
    one(&special::LGAMMA, &[Floats(&[2, 3], special::LGAMMA.domain)], |x| x[0].lgamma())
        .torch("lgamma, special.gammaln"),
    one(&special::DIGAMMA, &[Floats(&[2, 3], special::DIGAMMA.domain)], |x| x[0].digamma())
        .torch("digamma, special.psi"),
    one(&special::TRIGAMMA, &[Floats(&[2, 3], special::TRIGAMMA.domain)], |x| x[0].polygamma(1))
        .torch("polygamma(1)"),
    one(&special::POLYGAMMA, &[Floats(&[2, 3], special::POLYGAMMA.domain)], |x| x[0].polygamma(2)),
    one(&special::ERFINV, &[Floats(&[2, 3], special::ERFINV.domain)], |x| x[0].erfinv()),
    one(&special::NDTR, &[Floats(&[2, 3], special::NDTR.domain)], |x| x[0].ndtr())
        .torch("special.ndtr"),
    one(&special::NDTRI, &[Floats(&[2, 3], special::NDTRI.domain)], |x| x[0].ndtri())
        .torch("special.ndtri"),
    one(&special::LOG_NDTR, &[Floats(&[2, 3], special::LOG_NDTR.domain)], |x| x[0].log_ndtr())
        .torch("special.log_ndtr"),
    one(&special::LOGIT, &[Floats(&[2, 3], special::LOGIT.domain)], |x| x[0].logit(None)),
    one(&special::SINC, &[Floats(&[2, 3], special::SINC.domain)], |x| x[0].sinc()),
    one(&special::ENTR, &[Floats(&[2, 3], special::ENTR.domain)], |x| x[0].entr())
        .torch("special.entr"),
    two(
        &elementary::HYPOT,
        &[Floats(&[2, 3], elementary::HYPOT.domain), Floats(&[3], elementary::HYPOT.domain)],
        |x| x[0].hypot(x[1]),
    ),
    two(
        &elementary::COPYSIGN,
        &[Floats(&[2, 3], elementary::COPYSIGN.domain), Floats(&[3], elementary::COPYSIGN.domain)],
        |x| x[0].copysign(x[1]),
    ),
    two(
        &rounding::FLOOR_DIVIDE,
        &[
            Floats(&[2, 3], rounding::FLOOR_DIVIDE.domain),
            Floats(&[3], rounding::FLOOR_DIVIDE.domain),
        ],
        |x| x[0].floor_divide(x[1]),
    )
    .torch(r#"floor_divide, div(rounding_mode="floor")"#),
    two(
        &rounding::TRUNC_DIVIDE,
        &[
            Floats(&[2, 3], rounding::TRUNC_DIVIDE.domain),
            Floats(&[3], rounding::TRUNC_DIVIDE.domain),
        ],
        |x| x[0].trunc_divide(x[1]),
    )
    .torch(r#"div(rounding_mode="trunc")"#),
    two(
        &rounding::REMAINDER,
        &[Floats(&[2, 3], rounding::REMAINDER.domain), Floats(&[3], rounding::REMAINDER.domain)],
        |x| x[0].remainder(x[1]),
    ),
    two(
        &rounding::FMOD,
        &[Floats(&[2, 3], rounding::FMOD.domain), Floats(&[3], rounding::FMOD.domain)],
        |x| x[0].fmod(x[1]),
    ),
    op(
        "xlogy",
        "composed",
        "x ln y, and 0 where x = 0",
        &[CUBE, Floats(&[3, 1], [0.2, 3.0])],
        |x| x[0].xlogy(x[1]),
    ),
    op(
        "xlog1py",
        "composed",
        "x ln(1 + y), and 0 where x = 0",
        &[CUBE, Floats(&[3, 1], [-0.6, 3.0])],
        |x| x[0].xlog1py(x[1]),
    )
    .torch("special.xlog1py"),
    op("logaddexp2", "composed", "log₂(2ᵃ + 2ᵇ)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].logaddexp2(x[1])
    }),
    op("deg2rad", "composed", "π x / 180", &[CUBE], |x| x[0].deg2rad()),
    op("rad2deg", "composed", "180 x / π", &[CUBE], |x| x[0].rad2deg()),
    op("frac", "composed", "x − trunc x", &[CUBE], |x| x[0].frac()),
    op("round_to", "composed", "x, to some decimals", &[Floats(&[2, 3], [0.06, 0.14])], |x| {
        x[0].round_to(1)
    })
    .torch("round(decimals=…)"),
    op("isnan", "composed", "x ≠ x", &[CUBE], |x| x[0].isnan()).differs(MASK),
    op("isinf", "composed", "|x| = ∞", &[CUBE], |x| x[0].isinf()).differs(MASK),
    op("isposinf", "composed", "x = ∞", &[CUBE], |x| x[0].isposinf()).differs(MASK),
    op("isneginf", "composed", "x = −∞", &[CUBE], |x| x[0].isneginf()).differs(MASK),
    op("isfinite", "composed", "|x| < ∞", &[CUBE], |x| x[0].isfinite()).differs(MASK),
    op("logical_not", "composed", "x = 0", &[CUBE], |x| x[0].logical_not()).differs(MASK),
    op("logical_and", "composed", "a ≠ 0 and b ≠ 0", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].logical_and(x[1])
    })
    .differs(MASK),
    op("logical_or", "composed", "a ≠ 0 or b ≠ 0", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].logical_or(x[1])
    })
    .differs(MASK),
    op(
        "logical_xor",
        "composed",
        "a ≠ 0 or b ≠ 0, but not both",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].logical_xor(x[1]),
    )
    .differs(MASK),
    op("any", "composed", "some x ≠ 0", &[CUBE], |x| x[0].any(1)).differs(MASK),
    op("all", "composed", "every x ≠ 0", &[CUBE], |x| x[0].all([0, 2])).differs(MASK),
    op("nansum", "composed", "Σ x, without NaN", &[CUBE], |x| x[0].nansum([0, 2])),
    op("nanmean", "composed", "Σ x / n, without NaN", &[CUBE], |x| x[0].nanmean(1)),
    op("nan_to_num", "composed", "x, with numbers for NaN and ±∞", &[CUBE], |x| {
        x[0].nan_to_num(0.5, None, -1.0)
    }),
    op(
        "fmax",
        "composed",
        "max(a, b), or the one that is not NaN",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].fmax(x[1]),
    ),
    op(
        "fmin",
        "composed",
        "min(a, b), or the one that is not NaN",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].fmin(x[1]),
    ),
    op(
        "heaviside",
        "composed",
        "0 if x < 0, v if x = 0, 1 if x > 0",
        &[CUBE, Floats(&[4], AROUND)],
        |x| x[0].heaviside(x[1]),
    ),
    op("clamp_min", "composed", "max(x, a)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].clamp_min(x[1])
    }),
    op("clamp_max", "composed", "min(x, b)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].clamp_max(x[1])
    }),
    op(
        "lerp",
        "composed",
        "a + w (b − a)",
        &[CUBE, Floats(&[4], AROUND), Floats(&[3, 1], [-0.5, 1.5])],
        |x| x[0].lerp(x[1], x[2]),
    ),
    op(
        "addcmul",
        "composed",
        "x + v a b",
        &[CUBE, Floats(&[4], AROUND), Floats(&[3, 1], AROUND)],
        |x| x[0].addcmul(x[1], x[2], 0.7),
    ),
    op(
        "addcdiv",
        "composed",
        "x + v a / b",
        &[CUBE, Floats(&[4], AROUND), Floats(&[3, 1], [0.4, 3.0])],
        |x| x[0].addcdiv(x[1], x[2], 0.7),
    ),
    op("softmin", "composed", "e⁻ˣ / Σ e⁻ˣ", &[CUBE], |x| x[0].softmin(1)),
    op("outer", "composed", "aᵢ bⱼ", &[Floats(&[3], AROUND), Floats(&[4], AROUND)], |x| {
        x[0].outer(x[1])
    })
    .torch("outer, ger"),
    op("inner", "composed", "Σ aᵢₖ bⱼₖ", &[CUBE, Floats(&[2, 4], AROUND)], |x| {
        x[0].inner(x[1])
    })
    .torch("inner, dot, vdot"),
    op(
        "cross",
        "composed",
        "a × b",
        &[Floats(&[2, 3, 4], AROUND), Floats(&[2, 3, 1], AROUND)],
        |x| x[0].cross(x[1], 1),
    )
    .torch("cross, linalg.cross"),
    op(
        "bilinear",
        "composed",
        "Σ xᵢ wₖᵢⱼ zⱼ + bₖ",
        &[
            Floats(&[2, 3], AROUND),
            Floats(&[2, 2], AROUND),
            Floats(&[4, 3, 2], AROUND),
            Floats(&[4], AROUND),
        ],
        |x| x[0].bilinear(x[1], x[2], Some(x[3])),
    ),
    op(
        "addmm",
        "composed",
        "β x + α a b",
        &[Floats(&[4], AROUND), Floats(&[2, 3], AROUND), Floats(&[3, 4], AROUND)],
        |x| x[0].addmm(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "addmv",
        "composed",
        "β x + α a v",
        &[Floats(&[2], AROUND), Floats(&[2, 3], AROUND), Floats(&[3], AROUND)],
        |x| x[0].addmv(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "addr",
        "composed",
        "β x + α a bᵀ",
        &[Floats(&[2, 1], AROUND), Floats(&[2], AROUND), Floats(&[3], AROUND)],
        |x| x[0].addr(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "baddbmm",
        "composed",
        "β x + α a b",
        &[Floats(&[2, 4], AROUND), Floats(&[2, 2, 3], AROUND), Floats(&[2, 3, 4], AROUND)],
        |x| x[0].baddbmm(x[1], x[2], 0.7, 1.3),
    ),
    op(
        "addbmm",
        "composed",
        "β x + α Σ a b",
        &[Floats(&[2, 4], AROUND), Floats(&[2, 2, 3], AROUND), Floats(&[2, 3, 4], AROUND)],
        |x| x[0].addbmm(x[1], x[2], 0.7, 1.3),
    ),
    op("normalize", "composed", "x / max(‖x‖ₚ, ε)", &[CUBE], |x| {
        x[0].normalize(2.0, 1, 1e-12)
    }),
    op("dist", "composed", "(Σ |a − b|ᵖ)^(1/p)", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].dist(x[1], 3.0)
    }),
    op(
        "pairwise_distance",
        "composed",
        "(Σ |a − b + ε|ᵖ)^(1/p)",
        &[CUBE, Floats(&[3, 4], AROUND)],
        |x| x[0].pairwise_distance(x[1], 2.0, 1e-6),
    ),
    op(
        "cdist",
        "composed",
        "(Σ |aᵢ − bⱼ|ᵖ)^(1/p)",
        &[CUBE, Floats(&[2, 4], AROUND)],
        |x| x[0].cdist(x[1], 2.0),
    ),
    op(
        "cosine_similarity",
        "composed",
        "Σ a b / (‖a‖ ‖b‖)",
        &[CUBE, Floats(&[3, 1], AROUND)],
        |x| x[0].cosine_similarity(x[1], 1, 1e-8),
    ),
    // End of those.
    op(
        "linear",
        "composed",
        "x Wᵀ + b",
        &[Floats(&[2, 3], AROUND), Floats(&[4, 3], AROUND), Floats(&[4], AROUND)],
        |x| x[0].linear(x[1], Some(x[2])),
    ),
    op(
        "conv1d",
        "convolution",
        "Σ w · window + b",
        &[Floats(&[2, 4, 5], AROUND), Floats(&[2, 2, 3], AROUND), Floats(&[2], AROUND)],
        |x| {
            x[0].conv1d(
                x[1],
                Some(x[2]),
                Conv { stride: [2], padding: Padding::Each([1]), groups: 2, ..Conv::default() },
            )
        },
    ),
    op(
        "conv2d",
        "convolution",
        "Σ w · window + b",
        &[Floats(&[1, 2, 4, 5], AROUND), Floats(&[3, 2, 2, 2], AROUND), Floats(&[3], AROUND)],
        |x| {
            let options = Conv { padding: Padding::Same, dilation: [1, 2], ..Conv::default() };
            x[0].conv2d(x[1], Some(x[2]), options)
        },
    ),
    op("max_pool2d", "composed", "max of a window", &[Floats(&[1, 2, 4, 5], AROUND)], |x| {
        x[0].max_pool2d(Pool { dilation: [1, 2], padding: [1, 1], ..Pool::new([2, 2]) })
    }),
    op("avg_pool2d", "composed", "mean of a window", &[Floats(&[1, 2, 4, 5], AROUND)], |x| {
        let pool = Pool { padding: [1, 0], partial: true, ..Pool::new([2, 2]) };
        x[0].avg_pool2d(Pool { count_padding: false, ..pool })
    }),
    op(
        "conv_transpose1d",
        "convolution",
        "the transpose of conv1d",
        &[Floats(&[2, 4, 3], AROUND), Floats(&[4, 1, 3], AROUND), Floats(&[2], AROUND)],
        |x| {
            let options = ConvTranspose {
                stride: [2],
                padding: [1],
                output_padding: [1],
                groups: 2,
                ..ConvTranspose::default()
            };
            x[0].conv_transpose1d(x[1], Some(x[2]), options)
        },
    ),
    op(
        "conv_transpose2d",
        "convolution",
        "the transpose of conv2d",
        &[Floats(&[1, 2, 2, 3], AROUND), Floats(&[2, 3, 2, 2], AROUND), Floats(&[3], AROUND)],
        |x| {
            let options =
                ConvTranspose { stride: [1, 2], dilation: [2, 1], ..ConvTranspose::default() };
            x[0].conv_transpose2d(x[1], Some(x[2]), options)
        },
    ),
    op("unfold", "composed", "patches as columns", &[Floats(&[1, 2, 3, 4], AROUND)], |x| {
        x[0].unfold(Unfold { padding: [1, 0], stride: [2, 1], ..Unfold::new([2, 3]) })
    }),
    op("fold", "composed", "the transpose of unfold", &[Floats(&[2, 4, 6], AROUND)], |x| {
        x[0].fold([3, 3], Unfold { dilation: [1, 2], padding: [0, 1], ..Unfold::new([2, 2]) })
    }),
    op("max_pool1d", "composed", "max of a window", &[Floats(&[2, 3, 5], AROUND)], |x| {
        x[0].max_pool1d(Pool { stride: [2], partial: true, ..Pool::new([2]) })
    }),
    op("avg_pool1d", "composed", "mean of a window", &[Floats(&[2, 3, 5], AROUND)], |x| {
        x[0].avg_pool1d(Pool { padding: [1], divisor: Some(3), ..Pool::new([2]) })
    }),
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
    op("interpolate", "composed", "a picture of another size", &[CUBE], |x| {
        let linear = Interpolate { mode: Interpolation::Linear, ..Interpolate::size([5, 3]) };
        x[0].interpolate(linear)
    }),
    op("pixel_shuffle", "composed", "channels as pixels", &[Floats(&[4, 2, 3], AROUND)], |x| {
        x[0].pixel_shuffle(2)
    }),
    op(
        "channel_shuffle",
        "composed",
        "channels dealt to groups",
        &[Floats(&[2, 6, 2], AROUND)],
        |x| x[0].channel_shuffle(3),
    ),
    op("pixel_unshuffle", "composed", "pixels as channels", &[Floats(&[2, 4, 2], AROUND)], |x| {
        x[0].pixel_unshuffle(2)
    }),
    op(
        "group_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[Floats(&[2, 4, 3], AROUND), Floats(&[4], AROUND), Floats(&[4], AROUND)],
        |x| x[0].group_norm(2, Some(x[1]), Some(x[2]), 1e-5),
    ),
    op(
        "instance_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[CUBE, Floats(&[3], AROUND), Floats(&[3], AROUND)],
        |x| x[0].instance_norm(Some(x[1]), Some(x[2]), 1e-5),
    ),
    op("rms_norm", "composed", "x/√(mean x² + ε) · w", &[CUBE, Floats(&[4], AROUND)], |x| {
        x[0].rms_norm(&[4], Some(x[1]), None)
    }),
    op("local_response_norm", "composed", "x/(k + α mean x²)^β", &[CUBE], |x| {
        x[0].local_response_norm(2, 0.5, 0.75, 1.0)
    }),
    op(
        "scaled_dot_product_attention",
        "composed",
        "softmax(Q Kᵀ/√n) V",
        &[
            Floats(&[2, 3, 4], AROUND),
            Floats(&[2, 5, 4], AROUND),
            Floats(&[5, 2], AROUND),
            Floats(&[3, 5], AROUND),
        ],
        |x| x[0].scaled_dot_product_attention(x[1], x[2], AttentionMask::Add(x[3])),
    ),
    op("cholesky", "linalg", "L Lᵀ = A", &[Floats(&[2, 3, 3], AROUND)], |x| {
        positive_definite(x[0]).cholesky()
    })
    .torch("cholesky, linalg.cholesky"),
    op("solve", "linalg", "A X = B", &[Floats(&[2, 3, 3], AROUND), Floats(&[3, 2], AROUND)], |x| {
        positive_definite(x[0]).solve(x[1])
    })
    .torch("linalg.solve"),
    op(
        "solve_triangular",
        "linalg",
        "X A = B",
        &[Floats(&[2, 3, 3], [1.0, 2.0]), Floats(&[2, 3], AROUND)],
        |x| x[0].solve_triangular(x[1], Triangular { left: false, ..Triangular::UPPER }),
    )
    .torch("linalg.solve_triangular"),
    op("inverse", "linalg", "A X = I", &[Floats(&[2, 3, 3], AROUND)], |x| {
        positive_definite(x[0]).inverse()
    })
    .torch("inverse, linalg.inv"),
    op("logdet", "composed", "ln det A", &[Floats(&[2, 3, 3], AROUND)], |x| {
        positive_definite(x[0]).logdet()
    }),
    op("det", "linalg", "det A", &[Floats(&[2, 3, 3], AROUND)], |x| x[0].det())
        .torch("det, linalg.det"),
    op("slogdet", "linalg", "ln |det A|", &[Floats(&[2, 3, 3], AROUND)], |x| {
        let [sign, logarithm] = positive_definite(x[0]).slogdet();
        sign * logarithm
    })
    .torch("slogdet, linalg.slogdet"),
    op(
        "layer_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[CUBE, Floats(&[4], AROUND), Floats(&[4], AROUND)],
        |x| x[0].layer_norm(&[4], Some(x[1]), Some(x[2]), 1e-5),
    ),
    op(
        "batch_norm",
        "composed",
        "(x − mean)/√(var + ε) · w + b",
        &[CUBE, Floats(&[3], AROUND), Floats(&[3], AROUND)],
        |x| x[0].batch_norm(Some(x[1]), Some(x[2]), 1e-5),
    ),
];

/// `A Aᵀ + 2 I`.
#[track_caller]
fn positive_definite(a: Var<'_>) -> Var<'_> {
    let n = a.dim(-1);
    let place = a.tape().fill([n], 1.0).cumsum(0);
    a.matmul(a.t()) + place.unsqueeze(1).eq(place) * 2.0
}

pub(crate) const TIES: Kink = Kink {
    at: "ties",
    here: |[x, extreme], _| x == extreme,
    input: [1.0, 1.0],
    slope: [0.5, 0.5],
    because: "each of k equal extremes has slope 1/k",
};

type Record = for<'t> fn(&[Var<'t>]) -> Var<'t>;

const fn one(row: &'static Unary, inputs: &'static [Sample], record: Record) -> Row {
    Row { family: "unary", ..kinked(row.name, "", row.formula, inputs, record, row.kinks) }
}

const fn two(row: &'static Binary, inputs: &'static [Sample], record: Record) -> Row {
    Row { family: "binary", ..kinked(row.name, "", row.formula, inputs, record, row.kinks) }
}

const fn op(
    name: &'static str,
    family: &'static str,
    formula: &'static str,
    inputs: &'static [Sample],
    record: Record,
) -> Row {
    kinked(name, family, formula, inputs, record, &[])
}

const fn kinked(
    name: &'static str,
    family: &'static str,
    formula: &'static str,
    inputs: &'static [Sample],
    record: Record,
    kinks: &'static [Kink],
) -> Row {
    let (torch, differs) = (Counterpart::Same, "");
    Row { name, family, formula, inputs, record, kinks, torch, differs }
}

impl Row {
    /// With PyTorch's name, or several.
    const fn torch(self, names: &'static str) -> Row {
        Row { torch: Counterpart::Named(names), ..self }
    }

    /// One that PyTorch lacks, and what it is.
    const fn ours(self, what: &'static str) -> Row {
        Row { torch: Counterpart::None(what), ..self }
    }

    /// With what is different on purpose.
    const fn differs(self, how: &'static str) -> Row {
        Row { differs: how, ..self }
    }
}
