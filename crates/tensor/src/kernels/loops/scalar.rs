//! The loops of x86 processors without AVX2 and FMA: one element at a time, through a pointer to the
//! function. So they are the same code for all functions, never inlined into those of one, and take next
//! to no time to compile.

use super::rows::rows_of;
use super::sums::row_sum_of;
use super::{Function1, Function2, Function3, Strip};
use crate::Float;

/// A function of `N` numbers and two parameters.
type Scalar<T, const N: usize> = fn([T; N], [T; 2]) -> T;

pub(super) fn one<F: Function1, T: Float>() -> Scalar<T, 1> {
    |[x], p| F::apply(x, p)
}

pub(super) fn two<F: Function2, T: Float>() -> Scalar<T, 2> {
    |[a, b], _| F::apply(a, b)
}

pub(super) fn three<F: Function3, T: Float>() -> Scalar<T, 3> {
    |[a, b, c], _| F::apply(a, b, c)
}

/// Each result of operands of as many elements.
#[inline(never)]
pub(super) fn run<T: Float, const N: usize>(
    f: Scalar<T, N>,
    x: [&[T]; N],
    p: [T; 2],
    out: &mut [T],
) {
    for (i, y) in out.iter_mut().enumerate() {
        *y = f(x.map(|x| x[i]), p);
    }
}

/// Each result. An operand may be a number in each row.
#[inline(never)]
pub(super) fn each<T: Float, const N: usize>(
    f: Scalar<T, N>,
    x: [(Strip<'_, T>, bool); N],
    p: [T; 2],
    columns: usize,
    out: &mut [T],
) {
    for (row, out) in rows_of(out, columns).enumerate() {
        for (column, y) in out.iter_mut().enumerate() {
            let read = |(x, is_number): (Strip<'_, T>, bool)| {
                x.elements[row * x.row_stride + if is_number { 0 } else { column }]
            };
            *y = f(x.map(read), p);
        }
    }
}

/// The sum of the results in each row.
#[inline(never)]
pub(super) fn sums<T: Float, const N: usize>(
    f: Scalar<T, N>,
    x: [Strip<'_, T>; N],
    p: [T; 2],
    columns: usize,
    out: &mut [T],
) {
    let mut results = vec![T::ZERO; columns];
    for (row, y) in out.iter_mut().enumerate() {
        let x = x.map(|x| (Strip::flat(&x.elements[row * x.row_stride..]), false));
        each(f, x, p, columns, &mut results);
        *y = row_sum_of(&results);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Map1, Map2, Map3};
    use crate::{map1, map2, map3};

    /// The functions of three maps, element by element, beside the loops of the maps.
    #[test]
    fn scalar_loops_have_the_bits_of_vectors() {
        struct Scaled;
        impl Function1 for Scaled {
            fn apply<T: Float>(x: T, p: [T; 2]) -> T {
                x.exp() * p[0]
            }
        }
        struct Angle;
        impl Function2 for Angle {
            fn apply<T: Float>(a: T, b: T) -> T {
                a.atan2(b)
            }
        }
        struct Fused;
        impl Function3 for Fused {
            fn apply<T: Float>(a: T, b: T, c: T) -> T {
                a.mul_add(b, c)
            }
        }
        const SCALED: Map1 = map1!(specialized: |x, p| x.exp() * p[0]);
        const ANGLE: Map2 = map2!(specialized: |a, b| a.atan2(b));
        const FUSED: Map3 = map3!(|a, b, c| a.mul_add(b, c));
        for columns in [1, 3, 16, 17, 70, 5000] {
            let x: Vec<f32> = (0..3 * columns).map(|i| (i as f32 * 0.7).sin() * 4.0).collect();
            let rows = Strip { elements: &x[..], row_stride: columns };
            let row = Strip { elements: &x[..columns], row_stride: 0 };
            let number = Strip { elements: &x[..3], row_stride: 1 };
            let p = [1.5, 0.0];
            let bits = |len: usize, run: &dyn Fn(&mut [f32])| {
                let mut out = vec![0.0; len];
                run(&mut out);
                out.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
            };
            let all = x.len();
            assert_eq!(
                bits(all, &|out| each(one::<Scaled, _>(), [(rows, false)], p, columns, out)),
                bits(all, &|out| (SCALED.f32.each)(&x, p, out)),
            );
            assert_eq!(
                bits(3, &|out| sums(one::<Scaled, _>(), [rows], p, columns, out)),
                bits(3, &|out| (SCALED.f32.sums)(rows, p, columns, out)),
            );
            let numbers = [number, rows];
            assert_eq!(
                bits(all, &|out| {
                    let x = [(number, true), (rows, false)];
                    each(two::<Angle, _>(), x, p, columns, out);
                }),
                bits(all, &|out| (ANGLE.f32.number_left)(numbers, columns, out)),
            );
            assert_eq!(
                bits(3, &|out| sums(two::<Angle, _>(), [rows, row], p, columns, out)),
                bits(3, &|out| (ANGLE.f32.sums)([rows, row], columns, out)),
            );
            assert_eq!(
                bits(all, &|out| {
                    let x = [(rows, false), (row, false), (number, true)];
                    each(three::<Fused, _>(), x, p, columns, out);
                }),
                bits(all, &|out| (FUSED.f32.number_right)([rows, row, number], columns, out)),
            );
        }
    }
}
