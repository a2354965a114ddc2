//! What plans rewrite, on all numbers that are extreme: the same bits as without.

use lossgraph_autograd::ops::table::Sample;
use lossgraph_autograd::{Plan, Pool, Tape, Var, ops};
use lossgraph_tensor::{DType, Shape, Tensor};

/// Zeros of both signs, what overflows and underflows in a float type, infinities and NaN.
fn extremes(dtype: DType) -> [f64; 18] {
    let [vast, largest, least, tiny, small, large, wide] = match dtype {
        DType::F32 => [1e38, 3e38, 2e-38, 1e-40, 1e-20, 1e20, 1e19],
        _ => [1e308, 1.7e308, 3e-308, 1e-310, 1e-160, 1e160, 1e150],
    };
    let finite = [vast, -vast, largest, least, tiny, -3.0 * tiny, small, large, -wide];
    let [a, b, c, d, e, f, g, h, i] = finite;
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    [0.0, -0.0, 1.0, -1.0, 2.5, -3.0, a, b, c, d, e, f, g, h, i, inf, -inf, nan]
}

/// The left side of an equation for all triples of extreme numbers, and the equations that were
/// applied to it.
fn run(tape: Tape, left: for<'t> fn([Var<'t>; 3]) -> Var<'t>) -> (Vec<f64>, Vec<&'static str>) {
    let numbers = extremes(tape.dtype());
    let n = numbers.len();
    let of = |shape: [usize; 2], at: &dyn Fn(usize, usize) -> usize| {
        let [rows, columns] = shape;
        let data = (0..rows * columns).map(|i| numbers[at(i / columns, i % columns)]).collect();
        tape.constant(Tensor::new(shape, data).unwrap())
    };
    let x = of([n, n * n], &|_, column| column / n);
    let y = of([n, n * n], &|_, column| column % n);
    let result = left([x, y, of([n, 1], &|row, _| row)]);
    let applied = tape.plan(&[result]).unwrap().rewrites().to_vec();
    (result.value().unwrap().to_f64s(), applied)
}

#[test]
fn every_rewrite_gives_the_same_bits_for_all_extreme_numbers() {
    for equation in Plan::equations() {
        let (text, left) = (equation.text, equation.left);
        for dtype in [DType::F32, DType::F64] {
            let (rewritten, applied) = run(Tape::with_dtype(dtype), left);
            let (written, _) = run(Tape::with_dtype(dtype).unfused(), left);
            assert!(applied.contains(&text), "{text} is not applied, but {applied:?}");
            for (a, b) in rewritten.iter().zip(&written) {
                let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                assert!(same, "{text} in {dtype}: {a:e} instead of {b:e}");
            }
        }
    }
}

#[test]
fn what_could_overflow_or_lose_a_sign_is_left_as_it_was_written() {
    let lefts: [for<'t> fn([Var<'t>; 3]) -> Var<'t>; 8] = [
        |[x, ..]| x + 0.0,
        |[x, ..]| 0.0 - x,
        |[x, ..]| x - -0.0,
        |[x, y, _]| -(x - y),
        |[x, _, s]| x / s,
        |[x, ..]| x / 3.0,
        |[x, ..]| (x * 4.0) * 0.125,
        |[x, ..]| x / if x.dtype() == DType::F32 { 2_f64.powi(-127) } else { 1e-323 },
    ];
    for left in lefts {
        for dtype in [DType::F32, DType::F64] {
            let (fused, applied) = run(Tape::with_dtype(dtype), left);
            let (written, _) = run(Tape::with_dtype(dtype).unfused(), left);
            let bits = |x: &[f64]| -> Vec<Option<u64>> {
                x.iter().map(|x| (!x.is_nan()).then_some(x.to_bits())).collect()
            };
            assert!(applied.is_empty() && bits(&fused) == bits(&written), "{applied:?}");
        }
    }
}

/// Holds what plans know of the signs of a node against its values: only to what may be −0 they
/// add 0, after which nothing is −0. A product with 0, and the quotient of a number, are −0 where the
/// node is negative, be it infinite.
fn check_signs(of: &str, tape: &Tape) {
    for node in (0..tape.len()).filter_map(|id| tape.var(id)) {
        if !node.dtype().is_float() {
            continue;
        }
        let sums = [node + 0.0, node * 0.0 + 0.0, 2.0 / node + 0.0];
        // A matrix of such numbers may have no factor.
        let Ok(sums) = tape.eval(&sums) else { continue };
        for x in sums.iter().flat_map(Tensor::to_f64s) {
            assert!(x.to_bits() != (-0.0_f64).to_bits(), "{of}: {node:?} plus 0 is −0");
        }
    }
}

#[test]
fn what_is_known_of_signs_holds_for_every_op_on_extreme_numbers() {
    for dtype in [DType::F32, DType::F64] {
        let numbers: Vec<f64> = extremes(dtype).into_iter().chain([-90.0, 800.0, -800.0]).collect();
        let count = numbers.len();
        for (row, start) in ops::all().flat_map(|row| (0..count).map(move |n| (row, n))) {
            for positive in [false, true] {
                let tape = Tape::with_dtype(dtype);
                let input = |(i, sample): (usize, &Sample)| match *sample {
                    Sample::Floats(shape, _) => {
                        let len = Shape::from(shape).numel();
                        let at = |n: usize| numbers[(start + n * (i + 1)) % count];
                        let x =
                            tape.constant(Tensor::new(shape, (0..len).map(at).collect()).unwrap());
                        if positive { x.abs() } else { x }
                    }
                    Sample::Integers(shape, bound) => {
                        let len = Shape::from(shape).numel();
                        let data: Vec<i64> = (0..len).map(|n| (n % bound) as i64).collect();
                        tape.constant(Tensor::new(shape, data).unwrap())
                    }
                };
                let inputs: Vec<Var<'_>> = row.inputs.iter().enumerate().map(input).collect();
                if !(row.record)(&inputs).is_faulty() {
                    check_signs(row.name, &tape);
                }
            }
        }
    }
}

/// The slopes of a max pooling of what a function makes of x, bit by bit, and whether a mask went before its
/// scatter.
fn pooled_slopes(
    tape: &Tape,
    pool: Pool<2>,
    of: for<'t> fn(Var<'t>) -> Var<'t>,
) -> (Vec<u64>, bool) {
    const MASKED: &str =
        "scatter(g, i) · (x ≠ 0) = scatter(g · (x[i] ≠ 0), i) for an i without repeats";
    let numbers = extremes(tape.dtype());
    let of_numbers = |shape: &[usize], step: usize| {
        let data = (0..shape.iter().product()).map(|i| numbers[i * step % numbers.len()]).collect();
        tape.constant(Tensor::new(shape, data).unwrap())
    };
    let x = of_numbers(&[2, 3, 8, 9], 5);
    let y = of(x).max_pool2d(pool);
    let slopes = tape.vjp(y, of_numbers(&y.shape(), 7), &[x]);
    let masked = tape.plan(&slopes).unwrap().rewrites().contains(&MASKED);
    let bits = |x: f64| if x.is_nan() { u64::MAX } else { x.to_bits() };
    (slopes[0].value().unwrap().to_f64s().into_iter().map(bits).collect(), masked)
}

#[test]
fn a_mask_goes_before_the_scatter_of_windows_that_do_not_overlap_and_of_no_other() {
    let two = || Pool::new([2, 2]);
    for (pool, expected) in [
        (two(), true),
        (Pool { padding: [1, 1], ..two() }, true),
        (Pool::new([1, 3]), true),
        (Pool { stride: [3, 2], ..two() }, true),
        (Pool { stride: [2, 1], ..two() }, false),
        (Pool { size: [3, 3], ..two() }, false),
        (Pool { dilation: [1, 2], ..two() }, false),
        (Pool::new([1, 1]), false),
    ] {
        for dtype in [DType::F32, DType::F64] {
            let [relu, leaky]: [for<'t> fn(Var<'t>) -> Var<'t>; 2] =
                [|x| x.relu(), |x| x.leaky_relu(0.1)];
            let (slopes, masked) = pooled_slopes(&Tape::with_dtype(dtype), pool, relu);
            let (written, _) = pooled_slopes(&Tape::with_dtype(dtype).unfused(), pool, relu);
            assert_eq!((masked, slopes), (expected, written), "{pool:?}");
            assert!(!pooled_slopes(&Tape::with_dtype(dtype), pool, leaky).1);
        }
    }
}

#[test]
fn a_mask_stays_behind_what_is_scattered_elsewhere() {
    let tape = Tape::f64();
    let planes = |shape: [usize; 3]| {
        let count = shape.iter().product();
        tape.constant(Tensor::arange(count, DType::F64).unwrap().reshape(shape).unwrap())
    };
    fn indices(x: Var<'_>) -> Var<'_> {
        x.max_pool2d_with_indices(Pool::new([2, 2])).1
    }
    let x = planes([2, 6, 6]);
    let at = indices(x);
    let goes_before = |shape: [usize; 2], axis: isize, index: Var<'_>| {
        let y = (x - 30.0).relu().reshape(shape).gather(axis, index);
        let slopes = tape.vjp(y, y.sin(), &[x]);
        tape.plan(&slopes).unwrap().rewrites().iter().any(|text| text.starts_with("scatter"))
    };
    assert!(goes_before([2, 36], -1, at.reshape([2, 9])));
    // Rows of two planes are one row; another axis; indices into a smaller plane.
    assert!(!goes_before([1, 72], -1, at.reshape([1, 18])));
    assert!(!goes_before([36, 2], 0, at.reshape([9, 2])));
    assert!(!goes_before([2, 36], -1, indices(planes([2, 4, 4])).reshape([2, 4])));
}
