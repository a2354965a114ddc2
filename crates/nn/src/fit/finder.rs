//! The learning-rate finder.

use lossgraph_autograd::{Gradients, Module, Parameter};
use lossgraph_tensor::Tensor;

use super::BoxResult;
use super::run::own;
use crate::error::{Error, Result};
use crate::module::all;
use crate::optimizer::Optimize;
use crate::options::options;

options! {
    /// Trains for some steps with a rate that grows from very low to very high, and gives the losses: the
    /// rate to train with is where they fall. The model and the optimizer are as before, whatever
    /// happens.
    ///
    /// ```text
    /// lr(t) = start (end / start)^(t / (steps − 1))
    /// ```
    ///
    /// # Source
    /// Smith, Cyclical Learning Rates, 2017; fastai's `lr_find`.
    #[doc(alias = "lr_find")]
    #[derive(Copy)]
    pub struct LrFinder("lr_finder") {
        /// The first rate.
        start: f64 = 1e-7,
        /// The last rate.
        end: f64 = 10.0,
        /// How many steps are taken.
        steps: usize = 100,
        /// The decay of the moving average by which losses are smoothed.
        smoothing: f64 = 0.98,
        /// It ends where the smoothed loss is so many times the lowest.
        divergence: f64 = 4.0,
    }
}

/// Losses by learning rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LrCurve {
    /// The rates, of the first group.
    pub lrs: Vec<f64>,
    /// The loss of each step, before it is smoothed.
    pub losses: Vec<f64>,
    /// The losses, smoothed.
    pub smoothed: Vec<f64>,
}

impl LrCurve {
    /// A good rate: that in the middle of the longest fall of the smoothed loss. `None` if it never
    /// falls.
    #[doc(alias = "valley")]
    pub fn suggestion(&self) -> Option<f64> {
        let losses = &self.smoothed;
        // The longest sequence of ever lower losses that ends at each.
        let mut length: Vec<usize> = Vec::new();
        for (i, loss) in losses.iter().enumerate() {
            let before = (0..i).filter(|&j| *loss < losses[j]).map(|j| length[j]).max();
            length.push(before.unwrap_or(0) + 1);
        }
        let (end, longest) =
            length.iter().enumerate().max_by_key(|(i, length)| (**length, usize::MAX - i))?;
        let third = longest / 3;
        (*longest > 1).then(|| self.lrs[end + 1 - longest + third + third / 2])
    }

    /// The rate at which the smoothed loss falls fastest by the logarithm of the rate.
    pub fn steepest(&self) -> Option<f64> {
        let slope = |i: usize| {
            let across = (self.lrs[i + 1] / self.lrs[i]).ln();
            (self.smoothed[i + 1] - self.smoothed[i]) / across
        };
        let all = (0..self.lrs.len().saturating_sub(1)).filter(|&i| slope(i) < 0.0);
        all.min_by(|&a, &b| slope(a).total_cmp(&slope(b))).map(|i| self.lrs[i])
    }
}

impl LrFinder {
    /// Finds the losses. The closures are those of [`Fit::run`](super::Fit::run); epochs follow one
    /// another until there are enough steps.
    ///
    /// # Errors
    /// What the closures return; an option out of its range; an epoch without batches.
    pub fn run<B, I>(
        &self,
        model: &dyn Module,
        optimizer: &mut dyn Optimize,
        batches: impl FnMut(usize) -> BoxResult<I>,
        step: impl FnMut(&B) -> BoxResult<Gradients>,
    ) -> Result<LrCurve>
    where
        I: IntoIterator<Item = BoxResult<B>>,
    {
        self.check()?;
        let parameters = all(model).into_iter().chain(model.generators());
        let before: Vec<(Parameter, Tensor)> =
            parameters.map(|(_, parameter)| (parameter.clone(), parameter.value())).collect();
        let (state, bases) = (optimizer.state_dict(), optimizer.lrs());
        let curve = self.climb(optimizer, &bases, batches, step);
        for (parameter, value) in before {
            parameter.update(|now| *now = value);
        }
        optimizer.load_state_dict(&state)?;
        optimizer.set_lrs(&bases)?;
        curve
    }

    fn check(&self) -> Result<()> {
        let option = |name, given, expected| {
            Err(Error::Option { subject: "lr_finder", name, given, expected })
        };
        match self {
            _ if !(self.start > 0.0 && self.start.is_finite()) => {
                option("start", self.start, "more than 0, and finite")
            }
            _ if !(self.end > self.start && self.end.is_finite()) => {
                option("end", self.end, "more than the start, and finite")
            }
            _ if self.steps < 2 => option("steps", self.steps as f64, "2 or more"),
            _ if !(0.0..1.0).contains(&self.smoothing) => {
                option("smoothing", self.smoothing, "0 or more, and below 1")
            }
            _ => Ok(()),
        }
    }

    fn climb<B, I>(
        &self,
        optimizer: &mut dyn Optimize,
        bases: &[f64],
        mut batches: impl FnMut(usize) -> BoxResult<I>,
        mut step: impl FnMut(&B) -> BoxResult<Gradients>,
    ) -> Result<LrCurve>
    where
        I: IntoIterator<Item = BoxResult<B>>,
    {
        let mut curve = LrCurve::default();
        let (mut average, mut lowest) = (0.0, f64::INFINITY);
        for epoch in 0.. {
            let mut any = false;
            for batch in batches(epoch).map_err(own)? {
                let (batch, count) = (batch.map_err(own)?, curve.lrs.len());
                any = true;
                if count == self.steps {
                    return Ok(curve);
                }
                let share = count as f64 / (self.steps - 1) as f64;
                let lr = self.start * (self.end / self.start).powf(share);
                // Groups keep the ratios of their rates.
                let first = bases.first().copied().filter(|&first| first > 0.0);
                let lrs = bases.iter().map(|base| first.map_or(lr, |first| lr * base / first));
                optimizer.set_lrs(&lrs.collect::<Vec<f64>>())?;
                let loss = match optimizer.step_with(&mut || step(&batch).map_err(own)) {
                    Ok(gradients) => gradients.loss(),
                    // That is what a rate far too high does.
                    Err(Error::NotFinite { .. } | Error::NanLoss) if count > 0 => return Ok(curve),
                    Err(error) => return Err(error),
                };
                average = self.smoothing * average + (1.0 - self.smoothing) * loss;
                let smoothed = average / (1.0 - self.smoothing.powf(count as f64 + 1.0));
                curve.lrs.push(lr);
                curve.losses.push(loss);
                curve.smoothed.push(smoothed);
                lowest = smoothed.min(lowest);
                if !(smoothed <= self.divergence * lowest || lowest < 0.0) {
                    return Ok(curve);
                }
            }
            if !any {
                let why = format!("epoch {epoch} has no batches, expected at least one");
                return Err(Error::Checkpoint { why });
            }
        }
        Ok(curve)
    }
}
