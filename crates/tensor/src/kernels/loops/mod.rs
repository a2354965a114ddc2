//! Element-wise functions of one, two and three numbers, and the loops that each becomes.
//!
//! There are some two hundred functions, and each loop of each function is compiled for two types and
//! for levels of [`simd`](super::simd), which was most of the time that the library takes to compile. So a
//! function has one loop ([`general`]), and what is [`specialized`](Map2::specialized) has, in `f32`, one
//! for each kind of operand ([`rows`]), and one for sums of results that are not stored ([`sums`]).

mod general;
pub(crate) mod rows;
#[cfg(target_arch = "x86_64")]
mod scalar;
pub(crate) mod sums;

pub use general::{FastPath, FastPath2};
use rows::{Elements, Number, each1, each2, each3};
use sums::{sums1, sums2, sums3};

use crate::Float;
#[cfg(target_arch = "x86_64")]
use crate::program::Traced;

/// A scalar function of one number and two parameters, for both float types. It has to be
/// `#[inline(always)]` to be vectorized; [`map1!`](crate::map1) sees to that.
pub trait Function1 {
    /// The function.
    fn apply<T: Float>(x: T, p: [T; 2]) -> T;
}

/// A scalar function of two numbers. See [`Function1`].
pub trait Function2 {
    /// The function.
    fn apply<T: Float>(a: T, b: T) -> T;
}

/// A scalar function of three numbers. See [`Function1`].
pub trait Function3 {
    /// The function.
    fn apply<T: Float>(a: T, b: T, c: T) -> T;
}

/// The loops of a [`Function1`].
#[derive(Clone, Copy, Debug)]
pub struct Map1 {
    pub(crate) f32: Loops1<f32>,
    pub(crate) f64: Loops1<f64>,
    #[cfg(target_arch = "x86_64")]
    pub(crate) traced: fn(Traced, [Traced; 2]) -> Traced,
}

/// The loops of a [`Function2`].
#[derive(Clone, Copy, Debug)]
pub struct Map2 {
    pub(crate) f32: Loops2<f32>,
    pub(crate) f64: Loops2<f64>,
    #[cfg(target_arch = "x86_64")]
    pub(crate) traced: fn(Traced, Traced) -> Traced,
}

/// The loops of a [`Function3`].
#[derive(Clone, Copy, Debug)]
pub struct Map3 {
    pub(crate) f32: Loops3<f32>,
    pub(crate) f64: Loops3<f64>,
    #[cfg(target_arch = "x86_64")]
    pub(crate) traced: fn(Traced, Traced, Traced) -> Traced,
}

/// An operand of a loop over the rows of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strip<'a, T> {
    pub elements: &'a [T],
    /// The stride from row to row: 0 if all rows read the same.
    pub row_stride: usize,
}

impl<'a, T> Strip<'a, T> {
    /// Elements for a loop over one row.
    pub fn flat(elements: &'a [T]) -> Strip<'a, T> {
        Strip { elements, row_stride: 0 }
    }
}

/// A loop over a slice, with two parameters, into the result.
pub(crate) type Loop1<T> = fn(&[T], [T; 2], &mut [T]);
/// Loops over rows of so many columns, into the result.
pub(crate) type Loop2<T> = fn([Strip<'_, T>; 2], usize, &mut [T]);
pub(crate) type Loop3<T> = fn([Strip<'_, T>; 3], usize, &mut [T]);

/// The loops of a function of one operand, with two parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loops1<T> {
    /// Each result.
    pub each: Loop1<T>,
    /// The sum of the results of each row, which are not stored.
    pub sums: fn(Strip<'_, T>, [T; 2], usize, &mut [T]),
}

/// The loops of a function of two operands, each of which has an element for each column of a row,
/// or one number for all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loops2<T> {
    /// Each result, where both have elements, where the first is a number, where the second is.
    pub each: Loop2<T>,
    pub number_left: Loop2<T>,
    pub number_right: Loop2<T>,
    /// The sum of the results of each row of elements, which are not stored.
    pub sums: Loop2<T>,
}

/// The loops of a function of three operands, of which the last two may be a number in each row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loops3<T> {
    pub each: Loop3<T>,
    pub number_middle: Loop3<T>,
    pub number_right: Loop3<T>,
    pub numbers: Loop3<T>,
    /// The sum of the results of each row of elements, which are not stored.
    pub sums: Loop3<T>,
}

/// The loops of a row for one float type.
pub(crate) trait Loops: Float {
    fn loops1(map: &Map1) -> &Loops1<Self>;
    fn loops2(map: &Map2) -> &Loops2<Self>;
    fn loops3(map: &Map3) -> &Loops3<Self>;
}

macro_rules! loops {
    ($type:ident) => {
        impl Loops for $type {
            fn loops1(map: &Map1) -> &Loops1<$type> {
                &map.$type
            }

            fn loops2(map: &Map2) -> &Loops2<$type> {
                &map.$type
            }

            fn loops3(map: &Map3) -> &Loops3<$type> {
                &map.$type
            }
        }
    };
}

loops!(f32);
loops!(f64);

/// A [`Map1`](crate::kernels::Map1) from a formula, in which `T` is the float type and the second
/// name is the pair of parameters: `map1!(|x, p| if x > p[0] { x } else { T::ZERO })`. A constant is
/// `T::ZERO`, `T::ONE`, or `T::of(0.5)`: `map1!(|x, p| T::of(0.5) * x * x)`.
///
/// A formula with a slow branch may have a fast path behind it, without the branch, for `x` where a
/// condition holds: `map1!(|x, _p| x.sin(), where x.is_near() => x.sin_near())`. A short formula that
/// is used much is `specialized`, as in [`map2!`](crate::map2): `map1!(specialized: |x, _p| x * x)`.
#[macro_export]
macro_rules! map1 {
    (|$x:ident, $p:ident| $body:expr) => {
        $crate::map1!(@of [of] |$x, $p| $body)
    };
    (specialized: |$x:ident, $p:ident| $body:expr) => {
        $crate::map1!(@of [specialized] |$x, $p| $body)
    };
    (|$x:ident, $p:ident| $body:expr, where $fast_where:expr => $fast:expr) => {
        $crate::map1!(@of [with_fast_path] |$x, $p| $body, $fast_where, $fast)
    };
    (@of [$of:ident] |$x:ident, $p:ident| $body:expr $(, $fast_where:expr, $fast:expr)?) => {{
        struct F;
        impl $crate::kernels::Function1 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($x: T, $p: [T; 2]) -> T {
                let _ = $p;
                $body
            }
        }
        $(impl $crate::kernels::FastPath for F {
            #[inline(always)]
            fn is_fast<T: $crate::Float>($x: T) -> bool {
                $fast_where
            }
            #[inline(always)]
            fn fast<T: $crate::Float>($x: T, $p: [T; 2]) -> T {
                let _ = $p;
                $fast
            }
        })?
        $crate::kernels::Map1::$of::<F>()
    }};
}

/// A [`Map2`](crate::kernels::Map2) from a formula: `map2!(|a, b| a.hypot(b))`. It may have a fast path,
/// as in [`map1!`](crate::map1). A short formula that is used much is `specialized`, so that it is
/// compiled for each kind of operands, and for sums: `map2!(specialized: |a, b| a * b)`.
#[macro_export]
macro_rules! map2 {
    (|$a:ident, $b:ident| $body:expr) => {
        $crate::map2!(@of [of] |$a, $b| $body)
    };
    (specialized: |$a:ident, $b:ident| $body:expr) => {
        $crate::map2!(@of [specialized] |$a, $b| $body)
    };
    (|$a:ident, $b:ident| $body:expr, where $fast_where:expr => $fast:expr) => {
        $crate::map2!(@of [with_fast_path] |$a, $b| $body, $fast_where, $fast)
    };
    (@of [$of:ident] |$a:ident, $b:ident| $body:expr $(, $fast_where:expr, $fast:expr)?) => {{
        struct F;
        impl $crate::kernels::Function2 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($a: T, $b: T) -> T {
                $body
            }
        }
        $(impl $crate::kernels::FastPath2 for F {
            #[inline(always)]
            fn is_fast<T: $crate::Float>($a: T, $b: T) -> bool {
                $fast_where
            }
            #[inline(always)]
            fn fast<T: $crate::Float>($a: T, $b: T) -> T {
                $fast
            }
        })?
        $crate::kernels::Map2::$of::<F>()
    }};
}

/// A [`Map3`](crate::kernels::Map3) from a formula: `map3!(|a, b, c| a * b + c)`.
#[macro_export]
macro_rules! map3 {
    (|$a:ident, $b:ident, $c:ident| $body:expr) => {{
        struct F;
        impl $crate::kernels::Function3 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($a: T, $b: T, $c: T) -> T {
                $body
            }
        }
        $crate::kernels::Map3::of::<F>()
    }};
}

impl Map1 {
    /// The loops of a short function that is used much.
    pub const fn specialized<F: Function1>() -> Map1 {
        Map1 {
            f32: Loops1::specialized::<F>(),
            f64: Loops1::general::<F>(),
            #[cfg(target_arch = "x86_64")]
            traced: F::apply::<Traced>,
        }
    }
}

impl Map2 {
    /// The loops of a short function that is used much.
    pub const fn specialized<F: Function2>() -> Map2 {
        Map2 {
            f32: Loops2::specialized::<F>(),
            f64: Loops2::general::<F>(),
            #[cfg(target_arch = "x86_64")]
            traced: F::apply::<Traced>,
        }
    }
}

impl Map3 {
    /// The loops of a function.
    pub const fn of<F: Function3>() -> Map3 {
        Map3 {
            f32: Loops3::specialized::<F>(),
            f64: Loops3::general::<F>(),
            #[cfg(target_arch = "x86_64")]
            traced: F::apply::<Traced>,
        }
    }
}

impl<T: Float> Loops1<T> {
    const fn specialized<F: Function1>() -> Loops1<T> {
        Loops1 { each: each1::<F, T>, sums: sums1::<F, T> }
    }
}

impl<T: Float> Loops2<T> {
    const fn specialized<F: Function2>() -> Loops2<T> {
        Loops2 {
            each: each2::<F, T, Elements, Elements>,
            number_left: each2::<F, T, Number, Elements>,
            number_right: each2::<F, T, Elements, Number>,
            sums: sums2::<F, T>,
        }
    }
}

impl<T: Float> Loops3<T> {
    const fn specialized<F: Function3>() -> Loops3<T> {
        Loops3 {
            each: each3::<F, T, Elements, Elements>,
            number_middle: each3::<F, T, Number, Elements>,
            number_right: each3::<F, T, Elements, Number>,
            numbers: each3::<F, T, Number, Number>,
            sums: sums3::<F, T>,
        }
    }
}
