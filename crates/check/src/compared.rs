//! A slope along a direction, by rules and by differences, and what to make of both.

use lossgraph_autograd::Result;

use crate::report::Verdict;
use crate::slopes::{Estimate, Slopes};

/// The first steps of the ladders that are tried, in units of the input's size. A smooth function
/// is done after the first; one with a small scale, or a kink nearby, needs shorter steps.
pub(crate) const FIRST_STEPS: [f64; 7] = [2e-2, 2e-3, 2e-4, 2e-5, 2e-6, 2e-7, 2e-8];

/// So many ladders are tried beyond these, to either side.
const FURTHER: i32 = 6;

/// A slope is uncertain if its tolerance is above this part of its size.
pub(crate) const UNCERTAIN: f64 = 1e-3;

/// A slope along a direction, by rules and by differences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    pub analytic: f64,
    pub slopes: Slopes,
    /// What a slope along this direction is compared with: its usual size.
    pub size: f64,
    /// The usual size of the analytic slope along such a direction, if it claims to be any.
    pub claimed: f64,
    /// What rounding leaves of the analytic slope.
    pub rounding: f64,
    /// The longest step of the ladder.
    pub first: f64,
    /// How far the element that moves most goes in a step of 1.
    pub length: f64,
    /// How much the analytic slope changes between points that are nearer to each other than those
    /// of any ladder.
    pub scatter: f64,
}

/// Which ladders are tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub patience: Patience,
    /// The first step that is the smallest element.
    pub least: f64,
    /// The first step after which the value has changed by as much as it varies; 1 at most.
    pub length_scale: f64,
    /// The first step that is as large as the input.
    pub size: f64,
}

impl Reach {
    /// Ladders below [`FIRST_STEPS`], as short as the input's smallest element, a value that varies
    /// within them, and other inputs may need.
    fn shorter(self) -> Vec<f64> {
        let shortest = FIRST_STEPS[FIRST_STEPS.len() - 1];
        let hundredths = |from: f64| (0..FURTHER).map(move |k| from * 1e-2_f64.powi(k));
        let [least, scale] = [self.least, self.length_scale].map(|size| FIRST_STEPS[0] * size);
        let all = [1e-2 * shortest, least, scale].into_iter().flat_map(hundredths);
        let mut all: Vec<f64> = all.filter(|first| *first > 0.0 && *first < shortest).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        all
    }

    /// Whether only ladders below [`FIRST_STEPS`] may show what the function does.
    fn is_fine(self) -> bool {
        self.least.min(self.length_scale) < FIRST_STEPS[FIRST_STEPS.len() - 1]
    }

    /// Ladders above [`FIRST_STEPS`], up to a part of the input's size.
    fn longer(self) -> impl Iterator<Item = f64> {
        let ratio = self.size.powf(f64::from(FURTHER).recip());
        let count = if self.size > 1.0 && ratio.is_finite() { FURTHER } else { 0 };
        (1..=count).map(move |k| FIRST_STEPS[0] * ratio.powi(k))
    }
}

/// What is done where rules and differences disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Shorter ladders are tried: the function may have turned within the step.
    Long,
    /// Nothing: it is known that something is wrong, and the question is what.
    Short,
}

impl Compared {
    /// Compares on ladders of shorter and shorter steps, until differences say as much as they can
    /// and agree with the rules.
    pub fn search(
        ladder: impl Fn(f64) -> Result<Option<Compared>>,
        reach: Reach,
    ) -> Result<Option<Compared>> {
        let mut best: Option<Compared> = None;
        let mut jumps = false;
        let extended = reach.shorter();
        for (at, first) in FIRST_STEPS.into_iter().chain(extended).enumerate() {
            let agrees = |compared: &Compared| match at >= FIRST_STEPS.len() && reach.is_fine() {
                true => compared.verdict() == Verdict::Pass,
                false => compared.margin() <= 1.0,
            };
            let done = match jumps {
                // Steps that are short beside all elements vanish in the rounding of what follows.
                true => reach.least >= 1.0,
                false => best.as_ref().is_some_and(agrees),
            };
            if at >= FIRST_STEPS.len() && done {
                break;
            }
            let Some(here) = ladder(first)? else { continue };
            jumps = here.slopes.jumps;
            let done = here.is_settled() && (agrees(&here) || reach.patience == Patience::Short);
            best = Some(best.filter(|best| best.stays_beside(&here)).unwrap_or(here));
            if done {
                break;
            }
        }
        if let (true, Some(best)) = (jumps, &mut best) {
            best.slopes = best.slopes.of_a_jump();
            return Ok(Some(*best));
        }
        // Beside large inputs, short steps drown in rounding.
        for first in reach.longer() {
            match &best {
                Some(best) if best.verdict() != Verdict::Noise => break,
                _ => {}
            }
            let here = ladder(first)?.filter(|here| here.verdict() == Verdict::Pass);
            best = here.filter(|here| best.is_none_or(|best| best.agrees_with(here))).or(best);
        }
        Ok(best)
    }

    /// Whether the differences say as much as differences can.
    pub fn is_settled(&self) -> bool {
        let error = self.slopes.central.error;
        let small = error <= 1e-9 * self.size || error <= 4.0 * self.slopes.noise;
        small && !self.slopes.jumps
    }

    fn off(&self) -> f64 {
        self.analytic - self.slopes.central.value
    }

    /// Whether this ladder and another one say the same of the rules.
    fn agrees_with(&self, other: &Compared) -> bool {
        let errors = self.slopes.central.error + other.slopes.central.error;
        (self.off() - other.off()).abs() <= errors
    }

    /// Whether this ladder says more than a shorter one: its estimate is the better one, and the
    /// other does not contradict it.
    fn stays_beside(&self, shorter: &Compared) -> bool {
        let error = |each: &Compared| each.slopes.central.error / each.size;
        let apart = (self.off() - shorter.off()).abs();
        let contradicts = apart > 4.0 * (self.slopes.central.error + shorter.slopes.central.error);
        // Where the value seems to jump, it may have jumped within the step.
        let jumped = self.slopes.jumps && !shorter.slopes.jumps;
        !contradicts && !jumped && error(self) <= error(shorter)
    }

    pub fn tolerance(&self) -> f64 {
        2.0 * self.slopes.central.error + self.rounding
    }

    /// Whether there is a kink: a jump of the slopes beyond its error, and too large to be noise.
    pub fn has_kink(&self) -> bool {
        let Estimate { value, error } = self.slopes.jump;
        value.abs() > 4.0 * error && value.abs() > 1e-5 * self.size
    }

    /// How far analytic is off, in tolerances; at a kink, how far outside of both slopes.
    pub fn margin(&self) -> f64 {
        let (off, tolerance) = self.excess();
        match (off, tolerance) {
            _ if !off.is_finite() => f64::INFINITY,
            (0.0, _) => 0.0,
            _ => off / tolerance,
        }
    }

    /// How far analytic is off, and how far it may be.
    fn excess(&self) -> (f64, f64) {
        if !self.has_kink() {
            return (self.off().abs(), self.tolerance());
        }
        let (left, right) = (self.slopes.left, self.slopes.right);
        let (low, high) = (left.value.min(right.value), left.value.max(right.value));
        let outside = match self.analytic.is_nan() {
            true => f64::NAN,
            false => (low - self.analytic).max(self.analytic - high).max(0.0),
        };
        (outside, 2.0 * (left.error + right.error) + self.rounding)
    }

    /// Whether a slope is claimed, and differences could not tell it from 0: what the value is
    /// rounded by hides it.
    fn is_hidden(&self) -> bool {
        self.claimed > 0.0 && 2.0 * self.slopes.central.error > self.claimed
    }

    pub fn verdict(&self) -> Verdict {
        let (off, tolerance) = self.excess();
        let wrong = self.margin() > 1.0;
        let is_scattered = self.analytic.is_finite() && off <= tolerance + 4.0 * self.scatter;
        match (self.slopes.central.value.is_nan(), self.has_kink()) {
            (true, _) => Verdict::Noise,
            // Between two floats, the slope changes by a quarter of what it is off, or more.
            _ if wrong && is_scattered => Verdict::Noise,
            _ if wrong => Verdict::Fail,
            (_, true) => Verdict::Kink,
            // Nothing moves, and nothing is said to: no noise hides that.
            _ if self.analytic == 0.0 && self.slopes.are_flat() => Verdict::Pass,
            // Within the tolerance, which may be too wide to say anything.
            _ if self.tolerance() > UNCERTAIN * self.size || self.is_hidden() => Verdict::Noise,
            _ => Verdict::Pass,
        }
    }

    /// The digits that agree, of those of the usual size of a slope.
    pub fn digits(&self) -> f64 {
        let off = self.off().abs();
        match off {
            0.0 => 16.0,
            _ if !off.is_finite() => 0.0,
            _ => (-(off / self.size).log10()).clamp(0.0, 16.0),
        }
    }
}
