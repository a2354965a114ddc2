//! `fmod`, `remainder` and whole quotients, exactly.
//!
//! Where the quotient is near, below `2ⁿ` for numbers of n bits, `a − q b` is a number without
//! rounding, for the whole q that the quotient rounds to and which is one too large at most. Beyond,
//! the quotient has more digits than a number, and the processor's long division is a branch, which
//! loops do without where all quotients are near.

macro_rules! remainders {
    ($float:ident, $largest:literal) => {
        pub mod $float {
            /// Whether the quotient is below `2ⁿ`; that of NaN is not.
            #[inline(always)]
            pub fn quotient_is_near(a: $float, b: $float) -> bool {
                (a / b).abs() < $largest
            }

            /// `a − b trunc(a/b)`, with the sign of a.
            #[inline(always)]
            pub fn fmod(a: $float, b: $float) -> $float {
                if quotient_is_near(a, b) { fmod_near(a, b) } else { a % b }
            }

            #[inline(always)]
            pub fn fmod_near(a: $float, b: $float) -> $float {
                let r = (-(a / b).trunc()).mul_add(b, a);
                // One too large: the rest has the other sign.
                let r = if r * a.signum() < 0.0 { r + b.abs().copysign(a) } else { r };
                if b.abs() == $float::INFINITY { a } else { r.copysign(a) }
            }

            /// `a − b ⌊a/b⌋`, with the sign of b.
            #[inline(always)]
            pub fn remainder(a: $float, b: $float) -> $float {
                with_the_sign_of(b, fmod(a, b))
            }

            #[inline(always)]
            pub fn remainder_near(a: $float, b: $float) -> $float {
                with_the_sign_of(b, fmod_near(a, b))
            }

            #[inline(always)]
            fn with_the_sign_of(b: $float, r: $float) -> $float {
                if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
            }

            /// `⌊a/b⌋`: of the quotient itself, which may round up to a whole number.
            #[inline(always)]
            pub fn floor_divide(a: $float, b: $float) -> $float {
                floor_of(a, b, fmod(a, b))
            }

            #[inline(always)]
            pub fn floor_divide_near(a: $float, b: $float) -> $float {
                floor_of(a, b, fmod_near(a, b))
            }

            /// `⌊a/b⌋`, given `fmod`.
            #[inline(always)]
            fn floor_of(a: $float, b: $float, r: $float) -> $float {
                let quotient = (a - r) / b;
                let below = r != 0.0 && (b < 0.0) != (r < 0.0);
                let quotient = if below { quotient - 1.0 } else { quotient };
                let floor = quotient.floor();
                let floor = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
                let floor = if quotient == 0.0 { (0.0 as $float).copysign(a / b) } else { floor };
                if b == 0.0 { a / b } else { floor }
            }
        }
    };
}

remainders!(f32, 16_777_216.0); // 2²⁴
remainders!(f64, 9_007_199_254_740_992.0); // 2⁵³
