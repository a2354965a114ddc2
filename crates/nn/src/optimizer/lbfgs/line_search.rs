//! How far to go along a direction.

use std::cmp::Ordering;

use crate::error::Result;

/// The loss and its gradient at a length along a direction.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub length: f64,
    pub loss: f64,
    /// The derivative by the length.
    pub slope: f64,
    pub gradient: Vec<f64>,
}

/// The loss has to fall by this share of what the first slope promises.
const C1: f64 = 1e-4;

/// The slope has to be flatter than this share of the first.
const C2: f64 = 0.9;

/// How often a search looks at most.
const MAX: usize = 25;

/// A point where the strong conditions of Wolfe hold, or the best one found, and how often `at`
/// was called.
///
/// ```text
/// f(t) ≤ f(0) + c₁ t f'(0)   and   |f'(t)| ≤ c₂ |f'(0)|
/// ```
///
/// First the length grows until there is a bracket around such a point, then the bracket shrinks. One
/// that is shorter than `tolerance` is not divided.
///
/// # Source
/// Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6.
pub(super) fn strong_wolfe(
    start: Point,
    length: f64,
    tolerance: f64,
    at: &mut dyn FnMut(f64) -> Result<Point>,
) -> Result<(Point, usize)> {
    let (loss, slope) = (start.loss, start.slope);
    let too_high = |point: &Point| {
        // What is not a number is too high as well.
        let bound = loss + C1 * point.length * slope;
        point.loss.partial_cmp(&bound).is_none_or(Ordering::is_gt)
    };
    let is_flat = |point: &Point| point.slope.abs() <= -C2 * slope;

    let mut previous = start.clone();
    let mut point = at(length)?;
    let (mut calls, mut looks) = (1, 0);
    let mut bracket = loop {
        if looks == MAX {
            break [start, point];
        }
        if too_high(&point) || (looks > 1 && point.loss >= previous.loss) {
            break [previous, point];
        }
        if is_flat(&point) {
            return Ok((point, calls));
        }
        if point.slope >= 0.0 {
            break [previous, point];
        }
        let least = point.length + 0.01 * (point.length - previous.length);
        let next = minimum(&previous, &point, [least, 10.0 * point.length]);
        previous = std::mem::replace(&mut point, at(next)?);
        (calls, looks) = (calls + 1, looks + 1);
    };

    let mut slow = false;
    let mut low = lower(&bracket);
    while looks < MAX {
        let [a, b] = &bracket;
        let (min, max) = (a.length.min(b.length), a.length.max(b.length));
        if max - min < tolerance {
            break;
        }
        let mut next = minimum(a, b, [min, max]);
        // A length near to an end of the bracket hardly makes it shorter. Twice in a row, or at the
        // end itself, it is moved inwards.
        let margin = 0.1 * (max - min);
        if (max - next).min(next - min) < margin {
            if slow || next >= max || next <= min {
                let near_max = (next - max).abs() < (next - min).abs();
                next = if near_max { max - margin } else { min + margin };
                slow = false;
            } else {
                slow = true;
            }
        } else {
            slow = false;
        }
        let point = at(next)?;
        (calls, looks) = (calls + 1, looks + 1);
        let high = 1 - low;
        if too_high(&point) || point.loss >= bracket[low].loss {
            bracket[high] = point;
            low = lower(&bracket);
            continue;
        }
        let done = is_flat(&point);
        if !done && point.slope * (bracket[high].length - bracket[low].length) >= 0.0 {
            bracket.swap(low, high);
        }
        bracket[low] = point;
        if done {
            break;
        }
    }
    let [a, b] = bracket;
    Ok((if low == 0 { a } else { b }, calls))
}

/// Which end is lower; what is not a number is high.
fn lower([a, b]: &[Point; 2]) -> usize {
    if a.loss <= b.loss || b.loss.is_nan() { 0 } else { 1 }
}

/// Where the cubic through two points with their slopes is lowest, within bounds; their middle if
/// there is no such place.
fn minimum(a: &Point, b: &Point, [min, max]: [f64; 2]) -> f64 {
    let (a, b) = if a.length <= b.length { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.length - b.length);
    let square = d1 * d1 - a.slope * b.slope;
    let d2 = square.sqrt();
    let share = (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    let lowest = b.length - (b.length - a.length) * share;
    if lowest.is_finite() { lowest.max(min).min(max) } else { (min + max) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(length: f64) -> Point {
        // (t − 3)² − 9
        let slope = 2.0 * (length - 3.0);
        Point { length, loss: length * length - 6.0 * length, slope, gradient: vec![] }
    }

    #[test]
    fn the_cubic_of_a_parabola_is_lowest_where_the_parabola_is() {
        assert!((minimum(&point(0.0), &point(10.0), [0.0, 10.0]) - 3.0).abs() < 1e-12);
        assert_eq!(minimum(&point(0.0), &point(10.0), [4.0, 10.0]), 4.0);
    }

    #[test]
    fn both_conditions_hold_where_a_search_ends() {
        for first in [1e-3, 0.5, 3.0, 5.9, 40.0, 1e4] {
            let mut count = 0;
            let mut at = |length: f64| {
                count += 1;
                Ok(point(length))
            };
            let (found, calls) = strong_wolfe(point(0.0), first, 1e-9, &mut at).unwrap();
            assert!(found.loss <= C1 * found.length * -6.0, "from {first}: {found:?}");
            assert!(found.slope.abs() <= C2 * 6.0, "from {first}: {found:?}");
            assert_eq!(calls, count);
        }
    }

    #[test]
    fn a_search_steps_back_from_where_the_loss_is_no_number() {
        let mut at = |length: f64| {
            let point = point(length);
            let (loss, slope) = (f64::NAN, f64::NAN);
            Ok(if length > 4.0 { Point { loss, slope, ..point } } else { point })
        };
        let (found, _) = strong_wolfe(point(0.0), 100.0, 1e-9, &mut at).unwrap();
        assert!(found.loss < -1.0, "{found:?}");
    }
}
