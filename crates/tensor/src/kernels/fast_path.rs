//! Loops over functions that have a slow branch for rare inputs, which would keep a loop from being
//! vectorized: a slice that has no such input takes a fast path without it.

use super::loops::{Function1, Function2, Loops1, Map1};
use super::simd::dispatch;
use crate::Float;

/// A [`Function1`] with a slow branch for rare inputs, and a fast path for all others.
pub trait FastPath: Function1 {
    /// Whether the fast path takes an input.
    fn is_fast<T: Float>(x: T) -> bool;
    /// The function for such an input, without the branch; the same to the last bit.
    fn fast<T: Float>(x: T, p: [T; 2]) -> T;
}

/// A [`Function2`] with a fast path; see [`FastPath`].
pub trait FastPath2: Function2 {
    /// Whether the fast path takes two inputs.
    fn is_fast<T: Float>(a: T, b: T) -> bool;
    /// The function for such inputs, without the branch; the same to the last bit.
    fn fast<T: Float>(a: T, b: T) -> T;
}

impl Map1 {
    /// The loops of a function with a fast path.
    pub const fn with_fast_path<F: FastPath>() -> Map1 {
        Map1 { f32: loops::<F, f32>(), f64: loops::<F, f64>() }
    }
}

const fn loops<F: FastPath, T: Float>() -> Loops1<T> {
    Loops1 {
        each: |x, p, out| (loops_for::<F, T>(x).each)(x, p, out),
        sums: |x, p, columns, out| (loops_for::<F, T>(x.elements).sums)(x, p, columns, out),
    }
}

fn loops_for<F: FastPath, T: Float>(x: &[T]) -> Loops1<T> {
    if all_fast::<F, T>(x) { Loops1::of::<Fast<F>>() } else { Loops1::of::<F>() }
}

/// The fast path of a function, as a function.
struct Fast<F>(std::marker::PhantomData<F>);

impl<F: FastPath> Function1 for Fast<F> {
    #[inline(always)]
    fn apply<T: Float>(x: T, p: [T; 2]) -> T {
        F::fast(x, p)
    }
}

fn all_fast<F: FastPath, T: Float>(x: &[T]) -> bool {
    #[inline(always)]
    fn plain<F: FastPath, T: Float>(x: &[T]) -> bool {
        // Without an early exit, so that it is vectorized.
        x.iter().fold(true, |all, &x| all & F::is_fast(x))
    }
    dispatch!(<F: FastPath, T: Float> (x: &[T]) -> bool { plain::<F, T>(x) })
}

#[cfg(test)]
mod tests {
    use crate::kernels::Map1;
    use crate::map1;

    const SIN: Map1 = map1!(|x, _p| x.sin(), where x.is_near() => x.sin_near());

    #[test]
    fn a_rare_input_changes_nothing_for_its_neighbors() {
        let x: Vec<f32> = (0..100).map(|i| i as f32 * 37.5 - 1000.0).collect();
        let mut with_rare = x.clone();
        with_rare[50] = 1e30;
        let (mut fast, mut slow) = (vec![0.0; 100], vec![0.0; 100]);
        (SIN.f32.each)(&x, [0.0; 2], &mut fast);
        (SIN.f32.each)(&with_rare, [0.0; 2], &mut slow);
        assert_eq!(slow[50], f64::from(1e30_f32).sin() as f32);
        slow[50] = fast[50];
        assert_eq!(fast, slow);
    }
}
