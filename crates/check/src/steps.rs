//! Steps that floats can hold, so that a difference of values is divided by the difference of the
//! very points that they were taken at.

use crate::slopes::RUNGS;

/// About `h · direction`, as a step of which up to `reach` can be taken from `x` to either side
/// without rounding: each element is a multiple of the spacing of floats at the farthest point, and
/// one that moves at all moves by one spacing at least.
///
/// Where a step leads to floats of a wider spacing than that of `x`, the points are rounded after
/// all: [`rounded_by`] says by how much.
pub(crate) fn representable(x: &[f64], direction: &[f64], h: f64, reach: f64) -> Vec<f64> {
    let step = |(&x, &d): (&f64, &f64)| {
        let wanted = h * d;
        let farthest = x.abs() + reach * wanted.abs().max(spacing(x));
        if d == 0.0 || !x.is_finite() {
            return 0.0;
        }
        if !farthest.is_finite() {
            return wanted;
        }
        let unit = spacing(farthest);
        (wanted.abs() / unit).round().max(1.0) * unit.copysign(d)
    };
    x.iter().zip(direction).map(step).collect()
}

/// What the point `x + t · step` is off, element by element.
pub(crate) fn rounded_by(x: &[f64], step: &[f64], t: f64) -> impl Iterator<Item = f64> {
    x.iter().zip(step).map(move |(&x, &step)| {
        let off = ((x + t * step) - x) - t * step;
        if off.is_finite() { off } else { 0.0 }
    })
}

/// The distance from a number to the next one away from 0.
pub(crate) fn spacing(x: f64) -> f64 {
    let size = x.abs();
    size.next_up() - size
}

/// The root of the mean square, without overflow.
pub(crate) fn root_mean_square(x: &[f64]) -> f64 {
    let largest = x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let mean = x.iter().map(|x| (x / largest).powi(2)).sum::<f64>() / x.len() as f64;
    largest * mean.sqrt()
}

/// The root of the sum of squares, without overflow.
pub(crate) fn norm(x: &[f64]) -> f64 {
    match x.iter().any(|x| x.is_nan()) {
        true => f64::NAN,
        false => root_mean_square(x) * (x.len() as f64).sqrt(),
    }
}

/// The shortest step of a ladder, and the longest one in units of it.
pub(crate) struct Ladder {
    pub unit: f64,
    pub step: Vec<f64>,
}

pub(crate) const LONGEST: f64 = (1 << (RUNGS - 1)) as f64;

impl Ladder {
    pub fn new(x: &[f64], direction: &[f64], first: f64) -> Ladder {
        let unit = first / LONGEST;
        Ladder { unit, step: representable(x, direction, unit, LONGEST) }
    }
}

/// The length of a step along a direction.
pub(crate) fn scale(direction: &[f64]) -> f64 {
    direction.iter().fold(0.0, |scale, d| scale.max(d.abs()))
}

/// What each element adds to a slope; one that does not move adds nothing, whatever its gradient.
pub(crate) fn products<'a>(gradient: &'a [f64], step: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    gradient.iter().zip(step).filter(|(_, step)| **step != 0.0).map(|(g, step)| g * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_from_any_number_are_exact_and_never_nothing() {
        for x in [1.0, -1.0, 0.3, 1e9, -1e15, 1e300, 1e-30, 5e-324, 4.0, -1e-310] {
            for h in [1e-21, 1e-10, 1e-7, 0.00025, 0.01] {
                let step = representable(&[x], &[x], h, 8.0)[0];
                assert!(step != 0.0, "{x} {h}");
                for k in [-8.0, -4.0, -2.0, -1.0, 1.0, 2.0, 4.0, 8.0] {
                    assert_eq!((x + k * step) - x, k * step, "{x} {h} {k}");
                }
            }
        }
    }

    #[test]
    fn an_element_that_does_not_move_stays() {
        assert_eq!(representable(&[1.0, f64::INFINITY], &[0.0, 1.0], 0.1, 8.0), [0.0, 0.0]);
    }

    #[test]
    fn a_root_mean_square_does_not_overflow() {
        assert_eq!(root_mean_square(&[1e300, -1e300]), 1e300);
        assert_eq!(root_mean_square(&[0.0, 0.0]), 0.0);
        assert_eq!(root_mean_square(&[]), 0.0);
    }
}
