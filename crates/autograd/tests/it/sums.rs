//! Whatever adds up many terms, by which op and along which axis: its error does not grow with
//! their number.

use lossgraph_autograd::{Pool, Tape, Var, keep};
use lossgraph_tensor::{DType, Tensor, Window};

/// A term. All are equal, so that roundings do not average out.
const TERM: f64 = 0.1;

fn terms<'t>(tape: &'t Tape, shape: &[usize]) -> Var<'t> {
    tape.variable(Tensor::full(shape, TERM, DType::F64).unwrap())
}

fn zeros<'t>(tape: &'t Tape, shape: &[usize]) -> Var<'t> {
    tape.constant(Tensor::zeros(shape, DType::I64).unwrap())
}

type Record = for<'t> fn(&'t Tape, usize) -> Var<'t>;

/// How many ulps a sum may be off by, and a product, which adds up some hundred terms from left to
/// right.
const SUM: f64 = 16.0;
const PRODUCT: f64 = 100.0;

/// What gives the sum of n terms, as some of its elements.
const SUMS: &[(&str, f64, Record)] = &[
    ("sum", SUM, |t, n| terms(t, &[n]).sum(..)),
    ("sum of a map", SUM, |t, n| (terms(t, &[n]) * terms(t, &[n]) / TERM).sum(..)),
    ("sum along rows", SUM, |t, n| terms(t, &[3, n]).sum(1)),
    ("sum along rows in a tile", SUM, |t, n| {
        let x = terms(t, &[n / 100_000, 100_000]);
        (x * x.max(keep(1)) / TERM).sum(1).sum(0)
    }),
    ("sum along columns", SUM, |t, n| terms(t, &[n, 3]).sum(0)),
    ("sum of a map along columns", SUM, |t, n| (terms(t, &[n, 3]) * terms(t, &[3])).sum(0) / TERM),
    ("sum along many columns", SUM, |t, n| terms(t, &[n / 500, 500]).sum(0).sum(..)),
    ("sum along the middle", SUM, |t, n| terms(t, &[2, n / 2, 2]).sum([0, 1])),
    ("cumsum", SUM, |t, n| terms(t, &[n]).cumsum(0).slice(0, -1..)),
    ("cumsum of columns", SUM, |t, n| terms(t, &[n, 2]).cumsum(0).slice(0, -1..)),
    ("slope of cumsum", SUM, |t, n| {
        let x = terms(t, &[n]);
        t.grad((x.cumsum(0) * TERM).sum(..), &[x])[0].slice(0, ..1)
    }),
    ("cumsum of a transpose", SUM, |t, n| terms(t, &[2, n]).t().cumsum(0).slice(0, -1..)),
    ("scatter_add", SUM, |t, n| {
        zeros(t, &[2]).to_float().scatter_add(0, zeros(t, &[n]), terms(t, &[n])).slice(0, ..1)
    }),
    ("scatter_add of rows", SUM, |t, n| {
        let (index, x) = (zeros(t, &[2, n]), terms(t, &[2, n]));
        zeros(t, &[2, 3]).to_float().scatter_add(1, index, x).slice(1, ..1)
    }),
    ("slope of gather", SUM, |t, n| {
        let x = terms(t, &[2]);
        t.grad((x.gather(0, zeros(t, &[n])) * TERM).sum(..), &[x])[0].slice(0, ..1)
    }),
    ("slope of index_select", SUM, |t, n| {
        let x = terms(t, &[2, 3]);
        t.grad((x.index_select(0, zeros(t, &[n])) * TERM).sum(..), &[x])[0].slice(0, ..1)
    }),
    ("slope of broadcasting", SUM, |t, n| {
        let x = terms(t, &[1, 2]);
        t.grad((x * terms(t, &[n, 2])).sum(..), &[x])[0]
    }),
    ("matmul", PRODUCT, |t, n| terms(t, &[2, n]).matmul(terms(t, &[n, 2])) / TERM),
    ("slope of a weight", PRODUCT, |t, n| {
        let w = terms(t, &[2, 3]);
        t.grad(terms(t, &[n, 3]).linear(w, None).sum(..), &[w])[0]
    }),
    ("avg_pool2d", SUM, |t, n| {
        let pool = Pool::new([n / 1000, 1000]);
        terms(t, &[1, 1, n / 1000, 1000]).avg_pool2d(pool) * n as f64
    }),
    ("slope of a kernel", PRODUCT, |t, n| {
        let w = terms(t, &[1, 1, 1, 1]);
        let x = terms(t, &[2, 1, n / 2000, 1000]);
        t.grad(x.conv2d(w, None, Default::default()).sum(..), &[w])[0]
    }),
    ("slope of a bias", SUM, |t, n| {
        let (w, b) = (terms(t, &[1, 1, 1, 1]), terms(t, &[1]));
        let x = terms(t, &[2, 1, n / 2000, 1000]);
        t.grad((x.conv2d(w, Some(b), Default::default()) * TERM).sum(..), &[b])[0]
    }),
    ("slope of windows", SUM, |t, n| {
        let x = terms(t, &[n / 1000 + 999]);
        let window = Window { size: 1000, stride: 1, dilation: 1 };
        let windows = x.windows(0, window) * TERM;
        t.grad(windows.sum(..), &[x])[0].slice(0, 999..1000) * (n / 1000) as f64
    }),
    ("mean", SUM, |t, n| terms(t, &[n]).mean(..) * n as f64),
];

#[test]
fn the_error_of_a_sum_does_not_grow_with_the_number_of_its_terms() {
    const N: usize = 3_000_000;
    for (name, ulps, record) in SUMS {
        for tape in [Tape::new(), Tape::new().unfused(), Tape::f64(), Tape::f64().unfused()] {
            let (term, epsilon) = match tape.dtype() {
                DType::F32 => (f64::from(TERM as f32), f64::from(f32::EPSILON)),
                _ => (TERM, f64::EPSILON),
            };
            let sum = record(&tape, N).value().unwrap().to_f64s()[0];
            let error = (sum / (term * N as f64) - 1.0).abs();
            assert!(error <= ulps * epsilon, "{name} on {}: {error:e}", tape.dtype());
        }
    }
}
