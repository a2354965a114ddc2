//! Which elements are wrong, or at a kink, after a direction was.

use lossgraph_autograd::Result;
use lossgraph_tensor::Tensor;
use lossgraph_tensor::kernels::threads;

use crate::blame;
use crate::compared::{Compared, Patience};
use crate::diagnosis::Evidence;
use crate::gradient::Gradient;
use crate::report::{Element, Failure, KinkPoint, Verdict};
use crate::slopes::Estimate;
use crate::steps::scale;

/// So many elements are looked at one by one after a failure; of larger inputs a sample of
/// [`SAMPLE`] with the largest derivatives and as many from all over.
const LOOKED_AT: usize = 512;
const SAMPLE: usize = 48;

/// So many of the worst elements are reported.
const SHOWN: usize = 5;

impl Gradient<'_> {
    /// Compares single elements, on all threads.
    pub(crate) fn look_at(
        &self,
        elements: &[usize],
        scale: f64,
        patience: Patience,
    ) -> Result<Vec<Compared>> {
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
        if workers == 1 {
            // Not every platform has threads.
            return look(elements);
        }
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

    /// Which elements are wrong, and why, after a direction was.
    pub(crate) fn explain(&self, direction: &[f64]) -> Result<Failure> {
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

    pub(crate) fn failure(&self, looked_at: &[usize], compared: &[Compared]) -> Result<Failure> {
        let x = &self.function.inputs()[self.which];
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
        let program = self.function.program();
        let blame = program.map(blame::first_wrong_rule).transpose()?.flatten();
        let diagnosis = Evidence {
            elements: &elements,
            wrong: &wrong,
            shape: x.shape(),
            lengths: &program.map_or_else(|| lengths(self.function.inputs()), blame::lengths),
            broadcasts: program
                .zip(blame.as_ref())
                .is_some_and(|(program, blame)| blame::broadcasts(program, blame)),
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
            opaque: program.is_none(),
            end: None,
            smallest: None,
        })
    }

    /// The element that makes a direction what it is, found by halving: of each half the one where
    /// `excess` is larger.
    pub(crate) fn halve(
        &self,
        direction: &[f64],
        excess: impl Fn(&Compared) -> f64,
    ) -> Result<usize> {
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

    pub(crate) fn find_kink(&self, direction: Vec<f64>, along: &Compared) -> Result<KinkPoint> {
        let scale = scale(&direction);
        let element = self.halve(&direction, |compared| compared.slopes.jump.value.abs())?;
        let single = self.look_at(&[element], scale, Patience::Short)?;
        match &single[..] {
            [compared] if compared.has_kink() => self.kink_at(Some(element), compared),
            _ => self.kink_at(None, along),
        }
    }

    pub(crate) fn kink_at(&self, element: Option<usize>, compared: &Compared) -> Result<KinkPoint> {
        // The slopes of an element are its derivatives, those along a direction are as they are.
        let scale = if element.is_some() { compared.length } else { 1.0 };
        Ok(KinkPoint {
            element: element.map(|at| self.function.inputs()[self.which].shape().unravel_index(at)),
            slopes: (compared.slopes.left.value / scale, compared.slopes.right.value / scale),
            op: self.function.program().map(blame::first_kink).transpose()?.flatten(),
        })
    }
}

/// The lengths of axes and numbers of elements of inputs: all that is known of a black box.
fn lengths(inputs: &[Tensor]) -> Vec<usize> {
    let of_input = |x: &Tensor| x.shape().iter().copied().chain([x.len()]).collect::<Vec<_>>();
    inputs.iter().flat_map(of_input).collect()
}
