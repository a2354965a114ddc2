//! Loops over functions that have a branch for rare inputs, which would keep a loop from becoming
//! whole vectors: a slice that has no such input runs without it.

use super::loops::{Function1, Loops1, Map1};
use super::simd::dispatch;
use crate::Float;

/// A [`Function1`] with a branch for rare inputs.
pub trait Branched: Function1 {
    /// Whether an input is none of them.
    fn is_plain<T: Float>(x: T) -> bool;
    /// The function for such an input, without the branch; the same to the last bit.
    fn plain<T: Float>(x: T, p: [T; 2]) -> T;
}

impl Map1 {
    /// The loops of a function with a branch.
    pub const fn branched<F: Branched>() -> Map1 {
        Map1 { f32: loops::<F, f32>(), f64: loops::<F, f64>() }
    }
}

const fn loops<F: Branched, T: Float>() -> Loops1<T> {
    Loops1 {
        each: |x, p, out| (loops_for::<F, T>(x).each)(x, p, out),
        sums: |x, p, columns, out| (loops_for::<F, T>(x.elements).sums)(x, p, columns, out),
    }
}

fn loops_for<F: Branched, T: Float>(x: &[T]) -> Loops1<T> {
    if all_plain::<F, T>(x) { Loops1::of::<Plain<F>>() } else { Loops1::of::<F>() }
}

/// A function where it needs no branch.
struct Plain<F>(std::marker::PhantomData<F>);

impl<F: Branched> Function1 for Plain<F> {
    #[inline(always)]
    fn apply<T: Float>(x: T, p: [T; 2]) -> T {
        F::plain(x, p)
    }
}

fn all_plain<F: Branched, T: Float>(x: &[T]) -> bool {
    #[inline(always)]
    fn plain<F: Branched, T: Float>(x: &[T]) -> bool {
        // Without an early end, so that it is a vector loop.
        x.iter().fold(true, |all, &x| all & F::is_plain(x))
    }
    dispatch!(<F: Branched, T: Float> (x: &[T]) -> bool { plain::<F, T>(x) })
}

#[cfg(test)]
mod tests {
    use crate::kernels::Map1;
    use crate::map1;

    const SIN: Map1 = map1!(|x, _p| x.sin(), where x.is_near() => x.sin_near());

    #[test]
    fn a_rare_input_changes_nothing_for_its_neighbours() {
        let x: Vec<f32> = (0..100).map(|i| i as f32 * 37.5 - 1000.0).collect();
        let mut with_rare = x.clone();
        with_rare[50] = 1e30;
        let (mut plain, mut branched) = (vec![0.0; 100], vec![0.0; 100]);
        (SIN.f32.each)(&x, [0.0; 2], &mut plain);
        (SIN.f32.each)(&with_rare, [0.0; 2], &mut branched);
        assert_eq!(branched[50], f64::from(1e30_f32).sin() as f32);
        branched[50] = plain[50];
        assert_eq!(plain, branched);
    }
}
