//! `lossgraph train`: a classifier or an embedding net on handwritten digits.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use lossgraph_autograd::{Tape, Var};
use lossgraph_data::{Dataset, digits, triplets};
use lossgraph_losses::{ALL, Distance, Fit, Loss, Sample, Task};
use lossgraph_nn::{
    Activation, AdamW, ConfusionMatrix, Layer, Mlp, Module, Optimizer, UpdateRule, accuracy,
    recall_at_k, save,
};
use lossgraph_tensor::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::subject::{Setting, named};
use crate::{output, pca, scatter};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The share of the digits that tests, and the seed that says which.
const TEST_SHARE: f64 = 0.2;
const SPLIT_SEED: u64 = 0;

/// How a loss trains that is not of the catalogue.
const OWN: &str = "write the loop in a program: `my_loss(…).backward()` and `optimizer.step` \
                   (README, \"A loss of your own\")";

/// What to train, and how.
#[derive(Args)]
pub struct Options {
    /// What to train.
    #[arg(long, value_enum, default_value_t = Goal::Classifier)]
    task: Goal,
    #[arg(long, help = help())]
    loss: Option<String>,
    #[command(flatten)]
    setting: Setting,
    /// How often to see every example.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: u64,
    /// The learning rate at the start; it falls to 0 along half a cosine.
    #[arg(long, default_value_t = 3e-3)]
    lr: f64,
    /// Examples a step.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// The seed of the first parameters, of dropout, and of the order of examples.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The folder for the checkpoint, and for the picture of the embedding.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Print the final figures as one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Goal {
    /// Ten class scores for each digit.
    Classifier,
    /// A point for each digit, near to those of its class.
    Embedding,
}

/// Trains, reports, and writes the results.
pub fn run(options: &Options) -> Result<()> {
    // Whatever can be wrong is found before the time is spent.
    let (loss, fit) = chosen(options)?;
    let setting = format!("{} {}", fit.setting, options.setting.text()).trim().to_owned();
    loss.setting(&setting)?;
    match trial(loss, fit, &setting) {
        Some(value) => value?,
        None => {
            let why = "in this setting it takes what a training does not have";
            return Err(format!("{} {setting}: {why}", loss.name).into());
        }
    };
    output::make_folder(&options.out)?;
    let (train, test) = digits()?.split(TEST_SHARE, SPLIT_SEED)?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let outputs = if options.task == Goal::Classifier { 10 } else { 32 };
    let sizes = [64, 128, outputs];
    let dropout = (options.task == Goal::Classifier).then_some(0.2);
    let model = Mlp::with(&sizes, Activation::Relu, dropout, &mut rng)?;
    let optimizer = AdamW { lr: options.lr, ..AdamW::default() }.over(&model)?;
    output::print(format!(
        "{} digits to train on, {} to test with; {} parameters; loss {}; seed {}\n",
        train.len(),
        test.len(),
        model.parameters().iter().map(|(_, p)| p.value().len()).sum::<usize>(),
        loss.name,
        options.seed
    ))?;
    let mut session = Session { options, loss, fit, setting, train, test, model, optimizer };
    match options.task {
        Goal::Classifier => session.classifier(),
        Goal::Embedding => session.embedding(),
    }
}

/// A loss, and how it trains a task.
type Choice = (&'static Loss, &'static Fit);

impl Goal {
    /// What losses can make of it; the first that has a default gives it.
    fn tasks(self) -> &'static [Task] {
        match self {
            Goal::Classifier => &[Task::Classes],
            Goal::Embedding => &[Task::Triplets, Task::Pairs, Task::Embeddings],
        }
    }

    /// The losses of the catalogue that can be trained: those whose inputs a training has.
    fn losses(self) -> Vec<Choice> {
        let fits = |task: &'static Task| {
            ALL.iter().filter_map(|loss| loss.fit(*task).map(|fit| (*loss, fit)))
        };
        self.tasks().iter().flat_map(fits).filter(|(loss, fit)| can_train(loss, fit)).collect()
    }

    /// The loss to train with where none is named.
    fn default_loss(self) -> Result<Choice> {
        let default = self.losses().into_iter().find(|(_, fit)| fit.is_default);
        default.ok_or_else(|| "there is no default loss for this task: name one by --loss".into())
    }
}

/// What `--help` says of `--loss`.
fn help() -> String {
    let default = |goal: Goal| goal.default_loss().map_or("none", |(loss, _)| loss.name);
    format!(
        "The loss, by any of its names. Classifier: {} (default), or {}. Embedding: {} (default), \
         or {}",
        default(Goal::Classifier),
        names(Goal::Classifier),
        default(Goal::Embedding),
        names(Goal::Embedding),
    )
}

fn names(goal: Goal) -> String {
    goal.losses().iter().map(|(loss, _)| loss.name).collect::<Vec<_>>().join(", ")
}

fn chosen(options: &Options) -> Result<Choice> {
    let Some(name) = &options.loss else { return options.task.default_loss() };
    let possible = || names(options.task);
    let loss = named(name, OWN)
        .map_err(|why| format!("{why}\nthis task can be trained with {}", possible()))?;
    let found = options.task.losses().into_iter().find(|(each, _)| std::ptr::eq(*each, loss));
    found.ok_or_else(|| {
        let why = "this task cannot be trained with it; it can with";
        format!("--loss {}: {why} {}", loss.name, possible()).into()
    })
}

/// What a step has for a loss.
enum Outputs<'t> {
    /// Scores of classes, and the right ones.
    Scores { scores: Var<'t>, labels: Var<'t> },
    /// Embeddings of a batch, and their classes.
    Embeddings { embeddings: Var<'t>, labels: Var<'t> },
    /// Embeddings of anchors, of others of their classes, and of others of other classes.
    Triplets { anchor: Var<'t>, positive: Var<'t>, negative: Var<'t> },
}

/// The loss of a step, if the outputs are those of its task and all that it takes.
fn step<'t>(
    (loss, fit): Choice,
    setting: &str,
    tape: &'t Tape,
    outputs: &Outputs<'t>,
) -> Option<Var<'t>> {
    // The inputs of the loss, each made by its name and place in the list.
    let record = |input: &dyn Fn(usize, &Sample) -> Option<Var<'t>>| {
        let samples = loss.inputs_in(&loss.setting(setting).ok()?);
        let inputs = samples.iter().enumerate().map(|(i, each)| Some((each.name, input(i, each)?)));
        let inputs: Vec<(&str, Var<'t>)> = inputs.collect::<Option<_>>()?;
        Some(loss.record(tape, &inputs, setting).reduce(fit.reduction))
    };
    match (fit.task, outputs) {
        (Task::Classes, &Outputs::Scores { scores, labels }) => {
            record(&|i, sample| match sample.name {
                "labels" | "target" => sample.domain.of_labels(labels, scores.dim(-1)),
                _ if i == 0 => sample.domain.of_scores(scores),
                _ => None,
            })
        }
        (Task::Embeddings, &Outputs::Embeddings { embeddings, labels }) => {
            record(&|_, sample| match sample.name {
                "embeddings" => Some(embeddings),
                "labels" => Some(labels),
                _ => None,
            })
        }
        (Task::Triplets, &Outputs::Triplets { anchor, positive, negative }) => {
            record(&|_, sample| match sample.name {
                "anchor" => Some(anchor),
                "positive" => Some(positive),
                "negative" => Some(negative),
                _ => None,
            })
        }
        (Task::Pairs, &Outputs::Triplets { anchor, positive, negative }) => {
            let pair = |other: Var<'t>, sign: f64| {
                record(&|_, sample| match sample.name {
                    "a" => Some(anchor),
                    "b" => Some(other),
                    "distance" => Some(Distance::default().between(anchor, other)),
                    "target" => Some(tape.fill([anchor.dim(0)], sign)),
                    _ => None,
                })
            };
            Some(pair(positive, 1.0)? + pair(negative, -1.0)?)
        }
        _ => None,
    }
}

/// Whether a loss takes what a training has.
fn can_train(loss: &'static Loss, fit: &'static Fit) -> bool {
    trial(loss, fit, fit.setting).is_some_and(|value| value.is_ok())
}

/// The loss of a step of two examples, if it takes what a training has.
fn trial(
    loss: &'static Loss,
    fit: &'static Fit,
    setting: &str,
) -> Option<lossgraph_autograd::Result<f64>> {
    let tape = Tape::new();
    let [first, second, third] =
        [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]].map(|row| tape.constant([row, [row[1], row[0]]]));
    let labels = tape.labels(&[0, 1]);
    let outputs = match fit.task {
        Task::Classes => Outputs::Scores { scores: first, labels },
        Task::Embeddings => Outputs::Embeddings { embeddings: first, labels },
        _ => Outputs::Triplets { anchor: first, positive: second, negative: third },
    };
    step((loss, fit), setting, &tape, &outputs).map(|loss| loss.item())
}

struct Session<'a> {
    options: &'a Options,
    loss: &'static Loss,
    fit: &'static Fit,
    setting: String,
    train: Dataset,
    test: Dataset,
    model: Mlp,
    optimizer: Optimizer<AdamW>,
}

impl Session<'_> {
    fn classifier(&mut self) -> Result<()> {
        let start = Instant::now();
        let bar = self.bar(self.train.len().div_ceil(self.options.batch.max(1)));
        let mut last = 0.0;
        for epoch in 0..self.options.epochs {
            self.set_rate(epoch)?;
            let (mut sum, mut steps) = (0.0, 0);
            for batch in self.train.batches(self.options.batch, self.options.seed, epoch)? {
                let tape = Tape::new();
                let scores = self.model.forward_train(tape.constant(batch.inputs));
                let labels = tape.constant(batch.labels);
                let loss = self.loss(&tape, &Outputs::Scores { scores, labels })?;
                let gradients = loss.backward()?;
                self.optimizer.step(&gradients)?;
                (sum, steps) = (sum + gradients.loss(), steps + 1);
                bar.inc(1);
            }
            last = sum / f64::from(steps);
            let [train, test] = [&self.train, &self.test].map(|part| self.accuracy(part));
            let line = format!("train {:6.2} %  test {:6.2} %", 100.0 * train?, 100.0 * test?);
            self.report(&bar, epoch, last, &line, start)?;
        }
        bar.finish_and_clear();
        let scores = self.outputs(&self.test)?;
        let matrix = ConfusionMatrix::new(&scores, self.test.labels())?;
        let seconds = start.elapsed().as_secs_f64();
        output::print(format!("\n{matrix}\ntest accuracy {:.2} %\n", 100.0 * matrix.accuracy()))?;
        self.save("classifier")?;
        self.finish(&[("test_accuracy", matrix.accuracy())], last, seconds)
    }

    fn embedding(&mut self) -> Result<()> {
        let start = Instant::now();
        let bar = self.bar(self.train.len().div_ceil(self.options.batch.max(1)));
        let mut last = 0.0;
        for epoch in 0..self.options.epochs {
            self.set_rate(epoch)?;
            let (seed, size) = (self.options.seed, self.options.batch);
            // One triplet for each example, in a new order.
            let drawn = triplets(self.train.labels(), seed, epoch)?;
            let indices = Dataset::new(
                Tensor::arange(self.train.len(), lossgraph_tensor::DType::F64)?,
                self.train.labels().to_vec(),
                self.train.classes(),
            )?;
            let (mut sum, mut steps) = (0.0, 0);
            for batch in indices.batches(size, seed, epoch)? {
                let at: Vec<usize> = batch.inputs.to_f64s().iter().map(|&i| i as usize).collect();
                let tape = Tape::new();
                let embed = |chosen: &[usize]| -> Result<Var<'_>> {
                    let inputs = self.train.select(chosen)?.inputs().clone();
                    Ok(self.model.forward_train(tape.constant(inputs)))
                };
                let of = |drawn: &[usize]| at.iter().map(|&i| drawn[i]).collect::<Vec<_>>();
                let outputs = match self.fit.task {
                    Task::Embeddings => Outputs::Embeddings {
                        embeddings: embed(&at)?,
                        labels: tape.constant(batch.labels),
                    },
                    _ => Outputs::Triplets {
                        anchor: embed(&of(&drawn.anchors))?,
                        positive: embed(&of(&drawn.positives))?,
                        negative: embed(&of(&drawn.negatives))?,
                    },
                };
                let loss = self.loss(&tape, &outputs)?;
                let gradients = loss.backward()?;
                self.optimizer.step(&gradients)?;
                (sum, steps) = (sum + gradients.loss(), steps + 1);
                bar.inc(1);
            }
            last = sum / f64::from(steps);
            let recall = recall_at_k(&self.outputs(&self.test)?, self.test.labels(), 1)?;
            self.report(&bar, epoch, last, &format!("test recall@1 {recall:.4}"), start)?;
        }
        bar.finish_and_clear();
        let points = self.outputs(&self.test)?;
        let recall = recall_at_k(&points, self.test.labels(), 1)?;
        let seconds = start.elapsed().as_secs_f64();
        output::print(format!("\nrecall@1 on the test part {recall:.4}\n"))?;
        let picture = self.options.out.join("digits-embedding.svg");
        scatter::write(&picture, &pca::plane(&points)?, self.test.labels())?;
        output::print(format!("wrote {}\n", picture.display()))?;
        self.save("embedding")?;
        self.finish(&[("recall_at_1", recall)], last, seconds)
    }

    /// The loss of a step.
    fn loss<'t>(&self, tape: &'t Tape, outputs: &Outputs<'t>) -> Result<Var<'t>> {
        step((self.loss, self.fit), &self.setting, tape, outputs).ok_or_else(|| {
            format!("{}: it takes inputs that this training does not have", self.loss.name).into()
        })
    }

    fn bar(&self, steps: usize) -> ProgressBar {
        let bar = ProgressBar::new((steps as u64).saturating_mul(self.options.epochs));
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {eta} left");
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
        let (count, seconds) = (self.options.epochs, start.elapsed().as_secs_f64());
        let width = count.to_string().len();
        let epoch = epoch + 1;
        let line =
            format!("epoch {epoch:>width$}/{count}  loss {loss:.5}  {figures}  {seconds:5.2} s\n");
        bar.suspend(|| output::print(line))
    }

    /// Half a cosine from the requested rate to 0.
    fn set_rate(&mut self, epoch: u64) -> Result<()> {
        let done = epoch as f64 / self.options.epochs as f64;
        let rate = self.options.lr * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        Ok(self.optimizer.set_lr(rate)?)
    }

    /// What the model makes of all examples of a part.
    fn outputs(&self, part: &Dataset) -> Result<Tensor> {
        let tape = Tape::new();
        Ok(self.model.forward(tape.constant(part.inputs())).value()?)
    }

    fn accuracy(&self, part: &Dataset) -> Result<f64> {
        Ok(accuracy(&self.outputs(part)?, part.labels())?)
    }

    fn save(&self, what: &str) -> Result<()> {
        let path = self.options.out.join(format!("digits-{what}.safetensors"));
        let (seed, epochs) = (self.options.seed.to_string(), self.options.epochs.to_string());
        let words = [
            ("task", what),
            ("loss", self.loss.name),
            ("seed", seed.as_str()),
            ("epochs", epochs.as_str()),
        ];
        save(&self.model, &words, &path)?;
        output::print(format!("wrote {}\n", path.display()))
    }

    fn finish(&self, figures: &[(&str, f64)], train_loss: f64, seconds: f64) -> Result<()> {
        if !self.options.json {
            return Ok(());
        }
        let task = match self.options.task {
            Goal::Classifier => "classifier",
            Goal::Embedding => "embedding",
        };
        let mut object = json!({
            "task": task,
            "loss": self.loss.name,
            "train_loss": train_loss,
            "seconds": seconds,
            "seed": self.options.seed,
            "epochs": self.options.epochs,
        });
        for (name, figure) in figures {
            object[*name] = json!(figure);
        }
        output::print(format!("{object}\n"))
    }
}
