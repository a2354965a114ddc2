//! Whole numbers near a number, and what division leaves.

use lossgraph_tensor::kernels::Integers2;
use lossgraph_tensor::{map1, map2};

use super::Kink;
use super::binary::{Binary, binary};
use super::table::{CUBE, Row, Sample::Floats, one, op, two};
use super::unary::{Unary, unary};
use crate::record::fault::Fault;
use crate::record::operand::Operand;
use crate::record::var::Var;

unary! {
    /// The largest whole number that is not above `x`. Its slope is 0.
    fn floor() = FLOOR {
        formula: "⌊x⌋",
        value: |x, _p| x.floor(),
        vjp: None,
        domain: [0.1, 0.9],
        facts: cheap().integers(|x, _| x),
        kink: "x whole", |[x, _], _| x == x.floor(), 1.0, 0.0, "a jump: the slope on both sides",
    }
}

unary! {
    /// The smallest whole number that is not below `x`. Its slope is 0.
    fn ceil() = CEIL {
        formula: "⌈x⌉",
        value: |x, _p| x.ceil(),
        vjp: None,
        domain: [0.1, 0.9],
        facts: cheap().integers(|x, _| x),
        kink: "x whole", |[x, _], _| x == x.ceil(), 1.0, 0.0, "a jump: the slope on both sides",
    }
}

unary! {
    /// `x` without what stands after the point: the next whole number on the way to 0. Its slope
    /// is 0.
    #[doc(alias = "fix")]
    fn trunc() = TRUNC {
        formula: "sign x · ⌊|x|⌋",
        value: |x, _p| x.trunc(),
        vjp: None,
        domain: [0.1, 0.9],
        facts: cheap().integers(|x, _| x),
        kink: "x whole, but not 0", |[x, _], _| x == x.trunc() && x != 0.0, 1.0, 0.0, "a jump: the slope on both sides",
    }
}

unary! {
    /// The nearest whole number, and of two the even one. Its slope is 0.
    fn round() = ROUND {
        formula: "the whole number nearest to x",
        value: |x, _p| x.round_ties_even(),
        vjp: None,
        domain: [0.6, 1.4],
        facts: cheap().integers(|x, _| x),
        kink: "x halfway", |[x, _], _| x.fract().abs() == 0.5, 0.5, 0.0, "a jump: the slope on both sides",
    }
}

unary! {
    /// What stands after the point, with the sign of x: `x − trunc x`; slope 1.
    fn frac() = FRAC {
        formula: "x − trunc x",
        value: specialized: |x, _p| x - x.trunc(),
        vjp: Some(|g, _, _, _| g),
        domain: [0.1, 0.9],
        facts: cheap().integers(|_, _| 0),
        kink: "x whole, but not 0", |[x, _], _| x == x.trunc() && x != 0.0, 1.0, 1.0, "a jump: the slope on both sides",
    }
}

/// Where a quotient is whole.
const WHOLE: fn([f64; 2], [f64; 2]) -> bool = |[a, b], _| (a / b).fract() == 0.0;

binary! {
    /// `⌊a/b⌋`, of the quotient before it is rounded: `1/0.1` is above 10 only once it is rounded, and
    /// gives 9. PyTorch's `div` with `rounding_mode="floor"`. Its slopes are 0.
    ///
    /// Integers stay integers, and one that is divided by 0 is an error when the plan runs.
    #[doc(alias = "div")]
    fn floor_divide = FLOOR_DIVIDE {
        formula: "⌊a/b⌋",
        value: |a, b| a.floor_divide(b), where a.quotient_is_near(b) => a.floor_divide_near(b),
        vjp: None,
        domain: [0.4, 3.0],
        facts: expensive().integers(Integers2::Quotient(floor_quotient)),
        kink: "a/b whole", WHOLE, [2.0, 1.0], [0.0, 0.0], "a jump: the slopes on both sides",
    }
}

binary! {
    /// The quotient `a/b` without what stands after the point: PyTorch's `div` with
    /// `rounding_mode="trunc"`. Its slopes are 0.
    ///
    /// Integers stay integers, and one that is divided by 0 is an error when the plan runs.
    #[doc(alias = "div")]
    fn trunc_divide = TRUNC_DIVIDE {
        formula: "trunc(a/b)",
        value: |a, b| (a / b).trunc(),
        vjp: None,
        domain: [0.4, 3.0],
        facts: integers(Integers2::Quotient(i64::wrapping_div)),
        kink: "a/b whole", WHOLE, [2.0, 1.0], [0.0, 0.0], "a jump: the slopes on both sides",
    }
}

binary! {
    /// What is left of `a` after whole multiples of `b`, exactly: `a − b ⌊a/b⌋`, which has the sign of
    /// `b`, as in Python. Slopes 1 and `−⌊a/b⌋`.
    ///
    /// Integers stay integers, and one that is divided by 0 is an error when the plan runs.
    #[doc(alias = "modulo")]
    fn remainder = REMAINDER {
        formula: "a − b ⌊a/b⌋",
        value: |a, b| a.remainder(b), where a.quotient_is_near(b) => a.remainder_near(b),
        vjp: Some([|g, _, _, _| g, |g, a, b, _| -g * a.floor_divide(b)]),
        domain: [0.4, 3.0],
        facts: expensive().integers(Integers2::Quotient(floor_rest)),
        kink: "a/b whole", WHOLE, [2.0, 1.0], [1.0, -2.0], "a jump: the slopes on both sides",
    }
}

binary! {
    /// What is left of `a` after whole multiples of `b`, exactly: `a − b trunc(a/b)`, which has the
    /// sign of `a`, as C's `fmod`. Slopes 1 and `−trunc(a/b)`.
    ///
    /// Integers stay integers, and one that is divided by 0 is an error when the plan runs.
    fn fmod = FMOD {
        formula: "a − b trunc(a/b)",
        value: |a, b| a.fmod(b), where a.quotient_is_near(b) => a.fmod_near(b),
        vjp: Some([|g, _, _, _| g, |g, a, b, _| -g * a.trunc_divide(b)]),
        domain: [0.4, 3.0],
        facts: expensive().integers(Integers2::Quotient(i64::wrapping_rem)),
        kink: "a/b whole, but not 0", |x, p| WHOLE(x, p) && x[0] != 0.0, [2.0, 1.0], [1.0, -2.0], "a jump: the slopes on both sides",
    }
}

fn floor_rest(a: i64, b: i64) -> i64 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

fn floor_quotient(a: i64, b: i64) -> i64 {
    let below = a.wrapping_rem(b) != 0 && (a < 0) != (b < 0);
    a.wrapping_div(b) - i64::from(below)
}

impl<'t> Var<'t> {
    /// Rounded to so many decimals, or to tens, hundreds and so on for negative ones; halves go to the
    /// even digit, as the product with the power of ten has it. PyTorch's `round` with `decimals`. Its
    /// slope is 0.
    ///
    /// # Errors
    /// Recorded as a fault: so many decimals that their power of ten is no number of the tape.
    #[track_caller]
    pub fn round_to(self, decimals: i32) -> Var<'t> {
        let _call = self.tape().call("round_to");
        let power = 10_f64.powi(decimals.saturating_abs());
        if power > self.tape().largest() {
            let fault =
                Fault::new("round_to", format!("there is no 10 to the power of {decimals}"));
            return self.tape().fault(fault.operand("input", self));
        }
        match decimals {
            0 => self.round(),
            1.. => (self.to_float() * power).round() / power,
            _ => (self.to_float() / power).round() * power,
        }
    }
}

/// The rows of the table of ops.
pub(super) static ROWS: &[Row] = &[
    one(&FLOOR, &[Floats(&[2, 3], FLOOR.domain)], |x| x[0].floor()),
    one(&CEIL, &[Floats(&[2, 3], CEIL.domain)], |x| x[0].ceil()),
    one(&TRUNC, &[Floats(&[2, 3], TRUNC.domain)], |x| x[0].trunc()).torch("trunc, fix"),
    one(&ROUND, &[Floats(&[2, 3], ROUND.domain)], |x| x[0].round()),
    two(
        &FLOOR_DIVIDE,
        &[Floats(&[2, 3], FLOOR_DIVIDE.domain), Floats(&[3], FLOOR_DIVIDE.domain)],
        |x| x[0].floor_divide(x[1]),
    )
    .torch(r#"floor_divide, div(rounding_mode="floor")"#),
    two(
        &TRUNC_DIVIDE,
        &[Floats(&[2, 3], TRUNC_DIVIDE.domain), Floats(&[3], TRUNC_DIVIDE.domain)],
        |x| x[0].trunc_divide(x[1]),
    )
    .torch(r#"div(rounding_mode="trunc")"#),
    two(&REMAINDER, &[Floats(&[2, 3], REMAINDER.domain), Floats(&[3], REMAINDER.domain)], |x| {
        x[0].remainder(x[1])
    }),
    two(&FMOD, &[Floats(&[2, 3], FMOD.domain), Floats(&[3], FMOD.domain)], |x| x[0].fmod(x[1])),
    one(&FRAC, &[CUBE], |x| x[0].frac()),
    op("round_to", "composed", "x, to some decimals", &[Floats(&[2, 3], [0.06, 0.14])], |x| {
        x[0].round_to(1)
    })
    .torch("round(decimals=…)"),
];
