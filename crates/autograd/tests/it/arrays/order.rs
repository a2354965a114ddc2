use lossgraph_autograd::{QuantileInterpolation, Tape, keep};
use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{DType, Tensor};

use super::{assert_close, derived, of_table, refused};

fn table() -> Tensor {
    Tensor::from([[1.0, 4.0, 2.0, 9.0], [3.0, -1.0, 0.0, 7.0]])
}

// From torch 2.15.
#[test]
fn quantiles_and_their_slopes_are_those_of_torch() {
    let of = |how| derived(|x| x.quantile([0.1, 0.5, 0.75], 1, how), table());
    let [y, g, h] = of(QuantileInterpolation::Linear);
    assert_close(&y, &[1.3, -0.7, 3.0, 1.5, 5.25, 4.0]);
    let expected = [
        1.61,
        4.815816815949,
        2.27498357145,
        1.076944414833,
        2.795234432232,
        0.045389531099,
        0.517029603885,
        0.765885828177,
    ];
    assert_close(&g, &expected);
    let expected = [
        0.441955984248,
        0.632183693441,
        0.452014066256,
        0.123193111573,
        -0.429374652242,
        0.001053591613,
        -0.075032879723,
        -0.117963411085,
    ];
    assert_close(&h, &expected);
    assert_eq!(of(QuantileInterpolation::Lower)[0], [1.0, -1.0, 2.0, 0.0, 4.0, 3.0]);
    assert_eq!(of(QuantileInterpolation::Higher)[0], [2.0, 0.0, 4.0, 3.0, 9.0, 7.0]);
    assert_eq!(of(QuantileInterpolation::Nearest)[0], [1.0, -1.0, 4.0, 3.0, 4.0, 3.0]);
    let [y, g, _] = of(QuantileInterpolation::Midpoint);
    assert_eq!(y, [1.5, -0.5, 3.0, 1.5, 6.5, 5.0]);
    assert_close(&g[..2], &[1.25, 4.363872401116]);
}

#[test]
fn quantiles_have_the_shapes_of_torch() {
    let tape = Tape::f64();
    let x = tape.variable(Tensor::zeros([2, 3], DType::F64).unwrap());
    let linear = QuantileInterpolation::Linear;
    let shape = |y: lossgraph_autograd::Var<'_>| y.value().unwrap().shape().to_vec();
    assert_eq!(shape(x.quantile(0.5, 1, linear)), [2]);
    assert_eq!(shape(x.quantile(0.5, keep(1), linear)), [2, 1]);
    assert_eq!(shape(x.quantile([0.5, 0.1], 0, linear)), [2, 3]);
    assert_eq!(shape(x.quantile([0.5; 4], keep(0), linear)), [4, 1, 3]);
    assert_eq!(shape(x.quantile(0.5, .., linear)), [0_usize; 0]);
    assert_eq!(shape(x.quantile([0.5], keep(..), linear)), [1, 1, 1]);
    assert_eq!(shape(x.quantile(Vec::new(), .., linear)), [0]);
    assert_eq!(shape(tape.variable(3.0).quantile([0.5], 0, linear)), [1]);
}

#[test]
fn quantiles_of_infinities_and_nan() {
    let tape = Tape::f64();
    let of = |x: &[f64], q: f64| {
        let y = tape.constant(x.to_vec()).quantile(q, 0, QuantileInterpolation::Linear);
        y.item().unwrap()
    };
    let infinity = f64::INFINITY;
    assert!(of(&[1.0, f64::NAN, 0.0], 0.0).is_nan());
    assert_eq!(of(&[infinity; 4], 0.5), infinity);
    assert_eq!(of(&[1.0, infinity], 0.25), infinity);
    assert_eq!(of(&[1.0, 2.0, infinity], 0.5), 2.0);
    assert_eq!(of(&[5.0], 0.3), 5.0);
    let ranks = tape.constant([4_i64, 1, 3]).quantile(0.25, 0, QuantileInterpolation::Linear);
    assert_eq!(ranks.item().unwrap(), 2.0);
}

#[test]
fn the_median_is_the_lower_one_of_two_and_shares_its_slope_as_torch() {
    let [y, g, h] = derived(|x| x.median(..), [1.0, 2.0, 2.0, 2.0, 5.0]);
    assert_eq!(y, [2.0]);
    assert_close(&g, &[0.0, 1.0, 1.0, 1.0, 0.0]);
    assert_close(&h, &[0.0, 0.032623882175, 0.032623882175, 0.032623882175, 0.0]);
    let [y, g, h] = derived(|x| x.median(0), [4.0, 1.0, 3.0, 2.0]);
    assert_eq!(y, [2.0]);
    assert_close(&g, &[0.0, 0.0, 0.0, 3.0]);
    assert_close(&h, &[0.0, 0.0, 0.0, -0.756802495308]);
    let infinite = derived(|x| x.median(..), [f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0]);
    assert_eq!(infinite[0], [f64::NEG_INFINITY]);
    assert_eq!(of_table(|x| x.median(..)).item().unwrap(), 3.0);
    assert_eq!(of_table(|x| x.median(1)), Tensor::from([2.0, 5.0]));
    assert_eq!(of_table(|x| x.argmedian(keep(0))), Tensor::from([[0_i64, 0, 0]]));
}

#[test]
fn a_median_of_equal_infinities_shares_its_slope() {
    let slopes =
        super::slope(|x| x.median(..), &[f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0], &[1.0]);
    assert_eq!(slopes, [0.5, 0.5, 0.0]);
}

#[test]
fn nan_is_the_median_of_its_line_or_left_out() {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, f64::NAN, 0.0, f64::NAN], [4.0, 1.0, 3.0, 2.0]]);
    let (values, indices) = (x.median(1), x.argmedian(1));
    assert_eq!(indices.value().unwrap(), Tensor::from([1_i64, 3]));
    let values = values.value().unwrap().to_f64s();
    assert!(values[0].is_nan() && values[1] == 2.0);
    let (values, indices) = (x.nanmedian(1), x.nanargmedian(1));
    assert_eq!(values.value().unwrap(), Tensor::from([0.0, 2.0]));
    assert_eq!(indices.value().unwrap(), Tensor::from([2_i64, 3]));
    assert!(x.median(..).item().unwrap().is_nan());
    assert_eq!(x.nanmedian(..).item().unwrap(), 1.0);
    let slope = tape.grad(x.nanmedian(..), &[x])[0].value().unwrap().to_f64s();
    assert_eq!(slope, [0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
    let nothing = tape.variable(Tensor::zeros([0], DType::F64).unwrap());
    assert!(nothing.median(..).item().unwrap().is_nan());
    assert!(nothing.nanmedian(..).item().unwrap().is_nan());
    assert!(tape.constant([f64::NAN]).nanmedian(..).item().unwrap().is_nan());
}

#[test]
fn the_kth_and_the_k_largest_come_with_their_indices() {
    let [y, g, h] =
        derived(|x| x.kthvalue(2, 1).0, Tensor::from([[4.0, 1.0, 3.0], [5.0, 9.0, 7.0]]));
    assert_eq!(y, [3.0, 7.0]);
    assert_close(&g, &[0.0, 0.0, 4.0, 0.0, 0.0, 7.764842187284]);
    assert_close(&h, &[0.0, 0.0, 0.14112000806, 0.0, 0.0, -0.279415498199]);
    let tape = Tape::new();
    let x = tape.constant([1.0, f64::NAN, 0.0, 2.0, 2.0]);
    let (values, indices) = x.topk(3, 0, Order::Descending);
    assert!(values.value().unwrap().to_f64s()[0].is_nan());
    assert_eq!(indices.value().unwrap(), Tensor::from([1_i64, 3, 4]));
    let (values, indices) = x.topk(2, -1, Order::Ascending);
    assert_eq!(values.value().unwrap().to_f64s(), [0.0, 1.0]);
    assert_eq!(indices.value().unwrap(), Tensor::from([2_i64, 0]));
    assert_eq!(x.kthvalue(5, 0).1.item().unwrap(), 1.0);
    assert_eq!(x.topk(0, 0, Order::Ascending).0.shape()[..], [0]);
    let largest = tape.constant([1_i64 << 60, (1 << 60) + 1]).topk(1, 0, Order::Descending);
    assert_eq!(largest.0.value().unwrap(), Tensor::from([(1_i64 << 60) + 1]));
    let columns = of_table(|x| x.topk(1, 0, Order::Descending).0);
    assert_eq!(columns, Tensor::from([[4.0, 5.0, 6.0]]));
}

#[test]
fn a_scalar_is_put_in_order_as_one_element() {
    let tape = Tape::f64();
    let x = tape.variable(3.0);
    let linear = QuantileInterpolation::Linear;
    for y in [
        x.kthvalue(1, 0).0,
        x.topk(1, 0, Order::Descending).0,
        x.median(..),
        x.median(keep(-1)),
        x.quantile(0.3, 0, linear),
        x.quantile(0.3, keep(..), linear),
    ] {
        assert_eq!((y.rank(), y.item().unwrap()), (0, 3.0));
        assert_eq!(tape.grad(y, &[x])[0].item().unwrap(), 1.0);
    }
}

#[test]
fn what_has_no_place_in_an_order_is_refused() {
    let linear = QuantileInterpolation::Linear;
    let error = refused(|x| x.kthvalue(0, 1).0);
    assert!(error.contains("k is 0, and the axis has length 3"), "{error}");
    assert!(refused(|x| x.kthvalue(4, 1).1).contains("k is 4"));
    assert!(refused(|x| x.topk(4, 1, Order::Ascending).0).contains("k is 4"));
    assert!(refused(|x| x.topk(1, 2, Order::Ascending).0).contains("no axis 2"));
    assert!(refused(|x| x.quantile(1.5, 1, linear)).contains("q is 1.5"));
    assert!(refused(|x| x.quantile(f64::NAN, 1, linear)).contains("q is NaN"));
    assert!(refused(|x| x.quantile(0.5, 7, linear)).contains("no axis 7"));
    assert!(refused(|x| x.median(2)).contains("no axis 2"));
    assert!(refused(|x| x.median([0, 1])).contains("along one axis"));
    assert!(refused(|x| x.slice(1, 3..).median(1)).contains("empty axis"));
    assert!(refused(|x| x.slice(1, 3..).nanmedian(1)).contains("empty axis"));
    assert!(refused(|x| x.slice(1, 3..).quantile(0.5, 1, linear)).contains("empty axis"));
}

// From torch 2.15.
#[test]
fn a_quantile_of_what_is_not_nan_is_that_of_torch() {
    use QuantileInterpolation::{Higher, Linear, Lower, Midpoint, Nearest};
    let expected: [(QuantileInterpolation, [f64; 4], [f64; 8]); 5] = [
        (Linear, [0.5, 1.75, 1.6, 2.8], [2.9, 0.0, 0.5, 0.6, 0.0, 0.5, 3.2, 2.3]),
        (Lower, [0.0, 1.0, 1.0, 2.0], [3.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 4.0]),
        (Higher, [1.0, 2.0, 4.0, 3.0], [1.0, 0.0, 0.0, 3.0, 0.0, 0.0, 4.0, 2.0]),
        (Nearest, [0.0, 2.0, 1.0, 3.0], [3.0, 0.0, 1.0, 0.0, 0.0, 0.0, 4.0, 2.0]),
        (Midpoint, [0.5, 1.5, 2.5, 2.5], [2.0, 0.0, 0.5, 1.5, 0.0, 1.0, 2.0, 3.0]),
    ];
    for (interpolation, values, slopes) in expected {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, f64::NAN, 0.0, 4.0], [4.0, 1.0, 3.0, 2.0]]);
        let y = x.nanquantile([0.25, 0.6], 1, interpolation);
        assert_close(&y.value().unwrap().to_f64s(), &values);
        let weighted = (y * tape.constant([[1.0, 2.0], [3.0, 4.0]])).sum(..);
        assert_close(&tape.grad(weighted, &[x])[0].value().unwrap().to_f64s(), &slopes);
    }
    let tape = Tape::f64();
    let x = tape.constant([[f64::NAN, f64::NAN], [2.0, f64::NAN]]);
    assert_eq!(x.nanquantile(0.3, .., Linear).item().unwrap(), 2.0);
    let lines = x.nanquantile(0.3, keep(1), Linear);
    assert_eq!(lines.shape()[..], [2, 1]);
    assert!(lines.value().unwrap().to_f64s()[0].is_nan());
    assert!(refused(|x| x.nanquantile(1.5, 0, Linear)).contains("from 0 to 1"));
}

#[test]
fn a_median_keeps_the_axes_that_it_is_told_to() {
    assert_eq!(of_table(|x| x.median(keep(..))), Tensor::from([[3.0]]));
    assert_eq!(of_table(|x| x.nanmedian(keep(1))), Tensor::from([[2.0], [5.0]]));
    assert!(refused(|x| x.argmedian(..)).contains("along one axis"));
}
