//! A training: epochs of steps, what is said of them, and the files that are left.

use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use lossgraph_autograd::{Module, Tape};
use lossgraph_data::{Dataset, Sampler};
use lossgraph_nn::parallel::DataParallel;
use lossgraph_nn::{Mode, save};
use lossgraph_tensor::{DType, Tensor};
use serde_json::json;

use super::model::{KEY, Model};
use super::objective::{Objective, Trained};
use super::optimizer::Descent;
use super::sparkline::sparkline;
use super::tasks::{Defaults, Part, Problem};
use super::{Options, Result};
use crate::output;

/// A problem, what is minimized, and the state of the optimizer.
pub struct Training<'a> {
    pub parallel: DataParallel<'a>,
    pub problem: Box<dyn Problem>,
    pub objective: Objective,
    descent: Descent,
    pub plan: Defaults,
    seed: u64,
}

impl<'a> Training<'a> {
    pub fn new(
        parallel: DataParallel<'a>,
        problem: Box<dyn Problem>,
        objective: Objective,
        plan: Defaults,
        options: &Options,
    ) -> Result<Training<'a>> {
        let trained = Trained { model: problem.model(), objective: &objective };
        parallel.broadcast(&trained)?;
        let words = [&options.optimizer[..], &options.schedule];
        let descent = Descent::new(&trained, words, (options.lr, plan.lr), plan.epochs)?;
        let training = Training { parallel, problem, objective, descent, plan, seed: options.seed };
        // What a loss refuses is found before the time is spent.
        training.loss(&training.examples(0, plan.batch)?)?;
        Ok(training)
    }

    /// How many steps an epoch has.
    pub fn steps(&self) -> usize {
        self.problem.examples().div_ceil(self.plan.batch.max(1))
    }

    /// The loss of some examples that are trained on, as in use.
    pub fn loss(&self, examples: &[usize]) -> Result<f64> {
        let tape = Tape::new();
        let operands = self.problem.operands(&tape, Part::Train, examples, Mode::Evaluate)?;
        Ok(self.objective.value(&tape, &operands)?.item()?)
    }

    /// The first examples of an epoch, some at most; of every class equally many, if the loss demands
    /// it.
    pub fn examples(&self, epoch: u64, most: usize) -> Result<Vec<usize>> {
        let mut order = self.order(epoch)?;
        order.truncate(self.of_all_classes(most).max(1));
        Ok(order)
    }

    /// Up to so many examples, of every class equally many, if the loss demands it.
    fn of_all_classes(&self, most: usize) -> usize {
        match self.objective.fit().balanced {
            true => most - most % self.problem.sizes()[0].max(1),
            false => most,
        }
    }

    /// Trains for an epoch, and gives the mean loss of its steps.
    pub fn epoch(&mut self, epoch: u64, mut on_step: impl FnMut(f64)) -> Result<f64> {
        self.descent.begin(epoch)?;
        self.problem.begin(self.seed, epoch)?;
        let (mut sum, mut steps) = (0.0, 0);
        let size = self.of_all_classes(self.plan.batch).max(1);
        for batch in self.order(epoch)?.chunks(size) {
            if self.objective.fit().balanced && batch.len() < size {
                continue;
            }
            let trained = Trained { model: self.problem.model(), objective: &self.objective };
            let gradients = self.descent.step(&mut || {
                self.parallel.backward(&trained, batch.len(), |shard| {
                    let tape = Tape::new();
                    let step = || -> Result<_> {
                        let own = &batch[shard.rows()];
                        let operands =
                            self.problem.operands(&tape, Part::Train, own, Mode::Train)?;
                        Ok(self.objective.value(&tape, &operands)?.backward()?)
                    };
                    step().map_err(of_training)
                })
            })?;
            (sum, steps) = (sum + gradients.loss(), steps + 1);
            on_step(gradients.loss());
        }
        let mean = sum / f64::from(steps);
        self.descent.end(mean)?;
        Ok(mean)
    }

    /// The examples of an epoch, each once.
    fn order(&self, epoch: u64) -> Result<Vec<usize>> {
        if self.plan.batch == 0 {
            return Err(lossgraph_data::Error::BatchSize.into());
        }
        let all = Tensor::arange(self.problem.examples(), DType::I64)?;
        let labels = self.problem.labels();
        let (data, sampler) = match self.objective.fit().balanced {
            true => {
                (Dataset::new(all, labels.to_vec(), self.problem.sizes()[0])?, Sampler::Balanced)
            }
            false => (Dataset::pairs(&all, &all)?, Sampler::Shuffled),
        };
        let mut order = sampler.order(&data, self.seed, epoch)?;
        if sampler == Sampler::Balanced {
            let size = self.of_all_classes(self.plan.batch).max(1);
            // Of each batch, the first round of the classes.
            for batch in order.chunks_mut(size).filter(|batch| batch.len() == size) {
                batch[..self.problem.sizes()[0].min(size)].sort_by_key(|&example| labels[example]);
            }
        }
        Ok(order)
    }

    fn trained(&self) -> Trained<'_> {
        Trained { model: self.problem.model(), objective: &self.objective }
    }
}

/// An error of a step as one that processes tell each other.
fn of_training(error: Box<dyn std::error::Error>) -> lossgraph_nn::Error {
    let error = match error.downcast::<lossgraph_autograd::Error>() {
        Ok(fault) => return (*fault).into(),
        Err(error) => error,
    };
    match error.downcast::<lossgraph_nn::Error>() {
        Ok(error) => *error,
        Err(error) => lossgraph_nn::Error::Parallel { why: error.to_string() },
    }
}

/// A training that the command line asks for.
pub struct Run<'a> {
    options: &'a Options,
    training: Training<'a>,
    model: Option<Model>,
    task: String,
}

impl<'a> Run<'a> {
    pub fn new(
        options: &'a Options,
        parallel: DataParallel<'a>,
        problem: Box<dyn Problem>,
        objective: Objective,
        (task, model): (String, Option<Model>),
    ) -> Result<Run<'a>> {
        let defaults = problem.defaults();
        let plan = Defaults {
            epochs: options.epochs.unwrap_or(defaults.epochs),
            batch: options.batch.unwrap_or(defaults.batch),
            lr: options.lr.unwrap_or(defaults.lr),
        };
        if plan.batch == 0 {
            return Err(lossgraph_data::Error::BatchSize.into());
        }
        let training = Training::new(parallel, problem, objective, plan, options)?;
        Ok(Run { options, training, model, task })
    }

    /// Says what it is about to do, trains, and leaves the results.
    pub fn all(mut self) -> Result<()> {
        if self.is_leader() {
            output::make_folder(&self.options.out)?;
        }
        self.print(self.announcement())?;
        if self.is_leader() {
            output::remark(self.plan());
        }
        let start = Instant::now();
        let bar = self.bar();
        let (mut losses, mut last) = (Vec::new(), 0.0);
        for epoch in 0..self.training.plan.epochs {
            last = self.training.epoch(epoch, |_| bar.inc(1))?;
            losses.push(last);
            bar.set_message(sparkline(&losses, 20));
            let Training { problem, objective, parallel, .. } = &self.training;
            let figures = problem.figures(objective, parallel)?;
            self.report(&bar, epoch, last, &figures, start)?;
            self.save_between(epoch)?;
        }
        bar.finish_and_clear();
        if !self.is_leader() {
            return Ok(());
        }
        let Training { problem, objective, .. } = &self.training;
        let score = problem.score(objective)?;
        let seconds = start.elapsed().as_secs_f64();
        output::print(problem.conclusion(score, &self.options.out)?)?;
        if losses.len() > 1 {
            output::remark(format_args!(
                "loss {:.5} {} {last:.5}",
                losses[0],
                sparkline(&losses, 40)
            ));
        }
        self.write(self.training.plan.epochs)?;
        output::print(format!("wrote {}\n", self.checkpoint().display()))?;
        self.finish(score, last, seconds)
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
    fn plan(&self) -> String {
        let plan = self.training.plan;
        let net = self.model.as_ref().map_or_else(String::new, |model| format!("{}; ", model.net));
        format!(
            "task {}; {net}{}; epochs {} of {} steps of {} examples",
            self.task,
            self.training.descent.words(),
            plan.epochs,
            self.training.steps(),
            plan.batch,
        )
    }

    fn is_leader(&self) -> bool {
        self.training.parallel.world().is_leader()
    }

    /// Prints, if this is the process that does.
    fn print(&self, text: String) -> Result<()> {
        if self.is_leader() { output::print(text) } else { Ok(()) }
    }

    /// As wide as the terminal allows; indicatif leaves colors out where nobody sees them.
    fn bar(&self) -> ProgressBar {
        if !self.is_leader() {
            return ProgressBar::hidden();
        }
        let steps = (self.training.steps() as u64).saturating_mul(self.training.plan.epochs);
        let bar = ProgressBar::new(steps);
        let template = "{wide_bar:.green/dim} {percent:>3} %  {eta} left  {msg:.cyan}";
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }

    fn report(
        &self,
        bar: &ProgressBar,
        epoch: u64,
        loss: f64,
        figures: &str,
        start: Instant,
    ) -> Result<()> {
        let (count, seconds) = (self.training.plan.epochs, start.elapsed().as_secs_f64());
        let width = count.to_string().len();
        let epoch = epoch + 1;
        let line =
            format!("epoch {epoch:>width$}/{count}  loss {loss:.5}  {figures}  {seconds:5.2} s\n");
        bar.suspend(|| self.print(line))
    }

    /// Writes the checkpoint after an epoch, if it is one of those, and not the last.
    fn save_between(&self, epoch: u64) -> Result<()> {
        let done = epoch + 1;
        let due = self.options.save_every.is_some_and(|every| done.is_multiple_of(every));
        let write = due && self.is_leader() && done < self.training.plan.epochs;
        if write { self.write(done) } else { Ok(()) }
    }

    /// Named after the data and the task; after the task alone, if it has no other data.
    fn checkpoint(&self) -> PathBuf {
        let data = match &self.model {
            Some(model) => Some(Path::new(&model.data).with_extension("")),
            None => self.training.problem.data().map(PathBuf::from),
        };
        let data = data.as_ref().and_then(|path| path.file_name());
        let data = data.map_or_else(String::new, |name| format!("{}-", name.to_string_lossy()));
        self.options.out.join(format!("{data}{}.safetensors", self.task))
    }

    fn write(&self, epochs: u64) -> Result<()> {
        let (seed, epochs) = (self.options.seed.to_string(), epochs.to_string());
        let shards = self.training.parallel.shards().to_string();
        let model = self.model.as_ref().map(serde_json::to_string).transpose()?;
        let mut words = vec![
            ("task", self.task.as_str()),
            ("loss", self.training.objective.loss().name),
            ("seed", seed.as_str()),
            ("epochs", epochs.as_str()),
        ];
        if self.training.parallel.shards() > 1 {
            words.push(("shards", shards.as_str()));
        }
        if let Some(model) = &model {
            words.push((KEY, model.as_str()));
        }
        Ok(save(&self.training.trained(), &words, self.checkpoint())?)
    }

    fn finish(&self, score: f64, train_loss: f64, seconds: f64) -> Result<()> {
        if !self.options.json {
            return Ok(());
        }
        let mut object = json!({
            "task": self.task,
            "loss": self.training.objective.loss().name,
            "train_loss": train_loss,
            "seconds": seconds,
            "seed": self.options.seed,
            "epochs": self.training.plan.epochs,
            "shards": self.training.parallel.shards(),
            "processes": self.training.parallel.world().size(),
        });
        object[self.training.problem.metric()] = json!(score);
        output::print(format!("{object}\n"))
    }
}
