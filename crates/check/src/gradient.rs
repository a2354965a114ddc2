//! The gradient of a function in one input against differences: along directions, or element by
//! element.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use lossgraph_autograd::Result;

use crate::compared::{Compared, Patience, Reach};
use crate::differentiable::{Differentiable, meanwhile};
use crate::directions::Directions;
use crate::report::{Finding, Line, Tried, Verdict};
use crate::slopes::{RUNGS, Slopes};
use crate::steps::{
    LONGEST, Ladder, norm, products, representable, root_mean_square, rounded_by, scale,
};

/// How a derivative is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Method {
    /// Along random directions: all elements at once, in some tens of runs.
    #[default]
    Quick,
    /// Each element by itself.
    Full,
    /// Along random directions, by how the error of the first-order Taylor polynomial shrinks with
    /// the step: with its square, if the gradient is right.
    ///
    /// ```text
    /// |f(x + tv) − f(x) − t ∇f(x)·v| = O(t²)
    /// ```
    Taylor,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 3] = [Method::Quick, Method::Full, Method::Taylor];

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Method::Quick => "quick",
            Method::Full => "full",
            Method::Taylor => "taylor",
        }
    }
}

/// The check of the gradient in one input.
pub(crate) struct Gradient<'a> {
    pub(crate) function: &'a dyn Differentiable,
    pub(crate) which: usize,
    /// Whether the gradient is claimed to be 0, rather than computed.
    pub(crate) claimed: bool,
    pub(crate) x: Vec<f64>,
    pub(crate) analytic: Vec<f64>,
    pub(crate) at_0: f64,
    /// The error of a value, as it follows from what is computed on the way to it.
    pub(crate) rounding: f64,
    pub(crate) noise: f64,
    /// How much the value varies between points that are near on other functions; 0 where it does not.
    pub(crate) variation: f64,
    pub(crate) runs: AtomicUsize,
}

impl<'a> Gradient<'a> {
    /// The check of what the function says its gradient is. `rounding` is that of its value, where
    /// something is known of it: see [`rounding::of_value`](crate::rounding::of_value).
    pub fn new(
        function: &'a dyn Differentiable,
        which: usize,
        (at_0, rounding): (f64, f64),
    ) -> Result<Gradient<'a>> {
        let analytic = function.gradients(&[which])?.pop().unwrap_or_default();
        let runs = AtomicUsize::new(1);
        let (x, claimed) = (function.inputs()[which].to_f64s(), false);
        let (noise, variation) = (0.0, 0.0);
        Ok(Gradient {
            function,
            which,
            claimed,
            x,
            analytic,
            at_0,
            rounding,
            noise,
            variation,
            runs,
        })
    }

    /// The check of a gradient that is claimed to be 0.
    pub fn zero(
        function: &'a dyn Differentiable,
        which: usize,
        (at_0, rounding): (f64, f64),
    ) -> Gradient<'a> {
        let x = function.inputs()[which].to_f64s();
        let (analytic, runs, claimed) = (vec![0.0; x.len()], AtomicUsize::new(0), true);
        let (noise, variation) = (0.0, 0.0);
        Gradient { function, which, claimed, x, analytic, at_0, rounding, noise, variation, runs }
    }

    /// How often the program was run.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// The values at multiples of a step.
    pub(crate) fn values(&self, step: &[f64], multiples: &[f64]) -> Result<Vec<f64>> {
        self.runs.fetch_add(multiples.len(), Ordering::Relaxed);
        self.function.values(&[(self.which, step)], multiples)
    }

    /// Checks the gradient. The name and order of the finding are the caller's.
    pub fn check(&mut self, method: Method, count: usize, seed: u64) -> Result<Finding> {
        let mut directions = Directions::new(&self.x, seed);
        let drawn: Vec<Vec<f64>> = (0..count.max(1)).map(|_| directions.next()).collect();
        self.measure_noise(&drawn[0])?;
        let mut finding = match method {
            Method::Quick => self.along(drawn)?,
            Method::Full => self.element_wise(directions.scale())?,
            Method::Taylor => self.taylor(drawn)?,
        };
        finding.tried = finding.tried.filter(|_| finding.verdict == Verdict::Noise);
        Ok(finding)
    }

    /// The verdict of a quick check, without its reasons.
    pub fn verdict(&mut self) -> Result<Verdict> {
        let mut directions = Directions::new(&self.x, 5);
        let drawn = [directions.next(), directions.next()];
        self.measure_noise(&drawn[0])?;
        let mut verdict = Verdict::Pass;
        for direction in &drawn {
            verdict = verdict.or_more_severe(self.compare(direction, Patience::Long)?.verdict());
            if verdict == Verdict::Fail {
                break;
            }
        }
        Ok(verdict)
    }

    /// Compares along a direction, on the ladder that says most. If rules and differences disagree,
    /// the rules have to disagree around the point too, by more than they are rounded.
    pub(crate) fn compare(&self, direction: &[f64], patience: Patience) -> Result<Compared> {
        let mut found = self.search(direction, Patience::Short)?;
        if patience == Patience::Short || found.margin() <= 1.0 {
            return Ok(found);
        }
        let mut certain = self.is_off_around(direction, &found)?;
        if !certain {
            found = self.search(direction, Patience::Long)?;
        }
        let doubtful = !self.claimed && found.analytic.is_finite();
        if doubtful && found.verdict() == Verdict::Fail {
            certain |= found.has_kink() || self.is_off_around(direction, &found)?;
            certain &= !self.turns_between_floats(direction, &found)?;
            certain &= !self.moves_in_steps(direction, &found)?;
            found.scatter = match certain {
                true => self.scatter(direction, &found)?.max(self.rounding(direction, &found)?),
                false => f64::INFINITY,
            };
        }
        Ok(found)
    }

    fn search(&self, direction: &[f64], patience: Patience) -> Result<Compared> {
        let reach = self.reach(direction, patience);
        let found = Compared::search(|first| self.on_ladder(direction, first), reach)?;
        Ok(found.unwrap_or(Compared {
            analytic: f64::NAN,
            slopes: Slopes::UNKNOWN,
            size: f64::MIN_POSITIVE,
            claimed: 0.0,
            rounding: 0.0,
            first: 0.0,
            length: 1.0,
            scatter: 0.0,
        }))
    }

    /// As far as steps can be shortened and lengthened.
    pub(crate) fn reach(&self, direction: &[f64], patience: Patience) -> Reach {
        let moved = self.x.iter().zip(direction).filter(|(x, d)| **x != 0.0 && **d != 0.0);
        let least = moved.map(|(x, d)| (x / d).abs()).fold(1.0, f64::min);
        let length_scale = self.length_scale(direction);
        Reach { patience, least, length_scale, size: root_mean_square(&self.x) / scale(direction) }
    }

    /// Rules and differences on a ladder of steps; `None` where it leaves the domain.
    pub(crate) fn on_ladder(&self, direction: &[f64], first: f64) -> Result<Option<Compared>> {
        self.on(&Ladder::new(&self.x, direction, first), direction)
    }

    /// Rules and differences on a ladder along a direction.
    pub(crate) fn on(&self, ladder: &Ladder, direction: &[f64]) -> Result<Option<Compared>> {
        let rungs = |k: usize| LONGEST / f64::from(1 << (k % RUNGS));
        let multiples: [f64; 2 * RUNGS] =
            std::array::from_fn(|k| if k < RUNGS { -rungs(k) } else { rungs(k) });
        let by_rules = || {
            let parts = products(&self.analytic, &ladder.step).map(|part| part / ladder.unit);
            let rounded = rounded_by(&self.x, &ladder.step, &self.analytic, &multiples);
            (parts.sum::<f64>(), self.usual(ladder, direction, 0..self.x.len()), rounded)
        };
        let by_differences = || self.values(&ladder.step, &multiples);
        let (values, (analytic, usual, rounded)) = match self.function.program() {
            Some(_) => (by_differences(), by_rules()),
            None => meanwhile(self.x.len(), by_differences, by_rules),
        };
        let values = values?;
        // Where elements cannot move by so little, a slope per step may be beyond all numbers.
        if !analytic.is_finite() && self.analytic.iter().all(|g| g.is_finite()) {
            return Ok(None);
        }
        let value = |k: usize| values[k] - rounded[k];
        let (below, above) =
            (std::array::from_fn(value), std::array::from_fn(|k| value(k + RUNGS)));
        let slopes = Slopes::of_ladder(ladder.first(), &below, self.at_0, &above, self.noise);
        Ok(slopes.map(|slopes| Compared {
            analytic,
            slopes,
            size: usual.size.max(slopes.central.value.abs()),
            claimed: usual.claimed,
            rounding: usual.rounding,
            first: ladder.first(),
            length: scale(&ladder.step) / ladder.unit,
            scatter: 0.0,
        }))
    }

    /// What is usual of a slope along a direction, as far as some elements make it.
    pub(crate) fn usual(&self, ladder: &Ladder, direction: &[f64], of: Range<usize>) -> Usual {
        let products = products(&self.analytic[of.clone()], &ladder.step[of.clone()]);
        let parts = products.map(|part| part / ladder.unit);
        // A sum of parts with random signs is about the root of the sum of their squares.
        let usual = norm(parts.clone());
        // A slope is small beside the value if a step as long as the input changes little.
        let relative = (scale(&direction[of.clone()]) / root_mean_square(&self.x[of])).min(1.0);
        let small = 1e-6 * self.at_0.abs() * relative;
        Usual {
            size: usual.max(small).max(f64::MIN_POSITIVE),
            // Less than the value's rounding over a step as long as the input is as good as nothing.
            claimed: if usual > f64::EPSILON * self.at_0.abs() * relative { usual } else { 0.0 },
            rounding: 4e-12 * parts.map(f64::abs).sum::<f64>(),
        }
    }

    /// The values on a ladder, without what the rounding of the points adds to them.
    pub(crate) fn unrounded<const N: usize>(
        &self,
        ladder: &Ladder,
        multiples: [f64; N],
    ) -> Result<[f64; N]> {
        let values = self.unrounded_along(&ladder.step, &multiples)?;
        Ok(std::array::from_fn(|k| values[k]))
    }

    /// The values at multiples of a step, without what the rounding of the points adds to them.
    pub(crate) fn unrounded_along(&self, step: &[f64], multiples: &[f64]) -> Result<Vec<f64>> {
        let values = self.values(step, multiples)?;
        let rounded = rounded_by(&self.x, step, &self.analytic, multiples);
        Ok(values.iter().zip(rounded).map(|(value, rounded)| value - rounded).collect())
    }

    /// Along whole directions.
    fn along(&self, directions: Vec<Vec<f64>>) -> Result<Finding> {
        let mut finding = Finding::blank();
        let mut worst: Option<(Compared, Vec<f64>)> = None;
        let mut kink: Option<(Vec<f64>, Compared)> = None;
        for direction in directions {
            let compared = self.compare(&direction, finding.patience())?;
            finding.add(&compared);
            if compared.verdict() == Verdict::Kink && kink.is_none() {
                kink = Some((direction, compared));
            } else if worst.as_ref().is_none_or(|(worst, _)| compared.margin() > worst.margin()) {
                worst = Some((compared, direction));
            }
        }
        match (&finding.verdict, worst, kink) {
            (Verdict::Fail, Some((compared, direction)), _) => {
                finding.failure = Some(self.explain(&direction)?);
                finding.line = Some(self.line(&direction, &compared)?);
            }
            (Verdict::Noise, Some((compared, direction)), _) => {
                finding.line = Some(self.line(&direction, &compared)?);
            }
            (Verdict::Kink, _, Some((direction, compared))) => {
                finding.line = Some(self.line(&direction, &compared)?);
                finding.kink = Some(self.find_kink(direction, &compared)?);
            }
            _ => {}
        }
        Ok(finding)
    }

    /// The function along a direction, some ladders far to both sides.
    pub(crate) fn line(&self, direction: &[f64], compared: &Compared) -> Result<Line> {
        const POINTS: i32 = 24;
        const LADDERS: f64 = 8.0;
        let first = if compared.first > 0.0 { compared.first } else { 1e-2 };
        let unit = LADDERS * first / f64::from(POINTS);
        let step = representable(&self.x, direction, unit, f64::from(POINTS));
        let multiples: Vec<f64> = (-POINTS..=POINTS).map(f64::from).collect();
        let values = self.values(&step, &multiples)?;
        Ok(Line {
            points: multiples.iter().map(|t| t * unit).zip(values).collect(),
            analytic: compared.analytic,
            numeric: compared.slopes.central,
        })
    }

    /// Each element by itself, shared out to threads.
    fn element_wise(&self, scale: f64) -> Result<Finding> {
        let all: Vec<usize> = (0..self.analytic.len()).collect();
        let compared = self.look_at(&all, scale, Patience::Long)?;
        let mut finding = Finding::blank();
        compared.iter().for_each(|each| finding.add(each));
        if finding.verdict == Verdict::Fail {
            finding.failure = Some(self.failure(&all, &compared)?);
        } else if let Some(at) = compared.iter().position(|c| c.verdict() == Verdict::Kink) {
            finding.kink = Some(self.kink_at(Some(at), &compared[at])?);
        }
        let decisive = |at: &usize| compared[*at].verdict() == finding.verdict;
        let worst = |a: &usize, b: &usize| compared[*a].margin().total_cmp(&compared[*b].margin());
        if let (true, Some(at)) =
            (finding.verdict != Verdict::Pass, all.iter().copied().filter(decisive).max_by(worst))
        {
            let mut direction = vec![0.0; all.len()];
            direction[at] = scale;
            finding.line = Some(self.line(&direction, &compared[at])?);
        }
        Ok(finding)
    }
}

impl Finding {
    pub(crate) fn blank() -> Finding {
        Finding {
            input: String::new(),
            order: 1,
            verdict: Verdict::Pass,
            margin: 0.0,
            digits: 16.0,
            kink: None,
            failure: None,
            tried: None,
            line: None,
        }
    }

    pub(crate) fn skipped(why: String) -> Finding {
        Finding { verdict: Verdict::Skipped(why), ..Finding::blank() }
    }

    /// What is known to be wrong needs no second proof.
    fn patience(&self) -> Patience {
        if self.verdict == Verdict::Fail { Patience::Short } else { Patience::Long }
    }

    pub(crate) fn add(&mut self, compared: &Compared) {
        self.verdict = self.verdict.clone().or_more_severe(compared.verdict());
        self.margin = self.margin.max(compared.margin());
        if !compared.has_kink() {
            self.digits = self.digits.min(compared.digits());
        }
        if compared.verdict() == Verdict::Noise {
            let tried = Tried::of(compared);
            let before =
                self.tried.take().filter(|before| before.numeric.error >= tried.numeric.error);
            self.tried = Some(before.unwrap_or(tried));
        }
    }
}

/// What is usual of a slope along random directions, by what its gradient claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    /// Its size; what is small beside the value, if it claims to be less.
    pub size: f64,
    /// Its size, or 0 if it claims to be none.
    pub claimed: f64,
    /// What rounding leaves of it.
    pub rounding: f64,
}
