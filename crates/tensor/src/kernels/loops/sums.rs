//! Fused map and sum: sums of the results of a function, row by row, which are not stored.

use std::marker::PhantomData;

use super::rows::{Elements, Read};
#[cfg(target_arch = "x86_64")]
use super::scalar;
use super::{Function1, Function2, Function3, Strip};
use crate::Float;
use crate::kernels::reduce::{SHORT, Sum, halved};
use crate::kernels::simd::dispatch;

/// The lanes of a sum, and how many elements are added to each other and then to the lanes at a
/// time; see [`lanes`](crate::kernels::reduce::lanes).
const LANES: usize = 16;
const BLOCK: usize = 4 * LANES;

/// The results of a function for the operands of one row. A trait, since closures are not always
/// inlined into functions with other target features than the rest of the program.
trait Results<T>: Copy {
    /// Those at so many columns from one on.
    fn part(self, start: usize, len: usize) -> Self;
    /// The one at a column.
    fn at(self, i: usize) -> T;
}

struct Of<F, X>(X, PhantomData<F>);

impl<F, X: Copy> Clone for Of<F, X> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<F, X: Copy> Copy for Of<F, X> {}

impl<F: Function1, T: Float> Results<T> for Of<F, (&[T], [T; 2])> {
    #[inline(always)]
    fn part(self, start: usize, len: usize) -> Self {
        let (x, p) = self.0;
        Of((&x[start..start + len], p), PhantomData)
    }

    #[inline(always)]
    fn at(self, i: usize) -> T {
        let (x, p) = self.0;
        F::apply(x[i], p)
    }
}

impl<F: Function2, T: Float> Results<T> for Of<F, [&[T]; 2]> {
    #[inline(always)]
    fn part(self, start: usize, len: usize) -> Self {
        let [a, b] = self.0;
        Of([&a[start..start + len], &b[start..start + len]], PhantomData)
    }

    #[inline(always)]
    fn at(self, i: usize) -> T {
        let [a, b] = self.0;
        F::apply(a[i], b[i])
    }
}

impl<F: Function3, T: Float> Results<T> for Of<F, [&[T]; 3]> {
    #[inline(always)]
    fn part(self, start: usize, len: usize) -> Self {
        let [a, b, c] = self.0;
        Of([&a[start..start + len], &b[start..start + len], &c[start..start + len]], PhantomData)
    }

    #[inline(always)]
    fn at(self, i: usize) -> T {
        let [a, b, c] = self.0;
        F::apply(a[i], b[i], c[i])
    }
}

/// How many results are summed in lanes: the error grows with the length of a lane.
pub(crate) const PART: usize = 1 << 12;

/// The sum of the results in the `columns` columns of a row.
#[inline(always)]
fn row_sum<T: Float>(results: impl Results<T>, columns: usize) -> T {
    // A loop, and no closures: see above. The function is compiled here once.
    let (mut sum, mut start) = (f64::NEG_ZERO, 0);
    while start < columns {
        let len = PART.min(columns - start);
        sum += part_sum(results.part(start, len), len).to_f64();
        start += len;
    }
    T::of(sum)
}

/// Elements, as results to be summed.
struct Itself;

impl Function1 for Itself {
    #[inline(always)]
    fn apply<T: Float>(x: T, _: [T; 2]) -> T {
        x
    }
}

/// The sum of each row of so many columns.
pub(crate) fn sums<T: Float>(x: &[T], columns: usize, out: &mut [T]) {
    let x = Strip { elements: x, row_stride: columns };
    sums1::<Itself, T>(x, [T::ZERO; 2], columns, out);
}

/// The sum of elements, as if they were results.
pub(super) fn row_sum_of<T: Float>(x: &[T]) -> T {
    #[inline(always)]
    fn plain<T: Float>(x: &[T]) -> T {
        row_sum(Of::<Itself, _>((x, [T::ZERO; 2]), PhantomData), x.len())
    }
    dispatch!(<T: Float> (x: &[T]) -> T { plain(x) })
}

#[inline(always)]
fn part_sum<T: Float>(results: impl Results<T>, columns: usize) -> T {
    let mut lanes = [T::NEG_ZERO; LANES];
    let blocks = columns - columns % BLOCK;
    for start in (0..blocks).step_by(BLOCK) {
        let now = results.part(start, BLOCK);
        for (i, lane) in lanes.iter_mut().enumerate() {
            let front = now.at(i) + now.at(LANES + i);
            let back = now.at(2 * LANES + i) + now.at(3 * LANES + i);
            *lane = *lane + (front + back);
        }
    }
    if blocks == columns && columns > 0 {
        return halved::<T, Sum, LANES>(lanes);
    }
    // Whole vectors, filled up with what changes no sum: indices that vary would keep the lanes in
    // memory all along.
    let mut rest = [[T::NEG_ZERO; LANES]; BLOCK / LANES];
    let last = results.part(blocks, columns - blocks);
    for (i, y) in rest.as_flattened_mut()[..columns - blocks].iter_mut().enumerate() {
        *y = last.at(i);
    }
    if columns < SHORT {
        let mut sum = T::NEG_ZERO;
        for &y in &rest.as_flattened()[..columns] {
            sum = sum + y;
        }
        return sum;
    }
    for rest in rest {
        for (lane, y) in lanes.iter_mut().zip(rest) {
            *lane = *lane + y;
        }
    }
    halved::<T, Sum, LANES>(lanes)
}

pub(super) fn sums1<F: Function1, T: Float>(
    x: Strip<'_, T>,
    p: [T; 2],
    columns: usize,
    out: &mut [T],
) {
    #[inline(always)]
    fn plain<F: Function1, T: Float>(x: Strip<'_, T>, p: [T; 2], columns: usize, out: &mut [T]) {
        for (row, y) in out.iter_mut().enumerate() {
            let x = Elements::row(&x, row, columns);
            *y = row_sum(Of::<F, _>((x, p), PhantomData), columns);
        }
    }
    dispatch!(<F: Function1, T: Float>
    (x: Strip<'_, T>, p: [T; 2], columns: usize, out: &mut [T]) {
        plain::<F, T>(x, p, columns, out)
    } portable {
        scalar::sums(scalar::one::<F, T>(), [x], p, columns, out)
    })
}

pub(super) fn sums2<F: Function2, T: Float>(x: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function2, T: Float>([a, b]: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
        for (row, y) in out.iter_mut().enumerate() {
            let x = [Elements::row(&a, row, columns), Elements::row(&b, row, columns)];
            *y = row_sum(Of::<F, _>(x, PhantomData), columns);
        }
    }
    dispatch!(<F: Function2, T: Float> (x: [Strip<'_, T>; 2], columns: usize, out: &mut [T]) {
        plain::<F, T>(x, columns, out)
    } portable {
        scalar::sums(scalar::two::<F, T>(), x, [T::ZERO; 2], columns, out)
    })
}

pub(super) fn sums3<F: Function3, T: Float>(x: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function3, T: Float>([a, b, c]: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
        for (row, y) in out.iter_mut().enumerate() {
            let (a, b) = (Elements::row(&a, row, columns), Elements::row(&b, row, columns));
            let x = [a, b, Elements::row(&c, row, columns)];
            *y = row_sum(Of::<F, _>(x, PhantomData), columns);
        }
    }
    dispatch!(<F: Function3, T: Float> (x: [Strip<'_, T>; 3], columns: usize, out: &mut [T]) {
        plain::<F, T>(x, columns, out)
    } portable {
        scalar::sums(scalar::three::<F, T>(), x, [T::ZERO; 2], columns, out)
    })
}
