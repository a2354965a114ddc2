//! The method by Taylor's theorem: how fast the error of the first-order polynomial shrinks.

use lossgraph_autograd::Result;

use crate::compared::Patience;
use crate::gradient::Gradient;
use crate::report::{Finding, Tried, Verdict};
use crate::steps::{products, representable};

/// Between the orders of a wrong gradient and of a right one, in [`Method::Taylor`](crate::Method::Taylor), and how near to
/// it nothing is decided.
const THRESHOLD: f64 = 1.5;
const UNDECIDED: f64 = 0.25;

impl Gradient<'_> {
    /// By the order in which `|f(x + tv) − f(x) − t g·v|` shrinks with `t`: 2 or more if the
    /// gradient is right, 1 if it is wrong, 1 at a kink. The margin is 1.5 over that order.
    pub(crate) fn taylor(&self, directions: Vec<Vec<f64>>) -> Result<Finding> {
        let mut finding = Finding::blank();
        for direction in directions {
            let compared = self.compare(&direction, Patience::Long)?;
            let (verdict, margin) = match self.order(&direction)? {
                None if !compared.analytic.is_finite() => (compared.verdict(), compared.margin()),
                None => (Verdict::Noise, f64::NAN),
                Some(order) if (order - THRESHOLD).abs() < UNDECIDED => {
                    (Verdict::Noise, THRESHOLD / order)
                }
                Some(order) if order > THRESHOLD => match compared.verdict() {
                    // The slope may be little beside what bends, or beside the noise.
                    Verdict::Fail | Verdict::Noise => (Verdict::Noise, THRESHOLD / order),
                    _ => (Verdict::Pass, THRESHOLD / order),
                },
                Some(order) => match compared.verdict() {
                    // Differences say otherwise: one of the two does not see enough.
                    Verdict::Pass => (Verdict::Noise, THRESHOLD / order),
                    verdict => (verdict, THRESHOLD / order),
                },
            };
            if verdict == Verdict::Noise {
                finding.tried = Some(Tried::of(&compared));
            }
            finding.verdict = finding.verdict.or_more_severe(verdict);
            finding.margin = finding.margin.max(margin);
            finding.digits = finding.digits.min(compared.digits());
            if finding.verdict == Verdict::Fail && finding.failure.is_none() {
                finding.failure = Some(self.explain(&direction)?);
                finding.line = Some(self.line(&direction, &compared)?);
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
        let multiples: Vec<f64> = (0..HALVINGS).map(|k| longest * 0.5_f64.powi(k)).collect();
        for (moved, t) in self.unrounded_along(&step, &multiples)?.into_iter().zip(multiples) {
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
}

/// The slope of a straight line through points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let covariance: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    covariance / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}
