//! Slopes where they are infinite, or where there is none: beside a choice, at the ends of domains,
//! at infinity, at the zero vector.

use lossgraph_autograd::{Tape, Var, concat, keep, ops, stack};
use lossgraph_tensor::{DType, Tensor};

type Formula = for<'t> fn(Var<'t>) -> Var<'t>;

/// First and second derivatives of the sum of `f`, element by element, fused and as written, by
/// reverse and by forward mode.
fn slopes(x: &[f64], f: impl for<'t> Fn(Var<'t>) -> Var<'t>) -> [Vec<f64>; 2] {
    let run = |tape: Tape| {
        let x = tape.variable(x.to_vec());
        let first = tape.grad(f(x).sum(..), &[x])[0];
        let second = tape.grad(first.sum(..), &[x])[0];
        let one = tape.fill(x.shape(), 1.0);
        let moved = tape.jvp(f(x).sum(..), &[x], &[one]);
        let values = tape.eval(&[first, second, tape.jvp(first, &[x], &[one]), moved]).unwrap();
        let values: Vec<Vec<f64>> = values.iter().map(Tensor::to_f64s).collect();
        assert_same(&values[1], &values[2]);
        assert_same(&[values[0].iter().sum()], &values[3]);
        [values[0].clone(), values[1].clone()]
    };
    let (fused, unfused) = (run(Tape::f64()), run(Tape::f64().unfused()));
    assert_same(&fused[0], &unfused[0]);
    assert_same(&fused[1], &unfused[1]);
    fused
}

#[track_caller]
fn assert_same(a: &[f64], b: &[f64]) {
    let alike = |(a, b): (&f64, &f64)| {
        let scale = a.abs().max(b.abs()).max(1.0);
        a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * scale
    };
    assert!(a.len() == b.len() && a.iter().zip(b).all(alike), "{a:?} and {b:?}");
}

/// What is steep at 0, each element by itself.
const STEEP: [(&str, Formula); 22] = [
    ("sqrt", |x| x.sqrt()),
    ("rsqrt", |x| x.rsqrt()),
    ("ln", |x| x.ln()),
    ("log2", |x| x.log2()),
    ("recip", |x| x.recip()),
    ("powf", |x| x.powf(0.3)),
    ("powf, negative", |x| x.powf(-1.5)),
    ("pow", |x| x.pow(x - 1.0)),
    ("pow of a number", |x| x.pow(-0.5)),
    ("quotient", |x| x.cos() / x),
    ("ln_1p", |x| (x - 1.0).ln_1p()),
    ("acos", |x| (1.0 - x * 0.1).acos()),
    ("asin", |x| (1.0 - x * 0.1).asin()),
    ("ln of sqrt", |x| x.sqrt().ln()),
    ("sqrt of ln", |x| (x.ln() + 1.0).sqrt()),
    ("product", |x| x * x.ln()),
    ("NaN", |x| (x - 1.0).sqrt() * x),
    ("twice", |x| x.sqrt() + x.ln() * x.recip()),
    ("overflow", |x| (x * 1e-3).recip().exp().square()),
    ("sum", |x| stack(&[x.sqrt(), x.ln()], 1).sum(1).exp()),
    ("views", |x| {
        let rows = concat(&[x.sqrt().unsqueeze(0), x.ln().unsqueeze(0)], 0);
        rows.t().flip(1).cumsum(1).slice(1, 1..).squeeze(1).recip()
    }),
    ("max", |x| stack(&[x.sqrt(), x.ln()], 1).max(keep(1)).squeeze(1).ln()),
];

#[test]
fn the_side_that_is_not_chosen_has_slope_0_however_steep_it_is() {
    for (name, f) in STEEP {
        for x in [&[0.0][..], &[0.0, 3.0]] {
            let ways: [[Vec<f64>; 2]; 5] = [
                slopes(x, |x| x.gt(0.0).select(f(x), 0.0)),
                slopes(x, |x| x.le(0.0).select(0.0, f(x))),
                slopes(x, |x| x.gt(0.0).select(f(x), 7.0).clamp(-1e9, 1e9).exp()),
                slopes(x, |x| x.gt(0.0).select(x.ge(0.0).select(f(x), 1.0), f(x + 3.0) * 0.0)),
                slopes(x, |x| (x.gt(0.0).select(f(x), 1.0) * 2.0).square().sum(..)),
            ];
            for (way, [first, second]) in ways.iter().enumerate() {
                assert_eq!((first[0], second[0]), (0.0, 0.0), "{name} at {x:?}, way {way}");
            }
            let [first, second] = slopes(x, |x| x.gt(0.0).select(f(x), x * 3.0));
            assert_eq!((first[0], second[0]), (3.0, 0.0), "{name} at {x:?}");
            // Where it is chosen, it has the slopes that it has alone.
            if let Some(&at) = x.get(1) {
                let alone = slopes(&[at], f);
                let chosen = slopes(x, |x| x.gt(0.0).select(f(x), 0.0));
                assert_same(&[chosen[0][1], chosen[1][1]], &[alone[0][0], alone[1][0]]);
            }
        }
    }
}

#[test]
fn what_is_broadcast_into_a_side_that_is_not_chosen_gets_slope_0() {
    let tape = Tape::f64();
    let (x, mask) = (tape.variable(0.0), tape.constant([[0.0, 0.0], [0.0, 0.0]]));
    let y = mask.select(x.ln(), 0.0).sum(..);
    let first = tape.grad(y, &[x])[0];
    assert_eq!((first.item().unwrap(), tape.grad(first, &[x])[0].item().unwrap()), (0.0, 0.0));
}

#[test]
fn what_a_clamp_holds_back_has_slope_0_however_steep_it_is() {
    assert_eq!(slopes(&[0.0], |x| x.ln().clamp(-100.0, 0.0)), [[0.0], [0.0]]);
    assert_eq!(slopes(&[1000.0], |x| x.exp().clamp(0.0, 10.0)), [[0.0], [0.0]]);
}

#[test]
fn a_chosen_side_keeps_the_slope_that_it_has() {
    // √x squared has no slope by the chain rule at 0, and a choice that takes it gives it none.
    let alone = slopes(&[0.0], |x| x.sqrt().square());
    let chosen = slopes(&[0.0], |x| x.ge(0.0).select(x.sqrt().square(), 0.0));
    assert!(alone[0][0].is_nan() && chosen[0][0].is_nan());
    assert_eq!(slopes(&[0.0], |x| x.ge(0.0).select(x.sqrt(), 0.0))[0], [f64::INFINITY]);
}

#[test]
fn a_choice_of_what_is_not_steep_costs_no_second_choice() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, -2.0]);
    let y = x.gt(0.0).select(-(x * 2.0 + 1.0).relu(), x.abs()).sum(..);
    let plan = tape.plan(&tape.grad(y, &[x])).unwrap().to_string();
    assert!(plan.matches("select").count() <= 2, "{plan}");
}

/// The slopes of a norm, by the formula: `sign(x) (|x|/N)^(p − 1)`, and 0 where x is 0.
fn norm_slopes(x: &[f64], p: f64) -> Vec<f64> {
    let norm = match p {
        f64::INFINITY => x.iter().fold(0.0, |most: f64, x| most.max(x.abs())),
        f64::NEG_INFINITY => x.iter().fold(f64::INFINITY, |least: f64, x| least.min(x.abs())),
        _ => x.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p),
    };
    let tied = x.iter().filter(|x| x.abs() == norm).count() as f64;
    let slope = |&x: &f64| match p {
        _ if x == 0.0 || p == 0.0 => 0.0,
        _ if p.is_infinite() => f64::from(x.abs() == norm) * x.signum() / tied,
        _ if norm == 0.0 => 0.0,
        _ => x.signum() * (x.abs() / norm).powf(p - 1.0),
    };
    x.iter().map(slope).collect()
}

const ORDERS: [f64; 16] = [
    f64::NEG_INFINITY,
    -3.0,
    -2.0,
    -1.0,
    -0.5,
    0.0,
    0.25,
    0.5,
    0.9,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    4.0,
    f64::INFINITY,
];

#[test]
fn a_norm_has_slope_0_in_elements_that_are_0_for_every_order() {
    for p in ORDERS {
        for x in [
            &[0.0, 1.0][..],
            &[0.0, 0.0],
            &[0.0],
            &[2.0],
            &[-3.0, 0.0, 4.0],
            &[1.0, -2.0, 2.0],
            &[0.0, 0.0, 1e-3],
            &[5.0, 1.0],
            &[-0.0, -1.0],
        ] {
            let tape = Tape::f64();
            let v = tape.variable(x.to_vec());
            let norm = v.norm(p, ..);
            let slope = tape.grad(norm, &[v])[0];
            assert_same(&slope.value().unwrap().to_f64s(), &norm_slopes(x, p));
            let hessian = tape.hessian(norm, v).value().unwrap().to_f64s();
            assert!(hessian.iter().all(|x| x.is_finite()), "p {p} of {x:?}: {hessian:?}");
            if x.iter().all(|&x| x == 0.0) {
                assert!(hessian.iter().all(|&x| x == 0.0), "p {p} of {x:?}: {hessian:?}");
            }
            let unit = v.normalize(p, 0, 1e-12);
            let through = tape.grad((unit * unit).sum(..), &[v])[0].value().unwrap().to_f64s();
            assert!(through.iter().all(|x| x.is_finite()), "p {p} of {x:?}: {through:?}");
        }
    }
}

#[test]
fn a_norm_that_is_finite_neither_overflows_nor_underflows_on_the_way() {
    for dtype in [DType::F32, DType::F64] {
        let scales: &[f64] = match dtype {
            DType::F32 => &[1e30, 3e37, 1e20, 1.0, 1e-20, 1e-30, 1e-37],
            _ => &[1e200, 1e300, 3e307, 1.0, 1e-200, 1e-300],
        };
        for &scale in scales {
            for p in ORDERS {
                let tape = Tape::with_dtype(dtype);
                let x = tape.variable([scale, -scale, 2.0 * scale]);
                let small =
                    [1.0_f64, 1.0, 2.0].map(|x| x.powf(p)).iter().sum::<f64>().powf(1.0 / p);
                let expected = match p {
                    0.0 => 3.0,
                    f64::INFINITY => 2.0 * scale,
                    f64::NEG_INFINITY => scale,
                    _ => small * scale,
                };
                let norm = x.norm(p, 0);
                let (got, off) =
                    (norm.item().unwrap(), if dtype == DType::F32 { 1e-5 } else { 1e-12 });
                let largest = if dtype == DType::F32 { 3.4e38 } else { f64::MAX };
                if expected < largest {
                    assert!(
                        (got / expected - 1.0).abs() < off,
                        "p {p} of {scale}: {got}, not {expected}"
                    );
                    let slope = tape.grad(norm, &[x])[0].value().unwrap().to_f64s();
                    let right = norm_slopes(&[1.0, -1.0, 2.0], p);
                    let close = slope.iter().zip(&right).all(|(a, b)| (a - b).abs() < 10.0 * off);
                    assert!(close, "p {p} of {scale}: {slope:?}, not {right:?}");
                }
            }
        }
    }
}

#[test]
fn norms_of_infinite_and_missing_elements_are_what_they_were() {
    let tape = Tape::f64();
    let x = tape.constant([1.0, f64::NEG_INFINITY]);
    assert_eq!(
        (x.norm(2.0, 0).item().unwrap(), x.norm(3.0, 0).item().unwrap()),
        (f64::INFINITY, f64::INFINITY)
    );
    assert!((x.norm(-1.0, 0).item().unwrap() - 1.0).abs() < 1e-12);
    assert!(tape.constant([1.0, f64::NAN]).norm(2.0, 0).item().unwrap().is_nan());
    let empty = tape.constant(Tensor::zeros([0, 2], DType::F64).unwrap());
    assert_eq!(empty.norm(2.0, 1).value().unwrap().len(), 0);
    assert_eq!(empty.norm(2.0, 0).value().unwrap().to_f64s(), [0.0, 0.0]);
    assert_eq!(tape.constant([3.0, 4.0]).norm(2.0, keep(0)).value().unwrap().to_f64s(), [5.0]);
}

#[test]
fn a_power_has_the_slopes_of_the_table_at_base_0() {
    let inf = f64::INFINITY;
    // b, then the slopes by a, by b, by a twice, by b twice, and by both in either order.
    for (b, expected) in [
        (0.0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (0.5, [inf, 0.0, -inf, 0.0, 0.0, 0.0]),
        (1.0, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (1.5, [0.0, 0.0, inf, 0.0, 0.0, 0.0]),
        (2.0, [0.0, 0.0, 2.0, 0.0, 0.0, 0.0]),
        (3.0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (-1.0, [-inf, -inf, inf, inf, inf, inf]),
    ] {
        for tape in [Tape::f64(), Tape::f64().unfused()] {
            let [x, y] = [0.0, b].map(|x| tape.variable([x]));
            let first = tape.grad(x.pow(y).sum(..), &[x, y]);
            let [by_a, by_b] = [first[0], first[1]].map(|slope| tape.grad(slope.sum(..), &[x, y]));
            let all = [first[0], first[1], by_a[0], by_b[1], by_a[1], by_b[0]];
            let all = tape.eval(&all).unwrap();
            let all: Vec<f64> = all.iter().map(|x| x.to_f64s()[0]).collect();
            assert_eq!(all, expected, "b = {b}");
            // A number as the exponent gives the same, and so does powf.
            for power in [x.pow(b), x.powf(b)] {
                let first = tape.grad(power.sum(..), &[x])[0];
                let second = tape.grad(first.sum(..), &[x])[0];
                let got = [first.sum(..).item().unwrap(), second.sum(..).item().unwrap()];
                assert_eq!(got, [expected[0], expected[2]], "b = {b}");
            }
        }
    }
}

/// The points where something may be special, of both float types.
fn special(dtype: DType) -> Vec<f64> {
    let positive = match dtype {
        DType::F32 => {
            [1e-45, 1e-38, 1e-20, 0.5, 1.0, 2.0, 100.0, 1e19, 1e20, 3.4e38, f64::INFINITY]
        }
        _ => [5e-324, 1e-308, 1e-200, 0.5, 1.0, 2.0, 1e3, 1e154, 1e200, 1.7e308, f64::INFINITY],
    };
    let negative = positive.iter().map(|x| -x);
    negative.chain([-0.0, 0.0]).chain(positive.iter().copied()).collect()
}

/// Value, first and second slope of an element-wise op of one operand.
fn at(row: &ops::Row, dtype: DType, x: &[f64]) -> [Vec<f64>; 3] {
    let tape = Tape::with_dtype(dtype);
    let x = tape.variable(x.to_vec());
    let y = (row.record)(&[x]);
    let first = tape.grad(y.sum(..), &[x])[0];
    let second = tape.grad(first.sum(..), &[x])[0];
    let values = tape.eval(&[y, first, second]).unwrap();
    [0, 1, 2].map(|i| values[i].to_f64s())
}

#[test]
fn where_an_op_of_one_operand_has_a_value_its_slopes_are_numbers() {
    for row in ops::all().filter(|row| row.family == "unary") {
        for dtype in [DType::F32, DType::F64] {
            let mut points = special(dtype);
            points.extend(row.kinks.iter().map(|kink| kink.input[0]));
            let [values, first, second] = at(row, dtype, &points);
            for (i, x) in points.iter().enumerate() {
                let (name, slopes) = (row.name, (first[i], second[i]));
                if !values[i].is_nan() {
                    let numbers = !first[i].is_nan() && !second[i].is_nan();
                    assert!(numbers, "{name} at {x:e} in {dtype}: {slopes:?}");
                }
            }
        }
    }
}

#[test]
fn where_an_op_of_two_operands_has_a_value_its_slopes_are_numbers() {
    for row in ops::all().filter(|row| row.family == "binary") {
        let points = special(DType::F64);
        let pairs = points.iter().flat_map(|&a| points.iter().map(move |&b| (a, b)));
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
        let tape = Tape::f64();
        let [x, y] = [&a, &b].map(|x| tape.variable(x.clone()));
        let z = (row.record)(&[x, y]);
        let first = tape.grad(z.sum(..), &[x, y]);
        let values = tape.eval(&[z, first[0], first[1]]).unwrap();
        let values: Vec<Vec<f64>> = values.iter().map(Tensor::to_f64s).collect();
        for i in 0..a.len() {
            // A power with an infinite exponent has no slope.
            if values[0][i].is_nan() || (row.name == "pow" && b[i].is_infinite()) {
                continue;
            }
            let [by_a, by_b] = [values[1][i], values[2][i]];
            // A negative base has slopes in the exponent at no exponent.
            let by_b_exists = row.name != "pow" || a[i] >= 0.0;
            assert!(!by_a.is_nan(), "{} at {:e}, {:e}: {by_a} and {by_b}", row.name, a[i], b[i]);
            let fine = !by_b.is_nan() || !by_b_exists;
            assert!(fine, "{} at {:e}, {:e}: {by_a} and {by_b}", row.name, a[i], b[i]);
        }
    }
}

#[test]
fn the_angle_of_a_point_far_away_or_near_has_the_slopes_of_one_at_hand() {
    for scale in [1e-300, 1e-200, 1.0, 1e200, 1e300] {
        let tape = Tape::f64();
        let [a, b] = [3.0, 4.0].map(|x| tape.variable(x * scale));
        let slopes = tape.grad(a.atan2(b), &[a, b]);
        let [by_a, by_b] = [slopes[0], slopes[1]].map(|slope| slope.item().unwrap() * scale);
        assert_same(&[by_a, by_b], &[0.16, -0.12]);
    }
}

#[test]
fn elu_has_the_digits_of_its_slope_far_below_0() {
    let tape = Tape::new();
    let x = tape.variable([-17.0_f32, -10.0]);
    let slope = tape.grad(x.elu(1.0).sum(..), &[x])[0].value().unwrap().to_f64s();
    for (slope, exact) in slope.into_iter().zip([-17.0_f64, -10.0].map(f64::exp)) {
        assert!((slope / exact - 1.0).abs() < 1e-6, "{slope} {exact}");
    }
}
