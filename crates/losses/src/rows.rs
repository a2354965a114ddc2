//! The ops that this crate adds to the library's: functions whose value and slope at the edge of
//! their domain no composition gives. Each is a row, with its rule in the library's own operators.

use lossgraph_autograd::{Binary, Unary, Var};
use lossgraph_tensor::{map1, map2};

/// `t · x`, where a `t` of 0 silences an infinite `x`: what is impossible costs nothing.
/// Slopes `x` and `t`.
static TIMES: Binary = Binary {
    name: "times",
    formula: "t · x, with 0 · ∞ = 0",
    kernel: map2!(|t, x| if t == T::ZERO && x.abs() == T::INFINITY { T::ZERO } else { t * x }),
    vjp: Some([|g, _, x, _| times(g, x), |g, t, _, _| g * t]),
    domain: [-3.0, 3.0],
    kinks: &[],
};

/// `t · x` with `0 · ∞ = 0`, for probabilities `t` and logarithms of probabilities `x`.
#[track_caller]
pub(crate) fn times<'t>(t: Var<'t>, x: Var<'t>) -> Var<'t> {
    t.binary(&TIMES, x)
}

/// `x`, with ±3·10³⁸ for ±∞, so that differences of it are numbers. Slope 1 everywhere.
static FINITE: Unary = Unary {
    name: "finite",
    formula: "x, and ±3·10³⁸ for ±∞",
    kernel: map1!(|x, _p| if x.abs() == T::INFINITY { x.signum0() * T::of(3e38) } else { x }),
    vjp: Some(|g, _, _, _| g),
    domain: [-3.0, 3.0],
    sample: [0.0; 2],
    kinks: &[],
};

/// `x` without infinities.
#[track_caller]
pub(crate) fn finite(x: Var<'_>) -> Var<'_> {
    x.unary(&FINITE, [0.0; 2])
}
