//! The ops that this crate adds to the library's: functions whose value and slope at the edge of
//! their domain no composition gives. Each is a row, with its rule in the library's own operators.

use lossgraph_autograd::{Binary, Unary, Var};
use lossgraph_tensor::{Float, map1, map2};

/// `t · x`, where a `t` of 0 silences an infinite `x`: what is impossible costs nothing.
/// Slopes `x`, but 0 where it is silent, and `t`.
static TIMES: Binary = Binary::new(
    "times",
    "t · x, with 0 · ∞ = 0",
    map2!(specialized: |t, x| if is_silent(t, x) { T::ZERO } else { t * x }),
)
.vjp(|g, t, x, _| g * t.binary(&UNLESS_SILENT, x), |g, t, _, _| g * t);

/// `x`, but 0 where a `t` of 0 silences it. Slope 1 in `x`.
static UNLESS_SILENT: Binary = Binary::new(
    "unless_silent",
    "x, but 0 where t · x is 0 · ∞",
    map2!(|t, x| if is_silent(t, x) { T::ZERO } else { x }),
)
.vjp(|g, _, _, _| g.tape().fill(g.shape(), 0.0), |g, _, _, _| g);

#[inline(always)]
fn is_silent<T: Float>(t: T, x: T) -> bool {
    t == T::ZERO && x.abs() == T::INFINITY
}

/// `t · x` with `0 · ∞ = 0`, for probabilities `t` and logarithms of probabilities `x`.
#[track_caller]
pub(crate) fn times<'t>(t: Var<'t>, x: Var<'t>) -> Var<'t> {
    t.binary(&TIMES, x)
}

/// `x`, with half the largest number for ∞, so that differences of it are numbers. Slope 1
/// everywhere.
static FINITE: Unary = Unary::new(
    "finite",
    "x, and ±1.7·10³⁸ for ±∞ (±9·10³⁰⁷ in f64)",
    map1!(|x, _p| if x.abs() == T::INFINITY { x.signum0() * (T::MAX * T::of(0.5)) } else { x }),
)
.vjp(|g, _, _, _| g);

/// `x` without infinities.
#[track_caller]
pub(crate) fn finite(x: Var<'_>) -> Var<'_> {
    x.unary(&FINITE, [0.0; 2])
}

/// `x`, with half the largest number for +∞, so that what is infinitely likely can be compared with the rest. Slope 1
/// everywhere.
static CAPPED: Unary = Unary::new(
    "capped",
    "x, and 1.7·10³⁸ for +∞ (9·10³⁰⁷ in f64)",
    map1!(specialized: |x, _p| if x == T::INFINITY { T::MAX * T::of(0.5) } else { x }),
)
.vjp(|g, _, _, _| g);

/// `x` without +∞, for logits: the impossible stays so.
#[track_caller]
pub(crate) fn capped(x: Var<'_>) -> Var<'_> {
    x.unary(&CAPPED, [0.0; 2])
}

/// `x`, with ±∞ again for what only [`finite`] or [`capped`] can have made. Slope 1 everywhere.
static INFINITE: Unary = Unary::new(
    "infinite",
    "x, and ±∞ beyond ±3·10³⁴ (±2·10³⁰⁴ in f64)",
    map1!(|x, _p| if x.abs() > T::MAX * T::of(1e-4) { x * T::INFINITY } else { x }),
)
.vjp(|g, _, _, _| g);

/// A loss of [`finite`] numbers, infinite where they were and it depends on them.
#[track_caller]
pub(crate) fn infinite(x: Var<'_>) -> Var<'_> {
    x.unary(&INFINITE, [0.0; 2])
}

// A right triangle with the sides x and c: its hypotenuse, and sine and cosine of the angle that x
// stands opposite to. Each is the slope of another, and none squares more than a quotient of at
// most 1, so that nothing overflows on the way.

/// `√(x² + c²)`. Slope `sine`.
static HYPOTENUSE: Unary = Unary::new(
    "hypot",
    "√(x² + c²)",
    map1!(|x, p| {
        let (long, short) = (x.abs().max(p[0]), x.abs().min(p[0]));
        long * (T::ONE + (short / long) * (short / long)).sqrt()
    }),
)
.sample([0.7, 0.0])
.vjp(|g, x, _, [c, _]| g * sine(x, c));

/// `√(x² + c²) − c`, as exact near 0 as far away. Slope `sine`.
static EXCESS: Unary = Unary::new(
    "hypot_excess",
    "√(x² + c²) − c",
    map1!(|x, p| {
        let (a, c) = (x.abs(), p[0]);
        let (long, short) = (a.max(c), a.min(c));
        let t = short / long;
        let root = (T::ONE + t * t).sqrt();
        if a > c { long * root - c } else { a * (t / (root + T::ONE)) }
    }),
)
.sample([0.7, 0.0])
.vjp(|g, x, _, [c, _]| g * sine(x, c));

/// `x/√(x² + c²)`. Slope `cosine³/c`.
static SINE: Unary = Unary::new(
    "sine",
    "x/√(x² + c²)",
    map1!(|x, p| {
        let (long, short) = (x.abs().max(p[0]), x.abs().min(p[0]));
        let t = short / long;
        x.signum0() * (if x.abs() > p[0] { T::ONE } else { t }) / (T::ONE + t * t).sqrt()
    }),
)
.sample([0.7, 0.0])
.vjp(|g, x, _, [c, _]| g * (cosine(x, c).powi(3) / c));

/// `c/√(x² + c²)`. Slope `−sine cosine²/c`.
static COSINE: Unary = Unary::new(
    "cosine",
    "c/√(x² + c²)",
    map1!(|x, p| {
        let (long, short) = (x.abs().max(p[0]), x.abs().min(p[0]));
        let t = short / long;
        (if x.abs() > p[0] { t } else { T::ONE }) / (T::ONE + t * t).sqrt()
    }),
)
.sample([0.7, 0.0])
.vjp(|g, x, y, [c, _]| g * (sine(x, c) * y.square() / -c));

/// `ln(1 + (x/c)²)`. Slope `2 sine cosine/c`.
static LN_1P_SQUARE: Unary = Unary::new(
    "ln_1p_square",
    "ln(1 + (x/c)²)",
    map1!(|x, p| {
        // Far away the 1 is nothing, and one logarithm is computed either way: of x itself where the
        // quotient overflows.
        let u = x.abs() / p[0];
        let (far, beyond) = (u > T::of(1e9), u == T::INFINITY);
        let v = if beyond {
            x.abs() - T::ONE
        } else if far {
            u - T::ONE
        } else {
            u * u
        };
        let ln = v.ln_1p();
        if beyond {
            (ln - p[1]) * T::of(2.0)
        } else if far {
            ln * T::of(2.0)
        } else {
            ln
        }
    }),
)
.sample([0.7, -0.35667494393873245])
.vjp(|g, x, _, [c, _]| g * (sine(x, c) * cosine(x, c) * (2.0 / c)));

/// `√(x² + c²)` for a `c` above 0.
#[track_caller]
pub(crate) fn hypot(x: Var<'_>, c: f64) -> Var<'_> {
    x.unary(&HYPOTENUSE, [c, 0.0])
}

/// `√(x² + c²) − c` for a `c` above 0.
#[track_caller]
pub(crate) fn hypot_excess(x: Var<'_>, c: f64) -> Var<'_> {
    x.unary(&EXCESS, [c, 0.0])
}

/// `x/√(x² + c²)` for a `c` above 0.
#[track_caller]
pub(crate) fn sine(x: Var<'_>, c: f64) -> Var<'_> {
    x.unary(&SINE, [c, 0.0])
}

/// `c/√(x² + c²)` for a `c` above 0.
#[track_caller]
fn cosine(x: Var<'_>, c: f64) -> Var<'_> {
    x.unary(&COSINE, [c, 0.0])
}

/// `ln(1 + (x/c)²)` for a `c` above 0.
#[track_caller]
pub(crate) fn ln_1p_square(x: Var<'_>, c: f64) -> Var<'_> {
    x.unary(&LN_1P_SQUARE, [c, c.ln()])
}
