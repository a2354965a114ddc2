//! What subtracts a mean: right where elements differ by less than the mean is off by.

use lossgraph_autograd::{Tape, Var};
use lossgraph_tensor::{DType, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn tapes() -> [Tape; 4] {
    [Tape::new(), Tape::f64(), Tape::new().unfused(), Tape::f64().unfused()]
}

fn elements(x: Var<'_>) -> Vec<f64> {
    x.value().unwrap().to_f64s()
}

#[test]
fn equal_elements_have_no_deviation_whatever_they_are() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..60 {
        let value = rng.random_range(1.0..10.0) * 10_f64.powi(rng.random_range(-30..=30));
        let value = if rng.random() { value } else { -value };
        let (rows, columns) = (rng.random_range(1..5), rng.random_range(1..600));
        for tape in tapes() {
            let x = tape.variable(Tensor::full([rows, columns], value, DType::F64).unwrap());
            let norm = x.layer_norm(&[columns], None, None, 1e-5);
            for y in [x.centered(1), x.centered(0), x.centered(..), x.var(1, 0.0), norm] {
                let most = elements(y).into_iter().fold(0_f64, |most, y| most.max(y.abs()));
                assert_eq!(most, 0.0, "{value} {rows} {columns} {}", tape.dtype());
            }
            assert!(elements(x.std(1, 1.0)).into_iter().all(|y| y == 0.0 || columns == 1));
            assert_eq!(elements(tape.grad(x.std(.., 0.0), &[x])[0])[0], 0.0);
        }
    }
}

#[test]
fn a_deviation_is_right_where_the_variance_overflows_or_underflows() {
    for tape in tapes() {
        let range: i32 = if tape.dtype() == DType::F32 { 36 } else { 300 };
        for exponent in [-range, -range / 2, 0, range / 2, range] {
            let unit = 10_f64.powi(exponent);
            let x = tape.variable([[-unit, unit, -3.0 * unit, 3.0 * unit]]);
            let y = x.std(1, 0.0);
            let std = elements(y)[0];
            assert!((std / (5_f64.sqrt() * unit) - 1.0).abs() < 1e-6, "{exponent}: {std}");
            // ∂σ/∂x = (x − mean) / (n σ), whatever the unit is.
            for (slope, x) in
                elements(tape.grad(y.sum(..), &[x])[0]).iter().zip([-1.0, 1.0, -3.0, 3.0])
            {
                assert!((slope - x / (4.0 * 5_f64.sqrt())).abs() < 1e-6, "{exponent}: {slope}");
            }
        }
    }
}

#[test]
fn many_equal_elements_have_no_deviation() {
    for shape in [[1, 999_983], [999_983, 1], [49, 20_011], [20_011, 49]] {
        for tape in tapes() {
            let x = tape.constant(Tensor::full(shape, 12345.678, DType::F64).unwrap());
            for y in [x.centered(0), x.centered(1), x.centered(..)] {
                let most = y.abs().max(..).item().unwrap();
                assert_eq!(most, 0.0, "{shape:?} {}", tape.dtype());
            }
        }
    }
}

/// Numbers that are so many ulps above the least of them, and these numbers of ulps.
fn near(
    constant: f64,
    len: usize,
    dtype: DType,
    rng: &mut ChaCha8Rng,
) -> (Vec<f64>, Vec<i64>, f64) {
    let least = Tensor::full((), constant, dtype).unwrap().to_f64s()[0];
    let ulp = match dtype {
        DType::F32 => f64::from((least as f32).abs().next_up()) - least.abs(),
        _ => least.abs().next_up() - least.abs(),
    };
    let ulps: Vec<i64> = (0..len).map(|_| rng.random_range(0..8)).collect();
    (ulps.iter().map(|&k| least + k as f64 * ulp).collect(), ulps, ulp)
}

#[test]
fn deviations_are_right_to_a_few_ulps_of_themselves() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for constant in [12345.678, 0.7, 1e30, 1e-12, 3.0] {
        for len in [1, 2, 7, 256, 3001] {
            for tape in tapes() {
                let (x, ulps, ulp) = near(constant, len, tape.dtype(), &mut rng);
                let epsilon =
                    if tape.dtype() == DType::F32 { 2_f64.powi(-23) } else { f64::EPSILON };
                let mean = ulps.iter().sum::<i64>() as f64 / len as f64;
                let rows = tape.constant(Tensor::new([1, len], x.clone()).unwrap());
                let columns = tape.constant(Tensor::new([len, 1], x).unwrap());
                for d in [rows.centered(1), columns.centered(0), rows.centered(..)] {
                    for (d, &k) in elements(d).into_iter().zip(&ulps) {
                        let expected = (k as f64 - mean) * ulp;
                        let error = (d - expected).abs();
                        assert!(
                            error <= 8.0 * epsilon * ulp,
                            "{constant} {len}: {d} not {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_variance_is_that_of_what_differs() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (constant, len) in [(12345.678, 1000), (-0.7, 33), (1e12, 5), (1e-9, 20_000)] {
        for tape in tapes() {
            let (x, ulps, ulp) = near(constant, len, tape.dtype(), &mut rng);
            let (sum, squares) = ulps.iter().fold((0, 0), |(s, q), k| (s + k, q + k * k));
            let n = len as i64;
            let expected = (n * squares - sum * sum) as f64 / (n * n) as f64 * ulp * ulp;
            let rows = tape.constant(Tensor::new([1, len], x.clone()).unwrap());
            let columns = tape.constant(Tensor::new([len, 1], x).unwrap());
            let epsilon = if tape.dtype() == DType::F32 { 2_f64.powi(-23) } else { f64::EPSILON };
            for var in [rows.var(1, 0.0), columns.var(0, 0.0), rows.var(.., 0.0)] {
                let error = (elements(var)[0] / expected - 1.0).abs();
                assert!(error <= 8.0 * epsilon, "{constant} {len} {}: {error}", tape.dtype());
            }
        }
    }
}

#[test]
fn layer_norm_and_batch_norm_see_what_differs() {
    let tape = Tape::new();
    let x = tape.constant(Tensor::full([2, 8], 12345.678, DType::F64).unwrap());
    assert_eq!(elements(x.layer_norm(&[8], None, None, 1e-5)), [0.0; 16]);
    assert_eq!(elements(x.batch_norm(None, None, 1e-5)), [0.0; 16]);
    let [mean, var] = x.channel_statistics().map(|statistic| statistic.value().unwrap());
    assert!(mean.to_f64s().iter().all(|m| (m - 12345.678).abs() < 1e-3));
    assert_eq!(var.to_f64s(), [0.0; 8]);
}

#[test]
fn a_layer_norm_stays_one_pass_and_a_batch_norm_takes_one_sum_more() {
    let tape = Tape::new();
    let passes = |y: Var<'_>, of: &str| tape.plan(&[y]).unwrap().to_string().matches(of).count();
    let x = tape.variable(Tensor::ones([64, 256], DType::F32).unwrap());
    let y = x.layer_norm(&[256], None, None, 1e-5);
    assert_eq!([passes(y, "kernel"), passes(y, "row_sum")], [1, 3]);
    let images = tape.variable(Tensor::ones([8, 16, 10, 10], DType::F32).unwrap());
    assert_eq!(passes(images.batch_norm(None, None, 1e-5), "= sum"), 3);
    // As many passes over the examples as there are sums, and one that writes.
    let examples = tape.variable(Tensor::ones([512, 64], DType::F32).unwrap());
    let y = examples.batch_norm(None, None, 1e-5);
    assert_eq!(passes(y, "kernel 512 × 64"), 4, "{}", tape.plan(&[y]).unwrap());
}
