//! Element-wise functions of integers, exact for all of `i64`; what leaves it wraps.

use super::{borrowed, copied, input, output};
use crate::tensor::with_elem;
use crate::{Elem, Error, Result, Tensor};

/// A function of one integer, with the parameters that floats have.
pub type Integers1 = fn(x: i64, p: [f64; 2]) -> i64;

/// A function of two integers.
#[derive(Clone, Copy, Debug)]
pub enum Integers2 {
    /// With an integer as its result.
    Number(fn(i64, i64) -> i64),
    /// With an integer as its result, but by 0, which is an error.
    Quotient(fn(i64, i64) -> i64),
    /// With a mask as its result, of 1 where it holds and 0 elsewhere.
    Mask(fn(&i64, &i64) -> bool),
}

/// `out = f(x; p)`, element by element.
pub fn map_integers(f: Integers1, x: &Tensor, p: [f64; 2], out: &mut Tensor) -> Result<()> {
    input::<i64>("map", x)?;
    let y = output::<i64>("map", out, x.shape())?;
    for (y, &x) in y.iter_mut().zip(borrowed::<i64>(x).iter()) {
        *y = f(x, p);
    }
    Ok(())
}

/// `out = f(a, b)`, element by element; shapes are equal. A mask may be of floats.
pub fn combine_integers(f: Integers2, a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    same_shape(&[a, b], out)?;
    let (shape, dtype) = (out.shape().clone(), out.dtype());
    input::<i64>("map", a)?;
    input::<i64>("map", b)?;
    let (a, b) = (borrowed::<i64>(a), borrowed::<i64>(b));
    let pairs = a.iter().zip(b.iter());
    match f {
        Integers2::Number(f) => {
            let out = output::<i64>("map", out, &shape)?;
            out.iter_mut().zip(pairs).for_each(|(y, (&a, &b))| *y = f(a, b));
        }
        Integers2::Quotient(f) => {
            if let Some(at) = b.iter().position(|&b| b == 0) {
                let position = shape.unravel_index(at);
                return Err(Error::ZeroDivisor { operation: "divide", position });
            }
            let out = output::<i64>("map", out, &shape)?;
            out.iter_mut().zip(pairs).for_each(|(y, (&a, &b))| *y = f(a, b));
        }
        Integers2::Mask(holds) => with_elem!(dtype, T => {
            let out = output::<T>("map", out, &shape)?;
            out.iter_mut().zip(pairs).for_each(|(y, (a, b))| {
                *y = if holds(a, b) { T::ONE } else { T::ZERO };
            });
        }),
    }
    Ok(())
}

/// `a` where the mask is not 0, else `b`; shapes are equal, and the mask may be of any type.
pub fn select_integers(mask: &Tensor, a: &Tensor, b: &Tensor, out: &mut Tensor) -> Result<()> {
    same_shape(&[mask, a, b], out)?;
    let shape = out.shape().clone();
    input::<i64>("select", a)?;
    input::<i64>("select", b)?;
    let out = output::<i64>("select", out, &shape)?;
    let (a, b) = (borrowed::<i64>(a), borrowed::<i64>(b));
    with_elem!(mask.dtype(), T => {
        let mask = copied::<T>(mask);
        for (i, y) in out.iter_mut().enumerate() {
            *y = if mask[i] != T::ZERO { a[i] } else { b[i] };
        }
    });
    Ok(())
}

fn same_shape(inputs: &[&Tensor], out: &Tensor) -> Result<()> {
    match inputs.iter().find(|x| x.shape() != out.shape()) {
        Some(odd) => {
            let (left, right) = (odd.shape().clone(), out.shape().clone());
            let why = "operands of a map have the shape of its output";
            Err(Error::Shape { operation: "map", left, right, why })
        }
        None => Ok(()),
    }
}

/// Whether a number is an integer of `i64`.
pub fn is_integer(x: f64) -> bool {
    // 2⁶³ itself is the first one that is not.
    x.fract() == 0.0 && (i64::MIN as f64..-(i64::MIN as f64)).contains(&x)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::DType;

    const LARGE: i64 = (1 << 53) + 1;

    #[test]
    fn integers_that_no_float_tells_apart_are_told_apart() {
        let (a, b) = (Tensor::from([LARGE, LARGE - 1]), Tensor::from([LARGE, LARGE]));
        let mut mask = Tensor::zeros([2], DType::F32).unwrap();
        combine_integers(Integers2::Mask(i64::eq), &a, &b, &mut mask).unwrap();
        assert_eq!(mask.to_f64s(), [1.0, 0.0]);
        let mut sum = Tensor::zeros([2], DType::I64).unwrap();
        combine_integers(Integers2::Number(i64::wrapping_add), &a, &b, &mut sum).unwrap();
        assert_eq!(sum, Tensor::from([2 * LARGE, 2 * LARGE - 1]));
        select_integers(&mask, &a, &Tensor::from([0_i64, 7]), &mut sum).unwrap();
        assert_eq!(sum, Tensor::from([LARGE, 7]));
        map_integers(|x, _| x.wrapping_neg(), &b.flip(0).unwrap(), [0.0; 2], &mut sum).unwrap();
        assert_eq!(sum, Tensor::from([-LARGE, -LARGE]));
    }

    #[test]
    fn operands_that_do_not_fit_are_an_error() {
        let (x, mut out) = (Tensor::from([1_i64, 2]), Tensor::from([0_i64]));
        let add = Integers2::Number(i64::wrapping_add);
        assert!(combine_integers(add, &x, &x, &mut out).is_err());
        assert!(combine_integers(add, &Tensor::from([1.0]), &out.clone(), &mut out).is_err());
        assert!(select_integers(&x, &x, &x, &mut out).is_err());
        let (zero, mut out) = (Tensor::from([1_i64, 0]), Tensor::from([0_i64, 0]));
        let error = combine_integers(Integers2::Quotient(i64::wrapping_div), &x, &zero, &mut out);
        assert!(error.unwrap_err().to_string().contains("the divisor at [1] is 0"));
    }

    #[test]
    fn whole_numbers_up_to_the_largest_are_integers() {
        assert!([0.0, -0.0, 1e18, i64::MIN as f64].into_iter().all(is_integer));
        let others = [0.5, 1e19, -(i64::MIN as f64), f64::INFINITY, f64::NAN];
        assert!(!others.into_iter().any(is_integer));
    }
}
