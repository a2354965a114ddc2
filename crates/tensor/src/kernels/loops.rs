//! The loops that element-wise functions become: over slices, over the rows of a tile with numbers
//! in between, and sums of results that are not stored.

use super::fold::{Sum, halved};
use super::simd::dispatch;
use crate::Float;

/// A scalar function of one number and two parameters, for both float types. It has to be
/// `#[inline(always)]` to become a vector loop; [`map1!`](crate::map1) sees to that.
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
}

/// The loops of a [`Function2`].
#[derive(Clone, Copy, Debug)]
pub struct Map2 {
    pub(crate) f32: Loops2<f32>,
    pub(crate) f64: Loops2<f64>,
}

/// The loops of a [`Function3`].
#[derive(Clone, Copy, Debug)]
pub struct Map3 {
    pub(crate) f32: Loops3<f32>,
    pub(crate) f64: Loops3<f64>,
}

/// An operand of a loop over the rows of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strip<'a, T> {
    pub elements: &'a [T],
    /// How far what a row reads lies behind what the row before did: 0 if all read the same.
    pub step: usize,
}

impl<'a, T> Strip<'a, T> {
    /// Elements for a loop over one row.
    pub fn flat(elements: &'a [T]) -> Strip<'a, T> {
        Strip { elements, step: 0 }
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
/// name is the pair of parameters: `map1!(|x, p| if x > p[0] { x } else { T::ZERO })`.
#[macro_export]
macro_rules! map1 {
    (|$x:ident, $p:ident| $body:expr) => {{
        struct F;
        impl $crate::kernels::Function1 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($x: T, $p: [T; 2]) -> T {
                let _ = $p;
                $body
            }
        }
        $crate::kernels::Map1::of::<F>()
    }};
}

/// A [`Map2`](crate::kernels::Map2) from a formula: `map2!(|a, b| a * b)`.
#[macro_export]
macro_rules! map2 {
    (|$a:ident, $b:ident| $body:expr) => {{
        struct F;
        impl $crate::kernels::Function2 for F {
            #[inline(always)]
            fn apply<T: $crate::Float>($a: T, $b: T) -> T {
                $body
            }
        }
        $crate::kernels::Map2::of::<F>()
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
    /// The loops of a function.
    pub const fn of<F: Function1>() -> Map1 {
        Map1 { f32: Loops1::of::<F>(), f64: Loops1::of::<F>() }
    }
}

impl Map2 {
    /// The loops of a function.
    pub const fn of<F: Function2>() -> Map2 {
        Map2 { f32: Loops2::of::<F>(), f64: Loops2::of::<F>() }
    }
}

impl Map3 {
    /// The loops of a function.
    pub const fn of<F: Function3>() -> Map3 {
        Map3 { f32: Loops3::of::<F>(), f64: Loops3::of::<F>() }
    }
}

impl<T: Float> Loops1<T> {
    const fn of<F: Function1>() -> Loops1<T> {
        Loops1 { each: each1::<F, T>, sums: sums1::<F, T> }
    }
}

impl<T: Float> Loops2<T> {
    const fn of<F: Function2>() -> Loops2<T> {
        Loops2 {
            each: each2::<F, T, Elements, Elements>,
            number_left: each2::<F, T, Number, Elements>,
            number_right: each2::<F, T, Elements, Number>,
            sums: sums2::<F, T>,
        }
    }
}

impl<T: Float> Loops3<T> {
    const fn of<F: Function3>() -> Loops3<T> {
        Loops3 {
            each: each3::<F, T, Elements, Elements>,
            number_middle: each3::<F, T, Number, Elements>,
            number_right: each3::<F, T, Elements, Number>,
            numbers: each3::<F, T, Number, Number>,
        }
    }
}

/// What a row reads of an operand.
pub(crate) trait Read<T: Float> {
    type Row<'a>: At<T>;
    fn row<'a>(x: &Strip<'a, T>, row: usize, columns: usize) -> Self::Row<'a>;
}

/// An element for each column.
pub(crate) struct Elements;

impl<T: Float> Read<T> for Elements {
    type Row<'a> = &'a [T];

    #[inline(always)]
    fn row<'a>(x: &Strip<'a, T>, row: usize, columns: usize) -> &'a [T] {
        &x.elements[row * x.step..][..columns]
    }
}

/// A number for all columns.
pub(crate) struct Number;

impl<T: Float> Read<T> for Number {
    type Row<'a> = T;

    #[inline(always)]
    fn row(x: &Strip<'_, T>, row: usize, _: usize) -> T {
        x.elements[row * x.step]
    }
}

/// What a loop reads at each place of a row.
pub(crate) trait At<T>: Copy {
    fn at(self, i: usize) -> T;
}

impl<T: Float> At<T> for &[T] {
    #[inline(always)]
    fn at(self, i: usize) -> T {
        self[i]
    }
}

impl<T: Float> At<T> for T {
    #[inline(always)]
    fn at(self, _: usize) -> T {
        self
    }
}

/// The rows of a result. Unlike `chunks_exact_mut`, it takes no division, which in a loop over a
/// row or two would be half of the time.
#[inline(always)]
pub(crate) fn rows_of<T>(mut out: &mut [T], columns: usize) -> impl Iterator<Item = &mut [T]> {
    std::iter::from_fn(move || out.split_off_mut(..columns))
}

fn each1<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
        for (y, &x) in out.iter_mut().zip(x) {
            *y = F::apply(x, p);
        }
    }
    dispatch!(<F: Function1, T: Float> (x: &[T], p: [T; 2], out: &mut [T]) {
        plain::<F, T>(x, p, out)
    })
}

fn each2<F: Function2, T: Float, A: Read<T>, B: Read<T>>(
    x: [Strip<'_, T>; 2],
    columns: usize,
    out: &mut [T],
) {
    #[inline(always)]
    fn plain<F: Function2, T: Float, A: Read<T>, B: Read<T>>(
        [a, b]: [Strip<'_, T>; 2],
        columns: usize,
        out: &mut [T],
    ) {
        for (row, out) in rows_of(out, columns).enumerate() {
            let (a, b) = (A::row(&a, row, columns), B::row(&b, row, columns));
            for (i, y) in out.iter_mut().enumerate() {
                *y = F::apply(a.at(i), b.at(i));
            }
        }
    }
    dispatch!(<F: Function2, T: Float, A: Read<T>, B: Read<T>>
    (x: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
        plain::<F, T, A, B>(x, columns, out)
    })
}

fn each3<F: Function3, T: Float, B: Read<T>, C: Read<T>>(
    x: [Strip<'_, T>; 3],
    columns: usize,
    out: &mut [T],
) {
    #[inline(always)]
    fn plain<F: Function3, T: Float, B: Read<T>, C: Read<T>>(
        [a, b, c]: [Strip<'_, T>; 3],
        columns: usize,
        out: &mut [T],
    ) {
        for (row, out) in rows_of(out, columns).enumerate() {
            let (a, b) = (Elements::row(&a, row, columns), B::row(&b, row, columns));
            let c = C::row(&c, row, columns);
            for (i, y) in out.iter_mut().enumerate() {
                *y = F::apply(a.at(i), b.at(i), c.at(i));
            }
        }
    }
    dispatch!(<F: Function3, T: Float, B: Read<T>, C: Read<T>>
    (x: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
        plain::<F, T, B, C>(x, columns, out)
    })
}

fn sums1<F: Function1, T: Float>(x: Strip<'_, T>, p: [T; 2], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function1, T: Float>(x: Strip<'_, T>, p: [T; 2], columns: usize, out: &mut [T]) {
        for (row, y) in out.iter_mut().enumerate() {
            let mut x = Elements::row(&x, row, columns);
            let mut lanes = [T::ZERO; LANES];
            while let Some((now, after)) = x.split_first_chunk::<BLOCK>() {
                for i in 0..LANES {
                    let of = |quarter: usize| F::apply(now[quarter * LANES + i], p);
                    lanes[i] = lanes[i] + ((of(0) + of(1)) + (of(2) + of(3)));
                }
                x = after;
            }
            for x in x.chunks(LANES) {
                for i in 0..x.len() {
                    lanes[i] = lanes[i] + F::apply(x[i], p);
                }
            }
            *y = halved::<T, Sum, LANES>(lanes);
        }
    }
    dispatch!(<F: Function1, T: Float>
    (x: Strip<'_, T>, p: [T; 2], columns: usize, out: &mut [T]) {
        plain::<F, T>(x, p, columns, out)
    })
}

fn sums2<F: Function2, T: Float>(x: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function2, T: Float>([a, b]: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
        for (row, y) in out.iter_mut().enumerate() {
            let (mut a, mut b) = (Elements::row(&a, row, columns), Elements::row(&b, row, columns));
            let mut lanes = [T::ZERO; LANES];
            while let Some(((x, a_after), (y, b_after))) =
                a.split_first_chunk::<BLOCK>().zip(b.split_first_chunk::<BLOCK>())
            {
                for i in 0..LANES {
                    let at = |quarter: usize| quarter * LANES + i;
                    let of = |quarter: usize| F::apply(x[at(quarter)], y[at(quarter)]);
                    lanes[i] = lanes[i] + ((of(0) + of(1)) + (of(2) + of(3)));
                }
                (a, b) = (a_after, b_after);
            }
            for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
                for i in 0..a.len() {
                    lanes[i] = lanes[i] + F::apply(a[i], b[i]);
                }
            }
            *y = halved::<T, Sum, LANES>(lanes);
        }
    }
    dispatch!(<F: Function2, T: Float> (x: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
        plain::<F, T>(x, columns, out)
    })
}

/// The lanes of a sum, and how many elements are added to each other and then to the lanes at a
/// time; see [`lanes`](super::fold::lanes).
const LANES: usize = 16;
const BLOCK: usize = 4 * LANES;
