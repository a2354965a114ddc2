//! The curve of a program, and of its slope, over one element of an input.

use std::ops::Range;
use std::panic::Location;

use lossgraph_autograd::{Result, Tape, Var};
use lossgraph_tensor::Tensor;

use crate::sweep::{self, Sweep};

/// How many intervals a range has before it is refined: a number with which ranges such as −3 to 3
/// have their whole and half numbers, where kinks tend to be, among the points.
const INTERVALS: usize = 96;
/// How often an interval is bisected, at most.
const MAX_BISECTIONS: usize = 32;
/// How many points the refinement may add: the curve of an erratic program stays coarse.
const MAX_POINTS: usize = 4000;
/// How far neighbors may lie apart, in slope or off the line between them, relative to the window.
const TOLERANCE: f64 = 0.015;

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The value of the element.
    pub x: f64,
    /// The value of the program there.
    pub value: f64,
    /// Its derivative there, as `grad` gives it.
    pub slope: f64,
}

/// A jump discontinuity of the slope or of the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jump {
    /// The last point to the left of it.
    pub left: Point,
    /// The first point to the right of it.
    pub right: Point,
    /// The point itself, where one of those computed lies on it: its slope is what `grad` gives
    /// where there is no derivative.
    pub on: Option<Point>,
}

/// The curve of a program over one element of an input; see [`curve`].
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Points from left to right, in continuous pieces. Between two pieces lies a kink, a pole, or a
    /// gap where the program fails or has no finite value: nothing is to be drawn there.
    pub pieces: Vec<Vec<Point>>,
    /// Where slope or value jumps from one finite number to another.
    pub kinks: Vec<Jump>,
    /// The point at the inputs themselves.
    pub current: Point,
}

/// Samples a program with one number as its result, and its derivative, over the values of one
/// element of one input, while all else is constant. Sampling is adaptive: points are close where the
/// slope changes, and few where it does not.
///
/// ```
/// use lossgraph_explain::{Sweep, curve};
/// use lossgraph_tensor::Tensor;
///
/// let sweep = Sweep { input: 0, element: 0, range: -1.0..1.0 };
/// let curve = curve(|_, x| x[0].abs().sum(..), &[Tensor::from([0.5])], &sweep)?;
/// assert_eq!((curve.current.value, curve.current.slope), (0.5, 1.0));
/// let kink = curve.kinks[0];
/// assert_eq!((kink.left.slope, kink.on.unwrap().slope, kink.right.slope), (-1.0, 0.0, 1.0));
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
///
/// # Errors
/// What the program itself gives at the inputs; an input or element out of range, an input of
/// integers, or a range that is empty or not finite.
#[track_caller]
pub fn curve(
    program: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
    inputs: &[Tensor],
    sweep: &Sweep,
) -> Result<Curve> {
    let current = sweep.current("curve", inputs)?;
    let location = Location::caller();
    let point = |x: f64| -> Result<Point> {
        let tape = Tape::f64();
        let vars = sweep::record(&tape, inputs, &[(sweep, x)])?;
        let y = program(&tape, &vars);
        let slope = tape.attributed_to(location, || tape.grad(y, &[vars[sweep.input]]))[0];
        // Both in one run; the value is cached.
        let slopes = tape.eval(&[y, slope])?[1].to_f64s();
        Ok(Point { x, value: y.item()?, slope: slopes[sweep.element] })
    };
    // An error of the program shows at the inputs themselves. Elsewhere, it may have no value, such
    // as for a box whose left side is right of its right one.
    let current = point(current)?;
    let point = |x: f64| point(x).unwrap_or(Point { x, value: f64::NAN, slope: f64::NAN });
    let grid: Vec<Point> = sweep.linspace(INTERVALS).map(point).collect();
    let shown = |of: fn(&Point) -> f64| window(grid.iter().map(of));
    let (values, slopes) = (shown(|point| point.value), shown(|point| point.slope));
    let mut sampler =
        Sampler { point, values, slopes, left: MAX_POINTS, pieces: Vec::new(), kinks: Vec::new() };
    sampler.push(grid[0]);
    for pair in grid.windows(2) {
        sampler.refine(pair[0], pair[1], MAX_BISECTIONS, pair[1].slope - pair[0].slope);
    }
    let Sampler { mut pieces, kinks, .. } = sampler;
    pieces.retain(|piece| !piece.is_empty());
    Ok(Curve { pieces, kinks, current })
}

/// The window of values that a plot should show: from the least to the greatest, unless
/// a few lie so far out, as they do near a pole, that all others would be flattened.
///
/// ```
/// use lossgraph_explain::window;
///
/// assert_eq!(window([3.0, 1.0, 2.0].into_iter()), 1.0..3.0);
/// ```
pub fn window(values: impl Iterator<Item = f64>) -> Range<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let (Some(&least), Some(&greatest)) = (values.first(), values.last()) else { return 0.0..0.0 };
    let quantile = |q: f64| values[(q * (values.len() - 1) as f64).round() as usize];
    let (low, high) = (quantile(0.05), quantile(0.95));
    if low == high {
        return least..greatest;
    }
    let reach = high - low;
    least.max(low - reach)..greatest.min(high + reach)
}

/// Adaptive sampling: puts more points between those that lie too far apart.
struct Sampler<P> {
    point: P,
    /// The windows of values and of slopes.
    values: Range<f64>,
    slopes: Range<f64>,
    /// How many points it may still compute.
    left: usize,
    pieces: Vec<Vec<Point>>,
    kinks: Vec<Jump>,
}

impl<P: Fn(f64) -> Point> Sampler<P> {
    /// Samples from `a`, which is in the curve already, to `b`. The slope changes by `outer` over the
    /// interval of the grid that both lie in.
    fn refine(&mut self, a: Point, b: Point, bisections: usize, outer: f64) {
        if !self.is_far(a, b) || self.left == 0 {
            return self.push(b);
        }
        let x = a.x + (b.x - a.x) / 2.0;
        if bisections == 0 || x == a.x || x == b.x {
            self.break_off(a, b, outer);
            return self.push(b);
        }
        self.left -= 1;
        let middle = (self.point)(x);
        self.refine(a, middle, bisections - 1, outer);
        self.refine(middle, b, bisections - 1, outer);
    }

    /// Whether something between two points would be missed by the line between them.
    fn is_far(&self, a: Point, b: Point) -> bool {
        if !(is_finite(a) && is_finite(b)) {
            return is_finite(a) != is_finite(b);
        }
        // What lies outside of the window needs no points: a pole would take all there are.
        let out =
            |range: &Range<f64>, a: f64, b: f64| a.max(b) < range.start || a.min(b) > range.end;
        let off = b.value - a.value - (a.slope + b.slope) / 2.0 * (b.x - a.x);
        let bent = (b.slope - a.slope).abs() > tolerance(&self.slopes);
        bent && !out(&self.slopes, a.slope, b.slope)
            || off.abs() > tolerance(&self.values) && !out(&self.values, a.value, b.value)
    }

    /// Adds a point to the last piece; one without a finite value ends the piece.
    fn push(&mut self, point: Point) {
        match self.pieces.last_mut() {
            Some(piece) if is_finite(point) => piece.push(point),
            None if is_finite(point) => self.pieces.push(vec![point]),
            _ => self.pieces.push(Vec::new()),
        }
    }

    /// Ends a piece between two points that are next to each other and yet differ.
    fn break_off(&mut self, a: Point, b: Point, outer: f64) {
        // At a pole, the slope grows without bound the nearer one comes; at a kink, it does not.
        let bounded = (b.slope - a.slope).abs() <= 2.0 * outer.abs() + tolerance(&self.slopes);
        let single = self.pieces.last().is_some_and(|piece| piece.len() == 1);
        if is_finite(a) && is_finite(b) && bounded {
            match self.kinks.last_mut() {
                // The point before lies on the kink: what is left of it was found already.
                Some(kink) if single && kink.right == a => {
                    self.pieces.pop();
                    *kink = Jump { left: kink.left, right: b, on: Some(a) };
                }
                _ => self.kinks.push(Jump { left: a, right: b, on: None }),
            }
        }
        self.pieces.push(Vec::new());
    }
}

/// How far neighbors may lie apart in a window.
fn tolerance(window: &Range<f64>) -> f64 {
    TOLERANCE * (window.end - window.start)
}

fn is_finite(point: Point) -> bool {
    point.value.is_finite() && point.slope.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(range: Range<f64>, f: impl for<'t> Fn(Var<'t>) -> Var<'t>) -> Curve {
        let sweep = Sweep { input: 0, element: 1, range };
        curve(|_, x| f(x[0]).sum(..), &[Tensor::from([0.25, 0.25])], &sweep).unwrap()
    }

    #[test]
    fn values_and_slopes_are_those_of_the_closed_form() {
        let sine = over(-3.0..3.0, |x| x.sin());
        assert_eq!(sine.pieces.len(), 1);
        for point in &sine.pieces[0] {
            assert!((point.value - point.x.sin() - 0.25_f64.sin()).abs() < 1e-14);
            assert!((point.slope - point.x.cos()).abs() < 1e-14);
        }
        assert!((sine.current.value - 2.0 * 0.25_f64.sin()).abs() < 1e-15);
    }

    #[test]
    fn points_are_close_where_the_slope_changes_and_few_where_it_does_not() {
        let steep = over(-3.0..3.0, |x| (x * 100.0).softplus());
        let near = |point: &&Point| point.x.abs() < 0.1;
        assert!(steep.pieces[0].iter().filter(near).count() > 40);
        assert_eq!(over(-3.0..3.0, |x| x * 2.0).pieces[0].len(), INTERVALS + 1);
    }

    #[test]
    fn a_jump_of_the_slope_is_a_kink_with_both_sides_wherever_it_lies() {
        let at = 0.123_456_7;
        let kinks = over(-3.0..3.0, |x| (x - at).relu()).kinks;
        assert_eq!(kinks.len(), 1);
        let Jump { left, right, .. } = kinks[0];
        assert_eq!((left.slope, right.slope), (0.0, 1.0));
        assert!(left.x <= at && at <= right.x && right.x - left.x < 1e-9);
    }

    #[test]
    fn nothing_is_drawn_across_a_jump() {
        let jump = over(-3.0..3.0, |x| x.signum());
        assert_eq!(jump.pieces.len(), 2);
        assert_eq!(jump.kinks.len(), 1);
        assert!(jump.pieces.iter().flatten().all(|point| point.slope == 0.0));
    }

    #[test]
    fn a_corner_of_the_slope_is_no_kink() {
        assert!(over(-3.0..3.0, |x| x.relu().square()).kinks.is_empty());
    }

    #[test]
    fn a_pole_parts_the_curve_and_is_no_kink() {
        for pole in [over(-3.0..3.0, |x| x.recip()), over(-3.0..3.0, |x| x.abs().sqrt())] {
            assert_eq!(pole.pieces.len(), 2);
            assert!(pole.kinks.is_empty());
        }
    }

    #[test]
    fn where_the_program_has_no_value_there_is_a_gap() {
        let half = over(-3.0..3.0, |x| x.ln());
        assert_eq!(half.pieces.len(), 1);
        assert!(half.pieces[0][0].x > 0.0 && half.pieces[0][0].x < 1e-6);
        assert!(over(-3.0..-1.0, |x| x.ln()).pieces.is_empty());
    }

    #[test]
    fn what_cannot_be_swept_is_refused() {
        let inputs = [Tensor::from([1.0, 2.0]), Tensor::from([1_i64])];
        let refused = |input, element, range| {
            let sweep = Sweep { input, element, range };
            curve(|_, x| x[0].sum(..), &inputs, &sweep).unwrap_err().to_string()
        };
        assert!(refused(2, 0, 0.0..1.0).contains("there is no input 2"));
        assert!(refused(1, 0, 0.0..1.0).contains("holds integers"));
        assert!(refused(0, 2, 0.0..1.0).contains("there is no element 2"));
        assert!(refused(0, 0, 1.0..1.0).contains("the range is from 1 to 1"));
        assert!(refused(0, 0, f64::NAN..1.0).contains("the range is from NaN to 1"));
    }

    #[test]
    fn a_window_leaves_out_what_lies_far_from_all_others() {
        let near = (0..100).map(f64::from);
        assert_eq!(window(near.clone()), 0.0..99.0);
        assert!(window(near.chain([1e9])).end < 200.0);
        assert_eq!(window(std::iter::empty()), 0.0..0.0);
    }
}
