//! The same bits in vectors, in what is left over after them, and without either.

use super::{FUNCTIONS, moderate, scattered};
use lossgraph_tensor::kernels::Map2;
use lossgraph_tensor::{Float, map2};

const POWER: Map2 = map2!(|x, y| x.powf(y));

/// Equal to the last bit, or both NaN.
fn same<T: Float>(a: T, b: T) -> bool {
    let sign = |x: T| T::ONE / x;
    a == b && sign(a) == sign(b) || a.is_nan() && b.is_nan()
}

/// Numbers of all sizes and of the usual ones, and those at which formulas change; by size, so that
/// rare inputs, for which a loop may run otherwise, stand together.
fn inputs() -> Vec<f64> {
    let edges = [0.0, 1.0, 0.5, 1e-310, 1e-45, 0.4769, 0.625, 90.0, 104.0, 711.0, 746.0, f64::MAX];
    let edges = edges.into_iter().chain([f64::INFINITY, f64::NAN]).flat_map(|x| [x, -x]);
    let sizes = |bits| [f64::from_bits(bits), f32::from_bits(bits as u32).into(), moderate(bits)];
    let mut inputs: Vec<f64> = scattered().take(3000).flat_map(sizes).chain(edges).collect();
    inputs.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    inputs
}

#[test]
fn a_function_gives_the_same_bits_alone_and_anywhere_in_a_slice() {
    fn check<T: Float>(name: &str, x: &[T], slice: fn(&[T], [T; 2], &mut [T]), one: fn(T) -> T) {
        for len in [x.len(), 37, 3, 1] {
            let mut y = vec![T::ZERO; x.len()];
            for (x, y) in x.chunks(len).zip(y.chunks_mut(len)) {
                slice(x, [T::ZERO; 2], y);
            }
            for (&x, y) in x.iter().zip(y) {
                assert!(same(y, one(x)), "{name}({x:?}) is {y:?}, alone {:?}", one(x));
            }
        }
    }
    let doubles = inputs();
    let singles: Vec<f32> = doubles.iter().map(|&x| x as f32).collect();
    for function in &FUNCTIONS {
        check(function.name, &doubles, function.loops.f64.slice, function.f64);
        check(function.name, &singles, function.loops.f32.slice, function.f32);
    }
}

#[test]
fn a_power_is_the_same_bits_alone_and_anywhere_in_a_slice() {
    fn check<T: Float>(x: &[T], slices: fn(&[T], &[T], &mut [T])) {
        // Each number to the power of another one.
        let y: Vec<T> = x.iter().rev().copied().collect();
        for len in [x.len(), 37, 3, 1] {
            let mut power = vec![T::ZERO; x.len()];
            for ((x, y), power) in x.chunks(len).zip(y.chunks(len)).zip(power.chunks_mut(len)) {
                slices(x, y, power);
            }
            for ((&x, &y), power) in x.iter().zip(&y).zip(power) {
                assert!(same(power, x.powf(y)), "{x:?} to {y:?} is {power:?}");
            }
        }
    }
    let doubles = inputs();
    let singles: Vec<f32> = doubles.iter().map(|&x| x as f32).collect();
    check(&doubles, POWER.f64.slices);
    check(&singles, POWER.f32.slices);
}
