//! Integers are computed as integers: exactly for all of `i64`, on tapes of every float type, fused
//! or not, and with results that wrap.

use lossgraph_autograd::ops::table::Sample;
use lossgraph_autograd::{
    Interpolate, Pool, Tape, Unfold, Var, concat, einsum, hstack, keep, ops, stack, vstack,
};
use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{DType, Tensor, Window};

/// Pairs that no float type tells apart, or whose results leave `i64`.
const A: [i64; 6] = [i64::MAX, i64::MIN, (1 << 53) + 1, -(1 << 53) - 1, 0, 16_777_217];
const B: [i64; 6] = [i64::MAX - 1, -1, 1 << 53, 3, 1 << 62, 16_777_216];

/// An op: how it is recorded on `a` and `b`, of shape `[2, 3]`, and its exact result.
struct Case {
    name: &'static str,
    record: for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>,
    exact: fn() -> Vec<i64>,
}

const fn case(
    name: &'static str,
    record: for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>,
    exact: fn() -> Vec<i64>,
) -> Case {
    Case { name, record, exact }
}

fn each(f: impl Fn(i64) -> i64) -> Vec<i64> {
    A.into_iter().map(f).collect()
}

fn both(f: impl Fn(i64, i64) -> i64) -> Vec<i64> {
    A.into_iter().zip(B).map(|(a, b)| f(a, b)).collect()
}

/// ⌊a/b⌋, where i64 has it.
fn floor(a: i64, b: i64) -> i64 {
    let (a, b) = (i128::from(a), i128::from(b));
    let below = i128::from(a % b != 0 && (a < 0) != (b < 0));
    (a / b - below) as i64
}

fn mask(f: impl Fn(&i64, &i64) -> bool) -> Vec<i64> {
    both(|a, b| i64::from(f(&a, &b)))
}

/// The products of the rows of one with those of the other.
fn products() -> Vec<i64> {
    let dot = |(i, j): (usize, usize)| {
        (0..3).fold(0_i64, |sum, k| sum.wrapping_add(A[3 * i + k].wrapping_mul(B[3 * j + k])))
    };
    [(0, 0), (0, 1), (1, 0), (1, 1)].map(dot).to_vec()
}

/// The columns of both rows, folded.
fn columns(f: impl Fn(i64, i64) -> i64) -> Vec<i64> {
    (0..3).map(|i| f(A[i], A[i + 3])).collect()
}

/// The elements at these places, of a and then b.
fn at(places: &[usize]) -> Vec<i64> {
    let all = [A, B].concat();
    places.iter().map(|&i| all[i]).collect()
}

fn index<'t>(x: Var<'t>, index: &[i64], shape: [usize; 2]) -> Var<'t> {
    x.tape().constant(Tensor::new(shape, index.to_vec()).unwrap())
}

const CASES: &[Case] = &[
    case("neg", |a, _| -a, || each(i64::wrapping_neg)),
    case("abs", |a, _| a.abs(), || each(i64::wrapping_abs)),
    case("signum", |a, _| a.signum(), || each(i64::signum)),
    case("floor", |a, _| a.floor(), || each(|a| a)),
    case("square", |a, _| a.square(), || each(|a| a.wrapping_mul(a))),
    case("powi", |a, _| a.powi(3), || each(|a| a.wrapping_pow(3))),
    case("relu", |a, _| a.relu(), || each(|a| a.max(0))),
    case("clamp", |a, _| a.clamp(-1.0, 2_f64.powi(60)), || each(|a| a.clamp(-1, 1 << 60))),
    case("clamp", |a, _| a.clamp(0.0, f64::INFINITY), || each(|a| a.max(0))),
    case("add", |a, b| a + b, || both(i64::wrapping_add)),
    case("sub", |a, b| a - b, || both(i64::wrapping_sub)),
    case("mul", |a, b| a * b, || both(i64::wrapping_mul)),
    case(
        "mul",
        |a, _| 3 * a + 9_007_199_254_740_993_i64,
        || each(|a| a.wrapping_mul(3).wrapping_add((1 << 53) + 1)),
    ),
    case("maximum", |a, b| a.maximum(b), || both(i64::max)),
    case("minimum", |a, b| a.minimum(b), || both(i64::min)),
    case("lt", |a, b| a.lt(b), || mask(i64::lt)),
    case("le", |a, b| a.le(b), || mask(i64::le)),
    case("gt", |a, b| a.gt(b), || mask(i64::gt)),
    case("ge", |a, b| a.ge(b), || mask(i64::ge)),
    case("eq", |a, b| a.eq(b), || mask(i64::eq)),
    case("ne", |a, b| a.ne(b), || mask(i64::ne)),
    case("eq", |a, _| a.eq(9_007_199_254_740_993_i64), || each(|a| (a == (1 << 53) + 1).into())),
    case("eq", |a, _| a.eq(16_777_216.0), || each(|a| (a == 1 << 24).into())),
    case("gt", |a, _| a.gt(16_777_216.0), || each(|a| (a > 1 << 24).into())),
    case("select", |a, b| a.lt(b).select(a, b), || both(i64::min)),
    case(
        "select",
        |a, b| a.eq(0).select(9_007_199_254_740_993_i64, b),
        || both(|a, b| if a == 0 { (1 << 53) + 1 } else { b }),
    ),
    case("ceil", |a, _| a.ceil(), || A.to_vec()),
    case("trunc", |a, _| a.trunc(), || A.to_vec()),
    case("round", |a, _| a.round(), || A.to_vec()),
    case("frac", |a, _| a.frac(), || vec![0; 6]),
    case("trunc_divide", |a, b| a.trunc_divide(b), || both(i64::wrapping_div)),
    case("fmod", |a, b| a.fmod(b), || both(i64::wrapping_rem)),
    case("floor_divide", |a, b| a.floor_divide(-b), || both(|a, b| floor(a, b.wrapping_neg()))),
    case(
        "remainder",
        |a, b| a.remainder(-b),
        || both(|a, b| a.wrapping_add(floor(a, -b).wrapping_mul(b))),
    ),
    case("fmax", |a, b| a.fmax(b), || both(i64::max)),
    case("fmin", |a, b| a.fmin(b), || both(i64::min)),
    case("clamp_min", |a, b| a.clamp_min(b), || both(i64::max)),
    case("clamp_max", |a, _| a.clamp_max(1_i64 << 60), || each(|a| a.min(1 << 60))),
    case("nan_to_num", |a, _| a.nan_to_num(0.5, None, None), || A.to_vec()),
    case(
        "cumprod",
        |a, _| a.cumprod(1),
        || {
            let rows = A.chunks(3).flat_map(|row| {
                row.iter().scan(1_i64, |product, x| {
                    *product = product.wrapping_mul(*x);
                    Some(*product)
                })
            });
            rows.collect()
        },
    ),
    case("cummax", |a, _| a.cummax(1).0, || at(&[0, 0, 0, 3, 4, 5])),
    case("cummin", |a, _| a.cummin(1).0, || at(&[0, 1, 1, 3, 3, 3])),
    case("kthvalue", |a, _| a.kthvalue(2, 1).0, || at(&[2, 4])),
    case("topk", |a, _| a.topk(2, 1, Order::Descending).0, || at(&[0, 2, 5, 4])),
    case("median", |a, _| a.median(..), || at(&[4])),
    case("nanmedian", |a, _| a.nanmedian(..), || at(&[4])),
    case("argmedian", |a, _| a.gather(1, a.argmedian(keep(1))), || at(&[2, 4])),
    case("nanargmedian", |a, _| a.gather(1, a.nanargmedian(keep(1))), || at(&[2, 4])),
    case(
        "scatter",
        |a, b| a.scatter(1, index(a, &[2, 0, 1, 0, 1, 1], [2, 3]), b),
        || at(&[7, 8, 6, 9, 11, 5]),
    ),
    case(
        "index_copy",
        |a, b| a.index_copy(1, a.tape().labels(&[2, 0]), b.slice(1, ..2)),
        || at(&[7, 1, 6, 10, 4, 9]),
    ),
    case(
        "index_fill",
        |a, _| a.index_fill(1, a.tape().labels(&[1]), 7),
        || vec![A[0], 7, A[2], A[3], 7, A[5]],
    ),
    case(
        "masked_fill",
        |a, b| a.masked_fill(a.gt(b), -7),
        || both(|a, b| if a > b { -7 } else { a }),
    ),
    case(
        "slice_scatter",
        |a, b| a.slice_scatter(1, 1.., b.slice(1, 1..)),
        || at(&[0, 7, 8, 3, 10, 11]),
    ),
    case(
        "select_scatter",
        |a, b| a.select_scatter(0, 1, b.index(0, 0)),
        || at(&[0, 1, 2, 6, 7, 8]),
    ),
    case("take", |a, _| a.take(index(a, &[5, -6], [2, 1])), || at(&[5, 0])),
    case("roll", |a, _| a.roll(1, 1), || at(&[2, 0, 1, 5, 3, 4])),
    case("repeat", |a, _| a.repeat([1, 2]), || at(&[0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5])),
    case("tile", |a, _| a.tile([1, 2]), || at(&[0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5])),
    case(
        "repeat_interleave",
        |a, _| a.repeat_interleave(2, 1),
        || at(&[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]),
    ),
    case("split", |a, _| a.split(2, 1)[1], || at(&[2, 5])),
    case("chunk", |a, _| a.chunk(2, 1)[0], || at(&[0, 1, 3, 4])),
    case("unbind", |a, _| a.unbind(0)[1], || at(&[3, 4, 5])),
    case("movedim", |a, _| a.movedim(0, 1), || at(&[0, 3, 1, 4, 2, 5])),
    case("flatten", |a, _| a.flatten(0..=1), || A.to_vec()),
    case("transpose", |a, _| a.transpose(0, 1), || at(&[0, 3, 1, 4, 2, 5])),
    case("t", |a, _| a.t(), || at(&[0, 3, 1, 4, 2, 5])),
    case("squeeze", |a, _| a.slice(0, ..1).squeeze(0), || at(&[0, 1, 2])),
    case("unsqueeze", |a, _| a.unsqueeze(1), || A.to_vec()),
    case("index", |a, _| a.index(0, 1), || at(&[3, 4, 5])),
    case(
        "diagonal_scatter",
        |a, b| a.diagonal_scatter(b.index(0, 0).slice(0, ..2), 1, 0, 1),
        || at(&[0, 6, 2, 3, 4, 7]),
    ),
    case(
        "channel_shuffle",
        |a, _| a.reshape([1, 6]).channel_shuffle(2),
        || at(&[0, 3, 1, 4, 2, 5]),
    ),
    case(
        "diff",
        |a, _| a.diff(1, 1),
        || [(1, 0), (2, 1), (4, 3), (5, 4)].map(|(i, j)| A[i].wrapping_sub(A[j])).to_vec(),
    ),
    case("inner", |a, b| a.inner(b), products),
    case(
        "cross",
        |a, b| a.cross(b, 1),
        || {
            let term =
                |i: usize, j: usize| A[i].wrapping_mul(B[j]).wrapping_sub(A[j].wrapping_mul(B[i]));
            [(1, 2), (2, 0), (0, 1), (4, 5), (5, 3), (3, 4)].map(|(i, j)| term(i, j)).to_vec()
        },
    ),
    case(
        "bilinear",
        |a, b| {
            let weight = b.slice(0, ..1).slice(1, ..2).reshape([1, 2, 1]);
            a.slice(1, ..2).bilinear(a.slice(1, 2..), weight, None)
        },
        || {
            let sum = |row: &[i64]| {
                row[0]
                    .wrapping_mul(B[0])
                    .wrapping_add(row[1].wrapping_mul(B[1]))
                    .wrapping_mul(row[2])
            };
            A.chunks(3).map(sum).collect()
        },
    ),
    case("unflatten", |a, _| a.unflatten(1, [3, 1]), || A.to_vec()),
    case("narrow", |a, _| a.narrow(1, 1, 2), || at(&[1, 2, 4, 5])),
    case("hstack", |a, b| hstack(&[a, b]), || at(&[0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11])),
    case("vstack", |a, b| vstack(&[a, b]), || [A, B].concat()),
    case("diag", |a, _| a.diag(0), || at(&[0, 4])),
    case(
        "diag_embed",
        |a, _| a.slice(1, ..2).diag_embed(0, 1, 2),
        || vec![A[0], 0, 0, A[1], A[3], 0, 0, A[4]],
    ),
    case("trace", |a, _| a.trace(), || vec![A[0].wrapping_add(A[4])]),
    case("tril", |a, _| a.tril(0), || vec![A[0], 0, 0, A[3], A[4], 0]),
    case("triu", |a, _| a.triu(0), || vec![A[0], A[1], A[2], 0, A[4], A[5]]),
    case("tensordot", |a, b| a.tensordot(b, 1, 1), products),
    case(
        "kron",
        |a, b| a.slice(0, ..1).kron(b.slice(0, ..1)),
        || (0..9).map(|i| A[i / 3].wrapping_mul(B[i % 3])).collect(),
    ),
    case("nansum", |a, _| a.nansum(0), || columns(i64::wrapping_add)),
    case("take_along_dim", |a, _| a.take_along_dim(index(a, &[-1, 0], [2, 1]), 1), || at(&[2, 3])),
    case(
        "dot",
        |a, b| a.flatten(..).dot(b.flatten(..)),
        || vec![both(i64::wrapping_mul).into_iter().fold(0, i64::wrapping_add)],
    ),
    case(
        "outer",
        |a, _| a.slice(0, ..1).flatten(..).outer(a.slice(0, 1..).flatten(..)),
        || A[..3].iter().flat_map(|a| A[3..].iter().map(|b| a.wrapping_mul(*b))).collect(),
    ),
    case("sum", |a, _| a.sum(0), || columns(i64::wrapping_add)),
    case("sum", |a, _| a.sum(..), || vec![A.into_iter().fold(0, i64::wrapping_add)]),
    case("max", |a, _| a.max(0), || columns(i64::max)),
    case("min", |a, _| a.min(keep(0)), || columns(i64::min)),
    case("prod", |a, _| a.prod(0), || columns(i64::wrapping_mul)),
    case("cumsum", |a, _| a.cumsum(0), || [&A[..3], &columns(i64::wrapping_add)].concat()),
    case("sum_to", |a, _| a.sum_to([3]), || columns(i64::wrapping_add)),
    case("argmax", |a, b| stack(&[a, b], 0).argmax(0), || mask(i64::lt)),
    case("argmin", |a, b| stack(&[a, b], 0).argmin(0), || mask(i64::gt)),
    case(
        "argsort",
        |a, _| a.argsort(0, Order::Ascending),
        || [columns(|x, y| (x > y).into()), columns(|x, y| (x <= y).into())].concat(),
    ),
    case(
        "sort",
        |a, _| a.sort(0, Order::Descending),
        || [columns(i64::max), columns(i64::min)].concat(),
    ),
    case("gather", |a, _| a.gather(1, index(a, &[2, 0], [2, 1])), || at(&[2, 3])),
    case(
        "index_select",
        |a, b| concat(&[a, b], 0).index_select(0, index(a, &[3, 0], [2, 1]).squeeze(1)),
        || at(&[9, 10, 11, 0, 1, 2]),
    ),
    case("embedding", |a, _| a.embedding(index(a, &[1], [1, 1]).squeeze(1)), || at(&[3, 4, 5])),
    case(
        "scatter_add",
        |a, b| a.scatter_add(1, index(a, &[0, 0, 1, 2, 2, 2], [2, 3]), b),
        || {
            let mut y = A;
            for (to, b) in [0, 0, 1, 5, 5, 5].into_iter().zip(B) {
                y[to] = y[to].wrapping_add(b);
            }
            y.to_vec()
        },
    ),
    case("concat", |a, b| concat(&[a, b], 0), || [A, B].concat()),
    case("stack", |a, b| stack(&[a, b], 0), || [A, B].concat()),
    case("pad", |a, _| a.pad(&[(1, 0), (0, 0)], -7.0), || [&[-7; 3], &A[..]].concat()),
    case("shift", |a, _| a.shift(0, 1, -7.0), || [&[-7; 3], &A[..3]].concat()),
    case("reshape", |a, _| a.reshape([6]), || A.to_vec()),
    case("expand", |a, _| a.expand([2, 2, 3]), || [A, A].concat()),
    case("permute", |a, _| a.permute(&[1, 0]), || at(&[0, 3, 1, 4, 2, 5])),
    case("slice", |a, _| a.slice(0, 1..), || at(&[3, 4, 5])),
    case(
        "windows",
        |a, _| a.windows(1, Window { size: 2, stride: 1, dilation: 1 }),
        || at(&[0, 1, 1, 2, 3, 4, 4, 5]),
    ),
    case("flip", |a, _| a.flip(1), || at(&[2, 1, 0, 5, 4, 3])),
    case("diagonal", |a, _| a.diagonal(1, 0, 1), || at(&[1, 5])),
    case("after", |a, b| a.after(b), || A.to_vec()),
    case("matmul", |a, b| a.matmul(b.t()), products),
    case("einsum", |a, b| einsum("ik,jk->ij", &[a, b]), products),
    case(
        "linear",
        |a, b| a.linear(b, None).slice(0, ..1),
        || {
            let dot = |j: usize| {
                (0..3).fold(0_i64, |sum, k| sum.wrapping_add(A[k].wrapping_mul(B[3 * j + k])))
            };
            vec![dot(0), dot(1)]
        },
    ),
    case("max_pool2d", |a, _| a.max_pool2d(Pool::new([2, 1])), || columns(i64::max)),
    case("max_pool1d", |a, _| a.t().max_pool1d(Pool::new([2])).squeeze(1), || columns(i64::max)),
    case(
        "adaptive_max_pool1d",
        |a, _| a.adaptive_max_pool1d(2),
        || [0, 1, 3, 4].map(|i| A[i].max(A[i + 1])).to_vec(),
    ),
    case(
        "adaptive_max_pool2d",
        |a, _| a.adaptive_max_pool2d([1, 2]),
        || [0, 1].map(|i| A[i].max(A[i + 1]).max(A[i + 3]).max(A[i + 4])).to_vec(),
    ),
    case(
        "interpolate",
        |a, _| a.interpolate(Interpolate::size([1, 6])),
        || at(&[0, 0, 1, 1, 2, 2]),
    ),
    case(
        "unfold",
        |a, _| a.unsqueeze(0).unfold(Unfold::new([1, 2])),
        || at(&[0, 1, 3, 4, 1, 2, 4, 5]),
    ),
    case(
        "fold",
        |a, b| stack(&[a, b], 0).reshape([2, 6]).fold([1, 7], Unfold::new([1, 2])).flatten(..),
        || {
            (0..7)
                .map(|i| A.get(i).map_or(0, |a| *a).wrapping_add(if i > 0 { B[i - 1] } else { 0 }))
                .collect()
        },
    ),
    case(
        "pixel_shuffle",
        |a, b| concat(&[a, b], 0).unsqueeze(1).pixel_shuffle(2),
        || at(&[0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]),
    ),
    case(
        "pixel_unshuffle",
        |a, b| concat(&[a, b], 0).slice(1, ..2).unsqueeze(0).pixel_unshuffle(2),
        || at(&[0, 6, 1, 7, 3, 9, 4, 10]),
    ),
];

fn tapes() -> [Tape; 4] {
    [Tape::new(), Tape::f64(), Tape::new().unfused(), Tape::f64().unfused()]
}

fn operands(tape: &Tape) -> [Var<'_>; 2] {
    [A, B].map(|x| tape.constant(Tensor::new([2, 3], x.to_vec()).unwrap()))
}

/// The elements of integers, or of a mask.
fn elements(x: &Tensor) -> Vec<i64> {
    x.to_vec::<i64>().unwrap_or_else(|_| x.to_f64s().into_iter().map(|x| x as i64).collect())
}

#[test]
fn every_op_of_integers_is_exact_and_wraps() {
    for case in CASES {
        for tape in tapes() {
            let [a, b] = operands(&tape);
            let got = (case.record)(a, b).value().unwrap();
            assert_eq!(elements(&got), (case.exact)(), "{} on {}", case.name, tape.dtype());
        }
    }
}

#[test]
fn integers_stay_exact_through_a_program() {
    for tape in tapes() {
        let [a, b] = operands(&tape);
        let x = tape.variable([[0.5, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        // Broadcast, compared, chosen and counted beside floats that are fused.
        let equal = (a - a.slice(0, ..1)).eq(0) * x;
        let chosen = (a.gt(b) * x).sum(1) + equal.sum(1);
        assert_eq!(chosen.value().unwrap().to_f64s(), [0.5 + 2.0 + 3.5, 5.0], "{}", tape.dtype());
        let slope = tape.grad(chosen.sum(..), &[x])[0].value().unwrap().to_f64s();
        assert_eq!(slope, [2.0, 1.0, 2.0, 0.0, 0.0, 1.0]);
    }
}

#[test]
fn what_gives_integers_for_integers_has_a_case() {
    let mut without = Vec::new();
    for row in ops::all() {
        let tape = Tape::new();
        let vars: Vec<Var<'_>> = row
            .inputs
            .iter()
            .map(|sample| match sample {
                Sample::Floats(shape, _) | Sample::Integers(shape, _) => {
                    tape.constant(Tensor::ones(*shape, DType::I64).unwrap())
                }
            })
            .collect();
        let y = (row.record)(&vars);
        let has_case = CASES.iter().any(|case| case.name == row.name);
        if !(y.is_faulty() || y.dtype().is_float() || has_case) {
            without.push(row.name);
        }
    }
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn an_integer_divided_by_0_is_an_error_that_says_where() {
    for tape in tapes() {
        let a = tape.constant(Tensor::from([7_i64, -7]));
        for y in [a.floor_divide(0), a.trunc_divide(0), a.remainder(0), a.fmod(0)] {
            let error = y.value().unwrap_err().to_string();
            assert!(error.contains("the divisor at [0] is 0"), "{error}");
        }
        assert_eq!((a / 0).value().unwrap().to_f64s(), [f64::INFINITY, f64::NEG_INFINITY]);
        assert_eq!(a.remainder(3).value().unwrap(), Tensor::from([1_i64, 2]));
        assert_eq!(a.remainder(2.5).value().unwrap().to_f64s(), [2.0, 0.5]);
    }
}

#[test]
fn beside_floats_integers_become_floats() {
    for tape in tapes() {
        let x = tape.constant(Tensor::from([3_i64, 5]));
        for y in [x * 0.5, 1.0 - x, x / 2, x + tape.constant([0.5, 0.5]), x.pow(2), x.sqrt()] {
            assert_eq!(y.dtype(), tape.dtype());
        }
        assert_eq!((x / 2).value().unwrap().to_f64s(), [1.5, 2.5]);
        assert_eq!(x.clamp(0.0, 3.5).value().unwrap().to_f64s(), [3.0, 3.5]);
        assert_eq!(x.pad(&[(0, 1)], 0.5).value().unwrap().to_f64s(), [3.0, 5.0, 0.5]);
        assert_eq!(x.gt(0).select(x, 0.5).value().unwrap().to_f64s(), [3.0, 5.0]);
        assert_eq!(x.lt(3.5).value().unwrap().to_f64s(), [1.0, 0.0]);
    }
}

#[test]
fn the_mean_and_the_variance_of_integers_are_floats_that_no_sum_wraps() {
    for tape in tapes() {
        let mean = |x: Vec<i64>| tape.constant(Tensor::from(x)).mean(..).item().unwrap();
        assert_eq!(mean(vec![i64::MAX; 4]), i64::MAX as f64);
        assert_eq!(mean(vec![16_777_217, -16_777_216]), 0.5);
        let var = |x: Vec<i64>| tape.constant(Tensor::from(x)).var(.., 0.0).item().unwrap();
        assert_eq!(var(vec![(1 << 60) + 1, (1 << 60) + 3]), 1.0);
        assert_eq!(var(vec![i64::MIN, i64::MAX]), 2_f64.powi(126));
    }
}

#[test]
fn no_slope_flows_into_integers() {
    for tape in tapes() {
        let (x, n) = (tape.variable([2.0, 3.0]), tape.constant(Tensor::from([4_i64, 5])));
        let loss = (x * (n * n + 1)).sum(..) + n.sum(..);
        let gradients = loss.backward().unwrap();
        assert_eq!(gradients.of(x).unwrap().to_f64s(), [17.0, 26.0]);
        assert!(gradients.of(n).is_none());
    }
}
