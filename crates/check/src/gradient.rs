//! The gradient of a program in one input against differences: along directions, element by
//! element, or by the order of the remainder of its Taylor polynomial.

use std::sync::atomic::{AtomicUsize, Ordering};

use lossgraph_autograd::Result;
use lossgraph_tensor::kernels::threads;

use crate::blame;
use crate::diagnosis::Evidence;
use crate::directions::Directions;
use crate::function::Function;
use crate::report::{Element, Failure, Finding, KinkPoint, Verdict};
use crate::slopes::{Estimate, Slopes, noise};

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
    analytic: Vec<f64>,
    at_0: f64,
    noise: f64,
    runs: AtomicUsize,
}

/// A slope along a direction, by rules and by differences.
struct Compared {
    analytic: f64,
    slopes: Slopes,
    /// What a slope along this direction is compared with: its usual size.
    size: f64,
    /// What rounding leaves of the analytic slope.
    rounding: f64,
}

impl Compared {
    fn tolerance(&self) -> f64 {
        2.0 * self.slopes.central.error + self.rounding
    }

    /// Whether there is a kink: a jump of the slopes beyond its error, and too large to be noise.
    fn has_kink(&self) -> bool {
        let Estimate { value, error } = self.slopes.jump;
        value.abs() > 4.0 * error && value.abs() > 1e-5 * self.size
    }

    /// How far analytic is off, in tolerances; at a kink, how far outside of both slopes.
    fn margin(&self) -> f64 {
        let off = if self.has_kink() {
            let (left, right) = (self.slopes.left, self.slopes.right);
            let (low, high) = (left.value.min(right.value), left.value.max(right.value));
            let outside = (low - self.analytic).max(self.analytic - high).max(0.0);
            return outside / (2.0 * (left.error + right.error) + self.rounding);
        } else {
            (self.analytic - self.slopes.central.value).abs()
        };
        match off.is_nan() {
            true => f64::INFINITY,
            false => off / self.tolerance(),
        }
    }

    fn verdict(&self) -> Verdict {
        let wrong = self.margin() > 1.0;
        match (self.slopes.central.value.is_nan(), self.has_kink()) {
            (true, _) => Verdict::Noise,
            (_, true) => {
                if wrong {
                    Verdict::Fail
                } else {
                    Verdict::Kink
                }
            }
            (_, false) if wrong => Verdict::Fail,
            // Within the tolerance, which may be too wide to say anything.
            (_, false) if self.tolerance() > 1e-3 * self.size => Verdict::Noise,
            (_, false) => Verdict::Pass,
        }
    }

    /// The digits that agree, of those of the usual size of a slope.
    fn digits(&self) -> f64 {
        let off = (self.analytic - self.slopes.central.value).abs();
        (-(off / self.size).log10()).clamp(0.0, 16.0)
    }
}

impl<'a> Gradient<'a> {
    pub fn new(function: Function<'a>, which: usize, at_0: f64) -> Result<Gradient<'a>> {
        let analytic = function.gradient(which)?;
        let runs = AtomicUsize::new(1);
        Ok(Gradient { function, which, analytic, at_0, noise: 0.0, runs })
    }

    /// The check of a gradient that is claimed to be 0.
    pub fn zero(function: Function<'a>, which: usize, at_0: f64) -> Gradient<'a> {
        let analytic = vec![0.0; function.inputs[which].len()];
        Gradient { function, which, analytic, at_0, noise: 0.0, runs: AtomicUsize::new(0) }
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
        let x = self.function.inputs[self.which].to_f64s();
        let mut directions = Directions::new(&x, seed);
        let drawn: Vec<Vec<f64>> = (0..count.max(1)).map(|_| directions.next()).collect();
        self.noise = noise(|t| self.value(&drawn[0], t))?;
        match method {
            Method::Quick => self.along(drawn),
            Method::Full => self.element_wise(directions.scale()),
            Method::Taylor => self.taylor(drawn),
        }
    }

    /// The verdict of a quick check, without its reasons.
    pub fn verdict(&mut self) -> Result<Verdict> {
        let mut directions = Directions::new(&self.function.inputs[self.which].to_f64s(), 5);
        let drawn = [directions.next(), directions.next()];
        self.noise = noise(|t| self.value(&drawn[0], t))?;
        let mut verdict = Verdict::Pass;
        for direction in &drawn {
            verdict = verdict.or_more_severe(self.compare(direction)?.verdict());
        }
        Ok(verdict)
    }

    fn compare(&self, direction: &[f64]) -> Result<Compared> {
        let parts = || self.analytic.iter().zip(direction).map(|(g, d)| g * d);
        let analytic: f64 = parts().sum();
        // A sum of parts with random signs is about the root of the sum of their squares.
        let usual = parts().map(|part| part * part).sum::<f64>().sqrt();
        let size = usual.max(1e-6 * self.at_0.abs()).max(1e-12);
        let slopes = Slopes::measure(|t| self.value(direction, t), self.at_0, self.noise, size)?;
        let size = size.max(slopes.central.value.abs());
        let rounding = 4e-12 * parts().map(f64::abs).sum::<f64>();
        Ok(Compared { analytic, slopes, size, rounding })
    }

    /// Along whole directions.
    fn along(&self, directions: Vec<Vec<f64>>) -> Result<Finding> {
        let mut finding = Finding::blank();
        let mut worst: Option<(f64, Vec<f64>)> = None;
        let mut kink: Option<(Vec<f64>, Compared)> = None;
        for direction in directions {
            let compared = self.compare(&direction)?;
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
        let compared = self.look_at(&all, scale)?;
        let mut finding = Finding::blank();
        compared.iter().for_each(|each| finding.add(each));
        if finding.verdict == Verdict::Fail {
            finding.failure = Some(self.failure(&all, &compared, scale)?);
        } else if let Some(at) = compared.iter().position(|c| c.verdict() == Verdict::Kink) {
            finding.kink = Some(self.kink_at(Some(at), &compared[at], scale)?);
        }
        Ok(finding)
    }

    /// Compares single elements, on all threads.
    fn look_at(&self, elements: &[usize], scale: f64) -> Result<Vec<Compared>> {
        let workers = threads::count().min(elements.len()).max(1);
        let share = elements.len().div_ceil(workers).max(1);
        let look = |elements: &[usize]| -> Result<Vec<Compared>> {
            let mut direction = vec![0.0; self.analytic.len()];
            let mut compared = Vec::with_capacity(elements.len());
            for &element in elements {
                direction[element] = scale;
                compared.push(self.compare(&direction)?);
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
            let compared = self.compare(&direction)?;
            let (verdict, margin) = match self.order(&direction, compared.analytic)? {
                None => (Verdict::Noise, f64::NAN),
                Some(order) if (order - THRESHOLD).abs() < UNDECIDED => {
                    (Verdict::Noise, THRESHOLD / order)
                }
                Some(order) if order > THRESHOLD => (Verdict::Pass, THRESHOLD / order),
                Some(order) if compared.verdict() == Verdict::Kink => {
                    (Verdict::Kink, THRESHOLD / order)
                }
                Some(order) => (Verdict::Fail, THRESHOLD / order),
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
    fn order(&self, direction: &[f64], analytic: f64) -> Result<Option<f64>> {
        let floor = 32.0 * self.noise;
        let (mut inside, mut points, mut lost) = (0, Vec::new(), 0.0);
        for halvings in 0..16 {
            let t = 0.02 * 0.5_f64.powi(halvings);
            let rest = (self.value(direction, t)? - self.at_0 - t * analytic).abs();
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
        let scale = direction.iter().fold(0.0_f64, |scale, d| scale.max(d.abs()));
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
        let mut compared = self.look_at(&looked_at, scale)?;
        if compared.iter().all(|each| each.verdict() != Verdict::Fail) {
            let element = self.halve(direction, |compared| compared.margin())?;
            looked_at.push(element);
            compared.extend(self.look_at(&[element], scale)?);
        }
        self.failure(&looked_at, &compared, scale)
    }

    fn failure(&self, looked_at: &[usize], compared: &[Compared], scale: f64) -> Result<Failure> {
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
                    value: compared.slopes.central.value / scale,
                    error: compared.slopes.central.error / scale,
                },
            })
            .collect();
        let wrong: Vec<bool> =
            compared.iter().map(|each| each.verdict() == Verdict::Fail).collect();
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
                Ok(excess(&self.compare(&part)?))
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
        let scale = direction.iter().fold(0.0_f64, |scale, d| scale.max(d.abs()));
        let element = self.halve(&direction, |compared| compared.slopes.jump.value.abs())?;
        let single = self.look_at(&[element], scale)?;
        match &single[..] {
            [compared] if compared.has_kink() => self.kink_at(Some(element), compared, scale),
            _ => self.kink_at(None, along, 1.0),
        }
    }

    fn kink_at(
        &self,
        element: Option<usize>,
        compared: &Compared,
        scale: f64,
    ) -> Result<KinkPoint> {
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

    fn add(&mut self, compared: &Compared) {
        self.verdict = self.verdict.clone().or_more_severe(compared.verdict());
        self.margin = self.margin.max(compared.margin());
        if !compared.has_kink() {
            self.digits = self.digits.min(compared.digits());
        }
    }
}

/// The slope of a straight line through points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let covariance: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    covariance / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}
