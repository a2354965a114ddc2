//! The Hessian of a black box without a second derivative: differences of its gradients have to be
//! symmetric.

use lossgraph_autograd::Result;
use lossgraph_tensor::Tensor;

use super::outside::SlopeOutside;
use crate::compared::Patience;
use crate::diagnosis::Diagnosis;
use crate::gradient::Gradient;
use crate::report::{Failure, Finding, Tried, Verdict};

/// The first steps of the ladders that are tried.
const FIRST_STEPS: [f64; 6] = [2e-2, 2e-3, 2e-4, 2e-5, 2e-6, 2e-7];

/// Compares `w·∂(v·∂f/∂a)/∂b` with `v·∂(w·∂f/∂b)/∂a`, both by differences of gradients. They agree
/// if they do on one ladder; they do not if they are apart by the same on two.
pub(super) fn symmetric(
    (slope, first): (&SlopeOutside<'_>, usize),
    (other, second): (&SlopeOutside<'_>, usize),
    loss: f64,
    runs: &mut usize,
) -> Result<Finding> {
    let one = by_differences(slope, second, &other.direction)?;
    let two = by_differences(other, first, &slope.direction)?;
    let (v, w) = (slope.direction.to_f64s(), other.direction.to_f64s());
    let mut finding = Finding { verdict: Verdict::Noise, ..Finding::blank() };
    let mut apart_before: Option<(f64, f64)> = None;
    // A step far beyond an element is on another part of the function: only steps that are short for
    // both inputs tell that something is wrong.
    let reach = [one.reach(&w, Patience::Long), two.reach(&v, Patience::Long)];
    let least = reach.map(|reach| reach.least);
    // What changes the loss by no more than it is rounded by, on steps as long as the inputs, may be
    // rounding within the box.
    let rounding = 4.0 * f64::EPSILON * loss.abs() / (reach[0].size * reach[1].size);
    let scaled = FIRST_STEPS.map(|step| least.map(|least| step * least));
    for steps in FIRST_STEPS.map(|step| [step; 2]).into_iter().chain(scaled) {
        let is_short = (0..2).all(|side| steps[side] <= FIRST_STEPS[0] * least[side]);
        let (Some(a), Some(b)) = (one.on_ladder(&w, steps[0])?, two.on_ladder(&v, steps[1])?)
        else {
            continue;
        };
        let (left, right) = (a.slopes.central, b.slopes.central);
        let size = a.size.max(b.size);
        let tolerance = 2.0 * (left.error + right.error) + 1e-9 * size;
        let apart = left.value - right.value;
        finding.tried = Some(Tried { analytic: right.value, ..Tried::of(&a) });
        if a.slopes.are_flat() && b.slopes.are_flat() {
            finding = Finding { verdict: Verdict::Pass, digits: 16.0, margin: 0.0, ..finding };
            break;
        }
        if apart.is_nan() || tolerance > 1e-3 * size || rounding > 1e-3 * size {
            continue;
        }
        let digits = if apart == 0.0 { 16.0 } else { -(apart.abs() / size).log10() };
        finding.digits = digits.clamp(0.0, 16.0);
        finding.margin = apart.abs() / tolerance;
        if apart.abs() <= tolerance {
            finding.verdict = Verdict::Pass;
            break;
        }
        if a.has_kink() || b.has_kink() {
            finding.verdict = Verdict::Kink;
        } else if !is_short {
            continue;
        } else if apart_before.is_some_and(|(before, t)| (apart - before).abs() <= tolerance + t) {
            finding.verdict = Verdict::Fail;
            finding.failure = Some(asymmetric(w.len()));
            break;
        }
        apart_before = Some((apart, tolerance));
    }
    finding.tried = finding.tried.filter(|_| finding.verdict == Verdict::Noise);
    *runs += one.runs() + two.runs();
    Ok(finding)
}

/// The slope of a slope, of which nothing is claimed: only differences count.
fn by_differences<'a>(
    of: &'a SlopeOutside<'_>,
    which: usize,
    along: &Tensor,
) -> Result<Gradient<'a>> {
    let mut gradient = Gradient::zero(of, which, (of.value()?, 0.0));
    gradient.measure_noise(&along.to_f64s())?;
    Ok(gradient)
}

fn asymmetric(elements: usize) -> Failure {
    Failure {
        worst: Vec::new(),
        wrong: (0, 0),
        elements,
        diagnosis: Diagnosis::Asymmetric,
        blame: None,
        opaque: true,
        end: None,
        smallest: None,
    }
}
