//! The ops that this crate adds to the library's: functions whose value and slope at the edge of
//! their domain no composition gives. Each is a row, with its rule in the library's own operators.

use lossgraph_autograd::{Binary, Unary, Var};
use lossgraph_tensor::{map1, map2};

/// `t · x`, where a `t` of 0 silences an infinite `x`: what is impossible costs nothing.
/// Slopes `x` and `t`.
static TIMES: Binary = Binary::new(
    "times",
    "t · x, with 0 · ∞ = 0",
    map2!(|t, x| if t == T::ZERO && x.abs() == T::INFINITY { T::ZERO } else { t * x }),
)
.vjp(|g, _, x, _| times(g, x), |g, t, _, _| g * t);

/// `t · x` with `0 · ∞ = 0`, for probabilities `t` and logarithms of probabilities `x`.
#[track_caller]
pub(crate) fn times<'t>(t: Var<'t>, x: Var<'t>) -> Var<'t> {
    t.binary(&TIMES, x)
}

/// `x`, with ±3·10³⁸ for ±∞, so that differences of it are numbers. Slope 1 everywhere.
static FINITE: Unary = Unary::new(
    "finite",
    "x, and ±3·10³⁸ for ±∞",
    map1!(|x, _p| if x.abs() == T::INFINITY { x.signum0() * T::of(3e38) } else { x }),
)
.vjp(|g, _, _, _| g);

/// `x` without infinities.
#[track_caller]
pub(crate) fn finite(x: Var<'_>) -> Var<'_> {
    x.unary(&FINITE, [0.0; 2])
}
