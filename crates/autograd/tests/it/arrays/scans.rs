use lossgraph_autograd::Tape;
use lossgraph_tensor::{DType, Tensor};

use super::{assert_close, derived, refused, slope};

// From torch 2.15, but for the second slopes where two factors are 0, which it has, too.
#[test]
fn slopes_of_running_products_are_right_where_factors_are_0() {
    let [y, g, h] = derived(|x| x.cumprod(0), [2.0, 0.0, 3.0, 4.0]);
    assert_eq!(y, [2.0, 0.0, 0.0, 0.0]);
    assert_close(&g, &[3.0, -9.566819278426, 0.0, 0.0]);
    assert_close(&h, &[-3.508071091582, 557.872547693369, -3.363340739477, -2.754331583134]);
    let [_, g, h] = derived(|x| x.cumprod(0), [2.0, 0.0, 3.0, 0.0, 5.0]);
    assert_close(&g, &[3.0, 2.54948723197, 0.0, 0.0, 0.0]);
    let expected = [2.000592074686, 61.177227674933, 0.309101371368, -28.457142079164, 0.0];
    assert_close(&h, &expected);
    let [_, g, h] = derived(|x| x.cumprod(0), [1.5, -2.0, 0.5, 3.0]);
    assert_close(&g, &[23.31488679633, -15.611165097248, 49.033713512698, 7.5072691569]);
    assert_close(&h, &[-4.735618688275, -11.672340517113, 1.119714454087, 3.837169395344]);
}

#[test]
fn running_products_go_along_every_axis_and_those_of_integers_wrap() {
    let tape = Tape::new();
    let x = tape.constant([[1_i64, 2, 3], [4, 5, i64::MAX]]);
    let along = |axis: isize| x.cumprod(axis).value().unwrap();
    assert_eq!(along(0), Tensor::from([[1_i64, 2, 3], [4, 10, i64::MAX.wrapping_mul(3)]]));
    assert_eq!(along(-1), Tensor::from([[1_i64, 2, 6], [4, 20, i64::MAX.wrapping_mul(20)]]));
}

#[test]
fn the_slope_of_a_running_extreme_goes_to_the_last_of_equals() {
    let [y, g, h] = derived(|x| x.cummax(0).0, [1.0, 3.0, 3.0, 2.0]);
    assert_eq!(y, [1.0, 3.0, 3.0, 3.0]);
    assert_close(&g, &[2.0, 3.764842187284, 5.6651210383, 0.0]);
    assert_close(&h, &[0.841470984808, 0.909297426826, 0.28224001612, 0.0]);
    let tape = Tape::new();
    let (values, indices) = tape.constant([3.0, 1.0, 1.0, f64::NAN, 0.0]).cummin(0);
    assert_eq!(indices.value().unwrap(), Tensor::from([0_i64, 1, 2, 3, 3]));
    let values = values.value().unwrap().to_f64s();
    assert_eq!(values[..3], [3.0, 1.0, 1.0]);
    assert!(values[3..].iter().all(|x| x.is_nan()));
}

#[test]
fn a_running_log_sum_exp_neither_overflows_nor_loses_slopes() {
    let [y, g, h] = derived(|x| x.logcumsumexp(0), [1.0, -2.0, 3.0, 0.5]);
    assert_close(&y, &[1.0, 1.048587351574, 3.132845233728, 3.202253447679]);
    assert_close(&g, &[4.417016683187, 0.120336174852, 5.095423803484, 0.180872597042]);
    assert_close(&h, &[2.127913597019, 0.072210180872, 0.032631142184, -0.155387723958]);
    let [y, g, h] = derived(|x| x.logcumsumexp(0), [700.0, -800.0, 710.0, 1000.0]);
    assert_close(&y, &[700.0, 700.0, 710.000045398899, 1000.0]);
    assert_close(&g, &[1401.79708239223, 0.0, 710.137772336802, 999.495153895448]);
    assert_close(&h, &[1.705526811663, 0.0, 0.118566960514, -0.756802495297]);
}

#[test]
fn infinite_terms_of_a_running_log_sum_exp_have_their_shares_as_slopes() {
    let infinity = f64::INFINITY;
    let of = |x: [f64; 3]| derived(|x| x.logcumsumexp(0), x)[0].clone();
    assert_eq!(of([-infinity, 0.0, -infinity]), [-infinity, 0.0, 0.0]);
    assert_eq!(of([0.0, infinity, 1.0]), [0.0, infinity, infinity]);
    let slopes = |x: [f64; 3], weights: [f64; 3]| slope(|x| x.logcumsumexp(0), &x, &weights);
    // Nothing before it: the first is its own sum, infinite or not.
    assert_eq!(slopes([-infinity, 0.0, 0.0], [1.0, 0.0, 0.0]), [1.0, 0.0, 0.0]);
    assert_eq!(slopes([-infinity, 0.0, 0.0], [0.0, 0.0, 1.0]), [0.0, 0.5, 0.5]);
    assert_eq!(slopes([-infinity, -infinity, 1.0], [0.0, 1.0, 0.0]), [0.5, 0.5, 0.0]);
    assert_eq!(slopes([0.0, infinity, infinity], [1.0, 0.0, 1.0]), [1.0, 0.5, 0.5]);
    let nan = of([1.0, f64::NAN, 2.0]);
    assert!(nan[0] == 1.0 && nan[1].is_nan() && nan[2].is_nan());
}

#[test]
fn a_moving_sum_is_a_recurrence() {
    let tape = Tape::f64();
    let x = tape.variable([8.0, 0.0, 0.0, 16.0]);
    let y = x.linear_recurrence(0.5, 0);
    assert_eq!(y.value().unwrap().to_f64s(), [8.0, 4.0, 2.0, 17.0]);
    let g = tape.grad(y.index(0, -1), &[x])[0];
    assert_eq!(g.value().unwrap().to_f64s(), [0.125, 0.25, 0.5, 1.0]);
    let error = x.linear_recurrence(tape.constant([1.0, 2.0]), 0).value().err().unwrap();
    assert!(error.to_string().contains("does not broadcast"), "{error}");
}

#[test]
fn a_scalar_is_scanned_as_one_element_and_nothing_as_nothing() {
    let tape = Tape::f64();
    let x = tape.variable(3.0);
    for y in [x.cumprod(0), x.cummax(-1).0, x.logcumsumexp(0), x.cumsum(0)] {
        assert_eq!((y.rank(), y.item().unwrap()), (0, 3.0));
        assert_eq!(tape.grad(y, &[x])[0].item().unwrap(), 1.0);
    }
    assert_eq!(x.cummin(0).1.item().unwrap(), 0.0);
    let nothing = tape.variable(Tensor::zeros([2, 0], DType::F64).unwrap());
    for axis in [0, 1] {
        let y = nothing.cumprod(axis) + nothing.logcumsumexp(axis) + nothing.cummax(axis).0;
        assert_eq!(tape.grad(y.sum(..), &[nothing])[0].value().unwrap().shape()[..], [2, 0]);
    }
}

#[test]
fn a_scan_along_no_axis_is_refused() {
    for error in [
        refused(|x| x.cumprod(2)),
        refused(|x| x.cummax(-3).0),
        refused(|x| x.cummin(2).1),
        refused(|x| x.logcumsumexp(2)),
        refused(|x| x.linear_recurrence(0.5, 2)),
    ] {
        assert!(error.contains("there is no axis"), "{error}");
    }
}

#[test]
fn long_scans_of_f32_are_those_of_f64() {
    let x: Vec<f64> = (0..100_000).map(|i| 1.0 + f64::from(i * 37 % 101 - 50) * 1e-5).collect();
    let run = |tape: &Tape| {
        let x = tape.variable(x.clone());
        let y = [x.cumprod(0), x.logcumsumexp(0), x.linear_recurrence(0.9, 0)];
        let g = y.map(|y| tape.grad(y.sum(..), &[x])[0]);
        y.into_iter().chain(g).map(|y| y.value().unwrap().to_f64s()).collect::<Vec<_>>()
    };
    for (single, double) in run(&Tape::new()).iter().zip(run(&Tape::f64())) {
        for (a, b) in single.iter().zip(double) {
            assert!((a - b).abs() <= 1e-4 * b.abs().max(1e-3), "{a} against {b}");
        }
    }
}
