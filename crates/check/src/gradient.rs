//! The gradient of a program in one input against differences: along directions, element by
//! element, or by the order of the remainder of its Taylor polynomial.

use std::sync::atomic::{AtomicUsize, Ordering};

use lossgraph_autograd::Result;
use lossgraph_tensor::kernels::threads;

use crate::blame::{self, program};
use crate::compared::{Compared, Patience, Reach};
use crate::diagnosis::Evidence;
use crate::directions::Directions;
use crate::function::{Function, tensor};
use crate::report::{Element, Failure, Finding, KinkPoint, Verdict};
use crate::rounding;
use crate::slopes::{Estimate, RUNGS, SAMPLES, Slopes, noise};
use crate::steps::{representable, root_mean_square, rounded_by, spacing};

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

/// So many elements are looked at one by one after a failure; of larger inputs a sample of
/// [`SAMPLE`] with the largest derivatives and as many from all over.
const LOOKED_AT: usize = 512;
const SAMPLE: usize = 48;

/// Between the orders of a wrong gradient and of a right one, in [`Method::Taylor`], and how near to
/// it nothing is decided.
const THRESHOLD: f64 = 1.5;
const UNDECIDED: f64 = 0.25;

/// So many of the worst elements are reported.
const SHOWN: usize = 5;

/// The check of the gradient in one input.
pub(crate) struct Gradient<'a> {
    function: Function<'a>,
    which: usize,
    /// Whether the gradient is claimed to be 0, rather than computed.
    claimed: bool,
    x: Vec<f64>,
    analytic: Vec<f64>,
    at_0: f64,
    noise: f64,
    runs: AtomicUsize,
}

impl<'a> Gradient<'a> {
    pub fn new(function: Function<'a>, which: usize, at_0: f64) -> Result<Gradient<'a>> {
        let analytic = function.gradient(which)?;
        let runs = AtomicUsize::new(1);
        let x = function.inputs[which].to_f64s();
        Ok(Gradient { function, which, claimed: false, x, analytic, at_0, noise: 0.0, runs })
    }

    /// The check of a gradient that is claimed to be 0.
    pub fn zero(function: Function<'a>, which: usize, at_0: f64) -> Gradient<'a> {
        let x = function.inputs[which].to_f64s();
        let (analytic, runs) = (vec![0.0; x.len()], AtomicUsize::new(0));
        Gradient { function, which, claimed: true, x, analytic, at_0, noise: 0.0, runs }
    }

    /// How often the program was run.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    fn value(&self, direction: &[f64], t: f64) -> Result<f64> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.function.moved(self.which, direction, t)
    }

    /// Checks the gradient. The name and order of the finding are the caller's.
    pub fn check(&mut self, method: Method, count: usize, seed: u64) -> Result<Finding> {
        let mut directions = Directions::new(&self.x, seed);
        let drawn: Vec<Vec<f64>> = (0..count.max(1)).map(|_| directions.next()).collect();
        self.noise = self.measured_noise(&drawn[0])?;
        match method {
            Method::Quick => self.along(drawn),
            Method::Full => self.element_wise(directions.scale()),
            Method::Taylor => self.taylor(drawn),
        }
    }

    /// The verdict of a quick check, without its reasons.
    pub fn verdict(&mut self) -> Result<Verdict> {
        let mut directions = Directions::new(&self.x, 5);
        let drawn = [directions.next(), directions.next()];
        self.noise = self.measured_noise(&drawn[0])?;
        let mut verdict = Verdict::Pass;
        for direction in &drawn {
            verdict = verdict.or_more_severe(self.compare(direction, Patience::Long)?.verdict());
            if verdict == Verdict::Fail {
                break;
            }
        }
        Ok(verdict)
    }

    /// The error of a value: as it follows from what is computed on the way, and as values near to
    /// each other show it. What those show beyond a multiple of the first is no noise: the function
    /// turns between them.
    fn measured_noise(&self, direction: &[f64]) -> Result<f64> {
        const MULTIPLE: f64 = 100.0;
        let known = rounding::of_value(&self.function)? + f64::EPSILON * self.at_0.abs();
        self.runs.fetch_add(1, Ordering::Relaxed);
        let seen = noise(|spacing| {
            let step = representable(&self.x, direction, spacing, SAMPLES as f64);
            (1..=SAMPLES).map(|k| self.value(&step, k as f64)).collect()
        })?;
        Ok(4.0 * known + seen.min(MULTIPLE * known))
    }

    /// Compares along a direction, on the ladder that says most. If rules and differences disagree,
    /// the rules have to disagree around the point too, by more than they are rounded.
    fn compare(&self, direction: &[f64], patience: Patience) -> Result<Compared> {
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
            certain &= !self.turns_between_floats(direction, &found);
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
            rounding: 0.0,
            first: 0.0,
            length: 1.0,
            scatter: 0.0,
        }))
    }

    /// Whether the rules are off by the same around the point, at steps from the shortest one of the
    /// ladder down to those that drown in noise: no bend, and no jump, that the ladder steps over is
    /// the reason then. What a slope by differences is, is the mean of the slopes on the way
    /// (Simpson's rule):
    ///
    /// ```text
    /// (f(h) − f(−h)) / 2h = (f′(−h) + 4 f′(0) + f′(h)) / 6 + O(h⁴)
    /// ```
    fn is_off_around(&self, direction: &[f64], found: &Compared) -> Result<bool> {
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
            let rise = self.unrounded(&ladder, 1.0)? - self.unrounded(&ladder, -1.0)?;
            // Less than the third that is left where the rules are off at the point alone.
            let is_confirmed = (mean - rise / ladder.unit / 2.0 - off).abs() <= 0.3 * off.abs();
            if !is_confirmed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the value changes, as the rules say, by more than its own size from one float to the
    /// next, where these are as far apart as the steps of the ladder: as that of `sin` at 10²⁰.
    fn turns_between_floats(&self, direction: &[f64], found: &Compared) -> bool {
        let unit = found.first / LONGEST;
        let elements = self.x.iter().zip(direction).zip(&self.analytic);
        let coarse = elements.filter(|((x, d), _)| **d != 0.0 && spacing(**x) > unit * d.abs());
        let change: f64 = coarse.map(|((x, _), g)| (spacing(*x) * g).abs()).sum();
        change > self.at_0.abs()
    }

    /// The slope by rules at another point, along the ladder.
    fn slope_at(&self, ladder: &Ladder, step: &[f64], t: f64) -> Result<f64> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let gradient = self.function.gradient_moved(self.which, step, t)?;
        Ok(products(&gradient, &ladder.step).map(|part| part / ladder.unit).sum())
    }

    /// What rounding leaves of the slope by rules: that of what is computed on the way to it.
    fn rounding(&self, direction: &[f64], found: &Compared) -> Result<f64> {
        let ladder = Ladder::new(&self.x, direction, found.first);
        let along = ladder.step.iter().map(|step| step / ladder.unit).collect();
        let along = tensor(&self.function.inputs[self.which], along)?;
        let (function, which) = (self.function, self.which);
        let slope =
            program(move |tape, x| function.slope(tape, (function.program)(tape, x), x[which]));
        self.runs.fetch_add(1, Ordering::Relaxed);
        rounding::of_value(&Function { program: &slope, weights: Some(&along), ..function })
    }

    /// As far as steps can be shortened and lengthened.
    fn reach(&self, direction: &[f64], patience: Patience) -> Reach {
        let moved = self.x.iter().zip(direction).filter(|(x, d)| **x != 0.0 && **d != 0.0);
        let least = moved.map(|(x, d)| (x / d).abs()).fold(1.0, f64::min);
        Reach { patience, least, size: root_mean_square(&self.x) / scale(direction) }
    }

    /// Rules and differences on a ladder of steps; `None` where it leaves the domain.
    fn on_ladder(&self, direction: &[f64], first: f64) -> Result<Option<Compared>> {
        let ladder = Ladder::new(&self.x, direction, first);
        let (mut below, mut above) = ([0.0; RUNGS], [0.0; RUNGS]);
        for rung in 0..RUNGS {
            let t = LONGEST / f64::from(1 << rung);
            below[rung] = self.unrounded(&ladder, -t)?;
            above[rung] = self.unrounded(&ladder, t)?;
        }
        let Some(slopes) = Slopes::of_ladder(first, &below, self.at_0, &above, self.noise) else {
            return Ok(None);
        };
        let parts = || products(&self.analytic, &ladder.step).map(|part| part / ladder.unit);
        // A sum of parts with random signs is about the root of the sum of their squares.
        let usual = parts().fold(0.0, f64::hypot);
        // A slope is small beside the value if a step as long as the input changes little.
        let relative = (scale(direction) / root_mean_square(&self.x)).min(1.0);
        let small = 1e-6 * self.at_0.abs() * relative;
        let size = usual.max(small).max(slopes.central.value.abs());
        Ok(Some(Compared {
            analytic: parts().sum(),
            slopes,
            size: size.max(f64::MIN_POSITIVE),
            rounding: 4e-12 * parts().map(f64::abs).sum::<f64>(),
            first,
            length: scale(&ladder.step) / ladder.unit,
            scatter: 0.0,
        }))
    }

    /// The value on a ladder, without what the rounding of the point adds to it.
    fn unrounded(&self, ladder: &Ladder, t: f64) -> Result<f64> {
        Ok(self.value(&ladder.step, t)? - self.rounded_by(&ladder.step, t))
    }

    /// What the rounding of the point `x + t · step` adds to the value there.
    fn rounded_by(&self, step: &[f64], t: f64) -> f64 {
        let parts = rounded_by(&self.x, step, t).zip(&self.analytic);
        let sum: f64 = parts.filter(|(off, _)| *off != 0.0).map(|(off, g)| off * g).sum();
        if sum.is_finite() { sum } else { 0.0 }
    }

    /// How much the slope by rules changes between points that are nearer to each other than those
    /// of any ladder. Where it changes as much as it is off, no differences can tell.
    fn scatter(&self, direction: &[f64], found: &Compared) -> Result<f64> {
        let ladder = Ladder::new(&self.x, direction, found.first);
        let unit = ladder.unit;
        let slope =
            |h: f64, t: f64| self.slope_at(&ladder, &representable(&self.x, direction, h, 8.0), t);
        // Steps of one, two, three and seven spacings of floats, and some up to the ladder.
        let (near, far) = ((1e-4 * unit).min(1e-12), (1e-2 * unit).min(1e-9));
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

    /// Along whole directions.
    fn along(&self, directions: Vec<Vec<f64>>) -> Result<Finding> {
        let mut finding = Finding::blank();
        let mut worst: Option<(f64, Vec<f64>)> = None;
        let mut kink: Option<(Vec<f64>, Compared)> = None;
        for direction in directions {
            let compared = self.compare(&direction, finding.patience())?;
            finding.add(&compared);
            if compared.verdict() == Verdict::Kink && kink.is_none() {
                kink = Some((direction, compared));
            } else if worst.as_ref().is_none_or(|(margin, _)| compared.margin() > *margin) {
                worst = Some((compared.margin(), direction));
            }
        }
        match (&finding.verdict, worst, kink) {
            (Verdict::Fail, Some((_, direction)), _) => {
                finding.failure = Some(self.explain(&direction)?);
            }
            (Verdict::Kink, _, Some((direction, compared))) => {
                finding.kink = Some(self.find_kink(direction, &compared)?);
            }
            _ => {}
        }
        Ok(finding)
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
        Ok(finding)
    }

    /// Compares single elements, on all threads.
    fn look_at(&self, elements: &[usize], scale: f64, patience: Patience) -> Result<Vec<Compared>> {
        let workers = threads::count().min(elements.len()).max(1);
        let share = elements.len().div_ceil(workers).max(1);
        let look = |elements: &[usize]| -> Result<Vec<Compared>> {
            let mut direction = vec![0.0; self.analytic.len()];
            let mut compared = Vec::with_capacity(elements.len());
            for &element in elements {
                direction[element] = scale;
                compared.push(self.compare(&direction, patience)?);
                direction[element] = 0.0;
            }
            Ok(compared)
        };
        std::thread::scope(|scope| {
            let shares: Vec<_> = elements
                .chunks(share)
                .map(|share| scope.spawn(|| threads::with(1, || look(share))))
                .collect();
            let mut all = Vec::with_capacity(elements.len());
            for share in shares {
                match share.join() {
                    Ok(compared) => all.extend(compared?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(all)
        })
    }

    /// By the order in which `|f(x + tv) − f(x) − t g·v|` shrinks with `t`: 2 or more if the
    /// gradient is right, 1 if it is wrong, 1 at a kink. The margin is 1.5 over that order.
    fn taylor(&self, directions: Vec<Vec<f64>>) -> Result<Finding> {
        let mut finding = Finding::blank();
        for direction in directions {
            let compared = self.compare(&direction, Patience::Long)?;
            let (verdict, margin) = match self.order(&direction)? {
                None if !compared.analytic.is_finite() => (compared.verdict(), compared.margin()),
                None => (Verdict::Noise, f64::NAN),
                Some(order) if (order - THRESHOLD).abs() < UNDECIDED => {
                    (Verdict::Noise, THRESHOLD / order)
                }
                Some(order) if order > THRESHOLD => (Verdict::Pass, THRESHOLD / order),
                Some(order) => match compared.verdict() {
                    // Differences say otherwise: one of the two does not see enough.
                    Verdict::Pass => (Verdict::Noise, THRESHOLD / order),
                    verdict => (verdict, THRESHOLD / order),
                },
            };
            finding.verdict = finding.verdict.or_more_severe(verdict);
            finding.margin = finding.margin.max(margin);
            finding.digits = finding.digits.min(compared.digits());
            if finding.verdict == Verdict::Fail && finding.failure.is_none() {
                finding.failure = Some(self.explain(&direction)?);
            }
        }
        Ok(finding)
    }

    /// The order in which the remainder of the Taylor polynomial shrinks, at the shortest steps
    /// where it stands out of the noise: infinite if it never does, `None` outside of the domain.
    fn order(&self, direction: &[f64]) -> Result<Option<f64>> {
        const HALVINGS: i32 = 16;
        let longest = f64::from(1 << (HALVINGS - 1));
        let step = representable(&self.x, direction, 0.02 / longest, longest);
        let analytic: f64 = products(&self.analytic, &step).sum();
        let floor = 32.0 * self.noise;
        let (mut inside, mut points, mut lost) = (0, Vec::new(), 0.0);
        for halvings in 0..HALVINGS {
            let t = longest * 0.5_f64.powi(halvings);
            let moved = self.value(&step, t)? - self.rounded_by(&step, t);
            let rest = (moved - self.at_0 - t * analytic).abs();
            inside += usize::from(rest.is_finite());
            match points.last() {
                _ if rest.is_finite() && rest > floor => {
                    points.push((t.ln(), rest.ln()));
                    lost = 0.0;
                }
                // What is gone after one halving shrank at least so fast: to nothing, where a
                // program is straight up to a kink farther away. A wrong slope only halves.
                Some(&(_, last)) if lost == 0.0 => lost = (last - floor.ln()) / 2.0_f64.ln(),
                _ => {}
            }
        }
        // A small error shows where the square of the step is smaller still.
        let shortest = &points[points.len().saturating_sub(4)..];
        Ok(match shortest.len() {
            _ if inside < 4 => None,
            0 | 1 => Some(f64::INFINITY),
            _ => Some(slope(shortest).max(lost)),
        })
    }

    /// Which elements are wrong, and why, after a direction was.
    fn explain(&self, direction: &[f64]) -> Result<Failure> {
        let count = self.analytic.len();
        let scale = scale(direction);
        let mut looked_at: Vec<usize> = if count <= LOOKED_AT {
            (0..count).collect()
        } else {
            let mut order: Vec<usize> = (0..count).collect();
            order.sort_by(|&a, &b| self.analytic[b].abs().total_cmp(&self.analytic[a].abs()));
            order.truncate(SAMPLE);
            order.extend((0..SAMPLE).map(|i| i * count / SAMPLE));
            order
        };
        looked_at.sort_unstable();
        looked_at.dedup();
        let mut compared = self.look_at(&looked_at, scale, Patience::Short)?;
        if compared.iter().all(|each| each.verdict() != Verdict::Fail) {
            let element = self.halve(direction, |compared| compared.margin())?;
            looked_at.push(element);
            compared.extend(self.look_at(&[element], scale, Patience::Short)?);
        }
        self.failure(&looked_at, &compared)
    }

    fn failure(&self, looked_at: &[usize], compared: &[Compared]) -> Result<Failure> {
        let x = &self.function.inputs[self.which];
        let numbers = x.to_f64s();
        let elements: Vec<Element> = looked_at
            .iter()
            .zip(compared)
            .map(|(&at, compared)| Element {
                index: x.shape().unravel_index(at),
                value: numbers[at],
                analytic: self.analytic[at],
                numeric: Estimate {
                    value: compared.slopes.central.value / compared.length,
                    error: compared.slopes.central.error / compared.length,
                },
            })
            .collect();
        // What is no number is wrong, even where differences say nothing.
        let is_wrong = |(each, element): (&Compared, &Element)| {
            each.verdict() == Verdict::Fail || !element.analytic.is_finite()
        };
        let wrong: Vec<bool> = compared.iter().zip(&elements).map(is_wrong).collect();
        let blame = blame::first_wrong_rule(&self.function)?;
        let lengths = blame::lengths(&self.function);
        let diagnosis = Evidence {
            elements: &elements,
            wrong: &wrong,
            shape: x.shape(),
            lengths: &lengths,
            broadcasts: blame
                .as_ref()
                .is_some_and(|blame| blame::broadcasts(&self.function, blame)),
        }
        .diagnosis();
        let mut worst: Vec<usize> = (0..elements.len()).filter(|&i| wrong[i]).collect();
        worst.sort_by(|&a, &b| {
            let off = |i: usize| (elements[i].analytic - elements[i].numeric.value).abs();
            off(b).total_cmp(&off(a))
        });
        let count = worst.len();
        worst.truncate(SHOWN);
        Ok(Failure {
            worst: worst.into_iter().map(|i| elements[i].clone()).collect(),
            wrong: (count, elements.len()),
            elements: self.analytic.len(),
            diagnosis,
            blame,
        })
    }

    /// The element that makes a direction what it is, found by halving: of each half the one where
    /// `excess` is larger.
    fn halve(&self, direction: &[f64], excess: impl Fn(&Compared) -> f64) -> Result<usize> {
        let (mut first, mut end) = (0, direction.len());
        while end - first > 1 {
            let middle = first.midpoint(end);
            let half = |range: std::ops::Range<usize>| -> Result<f64> {
                let within = |(i, d): (usize, &f64)| if range.contains(&i) { *d } else { 0.0 };
                let part: Vec<f64> = direction.iter().enumerate().map(within).collect();
                Ok(excess(&self.compare(&part, Patience::Short)?))
            };
            if half(first..middle)? >= half(middle..end)? {
                end = middle;
            } else {
                first = middle;
            }
        }
        Ok(first)
    }

    fn find_kink(&self, direction: Vec<f64>, along: &Compared) -> Result<KinkPoint> {
        let scale = scale(&direction);
        let element = self.halve(&direction, |compared| compared.slopes.jump.value.abs())?;
        let single = self.look_at(&[element], scale, Patience::Short)?;
        match &single[..] {
            [compared] if compared.has_kink() => self.kink_at(Some(element), compared),
            _ => self.kink_at(None, along),
        }
    }

    fn kink_at(&self, element: Option<usize>, compared: &Compared) -> Result<KinkPoint> {
        // The slopes of an element are its derivatives, those along a direction are as they are.
        let scale = if element.is_some() { compared.length } else { 1.0 };
        Ok(KinkPoint {
            element: element.map(|at| self.function.inputs[self.which].shape().unravel_index(at)),
            slopes: (compared.slopes.left.value / scale, compared.slopes.right.value / scale),
            op: blame::first_kink(&self.function)?,
        })
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
        }
    }

    /// What is known to be wrong needs no second proof.
    fn patience(&self) -> Patience {
        if self.verdict == Verdict::Fail { Patience::Short } else { Patience::Long }
    }

    fn add(&mut self, compared: &Compared) {
        self.verdict = self.verdict.clone().or_more_severe(compared.verdict());
        self.margin = self.margin.max(compared.margin());
        if !compared.has_kink() {
            self.digits = self.digits.min(compared.digits());
        }
    }
}

/// The shortest step of a ladder, and the longest one in units of it.
struct Ladder {
    unit: f64,
    step: Vec<f64>,
}

const LONGEST: f64 = (1 << (RUNGS - 1)) as f64;

impl Ladder {
    fn new(x: &[f64], direction: &[f64], first: f64) -> Ladder {
        let unit = first / LONGEST;
        Ladder { unit, step: representable(x, direction, unit, LONGEST) }
    }
}

/// The length of a step along a direction.
fn scale(direction: &[f64]) -> f64 {
    direction.iter().fold(0.0, |scale, d| scale.max(d.abs()))
}

/// What each element adds to a slope; one that does not move adds nothing, whatever its gradient.
fn products<'a>(gradient: &'a [f64], step: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    gradient.iter().zip(step).filter(|(_, step)| **step != 0.0).map(|(g, step)| g * step)
}

/// The slope of a straight line through points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let covariance: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    covariance / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}
