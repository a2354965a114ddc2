//! `lossgraph train`: a classifier or an embedding net on handwritten digits.

mod choice;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lossgraph_autograd::{Fault, Tape, Var};
use lossgraph_data::{Dataset, digits, triplets};
use lossgraph_losses::{Fit, Loss, Task};
use lossgraph_nn::parallel::{self, Communicator, DataParallel, Shard};
use lossgraph_nn::{
    Activation, AdamW, BatchNorm, ConfusionMatrix, Dropout, Layer, Linear, Mlp, Module, Optimizer,
    Sequential, UpdateRule, accuracy, recall_at_k, save,
};
use lossgraph_tensor::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::subject::Setting;
use crate::{output, pca, scatter};
use choice::{Goal, Outputs, chosen, help, step, trial};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The share of the digits that tests, and the seed that says which.
const TEST_SHARE: f64 = 0.2;
const SPLIT_SEED: u64 = 0;

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
    /// Batch normalization behind each hidden layer.
    #[arg(long)]
    batch_norm: bool,
    /// The parts that each batch is cut into, for several processes (`mpirun -n 4 lossgraph train`):
    /// a multiple of their number, on which the bits depend, as they do not on that of the processes
    /// [default: 1, or 8 if a launcher such as mpirun started the program]
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    shards: Option<usize>,
    /// Write the checkpoint after every so many epochs, too, and not only at the end.
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u64).range(1..))]
    save_every: Option<u64>,
    /// The folder for the checkpoint, and for the picture of the embedding.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Print the final figures as one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// Trains, reports, and writes the results, as one of the processes that a launcher started.
pub fn run(options: &Options) -> Result<()> {
    #[cfg(feature = "mpi")]
    if parallel::launched() {
        return parallel::mpi::run(|world| train(options, world, DataParallel::SHARDS));
    }
    #[cfg(not(feature = "mpi"))]
    refuse_processes()?;
    train(options, &parallel::Local::alone(), 1)
}

/// Without MPI, processes know nothing of each other, and each would write the same files.
#[cfg(not(feature = "mpi"))]
fn refuse_processes() -> Result<()> {
    match parallel::is_one_of_several() {
        true => {
            Err("a launcher started several processes, and this program was built without MPI: \
                     `cargo install lossgraph-cli --features mpi`"
                .into())
        }
        false => Ok(()),
    }
}

/// Trains as one of some processes.
fn train(options: &Options, world: &dyn Communicator, shards: usize) -> Result<()> {
    // Whatever can be wrong is found before the time is spent.
    let (loss, fit) = chosen(options.task, options.loss.as_deref())?;
    let setting = format!("{} {}", fit.setting, options.setting.text()).trim().to_owned();
    loss.setting(&setting)?;
    match trial(loss, fit, &setting) {
        Some(value) => value?,
        None => {
            let why = "in this setting it takes what a training does not have";
            return Err(format!("{} {setting}: {why}", loss.name).into());
        }
    };
    let parallel = DataParallel::new(world, options.shards.unwrap_or(shards))?;
    if world.is_leader() {
        output::make_folder(&options.out)?;
    }
    let (train, test) = digits()?.split(TEST_SHARE, SPLIT_SEED)?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let outputs = if options.task == Goal::Classifier { 10 } else { 32 };
    let sizes = [64, 128, outputs];
    let dropout = (options.task == Goal::Classifier).then_some(0.2);
    let model: Box<dyn Layer> = match options.batch_norm {
        true => Box::new(with_batch_norm(&sizes, dropout, &mut rng)?),
        false => Box::new(Mlp::with(&sizes, Activation::Relu, dropout, &mut rng)?),
    };
    parallel.broadcast(&model)?;
    let optimizer = AdamW { lr: options.lr, ..AdamW::default() }.over(&model)?;
    let mut session =
        Session { options, parallel, loss, fit, setting, train, test, model, optimizer };
    let shared = match (world.size(), parallel.shards()) {
        (1, 1) => String::new(),
        (processes, shards) => format!("; {shards} shards, processes: {processes}"),
    };
    session.print(format!(
        "{} digits to train on, {} to test with; {} parameters; loss {}; seed {}{shared}\n",
        session.train.len(),
        session.test.len(),
        session.model.num_parameters(),
        loss.name,
        options.seed
    ))?;
    match options.task {
        Goal::Classifier => session.classifier(),
        Goal::Embedding => session.embedding(),
    }
}

/// A perceptron whose hidden layers are normalized; drawn as one without.
fn with_batch_norm(
    sizes: &[usize],
    dropout: Option<f64>,
    rng: &mut impl Rng,
) -> Result<Sequential> {
    let mut layers = Sequential::new();
    for (i, pair) in sizes.windows(2).enumerate() {
        if i > 0 {
            layers = layers.then(BatchNorm::new(pair[0])?).then(Activation::Relu);
            if let Some(probability) = dropout {
                layers = layers.then(Dropout::new(probability, rng.next_u64())?);
            }
        }
        layers = layers.then(Linear::new(pair[0], pair[1], rng)?);
    }
    Ok(layers)
}

struct Session<'a> {
    options: &'a Options,
    parallel: DataParallel<'a>,
    loss: &'static Loss,
    fit: &'static Fit,
    setting: String,
    train: Dataset,
    test: Dataset,
    model: Box<dyn Layer>,
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
                let gradients =
                    self.parallel.backward(&self.model, batch.labels.len(), |shard| {
                        let tape = Tape::new();
                        let scores =
                            self.model.forward_train(tape.constant(shard.of(&batch.inputs)?));
                        let labels = tape.constant(shard.of(&batch.labels)?);
                        Ok(self.loss(&tape, &Outputs::Scores { scores, labels }).backward()?)
                    })?;
                self.optimizer.step(&gradients)?;
                (sum, steps) = (sum + gradients.loss(), steps + 1);
                bar.inc(1);
            }
            last = sum / f64::from(steps);
            let [train, test] = [&self.train, &self.test].map(|part| self.accuracy(part));
            let line = format!("train {:6.2} %  test {:6.2} %", 100.0 * train?, 100.0 * test?);
            self.report(&bar, epoch, last, &line, start)?;
            self.save_between(epoch, "classifier")?;
        }
        bar.finish_and_clear();
        if !self.parallel.world().is_leader() {
            return Ok(());
        }
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
                let inputs = |chosen: &[usize]| -> Result<Tensor> {
                    Ok(self.train.select(chosen)?.inputs().clone())
                };
                let of = |drawn: &[usize]| at.iter().map(|&i| drawn[i]).collect::<Vec<_>>();
                let inputs = match self.fit.task {
                    Task::Embeddings => vec![inputs(&at)?],
                    _ => [&drawn.anchors, &drawn.positives, &drawn.negatives]
                        .into_iter()
                        .map(|drawn| inputs(&of(drawn)))
                        .collect::<Result<_>>()?,
                };
                let gradients = self.parallel.backward(&self.model, at.len(), |shard| {
                    let tape = Tape::new();
                    let embed = |inputs: &Tensor| -> lossgraph_nn::Result<Var<'_>> {
                        Ok(self.model.forward_train(tape.constant(shard.of(inputs)?)))
                    };
                    let embeddings: Vec<Var<'_>> =
                        inputs.iter().map(embed).collect::<lossgraph_nn::Result<_>>()?;
                    let outputs = match embeddings[..] {
                        [anchor, positive, negative] => {
                            Outputs::Triplets { anchor, positive, negative }
                        }
                        _ => Outputs::Embeddings {
                            embeddings: embeddings[0],
                            labels: tape.constant(shard.of(&batch.labels)?),
                        },
                    };
                    Ok(self.loss(&tape, &outputs).backward()?)
                })?;
                self.optimizer.step(&gradients)?;
                (sum, steps) = (sum + gradients.loss(), steps + 1);
                bar.inc(1);
            }
            last = sum / f64::from(steps);
            if self.parallel.world().is_leader() {
                let recall = recall_at_k(&self.outputs(&self.test)?, self.test.labels(), 1)?;
                self.report(&bar, epoch, last, &format!("test recall@1 {recall:.4}"), start)?;
            }
            self.save_between(epoch, "embedding")?;
        }
        bar.finish_and_clear();
        if !self.parallel.world().is_leader() {
            return Ok(());
        }
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
    fn loss<'t>(&self, tape: &'t Tape, outputs: &Outputs<'t>) -> Var<'t> {
        step((self.loss, self.fit), &self.setting, tape, outputs).unwrap_or_else(|| {
            let why = "it takes inputs that this training does not have";
            tape.fault(Fault::new(self.loss.name, why))
        })
    }

    /// Prints, if this is the process that does.
    fn print(&self, text: String) -> Result<()> {
        if self.parallel.world().is_leader() { output::print(text) } else { Ok(()) }
    }

    fn bar(&self, steps: usize) -> ProgressBar {
        if !self.parallel.world().is_leader() {
            return ProgressBar::hidden();
        }
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
        bar.suspend(|| self.print(line))
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

    /// The share of the examples that are classified right, each counted by the process that has it.
    fn accuracy(&self, part: &Dataset) -> Result<f64> {
        let right = |shard: &Shard| {
            let tape = Tape::new();
            let scores = self.model.forward(tape.constant(shard.of(part.inputs())?)).value()?;
            let labels = &part.labels()[shard.rows()];
            Ok([(accuracy(&scores, labels)? * labels.len() as f64).round()])
        };
        let [right] = self.parallel.sum(part.len(), right)?;
        Ok(right / part.len() as f64)
    }

    /// Writes the checkpoint after an epoch, if it is one of those, and not the last.
    fn save_between(&self, epoch: u64, what: &str) -> Result<()> {
        let (done, leader) = (epoch + 1, self.parallel.world().is_leader());
        let due = self.options.save_every.is_some_and(|every| done.is_multiple_of(every));
        if due && leader && done < self.options.epochs { self.write(what, done) } else { Ok(()) }
    }

    fn save(&self, what: &str) -> Result<()> {
        self.write(what, self.options.epochs)?;
        output::print(format!("wrote {}\n", self.checkpoint(what).display()))
    }

    fn checkpoint(&self, what: &str) -> PathBuf {
        self.options.out.join(format!("digits-{what}.safetensors"))
    }

    fn write(&self, what: &str, epochs: u64) -> Result<()> {
        let (seed, epochs) = (self.options.seed.to_string(), epochs.to_string());
        let shards = self.parallel.shards().to_string();
        let mut words = vec![
            ("task", what),
            ("loss", self.loss.name),
            ("seed", seed.as_str()),
            ("epochs", epochs.as_str()),
        ];
        if self.parallel.shards() > 1 {
            words.push(("shards", shards.as_str()));
        }
        Ok(save(&self.model, &words, self.checkpoint(what))?)
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
            "shards": self.parallel.shards(),
            "processes": self.parallel.world().size(),
        });
        for (name, figure) in figures {
            object[*name] = json!(figure);
        }
        output::print(format!("{object}\n"))
    }
}
