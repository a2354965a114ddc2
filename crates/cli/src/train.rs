//! `lossgraph train`: a classifier or an embedding net on handwritten digits.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use lossgraph_autograd::{Tape, Var};
use lossgraph_data::{Dataset, digits, triplets};
use lossgraph_losses::{
    Loss, TripletMargin, bce_with_logits, cosine_embedding, cross_entropy, find, huber, kl_div, l1,
    mse, nll, smooth_l1,
};
use lossgraph_nn::{
    Activation, AdamW, ConfusionMatrix, Layer, Mlp, Optimizer, UpdateRule, accuracy, recall_at_k,
    save,
};
use lossgraph_tensor::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::{pca, scatter};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The share of the digits that tests, and the seed that says which.
const TEST_SHARE: f64 = 0.2;
const SPLIT_SEED: u64 = 0;

/// What to train, and how.
#[derive(Args)]
pub struct Options {
    /// What to train.
    #[arg(long, value_enum, default_value_t = Task::Classifier)]
    task: Task,
    /// The loss, by any of its names. Classifier: cross_entropy (default), nll, bce_with_logits,
    /// kl_div, mse, l1, smooth_l1, huber. Embedding: triplet_margin (default), cosine_embedding.
    #[arg(long)]
    loss: Option<String>,
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
enum Task {
    /// Ten class scores for each digit.
    Classifier,
    /// A point for each digit, near to those of its class.
    Embedding,
}

/// Trains, reports, and writes the results.
pub fn run(options: &Options) -> Result<()> {
    // Whatever can be wrong is found before the time is spent.
    let loss = chosen(options)?;
    fs::create_dir_all(&options.out)
        .map_err(|error| format!("the folder {} cannot be made: {error}", options.out.display()))?;
    let (train, test) = digits()?.split(TEST_SHARE, SPLIT_SEED)?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let outputs = if options.task == Task::Classifier { 10 } else { 32 };
    let sizes = [64, 128, outputs];
    let dropout = (options.task == Task::Classifier).then_some(0.2);
    let model = Mlp::with(&sizes, Activation::Relu, dropout, &mut rng)?;
    let optimizer = AdamW { lr: options.lr, ..AdamW::default() }.over(&model)?;
    println!(
        "{} digits to train on, {} to test with; {} parameters; loss {}; seed {}",
        train.len(),
        test.len(),
        model.parameters().iter().map(|(_, p)| p.value().len()).sum::<usize>(),
        loss.name,
        options.seed
    );
    let mut session = Session { options, loss, train, test, model, optimizer };
    match options.task {
        Task::Classifier => session.classifier(),
        Task::Embedding => session.embedding(),
    }
}

/// The losses that a task can be trained with; the first is the default.
fn possible(task: Task) -> &'static [&'static str] {
    match task {
        Task::Classifier => &[
            "cross_entropy",
            "nll",
            "bce_with_logits",
            "kl_div",
            "mse",
            "l1",
            "smooth_l1",
            "huber",
        ],
        Task::Embedding => &["triplet_margin", "cosine_embedding"],
    }
}

fn chosen(options: &Options) -> Result<&'static Loss> {
    let names = possible(options.task);
    let name = options.loss.as_deref().unwrap_or(names[0]);
    match find(name) {
        Ok(loss) if names.contains(&loss.name) => Ok(loss),
        Ok(loss) => Err(format!(
            "--loss {}: this task cannot be trained with it; it can with {}",
            loss.name,
            names.join(", ")
        )
        .into()),
        Err(nearest) => Err(format!(
            "--loss {name}: there is no such loss; the nearest is {nearest}; this task can be \
             trained with {}",
            names.join(", ")
        )
        .into()),
    }
}

struct Session<'a> {
    options: &'a Options,
    loss: &'static Loss,
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
                let loss = class_loss(self.loss.name, scores, tape.constant(batch.labels));
                let gradients = loss.backward()?;
                self.optimizer.step(&gradients)?;
                (sum, steps) = (sum + gradients.loss(), steps + 1);
                bar.inc(1);
            }
            last = sum / f64::from(steps);
            let [train, test] = [&self.train, &self.test].map(|part| self.accuracy(part));
            let line = format!("train {:6.2} %  test {:6.2} %", 100.0 * train?, 100.0 * test?);
            self.report(&bar, epoch, last, &line, start);
        }
        bar.finish_and_clear();
        let scores = self.outputs(&self.test)?;
        let matrix = ConfusionMatrix::new(&scores, self.test.labels())?;
        let seconds = start.elapsed().as_secs_f64();
        println!("\n{matrix}\ntest accuracy {:.2} %", 100.0 * matrix.accuracy());
        self.save("classifier")?;
        self.finish(&[("test_accuracy", matrix.accuracy())], last, seconds);
        Ok(())
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
            let places = Dataset::new(
                Tensor::arange(self.train.len(), lossgraph_tensor::DType::F64),
                self.train.labels().to_vec(),
                self.train.classes(),
            )?;
            let (mut sum, mut steps) = (0.0, 0);
            for batch in places.batches(size, seed, epoch)? {
                let at: Vec<usize> = batch.inputs.to_f64s().iter().map(|&i| i as usize).collect();
                let pick = |of: &[usize]| -> lossgraph_data::Result<Tensor> {
                    let places: Vec<usize> = at.iter().map(|&i| of[i]).collect();
                    Ok(self.train.select(&places)?.inputs().clone())
                };
                let tape = Tape::new();
                let [anchor, positive, negative] =
                    [pick(&drawn.anchors)?, pick(&drawn.positives)?, pick(&drawn.negatives)?]
                        .map(|x| self.model.forward_train(tape.constant(x)));
                let loss = embedding_loss(self.loss.name, anchor, positive, negative);
                let gradients = loss.backward()?;
                self.optimizer.step(&gradients)?;
                (sum, steps) = (sum + gradients.loss(), steps + 1);
                bar.inc(1);
            }
            last = sum / f64::from(steps);
            let recall = recall_at_k(&self.outputs(&self.test)?, self.test.labels(), 1)?;
            self.report(&bar, epoch, last, &format!("test recall@1 {recall:.4}"), start);
        }
        bar.finish_and_clear();
        let points = self.outputs(&self.test)?;
        let recall = recall_at_k(&points, self.test.labels(), 1)?;
        let seconds = start.elapsed().as_secs_f64();
        println!("\nrecall@1 on the test part {recall:.4}");
        let picture = self.options.out.join("digits-embedding.svg");
        scatter::write(&picture, &pca::plane(&points)?, self.test.labels())?;
        println!("wrote {}", picture.display());
        self.save("embedding")?;
        self.finish(&[("recall_at_1", recall)], last, seconds);
        Ok(())
    }

    fn bar(&self, steps: usize) -> ProgressBar {
        let bar = ProgressBar::new(steps as u64 * self.options.epochs);
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }

    fn report(&self, bar: &ProgressBar, epoch: u64, loss: f64, figures: &str, start: Instant) {
        let (count, seconds) = (self.options.epochs, start.elapsed().as_secs_f64());
        let width = count.to_string().len();
        bar.suspend(|| {
            println!(
                "epoch {:>width$}/{count}  loss {loss:.5}  {figures}  {seconds:5.2} s",
                epoch + 1
            );
        });
    }

    /// Half a cosine from the rate that was asked for to 0.
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
        println!("wrote {}", path.display());
        Ok(())
    }

    fn finish(&self, figures: &[(&str, f64)], train_loss: f64, seconds: f64) {
        if !self.options.json {
            return;
        }
        let task = match self.options.task {
            Task::Classifier => "classifier",
            Task::Embedding => "embedding",
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
        println!("{object}");
    }
}

/// A loss of class scores. Losses of numbers compare them with the one-hot label.
fn class_loss<'t>(name: &str, scores: Var<'t>, labels: Var<'t>) -> Var<'t> {
    let target = || labels.one_hot(scores.dim(-1));
    match name {
        "nll" => nll(scores.log_softmax(-1), labels).mean(),
        "bce_with_logits" => bce_with_logits(scores, target()).mean(),
        "kl_div" => kl_div(scores.log_softmax(-1), target()).batch_mean(),
        "mse" => mse(scores, target()).mean(),
        "l1" => l1(scores, target()).mean(),
        "smooth_l1" => smooth_l1(scores, target(), 1.0).mean(),
        "huber" => huber(scores, target(), 1.0).mean(),
        _ => cross_entropy(scores, labels).mean(),
    }
}

fn embedding_loss<'t>(
    name: &str,
    anchor: Var<'t>,
    positive: Var<'t>,
    negative: Var<'t>,
) -> Var<'t> {
    match name {
        "cosine_embedding" => {
            let tape = anchor.tape();
            let [similar, other] = [1.0, -1.0].map(|sign| tape.fill([anchor.dim(0)], sign));
            cosine_embedding(anchor, positive, similar, 0.3).mean()
                + cosine_embedding(anchor, negative, other, 0.3).mean()
        }
        _ => TripletMargin { swap: true, ..TripletMargin::default() }
            .forward(anchor, positive, negative)
            .mean(),
    }
}
