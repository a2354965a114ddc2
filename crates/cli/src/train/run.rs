//! A training that the command line asks for: what is said of it, and the files that are left.

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use lossgraph_autograd::Module;
use lossgraph_nn::fit::{Epoch, Event, Every, Fit, Goal, Outcome, Stopped};
use lossgraph_nn::{Checkpoint, save};
use serde_json::json;

use super::files::{Files, Lock};
use super::interrupt::{self, Interrupted};
use super::log::Log;
use super::model::{self, Model};
use super::optimizer::{self, Descent};
use super::recipe::{self, Before, Table};
use super::sparkline::sparkline;
use super::training::{Training, of_training};
use super::{Options, Result};
use crate::output::quoted;

/// A training, with all that a run adds to it.
pub struct Run<'a> {
    pub options: &'a Options,
    pub training: Training<'a>,
    /// What files need to use the model, if they can.
    pub model: Option<Model>,
    pub task: String,
    /// What is to be said of the data.
    pub notes: Vec<String>,
    pub recipe: Table,
    pub files: Files,
    /// The run that it goes on with.
    pub before: Option<Before>,
}

impl Run<'_> {
    /// Says what it is about to do, trains, and leaves the results.
    ///
    /// # Errors
    /// Whatever ends a training; [`Interrupted`].
    pub fn all(&self, descent: Descent) -> Result<()> {
        let _lock = match self.is_leader() {
            true => self.files.prepare(&self.recipe, self.resumed())?,
            false => Lock::default(),
        };
        let epochs = self.training.plan.epochs;
        let log = Log::new(self.is_leader(), (self.training.steps() as u64).saturating_mul(epochs));
        log.print(&self.announcement());
        log.check()?;
        self.notes.iter().for_each(|note| log.remark(note));
        log.remark(self.plan(&descent));
        descent.remarks.iter().for_each(|told| log.remark(told));
        self.misled(&descent).iter().for_each(|told| log.remark(told));
        let start = Instant::now();
        let outcome = self.fit(descent, &log, start)?;
        log.bar.finish_and_clear();
        if outcome.stopped == Stopped::Interrupted {
            return Err(self.interrupted(&outcome).into());
        }
        if !self.is_leader() {
            return Ok(());
        }
        self.finish(&outcome, &log, start)?;
        log.end()
    }

    /// The checkpoint to go on from.
    fn resumed(&self) -> Option<&Path> {
        self.before.as_ref().map(|before| before.checkpoint.as_path())
    }

    fn is_leader(&self) -> bool {
        self.training.parallel.world().is_leader()
    }

    fn announcement(&self) -> String {
        let Training { problem, objective, parallel, .. } = &self.training;
        let shared = match (parallel.world().size(), parallel.shards()) {
            (1, 1) => String::new(),
            (processes, shards) => format!("; {shards} shards, processes: {processes}"),
        };
        format!(
            "{}; {} parameters; loss {}; seed {}{shared}\n",
            problem.about(),
            self.training.trained().num_parameters(),
            objective.loss().name,
            self.options.seed,
        )
    }

    /// How it trains, for who watches.
    fn plan(&self, descent: &Descent) -> String {
        let plan = self.training.plan;
        let net =
            self.model.as_ref().map_or_else(String::new, |model| format!("{}; ", model.about()));
        let resumed = self
            .resumed()
            .map_or_else(String::new, |path| format!("; goes on from {}", path.display()));
        format!(
            "task {}; {net}{}; epochs {} of {} steps of {} examples{resumed}",
            self.task,
            descent.words,
            plan.epochs,
            self.training.steps(),
            plan.batch,
        )
    }

    /// That batches are parts of the examples, where the optimizer needs all of them.
    fn misled(&self, descent: &Descent) -> Option<String> {
        let all = self.training.problem.split().train.len();
        let batch = self.training.plan.batch;
        (descent.whole_batches && batch < all).then(|| {
            format!(
                "{} takes one batch of all examples, and gets {batch} of {all}: --batch {all}",
                descent.optimizer.name()
            )
        })
    }

    /// That the rates of the epochs before were others, where the number of epochs is another one now,
    /// and the schedule is as long as they are.
    fn other_rates(&self) -> Result<Option<String>> {
        let epochs = self.training.plan.epochs;
        let Some(old) = self.before.as_ref().and_then(Before::epochs) else { return Ok(None) };
        let differ = optimizer::rates_differ(&self.options.schedule, [old, epochs])?;
        Ok(differ.then(|| {
            format!(
                "the rates of epochs before were those of a run of {old}, and are now those of one of \
                 {epochs}: a schedule without a length of its own is as long as the training"
            )
        }))
    }

    fn fit(&self, descent: Descent, log: &Log, start: Instant) -> Result<Outcome> {
        let Training { problem, objective, parallel, plan, .. } = &self.training;
        let Descent { mut optimizer, schedule, .. } = descent;
        let other_rates = self.other_rates()?;
        let (trained, metric) = (self.training.trained(), problem.metric());
        let (figures, losses) = (RefCell::new(String::new()), RefCell::new(Vec::new()));
        let epochs = usize::try_from(plan.epochs).unwrap_or(usize::MAX);
        let mut fit = Fit::new(&trained, &mut *optimizer)
            .epochs(epochs)
            .schedule(schedule, Every::Epoch)
            .schedule_figure("loss")
            .monitor(metric, Goal::Maximize)
            .parallel(*parallel)
            .checkpoints(&self.files.folder)
            .interrupt(interrupt::flag())
            .validate(|| {
                let own = problem.figures(objective, parallel).map_err(of_training)?;
                *figures.borrow_mut() = own.text;
                Ok(vec![(metric, own.score)])
            })
            .observe(|event| match event {
                // The checkpoint is one that the training can go on from.
                Event::Begin { epoch, epochs, batch } => {
                    other_rates.iter().for_each(|told| log.remark(told));
                    if epoch == epochs {
                        log.remark(format_args!(
                            "all of its {epochs} epochs are done; --epochs says how many it is to see \
                             in all"
                        ));
                    }
                    log.bar.set_position((epoch * self.training.steps() + batch) as u64);
                }
                Event::Step { .. } => log.bar.inc(1),
                Event::Epoch(epoch) => {
                    losses.borrow_mut().push(epoch.loss);
                    log.bar.set_message(sparkline(&losses.borrow(), 20));
                    log.print(&self.line(epoch, &figures.borrow(), start));
                    log.note(self.save_between(epoch.epoch as u64 + 1));
                }
                _ => {}
            });
        for (key, value) in self.words()? {
            fit = fit.metadata(key, &value);
        }
        if let Some(epochs) = self.options.early_stop {
            fit = fit.patience(epochs);
        }
        if let Some(path) = self.resumed() {
            fit = fit.resume_from(path);
        }
        let step = |batch: &Vec<usize>| self.training.gradients(batch);
        Ok(fit.run(|epoch| self.training.batches(epoch), step)?)
    }

    fn line(&self, epoch: &Epoch, figures: &str, start: Instant) -> String {
        let (count, seconds) = (self.training.plan.epochs, start.elapsed().as_secs_f64());
        let (width, number, loss) = (count.to_string().len(), epoch.epoch + 1, epoch.loss);
        format!("epoch {number:>width$}/{count}  loss {loss:.5}  {figures}  {seconds:5.2} s\n")
    }

    fn interrupted(&self, outcome: &Outcome) -> Interrupted {
        if !self.is_leader() {
            return Interrupted(String::new());
        }
        Interrupted(format!(
            "interrupted in epoch {}, after {} steps, and saved; to go on:\n\
             lossgraph train --resume {}",
            outcome.history.len() + 1,
            outcome.steps,
            quoted(&self.files.last())
        ))
    }

    /// Writes the model after an epoch, if it is one of those, and not the last.
    fn save_between(&self, done: u64) -> Result<()> {
        let due = self.options.save_every.is_some_and(|every| done.is_multiple_of(every));
        let write = due && self.is_leader() && done < self.training.plan.epochs;
        if write { self.write(done) } else { Ok(()) }
    }

    /// What the files of a run say of it.
    fn words(&self) -> Result<Vec<(&'static str, String)>> {
        let shards = self.training.parallel.shards();
        let model = self.model.as_ref().map(serde_json::to_string).transpose()?;
        let mut words = vec![
            ("task", self.task.clone()),
            ("loss", self.training.objective.loss().name.to_owned()),
            ("seed", self.options.seed.to_string()),
            (recipe::KEY, recipe::text(&self.recipe)?),
        ];
        words.extend((shards > 1).then(|| ("shards", shards.to_string())));
        words.extend(model.map(|model| (model::KEY, model)));
        Ok(words)
    }

    /// Writes the model, as it is after so many epochs.
    fn write(&self, epochs: u64) -> Result<()> {
        self.files.make_room_for_model()?;
        let mut words = self.words()?;
        words.push(("epochs", epochs.to_string()));
        let words: Vec<(&str, &str)> = words.iter().map(|(key, text)| (*key, &text[..])).collect();
        Ok(save(&self.training.trained(), &words, &self.files.model)?)
    }

    /// What is left at the end: of a training that stopped early, the best epoch.
    fn finish(&self, outcome: &Outcome, log: &Log, start: Instant) -> Result<()> {
        let Training { problem, objective, .. } = &self.training;
        let losses: Vec<f64> = outcome.history.iter().map(|epoch| epoch.loss).collect();
        let mut kept = outcome.history.len();
        if let (Stopped::Early, Some(best)) = (outcome.stopped, outcome.best) {
            kept = best.epoch + 1;
            Checkpoint::read(self.files.best())?.load(&self.training.trained())?;
            log.remark(format_args!(
                "stopped early, behind epoch {}: the model is that of the best one, {kept}",
                outcome.history.len()
            ));
        }
        let score = problem.score(objective)?;
        let seconds = start.elapsed().as_secs_f64();
        log.print(&problem.conclusion(score, &self.options.out)?);
        if let [first, .., last] = losses[..] {
            let curve = sparkline(&losses, 40);
            log.remark(format_args!("loss {first:.5} {curve} {last:.5}"));
        }
        self.write(kept as u64)?;
        let (model, folder) = (self.files.model.display(), self.files.folder.display());
        log.print(&format!("wrote {model}, and checkpoints to {folder}\n"));
        if self.options.json {
            let train_loss = kept.checked_sub(1).and_then(|at| losses.get(at));
            log.print(&self.figures(score, train_loss.copied(), kept, seconds));
        }
        Ok(())
    }

    fn figures(&self, score: f64, train_loss: Option<f64>, epochs: usize, seconds: f64) -> String {
        let mut object = json!({
            "task": self.task,
            "loss": self.training.objective.loss().name,
            "train_loss": train_loss,
            "seconds": seconds,
            "seed": self.options.seed,
            "epochs": epochs,
            "shards": self.training.parallel.shards(),
            "processes": self.training.parallel.world().size(),
        });
        object[self.training.problem.metric()] = json!(score);
        format!("{object}\n")
    }
}
