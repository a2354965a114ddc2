//! The loop of a training.

use std::sync::atomic::Ordering;

use lossgraph_autograd::Gradients;

use super::checkpoints::{BEST, LAST};
use super::event::{Best, Epoch, Event, Outcome, Stopped};
use super::progress::Progress;
use super::{BoxResult, Clip, Every, Fit, Goal, Resume};
use crate::checkpoint::Checkpoint;
use crate::clip::{clip_grad_norm, clip_grad_value};
use crate::error::{Error, Result};
use crate::options::unknown;
use crate::schedule::Scheduler;

impl Fit<'_> {
    /// Trains. `batches` gives those of an epoch, and `step` the gradients of one.
    ///
    /// The batches of an epoch have to depend on its number alone, as with
    /// [`epoch_rng`](super::epoch_rng), and on parts that were given by [`with`](Fit::with).
    ///
    /// # Errors
    /// What the closures return, with the epoch and the batch; an epoch without batches; an option
    /// out of its range; a checkpoint that cannot be written, or is of another training.
    pub fn run<B, I>(
        mut self,
        mut batches: impl FnMut(usize) -> BoxResult<I>,
        mut step: impl FnMut(&B) -> BoxResult<Gradients>,
    ) -> Result<Outcome>
    where
        I: IntoIterator<Item = BoxResult<B>>,
    {
        self.check()?;
        let mut scheduler = self.scheduler()?;
        let mut progress = Progress::default();
        self.go_on(&mut progress, &mut scheduler)?;
        if let Some(parallel) = &self.parallel {
            parallel.broadcast(self.model)?;
        }
        let (epoch, batch) = (progress.epoch, progress.batch);
        if epoch > self.epochs {
            let why = format!(
                "the training is to see {} epochs in all, and the checkpoint has seen {epoch} of them: \
                 as many or more",
                self.epochs
            );
            return Err(Error::Checkpoint { why });
        }
        (self.observe)(&Event::Begin { epoch, epochs: self.epochs, batch });
        let mut stopped = self.is_stale(&progress).then_some(Stopped::Early);
        while stopped.is_none() && progress.epoch < self.epochs {
            let (epoch, before) = (progress.epoch, progress.batch);
            let ended = self.epoch(&mut progress, &mut scheduler, &mut batches, &mut step);
            let located = |source: Error| match source {
                // What is said of a file or of other processes does not depend on the batch.
                Error::Fit { .. } | Error::Write(_) | Error::Parallel { .. } => source,
                source => {
                    let batch = if progress.epoch == epoch { progress.batch } else { before };
                    Error::Fit { epoch, batch, source: Box::new(source) }
                }
            };
            stopped = ended.map_err(located)?;
        }
        Ok(Outcome {
            stopped: stopped.unwrap_or(Stopped::Finished),
            history: progress.history,
            best: progress.best,
            steps: progress.steps,
        })
    }

    fn check(&self) -> Result<()> {
        let option = |name, given: usize| {
            let (subject, expected) = ("fit", "1 or more");
            Err(Error::Option { subject, name, given: given as f64, expected })
        };
        match (self.accumulate, self.save_every) {
            (0, _) => option("accumulate", 0),
            (_, Some(0)) => option("save_every", 0),
            _ if self.resume == Resume::Last && self.folder.is_none() => {
                let why = "there is nothing to go on from: `resume` needs `checkpoints`".to_owned();
                Err(Error::Checkpoint { why })
            }
            _ => Ok(()),
        }
    }

    fn scheduler(&mut self) -> Result<Option<(Scheduler, Every)>> {
        let Some((mut schedule, every)) = self.schedule.take() else { return Ok(None) };
        if every == Every::Epoch {
            schedule.span(self.epochs);
            if let Some(end) = schedule.end().filter(|end| *end < self.epochs) {
                let (subject, name, given) = ("schedule", "its length in epochs", end as f64);
                let expected = "that of the training, or more";
                return Err(Error::Option { subject, name, given, expected });
            }
        }
        Ok(Some((Scheduler::new(schedule, self.optimizer)?, every)))
    }

    /// One epoch, or the rest of it. Gives why the training ends with it, if it does.
    fn epoch<B, I>(
        &mut self,
        progress: &mut Progress,
        scheduler: &mut Option<(Scheduler, Every)>,
        batches: &mut impl FnMut(usize) -> BoxResult<I>,
        step: &mut impl FnMut(&B) -> BoxResult<Gradients>,
    ) -> Result<Option<Stopped>>
    where
        I: IntoIterator<Item = BoxResult<B>>,
    {
        let begun: Vec<Checkpoint> = self.parts.iter().map(|(_, part)| part.state_dict()).collect();
        let mut left = batches(progress.epoch).map_err(own)?.into_iter();
        for seen in 0..progress.batch {
            // Drawn again, so that what they are drawn from is where it was.
            if left.next().transpose().map_err(own)?.is_none() {
                let why = format!(
                    "epoch {} has {seen} batches, and the checkpoint has seen {} of it: go on with \
                     the same data and batches",
                    progress.epoch, progress.batch
                );
                return Err(Error::Checkpoint { why });
            }
        }
        loop {
            let group: Vec<B> =
                left.by_ref().take(self.accumulate).collect::<BoxResult<_>>().map_err(own)?;
            if group.is_empty() {
                break;
            }
            let lr = self.optimizer.lrs().first().copied().unwrap_or(0.0);
            let clips = &self.clips;
            let gradients = self.optimizer.step_with(&mut || {
                let mut gradients = mean(&group, step)?;
                clips.iter().try_for_each(|clip| clip.apply(&mut gradients))?;
                Ok(gradients)
            })?;
            progress.batch += group.len();
            progress.loss += gradients.loss() * group.len() as f64;
            progress.steps += 1;
            progress.lr = lr;
            if let Some(average) = &mut self.average {
                average.update()?;
            }
            if let Some((scheduler, Every::Step)) = scheduler {
                scheduler.step(self.optimizer)?;
            }
            (self.observe)(&Event::Step {
                epoch: progress.epoch,
                batch: progress.batch,
                step: progress.steps,
                loss: gradients.loss(),
                lr,
            });
            let interrupted = self.is_interrupted()?;
            let due = self.save_every.is_some_and(|every| progress.steps.is_multiple_of(every));
            if interrupted || due {
                self.save(LAST, progress, scheduler, Some(&begun))?;
            }
            if interrupted {
                return Ok(Some(Stopped::Interrupted));
            }
        }
        if progress.batch == 0 {
            let why = format!("epoch {} has no batches, expected at least one", progress.epoch);
            return Err(Error::Checkpoint { why });
        }
        drop(left);
        self.end_epoch(progress, scheduler)
    }

    /// Validates, goes on with the schedule, and saves.
    fn end_epoch(
        &mut self,
        progress: &mut Progress,
        scheduler: &mut Option<(Scheduler, Every)>,
    ) -> Result<Option<Stopped>> {
        let figures = self.validated()?;
        let loss = progress.loss / progress.batch as f64;
        let Progress { epoch, steps, lr, .. } = *progress;
        let epoch = Epoch { epoch, steps, loss, lr, figures };
        let (figure, goal) = self.figure(&epoch)?;
        let observed = match &self.schedule_figure {
            Some(name) => figure_of(&epoch, name)?,
            None => figure,
        };
        let better = |best: Best| match goal {
            Goal::Minimize => figure < best.figure - self.min_delta,
            Goal::Maximize => figure > best.figure + self.min_delta,
        };
        let is_best = progress.best.map_or(!figure.is_nan(), better);
        if is_best {
            progress.best = Some(Best { epoch: epoch.epoch, figure });
        }
        progress.push(epoch)?;
        if let Some((scheduler, every)) = scheduler {
            if *every == Every::Epoch {
                scheduler.step(self.optimizer)?;
            }
            scheduler.observe(observed, self.optimizer)?;
        }
        // The best first: a process that is killed between both goes on from the last one before, and
        // writes the same best again.
        if is_best {
            self.exchange();
            let saved = self.save(BEST, progress, scheduler, None);
            self.exchange();
            saved?;
        }
        self.save(LAST, progress, scheduler, None)?;
        if let Some(epoch) = progress.history.last() {
            (self.observe)(&Event::Epoch(epoch));
        }
        let stopped = if self.is_interrupted()? && progress.epoch < self.epochs {
            Some(Stopped::Interrupted)
        } else {
            self.is_stale(progress).then_some(Stopped::Early)
        };
        Ok(stopped)
    }

    fn is_interrupted(&self) -> Result<bool> {
        let Some(flag) = self.interrupt else { return Ok(false) };
        let set = flag.load(Ordering::Relaxed);
        self.parallel.as_ref().map_or(Ok(set), |parallel| parallel.any(set))
    }

    fn is_stale(&self, progress: &Progress) -> bool {
        let patience = self.patience.filter(|_| progress.epoch > 0);
        patience.is_some_and(|patience| progress.stale() >= patience.max(1))
    }

    /// The averages take the model's place, and then give it back.
    fn exchange(&mut self) {
        if let Some(average) = &mut self.average {
            average.exchange();
        }
    }

    /// The figures of validation: those of process 0.
    fn validated(&mut self) -> Result<Vec<(String, f64)>> {
        let Some(mut validate) = self.validate.take() else { return Ok(Vec::new()) };
        self.exchange();
        let own_figures = validate().map_err(own);
        self.exchange();
        self.validate = Some(validate);
        let Some(parallel) = &self.parallel else {
            let named = own_figures?.into_iter().map(|(name, figure)| (name.to_owned(), figure));
            return Ok(named.collect());
        };
        let own_figures = parallel.all_ok(own_figures)?;
        let lines = own_figures.iter().map(|(name, x)| format!("{:016x} {name}\n", x.to_bits()));
        let bytes = parallel.from_leader(lines.collect::<String>().into_bytes())?;
        let text = String::from_utf8_lossy(&bytes);
        let read = |line: &str| {
            let (bits, name) = line.split_once(' ')?;
            Some((name.to_owned(), f64::from_bits(u64::from_str_radix(bits, 16).ok()?)))
        };
        Ok(text.lines().filter_map(read).collect())
    }

    /// How good an epoch is.
    fn figure(&self, epoch: &Epoch) -> Result<(f64, Goal)> {
        match &self.monitor {
            None => Ok((epoch.figure("loss").unwrap_or(epoch.loss), Goal::Minimize)),
            Some((name, goal)) => Ok((figure_of(epoch, name)?, *goal)),
        }
    }
}

/// A figure of an epoch by its name; the loss of its batches is one, if validation gives no other.
fn figure_of(epoch: &Epoch, name: &str) -> Result<f64> {
    let own = (name == "loss").then_some(epoch.loss);
    let names = epoch.figures.iter().map(|(name, _)| &name[..]);
    epoch.figure(name).or(own).ok_or_else(|| unknown("fit", "figure", name, names))
}

/// The mean of the gradients of some batches.
fn mean<B>(group: &[B], step: &mut impl FnMut(&B) -> BoxResult<Gradients>) -> Result<Gradients> {
    let mut sum = step(&group[0]).map_err(own)?;
    for batch in &group[1..] {
        sum.accumulate(&step(batch).map_err(own)?)?;
    }
    if group.len() > 1 {
        sum.scale(1.0 / group.len() as f64);
    }
    Ok(sum)
}

impl Clip {
    fn apply(self, gradients: &mut Gradients) -> Result<()> {
        match self {
            Clip::Norm(max_norm) => clip_grad_norm(gradients, max_norm, 2.0).map(|_| ()),
            Clip::Value(limit) => clip_grad_value(gradients, limit),
        }
    }
}

/// The error of a closure: one of ours as it is.
pub(super) fn own(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => Error::Other(other),
    }
}
