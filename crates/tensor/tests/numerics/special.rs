//! Special functions, logarithms to other bases and inverse hyperbolic functions against exact values,
//! and what division leaves against the processor's own.

use super::{is_close, scattered, ulps};
use lossgraph_tensor::Float;

#[test]
fn special_functions_are_within_two_ulps_of_exact_values() {
    // By mpmath, with 60 digits.
    type Value = (fn(f64) -> f64, f64, f64);
    const EXACT: [Value; 132] = [
        (Float::lgamma, 1.0e-300, 690.7755278982137),
        (Float::lgamma, 1.0e-10, 23.025850929882736),
        (Float::lgamma, 0.3, 1.0957979948180756),
        (Float::lgamma, 0.999, 0.0005780385328913802),
        (Float::lgamma, 1.0001, -5.771334222047127e-05),
        (Float::lgamma, 1.4616, -0.12148629003589732),
        (Float::lgamma, 1.99, -0.004195529088791668),
        (Float::lgamma, 2.5, 0.2846828704729192),
        (Float::lgamma, 11.9, 17.25847745059552),
        (Float::lgamma, 12.1, 17.74700727079874),
        (Float::lgamma, 171.5, 709.1431630309282),
        (Float::lgamma, 10000000000.0, 220258509288.81058),
        (Float::lgamma, 2e305, 1.4039632010874878e308),
        (Float::lgamma, -1.0e-10, 23.025850929998178),
        (Float::lgamma, -0.5, 1.2655121234846454),
        (Float::lgamma, -2.457, 3.7496305958099786e-05),
        (Float::lgamma, -3.7, -1.3797399049658245),
        (Float::lgamma, -25.3, -57.62032033796832),
        (Float::digamma, 1.0e-10, -10000000000.577215),
        (Float::digamma, 0.3, -3.502524222200133),
        (Float::digamma, 1.0, -0.5772156649015329),
        (Float::digamma, 1.4616321449683622, -9.241265521729427e-17),
        (Float::digamma, 1.462, 0.00035590320380104274),
        (Float::digamma, 1.5, 0.03648997397857652),
        (Float::digamma, 12.5, 2.4851956512749123),
        (Float::digamma, 10000000000.0, 23.025850929890456),
        (Float::digamma, -1.0e-10, 9999999999.422785),
        (Float::digamma, -0.5, 0.03648997397857652),
        (Float::digamma, -3.7, -0.8450768588704194),
        (Float::digamma, -25.3, 5.5329377403843285),
        (Float::trigamma, 1.0e-10, 1e20),
        (Float::trigamma, 0.3, 12.245364546107732),
        (Float::trigamma, 1.0, 1.6449340668482264),
        (Float::trigamma, 12.5, 0.08328522460157838),
        (Float::trigamma, 10000000000.0, 1.00000000005e-10),
        (Float::trigamma, -0.5, 8.934802200544679),
        (Float::trigamma, -3.7, 14.84242186412428),
        (Float::trigamma, -25.3, 15.040658862765367),
        (Float::erfinv, 1.0e-300, 8.86226925452758e-301),
        (Float::erfinv, -1.0e-10, -8.862269254527581e-11),
        (Float::erfinv, 0.1, 0.08885599049425769),
        (Float::erfinv, 0.4999, 0.4768250236254278),
        (Float::erfinv, 0.5001, 0.4770475405909757),
        (Float::erfinv, -0.9, -1.1630871536766743),
        (Float::erfinv, 0.998, 2.1851242191330043),
        (Float::erfinv, 0.999999, 3.458910737275499),
        (Float::erfinv, 0.9999999999999999, 5.8635847487551676),
        (Float::ndtri, 5.0e-324, -38.467405617144344),
        (Float::ndtri, 1.0e-310, -37.663060331949524),
        (Float::ndtri, 1.1e-150, -26.11931773916824),
        (Float::ndtri, 9.0e-151, -26.126988249730218),
        (Float::ndtri, 1.0e-20, -9.262340089798407),
        (Float::ndtri, 1.0e-05, -4.264890793922825),
        (Float::ndtri, 0.1, -1.2815515655446004),
        (Float::ndtri, 0.24999, -0.6745212191808628),
        (Float::ndtri, 0.25001, -0.6744582818792317),
        (Float::ndtri, 0.4999999, -2.5066282747031063e-07),
        (Float::ndtri, 0.5, 0.0),
        (Float::ndtri, 0.7, 0.5244005127080407),
        (Float::ndtri, 0.7501, 0.67480447011061),
        (Float::ndtri, 0.999, 3.090232306167813),
        (Float::ndtri, 0.9999999999999999, 8.209536151601387),
        (Float::ndtr, -38.0, 2.88542835e-316),
        (Float::ndtr, -20.0, 2.7536241186062337e-89),
        (Float::ndtr, -5.5, 1.8989562465887718e-08),
        (Float::ndtr, -1.0, 0.15865525393145705),
        (Float::ndtr, -0.6, 0.2742531177500736),
        (Float::ndtr, -1.0e-10, 0.49999999996010575),
        (Float::ndtr, 0.3, 0.6179114221889527),
        (Float::ndtr, 0.7, 0.758036347776927),
        (Float::ndtr, 2.0, 0.9772498680518208),
        (Float::ndtr, 8.0, 0.9999999999999993),
        (Float::log_ndtr, -1e100, -5e199),
        (Float::log_ndtr, -100000.0, -5000000012.431864),
        (Float::log_ndtr, -38.0, -726.5572160188201),
        (Float::log_ndtr, -2.0, -3.783184333682032),
        (Float::log_ndtr, -0.6, -1.293703811614028),
        (Float::log_ndtr, 0.0, -std::f64::consts::LN_2),
        (Float::log_ndtr, 0.5, -0.3689464152886564),
        (Float::log_ndtr, 0.7, -0.2770239422771313),
        (Float::log_ndtr, 3.0, -0.0013508099647481938),
        (Float::log_ndtr, 20.0, -2.7536241186062337e-89),
        (Float::log_ndtr_slope, -1e100, 1e100),
        (Float::log_ndtr_slope, -100000.0, 100000.00001),
        (Float::log_ndtr_slope, -38.0, 38.02627946657587),
        (Float::log_ndtr_slope, -2.0, 2.373215532822841),
        (Float::log_ndtr_slope, 0.0, 0.7978845608028654),
        (Float::log_ndtr_slope, 0.7, 0.41192475041929066),
        (Float::log_ndtr_slope, 3.0, 0.004437839042125664),
        (Float::log_ndtr_slope, 20.0, 5.520948362159764e-88),
        (Float::log_ndtr_bend, -1e100, 1.0),
        (Float::log_ndtr_bend, -100000.0, 0.9999999999),
        (Float::log_ndtr_bend, -38.0, 0.9993103402465338),
        (Float::log_ndtr_bend, -2.0, 0.8857208995859187),
        (Float::log_ndtr_bend, -0.5, 0.731519592844121),
        (Float::log_ndtr_bend, 0.7, 0.45802932530149837),
        (Float::log_ndtr_bend, 3.0, 0.013333211541740806),
        (Float::log_ndtr_bend, 20.0, 1.1041896724319527e-86),
        (Float::sinc, 1.0e-10, 1.0),
        (Float::sinc, 0.3, 0.8583936913341398),
        (Float::sinc, 0.5, std::f64::consts::FRAC_2_PI),
        (Float::sinc, 1.0000001, -9.999999005838606e-08),
        (Float::sinc, -2.5, 0.12732395447351627),
        (Float::sinc, 100.25, 0.0022451778457783195),
        (Float::sinc, 10000000000.5, 3.183098861678752e-11),
        (Float::log2, 5.0e-324, -1074.0),
        (Float::log2, 0.3, -1.7369655941662063),
        (Float::log2, 8.0, 3.0),
        (Float::log2, 1e300, 996.5784284662087),
        (Float::log10, 5.0e-324, -323.3062153431158),
        (Float::log10, 0.3, -0.5228787452803376),
        (Float::log10, 1000.0, 3.0),
        (Float::log10, 1e22, 22.0),
        (Float::log10, 1.0000001, 4.3429446044209946e-08),
        (Float::exp2, -1074.0, 5.0e-324),
        (Float::exp2, -1000.5, 6.599170332783212e-302),
        (Float::exp2, 0.3, 1.2311444133449163),
        (Float::exp2, 10.0, 1024.0),
        (Float::exp2, 1023.9, 1.6773070034857416e308),
        (Float::asinh, 1.0e-300, 1.0e-300),
        (Float::asinh, -0.3, -0.29567304756342244),
        (Float::asinh, 3.0, 1.8184464592320668),
        (Float::asinh, 1000000000.0, 21.416413017506358),
        (Float::asinh, 1e300, 691.4686750787737),
        (Float::acosh, 1.0000001, 0.0004472135919037347),
        (Float::acosh, 1.5, 0.9624236501192069),
        (Float::acosh, 1000000000.0, 21.416413017506358),
        (Float::acosh, 1e300, 691.4686750787737),
        (Float::atanh, 1.0e-300, 1.0e-300),
        (Float::atanh, -0.3, -0.3095196042031117),
        (Float::atanh, 0.6, std::f64::consts::LN_2),
        (Float::atanh, 0.9999999999999999, 18.714973875118524),
    ];
    for (i, (f, x, exact)) in EXACT.into_iter().enumerate() {
        assert!(is_close(f(x), exact), "{i}: of {x:e} is {:e}, not {exact:e}", f(x));
    }
}

#[test]
fn derivatives_of_digamma_are_within_two_ulps_of_exact_values() {
    const EXACT: [(f64, f64, f64); 12] = [
        (2.0, 0.3, -75.27253658872604),
        (2.0, 1.0, -2.4041138063191885),
        (2.0, 12.5, -0.006932436585788241),
        (2.0, 100.0, -0.00010100499983335),
        (3.0, 0.3, 743.1417646550498),
        (3.0, 1.0, 6.493939402266829),
        (3.0, 12.5, 0.0011534128049134052),
        (3.0, 100.0, 2.030199990001333e-06),
        (10.0, 0.3, -2048468424178.0745),
        (10.0, 1.0, -3630593.311606629),
        (10.0, 12.5, -5.67985351456712e-06),
        (10.0, 100.0, -3.8135655355681386e-15),
    ];
    for (order, x, exact) in EXACT {
        let got = Float::polygamma(x, order);
        assert!(is_close(got, exact), "order {order} of {x:e} is {got:e}, not {exact:e}");
    }
}

#[test]
fn special_functions_of_f32_are_those_of_f64_rounded() {
    type Pair = (fn(f32) -> f32, fn(f64) -> f64);
    let functions: [Pair; 11] = [
        (Float::trigamma, Float::trigamma),
        (|x| x.polygamma(2.0), |x| x.polygamma(2.0)),
        (Float::ndtr, Float::ndtr),
        (Float::ndtri, Float::ndtri),
        (Float::log_ndtr_bend, Float::log_ndtr_bend),
        (Float::sinc, Float::sinc),
        (|x| x.sinc_slope(1.0), |x| x.sinc_slope(1.0)),
        (|x| x.sinc_slope(3.0), |x| x.sinc_slope(3.0)),
        (Float::asinh, Float::asinh),
        (Float::acosh, Float::acosh),
        (|x| x.hypot(1.0), |x| x.hypot(1.0)),
    ];
    for (i, (single, double)) in functions.into_iter().enumerate() {
        for x in (0..=u32::MAX).step_by(400_009).map(f32::from_bits) {
            let error = ulps(single(x), double(x.into()));
            assert!(error <= 0.5, "{i} of {x:e} is off by {error} ulps");
        }
    }
}

#[test]
fn the_slope_of_a_distance_in_f32_is_within_two_ulps_wherever_the_point_is() {
    let bits = scattered().map(|bits| [bits >> 32, bits].map(|half| f32::from_bits(half as u32)));
    let [inf, tiny, max] = [f32::INFINITY, f32::from_bits(1), f32::MAX];
    let ends = [0.0, -0.0, 1.0, tiny, -tiny, max, -max, inf, -inf, f32::NAN];
    let ends = ends.into_iter().flat_map(|x| ends.map(|y| [x, y]));
    for [x, y] in bits.take(100_000).chain(ends) {
        let exact = Float::cosine(f64::from(x), f64::from(y));
        let error = ulps(Float::cosine(x, y), exact);
        assert!(error <= 2.0, "cosine({x:e}, {y:e}) is off by {error} ulps");
    }
}

#[test]
fn functions_of_f32_with_fewer_terms_have_the_ends_of_those_of_f64() {
    let [inf, tiny, max] = [f32::INFINITY, f32::from_bits(1), f32::MAX];
    type Function = fn(f32) -> f32;
    let functions: [[Function; 2]; 3] = [
        [Float::log_ndtr, |x| f64::from(x).log_ndtr() as f32],
        [Float::log_ndtr_slope, |x| f64::from(x).log_ndtr_slope() as f32],
        [Float::erfinv, |x| f64::from(x).erfinv() as f32],
    ];
    let ends =
        [0.0, tiny, 1e-30, 1.0, 1.0_f32.next_down(), 1.0_f32.next_up(), 40.0, 2e19, max, inf];
    for x in ends.into_iter().chain([f32::NAN]).flat_map(|x| [x, -x]) {
        for (i, [single, double]) in functions.into_iter().enumerate() {
            let (got, expected) = (single(x), double(x));
            let same = got == expected || got.is_nan() && expected.is_nan();
            assert!(same, "{i} of {x:e} is {got:e}, not {expected:e}");
        }
    }
}

#[test]
fn special_functions_have_the_ends_of_the_docs() {
    let inf = f64::INFINITY;
    for (x, y) in [(0.0, inf), (-0.0, inf), (-1.0, inf), (-inf, inf), (inf, inf), (2.6e305, inf)] {
        assert_eq!(Float::lgamma(x), y, "{x}");
    }
    assert_eq!([0.0, -0.0, inf].map(Float::digamma), [-inf, inf, inf]);
    assert!([-1.0, -inf, f64::NAN].into_iter().all(|x: f64| Float::is_nan(x.digamma())));
    assert_eq!([0.0, -1.0, inf].map(|x: f64| x.polygamma(2.0)), [-inf, -inf, 0.0]);
    assert_eq!([0.0, -1.0, inf].map(|x: f64| x.trigamma()), [inf, inf, 0.0]);
    assert_eq!([1.0, -1.0, 0.0].map(Float::erfinv), [inf, -inf, 0.0]);
    assert!(Float::erfinv(1.5_f64).is_nan() && Float::erfinv(-0.0_f64).is_sign_negative());
    assert_eq!([-inf, inf].map(Float::ndtr), [0.0, 1.0]);
    assert_eq!([-inf, inf].map(Float::log_ndtr), [-inf, 0.0]);
    assert_eq!([-inf, inf].map(Float::log_ndtr_slope), [inf, 0.0]);
    assert_eq!([-inf, inf].map(Float::log_ndtr_bend), [1.0, 0.0]);
    assert_eq!([0.0, 3.0, 1e300].map(Float::sinc), [1.0, 0.0, 0.0]);
    assert!(Float::sinc(inf).is_nan());
    assert_eq!([-inf, inf, -1100.0].map(Float::exp2), [0.0, inf, 0.0]);
    assert_eq!([0.0, inf].map(Float::log10), [-inf, inf]);
    assert!(Float::log2(-1.0_f64).is_nan() && Float::acosh(0.5_f64).is_nan());
    assert_eq!([Float::atanh(1.0), Float::asinh(-inf), Float::acosh(1.0)], [inf, -inf, 0.0]);
    for f in [Float::asinh, Float::atanh, Float::erfinv] as [fn(f64) -> f64; 3] {
        let least = 1e-310;
        assert!(f(-0.0).is_sign_negative() && (f(least) / least - 0.95).abs() < 0.1);
    }
    let ends = [(inf, f64::NAN), (f64::NAN, -inf), (inf, inf)];
    assert!(ends.into_iter().all(|(a, b)| Float::hypot(a, b) == inf));
    assert_eq!([Float::hypot(3e-320, 4e-320), Float::hypot(3e307, 4e307)], [5e-320, 5e307]);
}

#[test]
fn what_division_leaves_is_exact() {
    let bits: Vec<u64> = scattered().take(200_000).collect();
    for pair in bits.chunks_exact(2) {
        let (a, b) = (f64::from_bits(pair[0]), f64::from_bits(pair[1]));
        // Of any sizes, near ones, and multiples.
        let near = f64::from_bits((pair[1] >> 12) | (pair[0] & (0x7ff << 52)));
        let step = (pair[1] % 4096) as f64 * 0.1;
        let whole = step * (pair[0] % 1000) as f64;
        for (a, b) in [(a, b), (a, near), (-a, near), (whole, step), (whole, -step)] {
            let (rest, exact) = (Float::fmod(a, b), a % b);
            let same = rest.to_bits() == exact.to_bits() || rest.is_nan() && exact.is_nan();
            assert!(same, "{a:e} mod {b:e} is {rest:e}, not {exact:e}");
            let rest = Float::remainder(a, b);
            let signed = if exact != 0.0 && (exact < 0.0) != (b < 0.0) { exact + b } else { exact };
            assert!(rest == signed || rest.is_nan() && signed.is_nan(), "{a:e}, {b:e}: {rest:e}");
        }
    }
    let inf = f64::INFINITY;
    let pairs =
        [(1.0, 0.1), (-5.0, 3.0), (5.0, -3.0), (0.0, -1.0), (-5.0, inf), (5.0, 0.0), (6.0, 3.0)];
    let floors = pairs.map(|(a, b)| Float::floor_divide(a, b));
    assert_eq!(floors, [9.0, -2.0, -2.0, 0.0, -1.0, inf, 2.0]);
}
