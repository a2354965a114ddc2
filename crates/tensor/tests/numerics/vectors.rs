//! The same bits in vectors, in what is left over after them, and without either.

use lossgraph_tensor::kernels::{self, Map1, Map2};
use lossgraph_tensor::{Float, Tensor, map2};

use super::{FUNCTIONS, mapped, moderate, scattered};

const POWER: Map2 = map2!(|x, y| x.powf(y));
const DISTANCE: Map2 = map2!(|x, y| x.hypot(y), where x.squares_are_near(y) => x.hypot_near(y));

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
    fn check<T: Float>(name: &str, loops: &Map1, x: &[T], one: fn(T) -> T) {
        for len in [x.len(), 37, 3, 1] {
            let y = x.chunks(len).flat_map(|x| mapped(loops, x.to_vec()));
            for (&x, y) in x.iter().zip(y) {
                assert!(same(y, one(x)), "{name}({x:?}) is {y:?}, alone {:?}", one(x));
            }
        }
    }
    let doubles = inputs();
    let singles: Vec<f32> = doubles.iter().map(|&x| x as f32).collect();
    for function in &FUNCTIONS {
        check(function.name, &function.loops, &doubles, function.f64);
        check(function.name, &function.loops, &singles, function.f32);
    }
}

#[test]
fn a_function_of_two_numbers_gives_the_same_bits_alone_and_anywhere_in_a_slice() {
    fn check<T: Float>(loops: &Map2, x: &[T], two: fn(T, T) -> T) {
        // Each number with another one.
        let y: Vec<T> = x.iter().rev().copied().collect();
        for (x, y) in [(x, &y[..]), (x, x)] {
            for len in [x.len(), 37, 3, 1] {
                let results = x.chunks(len).zip(y.chunks(len)).flat_map(|(x, y)| {
                    let [x, y] =
                        [x, y].map(|part| Tensor::new([part.len()], part.to_vec()).unwrap());
                    let mut out = Tensor::zeros(x.shape(), x.dtype()).unwrap();
                    kernels::map2(loops, &x, &y, &mut out).unwrap();
                    out.to_vec::<T>().unwrap()
                });
                for ((&x, &y), z) in x.iter().zip(y).zip(results) {
                    assert!(same(z, two(x, y)), "of {x:?} and {y:?} it is {z:?}");
                }
            }
        }
    }
    let doubles = inputs();
    let singles: Vec<f32> = doubles.iter().map(|&x| x as f32).collect();
    check(&POWER, &doubles, Float::powf);
    check(&POWER, &singles, Float::powf);
    check(&DISTANCE, &doubles, Float::hypot);
    check(&DISTANCE, &singles, Float::hypot);
}
