//! Training by epochs: what a loop by hand does, with validation, checkpoints, early stopping, and a
//! resume that equals the run that was not interrupted, bit for bit.
//!
//! ```
//! use lossgraph_autograd::Tape;
//! use lossgraph_nn::fit::{Event, Fit};
//! use lossgraph_nn::schedule::CosineAnnealing;
//! use lossgraph_nn::{Layer, Mlp, fit::Every, optimizer};
//! use lossgraph_tensor::Tensor;
//! # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let model = Mlp::new(&[1, 16, 1], &mut ChaCha8Rng::seed_from_u64(0))?;
//! let mut adamw = optimizer::named("adamw")?.over(&model, &[("lr", "0.02")])?;
//! let (x, y) = (Tensor::from([[0.0_f32], [0.5], [1.0]]), Tensor::from([[0.0_f32], [0.25], [1.0]]));
//! let error = || -> lossgraph_nn::Result<f64> {
//!     let tape = Tape::new();
//!     Ok((model.forward(tape.constant(&x)) - tape.constant(&y)).square().mean(..).item()?)
//! };
//! let outcome = Fit::new(&model, &mut *adamw)
//!     .epochs(40)
//!     .schedule(CosineAnnealing::default(), Every::Epoch)
//!     .clip_norm(1.0)
//!     .validate(|| Ok(vec![("loss", error()?)]))
//!     .observe(|event| {
//!         if let Event::Epoch(epoch) = event {
//!             println!("{}: {:.4} {:?}", epoch.epoch, epoch.loss, epoch.figures);
//!         }
//!     })
//!     .run(
//!         |_epoch| Ok([Ok((x.clone(), y.clone()))]),
//!         |(x, y)| {
//!             let tape = Tape::new();
//!             let difference = model.forward_train(tape.constant(x)) - tape.constant(y);
//!             Ok(difference.square().mean(..).backward()?)
//!         },
//!     )?;
//! assert_eq!(outcome.history.len(), 40);
//! assert!(outcome.best.unwrap().figure < 0.02);
//! # Ok::<(), lossgraph_nn::Error>(())
//! ```
//!
//! What it needs of data is two closures: the batches of an epoch, and the gradients of a batch. So it
//! fits data of any kind, and data that is shared out among processes: then the second one is
//! [`DataParallel::backward`], and [`Fit::parallel`] says so.

mod checkpoints;
mod event;
mod finder;
mod progress;
mod run;

pub use checkpoints::{BEST, LAST};
pub use event::{Best, Epoch, Event, Outcome, Stopped};
pub use finder::{LrCurve, LrFinder};

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use lossgraph_autograd::Module;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::checkpoint::Stateful;
use crate::optimizer::{Averaged, Optimize};
use crate::parallel::DataParallel;
use crate::schedule::Schedule;

/// What the closures of a training return: any error may be in it.
pub type BoxResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The generator of an epoch, for the order of its examples: a stream of its own of a seed's.
///
/// So the batches of an epoch depend on nothing that epochs before drew, and a run that is resumed has
/// the same.
pub fn epoch_rng(seed: u64, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    rng
}

/// When a schedule goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After each step.
    Step,
    /// After each epoch.
    Epoch,
}

/// Which figure is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The smaller, as of a loss.
    Minimize,
    /// The larger, as of an accuracy.
    Maximize,
}

/// Where a training begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Resume {
    /// Anew.
    No,
    /// At the last checkpoint of the folder, if there is one.
    Last,
    From(PathBuf),
}

/// How gradients are clipped before a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Clip {
    Norm(f64),
    Value(f64),
}

type Validate<'a> = dyn FnMut() -> BoxResult<Vec<(&'static str, f64)>> + 'a;

/// A training of a model by an optimizer, to be [run](Fit::run).
#[must_use = "`run` trains"]
pub struct Fit<'a> {
    model: &'a dyn Module,
    optimizer: &'a mut dyn Optimize,
    epochs: usize,
    schedule: Option<(Box<dyn Schedule>, Every)>,
    schedule_figure: Option<String>,
    accumulate: usize,
    clips: Vec<Clip>,
    average: Option<&'a mut Averaged>,
    monitor: Option<(String, Goal)>,
    min_delta: f64,
    patience: Option<usize>,
    folder: Option<PathBuf>,
    resume: Resume,
    save_every: Option<usize>,
    metadata: Vec<(String, String)>,
    parts: Vec<(String, &'a mut dyn Stateful)>,
    interrupt: Option<&'a AtomicBool>,
    parallel: Option<DataParallel<'a>>,
    observe: Box<dyn FnMut(&Event<'_>) + 'a>,
    validate: Option<Box<Validate<'a>>>,
}

impl<'a> Fit<'a> {
    /// A training of ten epochs.
    pub fn new(model: &'a dyn Module, optimizer: &'a mut dyn Optimize) -> Fit<'a> {
        Fit {
            model,
            optimizer,
            epochs: 10,
            schedule: None,
            schedule_figure: None,
            accumulate: 1,
            clips: Vec::new(),
            average: None,
            monitor: None,
            min_delta: 0.0,
            patience: None,
            folder: None,
            resume: Resume::No,
            save_every: None,
            metadata: Vec::new(),
            parts: Vec::new(),
            interrupt: None,
            parallel: None,
            observe: Box::new(|_| ()),
            validate: None,
        }
    }

    /// How often all batches are seen, those of runs before included.
    pub fn epochs(self, epochs: usize) -> Fit<'a> {
        Fit { epochs, ..self }
    }

    /// Sets the learning rates by a schedule, from those that the optimizer has. One that
    /// [observes](crate::schedule::ReduceOnPlateau) takes the figure of each epoch. Of a schedule of
    /// epochs, a length that is not given is [`epochs`](Fit::epochs).
    pub fn schedule(self, schedule: impl Schedule + 'static, every: Every) -> Fit<'a> {
        Fit { schedule: Some((Box::new(schedule), every)), ..self }
    }

    /// Which figure a schedule that [observes](crate::schedule::ReduceOnPlateau) takes: one of
    /// validation, or `loss`, which is the mean loss of the epoch's batches if validation gives none.
    /// Without it, that is the one that is [monitored](Fit::monitor).
    pub fn schedule_figure(self, figure: &str) -> Fit<'a> {
        Fit { schedule_figure: Some(figure.to_owned()), ..self }
    }

    /// Takes a step for every so many batches, by the mean of their gradients. The last ones of an
    /// epoch may be fewer.
    #[doc(alias = "gradient_accumulation")]
    pub fn accumulate(self, batches: usize) -> Fit<'a> {
        Fit { accumulate: batches, ..self }
    }

    /// Clips the gradients of each step to a Euclidean norm: [`clip_grad_norm`](crate::clip_grad_norm).
    pub fn clip_norm(mut self, max_norm: f64) -> Fit<'a> {
        self.clips.push(Clip::Norm(max_norm));
        self
    }

    /// Clips every element of the gradients of each step: [`clip_grad_value`](crate::clip_grad_value).
    pub fn clip_value(mut self, limit: f64) -> Fit<'a> {
        self.clips.push(Clip::Value(limit));
        self
    }

    /// Keeps averages of the model. Validation sees them, and the best checkpoint has them for its
    /// model.
    pub fn average(self, averaged: &'a mut Averaged) -> Fit<'a> {
        Fit { average: Some(averaged), ..self }
    }

    /// Which figure of validation says how good an epoch is. Without it, that is the figure `loss`,
    /// the smaller the better, or the mean loss of the epoch's batches if validation gives none.
    pub fn monitor(self, figure: &str, goal: Goal) -> Fit<'a> {
        Fit { monitor: Some((figure.to_owned(), goal)), ..self }
    }

    /// By how much a figure has to be better than the best one to be the best.
    pub fn min_delta(self, min_delta: f64) -> Fit<'a> {
        Fit { min_delta, ..self }
    }

    /// Stops early: when the figure was not better than the best one for so many epochs.
    #[doc(alias = "early_stopping")]
    pub fn patience(self, epochs: usize) -> Fit<'a> {
        Fit { patience: Some(epochs), ..self }
    }

    /// Writes checkpoints into a folder, atomically: `last.safetensors` after each epoch, to go on
    /// from, and `best.safetensors` after each that is the best so far, to use. Whenever the process is
    /// killed, both are whole, and no more than the epoch that ran is lost.
    pub fn checkpoints(self, folder: impl Into<PathBuf>) -> Fit<'a> {
        Fit { folder: Some(folder.into()), ..self }
    }

    /// Goes on from `last.safetensors`, if it is there: from the batch at which it was written, with the
    /// same bits as a run that was not interrupted.
    pub fn resume(self) -> Fit<'a> {
        Fit { resume: Resume::Last, ..self }
    }

    /// Goes on from a checkpoint that a run left, wherever it is, as [`resume`](Fit::resume) does.
    pub fn resume_from(self, checkpoint: impl Into<PathBuf>) -> Fit<'a> {
        Fit { resume: Resume::From(checkpoint.into()), ..self }
    }

    /// Writes `last.safetensors` within epochs as well, after every so many steps.
    pub fn save_every(self, steps: usize) -> Fit<'a> {
        Fit { save_every: Some(steps), ..self }
    }

    /// Text about the model, which all checkpoints have: what is needed to use it.
    pub fn metadata(mut self, key: &str, value: &str) -> Fit<'a> {
        self.metadata.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With a part that batches are drawn from, such as a sampler that goes on from epoch to epoch. A
    /// checkpoint has its state as it was when the epoch began: a run that is resumed draws the batches
    /// again that it does not train with again.
    ///
    /// Generators of layers belong to the model, and those of [`epoch_rng`] need no state.
    pub fn with(mut self, name: &str, part: &'a mut dyn Stateful) -> Fit<'a> {
        self.parts.push((name.to_owned(), part));
        self
    }

    /// A flag that ends the training after the step that runs: it is saved, and
    /// [`Stopped::Interrupted`]. A handler of ctrl-C sets it.
    pub fn interrupt(self, flag: &'a AtomicBool) -> Fit<'a> {
        Fit { interrupt: Some(flag), ..self }
    }

    /// As one of some processes, which all run the same training. Process 0 reads and writes the
    /// checkpoints, its figures of validation are those of all, and a flag of one ends all.
    pub fn parallel(self, parallel: DataParallel<'a>) -> Fit<'a> {
        Fit { parallel: Some(parallel), ..self }
    }

    /// Is told what happens, for a progress bar or a log.
    pub fn observe(self, observe: impl FnMut(&Event<'_>) + 'a) -> Fit<'a> {
        Fit { observe: Box::new(observe), ..self }
    }

    /// Computes the figures of an epoch, when it is over: on data that is not trained with.
    pub fn validate(
        self,
        validate: impl FnMut() -> BoxResult<Vec<(&'static str, f64)>> + 'a,
    ) -> Fit<'a> {
        Fit { validate: Some(Box::new(validate)), ..self }
    }
}
