//! The table of all ops, from which tests and docs are made.

use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{Slice, Window, keep};

use super::binary::{self, Binary};
use super::convolution::{Conv, Padding};
use super::pooling::Pool;
use super::unary::{self, Unary};
use super::{Kink, combine, einsum};
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

/// Every op: rows of the element-wise tables, then the other families, then what is composed.
pub static ALL: &[Row] = &[
    one(&unary::NEG, &[Floats(&[2, 3], unary::NEG.domain)], |x| -x[0]),
    one(&unary::RECIP, &[Floats(&[2, 3], unary::RECIP.domain)], |x| x[0].recip()),
    one(&unary::SQUARE, &[Floats(&[2, 3], unary::SQUARE.domain)], |x| x[0].square()),
    one(&unary::SQRT, &[Floats(&[2, 3], unary::SQRT.domain)], |x| x[0].sqrt()),
    one(&unary::RSQRT, &[Floats(&[2, 3], unary::RSQRT.domain)], |x| x[0].rsqrt()),
    one(&unary::POWF, &[Floats(&[2, 3], unary::POWF.domain)], |x| x[0].powf(2.5)),
    one(&unary::ABS, &[Floats(&[2, 3], unary::ABS.domain)], |x| x[0].abs()),
    one(&unary::SIGNUM, &[Floats(&[2, 3], unary::SIGNUM.domain)], |x| x[0].signum()),
    one(&unary::FLOOR, &[Floats(&[2, 3], unary::FLOOR.domain)], |x| x[0].floor()),
    one(&unary::EXP, &[Floats(&[2, 3], unary::EXP.domain)], |x| x[0].exp()),
    one(&unary::EXP_M1, &[Floats(&[2, 3], unary::EXP_M1.domain)], |x| x[0].exp_m1()),
    one(&unary::LN, &[Floats(&[2, 3], unary::LN.domain)], |x| x[0].ln()),
    one(&unary::LN_1P, &[Floats(&[2, 3], unary::LN_1P.domain)], |x| x[0].ln_1p()),
    one(&unary::SIN, &[Floats(&[2, 3], unary::SIN.domain)], |x| x[0].sin()),
    one(&unary::COS, &[Floats(&[2, 3], unary::COS.domain)], |x| x[0].cos()),
    one(&unary::TAN, &[Floats(&[2, 3], unary::TAN.domain)], |x| x[0].tan()),
    one(&unary::ASIN, &[Floats(&[2, 3], unary::ASIN.domain)], |x| x[0].asin()),
    one(&unary::ACOS, &[Floats(&[2, 3], unary::ACOS.domain)], |x| x[0].acos()),
    one(&unary::ATAN, &[Floats(&[2, 3], unary::ATAN.domain)], |x| x[0].atan()),
    one(&unary::SINH, &[Floats(&[2, 3], unary::SINH.domain)], |x| x[0].sinh()),
    one(&unary::COSH, &[Floats(&[2, 3], unary::COSH.domain)], |x| x[0].cosh()),
    one(&unary::TANH, &[Floats(&[2, 3], unary::TANH.domain)], |x| x[0].tanh()),
    one(&unary::SIGMOID, &[Floats(&[2, 3], unary::SIGMOID.domain)], |x| x[0].sigmoid()),
    one(&unary::SOFTPLUS, &[Floats(&[2, 3], unary::SOFTPLUS.domain)], |x| x[0].softplus()),
    one(&unary::RELU, &[Floats(&[2, 3], unary::RELU.domain)], |x| x[0].relu()),
    one(&unary::LEAKY_RELU, &[Floats(&[2, 3], unary::LEAKY_RELU.domain)], |x| x[0].leaky_relu(0.2)),
    one(&unary::ELU, &[Floats(&[2, 3], unary::ELU.domain)], |x| x[0].elu(0.7)),
    one(&unary::ERF, &[Floats(&[2, 3], unary::ERF.domain)], |x| x[0].erf()),
    one(&unary::ERFC, &[Floats(&[2, 3], unary::ERFC.domain)], |x| x[0].erfc()),
    one(&unary::CLAMP, &[Floats(&[2, 3], unary::CLAMP.domain)], |x| x[0].clamp(-1.0, 1.5)),
    two(&binary::ADD, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] + x[1]),
    two(&binary::SUB, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] - x[1]),
    two(&binary::MUL, &[CUBE, Floats(&[3, 1], AROUND)], |x| x[0] * x[1]),
    two(&binary::DIV, &[CUBE, Floats(&[3, 1], binary::DIV.domain)], |x| x[0] / x[1]),
    two(
        &binary::POW,
        &[Floats(&[2, 3], binary::POW.domain), Floats(&[3], binary::POW.domain)],
        |x| x[0].pow(x[1]),
    ),
    two(&binary::ATAN2, &[Floats(&[2, 3], binary::ATAN2.domain), Floats(&[3], AROUND)], |x| {
        x[0].atan2(x[1])
    }),
    two(&binary::MAXIMUM, &[CUBE, Floats(&[4], AROUND)], |x| x[0].maximum(x[1])),
    two(&binary::MINIMUM, &[CUBE, Floats(&[4], AROUND)], |x| x[0].minimum(x[1])),
    two(&binary::LOG_ADD_EXP, &[CUBE, Floats(&[4], AROUND)], |x| x[0].log_add_exp(x[1])),
    two(&binary::EXP_SHARE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].exp_share(x[1])),
    two(&binary::LT, &[CUBE, Floats(&[4], AROUND)], |x| x[0].lt(x[1])),
    two(&binary::LE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].le(x[1])),
    two(&binary::GT, &[CUBE, Floats(&[4], AROUND)], |x| x[0].gt(x[1])),
    two(&binary::GE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].ge(x[1])),
    two(&binary::EQ, &[CUBE, Floats(&[4], AROUND)], |x| x[0].eq(x[1])),
    two(&binary::NE, &[CUBE, Floats(&[4], AROUND)], |x| x[0].ne(x[1])),
    op(
        "select",
        "select",
        "a if mask ≠ 0, else b",
        &[Integers(&[2, 3, 4], 2), CUBE, Floats(&[3, 1], AROUND)],
        |x| x[0].select(x[1], x[2]),
    ),
    op("sum", "reduce", "Σ x", &[CUBE], |x| x[0].sum([0, 2])),
    kinked("max", "reduce", "max x", &[CUBE], |x| x[0].max(1), &[TIES]),
    kinked("min", "reduce", "min x", &[CUBE], |x| x[0].min(..), &[TIES]),
    op("prod", "reduce", "Π x", &[CUBE], |x| x[0].prod(keep(1))),
    op("cumsum", "scan", "yᵢ = x₀ + … + xᵢ", &[CUBE], |x| x[0].cumsum(1)),
    op("reshape", "view", "the same elements in another shape", &[CUBE], |x| {
        x[0].t().reshape([6, 4])
    }),
    op("expand", "view", "repeats axes of length 1", &[Floats(&[3, 1], AROUND)], |x| {
        x[0].expand([2, 3, 4])
    }),
    op("permute", "view", "the axes in another order", &[CUBE], |x| x[0].permute([2, 0, 1])),
    op("slice", "view", "some indices of an axis", &[CUBE], |x| {
        x[0].slice(1, 1..).slices(&[Slice { start: 1, len: 2, step: -1 }])
    }),
    op("windows", "view", "sliding windows", &[CUBE], |x| {
        x[0].windows(2, Window { size: 2, stride: 1, dilation: 2 })
    }),
    op("flip", "view", "an axis backwards", &[CUBE], |x| x[0].flip(1)),
    op("diagonal", "view", "xᵢᵢ", &[CUBE], |x| x[0].diagonal(0, 2)),
    op("sum_to", "view", "the transpose of expand", &[CUBE], |x| x[0].sum_to([3, 1])),
    op("after", "view", "x, once y is there", &[CUBE, Floats(&[2], AROUND)], |x| x[0].after(x[1])),
    op("pad", "combine", "a border of one number", &[CUBE], |x| {
        x[0].pad(&[(1, 0), (0, 2), (1, 1)], 0.5)
    }),
    op("concat", "combine", "one after another", &[CUBE, Floats(&[2, 2, 4], AROUND)], |x| {
        combine::concat(&[x[0], x[1]], 1)
    }),
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
    }),
    op("matmul", "matmul", "A B", &[Floats(&[2, 3, 4], AROUND), Floats(&[4, 2], AROUND)], |x| {
        x[0].matmul(x[1])
    }),
    op(
        "einsum",
        "composed",
        "Σ a b, by the names of axes",
        &[CUBE, Floats(&[4, 2], AROUND), Floats(&[2, 2], AROUND)],
        |x| einsum::einsum("bij,jk,bb->ki", &[x[0], x[1], x[2]]),
    ),
    op("shift", "composed", "yᵢ = x[i − k]", &[CUBE], |x| x[0].shift(1, 2, 0.5)),
    op("powi", "composed", "xⁿ, for whole n", &[CUBE], |x| x[0].powi(3)),
    op("log2", "composed", "ln x / ln 2", &[Floats(&[2, 3], [0.1, 4.0])], |x| x[0].log2()),
    op("mean", "composed", "Σ x / n", &[CUBE], |x| x[0].mean([0, 2])),
    op("centered", "composed", "x − mean", &[CUBE], |x| x[0].centered([0, 1])),
    op("var", "composed", "Σ (x − mean)² / (n − c)", &[CUBE], |x| x[0].var(1, 1.0)),
    op("std", "composed", "√var", &[CUBE], |x| x[0].std([1, 2], 1.0)),
    op("norm", "composed", "(Σ |x|ᵖ)^(1/p)", &[CUBE], |x| x[0].norm(3.0, 1)),
    op("root", "composed", "xᵖ, with slope 0 at 0", &[Floats(&[2, 3], [0.1, 4.0])], |x| {
        x[0].root(0.4)
    }),
    op("log_sum_exp", "composed", "ln Σ eˣ", &[CUBE], |x| x[0].log_sum_exp(1)),
    op("softmax", "composed", "eˣ / Σ eˣ", &[CUBE], |x| x[0].softmax(-1)),
    op("log_softmax", "composed", "x − ln Σ eˣ", &[CUBE], |x| x[0].log_softmax(1)),
    op("log_sigmoid", "composed", "ln σ(x)", &[CUBE], |x| x[0].log_sigmoid()),
    op("silu", "composed", "x σ(x)", &[CUBE], |x| x[0].silu()),
    op("gelu", "composed", "x Φ(x)", &[CUBE], |x| x[0].gelu()),
    op("gelu_tanh", "composed", "½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))", &[CUBE], |x| {
        x[0].gelu_tanh()
    }),
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
    op("hardswish", "composed", "x hardsigmoid(x)", &[WIDE], |x| x[0].hardswish()),
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

pub(crate) const TIES: Kink = Kink {
    at: "ties",
    here: |[x, extreme], _| x == extreme,
    input: [1.0, 1.0],
    slope: [0.5, 0.5],
    because: "each of k equal extremes has slope 1/k",
};

type Record = for<'t> fn(&[Var<'t>]) -> Var<'t>;

const fn one(row: &'static Unary, inputs: &'static [Sample], record: Record) -> Row {
    Row { name: row.name, family: "unary", formula: row.formula, inputs, record, kinks: row.kinks }
}

const fn two(row: &'static Binary, inputs: &'static [Sample], record: Record) -> Row {
    Row { name: row.name, family: "binary", formula: row.formula, inputs, record, kinks: row.kinks }
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
    Row { name, family, formula, inputs, record, kinks }
}
