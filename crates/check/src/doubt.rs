//! Whether rules that disagree with differences are wrong, or asked where they cannot be judged.

use std::sync::atomic::Ordering;

use lossgraph_autograd::Result;

use crate::blame::program;
use crate::compared::Compared;
use crate::function::{Function, tensor};
use crate::gradient::Gradient;
use crate::report::Verdict;
use crate::rounding;
use crate::steps::{LONGEST, Ladder, products, representable, spacing};

impl Gradient<'_> {
    /// Whether the rules are off by the same around the point, at steps from the shortest one of the
    /// ladder down to those that drown in noise: no bend, and no jump, that the ladder steps over is
    /// the reason then. What a slope by differences is, is the mean of the slopes on the way
    /// (Simpson's rule):
    ///
    /// ```text
    /// (f(h) − f(−h)) / 2h = (f′(−h) + 4 f′(0) + f′(h)) / 6 + O(h⁴)
    /// ```
    pub(crate) fn is_off_around(&self, direction: &[f64], found: &Compared) -> Result<bool> {
        let off = found.analytic - found.slopes.central.value;
        if found.verdict() != Verdict::Fail || !off.is_finite() || self.claimed {
            return Ok(false);
        }
        // Of steps of a few spacings of floats, each is another one than was asked for.
        let moved = self.x.iter().zip(direction).filter(|(_, d)| **d != 0.0);
        let spaced = moved.map(|(x, d)| spacing(*x) / d.abs()).fold(0.0, f64::max);
        let shortest =
            (16.0 * self.noise / off.abs()).max(64.0 * spaced).min(found.first / LONGEST);
        let longest = found.first / LONGEST;
        for h in [longest, longest.sqrt() * shortest.sqrt(), shortest] {
            let ladder = Ladder::new(&self.x, direction, h * LONGEST);
            let slope = |t: f64| self.slope_at(&ladder, &ladder.step, t);
            let mean = (slope(-1.0)? + 4.0 * found.analytic + slope(1.0)?) / 6.0;
            let [above, below] = self.unrounded(&ladder, [1.0, -1.0])?;
            let rise = above - below;
            // Less than the third that is left where the rules are off at the point alone.
            let is_confirmed = (mean - rise / ladder.unit / 2.0 - off).abs() <= 0.3 * off.abs();
            if !is_confirmed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the value changes, as the rules say, by more than its own size from one float to the
    /// next, where these are as far apart as the steps of the ladder, or where it does change there: as
    /// that of `sin` at 10²⁰.
    pub(crate) fn turns_between_floats(&self, direction: &[f64], found: &Compared) -> Result<bool> {
        let (unit, size) = (found.first / LONGEST, self.at_0.abs());
        let change = |is_counted: &dyn Fn(f64, f64) -> bool| -> f64 {
            let elements = self.x.iter().zip(direction).zip(&self.analytic);
            let counted = elements.filter(|((x, d), _)| **d != 0.0 && is_counted(**x, **d));
            counted.map(|((x, _), g)| (spacing(*x) * g).abs()).sum()
        };
        if change(&|x, d| spacing(x) > unit * d.abs()) > size {
            return Ok(true);
        }
        let size = size.max(self.variation);
        Ok(change(&|_, _| true) > size && self.noise_at(direction, &[0.0])? > 1e-3 * size)
    }

    /// Whether the value of a black box moves in steps, as numbers do that are added to a large one
    /// and subtracted from it again. Of a recorded program, that is known from its ops.
    ///
    /// Steps that are short beside the ladder are noise at its spacing. Steps that are longer leave
    /// the value as it is on all of the ladder; then the value farther away has to rise as the rules
    /// say, and to be flat there, too.
    pub(crate) fn moves_in_steps(&self, direction: &[f64], found: &Compared) -> Result<bool> {
        const DOUBLINGS: i32 = 40;
        const POINTS: [f64; 8] = [-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0];
        let unit = found.first / LONGEST;
        let off = (found.analytic - found.slopes.central.value).abs();
        if self.function.program().is_some() || unit == 0.0 {
            return Ok(false);
        }
        if found.slopes.central.value != 0.0 {
            return Ok(self.noise_at(direction, &[unit])? > 0.25 * off * unit);
        }
        for doublings in 1..DOUBLINGS {
            let longer = found.first * 2.0_f64.powi(doublings);
            let step = representable(&self.x, direction, longer, 8.0);
            let far = self.values(&step, &POINTS)?;
            if far.iter().any(|value| !value.is_finite()) {
                return Ok(false);
            }
            if far.iter().all(|value| *value == self.at_0) {
                continue;
            }
            let beside = POINTS.map(|t| t * (1.0 + unit / longer));
            let beside = self.values(&step, &beside)?;
            let flat = far.iter().zip(&beside).filter(|(a, b)| a == b).count();
            let slope = (far[7] - far[0]) / (8.0 * longer);
            let rises = (0.25..4.0).contains(&(slope / found.analytic));
            return Ok(rises && 4 * flat >= 3 * POINTS.len());
        }
        Ok(false)
    }

    /// The slope by rules at another point, along the ladder.
    fn slope_at(&self, ladder: &Ladder, step: &[f64], t: f64) -> Result<f64> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let gradient = self.function.gradients_moved(&[(self.which, step)], t)?.concat();
        Ok(products(&gradient, &ladder.step).map(|part| part / ladder.unit).sum())
    }

    /// What rounding leaves of the slope by rules: that of what is computed on the way to it, where
    /// that can be seen.
    pub(crate) fn rounding(&self, direction: &[f64], found: &Compared) -> Result<f64> {
        let Some(&function) = self.function.program() else { return Ok(0.0) };
        let ladder = Ladder::new(&self.x, direction, found.first);
        let along = ladder.step.iter().map(|step| step / ladder.unit).collect();
        let along = tensor(&function.inputs[self.which], along)?;
        let which = self.which;
        let slope =
            program(move |tape, x| function.slope(tape, (function.program)(tape, x), x[which]));
        self.runs.fetch_add(1, Ordering::Relaxed);
        rounding::of_value(&Function { program: &slope, weights: Some(&along), ..function })
    }

    /// How much the slope by rules changes between points that are nearer to each other than those
    /// of any ladder. Where it changes as much as it is off, no differences can tell.
    pub(crate) fn scatter(&self, direction: &[f64], found: &Compared) -> Result<f64> {
        let ladder = Ladder::new(&self.x, direction, found.first);
        let unit = ladder.unit;
        let slope =
            |h: f64, t: f64| self.slope_at(&ladder, &representable(&self.x, direction, h, 8.0), t);
        // Steps of one, two, three and seven spacings of floats, and some up to the ladder.
        let most = 1e-4 * self.length_scale(direction);
        let (near, far) = ((1e-4 * unit).min(1e-12).min(most), (1e-2 * unit).min(1e-9).min(most));
        let steps = [(0.0, 1.0), (0.0, 2.0), (0.0, 3.0), (0.0, 7.0), (near, 1.0), (far, 1.0)];
        let (mut scatter, mut low, mut high) = (0.0_f64, f64::INFINITY, f64::NEG_INFINITY);
        for sign in [-1.0, 1.0] {
            let slopes = steps.iter().map(|(h, count)| slope(*h, count * sign));
            let slopes = slopes.collect::<Result<Vec<f64>>>()?;
            if slopes.iter().any(|slope| !slope.is_finite()) {
                return Ok(f64::INFINITY);
            }
            let least = slopes.iter().copied().fold(f64::INFINITY, f64::min);
            let most = slopes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (low, high) = (low.min(least), high.max(most));
            scatter = scatter.max(most - least);
        }
        // At a kink too, the slope lies between those of both sides.
        scatter = scatter.max(low - found.analytic).max(found.analytic - high);
        Ok(scatter)
    }
}
