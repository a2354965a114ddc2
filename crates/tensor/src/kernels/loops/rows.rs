//! Loops over the rows of a tile, where an operand has an element for each column of a row or one
//! number for all of them.

use super::{Function1, Function2, Function3, Strip};
use crate::Float;
use crate::kernels::simd::dispatch;

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

pub(super) fn each1<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
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

pub(super) fn each2<F: Function2, T: Float, A: Read<T>, B: Read<T>>(
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

pub(super) fn each3<F: Function3, T: Float, B: Read<T>, C: Read<T>>(
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
