//! Integers are computed as integers: exactly for all of `i64`, on tapes of every float type, fused
//! or not, and with results that wrap.

use lossgraph_autograd::ops::table::Sample;
use lossgraph_autograd::{Tape, Var, concat, einsum, keep, ops, stack};
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
    case("diagonal", |a, _| a.diagonal(0, 1), || at(&[0, 4])),
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
    case(
        "max_pool2d",
        |a, _| a.max_pool2d(lossgraph_autograd::Pool::new([2, 1])),
        || columns(i64::max),
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
    for row in ops::ALL {
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
        assert!(y.is_faulty() || y.dtype().is_float() || has_case, "{}", row.name);
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
