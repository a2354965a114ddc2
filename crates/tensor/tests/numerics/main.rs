//! How far the elementary functions are from the exact values, in units in the last place.

mod doubles;
mod ends;
mod powers;
mod special;
mod sweep;
mod vectors;

use lossgraph_tensor::kernels::{self, Map1};
use lossgraph_tensor::{Float, Tensor, map1};

/// A function as loops over slices and as itself, and what its results in `f32` have to be.
struct Function {
    name: &'static str,
    loops: Map1,
    f32: fn(f32) -> f32,
    f64: fn(f64) -> f64,
    /// Of the standard library or `libm`. Where they have none, the function for `f64` is exact enough
    /// for `f32`, and `special.rs` compares it with exact values.
    exact: Option<fn(f64) -> f64>,
}

macro_rules! function {
    ($name:ident) => {
        Function {
            name: stringify!($name),
            loops: map1!(|x, _p| x.$name()),
            f32: Float::$name,
            f64: Float::$name,
            exact: None,
        }
    };
    ($name:ident, $exact:expr $(, where near: $near:ident)?) => {
        Function {
            name: stringify!($name),
            loops: map1!(|x, _p| x.$name() $(, where x.is_near() => x.$near())?),
            f32: Float::$name,
            f64: Float::$name,
            exact: Some($exact),
        }
    };
}

const FUNCTIONS: [Function; 24] = [
    function!(exp, f64::exp),
    function!(exp_m1, f64::exp_m1),
    function!(ln, f64::ln),
    function!(ln_1p, f64::ln_1p),
    function!(sinh, f64::sinh),
    function!(cosh, f64::cosh),
    function!(tanh, f64::tanh),
    function!(atanh, libm::atanh),
    function!(sigmoid, |x| if x < 0.0 {
        x.exp() / (1.0 + x.exp())
    } else {
        1.0 / (1.0 + (-x).exp())
    }),
    function!(softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
    function!(sin, f64::sin, where near: sin_near),
    function!(cos, f64::cos, where near: cos_near),
    function!(tan, f64::tan, where near: tan_near),
    function!(erf, libm::erf),
    function!(erfc, libm::erfc),
    function!(log2, f64::log2),
    function!(log10, f64::log10),
    function!(exp2, f64::exp2),
    function!(lgamma),
    function!(digamma),
    function!(erfinv),
    function!(ndtri),
    function!(log_ndtr),
    function!(log_ndtr_slope),
];

/// What the kernel of a function makes of some numbers.
fn mapped<T: Float>(loops: &Map1, x: Vec<T>) -> Vec<T> {
    let x = Tensor::new([x.len()], x).unwrap();
    let mut y = Tensor::zeros(x.shape(), x.dtype()).unwrap();
    kernels::map1(loops, &x, [0.0; 2], &mut y).unwrap();
    y.to_vec().unwrap()
}

/// The distance from the exact value, in units of the last place of the nearest `f32`.
fn ulps(got: f32, exact: f64) -> f64 {
    let near = exact as f32;
    if got == near || got.is_nan() && near.is_nan() {
        return 0.0;
    }
    if !got.is_finite() || !near.is_finite() {
        // An infinity is one step beyond the largest number.
        let edge = f64::from(f32::MAX);
        let (got, near) = (f64::from(got).clamp(-edge, edge), exact.clamp(-edge, edge));
        let far = (got - near).abs() / (edge - f64::from(f32::MAX.next_down()));
        return if got.is_nan() || near.is_nan() { f64::INFINITY } else { far.max(1.0) };
    }
    let size = near.abs();
    let unit = f64::from(size.next_up()) - f64::from(size);
    (f64::from(got) - exact).abs() / unit
}

/// Whether they differ by 2 ulps at most, or both are NaN.
fn is_close(got: f64, expected: f64) -> bool {
    got == expected
        || got.is_nan() && expected.is_nan()
        || (got - expected).abs() <= 2.0 * (expected.abs().next_up() - expected.abs())
}

/// Numbers whose bits follow no pattern (Knuth's MMIX generator).
fn scattered() -> impl Iterator<Item = u64> {
    let step = |bits: &u64| {
        let (factor, term) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        Some(bits.wrapping_mul(factor).wrapping_add(term))
    };
    std::iter::successors(Some(0x0123_4567_89ab_cdef), step).map(|bits| bits ^ (bits >> 29))
}

/// A number from 2⁻³² to 2³², of either sign.
fn moderate(bits: u64) -> f64 {
    let x = f64::from_bits((bits >> 6) % (64 << 52) + (991 << 52));
    if bits & 1 == 0 { x } else { -x }
}
