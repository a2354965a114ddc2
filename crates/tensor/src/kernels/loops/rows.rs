//! Vectorized loops over the rows of a tile, where an operand has an element for each column of a
//! row or one number for all of them.

#[cfg(target_arch = "x86_64")]
use super::scalar;
use super::{Function1, Function2, Function3, Strip};
use crate::Float;
use crate::kernels::simd::dispatch;

/// What a row reads of an operand.
pub(crate) trait Read<T: Float> {
    /// Whether it is one number for the whole row.
    const IS_NUMBER: bool;
    type Row<'a>: At<T>;
    fn row<'a>(x: &Strip<'a, T>, row: usize, columns: usize) -> Self::Row<'a>;
}

/// An element for each column.
pub(crate) struct Elements;

impl<T: Float> Read<T> for Elements {
    const IS_NUMBER: bool = false;
    type Row<'a> = &'a [T];

    #[inline(always)]
    fn row<'a>(x: &Strip<'a, T>, row: usize, columns: usize) -> &'a [T] {
        &x.elements[row * x.row_stride..][..columns]
    }
}

/// A number for all columns.
pub(crate) struct Number;

impl<T: Float> Read<T> for Number {
    const IS_NUMBER: bool = true;
    type Row<'a> = T;

    #[inline(always)]
    fn row(x: &Strip<'_, T>, row: usize, _: usize) -> T {
        x.elements[row * x.row_stride]
    }
}

/// What a loop reads at each column of a row.
pub(crate) trait At<T>: Copy {
    /// What it reads at so many columns from one on.
    fn part(self, from: usize, len: usize) -> Self;

    /// What it reads at a column. Without a bounds check: a loop that can exit early leaves the
    /// last vectors to a loop of single elements.
    ///
    /// # Safety
    /// The column lies in the part.
    unsafe fn at(self, i: usize) -> T;
}

impl<T: Float> At<T> for &[T] {
    #[inline(always)]
    fn part(self, from: usize, len: usize) -> Self {
        &self[from..from + len]
    }

    #[inline(always)]
    unsafe fn at(self, i: usize) -> T {
        // SAFETY: the caller says that the column is inside.
        unsafe { *self.get_unchecked(i) }
    }
}

impl<T: Float> At<T> for T {
    #[inline(always)]
    fn part(self, _: usize, _: usize) -> T {
        self
    }

    #[inline(always)]
    unsafe fn at(self, _: usize) -> T {
        self
    }
}

/// The elements of a whole vector, or of a few, and those of an iteration of the main loop.
const LANES: usize = 16;
const BLOCK: usize = 4 * LANES;

/// How many elements of a row the main loop works on: whole blocks, or a row shorter than a vector.
#[inline(always)]
fn blocks(columns: usize) -> usize {
    if columns < LANES { columns } else { columns - columns % BLOCK }
}

/// Where the vectors of the remainder start, the last one so that it ends with the row: what it
/// overlaps with the one before is written twice, which costs less than a scalar loop.
#[inline(always)]
fn remainder(columns: usize) -> impl Iterator<Item = usize> {
    (blocks(columns)..columns).step_by(LANES).map(move |from| from.min(columns - LANES))
}

/// The rows of a result. Unlike `chunks_exact_mut`, it takes no division, which in a loop over a
/// row or two would be half of the time.
#[inline(always)]
pub(crate) fn rows_of<T>(mut out: &mut [T], columns: usize) -> impl Iterator<Item = &mut [T]> {
    std::iter::from_fn(move || out.split_off_mut(..columns))
}

pub(super) fn each1<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
    #[inline(always)]
    fn part<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
        for (y, &x) in out.iter_mut().zip(x) {
            *y = F::apply(x, p);
        }
    }
    #[inline(always)]
    fn plain<F: Function1, T: Float>(x: &[T], p: [T; 2], out: &mut [T]) {
        let (len, whole) = (out.len(), blocks(out.len()));
        let x = &x[..len];
        part::<F, T>(&x[..whole], p, &mut out[..whole]);
        for from in remainder(len) {
            part::<F, T>(x.part(from, LANES), p, &mut out[from..from + LANES]);
        }
    }
    dispatch!(<F: Function1, T: Float> (x: &[T], p: [T; 2], out: &mut [T]) {
        plain::<F, T>(x, p, out)
    } portable {
        scalar::each(scalar::one::<F, T>(), [(Strip::flat(x), false)], p, out.len(), out)
    })
}

pub(super) fn each2<F: Function2, T: Float, A: Read<T>, B: Read<T>>(
    x: [Strip<'_, T>; 2],
    columns: usize,
    out: &mut [T],
) {
    #[inline(always)]
    fn part<F: Function2, T: Float>(a: impl At<T>, b: impl At<T>, from: usize, out: &mut [T]) {
        let (a, b) = (a.part(from, out.len()), b.part(from, out.len()));
        for (i, y) in out.iter_mut().enumerate() {
            // SAFETY: both parts have as many columns as `out`.
            *y = unsafe { F::apply(a.at(i), b.at(i)) };
        }
    }
    #[inline(always)]
    fn plain<F: Function2, T: Float, A: Read<T>, B: Read<T>>(
        [a, b]: [Strip<'_, T>; 2],
        columns: usize,
        out: &mut [T],
    ) {
        let whole = blocks(columns);
        for (row, out) in rows_of(out, columns).enumerate() {
            let (a, b) = (A::row(&a, row, columns), B::row(&b, row, columns));
            part::<F, T>(a, b, 0, &mut out[..whole]);
            for from in remainder(columns) {
                part::<F, T>(a, b, from, &mut out[from..from + LANES]);
            }
        }
    }
    dispatch!(<F: Function2, T: Float, A: Read<T>, B: Read<T>>
    (x: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
        plain::<F, T, A, B>(x, columns, out)
    } portable {
        let [a, b] = x;
        let x = [(a, A::IS_NUMBER), (b, B::IS_NUMBER)];
        scalar::each(scalar::two::<F, T>(), x, [T::ZERO; 2], columns, out)
    })
}

pub(super) fn each3<F: Function3, T: Float, B: Read<T>, C: Read<T>>(
    x: [Strip<'_, T>; 3],
    columns: usize,
    out: &mut [T],
) {
    #[inline(always)]
    fn part<F: Function3, T: Float>(
        (a, b, c): (impl At<T>, impl At<T>, impl At<T>),
        from: usize,
        out: &mut [T],
    ) {
        let n = out.len();
        let (a, b, c) = (a.part(from, n), b.part(from, n), c.part(from, n));
        for (i, y) in out.iter_mut().enumerate() {
            // SAFETY: all parts have as many columns as `out`.
            *y = unsafe { F::apply(a.at(i), b.at(i), c.at(i)) };
        }
    }
    #[inline(always)]
    fn plain<F: Function3, T: Float, B: Read<T>, C: Read<T>>(
        [a, b, c]: [Strip<'_, T>; 3],
        columns: usize,
        out: &mut [T],
    ) {
        let whole = blocks(columns);
        for (row, out) in rows_of(out, columns).enumerate() {
            let (a, b) = (Elements::row(&a, row, columns), B::row(&b, row, columns));
            let c = C::row(&c, row, columns);
            part::<F, T>((a, b, c), 0, &mut out[..whole]);
            for from in remainder(columns) {
                part::<F, T>((a, b, c), from, &mut out[from..from + LANES]);
            }
        }
    }
    dispatch!(<F: Function3, T: Float, B: Read<T>, C: Read<T>>
    (x: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
        plain::<F, T, B, C>(x, columns, out)
    } portable {
        let [a, b, c] = x;
        let x = [(a, false), (b, B::IS_NUMBER), (c, C::IS_NUMBER)];
        scalar::each(scalar::three::<F, T>(), x, [T::ZERO; 2], columns, out)
    })
}
