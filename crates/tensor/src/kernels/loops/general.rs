//! The one loop of a function that is not specialized: over a run of elements. What cuts rows into runs is
//! the same code for all functions. Over rows of elements it is as fast as those of
//! [`rows`](super::rows); numbers are repeated for a block of elements, and results are stored before
//! they are summed.

use std::cell::Cell;
use std::marker::PhantomData;

use super::rows::rows_of;
#[cfg(target_arch = "x86_64")]
use super::scalar;
use super::sums::row_sum_of;
use super::{Function1, Function2, Function3, Loops1, Loops2, Loops3, Map1, Map2, Strip};
use crate::Float;
use crate::kernels::scratch::Scratch;
use crate::kernels::simd::dispatch;
#[cfg(target_arch = "x86_64")]
use crate::program::Traced;

thread_local! {
    /// For the results of a row that is summed.
    static RESULTS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

impl Map1 {
    /// The loop of a function.
    pub const fn of<F: Function1>() -> Map1 {
        Map1 {
            f32: Loops1::general::<F>(),
            f64: Loops1::general::<F>(),
            #[cfg(target_arch = "x86_64")]
            traced: F::apply::<Traced>,
        }
    }

    /// The loop of a function with a fast path.
    pub const fn with_fast_path<F: FastPath>() -> Map1 {
        Map1 {
            f32: Loops1::of::<WithFastPath<F>>(),
            f64: Loops1::of::<WithFastPath<F>>(),
            #[cfg(target_arch = "x86_64")]
            traced: F::apply::<Traced>,
        }
    }
}

impl Map2 {
    /// The loop of a function.
    pub const fn of<F: Function2>() -> Map2 {
        Map2 {
            f32: Loops2::general::<F>(),
            f64: Loops2::general::<F>(),
            #[cfg(target_arch = "x86_64")]
            traced: F::apply::<Traced>,
        }
    }

    /// The loop of a function with a fast path.
    pub const fn with_fast_path<F: FastPath2>() -> Map2 {
        Map2 {
            f32: Loops2::of::<WithFastPath<F>>(),
            f64: Loops2::of::<WithFastPath<F>>(),
            #[cfg(target_arch = "x86_64")]
            traced: F::apply::<Traced>,
        }
    }
}

/// A function with a slow branch for rare inputs, which would keep its loop from being vectorized, and
/// a fast path for all others.
pub trait FastPath: Function1 {
    /// Whether the fast path takes an input.
    fn is_fast<T: Float>(x: T) -> bool;
    /// The function for such an input, without the branch; the same to the last bit.
    fn fast<T: Float>(x: T, p: [T; 2]) -> T;
}

/// As [`FastPath`], of two numbers.
pub trait FastPath2: Function2 {
    /// Whether the fast path takes two inputs.
    fn is_fast<T: Float>(a: T, b: T) -> bool;
    /// The function for such inputs, without the branch; the same to the last bit.
    fn fast<T: Float>(a: T, b: T) -> T;
}

/// The loops of a function without a fast path.
macro_rules! general {
    ($($loops:ident: $function:ident)*) => {
        $(impl<T: Float> $loops<T> {
            pub(super) const fn general<F: $function>() -> $loops<T> {
                $loops::of::<Plain<F>>()
            }
        })*
    };
}

general! { Loops1: Function1 Loops2: Function2 Loops3: Function3 }

impl<T: Float> Loops1<T> {
    const fn of<F: Function<1>>() -> Loops1<T> {
        Loops1 {
            each: |x, p, out| each(Kernel::of::<F>(), [(Strip::flat(x), false)], p, out.len(), out),
            sums: |x, p, columns, out| sums(Kernel::of::<F>(), [x], p, columns, out),
        }
    }
}

impl<T: Float> Loops2<T> {
    const fn of<F: Function<2>>() -> Loops2<T> {
        Loops2 {
            each: two::<F, T, false, false>,
            number_left: two::<F, T, true, false>,
            number_right: two::<F, T, false, true>,
            sums: |x, columns, out| sums(Kernel::of::<F>(), x, [T::ZERO; 2], columns, out),
        }
    }
}

impl<T: Float> Loops3<T> {
    const fn of<F: Function<3>>() -> Loops3<T> {
        Loops3 {
            each: three::<F, T, false, false>,
            number_middle: three::<F, T, true, false>,
            number_right: three::<F, T, false, true>,
            numbers: three::<F, T, true, true>,
            sums: |x, columns, out| sums(Kernel::of::<F>(), x, [T::ZERO; 2], columns, out),
        }
    }
}

fn two<F: Function<2>, T: Float, const LEFT: bool, const RIGHT: bool>(
    [a, b]: [Strip<'_, T>; 2],
    columns: usize,
    out: &mut [T],
) {
    each(Kernel::of::<F>(), [(a, LEFT), (b, RIGHT)], [T::ZERO; 2], columns, out);
}

fn three<F: Function<3>, T: Float, const MIDDLE: bool, const RIGHT: bool>(
    [a, b, c]: [Strip<'_, T>; 3],
    columns: usize,
    out: &mut [T],
) {
    let x = [(a, false), (b, MIDDLE), (c, RIGHT)];
    each(Kernel::of::<F>(), x, [T::ZERO; 2], columns, out);
}

/// A function of `N` numbers, perhaps with a fast path.
trait Function<const N: usize> {
    const HAS_FAST_PATH: bool;
    fn apply<T: Float>(x: [T; N], p: [T; 2]) -> T;
    fn is_fast<T: Float>(x: [T; N]) -> bool;
    fn fast<T: Float>(x: [T; N], p: [T; 2]) -> T;
}

struct Plain<F>(PhantomData<F>);
struct WithFastPath<F>(PhantomData<F>);

/// The functions of tuples of numbers as functions of arrays.
macro_rules! plain {
    ($n:literal, $plain:ident, $x:tt, ($($arg:expr),+), $p:ident $(, $parameter:expr)?) => {
        impl<F: $plain> Function<$n> for Plain<F> {
            const HAS_FAST_PATH: bool = false;

            #[inline(always)]
            fn apply<T: Float>($x: [T; $n], $p: [T; 2]) -> T {
                F::apply($($arg),+ $(, $parameter)?)
            }

            #[inline(always)]
            fn is_fast<T: Float>(_: [T; $n]) -> bool {
                false
            }

            #[inline(always)]
            fn fast<T: Float>(x: [T; $n], p: [T; 2]) -> T {
                Self::apply(x, p)
            }
        }
    };
}

/// As `plain`, with a fast path.
macro_rules! with_fast_path {
    ($n:literal, $fast:ident, $x:tt, ($($arg:expr),+), $p:ident $(, $parameter:expr)?) => {
        impl<F: $fast> Function<$n> for WithFastPath<F> {
            const HAS_FAST_PATH: bool = true;

            #[inline(always)]
            fn apply<T: Float>($x: [T; $n], $p: [T; 2]) -> T {
                F::apply($($arg),+ $(, $parameter)?)
            }

            #[inline(always)]
            fn is_fast<T: Float>($x: [T; $n]) -> bool {
                F::is_fast($($arg),+)
            }

            #[inline(always)]
            fn fast<T: Float>($x: [T; $n], $p: [T; 2]) -> T {
                F::fast($($arg),+ $(, $parameter)?)
            }
        }
    };
}

plain!(1, Function1, [x], (x), p, p);
plain!(2, Function2, [a, b], (a, b), _p);
plain!(3, Function3, [a, b, c], (a, b, c), _p);
with_fast_path!(1, FastPath, [x], (x), p, p);
with_fast_path!(2, FastPath2, [a, b], (a, b), _p);

/// A row is computed in runs of a multiple of so many elements, so that the loop over a run needs no
/// second loop for single elements.
const LANES: usize = 16;

/// How often a number of a row is repeated, so that loops read it like elements.
const BLOCK: usize = 8 * LANES;

/// How many elements take the fast path together, or none of them.
const FAST_BLOCK: usize = 4 * LANES;

/// The loop of a function over a run.
#[derive(Clone, Copy)]
struct Kernel<T, const N: usize> {
    /// Computes a run, with two parameters, of operands of as many elements.
    run: fn([&[T]; N], [T; 2], &mut [T]),
    /// How long a run may be.
    longest: usize,
}

impl<T: Float, const N: usize> Kernel<T, N> {
    const fn of<F: Function<N>>() -> Kernel<T, N> {
        Kernel {
            run: run::<F, T, N>,
            longest: if F::HAS_FAST_PATH { FAST_BLOCK } else { usize::MAX },
        }
    }
}

/// Each result, also of rows that are too short for a kernel.
fn each<T: Float, const N: usize>(
    kernel: Kernel<T, N>,
    x: [(Strip<'_, T>, bool); N],
    p: [T; 2],
    columns: usize,
    out: &mut [T],
) {
    if out.is_empty() {
        return;
    }
    if columns >= LANES {
        return rows(kernel, x, p, columns, out);
    }
    // In lanes, of which those after the row hold ones, at which all functions are fast.
    let (mut lanes, mut y) = ([[T::ONE; LANES]; N], [T::ZERO; LANES]);
    for (row, out) in rows_of(out, columns).enumerate() {
        for (lanes, (x, is_number)) in lanes.iter_mut().zip(x) {
            let elements = &x.elements[row * x.row_stride..];
            if is_number {
                lanes[..columns].fill(elements[0]);
            } else {
                lanes[..columns].copy_from_slice(&elements[..columns]);
            }
        }
        (kernel.run)(lanes.each_ref().map(|lanes| &lanes[..]), p, &mut y);
        out.copy_from_slice(&y[..columns]);
    }
}

/// The sum of the results in each row.
fn sums<T: Float, const N: usize>(
    kernel: Kernel<T, N>,
    x: [Strip<'_, T>; N],
    p: [T; 2],
    columns: usize,
    out: &mut [T],
) {
    let mut results = Scratch::take(&RESULTS, columns);
    let results = results.elements();
    for (row, y) in out.iter_mut().enumerate() {
        let x = x.map(|x| (Strip::flat(&x.elements[row * x.row_stride..][..columns]), false));
        each(kernel, x, p, columns, results);
        *y = row_sum_of(results);
    }
}

/// Computes rows of at least [`LANES`] columns. What is left over of a row is a run that ends with
/// it: elements that lie in two runs are computed twice.
fn rows<T: Float, const N: usize>(
    kernel: Kernel<T, N>,
    x: [(Strip<'_, T>, bool); N],
    p: [T; 2],
    columns: usize,
    out: &mut [T],
) {
    let has_numbers = x.iter().any(|(_, is_number)| *is_number);
    let longest = if has_numbers { kernel.longest.min(BLOCK) } else { kernel.longest };
    let mut repeated = [[T::ZERO; BLOCK]; N];
    for (row, out) in rows_of(out, columns).enumerate() {
        for (repeated, (x, is_number)) in repeated.iter_mut().zip(x) {
            if is_number {
                repeated[..longest.min(columns)].fill(x.elements[row * x.row_stride]);
            }
        }
        let mut from = 0;
        while from < columns {
            let left = columns - from;
            let len = if left < LANES {
                from = columns - LANES;
                LANES
            } else {
                left.min(longest) & !(LANES - 1)
            };
            let operands = std::array::from_fn(|i| match x[i] {
                (_, true) => &repeated[i][..len],
                (x, false) => &x.elements[row * x.row_stride + from..][..len],
            });
            (kernel.run)(operands, p, &mut out[from..from + len]);
            from += len;
        }
    }
}

/// Computes a run: by the fast path if all elements take it.
fn run<F: Function<N>, T: Float, const N: usize>(x: [&[T]; N], p: [T; 2], out: &mut [T]) {
    #[inline(always)]
    fn plain<F: Function<N>, T: Float, const N: usize>(x: [&[T]; N], p: [T; 2], out: &mut [T]) {
        let len = out.len() & !(LANES - 1);
        // Loops instead of `map`, here and below, since closures are not always compiled with the
        // widest vectors.
        let mut first = [std::ptr::null(); N];
        for i in 0..N {
            first[i] = x[i][..len].as_ptr();
        }
        if F::HAS_FAST_PATH {
            let mut all_fast = true;
            for i in 0..len {
                // SAFETY: each operand has `len` elements.
                all_fast &= F::is_fast(unsafe { at(first, i) });
            }
            if all_fast {
                for (i, y) in out[..len].iter_mut().enumerate() {
                    // SAFETY: as above.
                    *y = F::fast(unsafe { at(first, i) }, p);
                }
                return;
            }
        }
        for (i, y) in out[..len].iter_mut().enumerate() {
            // SAFETY: as above.
            *y = F::apply(unsafe { at(first, i) }, p);
        }
    }
    dispatch!(<F: Function<N>, T: Float; N> (x: [&[T]; N], p: [T; 2], out: &mut [T]) {
        plain::<F, T, N>(x, p, out)
    } portable {
        scalar::run(F::apply::<T>, x, p, out)
    })
}

/// # Safety
/// Each operand has more than `i` elements.
#[inline(always)]
unsafe fn at<T: Float, const N: usize>(x: [*const T; N], i: usize) -> [T; N] {
    let mut numbers = [T::ZERO; N];
    for n in 0..N {
        // SAFETY: the caller says that they are there.
        numbers[n] = unsafe { *x[n].add(i) };
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{map1, map2};

    const LONG: Map1 = map1!(|x, p| x.exp() * p[0]);
    const SHORT: Map1 = map1!(specialized: |x, p| x.exp() * p[0]);
    const FAST: Map1 = map1!(|x, _p| x.sin(), where x.is_near() => x.sin_near());
    const SIN: Map1 = map1!(specialized: |x, _p| x.sin());
    const LONG2: Map2 = map2!(|a, b| a.atan2(b));
    const FAST2: Map2 = map2!(|a, b| a.fmod(b), where a.quotient_is_near(b) => a.fmod_near(b));
    const FMOD: Map2 = map2!(specialized: |a, b| a.fmod(b));
    const SHORT2: Map2 = map2!(specialized: |a, b| a.atan2(b));

    #[test]
    fn long_functions_have_the_bits_of_short_ones_in_every_loop() {
        for columns in [1, 2, 15, 16, 17, 40, 100, 5000] {
            let x: Vec<f32> = (0..3 * columns).map(|i| (i as f32 * 0.7).sin() * 4.0).collect();
            let mut rare = x.clone();
            rare[columns / 2] = 1e30;
            let run = |each: &dyn Fn(&mut [f32]), len: usize| {
                let mut out = vec![0.0; len];
                each(&mut out);
                // Bits, but of NaN the one.
                let bits = |x: f32| if x.is_nan() { u32::MAX } else { x.to_bits() };
                out.into_iter().map(bits).collect::<Vec<u32>>()
            };
            let p = [1.5, 0.0];
            let each1 = |map: &Map1, x: &[f32]| run(&|out| (map.f32.each)(x, p, out), x.len());
            assert_eq!(each1(&LONG, &x), each1(&SHORT, &x));
            assert_eq!(each1(&FAST, &rare), each1(&SIN, &rare));
            let rows = Strip { elements: &x[..], row_stride: columns };
            let sums1 = |map: &Map1| run(&|out| (map.f32.sums)(rows, p, columns, out), 3);
            assert_eq!(sums1(&LONG), sums1(&SHORT));
            let numbers = Strip { elements: &x[..3], row_stride: 1 };
            let row = Strip { elements: &x[..columns], row_stride: 0 };
            let loops = |map: &Map2| {
                let f = &map.f32;
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
                run(&|out| (map.f32.number_right)([far, row], columns, out), 3 * columns)
            };
            assert_eq!(fmod(&FAST2), fmod(&FMOD));
        }
    }
}
