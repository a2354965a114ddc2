//! Cumulative extremes along an axis.

use super::each_slab;
use crate::kernels::simd::dispatch;
use crate::kernels::{Extreme, borrowed, is_nan, outer_dim_inner, output};
use crate::tensor::with_elem;
use crate::{Elem, Result, Tensor};

/// The index of the cumulative maximum or minimum along an axis: the last one of equals, and of NaNs
/// from the first NaN on.
pub fn arg_cumulative(extreme: Extreme, x: &Tensor, axis: usize, out: &mut Tensor) -> Result<()> {
    let operation = "arg_cumulative";
    let [_, len, inner] = outer_dim_inner(operation, x.shape(), axis)?;
    with_elem!(x.dtype(), T => {
        let x_elements = borrowed::<T>(x);
        let out = output::<i64>(operation, out, x.shape())?;
        each_slab(out, len * inner, None, |nth, slab| {
            let x = &x_elements[nth * len * inner..][..len * inner];
            match extreme {
                Extreme::Max => running_extreme::<T, Largest>(x, inner, slab),
                Extreme::Min => running_extreme::<T, Smallest>(x, inner, slab),
            }
        });
    });
    Ok(())
}

/// What takes the place of the extreme so far.
trait Takes {
    fn takes<T: Elem>(x: T, best: T) -> bool;
}

struct Largest;
struct Smallest;

impl Takes for Largest {
    #[inline(always)]
    fn takes<T: Elem>(x: T, best: T) -> bool {
        x >= best || is_nan(x)
    }
}

impl Takes for Smallest {
    #[inline(always)]
    fn takes<T: Elem>(x: T, best: T) -> bool {
        x <= best || is_nan(x)
    }
}

fn running_extreme<T: Elem, E: Takes>(x: &[T], inner: usize, out: &mut [i64]) {
    if inner == 1 {
        return along_line::<T, E>(x, out);
    }
    let mut best: Vec<(T, i64)> = x[..inner].iter().map(|&x| (x, 0)).collect();
    for ((n, x), out) in (0_i64..).zip(x.chunks_exact(inner)).zip(out.chunks_exact_mut(inner)) {
        for ((best, &x), out) in best.iter_mut().zip(x).zip(out) {
            *best = if E::takes(x, best.0) { (x, n) } else { *best };
            *out = best.1;
        }
    }
}

/// How many elements are compared with an extreme at once.
const RUN: usize = 64;

fn along_line<T: Elem, E: Takes>(x: &[T], out: &mut [i64]) {
    #[inline(always)]
    fn one_by_one<T: Elem, E: Takes>(best: &mut (T, i64), start: usize, x: &[T], out: &mut [i64]) {
        let mut from = 0;
        for (n, &x) in x.iter().enumerate() {
            if E::takes(x, best.0) {
                out[from..n].fill(best.1);
                (*best, from) = ((x, (start + n) as i64), n);
            }
        }
        out[from..].fill(best.1);
    }
    #[inline(always)]
    fn plain<T: Elem, E: Takes>(x: &[T], out: &mut [i64]) {
        let mut best = (x[0], 0);
        let (runs, rest) = x.as_chunks::<RUN>();
        let (run_outs, rest_out) = out.as_chunks_mut::<RUN>();
        for (n, (x, out)) in runs.iter().zip(run_outs).enumerate() {
            // Most runs hold no new extreme, which vectors find out.
            let mut any = false;
            for &x in x {
                any |= E::takes(x, best.0);
            }
            if !any {
                *out = [best.1; RUN];
            } else {
                one_by_one::<T, E>(&mut best, n * RUN, x, out);
            }
        }
        one_by_one::<T, E>(&mut best, runs.len() * RUN, rest, rest_out);
    }
    dispatch!(<T: Elem, E: Takes> (x: &[T], out: &mut [i64]) { plain::<T, E>(x, out) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn the_last_of_equal_extremes_is_taken_and_nan_stays() {
        let index = |x: &Tensor, axis, extreme| {
            let mut out = Tensor::zeros(x.shape().clone(), DType::I64).unwrap();
            arg_cumulative(extreme, x, axis, &mut out).unwrap();
            out
        };
        let x = Tensor::from([1.0, 3.0, 3.0, 2.0, f64::NAN, 9.0, f64::NAN]);
        assert_eq!(index(&x, 0, Extreme::Max), Tensor::from([0_i64, 1, 2, 2, 4, 4, 6]));
        assert_eq!(index(&x, 0, Extreme::Min), Tensor::from([0_i64, 0, 0, 0, 4, 4, 6]));
        let mut rises = vec![0.0; 1000];
        for (i, x) in [(3, 1.0), (64, 1.0), (500, 2.0), (999, 2.0)] {
            rises[i] = x;
        }
        let found = index(&Tensor::from(rises), 0, Extreme::Max).to_f64s();
        let at = [(2, 2.0), (63, 3.0), (499, 64.0), (998, 500.0), (999, 999.0)];
        assert!(at.iter().all(|&(i, expected)| found[i] == expected), "{found:?}");
        let x = Tensor::from([[1.0, 5.0], [1.0, 6.0], [0.0, 4.0]]);
        assert_eq!(index(&x, 0, Extreme::Max), Tensor::from([[0_i64, 0], [1, 1], [1, 1]]));
        assert_eq!(index(&x, 1, Extreme::Min), Tensor::from([[0_i64, 0], [0, 0], [0, 0]]));
    }
}
