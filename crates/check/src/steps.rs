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
        rounded(wanted.abs() / unit).max(1.0) * unit.copysign(d)
    };
    x.iter().zip(direction).map(step).collect()
}

/// A number from 0 on, rounded to a whole one: from 2⁵² on, floats have no fraction. `f64::round` is a
/// call where processors need not have an instruction for it, and this is asked of each element.
fn rounded(x: f64) -> f64 {
    const WHOLE: f64 = (1_u64 << 52) as f64;
    if x < WHOLE { (x + WHOLE) - WHOLE } else { x }
}

/// What the rounding of each point `x + t · step` adds to a value of this gradient there, for steps
/// that are [`representable`].
pub(crate) fn rounded_by(x: &[f64], step: &[f64], gradient: &[f64], multiples: &[f64]) -> Vec<f64> {
    const EXPONENT: u32 = 52;
    let reach = multiples.iter().fold(0.0_f64, |reach, t| reach.max(t.abs()));
    // Points on floats of the spacing of `x`, or a finer one, are exact.
    let is_rounded = |&at: &usize| {
        let farthest = x[at].abs() + reach * step[at].abs();
        farthest.to_bits() >> EXPONENT != x[at].abs().to_bits() >> EXPONENT
    };
    let rounded: Vec<usize> = (0..x.len()).filter(is_rounded).collect();
    let at_multiple = |&t: &f64| {
        let off = |at: usize| ((x[at] + t * step[at]) - x[at]) - t * step[at];
        let offs = rounded.iter().map(|&at| (off(at), gradient[at]));
        let parts = offs.filter(|(off, _)| *off != 0.0 && off.is_finite()).map(|(off, g)| off * g);
        let sum: f64 = parts.sum();
        if sum.is_finite() { sum } else { 0.0 }
    };
    multiples.iter().map(at_multiple).collect()
}

/// The distance from a number to the next one away from 0.
pub(crate) fn spacing(x: f64) -> f64 {
    let size = x.abs();
    size.next_up() - size
}

/// The root of the mean square, without overflow.
pub(crate) fn root_mean_square(x: &[f64]) -> f64 {
    let (scale, squares) = squares(x.iter().copied());
    scale * (squares / x.len().max(1) as f64).sqrt()
}

/// The root of the sum of squares, without overflow.
pub(crate) fn norm(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let (scale, squares) = squares(x);
    scale * squares.sqrt()
}

/// A scale, and the sum of squares of numbers in units of it.
fn squares(x: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let squares: f64 = x.clone().map(|x| x * x).sum();
    // Outside of these, squares overflow or lose digits.
    if squares.is_nan() || (1e-280..1e280).contains(&squares) {
        return (1.0, squares);
    }
    let largest = x.clone().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    match largest == 0.0 || largest.is_infinite() {
        true => (1.0, largest),
        false => (largest, x.map(|x| (x / largest).powi(2)).sum()),
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

    /// The longest step.
    pub fn first(&self) -> f64 {
        self.unit * LONGEST
    }
}

/// The length of a step along a direction.
pub(crate) fn scale(direction: &[f64]) -> f64 {
    direction.iter().fold(0.0, |scale, d| scale.max(d.abs()))
}

/// What each element adds to a slope; one that does not move adds nothing, whatever its gradient.
pub(crate) fn products<'a>(
    gradient: &'a [f64],
    step: &'a [f64],
) -> impl Iterator<Item = f64> + Clone + 'a {
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
    fn points_that_are_rounded_are_all_found() {
        const MULTIPLES: [f64; 8] = [-8.0, -4.0, -2.0, -1.0, 8.0, 4.0, 2.0, 1.0];
        let x: Vec<f64> = (0..999).map(|k| (f64::from(k) - 499.0) * 0.0173).collect();
        let gradient: Vec<f64> = (0..999).map(|k| f64::from(k % 7) - 2.5).collect();
        let direction: Vec<f64> = (0..999).map(|k| 0.5 + f64::from(k % 13) / 26.0).collect();
        let mut rounded = 0;
        for h in [2.5e-3, 2.5e-6, 2.5e-9] {
            let step = representable(&x, &direction, h, 8.0);
            let found = rounded_by(&x, &step, &gradient, &MULTIPLES);
            for (found, t) in found.into_iter().zip(MULTIPLES) {
                let off = |k: usize| ((x[k] + t * step[k]) - x[k]) - t * step[k];
                let naive: f64 = (0..x.len()).map(|k| off(k) * gradient[k]).sum();
                assert_eq!(found, naive, "{h} {t}");
                rounded += usize::from(naive != 0.0);
            }
        }
        assert!(rounded > 0);
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
