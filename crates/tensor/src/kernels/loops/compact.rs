//! Loops of long functions: compiled once for each float type and level, for a few numbers at a time,
//! where the loops of short ones are compiled once for each kind of operand. A call for so few numbers
//! costs little beside a long function.

use super::rows::{Elements, Number, Read, rows_of};
use super::sums::row_sum_of;
use super::{Function1, Function2, Loops1, Loops2, Map1, Map2, Strip};
use crate::Float;
use crate::kernels::simd::dispatch;
use crate::kernels::{FastPath, FastPath2};

/// How many numbers a call computes.
const LANES: usize = 16;

type Lanes<T> = [T; LANES];
type Block1<T> = fn(&Lanes<T>, [T; 2], &mut Lanes<T>);
type Block2<T> = fn(&Lanes<T>, &Lanes<T>, &mut Lanes<T>);

impl Map1 {
    /// The loops of a long function.
    pub const fn compact<F: Function1>() -> Map1 {
        Map1 { f32: Loops1::by_blocks::<Plain<F>>(), f64: Loops1::by_blocks::<Plain<F>>() }
    }

    /// The loops of a long function with a fast path.
    pub const fn compact_with_fast_path<F: FastPath>() -> Map1 {
        Map1 {
            f32: Loops1::by_blocks::<WithFastPath<F>>(),
            f64: Loops1::by_blocks::<WithFastPath<F>>(),
        }
    }
}

impl Map2 {
    /// The loops of a long function.
    pub const fn compact<F: Function2>() -> Map2 {
        Map2 { f32: Loops2::by_blocks::<Plain<F>>(), f64: Loops2::by_blocks::<Plain<F>>() }
    }

    /// The loops of a long function with a fast path.
    pub const fn compact_with_fast_path<F: FastPath2>() -> Map2 {
        Map2 {
            f32: Loops2::by_blocks::<WithFastPath<F>>(),
            f64: Loops2::by_blocks::<WithFastPath<F>>(),
        }
    }
}

/// A function of a block.
trait OfBlock1 {
    fn block<T: Float>(x: &Lanes<T>, p: [T; 2], out: &mut Lanes<T>);
}

struct Plain<F>(std::marker::PhantomData<F>);

impl<F: Function1> OfBlock1 for Plain<F> {
    fn block<T: Float>(x: &Lanes<T>, p: [T; 2], out: &mut Lanes<T>) {
        #[inline(always)]
        fn plain<F: Function1, T: Float>(x: &Lanes<T>, p: [T; 2], out: &mut Lanes<T>) {
            for i in 0..LANES {
                out[i] = F::apply(x[i], p);
            }
        }
        dispatch!(<F: Function1, T: Float> (x: &Lanes<T>, p: [T; 2], out: &mut Lanes<T>) {
            plain::<F, T>(x, p, out)
        })
    }
}

struct WithFastPath<F>(std::marker::PhantomData<F>);

impl<F: FastPath> OfBlock1 for WithFastPath<F> {
    fn block<T: Float>(x: &Lanes<T>, p: [T; 2], out: &mut Lanes<T>) {
        #[inline(always)]
        fn plain<F: FastPath, T: Float>(x: &Lanes<T>, p: [T; 2], out: &mut Lanes<T>) {
            let mut all_fast = true;
            for &x in x {
                all_fast &= F::is_fast(x);
            }
            for i in 0..LANES {
                out[i] = if all_fast { F::fast(x[i], p) } else { F::apply(x[i], p) };
            }
        }
        dispatch!(<F: FastPath, T: Float> (x: &Lanes<T>, p: [T; 2], out: &mut Lanes<T>) {
            plain::<F, T>(x, p, out)
        })
    }
}

impl<T: Float> Loops1<T> {
    const fn by_blocks<B: OfBlock1>() -> Loops1<T> {
        Loops1 {
            each: |x, p, out| each1(x, p, out, B::block),
            sums: |x, p, columns, out| sums1(x, p, columns, out, B::block),
        }
    }
}

impl<T: Float> Loops2<T> {
    const fn by_blocks<B: OfBlock2>() -> Loops2<T> {
        Loops2 {
            each: |x, columns, out| each2::<T, Elements, Elements>(x, columns, out, B::block),
            number_left: |x, columns, out| each2::<T, Number, Elements>(x, columns, out, B::block),
            number_right: |x, columns, out| each2::<T, Elements, Number>(x, columns, out, B::block),
            sums: |x, columns, out| sums2(x, columns, out, B::block),
        }
    }
}

/// A function of two blocks.
trait OfBlock2 {
    fn block<T: Float>(a: &Lanes<T>, b: &Lanes<T>, out: &mut Lanes<T>);
}

impl<F: Function2> OfBlock2 for Plain<F> {
    fn block<T: Float>(a: &Lanes<T>, b: &Lanes<T>, out: &mut Lanes<T>) {
        #[inline(always)]
        fn plain<F: Function2, T: Float>(a: &Lanes<T>, b: &Lanes<T>, out: &mut Lanes<T>) {
            for i in 0..LANES {
                out[i] = F::apply(a[i], b[i]);
            }
        }
        dispatch!(<F: Function2, T: Float> (a: &Lanes<T>, b: &Lanes<T>, out: &mut Lanes<T>) {
            plain::<F, T>(a, b, out)
        })
    }
}

impl<F: FastPath2> OfBlock2 for WithFastPath<F> {
    fn block<T: Float>(a: &Lanes<T>, b: &Lanes<T>, out: &mut Lanes<T>) {
        #[inline(always)]
        fn plain<F: FastPath2, T: Float>(a: &Lanes<T>, b: &Lanes<T>, out: &mut Lanes<T>) {
            let mut all_fast = true;
            for i in 0..LANES {
                all_fast &= F::is_fast(a[i], b[i]);
            }
            for i in 0..LANES {
                out[i] = if all_fast { F::fast(a[i], b[i]) } else { F::apply(a[i], b[i]) };
            }
        }
        dispatch!(<F: FastPath2, T: Float> (a: &Lanes<T>, b: &Lanes<T>, out: &mut Lanes<T>) {
            plain::<F, T>(a, b, out)
        })
    }
}

fn each1<T: Float>(x: &[T], p: [T; 2], out: &mut [T], block: Block1<T>) {
    for (x, out) in x.chunks(LANES).zip(out.chunks_mut(LANES)) {
        let mut y = [T::ONE; LANES];
        block(&lanes(x), p, &mut y);
        out.copy_from_slice(&y[..out.len()]);
    }
}

/// Some numbers, and ones in what is left over of a block.
fn lanes<T: Float>(x: &[T]) -> Lanes<T> {
    let mut lanes = [T::ONE; LANES];
    lanes[..x.len()].copy_from_slice(x);
    lanes
}

/// What a block reads of a row.
trait Part<T>: Copy {
    fn lanes(self, from: usize, len: usize) -> Lanes<T>;
}

impl<T: Float> Part<T> for &[T] {
    fn lanes(self, from: usize, len: usize) -> Lanes<T> {
        lanes(&self[from..from + len])
    }
}

impl<T: Float> Part<T> for T {
    fn lanes(self, _: usize, _: usize) -> Lanes<T> {
        [self; LANES]
    }
}

fn each2<'a, T: Float, A: Read<T>, B: Read<T>>(
    [a, b]: [Strip<'a, T>; 2],
    columns: usize,
    out: &mut [T],
    block: Block2<T>,
) where
    A::Row<'a>: Part<T>,
    B::Row<'a>: Part<T>,
{
    for (row, out) in rows_of(out, columns).enumerate() {
        let (a, b) = (A::row(&a, row, columns), B::row(&b, row, columns));
        for (at, out) in out.chunks_mut(LANES).enumerate() {
            let (from, len) = (at * LANES, out.len());
            let mut y = [T::ONE; LANES];
            block(&a.lanes(from, len), &b.lanes(from, len), &mut y);
            out.copy_from_slice(&y[..len]);
        }
    }
}

fn sums1<T: Float>(x: Strip<'_, T>, p: [T; 2], columns: usize, out: &mut [T], block: Block1<T>) {
    let mut results = vec![T::ZERO; columns];
    for (row, y) in out.iter_mut().enumerate() {
        each1(Elements::row(&x, row, columns), p, &mut results, block);
        *y = row_sum_of(&results);
    }
}

fn sums2<T: Float>([a, b]: [Strip<'_, T>; 2], columns: usize, out: &mut [T], block: Block2<T>) {
    let mut results = vec![T::ZERO; columns];
    for (row, y) in out.iter_mut().enumerate() {
        let x = [Elements::row(&a, row, columns), Elements::row(&b, row, columns)];
        each2::<T, Elements, Elements>(x.map(Strip::flat), columns, &mut results, block);
        *y = row_sum_of(&results);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{map1, map2};

    const LONG: Map1 = map1!(compact | x, p | x.exp() * p[0]);
    const SHORT: Map1 = map1!(|x, p| x.exp() * p[0]);
    const FAST: Map1 = map1!(compact |x, _p| x.sin(), where x.is_near() => x.sin_near());
    const SIN: Map1 = map1!(|x, _p| x.sin());
    const LONG2: Map2 = map2!(compact | a, b | a.atan2(b));
    const FAST2: Map2 =
        map2!(compact |a, b| a.fmod(b), where a.quotient_is_near(b) => a.fmod_near(b));
    const FMOD: Map2 = map2!(|a, b| a.fmod(b));
    const SHORT2: Map2 = map2!(|a, b| a.atan2(b));

    #[test]
    fn long_functions_have_the_bits_of_short_ones_in_every_loop() {
        for columns in [1, 2, 15, 16, 17, 40, 100, 5000] {
            let x: Vec<f64> = (0..3 * columns).map(|i| (i as f64 * 0.7).sin() * 4.0).collect();
            let mut rare = x.clone();
            rare[columns / 2] = 1e30;
            let run = |each: &dyn Fn(&mut [f64]), len: usize| {
                let mut out = vec![0.0; len];
                each(&mut out);
                // Bits, but of NaN the one.
                let bits = |x: f64| if x.is_nan() { u64::MAX } else { x.to_bits() };
                out.into_iter().map(bits).collect::<Vec<u64>>()
            };
            let p = [1.5, 0.0];
            let each1 = |map: &Map1, x: &[f64]| run(&|out| (map.f64.each)(x, p, out), x.len());
            assert_eq!(each1(&LONG, &x), each1(&SHORT, &x));
            assert_eq!(each1(&FAST, &rare), each1(&SIN, &rare));
            let rows = Strip { elements: &x[..], row_stride: columns };
            let sums1 = |map: &Map1| run(&|out| (map.f64.sums)(rows, p, columns, out), 3);
            assert_eq!(sums1(&LONG), sums1(&SHORT));
            let numbers = Strip { elements: &x[..3], row_stride: 1 };
            let row = Strip { elements: &x[..columns], row_stride: 0 };
            let loops = |map: &Map2| {
                let f = &map.f64;
                [
                    run(&|out| (f.each)([rows, row], columns, out), x.len()),
                    run(&|out| (f.number_left)([numbers, rows], columns, out), x.len()),
                    run(&|out| (f.number_right)([rows, numbers], columns, out), x.len()),
                    run(&|out| (f.sums)([rows, row], columns, out), 3),
                ]
            };
            assert_eq!(loops(&LONG2), loops(&SHORT2));
            assert_eq!(loops(&FAST2), loops(&FMOD));
            let far = Strip { elements: &rare[..], row_stride: columns };
            let row = Strip { elements: &[0.7], row_stride: 0 };
            let fmod = |map: &Map2| {
                run(&|out| (map.f64.number_right)([far, row], columns, out), 3 * columns)
            };
            assert_eq!(fmod(&FAST2), fmod(&FMOD));
        }
    }
}
