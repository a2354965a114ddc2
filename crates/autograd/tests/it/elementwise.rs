//! The functions that a PyTorch user expects by name: values, slopes and second slopes as PyTorch 2.15
//! gives them in double precision, and at the points where it takes a decision.

use lossgraph_autograd::{Tape, Var, keep, stack};
use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{DType, Tensor, Window};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[track_caller]
fn assert_same(got: &[f64], expected: &[f64]) {
    let same = |(a, b): (&f64, &f64)| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-12 * b.abs().max(1e-3)
    };
    assert!(got.len() == expected.len() && got.iter().zip(expected).all(same), "{got:?}");
}

/// The values of `f`, the slopes of their sum by each input, and the slopes of the sum of those, fused
/// and as written.
fn slopes<const N: usize>(
    inputs: [&[f64]; N],
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>,
) -> (Vec<f64>, [Vec<f64>; N], [Vec<f64>; N]) {
    let run = |tape: Tape| {
        let x = inputs.map(|data| tape.variable(data.to_vec()));
        let y = f(x);
        let first = tape.grad(y.sum(..), &x);
        let all = first.iter().map(|slope| slope.sum(..)).reduce(|a, b| a + b).unwrap();
        let second = tape.grad(all, &x);
        let of = |v: &[Var<'_>]| tape.eval(v).unwrap().iter().map(Tensor::to_f64s).collect();
        let (y, first, second): (Vec<Vec<f64>>, Vec<_>, Vec<_>) =
            (of(&[y]), of(&first), of(&second));
        let first: [Vec<f64>; N] = first.try_into().unwrap();
        let second: [Vec<f64>; N] = second.try_into().unwrap();
        (y[0].clone(), first, second)
    };
    let (fused, reference) = (run(Tape::f64()), run(Tape::f64().unfused()));
    assert_same(&fused.0, &reference.0);
    for i in 0..N {
        assert_same(&fused.1[i], &reference.1[i]);
        assert_same(&fused.2[i], &reference.2[i]);
    }
    fused
}

/// The values alone.
fn values<const N: usize>(
    inputs: [&[f64]; N],
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>,
) -> Vec<f64> {
    slopes(inputs, f).0
}

#[test]
fn the_gamma_function_has_slopes_of_every_order() {
    let (y, [first], [second]) = slopes([&[-0.5, 2.0]], |[x]| x.lgamma());
    assert_same(&y, &[1.265_512_123_484_645_4, 0.0]);
    assert_same(&first, &[0.036_489_973_978_576_52, 0.422_784_335_098_467_1]);
    assert_same(&second, &[8.934_802_200_544_679, 0.644_934_066_848_226_4]);
    let (y, [first], [second]) = slopes([&[0.5]], |[x]| x.polygamma(1));
    assert_same(&y, &[4.934_802_200_544_679]);
    assert_same(&first, &[-16.828_796_644_234_32]);
    assert_same(&second, &[97.409_091_034_002_44]);
    // At its poles below 0, each a maximum, the slope is 0.
    let (y, [first], _) = slopes([&[-1.0, -2.0]], |[x]| x.lgamma());
    assert_eq!((y, first), (vec![INF, INF], vec![0.0, 0.0]));
    let tape = Tape::f64();
    assert!(tape.variable([1.0]).polygamma(171).is_faulty());
}

#[test]
fn the_logarithm_of_the_normal_distribution_is_stable_far_to_the_left() {
    let x = [-INF, -1e200, -1e5, -30.0, 0.0, 3.0, INF];
    let (y, [first], [second]) = slopes([&x], |[x]| x.log_ndtr());
    let exact = [-INF, -INF, -5_000_000_012.431_863, -454.321_243_956_343_4];
    assert_same(&y[..4], &exact);
    let exact =
        [INF, 1e200, 100_000.000_009_999_99, 30.033_259_667_433_68, 0.797_884_560_802_865_4];
    assert_same(&first[..5], &exact);
    assert_same(&[first[5], first[6]], &[0.004_437_839_042_125_664, 0.0]);
    let exact = [-1.0, -1.0, -0.999_999_999_900_000_1, -0.998_896_228_488_11];
    assert_same(&second[..4], &exact);
    assert_same(&second[4..], &[-0.636_619_772_367_581_3, -0.013_333_211_541_740_806, -0.0]);
}

#[test]
fn sinc_is_smooth_at_0() {
    let (y, [first], [second]) = slopes([&[0.0, 1e-9, 0.5, 1.0]], |[x]| x.sinc());
    assert_same(&y, &[1.0, 1.0, std::f64::consts::FRAC_2_PI, 0.0]);
    let third = std::f64::consts::PI.powi(2) / 3.0;
    assert_same(&first[..3], &[0.0, -third * 1e-9, -1.273_239_544_735_162_8]);
    assert_same(&second[..3], &[-third, -third, -1.190_227_128_238_935_5]);
}

#[test]
fn logit_is_held_by_eps_alone() {
    let x = [-0.5, 0.0, 0.05, 0.5, 1.0, 1.5];
    assert_same(
        &values([&x], |[x]| x.logit(None)),
        &[NAN, -INF, -2.944_438_979_166_440_3, 0.0, INF, NAN],
    );
    let (y, [first], _) = slopes([&x], |[x]| x.logit(0.1));
    let end = 2.197_224_577_336_219_6;
    assert_same(&y, &[-end, -end, -end, 0.0, end, end]);
    assert_same(&first, &[0.0, 0.0, 0.0, 4.0, 0.0, 0.0]);
}

#[test]
fn zero_times_a_logarithm_is_zero() {
    let (x, y) = ([0.0, 0.0, 0.0, 0.0, 2.0, 0.0], [0.0, -1.0, 2.0, INF, 0.0, NAN]);
    let (z, [by_x, by_y], _) = slopes([&x, &y], |[x, y]| x.xlogy(y));
    assert_same(&z, &[0.0, 0.0, 0.0, 0.0, -INF, NAN]);
    assert_same(&by_x[..5], &[0.0, 0.0, std::f64::consts::LN_2, 0.0, -INF]);
    assert_same(&by_y[..5], &[0.0, 0.0, 0.0, 0.0, INF]);
    assert_same(&values([&[0.0, 2.0], &[-1.0, 1e-20]], |[x, y]| x.xlog1py(y)), &[0.0, 2e-20]);
    assert_same(&values([&[-1.0, 0.0, 1.0, INF]], |[x]| x.entr()), &[-INF, 0.0, 0.0, -INF]);
}

#[test]
fn halves_are_rounded_to_the_even_number() {
    let x = [0.5, 1.5, 2.5, -0.5, -2.5, 2.4];
    assert_same(&values([&x], |[x]| x.round()), &[0.0, 2.0, 2.0, 0.0, -2.0, 2.0]);
    assert_same(
        &values([&[1250.0, 1350.0, -1250.0]], |[x]| x.round_to(-2)),
        &[1200.0, 1400.0, -1200.0],
    );
    assert_same(&values([&[1234.5678, 2.5]], |[x]| x.round_to(2)), &[1234.57, 2.5]);
    assert_same(&values([&[-1.5, 1.5]], |[x]| x.trunc()), &[-1.0, 1.0]);
    assert_same(&values([&[-1.5, 1.5]], |[x]| x.ceil()), &[-1.0, 2.0]);
    let (y, [first], _) = slopes([&[-1.5, 1.75]], |[x]| x.frac());
    assert_eq!((y, first), (vec![-0.5, 0.75], vec![1.0, 1.0]));
    assert!(Tape::new().variable([1.0]).round_to(40).is_faulty());
}

#[test]
fn remainders_have_the_sign_of_the_divisor_or_of_the_dividend() {
    let (a, b): ([f64; 5], [f64; 5]) = ([5.0, -5.0, 5.0, -5.0, 6.0], [3.0, 3.0, -3.0, -3.0, 3.0]);
    let (y, [by_a, by_b], _) = slopes([&a, &b], |[a, b]| a.remainder(b));
    assert_same(&y, &[2.0, 1.0, -1.0, -2.0, 0.0]);
    assert_same(&by_a, &[1.0; 5]);
    assert_same(&by_b, &[-1.0, 2.0, 2.0, -1.0, -2.0]);
    let (y, [_, by_b], _) = slopes([&a, &b], |[a, b]| a.fmod(b));
    assert_same(&y, &[2.0, -2.0, 2.0, -2.0, 0.0]);
    assert_same(&by_b, &[-1.0, 1.0, 1.0, -1.0, -2.0]);
    let (y, [by_a, by_b], _) = slopes([&a, &b], |[a, b]| a.floor_divide(b));
    assert_same(&y, &[1.0, -2.0, -2.0, 1.0, 2.0]);
    assert_eq!((by_a, by_b), (vec![0.0; 5], vec![0.0; 5]));
    assert_same(&values([&a, &b], |[a, b]| a.trunc_divide(b)), &[1.0, -1.0, -1.0, 1.0, 2.0]);
    let ends =
        [(-5.0, INF, INF), (5.0, -INF, -INF), (5.0, INF, 5.0), (INF, 2.0, NAN), (1.0, 0.0, NAN)];
    for (a, b, rest) in ends {
        assert_same(&values([&[a], &[b]], |[a, b]| a.remainder(b)), &[rest]);
    }
}

#[test]
fn a_distance_from_the_origin_neither_overflows_nor_has_a_slope_that_is_nan() {
    let (y, [by_a, by_b], [second, mixed]) =
        slopes([&[0.0, 3.0], &[0.0, 4.0]], |[a, b]| a.hypot(b));
    assert_same(&y, &[0.0, 5.0]);
    assert_same(&[by_a[0], by_a[1], by_b[0], by_b[1]], &[0.0, 0.6, 0.0, 0.8]);
    assert_same(&[second[0], second[1], mixed[0], mixed[1]], &[0.0, 0.032, 0.0, -0.024]);
    for scale in [1e-320, 1e-300, 1e300, 3e307] {
        let (y, [by_a, _], _) = slopes([&[3.0 * scale], &[4.0 * scale]], |[a, b]| a.hypot(b));
        assert!(
            (y[0] / scale / 5.0 - 1.0).abs() < 1e-3 && (by_a[0] - 0.6).abs() < 1e-3,
            "{scale:e}"
        );
    }
    let (y, [first], _) = slopes([&[-1e200, -1e-3, 1e200, INF]], |[x]| x.asinh());
    assert_same(
        &y,
        &[-461.210_165_779_369_1, -9.999_998_333_334_082e-4, 461.210_165_779_369_1, INF],
    );
    assert!((first[0] * 1e200 - 1.0).abs() < 1e-12 && first[3] == 0.0);
}

#[test]
fn bounds_of_a_clamp_may_be_tensors_numbers_or_none() {
    let (x, low, high) = (
        [0.0, 1.0, 2.0, 5.0, NAN, 3.0],
        [1.0, 1.0, 1.0, 6.0, 0.0, NAN],
        [2.0, 2.0, 2.0, 4.0, 1.0, 4.0],
    );
    let (y, [by_x, by_low, by_high], _) = slopes([&x, &low, &high], |[x, a, b]| x.clamp(a, b));
    assert_same(&y, &[1.0, 1.0, 2.0, 4.0, NAN, NAN]);
    assert_same(&by_x[..4], &[0.0, 0.5, 0.5, 0.0]);
    assert_same(&by_low[..4], &[1.0, 0.5, 0.0, 0.0]);
    assert_same(&by_high[..4], &[0.0, 0.0, 0.5, 1.0]);
    let tape = Tape::f64();
    let x = tape.variable([[-2.0, 0.5], [3.0, 9.0]]);
    let read = |y: Var<'_>| y.value().unwrap().to_f64s();
    assert_eq!(read(x.clamp(0, ..)), [0.0, 0.5, 3.0, 9.0]);
    assert_eq!(read(x.clamp(.., 1.0)), [-2.0, 0.5, 1.0, 1.0]);
    assert_eq!(read(x.clamp(0.0, tape.constant([1.0, 4.0]))), [0.0, 0.5, 1.0, 4.0]);
    assert_eq!(read(x.clamp(Tensor::from([[1.0], [4.0]]), 5.0)), [1.0, 1.0, 4.0, 5.0]);
    assert_eq!(read(x.clamp(3.0, 2.0)), [2.0; 4]);
    assert_eq!(read(x.clamp_min(1.0)), [1.0, 1.0, 3.0, 9.0]);
    assert_eq!(read(x.clamp_max(1)), [-2.0, 0.5, 1.0, 1.0]);
    assert!(
        x.clamp(tape.constant([1.0, 2.0, 3.0]), ..).is_faulty() && x.clamp(NAN, ..).is_faulty()
    );
}

#[test]
fn nan_and_infinities_are_left_out_or_replaced() {
    let x = [1.0, NAN, INF, -INF];
    assert_same(&values([&x], |[x]| x.isnan()), &[0.0, 1.0, 0.0, 0.0]);
    assert_same(&values([&x], |[x]| x.isinf()), &[0.0, 0.0, 1.0, 1.0]);
    assert_same(&values([&x], |[x]| x.isfinite()), &[1.0, 0.0, 0.0, 0.0]);
    let (y, [first], _) = slopes([&x], |[x]| x.nan_to_num(0.0, None, -5.0));
    assert_eq!((y, first), (vec![1.0, 0.0, f64::MAX, -5.0], vec![1.0, 0.0, 0.0, 0.0]));
    let tape = Tape::new();
    let y = tape.constant(Tensor::from([f32::INFINITY])).nan_to_num(0.0, None, None);
    assert_eq!(y.item().unwrap(), f64::from(f32::MAX));
    let (y, [first], _) = slopes([&[1.0, NAN, 3.0]], |[x]| x.nansum(..));
    assert_eq!((y, first), (vec![4.0], vec![1.0, 0.0, 1.0]));
    let (y, [first], _) = slopes([&[1.0, NAN, 3.0]], |[x]| x.nanmean(0));
    assert_eq!((y, first), (vec![2.0], vec![0.5, 0.0, 0.5]));
    assert!(values([&[NAN]], |[x]| x.nanmean(..))[0].is_nan());
    let (a, b) = ([1.0, NAN, 2.0, NAN, 1.0], [2.0, 1.0, NAN, NAN, 1.0]);
    let (y, [by_a, by_b], _) = slopes([&a, &b], |[a, b]| a.fmax(b));
    assert_same(&y, &[2.0, 1.0, 2.0, NAN, 1.0]);
    assert_same(&[by_a[0], by_a[1], by_a[2], by_a[4]], &[0.0, 0.0, 1.0, 0.5]);
    assert_same(&[by_b[0], by_b[1], by_b[2], by_b[4]], &[1.0, 1.0, 0.0, 0.5]);
    assert_same(&values([&a, &b], |[a, b]| a.fmin(b)), &[1.0, 1.0, 2.0, NAN, 1.0]);
}

#[test]
fn whatever_is_not_0_counts_as_true() {
    let (a, b) = ([0.0, 0.0, NAN, -2.0], [0.0, 3.0, 0.0, 1.0]);
    assert_same(&values([&a, &b], |[a, b]| a.logical_and(b)), &[0.0, 0.0, 0.0, 1.0]);
    assert_same(&values([&a, &b], |[a, b]| a.logical_or(b)), &[0.0, 1.0, 1.0, 1.0]);
    assert_same(&values([&a, &b], |[a, b]| a.logical_xor(b)), &[0.0, 1.0, 1.0, 0.0]);
    assert_same(&values([&a], |[a]| a.logical_not()), &[1.0, 1.0, 0.0, 0.0]);
    let tape = Tape::f64();
    let x = tape.constant([[0.0, NAN], [0.0, 0.0], [1.0, -1.0]]);
    let read = |y: Var<'_>| y.value().unwrap().to_f64s();
    assert_eq!((read(x.any(1)), read(x.all(1))), (vec![1.0, 0.0, 1.0], vec![0.0, 0.0, 1.0]));
    assert_eq!(x.any(keep(0)).shape()[..], [1, 2]);
    let empty = tape.constant(Tensor::zeros([0, 2], DType::F64).unwrap());
    assert_eq!((read(empty.any(0)), read(empty.all(..))), (vec![0.0, 0.0], vec![1.0]));
    assert_same(&values([&[-1.0, 0.0, 2.0, NAN]], |[x]| x.heaviside(0.5)), &[0.0, 0.5, 1.0, 0.0]);
    assert_same(
        &values([&[1.0, -1.0, 2.0], &[-0.0, 1.0, -3.0]], |[a, b]| a.copysign(b)),
        &[-1.0, 1.0, -2.0],
    );
}

#[test]
fn combinations_are_those_of_pytorch() {
    let (y, [start, end, weight], _) =
        slopes([&[1.0, 1.0], &[3.0, 3.0], &[0.25, 0.75]], |[a, b, w]| a.lerp(b, w));
    assert_same(&y, &[1.5, 2.5]);
    assert_same(&[&start[..], &end, &weight].concat(), &[0.75, 0.25, 0.25, 0.75, 2.0, 2.0]);
    // Both ends are exact.
    assert_same(&values([&[0.1], &[1e16]], |[a, b]| a.lerp(b, 1.0)), &[1e16]);
    assert_same(&values([&[1.0], &[3.0], &[4.0]], |[x, a, b]| x.addcmul(a, b, 0.5)), &[7.0]);
    assert_same(&values([&[1.0], &[3.0], &[4.0]], |[x, a, b]| x.addcdiv(a, b, 2.0)), &[2.5]);
    let tape = Tape::f64();
    let (a, b) = (tape.variable([[1.0, 2.0], [3.0, 4.0]]), tape.variable([[0.5], [0.25]]));
    let (hole, bias) = (tape.variable([NAN]), tape.variable([10.0]));
    let read = |y: Var<'_>| y.value().unwrap().to_f64s();
    assert_eq!(read(bias.addmm(a, b, 0.5, 2.0)), [7.0, 10.0]);
    assert_eq!(read(hole.addmm(a, b, 0.0, 1.0)), [1.0, 2.5]);
    assert_eq!(read(bias.addmv(a, b.flatten(..), 1.0, 1.0)), [11.0, 12.5]);
    assert_eq!(read(bias.addr(b.flatten(..), b.flatten(..), 0.0, 4.0)), [1.0, 0.5, 0.5, 0.25]);
    assert_eq!(read(bias.baddbmm(a.unsqueeze(0), b.unsqueeze(0), 1.0, 1.0)), [11.0, 12.5]);
    let wrong = [
        bias.addmm(a, b.flatten(..), 1.0, 1.0),
        tape.variable([1.0, 2.0, 3.0]).addmm(a, b, 1.0, 1.0),
        bias.addmm(b, b, 1.0, 1.0),
        a.outer(b),
        a.dot(b),
    ];
    assert!(wrong.iter().all(|y| y.is_faulty()));
}

#[test]
fn distances_of_equal_points_have_slope_0_in_every_order() {
    let tape = Tape::f64();
    for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF] {
        let (a, b) = (tape.variable([[1.0, 2.0]]), tape.variable([[1.0, 2.0], [0.5, 0.0]]));
        let distance = a.cdist(b, p);
        let first = tape.grad(distance.slice(1, ..1).sum(..), &[a, b]);
        let second = tape.grad(first[0].sum(..) + first[1].slice(1, ..1).sum(..), &[a, b]);
        for slope in first.into_iter().chain(second) {
            assert!(slope.value().unwrap().to_f64s().iter().all(|&x| x == 0.0), "p = {p}");
        }
    }
    let (a, b) = (tape.variable([[1.0, 2.0]]), tape.variable([[1.0, 2.0], [0.0, 0.0]]));
    let distance = a.cdist(b, 2.0);
    assert_same(&distance.value().unwrap().to_f64s(), &[0.0, 2.236_067_977_499_79]);
    let slope = tape.grad(distance.sum(..), &[a])[0].value().unwrap().to_f64s();
    assert_same(&slope, &[0.447_213_595_499_957_9, 0.894_427_190_999_915_9]);
    let nothing = tape.constant(Tensor::zeros([2, 0], DType::F64).unwrap());
    assert_eq!(nothing.cdist(nothing, INF).value().unwrap().to_f64s(), [0.0; 4]);
    assert!(a.cdist(b, -1.0).is_faulty() && a.cdist(b.flatten(..), 2.0).is_faulty());
    assert_same(&[a.dist(b, 3.0).item().unwrap()], &[9_f64.cbrt()]);
    let pair = a.pairwise_distance(b.slice(0, 1..), 1.0, 0.0).value().unwrap();
    assert_eq!((pair.shape()[..].to_vec(), pair.to_f64s()), (vec![1], vec![3.0]));
    let cosine = a.cosine_similarity(b, 1, 1e-8);
    assert_same(&cosine.value().unwrap().to_f64s(), &[1.0, 0.0]);
    let slope = tape.grad(cosine.sum(..), &[b])[0].value().unwrap().to_f64s();
    assert_same(&slope[2..], &[44_721_359.549_995_8, 89_442_719.099_991_6]);
}

#[test]
fn a_scalar_is_a_tensor_of_one_element_where_an_axis_is_named() {
    let tape = Tape::f64();
    let x = tape.variable(5.0);
    let at = |n: &[i64]| tape.constant(Tensor::from(n.to_vec()));
    for axis in [0, -1] {
        let zero = at(&[0]).squeeze(0);
        let same = [
            x.sum(axis),
            x.softmax(axis) * 5.0,
            x.gather(axis, zero),
            x.take_along_dim(zero, axis),
            x.index_select(axis, at(&[0])),
            x.scatter_add(axis, zero, tape.constant(0.0)),
            x.sort(axis, Order::Descending),
            x.argmax(axis).to_float() + 5.0,
            x.argmin(axis).to_float() + 5.0,
            x.argsort(axis, Order::Ascending).to_float() + 5.0,
            x.squeeze(axis),
            x.transpose(axis, 0),
            x.flip(axis),
            x.cumsum(axis),
        ];
        for (i, y) in same.into_iter().enumerate() {
            assert!(y.value().is_ok(), "{i}: {y:?}");
            assert_eq!((y.rank(), y.item().unwrap()), (0, 5.0), "{i}");
        }
        assert_eq!(x.unsqueeze(axis).shape()[..], [1]);
        assert_eq!(x.gather(axis, at(&[0, 0])).value().unwrap().to_f64s(), [5.0, 5.0]);
        assert_eq!(x.windows(axis, Window { size: 1, stride: 1, dilation: 1 }).shape()[..], [1]);
        assert!(x.index_select(axis, at(&[0, 0])).is_faulty() && x.slice(axis, ..).is_faulty());
    }
    for y in [x.squeeze(1), x.flip(1), x.transpose(0, 1), x.argmax(-2), x.gather(1, at(&[0]))] {
        assert!(y.is_faulty());
    }
}

#[test]
fn indices_count_from_the_end_where_they_do_in_pytorch() {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let index = |n: Vec<Vec<i64>>| tape.constant(Tensor::try_from(n).unwrap());
    let read = |y: Var<'_>| y.value().unwrap().to_f64s();
    assert_eq!(read(x.take_along_dim(index(vec![vec![-1, 0]]), 1)), [3.0, 1.0, 6.0, 4.0]);
    assert_eq!(read(x.take_along_dim(index(vec![vec![-1]]), 0)), [4.0, 5.0, 6.0]);
    let slope = tape.grad(x.take_along_dim(index(vec![vec![-1]]), 1).sum(..), &[x])[0];
    assert_eq!(read(slope), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    assert!(x.take_along_dim(index(vec![vec![-4]]), 1).value().is_err());
    assert!(x.gather(1, index(vec![vec![-1]])).value().is_err());
    assert!(x.take_along_dim(tape.constant(Tensor::from([0_i64])), 1).is_faulty());
}

#[test]
fn an_axis_that_is_not_there_is_refused_by_whatever_takes_one() {
    let tape = Tape::f64();
    for shape in [&[2, 3][..], &[0, 3], &[2, 0]] {
        let x = tape.variable(Tensor::ones(shape, DType::F64).unwrap());
        let zeros = tape.constant(Tensor::zeros(shape, DType::I64).unwrap());
        for axis in [7, 2, -3] {
            let all = [
                x.sum(axis),
                x.mean(axis),
                x.max(axis),
                x.min(axis),
                x.prod(axis),
                x.var(axis, 1.0),
                x.std(axis, 1.0),
                x.norm(2.0, axis),
                x.norm(1.0, axis),
                x.norm(INF, axis),
                x.norm(0.0, axis),
                x.log_sum_exp(axis),
                x.softmax(axis),
                x.log_softmax(axis),
                x.softmin(axis),
                x.centered(axis),
                x.standardize(axis, 1e-5),
                x.normalize(2.0, axis, 1e-12),
                x.nansum(axis),
                x.nanmean(axis),
                x.any(axis),
                x.all(axis),
                x.cumsum(axis),
                x.glu(axis),
                x.gather(axis, zeros),
                x.scatter_add(axis, zeros, x),
                x.index_select(axis, zeros),
                x.take_along_dim(zeros, axis),
                x.argmax(axis),
                x.argmin(axis),
                x.argsort(axis, Order::Ascending),
                x.sort(axis, Order::Ascending),
                x.transpose(axis, 0),
                x.squeeze(axis),
                x.slice(axis, ..),
                x.index(axis, 0),
                x.flip(axis),
                x.diagonal(0, 0, axis),
                x.shift(axis, 1, 0.0),
                x.cosine_similarity(x, axis, 1e-8),
                lossgraph_autograd::concat(&[x, x], axis),
                x.windows(axis, Window { size: 1, stride: 1, dilation: 1 }),
                x.var_mean(axis, 0.0)[0],
                x.std_mean(axis, 0.0)[1],
            ];
            for (i, y) in all.into_iter().enumerate() {
                assert!(y.is_faulty(), "{i} takes axis {axis} of {shape:?}");
            }
        }
    }
    let table = tape.variable([1.0, 2.0]);
    assert!(table.embedding(tape.constant(Tensor::from([0_i64]))).is_faulty());
}

// From torch 2.15.
#[test]
fn outside_of_its_domain_a_function_has_the_slope_of_pytorch() {
    let (y, [first], [second]) = slopes([&[-2.0, 0.5, 2.0]], |[x]| x.acosh());
    assert_same(&y, &[f64::NAN, f64::NAN, 1.3169578969248166]);
    assert_same(&first, &[0.5773502691896258, f64::NAN, 0.5773502691896258]);
    assert_same(&second, &[0.3849001794597507, f64::NAN, -0.3849001794597507]);
    let x = [-0.5, 0.2, 0.75, 1.5];
    let (y, [first], [second]) = slopes([&x], |[x]| x.logit(None));
    assert_same(&y, &[f64::NAN, -1.3862943611198906, 1.0986122886681098, f64::NAN]);
    assert_same(&first, &[f64::NAN, 6.25, 5.333333333333333, f64::NAN]);
    assert_same(&second, &[0.0, -23.4375, 14.222222222222221, 0.0]);
    let (y, [first], _) = slopes([&x], |[x]| x.logit(0.6));
    let ends = 0.4054651081081642;
    assert_same(&y, &[ends, ends, -ends, -ends]);
    assert_same(&first, &[0.0; 4]);
    let outside =
        |f: for<'t> fn(Var<'t>) -> Var<'t>| slopes([&[-2.0, 2.0]], |[x]| f(x)).1[0].clone();
    assert_same(&outside(|x| x.ln())[..1], &[-0.5]);
    assert_same(&outside(|x| x.ln_1p())[..1], &[-1.0]);
    assert_same(&outside(|x| x.atanh()), &[-0.3333333333333333; 2]);
    for slopes in [outside(|x| x.asin()), outside(|x| x.acos()), outside(|x| x.erfinv())] {
        assert_same(&slopes, &[f64::NAN; 2]);
    }
}

// From torch 2.15.
#[test]
fn the_quantile_of_the_normal_distribution_has_slopes_of_every_order() {
    let (y, [first], [second]) = slopes([&[1e-10, 0.01, 0.3, 0.5, 0.9]], |[x]| x.ndtri());
    let expected = [-6.361340902404056, -2.3263478740408408, -0.5244005127080409, 0.0];
    assert_same(&y[..4], &expected);
    assert_same(
        &first,
        &[
            1535723698.1963818,
            37.52043615729513,
            2.876103659264292,
            2.5066282746310002,
            5.698059856117003,
        ],
    );
    assert_same(&second[..3], &[-1.5002887130628379e+19, -3274.993290268556, -4.337826493638953]);
    let (y, [first], _) = slopes([&[0.0, 1.0, -0.1]], |[x]| x.ndtri());
    assert_same(&y, &[f64::NEG_INFINITY, f64::INFINITY, f64::NAN]);
    assert_same(&first, &[f64::INFINITY, f64::INFINITY, f64::NAN]);
}

#[test]
fn inner_products_are_taken_along_the_last_axes() {
    let tape = Tape::f64();
    let a = tape.constant([[1.0, 2.0], [3.0, 4.0]]);
    let b = tape.constant([[5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]);
    let read = |y: Var<'_>| y.value().unwrap().to_f64s();
    assert_eq!(read(a.inner(b)), [17.0, 23.0, 29.0, 39.0, 53.0, 67.0]);
    assert_eq!(read(a.inner(tape.constant([1.0, -1.0]))), [-1.0, -1.0]);
    assert_eq!(read(a.inner(tape.constant(2.0))), [2.0, 4.0, 6.0, 8.0]);
    assert!(a.inner(tape.constant([1.0])).is_faulty());
}

#[test]
fn products_of_batches_are_added_up() {
    let tape = Tape::f64();
    let a = tape.constant([[1.0, 2.0], [3.0, 4.0]]);
    let batches = stack(&[a, a], 0);
    let sum = a.addbmm(batches, batches, 1.0, 0.5);
    assert_eq!(sum.value().unwrap().to_f64s(), [8.0, 12.0, 18.0, 26.0]);
}

#[test]
fn a_cross_product_stands_on_both_and_takes_three_coordinates() {
    let tape = Tape::f64();
    let x = tape.constant([1.0, 0.0, 0.0]);
    let read = |y: Var<'_>| y.value().unwrap().to_f64s();
    assert_eq!(read(x.cross(tape.constant([0.0, 1.0, 0.0]), 0)), [0.0, 0.0, 1.0]);
    let a = tape.constant([[1.0, 2.0], [3.0, 4.0]]);
    assert!(a.cross(a, 1).is_faulty());
}

#[test]
fn differences_are_taken_as_often_as_there_are_neighbors() {
    let tape = Tape::f64();
    let read = |y: Var<'_>| y.value().unwrap().to_f64s();
    let line = tape.constant([1.0, 4.0, 9.0, 16.0]);
    assert_eq!(read(line.diff(2, 0)), [2.0, 2.0]);
    assert_eq!(line.diff(usize::MAX, 0).shape()[..], [0]);
}

#[test]
fn an_infinite_cotangent_does_not_pass_where_hardswish_is_flat() {
    let tape = Tape::f64();
    let x = tape.variable([-4.0, -3.0, 1.5, 4.0]);
    let slopes = (x.hardswish() * f64::INFINITY).sum(..).backward().unwrap();
    assert_eq!(slopes.of(x).unwrap().to_f64s(), [0.0, 0.0, f64::INFINITY, f64::INFINITY]);
}
