//! `fmod`, `remainder` and whole quotients, exactly.
//!
//! Up to quotients of 2⁵³, `a − q b` is a number without rounding, for the whole q that the quotient
//! rounds to and which is one too large at most. Beyond, the quotient has more digits than a number,
//! and the processor's long division is a branch.

/// `a − b trunc(a/b)`, with the sign of a.
#[inline(always)]
fn fmod(a: f64, b: f64) -> f64 {
    let q = (a / b).trunc();
    let r = (-q).mul_add(b, a);
    // One too large: the rest has the other sign.
    let r = if r * a.signum() < 0.0 { r + b.abs().copysign(a) } else { r };
    let r = r.copysign(a);
    let r = if b.abs() == f64::INFINITY { a } else { r };
    if q.abs() < 9_007_199_254_740_992.0 { r } else { a % b }
}

/// `a − b ⌊a/b⌋`, with the sign of b.
#[inline(always)]
fn remainder(a: f64, b: f64) -> f64 {
    let r = fmod(a, b);
    if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
}

/// `⌊a/b⌋`: of the quotient itself, which may round up to a whole number.
#[inline(always)]
fn floor_divide(a: f64, b: f64) -> f64 {
    let r = fmod(a, b);
    let quotient = (a - r) / b;
    let quotient = if r != 0.0 && (b < 0.0) != (r < 0.0) { quotient - 1.0 } else { quotient };
    let floor = quotient.floor();
    let floor = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
    let floor = if quotient == 0.0 { 0.0_f64.copysign(a / b) } else { floor };
    if b == 0.0 { a / b } else { floor }
}

macro_rules! remainders {
    ($float:ident, $($name:ident)*) => {
        pub mod $float {
            $(
                #[inline(always)]
                pub fn $name(a: $float, b: $float) -> $float {
                    super::$name(a.into(), b.into()) as $float
                }
            )*
        }
    };
}

remainders!(f32, fmod remainder floor_divide);
remainders!(f64, fmod remainder floor_divide);
