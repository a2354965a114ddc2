//! Elementary functions that can be vectorized: without branches, tables or calls, so that the
//! compiler vectorizes a loop over them for every instruction set. Every step is
//! one operation of IEEE 754 and no step is left to the compiler's choice, so that a function
//! gives the same bits on all of them.
//!
//! docs/numerics.md has the errors.

mod double_double;
pub mod error;
pub mod exp;
pub mod gamma;
pub mod hyperbolic;
pub mod ln;
pub mod normal;
mod normal_f32;
pub mod power;
pub mod remainder;
pub mod trigonometric;

/// The polynomial with these coefficients, from the highest power on (Horner).
macro_rules! polynomial {
    ($x:expr, [$first:expr $(, $c:expr)* $(,)?]) => {{
        let x = $x;
        let p = $first;
        $(let p = x.mul_add(p, $c);)*
        p
    }};
    ($x:expr, $coefficients:ident) => {{
        // No closure: see `kernels::loops::sums`.
        let (x, mut p, mut next) = ($x, $coefficients[0], 1);
        while next < $coefficients.len() {
            p = x.mul_add(p, $coefficients[next]);
            next += 1;
        }
        p
    }};
}
use polynomial;
